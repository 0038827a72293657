#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is wrong is refused, with the field, the cause and what would help; and the platform goes on."""
import errno
import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from platform_process import Platform, wait_until

YAML = {"Content-Type": "application/yaml"}
FOREIGN = "tk_01m88d9kbh233dkxwfdcsreahx"
HEADER_SECONDS_MAX = 20  # the server's limit is 10 s
SMALL_DISK_MIB = 48

# What is sent to POST /v1/tasks, how it is refused, and what the text has to say.
BAD_SPECS = (
    ("malformed YAML", "name: [a\nrun: x\n", YAML, 400, "", "line 2, column 4"),
    ("what is no document", ",", YAML, 400, "", "no key or value begins with ','"),
    ("malformed JSON", '{"run": "x", ', {}, 400, "", "line 1, column 14"),
    ("an unknown field", "run: x\nresources: {cpu: 2}\n", YAML, 400, "resources.cpu", "did you mean 'cpus'"),
    ("a wrong type", "run: x\nnum_nodes: two\n", YAML, 400, "num_nodes", "expected integer, got string"),
    ("an amount that is none", "run: x\nresources: {cpus: many}\n", YAML, 400, "resources.cpus", "write 4, 4+, 0.5 or 2..8"),
    ("nothing to run", "name: idle\n", YAML, 400, "run", "for instance `run: python train.py`"),
    ("a name with an escape", '{"run": "x", "name": "a\\u0000b"}', {}, 400, "name", "1 to 63 of a-z 0-9"),
    ("invalid UTF-8", b'{"run": "\xff\xfe"}', {}, 400, "", "line 1, column 10"),
    ("invalid UTF-8 in YAML", b'run: x\nname: "\xff\xfe"\n', YAML, 400, "name", "1 to 63 of a-z 0-9"),
    ("a body that is too large", b'{"run":"' + b"x" * (2 << 20) + b'"}', {}, 413, "", "larger than 1048576 bytes"),
    ("a workdir that is not there", '{"run": "x", "workdir_sha256": "' + "0" * 64 + '"}', {}, 404, "workdir_sha256", "PUT it to /v1/blobs"),
    ("a negative price of a service", "kind: Service\nrun: x\nservice: {protocol: openai, model: m, price_input: '-0.1'}\n", YAML, 400, "service.price_input",
     "may not be negative: it is what a million tokens cost"),
    ("a negative price of a class", "kind: Service\nrun: x\nservice: {protocol: openai, model: m, class_prices: {cache_read: '-0.1'}}\n", YAML, 400,
     "service.class_prices.cache_read", "negative"),
    ("a tokenizer that is not there",
     "kind: Service\nrun: x\nservice: {protocol: openai, model: m, tokenizer_sha256: '" + "0" * 64 + "'}\n", YAML, 404, "service.tokenizer_sha256",
     "PUT it to /v1/blobs"),
    ("an unknown dependency", '{"run": "x", "schedule": {"dependencies": [{"task": "nobody"}]}}', {}, 404,
     "schedule.dependencies[0].task", "submit it first"),
)
# Method, path, headers, status, what the text has to say.
BAD_REQUESTS = (
    ("GET", "/v1/tasks", {"Authorization": "Bearer sk-wrong"}, 401, "penstock key create"),
    ("GET", "/v1/tasks", {"Authorization": None}, 401, "send Authorization: Bearer sk-"),
    ("GET", f"/v1/tasks/{FOREIGN}", {}, 404, "penstock task list"),
    ("GET", "/v1/tasks?filter=state%20~%20x", {}, 400, "field=value"),
    ("GET", "/v1/tasks?page_token=zzz", {}, 400, "start again without it"),
    ("GET", "/v1/nowhere", {}, 404, "/v1/nowhere"),
    ("PUT", "/v1/tasks", {}, 405, "POST, GET"),
    ("POST", "/v1/wallet:topup", {}, 403, "lacks the scope operator"),
)
# Words, standard input, exit code, what standard error has to say.
BAD_COMMANDS = (
    (("tsk", "list"), "", 2, "did you mean 'task'"),
    (("task", "list", "--fliter", "x"), "", 2, "did you mean '--filter'"),
    (("run", "-y", "-f", "missing.yaml"), "", 3, "missing.yaml"),
    (("run", "-y", "-f", "-"), "run: x\nresources: {cpu: 2}\n", 2, "-:2: resources.cpu: unknown field (did you mean 'cpus'?)"),
    (("run", "-y", "-f", "-"), "run: x\nresources: {cpus: 900+}\n", 6, "ask for at most"),
    (("run", "-f", "-"), "run: x\n", 2, "-y"),
    (("task", "get", "task/nothing"), "", 3, "id: no task 'nothing' in this project"),
    (("wallet", "topup", "5,00"), "", 2, "write it as 12.50"),
    (("endpoint", "create", "--model", "M", "--url", "http://127.0.0.1:1", "--price-input", "0.1", "--price-output", "-1"), "", 2, "--price-output"),
    (("site", "create", "-f", "-"), "name: x\nprices: {core_second: cheap}\n", 2, "-:2: prices.core_second"),
)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform(credit="0.00"))

    def tearDown(self):
        self.assertEqual(self.platform.api("GET", "/readyz").status, 200, "the platform goes on")

    def test_bad_specs(self):
        before = self.platform.api("GET", "/v1/tasks").json["total"]
        for what, body, headers, status, field, words in BAD_SPECS:
            with self.subTest(what):
                answer = self.platform.api("POST", "/v1/tasks", body, headers=headers)
                self.assertEqual((answer.status, answer.headers["content-type"]), (status, "application/problem+json"), answer.text)
                self.assertIn(words, answer.json["detail"])
                self.assertEqual([error["field"] for error in answer.json.get("errors", [])], [field] if field else [])
                self.assertTrue(answer.json["request_id"].startswith("rq_"))
        self.assertEqual(self.platform.api("GET", "/v1/tasks").json["total"], before)

    def test_all_mistakes_are_told_at_once(self):
        answer = self.platform.api("POST", "/v1/tasks", "nam: a\nrun: 5\nnum_nodes: two\n", headers=YAML)
        self.assertEqual({error["field"] for error in answer.json["errors"]}, {"nam", "run", "num_nodes"})

    def test_bad_requests(self):
        for method, path, headers, status, words in BAD_REQUESTS:
            with self.subTest(f"{method} {path} {headers}"):
                answer = self.platform.api(method, path, "{}" if method != "GET" else None, headers=headers)
                self.assertEqual(answer.status, status, answer.text)
                self.assertIn(words, answer.json["detail"])
                self.assertNotIn("sk-wrong", answer.text)

    def test_bad_commands(self):
        for words, text, code, said in BAD_COMMANDS:
            with self.subTest(" ".join(words)):
                done = self.platform.cli(*words, input=text, code=code)
                self.assertIn(said, done.err)
                self.assertEqual(done.out, "")

    def test_a_platform_that_is_away(self):
        done = self.platform.cli("task", "list", environment={"PENSTOCK_ENDPOINT": "http://127.0.0.1:1"}, code=1)
        self.assertIn("http://127.0.0.1:1", done.err)
        self.assertIn("refused", done.err)

    def test_an_empty_wallet_makes_a_task_wait_and_says_what_to_do(self):
        name = self.platform.create("name: poor\nresources: {cpus: '0.1', memory: 64MB}\nrun: 'true'\n")
        wait_until(lambda: self.platform.task(name)["reason"] == "waiting_for_balance", "the task to wait for balance")
        explained = self.platform.get_json("explain", f"task/{name}")
        self.assertEqual(explained["blocker"], "balance")
        self.assertIn("top", explained["remedy"])

        self.platform.cli("wallet", "topup", "1.00", key=self.platform.key("operator"))
        self.platform.wait_for_state(name, "SUCCEEDED")

    def test_what_belongs_to_another_tenant_does_not_exist(self):
        name = self.platform.create("name: mine\nresources: {cpus: '0.1', memory: 64MB}\nrun: 'true'\n")
        operator = self.platform.key("operator")
        self.platform.cli("organisation", "create", "other", "--code", "00002", "--role", "consumer", key=operator)
        other = self.platform.api("POST", "/v1/organisations/other/keys", {"name": "k"}, key=operator).json["key"]
        for method, path in (("GET", ""), ("GET", "/logs"), ("GET", "/attempts"), ("GET", ":explain"), ("POST", ":cancel")):
            with self.subTest(method + path):
                missing, foreign = (self.platform.api(method, f"/v1/tasks/{task}{path}", key=other) for task in (FOREIGN, name))
                self.assertEqual((foreign.status, missing.status), (404, 404))
                self.assertEqual(foreign.json["detail"].replace(name, FOREIGN), missing.json["detail"])
        self.assertEqual(self.platform.get_json("task", "list", "--all", key=other)["total"], 0)

    def test_a_body_without_chunks_that_comes_in_pieces(self):
        target = urlsplit(self.platform.url)
        with socket.create_connection((target.hostname, target.port), timeout=HEADER_SECONDS_MAX) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Without a key: what anybody can send.
            for piece in (b"POST /v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n", b"\r", b"\n"):
                client.sendall(piece)
                # Answered after the piece was read.
                self.assertEqual(self.platform.api("GET", "/livez").status, 200)
            self.assertIn(b" 401 ", client.recv(4096))

    def test_a_client_that_trickles_its_header_is_cut_off(self):
        target = urlsplit(self.platform.url)
        with socket.create_connection((target.hostname, target.port), timeout=HEADER_SECONDS_MAX) as slow:
            slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            answer = b""

            def cut_off():
                nonlocal answer
                try:
                    slow.settimeout(0.2)
                    part = slow.recv(4096)
                    answer += part
                    return not part
                except TimeoutError:
                    slow.sendall(b".")
                    self.assertEqual(self.platform.api("GET", "/livez").status, 200)
                    return False
                except OSError as error:
                    self.assertIn(error.errno, (errno.ECONNRESET, errno.EPIPE))
                    return True

            wait_until(cut_off, "the slow client to be cut off", HEADER_SECONDS_MAX)
            self.assertIn(b" 408 ", answer)


class DiskFull(unittest.TestCase):
    """A small disk of its own as the state directory."""

    def setUp(self):
        self.disk = Path(tempfile.mkdtemp(prefix="penstock-disk-"))
        self.addCleanup(self.disk.rmdir)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", self.disk], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"cannot mount a small disk here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)

    def fill(self):
        file = os.open(self.disk / "ballast", os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, file)
        try:
            while True:
                os.write(file, b"x" * 4096)
        except OSError as error:
            self.assertEqual(error.errno, errno.ENOSPC)

    def test_a_full_disk_is_told_and_loses_nothing_that_was_acknowledged(self):
        with Platform(agent=False, state=self.disk / "state") as platform:
            acknowledged = [platform.create(f"name: before-{i}\nrun: x\n") for i in range(3)]
            self.fill()
            refused = platform.cli("task", "create", "-y", "-f", "-", "-o", "name", input="name: during\nrun: x\n", code=6)
            self.assertEqual(refused.out, "")
            self.assertRegex(refused.err, r"state_dir: the disk of .* has \d+ MiB left, .* make room there")
            self.assertEqual(platform.api("POST", "/v1/tasks", {"run": "x"}).status, 507)
            self.assertEqual(platform.get_json("task", "list", "--all")["total"], 3, "what is there can still be read")

            os.truncate(self.disk / "ballast", 0)
            acknowledged.append(platform.create("name: after\nrun: x\n"))
            platform.kill("up")
            platform.start_up()
            self.assertEqual({task["id"] for task in platform.get_json("task", "list", "--all")["tasks"]}, set(acknowledged))
            self.assertTrue(platform.settlement()["balanced"])


if __name__ == "__main__":
    unittest.main()
