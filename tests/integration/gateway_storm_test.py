#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at many gateways against one cap, with kill -9, restarts and failing engines; and gateways whose server is away.

What was spent never passes a cap by a unit, no hold is left, what was answered is on the bill once. SEED=n repeats the choice of faults.
"""
import contextlib
import http.client
import json
import os
import random
import struct
import sys
import tempfile
import threading
import time
import unittest
from collections import Counter
from decimal import Decimal
from pathlib import Path

from platform_process import ROOT, Platform, Running, wait_until

MOCK_ENGINE = Path(os.environ.get("MOCK_ENGINE", ROOT / "build/dev/tests/load/mock_engine")).resolve()
CLOCK_SHIFT = Path(os.environ.get("CLOCK_SHIFT", ROOT / "build/dev/tests/load/libclock_shift.so")).resolve()
CLIENTS = 64
GATEWAYS = 4
SECONDS_MAX = 60
PRICE_INPUT, PRICE_OUTPUT = Decimal("1.370001"), Decimal("7.130003")
TOKENS = 200
CAP = Decimal("1.200000")
TEMPLATE_TOKENS = 1024  # that an engine may add to a prompt: a hold reckons with them
MEANWHILE = 0.05


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

    def serve(self, model, *flags):
        platform, name = self.platform, f"engine-{len(self.platform.running)}"
        engine = platform.running[name] = Running([str(MOCK_ENGINE), "--model", model, "--tokens", str(TOKENS), *map(str, flags)], platform.folder, name,
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


class Client:
    """Calls by turns at all gateways; remembers what was answered in full, and how often it was refused and why."""

    def __init__(self, ports, key, model, seed):
        self.ports, self.key, self.model, self.random = ports, key, model, random.Random(seed)
        self.calls, self.statuses, self.answering = {}, Counter(), threading.Event()

    def call(self, port=None, stream=None):
        stream = self.random.random() < 0.5 if stream is None else stream
        body = {"model": self.model, "messages": [{"role": "user", "content": "storm " * self.random.randrange(1, 9)}], "max_tokens": TOKENS}
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        connection = http.client.HTTPConnection("127.0.0.1", port or self.random.choice(self.ports), timeout=SECONDS_MAX)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"})
            response = connection.getresponse()
            self.answering.set()
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

    def repeat(self, stopping):
        while not stopping.is_set():
            if self.call() in (None, 402, 429, 502, 503):
                stopping.wait(MEANWHILE)


class Storm(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("SEED", "7"))
        print(f"SEED={self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)

    def storm(self, gateways, key, spent):
        """CLIENTS threads until faults have happened and everybody is refused."""
        platform, stopping = gateways.platform, threading.Event()
        clients = [Client(gateways.ports(), key, "m" if number % 8 else "cut", f"{self.seed}-{number}") for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.repeat, args=(stopping,), daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        try:
            for fault in self.faults(gateways):
                before = sum(len(client.calls) for client in clients)
                wait_until(lambda before=before: sum(len(client.calls) for client in clients) > before + 20 or spent() > CAP * 9 / 10, "calls to go on")
                self.assertLessEqual(spent(), CAP)
                fault()
            gateways.wait_for_routes()
            wait_until(lambda: spent() > CAP * 98 / 100, "the cap to be reached")
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        print(sum((client.statuses for client in clients), Counter()), file=sys.stderr)
        return {call: usage for client in clients for call, usage in client.calls.items()}

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

    def check_end(self, gateways, key, calls, spent):
        """The last gateway can use all that the others gave back, to the last call that fits: no hold stands in its way."""
        platform = gateways.platform
        for name in gateways.names[1:]:
            platform.stop(name)
        last = Client(gateways.ports()[:1], key, "m", "last")
        worst_case = Decimal(TEMPLATE_TOKENS + 400) * PRICE_INPUT / 10**6 + TOKENS * PRICE_OUTPUT / 10**6
        wait_until(lambda: last.call(stream=False) in (402, 429) and spent() > CAP - worst_case, "the cap to be used up")
        self.assertIn("insufficient_quota", last.last[1])
        platform.stop(gateways.names[0])
        wallet = platform.get_json("wallet", "get")
        lines = gateways.settled_lines(calls | last.calls)
        charged, used = sum(Decimal(line["charged"]) for line in lines), spent()
        self.assertLessEqual(used, CAP)
        self.assertEqual(Decimal(wallet["held"]), 0)
        self.assertEqual(Decimal(wallet["spent"]), charged)
        total = sum(Decimal(item["exact_amount"]) for line in lines for item in line["usage"])
        self.assertLessEqual(total, CAP)
        self.assertTrue(0 <= total - charged < Decimal("0.000004"), f"{total} rated, {charged} posted")
        settlement = platform.settlement()
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])

    def serve_engines(self, gateways):
        gateways.serve("m")
        gateways.serve("m", "--status", 500)
        gateways.serve("cut", "--cut-after", 20)
        gateways.serve("cut")
        gateways.wait_for_routes()

    def test_a_wallet_is_never_overdrawn(self):
        gateways = Gateways(self, GATEWAYS, credit=str(CAP))
        self.serve_engines(gateways)

        def spent():
            return self.asked_again(lambda: Decimal(gateways.platform.api("GET", "/v1/wallet").json["spent"]))

        calls = self.storm(gateways, gateways.platform.key(), spent)
        self.check_end(gateways, gateways.platform.key(), calls, spent)

    def test_the_budgets_of_a_key_and_its_project_are_never_passed(self):
        gateways = Gateways(self, GATEWAYS)
        self.serve_engines(gateways)
        key = gateways.key("--budget", str(CAP), "--budget-period", "month")

        def spent():
            return self.asked_again(lambda: Decimal(gateways.platform.api("GET", "/v1/keys/k4/usage").json["spending"]["total"]))

        calls = self.storm(gateways, key, spent)
        self.check_end(gateways, key, calls, spent)

    @staticmethod
    def asked_again(question):
        def answer():
            with contextlib.suppress(OSError):  # the server is being started
                return (question(),)
            return None

        return wait_until(answer, "the server to answer")[0]


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
        clients = [Client(gateways.ports(), key, "m", number) for number in range(16)]

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
        self.clock = Path(self.enterContext(tempfile.TemporaryDirectory())) / "clock"
        self.shift(0)
        self.gateways = Gateways(self, 1)
        self.platform = self.gateways.platform
        self.platform.stop("gateway")
        self.names = self.gateways.names = ["gateway", "second"]
        for name in self.names:
            self.start(name)
        self.gateways.serve("m", "--gap", "2ms")
        self.gateways.wait_for_routes()
        self.client = Client(self.gateways.ports(), self.platform.key(), "m", 1)

    def start(self, name):
        self.platform.start_gateway(name, {"LD_PRELOAD": str(CLOCK_SHIFT), "PENSTOCK_CLOCK_SHIFT": str(self.clock)})

    def shift(self, seconds):
        data = struct.pack("<q", seconds)
        if not self.clock.exists():
            self.clock.write_bytes(data)
        with open(self.clock, "r+b") as file:
            file.write(data)

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
            self.shift(minutes * 60)
            self.assertEqual(self.call_everywhere(), {200}, f"after {minutes} minutes")
        self.platform.kill("second")  # its spool holds what it served
        self.shift(0)
        self.platform.start_server()
        self.start("second")
        self.gateways.wait_for_routes()
        self.assertEqual(self.call_everywhere(), {200})
        self.check_end()

    def test_a_gateway_says_so_when_what_it_knew_has_run_out(self):
        self.assertEqual(self.call_everywhere(), {200})
        self.platform.kill("server")
        self.shift(3 * 3600)
        self.assertEqual(self.call_everywhere(1), {503})
        self.shift(0)
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
            self.shift(shift)
            for thread in running:
                thread.join()
            if abs(shift) <= 1800:
                wait_until(lambda: self.call_everywhere(1) == {200}, f"calls with a clock {shift} s ahead")
        self.assertLessEqual(self.client.statuses.keys(), {200, 503})
        self.check_end()


if __name__ == "__main__":
    unittest.main()
