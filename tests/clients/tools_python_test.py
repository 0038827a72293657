#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tool's round trip with a model that decides itself, by the clients of OpenAI, Anthropic and LangChain: the call, its arguments, its result, the answer.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, MODEL; the model calls `weather` when it is asked for the
weather of Ulm, and tells what the tool said.
"""
import json
import os
import unittest

import anthropic
import openai
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

MODEL = os.environ["MODEL"]
QUESTION = {"role": "user", "content": "What is the weather in Ulm?"}
# A single city: what the model may say is bound by the schema, not by chance.
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Ulm"]}}, "required": ["city"]}
RESULT = "sunny in Ulm"
LIMITS = {"max_tokens": 64, "timeout": 300}


class City(BaseModel):
    model_config = {"json_schema_extra": {"properties": SCHEMA["properties"]}}
    city: str


@tool(args_schema=City)
def weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


class RoundTrip(unittest.TestCase):
    def check(self, name, arguments):
        self.assertEqual((name, arguments), ("weather", {"city": "Ulm"}))

    def test_openai(self):
        client = openai.OpenAI(max_retries=0)
        tools = [{"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": SCHEMA}}]
        asked = {"model": MODEL, "tools": tools, "temperature": 0} | LIMITS
        choice = client.chat.completions.create(messages=[QUESTION], tool_choice="required", **asked).choices[0]
        [call] = choice.message.tool_calls
        self.assertEqual(choice.finish_reason, "tool_calls")
        self.check(call.function.name, json.loads(call.function.arguments))
        told = [QUESTION, choice.message, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
        answer = client.chat.completions.create(messages=told, **asked).choices[0]
        self.assertEqual(answer.finish_reason, "stop")
        self.assertIn("sunny", answer.message.content)

    def test_openai_streamed(self):
        tools = [{"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": SCHEMA}}]
        with openai.OpenAI(max_retries=0).chat.completions.stream(model=MODEL, messages=[QUESTION], tools=tools, tool_choice="required", temperature=0,
                                                                  **LIMITS) as stream:
            choice = stream.get_final_completion().choices[0]
        [call] = choice.message.tool_calls
        self.check(call.function.name, json.loads(call.function.arguments))

    def test_anthropic_streamed(self):
        client = anthropic.Anthropic(max_retries=0)
        tools = [{"name": "weather", "description": "The weather of a city", "input_schema": SCHEMA}]
        asked = {"model": MODEL, "tools": tools, "extra_body": {"temperature": 0}} | LIMITS
        with client.messages.stream(messages=[QUESTION], tool_choice={"type": "any"}, **asked) as stream:
            message = stream.get_final_message()
        self.assertEqual(message.stop_reason, "tool_use")
        [call] = [block for block in message.content if block.type == "tool_use"]
        self.check(call.name, call.input)
        told = [QUESTION, {"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT}]}]
        answer = client.messages.create(messages=told, **asked)
        self.assertEqual(answer.stop_reason, "end_turn")
        self.assertIn("sunny", answer.content[0].text)

    def test_langchain(self):
        model = ChatOpenAI(model=MODEL, temperature=0, max_retries=0, **LIMITS)
        question = HumanMessage(QUESTION["content"])
        asked = model.bind_tools([weather], tool_choice="required").invoke([question])
        [call] = asked.tool_calls
        self.check(call["name"], call["args"])
        told = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
        self.assertIn("sunny", model.bind_tools([weather]).invoke([question, asked, told]).content)


if __name__ == "__main__":
    unittest.main()
