#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can become of a task, by real processes: success, every way to fail or be stopped, and what is said about it."""
import hashlib
import subprocess
import unittest

from platform_process import COMMAND_SECONDS_MAX, Platform, wait_until

OK, FAILED, NOT_FINISHED, CANCELED = 0, 100, 101, 103


class TaskLife(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform())

    def follow(self, *words):
        """`penstock run` in the background."""
        process = subprocess.Popen(**self.platform.command("run", "-y", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    # --- outcomes as exit codes ------------------------------------------------------------------

    def test_run_prints_the_output_and_ends_with_zero(self):
        done = self.platform.cli("run", "-y", "--cpus", "0.5", "--memory", "0.1", "--name", "hello", "--", "echo hello from $PENSTOCK_TASK_ID")
        self.assertEqual(done.out, f"hello from {self.platform.task('hello')['id']}\n")
        self.assertIn("SUCCEEDED", done.err)

    def test_a_failing_script_gives_100_or_its_own_code_when_asked(self):
        script = ("--cpus", "0.5", "--memory", "0.1", "--", "echo to stderr >&2; exit 7")
        done = self.platform.cli("run", "-y", "--name", "fails", *script, code=FAILED)
        self.assertIn("to stderr", done.out + done.err)
        self.assertIn("exit_code", done.err)
        self.platform.cli("run", "-y", "--name", "fails", "--exit-from-task", *script, code=7)

    def test_a_task_that_is_cancelled_meanwhile_gives_103(self):
        process = self.follow("--cpus", "0.5", "--memory", "0.1", "--name", "long", "--", "echo begun; sleep 300")
        wait_until(lambda: self.running("long"), "the task to run")
        self.platform.cli("task", "cancel", "task/long")
        _, errors = process.communicate(timeout=COMMAND_SECONDS_MAX)
        self.assertEqual(process.returncode, CANCELED, errors)
        task = self.platform.task("long")
        self.assertEqual((task["state"], task["reason"], task["held"]), ("CANCELED", "canceled_by_user", "0.00"))
        self.assertNotEqual(task["cost"], "0.00")

    def running(self, name):
        answer = self.platform.api("GET", f"/v1/tasks/{name}")
        return answer.status == 200 and answer.json["state"] == "RUNNING"

    def test_each_run_teaches_the_plan_of_the_next(self):
        script = "name: learns\nresources: {cpus: '0.2', memory: 128MB}\nrun: sleep 0.2; echo taught\n"
        basis = []
        for _ in range(3):
            answer = self.platform.api("POST", "/v1/tasks:plan", script, headers={"Content-Type": "application/yaml"})
            basis.append(answer.json["estimate_basis"])
            self.platform.wait_for_end(self.platform.create(script))
        self.assertEqual(basis[0], "run time not known: an hour is held, cost and carbon are of an hour")
        self.assertRegex(basis[1], r"^history of 1 run, p50 .*s, p90 .*s, too few for bounds")
        self.assertRegex(basis[2], r"^history of 2 runs, ")

    def test_the_profile_says_what_is_known_and_leaves_out_what_is_not(self):
        file = self.platform.folder / "profiled.yaml"
        file.write_text("name: profiled\nresources: {cpus: '0.2', memory: 128MB}\ntime_limit: 1h\nrun: head -c 3000 /dev/zero > zeros\noutputs: [{path: zeros}]\n")
        profile = self.platform.get_json("profile", "-f", file)
        [device] = profile["devices"]
        self.assertEqual((device["basis"], device["run_time_low_s"], device["run_time_high_s"], device["runs"]), ("time_limit", 0, 3600, 0))
        for unknown in ("run_time_s", "memory_peak_mib", "cpu_percent"):
            self.assertNotIn(unknown, device)
        self.assertNotIn("result_bytes", profile)
        self.assertEqual((profile["latency"], profile["communication"]), ("none", "none"))
        self.platform.wait_for_end(self.platform.create(file.read_text()))
        profile = self.platform.get_json("task", "profile", "profiled")
        [device] = profile["devices"]
        self.assertEqual((device["runs"], profile["result_bytes"]), (1, 3000))
        self.assertLess(device["run_time_s"], 60)
        self.assertIn("RUN-TIME", self.platform.cli("profile", "profiled").out)

    # --- limits ----------------------------------------------------------------------------------

    def test_the_time_limit_ends_a_task(self):
        task = self.platform.wait_for_end(self.platform.create(
            "name: slow\nresources: {cpus: '0.2', memory: 128MB}\nrun: sleep 300\ntime_limit: 1s\n"))
        self.assertEqual((task["state"], task["reason"]), ("EXPIRED", "time_limit"))
        self.assertIn("raise time_limit", task["message"])

    def test_too_much_memory_is_reported_as_that(self):
        if "memory" not in self.platform.api("GET", "/v1/nodes").json["nodes"][0]["enforces"]:
            self.skipTest("this machine gives no right to limit memory")
        task = self.platform.wait_for_end(self.platform.create(
            "name: greedy\nresources: {cpus: '0.5', memory: 64MB}\n"
            "run: /usr/bin/python3 -c 'data = b\"x\" * (512 << 20); print(len(data))'\n"))
        self.assertEqual((task["state"], task["reason"], task["fault_domain"]), ("FAILED", "out_of_memory", "user"))
        self.assertIn("64", task["message"])

    def test_a_used_up_budget_stops_a_task(self):
        task = self.platform.wait_for_end(self.platform.create(
            "name: dear\nresources: {cpus: '1', memory: 128MB}\nrun: sleep 300\nbudget: {max_total: '0.0006', on_exceed: cancel}\n"))
        self.assertEqual(task["reason"], "budget_exceeded")
        self.assertLessEqual(float(task["cost"]), 0.0006)
        self.assertIn("0.0006", task["message"])

    # --- arrays ----------------------------------------------------------------------------------

    def test_only_the_items_that_failed_run_again(self):
        name = self.platform.create(
            "name: frames\nresources: {cpus: '0.4', memory: 64MB}\n"
            "run: |\n  mkdir -p out; echo item $PENSTOCK_ARRAY_INDEX > out/$PENSTOCK_ARRAY_INDEX.txt\n"
            "  test $PENSTOCK_ARRAY_INDEX != 1 || test $PENSTOCK_ATTEMPT -ge 3\n"
            "array: {params: {Frame: '0-3:1'}, retry: {per_item: 1, keep_done: true}}\n"
            "outputs: [{path: 'out/*.txt', required: true}]\n")
        task = self.platform.wait_for_end(name)
        self.assertEqual((task["state"], task["reason"]), ("FAILED", "item_failed"))
        self.assertEqual([(item["state"], item["attempts"]) for item in self.platform.items(name)],
                         [("SUCCEEDED", 1), ("FAILED", 2), ("SUCCEEDED", 1), ("SUCCEEDED", 1)])

        self.platform.cli("task", "retry", f"task/{name}")
        self.assertEqual(self.platform.wait_for_state(name, "SUCCEEDED")["items"]["succeeded"], 4)
        self.assertEqual([item["attempts"] for item in self.platform.items(name)], [1, 3, 1, 1])
        self.assertEqual(sorted(output["path"] for output in self.platform.task(name)["outputs"]), [f"out/{item}.txt" for item in range(4)])

    # --- outputs and logs ------------------------------------------------------------------------

    def test_outputs_come_back_with_the_stated_hash(self):
        name = self.platform.create(
            "name: makes\nresources: {cpus: '0.2', memory: 64MB}\nrun: mkdir -p out/deep && head -c 300000 /dev/urandom > out/deep/a.bin\n"
            "outputs: [{path: 'out/**', required: true}]\n")
        self.platform.wait_for_state(name, "SUCCEEDED")
        folder = self.platform.folder / "results"
        self.platform.cli("task", "outputs", f"task/{name}", "--download", folder)
        [output] = self.platform.task(name)["outputs"]
        content = (folder / "out/deep/a.bin").read_bytes()
        self.assertEqual((output["path"], output["bytes"], output["sha256"]),
                         ("out/deep/a.bin", 300000, hashlib.sha256(content).hexdigest()))

    def test_a_missing_required_output_is_a_failure_that_names_it(self):
        task = self.platform.wait_for_end(self.platform.create(
            "name: forgets\nresources: {cpus: '0.2', memory: 64MB}\nrun: 'true'\noutputs: [{path: 'out/*.png', required: true}]\n"))
        self.assertEqual((task["state"], task["reason"]), ("FAILED", "output_missing"))
        self.assertIn("out/*.png", task["message"])

    def test_logs_follow_a_task_to_its_end(self):
        name = self.platform.create("name: talks\nresources: {cpus: '0.2', memory: 64MB}\n"
                                    "run: for i in $(seq 1 20); do echo line $i; sleep 0.1; done\n")
        follower = subprocess.Popen(**self.platform.command("logs", f"task/{name}", "-f"), stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        out, _ = follower.communicate(timeout=COMMAND_SECONDS_MAX)
        self.assertEqual(out.splitlines(), [f"line {i}" for i in range(1, 21)])

    # --- dependencies ----------------------------------------------------------------------------

    def test_a_dependent_task_waits_for_success_and_shares_a_failure(self):
        spec = "name: {name}\nresources: {{cpus: '0.2', memory: 64MB}}\nrun: {run}\n"
        after = "schedule: {{dependencies: [{{task: {task}, on: success}}]}}\n"
        first = self.platform.create(spec.format(name="first", run="sleep 1"))
        second = self.platform.create((spec + after).format(name="second", run="'true'", task=first))
        self.assertEqual(self.platform.task(second)["reason"], "waiting_for_dependency")
        self.platform.wait_for_state(second, "SUCCEEDED")
        self.assertGreaterEqual(self.platform.task(second)["started_at"], self.platform.task(first)["ended_at"])

        bad = self.platform.create(spec.format(name="bad", run="'false'"))
        never = self.platform.create((spec + after).format(name="never", run="'true'", task=bad))
        task = self.platform.wait_for_end(never)
        self.assertEqual(task["reason"], "dependency_failed")
        self.assertEqual(self.platform.attempts(never), [])

    # --- why it waits ----------------------------------------------------------------------------

    def test_a_task_that_can_never_run_says_why_and_what_helps(self):
        name = self.platform.create("name: huge\nresources: {cpus: '64', memory: 64MB}\nrun: 'true'\n")
        explained = self.platform.get_json("explain", f"task/{name}")
        self.assertIn("64", explained["message"])
        self.assertTrue(explained["remedy"])
        self.assertEqual([candidate["filter"] for candidate in explained["plan"]["candidates"]], ["cpu_too_large"])
        self.platform.cli("task", "cancel", f"task/{name}")
        self.assertEqual(self.platform.wait_for_end(name)["cost"], "0.00")


class AwayAgent(unittest.TestCase):
    def test_what_was_canceled_while_its_agent_was_away_is_not_started_when_it_comes_back(self):
        with Platform(roles=True) as platform:
            platform.kill("agent")
            task = platform.create("name: away\nresources: {cpus: '0.1', memory: 64MB}\nrun: echo begun; sleep 600\n")
            platform.wait_for_state(task, "RESERVED")
            platform.cli("task", "cancel", task)
            platform.start_agent()

            self.assertEqual(platform.wait_for_end(task)["state"], "CANCELED")
            self.assertEqual(platform.logs(task), [])


if __name__ == "__main__":
    unittest.main()
