#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gang of three agents on one host: real processes that find each other, and the loss of one of them."""
import json
import os
import signal
import socket
import sys
import unittest
from decimal import Decimal
from pathlib import Path

from platform_process import ENDED, Platform, supervisors_below, wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/gang"
AGENTS = ("one", "two", "three")
sys.path.insert(0, str(EXAMPLE))


def free_port():
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return any_socket.getsockname()[1]


class GangPlatform(Platform):
    """A server and three agents, each a node of its own at one site."""

    def __init__(self, agents=AGENTS):
        super().__init__(roles=True, agent=False, cpu_milli=1000, memory_mib=512)
        self.agents = agents

    def start(self):
        super().start()
        for name in self.agents:
            self.write_key(name, self.key_text())
            self.start_agent(name)
        wait_until(lambda: len(self.online()) == len(self.agents), "all agents")

    def key_text(self):
        return (self.folder / "agent.key").read_text().strip()

    def online(self):
        return [node["name"] for node in self.api("GET", "/v1/nodes").json["nodes"] if node["state"] == "online"]

    def lose_host(self, name):
        """The agent and all that it runs: what is left of a host that lost its power."""
        self.kill(name)
        for pid in supervisors_below(self.folder / f"{name}-state"):
            for child in children_of(pid):
                os.kill(child, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)

    def spec(self, **changes):
        spec = {"kind": "Task", "name": "gang", "num_nodes": 3, "resources": {"cpus": "0.2", "memory": "64MB"},
                "envs": {"GANG_PORT": str(free_port())}, "run": "exec python3 train.py", "outputs": [{"path": "out/result.json"}]}
        return json.dumps(spec | changes | {"envs": spec["envs"] | changes.get("envs", {})})

    def create_with_example(self, **changes):
        file = self.folder / "gang.json"
        spec = json.loads(self.spec(**changes)) | {"workdir": str(EXAMPLE)}
        file.write_text(json.dumps(spec))
        return self.create(file)

    def output(self, task, path):
        return self.api("GET", f"/v1/tasks/{task}/outputs:download?path={path}").json


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def expected(steps):
    """What one process makes of all the data."""
    import train
    weights, points = [0.0] * train.FEATURES, train.samples()
    for _ in range(steps):
        total = train.gradient_and_loss(weights, points)
        weights = [w - train.RATE * g / train.SAMPLES for w, g in zip(weights, total)]
    return weights


class Gang(unittest.TestCase):
    def check_money(self, platform, task):
        """Every attempt of every try is on the bill, once; nothing is held any more; the books balance."""
        attempts = platform.attempts(task)
        bills = [line for line in platform.bills() if line["task"] == f"task/{task}"]
        self.assertEqual(sorted(line["resource"] for line in bills), sorted(f"attempt/{each['id']}" for each in attempts))
        charged = sum(Decimal(line["charged"]) for line in bills)
        self.assertEqual(charged, Decimal(platform.task(task)["cost"]))
        wallet = platform.get_json("wallet", "get")
        self.assertEqual(Decimal(wallet["held"]), 0)
        self.assertEqual(Decimal(wallet["spent"]), charged)
        self.assertTrue(platform.settlement()["balanced"])
        self.assertEqual([node["name"] for node in platform.api("GET", "/v1/nodes").json["nodes"] if node["held"]["cpu_milli"]], [])

    def check_decision(self, platform, task):
        """The placement of all members is one recorded decision: the head names it, explain names it, and it is made again to the byte."""
        head, *others = sorted(platform.attempts(task), key=lambda attempt: attempt["gang"]["rank"])
        decision = platform.get_json("explain", f"task/{task}")["decision_id"]
        self.assertEqual(head["decision_id"], decision)
        self.assertEqual([member.get("decision_id") for member in others], [None] * len(others))
        record = platform.api("GET", f"/v1/decisions/{decision}").json
        self.assertEqual((record["decision"]["outcome"], record["decision"]["attempt_id"]), ("place", head["id"]))
        members = [each["node"] for each in record["answer"]["plan"]["candidates"] if each["chosen"]]
        self.assertEqual(members, [attempt["placement"]["node"] for attempt in (head, *others)])
        self.assertEqual(len(record["answer"]["devices_by_rank"]), len(members))
        self.assertTrue(platform.get_json("sim", "replay-decision", decision)["identical"])

    def test_a_quota_that_all_members_together_pass_is_explained(self):
        with GangPlatform() as platform:
            name = platform.api("GET", "/v1/whoami").json["organisation"]
            platform.cli("organisation", "update", name, "--at-most", "cpus=1", "-o", "json", key=platform.key("operator"))
            platform.create(platform.spec(resources={"cpus": "0.4", "memory": "64MB"}, outputs=[], run="true"))
            wait_until(lambda: platform.task("gang")["reason"] == "waiting_for_quota", "the quota to be named")

            block = platform.get_json("explain", "task/gang").get("quota")
            self.assertIsNotNone(block, "one member is within the quota, all three are not")
            self.assertEqual((block["limit"], block["asked"]), (1, 1.2))

    def test_a_gang_that_waits_or_is_refused_is_recorded_and_made_again(self):
        with GangPlatform() as platform:
            blocker = platform.create(json.dumps({"kind": "Task", "name": "blocker", "resources": {"cpus": "0.9", "memory": "64MB"}, "run": "sleep 600"}))
            platform.wait_for_state(blocker, "RUNNING")
            too_large = {"cpus": "4000", "memory": "64MB"}
            for changes in ({"name": "waits"}, {"name": "never", "resources": too_large}):
                platform.cli("task", "create", "-y", "-f", "-", input=platform.spec(outputs=[], run="true", **changes), code=None)
            platform.wait_for_state("never", "FAILED")
            outcomes = {}
            for task in ("waits", "never"):
                wait_until(lambda: platform.get_json("explain", f"task/{task}").get("decision_id"), "a recorded decision")
                decision = platform.get_json("explain", f"task/{task}")["decision_id"]
                self.assertTrue(platform.get_json("sim", "replay-decision", decision)["identical"])
                outcomes[task] = platform.api("GET", f"/v1/decisions/{decision}").json["decision"]["outcome"]
            self.assertEqual(outcomes, {"waits": "wait", "never": "refuse"})
            file = platform.folder / "decision.json"
            platform.cli("sim", "replay-decision", decision, "--save", file)
            record = json.loads(file.read_text())
            for node in record["state"]["nodes"]:
                node["total"]["cpu_milli"] = 8000000
            file.write_text(json.dumps(record))
            changed = platform.get_json("sim", "replay-decision", "--file", file, code=1)
            self.assertFalse(changed["identical"])
            self.assertIn("answer.", changed["difference"])
            platform.cli("task", "cancel", blocker)
            platform.wait_for_state("waits", "SUCCEEDED")
            self.check_decision(platform, "waits")

    def test_three_nodes_train_together(self):
        with GangPlatform() as platform:
            task = platform.create_with_example(envs={"STEPS": "40"})
            done = platform.wait_for_state(task, "SUCCEEDED")

            paths = sorted(output["path"] for output in done["outputs"])
            self.assertEqual(paths, ["out/result.json", "rank-1/out/result.json", "rank-2/out/result.json"])
            results = [platform.output(task, path) for path in paths]
            self.assertEqual([result["rank"] for result in results], [0, 1, 2])
            self.assertEqual(results[0]["addresses"], ["127.0.0.1"] * 3)
            for result in results:
                self.assertEqual(result["weights"], results[0]["weights"])
            for made, wanted in zip(results[0]["weights"], expected(40)):
                self.assertAlmostEqual(made, wanted, places=9)
            attempts = platform.attempts(task)
            self.assertEqual(sorted(each["placement"]["node"] for each in attempts), sorted(f"{name}-1" for name in AGENTS))
            self.assertEqual(sorted(each["gang"]["rank"] for each in attempts), [0, 1, 2])
            lines = platform.api("GET", f"/v1/tasks/{task}/logs?limit=1000").json["lines"]
            self.assertEqual({line["rank"] for line in lines if line["text"].startswith("rank ")}, {0, 1, 2})
            self.check_money(platform, task)
            self.check_decision(platform, task)

    def test_nobody_runs_before_the_slowest_has_set_up(self):
        with GangPlatform() as platform:
            setup = 'if [ "$PENSTOCK_NODE_RANK" = 2 ]; then sleep 3; fi; date +%s.%N > at'
            task = platform.create(platform.spec(name="barrier", setup=setup, outputs=[{"path": "out/*"}],
                                                 run="date +%s.%N > out/started; mv at out/ready"))
            done = platform.wait_for_state(task, "SUCCEEDED")

            def times(name):
                return [float(platform.api("GET", f"/v1/tasks/{task}/outputs:download?path={output['path']}").text)
                        for output in done["outputs"] if output["path"].endswith(name)]

            self.assertEqual(len(times("started")), 3)
            self.assertGreater(min(times("started")), max(times("ready")))
            self.check_money(platform, task)

    def test_one_member_that_fails_ends_all_by_the_users_fault(self):
        with GangPlatform() as platform:
            task = platform.create(platform.spec(name="fails", outputs=[],
                                                 run='if [ "$PENSTOCK_NODE_RANK" = 1 ]; then sleep 1; exit 7; fi; sleep 600'))
            failed = platform.wait_for_end(task)

            self.assertEqual((failed["state"], failed["fault_domain"], failed["exit_code"]), ("FAILED", "user", 7))
            self.assertIn("rank 1 on local/", failed["message"])
            self.assertEqual(sorted(each["state"] for each in platform.attempts(task)), ["CANCELED", "CANCELED", "FAILED"])
            self.check_money(platform, task)

    def test_a_lost_node_makes_the_whole_gang_go_on_from_the_heads_checkpoint(self):
        with GangPlatform() as platform:
            task = platform.create_with_example(envs={"STEPS": "60", "STEP_SECONDS_MIN": "0.2"},
                                                checkpoint={"path": "ckpt", "every": "1s"})

            def checkpoint():
                return [event for event in platform.events(task) if event["type"] == "checkpoint_stored"]

            wait_until(checkpoint, "a checkpoint of the head")
            victim = next(each for each in platform.attempts(task) if each["gang"]["rank"] == 1)["placement"]["node"].removesuffix("-1")
            platform.lose_host(victim)
            # The two that are left cannot do it: the gang waits as a whole, and nothing of it runs.
            platform.wait_for_state(task, "RECOVERING")
            self.assertEqual([each["state"] for each in platform.attempts(task) if each["state"] not in ENDED], [])
            why = platform.get_json("task", "explain", task)
            self.assertIn("needs 3 nodes", why["message"] + why["plan"]["explanation"])
            platform.start_agent(victim)
            done = platform.wait_for_state(task, "SUCCEEDED")

            self.assertEqual(done["recoveries"], 1)
            results = [platform.output(task, path) for path in ("out/result.json", "rank-1/out/result.json", "rank-2/out/result.json")]
            self.assertGreater(results[0]["started_at"], 0)
            self.assertEqual({result["started_at"] for result in results}, {results[0]["started_at"]})
            for made, wanted in zip(results[0]["weights"], expected(60)):
                self.assertAlmostEqual(made, wanted, places=9)
            self.assertEqual(len(platform.attempts(task)), 6)
            self.check_money(platform, task)

    def test_a_killed_server_finds_the_gang_again(self):
        with GangPlatform() as platform:
            task = platform.create_with_example(envs={"STEPS": "40", "STEP_SECONDS_MIN": "0.1"})
            platform.kill("server")
            platform.start_server()
            platform.wait_for_state(task, "RUNNING", "COLLECTING", "SUCCEEDED")
            platform.kill("server")
            platform.start_server()
            platform.wait_for_state(task, "SUCCEEDED")
            self.check_money(platform, task)

    def test_kill_9_of_agents_and_server_in_turn_loses_and_doubles_nothing(self):
        with GangPlatform() as platform:
            task = platform.create_with_example(envs={"STEPS": "80", "STEP_SECONDS_MIN": "0.1"}, checkpoint={"path": "ckpt", "every": "1s"})
            for victim in ("two", "server", "one", "server", "three"):
                platform.kill(victim)
                platform.start_server() if victim == "server" else platform.start_agent(victim)
            platform.wait_for_state(task, "SUCCEEDED")

            for made, wanted in zip(platform.output(task, "out/result.json")["weights"], expected(80)):
                self.assertAlmostEqual(made, wanted, places=9)
            self.check_money(platform, task)

    def test_an_urgent_gang_has_lesser_work_leave_all_its_nodes(self):
        with GangPlatform() as platform:
            lesser = {"kind": "Task", "resources": {"cpus": "0.9", "memory": "64MB"}, "preemptible": True, "run": "sleep 600"}
            for name in AGENTS:
                platform.create(json.dumps(lesser | {"name": f"lesser-{name}"}))
            for name in AGENTS:
                platform.wait_for_state(f"lesser-{name}", "RUNNING")
            gang = platform.create_with_example(envs={"STEPS": "20"}, priority=10, name="urgent")
            platform.wait_for_state(gang, "SUCCEEDED")

            self.assertEqual({platform.task(f"lesser-{name}")["preemptions"] for name in AGENTS}, {1})
            self.check_decision(platform, gang)
            for name in AGENTS:
                platform.wait_for_state(f"lesser-{name}", "RUNNING")

    def test_what_does_not_fit_says_how_many_nodes_have_room(self):
        with GangPlatform() as platform:
            plan = platform.api("POST", "/v1/tasks:plan", json.loads(platform.spec(num_nodes=4))).json
            self.assertFalse(plan["feasible"])
            self.assertTrue(plan["explanation"].startswith("needs 4 nodes with 0.2 cpus, 64 MiB, 3 have room"), plan["explanation"])
            plan = platform.api("POST", "/v1/tasks:plan", json.loads(platform.spec(num_nodes=2))).json
            self.assertTrue(plan["feasible"])
            self.assertEqual(sum(each["chosen"] for each in plan["candidates"]), 2)
            self.assertEqual((plan["gang"]["members"], plan["gang"]["room"], plan["gang"]["level"]), (2, 3, "site"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
