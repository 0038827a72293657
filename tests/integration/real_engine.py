# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's own server as examples/serve-llm runs it, for tests of what a real engine says: nothing of it was made for a test."""
import contextlib
import os
import socket
import subprocess
import sys

from platform_process import ROOT, wait_until

MODEL = "real"
TOOL_CALLS = ROOT / "tests/integration/tool_calls.jinja"  # a chat template by which it calls tools


@contextlib.contextmanager
def real_engine(**more):
    """A process of its own on a free port, with more settings of examples/serve-llm; gives its URL. Whether it answers yet is for offer_real() to find out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = os.environ | {"PENSTOCK_PORT": str(port), "OMP_NUM_THREADS": "1"} | {name: str(value) for name, value in more.items()}
    engine = subprocess.Popen([sys.executable, ROOT / "examples/serve-llm/serve.py"], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        engine.kill()
        engine.wait()


def offer_real(platform, url, *more, protocol="openai", model=MODEL):
    """Registers it for `model` as soon as it answers, and waits until it is listed."""
    words = ["endpoint", "create", "--model", model, "--url", url, "--protocol", protocol, "--price-input", "1", "--price-output", "2", *more]
    wait_until(lambda: platform.cli(*words, code=None).code == 0, "the engine")
    wait_until(lambda: model in [entry["id"] for entry in platform.api("GET", "/v1/models", url=platform.gateway_url).json["data"]], "the route")
