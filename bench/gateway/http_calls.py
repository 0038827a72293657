# SPDX-License-Identifier: Apache-2.0
"""Many JSON calls over kept connections, to set a scene up: what urllib would take minutes for."""
import asyncio
import json
import urllib.parse

CONNECTIONS = 64


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    if "content-length" not in headers:
        raise RuntimeError(f"an answer without a length: {lines[0]}")
    return int(lines[0].split()[1]), await reader.readexactly(int(headers["content-length"]))


def all_of(base, path, calls):
    """The answers to POSTs of [(key, body), …], in their order; one that is not 2xx ends the run."""
    address, answers, numbers = urllib.parse.urlsplit(base), [None] * len(calls), iter(range(len(calls)))

    async def work():
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for number in numbers:
            key, body = calls[number]
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                         f"Content-Length: {len(data)}\r\n\r\n".encode() + data)
            status, text = await read_answer(reader)
            if status >= 300:
                raise RuntimeError(f"{path} answered {status}: {text[:300]!r}")
            answers[number] = json.loads(text)
        writer.close()

    async def everything():
        await asyncio.gather(*(work() for _ in range(min(CONNECTIONS, len(calls)))))

    asyncio.run(everything())
    return answers
