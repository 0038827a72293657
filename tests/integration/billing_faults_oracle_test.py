#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every call is charged what the rules say where more than an engine fails: another model answers, one gateway of several is killed, clocks jump.

As in billing_oracle_test.py the engines know what they made and billing_truth.py what that costs; bill, wallet, ledger, holds and leases are held against it.
"""
import concurrent.futures
import dataclasses
import itertools
import threading
import unittest
from decimal import Decimal

from billing_oracle_test import PAIRS, SECONDS_MAX, THREADS, Bench, Reader, body_of
from billing_truth import PLAIN, Case
from clock import Clock
from metered_engine import PROTOCOLS, MeteredEngine, Script
from platform_process import wait_until

FIRST_PRICES = {"input_fresh": "0.31", "output_visible": "9.000001", "output_reasoning": "2.5"}
SECOND_PRICES = {"input_fresh": "0.520003", "output_visible": "8.000007", "cache_read": "0.052"}
HOUR = 3600


@dataclasses.dataclass
class Asked(Case):
    more: dict = dataclasses.field(default_factory=dict)  # members of the request that are its own
    gateway: str = "gateway"
    failed: int = None  # which of the attempts this is, of a model that another one answers for


class Asker(Reader):
    def request_of(self, case):
        path, body = body_of(case)
        return path, body | case.more


class Faults(Bench):
    NAMES = ("gateway",)

    @classmethod
    def start_gateway(cls, name):
        cls.platform.start_gateway(name)

    @classmethod
    def wait_for_routes(cls):
        def known(port):
            listed = cls.platform.api("GET", "/v1/models", url=f"http://127.0.0.1:{port}")
            return listed.status == 200 and {model["id"] for model in listed.json["data"]} >= set(cls.prices)

        wait_until(lambda: all(map(known, cls.platform.gateway_ports.values())), "the gateways to have the routes")

    def ask(self, case):
        return Asker(self.platform.gateway_ports[case.gateway], self.platform.key())(case)

    def run_cases(self, cases):
        for case in cases:
            self.add(case)
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(self.ask, cases))

    def begin(self, cases, threads):
        """Streams that their engines keep open: they have been asked when this returns."""
        for case in cases:
            self.add(case)
        running = [threads.submit(self.ask, case) for case in cases]
        wait_until(lambda: all(case.number in case.asked() for case in cases), "the engines to be asked")
        return running

    def check_books(self):
        """The money of all cases so far; then that gateways which stop in order leave no hold and no lease."""
        self.wait_for_lines()
        self.check_money()
        for name in self.NAMES:
            self.platform.stop(name)
        self.assertEqual(Decimal(self.platform.get_json("wallet", "get")["held"]), 0)
        for name in self.NAMES:
            self.assertEqual(self.platform.api("GET", f"/v1/gateways/{name}/leases", key=self.platform.key("operator")).json["leases"], [])
        for name in self.NAMES:
            self.start_gateway(name)
        self.wait_for_routes()


class Fallback(Faults):
    """`models` of a request: the one that answers is told and charged, at its own price. Each that could not is a call of its own that costs nothing."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.failing = cls.enterClassContext(MeteredEngine("openai", cls.scripts))
        for engine in (cls.failing, *cls.engines.values()):
            engine.beside = [cls.failing, *cls.engines.values()]

    def add(self, case):
        super().add(case)
        case.attempts = lambda: sum(len(engine.asked.get(case.number, ())) for engine in self.failing.beside)
        return case

    def calls_of(self, case):
        return super().calls_of(case) if case.failed is None else self.failing.asked[case.number][case.failed:case.failed + 1]

    def attempts_least(self, case):
        """Each model of a request is a call of its own here, with one engine, which is asked once."""
        return 1

    def with_failed(self, cases):
        """Beside each case those of the models before it, which the same script says why they failed."""
        failed = [dataclasses.replace(case, model=model, failed=place) for case in cases
                  for place, model in enumerate([case.more["model"], *case.more["models"]][:-1]) if model in self.prices]
        for case in failed:
            case.attempts = lambda place=case.failed: place + 1
        self.cases += failed
        return cases + failed

    def fallen(self, client, protocol, stream, fail, before):
        """A case with models of its own: `before` of them, whose engine fails, and one of `protocol`."""
        number, names = len(self.prices), []
        for place in range(before):
            names.append(f"first-{number}-{place}")
            self.register(names[-1], self.failing, "openai", FIRST_PRICES)
        names.append(f"second-{number}")
        self.register(names[-1], self.engines[protocol], protocol, SECOND_PRICES)
        return Asked(client, protocol, Script(PLAIN, fail=fail), stream, model=names[-1], more={"model": names[0], "models": names[1:]})

    def run_cases(self, cases):
        """With the failed ones, whose names are on the bill as well."""
        self.wait_for_routes()
        cases = self.with_failed(super().run_cases(cases))
        lines = self.check_lines(cases)
        for case in cases:
            self.assertEqual(lines[self.calls_of(case)[0]]["name"], case.model)

    def check_answers(self, cases):
        """Each names the model that gave it."""
        for case in cases:
            status, data = case.answer
            self.assertEqual(status, 200, data)
            self.assertIn(f'"{case.model}"', data.decode())

    def test_another_model_answers_and_is_charged_at_its_own_price(self):
        # A kept connection that ends without an answer is asked once more, so that the first model would answer: no status 0 here.
        fails = itertools.cycle(({1: 500}, {1: 429}, {1: 404}, {1: 503}))
        cases = [self.fallen(client, protocol, stream, next(fails), before=1) for client, protocol in PAIRS for stream in (True, False)]
        self.run_cases(cases)
        self.check_answers(cases)
        self.assertEqual({case.attempts() for case in cases}, {2})
        self.check_books()

    def test_the_third_model_answers_where_two_cannot(self):
        cases = [self.fallen(client, protocol, True, {1: 500, 2: 503}, before=2) for client, protocol in PAIRS]
        self.run_cases(cases)
        self.check_answers(cases)
        self.check_books()

    def test_a_model_that_nobody_has_is_passed_over(self):
        cases = [self.fallen(client, protocol, True, {}, before=0) for client, protocol in PAIRS]
        for case in cases:
            case.more = {"model": "nobody-has-it", "models": [case.model]}
        self.run_cases(cases)
        self.check_answers(cases)
        self.check_books()

    def test_nothing_is_charged_where_all_of_them_fail(self):
        cases = [self.fallen(client, protocol, stream, {1: 500, 2: 503}, before=1) for client, protocol in PAIRS[:6] for stream in (True, False)]
        self.run_cases(cases)
        self.assertNotIn(200, {case.answer[0] for case in cases})
        self.check_books()

    def test_the_other_model_breaks_off_after_any_frame(self):
        cases = []
        for client, protocol in PAIRS:
            for place in range(len(list(PROTOCOLS[protocol]().stream(Script(PLAIN))))):
                case = self.fallen(client, protocol, True, {1: 500}, before=1)
                case.script.cut_after = place
                cases.append(case)
        self.run_cases(cases)
        self.check_books()


class Replicas(Faults):
    """Several gateways before the same engines and the same wallet; each in its turn is killed in the middle of its streams."""

    NAMES = ("gateway", "gateway-1", "gateway-2")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in cls.NAMES[1:]:
            cls.start_gateway(name)
        cls.wait_for_routes()

    def test_kill_9_of_one_changes_no_bill_of_the_others(self):
        for victim in self.NAMES:
            others, resume = [name for name in self.NAMES if name != victim], threading.Event()
            cut, going_on, whole = [], [], []
            for (client, protocol), other in zip(PAIRS, itertools.cycle(others)):
                frames = len(list(PROTOCOLS[protocol]().stream(Script(PLAIN))))
                cut += [Asked(client, protocol, Script(PLAIN, hold_after=place), crashes=True, gateway=victim) for place in (1, frames - 1)]
                going_on.append(Asked(client, protocol, Script(PLAIN, pause_after=frames // 2, resume=resume), gateway=other))
                whole += [Asked(client, protocol, Script(PLAIN), stream, gateway=name) for name in self.NAMES for stream in (True, False)]
            with concurrent.futures.ThreadPoolExecutor(len(cut) + len(going_on)) as threads:
                running = self.begin(cut + going_on, threads)
                reader = Reader(0, "")
                for case in cut:
                    # Before the engine's first piece nothing comes: there is nothing to wait for but the engine.
                    if reader.pieces_of(case):
                        self.assertTrue(case.arrived.wait(SECONDS_MAX))
                self.run_cases(whole)
                self.platform.kill(victim)
                # Who was cut off asks again, elsewhere: that is a call of its own.
                again = self.run_cases([Asked(case.client, case.protocol, Script(PLAIN), gateway=other) for case, other in zip(cut, itertools.cycle(others))])
                resume.set()
                concurrent.futures.wait(running)
            self.start_gateway(victim)
            self.wait_for_routes()
            self.check_lines(cut + going_on + whole + again)
            self.assertEqual({case.answer[0] for case in going_on + whole + again}, {200})
        self.check_books()


    def test_kill_9_in_a_second_attempt_keeps_the_first_one_that_nobody_pays_for(self):
        first, second = (self.enterContext(MeteredEngine("openai", self.scripts)) for _ in range(2))
        first.beside = second.beside = [first, second]
        prices = ({"input_fresh": "0.31", "output_visible": "9.000001"}, {"input_fresh": "0.52", "output_visible": "8.000007", "cache_read": "0.052"})
        frames, held, victim = len(list(PROTOCOLS["openai"]().stream(Script(PLAIN)))), [], self.NAMES[0]
        # A model for each: of a model's calls few are tried again.
        for client, place, fail in itertools.product(("chat", "responses", "anthropic", "ollama"), (0, 1, frames - 1), (500, 429)):
            model = f"twice-{len(held)}"
            for engine, price in zip((first, second), prices, strict=True):
                self.register(model, engine, "openai", price)
            held.append(Asked(client, "openai", Script(PLAIN, hold_after=place, fail={1: fail}), crashes=True, model=model, gateway=victim))
        self.wait_for_routes()
        with concurrent.futures.ThreadPoolExecutor(len(held)) as threads:
            running, reader = self.begin(held, threads), Reader(0, "")
            wait_until(lambda: all(case.attempts() == 2 for case in held), "each to be asked of a second engine")
            for case in held:
                if reader.pieces_of(case):
                    self.assertTrue(case.arrived.wait(SECONDS_MAX))
            self.platform.kill(victim)
            concurrent.futures.wait(running)
        self.start_gateway(victim)
        self.wait_for_routes()
        self.check_lines(held)
        lines = self.wait_for_lines()
        for case in held:
            self.check_attempts(case, lines)
        self.check_books()


class ClockJumps(Faults):
    """The wall clock of a gateway, of the server and of both jumps by hours while calls run; what they cost does not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clocks = {name: Clock(cls.enterClassContext) for name in ("gateway", "server")}
        cls.platform.stop("gateway")
        cls.platform.stop("server")
        cls.platform.start_server(cls.clocks["server"].environment)
        cls.start_gateway("gateway")
        cls.wait_for_routes()

    @classmethod
    def start_gateway(cls, name):
        cls.platform.start_gateway(name, cls.clocks["gateway"].environment)

    def jump(self, names, seconds):
        for name in names:
            self.clocks[name].shift(seconds)

    def wait_for_service(self):
        """A gateway whose clock was ahead of what it had leased takes calls again when both agree."""
        def served():
            [case] = self.run_cases([Asked("chat", "openai", Script(PLAIN), stream=False)])
            self.probes.append(case)
            return case.answer[0] == 200

        wait_until(served, "the gateway to serve again")

    def check_jump(self, names, hours):
        resume, self.probes = threading.Event(), []
        with concurrent.futures.ThreadPoolExecutor(2 * len(PAIRS)) as threads:
            streams = [Asked(client, protocol, Script(PLAIN, pause_after=len(list(PROTOCOLS[protocol]().stream(Script(PLAIN)))) // 2, resume=resume))
                       for client, protocol in PAIRS]
            running = self.begin(streams, threads)
            self.jump(names, hours * HOUR)
            meanwhile = self.run_cases([Asked(client, protocol, Script(PLAIN), stream=False) for client, protocol in PAIRS])
            resume.set()
            concurrent.futures.wait(running)
        self.jump(names, 0)
        self.wait_for_service()
        self.assertEqual({case.answer[0] for case in streams}, {200}, f"{names} {hours} h")
        # Whose clock is far ahead has nothing that is still good, and says so before any engine is asked.
        ahead = names == ["gateway"] and hours > 24
        self.assertLessEqual({case.answer[0] for case in meanwhile}, {503} if ahead else {200, 503}, f"{names} {hours} h")
        self.check_lines(streams + [case for case in meanwhile + self.probes if case.answer[0] == 200])

    def test_by_hours_forwards_and_backwards_while_streams_run(self):
        for names in (["gateway"], ["server"], ["gateway", "server"]):
            for hours in (2, -2, 26, -26):
                self.check_jump(names, hours)
        self.check_books()


if __name__ == "__main__":
    unittest.main()
