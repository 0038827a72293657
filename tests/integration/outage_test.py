#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server is away for more than an hour: gateways serve on over a period's end, a kill -9 and a hand-over, and nothing is lost or spent twice.

The clocks of server and gateways are shifted together; the server is killed and comes back with its clock where theirs is.
"""
import datetime
import struct
import tempfile
import threading
import time
import unittest
from decimal import Decimal
from pathlib import Path

from clock import CLOCK_SHIFT, Clock
from gateway_storm_test import Client, Gateways, exact
from platform_process import wait_until

MINUTE = 60
DAY = 24 * 60 * MINUTE
BEFORE_MIDNIGHT = 20 * MINUTE  # when the server goes away
BUDGET = Decimal("1.00")
OPEN_CALLS = 4


class Outage(unittest.TestCase):
    def setUp(self):
        self.clock = Path(self.enterContext(tempfile.TemporaryDirectory())) / "clock"
        self.start_of_test = int(DAY - BEFORE_MIDNIGHT - time.time() % DAY) % DAY
        self.shift(0)
        self.shifted = {"LD_PRELOAD": str(CLOCK_SHIFT), "PENSTOCK_CLOCK_SHIFT": str(self.clock)}
        self.gateways = Gateways(self, 1, credit="1000.00")
        self.platform = self.gateways.platform
        self.platform.stop("gateway")
        self.platform.stop("server")
        self.start_server()
        self.names = self.gateways.names = ["gateway", "second"]
        for name in self.names:
            self.platform.start_gateway(name, self.shifted)
        self.gateways.serve("m", "--gap", "2ms")
        self.gateways.wait_for_routes()
        self.daily = self.gateways.key("--budget", str(BUDGET), "--budget-period", "day")
        self.clients = [Client(self.gateways.ports(), key, "m", number) for number, key in enumerate((self.platform.key(), self.daily))]

    def start_server(self):
        """Under its port, with the shifted clock."""
        server = self.platform.launch("server", "server", "--listen", f"127.0.0.1:{self.platform.port}", "--state-dir", self.platform.state, "--credit",
                                      self.platform.credit, environment=self.shifted)
        server.wait_for(r"server at (http://[^\s,]+)", server.offset)

    def shift(self, minutes):
        """Of all clocks, after the moment at which the test begins: 20 minutes before midnight."""
        data = struct.pack("<q", self.start_of_test + minutes * MINUTE)
        if not self.clock.exists():
            self.clock.write_bytes(data)
        with open(self.clock, "r+b") as file:
            file.write(data)

    def today(self):
        return datetime.datetime.fromtimestamp(time.time() + self.start_of_test + self.minutes * MINUTE, datetime.UTC).date()

    def snapshot(self, name, spool="spool"):
        return self.platform.folder / name / f"{spool}.snapshot"

    def call_everywhere(self, times=2):
        """What was not served, by gateway and client."""
        calls = [(number, client, port) for _ in range(times) for port in self.gateways.ports() for number, client in enumerate(self.clients)]
        return [(port, number, client.last) for number, client, port in calls if client.call(port) != 200]

    def check_served(self, minutes):
        self.minutes = minutes
        self.shift(minutes)
        self.assertEqual(self.call_everywhere(), [], f"after {minutes} minutes")

    def kill_in_the_middle(self, name):
        """kill -9 while streams run: their clients get nothing more, and are charged nothing."""
        port = self.platform.gateway_ports[name]
        cut = [Client([port], self.clients[0].key, "slow", number) for number in range(OPEN_CALLS)]
        running = [threading.Thread(target=client.call, args=(port, True)) for client in cut]
        for thread in running:
            thread.start()
        for client in cut:
            self.assertTrue(client.answering.wait(MINUTE))
        self.platform.kill(name)
        for thread in running:
            thread.join()
        self.assertEqual([client.calls for client in cut], [{}] * OPEN_CALLS)
        self.platform.start_gateway(name, self.shifted)
        self.gateways.wait_for_routes()

    def take_over(self, name):
        """A newer process goes on where this one serves, which ends."""
        older = self.platform.running[name]
        newer = self.platform.launch(name, "gateway", "--listen", f"127.0.0.1:{self.platform.gateway_ports[name]}", "--server", self.platform.url, "--key-file",
                                     self.platform.state / "gateway.key", "--state-dir", self.platform.folder / name, "--replica", name, "--take-over",
                                     environment=self.shifted)
        newer.wait_for(r"gateway at (http://[^\s,]+)", newer.offset)
        self.assertEqual(self.call_everywhere(), [], "at once")
        self.assertEqual(older.process.wait(MINUTE), 0)

    def check_end(self):
        platform = self.platform
        for name in self.names:
            platform.stop(name)
        calls = {call: usage for client in self.clients for call, usage in client.calls.items()}
        lines = self.gateways.settled_lines(calls)
        told = {line["resource"].removeprefix("call/"): line for line in lines}
        self.assertLessEqual(set(calls), set(told), "a call is not on the bill")
        for call in set(told) - set(calls):
            self.assertIn("gateway_crash", told[call]["end_reason"], told[call])
            self.assertEqual(Decimal(told[call]["charged"]), 0)
        total = sum(Decimal(item["exact_amount"]) for line in lines for item in line["usage"])
        self.assertEqual(total, sum(map(exact, calls.values())))
        wallet = platform.get_json("wallet", "get")
        self.assertEqual(Decimal(wallet["spent"]), sum(Decimal(line["charged"]) for line in lines))
        self.assertEqual(Decimal(wallet["held"]), 0, "a hold or a lease is left")
        use = platform.api("GET", "/v1/keys/k4/usage").json
        self.assertEqual([limit["reserved"] for limit in use["limits"]], ["0"] * len(use["limits"]))
        self.assertEqual(Decimal(use["spending"]["total"]), sum(map(exact, self.clients[1].calls.values())))
        settlement = platform.settlement()
        self.assertTrue(settlement["balanced"])
        self.assertEqual(settlement["total_debits"], settlement["total_credits"])
        self.assertEqual([path.name for name in self.names for path in (platform.folder / name).glob("*.snapshot")], [])

    def test_an_hour_without_the_server(self):
        self.gateways.serve("slow", "--gap", "50ms")
        self.gateways.wait_for_routes()
        self.check_served(0)
        wait_until(lambda: self.next_day_is_held(), "parts of tomorrow's budget")
        self.platform.kill("server")
        wait_until(lambda: all(self.snapshot(name).exists() for name in self.names), "the snapshots")
        self.check_served(5)
        self.kill_in_the_middle("gateway")
        self.check_served(15)
        today = self.today()
        self.check_served(25)
        self.assertNotEqual(self.today(), today)
        self.take_over("second")
        wait_until(lambda: not self.snapshot("second").exists(), "the older process's part to be taken")
        self.check_served(45)
        self.platform.kill("gateway")
        self.platform.start_gateway("gateway", self.shifted)
        self.gateways.wait_for_routes()
        self.check_served(62)
        self.start_server()
        wait_until(lambda: not list(self.platform.folder.glob("*/*.snapshot")), "the gateways to hear the server")
        self.gateways.wait_for_routes()
        self.assertEqual(self.call_everywhere(), [])
        wait_until(lambda: all(lease["replica"] == "second~2" for lease in self.leases("second")), "the older process's leases to be ended")
        self.check_end()

    def next_day_is_held(self):
        """A key's calls go on while its gateways fetch a part of the period that begins soon."""
        self.call_everywhere(1)
        return all(self.held_ahead(name) for name in self.names)

    def held_ahead(self, name):
        return len({lease["account"]["period_start"] for lease in self.leases(name) if lease["account"]["measure"] == "budget"}) == 2

    def leases(self, name):
        return self.platform.api("GET", f"/v1/gateways/{name}/leases").json["leases"]


class SlowTenant(unittest.TestCase):
    """Calls 40 s apart; between them a gateway gives back what the tenant does not need."""

    APART = 40
    HOUR = 60 * MINUTE

    def test_an_hour_without_the_server_at_its_own_pace(self):
        clock = Clock(self.enterContext)
        gateways = Gateways(self, 1, credit="1000.00")
        platform = gateways.platform
        for name in ("gateway", "server"):
            platform.stop(name)
        platform.start_server(clock.environment)
        platform.start_gateway("gateway", clock.environment)
        gateways.serve("m")
        gateways.wait_for_routes()
        client = Client(gateways.ports(), platform.key(), ["m"], 1)
        self.seconds = 0

        def call_and_pass():
            self.assertEqual(client.call(stream=False), 200, f"{client.last} after {self.seconds} s")
            self.seconds += self.APART
            clock.shift(self.seconds)

        def gave_back():
            """Since the clock was moved: what the server counts as taken is little."""
            leases = platform.api("GET", "/v1/gateways/gateway/leases", key=platform.key("operator")).json["leases"]
            now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.seconds)
            taken = sum(Decimal(lease["granted"]) - Decimal(lease["returned"]) - Decimal(lease["settled"]) for lease in leases)
            renewed = [datetime.datetime.fromisoformat(lease["expires_at"]) - now for lease in leases]
            return taken < Decimal("0.9") and all(left > datetime.timedelta(minutes=74, seconds=30) for left in renewed)

        for _ in range(4):
            call_and_pass()
            wait_until(gave_back, "what is not needed to be given back")
        platform.kill("server")
        for _ in range(self.HOUR // self.APART):
            call_and_pass()


if __name__ == "__main__":
    unittest.main()
