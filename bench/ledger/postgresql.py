# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the benchmark's own, and pgbench on it: the peer of the ledger."""
import os
import pathlib
import pwd
import re
import subprocess
import time

CONNECTIONS_MAX = 300
READY_SECONDS = 60
WARM_UP_SECONDS = 5  # sessions connect and fill their caches
HERE = pathlib.Path(__file__).resolve().parent
# fsync, full_page_writes and synchronous_commit stay on. The rest spares the peer needless work: fewer checkpoints, pages in memory.
SETTINGS = {"listen_addresses": "", "max_connections": CONNECTIONS_MAX, "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
            "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


def binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise SystemExit("PostgreSQL is not installed: tools/setup build run test bench")
    return found[-1].parent


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def latencies_between(log, start, end):
    """Milliseconds of the transactions that pgbench logged as ended in this time; removes the logs."""
    found = []
    for path in log.parent.glob(log.name + ".*"):
        for line in path.read_text().splitlines():
            _, _, took_us, _, seconds, microseconds = line.split()[:6]
            if start < int(seconds) + int(microseconds) / 1e6 <= end:
                found.append(int(took_us) / 1000)
        path.unlink()
    if not found:
        raise SystemExit("the run is void, pgbench logged no transaction after its warm-up")
    return found


class Server:
    """A cluster in a new folder under `folder`, on a Unix socket; ended with the benchmark."""

    def __init__(self, bench):
        self.bin = binaries()
        self.folder = bench.folder / "postgresql"
        self.folder.mkdir()
        self.data = self.folder / "data"
        self.databases = 0
        self.as_user = {}
        if os.getuid() == 0:  # PostgreSQL refuses root
            bench.folder.chmod(0o711)
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        subprocess.run([self.bin / "initdb", "-D", self.data, "-A", "trust", "-U", "penstock", "-E", "UTF8", "--locale=C.UTF-8"],
                       stdout=subprocess.DEVNULL, check=True, cwd="/", **self.as_user)
        options = [word for name, value in {**SETTINGS, "unix_socket_directories": self.folder}.items() for word in ("-c", f"{name}={value}")]
        self.process = bench.start([self.bin / "postgres", "-D", self.data, *options], cwd="/", **self.as_user)
        self.wait_until_ready()
        self.version = self.ask("postgres", "SHOW server_version").split()[0]
        self.sql("postgres", "CREATE DATABASE peer")
        self.sql("peer", (HERE / "peer.sql").read_text())
        self.check_limits()

    def wait_until_ready(self):
        end = time.monotonic() + READY_SECONDS
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False).returncode != 0:
            if time.monotonic() > end:
                raise SystemExit(f"PostgreSQL was not ready within {READY_SECONDS} s")
            time.sleep(0.05)

    def psql(self, database, words, text=None):
        command = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "penstock", "-d", database, *words]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    def sql(self, database, text):
        done = self.psql(database, [], text)
        if done.returncode != 0:
            raise SystemExit(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout.strip()

    def ask(self, database, query):
        return self.sql(database, query + ";")

    def check_limits(self):
        """The peer refuses an overdraft too."""
        done = self.psql("peer", ["-c", "SELECT make_transfer(1, 2, 2000000000000, 1)"])
        if "violates check constraint" not in done.stderr:
            raise SystemExit("the peer let an account fall below zero: it does not do the same work")

    def new_database(self, template="template0"):
        """Its name; after a checkpoint, so that every visit starts with as little to write."""
        self.databases += 1
        name = f"visit{self.databases}"
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template};\nCHECKPOINT;")
        return name

    def wait_for_end_of_sessions(self, name):
        """What a session counts is in the server's sums when it has ended."""
        end = time.monotonic() + READY_SECONDS
        while self.ask("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'") != "0":
            if time.monotonic() > end:
                raise SystemExit(f"sessions on {name} did not end within {READY_SECONDS} s")
            time.sleep(0.05)

    def drop(self, name):
        self.sql("postgres", f"DROP DATABASE {name} WITH (FORCE);")

    def url(self, database):
        return f"postgresql://penstock@/{database}?host={self.folder}"

    def log_syncs(self):
        """How often the write-ahead log was synced to the disk so far."""
        return int(self.ask("postgres", "SELECT wal_sync FROM pg_stat_wal"))

    def cpu_seconds(self):
        """Of the server: its living processes, and the sessions that have ended."""
        tick = os.sysconf("SC_CLK_TCK")
        main = self.process.pid
        pids = [main, *(int(pid) for pid in pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split())]
        total = 0
        for pid in pids:
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except FileNotFoundError:  # ended meanwhile: the server counts it from now on
                continue
            total += sum(int(field) for field in fields[11:15 if pid == main else 13])
        return total / tick

    def transfers(self, clients, seconds):
        """pgbench on a new database: {rate, p50, p99, …} of so many seconds after a warm-up; the balances are checked after it."""
        name = self.new_database("peer")
        log = self.folder.parent / f"pgbench-{name}"
        syncs = self.log_syncs()
        command = [self.bin / "pgbench", "-n", "-M", "prepared", "-f", HERE / "peer.pgbench", "-c", str(clients), "-j", str(min(clients, os.cpu_count())),
                   "-T", str(WARM_UP_SECONDS + seconds + 1), "--log", "--log-prefix", log, "-h", self.folder, "-U", "penstock", name]
        with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            time.sleep(WARM_UP_SECONDS)
            start, cpu = time.time(), self.cpu_seconds()
            time.sleep(seconds)
            end, cpu = time.time(), self.cpu_seconds() - cpu
            output, errors = running.communicate()
        failed = re.search(r"number of failed transactions: (\d+)", output)
        if running.returncode != 0 or not failed or failed.group(1) != "0" or "aborted" in errors:
            raise SystemExit(f"the run is void, pgbench failed:\n{output}{errors}")
        everything = int(re.search(r"number of transactions actually processed: (\d+)", output).group(1))
        self.wait_for_end_of_sessions(name)
        syncs = self.log_syncs() - syncs
        self.check(name, everything)
        self.drop(name)
        latencies = latencies_between(log, start, end)
        count = len(latencies)
        return {"transfers": everything, "rate": count / (end - start), "p50": percentile(latencies, 0.5), "p99": percentile(latencies, 0.99),
                "CPU per transfer": cpu * 1e6 / count, "commits": everything, "syncs": syncs}

    def check(self, name, count):
        """Every acknowledged transfer is there, and the balances are their sums."""
        wrong = self.ask(name, f"""
            WITH moved AS (
                SELECT id, sum(debit) AS debits, sum(credit) AS credits FROM (
                    SELECT debit AS id, amount AS debit, 0 AS credit FROM transfer UNION ALL SELECT credit, 0, amount FROM transfer) AS sides
                GROUP BY id)
            SELECT (SELECT count(*) FROM account FULL JOIN moved USING (id) WHERE (account.debits, account.credits) IS DISTINCT FROM (moved.debits, moved.credits))
                 + abs((SELECT count(*) FROM transfer) - 9999 - {count})""")
        if wrong != "0":
            raise SystemExit(f"the peer's ledger does not balance: {wrong} differences")
