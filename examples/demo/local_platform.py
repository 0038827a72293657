# SPDX-License-Identifier: Apache-2.0
"""The demo's platform: one `penstock up`, three `penstock agent`, all state below .state/demo.

Every process has a session of its own and a pid file, so that a later call finds and ends exactly these.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".state/demo"
DEMO = ROOT / "examples/demo"
# Site → the organisation that owns it, and its five characters in registration codes.
PROVIDERS = {"centre": ("guizhou-hub", "52001"), "regional": ("hubei-cloud", "42001"), "edge": ("wuhan-edge", "42002")}
CREDIT = "100.00"
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
HTTP_SECONDS_MAX = 30
POLL_SECONDS = 0.3  # each look is a run of the command line, on the cores that also do the work


class Failed(Exception):
    """Something did not come to pass; the text says what, and what to look at."""


def binary():
    stated = os.environ.get("PENSTOCK")
    candidates = [Path(stated)] if stated else [ROOT / f"build/{preset}/apps/penstock/penstock" for preset in ("dev", "release")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise Failed(f"no penstock at {candidates[0]}: build it with 'make build'")


class Processes:
    """Pid files below `folder`. A pid counts only together with the time its process was started."""

    def __init__(self, folder):
        self.folder = folder

    @staticmethod
    def birth(pid):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]

    def start(self, name, command, log):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/")
        threading.Thread(target=self.reap, args=(process, log), daemon=True).start()
        (self.folder / name).write_text(f"{process.pid} {self.birth(process.pid)}\n")

    @staticmethod
    def reap(process, log):
        """While the demo runs: no zombie, and the log says how the process ended."""
        code = process.wait()
        with open(log, "a") as out:
            print(f"demo: process {process.pid} ended with {code}", file=out)

    def pid(self, name):
        """None when it has ended, or was never started."""
        try:
            pid, birth = (self.folder / name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if self.birth(int(pid)) == birth else None

    def names(self):
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []

    def signal(self, name, number):
        pid = self.pid(name)
        if pid:
            os.kill(pid, number)

    def end(self, names):
        """SIGTERM, then SIGKILL to what is still there when the time is over."""
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS_MAX), (signal.SIGKILL, 5)):
            for name in names:
                self.signal(name, number)
            limit = time.monotonic() + seconds
            while any(self.pid(name) for name in names) and time.monotonic() < limit:
                time.sleep(POLL_SECONDS)
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def supervisors_below(folder):
    """Pids of the processes that watch the tasks of the agent whose state is `folder`; a task dies with its one."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"internal-supervise" in words[1:2] and any(word.startswith(bytes(folder) + b"/") for word in words[2:]):
            yield int(entry.name)


class Platform:
    def __init__(self, screen):
        self.screen = screen
        self.state = STATE / "platform"
        self.processes = Processes(STATE / "pids")
        self.url = ""
        self.given_up = threading.Event()

    # --- the command line ------------------------------------------------------------------------

    def command(self, *words, key="user", seconds=120):
        environment = {**os.environ, "PENSTOCK_ENDPOINT": self.url, "PENSTOCK_TOKEN_FILE": str(self.key_file(key)),
                       "PENSTOCK_LANG": "en", "PENSTOCK_NO_INPUT": "1"}
        environment.pop("PENSTOCK_TOKEN", None)
        done = subprocess.run([binary(), *words], env=environment, capture_output=True, text=True, cwd=ROOT, timeout=seconds)
        if done.returncode != 0:
            raise Failed(f"penstock {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def text(self, *words, **options):
        return self.command(*words, **options).stdout.strip()

    def json(self, *words, **options):
        return json.loads(self.command(*words, "-o", "json", **options).stdout)

    def key_file(self, name):
        return (self.state if name in ("user", "operator") else STATE / "keys") / f"{name}.key"

    def store_key(self, name, key):
        path = self.key_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(key + "\n")

    def wait(self, condition, what, seconds):
        """The condition's first true answer. Looks again and again, since a condition may be anything."""
        limit = time.monotonic() + seconds
        while True:
            answer = condition()
            if answer:
                return answer
            if time.monotonic() > limit:
                raise Failed(f"waited {seconds} s in vain for {what}")
            if self.given_up.wait(POLL_SECONDS):
                raise Failed(f"gave up waiting for {what}, since another part of the demo failed")

    def stop_waiting(self):
        self.given_up.set()

    # --- start and stop --------------------------------------------------------------------------

    def start(self):
        if STATE.exists():
            shutil.rmtree(STATE)
        (STATE / "logs").mkdir(parents=True)
        log = STATE / "logs/up.log"
        self.processes.start("up", [binary(), "up", "--no-agent", "--listen", f"127.0.0.1:{self.port()}", "--state-dir", self.state,
                                    "--credit", CREDIT], log)
        self.url = self.wait(lambda: self.printed_url(log), "the platform to come up", START_SECONDS_MAX)
        self.screen.step(f"the platform is up at {self.url}, with {CREDIT} yuan in the wallet")
        for site, (provider, code) in PROVIDERS.items():
            self.join(site, provider, code)
        self.wait_for_nodes()
        self.screen.step("three providers brought three sites, each with its own agent")

    def port(self):
        wanted = int(os.environ.get("DEMO_PORT", "8080"))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                if "DEMO_PORT" in os.environ:
                    raise Failed(f"port {wanted} is taken: choose another one by DEMO_PORT") from None
                return 0
        return wanted

    def printed_url(self, log):
        if not self.processes.pid("up"):
            raise Failed(f"penstock up has ended: {log.read_text().strip()}")
        lines = [line.split() for line in log.read_text().splitlines() if line.startswith("  API and tokens")]
        return lines[0][3] if lines else ""

    def join(self, site, provider, code):
        """Admits the provider; its own key makes the site, and the key of the site's agent."""
        self.command("organisation", "create", provider, "--code", code, "--role", "provider", key="operator")
        self.store_key(provider, self.organisation_key(provider))
        self.command("site", "create", "-f", DEMO / f"{site}.yaml", key=provider)
        self.store_key(site, self.text("key", "create", "--name", f"{site}-agent", "--scope", "agent", "--site", site, key=provider))
        virtual = (ROOT / ".venv").resolve()
        settings = {"server": self.url, "key_file": str(self.key_file(site)), "state_dir": str(STATE / "agents" / site),
                    "runtime_paths": [str(virtual)], "environment": {"PENSTOCK_RUNTIME_PYTHON": str(virtual / "bin/python")}}
        lines = [f"{name}: {json.dumps(value)}" for name, value in settings.items()]
        (STATE / f"{site}-agent.yaml").write_text((DEMO / f"{site}-agent.yaml").read_text() + "\n".join(lines) + "\n")
        self.start_agent(site)

    def organisation_key(self, provider):
        """By the API: a provider's first key is made by the operator."""
        request = urllib.request.Request(
            f"{self.url}/v1/organisations/{provider}/keys", json.dumps({"name": "owner"}).encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer " + self.key_file("operator").read_text().strip()})
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS_MAX) as answer:
            return json.load(answer)["key"]

    def start_agent(self, site):
        self.processes.start(site, [binary(), "agent", "--config", STATE / f"{site}-agent.yaml"], STATE / f"logs/{site}.log")

    def nodes(self):
        return self.json("node", "list", "--all")["nodes"]

    def wait_for_nodes(self):
        self.wait(lambda: len([node for node in self.nodes() if node["state"] == "online"]) == len(PROVIDERS), "all nodes to be online",
                  START_SECONDS_MAX)

    def lose_host(self, site):
        """What a power cut leaves: neither the agent nor its tasks, and nobody who says goodbye."""
        self.processes.signal(site, signal.SIGKILL)
        for pid in supervisors_below(STATE / "agents" / site):
            os.kill(pid, signal.SIGKILL)

    def stop(self):
        """Ends what an earlier call started; does nothing where nothing runs."""
        names = self.processes.names()
        if names and self.processes.pid("up"):
            self.url = self.printed_url(STATE / "logs/up.log")
            self.screen.step("stopping the platform of an earlier run")
            self.cancel_tasks()
        self.processes.end([name for name in names if name != "up"])
        self.processes.end([name for name in names if name == "up"])
        for pid in list(supervisors_below(STATE / "agents")):
            os.kill(pid, signal.SIGKILL)

    def active_tasks(self):
        ended = ("SUCCEEDED", "FAILED", "CANCELED", "EXPIRED")
        return [task["id"] for task in self.json("task", "list", "--all")["tasks"] if task["state"] not in ended]

    def cancel_tasks(self):
        """So that their agents clean up behind them. A platform that does not answer is stopped all the same."""
        try:
            for task in self.active_tasks():
                self.command("task", "cancel", task)
            self.wait(lambda: not self.active_tasks(), "the tasks to end", STOP_SECONDS_MAX)
        except Failed as failure:
            self.screen.step(f"going on without a clean end of the tasks: {failure}")
