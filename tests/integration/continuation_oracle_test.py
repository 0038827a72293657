#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stream that another engine goes on with is charged as two attempts, to the token and to the micro-yuan, and leaves nothing held.

The rules are those of docs/continuation.md: what the first engine delivered is its own line, as of any stream that breaks; the second line has the prompt and
what the second engine delivered, less the tokens of the first one's text in its input. Each client dialect has each engine protocol break off after any
frame before each engine protocol that goes on; the second one fails too, the client leaves, the gateway is killed.
"""
import collections
import concurrent.futures
import contextlib
import dataclasses
import http.client
import itertools
import json
import re
import threading
import unittest
from decimal import Decimal

from billing_oracle_test import PIECES, SECONDS_MAX, THREADS, Bench, Reader, body_of
from billing_truth import METERS, Case, charge, expected_stream
from metered_engine import PROTOCOLS, MeteredEngine, Script
from platform_process import wait_until

CLIENTS = ("chat", "responses", "anthropic", "ollama")
PROMPT_TOKENS = 17
CONTINUE = {"x-penstock-stream-failure": "continue"}
# An engine that speaks the client's dialect is asked before any other.
OWN = {"chat": "openai", "responses": "openai", "anthropic": "anthropic", "ollama": "ollama"}
# The first one is asked first, since calls want the cheapest; what it costs is within what the other one may cost.
PRICES = ({"input_fresh": "0.11", "output_visible": "2.000003", "cache_read": "0.011"}, {"input_fresh": "0.210007", "output_visible": "3.7", "cache_read": "0.05"})


@dataclasses.dataclass
class Broken(Case):
    other: str = ""  # the protocol of the engine that goes on

    def body(self):
        path, body = body_of(self)
        return path, body | {"provider": {"sort": "price"}}

    def second(self):
        return self.script.second


def usage(output, more=0, protocol="openai"):
    told = {"input_fresh": PROMPT_TOKENS + more, "output_visible": output}
    # An engine that has most of it in its cache: the overlap is taken off what is fresh before that.
    return told | ({"input_fresh": 1, "cache_read": PROMPT_TOKENS + more - 1} if protocol == "anthropic" else {})


def script_of(protocol, other, visible=4, after=3, **ends):
    """`visible` pieces of the first engine, of which some come; then `after` of the other one."""
    first = Script(usage(visible, protocol="openai"), visible=visible, **{name: place for name, place in ends.items() if not name.startswith("second_")})
    frames = list(PROTOCOLS[protocol]().stream(first))
    place = min(place for place in (first.cut_after, first.ends_after, first.error_after, first.hold_after, len(frames)) if place is not None)
    delivered = sum(frame.visible for frame in frames[:place])
    first.second = Script(usage(after, delivered, other), visible=after, **{name.removeprefix("second_"): place for name, place in ends.items()
                                                                           if name.startswith("second_")})
    return first, delivered, any(frame.finish for frame in frames[:place])


def goes_before(client, protocol, other):
    """Whether a client of that dialect is served by the one before the other, which is dearer."""
    return protocol == OWN[client] or other != OWN[client]


def next_to(client, protocol):
    """Which protocol goes on after that one."""
    return "openai" if goes_before(client, protocol, "openai") else protocol


class Continued(Bench):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ways = itertools.cycle(("final_message", "prefill", "prefix"))
        cls.firsts, cls.seconds = ({protocol: cls.enterClassContext(MeteredEngine(protocol, cls.scripts)) for protocol in PROTOCOLS} for _ in range(2))
        for first, second in itertools.product(cls.firsts.values(), cls.seconds.values()):
            first.beside, second.beside = [first, second], [first, second]

    def pair(self, protocol, other):
        """A model of its own, so that no breaker opens: one engine that breaks, one that goes on."""
        model = f"pair-{len(self.prices)}"
        self.register(model, self.firsts[protocol], protocol, PRICES[0])
        self.register(model, self.seconds[other], other, PRICES[1], continuation=next(self.ways) if other == "openai" else "prefill")
        return model

    def case(self, client, protocol, other, leaves=False, crashes=False, headers=None, **ends):
        script, delivered, finished = script_of(protocol, other, **ends)
        case = Broken(client, protocol, script, leaves=leaves, crashes=crashes, headers=CONTINUE | (headers or {}), other=other)
        case.model, case.delivered, case.finished = self.pair(protocol, other), delivered, finished
        return case

    def wait_for_pairs(self):
        """Tables come whole: who has both engines of the last pair has all."""
        def both():
            shown = self.platform.api("GET", f"/v1/models/{list(self.prices)[-1]}", url=self.platform.gateway_url)
            return shown.status == 200 and sum(entry["replicas_ready"] for entry in shown.json["endpoints"]) == 2

        wait_until(both, "the gateway to have the routes")

    def calls_of(self, case):
        """Of the engine that breaks before those of the one that goes on."""
        return list(dict.fromkeys(call for engine, _ in self.prices[case.model] for call in engine.asked.get(case.number, ())))

    def add(self, case):
        case.goes_on = lambda: case.number in self.seconds[case.other].continued
        return super().add(case)

    def run_pairs(self, cases, key=None):
        self.wait_for_pairs()
        for case in cases:
            self.add(case)
        reader = Watcher(self.platform.gateway_port, key or self.platform.key())
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(reader, cases))

    # ---- the truth ----

    def second_line(self, case):
        """(meters, basis, reason) of the engine that went on; and the overlap that its input had."""
        script = case.second()
        frames = list(PROTOCOLS[case.other]().stream(script))
        places = [place for place in (script.cut_after, script.ends_after, script.error_after, script.hold_after) if place is not None]
        frames = frames[:min([*places, len(frames)])]
        if case.crashes:
            return (*charge(case, "gateway_crash", None, 0, 0), "gateway_crash"), None
        if script.fail:
            return (*charge(case, "upstream_error", None, 0, 0), "upstream_error"), None
        taken = dataclasses.replace(case, protocol=case.other, script=script)
        meters, basis, reason = expected_stream(taken, frames)
        if script.hold_after is not None and not case.leaves:
            reason = "timeout"
        if not any(frame.visible for frame in frames) or reason in ("upstream_error", "timeout") or not any(frame.report for frame in frames):
            return (meters, basis, reason), None
        left = case.delivered
        for name in ("input_fresh", "cache_write_5m", "cache_write_1h", "cache_read"):
            count = meters.get(METERS[name])
            if count:
                meters[METERS[name]] = count - min(count, left)
                left -= min(count, left)
        meters = {name: count for name, count in meters.items() if count or name in ("input_tokens", "output_tokens")}
        return (meters, basis, reason), case.delivered - left

    def check_pairs(self, cases, reason="upstream_error"):
        lines = None
        for case in cases:
            ids = self.calls_of(case)
            went_on = case.delivered > 0 and not case.finished
            self.assertEqual(len(ids), 2 if went_on else 1, f"{case} reached the engines as {ids}: {str(case.answer)[-600:]}")
            lines = lines or self.wait_for_lines()
            shown = [self.shown(lines[call]) for call in ids]
            first = list(PROTOCOLS[case.protocol]().stream(case.script))
            seen = [place for place in (case.script.cut_after, case.script.ends_after, case.script.error_after, case.script.hold_after) if place is not None]
            truth = expected_stream(dataclasses.replace(case, leaves=False), first[:min([*seen, len(first)])])
            truth = (*truth[:2], reason if truth[2] == "upstream_error" else truth[2])
            self.assertEqual(shown[0][:3], truth, case)
            if not went_on:
                continue
            second, overlap = self.second_line(case)
            self.assertEqual(shown[1][:3], second, f"{case}\n{str(case.answer)[-600:]}")
            self.assertEqual(lines[ids[1]].get("overlap_tokens"), overlap, case)
            self.assertEqual((lines[ids[0]]["continued_by"], lines[ids[1]]["continues"]), ("call/" + ids[1], "call/" + ids[0]))
            self.assertEqual(self.seconds[case.other].continued[case.number], self.prefix(case))
            self.check_answer(case, ids, second)

    @staticmethod
    def prefix(case):
        text = "word " * case.delivered
        return text.rstrip() if case.other == "anthropic" else text

    @staticmethod
    def shown(line):
        return {item["meter"]: item["quantity"] for item in line["usage"]}, line["basis"], line["end_reason"]

    def check_answer(self, case, ids, second):
        """What the client was told: the text once, the mark, and the usage of both."""
        if case.answer is None:
            return
        status, data = case.answer
        self.assertEqual(status, 200)
        frames = list(PROTOCOLS[case.other]().stream(case.second()))
        places = [place for place in (case.second().cut_after, case.second().ends_after, case.second().error_after, case.second().hold_after) if place is not None]
        came = 0 if case.second().fail else sum(frame.visible for frame in frames[:min([*places, len(frames)])])
        self.assertEqual(len(re.findall(PIECES[case.client], data)), case.delivered + came, data[-800:])
        if came:
            self.assertIn(b'"continued":{"call":"' + ids[0].encode() + b'","by":"' + ids[1].encode(), data)
        ended = second[2] == "done"
        self.assertEqual(b'"attempts":[{"call":"' + ids[0].encode() in data, ended, data[-1500:])
        whole = {"chat": b"data: [DONE]", "anthropic": b"event: message_stop", "responses": b"event: response.completed", "ollama": b'"done":true'}
        self.assertEqual(whole[case.client] in data, ended, data[-800:])
        if ended:
            self.assertEqual(self.told(case.client, data), (sum(count for meter, count in second[0].items() if meter != "output_tokens"),
                                                            case.delivered + second[0]["output_tokens"]))
        elif not case.leaves and not case.crashes:
            self.assertRegex(data, b"the engine that (?:went on|was to go on)")

    @staticmethod
    def told(client, data):
        """(input, output) of the usage that stands last in the stream."""
        events = [json.loads(line.removeprefix("data: ")) for line in data.decode().splitlines()
                  if line.startswith(("data: {", "{"))]
        if client == "chat":
            found = [event["usage"] for event in events if event.get("usage")][-1]
            return found["prompt_tokens"], found["completion_tokens"]
        if client == "ollama":
            return events[-1].get("prompt_eval_count"), events[-1].get("eval_count")
        if client == "anthropic":
            found = [event["usage"] for event in events if event["type"] == "message_delta"][-1]
            return sum(count for name, count in found.items() if name.endswith("input_tokens")), found["output_tokens"]
        found = events[-1]["response"]["usage"]
        return found["input_tokens"], found["output_tokens"]

    # ---- cases ----

    @staticmethod
    def first_piece(protocol):
        """After so many frames a piece has been said."""
        return next(place for place, frame in enumerate(PROTOCOLS[protocol]().stream(Script(usage(3), visible=3))) if frame.visible) + 1

    def places(self, protocol, visible=4):
        return range(len(list(PROTOCOLS[protocol]().stream(Script(usage(visible), visible=visible)))))

    def test_an_engine_that_breaks_off_after_any_frame(self):
        cases = [self.case(client, protocol, protocol, cut_after=place) for client in CLIENTS for protocol in PROTOCOLS for place in self.places(protocol)]
        self.check_pairs(self.run_pairs(cases))
        went_on = sum(case.delivered > 0 and not case.finished for case in cases)
        metrics = self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text
        self.assertGreaterEqual(int(re.search(r'^penstock_gateway_continuations_total{outcome="done"} (\d+)$', metrics, re.M).group(1)), went_on)

    def test_an_engine_that_goes_on_in_another_protocol(self):
        cases = [self.case(client, protocol, other, cut_after=3 if protocol != "anthropic" else 4)
                 for client in CLIENTS for protocol, other in itertools.permutations(PROTOCOLS, 2) if goes_before(client, protocol, other)]
        self.check_pairs(self.run_pairs(cases))

    def test_an_engine_that_ends_too_early_or_tells_an_error(self):
        cases = [self.case(client, protocol, next_to(client, protocol), **{how: 4}) for client in CLIENTS for protocol in PROTOCOLS for how in ("ends_after", "error_after")]
        self.check_pairs(self.run_pairs(cases))

    def test_an_engine_that_falls_silent_is_a_failure_only_when_the_time_to_read_is_over(self):
        cases = [self.case(client, protocol, next_to(client, protocol), hold_after=4, headers={"x-penstock-read-timeout": "1s"}) for client in CLIENTS for protocol in PROTOCOLS]
        cases += [self.case(client, OWN[client], other, hold_after=4, second_hold_after=self.first_piece(other), headers={"x-penstock-read-timeout": "1s"})
                  for client in CLIENTS for other in PROTOCOLS]
        self.check_pairs(self.run_pairs(cases), reason="timeout")

    def test_engines_report_their_usage_elsewhere_or_not_at_all(self):
        cases = [self.case(client, OWN[client], other, cut_after=4, placement=first, second_placement=second)
                 for client in CLIENTS for other in ("openai", "ollama") for first in (("end", "each") if OWN[client] == "openai" else ("end",))
                 for second in (("each", "finish", "absent", "empty_after") if other == "openai" else ("absent",))]
        self.check_pairs(self.run_pairs(cases))

    def test_the_engine_that_goes_on_breaks_off_as_well(self):
        cases = [self.case(client, OWN[client], other, cut_after=4, second_cut_after=place) for client in CLIENTS for other in PROTOCOLS
                 for place in self.places(other, 3)]
        cases += [self.case(client, OWN[client], other, cut_after=4, second_fail={1: status}) for client in CLIENTS for other in PROTOCOLS for status in (500, 400, 0)]
        self.check_pairs(self.run_pairs(cases))

    def test_the_client_leaves_while_another_engine_goes_on(self):
        cases = []
        for client, other in itertools.product(CLIENTS, PROTOCOLS):
            frames = list(PROTOCOLS[other]().stream(Script(usage(3), visible=3)))
            cases += [self.case(client, OWN[client], other, cut_after=4, leaves=True, second_hold_after=place + 1)
                      for place, frame in enumerate(frames) if frame.visible]
        self.check_pairs(self.run_pairs(cases))

    def test_the_client_leaves_before_the_engine_that_goes_on_has_said_anything(self):
        cases = [self.case(client, OWN[client], other, cut_after=4, leaves=True, second_hold_after=0) for client in CLIENTS for other in PROTOCOLS]
        self.check_pairs(self.run_pairs(cases))

    def test_a_limit_counts_both_attempts_as_one_request(self):
        key = self.platform.cli("key", "create", "--name", "limited", "--scope", "tokens", "--budget", "50", "--rpd", "100", "--tpd", "1000000",
                                "--concurrency", "50").out.strip()
        cases = [self.case(client, OWN[client], other, cut_after=4, **second) for client in CLIENTS for other in PROTOCOLS
                 for second in ({}, {"second_cut_after": 3}, {"second_fail": {1: 500}}, {"leaves": True, "second_hold_after": 3})]
        self.check_pairs(self.run_pairs(cases, key))
        lines = [self.lines()[call] for case in cases for call in self.calls_of(case)]
        items = [item for line in lines for item in line["usage"]]
        used = self.uses_of_limits()
        self.assertEqual(used["requests_per_day"], len(cases))
        self.assertEqual(used["tokens_per_day"], sum(item["quantity"] for item in items))
        self.assertEqual(used["budget"], sum(Decimal(item["exact_amount"]) for item in items))

    def uses_of_limits(self, part="used"):
        usage = self.platform.api("GET", f"/v1/keys/{self.platform.get_json('key', 'show', 'limited')['id']}/usage").json
        return {use["limit"]: Decimal(use[part]) for use in usage["limits"] if use["level"] == "key" and part in use}

    def pause(self):
        """Calls whose second engine has said a part of its answer, and how they end: after `resume`."""
        resume = threading.Event()
        self.addCleanup(resume.set)
        cases = [self.case(client, OWN[client], other, cut_after=4, second_pause_after=4, second_resume=resume) for client in CLIENTS for other in PROTOCOLS]
        threads = concurrent.futures.ThreadPoolExecutor(len(cases))
        self.wait_for_pairs()
        for case in cases:
            self.add(case)
        running = threads.map(Watcher(self.platform.gateway_port, self.platform.key()), cases)
        wait_until(lambda: all(case.goes_on() for case in cases), "the engines to go on")

        def end():
            resume.set()
            list(running)
            threads.shutdown()
            self.check_pairs(cases)

        return end

    def test_kill_9_of_the_server_while_another_engine_goes_on(self):
        end = self.pause()
        self.platform.kill("server")
        self.platform.start_server()
        end()

    def test_another_gateway_takes_over_while_another_engine_goes_on(self):
        end = self.pause()
        older, port = self.platform.running["gateway"], self.platform.gateway_port
        newer = self.platform.launch("newer", "gateway", "--listen", f"127.0.0.1:{port}", "--server", self.platform.url, "--key-file",
                                     self.platform.state / "gateway.key", "--state-dir", self.platform.folder / "gateway", "--replica", "gateway", "--take-over")
        newer.wait_for(r"gateway at (http://[^\s,]+)", newer.offset)
        end()
        self.assertEqual(older.process.wait(SECONDS_MAX), 0)
        self.platform.running["gateway"] = newer
        self.wait_for_pairs()

    def test_kill_9_of_the_gateway_while_another_engine_goes_on(self):
        held = [self.case(client, OWN[client], other, cut_after=4, crashes=True, second_hold_after=place) for client in CLIENTS for other in PROTOCOLS for place in (0, self.first_piece(other))]
        self.wait_for_pairs()
        for case in held:
            self.add(case)
        with concurrent.futures.ThreadPoolExecutor(len(held)) as threads:
            running = threads.map(Watcher(self.platform.gateway_port, self.platform.key()), held)
            for case in held:
                self.assertTrue(case.arrived.wait(SECONDS_MAX))
            self.platform.kill("gateway")
            list(running)
        self.platform.start_gateway()
        self.wait_for_pairs()
        self.check_pairs(held)

    def test_what_nobody_can_go_on_with_is_told_and_charged_as_any_stream_that_breaks(self):
        """Each with a model of its own, the engine that could go on included."""
        for member, value, named in (("n", 2, "n"), ("logprobs", True, "logprobs"), ("response_format", {"type": "json_object"}, "response_format"),
                                     ("guided_regex", "a*", "guided_regex"), ("reasoning_effort", "low", "reasoning_effort")):
            case = self.case("chat", "openai", "openai", cut_after=3)
            self.wait_for_pairs()
            self.add(case)
            path, body = case.body()
            answer = self.raw(path, body | {member: value}, case.headers)
            self.assertEqual((answer.headers["x-penstock-stream-failure"], answer.headers["x-penstock-continue-refused"]), ("terminate", named))
            self.assertIn("not continued: the request asks for more than plain text: " + named, answer.text)
            self.assertEqual(len(self.calls_of(case)), 1)
            lines = self.wait_for_lines()
            self.assertEqual(self.shown(lines[self.calls_of(case)[0]])[2], "upstream_error")

    def test_without_the_wish_or_without_an_engine_that_says_it_can_the_stream_ends(self):
        case = self.case("chat", "openai", "openai", cut_after=3)
        self.wait_for_pairs()
        self.add(case)
        answer = self.raw(*case.body(), {})
        self.assertNotIn("x-penstock-stream-failure", answer.headers)
        self.assertNotIn("continued", answer.text)
        alone = self.add(Broken("chat", "openai", dataclasses.replace(case.script, second=None), headers=CONTINUE))
        answer = self.raw(*alone.body(), CONTINUE)
        self.assertEqual(answer.headers["x-penstock-stream-failure"], "continue")
        self.assertIn("not continued: no other engine of the model that goes on with answers could take it", answer.text)

    def raw(self, path, body, headers):
        """A whole stream that is cut at its end: what came of it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.platform.gateway_port, timeout=SECONDS_MAX)
        try:
            connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {self.platform.key()}", "Content-Type": "application/json"} | headers)
            response, data = connection.getresponse(), b""
            with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
                while part := response.read1(65536):
                    data += part
            return Told(response.status, {name.lower(): value for name, value in response.getheaders()}, data.decode())
        finally:
            connection.close()

    def test_then_the_money_is_right_and_nothing_stays_held(self):
        """Of all that the tests before it did: it is the last one by its name."""
        self.wait_for_lines()
        self.check_money()
        wait_until(lambda: re.search(r"^penstock_gateway_holds_open 0$", self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text, re.M),
                   "no hold to be open")
        self.platform.stop("gateway")
        wallet, reserved = self.platform.get_json("wallet", "get"), self.uses_of_limits("reserved")
        self.platform.start_gateway()
        self.assertEqual((Decimal(wallet["held"]), set(reserved.values())), (0, {0}))


Told = collections.namedtuple("Told", "status headers text")


class Watcher(Reader):
    """Leaves, or is seen, when all that both engines sent has come."""

    def request_of(self, case):
        return case.body()

    def has_come(self, case, data):
        frames = list(PROTOCOLS[case.other]().stream(case.second()))[:case.second().hold_after]
        come = len(re.findall(PIECES[case.client], data)) >= case.delivered + sum(frame.visible for frame in frames)
        if come and not any(frame.visible for frame in frames):
            wait_until(case.goes_on, "another engine to be asked")
        return come

    def waits_for_answer(self, case):
        return True

    def watches(self, case):
        return case.second().hold_after is not None


if __name__ == "__main__":
    unittest.main()
