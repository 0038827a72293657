# SPDX-License-Identifier: Apache-2.0
"""Engines of three protocols whose answers and usage are known: `with Engine("anthropic") as engine: engine.url`.

Each speaks only its own protocol and refuses what is not in it. It calls the tool that it is offered, once, and repeats what the tool said; else it
says WORDS, up to the bound. Usage: as many input tokens as words came, one output token for each word (2 for a call).
"""
import contextlib
import http.server
import json
import threading

WORDS = ["water", "falls", "and", "turns", "the", "wheel", "."]
ARGUMENTS = {"city": "Ulm"}


class Refused(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Refused(what)


class OpenAi:
    path, models = "/v1/chat/completions", {"object": "list", "data": [{"id": "words", "object": "model", "created": 1, "owned_by": "test"}]}
    models_path = "/v1/models"

    @staticmethod
    def read(asked):
        need({message["role"] for message in asked["messages"]} <= {"system", "developer", "user", "assistant", "tool"}, "a role is unknown")
        for message in asked["messages"]:
            need(isinstance(message.get("content"), (str, list, type(None))), "content is no text")
            for call in message.get("tool_calls", []):
                json.loads(call["function"]["arguments"])
        results = [message["content"] for message in asked["messages"] if message["role"] == "tool"]
        tools = [tool["function"]["name"] for tool in asked.get("tools", [])]
        return json.dumps(asked["messages"]), tools, results, asked.get("max_completion_tokens") or asked.get("max_tokens"), asked.get("stream")

    @staticmethod
    def usage(given, made):
        return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}

    def whole(self, words, call, finish, given, made):
        message = {"role": "assistant", "content": None if call else " ".join(words)}
        if call:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": call, "arguments": json.dumps(ARGUMENTS)}}]
        return {"id": "c", "object": "chat.completion", "created": 1, "model": "words", "usage": self.usage(given, made),
                "choices": [{"index": 0, "message": message, "finish_reason": {"tool": "tool_calls"}.get(finish, finish)}]}

    def stream(self, words, call, finish, given, made):
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "words"}

        def chunk(delta, reason=None):
            return "data: " + json.dumps(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}) + "\n\n"

        yield chunk({"role": "assistant", "content": ""})
        for number, word in enumerate(words):
            yield chunk({"content": (" " if number else "") + word})
        if call:
            yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": call, "arguments": ""}}]})
            for piece in ('{"ci', 'ty": "U', 'lm"}'):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, {"tool": "tool_calls"}.get(finish, finish))
        yield "data: " + json.dumps(head | {"choices": [], "usage": self.usage(given, made)}) + "\n\n"
        yield "data: [DONE]\n\n"


class Anthropic:
    path, models_path, models = "/v1/messages", "/v1/models", {"data": [{"id": "words", "type": "model"}], "has_more": False}

    @staticmethod
    def read(asked):
        need(asked.get("max_tokens", 0) > 0, "max_tokens: field required")
        need({message["role"] for message in asked["messages"]} <= {"user", "assistant"}, "a role is unknown")
        blocks = [block for message in asked["messages"] if isinstance(message["content"], list) for block in message["content"]]
        need({block["type"] for block in blocks} <= {"text", "tool_use", "tool_result", "image"}, "a block is unknown")
        need(all(isinstance(block["input"], dict) for block in blocks if block["type"] == "tool_use"), "input is no object")
        results = [block["content"] for block in blocks if block["type"] == "tool_result"]
        tools = [tool["name"] for tool in asked.get("tools", [])]
        return json.dumps([asked.get("system"), asked["messages"]]), tools, results, asked["max_tokens"], asked.get("stream")

    def whole(self, words, call, finish, given, made):
        content = [{"type": "tool_use", "id": "toolu_1", "name": call, "input": ARGUMENTS}] if call else [{"type": "text", "text": " ".join(words)}]
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "words", "content": content, "stop_sequence": None,
                "stop_reason": {"tool": "tool_use", "stop": "end_turn", "length": "max_tokens"}[finish],
                "usage": {"input_tokens": given, "output_tokens": made}}

    def stream(self, words, call, finish, given, made):
        def event(kind, **members):
            return f"event: {kind}\ndata: " + json.dumps({"type": kind} | members) + "\n\n"

        start = self.whole([], None, finish, given, 1) | {"content": [], "stop_reason": None}
        yield event("message_start", message=start)
        block = {"type": "tool_use", "id": "toolu_1", "name": call, "input": {}} if call else {"type": "text", "text": ""}
        yield event("content_block_start", index=0, content_block=block)
        yield event("ping")
        for number, word in enumerate(words):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": (" " if number else "") + word})
        for piece in ("", '{"ci', 'ty": "U', 'lm"}') if call else ():
            yield event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": piece})
        yield event("content_block_stop", index=0)
        stop = self.whole([], None, finish, given, made)
        yield event("message_delta", delta={"stop_reason": stop["stop_reason"], "stop_sequence": None}, usage={"output_tokens": made})
        yield event("message_stop")


class Ollama:
    path, models_path, models = "/api/chat", "/api/tags", {"models": [{"name": "words", "model": "words"}]}

    @staticmethod
    def read(asked):
        need(all(isinstance(message.get("content", ""), str) for message in asked["messages"]), "content is no text")
        calls = [call for message in asked["messages"] for call in message.get("tool_calls", [])]
        need(all(isinstance(call["function"]["arguments"], dict) for call in calls), "arguments are no object")
        results = [message["content"] for message in asked["messages"] if message["role"] == "tool"]
        tools = [tool["function"]["name"] for tool in asked.get("tools", [])]
        return json.dumps(asked["messages"]), tools, results, asked.get("options", {}).get("num_predict"), asked.get("stream", True)

    @staticmethod
    def line(message, **members):
        return {"model": "words", "created_at": "2026-01-02T03:04:05Z", "message": {"role": "assistant", "content": ""} | message, "done": False} | members

    def whole(self, words, call, finish, given, made):
        message = {"tool_calls": [{"function": {"name": call, "arguments": ARGUMENTS}}]} if call else {"content": " ".join(words)}
        reason = {"tool": "stop"}.get(finish, finish)
        return self.line(message, done=True, done_reason=reason, prompt_eval_count=given, eval_count=made)

    def stream(self, words, call, finish, given, made):
        for number, word in enumerate(words):
            yield json.dumps(self.line({"content": (" " if number else "") + word})) + "\n"
        if call:
            yield json.dumps(self.line({"tool_calls": [{"function": {"name": call, "arguments": ARGUMENTS}}]})) + "\n"
        yield json.dumps(self.whole([], None, finish, given, made)) + "\n"


PROTOCOLS = {"openai": OpenAi, "anthropic": Anthropic, "ollama": Ollama}


class Engine:
    def __init__(self, protocol):
        speaks, engine = PROTOCOLS[protocol](), self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.answer(200 if self.path == speaks.models_path else 404, json.dumps(speaks.models))

            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    asked = json.loads(text)
                    if (protocol, self.path) == ("anthropic", "/v1/messages/count_tokens"):
                        self.answer(200, json.dumps({"input_tokens": len(speaks.read(asked | {"max_tokens": 1})[0].split())}))
                        return
                    need(self.path == speaks.path, "no such path: " + self.path)
                    engine.asked.append(asked)
                    said, tools, results, bound, streams = speaks.read(asked)
                except (Refused, KeyError, TypeError, ValueError) as error:
                    self.answer(400, json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": f"{error!r}"}}))
                    return
                call = tools[0] if tools and not results else None
                words = [] if call else (["It", "is", str(results[-1])] if results else WORDS)[:bound]
                finish = "tool" if call else "stop" if results or bound is None or bound > len(WORDS) else "length"
                known = words, call, finish, len(said.split()), 2 if call else len(words)
                if not streams:
                    self.answer(200, json.dumps(speaks.whole(*known)))
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson" if protocol == "ollama" else "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client may leave early
                    for part in speaks.stream(*known):
                        data = part.encode()
                        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                        self.wfile.flush()
                    self.wfile.write(b"0\r\n\r\n")

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
