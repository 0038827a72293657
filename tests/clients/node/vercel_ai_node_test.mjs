// SPDX-License-Identifier: Apache-2.0
// The AI SDK of Vercel against an OpenAI-compatible endpoint: node --test tests/clients/node
// Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, MODEL; CALLS_TOOLS=1 where the model calls what it is offered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, isStepCount, jsonSchema, streamText, tool } from 'ai';

const provider = createOpenAICompatible({
    name: 'platform', baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY, includeUsage: true,
});
const asked = { model: provider(process.env.MODEL), maxRetries: 0, maxOutputTokens: 24, temperature: 0 };
const prompt = 'Name one river in a short sentence.';
const weather = () => tool({
    description: 'The weather of a city',
    inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }),
    execute: async ({ city }) => `sunny in ${city}`,
});

function assertUsage(usage) {
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0, JSON.stringify(usage));
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
}

test('ai: a text is generated, with its usage and the id of its call', async () => {
    const { text, usage, finishReason, response } = await generateText({ ...asked, prompt });
    assert.ok(text.trim().length > 0);
    assert.ok(['stop', 'length'].includes(finishReason), finishReason);
    assertUsage(usage);
    assert.ok(response.headers['content-type'].startsWith('application/json'));
});

test('ai: a text is streamed in parts, and the usage comes at the end', async () => {
    const result = streamText({ ...asked, prompt });
    const parts = [];
    for await (const part of result.textStream) parts.push(part);
    assert.ok(parts.length > 1, `${parts.length} parts`);
    assert.equal(parts.join(''), await result.text);
    assertUsage(await result.usage);
});

test('ai: an answer that is left early throws nothing', async () => {
    const leaving = new AbortController();
    const result = streamText({ ...asked, prompt, abortSignal: leaving.signal });
    for await (const part of result.textStream) if (part.length > 0) leaving.abort();
});

test('ai: tools can be offered', async () => {
    const { text, toolCalls } = await generateText({ ...asked, prompt, tools: { weather: weather() } });
    assert.ok(text.length > 0 || toolCalls.length > 0);
});

test('ai: a tool is called, run and its result told', { skip: process.env.CALLS_TOOLS !== '1' }, async () => {
    const { text, steps } = await generateText({ ...asked, prompt, tools: { weather: weather() }, stopWhen: isStepCount(2) });
    assert.equal(steps[0].toolCalls[0].toolName, 'weather');
    assert.deepEqual(steps[0].toolCalls[0].input, { city: 'Ulm' });
    assert.match(text, /sunny in Ulm/);
});

test('ai: a tool that is called in a stream is run too', { skip: process.env.CALLS_TOOLS !== '1' }, async () => {
    const result = streamText({ ...asked, prompt, tools: { weather: weather() }, stopWhen: isStepCount(2) });
    assert.match(await result.text, /sunny in Ulm/);
    assertUsage(await result.totalUsage);
});

test('ai: an error tells the status', async () => {
    await assert.rejects(generateText({ ...asked, model: provider('no-such-model'), prompt }), (error) => error.statusCode === 404);
});
