# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: progress with the time since the start, headings, tables. Colours on a terminal only."""
import os
import threading
import time

BOLD, GREEN, DIM = "1", "32", "2"


class Screen:
    def __init__(self, out):
        self.out = out
        self.colours = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.started = time.monotonic()
        self.lock = threading.Lock()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def line(self, text=""):
        with self.lock:
            print(text, file=self.out, flush=True)

    def step(self, text):
        elapsed = time.monotonic() - self.started
        self.line(f"{self.paint(GREEN, f'[{elapsed:5.1f} s]')} {text}")

    def heading(self, text):
        self.line()
        self.line(self.paint(BOLD, text))

    def table(self, headings, rows, right=()):
        """Columns as wide as their widest cell; those named in `right` are aligned to the right."""
        cells = [headings, *([str(cell) for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
        for number, row in enumerate(cells):
            text = "  ".join(cell.rjust(width) if heading in right else cell.ljust(width)
                             for cell, width, heading in zip(row, widths, headings)).rstrip()
            self.line("  " + (self.paint(DIM, text) if number == 0 else text))
