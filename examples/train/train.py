# SPDX-License-Identifier: Apache-2.0
"""Trains a character-level transformer on the licence texts that every Debian system carries.

Settings by environment: STEPS, BATCH, CHECKPOINT_EVERY and PRINT_EVERY (steps), SEED,
TEXT (folder of the corpus).
Goes on from the newest checkpoint in PENSTOCK_CHECKPOINT_DIR; the loss curve is then that of a run
that was never stopped. Writes out/metrics.json and out/model.npz.
"""
import hashlib
import json
import math
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

import checkpoint
import transformer

RATE_MAX, WARM_UP_STEPS = 3e-3, 40
HELD_OUT = 0.05  # of the text, at its end: for the validation loss
VALIDATION_BATCHES = 4
EXIT_INTERRUPTED = 128 + signal.SIGTERM


def positive(name, default):
    text = os.environ.get(name, str(default))
    if not text.isdigit() or int(text) == 0:
        sys.exit(f"train: {name} has to be a positive whole number, not '{text}'")
    return int(text)


def read_corpus(folder):
    """The text as indices into its sorted characters; the order of the files is fixed."""
    files = sorted(path for path in Path(folder).iterdir() if path.is_file() and not path.is_symlink())
    text = b"".join(path.read_bytes() for path in files)
    if len(text) < 100_000:
        sys.exit(f"train: {folder} holds only {len(text)} bytes of text; point TEXT at a larger folder")
    vocabulary = np.unique(np.frombuffer(text, np.uint8))
    return np.searchsorted(vocabulary, np.frombuffer(text, np.uint8)).astype(np.int64), vocabulary


class Batches:
    """Walks over the text in shuffled windows, epoch by epoch; its position can be stored."""

    def __init__(self, text, context, batch, seed):
        self.text, self.context, self.batch = text, context, batch
        self.windows = (len(text) - 1) // context
        self.seed, self.epoch, self.position = seed, 0, 0
        self.shuffle()

    def shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(self.windows)

    def next(self):
        if self.position + self.batch > self.windows:
            self.epoch, self.position = self.epoch + 1, 0
            self.shuffle()
        starts = self.order[self.position : self.position + self.batch] * self.context
        self.position += self.batch
        rows = starts[:, None] + np.arange(self.context + 1)
        return self.text[rows[:, :-1]], self.text[rows[:, 1:]]


class Training:
    def __init__(self, steps, batch, seed, corpus):
        text, self.vocabulary = read_corpus(corpus)
        cut = int(len(text) * (1 - HELD_OUT))
        self.settings = {"steps": steps, "batch": batch, "seed": seed, "text": hashlib.sha256(text).hexdigest()}
        self.random = np.random.default_rng(seed)
        self.shape = transformer.Shape(vocabulary=len(self.vocabulary))
        self.batches = Batches(text[:cut], self.shape.context, batch, seed)
        self.held_out = Batches(text[cut:], self.shape.context, batch, seed)
        self.parameters = transformer.initial_parameters(self.shape, self.random)
        self.optimiser = transformer.Adam(self.parameters)
        self.step, self.curve, self.seconds, self.resumed = 0, [], 0.0, 0

    def rate(self):
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        return RATE_MAX * warm * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * self.step / self.settings["steps"])))

    def advance(self):
        """One step. Everything that the next one depends on is in save()."""
        started, rate = time.monotonic(), self.rate()
        loss, gradients = transformer.loss_and_gradients(self.parameters, self.shape, *self.batches.next())
        self.step += 1
        self.optimiser.update(self.parameters, gradients, self.step, rate)
        self.curve.append(loss)
        self.seconds += time.monotonic() - started

    def tokens(self):
        return self.step * self.settings["batch"] * self.shape.context

    def save(self, folder):
        state = {"step": self.step, "curve": self.curve, "seconds": self.seconds, "settings": self.settings,
                 "resumed": self.resumed, "epoch": self.batches.epoch, "position": self.batches.position,
                 "random": self.random.bit_generator.state}
        groups = {"parameter": self.parameters, "first": self.optimiser.first, "second": self.optimiser.second}
        arrays = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
        return checkpoint.save(folder, self.step, state, arrays)

    def restore(self, folder):
        stored = checkpoint.newest(folder)
        if stored is None:
            return
        state, arrays = stored
        if state["settings"] != self.settings:
            sys.exit(f"train: the checkpoint is of a run with {state['settings']}, this one has {self.settings}")
        groups = {"parameter": self.parameters, "first": self.optimiser.first, "second": self.optimiser.second}
        for key, value in arrays.items():
            group, name = key.split("/", 1)
            groups[group][name] = value
        self.step, self.curve, self.seconds = state["step"], state["curve"], state["seconds"]
        self.resumed = state["resumed"] + 1
        self.batches.epoch, self.batches.position = state["epoch"], state["position"]
        self.batches.shuffle()
        self.random.bit_generator.state = state["random"]
        print(f"resumed at step {self.step}", flush=True)

    def validation_loss(self):
        batches = [self.held_out.next() for _ in range(VALIDATION_BATCHES)]
        losses = [transformer.loss_of(transformer.forward(self.parameters, self.shape, tokens)[0], targets)[0]
                  for tokens, targets in batches]
        return sum(losses) / len(losses)

    def write_results(self, folder):
        folder.mkdir(exist_ok=True)
        metrics = {"loss": sum(self.curve[-20:]) / len(self.curve[-20:]), "validation_loss": self.validation_loss(),
                   "first_loss": self.curve[0], "steps": self.step, "tokens": self.tokens(), "seconds": self.seconds,
                   "tokens_per_second": self.tokens() / self.seconds, "resumed": self.resumed, "curve": self.curve}
        (folder / "metrics.json").write_text(json.dumps(metrics))
        np.savez(folder / "model.npz", vocabulary=self.vocabulary, **self.parameters)
        print(f"done: loss {metrics['loss']:.4f}, validation {metrics['validation_loss']:.4f}", flush=True)


def main():
    interrupted = []
    signal.signal(signal.SIGTERM, lambda *_: interrupted.append(True))
    folder = Path(os.environ.get("PENSTOCK_CHECKPOINT_DIR", "ckpt"))
    every, print_every = positive("CHECKPOINT_EVERY", 50), positive("PRINT_EVERY", 10)
    corpus = os.environ.get("TEXT", "/usr/share/common-licenses")
    training = Training(positive("STEPS", 400), positive("BATCH", 16), int(os.environ.get("SEED", "1")), corpus)
    training.restore(folder)
    while training.step < training.settings["steps"]:
        training.advance()
        if training.step % print_every == 0:
            speed = training.tokens() / training.seconds
            print(f"step {training.step}/{training.settings['steps']} loss {training.curve[-1]:.4f} "
                  f"tokens/s {speed:.0f}", flush=True)
        if training.step % every == 0 or interrupted:
            training.save(folder)
        if interrupted and training.step < training.settings["steps"]:
            print(f"interrupted at step {training.step}; the checkpoint is written", flush=True)
            sys.exit(EXIT_INTERRUPTED)
    training.write_results(Path("out"))


if __name__ == "__main__":
    main()
