#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files and batches by the real binary: the official client, the bill, tenants, idle capacity, and what a kill -9 leaves."""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid
from decimal import Decimal
from pathlib import Path

from batched import WORDS, Batched, Engine, line, offer
from platform_process import ROOT, Platform, wait_until
from real_engine import MODEL, offer_real, real_engine

CLOCK_SHIFT = Path(os.environ.get("CLOCK_SHIFT", ROOT / "build/dev/tests/load/libclock_shift.so")).resolve()
LINES = 40


class OneProcess(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(Engine())
        cls.platform = cls.enterClassContext(Platform(agent=False))
        offer(cls.platform, cls.engine)
        wait_until(lambda: cls.platform.api("GET", "/v1/models").json["data"], "the route")
        cls.batched = Batched(cls.platform)

    def setUp(self):
        self.engine.delay = 0.0
        self.engine.gate.set()

    def test_the_official_client_is_served(self):
        environment = self.platform.environment | {"OPENAI_BASE_URL": self.platform.url + "/v1", "OPENAI_API_KEY": self.platform.key(), "MODEL": "words"}
        done = subprocess.run([sys.executable, ROOT / "tests/clients/batch_python_test.py"], env=environment, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])

    def test_the_price_is_shown_and_each_line_is_one_bill_line_at_it(self):
        model = self.platform.api("GET", "/v1/models/words").json
        self.assertEqual(model["batch_pricing"]["percent"], 50)
        self.assertEqual(Decimal(model["batch_pricing"]["pricing"]["prompt"]) * 2, Decimal(model["pricing"]["prompt"]))
        batch = self.batched.create([line(f"id-{number}", "one two three") for number in range(5)])
        self.batched.wait_for(batch, "completed")
        bills = self.batched.bills_of(batch)
        self.assertEqual(sorted(bill["batch_line"] for bill in bills), [f"{batch}/{number}" for number in range(1, 6)])
        for bill in bills:
            self.assertEqual((bill["tariff"], bill["basis"], bill["end_reason"]), ("batch", "upstream", "done"))
            amounts = {item["meter"]: Decimal(item["exact_amount"]) for item in bill["usage"]}
            self.assertEqual(amounts["input_tokens"], Decimal(3) / 1_000_000 / 2)
            self.assertEqual(amounts["output_tokens"], Decimal(2 * len(WORDS)) / 1_000_000 / 2)
        self.assertTrue(self.platform.settlement()["balanced"])

    def test_a_repeated_request_makes_one_batch(self):
        body = {"input_file_id": self.batched.upload([line("a", "once")]), "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        made = [self.batched.api("POST", "/v1/batches", body, headers={"Idempotency-Key": "one"}) for _ in range(2)]
        self.assertEqual(made[0].json["id"], made[1].json["id"])
        self.assertEqual([answer.headers.get("idempotency-replayed") for answer in made], [None, "true"])
        refused = self.batched.api("POST", "/v1/batches", body | {"completion_window": "2h"}, headers={"Idempotency-Key": "one"})
        self.assertEqual((refused.status, refused.json["error"]["param"]), (422, "Idempotency-Key"))

    def test_a_fault_of_the_engine_is_tried_again(self):
        batch = self.batched.create([line("a", "flaky " + uuid.uuid4().hex)])
        counts = self.batched.wait_for(batch, "completed")["request_counts"]
        self.assertEqual(counts, {"total": 1, "completed": 1, "failed": 0})

    def test_embeddings_and_responses_are_batched_as_well(self):
        batch = self.batched.create([{"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": {"model": "words", "input": "a b"}}], "/v1/embeddings")
        (answer,) = self.batched.lines_of(self.batched.wait_for(batch, "completed")["output_file_id"])
        self.assertEqual(answer["response"]["body"]["data"][0]["embedding"], [0.5])
        body = {"model": "words", "input": "say it", "max_output_tokens": 20}
        batch = self.batched.create([{"custom_id": "r", "method": "POST", "url": "/v1/responses", "body": body}], "/v1/responses")
        (answer,) = self.batched.lines_of(self.batched.wait_for(batch, "completed")["output_file_id"])
        self.assertEqual(answer["response"]["body"]["object"], "response")

    def test_a_cancelled_batch_begins_no_line_and_keeps_what_is_done(self):
        self.engine.gate.clear()
        batch = self.batched.create([line(f"id-{number}", "hold it") for number in range(30)])
        wait_until(lambda: self.engine.inside > 0, "a line to run")
        self.assertIn(self.batched.api("POST", f"/v1/batches/{batch}/cancel").json["status"], ("cancelling", "cancelled"))
        self.engine.gate.set()
        ended = self.batched.wait_for(batch, "cancelled")
        done = self.batched.lines_of(ended["output_file_id"])
        self.assertEqual((len(done), len(self.batched.bills_of(batch))), (ended["request_counts"]["completed"],) * 2)
        self.assertLess(len(done), 30)
        left = self.batched.lines_of(ended["error_file_id"])
        self.assertEqual({answer["error"]["code"] for answer in left}, {"batch_cancelled"})
        self.assertEqual(sorted(answer["custom_id"] for answer in done + left), sorted(f"id-{number}" for number in range(30)))
        self.assertEqual(ended["request_counts"], {"total": 30, "completed": len(done), "failed": len(left)})
        self.assertIsNotNone(ended["cancelled_at"])
        self.assertEqual(self.batched.api("POST", f"/v1/batches/{batch}/cancel").status, 409)

    def test_lines_begin_only_where_interactive_calls_leave_room(self):
        self.engine.gate.clear()
        chats = [threading.Thread(target=self.platform.api, args=("POST", "/v1/chat/completions", line("x", f"hold {number}")["body"])) for number in range(4)]
        for chat in chats:
            chat.start()
        wait_until(lambda: self.engine.inside == 4, "the interactive calls")
        name = uuid.uuid4().hex
        batch = self.batched.create([line("a", name)])
        self.batched.wait_for(batch, "in_progress")
        # Where there is room lines that came later begin and end: these could have begun as well.
        idle = self.enterContext(Engine())
        offer(self.platform, idle, "idle")
        wait_until(lambda: self.platform.api("GET", "/v1/models/idle").status == 200, "the route")
        for number in range(3):
            self.batched.wait_for(self.batched.create([line("b", f"later {number}", model="idle")]), "completed")
        self.assertNotIn(name, self.engine.asked)
        self.engine.gate.set()
        self.batched.wait_for(batch, "completed")
        self.assertIn(name, self.engine.asked)
        for chat in chats:
            chat.join()

    def test_another_project_sees_nothing_of_it(self):
        self.platform.cli("project", "create", "other")
        key = self.platform.cli("key", "create", "--name", "other", "--project", "other", "--scope", "tokens").out.strip()
        batch = self.batched.create([line("a", "mine")])
        file = self.batched.wait_for(batch, "completed")["output_file_id"]
        for method, path in (("GET", f"/v1/batches/{batch}"), ("POST", f"/v1/batches/{batch}/cancel"), ("GET", f"/v1/files/{file}"),
                             ("GET", f"/v1/files/{file}/content"), ("DELETE", f"/v1/files/{file}")):
            refused = self.batched.api(method, path, key=key)
            self.assertEqual((refused.status, refused.json["error"]["type"]), (404, "invalid_request_error"), path)
        self.assertEqual(self.batched.api("GET", "/v1/batches", key=key).json["data"], [])
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        self.assertEqual(self.batched.api("POST", "/v1/batches", body, key=key).json["error"]["param"], "input_file_id")

    def test_a_key_beyond_its_budget_gets_errors_for_its_lines(self):
        key = self.platform.cli("key", "create", "--name", "poor", "--scope", "tokens", "--budget", "0.000001").out.strip()
        batch = self.batched.create([line("a", "too dear")], key=key)
        ended = self.batched.wait_for(batch, "completed")
        (failed,) = self.batched.lines_of(ended["error_file_id"])
        self.assertEqual(failed["response"]["status_code"], 429)
        self.assertIn("more than the limit", failed["response"]["body"]["error"]["message"])
        self.assertEqual(self.batched.bills_of(batch), [])

    def test_a_model_without_a_batch_price_is_refused_with_the_remedy(self):
        self.platform.cli("endpoint", "create", "--model", "list-price", "--url", self.engine.url, "--protocol", "openai", "--price-input", "1",
                          "--price-output", "2", "--upstream-model", "words")
        batch = self.batched.create([line("a", "x", model="list-price")])
        (fault,) = self.batched.wait_for(batch, "failed")["errors"]["data"]
        self.assertEqual((fault["code"], fault["line"]), ("model_not_in_batches", 1))

    def test_lines_that_choose_their_engine_or_another_model_are_refused_by_name(self):
        second = self.enterContext(Engine())
        offer(self.platform, second, "beside", "--quantization", "fp8")
        wait_until(lambda: self.platform.api("GET", "/v1/models/beside").status == 200, "the route")
        batch = self.batched.create([line("a", "fine"), line("b", "there", provider={"quantizations": ["fp8"]}),
                                     line("c", "alone", provider={"allow_fallbacks": False}), line("d", "else", models=["beside"])])
        faults = self.batched.wait_for(batch, "failed")["errors"]["data"]
        self.assertEqual([(fault["line"], fault["code"], fault["param"]) for fault in faults],
                         [(2, "unsupported_parameter", "body.provider"), (3, "unsupported_parameter", "body.provider"),
                          (4, "unsupported_parameter", "body.models")])
        self.assertIn("leave it out", faults[0]["message"])
        self.assertEqual((self.batched.bills_of(batch), second.asked), ([], []))

    def test_a_file_that_a_batch_reads_is_not_deleted(self):
        self.engine.gate.clear()
        file = self.batched.upload([line("a", "hold")])
        body = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch = self.batched.api("POST", "/v1/batches", body).json["id"]
        refused = self.batched.api("DELETE", f"/v1/files/{file}")
        self.assertEqual(refused.status, 409, refused.text)
        self.engine.gate.set()
        self.batched.wait_for(batch, "completed")
        self.assertEqual(self.batched.api("DELETE", f"/v1/files/{file}").json, {"id": file, "object": "file", "deleted": True})

    def test_the_command_line_runs_a_batch(self):
        file = self.platform.folder / "lines.jsonl"
        file.write_text("\n".join(json.dumps(line(f"id-{number}", "hello")) for number in range(3)))
        made = self.platform.get_json("batch", "create", file, "--metadata", "run=7")
        self.assertEqual((made["object"], made["metadata"]), ("batch", {"run": "7"}))
        self.batched.wait_for(made["id"], "completed")
        self.assertEqual(self.platform.get_json("batch", "get", made["id"])["request_counts"]["completed"], 3)
        self.assertIn(made["id"], [one["id"] for one in self.platform.get_json("batch", "list")["batches"]])
        out = self.platform.cli("batch", "download", made["id"]).out
        self.assertEqual({json.loads(text)["custom_id"] for text in out.splitlines()}, {"id-0", "id-1", "id-2"})
        refused = self.platform.cli("batch", "download", made["id"], "--errors", code=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("has no errors file", refused.err)

    def test_the_command_line_keeps_files(self):
        file = self.platform.folder / "kept.jsonl"
        file.write_text(json.dumps(line("a", "hello")) + "\n")
        made = self.platform.get_json("file", "upload", file)
        self.assertEqual((made["filename"], made["purpose"], made["bytes"]), ("kept.jsonl", "batch", file.stat().st_size))
        self.assertEqual(self.platform.get_json("file", "show", made["id"]), self.platform.get_json("file", "get", "file/" + made["id"]))
        self.assertIn(made["id"], [one["id"] for one in self.platform.get_json("file", "list", "--purpose", "batch", "--all")["files"]])
        self.assertNotIn(made["id"], [one["id"] for one in self.platform.get_json("file", "list", "--purpose", "batch_output", "--all")["files"]])
        self.assertEqual(len(self.platform.get_json("file", "list", "--limit", "1")["files"]), 1)
        self.assertEqual(self.platform.cli("file", "download", made["id"]).out, file.read_text())
        copy = self.platform.folder / "copy.jsonl"
        self.platform.cli("file", "download", made["id"], "--to", copy)
        self.assertEqual(copy.read_text(), file.read_text())
        self.platform.cli("file", "delete", made["id"])
        gone = self.platform.cli("file", "get", made["id"], code=None)
        self.assertNotEqual(gone.code, 0)
        self.assertIn("no file", gone.err)
        self.platform.cli("file", "download", made["id"], "--to", copy, code=gone.code)
        self.assertEqual(copy.read_text(), file.read_text(), "a file that is there is kept when there is none to be had")


class Killed(unittest.TestCase):
    """Server and gateway are processes of their own; each dies in the middle of a batch."""

    def setUp(self):
        self.engine = self.enterContext(Engine())
        self.platform = self.enterContext(Platform(roles=True, agent=False))
        offer(self.platform, self.engine)
        self.batched = Batched(self.platform)
        wait_until(lambda: self.batched.api("GET", "/v1/models").json["data"], "the route")
        self.engine.delay = 0.05

    def run_and_kill(self, kill):
        batch = self.batched.create([line(f"id-{number}", f"text {number}") for number in range(LINES)])
        wait_until(lambda: self.batched.get(batch)["request_counts"]["completed"] >= 3, "some lines")
        kill()
        ended = self.batched.wait_for(batch, "completed")
        self.assertEqual(ended["request_counts"], {"total": LINES, "completed": LINES, "failed": 0})
        answers = self.batched.lines_of(ended["output_file_id"])
        self.assertEqual(sorted(answer["custom_id"] for answer in answers), sorted(f"id-{number}" for number in range(LINES)))
        bills = self.batched.bills_of(batch)
        self.assertEqual(sorted(bill["batch_line"] for bill in bills), sorted(f"{batch}/{number}" for number in range(1, LINES + 1)))
        self.assertEqual({bill["end_reason"] for bill in bills}, {"done"})
        self.assertEqual({bill["resource"] for bill in bills}, {"call/" + answer["response"]["request_id"] for answer in answers})
        self.assertTrue(self.platform.settlement()["balanced"])

    def test_the_server_dies_and_nothing_is_lost_or_billed_twice(self):
        def kill():
            self.platform.kill("server")
            self.platform.start_server()

        self.run_and_kill(kill)

    def test_the_gateway_dies_and_nothing_is_lost_or_billed_twice(self):
        def kill():
            self.platform.kill("gateway")
            self.platform.start_gateway()

        self.run_and_kill(kill)

    def test_both_die(self):
        def kill():
            self.platform.kill("gateway")
            self.platform.kill("server")
            self.platform.start_server()
            self.platform.start_gateway()

        self.run_and_kill(kill)

    def test_whoever_dies_at_whatever_moment(self):
        seed = int(os.environ.get("SEED", random.randrange(1 << 31)))
        print(f"SEED={seed}")
        chance, pause = random.Random(seed), threading.Event()

        def kill():
            for _ in range(4):
                server, gateway = chance.choice(((True, False), (False, True), (True, True)))
                names = ["server"] * server + ["gateway"] * gateway
                for name in names:
                    self.platform.kill(name)
                pause.wait(chance.uniform(0, 0.3))
                for name in names:
                    {"server": self.platform.start_server, "gateway": self.platform.start_gateway}[name]()
                pause.wait(chance.uniform(0, 0.6))

        self.run_and_kill(kill)

    def test_while_the_server_is_away_the_gateway_says_so(self):
        self.platform.kill("server")
        refused = self.batched.api("GET", "/v1/batches")
        self.assertEqual((refused.status, refused.json["error"]["code"]), (503, "server_unavailable"))
        self.assertIn("retry-after", refused.headers)


class Late(unittest.TestCase):
    """The clocks of server and gateway jump ahead together."""

    def setUp(self):
        self.clock = Path(self.enterContext(tempfile.TemporaryDirectory())) / "clock"
        self.clock.write_bytes(struct.pack("q", 0))
        self.engine = self.enterContext(Engine())
        platform = Platform(roles=True, agent=False)
        platform.environment |= {"LD_PRELOAD": str(CLOCK_SHIFT), "PENSTOCK_CLOCK_SHIFT": str(self.clock)}
        self.platform = self.enterContext(platform)
        offer(self.platform, self.engine)
        self.batched = Batched(self.platform)
        wait_until(lambda: self.batched.api("GET", "/v1/models").json["data"], "the route")

    def jump(self, seconds):
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", seconds))

    def test_what_is_not_done_in_time_expires_and_what_is_kept_is_forgotten_in_time(self):
        self.engine.gate.clear()
        body = {"input_file_id": self.batched.upload([line(f"id-{number}", "hold it") for number in range(30)]), "endpoint": "/v1/chat/completions",
                "completion_window": "1h"}
        batch = self.batched.api("POST", "/v1/batches", body).json["id"]
        wait_until(lambda: self.engine.inside > 0, "a line to run")
        self.jump(3601)
        self.engine.gate.set()
        ended = self.batched.wait_for(batch, "expired")
        done = self.batched.lines_of(ended["output_file_id"])
        late = self.batched.lines_of(ended["error_file_id"])
        self.assertEqual({answer["error"]["code"] for answer in late}, {"batch_expired"})
        self.assertEqual(sorted(answer["custom_id"] for answer in done + late), sorted(f"id-{number}" for number in range(30)))
        self.assertEqual(len(self.batched.bills_of(batch)), len(done))
        self.assertEqual(ended["request_counts"], {"total": 30, "completed": len(done), "failed": len(late)})
        self.jump(3601 + 31 * 86400)
        wait_until(lambda: self.batched.api("GET", f"/v1/batches/{batch}").status == 404, "the batch to be forgotten")
        wait_until(lambda: self.batched.api("GET", "/v1/files").json["data"] == [], "the files to be forgotten")
        wait_until(lambda: not list((self.platform.state / "files").glob("file_*")), "their bytes to be removed")


class RealEngine(unittest.TestCase):
    """llama.cpp's own server: what it says was not made for this test."""

    def test_the_official_client_runs_batches_on_it(self):
        platform = self.enterContext(Platform(agent=False))
        offer_real(platform, self.enterContext(real_engine()), "--batch-percent", "40")
        environment = platform.environment | {"OPENAI_BASE_URL": platform.url + "/v1", "OPENAI_API_KEY": platform.key(), "MODEL": MODEL}
        done = subprocess.run([sys.executable, ROOT / "tests/clients/batch_python_test.py"], env=environment, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])
        self.assertEqual({bill["tariff"] for bill in platform.bills()}, {"batch"})


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
