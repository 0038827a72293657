#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What llama.cpp's own server tells of itself reaches the gateway's choice, and whoever looks at its routes."""
import json
import unittest

from platform_process import Platform, wait_until
from real_engine import MODEL, offer_real, real_engine


class EngineLoads(unittest.TestCase):
    def test_a_real_engine_tells_how_many_calls_wait(self):
        with Platform(agent=False, roles=True) as platform, real_engine() as url:
            def rows():
                answer = platform.api("GET", "/v1/gateways/gateway/routes", key=platform.key("operator"))
                return answer.json["routes"]

            offer_real(platform, url)
            wait_until(lambda: len(rows()) == 1 and "reported_at" in rows()[0], "the gateway's report")
            self.assertNotIn("engine_calls_waiting", rows()[0], "there is no choice: it is not asked")
            offer_real(platform, url)
            wait_until(lambda: [row.get("engine_calls_waiting") for row in rows()] == [0, 0], "what the engine tells")
            answer = platform.api("POST", "/v1/chat/completions", {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": "hello"}]},
                                  url=platform.gateway_url)
            self.assertEqual(answer.status, 200, json.dumps(answer.json))


if __name__ == "__main__":
    unittest.main()
