# SPDX-License-Identifier: Apache-2.0
"""The engines, the platform and the subjects of one part, started when it needs them, the subjects on a core of their own."""
import contextlib
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import http_calls
import peers
import processes as bench_platform
from measure import tree
from samples import DIRECT

TOKENS = 64
RELAY = "penstock relay"
GATEWAY = "penstock"
GOVERNED = "penstock, governed"
# What the governed row's key is limited to: more than any window can use, so that every check is made and none refuses.
LIMITS = {"budget": "50000.00", "budget_period": "daily", "requests_per_minute": 10**9, "requests_per_day": 10**11, "tokens_per_minute": 10**11,
          "tokens_per_day": 10**12, "concurrency": 30_000}
STARTS_SECONDS_MAX = 90
KEYS_PER_ORGANISATION = 9_900  # the server takes 10,000
REAL_TIME_PRIORITY = 1
DESCRIPTORS = 40_000  # two for each of the silent streams, and room


def body_of(model, stream=False, prompt="measure " * 24):
    """A request of about 290 bytes; its answer has 560 to 590."""
    return json.dumps({"model": model, "max_tokens": TOKENS, "messages": [{"role": "user", "content": prompt}]} | ({"stream": True} if stream else {}))


class Cores:
    """The last core is the subjects', the others are the engine's, the platform's and the generator's; with one core nothing is pinned."""

    def __init__(self):
        self.all = sorted(os.sched_getaffinity(0))
        self.subjects, self.others = {self.all[-1]}, set(self.all[:-1]) or set(self.all)

    def pin_this(self):
        os.sched_setaffinity(0, self.others)

    def pin_subject(self):
        """In the child, before it becomes the subject."""
        os.sched_setaffinity(0, self.subjects)


def change_policy(pids, before, after, priority=0):
    """Of those threads of these processes, and of what they started, that have the one before: a thread that chose another keeps it."""
    for pid in {one for pid in pids for one in tree(pid)}:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    if os.sched_getscheduler(int(task.name)) == before:
                        os.sched_setscheduler(int(task.name), after, os.sched_param(priority))


@contextlib.contextmanager
def policy(pids, meanwhile, priority=0):
    change_policy(pids, os.SCHED_OTHER, meanwhile, priority)
    try:
        yield
    finally:
        change_policy(pids, meanwhile, os.SCHED_OTHER)


@contextlib.contextmanager
def stopped(pids):
    """These and what they started: afterwards they go on as if no time had passed."""
    def tell(what):
        for one in whole:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, what)

    whole = [one for pid in pids for one in tree(pid)]
    try:
        tell(signal.SIGSTOP)
        yield
    finally:
        tell(signal.SIGCONT)


def may_go_first():
    """Whether this process may have a policy of real time."""
    try:
        with policy([os.getpid()], os.SCHED_RR, REAL_TIME_PRIORITY):
            return True
    except PermissionError:
        return False


def raise_descriptor_limit():
    """To DESCRIPTORS where that is allowed, else as far as it is; what this process starts inherits it. Returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in ((DESCRIPTORS, max(hard, DESCRIPTORS)), (min(hard, DESCRIPTORS), hard)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, wanted)
            return wanted[0]
    return soft


class Scene:
    ENGINES = {"fast": [], "paced": ["--gap", "{gap}"], "stepped": ["--gap", "{gap}", "--in-step"], "silent": ["--delay", "10m", "--delay-after", "1"]}

    def __init__(self, bench, options, end):
        self.bench, self.options, self.rounds, self.seconds, self.end = bench, options, options.rounds, options.seconds, end
        self.cores = Cores()
        self.cores.pin_this()
        self.goes_first = may_go_first()
        self.descriptors = raise_descriptor_limit()
        self.engines, self.models, self.absent, self.fast = {}, set(), {}, None
        self.server = self.server_process = self.own = self.key = self.limited_key = None

    def seconds_left(self):
        return max(1.0, self.end - time.monotonic())

    @property
    def gap_seconds(self):
        return float(self.options.gap.removesuffix("ms")) / 1e3

    # ---- engines ----
    def engine(self, model, owner=None):
        """The port of the engine of that model, or of an owner's own one: a silent engine keeps the streams that others have left."""
        if (model, owner) not in self.engines:
            port = bench_platform.free_port()
            more = [word.format(gap=self.options.gap) for word in self.ENGINES[model]]
            self.bench.start([bench_platform.RELEASE / "tests/load/mock_engine", "--port", port, "--model", model, "--tokens", TOKENS, *more])
            bench_platform.wait_for(f"http://127.0.0.1:{port}/health", "the engine")
            self.engines[model, owner] = port
        return self.engines[model, owner]

    # ---- the platform ----
    def gateway(self):
        if self.own:
            return self.own
        state, ports = self.bench.folder / "server", [bench_platform.free_port() for _ in range(2)]
        self.server = f"http://127.0.0.1:{ports[0]}"
        self.server_process = self.bench.start([bench_platform.PENSTOCK, "server", "--listen", f"127.0.0.1:{ports[0]}", "--state-dir", state, "--credit", "100000.00",
                          "--log-level", "warning"])
        bench_platform.wait_for(self.server + "/readyz", "the server")
        process = self.bench.start([bench_platform.PENSTOCK, "gateway", "--listen", f"127.0.0.1:{ports[1]}", "--server", self.server, "--key-file",
                                    state / "gateway.key", "--state-dir", self.bench.folder / "gateway", "--log-level", "warning", "--calls-max", "20000"],
                                   preexec_fn=self.cores.pin_subject)
        self.key = self.bench.key(state, "user")
        self.limited_key = bench_platform.request(self.server + "/v1/keys", self.key, {"name": "limited", "scopes": ["tokens"], "limits": LIMITS})["key"]
        self.own = peers.Subject(ports[1], process, {"Authorization": f"Bearer {self.key}"})
        return self.own

    @contextlib.contextmanager
    def others_aside(self, subject, subjects, paced=False):
        """Where single calls are timed. The other subjects share a core with this one here, and the platform's server that of engine and client; in truth each has
        a machine of its own: they run when these do not. Beside paced streams, where the core rests most of the time, products of others would: they are stopped. Paced streams
        (their client, engine and subject) also go before the daemons of the machine, where this process may say so: one slice of theirs is longer than ten first tokens.
        A loop of lone calls would fill a core, and the system stops what does that in real time. Not under full load, where the server would never settle."""
        own = subject.process and subject.process.pid
        others = {one.process.pid for one in subjects.values() if one.process and one.process.pid != own}
        others |= {self.server_process.pid} if self.server_process else set()
        # All that this process started but the others.
        timed = {os.getpid()} if paced and self.goes_first else set()
        quiet = {one.process.pid for name, one in subjects.items() if paced and one is not subject and name.split(", ")[0] in peers.OTHERS}
        with stopped(quiet), policy(others, os.SCHED_IDLE), policy(timed, os.SCHED_RR, REAL_TIME_PRIORITY):
            yield

    def register(self, model, engine, count=1):
        self.gateway()
        body = {"model": model, "url": f"http://127.0.0.1:{self.engine(engine, GATEWAY if engine == 'silent' else None)}", "protocol": "openai", "price_input": "0.10", "price_output": "0.40",
                "upstream_model": engine}
        http_calls.all_of(self.server, "/v1/endpoints", [(self.key, body)] * count)
        self.models.add(model)

    def wait_for_routes(self):
        end = time.monotonic() + bench_platform.READY_SECONDS
        for model in self.models:
            while True:
                try:
                    bench_platform.request(f"http://127.0.0.1:{self.own.port}/v1/models/{model}", self.key)
                    break
                except OSError as error:
                    if self.own.process.poll() is not None:
                        raise SystemExit(f"the gateway ended with {self.own.process.returncode} before it had a route of {model}") from None
                    if time.monotonic() > end:
                        raise SystemExit(f"the gateway has no route of {model}: {error}") from None
                time.sleep(0.05)

    def make_keys(self, count, end):
        """Of as many organisations as it takes, each with money; each key is used once, so that the gateway knows it. No more after `end`."""
        own, call = self.penstock("fast"), body_of("fast").encode()
        print(f"making {count} keys", file=sys.stderr)
        operator, keys = self.bench.key(self.bench.folder / "server", "operator"), []
        while len(keys) < count and (not keys or time.monotonic() < end):
            name = f"bench-{len(keys)}"
            made = bench_platform.request(self.server + "/v1/organisations", operator, {"name": name, "code": f"{90_000 + len(keys) // KEYS_PER_ORGANISATION}", "roles": ["consumer"]})
            bench_platform.request(self.server + "/v1/wallet:topup", operator, {"organisation": name, "amount": "10000.00", "reference": name})
            wanted = [(operator, {"name": f"k{number}", "scopes": ["tokens"]}) for number in range(min(KEYS_PER_ORGANISATION, count - len(keys)))]
            more = [answer["key"] for answer in http_calls.all_of(self.server, f"/v1/organisations/{made['id']}/keys", wanted)]
            http_calls.all_of(f"http://127.0.0.1:{own.port}", "/v1/chat/completions", [(key, call) for key in more])
            keys += more
        return keys

    def penstock(self, model, governed=False):
        if model not in self.models:
            self.register(model, model)
            self.wait_for_routes()
        own = self.gateway()
        return peers.Subject(own.port, own.process, {"Authorization": f"Bearer {self.limited_key if governed else self.key}"}, model)

    def relay(self, model):
        """Before that engine alone, with a key, as a site runs it."""
        port, engine_port = bench_platform.free_port(), self.engine(model, RELAY if model == "silent" else None)
        key_file = self.bench.folder / "relay.key"
        key_file.write_text(peers.KEY)
        process = self.bench.start([bench_platform.PENSTOCK, "relay", "--listen", f"127.0.0.1:{port}", "--engine", f"http://127.0.0.1:{engine_port}", "--key-file",
                                    key_file, "--calls-max", "20000", "--log-level", "warning"], preexec_fn=self.cores.pin_subject)
        return peers.Subject(port, process, {"Authorization": f"Bearer {peers.KEY}"}, model)

    # ---- the subjects ----
    def own_subject(self, name, model):
        """None where it is another's."""
        if name in (GATEWAY, GOVERNED):
            return self.penstock(model, name == GOVERNED)
        return self.relay(model) if name == RELAY else None

    def fast_subjects(self):
        """Those before the fast engine, for every part of this scene that wants them."""
        self.fast = self.fast or self.subjects("fast", others_governed=True)
        return self.fast

    def subjects(self, model, others_governed=False, with_others=True):
        """All that were asked for, before the engine of that model, each warm enough to answer; who does not come up is in `absent` with the reason."""
        found = {DIRECT: peers.Subject(self.engine(model), model=model)}
        for name in self.options.subjects:
            if name.endswith(", governed") and name != GOVERNED and not others_governed:
                continue
            if name in peers.OTHERS and not with_others:
                continue
            try:
                found[name] = self.own_subject(name, model) or peers.start(self, name, self.engine(model, name if model == "silent" else None), model)
            except peers.CannotRun as reason:
                self.absent[name] = str(reason)
        end = time.monotonic() + STARTS_SECONDS_MAX
        for name in [name for name in found if name != DIRECT]:
            if reason := self.why_it_does_not_answer(name, found[name], end):
                self.absent[name] = reason
                found.pop(name)
        for name, reason in self.absent.items():
            print(f"left out: {name}: {reason}", file=sys.stderr)
        return found

    def why_it_does_not_answer(self, name, subject, end):
        """None when it answers a call (or, before the silent engine, listens)."""
        last = "no attempt"
        while time.monotonic() < end and subject.process.poll() is None:
            try:
                if subject.model == "silent":
                    socket.create_connection(("127.0.0.1", subject.port), 1).close()
                else:
                    bench_platform.request(f"http://127.0.0.1:{subject.port}/v1/chat/completions", "none", json.loads(body_of(subject.model)), headers=subject.headers)
                return None
            except (OSError, ValueError) as error:
                last = str(error)
            time.sleep(0.2)
        ended = "" if subject.process.poll() is None else f"it ended with {subject.process.returncode}; "
        return f"{ended}{last}; it said: {self.bench.log(subject.process)[-600:].strip()!r}"
