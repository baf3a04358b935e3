/* answer_stream.c - an answer as a stream of chunks: one for each thing that happens, at once. But clients
 * take a call for whole as soon as the next one of its choice begins: so while a call goes on, those behind it
 * wait. */
#include "brokerd/dialect/openai_chat/answer.h"

#include "protocol/limits.h"

void answer_on_begin(struct openai_answer *a, struct openai_choice *c)
{
	openai_chunk_begin(a, c);
	buf_text(a->out, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
	openai_chunk_end(a, a->out->n);
}

/* Said for each word of an answer. */
static void text(
	struct encoder *e, struct answer_choice *c, enum answer_text which, struct span text)
{
	static const char *const keys[ANSWER_TEXTS] = {
		[ANSWER_CONTENT] = "\"content\":",
		[ANSWER_REASONING] = "\"reasoning_content\":",
		[ANSWER_REFUSAL] = "\"refusal\":",
	};
	struct buf *out = e->answer.out;
	struct json_out o = json_to(out);
	openai_chunk_begin(&e->answer, &c->base);
	buf_text(out, keys[which]);
	json_put_str(&o, text);
	openai_chunk_end(&e->answer, out->n);
}

static void put_logprobs(
	struct encoder *e, struct answer_choice *c, enum answer_list which, struct span elements)
{
	struct buf *out = e->answer.out;
	struct json_out o = json_to(out);
	const size_t mark = openai_chunk_begin(&e->answer, &c->base);
	buf_text(out, "},\"logprobs\":");
	answer_put_logprobs(which == ANSWER_LOGPROBS ? elements : SPAN_NONE,
		which == ANSWER_LOGPROBS ? SPAN_NONE : elements, &o);
	buf_text(out, ",\"finish_reason\":null}]");
	openai_chunk_close(&e->answer, mark);
}

static void list(
	struct encoder *e, struct answer_choice *c, enum answer_list which, struct span elements)
{
	struct json_out o = json_to(e->answer.out);
	if (which >= ANSWER_LOGPROBS) {
		put_logprobs(e, c, which, elements);
		return;
	}
	const size_t mark = openai_chunk_begin(&e->answer, &c->base);
	json_key(&o, answer_list_names[which]);
	json_open(&o, '[');
	json_put_raw(&o, elements);
	json_close(&o, ']');
	openai_chunk_end(&e->answer, mark);
}

static void audio(struct encoder *e, struct answer_choice *c, struct span json)
{
	struct json_out o = json_to(e->answer.out);
	const size_t mark = openai_chunk_begin(&e->answer, &c->base);
	json_pair_raw(&o, "audio", json);
	openai_chunk_end(&e->answer, mark);
}

static void put_call(struct encoder *e, struct answer_choice *c, const struct answer_call *call)
{
	struct json_out o = json_to(e->answer.out);
	const size_t mark = openai_chunk_begin(&e->answer, &c->base);
	json_key(&o, e->is_older ? "function_call" : "tool_calls");
	if (!e->is_older)
		json_open(&o, '[');
	json_open(&o, '{');
	if (!e->is_older)
		json_pair_i64(&o, "index", call->index);
	answer_put_call(e, call, SPAN(""), &o);
	json_close(&o, '}');
	if (!e->is_older)
		json_close(&o, ']');
	openai_chunk_end(&e->answer, mark);
}

static void put_args(struct encoder *e, struct answer_choice *c, const struct answer_call *call,
	struct span text)
{
	struct buf *out = e->answer.out;
	struct json_out o = json_to(out);
	openai_chunk_begin(&e->answer, &c->base);
	if (e->is_older) {
		buf_text(out, "\"function_call\":{\"arguments\":");
	} else {
		buf_text(out, "\"tool_calls\":[{\"index\":");
		buf_i64(out, call->index);
		buf_text(out, call->is_custom ? ",\"custom\":{\"input\":"
					      : ",\"function\":{\"arguments\":");
	}
	json_put_str(&o, text);
	buf_text(out, e->is_older ? "}" : "}}]");
	openai_chunk_end(&e->answer, out->n);
}

/* Another of its choice is told: it waits. */
static void hold(struct encoder *e, struct answer_call *call, struct span text)
{
	if (text.n > LIMIT_BODY_BYTES - e->held_bytes) {
		openai_answer_fail(&e->answer, ERR_TOO_BIG);
		return;
	}
	e->held_bytes += text.n;
	buf_span(&call->args, text);
	openai_answer_fail(&e->answer, buf_error(&call->args));
}

/* The call that was told is over: tells the next, as far as it came. */
static void tell_next(struct encoder *e, struct answer_choice *c)
{
	struct answer_call *call = c->told->next;
	c->told = call;
	if (!call)
		return;
	put_call(e, c, call);
	if (call->args.n > 0)
		put_args(e, c, call, buf_view(&call->args));
	e->held_bytes -= call->args.n;
	buf_done(&call->args);
}

static void call(struct encoder *e, struct answer_choice *c, struct answer_call *call)
{
	if (c->told)
		return;
	c->told = call;
	put_call(e, c, call);
}

static void args(
	struct encoder *e, struct answer_choice *c, struct answer_call *call, struct span text)
{
	if (call == c->told)
		put_args(e, c, call, text);
	else
		hold(e, call, text);
}

static void called(struct encoder *e, struct answer_choice *c, struct answer_call *call)
{
	(void)call; /* it says so itself */
	while (c->told && c->told->is_over)
		tell_next(e, c);
}

const struct answer_voice answer_stream = {text, list, audio, call, args, called};

void answer_on_finish(struct openai_answer *a, struct openai_choice *choice)
{
	struct encoder *e = container_of(a, struct encoder, answer);
	struct answer_choice *c = container_of(choice, struct answer_choice, base);
	while (c->told)
		tell_next(e, c);
}
