#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stream that its client leaves is charged by what its endpoint's registration says of such streams, to the token and to the micro-yuan.

The rules are those of docs/disconnects.md. Each client dialect leaves each engine protocol after any frame that brought a piece: read to the end, estimated,
not billed. What is counted where nothing is said is billing_oracle_test.py's.
"""
import dataclasses
import itertools
import re
import threading
import unittest

from billing_oracle_test import PAIRS, Bench, Reader, prices_of_model
from billing_truth import METERS, Case, charge, counted_prompt
from metered_engine import PROTOCOLS, Script
from platform_process import wait_until

AT_ONCE = 12  # fewer than a gateway reads on at one time
HABIT_CALLS = 20  # fewer say nothing of an engine
LEFT = re.compile(r"^penstock_gateway_left_streams_open (\d+)$", re.M)


class LeavingReader(Reader):
    """Leaves where the engine pauses; what it says after that is nobody's but the gateway's."""

    def watches(self, case):
        return case.leaves

    @staticmethod
    def frames_of(case):
        return list(PROTOCOLS[case.protocol]().stream(case.script))[:case.place]

    def has_come(self, case, data):
        if case.client in ("chat", "anthropic", "ollama") and {"chat": "openai"}.get(case.client, case.client) == case.protocol:
            return data.count(b"\n" if case.client == "ollama" else b"\n\n") >= case.place
        return super().has_come(case, data)


@dataclasses.dataclass
class Left(Case):
    place: int = 0  # frames, then the client goes
    policy: str = ""


def truth_of(protocol):
    return {"input_fresh": 17, "output_visible": 2, "output_reasoning": 2} if protocol != "ollama" else {"input_fresh": 17, "output_visible": 4}


def places_of(protocol):
    """Frames after which a client has a piece and the engine has not told its end."""
    frames = list(PROTOCOLS[protocol]().stream(Script(truth_of(protocol), visible=2, reasoning=2)))
    for place in range(1, len(frames)):
        before = frames[:place]
        if before[-1].visible + before[-1].reasoning and not any(frame.finish for frame in before):
            yield place


class Disconnects(Bench):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for policy, protocol in itertools.product(("drain", "no_bill", "cancel_estimate"), PROTOCOLS):
            cls.register(f"{policy}-{protocol}", cls.engines[protocol], protocol, prices_of_model(protocol, 0), on_disconnect=policy)
        cls.wait_for_routes()

    def left_open(self):
        return int(LEFT.search(self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text).group(1))

    def cases_of(self, policy, **script):
        for client, protocol in PAIRS:
            for place in places_of(protocol):
                yield Left(client, protocol, Script(truth_of(protocol), visible=2, reasoning=2, **script), leaves=True, model=f"{policy}-{protocol}",
                           place=place, policy=policy)

    def run_left(self, cases):
        """All of them leave; only when the gateway has seen that, the engines go on."""
        reader = LeavingReader(self.platform.gateway_port, self.platform.key())
        for first in range(0, len(cases), AT_ONCE):
            some = cases[first:first + AT_ONCE]
            for case in some:
                self.add(case)
            threads = [threading.Thread(target=reader, args=(case,)) for case in some]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if some[0].script.resume:
                wait_until(lambda count=len(some): self.left_open() == count, "the gateway to read on")
                for case in some:
                    case.script.resume.set()
        return cases

    def check(self, cases, expected):
        lines, wrong = self.wait_for_lines(), []
        for case in cases:
            (call,) = self.calls_of(case)
            line = lines[call]
            told = {item["meter"]: item["quantity"] for item in line["usage"]}, line["basis"], line["end_reason"], line.get("on_disconnect")
            right = *expected(case), "client_gone", case.policy
            if told != right:
                wrong.append(f"{case.client} before {case.protocol}, {case.place} frames:\n  the bill says {told}\n  the truth is  {right}")
        self.assertEqual(wrong, [], "\n".join([f"{len(wrong)} of {len(cases)}", *wrong[:12]]))

    def test_a_stream_that_is_billed_to_its_end_is_charged_as_its_engine_told_there(self):
        cases = []
        for case in self.cases_of("drain"):
            case.script.pause_after, case.script.resume = case.place, threading.Event()
            cases.append(case)
        self.run_left(cases)
        self.check(cases, lambda case: charge(case, "done", case.script.usage, 2, 2))
        wait_until(lambda: self.left_open() == 0, "no stream to be read on")

    def test_an_engine_that_does_not_bill_such_streams_is_paid_nothing(self):
        cases = list(self.cases_of("no_bill"))
        for case in cases:
            case.script.hold_after = case.place
        self.run_left(cases)
        self.check(cases, lambda case: ({"input_tokens": 0, "output_tokens": 0}, "counted"))

    def test_an_estimate_is_what_the_engine_told_of_other_streams(self):
        # Whole streams first, in which an engine tells twice as many tokens as pieces; of the prompt as it likes.
        habits = {}
        for protocol in PROTOCOLS:
            whole = [Case("chat", protocol, Script({"input_fresh": 40, "output_visible": 8}, visible=4), model=f"cancel_estimate-{protocol}")
                     for _ in range(HABIT_CALLS)]
            self.check_lines(self.run_cases(whole))
            habits[protocol] = 40 * len(whole), sum(counted_prompt(case) for case in whole)
        cases = list(self.cases_of("cancel_estimate"))
        for case in cases:
            case.script.hold_after = case.place
        self.run_left(cases)

        def estimated(case):
            frames = LeavingReader.frames_of(case)
            reasoning, visible = sum(frame.reasoning for frame in frames), sum(frame.visible for frame in frames)
            told, seen = habits[case.protocol]
            # Anthropic's engines tell the prompt at once.
            prompt = 17 if case.protocol == "anthropic" else counted_prompt(case) * told // seen
            classes = {"input_fresh": prompt, "output_visible": 2 * (visible + reasoning) - 2 * reasoning, "output_reasoning": 2 * reasoning}
            meters = {METERS[name]: count for name, count in classes.items() if count or name in ("input_fresh", "output_visible")}
            return meters, "estimated"

        self.check(cases, estimated)

    def test_then_the_money_is_right_and_nothing_stays_held(self):
        wait_until(lambda: re.search(r"^penstock_gateway_holds_open 0$", self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text, re.M),
                   "no hold to be open")
        self.check_money()


if __name__ == "__main__":
    unittest.main(verbosity=2)
