#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark's figures of streams rest on: the scripted engine sends tokens when they are due, and the client counts and times whole streams alone."""
import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from platform_process import wait_until

TOKENS, GAP = 6, 0.05
# The role, the tokens, the reason to stop, [DONE].
FRAMES = TOKENS + 3
SECONDS_MAX = 60


class LoadTools(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def engine(self, *words):
        process = subprocess.Popen([os.environ["MOCK_ENGINE"], "--model", "m", "--tokens", str(TOKENS), *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process.stdout.readline().strip()

    @staticmethod
    def body():
        return json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()

    def request(self, url):
        return urllib.request.Request(url + "/v1/chat/completions", self.body(), {"Content-Type": "application/json"})

    def load(self, url, *words):
        body, path = self.body(), self.folder / "request"
        path.write_bytes(f"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        port = urllib.parse.urlsplit(url).port
        return subprocess.run([os.environ["STREAM_LOAD"], "--port", str(port), "--request-file", path, *map(str, words)],
                              capture_output=True, text=True, timeout=SECONDS_MAX)

    def times(self, url, *words):
        done = self.load(url, "--frames-min", FRAMES, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def moments(self, url):
        """When each token of one stream came, by this process's clock."""
        with urllib.request.urlopen(self.request(url), timeout=SECONDS_MAX) as answer:
            return [time.monotonic() for line in answer if b'"content":"w' in line.replace(b": ", b":")]

    def test_a_stream_counts_as_at_load_when_each_client_had_begun(self):
        times = self.times(self.engine("--gap", "20ms"), "--clients", 3, "--each", 4)
        # All begin at once, and none has read its first to the end by then.
        self.assertEqual((len(times["rising"]), len(times["at_load"])), (3, 9))

    def test_a_client_that_begins_late_keeps_the_others_from_being_at_load(self):
        # Streams of no length: whoever begins first has read all of its own long before the last one begins.
        times = self.times(self.engine(), "--clients", 4, "--each", 5, "--within", 1)
        self.assertEqual(len(times["rising"]) + len(times["at_load"]), 20)
        self.assertGreater(len(times["rising"]), 4)

    def test_a_first_token_is_timed_from_its_request(self):
        times = self.times(self.engine("--delay", "80ms"), "--clients", 2, "--each", 2)
        for time_ms in times["rising"] + times["at_load"]:
            self.assertGreaterEqual(time_ms, 80)

    def test_what_is_not_a_whole_stream_is_an_error_that_says_why(self):
        for url, words, problem in (
                (self.engine("--cut-after", "2"), [], "a stream was cut"), (self.engine("--status", "503"), [], "a stream was refused: HTTP/1.1 503"),
                (self.engine(), ["--frames-min", FRAMES + 1], f"a stream was short: {FRAMES} frames"),
                (self.engine("--delay", "10m"), ["--stream-limit", 0.2], "a stream took too long")):
            done = self.load(url, "--clients", 2, "--each", 2, *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(problem, done.stderr)

    def test_no_token_is_before_it_is_due(self):
        begun = time.monotonic()
        moments = self.moments(self.engine("--gap", f"{GAP * 1000:.0f}ms"))
        self.assertEqual(len(moments), TOKENS)
        # The first one is due at once, each of the others a gap after the one before, whenever that was sent.
        for number, moment in enumerate(moments):
            self.assertGreaterEqual(moment - begun, number * GAP)

    def test_tokens_in_step_are_due_at_moments_of_the_engine(self):
        # Of a clock that both processes read, whole multiples of the gap: a stream that begins in the middle of one waits for half of it.
        gap = 2
        url = self.engine("--gap", f"{gap}s", "--in-step")
        wait_until(lambda: 0.5 <= time.monotonic() % gap / gap < 0.6, "the middle of a step")
        begun = time.monotonic()
        due = (begun // gap + 1) * gap
        with urllib.request.urlopen(self.request(url), timeout=SECONDS_MAX) as answer:
            self.read_token(answer)
            second = self.read_token(answer)
        self.assertGreaterEqual(second, due)
        self.assertLess(second, begun + gap)

    @staticmethod
    def read_token(answer):
        for line in answer:
            if b'"content":"w' in line.replace(b": ", b":"):
                return time.monotonic()
        raise AssertionError("the stream had no more tokens")


if __name__ == "__main__":
    unittest.main()
