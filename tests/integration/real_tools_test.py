#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tools that a real engine's model decides to call, through the clients of others and a coding agent; and the bill that follows."""
import sys
import unittest

from platform_process import ROOT, Platform, wait_until
from real_engine import TOOL_CALLS, offer_real, real_engine
from token_apis_test import CLIENTS, run_client

TOOL_CLIENTS = {"python": [sys.executable, ROOT / "tests/clients/tools_python_test.py"],
                "node": ["node", "--test", ROOT / "tests/clients/node/tools_node_test.mjs"], "agent": CLIENTS["qwen-agent"]}


class RealTools(unittest.TestCase):
    """llama.cpp's own server, whose model is asked with tools: it decides to call one, its grammar shapes the arguments, and it tells what the tool said."""

    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False))
        url = cls.enterClassContext(real_engine(CHAT_TEMPLATE=TOOL_CALLS, SLOTS=1, CONTEXT_PER_SLOT=4096))
        for protocol in ("openai", "anthropic"):
            offer_real(cls.platform, url, protocol=protocol, model=protocol)

    def check(self, client, model):
        before = self.platform.api("GET", "/v1/bills").json["total"]
        run_client(self, self.platform, TOOL_CLIENTS[client], model, DECIDES_ON_TOOLS="1", CALLS_TOOLS="0")
        lines = wait_until(lambda: (lines := self.platform.bills())[before:] and lines, "the bill lines")
        self.assertEqual({(line["basis"], line["end_reason"]) for line in lines}, {("upstream", "done")})

    def test_round_trips_of_python_clients(self):
        self.check("python", "openai")

    def test_round_trips_of_node_clients(self):
        self.check("node", "openai")

    def test_the_session_of_a_coding_agent(self):
        """Whatever this small model makes of it."""
        self.check("agent", "openai")

    def test_round_trips_of_node_clients_before_its_other_api(self):
        self.check("node", "anthropic")


if __name__ == "__main__":
    unittest.main()
