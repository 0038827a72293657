#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The official Python client against an OpenAI-compatible endpoint, without knowing what it is.

Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL. Single checks by name:
  openai_python_test.py Chat.test_answers Errors
"""
import http.client
import http.server
import os
import threading
import unittest
from urllib.parse import urlsplit

import openai

BASE_URL = os.environ["OPENAI_BASE_URL"]
MODEL = os.environ["MODEL"]
MESSAGES = [{"role": "user", "content": "Name one river in a short sentence."}]
ANSWER_SECONDS_MAX = 120
TOKENS = 24


def client(**options):
    return openai.OpenAI(**{"timeout": ANSWER_SECONDS_MAX, "max_retries": 0} | options)


def ask(to, **options):
    return to.chat.completions.create(**{"model": MODEL, "messages": MESSAGES, "max_tokens": TOKENS} | options)


class Front:
    """A local door in front of the endpoint that counts requests and can refuse the first ones."""

    def __init__(self, refusals=0):
        self.count, self.refusals, self.lock = 0, refusals, threading.Lock()
        front, target = self, urlsplit(BASE_URL)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with front.lock:
                    front.count += 1
                    refused = front.count <= front.refusals
                if refused:
                    self.answer(503, {"Retry-After": "0"}, b'{"error":{"message":"try again","type":"server_error"}}')
                    return
                kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
                upstream = kind(target.netloc, timeout=ANSWER_SECONDS_MAX)
                headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
                upstream.request("POST", target.path + self.path, body, headers)
                answer = upstream.getresponse()
                self.answer(answer.status, {"Content-Type": answer.getheader("Content-Type", "")}, answer.read())
                upstream.close()

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Models(unittest.TestCase):
    def test_lists_the_model(self):
        listed = client().models.list().data
        self.assertIn(MODEL, [model.id for model in listed])
        self.assertEqual({model.object for model in listed}, {"model"})


class Chat(unittest.TestCase):
    def test_answers(self):
        answer = ask(client())
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, MODEL)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertTrue(answer.choices[0].message.content)
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))

    def test_usage_adds_up(self):
        usage = ask(client(), max_tokens=5).usage
        self.assertGreater(usage.prompt_tokens, 5)
        self.assertTrue(1 <= usage.completion_tokens <= 5)
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def test_stops_at_the_limit_of_tokens(self):
        answer = ask(client(), max_tokens=3, temperature=0, messages=[{"role": "user", "content": "Count from one to fifty in words."}])
        self.assertEqual((answer.choices[0].finish_reason, answer.usage.completion_tokens), ("length", 3))

    def test_same_seed_same_answer(self):
        answers = {ask(client(), seed=5, temperature=0).choices[0].message.content for _ in range(2)}
        self.assertEqual(len(answers), 1)


class Stream(unittest.TestCase):
    def chunks(self, **options):
        return list(ask(client(), stream=True, **options))

    def test_without_include_usage_no_chunk_carries_usage(self):
        chunks = self.chunks()
        self.assertTrue(all(chunk.usage is None for chunk in chunks))
        self.assertTrue(all(len(chunk.choices) == 1 for chunk in chunks))

    def test_with_include_usage_the_last_chunk_carries_it_alone(self):
        chunks = self.chunks(stream_options={"include_usage": True})
        *others, last = chunks
        self.assertEqual(last.choices, [])
        self.assertEqual(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens)
        self.assertTrue(all(chunk.usage is None for chunk in others))

    def test_parts_make_the_whole_answer(self):
        chunks = self.chunks(seed=5, temperature=0)
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertIn(chunks[-1].choices[0].finish_reason, ("stop", "length"))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        self.assertEqual(text, ask(client(), seed=5, temperature=0).choices[0].message.content)

    def test_arrives_in_parts(self):
        with client().chat.completions.with_streaming_response.create(
                model=MODEL, messages=MESSAGES, max_tokens=TOKENS, stream=True) as response:
            self.assertTrue(response.headers["content-type"].startswith("text/event-stream"))
            lines = [line for line in response.iter_lines() if line.startswith("data: ")]
        self.assertGreater(len(lines), 3)
        self.assertEqual(lines[-1], "data: [DONE]")

    def test_leaving_early_leaves_the_endpoint_usable(self):
        stream = ask(client(), stream=True, max_tokens=200)
        next(iter(stream))
        stream.close()
        self.assertTrue(ask(client(), max_tokens=2).choices)


class Errors(unittest.TestCase):
    def assert_described(self, error, status):
        self.assertEqual(error.status_code, status)
        self.assertTrue(error.body["message"])
        self.assertTrue(error.body["type"])

    def test_a_wrong_key_is_an_authentication_error(self):
        with self.assertRaises(openai.AuthenticationError) as caught:
            ask(client(api_key="sk-not-a-key"))
        self.assert_described(caught.exception, 401)
        self.assertNotIn("sk-not-a-key", str(caught.exception))

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            ask(client(), model="no-such-model")
        self.assert_described(caught.exception, 404)
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_a_wrong_type_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(client(), messages="hello")
        self.assert_described(caught.exception, 400)

    def test_a_prompt_that_is_too_long_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(client(), messages=[{"role": "user", "content": "river " * 20_000}])
        self.assert_described(caught.exception, 400)

    def test_an_error_before_a_stream_is_an_ordinary_error(self):
        with self.assertRaises(openai.BadRequestError):
            list(ask(client(), messages="hello", stream=True))


class Retries(unittest.TestCase):
    def test_a_refusal_is_tried_again(self):
        with Front(refusals=2) as front:
            self.assertTrue(ask(client(base_url=front.url, max_retries=2), max_tokens=2).choices)
        self.assertEqual(front.count, 3)

    def test_a_mistake_of_the_caller_is_not_tried_again(self):
        with Front() as front, self.assertRaises(openai.BadRequestError):
            ask(client(base_url=front.url, max_retries=2), messages="hello")
        self.assertEqual(front.count, 1)

    def test_a_wrong_key_is_not_tried_again(self):
        with Front() as front, self.assertRaises(openai.AuthenticationError):
            ask(client(base_url=front.url, max_retries=2, api_key="sk-not-a-key"))
        self.assertEqual(front.count, 1)

    def test_a_short_timeout_is_the_callers_own(self):
        with self.assertRaises(openai.APITimeoutError):
            ask(client(timeout=0.05), max_tokens=200)
        self.assertTrue(ask(client(), max_tokens=2).choices)


if __name__ == "__main__":
    unittest.main()
