#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every call is charged what the rules say of what truly happened, to the token and to the micro-yuan.

The engines know what they made, reported and broke (metered_engine.py). billing_truth.py says, from the rules that users read and from nothing of the
gateway's own, what that costs. Each client dialect calls each engine protocol: whole, cut by the engine at every frame, left by the client at
every frame, retried, refused, through kill -9 of the gateway and of the server; then bill lines, wallet and ledger are held against the truth.
"""
import concurrent.futures
import contextlib
import dataclasses
import datetime
import http.client
import itertools
import json
import re
import socket
import unittest
from decimal import ROUND_FLOOR, Decimal

from billing_truth import (
    CLASS_OF, CLIPPED, FALLBACKS, METERS, OWN, PLAIN, REFUSED, TOKENS_MAX, Case, counted_prompt, expected, priced_as, prices_of_model, prompt_of,
)
from metered_engine import CLASSES, PROTOCOLS, MeteredEngine, Script
from platform_process import Platform, wait_until

CREDIT = Decimal("1000.00")
MICRO = Decimal("0.000001")
FEE_BASIS_POINTS = 500
SECONDS_MAX = 60
MODELS_PER_PROTOCOL = 16
THREADS = 8
PAIRS = list(itertools.product(("chat", "responses", "anthropic", "ollama"), PROTOCOLS))

# Sound that was read from a cache stands in two parts of the prompt.
OVERLAPPING = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 6},
               "completion_tokens_details": {"audio_tokens": 3}}

# What can be read wrongly: (protocols, script, classes to be charged where they are not the script's own).
USAGES = [
    (("openai", "anthropic", "ollama"), Script(PLAIN), None),
    (("openai", "anthropic", "ollama"), Script({"input_fresh": 1234567, "output_visible": 41}), {"input_fresh": CLIPPED, "output_visible": 41}),
    (("openai", "anthropic", "ollama"), Script({"input_fresh": 0, "output_visible": 0}), None),
    (("openai", "anthropic", "ollama"), Script({"input_fresh": 5, "output_visible": 1000}), {"input_fresh": 5, "output_visible": TOKENS_MAX}),
    (("openai", "anthropic", "ollama"), Script({}, placement="absent"), {}),
    (("openai", "anthropic"), Script({"input_fresh": 7, "cache_read": 40, "output_visible": 2, "output_reasoning": 3}, visible=2, reasoning=3), None),
    (("anthropic",), Script({"input_fresh": 7, "cache_read": 40, "cache_write_5m": 5, "cache_write_1h": 6, "output_visible": 4}), None),
    (("anthropic",), Script({"input_fresh": 7, "cache_write_5m": 9, "output_visible": 4}), None),
    (("openai",), Script({"input_fresh": 7, "cache_read": 40, "cache_write_5m": 5, "output_visible": 4}), None),
    (("openai",), Script({"input_fresh": 7, "cache_read": 40, "cache_write_5m": 5, "input_image": 30, "input_audio": 12, "output_visible": 4,
                          "output_reasoning": 0, "output_audio": 21}), None),
    (("ollama",), Script({"output_visible": 6}), {"output_visible": 6}),  # as with a prompt that it has in its cache
    (("openai",), Script(PLAIN, placement="finish"), None),
    (("openai",), Script(PLAIN, placement="each"), None),
    (("openai",), Script(PLAIN, placement="null"), None),
    (("openai",), Script(PLAIN, placement="empty_after"), None),
    (("openai",), Script({"raw": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 12}}}),
     {"input_fresh": 0, "cache_read": 10, "output_visible": 4}),
    (("openai",), Script({"raw": {"prompt_tokens": 10, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 9}}}),
     {"input_fresh": 10, "output_visible": 0, "output_reasoning": 4}),
    (("openai",), Script({"raw": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4}}),
     {"input_fresh": 4, "cache_read": 6, "output_visible": 4}),
    (("openai",), Script({"raw": {"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3}}),
     {"input_fresh": 3, "cache_read": 6, "output_visible": 4}),
    (("openai",), Script({"raw": OVERLAPPING}), {"input_fresh": 0, "cache_read": 8, "input_audio": 2, "output_visible": 1, "output_audio": 3}),
    (("openai",), Script({"raw": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 12}}), {"input_fresh": 10, "output_visible": 2}),
    (("openai",), Script({"raw": {"prompt_tokens": -1, "completion_tokens": 4}}), {"output_visible": 4}),
    (("anthropic",), Script({"raw": {"input_tokens": 8, "output_tokens": 4, "cache_read_input_tokens": -3}}), {"input_fresh": 8, "output_visible": 4}),
]


# ---- clients ----


def body_of(case):
    prompt, model, stream = prompt_of(case), case.model, case.stream
    messages = [{"role": "user", "content": prompt}]
    if case.client == "embeddings":
        return "/v1/embeddings", {"model": model, "input": prompt}
    if case.client == "chat":
        options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return "/v1/chat/completions", {"model": model, "messages": messages, "max_tokens": TOKENS_MAX} | options
    if case.client == "responses":
        return "/v1/responses", {"model": model, "input": prompt, "max_output_tokens": TOKENS_MAX, "stream": stream}
    if case.client == "anthropic":
        return "/v1/messages", {"model": model, "messages": messages, "max_tokens": TOKENS_MAX, "stream": stream}
    return "/api/chat", {"model": model, "messages": messages, "stream": stream, "options": {"num_predict": TOKENS_MAX}}


PIECES = {"chat": rb'"(?:content|reasoning_content)": ?"(?:word|hm) "', "anthropic": rb"event: content_block_delta\n.*(?:word|hm) ",
          "responses": rb"event: response\.(?:output_text|reasoning_[a-z_]+)\.delta\n", "ollama": rb'"(?:content|thinking)": ?"(?:word|hm) "'}


def frames_in(client, data):
    return data.count(b"\n") if client == "ollama" else data.count(b"\n\n")


class Reader:
    """Calls and reads; leaves, where the case says so, when all that the engine sent so far has come."""

    def __init__(self, port, key):
        self.port, self.key = port, key

    def __call__(self, case):
        path, body = self.request_of(case)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | case.headers
        data = b""
        try:
            connection.request("POST", path, json.dumps(body), headers)
            if case.leaves and not self.waits_for_answer(case):
                return case
            response = connection.getresponse()
            with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
                while True:
                    if self.watches(case) and self.has_come(case, data):
                        case.arrived.set()
                        if case.leaves:
                            break
                    part = response.read1(65536)
                    if not part:
                        break
                    data += part
        except ConnectionError:
            pass  # of a gateway that is killed
        else:
            case.answer = (response.status, data)
        finally:
            case.arrived.set()
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()
        return case

    def request_of(self, case):
        return body_of(case)

    def watches(self, case):
        return case.script.hold_after is not None

    @staticmethod
    def frames_of(case):
        return list(PROTOCOLS[case.protocol]().stream(case.script))[:case.script.hold_after]

    def waits_for_answer(self, case):
        """Nothing of an answer comes before the engine's first piece, so that another could be asked; then the client leaves when the engine has been asked."""
        if case.stream and self.pieces_of(case):
            return True
        wait_until(lambda: case.number in case.asked(), "the engine to be asked")
        return False

    def pieces_of(self, case):
        return sum(frame.visible + frame.reasoning for frame in self.frames_of(case))

    def has_come(self, case, data):
        if OWN.get(case.client) == case.protocol:
            return frames_in(case.client, data) >= case.script.hold_after
        return len(re.findall(PIECES[case.client], data)) >= self.pieces_of(case)


class Bench(unittest.TestCase):
    """A platform, an engine for each protocol, and models enough that no breaker opens."""

    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(roles=True, agent=False, credit=str(CREDIT)))
        cls.scripts, cls.cases, cls.engines, cls.prices, cls.models = {}, [], {}, {}, {}
        for protocol in PROTOCOLS:
            engine = cls.engines[protocol] = cls.enterClassContext(MeteredEngine(protocol, cls.scripts))
            for number in range(MODELS_PER_PROTOCOL):
                cls.register(f"{protocol}-{number}", engine, protocol, prices_of_model(protocol, number))
            cls.models[protocol] = itertools.cycle([f"{protocol}-{number}" for number in range(MODELS_PER_PROTOCOL)])
        cls.number = itertools.count(1)
        cls.wait_for_routes()

    @classmethod
    def register(cls, model, engine, protocol, prices, **more):
        own = {name: price for name, price in prices.items() if name in FALLBACKS}
        answer = cls.platform.api("POST", "/v1/endpoints", {"model": model, "url": engine.url, "protocol": protocol, "price_input": prices["input_fresh"],
                                                            "price_output": prices["output_visible"], "upstream_model": "metered"}
                                  | ({"class_prices": own} if own else {}) | more)
        assert answer.status in (200, 201), answer.text
        cls.prices.setdefault(model, []).append((engine, {name: Decimal(price) for name, price in prices.items()}))

    @classmethod
    def wait_for_routes(cls):
        def known():
            listed = cls.platform.api("GET", "/v1/models", url=cls.platform.gateway_url)
            return listed.status == 200 and {model["id"] for model in listed.json["data"]} >= set(cls.prices)

        wait_until(known, "the gateway to have the routes")

    def add(self, case):
        case.number, case.model = next(self.number), case.model or next(self.models[case.protocol])
        engines = [self.engines[case.protocol], *(engine for engine, *_ in self.prices[case.model])]
        case.asked = lambda: {number: ids for engine in engines for number, ids in engine.asked.items() if ids}
        case.attempts = lambda: sum(len(engine.asked.get(case.number, ())) for engine in set(engines))
        self.scripts[case.number] = case.script
        self.cases.append(case)
        return case

    def run_cases(self, cases):
        for case in cases:
            self.add(case)
        reader = Reader(self.platform.gateway_port, self.platform.key())
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(reader, cases))

    def calls_of(self, case):
        ids = [call for calls in [engine.asked.get(case.number, []) for engine in {*self.engines.values(), *(e for e, *_ in self.prices[case.model])}]
               for call in calls]
        return list(dict.fromkeys(ids))

    def lines(self):
        """All of the bill, by call; a call that is there twice fails."""
        lines, token = [], ""
        while token is not None:
            page = self.platform.api("GET", f"/v1/bills?page_size=1000&page_token={token}").json
            lines, token = lines + page["lines"], page.get("next_page_token")
        self.assertEqual({line["kind"] for line in lines}, {"tokens"})
        calls = [line["resource"].removeprefix("call/") for line in lines]
        self.assertEqual(len(set(calls)), len(calls), "a call is on the bill twice")
        return dict(zip(calls, lines, strict=True))

    def wait_for_lines(self):
        """Until the bill has a line for each time that an engine was asked; more are found by check_money."""
        wanted = sum(self.attempts_least(case) for case in self.cases)
        calls = {call for case in self.cases for call in self.calls_of(case)}

        def all_there():
            if self.platform.api("GET", "/v1/bills?page_size=1").json["total"] < wanted:
                return None
            lines = self.lines()
            return lines if lines.keys() >= calls else None

        return wait_until(all_there, f"{len(calls)} calls and {wanted} attempts to be on the bill")

    def attempts_least(self, case):
        """A kept connection that ends without an answer is no attempt: the engine is asked once more on a new one."""
        return max(case.attempts() - list(case.script.fail.values()).count(0), len(self.calls_of(case)))

    @staticmethod
    def attempts_in(lines, call=None):
        """Lines of attempts that are not their call's own."""
        return [line for line in lines.values() if line.get("attempt_of") and (call is None or line["attempt_of"] == f"call/{call}")]

    def check_attempts(self, case, lines):
        """All but the last attempt of a case's call: what its engine answered, that it owes nothing, and that nobody is charged for it."""
        call, fails = self.calls_of(case)[0], [case.script.fail[number] for number in range(1, case.attempts())]
        rows = sorted(self.attempts_in(lines, call), key=lambda line: datetime.datetime.fromisoformat(line["from"]))
        told = [(row["status"], row["end_reason"], {item["quantity"] for item in row["usage"]}, Decimal(row["charged"]), row["transfers"]) for row in rows]
        right = [(status, "refused" if status in REFUSED else "upstream_error", {0}, 0, []) for status in fails]
        self.assertIn(told, (right, [row for row in right if row[0] != 0]), f"{case}")
        for row in rows:
            times = [datetime.datetime.fromisoformat(at) for at in (lines[call]["from"], row["from"], row["to"], lines[call]["to"])]
            self.assertEqual(times, sorted(times))
            shown = self.platform.api("GET", f"/v1/generation?id={row['resource'].removeprefix('call/')}").json["data"]
            self.assertEqual((shown["attempt_of"], shown["status"], shown["total_cost"]), (row["attempt_of"], row["status"], "0"))

    def check_lines(self, cases):
        for case in cases:
            self.assertEqual(len(self.calls_of(case)), 1, f"{case} reached the engine as {self.calls_of(case)}")
        wanted = {self.calls_of(case)[0]: case for case in cases}
        lines = self.wait_for_lines()
        self.assertEqual(wanted.keys() - lines.keys(), set(), "calls that are not on the bill")
        wrong = []
        for call, case in wanted.items():
            line = lines[call]
            meters = {item["meter"]: item["quantity"] for item in line["usage"]}
            right = expected(case)
            if case.charges and case.charges.get("input_fresh") == CLIPPED and 1024 < meters["input_tokens"] < 1024 + 500:
                meters["input_tokens"] = CLIPPED
            if (meters, line["basis"], line["end_reason"]) not in right:
                wrong.append(f"{case.client} before {case.protocol}, {case.script}, leaves={case.leaves}, stream={case.stream}:\n  the bill says "
                             f"{meters}, {line['basis']}, {line['end_reason']}\n  the truth is  {right}\n  {str(case.answer)[-300:]}")
        self.assertEqual(wrong, [], "\n".join([f"{len(wrong)} of {len(wanted)}", *wrong[:12]]))
        return lines

    def check_money(self):
        """All lines of this platform: rated at the endpoint's price, posted by the rules of rounding, and nowhere else."""
        lines, wallet = self.lines(), self.platform.get_json("wallet", "get")
        by_id = {call: case for case in self.cases for call in self.calls_of(case)}
        attempts = self.attempts_in(lines)
        calls = sum(len(self.calls_of(case)) for case in self.cases)
        counts = [sum(attempts(case) for case in self.cases) - calls for attempts in (self.attempts_least, lambda case: case.attempts())]
        self.assertIn(len(attempts), range(counts[0], counts[1] + 1), "each attempt has one line, or is its call's own")
        self.assertEqual({line["attempt_of"].removeprefix("call/") for line in attempts} - by_id.keys(), set(), "attempts of calls that nobody made")
        self.assertEqual({Decimal(line[money]) for line in attempts for money in ("charged", "fee", "provider_share")} - {0}, set())
        lines = {call: line for call, line in lines.items() if not line.get("attempt_of")}
        self.assertEqual(lines.keys() - by_id.keys(), set(), "lines of calls that nobody made")
        exact, posted = {}, {}
        for call, line in lines.items():
            # Of engines that were asked one after the other, the last one answered.
            _, prices = max(self.prices[by_id[call].model], key=lambda price: price[0].last.get(call, 0))
            key = line["provider"], line["name"], prices["input_fresh"]
            for item in line["usage"]:
                source = priced_as(prices, CLASS_OF[item["meter"]])
                amount = item["quantity"] * prices[source] / 10**6
                exact[key] = exact.get(key, 0) + amount
                self.assertEqual((Decimal(item["price"]), Decimal(item["exact_amount"])), (prices[source] / 10**6, amount))
                self.assertEqual(item.get("priced_as", item["meter"]), METERS[source], "a price that was borrowed says so")
            posted[key] = posted.get(key, 0) + Decimal(line["charged"])
            self.assertEqual(Decimal(line["charged"]), Decimal(line["fee"]) + Decimal(line["provider_share"]))
        self.assertEqual(posted, {key: amount.quantize(MICRO, ROUND_FLOOR) for key, amount in exact.items()})
        charged, settlement = sum(posted.values()), self.platform.settlement()
        self.assertEqual((Decimal(wallet["spent"]), Decimal(wallet["balance"])), (charged, CREDIT - charged))
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])
        self.assertEqual(sum(Decimal(party["earned"]) for party in settlement["parties"]), charged)
        entries = self.platform.get_json("bill", "statement")["entries"]
        self.assertEqual(sum(Decimal(entry["debit"]) for entry in entries), charged)


class Oracle(Bench):
    def test_every_usage_that_engines_report_is_charged(self):
        cases = [Case(client, protocol, dataclasses.replace(script), stream, charges) for client, protocol in PAIRS
                 for protocols, script, charges in USAGES if protocol in protocols for stream in (True, False)]
        self.check_lines(self.run_cases(cases))

    def test_what_contradicts_itself_is_on_the_bill_in_the_engines_words(self):
        cases = [Case(client, "openai", Script({"raw": OVERLAPPING}), stream) for client in ("chat", "responses", "anthropic", "ollama") for stream in (True, False)]
        fine = Case("chat", "openai", Script(PLAIN))
        self.run_cases([*cases, fine])
        lines = self.wait_for_lines()
        self.assertEqual([json.loads(lines[self.calls_of(case)[0]]["raw_usage"]) for case in cases], [OVERLAPPING] * len(cases))
        self.assertNotIn("raw_usage", lines[self.calls_of(fine)[0]])
        listed = json.loads(self.platform.cli("bill", "list", "--all", "-o", "json").out)["lines"]
        self.assertIn(OVERLAPPING, [json.loads(line["raw_usage"]) for line in listed if "raw_usage" in line])

    def test_embeddings_are_charged_for_what_was_read(self):
        cases = [Case("embeddings", "openai", Script({"input_fresh": 9, "output_visible": 0}), stream=False),
                 Case("embeddings", "openai", Script({"output_visible": 0}, placement="absent"), stream=False, charges={"output_visible": 0}),
                 Case("embeddings", "openai", Script({}, body='{"error": {"message": "no"}, "usage": {"prompt_tokens": 9}}'), stream=False)]
        self.run_cases(cases)
        self.check_lines(cases[:1] + cases[2:])
        line = self.lines()[self.calls_of(cases[1])[0]]
        self.assertEqual([item["quantity"] for item in line["usage"]], [counted_prompt(cases[1]), 0])


    def every_place(self, **ends):
        """A case for each pair of dialects and each place between two frames."""
        for client, protocol in PAIRS:
            usage = {"input_fresh": 17, "output_visible": 2, "output_reasoning": 2} if protocol != "ollama" else {"input_fresh": 17, "output_visible": 4}
            script = Script(usage, visible=2, reasoning=2)
            for place in range(len(list(PROTOCOLS[protocol]().stream(script)))):
                yield Case(client, protocol, dataclasses.replace(script, **{ends["at"]: place}), leaves=ends.get("leaves", False))

    def spread(self, cases):
        """Two whole calls before each that fails, by the same engine: at half of them failed the breaker would leave it alone."""
        for case in cases:
            case.model = next(self.models[case.protocol])
            for _ in range(2):
                yield Case(case.client, case.protocol, Script(PLAIN), stream=False, model=case.model)
            yield case

    def test_an_engine_that_breaks_off_after_any_frame(self):
        self.check_lines(self.run_cases(list(self.spread(self.every_place(at="cut_after")))))

    def test_an_engine_that_ends_after_any_frame(self):
        self.check_lines(self.run_cases(list(self.spread(self.every_place(at="ends_after")))))

    def test_an_engine_that_tells_an_error_after_any_frame(self):
        self.check_lines(self.run_cases(list(self.spread(self.every_place(at="error_after")))))

    def test_a_hidden_text_under_two_names_is_counted_once(self):
        usage = {"input_fresh": 17, "output_visible": 2, "output_reasoning": 2}
        cases = [Case(client, "openai", Script(usage, visible=1, reasoning=2, doubled=True, cut_after=4)) for client in ("chat", "anthropic", "responses", "ollama")]
        self.check_lines(self.run_cases(list(self.spread(cases))))

    def test_a_cut_call_is_in_no_class_more_than_what_was_reported(self):
        """Engines draw the border of reasoning elsewhere than their streams, or not at all."""
        reports = ({"input_fresh": 17, "output_visible": 6}, {"input_fresh": 17, "output_visible": 1, "output_reasoning": 5},
                   {"input_fresh": 17, "output_visible": 5, "output_reasoning": 0})
        cases = [Case(client, "openai", Script(usage, visible=2, reasoning=3, placement="finish", cut_after=7))
                 for client in ("chat", "anthropic", "responses", "ollama") for usage in reports]
        self.check_lines(self.run_cases(list(self.spread(cases))))

    def test_one_call_is_shown_with_its_classes_and_their_amounts(self):
        case = Case("chat", "openai", Script({"input_fresh": 7, "cache_read": 40, "output_visible": 2, "output_reasoning": 3}, visible=2, reasoning=3))
        self.run_cases([case])
        call = self.calls_of(case)[0]
        line = self.wait_for_lines()[call]
        shown = self.platform.api("GET", f"/v1/generation?id={call}").json["data"]
        self.assertEqual((shown["tokens_prompt"], shown["tokens_completion"]), (47, 5))
        self.assertEqual(shown["usage"], line["usage"])
        self.assertEqual(Decimal(shown["total_cost"]), sum(Decimal(item["exact_amount"]) for item in line["usage"]))

    def test_models_are_listed_with_what_their_classes_cost(self):
        names = {"prompt": "input_fresh", "completion": "output_visible", "input_cache_read": "cache_read", "input_cache_write": "cache_write_5m",
                 "input_cache_write_1h": "cache_write_1h", "image_token": "input_image", "audio": "input_audio", "internal_reasoning": "output_reasoning",
                 "audio_output": "output_audio"}
        listed = self.platform.api("GET", "/v1/models", url=self.platform.gateway_url).json["data"]
        for model in listed:
            if len(self.prices[model["id"]]) > 1:
                continue
            prices = self.prices[model["id"]][0][1]
            self.assertEqual({names[name]: Decimal(price) * 10**6 for name, price in model["pricing"].items()},
                             {name: prices[priced_as(prices, name)] for name in CLASSES})
            self.assertEqual({names[name]: names[source] for name, source in model["pricing_fallbacks"].items()},
                             {name: priced_as(prices, name) for name in CLASSES if name not in prices})
            self.assertEqual(model["pricing_currency"], "CNY")

    def test_a_client_that_leaves_after_any_frame(self):
        self.check_lines(self.run_cases(list(self.every_place(at="hold_after", leaves=True))))

    def test_a_call_that_is_tried_again_is_charged_once_at_the_price_of_who_answered(self):
        first, second = (self.enterContext(MeteredEngine("openai", self.scripts)) for _ in range(2))
        first.beside = second.beside = [first, second]
        fails = ({1: 500}, {1: 503}, {1: 429}, {1: 404}, {1: 0}, {1: 500, 2: 500}, {1: 429, 2: 429}, {1: 400})
        for number in range(len(fails)):
            self.register(f"two-{number}", first, "openai", {"input_fresh": "0.31", "output_visible": "9.000001", "output_reasoning": "2.5"})
            self.register(f"two-{number}", second, "openai", {"input_fresh": "0.52", "output_visible": "8.000007", "cache_read": "0.052"})
        self.wait_for_routes()
        # No more than a tenth of all calls is tried again, beyond the first few: the later ones may not be.
        cases = [Case(client, "openai", Script(PLAIN, fail=fail), stream, model=f"two-{number}")
                 for client, stream in (("chat", True), ("anthropic", True), ("chat", False)) for number, fail in enumerate(fails)]
        self.check_lines(self.run_cases(cases))
        self.assertEqual([case.attempts() for case in cases[:len(fails)]], [2] * 7 + [1])
        lines = self.wait_for_lines()
        for case in cases:
            self.check_attempts(case, lines)

    def test_a_repeated_call_is_charged_once(self):
        case = self.add(Case("chat", "openai", Script(PLAIN), headers={"Idempotency-Key": "once"}))
        free = self.add(Case("chat", "openai", Script(PLAIN, fail={1: 400}), headers={"Idempotency-Key": "again"}))
        reader = Reader(self.platform.gateway_port, self.platform.key())
        answers = [reader(case).answer[0] for _ in range(3)]
        self.assertEqual(answers, [200, 200, 200])
        self.assertEqual([reader(free).answer[0] for _ in range(3)], [400, 200, 200])
        lines = self.wait_for_lines()
        self.assertEqual([lines[call]["end_reason"] for call in self.calls_of(case) + self.calls_of(free)], ["done", "refused", "done"])

    def test_kill_9_of_the_gateway_in_the_middle_of_streams(self):
        for _ in range(2):
            held, done = [], []
            for client, protocol in PAIRS:
                frames = len(list(PROTOCOLS[protocol]().stream(Script(PLAIN))))
                held += [Case(client, protocol, Script(PLAIN, hold_after=place), crashes=True) for place in (1, frames - 1)]
                done += [Case(client, protocol, Script(PLAIN), stream) for stream in (True, False)]
            for case in held:
                self.add(case)
            with concurrent.futures.ThreadPoolExecutor(len(held)) as threads:
                reader = Reader(self.platform.gateway_port, self.platform.key())
                running = threads.map(reader, held)
                wait_until(lambda: all(case.number in case.asked() for case in held), "the engines to be asked")
                for case in held:
                    # Before the engine's first piece nothing comes: there is nothing to wait for but the engine.
                    if reader.pieces_of(case):
                        self.assertTrue(case.arrived.wait(SECONDS_MAX))
                self.run_cases(done)
                self.platform.kill("gateway")
                list(running)
            self.platform.start_gateway()
            self.wait_for_routes()
            self.check_lines(held + done)

    def test_kill_9_of_the_server_while_calls_are_settled(self):
        for _ in range(3):
            cases = [Case(client, protocol, Script(PLAIN), stream) for client, protocol in PAIRS for stream in (True, False)]
            done = self.run_cases(cases)
            self.platform.kill("server")
            more = self.run_cases([Case(client, protocol, Script(PLAIN)) for client, protocol in PAIRS])
            self.platform.start_server()
            self.check_lines([case for case in done + more if case.answer[0] == 200])
            self.assertEqual({case.answer[0] for case in done + more}, {200})

    def test_then_the_money_is_right_and_nothing_stays_held(self):
        """Of all that the tests before it did: it is the last one by its name."""
        self.wait_for_lines()
        self.check_money()
        self.platform.stop("gateway")
        wallet = self.platform.get_json("wallet", "get")
        self.platform.start_gateway()
        self.assertEqual(Decimal(wallet["held"]), 0)


if __name__ == "__main__":
    unittest.main()
