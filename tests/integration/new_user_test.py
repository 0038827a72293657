#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The way of a new user: bring a platform up, make a key, serve a model, call it by the official clients, train, read the bill."""
import json
import subprocess
import sys
import unittest
from decimal import Decimal

from platform_process import ROOT, Platform, wait_until

MODEL = "smollm2-135m-instruct"
CLIENTS_SECONDS_MAX = 200
STEPS = 20


class NewUser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        platform = cls.platform = cls.enterClassContext(Platform())
        cls.key = platform.cli("key", "create", "--name", "laptop").out.strip()
        platform.cli("run", "-y", "-f", ROOT / "examples/serve-llm/task.yaml", "--cpus", "1", key=cls.key)
        cls.train = platform.create(ROOT / "examples/train/task.yaml", "-e", f"STEPS={STEPS}", "-e", "CHECKPOINT_EVERY=5", "-e", "BATCH=4")
        cls.clients = {name: cls.client(*words) for name, words in {
            "python": [sys.executable, ROOT / "tests/clients/openai_python_test.py"],
            "node": ["node", "--test", ROOT / "tests/clients/node"],
            "responses": [sys.executable, ROOT / "tests/clients/responses_python_test.py"],
            "anthropic": [sys.executable, ROOT / "tests/clients/anthropic_python_test.py"],
            "langchain": [sys.executable, ROOT / "tests/clients/langchain_python_test.py"],
            "llm": [sys.executable, ROOT / "tests/clients/llm_agent_test.py"]}.items()}

    @classmethod
    def client(cls, *words):
        environment = cls.platform.environment | {"OPENAI_BASE_URL": cls.platform.url + "/v1", "OPENAI_API_KEY": cls.key, "MODEL": MODEL,
                                                 "ANTHROPIC_BASE_URL": cls.platform.url, "ANTHROPIC_API_KEY": cls.key}
        done = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True, timeout=CLIENTS_SECONDS_MAX)
        return done

    def test_the_official_python_client_works_unchanged(self):
        self.assertEqual(self.clients["python"].returncode, 0, self.clients["python"].stderr)

    def test_the_responses_api_of_the_python_client_works_unchanged(self):
        self.assertEqual(self.clients["responses"].returncode, 0, self.clients["responses"].stderr)

    def test_anthropics_python_client_works_unchanged(self):
        self.assertEqual(self.clients["anthropic"].returncode, 0, self.clients["anthropic"].stderr)

    def test_langchain_works_unchanged(self):
        self.assertEqual(self.clients["langchain"].returncode, 0, self.clients["langchain"].stderr)

    def test_a_command_line_for_models_works_unchanged(self):
        self.assertEqual(self.clients["llm"].returncode, 0, self.clients["llm"].stderr)

    def test_the_node_clients_work_unchanged(self):
        self.assertEqual(self.clients["node"].returncode, 0, self.clients["node"].stdout)

    def test_the_service_has_a_code_that_resolves(self):
        task = self.platform.task("smollm2")
        self.assertEqual((task["state"], task["service"]["replicas_ready"]), ("RUNNING", 1))
        self.assertIn(MODEL, [model["id"] for model in self.platform.get_json("model", "list")["models"]])
        self.assertEqual(self.platform.cli("identity", "get", task["service"]["c_url"]).code, 0)

    def test_the_training_learned_and_kept_a_checkpoint(self):
        task = self.platform.wait_for_state(self.train, "SUCCEEDED")
        folder = self.platform.folder / "train"
        self.platform.cli("task", "outputs", self.train, "--download", folder)
        metrics = json.loads((folder / "out/metrics.json").read_text())
        self.assertEqual(metrics["steps"], STEPS)
        self.assertLess(metrics["loss"], metrics["first_loss"])
        self.assertEqual(len(task["outputs"]), 2)
        self.assertTrue(self.platform.items(self.train)[0]["checkpoint"])

    def test_every_call_is_billed_once_and_the_books_agree(self):
        """Calls are settled from a spool: what was answered is on the bill soon, and nothing is there twice."""
        self.platform.wait_for_state(self.train, "SUCCEEDED")
        answer = self.platform.api("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3})
        self.assertEqual(answer.status, 200, answer.text)
        request = answer.headers["x-penstock-call"]
        line = wait_until(lambda: self.lines_of(request), f"the bill line of {request}")[0]
        counted = {item["meter"]: item["quantity"] for item in line["usage"]}
        usage = answer.json["usage"]
        self.assertEqual(counted["input_tokens"] + counted.get("cache_read_tokens", 0), usage["prompt_tokens"])
        self.assertEqual(counted["output_tokens"], usage["completion_tokens"])

        lines, wallet, settlement = self.platform.bills(), self.platform.get_json("wallet", "get"), self.platform.settlement()
        self.assertEqual(len({line["id"] for line in lines}), len(lines))
        charged = sum(Decimal(line["charged"]) for line in lines)
        self.assertEqual(charged, Decimal(wallet["spent"]))
        self.assertEqual(charged, sum(Decimal(line["provider_share"]) + Decimal(line["fee"]) for line in lines))
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])
        earned = sum(Decimal(party["earned"]) for party in settlement["parties"])
        self.assertEqual(earned, charged)
        statement = self.platform.get_json("bill", "statement")
        self.assertEqual(Decimal(statement["closing"]), Decimal(100) - charged)
        self.assertEqual(sum(Decimal(entry["debit"]) for entry in statement["entries"]), charged)

    def lines_of(self, request):
        return [line for line in self.platform.bills() if request in line["resource"]]


if __name__ == "__main__":
    unittest.main()
