# SPDX-License-Identifier: Apache-2.0
"""Streams read frame by frame, each checked to be whole; and streams that are opened and stay silent."""
import asyncio
import json
import subprocess
import time

import processes as bench_platform
from measure import Void

STREAM_LOAD = bench_platform.RELEASE / "tests/load/stream_load"
OPENED_AT_A_TIME = 50


def request_bytes(subject, body):
    headers = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body))} | subject.headers
    return ("POST /v1/chat/completions HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode() + body


def has_content(data):
    return b'"content":"w' in data.replace(b": ", b":")


class StreamLoad:
    """`clients` at one time, which begin at random within so many seconds, each reading `each` whole streams with a rest at random between them."""

    def __init__(self, folder, clients, each, frames_min, within_seconds, rest_seconds, seed):
        self.folder = folder
        self.words = ["--clients", clients, "--each", each, "--frames-min", frames_min, "--within", within_seconds, "--rest", rest_seconds, "--seed", seed]

    def times_to_first_token(self, subject, body):
        """(Those that began when each client had begun its first, those before), in ms. Read by a program of its own: a client in Python would add its own
        time to them."""
        path = self.folder / f"stream-{subject.port}.request"
        path.write_bytes(request_bytes(subject, body))
        done = subprocess.run([str(word) for word in (STREAM_LOAD, "--port", subject.port, "--request-file", path, *self.words)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Void(done.stderr.strip()[-300:] or f"stream_load ended with {done.returncode}")
        times = json.loads(done.stdout)
        return times["at_load"], times["rising"]


class SilentStreams:
    """with SilentStreams(…) as streams: streams.count have had their first content and stay open; `ended` says why not all that were wanted."""

    def __init__(self, subject, body, wanted, seconds):
        self.subject, self.request, self.wanted, self.end = subject, request_bytes(subject, body), wanted, time.monotonic() + seconds
        self.loop, self.held, self.ended = asyncio.new_event_loop(), [], None

    @property
    def count(self):
        return len(self.held)

    async def open_one(self):
        """None, or why it was not admitted."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.subject.port)
        except OSError as error:
            return f"no connection: {error}"
        self.held.append(writer)
        data = b""
        try:
            writer.write(self.request)
            while not has_content(data):
                part = await asyncio.wait_for(reader.read(65536), max(0.1, self.end - time.monotonic()))
                data += part
                if not part or b" 200 " not in data[:20]:
                    raise OSError(f"refused: {data[:200]!r}")
        except (OSError, TimeoutError) as error:
            self.held.remove(writer)
            writer.close()
            return "out of time" if isinstance(error, TimeoutError) else str(error)
        return None

    async def open_all(self):
        while len(self.held) < self.wanted and not self.ended:
            if time.monotonic() > self.end:
                self.ended = "out of time"
                return
            count = min(OPENED_AT_A_TIME, self.wanted - len(self.held))
            answers = await asyncio.gather(*(self.open_one() for _ in range(count)))
            self.ended = next((reason for reason in answers if reason), None)

    def __enter__(self):
        self.loop.run_until_complete(self.open_all())
        return self

    def __exit__(self, *_):
        async def close_all():
            for writer in self.held:
                writer.close()
            await asyncio.sleep(0.2)

        self.loop.run_until_complete(close_all())
        self.loop.close()
