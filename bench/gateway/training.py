# SPDX-License-Identifier: Apache-2.0
"""The calls whose profile release builds are compiled by (tools/profile_release): of every kind and dialect, through a gateway and a relay that count.

  training.py FOLDER     writes FOLDER/*.profraw
"""
import json
import os
import sys
import types
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]
import http_calls  # noqa: E402
import processes as bench_platform  # noqa: E402
import streams  # noqa: E402
from measure import Wrk  # noqa: E402
from parts import ANSWER_BYTES_MIN, FRAMES  # noqa: E402
from scene import GATEWAY, GOVERNED, RELAY, Scene, body_of  # noqa: E402

SECONDS = 4
STREAMS, STREAMS_EACH = 50, 20  # at one time, and one after another
MESSAGE = [{"role": "user", "content": "measure " * 24}]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
# Each some thousand times, whole: what is converted, refused and asked with more than a text.
OTHERS = (
    ("/v1/messages", lambda model: {"model": model, "max_tokens": 64, "system": "You measure.", "messages": MESSAGE,
                                    "tools": [{"name": "weather", "description": "of a city", "input_schema": TOOL}]}),
    ("/v1/responses", lambda model: {"model": model, "max_output_tokens": 64, "input": "measure " * 24, "store": False}),
    ("/api/chat", lambda model: {"model": model, "stream": False, "messages": MESSAGE, "options": {"num_predict": 64}}),
    ("/v1/chat/completions", lambda model: {"model": model, "max_tokens": 64, "temperature": 0.5, "user": "u", "messages": [
        {"role": "system", "content": "You \"measure\".\n"}, *MESSAGE, {"role": "assistant", "content": "数 measured"}, *MESSAGE],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]}),
)
OTHERS_EACH = 3000


def count_roles_alone(bench, folder):
    """The gateway's and the relay's counts are kept; the server's and the engine's say nothing of a call's way."""
    start = bench.start

    def counted(command, **options):
        role = str(command[1]) if len(command) > 1 else ""
        name = f"{folder}/{role}-%p.profraw" if role in ("gateway", "relay") else "/dev/null"
        return start(command, environment=dict(os.environ, LLVM_PROFILE_FILE=name), **options)

    bench.start = counted


def main():
    folder = Path(sys.argv[1]).resolve()
    options = types.SimpleNamespace(rounds=1, seconds=SECONDS, gap="2ms", subjects=[RELAY, GATEWAY, GOVERNED], silent_streams=0)
    with bench_platform.Bench() as bench:
        count_roles_alone(bench, folder)
        scene = Scene(bench, options, float("inf"))
        fast, paced = scene.fast_subjects(), scene.subjects("paced")
        for connections, prompt in ((32, "measure " * 24), (1, "measure " * 24), (4, "measure " * 8192)):
            wrk = Wrk(bench.folder, lambda model, prompt=prompt: body_of(model, prompt=prompt), ANSWER_BYTES_MIN)
            for name in options.subjects:
                print(name, connections, wrk.run(fast[name], connections, SECONDS if connections > 1 else 1), flush=True)
        load = streams.StreamLoad(bench.folder, STREAMS, STREAMS_EACH, FRAMES, within_seconds=0.02, rest_seconds=0, seed=1)
        for name in options.subjects:
            print(name, "streams", sum(map(len, load.times_to_first_token(paced[name], body_of("paced", stream=True).encode()))), flush=True)
        for path, body in OTHERS:
            data = json.dumps(body("fast")).encode()
            http_calls.all_of(f"http://127.0.0.1:{scene.own.port}", path, [(scene.limited_key, data)] * OTHERS_EACH)
            print(path, OTHERS_EACH, flush=True)
    if not any(folder.glob("gateway-*.profraw")) or not any(folder.glob("relay-*.profraw")):
        raise SystemExit("no counts were written: was the program built by the preset 'profile'?")


main()
