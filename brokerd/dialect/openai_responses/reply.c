/* reply.c - a reply of this family, streamed or whole. What came of an item in pieces is not taken
 * again from the events that repeat it; what did not is. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/media.h"
#include "brokerd/dialect/openai_reply.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/openai_wire.h"
#include "brokerd/dialect/pick.h"
#include "brokerd/dialect/pump.h"
#include "protocol/limits.h"

#define ITEMS_MAX 4096
#define TEXTS_MAX 4096 /* of one kind, in an item */

/* One text of an item: how much of it came. */
struct told {
	struct told *next;
	int64_t index;
	struct repeat came;
};

/* The texts of one kind, in the order of their places. */
struct texts {
	struct told *first, *last;
	size_t n;
};

/* A citation that came by itself. */
struct cited {
	struct cited *next;
	struct span json;
};

struct item {
	struct item *next;
	int64_t index; /* output_index; -1: not said */
	struct span id;
	struct outlet_call *call; /* NULL: it is none */
	struct texts content, summary;
	int64_t summary_index; /* of the part that came last; -1: none */
	struct cited *cited, *last_cited;
	struct repeat sealed; /* encrypted_content, as it was given */
	bool has_logprobs, has_phase;
	bool is_added, is_over;
	bool is_last; /* the last word has it */
};

struct decoder {
	struct outlet out;
	struct framing framing;
	const struct notes *notes;
	struct item *items, *last;
	size_t n_items;
	struct buf audio, transcript;
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
	buf_init(&d->audio, LIMIT_REPLY_BYTES);
	buf_init(&d->transcript, LIMIT_REPLY_BYTES);
	framing_init(&d->framing, head);
	return d;
}

void responses_decoder_done(struct decoder *d)
{
	buf_done(&d->audio);
	buf_done(&d->transcript);
	outlet_done(&d->out);
	framing_done(&d->framing);
}

bool responses_has_enough(const struct decoder *d)
{
	return outlet_has_enough(&d->out);
}

/* ---- items ---- */

/* The text at a place, made where it is new. Texts come in order but for a few. */
static enum err text_at(struct decoder *d, struct texts *t, int64_t index, struct told **out)
{
	struct told *before = t->last && t->last->index <= index ? t->last : NULL;
	for (struct told *each = before ? NULL : t->first; each && each->index <= index;
		each = each->next)
		before = each;
	*out = before;
	if (before && before->index == index)
		return OK;
	if (t->n++ >= TEXTS_MAX)
		return ERR_SERVER_ERROR;
	*out = arena_alloc(d->out.arena, sizeof **out);
	if (!*out)
		return ERR_NO_MEMORY;
	**out = (struct told){.next = before ? before->next : t->first, .index = index};
	if (before)
		before->next = *out;
	else
		t->first = *out;
	if (t->last == before)
		t->last = *out;
	return OK;
}

static bool has_come(const struct texts *t)
{
	for (const struct told *each = t->first; each; each = each->next) {
		if (each->came.n > 0)
			return true;
	}
	return false;
}

/* The item that an event is about, by its place or else its id; NULL: a new one. Some hosts give it
 * another id when they repeat it. */
static struct item *find_item(const struct decoder *d, int64_t index, struct span id)
{
	struct item *found = NULL;
	if (index < 0 && id.n == 0)
		return d->last;
	for (struct item *i = d->items; i; i = i->next) {
		const bool is_it = id.n > 0 && span_eq(i->id, id);
		const bool is_there = index >= 0 && i->index >= 0 ? i->index == index : is_it;
		/* the last: a place may be used again, by one with an id of its own */
		if (is_there && (is_it || !found || !span_eq(found->id, id)))
			found = i;
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

/* A content: a piece of it, or all, of which what is more than came in pieces is told. */
static enum err say(struct decoder *d, struct item *i, int64_t index, enum outlet_text kind,
	struct json text, bool is_all)
{
	struct outlet *o = &d->out;
	struct told *told;
	buf_clear(&o->piece);
	if (!openai_is_text(text) || !json_text_to(text, &o->piece))
		return OK;
	enum err err = outlet_check(&o->piece);
	if (!err)
		err = text_at(d, &i->content, index, &told);
	if (err)
		return err;
	struct span piece = buf_view(&o->piece);
	if (is_all)
		piece = repeat_rest(&told->came, piece);
	repeat_add(&told->came, piece);
	return is_all && d->is_whole && kind == OUTLET_TEXT && d->notes->has_json_words
		       ? outlet_unfenced_text(o, 0, piece)
		       : outlet_text(o, 0, kind, piece);
}

/* A part of a summary, in the same way; the parts stand apart. */
static enum err say_summary(
	struct decoder *d, struct item *i, int64_t index, struct json text, bool is_all)
{
	struct outlet *o = &d->out;
	struct told *told;
	if (!openai_is_text(text))
		return OK;
	enum err err = text_at(d, &i->summary, index, &told);
	if (!err && i->summary_index >= 0 && i->summary_index != index) {
		if (told->came.n > 0)
			return OK; /* too late for more of it */
		err = outlet_text(o, 0, OUTLET_REASONING, SPAN("\n\n"));
	}
	buf_clear(&o->piece);
	json_text_to(text, &o->piece);
	if (!err)
		err = outlet_check(&o->piece);
	if (err)
		return err;
	struct span piece = buf_view(&o->piece);
	if (is_all)
		piece = repeat_rest(&told->came, piece);
	i->summary_index = index;
	repeat_add(&told->came, piece);
	return outlet_text(o, 0, OUTLET_REASONING, piece);
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

static enum err give_citations(struct decoder *d, struct span list)
{
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	const enum err err = outlet_keep(&d->out, list, &part.citations);
	return err ? err : outlet_part(&d->out, 0, &part);
}

static bool has_elements(struct json list)
{
	struct json_walk w = json_each(list);
	return json_kind(list) == JSON_ARRAY && json_next(&w);
}

/* A citation that its text's end may repeat: it is kept until then. */
static enum err keep_cited(struct decoder *d, struct item *i, struct json citation)
{
	if (json_kind(citation) != JSON_OBJECT)
		return OK;
	struct cited *c = arena_alloc(d->out.arena, sizeof *c);
	if (!c)
		return ERR_NO_MEMORY;
	*c = (struct cited){.next = NULL};
	if (i->last_cited)
		i->last_cited->next = c;
	else
		i->cited = c;
	i->last_cited = c;
	return arena_dup(d->out.arena, citation.text, &c->json);
}

/* The citations that nothing repeated. */
static enum err give_cited(struct decoder *d, struct item *i)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_REPLY_BYTES);
	struct json_out o = json_to(&json);
	if (!i->cited)
		return OK;
	json_open(&o, '[');
	for (const struct cited *c = i->cited; c; c = c->next)
		json_put_raw(&o, c->json);
	json_close(&o, ']');
	i->cited = i->last_cited = NULL;
	const enum err err = outlet_check(&json);
	return err ? err : give_citations(d, buf_view(&json));
}

/* ---- whole items ---- */

/* The phase of a message has to come back with it: it stands before its text, as an extra member that
 * the text will have. */
static enum err take_phase(struct decoder *d, struct item *i, struct json item)
{
	const struct json phase = json_member(item, "phase");
	struct part part = {.type = PART_TEXT, .text = SPAN("")};
	struct extra_member member = {.name = SPAN("item.phase")};
	if (i->has_phase || !openai_is_text(phase))
		return OK;
	i->has_phase = true;
	if (has_come(&i->content))
		return outlet_warn(&d->out, "repaired_response", NULL,
			"the provider said the phase of a message behind its text; it was left "
			"out");
	const enum err err = outlet_keep(&d->out, phase.text, &member.json);
	part.extra = (struct extra){SPAN(OPENAI_RESPONSES_FAMILY), &member, 1};
	return err ? err : outlet_part(&d->out, 0, &part);
}

/* The content of a message, but what came already. */
static enum err end_message(struct decoder *d, struct item *i, struct json item)
{
	static const char *const names[] = {"type", "text", "refusal", "annotations", "logprobs"};
	const struct json content = json_member(item, "content");
	int64_t k = 0;
	enum err err = take_phase(d, i, item);
	if (!err && json_kind(content) == JSON_STRING)
		err = say(d, i, 0, OUTLET_TEXT, content, true);
	for (struct json_walk w = json_each(content); !err && json_next(&w); k++) {
		struct json m[COUNT_OF(names)];
		PICK(w.value, names, m);
		const bool is_refusal = json_is(m[0], "refusal");
		err = is_refusal ? say(d, i, k, OUTLET_REFUSAL, m[2], true)
				 : say(d, i, k, OUTLET_TEXT, m[1], true);
		if (!err && !i->has_logprobs)
			err = say_logprobs(d, i, m[4]);
		if (err || !has_elements(m[3]))
			continue;
		i->cited = i->last_cited = NULL;
		err = give_citations(d, m[3].text);
	}
	return err ? err : give_cited(d, i);
}

/* What it thought, by its summary or else in its own words, but what came already. */
static enum err end_thoughts(struct decoder *d, struct item *i, struct json item)
{
	const struct json summary = json_member(item, "summary");
	const struct json content = json_member(item, "content");
	const bool is_summed_up = has_come(&i->summary) || !has_come(&i->content);
	int64_t k = 0;
	enum err err = OK;
	for (struct json_walk w = json_each(summary); !err && is_summed_up && json_next(&w); k++)
		err = say_summary(d, i, k, json_member(w.value, "text"), true);
	const bool has_summary = has_come(&i->summary);
	k = 0;
	for (struct json_walk w = json_each(content); !err && !has_summary && json_next(&w); k++)
		err = say(d, i, k, OUTLET_REASONING, json_member(w.value, "text"), true);
	return err;
}

/* Is an item sealed otherwise than it was given? Notes how it is sealed now. */
static enum err seal(struct decoder *d, struct item *i, struct json item, bool *is_new)
{
	struct buf *text = &d->out.piece;
	buf_clear(text);
	json_text_to(json_member(item, "encrypted_content"), text);
	struct repeat now = {.n = 0};
	repeat_add(&now, buf_view(text));
	*is_new = now.n > 0 && (now.n != i->sealed.n || now.sum != i->sealed.sum);
	i->sealed = now.n > 0 ? now : i->sealed;
	return outlet_check(text);
}

/* The item itself is to be sent back whole. */
static enum err end_reasoning(struct decoder *d, struct item *i, struct json item)
{
	const struct opaque opaque = {SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, item.text};
	bool is_new;
	enum err err = end_thoughts(d, i, item);
	if (!err)
		err = seal(d, i, item, &is_new);
	return err ? err : outlet_opaque(&d->out, 0, &opaque);
}

/* The last word on reasoning that was given already, where it belongs, before what it led to: it takes
 * the place of the one with its id. */
static enum err replace_reasoning(struct decoder *d, struct item *i, struct json item)
{
	const struct opaque opaque = {SPAN(OPENAI_RESPONSES_FAMILY), d->out.model, item.text};
	bool is_new;
	const enum err err = seal(d, i, item, &is_new);
	return err || !is_new ? err : outlet_opaque(&d->out, 0, &opaque);
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
		json_text_to(openai_is_text(m[1]) ? m[1] : m[2], &call->id);
	if (call->name.n == 0)
		json_text_to(m[3], &call->name);
	err = outlet_check(&call->id);
	if (!err)
		err = outlet_check(&call->name);
	return err ? err : keep_rest(d, call, item);
}

static enum err take_args(struct decoder *d, struct item *i, struct json args, bool is_all)
{
	struct outlet *o = &d->out;
	enum err err = OK;
	if (json_is_nil(args) || (json_kind(args) == JSON_STRING && args.text.n <= 2))
		return OK;
	if (!i->call)
		err = outlet_call_new(o, 0, &i->call);
	if (err)
		return err;
	buf_clear(&o->piece);
	if (!json_text_to(args, &o->piece))
		buf_span(&o->piece, args.text); /* an object where a string is due */
	err = outlet_check(&o->piece);
	if (err)
		return err;
	return is_all ? outlet_call_whole(o, i->call, buf_view(&o->piece))
		      : outlet_call_args(o, i->call, buf_view(&o->piece));
}

static enum err end_call(struct decoder *d, struct item *i, struct json item, struct json type)
{
	enum err err = take_call(d, i, item);
	if (!err)
		err = take_args(
			d, i, json_member(item, is_custom(type) ? "input" : "arguments"), true);
	return err ? err : outlet_call_end(&d->out, i->call);
}

static enum err end_item(struct decoder *d, struct item *i, struct json item)
{
	const struct json type = json_member(item, "type");
	if (i->is_over)
		return json_is(type, "reasoning") ? replace_reasoning(d, i, item) : OK;
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

/* The item that the `k`th of the last word repeats: the one with its id, or at its place, or, where
 * events had no places or used one twice, the one with as many before it; NULL: it is new. */
static struct item *find_last(const struct decoder *d, int64_t k, struct span id)
{
	struct item *at_place = NULL, *nth = NULL;
	int64_t before = 0;
	for (struct item *i = d->items; i; i = i->next, before++) {
		if (id.n > 0 && !i->is_last && span_eq(i->id, id))
			return i;
		if (!at_place && !i->is_last && i->index == k)
			at_place = i;
		if (before == k && !i->is_last && i->index != before)
			nth = i;
	}
	return at_place ? at_place : nth;
}

static enum err take_last(struct decoder *d, int64_t k, struct json item)
{
	OWNED(buf_done) struct buf id = BUF_INIT(LIMIT_REPLY_BYTES);
	json_text_to(json_member(item, "id"), &id);
	enum err err = outlet_check(&id);
	if (err)
		return err;
	struct item *i = find_last(d, k, buf_view(&id));
	if (!i)
		err = add_item(d, k, buf_view(&id), &i);
	if (err)
		return err;
	i->is_last = true;
	return end_item(d, i, item);
}

/* What came beside the items, or of items that nothing ended. */
static enum err end_rest(struct decoder *d)
{
	struct part part = {.type = PART_AUDIO};
	enum err err = OK;
	for (struct item *i = d->items; !err && i; i = i->next)
		err = give_cited(d, i);
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

static int64_t index_of(struct json event, const char *name)
{
	int64_t index;
	return json_i64(json_member(event, name), &index) && index >= 0 ? index : 0;
}

static enum err take_text(struct decoder *d, struct json event, enum said_by by, const char *whole)
{
	const struct json text = json_member(event, whole ? whole : "delta");
	struct item *i;
	enum err err =
		item_for(d, json_member(event, "output_index"), json_member(event, "item_id"), &i);
	if (err)
		return err;
	const int64_t part = index_of(event, "content_index");
	switch (by) {
	case SAID_TEXT:
		err = say(d, i, part, OUTLET_TEXT, text, whole);
		return err || (whole && i->has_logprobs)
			       ? err
			       : say_logprobs(d, i, json_member(event, "logprobs"));
	case SAID_REFUSAL:
		return say(d, i, part, OUTLET_REFUSAL, text, whole);
	case SAID_REASONING: /* a summary says the same: what came first is told */
		return has_come(&i->summary) ? OK : say(d, i, part, OUTLET_REASONING, text, whole);
	case SAID_SUMMARY:
		return has_come(&i->content)
			       ? OK
			       : say_summary(d, i, index_of(event, "summary_index"), text, whole);
	case SAID_ARGS:
		return take_args(d, i, text, whole);
	}
	return OK;
}

static enum err take_citation(struct decoder *d, struct json event)
{
	struct item *i;
	const enum err err =
		item_for(d, json_member(event, "output_index"), json_member(event, "item_id"), &i);
	return err ? err : keep_cited(d, i, json_member(event, "annotation"));
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
	enum err err = item_for(d, json_member(event, "output_index"), json_member(item, "id"), &i);
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
		err = add_item(d, i->index, buf_view(&id), &i);
	if (err)
		return err;
	i->is_added = true;
	if (is_done)
		return end_item(d, i, item);
	if (is_call(json_member(item, "type")))
		return take_call(d, i, item);
	return json_is(json_member(item, "type"), "message") ? take_phase(d, i, item) : OK;
}

static enum err take_event(
	struct decoder *d, struct span type, struct json event, struct fault *why)
{
	const struct json response = json_member(event, "response");
	for (size_t k = 0; k < COUNT_OF(texts); k++) {
		if (span_is(type, texts[k].type))
			return take_text(d, event, texts[k].by, texts[k].whole);
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
		return take_citation(d, event);
	if (span_is(type, "response.audio.delta"))
		return take_audio(d, json_member(event, "delta"));
	if (span_is(type, "response.audio.transcript.delta"))
		return take_transcript(d, json_member(event, "delta"));
	return take_about(d, response);
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
	/* some put the kind of the error where that of the event is due */
	if (span_is(name, "error") || span_is(buf_view(&type), "error") ||
		(openai_is_error(error) && !span_starts(buf_view(&type), SPAN("response."))))
		return take_error(d, event, why);
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
