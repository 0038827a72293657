# SPDX-License-Identifier: Apache-2.0
"""Who is measured beside the gateway: plain proxies from packages of the system, and gateways of others, each installed by its own lock file
(bench/gateway/peers/NAME) into build/peers/NAME. Each stands before one engine with as little to do as it can be told; in its governed row it
also does what it has of governing."""
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys

import processes as bench_platform

HERE = pathlib.Path(__file__).resolve().parent
LOCKS = HERE / "peers"
INSTALLED = bench_platform.ROOT / "build" / "peers"
INSTALL_SECONDS_MAX = 900
KEY = "sk-" + secrets.token_hex(32)
RATE = 10_000_000  # of requests, where a peer has a limit of rate: above what any window can use
STREAMS_MAX = 20_000


class CannotRun(Exception):
    """Why a peer cannot be measured here."""


@dataclasses.dataclass
class Subject:
    """Who is measured: where it listens, what a request to it must carry, and the model to ask for."""

    port: int
    process: object = None
    headers: dict = dataclasses.field(default_factory=dict)
    model: str = ""


# ---- installing ----


def lock_of(name):
    return next(path for path in (LOCKS / name / "requirements.lock", LOCKS / name / "package-lock.json") if path.exists())


def install(name):
    """Idempotent."""
    lock, folder = lock_of(name), INSTALLED / name
    stamp, digest = folder / ".lock-hash", hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    print(f"installing {name} into {folder.relative_to(bench_platform.ROOT)}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if lock.name == "package-lock.json":
        for path in lock.parent.glob("package*.json"):
            shutil.copy(path, folder)
        commands = [["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]]
    else:
        pip = [folder / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--require-hashes", "--only-binary",
               ":all:", "-r", lock]
        commands = [["/usr/bin/python3", "-m", "venv", folder], pip]
    for command in commands:
        try:
            done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"it was not installed within {INSTALL_SECONDS_MAX} s") from None
        if done.returncode != 0:
            raise CannotRun(f"it cannot be installed: {done.stderr.strip()[-600:]}")
    stamp.write_text(digest)
    return folder


def versions(names):
    """{peer: version} of those that are installed, as they say themselves."""
    found = {}
    for name in names:
        if name in PLAIN:
            words = {"nginx": ["/usr/sbin/nginx", "-v"], "HAProxy": ["/usr/sbin/haproxy", "-v"]}[name]
            done = subprocess.run(words, capture_output=True, text=True)
            found[name] = (done.stdout + done.stderr).strip().split("\n")[0]
        elif name == "portkey":
            package = INSTALLED / name / "node_modules/@portkey-ai/gateway/package.json"
            found[name] = json.loads(package.read_text())["version"] if package.exists() else "not installed"
        else:
            folders = list((INSTALLED / name).glob("lib/python*/site-packages"))
            here = importlib.metadata.distributions(name=name, path=[str(folder) for folder in folders])
            found[name] = next((one.version for one in here), "not installed")
    return found


# ---- starting ----


def start(scene, row, engine_port, model):
    """The subject of a row: "smg", or "smg, governed"."""
    name, governed = row.split(", ")[0], row.endswith(", governed")
    port = bench_platform.free_port()
    command, headers, environment = STARTS[name](scene, port, engine_port, model, governed)
    process = scene.bench.start(command, environment={**os.environ, **environment}, preexec_fn=scene.cores.pin_subject)
    return Subject(port, process, headers, model)


def template(scene, name, port, engine_port, words):
    text = (HERE / name).read_text()
    for word, value in {"@FOLDER@": scene.bench.folder, "@ENGINE@": engine_port, "@PORT@": port, **words}.items():
        text = text.replace(word, str(value))
    file = scene.bench.folder / f"{port}-{name}"
    file.write_text(text)
    return file


def nginx(scene, port, engine_port, _model, governed):
    zone = f'map_hash_bucket_size 256;\n    map $http_authorization $known {{ "Bearer {KEY}" 1; default 0; }}\n    limit_req_zone $http_authorization zone=keys:1m rate=1000000r/s;'
    check = "if ($known = 0) { return 401; }\n            limit_req zone=keys burst=1000000 nodelay;"
    words = {"@ZONE@": zone if governed else "", "@CHECK@": check if governed else ""}
    return ["/usr/sbin/nginx", "-p", scene.bench.folder, "-c", template(scene, "nginx.conf", port, engine_port, words)], key_header(governed), {}


def haproxy(scene, port, engine_port, _model, governed):
    check = (f'http-request deny deny_status 401 unless {{ req.hdr(authorization) "Bearer {KEY}" }}\n    stick-table type string len 64 size 10k expire 1m '
             f"store http_req_rate(60s)\n    http-request track-sc0 req.hdr(authorization)\n    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {RATE} }}")
    words = {"@CHECK@": check if governed else "", "@CONNECTIONS@": min(15_000, scene.descriptors // 2 - 50)}
    return ["/usr/sbin/haproxy", "-db", "-f", template(scene, "haproxy.cfg", port, engine_port, words)], key_header(governed), {}


def key_header(governed):
    return {"Authorization": f"Bearer {KEY}"} if governed else {}


def router(name, program, plain, limited):
    def start_router(_scene, port, engine_port, _model, governed):
        command = [install(name) / "bin" / program[0], *program[1:], "--worker-urls", f"http://127.0.0.1:{engine_port}", "--host", "127.0.0.1", "--port", port,
                   "--policy", "round_robin", "--prometheus-port", bench_platform.free_port(), "--log-level", "error", *(limited if governed else plain)]
        return command, key_header(governed), {}

    return start_router


def portkey(_scene, port, engine_port, _model, _governed):
    folder = install("portkey")
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{engine_port}/v1"}
    return ["node", folder / "node_modules/@portkey-ai/gateway/build/start-server.js", f"--port={port}", "--headless"], headers, {"NODE_ENV": "production"}


def litellm(scene, port, engine_port, model, governed):
    folder, settings = install("litellm"), scene.bench.folder / f"{port}-litellm.json"
    route = {"model": f"openai/{model}", "api_base": f"http://127.0.0.1:{engine_port}/v1", "api_key": "none"}
    # JSON is YAML.
    settings.write_text(json.dumps({
        "model_list": [{"model_name": model, "litellm_params": route | ({"rpm": RATE, "tpm": RATE * 1000} if governed else {})}],
        "general_settings": {"master_key": KEY} if governed else {},
        "router_settings": {"optional_pre_call_checks": ["enforce_model_rate_limits"]} if governed else {}}))
    command = [folder / "bin/litellm", "--config", settings, "--host", "127.0.0.1", "--port", port, "--num_workers", 1, "--telemetry", "False"]
    # Without a key of its own it starts only when it is told to.
    return command, key_header(governed), {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "False" if governed else "True", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "NO_DOCS": "True"}


PLAIN = ("nginx", "HAProxy")
OTHERS = ("smg", "sglang-router", "vllm-router", "portkey", "litellm")
LIMITED = ["--max-concurrent-requests", STREAMS_MAX, "--rate-limit-tokens-per-second", RATE]
STARTS = {
    "nginx": nginx, "HAProxy": haproxy,
    "smg": router("smg", ["smg", "launch"], ["--max-concurrent-requests", 0], ["--tenant-api-key", f"bench:{KEY}", *LIMITED]),
    "sglang-router": router("sglang-router", ["sglang-router", "launch"], [], LIMITED),
    "vllm-router": router("vllm-router", ["vllm-router"], ["--max-concurrent-requests", STREAMS_MAX], LIMITED),
    "portkey": portkey, "litellm": litellm}
# What each can do of governing, so what its governed row does; who is not here has no governed row.
GOVERNS = {
    "nginx": "one key, requests a second by key", "HAProxy": "one key, requests a minute by key", "smg": "one tenant's key, requests a second, calls at one time",
    "sglang-router": "requests a second and calls at one time, of all together", "vllm-router": "requests a second and calls at one time, of all together",
    "litellm": "the master key, requests and tokens a minute of the model; budgets and keys by user need its PostgreSQL set-up"}
GOVERNS_NOT = {"portkey": "the open-source gateway has no keys, limits or budgets"}
