#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kept answers, conversations and the cache of answers by the real binary: the official client, tenants, restarts, the bill."""
import os
import subprocess
import sys
import unittest
import uuid
from decimal import Decimal

from batch_test import Engine, offer
from platform_process import ROOT, Platform, wait_until
from real_engine import MODEL, offer_real, real_engine

CLIENT = ROOT / "tests/clients/responses_state_python_test.py"


def run_client(test, platform, url, model):
    environment = platform.environment | {"OPENAI_BASE_URL": url + "/v1", "OPENAI_API_KEY": platform.key(), "MODEL": model}
    done = subprocess.run([sys.executable, CLIENT], env=environment, capture_output=True, text=True, timeout=240)
    test.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-6000:])


def other_key(platform):
    platform.cli("project", "create", "other", code=None)
    return platform.cli("key", "create", "--name", uuid.uuid4().hex, "--project", "other", "--scope", "tokens").out.strip()


class Kept(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(Engine())
        cls.platform = cls.enterClassContext(Platform(roles=True, agent=False))
        offer(cls.platform, cls.engine)
        wait_until(lambda: cls.api("GET", "/v1/models").json["data"], "the route")

    @classmethod
    def api(cls, method, path, body=None, **options):
        return cls.platform.api(method, path, body, url=cls.platform.gateway_url, **options)

    def keep(self, **more):
        answer = self.api("POST", "/v1/responses", {"model": "words", "input": "Say it", "max_output_tokens": 20, "store": True} | more)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.json

    def test_the_official_client_is_served(self):
        run_client(self, self.platform, self.platform.gateway_url, "words")

    def test_another_project_sees_nothing_of_it(self):
        key, kept = other_key(self.platform), self.keep()["id"]
        conversation = self.api("POST", "/v1/conversations", {}).json["id"]
        for method, path in (("GET", f"/v1/responses/{kept}"), ("DELETE", f"/v1/responses/{kept}"), ("GET", f"/v1/responses/{kept}/input_items"),
                             ("GET", f"/v1/conversations/{conversation}"), ("DELETE", f"/v1/conversations/{conversation}"),
                             ("GET", f"/v1/conversations/{conversation}/items")):
            self.assertEqual(self.api(method, path, key=key).status, 404, path)
        for member, value, status in (("previous_response_id", kept, 400), ("conversation", conversation, 404)):
            refused = self.api("POST", "/v1/responses", {"model": "words", "input": "x", member: value}, key=key)
            self.assertEqual((refused.status, refused.json["error"]["param"]), (status, member))

    def test_it_outlives_the_server(self):
        kept = self.keep(input="Remember the river")
        conversation = self.api("POST", "/v1/conversations", {"items": [{"role": "user", "content": "Hello there"}]}).json["id"]
        self.platform.kill("server")
        refused = self.api("POST", "/v1/responses", {"model": "words", "input": "x", "previous_response_id": kept["id"]})
        self.assertEqual((refused.status, refused.json["error"]["code"]), (503, "server_unavailable"))
        self.assertEqual(self.api("POST", "/v1/responses", {"model": "words", "input": "stateless goes on"}).status, 200)
        self.platform.start_server()
        self.assertEqual(self.api("GET", f"/v1/responses/{kept['id']}").json["output"], kept["output"])
        self.api("POST", "/v1/responses", {"model": "words", "input": "and now", "conversation": conversation})
        texts = [item["content"][0]["text"] for item in self.api("GET", f"/v1/conversations/{conversation}/items?order=asc").json["data"]]
        self.assertEqual(texts, ["Hello there", "and now", "water falls"])

    def test_a_turn_that_the_gateway_repeats_is_added_once(self):
        conversation = self.api("POST", "/v1/conversations", {}).json["id"]
        owner = self.platform.api("GET", "/v1/whoami").json
        turn = {"turn": {"organisation_id": owner["organisation_id"], "project_id": owner["project_id"], "conversation": conversation, "store": False},
                "id": "resp_once", "input": [{"role": "user", "content": "hello"}], "response": {"id": "resp_once", "output": []}}
        told = [self.platform.api("POST", "/v1/gateway/responses:keep", turn, key=self.platform.key("gateway")).json["repeated"] for _ in range(2)]
        self.assertEqual((told, len(self.api("GET", f"/v1/conversations/{conversation}/items").json["data"])), ([False, True], 1))

    def test_a_chain_goes_on_after_its_beginning_was_deleted(self):
        first = self.keep(input="one two")["id"]
        second = self.keep(input="three", previous_response_id=first)["id"]
        self.assertEqual(self.api("DELETE", f"/v1/responses/{first}").status, 200)
        self.assertEqual(self.api("GET", f"/v1/responses/{first}").status, 404)
        gone = self.api("POST", "/v1/responses", {"model": "words", "input": "x", "previous_response_id": first})
        self.assertEqual((gone.status, gone.json["error"]["code"]), (400, "previous_response_not_found"))
        self.assertEqual(self.keep(input="four", previous_response_id=second)["usage"]["input_tokens"], 2 + 2 + 1 + 2 + 1)

    def test_a_kept_answer_is_not_streamed_again(self):
        kept = self.keep()["id"]
        for query, param in (("stream=true", "stream"), ("starting_after=3", "starting_after")):
            refused = self.api("GET", f"/v1/responses/{kept}?{query}")
            self.assertEqual((refused.status, refused.json["error"]["param"]), (400, param))
        self.assertEqual(self.api("GET", f"/v1/responses/{kept}?stream=false").status, 200)

    def test_the_engine_gets_the_conversation_whole(self):
        first = self.keep(input="one two")
        again = self.keep(input="three", previous_response_id=first["id"])
        self.assertEqual(again["usage"]["input_tokens"], 2 + 2 + 1)


class RealEngine(unittest.TestCase):
    """llama.cpp's own server: what it says was not made for this test."""

    def test_the_official_client_is_served(self):
        platform = self.enterContext(Platform(agent=False))
        offer_real(platform, self.enterContext(real_engine()))
        run_client(self, platform, platform.url, MODEL)


class Cache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = cls.enterClassContext(Engine())
        cls.platform = cls.enterClassContext(Platform(agent=False))
        offer(cls.platform, cls.engine, "words", "--cached-percent", "10")
        offer(cls.platform, cls.engine, "unsold")
        wait_until(lambda: len(cls.platform.api("GET", "/v1/models").json["data"]) == 2, "the routes")

    def ask(self, text, path="/v1/chat/completions", cache="on", key=None, headers=None, **more):
        body = {"model": "words", "messages": [{"role": "user", "content": text}], "max_tokens": 20, "temperature": 0} | more
        answer = self.platform.api("POST", path, body, key=key, headers={"x-penstock-cache": cache} | (headers or {}))
        self.assertEqual(answer.status, 200, answer.text)
        return answer

    def bill_of(self, answer):
        call = answer.headers["x-penstock-call"]
        return wait_until(lambda: next((line for line in self.platform.bills() if call in line["resource"]), None), "the bill line")

    def test_the_same_request_is_answered_from_what_was_kept_at_its_price(self):
        text = uuid.uuid4().hex
        first, again = self.ask(text), self.ask(text)
        self.assertEqual([answer.headers["x-penstock-cache"] for answer in (first, again)], ["miss", "hit"])
        # At a tenth of the price, and else the same.
        listed, kept = first.json, again.json
        self.assertAlmostEqual(kept["usage"].pop("cost") * 10, listed["usage"].pop("cost"), places=12)
        self.assertEqual((kept, self.engine.asked.count(text)), (listed, 1))
        self.assertEqual(Decimal(again.headers["x-penstock-cost"]) * 10, Decimal(first.headers["x-penstock-cost"]))
        bill, other = self.bill_of(again), self.bill_of(first)
        self.assertEqual((bill["basis"], bill["tariff"], other["basis"], other.get("tariff")), ("cached", "cached", "upstream", None))
        self.assertEqual([(item["meter"], item["quantity"]) for item in bill["usage"]], [(item["meter"], item["quantity"]) for item in other["usage"]])
        self.assertEqual(bill["provider"], other["provider"])

    def test_the_price_is_shown(self):
        models = {model["id"]: model for model in self.platform.api("GET", "/v1/models").json["data"]}
        self.assertEqual(models["words"]["cached_pricing"]["percent"], 10)
        self.assertNotIn("cached_pricing", models["unsold"])

    def test_sampled_answers_are_not_given_again_unless_asked_for(self):
        text = uuid.uuid4().hex
        self.assertEqual([self.ask(text, temperature=1).headers["x-penstock-cache"] for _ in range(2)], ["bypass", "bypass"])
        self.assertEqual([self.ask(text, cache="any", temperature=1).headers["x-penstock-cache"] for _ in range(2)], ["miss", "hit"])
        self.assertEqual(self.engine.asked.count(text), 3)

    def test_without_the_header_nothing_is_kept_or_given(self):
        text = uuid.uuid4().hex
        self.assertNotIn("x-penstock-cache", self.ask(text, cache="off").headers)
        self.assertEqual(self.ask(text).headers["x-penstock-cache"], "miss")

    def test_another_project_gets_an_answer_of_its_own(self):
        text = uuid.uuid4().hex
        self.ask(text)
        self.assertEqual(self.ask(text, key=other_key(self.platform)).headers["x-penstock-cache"], "miss")

    def test_what_no_price_is_declared_for_is_not_given_again(self):
        text = uuid.uuid4().hex
        self.assertEqual([self.ask(text, model="unsold").headers["x-penstock-cache"] for _ in range(2)], ["miss", "miss"])

    def test_it_is_forgotten_after_its_time(self):
        text = uuid.uuid4().hex
        self.assertEqual([self.ask(text, headers={"x-penstock-cache-ttl": "0s"}).headers["x-penstock-cache"] for _ in range(2)], ["miss", "miss"])

    def test_what_a_request_says_of_suppliers_is_a_part_of_it_in_every_api(self):
        own = self.platform.get_json("endpoint", "list")["endpoints"][0]["provider"]
        refuses = {"provider": {"ignore": [own]}}
        for path, said in (("/v1/chat/completions", "messages"), ("/v1/messages", "messages"), ("/api/chat", "messages"), ("/v1/responses", "input"),
                           ("/v1/embeddings", "input")):
            text = uuid.uuid4().hex
            body = {"model": "words", "stream": False} if said == "messages" else {"model": "words"}
            body |= {said: [{"role": "user", "content": text}] if said == "messages" else text}
            body |= {"max_tokens": 20} if path == "/v1/messages" else {}
            with self.subTest(path=path):
                def ask(**more):
                    return self.platform.api("POST", path, body | more, headers={"x-penstock-cache": "any"})

                self.assertEqual([ask().headers["x-penstock-cache"] for _ in range(2)], ["miss", "hit"])
                refused = ask(**refuses)
                self.assertEqual((refused.status, refused.headers.get("x-penstock-cache")), (400, None), refused.text)
                accepts = {"provider": {"only": [own]}}
                self.assertEqual([ask(**accepts).headers["x-penstock-cache"] for _ in range(2)], ["miss", "hit"])

    def test_an_answer_that_is_kept_by_its_id_is_none_that_is_given_again(self):
        body = {"model": "words", "input": uuid.uuid4().hex, "temperature": 0, "store": True}
        words = [self.platform.api("POST", "/v1/responses", body, headers={"x-penstock-cache": "on"}).headers.get("x-penstock-cache") for _ in range(2)]
        self.assertEqual(words, ["bypass", "bypass"])

    def test_embeddings_are_given_again_as_they_are(self):
        body = {"model": "words", "input": uuid.uuid4().hex}
        words = [self.platform.api("POST", "/v1/embeddings", body, headers={"x-penstock-cache": "on"}).headers["x-penstock-cache"] for _ in range(2)]
        self.assertEqual(words, ["miss", "hit"])

    def test_a_stream_is_given_again_as_a_stream(self):
        text = uuid.uuid4().hex
        answers = [self.ask(text, stream=True) for _ in range(2)]
        self.assertEqual([answer.headers["x-penstock-cache"] for answer in answers], ["miss", "hit"])
        self.assertEqual(answers[0].text, answers[1].text)
        self.assertTrue(answers[1].text.endswith("data: [DONE]\n\n"))
        self.assertEqual((answers[1].headers["content-type"], self.engine.asked.count(text)), ("text/event-stream", 1))

    def test_other_dialects_are_given_again_too(self):
        body = {"model": "words", "max_tokens": 20, "temperature": 0, "messages": [{"role": "user", "content": uuid.uuid4().hex}]}
        answers = [self.platform.api("POST", "/v1/messages", body, headers={"x-penstock-cache": "on"}) for _ in range(2)]
        self.assertEqual([answer.headers["x-penstock-cache"] for answer in answers], ["miss", "hit"])
        self.assertEqual(answers[0].text, answers[1].text)

    def test_a_key_may_not_have_what_it_may_not_ask_for(self):
        text = uuid.uuid4().hex
        self.ask(text)
        key = self.platform.cli("key", "create", "--name", uuid.uuid4().hex, "--scope", "tokens", "--models", "unsold").out.strip()
        body = {"model": "words", "messages": [{"role": "user", "content": text}], "max_tokens": 20, "temperature": 0}
        self.assertEqual(self.platform.api("POST", "/v1/chat/completions", body, key=key, headers={"x-penstock-cache": "on"}).status, 403)

    def test_a_wrong_word_is_refused_by_name(self):
        body = {"model": "words", "messages": [{"role": "user", "content": "x"}]}
        refused = self.platform.api("POST", "/v1/chat/completions", body, headers={"x-penstock-cache": "maybe"})
        self.assertEqual((refused.status, refused.json["error"]["param"]), (400, "x-penstock-cache"))


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
