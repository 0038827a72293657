# SPDX-License-Identifier: Apache-2.0
"""A small engine behind the OpenAI protocol whose usage is known: as many words of input as were sent, 7 of output.
DELAY: seconds before each answer."""
import contextlib
import http.server
import json
import os
import threading
import time

WORDS = ["water", "falls", "and", "turns", "the", "wheel", "."]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "words", "object": "model", "created": 1, "owned_by": "test"}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(float(os.environ.get("DELAY", "0")))
        count = sum(len(message["content"].split()) for message in asked["messages"])
        usage = {"prompt_tokens": count, "completion_tokens": len(WORDS), "total_tokens": count + len(WORDS)}
        if asked.get("stream"):
            self.stream(usage)
            return
        message = {"role": "assistant", "content": " ".join(WORDS)}
        self.answer({"id": "c", "object": "chat.completion", "created": 1, "model": "words", "usage": usage,
                     "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    def stream(self, usage):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "words"}
        for number, word in enumerate(WORDS):
            delta = {"content": word + " "} | ({"role": "assistant"} if number == 0 else {})
            self.part(json.dumps(frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}))
        self.part(json.dumps(frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        self.part(json.dumps(frame | {"choices": [], "usage": usage}))
        self.part("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def part(self, text):
        data = f"data: {text}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def answer(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    """The engine in this process, for as long as the context lasts; gives its URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PENSTOCK_PORT"])), Handler)
    server.daemon_threads = True
    server.serve_forever()
