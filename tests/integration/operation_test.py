#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators and their tools rely on: metrics, probes, version, and a description of the API that is true."""
import json
import re
import subprocess
import unittest

import engine
from platform_process import BINARY, ROOT, Platform, wait_until

DESCRIPTION = ROOT / "api/openapi.json"
TOLD_SECONDS_MAX = 8  # a gateway is told; it does not find out when its question or what it remembers runs out
METHODS = {"get", "put", "post", "delete", "head", "patch"}


class Operation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.platform = cls.enterClassContext(Platform())
        cls.platform.wait_for_state(cls.platform.create("name: t\nresources: {cpus: '0.2', memory: 64MB}\nrun: 'true'\n"), "SUCCEEDED")
        cls.platform.api("GET", "/v1/nowhere")

    def test_prometheus_accepts_the_metrics(self):
        answer = self.platform.api("GET", "/metrics", headers={"Authorization": None})
        self.assertTrue(answer.headers["content-type"].startswith("text/plain"))
        checked = subprocess.run(["promtool", "check", "metrics"], input=answer.text, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        self.assertGreater(len([line for line in answer.text.splitlines() if not line.startswith("#")]), 20)

    def test_metrics_carry_no_ids(self):
        """A label per task or key would grow without end."""
        text = self.platform.api("GET", "/metrics").text
        self.assertEqual(re.findall(r"\b(?:tk|at|ky|rq|og|sk)[_-][0-9a-z]{16,}", text), [])

    def test_probes_need_no_key(self):
        for path in ("/livez", "/readyz", "/version"):
            self.assertEqual(self.platform.api("GET", path, headers={"Authorization": None}).status, 200, path)
        version = self.platform.api("GET", "/version").json
        self.assertEqual(version["api"], "v1")
        self.assertIn(version["version"], self.platform.cli("version").out)

    def test_doctor_finds_nothing_wrong(self):
        checks = self.platform.get_json("doctor")
        self.assertEqual({check["status"] for check in checks["checks"]}, {"ok"}, checks)


class Restart(unittest.TestCase):
    """A gateway outlives the server that it follows."""

    def setUp(self):
        self.platform = self.enterContext(Platform(roles=True, agent=False))
        self.engine = self.enterContext(engine.serving())

    def register(self, model):
        return self.platform.get_json("endpoint", "create", "--model", model, "--url", self.engine, "--protocol", "openai", "--price-input", "0.10",
                                      "--price-output", "0.40")["id"]

    def served(self):
        return {model["id"] for model in self.platform.api("GET", "/v1/models", url=self.platform.gateway_url).json["data"]}

    def restart_server(self):
        self.platform.kill("server")
        self.platform.start_server()

    def test_a_gateway_learns_what_a_restarted_server_changes(self):
        ids = {model: self.register(model) for model in ("a", "b", "c")}
        wait_until(lambda: self.served() == {"a", "b", "c"}, "the gateway to have the routes")

        self.restart_server()
        self.platform.cli("endpoint", "delete", ids["b"])

        wait_until(lambda: self.served() == {"a", "c"}, "the gateway to drop what was deleted after the restart",
                   TOLD_SECONDS_MAX)

    def test_a_key_revoked_while_the_gateway_was_cut_off_is_refused(self):
        self.register("a")
        made = self.platform.get_json("key", "create", "--name", "short")
        body = {"model": "a", "messages": [{"role": "user", "content": "w"}], "max_tokens": 5}

        def status():
            return self.platform.api("POST", "/v1/chat/completions", body, key=made["key"], url=self.platform.gateway_url).status

        wait_until(lambda: status() == 200, "a call with the key")
        self.platform.freeze("gateway")
        self.platform.cli("key", "delete", made["id"])
        self.restart_server()
        self.platform.thaw("gateway")

        wait_until(lambda: status() == 401, "the key to be refused", TOLD_SECONDS_MAX)


class Description(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = subprocess.run([BINARY, "openapi"], check=True, capture_output=True, text=True).stdout
        cls.document = json.loads(cls.text)
        cls.operations = [(method, path, operation) for path, entry in cls.document["paths"].items()
                          for method, operation in entry.items() if method in METHODS]

    def test_the_committed_one_is_this_one(self):
        self.assertEqual(DESCRIPTION.read_text(), self.text, "run: penstock openapi > api/openapi.json, and look at what changed")

    def test_the_server_shows_the_same(self):
        with Platform(agent=False) as platform:
            self.assertEqual(platform.api("GET", "/openapi.json", headers={"Authorization": None}).json, self.document)

    def test_every_reference_leads_somewhere(self):
        def references(node):
            if isinstance(node, dict):
                if "$ref" in node:
                    yield node["$ref"]
                for value in node.values():
                    yield from references(value)
            elif isinstance(node, list):
                for value in node:
                    yield from references(value)

        def resolve(reference):
            node = self.document
            for step in reference.removeprefix("#/").split("/"):
                node = node[step.replace("~1", "/").replace("~0", "~")]
            return node

        found = set(references(self.document))
        self.assertGreater(len(found), 20)
        for reference in found:
            self.assertTrue(reference.startswith("#/"), reference)
            self.assertIsInstance(resolve(reference), dict)
        used = {reference.rpartition("/")[2] for reference in found}
        self.assertEqual(set(self.document["components"]["schemas"]) - used, set(), "schemas that nothing refers to")

    def test_it_has_what_openapi_3_1_demands(self):
        self.assertRegex(self.document["openapi"], r"^3\.1\.")
        self.assertTrue(self.document["info"]["title"] and self.document["info"]["version"])
        names = [operation["operationId"] for _, _, operation in self.operations]
        self.assertEqual(len(names), len(set(names)))
        schemes = set(self.document["components"]["securitySchemes"])
        for method, path, operation in self.operations:
            with self.subTest(f"{method} {path}"):
                self.assertTrue(operation["responses"])
                self.assertTrue(all("description" in response for response in operation["responses"].values()))
                in_path = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
                self.assertEqual(in_path, set(re.findall(r"\{(\w+)\}", path)))
                self.assertTrue(all(parameter["required"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"))
                used = operation.get("security", self.document.get("security", []))
                self.assertEqual({name for requirement in used for name in requirement} - schemes, set())


if __name__ == "__main__":
    unittest.main()
