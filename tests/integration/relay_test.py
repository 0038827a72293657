#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A site's engines behind one relay: the platform meters calls through it to the token, an engine that dies costs no call, and whoever has no key gets none."""
import contextlib
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from platform_process import BINARY, Platform, Running, wait_until

TOKENS = 8
KEY = "a-key-of-the-site-0123456789"
CALLS = 40


class Engines(contextlib.ExitStack):
    """Engines of one model and the relay before them."""

    def __init__(self, count, *words):
        super().__init__()
        self.folder = Path(self.enter_context(tempfile.TemporaryDirectory()))
        self.processes, urls = [], []
        for _ in range(count):
            process = subprocess.Popen([os.environ["MOCK_ENGINE"], "--model", "behind", "--tokens", str(TOKENS), *words], stdout=subprocess.PIPE, text=True)
            self.callback(self.end, process)
            self.processes.append(process)
            urls.append(process.stdout.readline().strip())
        (self.folder / "key").write_text(KEY + "\n")
        engines = [word for url in urls for word in ("--engine", url)]
        self.running = Running([BINARY, "relay", "--listen", "127.0.0.1:0", "--key-file", self.folder / "key", *engines], self.folder, "relay", dict(os.environ))
        self.callback(self.running.stop)
        self.url = self.running.wait_for(r"Penstock relay at (http://\S+)")

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()


class Relay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        cls.site = cls.enterClassContext(Engines(3))
        (cls.site.folder / "sent").write_text(KEY)
        cls.platform.cli("endpoint", "create", "--model", "behind", "--url", cls.site.url, "--protocol", "openai", "--price-input", "1", "--price-output", "2",
                         "--api-key-file", cls.site.folder / "sent")
        wait_until(lambda: cls.ask().status == 200, "the route")

    @classmethod
    def ask(cls, **more):
        body = {"model": "behind", "max_tokens": TOKENS, "messages": [{"role": "user", "content": "hello"}]} | more
        return cls.platform.api("POST", "/v1/chat/completions", body, url=cls.platform.gateway_url)

    def metric(self, name):
        text = self.platform.api("GET", "/metrics", url=self.site.url).text
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + " "))

    def test_1_calls_are_metered_as_if_the_engine_stood_there(self):
        whole, streamed = self.ask(), self.ask(stream=True, stream_options={"include_usage": True})
        self.assertEqual(whole.json["usage"]["completion_tokens"], TOKENS)
        events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
        self.assertEqual(events[-1]["usage"]["completion_tokens"], TOKENS)
        self.assertTrue(streamed.text.rstrip().endswith("data: [DONE]"))
        calls = {answer.headers["x-penstock-call"] for answer in (whole, streamed)}
        lines = wait_until(lambda: [line for line in self.platform.bills() if line["resource"].removeprefix("call/") in calls] if len(self.platform.bills()) >= 2 else None,
                           "both on the bill")
        self.assertEqual({item["quantity"] for line in lines for item in line["usage"] if item["meter"].startswith("output")}, {TOKENS})
        self.assertEqual(self.metric("penstock_relay_requests_in_flight"), 0)

    def test_2_whoever_has_no_key_reaches_no_engine(self):
        body = {"model": "behind", "messages": [{"role": "user", "content": "hello"}]}
        self.assertEqual(self.platform.api("POST", "/v1/chat/completions", body, key="another-key-of-somebody", url=self.site.url).status, 401)
        self.assertEqual(self.platform.api("POST", "/v1/chat/completions", body, key=KEY, url=self.site.url).status, 200)
        self.assertEqual(self.platform.api("GET", "/health", key=KEY, url=self.site.url).status, 404)

    def test_3_an_engine_that_dies_costs_no_call(self):
        Engines.end(self.site.processes.pop())
        self.assertEqual([self.ask(stream=bool(number % 2)).status for number in range(CALLS)], [200] * CALLS)
        self.assertEqual(self.metric("penstock_relay_engines_available"), 2)

    def test_4_without_engines_it_says_so(self):
        while self.site.processes:
            Engines.end(self.site.processes.pop())
        body = {"model": "behind", "messages": [{"role": "user", "content": "hello"}]}
        answer = self.platform.api("POST", "/v1/chat/completions", body, key=KEY, url=self.site.url)
        self.assertEqual(answer.status, 503)
        self.assertIn("no engine", answer.json["detail"])
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)
        self.assertEqual(self.platform.api("GET", "/readyz", url=self.site.url).status, 503)

    def test_5_a_mistake_names_its_flag(self):
        for words, named in ((("--engine", "http://a"), "--key-file"), (("--engine", "nowhere", "--open"), "--engine"),
                             (("--engine", "http://a", "--open", "--answer-timeout", "soon"), "soon")):
            done = subprocess.run([BINARY, "relay", "--listen", "127.0.0.1:0", *words], capture_output=True, text=True, timeout=20)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(named, done.stderr)


if __name__ == "__main__":
    unittest.main()
