#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tests of batches share: an engine that counts words and can be held, and what a test says to a platform."""
import contextlib
import http.server
import json
import threading
import uuid

from platform_process import wait_until

WORDS = ["water", "falls"]


class Engine:
    """Counts words. Messages that begin with "hold" wait for `gate`; "bad" is refused; "flaky" fails at its first try."""

    def __init__(self):
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.gate.set()
        self.delay, self.asked, self.seen, self.inside, self.most = 0.0, [], set(), 0, 0
        engine = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(200, {"object": "list", "data": [{"id": "words", "object": "model"}]})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    status, document = engine.answer_to(self.path, asked)
                    if status == 200 and asked.get("stream"):
                        self.stream(document)
                    else:
                        self.answer(status, document)

            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def stream(self, document):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "words"}
                frames = [head | {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]} for word in (WORDS[0], " " + WORDS[1])]
                frames.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                frames.append(head | {"choices": [], "usage": document["usage"]})
                for text in [*map(json.dumps, frames), "[DONE]"]:
                    data = f"data: {text}\n\n".encode()
                    self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer_to(self, path, asked):
        if path == "/v1/embeddings":
            with self.lock:
                self.asked.append(asked["input"])
            return 200, {"object": "list", "model": "words", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                         "usage": {"prompt_tokens": len(asked["input"].split()), "total_tokens": len(asked["input"].split())}}
        if not isinstance(asked["messages"], list):
            return 400, {"error": {"message": "messages: expected a list", "type": "invalid_request_error"}}
        text = asked["messages"][-1]["content"]
        with self.lock:
            first = text not in self.seen
            self.seen.add(text)
            self.asked.append(text)
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            if text.startswith("hold"):
                self.gate.wait(60)
            if self.delay:
                threading.Event().wait(self.delay)
            if text.startswith("flaky") and first:
                return 500, {"error": {"message": "a fault", "type": "server_error"}}
        finally:
            with self.lock:
                self.inside -= 1
        count = sum(len(message["content"].split()) for message in asked["messages"])
        usage = {"prompt_tokens": count, "completion_tokens": len(WORDS), "total_tokens": count + len(WORDS)}
        message = {"role": "assistant", "content": " ".join(WORDS)}
        return 200, {"id": "c", "object": "chat.completion", "created": 1, "model": "words", "usage": usage,
                     "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


def line(custom_id, text, **body):
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "words", "messages": [{"role": "user", "content": text}], "max_tokens": 20} | body}


class Batched:
    """What a test says to a platform whose gateway is a process of its own."""

    def __init__(self, platform, url=None):
        self.platform, self.url = platform, url

    def api(self, method, path, body=None, **options):
        return self.platform.api(method, path, body, url=self.url or self.platform.gateway_url, **options)

    def upload(self, lines, key=None):
        boundary = uuid.uuid4().hex
        text = "\n".join(json.dumps(one) for one in lines)
        form = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
                       for name, more, value in (("purpose", "", "batch"), ("file", '; filename="lines.jsonl"', text))) + f"--{boundary}--\r\n"
        answer = self.api("POST", "/v1/files", form.encode(), key=key, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
        assert answer.status == 200, answer.text
        return answer.json["id"]

    def create(self, lines, endpoint="/v1/chat/completions", key=None, window="24h"):
        body = {"input_file_id": self.upload(lines, key), "endpoint": endpoint, "completion_window": window}
        answer = self.api("POST", "/v1/batches", body, key=key)
        assert answer.status == 200, answer.text
        return answer.json["id"]

    def get(self, batch):
        return self.api("GET", f"/v1/batches/{batch}").json

    def wait_for(self, batch, *states):
        def there():
            with contextlib.suppress(OSError):  # a process that is away for now
                found = self.get(batch)
                return found if found.get("status") in states else None

        return wait_until(there, f"{batch} to be {states}")

    def explain(self, batch, key=None):
        return self.api("GET", f"/v1/batches/{batch}:explain", key=key).json

    def lines_of(self, file):
        return [json.loads(text) for text in self.api("GET", f"/v1/files/{file}/content").text.splitlines()]

    def bills_of(self, batch):
        return [bill for bill in self.platform.bills() if (bill.get("batch_line") or "").startswith(batch + "/")]


def offer(platform, engine, model="words", *more):
    platform.cli("endpoint", "create", "--model", model, "--url", engine.url, "--protocol", "openai", "--price-input", "1", "--price-output", "2",
                 "--upstream-model", "words", "--batch-percent", "50", *more)
