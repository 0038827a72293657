#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service that follows its load: nothing runs until the first call, load makes it grow, silence makes it shrink to
nothing, and no call is lost on the way, not even when the server is killed."""
import shutil
import threading
import unittest
from pathlib import Path

from platform_process import Platform, wait_until

WORDS_IN, WORDS_OUT = 3, 7
SPEC = """kind: Service
name: words
workdir: .
resources: {cpus: '0.2', memory: 96MB}
envs: {DELAY: "0.4"}
run: exec /usr/bin/python3 engine.py
service:
  protocol: openai
  model: words
  readiness_probe: {path: /v1/models, initial_delay_seconds: 60}
  replica_policy:
    min_replicas: 0
    max_replicas: 3
    target_in_flight_per_replica: 2
    cold_start: 2s
    averaged_over: 2s
    shrink_after: 4s
    to_zero_after: 8s
    drain: 20s
    hold_first_call: 90s
"""
REASONS = {"first_call", "in_flight", "shrunk", "idle"}


class Callers:
    """So many clients that call without a pause until they are told to stop; `statuses` of all answers."""

    def __init__(self, platform, count):
        self.platform, self.stop, self.statuses = platform, threading.Event(), []
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]

    def run(self):
        while not self.stop.is_set():
            self.statuses.append(call(self.platform).status)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def call(platform, **headers):
    body = {"model": "words", "max_tokens": 20, "messages": [{"role": "user", "content": "turn the wheel"}]}
    return platform.api("POST", "/v1/chat/completions", body, url=platform.gateway_url,
                        headers={name.replace("_", "-"): value for name, value in headers.items()})


class Elastic(unittest.TestCase):
    def setUp(self):
        self.platform = Platform(roles=True)
        self.platform.__enter__()
        self.addCleanup(self.platform.close)
        folder = self.platform.folder / "service"
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("engine.py"), folder)
        (folder / "task.yaml").write_text(SPEC)
        self.service = self.platform.create(folder / "task.yaml")
        wait_until(lambda: "words" in self.platform.api("GET", "/v1/models", url=self.platform.gateway_url).text,
                   "the model that sleeps to be listed")

    def view(self):
        return self.platform.task(self.service)["service"]

    def wait_for_ready(self, count):
        wait_until(lambda: self.view()["replicas_ready"] == count, f"{count} ready replicas")

    def wait_for_rest(self):
        self.platform.wait_for_state(self.service, "PAUSED")
        wait_until(lambda: self.held_by_work() < 1e-5, "nothing to be held by work")

    def held_by_work(self):
        """Beyond what the gateway keeps for the next calls."""
        leases = self.platform.api("GET", "/v1/gateways/gateway/leases").json["leases"]
        kept = sum(float(row["outstanding"]) for row in leases if row["account"]["measure"] == "wallet")
        return float(self.platform.get_json("wallet", "get")["held"]) - kept

    def reasons(self):
        return [event["reason"] for event in self.platform.events(self.service) if event["type"] == "replicas_changed"]

    def settled_calls(self):
        return [line for line in self.platform.bills() if line["kind"] == "tokens"]

    def test_from_nothing_to_three_and_back(self):
        self.assertEqual(self.platform.task(self.service)["state"], "PAUSED")
        self.assertEqual(self.platform.attempts(self.service), [])
        self.assertEqual(self.platform.get_json("wallet", "get")["held"], "0.00")
        self.assertEqual(call(self.platform, x_penstock_wait="0s").status, 503)

        first = call(self.platform)
        self.assertEqual(first.status, 200, first.text)
        self.assertEqual(self.reasons()[0], "first_call")

        with Callers(self.platform, 6) as load:
            self.wait_for_ready(3)
        with Callers(self.platform, 1) as trickle:
            self.wait_for_ready(1)
        self.wait_for_rest()

        statuses = load.statuses + trickle.statuses
        self.assertEqual(set(statuses), {200}, statuses)
        self.assertLessEqual(set(self.reasons()), REASONS)
        self.assertEqual(self.reasons()[-1], "idle")
        self.assertIn("idle", self.platform.api("GET", f"/v1/tasks/{self.service}:explain").json["message"])
        attempts = self.platform.attempts(self.service)
        self.assertGreaterEqual(len(attempts), 3)
        self.assertEqual({attempt["state"] for attempt in attempts}, {"CANCELED"})
        self.assertEqual({attempt["reason"] for attempt in attempts}, {"not_needed"})

        calls = len(statuses) + 1
        wait_until(lambda: len(self.settled_calls()) == calls, f"{calls} settled calls")
        tokens = {item["meter"]: item["quantity"] for line in self.settled_calls() for item in line["usage"]}
        self.assertEqual((tokens["input_tokens"], tokens["output_tokens"]), (WORDS_IN, WORDS_OUT))
        replicas = [line for line in self.platform.bills() if line["kind"] == "task"]
        self.assertEqual(len(replicas), len(attempts))
        for line in replicas:
            self.assertFalse(line["disputed"], line)

    def test_a_killed_server_neither_stops_nor_rushes_what_runs(self):
        with Callers(self.platform, 4) as load:
            self.wait_for_ready(2)
            self.platform.kill("server")
            before = len(load.statuses)
            wait_until(lambda: len(load.statuses) > before + 10, "calls that are served without the server")
            self.platform.start_server()
            self.platform.wait_for_node()
            before = len(load.statuses)
            wait_until(lambda: len(load.statuses) > before + 20, "calls after the restart")
            self.assertEqual(self.view()["replicas_ready"], 2)
            self.assertEqual(self.view()["replicas_wanted"], 2)
        self.assertEqual(set(load.statuses), {200}, load.statuses)
        self.wait_for_rest()
        self.assertEqual(call(self.platform).status, 200)


if __name__ == "__main__":
    unittest.main()
