#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kept answers and conversations by the official Python client, without knowing what the endpoint is.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL.
"""
import os
import unittest

import openai

MODEL = os.environ["MODEL"]
INPUT = "Name one river in a short sentence."


def client(**options):
    return openai.OpenAI(**{"timeout": 120, "max_retries": 0} | options)


def ask(to, **options):
    return to.responses.create(**{"model": MODEL, "input": INPUT, "max_output_tokens": 24} | options)


class Kept(unittest.TestCase):
    def test_an_answer_is_kept_read_and_forgotten(self):
        to = client()
        made = ask(to, store=True, metadata={"a": "b"})
        self.assertTrue(made.store)
        again = to.responses.retrieve(made.id)
        self.assertEqual((again.output_text, again.metadata, again.model), (made.output_text, {"a": "b"}, MODEL))
        to.responses.delete(made.id)
        with self.assertRaises(openai.NotFoundError):
            to.responses.retrieve(made.id)

    def test_what_is_not_to_be_kept_is_not(self):
        to = client()
        made = ask(to, store=False)
        self.assertFalse(made.store)
        with self.assertRaises(openai.NotFoundError):
            to.responses.retrieve(made.id)

    def test_its_input_is_listed(self):
        to = client()
        items = [{"role": "user", "content": text} for text in ("one", "two", "three")]
        made = ask(to, store=True, input=items)
        listed = list(to.responses.input_items.list(made.id, order="asc", limit=2))
        self.assertEqual([item.content[0].text if not isinstance(item.content, str) else item.content for item in listed], ["one", "two", "three"])
        self.assertEqual(len({item.id for item in listed}), 3)

    def test_a_turn_goes_on_from_the_one_before(self):
        to = client()
        first = ask(to, store=True)
        second = ask(to, store=True, previous_response_id=first.id, input="And another?")
        self.assertEqual(second.previous_response_id, first.id)
        self.assertGreater(second.usage.input_tokens, first.usage.input_tokens + first.usage.output_tokens)
        third = ask(to, previous_response_id=second.id, input="And a third?")
        self.assertGreater(third.usage.input_tokens, second.usage.input_tokens)

    def test_a_stream_is_kept_before_its_end_is_told(self):
        to = client()
        events = list(ask(to, store=True, stream=True))
        ended = events[-1].response
        self.assertTrue(ended.store)
        self.assertEqual(to.responses.retrieve(ended.id).output_text, ended.output_text)

    def test_an_unknown_turn_names_the_parameter(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(client(), previous_response_id="resp_none")
        self.assertEqual((caught.exception.param, caught.exception.code), ("previous_response_id", "previous_response_not_found"))
        with self.assertRaises(openai.NotFoundError) as caught:
            ask(client(), conversation="conv_none")
        self.assertEqual(caught.exception.param, "conversation")


class Conversations(unittest.TestCase):
    def test_a_conversation_is_made_changed_and_forgotten(self):
        to = client()
        made = to.conversations.create(metadata={"river": "Elbe"}, items=[{"type": "message", "role": "user", "content": "Hello"}])
        self.assertEqual((made.object, made.metadata), ("conversation", {"river": "Elbe"}))
        self.assertEqual(to.conversations.update(made.id, metadata={"river": "Oder"}).metadata, {"river": "Oder"})
        self.assertEqual(to.conversations.retrieve(made.id).metadata, {"river": "Oder"})
        self.assertTrue(to.conversations.delete(made.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            to.conversations.retrieve(made.id)

    def test_items_are_added_listed_read_and_removed(self):
        to = client()
        made = to.conversations.create()
        added = to.conversations.items.create(made.id, items=[{"type": "message", "role": "user", "content": text} for text in ("one", "two", "three")])
        ids = [item.id for item in added.data]
        self.assertEqual([item.id for item in to.conversations.items.list(made.id, order="asc", limit=2)], ids)
        self.assertEqual(to.conversations.items.retrieve(ids[1], conversation_id=made.id).content[0].text, "two")
        to.conversations.items.delete(ids[1], conversation_id=made.id)
        self.assertEqual([item.id for item in to.conversations.items.list(made.id)], [ids[2], ids[0]])

    def test_turns_are_added_to_it(self):
        to = client()
        made = to.conversations.create()
        first = ask(to, conversation=made.id)
        self.assertEqual(first.conversation.id, made.id)
        roles = [item.role for item in to.conversations.items.list(made.id, order="asc") if item.type == "message"]
        self.assertEqual(roles, ["user", "assistant"])
        second = ask(to, conversation={"id": made.id}, input="And another?")
        self.assertGreater(second.usage.input_tokens, first.usage.input_tokens + first.usage.output_tokens)

    def test_both_ways_to_go_on_at_once_are_refused(self):
        to = client()
        made, first = to.conversations.create(), ask(to, store=True)
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(to, conversation=made.id, previous_response_id=first.id)
        self.assertEqual(caught.exception.param, "previous_response_id")


if __name__ == "__main__":
    unittest.main()
