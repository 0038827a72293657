#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Operators see where gateways send calls, which breakers are open and which leases are held, tenants see their own; a gateway is taken out of
service without a lost call; its token counters are the ledger's sums, and every bill line names its trace."""
import re
import subprocess
import unittest

from handover_test import TOKENS, engine
from hot_configuration_test import Stream
from platform_process import Platform, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
FAILURES_TO_OPEN = 5


class GatewayOperation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False, roles=True, credit="1000.00"))
        cls.url, cls.operator = cls.platform.gateway_url, cls.platform.key("operator")
        cls.organisation = cls.platform.api("GET", "/v1/whoami").json["organisation_id"]
        cls.endpoints = {}
        for model, words in (("good", ()), ("slow", ("--gap", "100ms")), ("bad", ("--status", "500")), ("unasked", ())):
            url = cls.enterClassContext(engine("--model", model, *words))
            cls.endpoints[model] = cls.platform.get_json("endpoint", "create", "--model", model, "--url", url, "--protocol", "openai",
                                                         "--price-input", "1", "--price-output", "2")["id"]
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models", url=cls.url).json["data"]) == 4, "the routes")
        cls.platform.cli("organisation", "create", "other", "--code", "00002", "--role", "consumer", "--role", "provider", key=cls.operator)
        cls.stranger = cls.platform.api("POST", "/v1/organisations/other/keys", {"name": "k"}, key=cls.operator).json["key"]

    def ask(self, model="good", headers=None):
        body = {"model": model, "max_tokens": TOKENS, "messages": [{"role": "user", "content": "hello"}]}
        return self.platform.api("POST", "/v1/chat/completions", body, url=self.url, headers=headers)

    def gateway(self, *more, key=None, name="gateway"):
        return self.platform.api("GET", f"/v1/gateways/{name}" + "".join(more), key=key or self.operator)

    def routes(self, key=None):
        return {row["model"]: row for row in self.gateway("/routes", key=key).json["routes"]}

    def leases(self, key=None):
        return self.gateway("/leases", key=key).json["leases"]

    def metric(self, pattern):
        text = self.platform.api("GET", "/metrics", url=self.url).text
        return sum(float(value) for value in re.findall(pattern + r" ([0-9.e+]+)$", text, re.MULTILINE))

    def test_routes_tell_figures_and_breakers(self):
        self.assertEqual(self.ask().status, 200)
        for _ in range(FAILURES_TO_OPEN):
            self.ask("bad")
        rows = self.routes()
        self.assertEqual({model: row["endpoint_id"] for model, row in rows.items()}, self.endpoints)
        good, bad = rows["good"], rows["bad"]
        self.assertTrue(good["in_table"] and good["reported_at"])
        self.assertEqual((good["state"], good["breaker"]["state"], good["success_share"]), ("ready", "closed", 1.0))
        self.assertGreaterEqual(good["samples"], 1)
        self.assertGreater(good["retries_left"], 0)
        self.assertEqual((bad["breaker"]["state"], bad["breaker"]["cause"], bad["success_share"]), ("open", "failures", 0.0))
        self.assertLess(bad["breaker"]["since"], bad["breaker"]["next_probe"])
        self.assertNotIn("success_share", rows["unasked"], "nothing was asked there")

        table = self.platform.cli("gateway", "routes", "gateway", key=self.operator)
        self.assertRegex(table.out, r"ENDPOINT +MODEL +PROVIDER +SITE +STATE +BREAKER")
        self.assertRegex(table.out, r"bad .* ready +open\(failures\)")
        chosen = self.platform.get_json("gateway", "routes", "gateway", "--filter", "breaker.state!=closed", key=self.operator)
        self.assertEqual([row["model"] for row in chosen["routes"]], ["bad"])

    def test_each_sees_what_is_its_own(self):
        self.assertEqual(self.ask().status, 200)
        self.assertEqual({row["organisation_id"] for row in self.leases()}, {self.organisation})
        self.assertEqual({row["organisation_id"] for row in self.leases(self.platform.key())}, {self.organisation})
        self.assertEqual(self.leases(self.stranger), [])
        self.assertEqual(self.gateway(f"/leases?organisation={self.organisation}", key=self.stranger).status, 404)
        self.assertEqual(len(self.gateway(f"/leases?organisation={self.organisation}").json["leases"]), len(self.leases()))
        self.assertEqual(set(self.routes(self.platform.key())), set(self.endpoints), "they are its own engines")
        self.assertEqual(self.routes(self.stranger), {})
        seen, hidden = self.gateway().json, self.gateway(key=self.stranger).json
        self.assertEqual((seen["state"], hidden["state"]), ("serving", "serving"))
        self.assertGreaterEqual(seen["leases"], 1)
        for field in ("leases", "held", "calls_in_flight", "breakers_open", "refused_routes"):
            self.assertNotIn(field, hidden)
        self.assertEqual(self.gateway(name="nobody").status, 404)
        self.assertEqual(self.platform.api("POST", "/v1/gateways/gateway:drain", key=self.platform.key()).status, 403)
        self.assertEqual(self.platform.api("POST", "/v1/gateway/status", {"replica": "x", "run": ""}, key=self.platform.key()).status, 403)

    def test_leases_tell_what_is_held(self):
        stream = Stream(self.url, self.platform.key(), "slow")
        self.assertTrue(stream.begun.wait(30))
        wallet = next(row for row in self.leases() if row["account"]["measure"] == "wallet")
        self.assertGreater(float(wallet["held"]), 0)
        self.assertGreater(float(wallet["free"]), 0)
        self.assertEqual(float(wallet["outstanding"]),
                         round(float(wallet["granted"]) - float(wallet["returned"]) - float(wallet["settled"]), 15))
        self.assertGreater(wallet["epoch"], 0)
        self.assertGreater(wallet["expires_at"], wallet["reported_at"])
        self.assertGreater(wallet["fill_percent"], 0)
        row = self.platform.cli("gateway", "leases", "gateway", "--columns", "MEASURE,HELD,EPOCH", "--no-header", key=self.operator).out
        self.assertRegex(row, r"wallet +\d")
        stream.join(60)
        self.assertIn("[DONE]", stream.text)

    def test_drain_and_back(self):
        stream = Stream(self.url, self.platform.key(), "slow")
        self.assertTrue(stream.begun.wait(30))
        drain = subprocess.Popen(**self.platform.command("gateway", "drain", "gateway", "--timeout", "60s", "-o", "json", key=self.operator),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        refused = wait_until(lambda: (answer := self.ask()).status == 503 and answer, "the refusal of a new call", 10)
        self.assertEqual(refused.json["error"]["code"], "draining")
        self.assertGreater(int(refused.headers["retry-after"]), 0)
        ready = self.platform.api("GET", "/readyz", url=self.url)
        self.assertEqual((ready.status, ready.text), (503, "draining\n"))
        self.assertEqual(self.platform.api("GET", "/livez", url=self.url).status, 200)
        out, err = drain.communicate(timeout=90)
        stream.join(60)

        self.assertEqual(drain.returncode, 0, err)
        self.assertIn("[DONE]", stream.text, "what ran is finished")
        self.assertIn('"state":"drained"', re.sub(r"\s", "", out))
        self.assertRegex(err, r"gateway/gateway drains: calls 1")
        self.assertRegex(err, r"gateway/gateway is drained")
        self.assertEqual(self.leases(), [], "all are given back")
        self.assertIn(stream.call, {line["resource"].removeprefix("call/") for line in self.platform.bills()}, "and it is settled")
        wallet = self.platform.api("GET", "/v1/wallet").json
        self.assertEqual(float(wallet["held"]), 0)

        self.platform.stop("server")
        self.platform.start_server()
        wait_until(lambda: self.gateway().json["state"] == "drained", "the gateway after a restart of the server")
        self.assertEqual(self.ask().status, 503, "the drain outlives the server")
        self.platform.cli("gateway", "undrain", "gateway", key=self.operator)
        wait_until(lambda: self.ask().status == 200, "calls again", 10)
        wait_until(lambda: self.gateway().json["state"] == "serving", "the state", 10)
        events = self.platform.api("GET", "/v1/events?filter=subject=gateway/gateway", key=self.operator).json["events"]
        self.assertEqual([event["type"] for event in events if event["subject"] == "gateway/gateway"], ["gateway_drain_set", "gateway_drain_lifted"])

    def test_one_that_is_away_is_said_to_be(self):
        self.platform.start_gateway("second")
        wait_until(lambda: self.gateway(name="second").json["state"] == "serving", "the second gateway")
        self.platform.freeze("second")
        try:
            wait_until(lambda: self.gateway(name="second").json["state"] == "away", "its silence", 60)
            drain = self.platform.cli("gateway", "drain", "second", key=self.operator, code=None)
            self.assertEqual(drain.code, 1)
            self.assertIn("has not reported of late", drain.err)
            rows = self.gateway("/routes", name="second").json["routes"]
            self.assertTrue(all("reported_at" not in row or row["in_table"] for row in rows))
        finally:
            self.platform.thaw("second")
        wait_until(lambda: self.gateway(name="second").json["state"] == "drained", "the drain when it is back", 60)
        self.assertEqual({row["name"] for row in self.platform.get_json("gateway", "list", key=self.operator)["gateways"]}, {"gateway", "second"})

    def test_counters_are_the_ledgers_sums_and_lines_name_their_trace(self):
        call = self.ask(headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"}).headers["x-penstock-call"]
        stream = Stream(self.url, self.platform.key(), "slow")
        stream.join(60)
        wait_until(lambda: {call, stream.call} <= {line["resource"].removeprefix("call/") for line in self.platform.bills()}, "both on the bill")

        lines = [line for line in self.platform.bills() if line["kind"] == "tokens"]
        for kind in ("input", "output"):
            billed = sum(item["quantity"] for line in lines for item in line["usage"] if item["meter"].startswith(kind))
            counted = self.metric(r'gen_ai_client_token_usage_sum\{organisation="' + self.organisation + r'",.*gen_ai_token_type="' + kind + r'"\}')
            self.assertEqual(counted, billed, kind)
        self.assertEqual(self.metric(r"gen_ai_server_time_per_output_token_seconds_count\{.*\}"),
                         sum(line["end_reason"] == "done" and line["name"] == "slow" for line in lines))
        by_call = {line["resource"].removeprefix("call/"): line for line in lines}
        self.assertEqual(by_call[call]["trace_id"], TRACE)
        self.assertRegex(by_call[stream.call]["trace_id"], r"^[0-9a-f]{32}$")
        self.assertEqual(self.platform.api("GET", f"/v1/generation?id={call}").json["data"]["trace_id"], TRACE)
        self.assertIn(TRACE, self.platform.cli("bill", "list", "-o", "wide").out)


if __name__ == "__main__":
    unittest.main()
