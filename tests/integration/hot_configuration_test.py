#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keys, limits, endpoints, prices and routing settings change under a running gateway: each reaches it within seconds, and no call is lost."""
import http.client
import json
import threading
import unittest
from urllib.parse import urlsplit

from handover_test import TOKENS, Client, engine
from platform_process import Platform, wait_until

REACHES_WITHIN = 10  # seconds; a gateway asks again by itself only after a minute
CLIENTS = (False, False, False, True, True, True)


class Stream(threading.Thread):
    """One stream, held open by its engine until the end of the test that made it."""

    def __init__(self, url, key, model):
        super().__init__(daemon=True)
        self.url, self.key, self.model, self.begun, self.text, self.call = url, key, model, threading.Event(), "", ""
        self.start()

    def run(self):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        body = {"model": self.model, "max_tokens": TOKENS, "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        self.call = answer.headers.get("x-penstock-call", "")
        self.text = answer.read(1).decode()
        self.begun.set()
        self.text += answer.read().decode()
        connection.close()


class HotConfiguration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False, roles=True, credit="1000.00"))
        cls.key, cls.url = cls.platform.key(), cls.platform.gateway_url
        cls.who = cls.platform.api("GET", "/v1/whoami").json
        cls.endpoints = {}
        for model, words in (("fast", ()), ("paced", ("--gap", "40ms")), ("slow", ("--gap", "200ms"))):
            cls.endpoints[model] = cls.add_endpoint(model, *words)
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models", url=cls.url).json["data"]) == 3, "the routes")

    @classmethod
    def add_endpoint(cls, model, *words):
        url = cls.enterClassContext(engine("--model", model, *words))
        return cls.platform.get_json("endpoint", "create", "--model", model, "--url", url, "--protocol", "openai", "--price-input", "1",
                                     "--price-output", "2")["id"]

    def ask(self, model="fast", key=None, **more):
        body = {"model": model, "max_tokens": TOKENS, "messages": [{"role": "user", "content": "hello"}]} | more
        return self.platform.api("POST", "/v1/chat/completions", body, key=key or self.key, url=self.url)

    def patch(self, path, body, key=None):
        answer = self.platform.api("PATCH", path, body, key=key)
        self.assertEqual(answer.status, 200, answer.text)

    def reaches(self, condition, what):
        wait_until(condition, what, REACHES_WITHIN)

    def make_key(self, name, **limits):
        answer = self.platform.api("POST", "/v1/keys", {"name": name, "scopes": ["tokens"], "limits": limits})
        self.assertEqual(answer.status, 201, answer.text)
        return answer.json["id"], answer.json["key"]

    def change_key_limits(self):
        key_id, key = self.make_key("limited", requests_per_minute=1000)
        self.assertEqual(self.ask(key=key).headers["x-ratelimit-limit-requests"], "1000")
        self.patch(f"/v1/keys/{key_id}", {"limits": {"requests_per_minute": 2000}})
        self.reaches(lambda: self.ask(key=key).headers["x-ratelimit-limit-requests"] == "2000", "the higher limit")
        self.patch(f"/v1/keys/{key_id}", {"limits": {"models": ["paced"]}})
        self.reaches(lambda: self.ask(key=key).status == 403, "the list of models")
        self.patch(f"/v1/keys/{key_id}", {"limits": {}})
        self.reaches(lambda: self.ask(key=key).status == 200, "no list any more")

    def change_limits_above_keys(self):
        project, organisation = self.who["project_id"], self.who["organisation_id"]
        for path, name in ((f"/v1/projects/{project}", "project"), (f"/v1/organisations/{organisation}", "organisation")):
            self.assertNotIn("x-ratelimit-limit-requests", self.ask().headers)
            self.patch(path, {"limits": {"requests_per_minute": 100_000, "concurrency": 1000}})
            self.reaches(lambda: self.ask().headers.get("x-ratelimit-limit-requests") == "100000", f"the {name}'s limit")
            self.patch(path, {"limits": {}})
            self.reaches(lambda: "x-ratelimit-limit-requests" not in self.ask().headers, f"no limit of the {name}")

    def change_prices(self):
        before = float(self.ask().headers["x-penstock-cost"])
        self.patch(f"/v1/endpoints/{self.endpoints['fast']}", {"price_input": "2", "price_output": "4"})
        self.reaches(lambda: float(self.ask().headers["x-penstock-cost"]) == 2 * before, "the price")

    def change_routing(self):
        zdr = {"provider": {"zdr": True}}
        self.assertNotEqual(self.ask(**zdr).status, 200)
        self.patch(f"/v1/endpoints/{self.endpoints['fast']}", {"data_policy": "zero_retention"})
        self.reaches(lambda: self.ask(**zdr).status == 200, "the data policy")

    def replace_endpoints(self):
        for model, words in (("fast", ()), ("paced", ("--gap", "40ms"))):
            older, newer = self.endpoints[model], self.add_endpoint(model, *words)
            self.reaches(lambda: self.ask(model).headers["x-penstock-endpoint"] == newer, f"the newer engine of {model}")
            self.platform.cli("endpoint", "delete", older)
            self.reaches(lambda: {self.ask(model).headers["x-penstock-endpoint"] for _ in range(5)} == {newer}, f"the end of the older engine of {model}")

    def delete_a_key_in_use(self):
        key_id, key = self.make_key("short")
        stream = Stream(self.url, key, "slow")
        self.assertTrue(stream.begun.wait(REACHES_WITHIN))
        self.assertEqual(self.platform.api("DELETE", f"/v1/keys/{key_id}").status, 204)
        self.reaches(lambda: self.ask(key=key).status == 401, "the end of the key")
        stream.join(60)
        self.assertIn("[DONE]", stream.text, "what it had begun is finished")
        return stream.call

    def test_no_call_is_lost(self):
        clients = [Client(self, streams) for streams in CLIENTS]
        self.change_key_limits()
        self.change_limits_above_keys()
        self.change_prices()
        self.change_routing()
        self.replace_endpoints()
        cut_short = self.delete_a_key_in_use()
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join()

        self.assertEqual([client.problems for client in clients], [[] for _ in clients])
        calls = {call for client in clients for call in client.calls} | {cut_short}
        self.assertTrue(all(client.calls for client in clients))

        def billed():
            lines = {line["resource"].removeprefix("call/"): line for line in self.platform.bills() if line["kind"] == "tokens"}
            return lines if calls <= lines.keys() else None
        lines = wait_until(billed, "all calls on the bill")
        self.assertTrue(all({item["meter"]: item["quantity"] for item in lines[call]["usage"]}["output_tokens"] == TOKENS for call in calls))


if __name__ == "__main__":
    unittest.main()
