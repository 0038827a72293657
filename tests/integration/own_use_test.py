#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a key is told of its own use: its calls, its limits with what is known of them, and a model's budget that comes late."""
import os
import unittest
import uuid
from decimal import Decimal

from batch_test import Engine, offer
from platform_process import ROOT, Platform, wait_until


class OwnUse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(Engine())
        cls.platform = cls.enterClassContext(Platform(roles=True, agent=False))
        offer(cls.platform, cls.engine)
        wait_until(lambda: cls.platform.api("GET", "/v1/models", url=cls.platform.gateway_url).json["data"], "the route")

    def new_key(self, *limits, scope="tokens"):
        self.name = uuid.uuid4().hex
        return self.platform.cli("key", "create", "--name", self.name, "--scope", scope, *limits).out.strip()

    def call(self, key):
        body = {"model": "words", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
        answer = self.platform.api("POST", "/v1/chat/completions", body, key=key, url=self.platform.gateway_url)
        self.assertEqual(answer.status, 200, answer.text)
        call = answer.headers["x-penstock-call"]
        wait_until(lambda: self.generation(call, self.platform.key()).status == 200, "the bill line")
        return call

    def generation(self, call, key):
        return self.platform.api("GET", f"/v1/generation?id={call}", key=key)

    def limits(self, key):
        return {limit["limit"]: limit for limit in self.platform.api("GET", "/v1/key", key=key).json["data"]["limits"]
                if limit["level"] == "key" and not limit["model"]}

    def test_a_key_of_tokens_alone_sees_its_own_calls_and_no_other_keys(self):
        mine, other = self.new_key(), self.new_key()
        call = self.call(mine)
        own = self.generation(call, mine)
        self.assertEqual((own.status, own.json["data"]["id"]), (200, call), own.text)
        foreign = self.generation(call, other)
        self.assertEqual(foreign.status, 404, foreign.text)
        self.assertIn("scope billing_read", foreign.text)
        never = self.generation("rq_" + "0" * 26, other)
        self.assertEqual((never.status, never.json["detail"].replace("rq_" + "0" * 26, call)), (404, foreign.json["detail"]))
        self.assertEqual(self.generation(call, self.new_key(scope="billing_read")).status, 200)

    def test_the_balance_is_for_who_may_read_bills(self):
        refused = self.platform.api("GET", "/v1/credits", key=self.new_key())
        self.assertEqual(refused.status, 403, refused.text)
        self.assertIn("lacks the scope billing_read", refused.text)
        self.assertEqual(self.platform.api("GET", "/v1/credits", key=self.new_key(scope="billing_read")).status, 200)

    def test_what_gateways_alone_count_is_unknown_and_not_nothing(self):
        key = self.new_key("--rpm", "60", "--tpm", "60000", "--concurrency", "4", "--rpd", "1000", "--budget", "5.00")
        self.call(key)
        wait_until(lambda: self.limits(key)["requests_per_day"]["used"] == "1", "the call to count")
        limits = self.limits(key)
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            self.assertIsNone(limits[name].get("used"), limits[name])
        for limit in limits.values():
            left = Decimal(limit["allowed"]) - Decimal(limit.get("used") or 0) - Decimal(limit["reserved"])
            self.assertEqual(Decimal(limit["remaining"]), left, limit)
        self.assertGreater(Decimal(limits["budget"]["used"]), 0)

    def test_a_models_budget_begins_with_what_was_used_before_it(self):
        key = self.new_key()
        cost = Decimal(self.generation(self.call(key), self.platform.key()).json["data"]["total_cost"])
        self.assertGreater(cost, 0)
        quota = {"budget": "5.00", "budget_period": "monthly", "requests_per_day": 3}
        changed = self.platform.api("PATCH", f"/v1/keys/{self.name}", {"limits": {"per_model": {"words": quota}}})
        self.assertEqual(changed.status, 200, changed.text)
        used = {limit["limit"]: Decimal(limit["used"]) for limit in self.platform.api("GET", "/v1/key", key=key).json["data"]["limits"]
                if limit["level"] == "key" and limit["model"] == "words"}
        self.assertEqual(used, {"budget": cost, "requests_per_day": 1})
        self.call(key)
        self.platform.kill("server")
        self.platform.start_server()
        used = {limit["limit"]: Decimal(limit["used"]) for limit in self.platform.api("GET", "/v1/key", key=key).json["data"]["limits"]
                if limit["level"] == "key" and limit["model"] == "words"}
        self.assertEqual(used, {"budget": 2 * cost, "requests_per_day": 2})


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
