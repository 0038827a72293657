# SPDX-License-Identifier: Apache-2.0
"""A wall clock that a test moves: tests/load/clock_shift.cpp, loaded before a process, reads a file by how much it is ahead."""
import os
import struct
import tempfile
from pathlib import Path

from platform_process import ROOT

CLOCK_SHIFT = Path(os.environ.get("CLOCK_SHIFT", ROOT / "build/dev/tests/load/libclock_shift.so")).resolve()


class Clock:
    """Of the processes that are started with its `environment`, for as long as the test or test class lasts."""

    def __init__(self, enter_context):
        if not CLOCK_SHIFT.exists():
            raise AssertionError(f"{CLOCK_SHIFT} is missing: build the target clock_shift, or name it in CLOCK_SHIFT")
        self.file = Path(enter_context(tempfile.TemporaryDirectory())) / "clock"
        self.file.write_bytes(struct.pack("<q", 0))
        self.environment = {"LD_PRELOAD": str(CLOCK_SHIFT), "PENSTOCK_CLOCK_SHIFT": str(self.file)}

    def shift(self, seconds):
        """From now on it is so far ahead of the machine's."""
        with open(self.file, "r+b") as file:
            file.write(struct.pack("<q", seconds))
