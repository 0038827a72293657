# SPDX-License-Identifier: Apache-2.0
"""Prints the rows of a benchmark as a table and keeps them in bench/results/NAME.json.

A row is {what, subject, value, unit, ratio}: `ratio` is the value over the peer's of the same run, or None; `spread`, where there is one, the
least and the greatest of the samples of the ratio, else of the value.
"""
import datetime
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _commit():
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run(git + ["rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    dirty = subprocess.run(git + ["status", "--porcelain", "--", "src", "apps"], capture_output=True, text=True, check=False).stdout.strip()
    return commit + ("+changes" if dirty else "")


def write(name, rows, settings, keep=True, more=None):
    """Prints the table, writes the file where it is to be kept, returns its path. `settings` says how it was measured, `more` are further fields."""
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        ratio = "" if row.get("ratio") is None else f"  {row['ratio']:.2f}× the peer"
        spread = "" if row.get("spread") is None else "  ({:.3g}…{:.3g})".format(*row["spread"])
        print(f"{row['what']:<{width}}  {row['subject']:<24} {row['value']:>12,.3f} {row['unit']}{ratio}{spread}")
    report = {
        "name": name,
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "settings": settings,
        "rows": rows,
    } | (more or {})
    path = ROOT / "bench" / "results" / f"{name}.json"
    if not keep:
        print(settings)
        return path
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    print(f"kept in {path.relative_to(ROOT)}")
    return path


def cpu_seconds(pids):
    """User and system time of processes and their children that still run, seconds."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / tick


def children(pid):
    """The pids of a process and its direct children."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found
