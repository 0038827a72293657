# SPDX-License-Identifier: Apache-2.0
"""Processes for a benchmark: started in a temporary folder, ready when they answer, ended by pid."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / "build" / os.environ.get("PENSTOCK_BENCH_PRESET", "release")  # "profile": tools/profile_release
PENSTOCK = RELEASE / "apps" / "penstock" / "penstock"
READY_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, what):
    """Until `url` answers 200; at most READY_SECONDS."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.02)
    raise SystemExit(f"{what} did not become ready at {url} within {READY_SECONDS} s")


def request(url, key, body=None, method=None, headers=None):
    """One JSON call of the REST API."""
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(url, data=data, method=method or ("GET" if data is None else "POST"))
    call.add_header("Authorization", f"Bearer {key}")
    call.add_header("Content-Type", "application/json")
    for name, value in (headers or {}).items():
        call.add_header(name, value)
    try:
        with urllib.request.urlopen(call, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.msg = f"{error.msg}: {error.read(500).decode(errors='replace')}"
        raise


class Bench:
    """with Bench() as bench: bench.start([...]) …"""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        self.processes = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, environment=None, **options):
        environment = dict(environment or os.environ, XDG_CONFIG_HOME=str(self.folder / "config"), XDG_STATE_HOME=str(self.folder / "state"))
        log = open(self.folder / f"process-{len(self.processes)}.log", "w")  # noqa: SIM115 (lives as long as the process)
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment, **options)
        self.processes.append(process)
        return process

    def log(self, process):
        """What it wrote so far."""
        return (self.folder / f"process-{self.processes.index(process)}.log").read_text(errors="replace")

    def key(self, state, name):
        return (pathlib.Path(state) / f"{name}.key").read_text().strip()
