/* reply.c - a reply of this family, streamed or whole: a whole one is a chunk that brings it all. */
#include "brokerd/dialect/openai_completions/openai_completions.h"
#include "brokerd/dialect/openai_reply.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"

struct decoder {
	struct outlet out;
	struct framing framing;
	struct span host; /* whose table of errors */
	bool is_whole, is_done, has_choice;
};

struct decoder *completions_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.host = notes->errors};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	framing_init(&d->framing, head);
	return d;
}

void completions_decoder_done(struct decoder *d)
{
	outlet_done(&d->out);
	framing_done(&d->framing);
}

static enum err take_choice(struct decoder *d, struct json choice, struct fault *why)
{
	static const char *const names[] = {
		"index", "text", "finish_reason", "logprobs", "stop_reason", "error"};
	struct json m[COUNT_OF(names)];
	int64_t index = 0;
	PICK(choice, names, m);
	json_i64(m[0], &index);
	if (index < 0 || index >= (int64_t)d->out.n_choices)
		return outlet_warn(&d->out, "repaired_response", "choices",
			"the provider sent more answers than were asked for; they were left out");
	const uint32_t i = (uint32_t)index;
	d->has_choice = d->out.choices[i].is_seen = true;
	enum err err = outlet_json(&d->out, i, OUTLET_TEXT, m[1]);
	if (!err && json_kind(m[3]) == JSON_OBJECT)
		err = outlet_logprobs(&d->out, i, m[3].text);
	if (!err && openai_is_error(m[5]))
		err = openai_error(d->host, openai_errors, choice, why);
	return err ? err : openai_ending(&d->out, i, m[2], m[4], why);
}

static enum err take_chunk(struct decoder *d, struct json chunk, struct fault *why)
{
	static const char *const names[] = {"id", "model", "created", "choices", "usage", "error"};
	struct json m[COUNT_OF(names)];
	PICK(chunk, names, m);
	enum err err = openai_about(&d->out, m[0], m[1], m[2]);
	if (!err)
		err = openai_counts(&d->out, m[4], -1);
	if (err)
		return err;
	if (openai_is_error(m[5]) || (d->is_whole && json_kind(m[3]) != JSON_ARRAY))
		return openai_error(d->host, openai_errors, chunk, why);
	if (json_kind(m[3]) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(m[3]); !err && json_next(&w);) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = take_choice(d, w.value, why);
	}
	return err;
}

/* The last events, where the reply was whole. A choice that never said how it ended is believed only
 * if the reply did say that it is over. */
static enum err conclude(struct decoder *d, struct fault *why)
{
	struct outlet *o = &d->out;
	enum err err = OK;
	if (!d->has_choice)
		return openai_nothing(why);
	for (uint32_t i = 0; !err && i < o->n_choices; i++) {
		const struct outlet_choice *c = &o->choices[i];
		if (c->is_seen && !c->is_finished)
			err = openai_unsaid_ending(
				o, i, d->is_whole || (d->is_done && c->has_text), why);
		else if (!c->is_seen)
			err = outlet_warn(o, "repaired_response", "n", OPENAI_TOO_FEW);
	}
	return err ? err : outlet_flush(o);
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json chunk;
	data = span_trim(data);
	if (d->is_done || data.n == 0)
		return OK;
	if (span_starts(data, SPAN("[DONE]"))) {
		d->is_done = true;
		return conclude(d, why);
	}
	const enum err err = framing_object(&d->framing, data, &chunk, why);
	if (err || !span_is_set(chunk.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	return span_is(name, "error") ? openai_error(d->host, openai_errors, chunk, why)
				      : take_chunk(d, chunk, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	return err ? err : take_chunk(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err completions_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err completions_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
