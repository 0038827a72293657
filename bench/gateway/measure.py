# SPDX-License-Identifier: Apache-2.0
"""What a window of load gives: completed calls and their times by wrk, CPU time and memory of the subject's processes. A bad answer voids the window."""
import array
import contextlib
import json
import os
import pathlib
import random
import subprocess
import time


class Void(Exception):
    """A window in which an answer failed or was short: it counts for nothing."""


SCRIPT = """\
local threads = {}
function setup(thread) table.insert(threads, thread) end
short = 0
function response(status, headers, body) if #body < BYTES_MIN then short = short + 1 end end
function done(summary, latency)
  local bad = 0
  for _, thread in ipairs(threads) do bad = bad + thread:get("short") end
  local failed = summary.errors
  io.write(string.format('\\n{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "short": %d, "status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), bad, failed.status, failed.connect, failed.read, failed.write, failed.timeout))
end
"""
# In turn, from a place of chance.
KEYS_SCRIPT = """\
local keys = {}
for line in io.lines("KEYS") do keys[#keys + 1] = "Bearer " .. line end
local at = SEED % #keys
request = function()
  at = at % #keys + 1
  wrk.headers["Authorization"] = keys[at]
  return wrk.format()
end
"""


class Wrk:
    """A load of one kind of request: `body_of(model)`, by one key or by each of a file in turn."""

    def __init__(self, folder, body_of, bytes_min, keys=None):
        self.folder, self.body_of, self.bytes_min, self.keys, self.made = folder, body_of, bytes_min, keys, {}

    def script(self, subject):
        if (subject.port, subject.model) not in self.made:
            name = f"wrk-{id(self)}-{subject.port}-{subject.model}"
            (self.folder / f"{name}.body").write_text(self.body_of(subject.model))
            headers = "".join(f'wrk.headers["{key}"] = "{value}"\n' for key, value in ({"Content-Type": "application/json"} | subject.headers).items())
            text = f'wrk.method = "POST"\nwrk.path = "/v1/chat/completions"\nwrk.body = io.open("{self.folder / name}.body"):read("*a")\n{headers}'
            text += KEYS_SCRIPT.replace("KEYS", str(self.keys)).replace("SEED", str(random.randrange(2**30))) if self.keys else ""
            (self.folder / f"{name}.lua").write_text(text + SCRIPT.replace("BYTES_MIN", str(self.bytes_min)))
            self.made[subject.port, subject.model] = self.folder / f"{name}.lua"
        return self.made[subject.port, subject.model]

    def run(self, subject, connections, seconds):
        """{requests, seconds, p50 and p99 in ms} of whole answers only."""
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", self.script(subject), f"http://127.0.0.1:{subject.port}"]
        done = subprocess.run([*map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Void(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
        counts = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
        wrong = {name: counts[name] for name in ("short", "status", "connect", "read", "write", "timeout") if counts[name]}
        if wrong or counts["requests"] == 0:
            raise Void("of {} answers {}".format(counts["requests"], ", ".join(f"{number} {name}" for name, number in wrong.items()) or "none came"))
        return {"requests": counts["requests"], "seconds": counts["microseconds"] / 1e6, "p50": counts["p50"] / 1e3, "p99": counts["p99"] / 1e3}


def tree(pid):
    """The pids of a process and all that it started and that still run."""
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{found[-1]}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
    return found


def cpu_by_pid(pid):
    """User and system time in seconds, by the clocks of the kernel (nanoseconds, with threads that have ended)."""
    times = {}
    for one in tree(pid):
        with contextlib.suppress(OSError):
            times[one] = time.clock_gettime((~one << 3) | 2)
    return times


class MemoryProbe:
    """What a read costs that no cache holds, in ns, the interpreter's own 30 to 40 in it. On a machine that is shared it doubles and triples with what others do, while
    the rate of its cores stays; what comes after a pause, such as a first token, is made of such reads."""

    PLACES, STEPS = 2**23, 20_000  # 64 MiB: twice the last cache of a core's neighbours
    FACTOR, MORE = 1_103_515_245, 12_345  # each place once: Hull and Dobell's theorem

    def __init__(self):
        self.next = array.array("q", ((place * self.FACTOR + self.MORE) % self.PLACES for place in range(self.PLACES)))
        self.at, self.taken = 0, []

    def take(self):
        at, start = self.at, time.perf_counter_ns()
        for _ in range(self.STEPS):
            at = self.next[at]
        self.taken.append((time.perf_counter_ns() - start) / self.STEPS)
        self.at = at


class Cpu:
    """with Cpu(subject) as cpu: …; cpu.seconds"""

    def __init__(self, subject):
        self.pid, self.seconds = subject.process and subject.process.pid, 0.0

    def __enter__(self):
        self.before = cpu_by_pid(self.pid) if self.pid else {}
        return self

    def __exit__(self, *_):
        after = cpu_by_pid(self.pid) if self.pid else {}
        self.seconds = sum(value - self.before.get(pid, 0.0) for pid, value in after.items())


def resident_mib(subject):
    pages = 0
    for pid in tree(subject.process.pid):
        with contextlib.suppress(OSError):
            pages += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def busy_share(seconds):
    """How much of the machine others use, while this process sleeps."""

    def read():
        numbers = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    (all_before, idle_before), _ = read(), time.sleep(seconds)
    all_after, idle_after = read()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)
