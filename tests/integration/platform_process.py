# SPDX-License-Identifier: Apache-2.0
"""A platform of its own for a test: real processes on 127.0.0.1 and free ports, all state in a temporary folder.

  with Platform() as platform:                      # penstock up: server, gateway and agent in one
      platform.cli("task", "create", "-y", "-f", "-", input=SPEC)
  with Platform(roles=True) as platform:            # server, gateway and agent as processes of their own
      platform.kill("server"); platform.start_server()

Whatever happens, nothing that was started outlives the context, tasks included.
"""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("PENSTOCK", ROOT / "build/dev/apps/penstock/penstock")).resolve()
VENV = (ROOT / ".venv").resolve()
START_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 120
WAIT_SECONDS_MAX = 90
STOP_SECONDS_MAX = 20
HTTP_SECONDS_MAX = 60
LOOK_SECONDS = 0.05
ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "EXPIRED")
SITE = {"name": "local", "region": "local", "residency": "ZZ", "division_code": "900001", "rtt_ms": 0.1,
        "prices": {"core_second": "0.00005", "gib_second": "0.000005", "input_tokens": "0.10", "output_tokens": "0.40"}}


def wait_until(condition, what, seconds=WAIT_SECONDS_MAX):
    """The first true answer of `condition`; fails the test when there is none in time, with `what`: words, or a function that makes them then."""
    pause, limit = threading.Event(), time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > limit:
            raise AssertionError(f"waited {seconds} s in vain for {what() if callable(what) else what}")
        pause.wait(LOOK_SECONDS)


class Answer:
    """Of an HTTP request: status, headers (lower case), text, and the text as JSON where it is."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)


class Command:
    """Of a command line: code, out, err, and the output as JSON where it is."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


class Running:
    """A process whose standard output goes to a file; `said` is what a line of it told."""

    def __init__(self, words, folder, name, environment):
        self.log = folder / f"{name}.log"
        # Taken before the process starts: it may speak at once.
        self.offset = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                            env=environment, cwd=folder)

    def wait_for(self, pattern, since=0):
        def said():
            found = re.search(pattern, self.log.read_bytes()[since:].decode(errors="replace"))
            if not found and self.process.poll() is not None:
                raise AssertionError(f"{self.log.name}: ended with {self.process.returncode}: {self.log.read_text(errors='replace')[-2000:]}")
            return found

        return wait_until(said, f"'{pattern}' in {self.log}", START_SECONDS_MAX).group(1)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.log.name}: did not end within {STOP_SECONDS_MAX} s of SIGTERM") from None


def supervisors_below(folder):
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:2] == [b"internal-supervise"] and any(word.startswith(bytes(folder) + b"/") for word in words[2:]):
            yield int(entry.name)


class Platform:
    def __init__(self, credit="100.00", roles=False, agent=True, cpu_milli=2000, memory_mib=3072, state=None, more=(), gateway_more=()):
        self.folder = Path(tempfile.mkdtemp(prefix="penstock-test-"))
        self.state = Path(state) if state else self.folder / "state"
        self.credit, self.roles, self.agent, self.more = credit, roles, agent, more
        self.cpu_milli, self.memory_mib, self.gateway_more = cpu_milli, memory_mib, gateway_more
        self.running, self.port, self.gateway_port, self.gateway_ports = {}, 0, 0, {}
        self.url = self.gateway_url = ""
        self.environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {
            "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_STATE_HOME": str(self.folder / "xdg-state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"), "PENSTOCK_LANG": "en", "PENSTOCK_NO_INPUT": "1"}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            for running in self.running.values():
                print(f"--- {running.log.name}\n{running.log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
        self.close()

    # --- processes -------------------------------------------------------------------------------

    def start(self):
        if not self.roles:
            self.start_up()
            return
        self.start_server()
        site = self.folder / "site.json"
        site.write_text(json.dumps(SITE))
        self.cli("context", "create", "local", "--endpoint", self.url, "--key-file", str(self.state / "user.key"))
        self.cli("site", "create", "-f", str(site))
        self.write_key("agent", self.cli("key", "create", "--name", "agent", "--scope", "agent", "--site", "local").out.strip())
        self.start_gateway()
        if self.agent:
            self.start_agent()
            self.wait_for_node()

    def launch(self, name, *words, environment=None):
        self.running[name] = Running([str(BINARY), *map(str, words)], self.folder, name, self.environment | (environment or {}))
        return self.running[name]

    def start_up(self):
        words = ["up", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state, "--credit", self.credit, *self.more]
        if self.agent:
            words += ["--cpu-milli", self.cpu_milli, "--memory-mib", self.memory_mib, "--runtime-path", VENV,
                      "--env", f"PENSTOCK_RUNTIME_PYTHON={VENV}/bin/python"]
        else:
            words.append("--no-agent")
        up = self.launch("up", *words)
        self.url = self.gateway_url = up.wait_for(r"API and tokens\s+(http://\S+)", up.offset)
        self.port = urlsplit(self.url).port
        if self.agent:
            self.wait_for_node()

    def start_server(self, environment=None):
        server = self.launch("server", "server", "--listen", f"127.0.0.1:{self.port}", "--state-dir", self.state, "--credit", self.credit,
                             *self.more, environment=environment)
        self.url = server.wait_for(r"server at (http://[^\s,]+)", server.offset)
        self.port = urlsplit(self.url).port

    def start_gateway(self, name="gateway", environment=None):
        """A gateway that was there before comes back under its port and with its state."""
        gateway = self.launch(name, "gateway", "--listen", f"127.0.0.1:{self.gateway_ports.get(name, 0)}", "--server", self.url, "--key-file",
                              self.state / "gateway.key", "--state-dir", self.folder / name, "--replica", name, *self.gateway_more,
                              environment=environment)
        url = gateway.wait_for(r"gateway at (http://[^\s,]+)", gateway.offset)
        port = self.gateway_ports[name] = urlsplit(url).port
        if name == "gateway":
            self.gateway_url, self.gateway_port = url, port
        return port

    def start_agent(self, name="agent"):
        settings = {"server": self.url, "key_file": str(self.folder / f"{name}.key"), "node": f"{name}-1", "state_dir": str(self.folder / f"{name}-state"),
                    "cpu_milli": self.cpu_milli, "memory_mib": self.memory_mib, "runtime_paths": [str(VENV)],
                    "environment": {"PENSTOCK_RUNTIME_PYTHON": f"{VENV}/bin/python"}}
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(settings))
        agent = self.launch(name, "agent", "--config", file)
        agent.wait_for("(agent of node)", agent.offset)

    def kill(self, name):
        self.running[name].kill()

    def stop(self, name):
        return self.running[name].stop()

    def freeze(self, name):
        """Until thaw() it does nothing, as a process that is cut off from all others."""
        os.kill(self.running[name].process.pid, signal.SIGSTOP)

    def thaw(self, name):
        os.kill(self.running[name].process.pid, signal.SIGCONT)

    def close(self):
        for running in self.running.values():
            if running.process.poll() is None:
                running.kill()
        for pid in list(supervisors_below(self.folder)) + list(supervisors_below(self.state)):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not list(supervisors_below(self.folder)), "the tasks to be gone", STOP_SECONDS_MAX)
        self.remove_cgroups()
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_cgroups(self):
        """Of attempts whose agent was killed with them: nobody else will do it."""
        for run in [*self.folder.glob("*/runs/at_*"), *self.folder.glob("*/*/runs/at_*")]:
            for group in Path("/sys/fs/cgroup").glob(f"**/{run.name}"):
                try:
                    group.rmdir()
                except OSError as error:
                    print(f"{group} stays: {error}", file=sys.stderr)

    def write_key(self, name, key):
        path = self.folder / f"{name}.key"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(key + "\n")
        return path

    def key(self, name="user"):
        return (self.state / f"{name}.key").read_text().strip()

    # --- talking to it ---------------------------------------------------------------------------

    def command(self, *words, key=None, environment=None):
        """What subprocess needs to run the command line against this platform."""
        settings = self.environment | {"PENSTOCK_ENDPOINT": self.url, "PENSTOCK_TOKEN": key or self.key()} | (environment or {})
        return {"args": [str(BINARY), *map(str, words)], "env": settings, "cwd": self.folder}

    def cli(self, *words, code=0, input=None, **options):
        done = subprocess.run(**self.command(*words, **options), input=input, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX)
        if code is not None and done.returncode != code:
            raise AssertionError(f"penstock {' '.join(map(str, words))}: {done.returncode}, not {code}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        return Command(done)

    def get_json(self, *words, **options):
        return self.cli(*words, "-o", "json", **options).json

    def api(self, method, path, body=None, key=None, headers=None, url=None):
        target = urlsplit(url or self.url)
        connection = http.client.HTTPConnection(target.netloc, timeout=HTTP_SECONDS_MAX)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        sent = {"Authorization": f"Bearer {key or self.key()}", "Content-Type": "application/json"} | (headers or {})
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    # --- tasks -----------------------------------------------------------------------------------

    def create(self, spec, *words):
        """Submits a spec (text or file); the task's id."""
        source = ("-f", "-") if isinstance(spec, str) else ("-f", spec)
        out = self.cli("task", "create", "-y", *source, "-o", "name", *words, input=spec if isinstance(spec, str) else None).out.strip()
        return out.removeprefix("task/")

    def task(self, name):
        return self.api("GET", f"/v1/tasks/{name}").json

    def items(self, name):
        return self.api("GET", f"/v1/tasks/{name}/items?page_size=1000").json["items"]

    def attempts(self, name):
        return self.api("GET", f"/v1/tasks/{name}/attempts?page_size=1000").json["attempts"]

    def events(self, name):
        return self.api("GET", f"/v1/tasks/{name}/events").json["events"]

    def logs(self, name):
        return [line["text"] for line in self.api("GET", f"/v1/tasks/{name}/logs?limit=1000").json["lines"] if line["stream"] != "system"]

    def wait_for_state(self, name, *states):
        def there():
            task = self.task(name)
            if task["state"] in ENDED and task["state"] not in states:
                raise AssertionError(f"task {name} is {task['state']}, not {states}: {task['reason']} {task['message']}\n{self.logs(name)[-20:]}")
            return task if task["state"] in states else None

        return wait_until(there, f"task {name} to be {' or '.join(states)}")

    def wait_for_end(self, name):
        return self.wait_for_state(name, *ENDED)

    def wait_for_node(self):
        wait_until(lambda: [node for node in self.api("GET", "/v1/nodes").json["nodes"] if node["state"] == "online"], "a node")

    # --- money -----------------------------------------------------------------------------------

    def bills(self):
        return self.get_json("bill", "list", "--all")["lines"]

    def settlement(self):
        return self.get_json("bill", "settlement", key=self.key("operator"))
