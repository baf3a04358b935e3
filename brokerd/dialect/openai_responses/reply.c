/* reply.c - a reply of this family, streamed or whole. The last word repeats all that came before it. */
#include "brokerd/dialect/openai_responses/reply.h"

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "protocol/limits.h"

struct decoder *responses_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	buf_init(&d->audio, LIMIT_REPLY_BYTES);
	buf_init(&d->transcript, LIMIT_REPLY_BYTES);
	buf_init(&d->type, LIMIT_REPLY_BYTES);
	framing_init(&d->framing, head);
	return d;
}

void responses_decoder_done(struct decoder *d)
{
	buf_done(&d->audio);
	buf_done(&d->transcript);
	buf_done(&d->type);
	outlet_done(&d->out);
	framing_done(&d->framing);
}

bool responses_has_enough(const struct decoder *d)
{
	return outlet_has_enough(&d->out);
}

/* ---- the response ---- */

static enum err take_about(struct decoder *d, struct json response)
{
	static const char *const names[] = {"id", "model", "created_at"};
	struct json m[COUNT_OF(names)];
	PICK(response, names, m);
	return openai_about(&d->out, m[0], m[1], m[2]);
}

static enum err take_error(struct decoder *d, struct json v, struct fault *why)
{
	return openai_error(d->notes->errors, openai_errors, v, why);
}

/* How it ended, by its status; an ending that is none is an error. */
static enum err take_status(
	struct decoder *d, struct json response, struct span status, struct fault *why)
{
	enum finish finish = FINISH_OTHER;
	enum err err = OK;
	if (span_is(status, "completed") || span_is(status, "complete")) {
		finish = FINISH_STOP;
	} else if (span_is(status, "failed")) {
		return take_error(d, response, why);
	} else if (span_is(status, "cancelled")) {
		(void)fault_set(why, ERR_CONNECTION, "the response was cancelled at the provider");
		fault_text(why->code, sizeof why->code, status);
		return ERR_CONNECTION;
	} else if (span_is(status, "incomplete")) {
		OWNED(buf_done) struct buf reason = BUF_INIT(LIMIT_REPLY_BYTES);
		json_text_to(json_member(json_member(response, "incomplete_details"), "reason"),
			&reason);
		err = outlet_check(&reason);
		if (!err)
			err = openai_finish(buf_view(&reason), &finish, why);
	} else if (status.n == 0) {
		finish = FINISH_STOP;
		err = outlet_warn(&d->out, "missing_finish", NULL,
			"the provider did not say why its answer ended");
	}
	return err ? err : outlet_finish(&d->out, 0, finish, status, SPAN_NONE);
}

static enum err take_last(struct decoder *d, int64_t k, struct json item)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	json_text_to(json_member(item, "id"), &id);
	enum err err = outlet_check(&id);
	if (err)
		return err;
	struct item *i = responses_find_last(d, k, buf_view(&id));
	if (!i)
		err = responses_add_item(d, k, buf_view(&id), &i);
	if (err)
		return err;
	i->is_last = true;
	return responses_end_item(d, i, item);
}

/* What came beside the items, or of items that nothing ended. */
static enum err end_rest(struct decoder *d)
{
	struct part part = {.type = PART_AUDIO};
	enum err err = OK;
	for (struct item *i = d->items; !err && i; i = i->next)
		err = responses_give_cited(d, i);
	if (err || (d->audio.n == 0 && d->transcript.n == 0))
		return err;
	if (d->transcript.n > 0)
		err = outlet_keep(&d->out, buf_view(&d->transcript), &part.text);
	part.media.data = d->audio.n > 0 ? buf_view(&d->audio) : SPAN_NONE;
	part.media.mime = media_type_of(part.media.data);
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* The last word: a response in which all is repeated. `status` is what its event stands for. */
static enum err take_response(
	struct decoder *d, struct json response, struct span status, struct fault *why)
{
	static const char *const names[] = {"output", "usage", "status", "error", "service_tier"};
	OWNED(buf_done) struct buf said = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json m[COUNT_OF(names)];
	int64_t k = 0;
	PICK(response, names, m);
	enum err err = take_about(d, response);
	if (!err)
		err = outlet_tier(&d->out, m[4]);
	if (!err)
		err = openai_counts(&d->out, m[1], -1);
	if (openai_is_text(m[2]))
		json_text_to(m[2], &said);
	if (!err)
		err = outlet_check(&said);
	if (!err && openai_is_error(m[3]))
		err = take_error(d, response, why);
	for (struct json_walk w = json_each(m[0]); !err && json_next(&w); k++) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = take_last(d, k, w.value);
	}
	if (!err)
		err = end_rest(d);
	if (!err)
		err = take_status(d, response, said.n > 0 ? buf_view(&said) : status, why);
	d->is_over = true;
	return err ? err : outlet_flush(&d->out);
}

/* ---- events ---- */

enum said_by {
	SAID_TEXT,
	SAID_REFUSAL,
	SAID_SUMMARY,
	SAID_REASONING,
	SAID_ARGS,
};

/* Events that bring a text: a piece in `delta`, or all of it in a member of that name. */
static const struct {
	const char *type;
	enum said_by by;
	const char *whole; /* NULL: a piece */
} texts[] = {
	{"response.output_text.delta",             SAID_TEXT,      NULL       },
	{"response.output_text.done",              SAID_TEXT,      "text"     },
	{"response.refusal.delta",                 SAID_REFUSAL,   NULL       },
	{"response.refusal.done",                  SAID_REFUSAL,   "refusal"  },
	{"response.reasoning_summary_text.delta",  SAID_SUMMARY,   NULL       },
	{"response.reasoning_summary_text.done",   SAID_SUMMARY,   "text"     },
	{"response.reasoning_text.delta",          SAID_REASONING, NULL       },
	{"response.reasoning_text.done",           SAID_REASONING, "text"     },
	{"response.function_call_arguments.delta", SAID_ARGS,      NULL       },
	{"response.function_call_arguments.done",  SAID_ARGS,      "arguments"},
	{"response.custom_tool_call_input.delta",  SAID_ARGS,      NULL       },
	{"response.custom_tool_call_input.done",   SAID_ARGS,      "input"    },
};

static const struct {
	const char *type, *status;
} endings[] = {
	{"response.completed",  "completed" },
	{"response.incomplete", "incomplete"},
	{"response.failed",     "failed"    },
	{"response.cancelled",  "cancelled" },
};

/* What most events have, found in one walk. */
enum {
	IN_TYPE,
	IN_ERROR,
	IN_RESPONSE,
	IN_DELTA,
	IN_OUTPUT_INDEX,
	IN_ITEM_ID,
	IN_CONTENT_INDEX,
	IN_LOGPROBS,
	IN_EVENT,
};
static const char *const event_names[IN_EVENT] = {"type", "error", "response", "delta",
	"output_index", "item_id", "content_index", "logprobs"};

static int64_t index_of(struct json v)
{
	int64_t index;
	return json_i64(v, &index) && index >= 0 ? index : 0;
}

static enum err take_text(struct decoder *d, struct json event, const struct json m[IN_EVENT],
	enum said_by by, const char *whole)
{
	const struct json text = whole ? json_member(event, whole) : m[IN_DELTA];
	struct item *i;
	enum err err = responses_item_for(d, m[IN_OUTPUT_INDEX], m[IN_ITEM_ID], &i);
	if (err)
		return err;
	const int64_t part = index_of(m[IN_CONTENT_INDEX]);
	switch (by) {
	case SAID_TEXT:
		err = responses_say(d, i, part, OUTLET_TEXT, text, whole);
		return err || (whole && i->has_logprobs)
			       ? err
			       : responses_say_logprobs(d, i, m[IN_LOGPROBS]);
	case SAID_REFUSAL:
		return responses_say(d, i, part, OUTLET_REFUSAL, text, whole);
	case SAID_REASONING: /* a summary says the same: what came first is told */
		return responses_has_come(&i->summary)
			       ? OK
			       : responses_say(d, i, part, OUTLET_REASONING, text, whole);
	case SAID_SUMMARY:
		return responses_has_come(&i->content)
			       ? OK
			       : responses_say_summary(d, i,
					 index_of(json_member(event, "summary_index")), text,
					 whole);
	case SAID_ARGS:
		return responses_take_args(d, i, text, whole);
	}
	return OK;
}

static enum err take_citation(struct decoder *d, struct json event, const struct json m[IN_EVENT])
{
	struct item *i;
	const enum err err = responses_item_for(d, m[IN_OUTPUT_INDEX], m[IN_ITEM_ID], &i);
	return err ? err : responses_keep_cited(d, i, json_member(event, "annotation"));
}

static enum err take_audio(struct decoder *d, struct json piece)
{
	buf_clear(&d->out.piece);
	json_text_to(piece, &d->out.piece);
	enum err err = outlet_check(&d->out.piece);
	if (err)
		return err;
	const bool is_base64 = base64_decode(buf_view(&d->out.piece), &d->audio);
	err = outlet_check(&d->audio);
	return err || is_base64 ? err
				: outlet_warn(&d->out, "repaired_response", NULL,
					  "the provider sent audio that is no base64; it was left "
					  "out");
}

static enum err take_transcript(struct decoder *d, struct json piece)
{
	json_text_to(piece, &d->transcript);
	return outlet_check(&d->transcript);
}

/* An event for an item that begins, or is whole. Another one may take the place of one that is over,
 * or of one with another id. */
static enum err take_item(struct decoder *d, struct json event, bool is_done)
{
	const struct json item = json_member(event, "item");
	struct item *i = NULL;
	if (json_kind(item) != JSON_OBJECT)
		return OK;
	enum err err = responses_item_for(
		d, json_member(event, "output_index"), json_member(item, "id"), &i);
	if (err)
		return err;
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	json_text_to(json_member(item, "id"), &id);
	const bool is_nameless = i->index < 0 && id.n == 0;
	const bool is_other = i->id.n > 0 && id.n > 0 && !span_eq(i->id, buf_view(&id));
	const bool is_new = /* its place is used again */
		i->is_over ? !is_done || is_nameless || is_other : is_other && i->is_added;
	err = outlet_check(&id);
	if (!err && is_new)
		err = responses_add_item(d, i->index, buf_view(&id), &i);
	if (err)
		return err;
	i->is_added = true;
	if (is_done)
		return responses_end_item(d, i, item);
	if (responses_is_call(json_member(item, "type")))
		return responses_take_call(d, i, item);
	return json_is(json_member(item, "type"), "message") ? responses_take_phase(d, i, item)
							     : OK;
}

static enum err take_event(struct decoder *d, struct span type, struct json event,
	const struct json m[IN_EVENT], struct fault *why)
{
	const struct json response = m[IN_RESPONSE];
	for (size_t k = 0; k < COUNT_OF(texts); k++) {
		if (span_is(type, texts[k].type))
			return take_text(d, event, m, texts[k].by, texts[k].whole);
	}
	for (size_t k = 0; k < COUNT_OF(endings); k++) {
		if (span_is(type, endings[k].type))
			return take_response(d,
				json_kind(response) == JSON_OBJECT ? response : event,
				span_str(endings[k].status), why);
	}
	if (span_is(type, "response.output_item.added"))
		return take_item(d, event, false);
	if (span_is(type, "response.output_item.done"))
		return take_item(d, event, true);
	if (span_is(type, "response.output_text.annotation.added"))
		return take_citation(d, event, m);
	if (span_is(type, "response.audio.delta"))
		return take_audio(d, m[IN_DELTA]);
	if (span_is(type, "response.audio.transcript.delta"))
		return take_transcript(d, m[IN_DELTA]);
	return take_about(d, response);
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	struct json event, m[IN_EVENT];
	data = span_trim(data);
	if (d->is_over || outlet_has_enough(&d->out) || data.n == 0 ||
		span_starts(data, SPAN("[DONE]")))
		return OK;
	enum err err = framing_object(&d->framing, data, &event, why);
	if (err || !span_is_set(event.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	d->has_event = true;
	PICK(event, event_names, m);
	buf_clear(&d->type);
	json_text_to(m[IN_TYPE], &d->type);
	err = outlet_check(&d->type);
	if (err)
		return err;
	const struct span type = buf_view(&d->type);
	/* some put the kind of the error where that of the event is due */
	if (span_is(name, "error") || span_is(type, "error") ||
		(openai_is_error(m[IN_ERROR]) && !span_starts(type, SPAN("response."))))
		return take_error(d, event, why);
	return take_event(d, type.n > 0 ? type : name, event, m, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = d->has_event = true;
	const enum err err = framing_document(body, d->out.arena, &v, why);
	if (err)
		return err;
	if (json_kind(json_member(v, "output")) != JSON_ARRAY)
		return take_error(d, v, why);
	return take_response(d, v, SPAN_NONE, why);
}

/* The input is over, and so is the answer only if it said so. */
static enum err conclude(struct decoder *d, struct fault *why)
{
	if (d->is_over)
		return OK;
	if (outlet_has_enough(&d->out))
		return outlet_flush(&d->out);
	if (d->has_event)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	return openai_nothing(why);
}

static struct pump pump_of(struct decoder *d)
{
	return (struct pump){d, &d->framing, &d->out, on_event, on_document, conclude};
}

enum err responses_decode(
	struct decoder *d, struct span bytes, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_feed(&pump, bytes, to, why);
}

enum err responses_decode_end(struct decoder *d, const struct event_sink *to, struct fault *why)
{
	const struct pump pump = pump_of(d);
	return pump_end(&pump, to, why);
}
