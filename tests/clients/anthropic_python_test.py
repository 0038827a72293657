#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Anthropic's official Python client against an endpoint, without knowing what it is.

Environment: ANTHROPIC_BASE_URL (without /v1), ANTHROPIC_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls a tool when it is offered one.
"""
import os
import unittest

import anthropic

MODEL = os.environ["MODEL"]
MESSAGES = [{"role": "user", "content": "Name one river in a short sentence."}]
ANSWER_SECONDS_MAX = 120
WEATHER = {"name": "weather", "description": "The weather of a city.",
           "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def client(**options):
    return anthropic.Anthropic(**{"timeout": ANSWER_SECONDS_MAX, "max_retries": 0} | options)


def ask(to, **options):
    """At temperature 0, which this version of the client has no word for."""
    return to.messages.create(**{"model": MODEL, "messages": MESSAGES, "max_tokens": 24, "extra_body": {"temperature": 0}} | options)


class Messages(unittest.TestCase):
    def test_answers(self):
        answer = ask(client(), system="Be brief.")
        self.assertEqual((answer.type, answer.role, answer.model), ("message", "assistant", MODEL))
        self.assertTrue(answer.content[0].text)
        self.assertIn(answer.stop_reason, ("end_turn", "max_tokens"))
        self.assertGreater(answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0), 3)
        self.assertGreater(answer.usage.output_tokens, 0)

    def test_stops_at_the_limit_of_tokens(self):
        answer = ask(client(), max_tokens=3, extra_body={"temperature": 0}, messages=[{"role": "user", "content": "Write a long story about a river."}])
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", 3))

    def test_takes_a_conversation_of_blocks(self):
        answer = ask(client(), messages=MESSAGES + [{"role": "assistant", "content": [{"type": "text", "text": "The Elbe."}]},
                                                    {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": " another?"}]}])
        self.assertTrue(answer.content[0].text)

    def test_counts_tokens(self):
        self.assertGreater(client().messages.count_tokens(model=MODEL, messages=MESSAGES).input_tokens, 3)


class Models(unittest.TestCase):
    def test_lists_the_model_in_pages(self):
        pages = client().models.list(limit=1)
        listed = {model.id: model for model in pages}
        self.assertIn(MODEL, listed)
        self.assertEqual(client().models.retrieve(MODEL).created_at, listed[MODEL].created_at)


class Stream(unittest.TestCase):
    def test_events_make_the_whole_message(self):
        with client().messages.stream(model=MODEL, messages=MESSAGES, max_tokens=24) as stream:
            text = "".join(stream.text_stream)
            message = stream.get_final_message()
        self.assertEqual(message.content[0].text, text)
        self.assertTrue(text)
        self.assertEqual(message.model, MODEL)
        self.assertIn(message.stop_reason, ("end_turn", "max_tokens"))
        self.assertGreater(message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0), 3)
        self.assertGreater(message.usage.output_tokens, 0)

    def test_events_come_in_their_order(self):
        kinds = [event.type for event in ask(client(), stream=True) if event.type != "ping"]
        self.assertEqual(kinds[:2], ["message_start", "content_block_start"])
        self.assertEqual(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"])
        self.assertGreater(kinds.count("content_block_delta"), 1)

    def test_leaving_early_leaves_the_endpoint_usable(self):
        stream = ask(client(), stream=True, max_tokens=200)
        next(iter(stream))
        stream.close()
        self.assertTrue(ask(client(), max_tokens=2).content)


class Tools(unittest.TestCase):
    def check(self, message):
        call = next(block for block in message.content if block.type == "tool_use")
        self.assertEqual((message.stop_reason, call.name, call.input), ("tool_use", "weather", {"city": "Ulm"}))
        return call

    @unittest.skipUnless(os.environ.get("CALLS_TOOLS"), "the model may answer without a call")
    def test_a_call_and_its_result(self):
        asked = [{"role": "user", "content": "Weather in Ulm?"}]
        message = ask(client(), messages=asked, tools=[WEATHER], tool_choice={"type": "auto"})
        call = self.check(message)
        answer = ask(client(), tools=[WEATHER], messages=asked + [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]}])
        self.assertIn("rain", answer.content[0].text)

    @unittest.skipUnless(os.environ.get("CALLS_TOOLS"), "the model may answer without a call")
    def test_a_streamed_call(self):
        with client().messages.stream(model=MODEL, max_tokens=24, tools=[WEATHER], messages=[{"role": "user", "content": "Weather in Ulm?"}]) as stream:
            self.check(stream.get_final_message())


class Errors(unittest.TestCase):
    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(anthropic.AuthenticationError) as caught:
            ask(client(api_key="sk-not-a-key"))
        self.assertEqual(caught.exception.body["error"]["type"], "authentication_error")
        self.assertNotIn("sk-not-a-key", str(caught.exception))

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(anthropic.NotFoundError) as caught:
            ask(client(), model="no-such-model")
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")

    def test_a_wrong_type_is_a_bad_request(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            ask(client(), messages="hello")
        self.assertEqual(caught.exception.body["type"], "error")
        self.assertTrue(caught.exception.body["error"]["message"])

    def test_an_error_before_a_stream_is_an_ordinary_error(self):
        with self.assertRaises(anthropic.BadRequestError):
            list(ask(client(), messages=[], stream=True))


if __name__ == "__main__":
    unittest.main()
