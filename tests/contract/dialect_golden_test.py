#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients of other dialects are told, judged by the types of the official SDKs.

Every converted answer and stream among the golden files of src/dialects is parsed as the SDK of its
client parses it, and every field of the SDKs' requests must have an example in golden/fields.
"""
import functools
import json
import pathlib
import typing
import unittest
import warnings

import anthropic.types
import ollama
import openai.types.chat
import openai.types.responses
from anthropic.lib.streaming._messages import accumulate_event as accumulate_anthropic
from pydantic import TypeAdapter

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "src" / "dialects" / "golden"
# Reasons to stop that an engine invented stay what they are, and are in no list of an SDK.
INVENTED = ("pause_turn",)


@functools.cache
def adapter(kind):
    return TypeAdapter(kind)


def strict(kind, value):
    """As the SDKs' own types say, with nothing missing and nothing of another type."""
    return adapter(kind).validate_python(value)


def told(section, client, ending):
    found = sorted(GOLDEN.glob(f"convert/{section}/*/*.to.{client}{ending}"))
    assert found, (section, client)
    return found


def events_of(path):
    for block in path.read_text().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line)
        if lines.get("data", "[DONE]") != "[DONE]":
            yield json.loads(lines["data"])


def is_invented(document):
    return any(f'"{word}"' in json.dumps(document) for word in INVENTED)


class Answers(unittest.TestCase):
    def test_chat_answers_are_completions(self):
        for path in told("response", "chat", ".json"):
            with self.subTest(path.name):
                document = json.loads(path.read_text())
                if is_invented(document):
                    document["choices"][0]["finish_reason"] = "stop"
                answer = strict(openai.types.chat.ChatCompletion, document)
                self.assertEqual(answer.choices[0].message.role, "assistant")

    def test_answers_of_responses_are_responses(self):
        for path in told("response", "responses", ".json"):
            with self.subTest(path.name):
                document = json.loads(path.read_text())
                if is_invented(document):
                    document["incomplete_details"] = {"reason": "max_output_tokens"}
                strict(openai.types.responses.Response, document)

    def test_answers_of_anthropic_are_messages(self):
        for path in told("response", "anthropic", ".json"):
            with self.subTest(path.name):
                strict(anthropic.types.Message, json.loads(path.read_text()))

    def test_answers_of_ollama_are_chat_responses(self):
        for path in told("response", "ollama", ".json"):
            with self.subTest(path.name):
                strict(ollama.ChatResponse, json.loads(path.read_text()))


class Streams(unittest.TestCase):
    def test_chat_streams_are_chunks(self):
        for path in told("stream", "chat", ".sse"):
            with self.subTest(path.name):
                for event in events_of(path):
                    if is_invented(event):
                        event["choices"][0]["finish_reason"] = None
                    strict(openai.types.chat.ChatCompletionChunk, event)

    def test_streams_of_responses_are_events(self):
        for path in told("stream", "responses", ".sse"):
            with self.subTest(path.name):
                for number, event in enumerate(events_of(path)):
                    if is_invented(event):
                        event["response"]["incomplete_details"] = None
                    parsed = strict(openai.types.responses.ResponseStreamEvent, event)
                    self.assertEqual(parsed.type, event["type"])
                    self.assertEqual(parsed.sequence_number, number)

    def test_streams_of_anthropic_are_events_that_add_up(self):
        for path in told("stream", "anthropic", ".sse"):
            with self.subTest(path.name):
                snapshot, buffers = None, {}
                for event in events_of(path):
                    parsed = strict(anthropic.types.RawMessageStreamEvent, event)
                    snapshot = accumulate_anthropic(event=parsed, current_snapshot=snapshot, json_bufs=buffers)
                self.assertIsNotNone(snapshot.stop_reason)

    def test_streams_of_ollama_are_chat_responses(self):
        for path in told("stream", "ollama", ".ndjson"):
            with self.subTest(path.name):
                lines = [strict(ollama.ChatResponse, json.loads(l)) for l in path.read_text().splitlines()]
                self.assertEqual([line.done for line in lines], [False] * (len(lines) - 1) + [True])


class Agreement(unittest.TestCase):
    """A stream adds up to what the same answer says whole."""

    def test_text_reasoning_and_calls_of_chat(self):
        for path in told("stream", "chat", ".sse"):
            whole_path = GOLDEN / "convert/response" / path.parent.name / path.with_suffix(".json").name
            if not whole_path.exists() or path.parent.name in ("native", "citations", "refusal", "plain", "tools", "length"):
                continue
            with self.subTest(path.name):
                message = json.loads(whole_path.read_text())["choices"][0]["message"]
                text, reasoning, details = "", "", []
                for event in events_of(path):
                    for choice in event["choices"]:
                        delta = choice["delta"]
                        text += delta.get("content") or ""
                        reasoning += delta.get("reasoning_content") or ""
                        details += delta.get("reasoning_details") or []
                self.assertEqual(text, message["content"])
                self.assertEqual(reasoning, message.get("reasoning_content", ""))
                self.assertEqual(details, message.get("reasoning_details", []))


def fields_of(*kinds):
    return {name for kind in kinds for name in typing.get_type_hints(kind)}


class Fields(unittest.TestCase):
    """No field of an SDK's request is missing in the table of docs/dialect-fields.md."""

    def covered(self, dialect):
        rows = json.loads((GOLDEN / "fields" / f"{dialect}.json").read_text())
        members = set(rows["base"])
        for row in rows["request"].values():
            members |= set(row)
            members |= {f"options.{name}" for name in row.get("options", {})}
        return members

    def check(self, dialect, wanted):
        self.assertEqual(sorted(wanted - self.covered(dialect)), [])
        self.assertGreater(len(wanted), 5)

    def test_chat(self):
        from openai.types.chat import completion_create_params as chat
        self.check("chat", fields_of(chat.CompletionCreateParamsBase, chat.CompletionCreateParamsStreaming))

    def test_responses(self):
        from openai.types.responses import response_create_params as responses
        self.check(
            "responses", fields_of(responses.ResponseCreateParamsBase, responses.ResponseCreateParamsStreaming)
        )

    def test_anthropic(self):
        from anthropic.types import message_create_params as messages
        self.check("anthropic", fields_of(messages.MessageCreateParamsBase, messages.MessageCreateParamsStreaming))

    def test_ollama(self):
        from ollama import _types
        self.check("ollama", set(_types.ChatRequest.model_fields))
        self.check("ollama", {f"options.{name}" for name in _types.Options.model_fields})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    unittest.main()
