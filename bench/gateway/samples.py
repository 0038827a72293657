# SPDX-License-Identifier: Apache-2.0
"""Interleaved rounds, and the rows that follow from their samples."""
import random
import statistics
import sys
import time

from measure import Void

ROUNDS_MIN = 3  # with fewer valid windows there is no figure
PEER = "nginx"
DIRECT = "the engine itself"


class Samples:
    """Figures by subject and round: None where the window was void, or where a subject of the `seldom` was not visited."""

    def __init__(self, what, seldom=()):
        self.what, self.figures, self.void, self.rounds_cut, self.seldom = what, {}, {}, 0, seldom

    def of(self, name, column):
        return [None if figures is None else figures[column] for figures in self.figures[name]]

    def of_visits(self):
        """By subject, without the rounds that it was not visited in."""
        return {name: figures[:ROUNDS_MIN] if name in self.seldom else figures for name, figures in self.figures.items()}


def interleaved(what, subjects, rounds, visit, end, seldom=()):
    """Each round visits every subject in random order; a first visit warms up and counts for nothing. No round but the first few begins after `end`.
    The `seldom` are visited in those first few alone, so that there is time for more rounds of the others."""
    samples = Samples(what, seldom)
    samples.figures = {name: [] for name in subjects}
    samples.void = {name: [] for name in subjects}
    for name, subject in subjects.items():
        try:
            visit(subject)
        except Void as reason:
            samples.void[name].append(f"warming up: {reason}")
    for number in range(rounds):
        if number >= ROUNDS_MIN and time.monotonic() > end:
            samples.rounds_cut = rounds - number
            print(f"{what}: out of time, {samples.rounds_cut} rounds are left out", file=sys.stderr)
            break
        for name in random.sample(list(subjects), len(subjects)):
            if number >= ROUNDS_MIN and name in seldom:
                samples.figures[name].append(None)
                continue
            try:
                samples.figures[name].append(visit(subjects[name]))
            except Void as reason:
                samples.figures[name].append(None)
                samples.void[name].append(str(reason))
                print(f"{what}, {name}: a void window, {reason}", file=sys.stderr)
        last = ", ".join(f"{name} {figures[-1][0]:.4g}" for name, figures in samples.figures.items() if figures[-1])
        print(f"{what}, round {number + 1}/{rounds}: {last}", file=sys.stderr)
    return samples


def row(what, subject, value, unit, ratio=None, spread=None):
    return {"what": what, "subject": subject, "value": value, "unit": unit, "ratio": ratio, "spread": spread}


def paired(own, other, combine):
    return [combine(one, two) for one, two in zip(own, other, strict=True) if one is not None and two is not None]


def rows_of(samples, figures, peer=PEER):
    """A row for each figure (what, unit, kind) and subject: the median of the valid windows.

    Kind "ratio" compares with the peer of the same round, "added" is the difference to the engine itself in the same round, "plain" neither;
    the spread is the least and the greatest: of the ratio, of the difference, of the figure.
    """
    rows = []
    for column, (what, unit, kind) in enumerate(figures):
        for name in samples.figures:
            own = samples.of(name, column)
            if kind == "added":
                own = paired(own, samples.of(DIRECT, column), lambda one, two: one - two) if DIRECT in samples.figures and name != DIRECT else []
            valid = [value for value in own if value is not None]
            if len(valid) < min(ROUNDS_MIN, len(samples.figures[name])) or not valid or (name == DIRECT and unit == "µs"):
                continue  # the engine's own work is nobody's here
            ratios = paired(own, samples.of(peer, column), lambda one, two: one / two) if kind == "ratio" and name != peer and peer in samples.figures else []
            spread = ratios or valid
            rows.append(row(what, name, statistics.median(valid), unit, statistics.median(ratios) if ratios else None, [min(spread), max(spread)]))
    return rows
