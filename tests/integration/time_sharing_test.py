#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time-shared tasks by real processes: three take turns on two pretended devices in rounds of four seconds, and the server is killed.

They run until the test has seen what it came for, however slow the disk is under their checkpoints."""
import json
import unittest

from platform_process import VENV, Platform, wait_until

ROUND = "4s"
SHARED = """\
name: {name}
schedule:
  time_shared: {{rates: {{H100: 8, A10: 2}}}}
resources: {{accelerators: {{H100: 1, A10: 1}}, cpus: '0.2', memory: 64MB}}
checkpoint: {{path: ckpt, every: 1s}}
run: |
  n=$(cat ckpt/count 2>/dev/null || echo 0)
  echo begins at $n
  mkdir -p ckpt
  while [ ! -e {may_end} ]; do
    n=$((n+1)); echo $n > ckpt/new; mv ckpt/new ckpt/count
    sleep 0.2
  done
"""


class SharingPlatform(Platform):
    """A server with short rounds and one agent that pretends to have an H100 and an A10."""

    def __init__(self):
        super().__init__(roles=True, cpu_milli=2000, memory_mib=1024)
        self.seen_by_tasks = self.folder / "seen-by-tasks"
        self.seen_by_tasks.mkdir()
        self.may_end = self.seen_by_tasks / "may-end"

    def start(self):
        super().start()
        site = self.api("GET", "/v1/sites").json["sites"][0]
        site["spec"]["prices"]["card_second"] = {"H100": "0.004", "A10": "0.001"}
        answer = self.api("PUT", f"/v1/sites/{site['id']}", site["spec"])
        assert answer.status == 200, answer.text

    def start_server(self):
        server = self.launch("server", "server", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state, "--credit", self.credit,
                             "--time-sharing-policy", "gavel-las", "--time-sharing-round", ROUND)
        self.url = server.wait_for(r"server at (http://[^\s,]+)", server.offset)
        self.port = int(self.url.rsplit(":", 1)[1])

    def start_agent(self, name="agent"):
        settings = {"server": self.url, "key_file": str(self.folder / f"{name}.key"), "node": f"{name}-1", "state_dir": str(self.folder / f"{name}-state"),
                    "cpu_milli": self.cpu_milli, "memory_mib": self.memory_mib, "runtime_paths": [str(VENV), str(self.seen_by_tasks)],
                    "simulated_accelerators": [{"model": "H100", "count": 1}, {"model": "A10", "count": 1}]}
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(settings))
        agent = self.launch(name, "agent", "--config", file)
        agent.wait_for("(agent of node)", agent.offset)


class TimeSharing(unittest.TestCase):
    def setUp(self):
        self.platform = self.enterContext(SharingPlatform())

    def rounds_ended(self, name):
        return [attempt for attempt in self.platform.attempts(name) if attempt["reason"] == "time_shared"]

    def attempts(self, names):
        return [attempt for name in names for attempt in self.platform.attempts(name)]

    def gave_way(self, names):
        return [name for name in names if self.rounds_ended(name)]

    def waiting(self, names):
        return [name for name in names if self.platform.task(name)["reason"] == "waiting_for_round"]

    def test_three_tasks_take_turns_on_two_devices_though_the_server_is_killed(self):
        names = ["a", "b", "c"]
        for name in names:
            self.platform.create(SHARED.format(name=name, may_end=self.platform.may_end))
        wait_until(lambda: self.waiting(names), "one of them to wait for its round")
        told = self.platform.cli("explain", f"task/{self.waiting(names)[0]}", "-o", "json").json
        self.assertEqual((told["blocker"], told["time_sharing"]["policy"], told["time_sharing"]["rates_from"]), ("round", "gavel-las", "stated"))
        self.assertEqual({pool["model"] for pool in told["time_sharing"]["pools"]}, {"H100", "A10"})

        wait_until(lambda: self.gave_way(names), lambda: f"a round to end: {self.attempts(names)}")
        self.platform.kill("server")
        self.platform.start_server()
        wait_until(lambda: len(self.gave_way(names)) > 1, lambda: f"a round of another task to end: {self.attempts(names)}")
        self.platform.may_end.touch()

        for name in names:
            task = self.platform.wait_for_end(name)
            self.assertEqual(task["state"], "SUCCEEDED", task["message"])
            item = self.platform.items(name)[0]
            self.assertEqual((item["failures"], item["recoveries"]), (0, 0))
            begins = [int(line.split()[-1]) for line in self.platform.logs(name) if line.startswith("begins at")]
            self.assertEqual(begins, sorted(begins), "it goes on where it was")
        self.assert_paid_once(names)
        self.assert_replayed(names)

    def assert_paid_once(self, names):
        billed = [line["resource"] for line in self.platform.bills()]
        self.assertEqual(len(billed), len(set(billed)))
        self.assertLessEqual({f"attempt/{attempt['id']}" for attempt in self.attempts(names)}, set(billed))
        settlement = self.platform.settlement()
        self.assertTrue(settlement["balanced"], settlement)

    def assert_replayed(self, names):
        """The narrowed question is what was recorded, so each decision can be made again."""
        for name in names:
            newest = max(self.platform.attempts(name), key=lambda attempt: attempt["fence"])
            record = self.platform.api("GET", f"/v1/decisions/{newest['decision_id']}").json
            self.assertEqual(len(record["question"]["spec"]["resources"]["accelerators"].split()), 1)
            again = self.platform.cli("sim", "replay-decision", newest["decision_id"], "-o", "json").json
            self.assertTrue(again["identical"], again)

    def test_a_spec_that_cannot_take_turns_is_refused_with_its_fields(self):
        spec = SHARED.format(name="bad", may_end=self.platform.may_end).replace("checkpoint: {path: ckpt, every: 1s}\n", "num_nodes: 2\n")
        done = self.platform.cli("task", "create", "-y", "-f", "-", input=spec, code=2)
        self.assertIn("checkpoint", done.err)
        self.assertIn("schedule.time_shared", done.err)


if __name__ == "__main__":
    unittest.main()
