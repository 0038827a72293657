#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One Idempotency-Key is one call: in storms, in every dialect, after kill -9 and restart, and while one gateway takes over from another.

The engines know who asked them and what it costs (metered_engine.py); at the end bill, wallet and ledger are held against that, to the unit.
"""
import concurrent.futures
import http.client
import itertools
import json
import os
import random
import sys
import threading
import unittest
from collections import Counter
from decimal import Decimal

from billing_oracle_test import SECONDS_MAX, Bench, Reader, body_of
from billing_truth import PLAIN, Case, expected
from metered_engine import PROTOCOLS, Script
from platform_process import wait_until

STORM = 64
DIALECTS = ("chat", "responses", "anthropic", "ollama")
OWN_PROTOCOL = {"chat": "openai", "responses": "openai", "anthropic": "anthropic", "ollama": "ollama", "embeddings": "openai"}
ENDS_WITHIN = 60
KEYS, CLIENTS, PACE = 160, 16, 0.03
FAULTS = ["kill"] * 4 + ["take over"] * 2 + ["take over, and kill the older one"] * 2


class Reply:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body
        self.replayed = response.headers["Idempotency-Replayed"] == "true"


class Idempotency(Bench):
    def post(self, case, key=None, change=None, headers=None):
        path, body = body_of(case)
        connection = http.client.HTTPConnection("127.0.0.1", self.platform.gateway_port, timeout=SECONDS_MAX)
        sent = {"Authorization": f"Bearer {self.platform.key()}", "Content-Type": "application/json"} | (headers or {})
        if key:
            sent["Idempotency-Key"] = key
        try:
            connection.request("POST", path, json.dumps(body | (change or {})), sent)
            response = connection.getresponse()
            return Reply(response, response.read())
        finally:
            connection.close()

    def post_until_answered(self, case, key):
        """As a client does that is told to come back. All replies."""
        replies = []

        def answered():
            replies.append(self.post(case, key))
            return replies[-1].status == 200

        wait_until(answered, "the first call's answer")
        return replies

    def case(self, client="chat", protocol=None, script=None, stream=True, **more):
        return self.add(Case(client, protocol or OWN_PROTOCOL[client], script or Script(PLAIN), stream, **more))

    def every_case(self):
        pairs = [(client, protocol) for client in DIALECTS for protocol in PROTOCOLS]
        cases = [self.case(client, protocol, stream=stream) for client, protocol in pairs for stream in (True, False)]
        return [*cases, self.case("embeddings", script=Script({"input_fresh": 9, "output_visible": 0}), stream=False)]

    def held(self):
        """A stream that an engine has begun, and whose rest comes when `resume` is set."""
        resume = threading.Event()
        case = self.case(script=Script(PLAIN, pause_after=3, resume=resume))
        replies = []
        thread = threading.Thread(target=lambda: replies.append(self.post(case, "held")), daemon=True)
        thread.start()
        wait_until(lambda: case.number in case.asked(), "the engine to be asked")

        def end():
            resume.set()
            thread.join(SECONDS_MAX)
            return replies[0]

        return case, end

    def take_over(self):
        newer = self.platform.launch("newer", "gateway", "--listen", f"127.0.0.1:{self.platform.gateway_port}", "--server", self.platform.url, "--key-file",
                                     self.platform.state / "gateway.key", "--state-dir", self.platform.folder / "gateway", "--replica", "gateway", "--take-over")
        newer.wait_for(r"gateway at (http://[^\s,]+)", newer.offset)
        older = self.platform.running["gateway"]
        self.platform.running["gateway"] = self.platform.running.pop("newer")
        return older

    def restart(self, meanwhile=lambda: None):
        self.platform.kill("gateway")
        meanwhile()
        self.platform.start_gateway()
        self.wait_for_routes()

    def check_once(self, cases):
        """One call reached an engine for each, and the bill says of it what is right."""
        self.check_lines(cases)
        before = self.lines().keys()
        self.assertEqual(before, {call for case in self.cases for call in self.calls_of(case)})

    # ---- tests ----

    def test_a_storm_of_one_key_is_one_call(self):
        cases = [self.case(client, stream=stream) for client in DIALECTS for stream in (True, False)]
        statuses = Counter()
        for case in cases:
            key = f"storm-{case.number}"
            with concurrent.futures.ThreadPoolExecutor(STORM) as threads:
                replies = list(threads.map(lambda _, case=case, key=key: self.post_until_answered(case, key), range(STORM)))
            last = [each[-1] for each in replies]
            self.assertEqual({reply.body for reply in last}, {last[0].body})
            self.assertEqual(sum(not reply.replayed for reply in last), 1)
            self.assertEqual({reply.status for each in replies for reply in each[:-1]} - {409}, set())
            self.assertTrue(all(reply.headers["Retry-After"] == "1" for each in replies for reply in each[:-1]))
            statuses.update(reply.status for each in replies for reply in each)
        print(statuses)
        self.check_once(cases)

    def test_an_answer_is_given_again_in_every_dialect_also_when_it_is_settled_and_after_kill_9(self):
        cases = self.every_case()
        first = [self.post(case, f"again-{case.number}") for case in cases]
        self.assertEqual({reply.status for reply in first}, {200})
        self.check_once(cases)
        for repetition in ("settled", "restarted", "once more"):
            if repetition == "restarted":
                self.restart()
            for case, before in zip(cases, first, strict=True):
                again = self.post(case, f"again-{case.number}")
                self.assertEqual((again.status, again.body, again.replayed), (200, before.body, True), f"{repetition}: {case}")
                for name in ("Content-Type", "x-penstock-call", "x-penstock-dropped", "request-id"):
                    self.assertEqual(again.headers[name], before.headers[name])
        self.check_once(cases)

    def test_another_body_is_refused_in_every_dialect(self):
        for client in DIALECTS:
            case = self.case(client, stream=False)
            self.assertEqual(self.post(case, f"other-{case.number}").status, 200)
            other = self.post(case, f"other-{case.number}", {"top_p": 0.5} if client != "ollama" else {"options": {"top_p": 0.5}})
            self.assertEqual(other.status, 422, other.body)
            self.assertIn(b"another request", other.body)
            self.assertIn(b"Idempotency-Key", other.body)
            self.check_once([case])

    def test_a_key_that_cost_nothing_is_free_again(self):
        case = self.case(script=Script(PLAIN, fail={1: 400}), stream=False)
        self.assertEqual([self.post(case, "free").status for _ in range(3)], [400, 200, 200])
        lines = self.wait_for_lines()
        self.assertEqual([lines[call]["end_reason"] for call in self.calls_of(case)], ["refused", "done"])

    def test_kill_9_in_the_middle_leaves_the_key_free_since_nothing_is_charged(self):
        cases = [self.case(client, script=Script(PLAIN, hold_after=2), crashes=True) for client in DIALECTS]
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as threads:
            running = [threads.submit(self.post, case, f"middle-{case.number}") for case in cases]
            wait_until(lambda: all(case.number in case.asked() for case in cases), "the engines to be asked")
            self.assertEqual({self.post(case, f"middle-{case.number}").status for case in cases}, {409})
            self.restart()
            for each in running:
                self.assertIsNotNone(each.exception(SECONDS_MAX))
        for case in cases:
            crashed = self.calls_of(case)
            self.scripts[case.number] = case.script = Script(PLAIN)
            again = self.post(case, f"middle-{case.number}")
            self.assertEqual((again.status, again.replayed), (200, False))
            self.assertEqual(self.post(case, f"middle-{case.number}").body, again.body)
            ids = self.calls_of(case)
            self.assertEqual((len(crashed), ids[:1]), (1, crashed))
            lines = self.wait_for_lines()
            self.assertEqual([lines[call]["end_reason"] for call in ids], ["gateway_crash", "done"])

    def test_a_torn_tail_of_the_log_charges_nobody_twice(self):
        case = self.case()
        first = self.post(case, "torn")
        self.check_once([case])

        def tear():
            log = max((self.platform.folder / "gateway" / "idempotency").glob("*.idem"))
            with open(log, "r+b") as file:
                file.truncate(log.stat().st_size - 1)

        self.restart(tear)
        again = self.post(case, "torn")
        self.assertEqual(again.status, 409, again.body)
        self.assertIn(first.headers["x-penstock-call"].encode(), again.body)
        self.assertEqual(again.headers["x-should-retry"], "false")
        self.check_once([case])

    def test_a_stream_that_its_client_left_is_not_made_twice(self):
        case = self.case(script=Script(PLAIN, hold_after=3), leaves=True)
        self.leave(case, {"Idempotency-Key": "left"})
        again = self.post(case, "left")
        self.assertEqual(again.status, 409, again.body)
        self.assertIn(self.calls_of(case)[0].encode(), again.body)
        self.check_once([case])

    def test_a_declared_retry_of_a_stream_that_its_client_left_is_not_made_twice(self):
        for client in DIALECTS:
            case = self.case(client, script=Script(PLAIN, hold_after=len(list(PROTOCOLS[OWN_PROTOCOL[client]]().stream(Script(PLAIN)))) - 3), leaves=True)
            self.leave(case, {"x-stainless-retry-count": "0"})
            again = self.post(case, headers={"x-stainless-retry-count": "1"})
            self.assertEqual(again.status, 409, (client, again.body))
            self.assertIn(self.calls_of(case)[0].encode(), again.body)
            self.check_once([case])
            self.scripts[case.number] = case.script = Script(PLAIN)
            self.assertEqual(self.post(case).status, 200)
            self.wait_for_lines()

    def leave(self, case, headers):
        """When all that the engine sent before it holds has come; returns when the call is on the bill."""
        case.headers = headers
        Reader(self.platform.gateway_port, self.platform.key())(case)
        self.wait_for_lines()

    def test_while_another_process_takes_over_and_after_it(self):
        case, end = self.held()
        older = self.take_over()
        self.assertEqual(self.post(case, "held").status, 409)
        first = end()
        self.assertEqual(first.status, 200)
        again = self.post(case, "held")
        self.assertEqual((again.status, again.body, again.replayed), (200, first.body, True))
        self.assertEqual(older.process.wait(ENDS_WITHIN), 0)
        self.assertEqual(self.post(case, "held").body, first.body)
        self.assertEqual(self.post(case, "held", {"top_p": 0.5}).status, 422)
        self.check_once([case])
        older = self.take_over()  # into the first one's place
        self.assertEqual(older.process.wait(ENDS_WITHIN), 0)
        self.assertEqual(self.post(case, "held").body, first.body)
        self.check_once([case])

    def test_what_a_process_leaves_that_is_killed_while_another_has_taken_over(self):
        resume = threading.Event()
        case = self.case(script=Script(PLAIN, pause_after=3, resume=resume), crashes=True)
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            running = threads.submit(self.post, case, "left-behind")
            wait_until(lambda: case.number in case.asked(), "the engine to be asked")
            older = self.take_over()
            self.assertEqual(self.post(case, "left-behind").status, 409)
            older.kill()
            self.assertIsNotNone(running.exception(SECONDS_MAX))
        resume.set()
        self.scripts[case.number] = case.script = Script(PLAIN)
        replies = self.post_until_answered(case, "left-behind")
        self.assertFalse(replies[-1].replayed)
        self.assertEqual({reply.status for reply in replies[:-1]} - {409}, set())
        self.assertEqual(self.post(case, "left-behind").body, replies[-1].body)
        lines = self.wait_for_lines()
        self.assertEqual([lines[call]["end_reason"] for call in self.calls_of(case)], ["gateway_crash", "done"])
        case.crashes = False
        right = [(meters, basis) for meters, basis, _ in expected(case)]
        line = lines[self.calls_of(case)[1]]
        self.assertIn(({item["meter"]: item["quantity"] for item in line["usage"]}, line["basis"]), right)
        self.restart_as_first()

    def test_kills_and_take_overs_at_any_moment_charge_no_key_twice(self):
        seed = int(os.environ.get("SEED", "7"))
        print(f"SEED={seed}", file=sys.stderr)
        chance, cases = random.Random(seed), []
        for number, (client, protocol) in zip(range(KEYS), itertools.cycle(itertools.product(DIALECTS, PROTOCOLS)), strict=False):
            script = Script(PLAIN, pause_after=chance.randrange(5), resume=threading.Event())
            cases.append(self.case(client, protocol, script, stream=number % 4 != 0))
        outcomes, over = {}, threading.Event()
        paced = threading.Thread(target=self.resume_by_and_by, args=(chance.sample(cases, len(cases)), over), daemon=True)
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as threads:
            running = [threads.submit(self.insist, case, outcomes) for case in cases]
            paced.start()
            for fault in chance.sample(FAULTS, len(FAULTS)):
                before = len(outcomes)
                wait_until(lambda before=before: len(outcomes) >= min(before + KEYS // len(FAULTS) - 3, KEYS), "calls to be answered")
                self.fault(fault)
            for each in running:
                each.result(SECONDS_MAX)
        over.set()
        paced.join()
        self.restart_as_first()
        print(Counter(reply.status for reply in outcomes.values()), file=sys.stderr)
        self.check_outcomes(cases, outcomes)

    def resume_by_and_by(self, cases, over):
        for case in cases:
            over.wait(PACE)
            case.script.resume.set()

    def fault(self, kind):
        if kind == "kill":
            return self.restart()
        older = self.take_over()
        if kind == "take over, and kill the older one":
            older.kill()
        return wait_until(lambda: older.process.poll() is not None, "the older one to end", ENDS_WITHIN)

    def insist(self, case, outcomes):
        """Sends the request until it is answered, or told that it cannot be; then once more."""
        key, replies = f"any-{case.number}", []

        def decided():
            try:
                reply = self.post(case, key)
            except (OSError, http.client.HTTPException):
                return False  # the gateway is gone
            if reply.status == 200 or reply.headers["x-should-retry"] == "false":
                replies.append(reply)
            elif reply.status not in (409, 503):
                raise AssertionError(f"{reply.status}: {reply.body}")
            return len(replies) == 2

        wait_until(decided, "an answer", SECONDS_MAX)
        self.assertEqual(replies[0].status, replies[1].status)
        if replies[0].status == 200:
            self.assertEqual(replies[0].body, replies[1].body)
        outcomes[case.number] = replies[1]

    def check_outcomes(self, cases, outcomes):
        lines = self.wait_for_lines()
        for case in cases:
            reply = outcomes[case.number]
            used = {call: {item["meter"]: item["quantity"] for item in lines[call]["usage"]} for call in self.calls_of(case)}
            charged = {call: meters for call, meters in used.items() if any(meters.values())}
            self.assertEqual(len(charged), 1, (case, used, reply.body))
            (call, meters), = charged.items()
            if reply.status == 200:
                self.assertEqual((call, meters), (reply.headers["x-penstock-call"], {"input_tokens": 17, "output_tokens": 3}))
            else:
                self.assertIn(call, reply.body.decode())

    def restart_as_first(self):
        """Alone again, in the place of a gateway that took over from nobody."""
        self.platform.stop("gateway")
        self.platform.start_gateway()
        self.wait_for_routes()

    def test_then_the_money_is_right_and_nothing_stays_held(self):
        """Of all that the tests before it did: it is the last one by its name."""
        self.wait_for_lines()
        self.check_money()
        text = self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text
        self.assertIn("penstock_gateway_idempotency_keys", text)
        self.platform.stop("gateway")
        wallet = self.platform.get_json("wallet", "get")
        self.platform.start_gateway()
        self.assertEqual(Decimal(wallet["held"]), 0)


if __name__ == "__main__":
    unittest.main()
