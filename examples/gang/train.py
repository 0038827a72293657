# SPDX-License-Identifier: Apache-2.0
"""Logistic regression by gradient descent, its data split over the nodes of a gang: data-parallel training, standard library only.

Every step each node takes the gradient on its part, the gang sums them, all make the same move. The head saves the step and the
weights; after a lost node all members go on from what it saved last.
"""
import json
import math
import os
import random
import time
from pathlib import Path

from allreduce import Gang

STEPS = int(os.environ.get("STEPS", "200"))
SAMPLES = int(os.environ.get("SAMPLES", "600"))
STEP_SECONDS_MIN = float(os.environ.get("STEP_SECONDS_MIN", "0"))
FEATURES, RATE = 8, 0.5


def samples():
    """The same on every node: points on two sides of a plane, some on the wrong one."""
    source = random.Random(7)
    plane = [source.uniform(-1, 1) for _ in range(FEATURES)]
    points = []
    for _ in range(SAMPLES):
        point = [source.gauss(0, 1) for _ in range(FEATURES)]
        side = sum(a * b for a, b in zip(plane, point)) + source.gauss(0, 0.3) > 0
        points.append((point, 1.0 if side else 0.0))
    return points


def gradient_and_loss(weights, points):
    total = [0.0] * (FEATURES + 1)
    for point, label in points:
        score = sum(w * x for w, x in zip(weights, point))
        chance = 1 / (1 + math.exp(-score))
        for i, x in enumerate(point):
            total[i] += (chance - label) * x
        total[FEATURES] -= math.log(chance if label else 1 - chance)
    return total


def saved(folder):
    file = folder / "state.json"
    return json.loads(file.read_text()) if file.exists() else {"step": 0, "weights": [0.0] * FEATURES}


def save(folder, state):
    temporary = folder / "state.json.tmp"
    temporary.write_text(json.dumps(state))
    temporary.replace(folder / "state.json")


def main():
    gang = Gang()
    folder = Path(os.environ.get("PENSTOCK_CHECKPOINT_DIR", "."))
    state = saved(folder)
    started_at = state["step"]
    print(f"rank {gang.rank} of {gang.size} at {gang.addresses[gang.rank]} goes on from step {started_at}", flush=True)
    mine = samples()[gang.rank::gang.size]
    loss = 0.0
    while state["step"] < STEPS:
        began = time.monotonic()
        total = gang.sum(gradient_and_loss(state["weights"], mine))
        loss = total[FEATURES] / SAMPLES
        state["weights"] = [w - RATE * g / SAMPLES for w, g in zip(state["weights"], total)]
        state["step"] += 1
        if gang.rank == 0:
            save(folder, state)
            if state["step"] % 20 == 0:
                print(f"step {state['step']}/{STEPS} loss {loss:.6f}", flush=True)
        time.sleep(max(0.0, STEP_SECONDS_MIN - (time.monotonic() - began)))
    out = Path("out")
    out.mkdir(exist_ok=True)
    result = {"rank": gang.rank, "size": gang.size, "addresses": gang.addresses, "started_at": started_at, "loss": loss,
              "weights": state["weights"]}
    (out / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
