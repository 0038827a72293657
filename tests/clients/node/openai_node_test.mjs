// SPDX-License-Identifier: Apache-2.0
// The official Node client against an OpenAI-compatible endpoint: node --test tests/clients/node
// Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import OpenAI from 'openai';

const model = process.env.MODEL;
const messages = [{ role: 'user', content: 'Name one river in a short sentence.' }];
const answerMsMax = 120_000;

const client = (options = {}) => new OpenAI({ timeout: answerMsMax, maxRetries: 0, ...options });
const ask = (to, options = {}, request = {}) =>
    to.chat.completions.create({ model, messages, max_tokens: 24, ...options }, request);

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}

// A local door that refuses the first requests and passes on the others.
async function withFront(refusals, use) {
    const front = { count: 0 };
    const server = http.createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        if (++front.count <= refusals) {
            response.writeHead(503, { 'retry-after': '0', 'content-type': 'application/json' });
            response.end('{"error":{"message":"try again","type":"server_error"}}');
            return;
        }
        const { authorization } = request.headers;
        const answer = await fetch(process.env.OPENAI_BASE_URL + request.url, {
            method: 'POST',
            headers: { authorization, 'content-type': 'application/json' },
            body: Buffer.concat(parts),
        });
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') });
        response.end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    front.url = `http://127.0.0.1:${server.address().port}`;
    try {
        await use(front);
    } finally {
        server.closeAllConnections();
        server.close();
    }
}

test('models: lists the model', async () => {
    const ids = (await collect(await client().models.list())).map((entry) => entry.id);
    assert.ok(ids.includes(model), `${model} is not among ${ids}`);
});

test('chat: answers, and usage adds up', async () => {
    const answer = await ask(client());
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.ok(answer.choices[0].message.content.length > 0);
    assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test('stream: no usage unless asked for', async () => {
    const chunks = await collect(await ask(client(), { stream: true }));
    assert.ok(chunks.every((chunk) => !chunk.usage && chunk.choices.length === 1));
    assert.ok(['stop', 'length'].includes(chunks.at(-1).choices[0].finish_reason));
});

test('stream: with include_usage the last chunk carries it alone', async () => {
    const chunks = await collect(await ask(client(), { stream: true, stream_options: { include_usage: true } }));
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens);
    assert.ok(chunks.every((chunk) => !chunk.usage));
});

test('stream: the parts make the whole answer', async () => {
    const fixed = { seed: 5, temperature: 0 };
    const runner = client().chat.completions.stream({ model, messages, max_tokens: 24, ...fixed });
    const streamed = (await runner.finalChatCompletion()).choices[0].message.content;
    assert.equal(streamed, (await ask(client(), fixed)).choices[0].message.content);
});

test('stream: leaving early leaves the endpoint usable', async () => {
    const stream = await ask(client(), { stream: true, max_tokens: 200 });
    for await (const _ of stream) break;
    assert.equal((await ask(client(), { max_tokens: 2 })).choices.length, 1);
});

test('errors: a wrong key is an AuthenticationError', async () => {
    await assert.rejects(ask(client({ apiKey: 'sk-not-a-key' })), (error) => {
        assert.ok(error instanceof OpenAI.AuthenticationError);
        assert.equal(error.status, 401);
        assert.ok(error.error.message && !String(error).includes('sk-not-a-key'));
        return true;
    });
});

test('errors: an unknown model is a NotFoundError', async () => {
    await assert.rejects(ask(client(), { model: 'no-such-model' }), (error) => {
        assert.ok(error instanceof OpenAI.NotFoundError);
        assert.equal(error.code, 'model_not_found');
        return true;
    });
});

test('errors: a wrong type is a BadRequestError, also for a stream', async () => {
    await assert.rejects(ask(client(), { messages: 'hello' }), OpenAI.BadRequestError);
    await assert.rejects(ask(client(), { messages: 'hello', stream: true }), OpenAI.BadRequestError);
});

test('retries: a refusal is tried again, a mistake is not', async () => {
    await withFront(2, async (front) => {
        const answer = await ask(client({ baseURL: front.url, maxRetries: 2 }), { max_tokens: 2 });
        assert.equal(answer.choices.length, 1);
        assert.equal(front.count, 3);
    });
    await withFront(0, async (front) => {
        await assert.rejects(ask(client({ baseURL: front.url, maxRetries: 2 }), { messages: 'hello' }));
        assert.equal(front.count, 1);
    });
});

test('timeout: a short one is the caller\'s own', async () => {
    await assert.rejects(ask(client({ timeout: 50 }), { max_tokens: 200 }), OpenAI.APIConnectionTimeoutError);
    assert.equal((await ask(client(), { max_tokens: 2 })).choices.length, 1);
});
