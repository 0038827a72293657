#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Settings of keys and projects by the real binary: set by the command line and the API, shown with who says so, in force from the next call on."""
import os
import unittest
import uuid

from batch_test import Engine, offer
from platform_process import ROOT, Platform, wait_until


class Settings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(Engine())
        cls.platform = cls.enterClassContext(Platform(roles=True, agent=False))
        offer(cls.platform, cls.engine, "words", "--cached-percent", "10")
        wait_until(lambda: cls.platform.api("GET", "/v1/models", url=cls.platform.gateway_url).json["data"], "the route")

    def setUp(self):
        self.project, self.name = uuid.uuid4().hex, uuid.uuid4().hex
        self.platform.cli("project", "create", self.project)
        self.key = self.platform.cli("key", "create", "--name", self.name, "--project", self.project, "--scope", "tokens").out.strip()

    def ask(self, key=None, **headers):
        body = {"model": "words", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20, "temperature": 0}
        return self.platform.api("POST", "/v1/chat/completions", body, key=key or self.key, headers={name.replace("_", "-"): value for name, value in headers.items()},
                                 url=self.platform.gateway_url)

    def cache_word(self, **headers):
        answer = self.ask(**headers)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.headers.get("x-penstock-cache")

    def in_force(self):
        shown = self.platform.api("GET", "/v1/key", key=self.key).json["data"]["settings"]
        self.assertEqual(shown, self.platform.get_json("key", "show", self.name)["settings_in_force"])
        return {one["name"]: (one["value"], one["from"], one["fixed"]) for one in shown}

    def test_the_platforms_hold_where_nobody_says_anything(self):
        self.assertEqual(self.in_force(), {"stream_failure": ("terminate", "platform", False), "cache": ("off", "platform", False),
                                           "read_timeout": ("60s where streams are continued, else none", "platform", False),
                                           "cache_ttl": ("1h", "platform", False), "unsupported": ("refuse", "platform", False),
                                           "undelivered": ("free", "platform", False)})
        self.assertIsNone(self.cache_word())

    def test_a_key_goes_before_its_project_and_a_request_before_both(self):
        self.platform.cli("project", "update", self.project, "--cache", "on")
        wait_until(lambda: self.cache_word() is not None, "the project's setting")
        self.assertEqual(self.cache_word(), "hit")
        self.platform.cli("key", "update", self.name, "--cache", "off", "--stream-failure", "continue")
        wait_until(lambda: self.cache_word() is None, "the key's setting")
        self.assertEqual(self.cache_word(x_penstock_cache="on"), "hit")
        self.assertEqual((self.in_force()["cache"], self.in_force()["stream_failure"]), (("off", "key", False), ("continue", "key", False)))
        self.assertEqual(self.platform.get_json("project", "get", self.project)["settings"], {"cache": "on", "fixed": []})
        self.platform.cli("key", "update", self.name, "--cache", "inherit")
        wait_until(lambda: self.cache_word() == "hit", "the project's setting again")
        self.assertEqual(self.in_force()["cache"], ("on", "project", False))
        self.assertIn("stream-failure=continue cache=on(project)", self.platform.cli("key", "show", self.name).out)

    def test_what_a_project_fixes_holds_against_keys_and_requests(self):
        self.platform.cli("project", "update", self.project, "--cache", "off", "--fix", "cache")
        wait_until(lambda: self.ask(x_penstock_cache="on").status == 403, "the project's setting")
        refused = self.ask(x_penstock_cache="on").json["error"]
        self.assertEqual((refused["param"], refused["code"]), ("x-penstock-cache", "setting_is_fixed"))
        self.assertIsNone(self.cache_word(x_penstock_cache="off"))
        refused = self.platform.cli("key", "update", self.name, "--cache", "on", code=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn("settings.cache", refused.err)
        self.assertIn("fixed by the project as 'off'", refused.err)
        refused = self.platform.cli("key", "create", "--name", uuid.uuid4().hex, "--project", self.project, "--cache", "any", code=None)
        self.assertIn("fixed by the project as 'off'", refused.err)
        self.platform.cli("project", "update", self.project, "--unfix", "cache")
        self.platform.cli("key", "update", self.name, "--cache", "on")
        wait_until(lambda: self.cache_word() is not None, "the key's setting")

    def test_a_project_does_not_fix_what_its_keys_have_set(self):
        self.platform.cli("key", "update", self.name, "--unsupported", "drop")
        refused = self.platform.cli("project", "update", self.project, "--unsupported", "refuse", "--fix", "unsupported", code=None)
        self.assertNotEqual(refused.code, 0)
        self.assertIn(self.name, refused.err)
        self.platform.cli("key", "update", self.name, "--unsupported", "inherit")
        self.platform.cli("project", "update", self.project, "--unsupported", "refuse", "--fix", "unsupported")
        self.assertEqual(self.in_force()["unsupported"], ("refuse", "project", True))

    def test_mistakes_are_named_all_at_once(self):
        key = self.platform.get_json("key", "show", self.name)["id"]
        body = {"settings": {"read_timeout": "1ms", "cache_ttl": "48h", "fixed": ["colour", "cache"]}}
        refused = self.platform.api("PATCH", f"/v1/keys/{key}", body)
        self.assertEqual(refused.status, 400, refused.text)
        for field in ("settings.read_timeout", "settings.cache_ttl", "settings.fixed[0]", "settings.fixed[1]"):
            self.assertIn(field, refused.text)
        refused = self.platform.api("PATCH", f"/v1/keys/{key}", {"settings": {"cache": "sometimes"}})
        self.assertIn("'sometimes' is not one of off, on, any", refused.text)
        organisation = self.platform.get_json("organisation", "list")["organisations"][0]["id"]
        refused = self.platform.api("PATCH", f"/v1/organisations/{organisation}", {"settings": {"cache": "on"}})
        self.assertIn("organisations have none", refused.text)
        refused = self.platform.cli("key", "update", self.name, "--fix", "colour", code=None)
        self.assertIn("'colour' is no setting", refused.err)

    def test_they_outlive_the_server(self):
        self.platform.cli("key", "update", self.name, "--read-timeout", "30s")
        self.platform.kill("server")
        self.platform.start_server()
        self.assertEqual(self.in_force()["read_timeout"], ("30s", "key", False))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
