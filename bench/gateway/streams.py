# SPDX-License-Identifier: Apache-2.0
"""Streams read frame by frame, each checked to be whole; and streams that are opened and stay silent."""
import asyncio
import time

from measure import Void

TAKES_SECONDS_MAX = 60
OPENED_AT_A_TIME = 50


def request_bytes(subject, body):
    headers = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body))} | subject.headers
    return ("POST /v1/chat/completions HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode() + body


def has_content(data):
    return b'"content":"w' in data.replace(b": ", b":")


async def read_stream(subject, request, frames_min):
    """Seconds to the first content of one whole stream."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", subject.port)
    except OSError as error:
        raise Void(f"no connection: {error}") from None
    try:
        started, first, data = time.monotonic(), None, b""
        writer.write(request)
        while b"data: [DONE]" not in data:
            part = await asyncio.wait_for(reader.read(65536), TAKES_SECONDS_MAX)
            if not part:
                raise Void(f"a stream was cut: {data[-300:]!r}")
            data += part
            if first is None and has_content(data):
                first = time.monotonic() - started
        if first is None or data.count(b"data:") < frames_min:
            raise Void(f"a stream was short: {data.count(b'data:')} frames")
        return first
    except (OSError, TimeoutError) as error:
        raise Void(f"a stream failed: {error!r}") from None
    finally:
        writer.close()


def times_to_first_token(subject, body, clients, each, frames_min, apart_seconds):
    """Each client reads so many whole streams, one after another; clients begin so far apart. The sorted times in ms."""
    request, times = request_bytes(subject, body), []

    async def client(number):
        await asyncio.sleep(number * apart_seconds)
        for _ in range(each):
            times.append(await read_stream(subject, request, frames_min) * 1e3)

    async def run():
        work = [asyncio.ensure_future(client(number)) for number in range(clients)]
        try:
            await asyncio.gather(*work)
        finally:
            for one in work:
                one.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    asyncio.run(run())
    return sorted(times)


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
