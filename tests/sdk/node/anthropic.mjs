// anthropic.mjs - drives the npm package @anthropic-ai/sdk.
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { z } from 'zod';
import { call, result, serve } from './driver.mjs';

const client = (o) => new Anthropic({
  apiKey: 'x', baseURL: o.base, maxRetries: o.retries ?? 0, timeout: o.timeout_ms ?? 20000 });

const body = (o) => ({
  model: o.model, max_tokens: o.max_tokens ?? 4096,
  ...(o.system && { system: [{ type: 'text', text: o.system, cache_control: { type: 'ephemeral' } }] }),
  messages: [{ role: 'user', content: o.image ? [{ type: 'text', text: o.prompt },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: o.image } }] : o.prompt }],
  ...(o.tools && { tools: o.tools.map(({ parameters, ...t }) => ({ ...t, input_schema: parameters })) }),
  ...(o.choice && { tool_choice: { type: 'tool', name: o.choice } }),
  ...(o.schema && { output_config: { format: { type: 'json_schema', schema: o.schema } } }),
  ...(o.effort && { thinking: { type: 'enabled', budget_tokens: 2048 } }),
  ...o.more,
});

function take(a, done) {
  a.text = done.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
  a.reasoning = done.content.filter((b) => b.type === 'thinking').map((b) => b.thinking).join('');
  for (const b of done.content.filter((b) => b.type === 'tool_use')) a.call(b.id, b.name, b.input);
  a.finish = done.stop_reason;
  const u = done.usage;
  a.usage = { input: u.input_tokens + (u.cache_read_input_tokens ?? 0) + (u.cache_creation_input_tokens ?? 0),
    output: u.output_tokens, cached: u.cache_read_input_tokens ?? 0 };
  a.model = done.model;
  if (a.order.schema) a.parsed = JSON.parse(a.text);
  return done;
}

async function ask(o, a, signal, asked = body(o)) {
  const api = client(o).messages;
  if (!o.stream) {
    const { data, response } = await api.create(asked, { signal }).withResponse();
    a.headers = Object.fromEntries(response.headers);
    return take(a, data);
  }
  a.argument_pieces = [];
  const on = (event) => {
    if (event.type !== 'content_block_delta') return;
    if (event.delta.type === 'text_delta') a.piece(event.delta.text);
    if (event.delta.type === 'input_json_delta' && event.delta.partial_json)
      a.argument_pieces[event.index] = (a.argument_pieces[event.index] ?? 0) + 1;
  };
  let done;
  if (o.stream === 'helper') {
    const stream = api.stream(asked, { signal });
    stream.on('streamEvent', on);
    done = await stream.finalMessage();
  } else {
    for await (const event of await api.create({ ...asked, stream: true }, { signal })) {
      on(event);
      if (event.type === 'message_start') done = event.message;
      if (event.type === 'content_block_start') done.content[event.index] = { ...event.content_block, json: '' };
      const block = done?.content[event.index];
      if (event.type === 'content_block_delta') {
        const d = event.delta;
        if (d.type === 'text_delta') block.text += d.text;
        if (d.type === 'thinking_delta') block.thinking += d.thinking;
        if (d.type === 'signature_delta') block.signature = d.signature;
        if (d.type === 'input_json_delta') block.json += d.partial_json;
      }
      if (event.type === 'content_block_stop' && block.type === 'tool_use') block.input = JSON.parse(block.json || '{}');
      if (event.type === 'content_block_stop') delete block.json;
      if (event.type === 'message_delta') {
        Object.assign(done, event.delta);
        Object.assign(done.usage, Object.fromEntries(Object.entries(event.usage).filter(([, n]) => n != null)));
      }
    }
  }
  a.argument_pieces = a.argument_pieces.filter((n) => n);
  return take(a, done);
}

await serve({
  call: (o) => call(client(o), o),
  ask: async (o, a, signal) => { await ask(o, a, signal); },
  loop: async (o, a, signal) => {
    const asked = body(o);
    for (a.turns = 1; ; a.turns++) {
      const before = a.calls.length;
      const done = await ask(o, a, signal, asked);
      if (a.calls.length === before) return;
      asked.messages.push({ role: 'assistant', content: done.content }, { role: 'user', content:
        a.calls.slice(before).map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: result(c.name, c.args) })) });
    }
  },
  // The SDK itself calls the tools, and asks again.
  run: async (o, a) => {
    const runner = client(o).beta.messages.toolRunner({ ...body({ ...o, tools: null }), stream: !!o.stream,
      tools: o.tools.map((t) => betaZodTool({ name: t.name, description: t.description,
        inputSchema: z.object({ city: z.string() }),
        run: (args) => { a.call(null, t.name, args); return result(t.name, args); } })) });
    a.turns = 0;
    for await (const turn of runner) {
      a.turns++;
      if (o.stream) for await (const event of turn) if (event.delta?.type === 'text_delta') a.piece(event.delta.text);
    }
    a.text = (await runner.done()).content.filter((b) => b.type === 'text').map((b) => b.text).join('');
  },
  parse: async (o) => ({ parsed: (await client(o).messages.parse({ ...body(o),
    output_config: { format: zodOutputFormat(z.object({ city: z.string(), degrees: z.number() })) } })).parsed_output }),
  // What the helper tells as it comes.
  told: async (o) => {
    const told = { text: '', thinking: '', signature: '', json: null, blocks: [] };
    const stream = client(o).messages.stream(body(o));
    stream.on('text', (text) => { told.text += text; });
    stream.on('thinking', (text) => { told.thinking += text; });
    stream.on('signature', (text) => { told.signature = text; });
    stream.on('inputJson', (_, snapshot) => { told.json = snapshot; });
    stream.on('contentBlock', (block) => { told.blocks.push(block.type); });
    const done = await stream.finalMessage();
    return { ...told, content: done.content, request_id: stream.request_id };
  },
  models: async (o) => {
    const ids = [];
    for await (const m of client(o).models.list()) ids.push(m.id);
    return { ids };
  },
  model: async (o) => ({ id: (await client(o).models.retrieve(o.model)).id }),
  count: async (o) => ({ tokens: (await client(o).messages.countTokens(
    { model: o.model, messages: [{ role: 'user', content: o.prompt }] })).input_tokens }),
});
