#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ollama's official Python client against an endpoint, without knowing what it is.

Environment: OLLAMA_BASE_URL, OLLAMA_KEY (sent as a bearer token), MODEL; CALLS_TOOLS=1 where the model calls a tool when it is offered one.
"""
import os
import unittest

import ollama

MODEL = os.environ["MODEL"]
MESSAGES = [{"role": "user", "content": "Name one river in a short sentence."}]
OPTIONS = {"num_predict": 24}
ANSWER_SECONDS_MAX = 120
WEATHER = {"type": "function", "function": {"name": "weather", "description": "The weather of a city.",
                                            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


def client(key=os.environ["OLLAMA_KEY"]):
    return ollama.Client(host=os.environ["OLLAMA_BASE_URL"], headers={"Authorization": f"Bearer {key}"}, timeout=ANSWER_SECONDS_MAX)


def ask(to, **options):
    return to.chat(**{"model": MODEL, "messages": MESSAGES, "options": OPTIONS} | options)


class Chat(unittest.TestCase):
    def test_lists_the_model(self):
        self.assertIn(MODEL, [model.model for model in client().list().models])

    def test_shows_the_model(self):
        self.assertIsNotNone(client().show(MODEL).modified_at)

    def test_answers(self):
        answer = ask(client())
        self.assertTrue(answer.message.content)
        self.assertEqual((answer.model, answer.done), (MODEL, True))
        self.assertIn(answer.done_reason, ("stop", "length"))
        self.assertGreater(answer.eval_count, 0)

    def test_streams(self):
        *parts, last = ask(client(), stream=True)
        self.assertTrue("".join(part.message.content for part in parts))
        self.assertFalse(any(part.done for part in parts))
        self.assertTrue(last.done)

    @unittest.skipUnless(os.environ.get("CALLS_TOOLS"), "the model may answer without a call")
    def test_a_call_and_its_result(self):
        asked = [{"role": "user", "content": "Weather in Ulm?"}]
        message = ask(client(), messages=asked, tools=[WEATHER]).message
        [call] = message.tool_calls
        self.assertEqual((call.function.name, call.function.arguments), ("weather", {"city": "Ulm"}))
        answer = ask(client(), tools=[WEATHER], messages=[*asked, message, {"role": "tool", "tool_name": "weather", "content": "rain"}])
        self.assertIn("rain", answer.message.content)


class Errors(unittest.TestCase):
    def assert_refused(self, status, **options):
        with self.assertRaises(ollama.ResponseError) as caught:
            ask(options.pop("to", client()), **options)
        self.assertEqual(caught.exception.status_code, status)
        self.assertTrue(caught.exception.error)

    def test_a_wrong_key(self):
        self.assert_refused(401, to=client("sk-not-a-key"))

    def test_an_unknown_model(self):
        self.assert_refused(404, model="no-such-model")

    def test_no_messages(self):
        self.assert_refused(400, messages=[])


if __name__ == "__main__":
    unittest.main()
