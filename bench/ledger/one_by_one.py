#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same transfer as one transaction of SQLite each, with no group commit: one_by_one.py FOLDER SECONDS → one JSON object.

The same settings (write-ahead log, synchronous=FULL) and limits as the ledger's store; Python's part of a transfer, some 30 µs, is small beside a sync.
"""
import json
import pathlib
import random
import sqlite3
import sys
import time
import uuid

ACCOUNTS = 9999
FUNDS = 10**12
TABLES = """
CREATE TABLE account (id INTEGER NOT NULL PRIMARY KEY, limited INTEGER NOT NULL, debits INTEGER NOT NULL DEFAULT 0, credits INTEGER NOT NULL DEFAULT 0,
    CHECK (NOT limited OR debits <= credits)) STRICT;
CREATE TABLE transfer (seq INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, debit INTEGER NOT NULL, credit INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0), ref_type TEXT NOT NULL, ref_id TEXT NOT NULL, ts INTEGER NOT NULL) STRICT;
"""


class Ledger:
    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.executescript(TABLES)
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO account (id, limited) VALUES (?, ?)", [(number, number > 0) for number in range(ACCOUNTS + 1)])
        for number in range(1, ACCOUNTS + 1):
            self.write(0, number, FUNDS)
        self.db.execute("COMMIT")

    def write(self, debit, credit, amount):
        self.db.execute("UPDATE account SET debits = debits + ? WHERE id = ?", (amount, debit))
        self.db.execute("UPDATE account SET credits = credits + ? WHERE id = ?", (amount, credit))
        self.db.execute("INSERT INTO transfer (id, debit, credit, amount, ref_type, ref_id, ts) VALUES (?, ?, ?, ?, 'task', ?, ?)",
                        (uuid.uuid4().hex, debit, credit, amount, f"tk_{credit:026}", time.time_ns() // 1000))

    def transfer(self, debit, credit, amount):
        """Durable when it returns; nothing changes where it raises."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            self.write(debit, credit, amount)
        except sqlite3.Error:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def check(self, count):
        """Every acknowledged transfer is there, and the balances are their sums."""
        wrong = set(self.db.execute("SELECT id, debits, credits FROM account")) ^ set(self.db.execute("""
            SELECT id, sum(debit), sum(credit) FROM (SELECT debit AS id, amount AS debit, 0 AS credit FROM transfer
                UNION ALL SELECT credit, 0, amount FROM transfer) GROUP BY id"""))
        rows, = self.db.execute("SELECT count(*) FROM transfer").fetchone()
        if wrong or rows != count + ACCOUNTS:
            raise SystemExit(f"the peer's ledger does not balance: {len(wrong)} differences, {rows} rows for {count} transfers")


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def main():
    folder, seconds = sys.argv[1:]
    path = pathlib.Path(folder) / "one_by_one.db"
    ledger = Ledger(path)
    latencies = []
    start, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - start < float(seconds):
        debit = random.randint(1, ACCOUNTS)
        credit = 1 + (debit + random.randint(0, ACCOUNTS - 2)) % ACCOUNTS
        sent = time.perf_counter()
        ledger.transfer(debit, credit, random.randint(1, 100))
        latencies.append((time.perf_counter() - sent) * 1000)
    wall, cpu, count = time.monotonic() - start, time.process_time() - cpu, len(latencies)
    ledger.check(count)
    ledger.db.close()
    path.unlink()
    print(json.dumps({"transfers": count, "rate": count / wall, "p50": percentile(latencies, 0.5), "p99": percentile(latencies, 0.99),
                      "CPU per transfer": cpu * 1e6 / count, "commits": count}))


if __name__ == "__main__":
    main()
