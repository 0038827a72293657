#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway is replaced by a newer process while clients call it: no request is refused, cut or lost, and each is on the bill once."""
import contextlib
import http.client
import json
import os
import subprocess
import threading
import unittest
from urllib.parse import urlsplit

from platform_process import Platform, wait_until

TOKENS = 20
REPLACEMENTS = 3
CALLS_BETWEEN = 2  # of each client, between two replacements
ENDS_WITHIN = 60


@contextlib.contextmanager
def engine(*words):
    process = subprocess.Popen([os.environ["MOCK_ENGINE"], "--tokens", str(TOKENS), *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


class Client(threading.Thread):
    """Calls until it is told to stop: on one connection, as long as the gateway keeps it, or on a new one for each."""

    def __init__(self, test, streams, renews=False):
        super().__init__(daemon=True)
        self.test, self.streams, self.renews, self.stopping, self.calls, self.problems = test, streams, renews, False, [], []
        self.start()

    def run(self):
        connection = http.client.HTTPConnection(urlsplit(self.test.url).netloc, timeout=60)
        body = json.dumps({"model": "paced" if self.streams else "fast", "max_tokens": TOKENS, "stream": self.streams,
                           "messages": [{"role": "user", "content": "hello"}]})
        while not self.stopping:
            try:
                connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {self.test.key}"})
                answer = connection.getresponse()
                text = answer.read().decode()
                whole = "[DONE]" in text if self.streams else "choices" in text
                if answer.status != 200 or not whole:
                    self.problems.append((answer.status, text[-300:]))
                else:
                    self.calls.append(answer.headers["x-penstock-call"])
                if self.renews:
                    connection.close()
            except (OSError, http.client.HTTPException) as problem:
                self.problems.append(repr(problem))
                connection.close()
        connection.close()


class Handover(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False, roles=True, credit="1000.00"))
        cls.key = cls.platform.key()
        cls.url = cls.platform.gateway_url
        for model, words in (("fast", ("--delay", "10ms")), ("paced", ("--gap", "40ms"))):
            url = cls.enterClassContext(engine("--model", model, *words))
            cls.platform.cli("endpoint", "create", "--model", model, "--url", url, "--protocol", "openai", "--price-input", "1", "--price-output", "2")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models", url=cls.url).json["data"]) == 2, "the routes")
        cls.serving, cls.replaced = cls.platform.running["gateway"], 0

    def launch(self, name, *words):
        return self.platform.launch(name, "gateway", "--listen", f"127.0.0.1:{self.platform.gateway_port}", "--server", self.platform.url, "--key-file",
                                    self.platform.state / "gateway.key", "--state-dir", self.platform.folder / "gateway", "--replica", "gateway", *words)

    @staticmethod
    def wait_for_calls(clients):
        before = [len(client.calls) for client in clients]
        wait_until(lambda: any(client.problems for client in clients) or
                   all(len(client.calls) >= count + CALLS_BETWEEN for client, count in zip(clients, before, strict=True)), "every client's next calls")

    def replace_under(self, clients):
        """The gateway, REPLACEMENTS times."""
        for _ in range(REPLACEMENTS):
            self.wait_for_calls(clients)
            older = type(self).serving
            type(self).replaced += 1
            newer = self.launch(f"newer-{self.replaced}", "--take-over")
            newer.wait_for(r"gateway at (http://[^\s,]+)", newer.offset)
            self.assertEqual(older.process.wait(ENDS_WITHIN), 0, older.log.read_text())
            type(self).serving = newer
        self.wait_for_calls(clients)

    def test_no_request_is_lost(self):
        self.check_that_none_is_lost((False, False, False, True, True, True))

    def test_no_new_connection_is_refused(self):
        self.check_that_none_is_lost((False, False, False, False, True, True), renews=True)

    def check_that_none_is_lost(self, kinds, renews=False):
        billed_before = {line["resource"] for line in self.platform.bills()}
        clients = [Client(self, streams, renews) for streams in kinds]
        self.replace_under(clients)
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join()

        self.assertEqual([client.problems for client in clients], [[] for _ in clients])
        calls = [call for client in clients for call in client.calls]
        self.assertGreater(len(calls), 100)
        self.assertTrue(all(client.calls for client in clients))
        self.assertEqual(len(set(calls)), len(calls))

        def billed():
            lines = [line for line in self.platform.bills() if line["kind"] == "tokens" and line["resource"] not in billed_before]
            return lines if len(lines) >= len(calls) else None
        lines = wait_until(billed, "all calls on the bill")
        self.assertEqual(sorted(line["resource"].removeprefix("call/") for line in lines), sorted(calls))
        self.assertTrue(all({item["meter"]: item["quantity"] for item in line["usage"]}["output_tokens"] == TOKENS for line in lines))

    def test_one_that_cannot_serve_changes_nothing(self):
        broken = self.platform.launch("broken", "gateway", "--listen", f"127.0.0.1:{self.platform.gateway_port}", "--server", "http://127.0.0.1:1", "--key-file",
                                      self.platform.state / "gateway.key", "--state-dir", self.platform.folder / "gateway", "--take-over")
        self.addCleanup(broken.kill)
        broken.wait_for("(routes cannot be fetched)", broken.offset)
        broken.kill()
        answer = self.platform.api("POST", "/v1/chat/completions", {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}, url=self.url)
        self.assertEqual(answer.status, 200, answer.text)

    def test_two_with_one_state_folder_are_refused_unless_one_takes_over(self):
        second = self.launch("second")
        self.assertNotEqual(second.process.wait(ENDS_WITHIN), 0)
        self.assertIn("another", second.log.read_text())


if __name__ == "__main__":
    unittest.main()
