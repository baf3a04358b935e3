// ai.mjs - drives the npm package ai (Vercel's) with its providers.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool } from 'ai';
import { result, serve } from './driver.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const providers = {
  openai: (o) => createOpenAI({ apiKey: 'x', baseURL: `${o.base}/v1` }),
  anthropic: (o) => createAnthropic({ apiKey: 'x', baseURL: `${o.base}${o.api_path ?? '/v1'}` }),
  google: (o) => createGoogleGenerativeAI({ apiKey: 'x', baseURL: `${o.base}/v1beta` }),
  compatible: (o) => createOpenAICompatible({ name: 'broker', baseURL: `${o.base}/v1`, includeUsage: true,
    supportsStructuredOutputs: true }),
};
const models = {
  openai: (o) => providers.openai(o)(o.model),
  chat: (o) => providers.openai(o).chat(o.model),
  anthropic: (o) => providers.anthropic(o)(o.model),
  google: (o) => providers.google(o)(o.model),
  compatible: (o) => providers.compatible(o)(o.model),
};
const efforts = {
  openai: (effort) => ({ openai: { reasoningEffort: effort, reasoningSummary: 'auto', forceReasoning: true } }),
  chat: (effort) => ({ openai: { reasoningEffort: effort, forceReasoning: true } }),
  anthropic: () => ({ anthropic: { thinking: { type: 'enabled', budgetTokens: 2048 } } }),
  google: () => ({ google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } } }),
  compatible: (effort) => ({ broker: { reasoningEffort: effort } }),
};

const asked = (o, signal) => ({
  model: models[o.api](o),
  maxRetries: o.retries ?? 0,
  abortSignal: signal,
  ...(o.system && { system: o.system }),
  messages: [{ role: 'user', content: [{ type: 'text', text: o.prompt },
    ...(o.image ? [{ type: 'image', image: o.image, mediaType: 'image/png' }] : [])] }],
  ...(o.max_tokens && { maxOutputTokens: o.max_tokens }),
  ...(o.choice && { toolChoice: { type: 'tool', toolName: o.choice } }),
  ...(o.effort && { providerOptions: efforts[o.api](o.effort) }),
});

const tools = (o, a) => o.tools && { tools: Object.fromEntries(o.tools.map((t) => [t.name, tool({
  description: t.description, inputSchema: jsonSchema(t.parameters),
  ...(o.op === 'loop' && { execute: async (args) => result(t.name, args) }) })])) };

function take_usage(a, u) {
  a.usage = { input: u.inputTokens, output: u.outputTokens, total: u.totalTokens,
    cached: u.inputTokenDetails?.cacheReadTokens ?? u.cachedInputTokens ?? 0,
    reasoning: u.outputTokenDetails?.reasoningTokens ?? u.reasoningTokens ?? 0 };
}

async function ask(o, a, signal) {
  if (o.timeout_ms) setTimeout(() => a.controller.abort(new DOMException('too late', 'TimeoutError')), o.timeout_ms);
  if (o.schema) {
    const request = { ...asked(o, signal), schema: jsonSchema(o.schema) };
    if (o.stream) {
      const done = streamObject({ ...request, onError: () => {} });
      for await (const text of done.textStream) a.piece(text);
      a.parsed = await done.object;
      take_usage(a, await done.usage);
      return;
    }
    const done = await generateObject(request);
    a.parsed = done.object;
    a.text = JSON.stringify(done.object);
    a.finish = done.finishReason;
    take_usage(a, done.usage);
    return;
  }
  const request = { ...asked(o, signal), ...tools(o, a), stopWhen: stepCountIs(4) };
  if (!o.stream) {
    const done = await generateText(request);
    a.text = done.text;
    a.reasoning = done.reasoningText ?? '';
    for (const step of done.steps) for (const c of step.toolCalls) a.call(c.toolCallId, c.toolName, c.input);
    a.turns = done.steps.length;
    a.finish = done.finishReason;
    take_usage(a, done.usage);
    a.headers = done.response.headers;
    return;
  }
  a.turns = 0;
  const deltas = {};
  for await (const part of streamText({ ...request, onError: () => {} }).fullStream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw new DOMException('aborted', 'AbortError');
    if (part.type === 'start-step') { a.turns++; a.text = ''; a.reasoning = ''; }
    if (part.type === 'text-delta') a.piece(part.text);
    if (part.type === 'reasoning-delta') a.reasoning += part.text;
    if (part.type === 'tool-input-delta') deltas[part.id] = (deltas[part.id] ?? 0) + 1;
    if (part.type === 'tool-call') a.call(part.toolCallId, part.toolName, part.input);
    if (part.type === 'finish-step') { a.finish = part.finishReason; take_usage(a, part.usage); }
  }
  a.argument_pieces = Object.values(deltas);
}

await serve({
  ask: async (o, a, signal) => { await ask(o, a, signal); },
  loop: async (o, a, signal) => { await ask(o, a, signal); },
  embed: async (o) => {
    const provider = providers[o.api === 'chat' ? 'openai' : o.api](o);
    return { vectors: (await embedMany({ model: provider.textEmbeddingModel(o.model), values: o.texts, maxRetries: 0 })).embeddings };
  },
});
