#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A slow first token is asked of a second engine; who loses is paid by the platform and not by the user."""
import contextlib
import http.client
import http.server
import json
import threading
import unittest
from urllib.parse import urlsplit

from platform_process import Platform, wait_until

PROMPT = "measure " * 1000  # 8,000 bytes: 1,333 tokens by the gateway's own count
CALLS_BEFORE = 60
SLOW_SECONDS_MAX = 60


class Engine(http.server.ThreadingHTTPServer):
    """Streams one word and its usage as soon as `gate` is open."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.gate = threading.Event()
        self.gate.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "test"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.gate.wait(SLOW_SECONDS_MAX)
        with contextlib.suppress(OSError):  # the gateway has cut a loser off
            self.frame({"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": None}]})
            self.frame({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self.frame({"choices": [], "usage": {"prompt_tokens": 1500, "completion_tokens": 1, "total_tokens": 1501}})
            self.part("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

    def frame(self, fields):
        self.part("data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"} | fields) + "\n\n")

    def part(self, text):
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Hedging(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(agent=False, roles=True, gateway_more=("--hedge",)))
        cls.engines = [Engine(), Engine()]
        for engine in cls.engines:
            cls.platform.cli("endpoint", "create", "--model", "m", "--url", engine.url, "--protocol", "openai", "--price-input", "1", "--price-output", "2")
        wait_until(cls.both_ready, "the routes")

    @classmethod
    def both_ready(cls):
        shown = cls.platform.api("GET", "/v1/models/m", url=cls.platform.gateway_url)
        return shown.status == 200 and sum(entry["replicas_ready"] for entry in shown.json["endpoints"]) == 2

    def ask(self):
        connection = http.client.HTTPConnection(urlsplit(self.platform.gateway_url).netloc, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "m", "stream": True, "max_tokens": 9,
                                                                           "messages": [{"role": "user", "content": PROMPT}]}),
                               {"Authorization": f"Bearer {self.platform.key()}"})
            answer = connection.getresponse()
            text = answer.read().decode()
        self.assertEqual((answer.status, "[DONE]" in text), (200, True), text)
        return answer.headers["x-penstock-endpoint"]

    def metrics(self):
        return self.platform.api("GET", "/metrics", url=self.platform.gateway_url).text

    def test_a_loser_is_paid_by_the_platform(self):
        endpoints = [self.ask() for _ in range(CALLS_BEFORE)]
        # All calls go where the prompt is known: that engine becomes slow.
        favourite = endpoints[-1]
        listed = {f"{entry['id']}": entry["url"] for entry in self.platform.get_json("endpoint", "list")["endpoints"]}
        slow = next(engine for engine in self.engines if listed[favourite] == engine.url)
        slow.gate.clear()
        self.addCleanup(slow.gate.set)

        winner = self.ask()

        self.assertFalse(slow.gate.is_set())
        self.assertNotEqual(winner, favourite)
        self.assertIn('penstock_gateway_hedges_total{won="yes"}', self.metrics())
        lost = wait_until(lambda: [line for line in self.platform.bills() if "paid by the platform" in line["end_reason"]], "the loser's line")
        line = lost[-1]
        self.assertEqual(float(line["charged"]), 0)
        self.assertGreater(float(line["provider_share"]), 0)
        self.assertEqual({item["meter"]: item["quantity"] for item in line["usage"]}["input_tokens"], len(PROMPT) // 6)
        self.assertTrue(self.platform.settlement()["balanced"])


if __name__ == "__main__":
    unittest.main()
