# SPDX-License-Identifier: Apache-2.0
"""The parts of the benchmark: each takes the scene, fills in a Result, and stops beginning rounds when its time is over."""
import collections
import dataclasses
import statistics
import sys

import peers
import streams
from measure import Cpu, MemoryProbe, Void, Wrk, resident_mib
from samples import DIRECT, Samples, interleaved, row, rows_of
from scene import GATEWAY, GOVERNED, TOKENS, body_of

CONNECTIONS = 32
STREAMS = 20
# A stream as the client gets it: the role, the tokens, the reason to stop, [DONE].
FRAMES = TOKENS + 3
LONG_PROMPT_BYTES = 2**20
ANSWER_BYTES_MIN = 300  # of an unstreamed answer of TOKENS tokens
# wrk cuts its calls in flight when a window ends; a window must have so many whole ones for each that is cut.
CALLS_FOR_EACH_CUT = 30
LONGER_WINDOW = 3
# That each client reads one after another when all have begun, for each second of a window: so many that the slowest is beyond the 99th percentile. Of subjects
# that are slower by far, whose tails are plain with fewer, and of windows that only warm up, fewer.
STREAMS_EACH, STREAMS_EACH_FEWER = 8, 1
SLOWEST = 5  # first tokens that are told one by one
COMPLETED = 5  # the figure of a visit of `requests` that counts calls
IDLE_SECONDS_MIN, IDLE_SECONDS_MAX = 10, 25  # to open one subject's silent streams


@dataclasses.dataclass
class Result:
    rows: list = dataclasses.field(default_factory=list)
    samples: list = dataclasses.field(default_factory=list)  # of Samples
    notes: list = dataclasses.field(default_factory=list)

    def take(self, samples, figures, **options):
        self.samples.append((samples, [figure[0] for figure in figures]))
        self.rows += rows_of(samples, figures, **options)


class Windows:
    """Windows of load by wrk, longer for subjects so slow that the calls cut at the end would count."""

    def __init__(self, wrk, connections, seconds):
        self.wrk, self.connections, self.seconds, self.slow = wrk, connections, seconds, set()

    def run(self, subject):
        """(CPU seconds, what wrk says)."""
        key = (subject.port, subject.model)
        longer, done = LONGER_WINDOW if key in self.slow else 1, None
        try:
            with Cpu(subject) as cpu:
                done = self.wrk.run(subject, self.connections, self.seconds * longer)
        finally:
            if not done or done["requests"] < CALLS_FOR_EACH_CUT * self.connections:
                self.slow.add(key)
        return cpu.seconds, done


def headroom(scene, result, subject):
    """What engine and generator can do on the other cores with nobody between them: no subject's rate can be above it."""
    wrk = Wrk(scene.bench.folder, body_of, ANSWER_BYTES_MIN)
    done = wrk.run(subject, CONNECTIONS, max(2, scene.seconds))
    result.rows.append(row("headroom: requests per second of engine and generator alone", DIRECT, done["requests"] / done["seconds"], "1/s"))


def requests(scene, result):
    windows = Windows(Wrk(scene.bench.folder, body_of, ANSWER_BYTES_MIN), CONNECTIONS, scene.seconds)
    subjects = scene.fast_subjects()
    headroom(scene, result, subjects[DIRECT])
    idle = {name: resident_mib(subject) for name, subject in subjects.items() if name not in (DIRECT, GOVERNED)}

    def visit(subject):
        cpu, done = windows.run(subject)
        with scene.others_aside(subject, subjects):
            alone = windows.wrk.run(subject, 1, 1)
        return cpu / done["requests"] * 1e6, done["requests"] / done["seconds"], alone["p50"], alone["p99"], done["p99"], done["requests"]

    samples = interleaved("requests", subjects, scene.rounds, visit, scene.end)
    result.take(samples, [
        ("CPU per request", "µs", "ratio"), ("requests per second", "1/s", "plain"), ("added to a lone request, p50", "ms", "added"),
        ("added to a lone request, p99", "ms", "added"), (f"latency at {CONNECTIONS} connections, p99", "ms", "plain")])
    for name, size in idle.items():
        result.rows += [row("resident memory, idle", name, size, "MiB"), row("resident memory, after load", name, resident_mib(subjects[name]), "MiB")]
    governed_over_plain(result, samples)
    tell_of_cut_calls(result, samples)


def governed_over_plain(result, samples):
    if not {GATEWAY, GOVERNED} <= samples.figures.keys():
        return
    pairs = [plain / limited for limited, plain in zip(samples.of(GOVERNED, 0), samples.of(GATEWAY, 0), strict=True) if limited and plain]
    if pairs:
        result.rows.append(row("rate for its CPU, governed over plain", GOVERNED, statistics.median(pairs), "×", spread=[min(pairs), max(pairs)]))


def tell_of_cut_calls(result, samples):
    """The calls in flight when a window ends have cost their subject CPU and are not counted."""
    for name in samples.figures:
        completed = [count for count in samples.of(name, COMPLETED) if count]
        if completed and statistics.median(completed) < CALLS_FOR_EACH_CUT * CONNECTIONS:
            result.notes.append(f"requests: {name} completed {statistics.median(completed):.0f} calls in a window and {CONNECTIONS} were cut at its end, so its CPU per "
                                f"request is too high by up to {CONNECTIONS / statistics.median(completed):.0%}")


def at_p99(times):
    return sorted(times)[int(len(times) * 0.99)]


class FirstTokens:
    """Windows of streams, and the times to the first token of all rounds by subject, in ms."""

    def __init__(self, scene, subjects):
        self.scene, self.subjects, self.at_load, self.rising, self.windows, self.memory = scene, subjects, {}, {}, collections.Counter(), MemoryProbe()

    def window(self, subject):
        """(CPU µs for each frame, the median time to the first token at that load, its 99th percentile). The first window of a subject warms it up: its times are
        not kept."""
        name = next(name for name, one in self.subjects.items() if one is subject)
        each = STREAMS_EACH_FEWER if name.split(", ")[0] in peers.OTHERS or not self.windows[name] else STREAMS_EACH
        # A round has begins of its own, the same for every subject.
        self.windows[name] += 1
        load = streams.StreamLoad(
            self.scene.bench.folder, STREAMS, 1 + each * self.scene.seconds, FRAMES, FRAMES * self.scene.gap_seconds, self.scene.gap_seconds, self.windows[name])
        with self.scene.others_aside(subject, self.subjects, paced=True), Cpu(subject) as cpu:
            at_load, rising = load.times_to_first_token(subject, body_of(subject.model, stream=True).encode())
        self.memory.take()
        for kept, times in ((self.at_load, at_load), (self.rising, rising)):
            kept[name] = kept[name] + times if name in kept else []
        if not at_load:
            raise Void("no stream began after each client had begun its first: more streams a client are needed")
        return cpu.seconds / ((len(at_load) + len(rising)) * FRAMES) * 1e6, statistics.median(at_load), at_p99(at_load)


def frames(scene, result):
    """Streams that have nothing to do with each other."""
    tokens, samples = of_streams(scene, "frames", "paced")
    result.take(samples, [
        ("CPU per SSE frame", "µs", "ratio"), (f"added to the first token at {STREAMS} streams, p50", "ms", "added"),
        (f"added to the first token at {STREAMS} streams, p99", "ms", "added")])
    added_by_all(result, f"at {STREAMS} streams", tokens.at_load)
    tell_of_memory(result, "first tokens", tokens.memory)
    added_by_all(result, f"while the load rises to {STREAMS} streams", tokens.rising)


def steps(scene, result):
    """Streams of an engine that computes a token for all of them at a time: a first token may have to wait for all the others'."""
    tokens, samples = of_streams(scene, "steps", "stepped", with_others=False)
    result.take(samples, [
        ("CPU per SSE frame, streams in step", "µs", "ratio"), (f"added to the first token at {STREAMS} streams in step, p50", "ms", "added"),
        (f"added to the first token at {STREAMS} streams in step, p99", "ms", "added")])
    added_by_all(result, f"at {STREAMS} streams in step", tokens.at_load)
    tell_of_memory(result, "first tokens in step", tokens.memory)


def tell_of_memory(result, when, memory):
    if not memory.taken:  # every window was void
        return
    least, most = min(memory.taken), max(memory.taken)
    result.notes.append(f"{when}: a read of memory that no cache holds took {statistics.median(memory.taken):.0f} ns ({least:.0f} to {most:.0f}) after the windows")


def of_streams(scene, what, engine, with_others=True):
    subjects = scene.subjects(engine, with_others=with_others)
    tokens = FirstTokens(scene, subjects)
    # Those that differ by factors need no more rounds than a figure takes.
    others = [name for name in subjects if name.split(", ")[0] in peers.OTHERS]
    return tokens, interleaved(what, subjects, scene.rounds, tokens.window, scene.end, seldom=others)


def added_by_all(result, when, all_times):
    """The 99th percentile of the streams of all rounds together, in which one window that the machine spoilt is most of what is beyond it."""
    all_times = {name: times for name, times in all_times.items() if times}
    for name, times in all_times.items():
        if name != DIRECT and DIRECT in all_times:
            result.rows.append(row(f"added to the first token {when}, p99 of all rounds", name, at_p99(times) - at_p99(all_times[DIRECT]), "ms"))
    result.notes.append(f"first tokens {when}: streams of all rounds by subject, and their slowest in ms: " + ", ".join(
        f"{name} {len(times)} ({' '.join(f'{time:.2f}' for time in sorted(times)[-SLOWEST:])})" for name, times in all_times.items()))


def idle(scene, result):
    taken = Samples("silent streams")
    for name, subject in scene.subjects("silent").items():
        if name in (DIRECT, GOVERNED):
            continue
        before = resident_mib(subject)
        wanted = min(scene.options.silent_streams, scene.descriptors // 2 - 100)
        with streams.SilentStreams(subject, body_of("silent", stream=True).encode(), wanted, max(IDLE_SECONDS_MIN, min(IDLE_SECONDS_MAX, scene.seconds_left()))) as held:
            size, count = resident_mib(subject), held.count
        print(f"idle: {name} took {count} streams, {size - before:.1f} MiB{'; then ' + held.ended if held.ended else ''}", file=sys.stderr)
        if held.ended:
            result.notes.append(f"silent streams: {name} held {count} of {wanted}, then: {held.ended[:200]}")
        taken.figures[name], taken.void[name] = [[count, before, size]], []
        result.rows += [row("silent streams at one time", name, count, f"of {wanted}"), row("resident memory with them", name, size, "MiB")]
        if count:
            result.rows.append(row("memory per silent stream", name, (size - before) * 1024 / count, "KiB"))
    result.samples.append((taken, ["streams", "MiB before", "MiB with them"]))


def prompts(scene, result):
    text = "measure " * (LONG_PROMPT_BYTES // 8)
    wrk = Wrk(scene.bench.folder, lambda model: body_of(model, prompt=text), ANSWER_BYTES_MIN)
    windows = Windows(wrk, 2, scene.seconds)

    def visit(subject):
        cpu, done = windows.run(subject)
        return cpu / done["requests"] * 1e6, done["requests"] * LONG_PROMPT_BYTES / 1e9 / cpu if cpu else None

    subjects = {name: subject for name, subject in scene.fast_subjects().items() if name == GOVERNED or not name.endswith(", governed")}
    result.take(interleaved("prompts", subjects, scene.rounds, visit, scene.end),
                [("CPU per request with a prompt of 1 MiB", "µs", "ratio"), ("prompts of 1 MiB for a core", "GB/s", "plain")])


def cost_by(scene, result, what, variants):
    """CPU per request of our gateway in several settings, interleaved; the ratio is to the first of them."""

    def visit(variant):
        subject, windows = variant
        cpu, done = windows.run(subject)
        return (cpu / done["requests"] * 1e6,)

    samples = interleaved(what, variants, scene.rounds, visit, scene.end)
    result.take(samples, [(f"CPU per request, by number of {what}", "µs", "ratio")], peer=next(iter(variants)))


def keys(scene, result):
    subject, wanted = scene.penstock("fast"), max(scene.options.keys)
    rounds_take = scene.rounds * len(scene.options.keys) * scene.seconds
    made = scene.make_keys(wanted, scene.end - rounds_take)
    counts = sorted({min(count, len(made)) for count in scene.options.keys})
    if len(made) < wanted:
        result.notes.append(f"keys: {len(made)} of {wanted} were made and used in the time that there was")
    variants = {}
    for count in counts:
        path = scene.bench.folder / f"keys-{count}"
        path.write_text("\n".join(made[:count]) + "\n")
        variants[f"{count} keys"] = (subject, Windows(Wrk(scene.bench.folder, body_of, ANSWER_BYTES_MIN, path), CONNECTIONS, scene.seconds))
    cost_by(scene, result, "keys", variants)
    result.rows.append(row("resident memory, with all keys in use", GATEWAY, resident_mib(subject), "MiB"))


def backends(scene, result):
    variants = {}
    for count in scene.options.backends:
        scene.register(f"wide-{count}", "fast", count)
    scene.wait_for_routes()
    windows = Windows(Wrk(scene.bench.folder, body_of, ANSWER_BYTES_MIN), CONNECTIONS, scene.seconds)
    for count in scene.options.backends:
        variants[f"{count} backends"] = (scene.penstock(f"wide-{count}"), windows)
    cost_by(scene, result, "backends", variants)


PARTS = {"requests": requests, "frames": frames, "steps": steps, "idle": idle, "prompts": prompts, "keys": keys, "backends": backends}
# Parts that share their processes.
GROUPS = (("requests", "prompts"), ("frames",), ("steps",), ("idle",), ("keys",), ("backends",))
# How the time of a whole run is shared.
SHARES = {"requests": 0.33, "prompts": 0.09, "frames": 0.24, "steps": 0.10, "idle": 0.08, "keys": 0.11, "backends": 0.05}
