#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at many gateways against one cap, with kill -9, restarts, failing engines and clients that leave; and gateways whose server is away.

What was spent never passes a cap by a unit, no hold and no lease is left, what was answered is on the bill once. SEED=n repeats the choice of faults.
"""
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import sys
import threading
import time
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path

from clock import Clock
from platform_process import ROOT, Platform, Running, wait_until

MOCK_ENGINE = Path(os.environ.get("MOCK_ENGINE", ROOT / "build/dev/tests/load/mock_engine")).resolve()
CLIENTS = 64  # at each gateway
GATEWAYS = 4
SECONDS_MAX, STORM_SECONDS_MAX = 60, 240
PRICE_INPUT, PRICE_OUTPUT = Decimal("1.370001"), Decimal("7.130003")
TOKENS, STORM_TOKENS = 200, 100
ENGINES = (("m", ()), ("m", ("--status", 500)), ("cut", ("--cut-after", 20)), ("cut", ()))
DELAY = "800ms"  # of the engines of a storm, so that all clients' calls are in flight together
CAP = Decimal("0.200000")
ORGANISATION_CAPS = 6  # its budget is as many caps: more than the four payers' shares, so that the slower ones reach their own
TEMPLATE_TOKENS = 1024  # that an engine may add to a prompt: a hold reckons with them
WORST_CASE = (TEMPLATE_TOKENS + 400) * PRICE_INPUT / 10**6 + STORM_TOKENS * PRICE_OUTPUT / 10**6  # of one call of a storm; 400: its body
MEANWHILE = 0.5
IN_FLIGHT_SHARE = 0.9  # of the clients, at one time
LEAVES_SHARE = 0.05  # of calls whose client goes away in the middle
LEASE_HOURS = 3  # after which a lease that nobody renewed is over


def exact(usage):
    return (usage["prompt_tokens"] * PRICE_INPUT + usage["completion_tokens"] * PRICE_OUTPUT) / 10**6


class Gateways:
    """A platform with several gateways and engines whose usage is known."""

    def __init__(self, test, gateways, credit="100.00", environment=None):
        self.test, self.environment = test, environment
        self.platform = test.enterContext(Platform(roles=True, agent=False, credit=credit))
        self.names = ["gateway", *(f"gateway-{number}" for number in range(1, gateways))]
        for name in self.names[1:]:
            self.platform.start_gateway(name)
        self.models = set()

    def serve(self, model, *flags, tokens=TOKENS):
        platform, name = self.platform, f"engine-{len(self.platform.running)}"
        engine = platform.running[name] = Running([str(MOCK_ENGINE), "--model", model, "--tokens", str(tokens), *map(str, flags)], platform.folder, name,
                                                  platform.environment)
        url = engine.wait_for(r"(http://\S+)")
        answer = platform.api("POST", "/v1/endpoints", {"model": model, "url": url, "protocol": "openai", "price_input": str(PRICE_INPUT),
                                                        "price_output": str(PRICE_OUTPUT)})
        self.test.assertIn(answer.status, (200, 201), answer.text)
        self.models.add(model)

    def wait_for_routes(self):
        wait_until(lambda: all(self.knows_models(port) for port in self.ports()), "the gateways to have the routes")

    def knows_models(self, port):
        try:
            listed = self.platform.api("GET", "/v1/models", url=f"http://127.0.0.1:{port}")
        except OSError:
            return False
        return listed.status == 200 and {model["id"] for model in listed.json["data"]} >= self.models

    def ports(self):
        return [self.platform.gateway_ports[name] for name in self.names]

    def key(self, *limits):
        return self.platform.cli("key", "create", "--name", f"k{len(limits)}", *limits).out.strip()

    def settled_lines(self, calls):
        """All of the bill, when nothing is left to be settled: the gateways have stopped in order."""
        lines, token = [], ""
        while token is not None:
            page = self.platform.api("GET", f"/v1/bills?page_size=1000&page_token={token}").json
            lines, token = lines + page["lines"], page.get("next_page_token")
        by_call = {line["resource"].removeprefix("call/"): line for line in lines}
        self.test.assertEqual(len(by_call), len(lines), "a call is on the bill twice")
        for call, usage in calls.items():
            counted = {item["meter"]: item["quantity"] for item in by_call[call]["usage"]}
            self.test.assertEqual(counted, {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}, by_call[call])
        return lines


class Flight:
    """How many calls are under way at one time, and the most there ever were."""

    def __init__(self):
        self.now, self.most, self.lock = 0, 0, threading.Lock()

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


class Client:
    """Calls by turns at all gateways; remembers what was answered in full, and how often it was refused and why."""

    def __init__(self, ports, key, models, seed, tokens=TOKENS, leaves_share=0.0, flight=None):
        self.tokens = tokens
        self.ports, self.key, self.models, self.random, self.leaves_share = ports, key, models, random.Random(seed), leaves_share
        self.calls, self.statuses, self.answering, self.flight = {}, Counter(), threading.Event(), flight or Flight()

    def call(self, port=None, stream=None):
        stream = self.random.random() < 0.5 if stream is None else stream
        messages = [{"role": "user", "content": "storm " * self.random.randrange(1, 9)}]
        body = {"model": self.random.choice(self.models), "messages": messages, "max_tokens": self.tokens}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        connection = http.client.HTTPConnection("127.0.0.1", port or self.random.choice(self.ports), timeout=SECONDS_MAX)
        try:
            with self.flight:
                headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
                connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
                response = connection.getresponse()
                self.answering.set()
                if stream and response.status == 200 and self.random.random() < self.leaves_share:
                    response.read1(self.random.randrange(1, 8192))
                    self.statuses["left"] += 1
                    return 200
                text = response.read().decode()
        except (OSError, http.client.HTTPException):
            self.statuses["cut"] += 1
            return None
        finally:
            connection.close()
        self.statuses[response.status] += 1
        self.last = response.status, text
        if response.status == 200 and (not stream or "[DONE]" in text):
            whole = text if not stream else next(line[6:] for line in text.splitlines() if '"usage"' in line)
            self.calls[response.headers["x-penstock-call"]] = json.loads(whole)["usage"]
        return response.status

    def repeat(self, stopping, together):
        together.wait(SECONDS_MAX)
        while not stopping.is_set():
            if self.call() in (None, 402, 429, 502, 503):
                stopping.wait(MEANWHILE)


class Storm(unittest.TestCase):
    """CLIENTS at each of GATEWAYS. A payer is a key with the models that its clients call, and `spent`, what the server says of its cap."""

    def setUp(self):
        self.seed = int(os.environ.get("SEED", "7"))
        print(f"SEED={self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)

    def storm(self, gateways, payers):
        """Until faults have happened and everybody is refused."""
        stopping, flight = threading.Event(), Flight()
        clients = [Client([port], payer.key, payer.models, f"{self.seed}-{port}-{number}", STORM_TOKENS, LEAVES_SHARE, flight)
                   for port in gateways.ports() for number, payer in zip(range(CLIENTS), itertools.cycle(payers))]
        together = threading.Barrier(len(clients))

        def answered():
            return sum(len(client.calls) for client in clients)

        threads = [threading.Thread(target=client.repeat, args=(stopping, together), daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: flight.most > len(clients) * IN_FLIGHT_SHARE, "the clients to call at one time")
            for fault in self.faults(gateways):
                enough = answered() + 20
                wait_until(lambda enough=enough: answered() > enough or self.is_used(payers, WORST_CASE * CLIENTS), "calls to go on")
                fault()
            gateways.wait_for_routes()
            # A gateway may keep less of a cap than a call needs, as long as its own clients wait for more.
            wait_until(lambda: self.is_used(payers, WORST_CASE * GATEWAYS), "the caps to be reached", STORM_SECONDS_MAX)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        statuses = sum((client.statuses for client in clients), Counter())
        print(f"{flight.most} calls at one time; {dict(statuses)}", file=sys.stderr)
        self.assertGreater(min(statuses["left"], statuses["cut"], statuses[402] + statuses[429]), 0, "faults that did not happen")
        return {call: usage for client in clients for call, usage in client.calls.items()}

    def is_used(self, payers, rest):
        """Whether no more than `rest` is left of each cap; at every look none has been passed."""
        spent = [payer.spent() for payer in payers]
        for payer, amount in zip(payers, spent, strict=True):
            self.assertLessEqual(amount, payer.cap)
        return all(amount > payer.cap - rest for payer, amount in zip(payers, spent, strict=True))

    def faults(self, gateways):
        platform = gateways.platform

        def kill_gateway():
            name = self.random.choice(gateways.names)
            platform.kill(name)
            platform.start_gateway(name)

        def stop_gateway():
            name = self.random.choice(gateways.names)
            platform.stop(name)
            platform.start_gateway(name)

        def kill_server():
            platform.kill("server")
            platform.start_server()

        faults = [kill_gateway] * 4 + [stop_gateway] + [kill_server] * 2
        self.random.shuffle(faults)
        return faults

    def check_holds(self, gateways):
        """None is open when the clients have gone: by what each gateway says, and by what the server knows of it."""
        platform = gateways.platform

        def open_holds():
            found = {}
            for name in gateways.names:
                metrics = platform.api("GET", "/metrics", url=f"http://127.0.0.1:{platform.gateway_ports[name]}").text
                told = platform.api("GET", f"/v1/gateways/{name}", key=platform.key("operator")).json
                measured = float(re.search(r"^penstock_gateway_holds_open (\S+)$", metrics, re.MULTILINE).group(1))
                found[name] = (measured, told["holds_open"], Decimal(told["held"]))
            return {name: holds for name, holds in found.items() if holds != (0, 0, 0)}

        wait_until(lambda: not open_holds(), "the holds to be gone")

    def check_end(self, gateways, payers, calls):
        """The last gateway can use all that the others gave back, to the last call that fits: no hold stands in its way."""
        platform = gateways.platform
        self.check_holds(gateways)
        for name in gateways.names[1:]:
            platform.stop(name)
        for payer in payers:
            last = Client(gateways.ports()[:1], payer.key, ["m"], "last", STORM_TOKENS)
            wait_until(lambda last=last, payer=payer: last.call(stream=False) in (402, 429) and payer.spent() > payer.cap - WORST_CASE, "the cap to be used up")
            self.assertIn("insufficient_quota", last.last[1])
            calls |= last.calls
            payer.make_room()
        platform.stop(gateways.names[0])
        self.check_nothing_is_left(gateways, payers)
        lines = gateways.settled_lines(calls)
        for payer in payers:
            self.assertLessEqual(sum(Decimal(item["exact_amount"]) for line in lines if payer.pays(line) for item in line["usage"]), payer.cap)
        charged, wallet = sum(Decimal(line["charged"]) for line in lines), platform.get_json("wallet", "get")
        self.assertEqual((Decimal(wallet["held"]), Decimal(wallet["spent"])), (0, charged))
        total = sum(Decimal(item["exact_amount"]) for line in lines for item in line["usage"])
        # Of what each project owes for each engine less than a millionth waits to become one.
        contracts = len({line["project_id"] for line in lines}) * len(ENGINES)
        self.assertTrue(0 <= total - charged < contracts * Decimal("0.000001"), f"{total} rated, {charged} posted")
        settlement = platform.settlement()
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])

    def check_nothing_is_left(self, gateways, payers):
        """Gateways that have stopped in order hold no lease, and nothing of a limit is granted."""
        platform = gateways.platform
        for name in gateways.names:
            self.assertEqual(platform.api("GET", f"/v1/gateways/{name}/leases", key=platform.key("operator")).json["leases"], [])
        for payer in payers:
            for limit in payer.report()["limits"]:
                self.assertEqual(Decimal(limit["reserved"]), 0, limit)
                self.assertLessEqual(Decimal(limit.get("used", 0)), Decimal(limit["allowed"]), limit)

    def serve_engines(self, gateways):
        for model, flags in ENGINES:
            gateways.serve(model, "--delay", DELAY, *flags, tokens=STORM_TOKENS)
        gateways.wait_for_routes()

    def test_a_wallet_is_never_overdrawn(self):
        gateways = Gateways(self, GATEWAYS, credit=str(CAP * 3))
        self.serve_engines(gateways)
        payers = [Payer(gateways.platform, CAP * 3, name="user", key=gateways.platform.key())]
        self.check_end(gateways, payers, self.storm(gateways, payers))

    def test_budgets_of_organisation_project_key_and_model_are_never_passed(self):
        """The clients of each level come to the end of its budget, those of the organisation to what the others leave of it."""
        gateways = Gateways(self, GATEWAYS)
        self.serve_engines(gateways)
        platform, budget = gateways.platform, {"budget": str(CAP)}
        for project in ("wide", "narrow"):
            platform.cli("project", "create", project)
        limit(platform, "projects/narrow", CAP)
        payers = [Payer(platform, CAP * ORGANISATION_CAPS, name="of-organisation", level="organisation", project="wide"),
                  Payer(platform, CAP, name="of-key", level="key", limits=budget, project="wide"),
                  Payer(platform, CAP, name="of-model", level="key", models=["m"], limits={"per_model": {"m": budget}}, project="wide"),
                  Payer(platform, CAP, name="of-project", level="project", project="narrow")]
        self.check_end(gateways, payers, self.storm(gateways, payers))


def limit(platform, what, budget):
    answer = platform.api("PATCH", f"/v1/{what}", {"limits": {"budget": str(budget)}})
    assert answer.status == 200, answer.text


class Payer:
    """A key, and the cap that its calls come to: the budget of `level`, or without one the wallet."""

    def __init__(self, platform, cap, name, level=None, models=("m", "m", "m", "cut"), key=None, **members):
        self.platform, self.cap, self.name, self.level, self.models = platform, cap, name, level, list(models)
        self.key, self.project = key, None
        if key is None:
            made = platform.api("POST", "/v1/keys", {"name": name} | members)
            assert made.status in (200, 201), made.text
            self.key, self.id, self.project = made.json["key"], made.json["id"], made.json["project_id"]
        self.set_organisation_cap(cap)

    def set_organisation_cap(self, cap):
        if self.level == "organisation":
            self.cap = cap
            limit(self.platform, "organisations/" + self.platform.api("GET", "/v1/whoami").json["organisation_id"], cap)

    def make_room(self):
        """A budget that binds all others rises when it has been used up, so that theirs are next to bind."""
        self.set_organisation_cap(self.cap + CAP)

    def report(self):
        """What the server says of the key's limits, once it is there."""
        if self.level is None:
            return {"limits": []}
        return self.asked_again(f"/v1/keys/{self.name}/usage")

    def spent(self):
        if self.level is None:
            return Decimal(self.asked_again("/v1/wallet")["spent"])
        return next(Decimal(limit["used"]) for limit in self.report()["limits"] if limit["level"] == self.level and limit["limit"] == "budget")

    def pays(self, line):
        """Whether a bill line counts against the cap."""
        if self.level == "key":
            return line["key_id"] == self.id
        return self.level != "project" or line["project_id"] == self.project

    def asked_again(self, path):
        def answer():
            with contextlib.suppress(OSError):  # the server is being started
                return self.platform.api("GET", path).json

        return wait_until(answer, "the server to answer")


class DeadGateway(unittest.TestCase):
    """What a gateway had of a wallet when it died for good is the tenant's again when its leases are over."""

    def test_leases_of_a_gateway_that_does_not_come_back_are_outstanding_until_they_are_over(self):
        clock = Clock(self.enterContext)
        gateways = Gateways(self, 1)
        platform, operator = gateways.platform, gateways.platform.key("operator")
        platform.stop("server")
        platform.start_server(clock.environment)
        gateways.serve("m")
        gateways.wait_for_routes()
        client = Client(gateways.ports(), platform.key(), ["m"], 1)
        self.assertEqual(client.call(), 200)

        def settled():
            return platform.api("GET", "/v1/bills").json["total"] == 1

        def leases():
            return platform.api("GET", "/v1/gateways/gateway/leases", key=operator).json["leases"]

        wait_until(settled, "the call to be settled")
        platform.kill("gateway")
        held, spent = (Decimal(platform.get_json("wallet", "get")[name]) for name in ("held", "spent"))
        self.assertGreater(held, 0)
        self.assertEqual([lease["account"]["measure"] for lease in leases()], ["wallet"])

        clock.shift(LEASE_HOURS * 3600)

        wait_until(lambda: not leases(), "the lease to be over")
        wallet = wait_until(lambda: (now := platform.get_json("wallet", "get")) and Decimal(now["held"]) == 0 and now, "the money to be free")
        self.assertEqual(Decimal(wallet["spent"]), spent)


class RateLimit(unittest.TestCase):
    def test_two_gateways_share_the_requests_of_a_minute(self):
        gateways = Gateways(self, 2)
        gateways.serve("m")
        gateways.wait_for_routes()
        limit = 40
        key = gateways.key("--rpm", str(limit))
        if time.time() % 60 > 30:
            wait_until(lambda: time.time() % 60 < 30, "the next minute to begin")
        minute = time.time() // 60
        clients = [Client(gateways.ports(), key, ["m"], number) for number in range(16)]

        def until_refused(client):
            turn = 0
            while turn < 6 and time.time() // 60 == minute:
                turn = turn + 1 if client.call(stream=False) == 429 else 0

        threads = [threading.Thread(target=until_refused, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(time.time() // 60, minute, "the machine is too busy for this test")
        served = sum(len(client.calls) for client in clients)
        self.assertLessEqual(served, limit)
        self.assertGreaterEqual(served, limit - 2)
        self.assertEqual(set().union(*(client.statuses for client in clients)), {200, 429})


class Away(unittest.TestCase):
    """The server is down; the gateways' clocks say for how long."""

    def setUp(self):
        self.clock = Clock(self.enterContext)
        self.gateways = Gateways(self, 1)
        self.platform = self.gateways.platform
        self.platform.stop("gateway")
        self.names = self.gateways.names = ["gateway", "second"]
        for name in self.names:
            self.start(name)
        self.gateways.serve("m", "--gap", "2ms")
        self.gateways.wait_for_routes()
        self.client = Client(self.gateways.ports(), self.platform.key(), ["m"], 1)

    def start(self, name):
        self.platform.start_gateway(name, self.clock.environment)

    def call_everywhere(self, times=3):
        return {self.client.call(port) for _ in range(times) for port in self.gateways.ports()}

    def check_end(self):
        for name in self.names:
            self.platform.stop(name)
        lines = self.gateways.settled_lines(self.client.calls)
        self.assertEqual({line["resource"].removeprefix("call/") for line in lines}, set(self.client.calls))
        self.assertEqual(sum(Decimal(item["exact_amount"]) for line in lines for item in line["usage"]), sum(map(exact, self.client.calls.values())))
        wallet = self.platform.get_json("wallet", "get")
        self.assertEqual((Decimal(wallet["spent"]), Decimal(wallet["held"])), (sum(Decimal(line["charged"]) for line in lines), 0))

    def test_gateways_serve_on_for_an_hour_and_settle_all_of_it_afterwards(self):
        self.assertEqual(self.call_everywhere(), {200})
        self.platform.kill("server")
        for minutes in (0, 10, 30, 55):
            self.clock.shift(minutes * 60)
            self.assertEqual(self.call_everywhere(), {200}, f"after {minutes} minutes: {self.client.last}")
        self.platform.kill("second")  # its spool holds what it served
        self.clock.shift(0)
        self.platform.start_server()
        self.start("second")
        self.gateways.wait_for_routes()
        self.assertEqual(self.call_everywhere(), {200})
        self.check_end()

    def test_a_gateway_says_so_when_what_it_knew_has_run_out(self):
        self.assertEqual(self.call_everywhere(), {200})
        self.platform.kill("server")
        self.clock.shift(3 * 3600)
        self.assertEqual(self.call_everywhere(1), {503})
        self.clock.shift(0)
        self.platform.start_server()
        wait_until(lambda: self.call_everywhere(1) == {200}, "the gateways to serve again")
        self.check_end()

    def test_a_clock_that_jumps_changes_no_bill(self):
        """Whose clock is more than an hour ahead finds no allowance that is still good, and says so."""
        for shift in (1800, 0, -1800, 7200, -90, 90, 40 * 86400, -40 * 86400, 0):
            self.client.answering.clear()
            running = [threading.Thread(target=self.client.call, args=(port, True)) for port in self.gateways.ports() for _ in range(4)]
            for thread in running:
                thread.start()
            self.assertTrue(self.client.answering.wait(SECONDS_MAX))
            self.clock.shift(shift)
            for thread in running:
                thread.join()
            if abs(shift) <= 1800:
                wait_until(lambda: self.call_everywhere(1) == {200}, f"calls with a clock {shift} s ahead")
        self.assertLessEqual(self.client.statuses.keys(), {200, 503})
        self.check_end()


if __name__ == "__main__":
    unittest.main()
