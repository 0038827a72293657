#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of server, agent, gateway and engine at random moments while tasks, calls and payments go on.

What was acknowledged is there at the end, once: tasks, events, usage, transfers. SEED=n repeats a run.
"""
import http.client
import json
import os
import random
import shutil
import signal
import sys
import threading
import unittest
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from platform_process import ENDED, Platform, wait_until

ROUNDS = 3
VICTIMS = ("server", "agent", "gateway", "engine")
PAYMENT = "0.01"
CREDIT = "100.00"
PAUSES = {"tasks": 0.4, "calls": 0.1, "payments": 0.3, "events": 0.3}  # seconds between two of a kind
SETTLE_SECONDS_MAX = 120


class Load:
    """Clients that repeat a request until it is acknowledged, and remember what was."""

    def __init__(self, platform, seed):
        self.platform, self.seed, self.stopping = platform, seed, threading.Event()
        self.tasks, self.calls, self.payments, self.events = {}, {}, [], {}
        self.failures = []
        self.threads = [threading.Thread(target=self.repeat, args=(name,), daemon=True) for name in PAUSES]
        for thread in self.threads:
            thread.start()

    def repeat(self, name):
        number, step = 0, getattr(self, "one_of_" + name)
        while not self.stopping.wait(PAUSES[name]):
            number += 1
            try:
                while not self.attempt(step, number) and not self.stopping.wait(0.05):
                    pass
            except Exception as failure:  # the thread would end unseen
                self.failures.append(f"{name}: {failure!r}")
                return

    @staticmethod
    def attempt(step, number):
        """True when acknowledged; whoever is away or restarting is asked again with the same request."""
        try:
            return step(number)
        except (OSError, http.client.HTTPException):
            return False

    def one_of_tasks(self, number):
        name = f"load-{number}"
        spec = {"name": name, "run": "sleep 0.2; echo done", "resources": {"cpus": "0.1", "memory": "32MB"}}
        answer = self.platform.api("POST", "/v1/tasks", spec, headers={"Idempotency-Key": f"{self.seed}-{name}"})
        if answer.status in (200, 201):
            self.tasks[name] = answer.json["id"]
        return self.acknowledged(answer, (200, 201))

    def one_of_payments(self, number):
        reference = f"payment-{number}"
        answer = self.platform.api("POST", "/v1/wallet:topup", {"amount": PAYMENT, "reference": reference}, key=self.platform.key("operator"))
        if answer.status == 200:
            self.payments.append(reference)
        return self.acknowledged(answer, (200,))

    def one_of_calls(self, number):
        """A call is not repeated: an answer that came whole has to be on the bill, once."""
        words = number % 5 + 1
        body = {"model": "words", "messages": [{"role": "user", "content": "w " * words}], "max_tokens": 20, "stream": number % 2 == 0}
        answer = self.platform.api("POST", "/v1/chat/completions", body, url=self.platform.gateway_url)
        if answer.status == 200 and ("[DONE]" in answer.text or not body["stream"]):
            self.calls[answer.headers["x-penstock-call"]] = words
        return True

    def one_of_events(self, _):
        since = max(self.events, default=0)
        answer = self.platform.api("GET", f"/v1/events?since={since}&page_size=1000")
        if answer.status == 200:
            self.events |= {event["cursor"]: event for event in answer.json["events"]}
        return True

    @staticmethod
    def acknowledged(answer, good):
        if answer.status in good:
            return True
        if answer.status in (502, 503, 504):
            return False
        raise AssertionError(f"{answer.status} {answer.text}")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise AssertionError("; ".join(self.failures))


class Crash(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("SEED", "11"))
        print(f"SEED={self.seed}", file=sys.stderr)
        self.random = random.Random(self.seed)
        self.pause = threading.Event()
        self.platform = self.enterContext(Platform(roles=True, credit=CREDIT))

    def serve_engine(self):
        """Its script has a name of its own, so that its process can be found."""
        folder = self.platform.folder / "engine"
        folder.mkdir()
        self.script = f"engine-{self.platform.folder.name}.py"
        shutil.copy(Path(__file__).with_name("engine.py"), folder / self.script)
        (folder / "task.yaml").write_text(
            "kind: Service\nname: words\nworkdir: .\nresources: {cpus: '0.2', memory: 96MB}\n"
            f"run: exec /usr/bin/python3 {self.script}\n"
            "service: {protocol: openai, model: words, replicas: 1, readiness_probe: {path: /v1/models, initial_delay_seconds: 60}}\n")
        self.service = self.platform.create(folder / "task.yaml")
        wait_until(self.model_is_served, "the model to be served")

    def model_is_served(self):
        answer = self.platform.api("GET", "/v1/models", url=self.platform.gateway_url)
        return answer.status == 200 and "words" in [model["id"] for model in answer.json["data"]]

    def kill(self, victim):
        if victim != "engine":
            self.platform.kill(victim)
            return
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self.script.encode() in self.command_of(entry).split(b"\0"):
                try:
                    os.kill(int(entry.name), signal.SIGKILL)
                except ProcessLookupError:
                    pass  # it was the parent's death that ended it

    @staticmethod
    def command_of(entry):
        try:
            return (entry / "cmdline").read_bytes()
        except OSError:
            return b""

    def restart(self, victim):
        if victim != "engine":
            getattr(self.platform, f"start_{victim}")()

    def test_nothing_that_was_acknowledged_is_lost_or_doubled(self):
        self.serve_engine()
        load = Load(self.platform, self.seed)
        for _ in range(ROUNDS):
            for victim in self.random.sample(VICTIMS, len(VICTIMS)):
                self.pause.wait(self.random.uniform(0.1, 1.5))
                self.kill(victim)
                self.pause.wait(self.random.uniform(0.0, 0.5))
                self.restart(victim)
        wait_until(self.model_is_served, "the model to be served again")
        calls = len(load.calls)
        wait_until(lambda: len(load.calls) > calls + 2 or load.failures, "calls to succeed again")
        load.stop()

        self.check_tasks(load)
        self.check_events(load)
        self.platform.cli("task", "cancel", self.service)
        self.platform.wait_for_end(self.service)
        self.check_calls(load)
        self.check_money(load)
        print(f"{len(load.tasks)} tasks, {len(load.calls)} calls, {len(load.payments)} payments, {len(load.events)} events", file=sys.stderr)

    def check_tasks(self, load):
        def all_ended():
            tasks = self.platform.get_json("task", "list", "--all")["tasks"]
            return tasks if all(task["state"] in ENDED for task in tasks if task["id"] != self.service) else None

        tasks = [task for task in wait_until(all_ended, "the tasks to end", SETTLE_SECONDS_MAX) if task["id"] != self.service]
        self.assertEqual(len({task["name"] for task in tasks}), len(tasks), "a task was made twice")
        known = {task["name"]: task for task in tasks}
        self.assertEqual({name: known[name]["id"] for name in load.tasks if name in known}, load.tasks)
        self.assertEqual({task["state"] for task in tasks}, {"SUCCEEDED"}, [task for task in tasks if task["state"] != "SUCCEEDED"])
        for task in tasks:
            lines = self.platform.api("GET", f"/v1/tasks/{task['id']}/logs?limit=1000").json["lines"]
            done = [line["attempt"] for line in lines if line["text"] == "done"]
            self.assertEqual(len(done), len(set(done)), f"a line of a log is there twice: {lines} {self.platform.attempts(task['id'])}")
            self.assertTrue(done, f"the log of {task['id']} was lost: {lines}")
        self.assertEqual({task["held"] for task in tasks}, {"0.00"})

    def check_events(self, load):
        now, since = {}, 0
        while page := self.platform.api("GET", f"/v1/events?since={since}&page_size=1000").json["events"]:
            now |= {event["cursor"]: event for event in page}
            since = max(now)
        self.assertEqual({cursor: now.get(cursor) for cursor in load.events}, load.events)

    def check_calls(self, load):
        def lines():
            return [line for line in self.platform.bills() if line["kind"] == "tokens"]

        def all_billed():
            billed = " ".join(line["resource"] for line in lines())
            return all(request in billed for request in load.calls)

        wait_until(all_billed, "every answered call to be billed", SETTLE_SECONDS_MAX)
        by_request = {}
        for line in lines():
            by_request.setdefault(line["resource"].removeprefix("call/"), []).append(line)
        for request, words in load.calls.items():
            [line] = by_request[request]
            self.assertEqual({item["meter"]: item["quantity"] for item in line["usage"]}, {"input_tokens": words, "output_tokens": 7}, line)

    def check_money(self, load):
        lines, wallet, settlement = self.platform.bills(), self.platform.get_json("wallet", "get"), self.platform.settlement()
        self.assertEqual(len({line["id"] for line in lines}), len(lines))
        self.assertEqual(len({line["resource"] for line in lines}), len(lines), "an attempt or call was billed twice")
        attempts = {f"attempt/{attempt['id']}" for task in [*load.tasks.values(), self.service] for attempt in self.platform.attempts(task)}
        self.assertEqual({line["resource"] for line in lines if line["kind"] == "task"}, attempts)
        charged = sum(Decimal(line["charged"]) for line in lines)
        self.assertEqual(charged, Decimal(wallet["spent"]))
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])

        entries = self.platform.get_json("bill", "statement")["entries"]
        references = [entry["reference"].rpartition("/")[2] for entry in entries if entry["code"] == "topup" or "payment-" in entry["reference"]]
        self.assertEqual(len(set(references)), len(references), "a payment was credited twice")
        self.assertEqual(set(load.payments) - set(references), set())
        credited = Decimal(CREDIT) + Decimal(PAYMENT) * len(references)
        self.assertEqual(Decimal(wallet["balance"]), credited - charged)


if __name__ == "__main__":
    unittest.main()
