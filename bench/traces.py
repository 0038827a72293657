# SPDX-License-Identifier: Apache-2.0
"""Where benchmarks find public traces, and how they run `penstock sim` on them."""
import json
import os
import pathlib
import subprocess

import processes

OPENB = "alibaba-gpu-v2023"
SPOT = "alibaba-spot-gpu-v2026"
HOW_TO_GET = """PENSTOCK_TRACES names no folder with {wanted}.
Get the traces once and point the variable at their folder:
  git clone --depth 1 https://github.com/hkust-adsl/kubernetes-scheduler-simulator
  mkdir -p traces && cp -r kubernetes-scheduler-simulator/data/csv traces/alibaba-gpu-v2023
  PENSTOCK_TRACES=$PWD/traces make bench-NAME"""


def folder(name, sources=None):
    """The folder of one trace; says how to get it when it is not there: `sources` names where the files of it lie."""
    found = pathlib.Path(os.environ.get("PENSTOCK_TRACES", "")) / name
    if os.environ.get("PENSTOCK_TRACES") and found.is_dir():
        return found
    if sources is None:
        raise SystemExit(HOW_TO_GET.format(wanted=name))
    raise SystemExit(f"PENSTOCK_TRACES names no folder with {name}. Copy into a folder of that name: {sources[name]}")


def sim(*words):
    """The answer of `penstock sim …` as an object; a failure ends the benchmark."""
    command = [str(processes.PENSTOCK), "sim", *map(str, words), "-o", "json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return json.loads(done.stdout)
