# SPDX-License-Identifier: Apache-2.0
"""Engines that know the truth: each call follows a Script, which says what was made, what is reported, and where it breaks.

A prompt names its script ("script-17 …"); `with MeteredEngine("anthropic", scripts) as engine` serves it in that protocol. A Script is told in
tokens; the protocol's writer turns it into frames, each with the pieces it carries and the usage that has been reported when it is out.
"""
import contextlib
import dataclasses
import http.server
import json
import re
import socket
import sys
import threading
import time

HOLD_SECONDS_MAX = 60
STOP_LOOK_SECONDS = 0.05
GIVEN = ("input_fresh", "cache_read", "cache_write_5m", "cache_write_1h", "input_image", "input_audio")
MADE = ("output_visible", "output_reasoning", "output_audio")
CLASSES = GIVEN + MADE


@dataclasses.dataclass
class Frame:
    data: str
    visible: int = 0  # pieces; a piece is one token to whoever counts
    reasoning: int = 0
    report: dict = None  # classes known so far, when this frame says anything of usage
    finish: bool = False  # the reason to stop was given
    end: bool = False  # the protocol's own last word


@dataclasses.dataclass
class Script:
    usage: dict  # the truth, by class; a class that is not there is not reported
    visible: int = 3  # pieces of text
    reasoning: int = 0
    placement: str = "end"  # end, finish (with the reason to stop), each (running totals), absent, null, empty_after
    cut_after: int = None  # frames, then the connection breaks
    ends_after: int = None  # frames, then the body ends as if it were whole
    hold_after: int = None  # frames, then silence until the gateway leaves
    pause_after: int = None  # frames, then silence until `resume` is set
    resume: threading.Event = None
    error_after: int = None  # frames, then an error event with a text like usage
    fail: dict = dataclasses.field(default_factory=dict)  # number of the attempt → status, or 0: no answer at all
    body: str = None  # instead of the whole answer
    doubled: bool = False  # the hidden text under two names, as some engines send it
    tool: bool = False  # a call of a tool instead of text
    second: "Script" = None  # followed by an engine that is asked to go on with what another one began


def total(usage, *names):
    known = [usage[name] for name in names if usage.get(name) is not None]
    return sum(known) if known else None


def given(**members):
    return {name: value for name, value in members.items() if value is not None}


class OpenAi:
    path, content_type = "/v1/chat/completions", "text/event-stream"
    models_path, models = "/v1/models", {"object": "list", "data": [{"id": "metered", "object": "model", "created": 1, "owned_by": "test"}]}

    @staticmethod
    def usage(usage):
        if "raw" in usage:
            return usage["raw"]
        details = given(cached_tokens=usage.get("cache_read"), cache_write_tokens=usage.get("cache_write_5m"),
                        image_tokens=usage.get("input_image"), audio_tokens=usage.get("input_audio"))
        made = given(reasoning_tokens=usage.get("output_reasoning"), audio_tokens=usage.get("output_audio"))
        given_total, made_total = total(usage, *GIVEN), total(usage, *MADE)
        told = given(prompt_tokens=given_total, completion_tokens=made_total)
        if given_total is not None and made_total is not None:
            told["total_tokens"] = given_total + made_total
        return told | ({"prompt_tokens_details": details} if details else {}) | ({"completion_tokens_details": made} if made else {})

    def whole(self, script):
        message = {"role": "assistant", "content": "word " * script.visible}
        if script.reasoning:
            message["reasoning_content"] = "hm " * script.reasoning
        if script.tool:
            message |= {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": "b" * 20})}}]}
        answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "metered",
                  "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if script.tool else "stop"}]}
        return answer | ({} if script.placement == "absent" else {"usage": self.usage(script.usage)})

    def stream(self, script):
        def frame(delta=None, reason=None, usage=None, **pieces):
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "metered",
                     "choices": [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]}
            report = None
            if usage is not None:
                chunk["usage"], report = self.usage(usage), usage
            elif script.placement == "null":
                chunk["usage"] = None
            return Frame(f"data: {json.dumps(chunk)}\n\n", report=report, finish=reason is not None, **pieces)

        yield frame({"role": "assistant", "content": ""})
        made = {"output_visible": 0, "output_reasoning": 0}
        for kind in ["reasoning"] * script.reasoning + ["visible"] * script.visible:
            made["output_" + kind] += 1
            running = {"input_fresh": script.usage["input_fresh"]} | made if script.placement == "each" else None
            if kind == "visible":
                yield frame({"content": "word "}, usage=running, visible=1)
            else:
                names = {"reasoning_content": "hm "} | ({"reasoning": "hm "} if script.doubled else {})
                yield frame(names, usage=running, reasoning=1)
        with_finish = script.placement == "finish"
        yield frame({}, "stop", script.usage if with_finish else None)
        if script.placement in ("end", "null", "each", "empty_after"):
            yield frame(usage=script.usage)
        if script.placement == "empty_after":
            yield Frame('data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"metered","choices":[],"usage":{}}\n\n')
        yield Frame("data: [DONE]\n\n", end=True)

    @staticmethod
    def error(usage):
        return "data: " + json.dumps({"error": {"message": "out of memory", "type": "server_error"}, "usage": OpenAi.usage(usage)}) + "\n\n"


class Anthropic:
    path, content_type = "/v1/messages", "text/event-stream"
    models_path, models = "/v1/models", {"data": [{"id": "metered", "type": "model"}], "has_more": False}

    @staticmethod
    def given(usage):
        if "raw" in usage:
            return {name: value for name, value in usage["raw"].items() if not name.startswith("output")}
        split = given(ephemeral_5m_input_tokens=usage.get("cache_write_5m"), ephemeral_1h_input_tokens=usage.get("cache_write_1h"))
        told = given(input_tokens=usage.get("input_fresh"), cache_read_input_tokens=usage.get("cache_read"),
                     cache_creation_input_tokens=total(usage, "cache_write_5m", "cache_write_1h"))
        return told | ({"cache_creation": split} if usage.get("cache_write_1h") is not None else {})

    @staticmethod
    def made(usage):
        if "raw" in usage:
            return {name: value for name, value in usage["raw"].items() if name.startswith("output")}
        told = given(output_tokens=total(usage, "output_visible", "output_reasoning"))
        thinking = usage.get("output_reasoning")
        return told | ({"output_tokens_details": {"thinking_tokens": thinking}} if thinking is not None else {})

    def whole(self, script):
        content = [{"type": "thinking", "thinking": "hm " * script.reasoning, "signature": "s"}] if script.reasoning else []
        content.append({"type": "text", "text": "word " * script.visible})
        usage = {} if script.placement == "absent" else {"usage": self.given(script.usage) | self.made(script.usage)}
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "metered", "content": content, "stop_reason": "end_turn",
                "stop_sequence": None} | usage

    def stream(self, script):
        def frame(kind, members, **more):
            return Frame(f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n", **more)

        tells = script.placement != "absent"
        first = script.usage | {"output_visible": 1, "output_reasoning": None}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "metered", "content": [], "stop_reason": None, "stop_sequence": None}
        # As the real one begins: with the prompt, and a single token of output.
        yield frame("message_start", {"message": message | ({"usage": self.given(script.usage) | {"output_tokens": 1}} if tells else {})},
                    report=first if tells else None)
        index = 0
        for kind, count, block, delta in (
                ("reasoning", script.reasoning, {"type": "thinking", "thinking": "", "signature": ""}, {"type": "thinking_delta", "thinking": "hm "}),
                ("visible", script.visible, {"type": "text", "text": ""}, {"type": "text_delta", "text": "word "})):
            if not count:
                continue
            yield frame("content_block_start", {"index": index, "content_block": block})
            for _ in range(count):
                yield frame("content_block_delta", {"index": index, "delta": delta}, **{kind: 1})
            yield frame("content_block_stop", {"index": index})
            index += 1
        yield frame("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}} | ({"usage": self.made(script.usage)} if tells else {}),
                    finish=True, report=script.usage if tells else None)
        yield frame("message_stop", {}, end=True)

    @staticmethod
    def error(usage):
        members = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "usage": Anthropic.made(usage)}
        return f"event: error\ndata: {json.dumps(members)}\n\n"


class Ollama:
    path, content_type = "/api/chat", "application/x-ndjson"
    models_path, models = "/api/tags", {"models": [{"name": "metered", "model": "metered"}]}

    @staticmethod
    def line(message, **members):
        return {"model": "metered", "created_at": "2026-01-02T03:04:05Z", "message": {"role": "assistant", "content": ""} | message, "done": False} | members

    @staticmethod
    def usage(usage):
        if "raw" in usage:
            return usage["raw"]
        return given(prompt_eval_count=usage.get("input_fresh"), eval_count=usage.get("output_visible"))

    def whole(self, script):
        message = {"content": "word " * script.visible} | ({"thinking": "hm " * script.reasoning} if script.reasoning else {})
        return self.line(message, done=True, done_reason="stop") | ({} if script.placement == "absent" else self.usage(script.usage))

    def stream(self, script):
        for _ in range(script.reasoning):
            yield Frame(json.dumps(self.line({"thinking": "hm "})) + "\n", reasoning=1)
        for _ in range(script.visible):
            yield Frame(json.dumps(self.line({"content": "word "})) + "\n", visible=1)
        tells = script.placement != "absent"
        last = self.line({}, done=True, done_reason="stop") | (self.usage(script.usage) if tells else {})
        yield Frame(json.dumps(last) + "\n", finish=True, end=True, report=script.usage if tells else None)

    @staticmethod
    def error(usage):
        return json.dumps({"error": "out of memory"} | Ollama.usage(usage)) + "\n"


PROTOCOLS = {"openai": OpenAi, "anthropic": Anthropic, "ollama": Ollama}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for one engine: MeteredEngine makes a class of it with `engine`, `speaks`, `scripts` and `lock` set."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == self.speaks.models_path else 404, json.dumps(self.speaks.models))

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        number = int(re.search(r"script-(\d+)", text).group(1))
        script = self.scripts[number]
        with self.lock:
            calls = self.engine.asked.setdefault(number, [])
            calls.append(self.headers["X-Request-Id"])
            self.engine.last[self.headers["X-Request-Id"]] = time.monotonic()
            status = script.fail.get(sum(len(other.asked.get(number, ())) for other in self.engine.beside), 200)
            goes_on = self.text_to_go_on_with(json.loads(text)) if script.second else None
            if goes_on is not None:
                self.engine.continued[number] = goes_on
                script, status = script.second, script.second.fail.get(1, 200)
        if status == 0:
            self.cut()
        elif status != 200:
            self.answer(status, json.dumps({"error": {"message": "no", "type": "server_error"}, "usage": {"prompt_tokens": 9, "completion_tokens": 9}}))
        elif self.path == "/v1/embeddings":
            self.embed(script)
        elif json.loads(text).get("stream", self.speaks is Ollama):
            self.stream(script)
        else:
            self.whole(script, self.speaks.whole(script))

    def text_to_go_on_with(self, asked):
        last = asked["messages"][-1]
        if last["role"] != "assistant":
            return None
        return last["content"] if isinstance(last["content"], str) else "".join(part["text"] for part in last["content"])

    def embed(self, script):
        read = script.usage.get("input_fresh")
        usage = {} if read is None else {"usage": {"prompt_tokens": read, "total_tokens": read}}
        self.whole(script, {"object": "list", "model": "metered", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]} | usage)

    def whole(self, script, answer):
        body = json.dumps(answer) if script.body is None else script.body
        if script.hold_after is not None:
            self.wait_for_the_gateway_to_leave()
            return
        self.answer(200, body, cut=script.cut_after is not None)

    def stream(self, script):
        self.send_response(200)
        self.send_header("Content-Type", self.speaks.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):  # a gateway whose client left leaves as well
            for number, frame in enumerate(self.speaks.stream(script)):
                if number == script.error_after:
                    self.part(self.speaks.error(script.usage))
                if number in (script.error_after, script.ends_after):
                    break
                if number == script.cut_after:
                    self.cut()
                    return
                if number == script.hold_after:
                    self.wait_for_the_gateway_to_leave()
                    return
                if number == script.pause_after:
                    script.resume.wait(HOLD_SECONDS_MAX)
                self.part(frame.data)
            self.wfile.write(b"0\r\n\r\n")

    def wait_for_the_gateway_to_leave(self):
        self.connection.settimeout(HOLD_SECONDS_MAX)
        with contextlib.suppress(OSError):
            self.connection.recv(1)
        self.close_connection = True

    def cut(self):
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def part(self, text):
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def answer(self, status, body, cut=False):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.wfile.flush()
        if cut:
            self.cut()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 256

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a gateway that hangs up is part of the test
            super().handle_error(request, client_address)


class MeteredEngine:
    """`asked[17]` are the calls that reached script 17, in their order: the id that the gateway gave each. `last` says when each came."""

    def __init__(self, protocol, scripts):
        self.asked, self.last = {}, {}
        self.continued = {}  # script → the text that it was to go on with
        bound = {"engine": self, "speaks": PROTOCOLS[protocol](), "scripts": scripts, "lock": threading.Lock()}
        self.beside = [self]  # engines that count attempts together
        self.server = Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), bound))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(STOP_LOOK_SECONDS,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
