# SPDX-License-Identifier: Apache-2.0
"""Serves what train.py left, over the OpenAI protocol: goes on with the text it is given, a character a token.

Settings by environment: PENSTOCK_HOST and PENSTOCK_PORT (set by Penstock), MODEL_FILE, SERVED_MODEL.
"""
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

import transformer

MODEL_FILE = os.environ.get("MODEL_FILE", "in/model.npz")
MODEL_NAME = os.environ.get("SERVED_MODEL", "licence-writer")
TOKENS_DEFAULT, TOKENS_MAX, BODY_MAX = 64, 512, 1 << 20


class Model:
    def __init__(self, path):
        stored = np.load(path)
        self.vocabulary = stored["vocabulary"]
        self.parameters = {name: stored[name] for name in stored.files if name != "vocabulary"}
        self.shape = transformer.Shape(vocabulary=len(self.vocabulary))

    def encode(self, text):
        """Bytes that the corpus did not have are left out: the model knows no token for them."""
        known = [byte for byte in text.encode() if byte in self.vocabulary]
        return [int(index) for index in np.searchsorted(self.vocabulary, known)]

    def go_on(self, tokens, temperature, random):
        while True:
            window = np.array([tokens[-self.shape.context:]])
            logits = transformer.forward(self.parameters, self.shape, window)[0][0, -1]
            if temperature > 0:
                token = int(random.choice(len(logits), p=transformer.softmax(logits.astype(np.float64) / temperature)))
            else:
                token = int(logits.argmax())
            tokens.append(token)
            yield chr(self.vocabulary[token])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"status": "ok"})
        if self.path == "/v1/models":
            return self.answer(200, {"object": "list", "data": [{"id": MODEL_NAME, "object": "model"}]})
        self.answer(404, {"error": {"message": f"no {self.path}"}})

    def do_POST(self):
        size = int(self.headers.get("Content-Length", "0"))
        if self.path != "/v1/chat/completions" or size > BODY_MAX:
            return self.answer(404, {"error": {"message": f"no {self.path}"}})
        asked = json.loads(self.rfile.read(size))
        prompt = self.server.model.encode("\n".join(str(message.get("content", "")) for message in asked["messages"]))
        wanted = min(int(asked.get("max_tokens") or asked.get("max_completion_tokens") or TOKENS_DEFAULT), TOKENS_MAX)
        pieces = self.server.model.go_on(prompt or [0], float(asked.get("temperature", 0)), np.random.default_rng(asked.get("seed", 0)))
        usage = {"prompt_tokens": len(prompt), "completion_tokens": wanted, "total_tokens": len(prompt) + wanted}
        head = {"id": f"chatcmpl-{time.time_ns():x}", "created": int(time.time()), "model": MODEL_NAME}
        if asked.get("stream"):
            return self.stream(head, asked, (next(pieces) for _ in range(wanted)), usage)
        message = {"role": "assistant", "content": "".join(next(pieces) for _ in range(wanted))}
        self.answer(200, head | {"object": "chat.completion", "usage": usage,
                                 "choices": [{"index": 0, "message": message, "finish_reason": "length"}]})

    def stream(self, head, asked, pieces, usage):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

        def send(choices, **more):
            self.wfile.write(b"data: " + json.dumps(head | {"object": "chat.completion.chunk", "choices": choices} | more).encode() + b"\n\n")

        for piece in pieces:
            send([{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
        send([{"index": 0, "delta": {}, "finish_reason": "length"}])
        if (asked.get("stream_options") or {}).get("include_usage"):
            send([], usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")


def main():
    if not os.path.exists(MODEL_FILE):
        sys.exit(f"serve: {MODEL_FILE} is missing; run train.py first and point MODEL_FILE at its out/model.npz")
    server = ThreadingHTTPServer((os.environ.get("PENSTOCK_HOST", "127.0.0.1"), int(os.environ.get("PENSTOCK_PORT", "8080"))), Handler)
    server.model = Model(MODEL_FILE)
    print(f"serve: {MODEL_NAME} at {server.server_address[0]}:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
