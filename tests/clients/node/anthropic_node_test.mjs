// SPDX-License-Identifier: Apache-2.0
// Anthropic's official Node client against an endpoint: node --test tests/clients/node/anthropic_node_test.mjs
// Environment: ANTHROPIC_BASE_URL (without /v1), ANTHROPIC_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls a tool it is offered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';

const model = process.env.MODEL;
const messages = [{ role: 'user', content: 'Name one river in a short sentence.' }];
const answerMsMax = 120_000;
const skip = process.env.CALLS_TOOLS ? false : 'the model may answer without a call';
const weather = {
    name: 'weather',
    description: 'The weather of a city.',
    input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

const client = (options = {}) => new Anthropic({ timeout: answerMsMax, maxRetries: 0, ...options });
const ask = (to, options = {}) => to.messages.create({ model, messages, max_tokens: 24, ...options });

test('messages: answers, with usage', async () => {
    const answer = await ask(client());
    assert.equal(answer.type, 'message');
    assert.equal(answer.model, model);
    assert.ok(answer.content[0].text.length > 0);
    assert.ok(answer.usage.output_tokens > 0);
});

test('stream: the events make the whole message', async () => {
    const stream = client().messages.stream({ model, messages, max_tokens: 24 });
    let text = '';
    stream.on('text', (delta) => { text += delta; });
    const message = await stream.finalMessage();
    assert.equal(message.content[0].text, text);
    assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason));
    assert.ok(message.usage.output_tokens > 0);
});

test('stream: leaving early leaves the endpoint usable', async () => {
    const stream = await ask(client(), { stream: true, max_tokens: 200 });
    for await (const _ of stream) break;
    assert.equal((await ask(client(), { max_tokens: 2 })).content.length, 1);
});

test('tools: a streamed call, and its result', { skip }, async () => {
    const asked = [{ role: 'user', content: 'Weather in Ulm?' }];
    const message = await client().messages.stream({ model, messages: asked, max_tokens: 24, tools: [weather] }).finalMessage();
    assert.equal(message.stop_reason, 'tool_use');
    const call = message.content.find((block) => block.type === 'tool_use');
    assert.deepEqual([call.name, call.input], ['weather', { city: 'Ulm' }]);
    const result = { type: 'tool_result', tool_use_id: call.id, content: 'rain' };
    const answer = await ask(client(), {
        tools: [weather],
        messages: [...asked, { role: 'assistant', content: message.content }, { role: 'user', content: [result] }],
    });
    assert.match(answer.content[0].text, /rain/);
});

test('errors: a wrong key is an AuthenticationError', async () => {
    await assert.rejects(ask(client({ apiKey: 'sk-not-a-key' })), Anthropic.AuthenticationError);
});

test('errors: an unknown model is a NotFoundError', async () => {
    await assert.rejects(ask(client(), { model: 'no-such-model' }), Anthropic.NotFoundError);
});

test('errors: a wrong type is a BadRequestError, also for a stream', async () => {
    await assert.rejects(ask(client(), { messages: 'hello' }), Anthropic.BadRequestError);
    await assert.rejects(ask(client(), { messages: 'hello', stream: true }), Anthropic.BadRequestError);
});
