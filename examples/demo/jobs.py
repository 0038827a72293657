# SPDX-License-Identifier: Apache-2.0
"""The three pieces of work of the demo, through the command line and an unmodified OpenAI client."""
import hashlib
import json
import os
import re
import subprocess

from local_platform import ROOT, STATE, Failed

PYTHON = ROOT / ".venv/bin/python"
RENDER_CPUS = "0.4"  # so that a frame fits beside the training at the centre
TRAINING_STEPS = 240
PROGRESS_STEPS = 50
JOB_SECONDS_MAX = 300
SETTLE_SECONDS_MAX = 30
QUESTION = "In one short sentence: what is a penstock of a water power plant?"
STEP = re.compile(r"step (\d+)/(\d+) loss (\S+)")
ENDED_BADLY = ("FAILED", "CANCELED", "EXPIRED")


def task_of(platform, name):
    task = platform.json("task", "get", name)
    if task["state"] in ENDED_BADLY:
        raise Failed(f"task {name} is {task['state']}: {task['reason']} {task['message']}")
    return task


def ended(platform, name):
    task = task_of(platform, name)
    return task if task["state"] == "SUCCEEDED" else None


def fetch(platform, name):
    """Downloads the outputs and hashes them again here; [(path, bytes, sha256)]."""
    folder = STATE / "outputs" / name
    platform.command("task", "outputs", name, "--download", str(folder))
    files = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
    stated = {output["sha256"]: output for output in platform.json("task", "get", name)["outputs"]}
    if sorted(files.values()) != sorted(output["sha256"] for output in stated.values()):
        raise Failed(f"the outputs of {name} in {folder} are not those that the platform states")
    return folder, [(stated[digest]["path"], path.stat().st_size, digest) for path, digest in sorted(files.items())]


def submit(platform, screen):
    """The training first, so that it has the choice of all sites; the frames then fill what is left."""
    platform.text("task", "create", "-y", "-f", "examples/train/task.yaml", "-e", f"STEPS={TRAINING_STEPS}", "-o", "name")
    screen.step(f"train: {TRAINING_STEPS} steps submitted, to run where power is green")
    platform.text("task", "create", "-y", "-f", "examples/render/task.yaml", "--cpus", RENDER_CPUS, "-o", "name")
    screen.step("render: 12 frames of turbine.pov submitted as an array, to run where it is cheap")


# --- twelve frames over the sites ------------------------------------------------------------------


def render(platform, screen):
    seen = set()

    def all_done():
        for attempt in platform.json("task", "attempts", "turbine", "--all")["attempts"]:
            if attempt["state"] == "SUCCEEDED" and attempt["item"] not in seen:
                seen.add(attempt["item"])
                screen.step(f"render: frame {attempt['item']} done at {attempt['placement']['site']} ({len(seen)}/12)")
        return ended(platform, "turbine")

    platform.wait(all_done, "the render to end", JOB_SECONDS_MAX)
    screen.step("render: all 12 frames are done")


def picture_sheet(platform, screen):
    folder, _ = fetch(platform, "turbine")
    sheet = STATE / "sheet.png"
    subprocess.run([PYTHON, ROOT / "examples/render/assemble.py", folder, sheet], check=True, stdout=subprocess.DEVNULL)
    screen.step(f"render: picture sheet in {sheet}")
    return sheet


# --- a language model, and a call to it -------------------------------------------------------------


def serve(platform, screen):
    """The service stays up. The answer to one streamed call, with the bill line that it became."""
    platform.command("run", "-y", "-f", "examples/serve-llm/task.yaml", seconds=JOB_SECONDS_MAX)
    service = task_of(platform, "smollm2")
    screen.step(f"serve: {service['service']['model']} is ready at {service['placement']['site']}: {service['service']['c_url']}")
    environment = {**os.environ, "OPENAI_BASE_URL": platform.url + "/v1", "OPENAI_API_KEY": platform.key_file("user").read_text().strip(),
                   "MODEL": service["service"]["model"]}
    done = subprocess.run([PYTHON, ROOT / "examples/demo/chat.py", QUESTION], env=environment, capture_output=True, text=True,
                          timeout=JOB_SECONDS_MAX)
    if done.returncode != 0:
        raise Failed(f"the chat call failed: {done.stderr.strip().splitlines()[-1]}")
    answer = json.loads(done.stdout)
    screen.step(f"serve: answer of {answer['completion_tokens']} tokens in {answer['parts']} parts, the first after {answer['first_ms']} ms")
    answer["line"] = platform.wait(lambda: call_line(platform), "the call to be settled", SETTLE_SECONDS_MAX)
    screen.step(f"serve: the call is settled: {answer['line']['charged']} yuan")
    return answer


def call_line(platform):
    lines = [line for line in platform.json("bill", "list", "--all")["lines"] if line["kind"] == "tokens"]
    return lines[0] if lines else None


# --- a training that loses its host -----------------------------------------------------------------


def events(platform, kind):
    return [event for event in platform.json("task", "events", "train", "--all")["events"] if event["type"] == kind]


class TrainingProgress:
    def __init__(self, platform, screen):
        self.platform, self.screen, self.shown = platform, screen, 0

    def show(self):
        steps = [match.groups() for line in self.platform.text("logs", "train").splitlines() if (match := STEP.match(line))]
        if steps and abs(int(steps[-1][0]) - self.shown) >= PROGRESS_STEPS:
            self.shown = int(steps[-1][0])
            site = task_of(self.platform, "train")["placement"]["site"]
            self.screen.step(f"train: step {self.shown}/{steps[-1][1]} at {site}, loss {steps[-1][2]}")


def train(platform, screen):
    progress = TrainingProgress(platform, screen)
    platform.wait(lambda: task_of(platform, "train")["state"] == "RUNNING", "the training to start", JOB_SECONDS_MAX)
    site = task_of(platform, "train")["placement"]["site"]
    screen.step(f"train: started at {site}")
    platform.wait(lambda: progress.show() or events(platform, "checkpoint_stored"), "the first checkpoint", JOB_SECONDS_MAX)
    platform.lose_host(site)
    screen.step(f"train: the first checkpoint is stored; the host of {site} is killed, agent and tasks (kill -9)")
    platform.wait(lambda: task_of(platform, "train")["recoveries"], "the platform to notice the loss", JOB_SECONDS_MAX)
    screen.step(f"train: the platform has given {site} up; the training recovers")
    moved = platform.wait(lambda: elsewhere(platform, site), "the training to go on elsewhere", JOB_SECONDS_MAX)
    resumed = platform.wait(lambda: resumed_line(platform), "the training to resume", JOB_SECONDS_MAX)
    screen.step(f"train: {resumed} at {moved}, from the checkpoint")
    platform.start_agent(site)
    screen.step(f"{site}: the host is back; its old attempt is fenced off")
    platform.wait(lambda: progress.show() or ended(platform, "train"), "the training to end", JOB_SECONDS_MAX)
    _, files = fetch(platform, "train")
    metrics = json.loads((STATE / "outputs/train/out/metrics.json").read_text())
    screen.step(f"train: done, loss {metrics['first_loss']:.2f} → {metrics['loss']:.2f}, outputs collected and hashed")
    return files


def elsewhere(platform, site):
    task = task_of(platform, "train")
    return task["placement"]["site"] if task["state"] == "RUNNING" and task["placement"]["site"] != site else None


def resumed_line(platform):
    lines = [line for line in platform.text("logs", "train").splitlines() if line.startswith("resumed at step")]
    return lines[0] if lines else None
