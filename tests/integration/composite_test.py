#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train at the centre, serve at the edge: the example's one document over two sites with an agent each."""
import json
import re
import unittest
from decimal import Decimal
from pathlib import Path

from platform_process import ROOT, SITE, Platform, wait_until

EXAMPLE = ROOT / "examples/train/centre-edge.yaml"
MODEL = "licence-writer"
SITES = {"centre": {"rtt_ms": 30, "green_percent": 80, "carbon_g_per_kwh": 50, "watts_per_core": 10, "egress_per_gb": "0.5"},
         "twin": {"rtt_ms": 30, "green_percent": 80, "carbon_g_per_kwh": 50, "watts_per_core": 10, "egress_per_gb": "0.5"},
         "edge": {"rtt_ms": 2, "green_percent": 20, "carbon_g_per_kwh": 600, "watts_per_core": 10, "egress_per_gb": "0.8"}}
DEARER = "0.0002"  # a core second at the edge


class TwoSites(Platform):
    def __init__(self, sites=("centre", "edge"), more=()):
        super().__init__(roles=True, agent=False, cpu_milli=1000, memory_mib=1024, more=more)
        self.sites = sites

    def start(self):
        super().start()
        for name in self.sites:
            spec = SITE | {"name": name} | SITES[name]
            if name == "edge":
                spec["prices"] = SITE["prices"] | {"core_second": DEARER}
            file = self.folder / f"{name}.site.json"
            file.write_text(json.dumps(spec))
            self.cli("site", "create", "-f", str(file))
            self.write_key(name, self.cli("key", "create", "--name", name, "--scope", "agent", "--site", name).out.strip())
            self.start_agent(name)
        wait_until(lambda: len(self.api("GET", "/v1/nodes").json["nodes"]) == len(self.sites), "all agents")

    def spec(self, steps=20):
        """The example with fewer steps."""
        folder = self.folder / "example"
        folder.mkdir(exist_ok=True)
        for file in EXAMPLE.parent.glob("*.py"):
            (folder / file.name).write_text(file.read_text())
        text = EXAMPLE.read_text()
        (folder / "centre-edge.yaml").write_text(re.sub(r"STEPS: \d+", f"STEPS: {steps}", text))
        return folder / "centre-edge.yaml"

    def complete(self):
        body = {"model": MODEL, "max_tokens": 12, "messages": [{"role": "user", "content": "This program is free"}]}
        return self.api("POST", "/v1/chat/completions", body, url=self.gateway_url)


class CentreAndEdge(unittest.TestCase):
    def test_what_was_trained_at_the_centre_is_served_at_the_edge(self):
        with TwoSites() as platform:
            said = platform.cli("plan", "-f", platform.spec())
            self.assertIn("train → serve: from centre to edge", said.err)
            tasks = platform.cli("task", "create", "-y", "-f", platform.spec(), "-o", "name").out.split()
            self.assertEqual(len(tasks), 2)
            waiting = platform.task("licences-serve")
            self.assertEqual((waiting["state"], waiting["reason"] in ("waiting_for_dependency", "none")), ("PENDING", True))
            self.assertEqual(waiting["composite"], {"composite": "licences", "part": "serve"})

            trained = platform.wait_for_state("licences-train", "SUCCEEDED")
            served = wait_until(lambda: (lambda task: task if task["state"] == "RUNNING" else None)(platform.task("licences-serve")), "the service")

            self.assertEqual((trained["placement"]["site"], served["placement"]["site"]), ("centre", "edge"))
            self.assertGreaterEqual(served["started_at"], trained["ended_at"])
            answer = wait_until(lambda: (lambda given: given if given.status == 200 else None)(platform.complete()), "an answer of the model")
            self.assertEqual(len(answer.json["choices"][0]["message"]["content"]), 12)
            self.assertEqual(answer.json["usage"]["completion_tokens"], 12)

            # Now that it has run once, the plan knows what goes over the wire, and what that costs.
            plan = platform.api("POST", "/v1/composites:plan", self.without_workdirs(trained, served)).json
            (way,) = plan["transfers"]
            size = sum(output["bytes"] for output in trained["outputs"])
            self.assertEqual((way["from_site"], way["to_site"], way["bytes"]), ("centre", "edge", size))
            wanted = Decimal(size) * Decimal("0.5") / 10**9
            self.assertLess(abs(Decimal(way["egress"]) - wanted), Decimal("0.000002"))

            platform.cli("stop", "licences-serve")
            platform.wait_for_state("licences-serve", "CANCELED")
            self.assertTrue(platform.settlement()["balanced"])
            held = [node["name"] for node in platform.api("GET", "/v1/nodes").json["nodes"] if node["held"]["cpu_milli"]]
            self.assertEqual(held, [])

    @staticmethod
    def without_workdirs(trained, served):
        parts = []
        for task, name in ((trained, "train"), (served, "serve")):
            part = task["spec"] | {"name": name}
            if name == "serve":
                part["inputs"] = [part["inputs"][0] | {"task": "train"}]
            parts.append(part)
        return {"kind": "Composite", "name": "licences", "parts": parts}

    def test_nothing_is_trained_when_the_service_could_never_run(self):
        with TwoSites(sites=("centre",)) as platform:
            refused = platform.cli("task", "create", "-y", "-f", platform.spec(), code=None)

            self.assertNotEqual(refused.code, 0)
            answer = platform.api("POST", "/v1/composites", {"kind": "Composite", "name": "c", "parts": [
                {"name": "a", "run": "true"},
                {"name": "b", "run": "true", "placement": {"constraints": {"max_rtt_ms": 5}}, "inputs": [{"task": "a"}]}]})
            self.assertEqual(answer.json["errors"][0]["field"], "parts[1]")
            self.assertIn("'b' can never run as stated, so no part is started", answer.json["errors"][0]["message"])
            self.assertEqual(platform.api("GET", "/v1/tasks").json["total"], 0)

    def test_a_part_does_not_start_when_what_it_takes_from_has_failed(self):
        with TwoSites(sites=("centre",)) as platform:
            answer = platform.api("POST", "/v1/composites", {"kind": "Composite", "name": "c", "parts": [
                {"name": "a", "run": "exit 3"}, {"name": "b", "run": "true", "inputs": [{"task": "a"}]}]})
            self.assertEqual(answer.status, 201, answer.text)

            self.assertEqual(platform.wait_for_end("c-b")["reason"], "dependency_failed")
            found = platform.api("GET", "/v1/composites/c").json
            self.assertEqual([task["composite"]["part"] for task in found["tasks"]], ["a", "b"])

    def test_a_part_leaves_its_best_place_to_the_one_that_has_no_other(self):
        with TwoSites(sites=("centre", "twin")) as platform:
            size = {"cpus": "0.8", "memory": "64MB"}
            parts = [{"name": "a", "run": "sleep 2", "resources": size},
                     {"name": "b", "run": "sleep 2", "resources": size, "placement": {"constraints": {"sites": ["centre"]}}}]
            alone = platform.api("POST", "/v1/tasks:plan", {"name": "x"} | {key: parts[0][key] for key in ("run", "resources")}).json
            self.assertEqual(alone["candidates"][0]["site"], "centre", "by itself it goes there")
            document = {"kind": "Composite", "name": "c", "parts": parts}

            plan = platform.api("POST", "/v1/composites:plan", document).json
            self.assertEqual([part["plan"]["candidates"][0]["site"] for part in plan["parts"]], ["twin", "centre"])
            left = [each for each in plan["parts"][0]["plan"]["candidates"] if each["site"] == "centre"]
            self.assertEqual([each["filter"] for each in left], ["left_to_others"])

            answer = platform.api("POST", "/v1/composites", document)
            self.assertEqual(answer.status, 201, answer.text)
            a, b = platform.wait_for_state("c-a", "SUCCEEDED"), platform.wait_for_state("c-b", "SUCCEEDED")
            self.assertEqual((a["placement"]["site"], b["placement"]["site"]), ("twin", "centre"))
            self.assertLess(b["started_at"], a["ended_at"], "neither waited for the other")
            decision = platform.get_json("explain", "task/c-a")["decision_id"]
            self.assertEqual(len(platform.api("GET", f"/v1/decisions/{decision}").json["question"]["leave"]), 1)
            self.assertTrue(platform.get_json("sim", "replay-decision", decision)["identical"])

    def test_work_goes_to_its_data_where_leaving_their_site_costs_more_than_the_run(self):
        with TwoSites(sites=("edge", "twin"), more=("--store-site", "edge")) as platform:
            for site in platform.api("GET", "/v1/sites").json["sites"]:
                spec = platform.folder / "linked.json"
                routes = {"twin": {"rtt_ms": 1, "bandwidth_mbps": 1000}} if site["spec"]["name"] == "edge" else {}
                spec.write_text(json.dumps(site["spec"] | {"bandwidth_mbps": 1000, "routes": routes}))
                platform.cli("site", "update", site["spec"]["name"], "-f", spec)
            made = {"name": "made", "run": "head -c 20000000 /dev/zero > data", "outputs": [{"path": "data"}]}
            self.assertEqual(platform.api("POST", "/v1/tasks", made).status, 201)
            platform.wait_for_state("made", "SUCCEEDED")
            reads = {"name": "reads", "run": "true", "time_limit": "10s", "placement": {"optimize": "cost"},
                     "resources": {"cpus": "0.5", "memory": "64MB"}}
            unknown = platform.api("POST", "/v1/tasks:plan", reads | {"inputs": [{"task": "nobody"}]})
            self.assertEqual((unknown.status, unknown.json["errors"][0]["field"]), (404, "inputs[0].task"), unknown.text)
            without = platform.api("POST", "/v1/tasks:plan", reads).json
            self.assertEqual(without["candidates"][0]["site"], "twin", "cheaper by itself")

            plan = platform.api("POST", "/v1/tasks:plan", reads | {"inputs": [{"task": "made"}], "budget": {"max_total": "0.01"}}).json
            here, there = plan["candidates"]
            self.assertEqual((here["site"], there["site"]), ("edge", "twin"), plan)
            self.assertNotIn("egress", here["terms"])
            self.assertEqual(Decimal(there["terms"]["egress"]), Decimal("0.016"), "20 MB at the 0.8 yuan a GB of the site they leave")
            self.assertEqual(there["filter"], "none", "it is not charged, so it is no matter of the budget")
            self.assertEqual(Decimal(plan["estimated_cost"]), Decimal(here["terms"]["cost"]))

    def test_files_of_one_part_are_staged_into_the_next(self):
        with TwoSites(sites=("centre",)) as platform:
            answer = platform.api("POST", "/v1/composites", {"kind": "Composite", "name": "c", "parts": [
                {"name": "a", "run": "mkdir -p out/deep; echo one > out/1.txt; echo two > out/deep/2.txt; echo three > out/3.bin",
                 "outputs": [{"path": "out/**"}, {"path": "out/*"}]},
                {"name": "b", "run": "cat got/1.txt got/deep/2.txt; ls got", "inputs": [{"task": "a", "path": "out/*.txt", "to": "got"}]}]})
            self.assertEqual(answer.status, 201, answer.text)

            platform.wait_for_state("c-b", "SUCCEEDED")
            self.assertEqual(platform.logs("c-b"), ["one", "two", "1.txt", "deep"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
