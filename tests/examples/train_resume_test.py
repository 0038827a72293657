#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The training example: its gradient is right, and a run that was killed ends as one that was not.

Tolerance of the loss curve: 1e-6 (on one machine and one thread the runs are equal to the last bit).
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/train"
sys.path.insert(0, str(EXAMPLE))
import checkpoint  # noqa: E402
import transformer  # noqa: E402

LOSS_TOLERANCE = 1e-6
STEPS = 30
KILLS = 3
RUN_SECONDS_MAX = 60


def start(folder):
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "STEPS": str(STEPS), "BATCH": "4", "PRINT_EVERY": "1",
                   "CHECKPOINT_EVERY": "4", "PENSTOCK_CHECKPOINT_DIR": str(folder / "ckpt")}
    return subprocess.Popen([sys.executable, str(EXAMPLE / "train.py")], cwd=folder, env=environment,
                            stdout=subprocess.PIPE, text=True)


def finish(folder):
    """Runs to the end; the metrics."""
    process = start(folder)
    process.communicate(timeout=RUN_SECONDS_MAX)
    assert process.returncode == 0, process.returncode
    return json.loads((folder / "out/metrics.json").read_text())


def stop_at(folder, step, signal_number):
    """Sends the signal as soon as `step` is printed; the exit status and the lines it printed."""
    process, lines = start(folder), []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(f"step {step}/"):
            process.send_signal(signal_number)
            break
    lines += process.communicate(timeout=RUN_SECONDS_MAX)[0].splitlines()
    return process.returncode, lines


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folders = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folders.cleanup)
        cls.whole = finish(cls.folder("whole"))

    @classmethod
    def folder(cls, name):
        path = Path(cls.folders.name) / name
        path.mkdir()
        return path

    def assert_same_curve(self, metrics):
        self.assertEqual(len(metrics["curve"]), STEPS)
        np.testing.assert_allclose(metrics["curve"], self.whole["curve"], rtol=0, atol=LOSS_TOLERANCE)
        self.assertAlmostEqual(metrics["validation_loss"], self.whole["validation_loss"], delta=LOSS_TOLERANCE)

    def test_learns(self):
        self.assertLess(self.whole["loss"], self.whole["first_loss"] - 0.3)

    def test_killed_at_random_steps_it_ends_with_the_same_loss_curve(self):
        seed = int(os.environ.get("SEED", "7"))
        print(f"SEED={seed}", file=sys.stderr)
        folder, steps = self.folder("killed"), sorted(random.Random(seed).sample(range(5, STEPS - 1), KILLS))
        for step in steps:
            status, _ = stop_at(folder, step, signal.SIGKILL)
            self.assertEqual(status, -signal.SIGKILL)
        metrics = finish(folder)
        self.assertEqual(metrics["resumed"], KILLS)
        self.assert_same_curve(metrics)

    def test_asked_to_stop_it_writes_a_checkpoint_first(self):
        folder = self.folder("stopped")
        status, lines = stop_at(folder, 6, signal.SIGTERM)
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertIn("the checkpoint is written", lines[-1])
        self.assertGreaterEqual(checkpoint.newest(folder / "ckpt")[0]["step"], 6)
        self.assert_same_curve(finish(folder))

    def test_a_damaged_checkpoint_is_passed_over(self):
        folder = self.folder("damaged")
        stop_at(folder, 10, signal.SIGKILL)
        newest = sorted((folder / "ckpt").glob("step-*"))[-1]
        newest.write_bytes(newest.read_bytes()[:-100])
        (folder / "ckpt" / ".writing-1").write_bytes(b"half")
        self.assert_same_curve(finish(folder))


class Gradient(unittest.TestCase):
    def test_agrees_with_finite_differences(self):
        shape = transformer.Shape(vocabulary=11, context=5, width=8, heads=2, layers=2)
        source = np.random.default_rng(3)
        parameters = {name: value.astype(np.float64) + source.standard_normal(value.shape) * 0.1
                      for name, value in transformer.initial_parameters(shape, source).items()}
        tokens, targets = source.integers(0, 11, (3, 5)), source.integers(0, 11, (3, 5))
        _, gradients = transformer.loss_and_gradients(parameters, shape, tokens, targets)
        for name, value in parameters.items():
            place, step = tuple(source.integers(0, size) for size in value.shape), 1e-5
            if name == "embedding":
                place = (int(tokens[0, 0]), 3)
            losses = []
            for offset in (step, -2 * step):
                value[place] += offset
                losses.append(transformer.loss_and_gradients(parameters, shape, tokens, targets)[0])
            value[place] += step
            self.assertAlmostEqual(gradients[name][place], (losses[0] - losses[1]) / (2 * step), delta=1e-6, msg=name)


if __name__ == "__main__":
    unittest.main()
