#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who is next and who gives way, by real processes: preemption with notice, quotas, spot work, reservations."""
import unittest

from platform_process import Platform, wait_until

COUNTS = """\
name: {name}
preemptible: {preemptible}
resources: {{cpus: '1.5', memory: 128MB{more}}}
checkpoint: {{path: ckpt, every: 1s}}
run: |
  n=$(cat ckpt/count 2>/dev/null || echo 0)
  echo begins at $n
  mkdir -p ckpt
  while [ $n -lt {to} ]; do
    n=$((n+1)); echo $n > ckpt/new; mv ckpt/new ckpt/count
    sleep 0.2
  done
"""


class Queue(unittest.TestCase):
    def setUp(self):
        self.platform = self.enterContext(Platform())

    def events(self, name, kind):
        return [event for event in self.platform.events(name) if event["type"] == kind]

    def running(self, name):
        return self.platform.task(name)["state"] == "RUNNING"

    def set_quota(self, *flags, code=0):
        """Of the user's own organisation, by the operator."""
        name = self.platform.api("GET", "/v1/whoami").json["organisation"]
        return self.platform.cli("organisation", "update", name, *flags, "-o", "json", code=code, key=self.platform.key("operator"))

    def test_lesser_work_gives_way_and_goes_on_from_its_checkpoint(self):
        low = self.platform.create(COUNTS.format(name="low", preemptible="true", more="", to=60))
        wait_until(lambda: self.events(low, "checkpoint_stored"), "a checkpoint")
        high = self.platform.create("name: high\npriority: 10\nresources: {cpus: '1.5', memory: 128MB}\nrun: sleep 1\n")

        self.assertEqual(self.platform.wait_for_end(high)["state"], "SUCCEEDED")
        task = self.platform.wait_for_end(low)

        self.assertEqual(task["state"], "SUCCEEDED", task["message"])
        self.assertEqual(len(self.events(low, "preemption_notice")), 1)
        item = self.platform.items(low)[0]
        self.assertEqual((item["attempts"], item["failures"], item["recoveries"], item["preemptions"]), (2, 0, 0, 1))
        attempts = sorted(self.platform.attempts(low), key=lambda attempt: attempt["fence"])
        self.assertEqual((attempts[0]["state"], attempts[0]["reason"]), ("CANCELED", "preempted"))
        self.assertGreater(float(attempts[0]["cost"]), 0, "what ran is paid")
        self.assertEqual(attempts[1]["restored_from"], attempts[0]["checkpoint"])
        begins = [int(line.split()[-1]) for line in self.platform.logs(low) if line.startswith("begins at")]
        self.assertEqual(begins[0], 0)
        self.assertGreater(begins[1], 0, "it goes on where it was")
        self.check_the_record(high, attempts[0]["id"])

    def check_the_record(self, asker, victim):
        """Who was told to leave is a decision; its record names what others run, so operators alone make it again."""
        operator = self.platform.key("operator")
        made = [each for each in self.platform.api("GET", "/v1/decisions", key=operator).json["decisions"] if each["outcome"] == "preempt"]
        self.assertEqual([each["task_id"] for each in made], [self.platform.task(asker)["id"]])
        record = self.platform.api("GET", f"/v1/decisions/{made[0]['id']}", key=operator).json
        self.assertEqual(record["answer"]["reclaim"]["victims"], [{"attempt_id": victim, "claim": "priority"}])
        replayed = self.platform.cli("sim", "replay-decision", made[0]["id"], "-o", "json", key=operator).json
        self.assertEqual((replayed["identical"], replayed["outcome"]), (True, "preempt"))
        refused = self.platform.api("GET", f"/v1/decisions/{made[0]['id']}")
        self.assertEqual(refused.status, 403, refused.json)

    def test_work_that_did_not_agree_is_left_alone(self):
        low = self.platform.create(COUNTS.format(name="low", preemptible="false", more="", to=10))
        wait_until(lambda: self.running(low), "it to run")
        high = self.platform.create("name: high\npriority: 10\nresources: {cpus: '1.5', memory: 128MB}\nrun: 'true'\n")
        wait_until(lambda: self.platform.task(high)["reason"] == "waiting_for_capacity", "the wait")

        self.assertNotIn("preemptions", self.platform.wait_for_end(low))
        self.assertEqual(self.platform.wait_for_end(high)["state"], "SUCCEEDED")

    def test_a_tenant_at_its_limit_waits_and_is_told_by_which_quota(self):
        self.assertEqual(self.set_quota("--at-most", "cpus=1", "--weight", "2").json["quota"]["limit"], {"cpus": 1, "devices": {}})
        first = self.platform.create("name: first\nresources: {cpus: '0.8', memory: 64MB}\nrun: sleep 300\n")
        wait_until(lambda: self.running(first), "the first to run")
        second = self.platform.create("name: second\nresources: {cpus: '0.5', memory: 64MB}\nrun: 'true'\n")
        wait_until(lambda: self.platform.task(second)["reason"] == "waiting_for_quota", "the quota to be named")

        explanation = self.platform.cli("explain", "task/second", "-o", "json").json
        self.assertEqual(explanation["blocker"], "quota")
        block = explanation["quota"]
        self.assertEqual((block["level"], block["resource"], block["limit"], block["used"], block["asked"]),
                         ("organisation", "cpus", 1, 0.8, 0.5))
        self.assertIn(block["set_by"], self.platform.task(second)["message"])

        self.set_quota("--at-most", "cpus=none")
        self.assertEqual(self.platform.wait_for_end(second)["state"], "SUCCEEDED")

    def test_a_quota_that_contradicts_itself_is_refused_with_its_field(self):
        done = self.set_quota("--guaranteed", "cpus=4", "--at-most", "cpus=2", code=2)
        self.assertIn("quota.guaranteed.cpus", done.err)

    def test_spot_work_is_cheaper_and_the_first_to_leave(self):
        site = self.platform.api("GET", "/v1/sites").json["sites"][0]
        spec = site["spec"]
        refused = self.platform.api("POST", "/v1/tasks:plan", "resources: {cpus: '1', memory: 64MB, use_spot: true}\nrun: 'true'\n",
                                    headers={"Content-Type": "application/yaml"}).json
        self.assertEqual(refused["candidates"][0]["filter"], "spot_not_sold")
        spec["prices"]["spot_percent"] = 40
        self.platform.api("PUT", f"/v1/sites/{site['id']}", spec)
        self.assertTrue(all("spot_price_per_hour" in offer for offer in self.platform.api("GET", "/v1/offers").json["offers"]))

        spot = self.platform.create(COUNTS.format(name="spot", preemptible="true", more=", use_spot: true", to=60))
        wait_until(lambda: self.events(spot, "checkpoint_stored"), "a checkpoint")
        other = self.platform.create("name: other\nresources: {cpus: '1.5', memory: 128MB}\nrun: sleep 1\n")
        self.platform.wait_for_end(other)
        self.assertEqual(self.platform.wait_for_end(spot)["state"], "SUCCEEDED")

        self.assertEqual(len(self.events(spot, "preemption_notice")), 1)
        price = {line["name"]: float(line["usage"][0]["price"]) for line in self.platform.bills()}
        self.assertAlmostEqual(price["spot"], 0.4 * price["other"], 12)

    def test_a_large_task_is_kept_room_for_and_explains_when_it_starts(self):
        runs = self.platform.create("name: runs\ntime_limit: 60s\nresources: {cpus: '1', memory: 64MB}\nrun: sleep 8\n")
        wait_until(lambda: self.running(runs), "the first to run")
        large = self.platform.create("name: large\nresources: {cpus: '2', memory: 64MB}\nrun: 'true'\n")
        wait_until(lambda: self.platform.task(large)["reason"] == "waiting_for_capacity", "the large one to wait")
        unknown = self.platform.create("name: unknown\nresources: {cpus: '1', memory: 64MB}\nrun: 'true'\n")
        wait_until(lambda: self.platform.task(unknown)["reason"] == "waiting_for_reservation", "the reservation to be named")

        explanation = self.platform.cli("explain", "task/large", "-o", "json").json
        self.assertEqual(explanation["position"], 1)
        self.assertIn("latest", explanation["start"])
        self.assertNotIn("expected", explanation["start"], "a time limit is an upper bound and no expectation")
        self.assertIn("with cpus: 1 instead of 2", explanation["changes"][0]["text"])
        behind = self.platform.cli("explain", "task/unknown", "-o", "json").json
        self.assertEqual(behind["ahead"], {"own": 1, "others": 0, "tasks": ["task/large"]})
        self.assertEqual(behind["blocker"], "reservation")

        self.assertEqual(self.platform.wait_for_end(large)["state"], "SUCCEEDED")
        self.assertEqual(self.platform.wait_for_end(unknown)["state"], "SUCCEEDED")


if __name__ == "__main__":
    unittest.main()
