// openai.mjs - drives the npm package openai: chat completions and responses.
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodResponsesFunction, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { call, result, serve } from './driver.mjs';

const Weather = z.object({ city: z.string(), degrees: z.number() });
const client = (o) => new OpenAI({
  apiKey: 'x', baseURL: `${o.base}/v1`, maxRetries: o.retries ?? 0, timeout: o.timeout_ms ?? 20000 });
const image = (o) => `data:image/png;base64,${o.image}`;

const chat = {
  body: (o) => ({
    model: o.model,
    messages: [
      ...(o.system ? [{ role: 'system', content: o.system }] : []),
      { role: 'user', content: o.image ? [{ type: 'text', text: o.prompt },
        { type: 'image_url', image_url: { url: image(o) } }] : o.prompt }],
    ...(o.tools && { tools: o.tools.map((t) => ({ type: 'function', function: t })) }),
    ...(o.choice && { tool_choice: { type: 'function', function: { name: o.choice } } }),
    ...(o.schema && { response_format: zodResponseFormat(Weather, 'weather') }),
    ...(o.effort && { reasoning_effort: o.effort }),
    ...(o.max_tokens && { max_completion_tokens: o.max_tokens }),
    ...o.more,
  }),
  take(a, done) {
    const { message, finish_reason } = done.choices[0];
    a.text = message.content ?? '';
    a.reasoning = message.reasoning_content ?? '';
    a.parsed = message.parsed;
    a.refusal = message.refusal;
    for (const c of message.tool_calls ?? []) a.call(c.id, c.function.name, c.function.arguments);
    a.finish = finish_reason;
    this.usage(a, done.usage);
    a.model = done.model;
    return message;
  },
  usage(a, u) {
    if (u) a.usage = { input: u.prompt_tokens, output: u.completion_tokens, total: u.total_tokens,
      cached: u.prompt_tokens_details?.cached_tokens, reasoning: u.completion_tokens_details?.reasoning_tokens };
  },
  async ask(o, a, signal, body = this.body(o)) {
    const api = client(o).chat.completions;
    if (o.stream === 'helper') {
      const stream = api.stream({ ...body, stream_options: { include_usage: true } }, { signal });
      stream.on('content', (text) => a.piece(text));
      const done = await stream.finalChatCompletion();
      const pieces = a.pieces, reasoning = a.reasoning;
      const message = this.take(a, done);
      Object.assign(a, { pieces });
      a.reasoning ||= reasoning;
      return message;
    }
    if (o.stream) {
      const stream = await api.create({ ...body, stream: true, stream_options: { include_usage: true } }, { signal });
      const calls = [];
      for await (const chunk of stream) {
        this.usage(a, chunk.usage);
        for (const { delta, finish_reason } of chunk.choices) {
          a.reasoning += delta.reasoning_content ?? '';
          for (const c of delta.tool_calls ?? []) {
            const into = (calls[c.index] ??= { id: '', name: '', args: '', pieces: 0 });
            into.id ||= c.id ?? '';
            into.name ||= c.function?.name ?? '';
            into.args += c.function?.arguments ?? '';
            if (c.function?.arguments) into.pieces++;
          }
          a.finish = finish_reason ?? a.finish;
          a.piece(delta.content);
        }
      }
      a.argument_pieces = calls.map((c) => c.pieces);
      for (const c of calls) a.call(c.id, c.name, c.args);
      return { role: 'assistant', content: a.text || null, ...(calls.length && { tool_calls: calls.map((c) => (
        { id: c.id, type: 'function', function: { name: c.name, arguments: c.args } })) }) };
    }
    const { data, response } = await (o.schema
      ? api.parse(body, { signal }).then((data) => ({ data })) : api.create(body, { signal }).withResponse());
    a.headers = response && Object.fromEntries(response.headers);
    return this.take(a, data);
  },
  async loop(o, a, signal) {
    const body = this.body(o);
    for (a.turns = 1; ; a.turns++) {
      const before = a.calls.length;
      a.text = '';
      body.messages.push(await this.ask(o, a, signal, body));
      if (a.calls.length === before) return;
      for (const c of a.calls.slice(before))
        body.messages.push({ role: 'tool', tool_call_id: c.id, content: result(c.name, c.args) });
    }
  },
};

const responses = {
  body: (o) => ({
    model: o.model,
    ...(o.system && { instructions: o.system }),
    input: o.image ? [{ role: 'user', content: [{ type: 'input_text', text: o.prompt },
      { type: 'input_image', detail: 'auto', image_url: image(o) }] }] : o.prompt,
    ...(o.tools && { tools: o.tools.map((t) => ({ type: 'function', strict: false, ...t })) }),
    ...(o.choice && { tool_choice: { type: 'function', name: o.choice } }),
    ...(o.schema && { text: { format: zodTextFormat(Weather, 'weather') } }),
    ...(o.effort && { reasoning: { effort: o.effort, summary: 'auto' } }),
    ...(o.max_tokens && { max_output_tokens: o.max_tokens }),
    ...o.more,
  }),
  take(a, done) {
    a.text = done.output_text;
    a.parsed = done.output_parsed;
    a.reasoning = done.output.filter((i) => i.type === 'reasoning')
      .flatMap((i) => [...(i.summary ?? []), ...(i.content ?? [])]).map((part) => part.text).join('');
    for (const c of done.output.filter((i) => i.type === 'function_call')) a.call(c.call_id, c.name, c.arguments);
    a.finish = done.status;
    const u = done.usage;
    if (u) a.usage = { input: u.input_tokens, output: u.output_tokens, total: u.total_tokens,
      cached: u.input_tokens_details?.cached_tokens, reasoning: u.output_tokens_details?.reasoning_tokens };
    a.model = done.model;
    a.id = done.id;
    return done;
  },
  async ask(o, a, signal, body = this.body(o)) {
    const api = client(o).responses;
    if (o.stream) {
      const stream = o.stream === 'helper' ? api.stream(body, { signal })
        : await api.create({ ...body, stream: true }, { signal });
      let done = null;
      a.argument_pieces = [];
      for await (const event of stream) {
        if (event.type === 'response.output_text.delta') a.piece(event.delta);
        if (event.type === 'response.function_call_arguments.delta')
          a.argument_pieces[event.output_index] = (a.argument_pieces[event.output_index] ?? 0) + 1;
        if (['response.completed', 'response.incomplete', 'response.failed'].includes(event.type))
          done = event.response;
      }
      a.argument_pieces = a.argument_pieces.filter((n) => n);
      if (o.stream === 'helper') done = await stream.finalResponse();
      else if (done) done.output_text = a.text;
      if (!done) throw new Error('the stream ended before the response');
      return this.take(a, done);
    }
    const { data, response } = await (o.schema
      ? api.parse(body, { signal }).then((data) => ({ data })) : api.create(body, { signal }).withResponse());
    a.headers = response && Object.fromEntries(response.headers);
    return this.take(a, data);
  },
  async loop(o, a, signal) {
    const body = this.body(o);
    if (typeof body.input === 'string') body.input = [{ role: 'user', content: body.input }];
    for (a.turns = 1; ; a.turns++) {
      const before = a.calls.length;
      a.text = '';
      const done = await this.ask(o, a, signal, body);
      if (a.calls.length === before) return;
      const results = a.calls.slice(before).map((c) => (
        { type: 'function_call_output', call_id: c.id, output: result(c.name, c.args) }));
      if (o.kept) Object.assign(body, { previous_response_id: done.id, input: results });
      else body.input.push(...done.output, ...results);
    }
  },
};

const apis = { chat, responses };
await serve({
  call: (o) => call(client(o), o),
  ask: async (o, a, signal) => { await apis[o.api].ask(o, a, signal); },
  loop: async (o, a, signal) => { await apis[o.api].loop(o, a, signal); },
  embed: async (o) => {
    const done = await client(o).embeddings.create({ model: o.model, input: o.texts, ...o.more });
    return { vectors: done.data.map((row) => row.embedding), usage: done.usage };
  },
  // The SDK itself calls the tools, and asks again.
  run: async (o, a, signal) => {
    const tools = o.tools.map((t) => ({ type: 'function', function: { ...t, parse: JSON.parse, function: (args) => {
      a.call(null, t.name, args);
      return result(t.name, args);
    } } }));
    const body = { model: o.model, messages: [{ role: 'user', content: o.prompt }], tools, ...o.more };
    const runner = client(o).chat.completions.runTools(o.stream ? { ...body, stream: true } : body, { signal });
    if (o.stream) runner.on('content', (text) => a.piece(text));
    a.text = await runner.finalContent();
    a.usage = await runner.totalUsage();
  },
  // A tool and an answer, both made of zod's types.
  parse: async (o) => {
    const City = z.object({ city: z.string(), when: z.enum(['now', 'later']).nullable() });
    if (o.api === 'chat') {
      const done = await client(o).chat.completions.parse({ model: o.model, messages: [{ role: 'user', content: o.prompt }],
        tools: [zodFunction({ name: 'get_weather', parameters: City })] });
      return { args: done.choices[0].message.tool_calls[0].function.parsed_arguments };
    }
    const done = await client(o).responses.parse({ model: o.model, input: o.prompt,
      tools: [zodResponsesFunction({ name: 'get_weather', parameters: City })] });
    return { args: done.output.find((item) => item.type === 'function_call').parsed_arguments };
  },
  models: async (o) => {
    const ids = [];
    for await (const m of client(o).models.list()) ids.push(m.id);
    return { ids };
  },
  model: async (o) => ({ id: (await client(o).models.retrieve(o.model)).id }),
  moderate: async (o) => ({ flagged: (await client(o).moderations.create(
    { model: o.model, input: o.texts })).results.map((r) => r.flagged) }),
  complete: async (o, a) => {
    const api = client(o).completions, body = { model: o.model, prompt: o.prompt, max_tokens: 50 };
    if (o.stream) for await (const chunk of await api.create({ ...body, stream: true })) a.piece(chunk.choices[0]?.text);
    else a.text = (await api.create(body)).choices[0].text;
  },
  kept: async (o) => {
    const api = client(o).responses;
    const first = await api.create({ model: o.model, input: o.prompt });
    const again = await api.retrieve(first.id);
    const second = await api.create({ model: o.model, input: o.more_prompt, previous_response_id: first.id });
    await api.delete(first.id);
    const gone = await api.retrieve(first.id).then(() => null, (e) => e.status);
    return { first: first.output_text, again: again.output_text, second: second.output_text, gone };
  },
});
