/* whole.c - gathers, scans, tells an error from an answer, and gives out in order. */
#include "brokerd/dialect/whole.h"

#include <stdarg.h>
#include <stdio.h>

#include "brokerd/dialect/errors.h"
#include "brokerd/dialect/framing.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

struct decoder {
	struct whole whole;
	whole_reader *read;
	struct buf body;
	int64_t wall_s;
};

struct decoder *whole_new(struct arena *a, const struct notes *notes, const struct dialect_env *env,
	whole_reader *read)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){
		.whole = {.arena = a,
			  .notes = notes,
			  .start = {.type = EV_START},
			  .usage = USAGE_UNKNOWN,
			  .head_tokens = -1},
		.read = read,
		.body = BUF_INIT(LIMIT_REPLY_BYTES),
		.wall_s = env->wall_s,
	};
	return d;
}

void whole_done(struct decoder *d)
{
	buf_done(&d->body);
}

struct span whole_more(const struct decoder *d)
{
	return d->whole.more;
}

enum err whole_decode(
	struct decoder *d, struct span bytes, const struct event_sink *sink, struct fault *why)
{
	(void)sink; /* nothing is certain before the end */
	buf_span(&d->body, bytes);
	const enum err err = buf_error(&d->body);
	if (err == ERR_TOO_BIG)
		return fault_set(why, ERR_SERVER_ERROR, "the provider's reply is over %zu MiB",
			LIMIT_REPLY_BYTES / MIB);
	return err ? fault_set(why, err, "no memory for the provider's reply") : OK;
}

bool whole_room(struct whole *w, size_t n)
{
	w->results = arena_array(w->arena, n, sizeof *w->results);
	return w->results != NULL;
}

enum err whole_refuse(struct fault *why, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return fault_set(why, ERR_SERVER_ERROR, "the provider's reply makes no sense: %s", text);
}

struct json whole_list(struct json body, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct json list = json_member(body, names[i]);
		if (json_kind(list) == JSON_ARRAY)
			return list;
	}
	return JSON_NONE;
}

size_t whole_length(struct json list)
{
	size_t n = 0;
	for (struct json_walk w = json_each(list); json_next(&w);)
		n++;
	return n;
}

void whole_usage(struct whole *w, struct json body)
{
	struct llm_usage *u = &w->usage;
	const struct json usage = json_member(body, "usage");
	const struct json meta = json_member(body, "meta");
	struct json billed = json_member(meta, "billed_units");
	if (json_is_nil(json_member(billed, "input_tokens")))
		billed = json_member(meta, "tokens");
	u->input = w->head_tokens;
	if (!usage_member(usage, "prompt_tokens", "input_tokens", &u->input))
		usage_member(usage, "total_tokens", NULL, &u->input);
	usage_member(json_member(body, "usageMetadata"), "promptTokenCount", NULL, &u->input);
	usage_member(billed, "input_tokens", NULL, &u->input);
	usage_member(billed, "image_tokens", NULL, &u->image_input);
	usage_member(body, "inputTextTokenCount", "prompt_eval_count", &u->input);
	u->provider_cost_nusd = usage_cost(usage, usage_input_total(u));
}

/* Who answered, and when, as far as the document says. */
static enum err take_start(struct decoder *d, struct json body)
{
	struct whole *w = &d->whole;
	enum err err = json_utf8(json_member(body, "id"), w->arena, &w->start.start.id);
	if (!err)
		err = json_utf8(json_member(body, "model"), w->arena, &w->start.start.model);
	int64_t created_s = 0;
	if (!json_i64(json_member(body, "created"), &created_s) || created_s < 1577836800 ||
		created_s > d->wall_s + 86400)
		created_s = d->wall_s;
	w->start.start.created_s = created_s;
	return err;
}

/* Some say with a good status that they failed. */
static bool is_error(struct json body)
{
	const struct json error = json_member(body, "error");
	return json_kind(error) == JSON_OBJECT ||
	       (json_kind(error) == JSON_STRING && error.text.n > 2);
}

static enum err read_error(struct json body, struct fault *why)
{
	static const struct error_rule none[] = {{.class = OK}};
	struct error_body said;
	struct fault fault = FAULT_NONE;
	error_read_json(body, &said);
	const enum err err = error_inside(&said, none, &fault);
	if (why)
		*why = fault;
	return err;
}

/* What cannot be an answer may be an error of a shape that says so by its words alone. */
static enum err read_answer(struct decoder *d, struct json body, struct fault *why)
{
	static const char *const names[] = {"message", "detail", "msg", "errors"};
	const enum err err = d->read(&d->whole, body, why);
	for (size_t i = 0; err == ERR_SERVER_ERROR && i < COUNT_OF(names); i++) {
		if (!json_is_nil(json_member(body, names[i])))
			return read_error(body, why);
	}
	return err;
}

static enum err give(const struct whole *w, const struct event_sink *sink)
{
	enum err err = event_emit(sink, &w->start);
	for (size_t i = 0; !err && i < w->n; i++)
		err = event_emit(sink, &w->results[i]);
	if (!err && w->repaired) {
		struct llm_event e = {.type = EV_WARNING};
		e.warning.code = SPAN("repaired_response");
		e.warning.message = span_str(w->repaired);
		err = event_emit(sink, &e);
	}
	if (!err && (usage_input_total(&w->usage) >= 0 || w->usage.provider_cost_nusd >= 0)) {
		const struct llm_event e = {.type = EV_USAGE, .usage = w->usage};
		err = event_emit(sink, &e);
	}
	return err;
}

enum err whole_decode_end(struct decoder *d, const struct event_sink *sink, struct fault *why)
{
	struct json body;
	struct fault own = FAULT_NONE;
	enum err err = framing_document(buf_view(&d->body), d->whole.arena, &body, &own);
	if (!err)
		err = is_error(body) ? read_error(body, &own) : take_start(d, body);
	if (!err)
		err = read_answer(d, body, &own);
	if (err == ERR_NO_MEMORY)
		fault_set(&own, err, "no memory for the provider's reply");
	if (err && why)
		*why = own;
	return err ? err : give(&d->whole, sink);
}

void whole_meter(struct decoder *d, const struct http_head *head)
{
	usage_count(json_of(http_head_get(head, "x-amzn-bedrock-input-token-count")),
		&d->whole.head_tokens);
}
