// genai.mjs - drives the npm package @google/genai.
import { GoogleGenAI } from '@google/genai';
import { call, result, serve } from './driver.mjs';

const client = (o) => new GoogleGenAI({ apiKey: 'x', httpOptions: {
  baseUrl: o.base, timeout: o.timeout_ms ?? 20000, retryOptions: { attempts: 1 + (o.retries ?? 0) } } });

const asked = (o, signal) => ({
  model: o.model,
  contents: [{ role: 'user', parts: [{ text: o.prompt },
    ...(o.image ? [{ inlineData: { mimeType: 'image/png', data: o.image } }] : [])] }],
  config: {
    abortSignal: signal,
    ...(o.system && { systemInstruction: o.system }),
    ...(o.tools && { tools: [{ functionDeclarations: o.tools.map(({ parameters, ...t }) => (
      { ...t, parametersJsonSchema: parameters })) }] }),
    ...(o.choice && { toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: [o.choice] } } }),
    ...(o.schema && { responseMimeType: 'application/json', responseJsonSchema: o.schema }),
    ...(o.effort && { thinkingConfig: { includeThoughts: true, thinkingBudget: 2048 } }),
    ...(o.max_tokens && { maxOutputTokens: o.max_tokens }),
    ...o.more,
  },
});

function take(a, part) {
  if (part.functionCall) a.call(part.functionCall.id ?? null, part.functionCall.name, part.functionCall.args ?? {});
  else if (part.thought) a.reasoning += part.text;
  else a.piece(part.text);
}

function take_end(a, said) {
  a.finish = said.candidates?.[0]?.finishReason ?? a.finish;
  a.model = said.modelVersion ?? a.model;
  const u = said.usageMetadata;
  if (u) a.usage = { input: u.promptTokenCount, output: (u.candidatesTokenCount ?? 0) + (u.thoughtsTokenCount ?? 0),
    total: u.totalTokenCount, cached: u.cachedContentTokenCount ?? 0, reasoning: u.thoughtsTokenCount ?? 0 };
}

async function ask(o, a, request) {
  const api = client(o).models;
  const parts = [];
  const all = o.stream ? await api.generateContentStream(request) : [await api.generateContent(request)];
  for await (const said of all) {
    for (const part of said.candidates?.[0]?.content?.parts ?? []) {
      parts.push(part);
      take(a, part);
    }
    take_end(a, said);
  }
  if (o.schema) a.parsed = JSON.parse(a.text);
  return { role: 'model', parts };
}

await serve({
  call: (o) => call(client(o), o),
  ask: async (o, a, signal) => { await ask(o, a, asked(o, signal)); },
  loop: async (o, a, signal) => {
    const request = asked(o, signal);
    for (a.turns = 1; ; a.turns++) {
      const before = a.calls.length;
      a.text = '';
      request.contents.push(await ask(o, a, request));
      if (a.calls.length === before) return;
      request.contents.push({ role: 'user', parts: a.calls.slice(before).map((c) => ({ functionResponse: {
        ...(c.id && { id: c.id }), name: c.name, response: { output: result(c.name, c.args) } } })) });
    }
  },
  embed: async (o) => ({ vectors: (await client(o).models.embedContent(
    { model: o.model, contents: o.texts })).embeddings.map((e) => e.values) }),
  // The SDK itself calls the tool, and asks again.
  run: async (o, a) => {
    const tool = {
      tool: async () => ({ functionDeclarations: o.tools.map(({ parameters, ...t }) => (
        { ...t, parametersJsonSchema: parameters })) }),
      callTool: async (calls) => calls.map((c) => {
        a.call(null, c.name, c.args);
        return { functionResponse: { id: c.id, name: c.name, response: { output: result(c.name, c.args) } } };
      }),
    };
    const request = { model: o.model, contents: o.prompt, config: { tools: [tool] } };
    const api = client(o).models;
    const all = o.stream ? await api.generateContentStream(request) : [await api.generateContent(request)];
    for await (const said of all) for (const part of said.candidates?.[0]?.content?.parts ?? []) a.piece(part.text);
  },
  // What was said before goes along by itself.
  talk: async (o) => {
    const chat = client(o).chats.create({ model: o.model, config: { systemInstruction: o.system } });
    const said = [];
    for (const message of o.prompts) {
      if (!o.stream) { said.push((await chat.sendMessage({ message })).text); continue; }
      let text = '';
      for await (const chunk of await chat.sendMessageStream({ message })) text += chunk.text ?? '';
      said.push(text);
    }
    return { said, history: chat.getHistory().map((one) => one.role) };
  },
  upload: async (o) => ({ file: await client(o).files.upload({
    file: new Blob([Buffer.from(o.base64, 'base64')], { type: o.type }), config: { mimeType: o.type, displayName: 'a' } }) }),
  models: async (o) => {
    const ids = [];
    for await (const m of await client(o).models.list()) ids.push(m.name);
    return { ids };
  },
  model: async (o) => ({ id: (await client(o).models.get({ model: o.model })).name }),
  count: async (o) => ({ tokens: (await client(o).models.countTokens(
    { model: o.model, contents: o.prompt })).totalTokens }),
});
