#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Official clients of each dialect before engines of each protocol, by the real binary; and the bill that follows."""
import os
import subprocess
import sys
import unittest
from decimal import Decimal

from dialect_engines import PROTOCOLS, WORDS, Engine
from platform_process import ROOT, Platform, wait_until

CLIENTS_SECONDS_MAX = 120
CLIENTS = {
    "anthropic-python": [sys.executable, ROOT / "tests/clients/anthropic_python_test.py"],
    "anthropic-node": ["node", "--test", ROOT / "tests/clients/node/anthropic_node_test.mjs"],
    "responses-python": [sys.executable, ROOT / "tests/clients/responses_python_test.py"],
}


class Dialects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        cls.engines = {protocol: cls.enterClassContext(Engine(protocol)) for protocol in PROTOCOLS}
        for protocol, engine in cls.engines.items():
            cls.platform.cli("endpoint", "create", "--model", protocol, "--url", engine.url, "--protocol", protocol, "--price-input", "1",
                             "--price-output", "2", "--upstream-model", "words")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models").json["data"]) == len(PROTOCOLS), "the routes")

    def run_client(self, client, model):
        environment = self.platform.environment | {
            "OPENAI_BASE_URL": self.platform.url + "/v1", "OPENAI_API_KEY": self.platform.key(), "ANTHROPIC_BASE_URL": self.platform.url,
            "ANTHROPIC_API_KEY": self.platform.key(), "MODEL": model, "CALLS_TOOLS": "1"}
        done = subprocess.run([*map(str, CLIENTS[client])], env=environment, capture_output=True, text=True, timeout=CLIENTS_SECONDS_MAX)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])

    def test_the_ollama_dialect_streams_by_default(self):
        for model in PROTOCOLS:
            body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
            streamed = self.platform.api("POST", "/api/chat", body)
            self.assertEqual(streamed.headers["content-type"], "application/x-ndjson")
            whole = self.platform.api("POST", "/api/chat", body | {"stream": False}).json
            self.assertEqual((whole["message"]["content"], whole["done_reason"], whole["eval_count"]), (" ".join(WORDS), "stop", len(WORDS)))
            self.assertIn('"done":true', streamed.text.replace(" ", ""))
        self.assertEqual({model["name"] for model in self.platform.api("GET", "/api/tags").json["models"]}, set(PROTOCOLS))

    def test_a_chat_client_is_served_by_every_engine_and_charged(self):
        for model in PROTOCOLS:
            body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
            answer = self.platform.api("POST", "/v1/chat/completions", body)
            self.assertEqual((answer.status, answer.json["choices"][0]["message"]["content"]), (200, " ".join(WORDS)), answer.text)
            call, usage = answer.headers["x-penstock-call"], answer.json["usage"]
            line = wait_until(lambda: next((line for line in self.platform.bills() if call in line["resource"]), None), "the bill line")
            self.assertEqual({item["meter"]: item["quantity"] for item in line["usage"]},
                             {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]})
            exact = Decimal(usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1_000_000
            self.assertEqual(Decimal(answer.headers["x-penstock-cost"]), exact)

    def test_an_engine_of_another_protocol_is_not_taken(self):
        for model, engine in self.engines.items():
            other = "ollama" if model != "ollama" else "openai"
            refused = self.platform.cli("endpoint", "create", "--model", "x", "--url", engine.url, "--protocol", other, "--price-input", "1",
                                        "--price-output", "2", code=None)
            self.assertNotEqual(refused.code, 0)
            self.assertIn("protocol", refused.err)


def check(client, model):
    return lambda self: self.run_client(client, model)


for one in CLIENTS:
    for of in PROTOCOLS:
        setattr(Dialects, f"test_{one.replace('-', '_')}_before_{of}", check(one, of))

if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
