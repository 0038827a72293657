#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files and batches by the official Python client, without knowing what the endpoint is.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL, which sells batches.
"""
import io
import json
import os
import threading
import time
import unittest

import openai

MODEL = os.environ["MODEL"]
WAIT_SECONDS_MAX = 120
ENDED = ("completed", "failed", "expired", "cancelled")


def client(**options):
    return openai.OpenAI(**{"timeout": 60, "max_retries": 0} | options)


def line(custom_id, **body):
    asked = {"model": MODEL, "messages": [{"role": "user", "content": "Say one word."}], "max_tokens": 8}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": asked | body}


def upload(to, lines, name="lines.jsonl"):
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    return to.files.create(file=(name, io.BytesIO(text.encode())), purpose="batch")


def wait_for_end(to, batch):
    pause, limit = threading.Event(), time.monotonic() + WAIT_SECONDS_MAX
    while batch.status not in ENDED:
        if time.monotonic() > limit:
            raise AssertionError(f"waited in vain for {batch}")
        pause.wait(0.2)
        batch = to.batches.retrieve(batch.id)
    return batch


class Files(unittest.TestCase):
    def test_a_file_is_kept_listed_read_and_deleted(self):
        to, content = client(), b'{"a":1}\r\n--\xf0\x9f\x8c\x8a'
        file = to.files.create(file=("river \"1\".jsonl", io.BytesIO(content)), purpose="batch")
        self.assertEqual((file.object, file.bytes, file.purpose), ("file", len(content), "batch"))
        self.assertEqual(to.files.retrieve(file.id), file)
        self.assertIn(file.id, [one.id for one in to.files.list(purpose="batch")])
        self.assertEqual(to.files.content(file.id).content, content)
        self.assertTrue(to.files.delete(file.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            to.files.retrieve(file.id)

    def test_a_list_goes_on_where_a_page_ends(self):
        to = client()
        ids = [upload(to, [line("a")], f"{number}.jsonl").id for number in range(3)]
        self.assertEqual([one.id for one in to.files.list(limit=2)][:3], ids[::-1])
        self.assertEqual(to.files.list(limit=2, order="asc").data[0].id, [one.id for one in to.files.list(limit=1000)][-1])

    def test_expiry_is_asked_for(self):
        to = client()
        file = to.files.create(file=("a.jsonl", b"{}"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
        self.assertEqual(file.expires_at - file.created_at, 3600)

    def test_another_purpose_is_refused_by_name(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            client().files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
        self.assertEqual(caught.exception.param, "purpose")

    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError):
            client(api_key="sk-not-a-key").files.list()


class Batches(unittest.TestCase):
    def test_lines_are_answered_each_under_its_id(self):
        to, ids = client(), [f"line-{number}" for number in range(10)]
        file = upload(to, [line(one) for one in ids])
        made = to.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"river": "Elbe"})
        self.assertEqual((made.object, made.status, made.metadata), ("batch", "validating", {"river": "Elbe"}))
        batch = wait_for_end(to, made)
        self.assertEqual((batch.status, batch.model), ("completed", MODEL))
        self.assertEqual((batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed), (10, 10, 0))
        self.assertIsNone(batch.error_file_id)
        self.assertLessEqual(batch.created_at, batch.in_progress_at)
        self.assertLessEqual(batch.in_progress_at, batch.completed_at)
        answers = [json.loads(text) for text in to.files.content(batch.output_file_id).text.splitlines()]
        self.assertEqual(sorted(answer["custom_id"] for answer in answers), sorted(ids))
        for answer in answers:
            self.assertEqual((answer["error"], answer["response"]["status_code"]), (None, 200))
            self.assertEqual(answer["response"]["body"]["object"], "chat.completion")
        self.assertEqual(len({answer["response"]["request_id"] for answer in answers}), 10)
        self.assertIn(batch.id, [one.id for one in to.batches.list(limit=1)])
        self.assertEqual(to.files.retrieve(batch.output_file_id).purpose, "batch_output")

    def test_a_line_that_fails_is_told_in_the_error_file(self):
        to = client()
        file = upload(to, [line("good"), line("bad", messages="not a list")])
        batch = wait_for_end(to, to.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"))
        self.assertEqual((batch.status, batch.request_counts.completed, batch.request_counts.failed), ("completed", 1, 1))
        (failed,) = map(json.loads, to.files.content(batch.error_file_id).text.splitlines())
        self.assertEqual((failed["custom_id"], failed["response"]["status_code"]), ("bad", 400))
        self.assertTrue(failed["response"]["body"]["error"]["message"])

    def test_an_input_that_cannot_run_names_its_lines(self):
        to = client()
        file = upload(to, [line("a"), "not json", line("a"), line("b") | {"url": "/v1/embeddings"}, line("c", model="other")])
        batch = wait_for_end(to, to.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"))
        self.assertEqual(batch.status, "failed")
        self.assertEqual([(fault.line, fault.code) for fault in batch.errors.data],
                         [(2, "invalid_json_line"), (3, "duplicate_custom_id"), (4, "invalid_url"), (5, "mismatched_model")])

    def test_a_model_that_is_not_there_fails_the_batch(self):
        to = client()
        file = upload(to, [line("a", model="no-such-model")])
        batch = wait_for_end(to, to.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"))
        self.assertEqual((batch.status, batch.errors.data[0].code), ("failed", "model_not_found"))

    def test_refusals_name_the_parameter(self):
        to = client()
        file = upload(to, [line("a")])
        for parameter, change in {"input_file_id": {"input_file_id": "file-none"}, "endpoint": {"endpoint": "/v1/images"},
                                  "completion_window": {"completion_window": "1s"}}.items():
            with self.assertRaises(openai.APIStatusError) as caught:
                to.batches.create(**{"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"} | change)
            self.assertEqual(caught.exception.param, parameter)


if __name__ == "__main__":
    unittest.main()
