#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The examples serve-llm and render, run as a task would run them: own folder, bare environment."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES / "render"))
import assemble  # noqa: E402

READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10
PATH = "/usr/bin:/bin"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Serve(unittest.TestCase):
    def setUp(self):
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.process = subprocess.Popen(
            [sys.executable, "serve.py"], cwd=EXAMPLES / "serve-llm", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": PATH, "PENSTOCK_PORT": str(port), "OMP_NUM_THREADS": "1", "SLOTS": "2"})
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.wait_until_ready()

    def wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)  # between two looks at a bounded wait
        raise AssertionError(f"serve.py was not ready after {READY_SECONDS_MAX} s, status {self.process.poll()}")

    def ask(self, **options):
        body = {"model": "smollm2-135m-instruct", "max_tokens": 8, "messages": [{"role": "user", "content": "Say hi."}]}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", json.dumps(body | options).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def test_answers_under_its_model_name(self):
        answer = json.loads(self.ask())
        self.assertEqual(answer["model"], "smollm2-135m-instruct")
        self.assertTrue(answer["choices"][0]["message"]["content"])

    def test_streams_with_usage(self):
        events = self.ask(stream=True, stream_options={"include_usage": True}).strip().split("\n\n")
        self.assertEqual(events[-1], "data: [DONE]")
        usage = json.loads(events[-2].removeprefix("data: "))["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])

    def test_stops_when_asked(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(STOP_SECONDS_MAX), 0)


class Render(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def render(self, item, frame):
        folder = self.folder / item
        folder.mkdir()
        for name in ("turbine.pov", "render.sh"):
            shutil.copy(EXAMPLES / "render" / name, folder)
        environment = {"PATH": PATH, "PENSTOCK_ARRAY_INDEX": str(frame), "WIDTH": "160", "HEIGHT": "90"}
        subprocess.run(["sh", "render.sh"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return assemble.read_png(folder / f"out/frame-{frame:02}.png")

    def test_frames_differ_and_a_repeated_one_does_not(self):
        first, again, second = self.render("a", 0), self.render("b", 0), self.render("c", 1)
        self.assertEqual(first.shape, (90, 160, 3))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first.astype(int) - second).mean(), 1)

    def test_the_loop_closes(self):
        np.testing.assert_allclose(self.render("a", 0), self.render("b", 12), atol=3)

    def test_the_sheet_holds_every_frame(self):
        frames = [self.render("a", 0), self.render("b", 1), self.render("c", 2)]
        subprocess.run([sys.executable, EXAMPLES / "render/assemble.py", self.folder, self.folder / "sheet.png", "--columns", "2"],
                       check=True, env=os.environ, stdout=subprocess.DEVNULL)
        sheet = assemble.read_png(self.folder / "sheet.png")
        self.assertEqual(sheet.shape, (182, 322, 3))
        np.testing.assert_array_equal(sheet[92:, :160], frames[2])

    def test_without_an_index_it_says_what_is_missing(self):
        done = subprocess.run(["sh", EXAMPLES / "render/render.sh"], cwd=self.folder, env={"PATH": PATH}, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PENSTOCK_ARRAY_INDEX", done.stderr)


if __name__ == "__main__":
    unittest.main()
