#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Responses API of OpenAI's official Python client against an endpoint, without knowing what it is.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls a tool when it is offered one.
"""
import json
import os
import unittest

import openai

MODEL = os.environ["MODEL"]
INPUT = "Name one river in a short sentence."
ANSWER_SECONDS_MAX = 120
WEATHER = {"type": "function", "name": "weather", "description": "The weather of a city.", "strict": False,
           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


def client(**options):
    return openai.OpenAI(**{"timeout": ANSWER_SECONDS_MAX, "max_retries": 0} | options)


def ask(to, **options):
    return to.responses.create(**{"model": MODEL, "input": INPUT, "max_output_tokens": 24} | options)


class Responses(unittest.TestCase):
    def test_answers(self):
        answer = ask(client(), instructions="Be brief.", temperature=0.5)
        self.assertEqual((answer.object, answer.model, answer.instructions), ("response", MODEL, "Be brief."))
        self.assertIn(answer.status, ("completed", "incomplete"))
        self.assertTrue(answer.output_text)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)

    def test_stops_at_the_limit_of_tokens(self):
        answer = ask(client(), max_output_tokens=3, temperature=0, input="Write a long story about a river.")
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        self.assertEqual(answer.usage.output_tokens, 3)

    def test_its_own_output_is_input_again(self):
        first = ask(client())
        again = ask(client(), input=[{"role": "user", "content": INPUT}, *[item.model_dump(exclude_none=True) for item in first.output],
                                     {"role": "user", "content": "And another?"}])
        self.assertTrue(again.output_text)


class Stream(unittest.TestCase):
    def test_events_make_the_whole_answer(self):
        with client().responses.stream(model=MODEL, input=INPUT, max_output_tokens=24) as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        self.assertTrue(text)

    def test_events_are_numbered_and_end_with_the_answer(self):
        events = list(ask(client(), stream=True))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        self.assertEqual(events[0].type, "response.created")
        self.assertIn(events[-1].type, ("response.completed", "response.incomplete"))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        self.assertEqual(events[-1].response.output_text, text)
        self.assertGreater(events[-1].response.usage.output_tokens, 0)


class Tools(unittest.TestCase):
    @unittest.skipUnless(os.environ.get("CALLS_TOOLS"), "the model may answer without a call")
    def test_a_call_and_its_result(self):
        asked = [{"role": "user", "content": "Weather in Ulm?"}]
        first = ask(client(), input=asked, tools=[WEATHER])
        call = next(item for item in first.output if item.type == "function_call")
        self.assertEqual((call.name, json.loads(call.arguments)), ("weather", {"city": "Ulm"}))
        answer = ask(client(), tools=[WEATHER], input=asked + [item.model_dump(exclude_none=True) for item in first.output] +
                     [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}])
        self.assertIn("rain", answer.output_text)

    @unittest.skipUnless(os.environ.get("CALLS_TOOLS"), "the model may answer without a call")
    def test_a_streamed_call(self):
        events = list(ask(client(), stream=True, tools=[WEATHER], input="Weather in Ulm?"))
        arguments = "".join(event.delta for event in events if event.type == "response.function_call_arguments.delta")
        self.assertEqual(json.loads(arguments), {"city": "Ulm"})


class Errors(unittest.TestCase):
    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError):
            ask(client(api_key="sk-not-a-key"))

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            ask(client(), model="no-such-model")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_a_kept_answer_is_refused_by_name(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(client(), previous_response_id="resp_1")
        self.assertEqual(caught.exception.param, "previous_response_id")

    def test_a_wrong_type_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError):
            ask(client(), input=7)


if __name__ == "__main__":
    unittest.main()
