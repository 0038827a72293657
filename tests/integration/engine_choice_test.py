#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway knows of engines beyond its own calls: what llama.cpp's server tells of itself, and where sites are; and what of the server it passes on."""
import json
import unittest

from platform_process import Platform, wait_until
from real_engine import MODEL, offer_real, real_engine


def ask(platform, **more):
    body = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]} | more
    return platform.api("POST", "/v1/chat/completions", body, url=platform.gateway_url)


class EngineChoice(unittest.TestCase):
    def test_a_real_engine_tells_how_many_calls_wait(self):
        with Platform(agent=False, roles=True) as platform, real_engine() as url:
            def rows():
                return platform.api("GET", "/v1/gateways/gateway/routes", key=platform.key("operator")).json["routes"]

            offer_real(platform, url)
            wait_until(lambda: len(rows()) == 1 and "reported_at" in rows()[0], "the gateway's report")
            self.assertNotIn("engine_calls_waiting", rows()[0], "there is no choice: it is not asked")
            offer_real(platform, url)
            wait_until(lambda: [row.get("engine_calls_waiting") for row in rows()] == [0, 0], "what the engine tells")
            answer = ask(platform)
            self.assertEqual(answer.status, 200, json.dumps(answer.json))

    def test_a_call_may_say_in_which_region(self):
        with Platform(agent=False, roles=True) as platform, real_engine() as url:
            site = platform.folder / "lab.yaml"
            site.write_text("name: lab\nregion: cn-hubei\ndivision_code: '420100'\nrtt_ms: 12\n")
            platform.cli("site", "create", "-f", str(site))
            offer_real(platform, url, "--site", "lab")
            self.assertEqual(ask(platform, provider={"regions": ["cn-hubei"]}).status, 200)
            refused = ask(platform, provider={"regions": ["cn-beijing"]})
            self.assertEqual(refused.status, 400, json.dumps(refused.json))
            listed = platform.api("GET", f"/v1/models/{MODEL}", url=platform.gateway_url).json
            self.assertIn('"region": "cn-hubei"', json.dumps(listed))
            # A site that moves is another one for the next call.
            site.write_text(site.read_text().replace("cn-hubei", "cn-beijing"))
            platform.cli("site", "update", "lab", "-f", str(site))
            wait_until(lambda: ask(platform, provider={"regions": ["cn-beijing"]}).status == 200, "the route table")

    def test_a_client_of_the_gateway_sees_its_key_its_credits_and_its_call(self):
        with Platform(agent=False, roles=True, credit="100.00") as platform, real_engine() as url:
            offer_real(platform, url)
            answer = ask(platform)
            self.assertEqual(answer.status, 200, json.dumps(answer.json))
            call = answer.headers["x-penstock-call"]
            wait_until(lambda: platform.api("GET", f"/v1/generation?id={call}", url=platform.gateway_url).status == 200, "the bill line")
            own = platform.api("GET", "/v1/key", url=platform.gateway_url).json["data"]
            self.assertEqual(own, platform.api("GET", "/v1/key").json["data"], "nothing changes any more")
            self.assertEqual(platform.api("GET", "/v1/credits", url=platform.gateway_url).json["data"]["total_credits"], "100.00")
            self.assertEqual(platform.api("GET", "/v1/key", url=platform.gateway_url, key="sk-nobody").status, 401)


if __name__ == "__main__":
    unittest.main()
