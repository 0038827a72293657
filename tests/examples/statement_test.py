#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The numbers of the demo's tables."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples/demo"))
from statement import decimal  # noqa: E402


class Decimals(unittest.TestCase):
    def test_trailing_zeros_are_left_out(self):
        self.assertEqual([decimal(n) for n in ("0.000359", 28, "100.50", 0)], ["0.000359", "28", "100.5", "0"])

    def test_a_small_number_is_not_shown_as_nothing(self):
        self.assertEqual([decimal("0.0000162", 4), decimal(0.000314159, 3), decimal("0.00005", 4)], ["0.000016", "0.00031", "0.00005"])

    def test_what_fits_is_rounded_as_before(self):
        self.assertEqual([decimal("0.00006", 4), decimal("1.23456", 2)], ["0.0001", "1.23"])


unittest.main()
