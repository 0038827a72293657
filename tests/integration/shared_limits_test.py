#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small limits at two gateways: what one of them does not use, the other has at once."""
import time
import unittest

from gateway_storm_test import Client, Gateways
from platform_process import wait_until

MINUTE = 60


class SharedLimits(unittest.TestCase):
    def setUp(self):
        self.gateways = Gateways(self, 2)
        self.gateways.serve("m", tokens=3)
        self.gateways.wait_for_routes()

    def client(self, name, **limits):
        answer = self.gateways.platform.api("POST", "/v1/keys", {"name": name, "scopes": ["tokens"], "limits": limits})
        self.assertEqual(answer.status, 201, answer.text)
        return Client(self.gateways.ports(), answer.json["key"], ["m"], 1, tokens=3)

    def test_one_call_at_a_time_by_turns(self):
        client = self.client("one", concurrency=1)
        for turn in range(20):
            port = self.gateways.ports()[turn % 2]
            self.assertEqual(client.call(port, stream=False), 200, f"call {turn}: {client.last}")

    def test_what_one_gateway_leaves_of_a_minute(self):
        client = self.client("minute", requests_per_minute=20)
        first, second = self.gateways.ports()
        wait_until(lambda: 11 < time.time() % MINUTE < 40, "a minute that has begun everywhere and does not end soon", 2 * MINUTE)
        self.assertEqual(client.call(first, stream=False), 200)
        statuses = [client.call(second, stream=False) for _ in range(20)]
        self.assertEqual(statuses, [200] * 19 + [429])


if __name__ == "__main__":
    unittest.main()
