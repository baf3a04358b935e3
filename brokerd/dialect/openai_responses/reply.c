/* reply.c - a reply of this family, streamed or whole. What came of an item in pieces is not taken
 * again from the events that repeat it; what did not is. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "protocol/limits.h"

#define ITEMS_MAX 4096

/* Which of an item's texts of one kind came, a bit for each index; the last for all above. */
struct came {
	uint64_t bits;
};

/* How much of a content came in pieces. */
struct said {
	int64_t index;
	size_t n;
	uint64_t sum;
};
#define SUM_OF_NOTHING UINT64_C(0xcbf29ce484222325)

struct item {
	struct item *next;
	int64_t index; /* output_index; -1: not said */
	struct span id;
	struct outlet_call *call; /* NULL: it is none */
	struct came content, summary;
	struct said said;
	int64_t summary_index; /* of the part that came last; -1: none */
	bool has_args, has_logprobs, is_over;
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct item *items, *last;
	size_t n_items;
	bool is_whole, is_over, has_event;
};

struct decoder *responses_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = arena_alloc(a, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct decoder){.notes = notes};
	if (!outlet_init(&d->out, a, notes, env))
		return NULL;
	framing_init(&d->framing, head);
	return d;
}

void responses_decoder_done(struct decoder *d)
{
	outlet_done(&d->out);
	framing_done(&d->framing);
}

bool responses_has_enough(const struct decoder *d)
{
	return outlet_has_enough(&d->out);
}

/* ---- items ---- */

static bool is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

static uint64_t bit_of(int64_t index)
{
	return UINT64_C(1) << (index < 0 ? 0 : index > 63 ? 63 : index);
}

static bool has_come(const struct came *c, int64_t index)
{
	return c->bits & bit_of(index);
}

/* Notes that a text came, where it says something. */
static void note_text(struct came *c, int64_t index, struct json text)
{
	if (is_text(text))
		c->bits |= bit_of(index);
}

/* The item that an event is about, by its place or else its id; NULL: a new one. Some hosts give it
 * another id when they repeat it. */
static struct item *find_item(const struct decoder *d, int64_t index, struct span id)
{
	struct item *found = NULL;
	if (index < 0 && id.n == 0)
		return d->last;
	for (struct item *i = d->items; i; i = i->next) {
		if (index >= 0 && i->index >= 0 ? i->index == index
						: id.n > 0 && span_eq(i->id, id))
			found = i; /* the last: a place may be used again */
	}
	return found;
}

static enum err add_item(struct decoder *d, int64_t index, struct span id, struct item **out)
{
	if (d->n_items >= ITEMS_MAX)
		return ERR_SERVER_ERROR;
	struct item *i = arena_alloc(d->out.arena, sizeof *i);
	if (!i)
		return ERR_NO_MEMORY;
	*i = (struct item){.index = index, .summary_index = -1};
	if (d->last)
		d->last->next = i;
	else
		d->items = i;
	d->last = i;
	d->n_items++;
	*out = i;
	return id.n > 0 ? outlet_keep(&d->out, id, &i->id) : OK;
}

static enum err item_for(struct decoder *d, struct json index, struct json id, struct item **out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
	int64_t at = -1;
	if (!json_i64(index, &at) || at < 0)
		at = -1;
	json_text_to(id, &text);
	const enum err err = outlet_check(&text);
	if (err)
		return err;
	*out = find_item(d, at, buf_view(&text));
	return *out ? OK : add_item(d, at, buf_view(&text), out);
}

/* ---- texts ---- */

/* FNV-1a over the pieces of a text, to know it again where it is repeated whole. */
static uint64_t sum_up(uint64_t sum, struct span text)
{
	for (size_t k = 0; k < text.n; k++)
		sum = (sum ^ (unsigned char)text.p[k]) * UINT64_C(0x100000001b3);
	return sum;
}

/* A piece of a content. */
static enum err say_piece(
	struct decoder *d, struct item *i, int64_t index, enum outlet_text kind, struct json text)
{
	struct outlet *o = &d->out;
	buf_clear(&o->piece);
	if (!is_text(text) || !json_text_to(text, &o->piece))
		return OK;
	const enum err err = outlet_check(&o->piece);
	if (err)
		return err;
	if (!has_come(&i->content, index) || i->said.index != index)
		i->said = (struct said){index, 0, SUM_OF_NOTHING};
	note_text(&i->content, index, text);
	i->said.n += o->piece.n;
	i->said.sum = sum_up(i->said.sum, buf_view(&o->piece));
	return outlet_text(o, 0, kind, buf_view(&o->piece));
}

/* A content that is whole: all of it, or what is more than came in pieces. */
static enum err say_whole(
	struct decoder *d, struct item *i, int64_t index, enum outlet_text kind, struct json text)
{
	struct outlet *o = &d->out;
	if (!has_come(&i->content, index)) {
		if (!d->is_whole || kind != OUTLET_TEXT || !d->notes->has_json_words)
			return say_piece(d, i, index, kind, text);
		return outlet_unfenced(o, 0, text);
	}
	buf_clear(&o->piece);
	if (i->said.index != index || !json_text_to(text, &o->piece))
		return OK;
	const enum err err = outlet_check(&o->piece);
	const struct span all = buf_view(&o->piece);
	if (err || all.n <= i->said.n ||
		sum_up(SUM_OF_NOTHING, span_first(all, i->said.n)) != i->said.sum)
		return err;
	const struct span rest = span_skip(all, i->said.n);
	i->said.sum = sum_up(i->said.sum, rest);
	i->said.n = all.n;
	return outlet_text(o, 0, kind, rest);
}

/* The parts of a summary stand apart. */
static enum err say_summary(struct decoder *d, struct item *i, int64_t index, struct json text)
{
	enum err err = OK;
	if (!is_text(text))
		return OK;
	if (i->summary_index >= 0 && i->summary_index != index)
		err = outlet_text(&d->out, 0, OUTLET_REASONING, SPAN("\n\n"));
	i->summary_index = index;
	return err ? err : outlet_json(&d->out, 0, OUTLET_REASONING, text);
}

static enum err say_logprobs(struct decoder *d, struct item *i, struct json list)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_walk w = json_each(list);
	if (json_kind(list) != JSON_ARRAY || !json_next(&w))
		return OK;
	i->has_logprobs = true;
	buf_text(&json, "{\"content\":");
	buf_span(&json, list.text);
	buf_byte(&json, '}');
	const enum err err = outlet_check(&json);
	return err ? err : outlet_logprobs(&d->out, 0, buf_view(&json));
}

static enum err say_citations(struct decoder *d, struct json list)
{
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	struct json_walk w = json_each(list);
	if (json_kind(list) != JSON_ARRAY || !json_next(&w))
		return OK;
	const enum err err = outlet_keep(&d->out, list.text, &part.citations);
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* ---- whole items ---- */

/* The content of a message, but what came already. */
static enum err end_message(struct decoder *d, struct item *i, struct json item)
{
	static const char *const names[] = {"type", "text", "refusal", "annotations", "logprobs"};
	const struct json content = json_member(item, "content");
	int64_t k = 0;
	enum err err = OK;
	if (json_kind(content) == JSON_STRING)
		return say_whole(d, i, 0, OUTLET_TEXT, content);
	for (struct json_walk w = json_each(content); !err && json_next(&w); k++) {
		struct json m[COUNT_OF(names)];
		PICK(w.value, names, m);
		const bool is_refusal = json_is(m[0], "refusal");
		err = is_refusal ? say_whole(d, i, k, OUTLET_REFUSAL, m[2])
				 : say_whole(d, i, k, OUTLET_TEXT, m[1]);
		if (!err && !i->has_logprobs)
			err = say_logprobs(d, i, m[4]);
		if (!err)
			err = say_citations(d, m[3]);
	}
	return err;
}

/* What it thought, by its summary or else in its own words, but what came already. */
static enum err end_thoughts(struct decoder *d, struct item *i, struct json item)
{
	const struct json summary = json_member(item, "summary");
	const struct json content = json_member(item, "content");
	const bool is_summed_up = i->summary.bits || !i->content.bits;
	int64_t k = 0;
	enum err err = OK;
	for (struct json_walk w = json_each(summary); !err && is_summed_up && json_next(&w); k++) {
		const struct json text = json_member(w.value, "text");
		if (!has_come(&i->summary, k))
			err = say_summary(d, i, k, text);
		note_text(&i->summary, k, text);
	}
	k = 0;
	for (struct json_walk w = json_each(content); !err && json_next(&w); k++) {
		if (!i->summary.bits)
			err = say_whole(d, i, k, OUTLET_REASONING, json_member(w.value, "text"));
	}
	return err;
}

/* The item itself is to be sent back whole. */
static enum err end_reasoning(struct decoder *d, struct item *i, struct json item)
{
	const struct opaque opaque = {SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, item.text};
	const enum err err = end_thoughts(d, i, item);
	return err ? err : outlet_opaque(&d->out, 0, &opaque);
}

static enum err say_image(struct decoder *d, struct json item)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_REPLY_BYTES);
	struct part part = {.type = PART_IMAGE};
	buf_clear(&d->out.piece);
	if (!json_text_to(json_member(item, "result"), &d->out.piece))
		return OK;
	enum err err = outlet_check(&d->out.piece);
	if (err)
		return err;
	if (!base64_decode(buf_view(&d->out.piece), &bytes) && !outlet_check(&bytes))
		return outlet_warn(&d->out, "repaired_response", NULL,
			"the provider sent an image that is no base64; it was left out");
	err = outlet_check(&bytes);
	part.media.data = buf_view(&bytes);
	part.media.mime = media_type_of(part.media.data);
	return err || bytes.n == 0 ? err : outlet_part(&d->out, 0, &part);
}

/* What the provider did by itself, or wants done in a way of its own: carried in its place. */
static enum err end_other(struct decoder *d, struct json item)
{
	struct part part = {.type = PART_OPAQUE};
	enum err err = OK;
	if (json_is(json_member(item, "type"), "image_generation_call"))
		err = say_image(d, item);
	part.opaque = (struct opaque){SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, SPAN_NONE};
	if (!err)
		err = outlet_keep(&d->out, item.text, &part.opaque.data);
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* ---- calls ---- */

static bool is_custom(struct json type)
{
	return json_is(type, "custom_tool_call");
}

static bool is_call(struct json type)
{
	return json_is(type, "function_call") || is_custom(type);
}

/* What a call says beside what every call says must come back with it: its namespace, its caller. */
static enum err keep_rest(struct decoder *d, struct outlet_call *call, struct json item)
{
	static const char *const known[] = {
		"type", "id", "call_id", "name", "arguments", "input", "status"};
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_out o = json_to(&json);
	bool has_any = false;
	if (call->is_begun || span_is_set(call->opaque.data))
		return OK;
	json_open(&o, '{');
	for (struct json_walk w = json_each(item); json_next(&w);) {
		bool is_known = json_kind(w.value) == JSON_NULL;
		for (size_t k = 0; k < COUNT_OF(known); k++)
			is_known = is_known || json_name_is(w.name, known[k]);
		if (is_known)
			continue;
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
		has_any = true;
	}
	json_close(&o, '}');
	enum err err = outlet_check(&json);
	if (err || !has_any)
		return err;
	call->opaque = (struct opaque){SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, SPAN_NONE};
	return outlet_keep(&d->out, buf_view(&json), &call->opaque.data);
}

/* The call of an item, told what `item` (or an event about it) knows: id, name, the rest. */
static enum err take_call(struct decoder *d, struct item *i, struct json item)
{
	static const char *const names[] = {"type", "call_id", "id", "name"};
	struct json m[COUNT_OF(names)];
	enum err err = OK;
	PICK(item, names, m);
	if (!i->call)
		err = outlet_call_new(&d->out, 0, &i->call);
	if (err)
		return err;
	struct outlet_call *call = i->call;
	call->is_custom = call->is_custom || is_custom(m[0]);
	if (call->id.n == 0)
		json_text_to(is_text(m[1]) ? m[1] : m[2], &call->id);
	if (call->name.n == 0)
		json_text_to(m[3], &call->name);
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	return err ? err : keep_rest(d, call, item);
}

static enum err take_args(struct decoder *d, struct item *i, struct json args)
{
	struct outlet *o = &d->out;
	enum err err = OK;
	if (json_is_nil(args) || (json_kind(args) == JSON_STRING && args.text.n <= 2))
		return OK;
	if (!i->call)
		err = outlet_call_new(o, 0, &i->call);
	if (err)
		return err;
	i->has_args = true;
	buf_clear(&o->piece);
	if (!json_text_to(args, &o->piece))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	err = outlet_check(&o->piece);
	return err ? err : outlet_call_args(o, i->call, buf_view(&o->piece));
}

static enum err end_call(struct decoder *d, struct item *i, struct json item, struct json type)
{
	enum err err = take_call(d, i, item);
	if (!err && !i->has_args)
		err = take_args(d, i, json_member(item, is_custom(type) ? "input" : "arguments"));
	return err ? err : outlet_call_end(&d->out, i->call);
}

static enum err end_item(struct decoder *d, struct item *i, struct json item)
{
	const struct json type = json_member(item, "type");
	if (i->is_over)
		return OK;
	i->is_over = true;
	if (json_is(type, "message"))
		return end_message(d, i, item);
	if (json_is(type, "reasoning"))
		return end_reasoning(d, i, item);
	if (is_call(type))
		return end_call(d, i, item, type);
	if (json_is_nil(type))
		return end_message(d, i, item);
	return end_other(d, item);
}

/* ---- the response ---- */

static enum err take_about(struct decoder *d, struct json response)
{
	static const char *const names[] = {"id", "model", "created_at"};
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	OWNED(buf_done) struct buf model = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json m[COUNT_OF(names)];
	double created = 0;
	if (d->out.is_started)
		return OK;
	PICK(response, names, m);
	json_text_to(m[0], &id);
	json_text_to(m[1], &model);
	if (!json_f64(m[2], &created) || created < 0 || created > 1e15)
		created = 0;
	enum err err = outlet_check(&id);
	if (!err)
		err = outlet_check(&model);
	return err ? err : outlet_about(&d->out, buf_view(&id), buf_view(&model), (int64_t)created);
}

static enum err take_usage(struct decoder *d, struct json usage)
{
	struct llm_usage u;
	if (json_kind(usage) != JSON_OBJECT)
		return OK;
	const bool fits = openai_usage(usage, -1, &u);
	outlet_usage(&d->out, &u);
	return fits ? OK : outlet_warn(&d->out, "repaired_response", "usage", OPENAI_USAGE_CUT);
}

static enum err take_error(struct json v, struct fault *why)
{
	struct error_body body;
	error_read_json(v, &body);
	return error_inside(&body, openai_errors, why);
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
		return take_error(response, why);
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

/* An item of the last word, the `k`th: by its place, its id, or, where events had no places, the
 * number of items before it. */
static enum err take_last(struct decoder *d, int64_t k, struct json item)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	struct item *i = find_item(d, k, SPAN_NONE);
	json_text_to(json_member(item, "id"), &id);
	enum err err = outlet_check(&id);
	if (err)
		return err;
	if (!i && id.n > 0)
		i = find_item(d, -1, buf_view(&id));
	if (!i && d->items && d->items->index < 0) {
		i = d->items;
		for (int64_t before = 0; i && before < k; before++)
			i = i->next;
	}
	if (!i)
		err = add_item(d, k, SPAN_NONE, &i);
	return err ? err : end_item(d, i, item);
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
		err = take_usage(d, m[1]);
	if (is_text(m[2]))
		json_text_to(m[2], &said);
	if (!err)
		err = outlet_check(&said);
	if (!err && (json_kind(m[3]) == JSON_OBJECT || is_text(m[3])))
		err = take_error(response, why);
	for (struct json_walk w = json_each(m[0]); !err && json_next(&w); k++) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = take_last(d, k, w.value);
	}
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

static int64_t index_of(struct json event, const char *name)
{
	int64_t index;
	return json_i64(json_member(event, name), &index) && index >= 0 ? index : 0;
}

/* A part of a summary, which says the same as the reasoning itself: what came first is told. */
static enum err take_summary(
	struct decoder *d, struct item *i, struct json event, struct json text, bool is_whole)
{
	const int64_t index = index_of(event, "summary_index");
	if (i->content.bits || (is_whole && has_come(&i->summary, index)))
		return OK;
	note_text(&i->summary, index, text);
	return say_summary(d, i, index, text);
}

static enum err take_content(struct decoder *d, struct item *i, struct json event,
	enum outlet_text kind, const char *whole)
{
	const int64_t index = index_of(event, "content_index");
	return whole ? say_whole(d, i, index, kind, json_member(event, whole))
		     : say_piece(d, i, index, kind, json_member(event, "delta"));
}

static enum err take_text(struct decoder *d, struct json event, enum said_by by, const char *whole)
{
	const struct json text = json_member(event, whole ? whole : "delta");
	struct item *i;
	enum err err =
		item_for(d, json_member(event, "output_index"), json_member(event, "item_id"), &i);
	if (err)
		return err;
	switch (by) {
	case SAID_TEXT:
		err = take_content(d, i, event, OUTLET_TEXT, whole);
		return err || (whole && i->has_logprobs)
			       ? err
			       : say_logprobs(d, i, json_member(event, "logprobs"));
	case SAID_REFUSAL:
		return take_content(d, i, event, OUTLET_REFUSAL, whole);
	case SAID_REASONING:
		return i->summary.bits ? OK : take_content(d, i, event, OUTLET_REASONING, whole);
	case SAID_SUMMARY:
		return take_summary(d, i, event, text, whole);
	case SAID_ARGS:
		return whole && i->has_args ? OK : take_args(d, i, text);
	}
	return OK;
}

static enum err take_item(struct decoder *d, struct json event, bool is_done)
{
	const struct json item = json_member(event, "item");
	struct item *i = NULL;
	if (json_kind(item) != JSON_OBJECT)
		return OK;
	enum err err = item_for(d, json_member(event, "output_index"), json_member(item, "id"), &i);
	const bool is_nameless = i && i->index < 0 && !is_text(json_member(item, "id"));
	if (!err && i->is_over && (!is_done || is_nameless)) /* its place is used again */
		err = add_item(d, i->index, SPAN_NONE, &i);
	if (!err && !is_done && is_call(json_member(item, "type")))
		err = take_call(d, i, item);
	return err || !is_done ? err : end_item(d, i, item);
}

static enum err take_event(
	struct decoder *d, struct span type, struct json event, struct fault *why)
{
	for (size_t k = 0; k < COUNT_OF(texts); k++) {
		if (span_is(type, texts[k].type))
			return take_text(d, event, texts[k].by, texts[k].whole);
	}
	for (size_t k = 0; k < COUNT_OF(endings); k++) {
		if (span_is(type, endings[k].type))
			return take_response(d, json_member(event, "response"),
				span_str(endings[k].status), why);
	}
	if (span_is(type, "response.output_item.added"))
		return take_item(d, event, false);
	if (span_is(type, "response.output_item.done"))
		return take_item(d, event, true);
	if (span_is(type, "error"))
		return take_error(event, why);
	return take_about(d, json_member(event, "response"));
}

static enum err on_event(void *context, struct span name, struct span data, struct fault *why)
{
	struct decoder *d = context;
	OWNED(buf_done) struct buf type = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json event;
	data = span_trim(data);
	if (d->is_over || outlet_has_enough(&d->out) || data.n == 0 ||
		span_starts(data, SPAN("[DONE]")))
		return OK;
	enum err err = framing_object(&d->framing, data, &event, why);
	if (err || !span_is_set(event.text))
		return err ? err : outlet_warn_bad_event(&d->out);
	d->has_event = true;
	const struct json error = json_member(event, "error");
	json_text_to(json_member(event, "type"), &type);
	err = outlet_check(&type);
	if (err)
		return err;
	if (type.n == 0 && (json_kind(error) == JSON_OBJECT || is_text(error)))
		return take_error(event, why);
	return take_event(d, type.n > 0 ? buf_view(&type) : name, event, why);
}

static enum err on_document(void *context, struct span body, struct fault *why)
{
	struct decoder *d = context;
	struct json v;
	d->is_whole = d->has_event = true;
	const enum err err = framing_document(body, &v, why);
	if (err)
		return err;
	if (json_kind(json_member(v, "output")) != JSON_ARRAY)
		return take_error(v, why);
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
	(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
	fault_text(why->code, sizeof why->code, SPAN("empty_response"));
	return ERR_SERVER_ERROR;
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
