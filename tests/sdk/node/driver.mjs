// driver.mjs - how does a driver of an SDK take its orders?
// One JSON object a line on standard input, one on standard output; it ends when its input does. What an
// order says stands in tests/sdk/clients.py. Times are CLOCK_MONOTONIC, in seconds.
import readline from 'node:readline';

export const now = () => Number(process.hrtime.bigint()) / 1e9;

// An error as a program would see it: the names of its class and of what it is derived from, and what it says.
function described(e) {
  const names = e?.name ? [e.name] : [];
  for (let at = e; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, 'constructor')) names.push(at.constructor.name);
  const inner = e?.lastError ?? e;
  const headers = inner?.headers ?? inner?.responseHeaders ?? inner?.response?.headers;
  const get = (name) => (typeof headers?.get === 'function' ? headers.get(name) : headers?.[name]) ?? null;
  return {
    names, message: String(inner?.message ?? inner), status: inner?.status ?? inner?.statusCode ?? null,
    code: inner?.code ?? null, type: inner?.type ?? inner?.error?.error?.type ?? null,
    retry_after: get('retry-after'), is_retryable: inner?.isRetryable ?? null,
  };
}

// Gathers what an answer says. `abort_after`: so many pieces of text, after which it is aborted.
export class Answer {
  constructor(order, controller) {
    Object.assign(this, { text: '', reasoning: '', calls: [], pieces: 0, usage: null, finish: null });
    Object.defineProperties(this, { order: { value: order }, controller: { value: controller } });
  }
  piece(text) {
    if (!text) return;
    this.text += text;
    this.pieces++;
    if (this.pieces === this.order.abort_after) {
      this.at = now();
      this.controller.abort();
    }
  }
  call(id, name, args) {
    this.calls.push({ id, name, args: typeof args === 'string' ? JSON.parse(args || '{}') : args });
  }
}

export async function serve(operations) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const controller = new AbortController();
    const answer = new Answer(order, controller);
    let timer = null;
    if (order.abort_ms)
      timer = setTimeout(() => { answer.at = now(); controller.abort(); }, order.abort_ms);
    let out;
    try {
      out = (await operations[order.op](order, answer, controller.signal)) ?? answer;
    } catch (e) {
      if (process.env.SDK_DEBUG) console.error(e);
      out = { ...answer, at: answer.at ?? now(), error: described(e) };
    }
    clearTimeout(timer);
    process.stdout.write(JSON.stringify(out) + '\n');
  }
}

// Calls made as they come: what each tool of the tests answers.
export const result = (name, args) => `${name}: ${Object.values(args).join(' ')}`;

const revived = (value) => {
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== 'object') return value;
  if (value.$file) return new File([Buffer.from(value.base64, 'base64')], value.$file, { type: value.type });
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, revived(v)]));
};

async function plain(out) {
  if (out instanceof Response)
    return { type: out.headers.get('content-type'), base64: Buffer.from(await out.arrayBuffer()).toString('base64') };
  if (!out?.[Symbol.asyncIterator]) return out;
  const list = [];
  for await (const one of out) list.push(one);
  return list;
}

// Calls a method by its name: with `ids`, then `body`, then `options`. What is listed or streamed comes as a list.
export async function call(client, o) {
  let self = null, at = client;
  for (const name of o.method.split('.')) [self, at] = [at, at[name]];
  const body = o.body ? [revived(o.body)] : o.options ? [{}] : [];
  return { out: await plain(await at.call(self, ...(o.ids ?? []), ...body, ...(o.options ? [o.options] : []))) ?? null };
}
