/* offline.c - the request decides what will be said; the reply says it. */
#include "brokerd/dialect/offline.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/dialect/outlet.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/registry.h"
#include "brokerd/dialect/schema_example.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define OUTPUT_TOKENS_MAX INT64_C(4096)
#define TOKEN_BYTES_MAX   ((size_t)64) /* a longer word is several */
#define CALLS_MAX         64

static struct http_header head_headers[] = {
	{{"content-type", sizeof "content-type" - 1},
         {"application/json", sizeof "application/json" - 1}},
};
const struct http_head offline_head = {200, head_headers, COUNT_OF(head_headers)};

/* ---- tokens ---- */

/* The first token of a text: white space, then a word or as much of it as is one token. */
static struct span first_token(struct span text)
{
	size_t n = 0;
	while (n < text.n && strchr(" \t\r\n", text.p[n]) && text.p[n] != '\0')
		n++;
	const size_t most = n + TOKEN_BYTES_MAX;
	while (n < text.n && n < most && (text.p[n] == '\0' || !strchr(" \t\r\n", text.p[n])))
		n++;
	while (n < text.n && (text.p[n] & 0xc0) == 0x80)
		n++; /* to the end of the character */
	return span_first(text, n);
}

int64_t offline_count(struct span text)
{
	int64_t n = 0;
	while (text.n > 0) {
		text = span_skip(text, first_token(text).n);
		n++;
	}
	return n;
}

/* ---- the request ---- */

/* The texts of the last message; of several results, all. */
static enum err put_prompt(struct scribe *s, struct buf *prompt)
{
	const struct llm_request *r = s->r;
	size_t first = r->n_messages;
	while (first > 1 && r->messages[first - 1].role == ROLE_TOOL &&
		r->messages[first - 2].role == ROLE_TOOL)
		first--;
	first -= first > 0;
	for (size_t i = first; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			const struct part *p = &r->messages[i].parts[k];
			if (p->type != PART_TEXT)
				continue;
			if (prompt->n > 0)
				buf_byte(prompt, '\n');
			buf_span(prompt, p->text);
		}
	}
	return buf_error(prompt);
}

enum err offline_count_request(struct scribe *s, int64_t *tokens)
{
	enum err err = OK;
	*tokens = 0;
	for (size_t i = 0; i < s->r->n_messages; i++) {
		for (size_t k = 0; !err && k < s->r->messages[i].n_parts; k++) {
			const struct part *p = &s->r->messages[i].parts[k];
			*tokens += offline_count(p->text) + offline_count(p->call.arguments);
			if (p->type == PART_IMAGE || p->type == PART_AUDIO ||
				p->type == PART_FILE || p->type == PART_VIDEO)
				err = scribe_warn_once(s, "dropped_parameter", "messages",
					"the offline provider reads text only");
		}
	}
	return err;
}

static bool may_call(const struct llm_request *r, const struct tool *tool)
{
	return r->tool_choice.mode != CHOICE_NONE && tool->type != TOOL_PROVIDER &&
	       tools_is_allowed(r, tool);
}

static const struct tool *tool_named(const struct llm_request *r, struct span name)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (span_eq(r->tools[i].name, name) && may_call(r, &r->tools[i]))
			return &r->tools[i];
	}
	return NULL;
}

static void put_call(struct scribe *s, const struct tool *tool, struct span arguments)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", tool->name);
	json_pair_str(&s->o, "arguments", arguments);
	json_pair_bool(&s->o, "custom", tool->type == TOOL_CUSTOM);
	json_close(&s->o, '}');
}

/* "call NAME {...}" at the start of a line: takes it off *text. The arguments may go over lines. */
static bool take_call_line(
	const struct llm_request *r, struct span *text, const struct tool **tool, struct span *args)
{
	struct span rest = *text;
	struct json_extent extent = {.depth = 0};
	size_t n = 0;
	if (!span_starts(rest, SPAN("call ")))
		return false;
	rest = span_skip(rest, strlen("call "));
	struct span line = span_first(rest, span_index(rest, '\n'));
	const struct span name = span_cut(&line, ' ');
	*tool = tool_named(r, span_trim(name));
	if (!*tool)
		return false;
	rest = span_skip(rest, name.n < rest.n ? name.n + 1 : rest.n);
	if ((*tool)->type == TOOL_CUSTOM || rest.n == 0 || rest.p[0] != '{') {
		*args = span_trim(line);
		*text = span_skip(rest, span_index(rest, '\n'));
		return true;
	}
	while (n < rest.n && !extent.is_complete)
		json_extent_add(&extent, span_of(rest.p + n++, 1));
	*args = span_first(rest, n);
	*text = span_skip(rest, n);
	return true;
}

static enum err put_required_call(struct scribe *s)
{
	OWNED(buf_done) struct buf args = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&args);
	struct json schema = JSON_NONE;
	const struct tool *tool = NULL;
	for (size_t i = 0; i < s->r->n_tools && !tool; i++) {
		if (may_call(s->r, &s->r->tools[i]))
			tool = &s->r->tools[i];
	}
	if (!tool)
		return fault_param(s->why, ERR_INVALID_REQUEST, "tool_choice",
			"a tool call is required, but there is no such tool");
	if (span_is_set(tool->parameters) &&
		json_scan(tool->parameters, JSON_STRICT, &schema, s->why) == OK)
		schema_example(schema, s->notes->arena, &o);
	else
		json_put_raw(&o, SPAN("{}"));
	if (buf_error(&args))
		return ERR_NO_MEMORY;
	put_call(s, tool, buf_view(&args));
	return OK;
}

static enum err put_calls(struct scribe *s, struct span prompt)
{
	const struct llm_request *r = s->r;
	const bool is_answered = r->messages[r->n_messages - 1].role == ROLE_TOOL;
	const bool is_single = r->parallel_tool_calls.is_set && !r->parallel_tool_calls.v;
	const enum tool_choice_mode mode = r->tool_choice.mode;
	struct span text = prompt;
	size_t n = 0;
	enum err err = OK;
	if (is_answered || (r->n_tools == 0 && mode < CHOICE_REQUIRED))
		return OK;
	json_key(&s->o, "calls");
	json_open(&s->o, '[');
	while (text.n > 0 && n < (is_single ? 1 : CALLS_MAX)) {
		const struct tool *tool;
		struct span args;
		if (take_call_line(r, &text, &tool, &args)) {
			put_call(s, tool, args);
			n++;
		}
		const size_t line = span_index(text, '\n');
		text = span_skip(text, line < text.n ? line + 1 : line);
	}
	if (n == 0 && (mode == CHOICE_REQUIRED || mode == CHOICE_NAMED))
		err = put_required_call(s);
	json_close(&s->o, ']');
	return err;
}

/* What is said: the prompt, or JSON where that was asked for. */
static enum err put_answer(struct scribe *s, struct span prompt)
{
	const struct response_format *f = &s->r->response_format;
	struct json schema;
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT) {
		json_pair_str(&s->o, "answer", prompt);
		return OK;
	}
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&text);
	if (f->type == FORMAT_SCHEMA) {
		const enum err err = json_scan(f->schema, JSON_STRICT, &schema, s->why);
		if (err)
			return err;
		schema_example(schema, s->notes->arena, &o);
	} else {
		json_open(&o, '{');
		json_pair_str(&o, "echo", prompt);
		json_close(&o, '}');
	}
	json_pair_str(&s->o, "answer", buf_view(&text));
	return buf_error(&text);
}

static enum err put_limits(struct scribe *s)
{
	const struct llm_request *r = s->r;
	int64_t most =
		s->target->max_output_tokens > 0 ? s->target->max_output_tokens : OUTPUT_TOKENS_MAX;
	enum err err = OK;
	if (r->max_tokens.is_set && r->max_tokens.v > most)
		err = scribe_change(s, "clamped_parameter", "max_tokens",
			"the offline provider writes at most %lld tokens", (long long)most);
	else if (r->max_tokens.is_set)
		most = r->max_tokens.v;
	json_pair_i64(&s->o, "max_tokens", most);
	json_key(&s->o, "stop");
	json_open(&s->o, '[');
	for (size_t i = 0; i < r->n_stop; i++)
		json_put_str(&s->o, r->stop[i]);
	json_close(&s->o, ']');
	if (r->n.is_set && (r->n.v < 1 || r->n.v > 128))
		return fault_param(s->why, ERR_INVALID_REQUEST, "n", "n must be 1 to 128");
	s->notes->n_choices = r->n.is_set ? r->n.v : 1;
	json_pair_i64(&s->o, "n", s->notes->n_choices);
	if (!err && r->logprobs.is_set && r->logprobs.v)
		err = scribe_drop(s, "logprobs", "the offline provider has no probabilities");
	return err;
}

static enum err no_memory(enum err err, struct fault *why)
{
	return err == ERR_NO_MEMORY ? fault_set(why, err, "no memory for the request") : err;
}

static enum err encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf prompt = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	const struct reasoning *asked = &r->reasoning;
	int64_t input_tokens;
	(void)env;
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(asked->expose, "none");
	enum err err = put_prompt(&s, &prompt);
	if (!err)
		err = offline_count_request(&s, &input_tokens);
	if (err)
		return no_memory(err, why);
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	json_pair_i64(&s.o, "input_tokens", input_tokens);
	err = put_calls(&s, buf_view(&prompt));
	if (!err)
		err = put_answer(&s, buf_view(&prompt));
	if (!err)
		err = put_limits(&s);
	json_pair_bool(&s.o, "reasons",
		(asked->budget_tokens.is_set || span_is_set(asked->effort)) &&
			!span_is(asked->effort, "none"));
	if (!err)
		err = scribe_extra(&s, &r->extra, "",
			" model input_tokens calls answer max_tokens stop n reasons ");
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/"}, out);
	return no_memory(err, why);
}

/* ---- the reply ---- */

struct decoder {
	struct outlet out;
	struct buf body;
	struct arena *arena;
	int64_t left; /* tokens that may still be said */
	struct llm_usage usage;
};

static struct decoder *decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	(void)head;
	if (!d)
		return NULL;
	*d = (struct decoder){
		.body = BUF_INIT(LIMIT_BODY_BYTES), .arena = a, .usage = USAGE_UNKNOWN};
	return outlet_init(&d->out, a, notes, env) ? d : NULL;
}

static void decoder_done(struct decoder *d)
{
	buf_done(&d->body);
	outlet_done(&d->out);
}

static enum err decode(
	struct decoder *d, struct span bytes, const struct event_sink *sink, struct fault *why)
{
	(void)sink;
	buf_span(&d->body, bytes);
	const enum err err = buf_error(&d->body);
	return err ? fault_set(why, err, "no memory for the answer") : OK;
}

/* Says a text token by token while any are left. Returns whether all of it was said. */
static enum err say(struct decoder *d, uint32_t choice, enum outlet_text kind, struct span text,
	int64_t *counted, bool *is_all)
{
	enum err err = OK;
	while (!err && text.n > 0 && d->left > 0) {
		const struct span token = first_token(text);
		err = outlet_text(&d->out, choice, kind, token);
		text = span_skip(text, token.n);
		d->left--;
		++*counted;
	}
	*is_all = text.n == 0;
	return err;
}

static enum err make_calls(struct decoder *d, uint32_t choice, struct json calls, size_t *n)
{
	static const char *const names[] = {"name", "arguments", "custom"};
	enum err err = OK;
	for (struct json_walk w = json_each(calls); !err && json_next(&w); ++*n) {
		struct json m[COUNT_OF(names)];
		struct outlet_call *call;
		struct span name, args;
		PICK(w.value, names, m);
		err = json_text(m[0], d->arena, &name);
		if (!err)
			err = json_text(m[1], d->arena, &args);
		if (!err)
			err = outlet_call_new(&d->out, choice, &call);
		if (err)
			return err;
		call->is_custom = json_is_true(m[2]);
		buf_span(&call->name, name);
		err = outlet_check(&call->name);
		while (!err && args.n > 0) {
			const struct span token = first_token(args);
			err = outlet_call_args(&d->out, call, token);
			args = span_skip(args, token.n);
			d->usage.output++;
		}
		if (!err)
			err = outlet_call_end(&d->out, call);
	}
	return err;
}

/* Cuts the answer before the first stop sequence in it. */
static enum err apply_stops(
	struct decoder *d, struct json stops, struct span *answer, struct span *matched)
{
	size_t first = answer->n;
	*matched = SPAN_NONE;
	for (struct json_walk w = json_each(stops); json_next(&w);) {
		struct span stop;
		const enum err err = json_text(w.value, d->arena, &stop);
		if (err)
			return err;
		const size_t at = stop.n > 0 ? span_find(*answer, stop) : answer->n;
		if (at < first) {
			first = at;
			*matched = stop;
		}
	}
	*answer = span_first(*answer, first);
	return OK;
}

enum { INPUT, CALLS, ANSWER, MAX, STOP, N, REASONS, MODEL, MEMBERS };

static enum err answer_once(struct decoder *d, uint32_t choice, const struct json m[MEMBERS])
{
	struct span answer, matched;
	bool is_all = true;
	size_t n_calls = 0;
	enum err err = OK;
	if (!json_i64(m[MAX], &d->left))
		d->left = OUTPUT_TOKENS_MAX;
	if (json_is_true(m[REASONS])) {
		if (d->usage.reasoning < 0)
			d->usage.reasoning = 0;
		err = say(d, choice, OUTLET_REASONING, SPAN("The prompt is to be echoed."),
			&d->usage.reasoning, &is_all);
	}
	if (!err)
		err = make_calls(d, choice, m[CALLS], &n_calls);
	if (!err && n_calls > 0)
		return outlet_finish(
			&d->out, choice, FINISH_TOOL_CALLS, SPAN("tool_calls"), SPAN_NONE);
	if (!err)
		err = json_text(m[ANSWER], d->arena, &answer);
	if (!err)
		err = apply_stops(d, m[STOP], &answer, &matched);
	if (!err && is_all)
		err = say(d, choice, OUTLET_TEXT, answer, &d->usage.output, &is_all);
	if (err)
		return err;
	return is_all ? outlet_finish(&d->out, choice, FINISH_STOP, SPAN("stop"), matched)
		      : outlet_finish(&d->out, choice, FINISH_LENGTH, SPAN("length"), SPAN_NONE);
}

static enum err answer_all(struct decoder *d, struct fault *why)
{
	static const char *const names[MEMBERS] = {[INPUT] = "input_tokens",
		[CALLS] = "calls",
		[ANSWER] = "answer",
		[MAX] = "max_tokens",
		[STOP] = "stop",
		[N] = "n",
		[REASONS] = "reasons",
		[MODEL] = "model"};
	struct json body, m[MEMBERS];
	struct span model;
	int64_t n = 1;
	if (json_scan(buf_view(&d->body), JSON_STRICT, &body, why) != OK)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the offline provider's answer broke off before its end");
	PICK(body, names, m);
	json_i64(m[N], &n);
	json_i64(m[INPUT], &d->usage.input);
	d->usage.output = 0;
	d->usage.provider_cost_nusd = 0;
	char id[32];
	(void)snprintf(id, sizeof id, "echo-%016" PRIx64, d->out.seed);
	enum err err = json_text(m[MODEL], d->arena, &model);
	if (!err)
		err = outlet_about(&d->out, span_str(id), model, d->out.wall_s);
	for (uint32_t i = 0; !err && i < n && i < d->out.n_choices; i++)
		err = answer_once(d, i, m);
	outlet_usage(&d->out, &d->usage);
	return err ? err : outlet_flush(&d->out);
}

static enum err decode_end(struct decoder *d, const struct event_sink *sink, struct fault *why)
{
	struct fault fault = FAULT_NONE;
	d->out.sink = sink;
	const enum err err = answer_all(d, &fault);
	return err ? outlet_fail(&d->out, err, &fault, why) : OK;
}

/* ---- the family ---- */

static void explain(const struct http_reply *reply, const struct target *target, struct fault *out)
{
	(void)fault_set(out, ERR_INTERNAL, "the offline provider never fails");
	out->http_status = reply->head.status;
	if (target)
		fault_text(out->provider, sizeof out->provider, target->provider);
}

static const struct dialect_op chat = {
	.encode_request = encode_request,
	.decoder_new = decoder_new,
	.decode = decode,
	.decode_end = decode_end,
	.decoder_done = decoder_done,
};

const struct dialect dialect_offline = {
	.family = "offline",
	.path = "/",
	.ops = {[LLM_OP_CHAT] = &chat,
		[LLM_OP_COMPLETE] = &chat,
		[LLM_OP_EMBED] = &offline_embed,
		[LLM_OP_RERANK] = &offline_rerank,
		[LLM_OP_COUNT] = &offline_count_op,
		[LLM_OP_MODERATE] = &offline_moderate},
	.explain = explain,
};
