#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A coding agent, Qwen Code, as its users run it without a terminal: its base URL, key and model come by environment, its loop calls tools until it is done.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls the tool that it is offered. It may look at an empty
folder and do nothing else: what a model makes up is not run.
"""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(__file__).resolve().parent / "node/node_modules/@qwen-code/qwen-code/cli.js"
SECONDS_MAX = 280
TOOL = "list_directory"
TURNS_MAX = 3
SETTINGS = {"privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False}, "general": {"disableAutoUpdate": True, "disableUpdateNag": True},
            "model": {"generationConfig": {"samplingParams": {"temperature": 0, "max_tokens": 40}, "timeout": SECONDS_MAX * 1000, "maxRetries": 0}}}


class QwenCode(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in (".qwen", "work"):
            (self.folder / name).mkdir()
        (self.folder / ".qwen/settings.json").write_text(json.dumps(SETTINGS))
        (self.folder / "system.md").write_text("You help with a folder of files.\n")

    def session(self, question):
        """What was said, in its order."""
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "OPENAI_BASE_URL", "OPENAI_API_KEY") if name in os.environ} | {
            "HOME": str(self.folder), "OPENAI_MODEL": os.environ["MODEL"], "QWEN_SYSTEM_MD": str(self.folder / "system.md"), "NODE_NO_WARNINGS": "1"}
        words = ["node", PROGRAM, "--auth-type", "openai", "--core-tools", TOOL, "--max-session-turns", str(TURNS_MAX), "--output-format", "json", "-p", question]
        done = subprocess.run(words, env=environment, cwd=self.folder / "work", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        return json.loads(done.stdout)

    def test_a_session_ends_well_and_has_used_what_it_was_offered(self):
        said = self.session("Which files are in this folder?")
        parts = [part["type"] for message in said if message["type"] in ("assistant", "user") for part in message["message"]["content"] if isinstance(part, dict)]
        last = said[-1]
        self.assertEqual((last["type"], last["is_error"]), ("result", False), last)
        self.assertGreater(min(last["usage"]["input_tokens"], last["usage"]["output_tokens"]), 0)
        if os.environ.get("CALLS_TOOLS") == "1":
            self.assertIn("tool_use", parts)
            self.assertIn("tool_result", parts)
            self.assertTrue(last["result"].strip())


if __name__ == "__main__":
    unittest.main()
