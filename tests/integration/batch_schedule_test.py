#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose line of a batch runs where and when, by the real binary: the room of an engine behind two gateways, deadlines, shares of projects, and
replicas that run for lines alone."""
import os
import shutil
import threading
import unittest
from pathlib import Path

from batched import Batched, Engine, line, offer
from platform_process import ROOT, Platform, wait_until

LINES_AT_ONE_TIME = 8  # at an endpoint


class Scheduled(unittest.TestCase):
    """Two gateways before one engine: the server decides whose line runs, where, and how many."""

    def setUp(self):
        self.engine = self.enterContext(Engine())
        self.platform = self.enterContext(Platform(roles=True, agent=False))
        self.second = f"http://127.0.0.1:{self.platform.start_gateway('second')}"
        offer(self.platform, self.engine)
        self.batched = Batched(self.platform)
        for url in (self.platform.gateway_url, self.second):
            wait_until(lambda url=url: self.platform.api("GET", "/v1/models", url=url).json["data"], "the route")
        wait_until(lambda: len(self.gateways()) == 2, "both gateways to report")

    def gateways(self):
        return [one for one in self.platform.get_json("gateway", "list", key=self.platform.key("operator"))["gateways"] if one["state"] == "serving"]

    def others_run(self):
        """Lines that came later end at an engine that is idle: whatever could begin has begun."""
        idle = self.enterContext(Engine())
        offer(self.platform, idle, "idle")
        for url in (self.platform.gateway_url, self.second):
            wait_until(lambda url=url: self.platform.api("GET", "/v1/models/idle", url=url).status == 200, "the route")
        for number in range(3):
            self.batched.wait_for(self.batched.create([line("b", f"later {number}", model="idle")]), "completed")

    def test_two_gateways_never_give_an_engine_more_than_its_room(self):
        self.engine.gate.clear()
        batch = self.batched.create([line(f"id-{number}", f"hold {number}") for number in range(60)])
        wait_until(lambda: self.engine.inside == LINES_AT_ONE_TIME, "the room to be taken")
        self.others_run()
        why = self.batched.explain(batch)
        self.assertEqual((why["lines_running"], why["lines_waiting"]), (LINES_AT_ONE_TIME, 60 - LINES_AT_ONE_TIME))
        self.assertEqual([(place["room"], place["lines"], place["no_room"]) for place in why["endpoints"]], [(0, LINES_AT_ONE_TIME, "lines")])
        self.engine.delay = 0.01
        self.engine.gate.set()
        self.batched.wait_for(batch, "completed")
        self.assertEqual(self.engine.most, LINES_AT_ONE_TIME)

    def test_calls_by_one_gateway_take_the_room_of_lines_at_both(self):
        self.engine.gate.clear()
        chats = [threading.Thread(target=self.platform.api, args=("POST", "/v1/chat/completions", line("x", f"hold {number}")["body"]),
                                  kwargs={"url": self.second}) for number in range(3)]
        for chat in chats:
            chat.start()
        wait_until(lambda: self.engine.inside == 3, "the interactive calls")
        batch = self.batched.create([line(f"id-{number}", f"hold it {number}") for number in range(20)])
        wait_until(lambda: self.engine.inside == 5, "two lines beside three calls")
        self.others_run()
        self.assertEqual(self.engine.inside, 5)
        why = self.batched.explain(batch)
        self.assertEqual((why["wait"], why["lines_running"]), ("no_idle_capacity", 2))
        self.assertEqual([(place["room"], place["no_room"]) for place in why["endpoints"]], [(0, "calls")])
        for language, word in (("en", "interactive calls"), ("zh", "交互调用")):
            self.assertIn(word, self.platform.cli("explain", f"batch/{batch}", "--lang", language).out)
            self.assertIn(word, self.platform.cli("batch", "show", batch, "--lang", language).out)
        self.engine.gate.set()
        self.batched.wait_for(batch, "completed")
        for chat in chats:
            chat.join()

    def test_the_nearer_end_goes_first_within_a_project(self):
        self.engine.gate.clear()
        far = self.batched.create([line(f"id-{number}", f"hold far {number}") for number in range(40)])
        wait_until(lambda: self.engine.inside == LINES_AT_ONE_TIME, "the room to be taken")
        near = self.batched.create([line(f"id-{number}", f"hold near {number}") for number in range(LINES_AT_ONE_TIME)], window="2h")
        wait_until(lambda: self.batched.explain(near)["lines_waiting"] == LINES_AT_ONE_TIME, "its lines to wait")
        self.engine.gate.set()
        for batch in (near, far):
            self.batched.wait_for(batch, "completed")
        asked = [text for text in self.engine.asked if text.startswith("hold")]
        # The lines of one answer of the server begin together, in whatever order.
        next_ones = asked[LINES_AT_ONE_TIME:3 * LINES_AT_ONE_TIME]
        self.assertEqual(sum("near" in text for text in next_ones), LINES_AT_ONE_TIME, asked)

    def test_projects_share_what_is_idle(self):
        self.platform.cli("project", "create", "other")
        key = self.platform.cli("key", "create", "--name", "other", "--project", "other", "--scope", "tokens").out.strip()
        self.engine.gate.clear()
        self.engine.delay = 0.02
        first = self.batched.create([line(f"id-{number}", f"hold first {number}") for number in range(60)])
        wait_until(lambda: self.engine.inside == LINES_AT_ONE_TIME, "the room to be taken")
        second = self.batched.create([line(f"id-{number}", f"hold second {number}") for number in range(20)], key=key)
        wait_until(lambda: self.batched.explain(second, key=key).get("lines_waiting") == 20, "its lines to wait")
        self.engine.gate.set()
        self.batched.wait_for(first, "completed")
        asked = [text for text in self.engine.asked if text.startswith("hold")][LINES_AT_ONE_TIME:LINES_AT_ONE_TIME + 20]
        seconds = sum("second" in text for text in asked)
        self.assertTrue(7 <= seconds <= 14, asked)


SERVICE = """kind: Service
name: words
workdir: .
resources: {cpus: '0.2', memory: 96MB}
envs: {DELAY: "0.02"}
run: exec /usr/bin/python3 engine.py
service:
  protocol: openai
  model: words
  batch_percent: 50
  readiness_probe: {path: /v1/models, initial_delay_seconds: 60}
  replica_policy: {min_replicas: 0, max_replicas: 2, cold_start: 2s, shrink_after: 4s, to_zero_after: 8s, drain: 20s}
"""


class ServiceForLines(unittest.TestCase):
    """A service that nobody calls runs for lines near their end, where nodes are idle, and rests again."""

    def test_lines_near_their_end_start_a_replica_and_give_it_back(self):
        platform = self.enterContext(Platform(roles=True))
        batched = Batched(platform)
        folder = platform.folder / "service"
        folder.mkdir()
        shutil.copy(Path(__file__).with_name("engine.py"), folder)
        (folder / "task.yaml").write_text(SERVICE)
        service = platform.create(folder / "task.yaml")
        wait_until(lambda: "words" in platform.api("GET", "/v1/models", url=platform.gateway_url).text, "the model that sleeps to be listed")
        far = batched.create([line("a", "one")], window="24h")
        batched.wait_for(far, "in_progress")
        near = batched.create([line(f"id-{number}", "two") for number in range(20)], window="1h")
        batched.wait_for(near, "completed")
        batched.wait_for(far, "completed")
        platform.wait_for_state(service, "PAUSED")
        reasons = [event["reason"] for event in platform.events(service) if event["type"] == "replicas_changed"]
        self.assertEqual(set(reasons), {"lines"}, "no line is load, and no silence ended what lines had")
        self.assertEqual(len(batched.bills_of(near)), 20)


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
