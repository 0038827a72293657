# SPDX-License-Identifier: Apache-2.0
"""One streamed chat completion by the official OpenAI client; a JSON object with the answer and its usage.

Environment: OPENAI_BASE_URL, OPENAI_API_KEY (both read by the client), MODEL. Argument: the question.
"""
import json
import os
import sys
import time

import openai

started = time.monotonic()
stream = openai.OpenAI(max_retries=0, timeout=120).chat.completions.create(
    model=os.environ["MODEL"], messages=[{"role": "user", "content": sys.argv[1]}], max_tokens=48, temperature=0, seed=1, stream=True,
    stream_options={"include_usage": True})
answer = {"question": sys.argv[1], "text": "", "parts": 0}
for chunk in stream:
    if chunk.usage:
        answer |= {"prompt_tokens": chunk.usage.prompt_tokens, "completion_tokens": chunk.usage.completion_tokens}
    elif chunk.choices[0].delta.content:
        answer.setdefault("first_ms", round(1000 * (time.monotonic() - started)))
        answer["text"] += chunk.choices[0].delta.content
        answer["parts"] += 1
json.dump(answer, sys.stdout)
