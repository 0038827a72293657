#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists whose rows stay in the store, bill lines and events: pages, filters, orders and totals, before and after a restart."""
import json
import os
import unittest
import uuid
from pathlib import Path

import engine
from platform_process import Platform

CALLS = 25
NO_LEASE, NO_KEY = "ls_" + "0" * 26, "ky_" + "0" * 26
CGROUPS = Path("/sys/fs/cgroup")
LIMIT_MILLI = 700


def settlement(organisation, project, endpoint, count):
    """Records of finished calls as a gateway sends them, most of another minute than the next."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

    def request_id(n):
        number, text = (uuid.uuid4().int & ((1 << 70) - 1)) | (n << 80), ""
        for _ in range(26):
            number, digit = divmod(number, 32)
            text = alphabet[digit] + text
        return f"rq_{text}"

    return {"replica": "test", "records": [
        {"id": request_id(n + 1), "lease_id": NO_LEASE, "organisation_id": organisation, "project_id": project, "key_id": NO_KEY,
         "endpoint_id": endpoint, "model": f"m{n % 3}", "status": 200, "streamed": False, "price_version": 1,
         "started_at": f"2026-11-24T00:{n:02}:00Z", "ended_at": f"2026-11-24T00:{n:02}:01Z", "end_reason": "done", "basis": "upstream",
         "tokens": {"input_fresh": 1000 * (n + 1), "output_visible": 10}, "price_input": "1.00", "price_output": "2.00"}
        for n in range(count)]}


class Lists(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(roles=True, agent=False))
        who = cls.platform.api("GET", "/v1/whoami").json
        url = cls.enterClassContext(engine.serving())
        endpoint = cls.platform.get_json("endpoint", "create", "--model", "m", "--url", url, "--protocol", "openai",
                                         "--price-input", "1.00", "--price-output", "2.00")["id"]
        cls.calls = settlement(who["organisation_id"], who["project_id"], endpoint, CALLS)

    def settle(self):
        answer = self.platform.api("POST", "/v1/gateway/settlements", self.calls, key=self.platform.key("gateway"))
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json["accepted"], answer.json["repeated"]

    def pages(self, path, member, size):
        """All pages one after another, and the total that each told."""
        rows, totals, token = [], set(), ""
        while True:
            page = self.platform.api("GET", f"{path}{'&' if '?' in path else '?'}page_size={size}&page_token={token}")
            self.assertEqual(page.status, 200, page.text)
            rows += page.json[member]
            totals.add(page.json["total"])
            token = page.json.get("next_page_token")
            if not token:
                return rows, totals
            self.assertEqual(len(page.json[member]), size)

    def test_1_bills_in_pages_are_the_whole_list_and_a_restart_changes_nothing(self):
        self.assertEqual(self.settle(), (CALLS, 0))
        self.assertEqual(self.settle(), (0, CALLS))
        whole = self.platform.api("GET", "/v1/bills?page_size=1000").json
        self.assertEqual((len(whole["lines"]), whole["total"]), (CALLS, CALLS))
        self.assertEqual([line["id"] for line in whole["lines"]], sorted((line["id"] for line in whole["lines"]), reverse=True))
        statement = self.platform.api("GET", "/v1/statement").text
        for size in (1, 7, CALLS, CALLS + 1):
            self.assertEqual(self.pages("/v1/bills", "lines", size), (whole["lines"], {CALLS}), size)
        self.platform.kill("server")
        self.platform.start_server()
        self.assertEqual(self.pages("/v1/bills", "lines", 7), (whole["lines"], {CALLS}))
        self.assertEqual(self.platform.api("GET", "/v1/statement").text, statement)
        self.assertEqual(self.settle(), (0, CALLS), "a usage is settled once, whoever remembers it")
        self.assertEqual(self.platform.api("GET", "/v1/statement").text, statement)
        self.assertEqual(self.platform.bills(), whole["lines"])

    def test_2_bills_are_filtered_and_ordered_over_all_pages(self):
        self.settle()
        whole = self.platform.api("GET", "/v1/bills?page_size=1000").json["lines"]
        some = [line for line in whole if line["name"] == "m1"]
        self.assertEqual(self.pages("/v1/bills?filter=name%3Dm1", "lines", 3), (some, {len(some)}))
        ordered = sorted(whole, key=lambda line: line["to"])
        self.assertEqual(self.pages("/v1/bills?order_by=to", "lines", 4), (ordered, {CALLS}))
        self.assertEqual(self.pages("/v1/bills?order_by=to%20desc", "lines", 4), (ordered[::-1], {CALLS}))
        self.assertEqual(self.platform.api("GET", "/v1/bills?page_token=ug_nothing").status, 400)
        self.assertEqual(self.platform.api("GET", "/v1/bills?filter=name").status, 400)

    def test_3_events_in_pages_are_the_whole_timeline(self):
        for n in range(5):
            self.platform.create(f"name: t{n}\nrun: 'true'\n")
            self.platform.api("POST", f"/v1/tasks/t{n}:cancel", {})
        whole = self.platform.api("GET", "/v1/events?page_size=1000").json
        self.assertEqual(whole["total"], len(whole["events"]))
        self.assertEqual(self.pages("/v1/events", "events", 3), (whole["events"], {whole["total"]}))
        created = [event for event in whole["events"] if event["type"] == "task_created"]
        self.assertEqual(self.pages("/v1/events?filter=type%3Dtask_created", "events", 2), (created, {5}))
        self.assertEqual(self.pages("/v1/events?order_by=cursor%20desc", "events", 4)[0], whole["events"][::-1])
        since = whole["events"][3]["cursor"]
        self.assertEqual(self.pages(f"/v1/events?since={since}", "events", 2), (whole["events"][4:], {whole["total"] - 4}))
        own = [event for event in whole["events"] if event["subject"] == created[0]["subject"]]
        self.assertEqual(self.pages("/v1/tasks/t0/events", "events", 1), (own, {len(own)}))
        self.assertEqual(self.platform.get_json("event", "list", "--all")["events"], whole["events"])


class OwnLimits(unittest.TestCase):
    """An agent in a container offers what the container may use, whatever the host has."""

    def setUp(self):
        v1 = CGROUPS / "cpu"
        root = v1 if (v1 / "cpu.cfs_quota_us").exists() or (v1 / "tasks").exists() else CGROUPS
        self.group = root / f"penstock-limits-test-{os.getpid()}"
        self.before = root / "cgroup.procs"
        try:
            self.group.mkdir()
            if root == v1:
                (self.group / "cpu.cfs_period_us").write_text("100000")
                (self.group / "cpu.cfs_quota_us").write_text(str(LIMIT_MILLI * 100))
            else:
                (self.group / "cpu.max").write_text(f"{LIMIT_MILLI * 100} 100000")
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError as error:
            if self.group.exists():
                self.group.rmdir()
            self.skipTest(f"no cgroup can be made here: {error}")
        self.addCleanup(self.leave)

    def leave(self):
        self.before.write_text(str(os.getpid()))
        self.group.rmdir()

    def test_a_node_offers_no_more_than_its_own_cgroup(self):
        with Platform(cpu_milli=2000) as platform:
            total = platform.api("GET", "/v1/nodes").json["nodes"][0]["total"]
            self.assertEqual(total["cpu_milli"], LIMIT_MILLI, json.dumps(total))


if __name__ == "__main__":
    unittest.main(verbosity=2)
