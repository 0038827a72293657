#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line `llm` as its users run it: a prompt, a conversation and tools, by nothing but a base URL and a key.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls the tool that it is offered.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMMAND = Path(sys.executable).with_name("llm")
SECONDS_MAX = 120
OPTIONS = ("-o", "max_tokens", "24", "-o", "temperature", "0")
TOOL = "def weather(city: str) -> str:\n    'The weather of a city'\n    return 'sunny in ' + city\n"


class Llm(unittest.TestCase):
    # No plugins: whatever else is installed beside the program is not its user's choice.
    SETTINGS = {"LLM_LOAD_PLUGINS": ""}

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        # JSON is YAML.
        (cls.folder / "extra-openai-models.yaml").write_text(json.dumps([{
            "model_id": "platform", "model_name": os.environ["MODEL"], "api_base": os.environ["OPENAI_BASE_URL"], "api_key_name": "platform",
            "supports_tools": True}]))

    def llm(self, *words):
        done = subprocess.run([COMMAND, *words, "--key", os.environ["OPENAI_API_KEY"]], env=os.environ | self.SETTINGS | {"LLM_USER_PATH": str(self.folder)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def ask(self, *words):
        return self.llm("-m", "platform", *OPTIONS, "Name one river in a short sentence.", *words)

    def test_a_prompt_is_answered_with_its_usage_streamed_and_whole(self):
        for words in ((), ("--no-stream",)):
            done = self.ask("-u", *words)
            self.assertTrue(done.stdout.strip())
            given, made = re.search(r"Token usage: ([\d,]+) input, ([\d,]+) output", done.stderr).groups()
            self.assertGreater(int(given.replace(",", "")), 0)
            self.assertGreater(int(made.replace(",", "")), 0)

    def test_a_conversation_goes_on(self):
        self.ask()
        self.assertTrue(self.llm("-c", *OPTIONS, "And another one?").stdout.strip())

    @unittest.skipUnless(os.environ.get("CALLS_TOOLS") == "1", "this model does not call tools")
    def test_a_tool_is_run_as_an_agent_runs_it(self):
        for words in ((), ("--no-stream",)):
            self.assertIn("sunny in Ulm", self.ask("--functions", TOOL, *words).stdout)


if __name__ == "__main__":
    unittest.main()
