// SPDX-License-Identifier: Apache-2.0
// A tool's round trip with a model that decides itself, by the Node clients of OpenAI and Anthropic and by Vercel's AI SDK.
// Environment: OPENAI_BASE_URL (ends in /v1), OPENAI_API_KEY, ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY, MODEL; DECIDES_ON_TOOLS=1 where the model
// calls `weather` when it is asked for the weather of Ulm, and tells what the tool said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { isStepCount, jsonSchema, streamText, tool } from 'ai';
import OpenAI from 'openai';

const skip = process.env.DECIDES_ON_TOOLS ? false : 'the model may answer without a call';
const model = process.env.MODEL;
const question = 'What is the weather in Ulm?';
const messages = [{ role: 'user', content: question }];
// A single city: what the model may say is bound by the schema, not by chance.
const schema = { type: 'object', properties: { city: { type: 'string', enum: ['Ulm'] } }, required: ['city'] };
const description = 'The weather of a city';
const result = 'sunny in Ulm';
const options = { maxRetries: 0, timeout: 300_000 };

test('tools decided on: openai', { skip }, async () => {
    const client = new OpenAI(options);
    const tools = [{ type: 'function', function: { name: 'weather', description, parameters: schema } }];
    const asked = { model, tools, max_tokens: 64, temperature: 0 };
    const runner = client.chat.completions.stream({ ...asked, messages, tool_choice: 'required' });
    const { message, finish_reason: reason } = (await runner.finalChatCompletion()).choices[0];
    const [call] = message.tool_calls;
    assert.equal(reason, 'tool_calls');
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ['weather', { city: 'Ulm' }]);
    const told = [...messages, message, { role: 'tool', tool_call_id: call.id, content: result }];
    const answer = (await client.chat.completions.create({ ...asked, messages: told })).choices[0];
    assert.equal(answer.finish_reason, 'stop');
    assert.match(answer.message.content, /sunny/);
});

test('tools decided on: anthropic', { skip }, async () => {
    const client = new Anthropic(options);
    const tools = [{ name: 'weather', description, input_schema: schema }];
    const asked = { model, tools, max_tokens: 64, temperature: 0 };
    const message = await client.messages.stream({ ...asked, messages, tool_choice: { type: 'any' } }).finalMessage();
    assert.equal(message.stop_reason, 'tool_use');
    const call = message.content.find((block) => block.type === 'tool_use');
    assert.deepEqual([call.name, call.input], ['weather', { city: 'Ulm' }]);
    const told = [
        ...messages,
        { role: 'assistant', content: [{ type: 'tool_use', id: call.id, name: call.name, input: call.input }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: result }] },
    ];
    const answer = await client.messages.create({ ...asked, messages: told });
    assert.equal(answer.stop_reason, 'end_turn');
    assert.match(answer.content[0].text, /sunny/);
});

test('tools decided on: ai, which runs the tool itself', { skip }, async () => {
    const provider = createOpenAICompatible({
        name: 'platform', baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY, includeUsage: true,
    });
    const run = [];
    const weather = tool({
        description,
        inputSchema: jsonSchema(schema),
        execute: async (input) => { run.push(input); return result; },
    });
    const asked = { model: provider(model), maxRetries: 0, maxOutputTokens: 64, temperature: 0 };
    const answer = streamText({
        ...asked, prompt: question, tools: { weather }, stopWhen: isStepCount(2),
        prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'auto' }),
    });
    assert.match(await answer.text, /sunny/);
    assert.deepEqual(run, [{ city: 'Ulm' }]);
    assert.equal((await answer.steps).length, 2);
});
