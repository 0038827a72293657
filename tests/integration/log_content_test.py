#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log of a gateway that logs every call, as chatty as it can be: it has the line of each call, and nothing of what was asked, answered or shown as a key."""
import http.server
import json
import os
import threading
import unittest

import dialect_engines
from dialect_engines import PROTOCOLS, Engine
from platform_process import ROOT, Platform, wait_until

PROMPT, ANSWER, USER, MODEL, QUERY, WRONG_KEY, FIELD = ("marker" + word for word in ("prompt", "answer", "user", "model", "query", "key", "field"))
MARKERS = (PROMPT, ANSWER, USER, MODEL, QUERY, WRONG_KEY, FIELD)
DIALECTS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/chat")


class Broken(http.server.BaseHTTPRequestHandler):
    """An engine that fails and says what it was asked."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, json.dumps(dialect_engines.OpenAi.models).encode())

    def do_POST(self):
        self.answer(500, self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def body_for(path, model, streams):
    messages = [{"role": "user", "content": f"{PROMPT} says hello"}]
    if path == "/v1/responses":
        return {"model": model, "input": messages, "stream": streams, "max_output_tokens": 20, "user": USER}
    if path == "/v1/messages":
        return {"model": model, "messages": messages, "stream": streams, "max_tokens": 20, "metadata": {"user_id": USER}}
    if path == "/api/chat":
        return {"model": model, "messages": messages, "stream": streams, "options": {"num_predict": 20}}
    return {"model": model, "messages": messages, "stream": streams, "max_tokens": 20, "user": USER}


class LogContent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        said = dialect_engines.WORDS[:]
        dialect_engines.WORDS[:] = [ANSWER] * len(said)
        cls.addClassCleanup(dialect_engines.WORDS.__setitem__, slice(None), said)
        cls.platform = cls.enterClassContext(
            Platform(agent=False, roles=True, gateway_more=("--log-one-in", "1", "--log-level", "debug")))
        broken = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken)
        broken.handle_error = lambda *_: None  # the gateway lets go of it
        threading.Thread(target=broken.serve_forever, daemon=True).start()
        cls.addClassCleanup(broken.server_close)
        cls.addClassCleanup(broken.shutdown)
        for protocol in PROTOCOLS:
            cls.offer(protocol, cls.enterClassContext(Engine(protocol)).url, protocol)
        cls.offer("broken", f"http://127.0.0.1:{broken.server_port}", "openai")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models", url=cls.platform.gateway_url).json["data"]) == len(PROTOCOLS) + 1, "the routes")

    @classmethod
    def offer(cls, model, url, protocol):
        cls.platform.cli("endpoint", "create", "--model", model, "--url", url, "--protocol", protocol, "--price-input", "1", "--price-output", "2",
                         "--upstream-model", "words")

    def ask(self, path, body, **more):
        return self.platform.api("POST", f"{path}?{QUERY}=1", body, url=self.platform.gateway_url, **more)

    def log(self):
        return self.platform.running["gateway"].log.read_text()

    def check(self, calls):
        wait_until(lambda: all(f'"call":"{call}"' in self.log() for call in calls), "the line of each call")
        for marker in (*MARKERS, self.platform.key(), self.platform.key("gateway")):
            self.assertNotIn(marker, self.log())

    def test_calls_are_there_and_what_was_said_is_not(self):
        calls = []
        for path in DIALECTS:
            for model in PROTOCOLS:
                for streams in (False, True):
                    answer = self.ask(path, body_for(path, model, streams), headers={"x-penstock-unsupported": "drop"})
                    self.assertEqual(answer.status, 200, f"{path} {model} {answer.text}")
                    self.assertIn(ANSWER, answer.text)
                    calls.append(answer.headers["x-penstock-call"])
        self.assertEqual(len(set(calls)), len(DIALECTS) * len(PROTOCOLS) * 2)
        self.check(calls)

    def test_nor_is_it_where_an_engine_fails(self):
        for path in DIALECTS:
            self.assertGreaterEqual(self.ask(path, body_for(path, "broken", False)).status, 500)
        self.check(())

    def test_nor_is_what_is_refused(self):
        for path in DIALECTS:
            known = body_for(path, "openai", False)
            self.assertEqual(self.ask(path, body_for(path, MODEL, False)).status, 404)
            self.assertEqual(self.ask(path, known, key="sk-" + WRONG_KEY).status, 401)
            self.assertEqual(self.ask(path, json.dumps(known)[:-1] + "," + FIELD).status, 400)
            self.assertEqual(self.ask(path + "/nowhere", known).status, 404)
        self.check(())


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
