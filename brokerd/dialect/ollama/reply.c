/* reply.c - a reply of this family: lines of JSON, or one document; only a line that is done ends it. */
#include "brokerd/dialect/ollama/ollama.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "brokerd/dialect/usage.h"
#include "protocol/limits.h"

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	bool is_whole, is_done, has_any;
};

struct decoder *ollama_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes};
	framing_init(&d->framing, head);
	return outlet_init(&d->out, a, notes, env) ? d : NULL;
}

void ollama_decoder_done(struct decoder *d)
{
	outlet_done(&d->out);
	framing_done(&d->framing);
}

/* ---- what a line has ---- */

/* Arguments are an object, which is told as it is written. */
static enum err take_call(struct decoder *d, struct json entry)
{
	static const char *const names[] = {"name", "arguments"};
	struct json m[COUNT_OF(names)];
	struct outlet *o = &d->out;
	struct outlet_call *call;
	PICK(json_member(entry, "function"), names, m);
	enum err err = outlet_call_new(o, 0, &call);
	if (err)
		return err;
	json_text_to(json_member(entry, "id"), &call->id);
	json_text_to(m[0], &call->name);
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	buf_clear(&o->piece);
	if (!json_text_to(m[1], &o->piece) && !json_is_nil(m[1]))
		buf_span(&o->piece, m[1].text);
	if (!err)
		err = outlet_check(&o->piece);
	if (!err)
		err = outlet_call_args(o, call, buf_view(&o->piece));
	return err ? err : outlet_call_end(o, call);
}

static enum err take_message(struct decoder *d, struct json message)
{
	static const char *const names[] = {"thinking", "content", "tool_calls"};
	struct json m[COUNT_OF(names)];
	PICK(message, names, m);
	enum err err = outlet_json(&d->out, 0, OUTLET_REASONING, m[0]);
	if (!err)
		err = d->is_whole && d->notes->has_json_words
			      ? outlet_unfenced(&d->out, 0, m[1])
			      : outlet_json(&d->out, 0, OUTLET_TEXT, m[1]);
	if (json_kind(m[2]) != JSON_ARRAY)
		return err;
	for (struct json_walk w = json_each(m[2]); !err && json_next(&w);) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = take_call(d, w.value);
	}
	return err;
}

static enum err take_logprobs(struct decoder *d, struct json list)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	if (json_kind(list) != JSON_ARRAY || list.text.n <= 2)
		return OK;
	buf_text(&text, "{\"content\":");
	buf_span(&text, list.text);
	buf_byte(&text, '}');
	const enum err err = outlet_check(&text);
	return err ? err : outlet_logprobs(&d->out, 0, buf_view(&text));
}

static const struct {
	const char *word;
	enum finish finish;
} finishes[] = {
	{"stop",       FINISH_STOP      },
	{"length",     FINISH_LENGTH    },
	{"tool_calls", FINISH_TOOL_CALLS},
	{"load",       FINISH_STOP      },
	{"unload",     FINISH_STOP      },
};

/* Older versions say no reason; an empty one is that of a connection which was cut. */
static enum err take_finish(struct decoder *d, struct json reason, struct fault *why)
{
	struct span word = SPAN_NONE;
	const enum err err = json_utf8(reason, d->out.arena, &word);
	if (err)
		return err;
	if (json_kind(reason) == JSON_STRING && word.n == 0)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	d->is_done = true;
	if (word.n == 0) {
		const enum err said = outlet_warn(&d->out, "missing_finish", NULL,
			"the provider did not say why its answer ended");
		return said ? said : outlet_finish(&d->out, 0, FINISH_STOP, SPAN_NONE, SPAN_NONE);
	}
	for (size_t i = 0; i < COUNT_OF(finishes); i++) {
		if (span_is_nocase(word, finishes[i].word))
			return outlet_finish(&d->out, 0, finishes[i].finish, word, SPAN_NONE);
	}
	return outlet_finish(&d->out, 0, FINISH_OTHER, word, SPAN_NONE);
}

/* Times are not told: only what was counted. */
static enum err take_usage(struct decoder *d, struct json input, struct json output)
{
	struct llm_usage usage = USAGE_UNKNOWN;
	int64_t in = -1, out = -1;
	const bool has_input = usage_count(input, &in), has_output = usage_count(output, &out);
	(void)usage_split(&usage, in, out);
	if (has_input || has_output)
		outlet_usage(&d->out, &usage);
	if (usage_is_negative(input) || usage_is_negative(output))
		return outlet_warn(&d->out, "repaired_response", "usage", USAGE_NEGATIVE);
	return OK;
}

/* ---- lines ---- */

static bool is_error(struct json v)
{
	return json_kind(v) == JSON_OBJECT || (json_kind(v) == JSON_STRING && v.text.n > 2);
}

static enum err conclude(struct decoder *d, struct fault *why)
{
	if (d->is_done)
		return outlet_flush(&d->out);
	if (d->has_any)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
	fault_text(why->code, sizeof why->code, SPAN("empty_response"));
	return ERR_SERVER_ERROR;
}

static enum err take_line(struct decoder *d, struct json line, struct fault *why)
{
	static const char *const names[] = {"model", "message", "done", "done_reason",
		"prompt_eval_count", "eval_count", "logprobs", "error"};
	struct json m[COUNT_OF(names)];
	struct outlet *o = &d->out;
	OWNED(buf_done) struct buf model = BUF_INIT(LIMIT_REPLY_BYTES);
	PICK(line, names, m);
	if (is_error(m[7])) {
		struct error_body body;
		error_read_json(line, &body);
		return error_inside(&body, ollama_errors, why);
	}
	if (!o->is_started)
		json_text_to(m[0], &model);
	enum err err = outlet_check(&model);
	if (!err)
		err = outlet_about(o, SPAN_NONE, buf_view(&model), 0);
	if (err)
		return err;
	d->has_any = d->has_any || json_kind(m[1]) == JSON_OBJECT || json_is_true(m[2]);
	err = take_message(d, m[1]);
	if (!err)
		err = take_logprobs(d, m[6]);
	if (!err && json_is_true(m[2])) {
		err = take_usage(d, m[4], m[5]);
		if (!err)
			err = take_finish(d, m[3], why);
		if (!err)
			err = conclude(d, why);
	}
	return err;
}

static enum err on_line(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json line;
	(void)name;
	data = span_trim(data);
	if (d->is_done || data.n == 0)
		return OK;
	const enum err err = framing_object(&d->framing, data, &line, why);
	if (err || !span_is_set(line.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	return take_line(d, line, why);
}

/* Lines, under a content type that does not say so. */
static enum err take_lines(struct decoder *d, struct span body, struct fault *why)
{
	while (span_is_set(body)) {
		const struct span line = span_cut(&body, '\n');
		d->framing.is_ending = !span_is_set(body); /* the last one's end is missing */
		const enum err err = on_line(d, SPAN_NONE, line, why);
		if (err)
			return err;
	}
	return OK;
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	const struct span first = span_first(body, span_index(body, '\n'));
	if (json_scan(body, JSON_LENIENT, &v, NULL) != OK && first.n < body.n &&
		json_scan(first, JSON_LENIENT, &v, NULL) == OK && json_kind(v) == JSON_OBJECT)
		return take_lines(d, body, why);
	d->is_whole = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	return err ? err : take_line(d, v, why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_line, on_document, conclude};
}

enum err ollama_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err ollama_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
