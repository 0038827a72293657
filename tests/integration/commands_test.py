#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands that scripts are written with, word for word, and what scripts rely on in their answers."""
import http.server
import json
import shutil
import subprocess
import threading
import unittest
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import engine
from platform_process import Platform, wait_until

TASK = """\
name: counts
resources: {cpus: '0.3', memory: 64MB}
run: echo one; echo two
"""
SERVICE = """\
kind: Service
name: priced
workdir: .
resources: {cpus: '0.2', memory: 96MB}
run: exec /usr/bin/python3 engine.py
service:
  protocol: openai
  model: priced
  readiness_probe: {path: /v1/models, initial_delay_seconds: 60}
  price_input: '3'
  price_output: '15'
  class_prices: {cache_read: '0.3'}
"""


class Engine:
    """The words engine, outside of the platform: something to register."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), engine.Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(credit="25.00"))
        cls.file = cls.platform.folder / "task.yaml"
        cls.file.write_text(TASK)

    def test_the_context_that_up_wrote_is_enough(self):
        command = self.platform.command("wallet", "get", "-o", "json")
        for name in ("PENSTOCK_ENDPOINT", "PENSTOCK_TOKEN"):
            del command["env"][name]
        done = subprocess.run(**command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(Decimal(json.loads(done.stdout)["spent"]) + Decimal(json.loads(done.stdout)["balance"]), Decimal(25))

    def test_limits_of_a_key_are_shown_as_they_were_set(self):
        self.platform.cli("key", "create", "--name", "bounded", "--budget", "5.00", "--budget-period", "month", "--rpm", "60", "--models", "a,b")
        shown = self.platform.cli("key", "get", "bounded").out
        self.assertRegex(shown, r"LIMITS +budget=5\.00/monthly rpm=60 models=a,b\n")
        self.assertRegex(self.platform.cli("key", "update", "bounded", "--rpm", "30").out, r"LIMITS +budget=5\.00/monthly rpm=30 models=a,b\n")
        refused = self.platform.cli("key", "update", "bounded", "--budget-period", "fortnight", code=2)
        self.assertIn("none|day|week|month", refused.err)

    def test_a_key_of_ones_own(self):
        made = self.platform.cli("key", "create", "--name", "ci", "-o", "json").json
        self.assertTrue(made["key"].startswith("sk-"))
        self.assertEqual(made["name"], "ci")
        self.assertEqual(self.platform.cli("task", "list", key=made["key"]).code, 0)

        self.platform.cli("key", "delete", made["id"])
        refused = self.platform.cli("task", "list", key=made["key"], code=4)
        self.assertNotIn(made["key"], refused.err)

    def test_run_follows_to_the_end(self):
        done = self.platform.cli("run", "-y", "-f", self.file)
        self.assertEqual(done.out, "one\ntwo\n")

    def test_create_prints_a_name_that_other_commands_take(self):
        name = self.platform.cli("task", "create", "-y", "-f", "task.yaml", "-o", "name").out
        self.assertRegex(name, r"\Atask/tk_[0-9a-z]{26}\n\Z")
        self.platform.cli("wait", name.strip(), "--for", "ended")
        self.assertEqual(self.platform.cli("task", "get", name.strip(), "--jq", ".state").out, "SUCCEEDED\n")
        self.assertEqual(self.platform.cli("logs", name.strip()).out, "one\ntwo\n")
        tasks = self.platform.cli("task", "list", "--all", "-o", "json").json
        self.assertIn(name.strip(), ["task/" + task["id"] for task in tasks["tasks"]])
        self.assertEqual(tasks["total"], len(tasks["tasks"]))

    def test_bill_and_wallet_agree(self):
        self.platform.cli("run", "-y", "-f", self.file)
        lines = self.platform.cli("bill", "list", "-o", "json").json["lines"]
        wallet = self.platform.cli("wallet", "get", "-o", "json").json
        self.assertEqual(sum(Decimal(line["charged"]) for line in lines), Decimal(wallet["spent"]))
        self.assertEqual(Decimal(wallet["balance"]) + Decimal(wallet["spent"]), Decimal(25))

    def test_an_engine_is_offered_called_and_charged(self):
        with Engine() as running:
            made = self.platform.cli("endpoint", "create", "--model", "M", "--url", running.url, "--protocol", "openai", "--price-input", "0.10",
                                     "--price-output", "0.40", "--upstream-model", "words", "-o", "json").json
            self.assertEqual((made["model"], Decimal(made["price_input"]), Decimal(made["price_output"])), ("M", Decimal("0.1"), Decimal("0.4")))
            body = {"model": "M", "messages": [{"role": "user", "content": "word " * 1000}], "max_tokens": 500}
            answer = self.platform.api("POST", "/v1/chat/completions", body)
            self.assertEqual((answer.status, answer.json["choices"][0]["message"]["content"]), (200, "water falls and turns the wheel ."), answer.text)
            line = self.settled_call()
            self.assertEqual({item["meter"]: item["quantity"] for item in line["usage"]}, {"input_tokens": 1000, "output_tokens": 7})
            exact = Decimal("0.10") * 1000 / 1_000_000 + Decimal("0.40") * 7 / 1_000_000
            self.assertEqual(sum(Decimal(item["exact_amount"]) for item in line["usage"]), exact)
            self.assertEqual(Decimal(line["charged"]), exact.quantize(Decimal("0.000001"), ROUND_DOWN), "the rest is carried to the next call")
            self.platform.cli("endpoint", "delete", made["id"])
            self.assertEqual(self.platform.api("POST", "/v1/chat/completions", body).status, 404)

    def test_an_engine_is_priced_by_class_and_priced_anew(self):
        with Engine() as running:
            made = self.platform.cli("endpoint", "create", "--model", "C", "--url", running.url, "--protocol", "openai", "--price-input", "3",
                                     "--price-output", "15", "--price-cache-read", "0.3", "--price-cache-write-5m", "3.75", "--price-input-audio", "40",
                                     "--price-output-audio", "80", "--upstream-model", "words",
                                     "-o", "json").json
            shown = self.platform.cli("endpoint", "get", made["id"], "-o", "wide").out
            for text in (" 0.3\n", " 3.75\n", " 3.75 (cache_write_5m)\n", " 3 (input_fresh)\n", " 40\n", " 15 (output_visible)\n", " 80\n"):
                self.assertIn(text, shown)
            self.assertEqual(self.prices_of(made), {"input_fresh": ("3", None), "cache_read": ("0.3", None), "cache_write_5m": ("3.75", None),
                                                    "cache_write_1h": ("3.75", "cache_write_5m"), "input_image": ("3", "input_fresh"),
                                                    "input_audio": ("40", None), "output_visible": ("15", None),
                                                    "output_reasoning": ("15", "output_visible"), "output_audio": ("80", None)})
            anew = self.platform.cli("endpoint", "update", made["id"], "--price-input", "4", "--price-cache-write-5m", "none", "--price-reasoning", "20",
                                     "--price-input-image", "2", "--price-output-audio", "none", "-o", "json").json
            self.assertEqual(self.prices_of(anew), {"input_fresh": ("4", None), "cache_read": ("0.3", None), "cache_write_5m": ("4", "input_fresh"),
                                                    "cache_write_1h": ("4", "input_fresh"), "input_image": ("2", None),
                                                    "input_audio": ("40", None), "output_visible": ("15", None),
                                                    "output_reasoning": ("20", None), "output_audio": ("15", "output_visible")})
            self.assertEqual((made["price_version"], anew["price_version"]), (1, 2))
            self.assertNotIn("prices_valid_from", made)
            self.assertGreater(anew["prices_valid_from"], made["created_at"])
            body = {"model": "C", "messages": [{"role": "user", "content": "word " * 10}], "max_tokens": 50}
            wait_until(lambda: self.pricing_of("C")["prompt"] == "0.000004", "the gateway to have the new price")
            self.assertEqual(self.platform.api("POST", "/v1/chat/completions", body).status, 200)
            line = wait_until(lambda: next((line for line in self.platform.bills() if line["name"] == "C"), None), "the call's bill line")
            self.assertEqual({item["meter"]: item["price"] for item in line["usage"]}, {"input_tokens": "0.000004", "output_tokens": "0.000015"})
            refused = self.platform.cli("endpoint", "update", made["id"], "--price-cache-read", "0.0000000001", code=2)
            self.assertIn("class_prices.cache_read", refused.err)
            self.platform.cli("endpoint", "update", made["id"], code=2)
            self.platform.cli("endpoint", "delete", made["id"])

    def test_a_service_prices_its_replicas_by_class(self):
        folder = self.platform.folder / "priced"
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("engine.py"), folder)
        (folder / "task.yaml").write_text(SERVICE)
        task = self.platform.create(folder / "task.yaml")
        replica = wait_until(lambda: next((one for one in self.platform.api("GET", "/v1/endpoints").json["endpoints"] if one["model"] == "priced"), None),
                             "the replica's endpoint")
        self.assertEqual(self.prices_of(replica), {"input_fresh": ("3", None), "cache_read": ("0.3", None), "cache_write_5m": ("3", "input_fresh"),
                                                   "cache_write_1h": ("3", "input_fresh"), "input_image": ("3", "input_fresh"),
                                                   "input_audio": ("3", "input_fresh"), "output_visible": ("15", None),
                                                   "output_reasoning": ("15", "output_visible"), "output_audio": ("15", "output_visible")})
        refused = self.platform.cli("endpoint", "update", replica["id"], "--price-input", "1", code=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn(f"task/{task}", refused.err)
        self.platform.cli("task", "cancel", task)

    @staticmethod
    def prices_of(endpoint):
        return {row["token_class"]: (row["price"], row.get("priced_as")) for row in endpoint["prices"]}

    def pricing_of(self, model):
        listed = self.platform.api("GET", "/v1/models", url=self.platform.gateway_url).json["data"]
        return next(entry for entry in listed if entry["id"] == model)["pricing"]

    def settled_call(self):
        return wait_until(lambda: next((line for line in self.platform.bills() if line["kind"] == "tokens"), None), "the call's bill line")


class Durability(unittest.TestCase):
    def test_what_create_printed_survives_kill_9_at_once(self):
        with Platform(agent=False) as platform:
            for attempt in range(3):
                printed = platform.cli("task", "create", "-y", "-f", "-", "-o", "name", input=TASK).out.strip()
                platform.kill("up")
                platform.start_up()
                names = ["task/" + task["id"] for task in platform.cli("task", "list", "--all", "-o", "json").json["tasks"]]
                self.assertEqual(names[0], printed)
                self.assertEqual(len(names), attempt + 1)

    def test_sigterm_ends_within_its_limit_and_with_zero(self):
        with Platform() as platform:
            platform.create("name: long\nresources: {cpus: '0.2', memory: 64MB}\nrun: sleep 300\n")
            self.assertEqual(platform.stop("up"), 0)


if __name__ == "__main__":
    unittest.main()
