#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LangChain's OpenAI integration against an OpenAI-compatible endpoint.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls the tool that it is offered.
"""
import os
import unittest

import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

QUESTION = [HumanMessage("Name one river in a short sentence.")]
CALLS_TOOLS = os.environ.get("CALLS_TOOLS") == "1"


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


def model(name=os.environ["MODEL"], **options):
    return ChatOpenAI(model=name, max_tokens=24, temperature=0, max_retries=0, timeout=120, stream_usage=True, **options)


class LangChain(unittest.TestCase):
    def check_usage(self, usage):
        self.assertGreater(min(usage["input_tokens"], usage["output_tokens"]), 0)
        self.assertEqual(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"])

    def test_answers_with_usage(self):
        answer = model().invoke(QUESTION)
        self.assertTrue(answer.content.strip())
        self.assertIn(answer.response_metadata["finish_reason"], ("stop", "length"))
        self.check_usage(answer.usage_metadata)

    def test_streams_in_parts_with_the_usage_at_the_end(self):
        parts = list(model().stream(QUESTION))
        self.assertGreater(sum(bool(part.content) for part in parts), 1)
        whole = parts[0]
        for part in parts[1:]:
            whole += part
        self.check_usage(whole.usage_metadata)

    def test_answers_several_at_once(self):
        answers = model().batch([QUESTION] * 3)
        self.assertTrue(all(answer.content.strip() for answer in answers))

    def test_an_unknown_model_is_told(self):
        with self.assertRaises(openai.NotFoundError):
            model("no-such-model").invoke(QUESTION)

    @unittest.skipUnless(CALLS_TOOLS, "this model does not call tools")
    def test_calls_a_tool_and_is_told_what_it_said(self):
        offered = model().bind_tools([weather])
        for call_model in (offered.invoke, lambda messages: self.joined(offered.stream(messages))):
            asked = call_model(QUESTION)
            [call] = asked.tool_calls
            self.assertEqual((call["name"], call["args"]), ("weather", {"city": "Ulm"}))
            told = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
            self.assertIn("sunny in Ulm", call_model([*QUESTION, asked, told]).content)

    @staticmethod
    def joined(parts):
        whole = None
        for part in parts:
            whole = part if whole is None else whole + part
        return whole


if __name__ == "__main__":
    unittest.main()
