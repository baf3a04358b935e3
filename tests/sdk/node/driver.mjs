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
