# SPDX-License-Identifier: Apache-2.0
"""The load of the soak, and what is known of it: what each call must be charged."""
import contextlib
import http.client
import itertools
import json
import random
import socket
import threading
import time
from collections import Counter
from decimal import Decimal

THREADS = 8
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages", "ollama": "/api/chat"}
ENDS = {"chat": "data: [DONE]", "responses": "event: response.completed", "anthropic": "event: message_stop", "ollama": '"done":true'}
PRICES = {"price_input": "0.10", "price_output": "0.40"}
WORD = "word "  # what the engine says, a token each
BYTES_PER_TOKEN = 6  # of a prompt whose engine has not told its tokens: the gateway's own measure
TOLD_MAX = 20


def body_of(dialect, model, stream, text):
    messages = {"messages": [{"role": "user", "content": text}]}
    if dialect == "responses":
        return {"model": model, "input": text, "max_output_tokens": Load.TOKENS, "stream": stream}
    if dialect == "ollama":
        return {"model": model, "stream": stream, "options": {"num_predict": Load.TOKENS}} | messages
    return {"model": model, "max_tokens": Load.TOKENS, "stream": stream} | messages


class Load:
    TOKENS, CUT_AFTER = 64, 20

    def __init__(self, platform, rate):
        self.platform, self.pause, self.stopping = platform, THREADS / rate, threading.Event()
        self.statuses, self.calls, self.lock, self.numbers = Counter(), {}, threading.Lock(), itertools.count()
        self.failures = Counter()
        self.threads = [threading.Thread(target=self.repeat, args=(number,), daemon=True) for number in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def repeat(self, seed):
        chance, key = random.Random(seed), self.platform.key()
        while not self.stopping.is_set():
            began = time.monotonic()
            if chance.random() < 0.002:
                key = self.platform.api("POST", "/v1/keys", {"name": f"soak-{next(self.numbers)}", "scopes": ["tokens"]}).json["key"]
            try:
                kind = self.call(chance, key)
            except (OSError, http.client.HTTPException) as error:
                kind = type(error).__name__
            with self.lock:
                self.statuses[kind] += 1
            self.stopping.wait(max(0.0, self.pause - (time.monotonic() - began)))

    def call(self, chance, key):
        """The kind of answer; a call that was begun is remembered with the tokens it must be charged. Who leaves does so where the engine has fallen silent
        and all that it said has come: so it is known what was delivered."""
        dialect, stream, kind = chance.choice(list(PATHS)), chance.random() < 0.5, chance.random()
        model = "no-such-model" if kind < 0.02 else "cut" if stream and kind > 0.9 else "m"
        shown = f"sk-wrong-{next(self.numbers)}" if 0.02 < kind < 0.04 else key
        leaves, text = stream and 0.04 < kind < 0.2, "soak " * chance.randrange(1, 400)
        pieces_wanted = chance.randrange(1, self.TOKENS) if leaves else None
        text += f"hold-after-{pieces_wanted}" if leaves else ""
        prompt = 1 + len(text) // 4
        connection = http.client.HTTPConnection("127.0.0.1", self.platform.gateway_ports[chance.choice(("gateway", "gateway-1"))], timeout=60)
        try:
            connection.request("POST", PATHS[dialect], json.dumps(body_of(dialect, model, stream, text)),
                               {"Authorization": f"Bearer {shown}", "Content-Type": "application/json"})
            response = connection.getresponse()
            call = response.headers.get("x-penstock-call")
            said, broken = self.read(response, pieces_wanted)
            if leaves and response.status == 200 and said.count(WORD) == pieces_wanted:
                if connection.sock is not None:
                    with contextlib.suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)
                return self.remember(call, "left", len(text) // BYTES_PER_TOKEN, pieces_wanted)
            if response.status == 503 and model == "cut":
                return self.remember(call, "left alone", 0, 0)  # its breaker is open, as it should be
            if response.status != 200:
                self.failures[f"{response.status} {said[:200]}"] += response.status not in (401, 404)
                return self.remember(call, response.status, 0, 0)
            if stream and (broken or ENDS[dialect] not in said.replace('"done": true', '"done":true')):
                pieces = said.count(WORD)
                return self.remember(call, "cut", 0, pieces)
            return self.remember(call, response.status, prompt, self.TOKENS)
        finally:
            connection.close()

    @staticmethod
    def read(response, pieces_wanted=None):
        """(text, whether it broke off); to the end, or until as many pieces have come."""
        parts, pieces = [], 0
        try:
            while pieces != pieces_wanted and (part := response.read1(65536)):
                parts.append(part)
                if pieces_wanted is not None:
                    pieces = b"".join(parts).count(WORD.encode())
        except (OSError, http.client.HTTPException):
            return b"".join(parts).decode(errors="replace"), True
        return b"".join(parts).decode(errors="replace"), False

    def remember(self, call, kind, given, made):
        if call:
            with self.lock:
                self.calls[call] = (kind, given, made)
        return kind

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Truth:
    """What was done, against what is on the bill."""

    REFUSED = {401, 404, "left alone"}
    KNOWN = {200, "left", "cut"} | REFUSED

    def __init__(self, load):
        self.load = load

    def strange(self):
        """Answers that nothing in the load asked for."""
        found = {kind: count for kind, count in self.load.statuses.items() if kind not in self.KNOWN}
        return [f"unexpected answers: {found}; {dict(self.load.failures.most_common(3))}"] if found else []

    def differences(self, lines):
        wrong, calls = [], self.load.calls
        by_call = {line["resource"].removeprefix("call/"): line for line in lines}
        if len(by_call) != len(lines):
            wrong.append(f"{len(lines) - len(by_call)} calls are on the bill twice")
        missing = [call for call, (kind, *_) in calls.items() if kind in self.KNOWN - self.REFUSED and call not in by_call]
        if missing:
            wrong.append(f"{len(missing)} calls are not on the bill, such as {missing[0]}: {calls[missing[0]]}")
        strangers = [line for call, line in by_call.items() if call not in calls and Decimal(line["charged"]) != 0]
        if strangers:
            wrong.append(f"{len(strangers)} bill lines that nobody knows of are charged, such as {strangers[0]}")
        different = [text for call, expected in calls.items() if call in by_call and (text := self.difference(call, expected, by_call[call]))]
        if different:
            wrong.append(f"{len(different)} calls have other tokens than the truth; " + "; ".join(different[:TOLD_MAX]))
        return wrong

    @staticmethod
    def difference(call, expected, line):
        kind, given, made = expected
        if kind == "left" and line["end_reason"] == "upstream_error":
            given = 0  # the engine died in the moment in which the client left
        counted = Counter()
        for item in line["usage"]:
            counted["given" if item["meter"] in ("input_tokens", "cache_read_tokens") else "made"] += item["quantity"]
        amount = sum(item["quantity"] * Decimal(PRICES["price_input" if item["meter"] in ("input_tokens", "cache_read_tokens") else "price_output"])
                     for item in line["usage"]) / 10**6
        exact = sum(Decimal(item["exact_amount"]) for item in line["usage"])
        if (counted["given"], counted["made"]) != (given, made) or amount != exact:
            return f"{call} ({kind}, {line['end_reason']}): {dict(counted)} for {exact}, expected {given} and {made}"
        return None
