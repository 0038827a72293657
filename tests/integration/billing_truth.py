# SPDX-License-Identifier: Apache-2.0
"""What a call costs, from the rules that users read and from nothing of the gateway's own: billing_oracle_test.py holds bills against it."""
import dataclasses
import threading

from metered_engine import CLASSES, MADE, PROTOCOLS, Script

PROMPT_BYTES_PER_TOKEN = 6  # the gateway's own measure of a text
TOKENS_MAX = 90  # asked for by every call
OWN = {"chat": "openai", "anthropic": "anthropic", "ollama": "ollama"}  # the protocol that takes a client's bytes as they are
METERS = dict(zip(CLASSES, ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "image_tokens", "audio_tokens",
                            "output_tokens", "reasoning_tokens", "audio_output_tokens"), strict=True))
CLASS_OF = {meter: name for name, meter in METERS.items()}
PLAIN = {"input_fresh": 17, "output_visible": 3}
REFUSED = (400, 409, 413, 415, 422, 429)  # told to the client as they are
CLIPPED = 5000  # to the bound of the input: the request's own length and a template of 1024
ALWAYS = ("input_tokens", "output_tokens")
# A class without a price costs what the next one costs.
FALLBACKS = {"cache_read": "input_fresh", "cache_write_5m": "input_fresh", "cache_write_1h": "cache_write_5m", "input_image": "input_fresh",
             "input_audio": "input_fresh", "output_reasoning": "output_visible", "output_audio": "output_visible"}
# How well tokens are known, the best first: a call is as well known as the worst of what it is charged for.
BASES = ("upstream", "counted", "estimated")


@dataclasses.dataclass
class Case:
    client: str
    protocol: str
    script: Script
    stream: bool = True
    charges: dict = None  # classes that the engine's report comes to
    leaves: bool = False  # the client, where the engine holds
    crashes: bool = False  # the gateway, where the engine holds
    number: int = 0
    model: str = ""
    answer: object = None
    arrived: threading.Event = dataclasses.field(default_factory=threading.Event)
    headers: dict = dataclasses.field(default_factory=dict)


# ---- the rules, told once more ----


def prompt_of(case):
    return f"script-{case.number} " + "water falls " * 5


def counted_prompt(case):
    return len(prompt_of(case)) // PROMPT_BYTES_PER_TOKEN


def charge(case, reason, report, visible, reasoning, text_bytes=0, final=True):
    """(meters of the bill line, basis): `report` has the classes that the engine told, pieces those that the client got."""
    nothing = {"input_tokens": 0, "output_tokens": 0}, "counted"
    if reason in ("gateway_crash", "refused") or (reason != "done" and visible + reasoning == 0):
        return nothing
    classes = {name: count for name, count in (report or {}).items() if count is not None}
    of_prompt = of_answer = "upstream"
    if "input_fresh" not in classes:
        classes["input_fresh"], of_prompt = counted_prompt(case), "estimated"
    if "output_visible" not in classes:
        classes |= {"output_visible": visible + text_bytes // PROMPT_BYTES_PER_TOKEN, "output_reasoning": reasoning}
        of_answer = "estimated" if text_bytes else "counted"
        final = False
    if reason != "done":
        # The smaller of the pieces and the report, in each class; a running total that pieces have passed since says nothing of them.
        most, most_thought = (classes.get(name) or 0 for name in MADE[:2])
        if not final and visible + reasoning > most + most_thought:
            most, most_thought = visible, reasoning
        pieces = min(visible + reasoning, most + most_thought)
        thought = min(max(reasoning, pieces - most), pieces, most_thought)
        classes |= {"output_reasoning": thought, "output_visible": pieces - thought}
        of_answer = "counted"
        if reason != "client_gone":
            classes, of_prompt = {"input_fresh": 0} | {name: classes[name] for name in MADE[:2]}, "upstream"
    basis = max(of_prompt, of_answer, key=BASES.index)
    return {METERS[name]: count for name, count in classes.items() if count or METERS[name] in ALWAYS}, basis


def told(case, report):
    """What a report comes to, where that is not what it says."""
    if report is None or case.charges is None or report is not case.script.usage:
        return report
    return case.charges


def expected(case):
    """All bill lines that are right: [(meters, basis, reason)]. More than one where nobody could see how far the gateway had read."""
    script = case.script
    if case.crashes:
        return [(*charge(case, "gateway_crash", None, 0, 0), "gateway_crash")]
    last_status = script.fail.get(case.attempts())
    if last_status is not None:
        reason = "refused" if last_status in REFUSED else "upstream_error"
        return [(*charge(case, reason, None, 0, 0), reason)]
    if not case.stream:
        return [expected_whole(case)]
    frames = list(PROTOCOLS[case.protocol]().stream(script))
    places = [place for place in (script.cut_after, script.ends_after, script.hold_after, script.error_after) if place is not None]
    seen = min([*places, len(frames)])
    possible = [seen]
    if case.leaves and OWN.get(case.client) != case.protocol:
        # A frame without a piece may or may not have been read when the client left.
        while possible[-1] and not (frames[possible[-1] - 1].visible or frames[possible[-1] - 1].reasoning):
            possible.append(possible[-1] - 1)
    return [expected_stream(case, frames[:count]) for count in possible]


def expected_stream(case, frames):
    script, reports = case.script, [frame.report for frame in frames if frame.report]
    finished, ended = any(frame.finish for frame in frames), any(frame.end for frame in frames)
    if ended or (script.ends_after is not None and finished):
        reason = "done"
    elif case.leaves:
        reason = "client_gone"
    else:
        reason = "upstream_error"
    report = reports[-1] if reports else None
    final = report is script.usage or script.placement == "each"
    visible, reasoning = sum(frame.visible for frame in frames), sum(frame.reasoning for frame in frames)
    return *charge(case, reason, told(case, report), visible, reasoning, final=final), reason


def expected_whole(case):
    script = case.script
    if case.leaves:
        return *charge(case, "client_gone", None, 0, 0), "client_gone"
    if script.body is not None or script.cut_after is not None:
        return *charge(case, "upstream_error", None, 0, 0), "upstream_error"
    report = None if script.placement == "absent" else told(case, script.usage)
    text = len("word " * script.visible) + len("hm " * script.reasoning)
    return *charge(case, "done", report, 0, 0, text), "done"


def priced_as(prices, name):
    """The class whose price a class costs."""
    return name if name in prices else priced_as(prices, FALLBACKS[name])


def prices_of_model(protocol, number):
    """Some sellers price every class apart, some a few of them, some input and output alone."""
    kinds = [{}, {"cache_read": f"0.01{number:02}001", "cache_write_5m": f"0.12{number:02}5", "cache_write_1h": f"0.2{number:02}000009",
                  "input_image": f"0.4{number:02}", "input_audio": f"5.{number:02}1", "output_reasoning": f"9.{number:02}", "output_audio": f"40.{number:02}"},
             {"cache_write_5m": f"0.3{number:02}", "input_audio": "0"}, {"cache_read": "0", "output_reasoning": f"0.{number:02}0000003"}]
    return {"input_fresh": f"0.1{number:02}457", "output_visible": f"7.0{number:02}003"} | kinds[(number + len(protocol)) % len(kinds)]
