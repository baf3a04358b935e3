/* answer_items.c - how is each item of an answer's output said, in pieces and whole? A text is escaped once
 * and held once: as the open item's, then as its item's JSON, which the end of the answer repeats. */
#include <stdio.h>

#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/openai_responses/answer.h"
#include "brokerd/dialect/sse_write.h"
#include "protocol/limits.h"

/* One row a kind. `list` and `part`: it has its text in a part of that list, which has events of its own,
 * and a place that the member `place` names. */
struct item_kind {
	const char *prefix; /* of its ids */
	const char *type;
	const char *delta, *done; /* the events of its text */
	const char *text;         /* the text's member */
	const char *list, *part, *part_added, *part_done, *place;
};

/* clang-format off */
static const struct item_kind
	message = {"msg_", "message", "response.output_text.delta", "response.output_text.done", "text",
		"content", "output_text", "response.content_part.added", "response.content_part.done", "content_index"},
	refusal = {"msg_", "message", "response.refusal.delta", "response.refusal.done", "refusal",
		"content", "refusal", "response.content_part.added", "response.content_part.done", "content_index"},
	reasoning = {"rs_", "reasoning", "response.reasoning_summary_text.delta",
		"response.reasoning_summary_text.done", "text", "summary", "summary_text",
		"response.reasoning_summary_part.added", "response.reasoning_summary_part.done", "summary_index"},
	function = {"fc_", "function_call", "response.function_call_arguments.delta",
		"response.function_call_arguments.done", "arguments", NULL, NULL, NULL, NULL, NULL},
	custom = {"ctc_", "custom_tool_call", "response.custom_tool_call_input.delta",
		"response.custom_tool_call_input.done", "input", NULL, NULL, NULL, NULL, NULL};
/* clang-format on */

static const struct item_kind *kind_of(const struct block *b)
{
	switch (b->type) {
	case BLOCK_TEXT:
		return &message;
	case BLOCK_REFUSAL:
		return &refusal;
	case BLOCK_REASONING:
		return &reasoning;
	case BLOCK_CALL:
		break;
	}
	return b->is_custom ? &custom : &function;
}

static bool is_message(const struct item_kind *k)
{
	return k == &message || k == &refusal;
}

/* Goes on with a list whose values have a comma between. */
static struct json_out list_of(struct buf *list)
{
	struct json_out o = json_to(list);
	o.has_value = list->n > 0;
	return o;
}

static void put_list(struct json_out *o, const char *name, const struct buf *list)
{
	json_key(o, name);
	json_open(o, '[');
	if (list->n > 0)
		json_put_raw(o, buf_view(list));
	json_close(o, ']');
}

/* ---- an item's JSON: when it opens its texts are empty, and it has no parts ---- */

static void put_part(const struct answer_item *i, bool is_over, struct json_out *o)
{
	static const struct buf nothing;
	json_open(o, '{');
	json_pair_str(o, "type", span_str(i->kind->part));
	if (i->kind == &message) {
		put_list(o, "annotations", is_over ? &i->annotations : &nothing);
		put_list(o, "logprobs", is_over ? &i->logprobs : &nothing);
	}
	json_pair_raw(o, i->kind->text, is_over ? buf_view(&i->text) : SPAN("\"\""));
	json_close(o, '}');
}

static void put_item_head(const struct answer_item *i, const char *status, struct json_out *o)
{
	json_open(o, '{');
	json_pair_str(o, "id", span_str(i->id));
	json_pair_str(o, "type", span_str(i->kind->type));
	if (i->kind != &reasoning)
		json_pair_str(o, "status", span_str(status));
}

static void put_item_rest(const struct answer_item *i, bool is_over, struct json_out *o)
{
	if (i->kind->list) {
		json_key(o, i->kind->list);
		json_open(o, '[');
		if (is_over && i->text.n > 2)
			put_part(i, true, o);
		json_close(o, ']');
	} else {
		json_pair_raw(o, i->kind->text, is_over ? buf_view(&i->text) : SPAN("\"\""));
	}
	if (i->beside.n > 0)
		json_put_raw(o, buf_view(&i->beside));
	if (is_message(i->kind))
		json_pair_str(o, "role", SPAN("assistant"));
	json_close(o, '}');
}

/* ---- events ---- */

static void say_item(struct encoder *e, const char *type, struct span item)
{
	if (!e->out)
		return;
	struct json_out o = answer_event(e, type);
	json_pair_i64(&o, "output_index", e->n_items);
	json_pair_raw(&o, "item", item);
	answer_event_end(e, &o);
}

static void say_added(struct encoder *e)
{
	if (!e->out)
		return;
	struct json_out o = answer_event(e, "response.output_item.added");
	json_pair_i64(&o, "output_index", e->n_items);
	json_key(&o, "item");
	put_item_head(&e->item, "in_progress", &o);
	put_item_rest(&e->item, false, &o);
	answer_event_end(e, &o);
}

/* An event about the open item, or its part. */
static struct json_out about_item(struct encoder *e, const char *type)
{
	struct json_out o = answer_event(e, type);
	json_pair_str(&o, "item_id", span_str(e->item.id));
	json_pair_i64(&o, "output_index", e->n_items);
	if (e->item.kind->place)
		json_pair_i64(&o, e->item.kind->place, 0);
	return o;
}

static void say_part(struct encoder *e, const char *type, bool is_over)
{
	if (!e->out || !type)
		return;
	struct json_out o = about_item(e, type);
	json_key(&o, "part");
	put_part(&e->item, is_over, &o);
	answer_event_end(e, &o);
}

/* The function that other families know by the name of a call; this family says both names itself. */
static const struct namespaced *space_of(const struct encoder *e, const struct block *b)
{
	return span_is(b->opaque.family, OPENAI_RESPONSES_FAMILY)
		       ? NULL
		       : namespaces_find(&e->spaces, b->name);
}

static void say_text_done(struct encoder *e, const struct block *b)
{
	const struct answer_item *i = &e->item;
	const struct namespaced *f = space_of(e, b);
	if (!e->out)
		return;
	struct json_out o = about_item(e, i->kind->done);
	if (i->kind == &function)
		json_pair_str(&o, "name", f ? f->name : b->name);
	json_pair_raw(&o, i->kind->text, buf_view(&i->text));
	if (i->kind == &message)
		put_list(&o, "logprobs", &i->logprobs);
	answer_event_end(e, &o);
}

/* ---- pieces ---- */

/* What all deltas of the item have before their text is made once. */
static void make_opening(struct encoder *e)
{
	struct answer_item *i = &e->item;
	struct json_out o = json_to(&i->opening);
	buf_clear(&i->opening);
	if (!e->out)
		return;
	buf_print(&i->opening, "event: %s\ndata: ", i->kind->delta);
	json_open(&o, '{');
	json_pair_str(&o, "type", span_str(i->kind->delta));
	json_key(&o, "sequence_number");
	i->number_at = i->opening.n;
	o.has_value = true;
	json_pair_str(&o, "item_id", span_str(i->id));
	json_pair_i64(&o, "output_index", e->n_items);
	if (i->kind->place)
		json_pair_i64(&o, i->kind->place, 0);
	json_key(&o, "delta");
	buf_byte(&i->opening, '"');
}

static void say_piece(struct encoder *e, struct span text, struct span logprobs)
{
	struct answer_item *i = &e->item;
	const struct span opening = buf_view(&i->opening);
	const size_t at = i->text.n;
	json_escape(&i->text, text);
	if (!e->out)
		return;
	buf_span(e->out, span_first(opening, i->number_at));
	buf_i64(e->out, e->n_events++);
	buf_span(e->out, span_skip(opening, i->number_at));
	buf_span(e->out, span_skip(buf_view(&i->text), at));
	buf_byte(e->out, '"');
	const size_t tail = e->out->n;
	if (i->kind == &message) {
		buf_text(e->out, ",\"logprobs\":");
		buf_span(e->out, span_is_set(logprobs) ? logprobs : SPAN("[]"));
	}
	buf_byte(e->out, '}');
	sse_finish(e->out, tail);
}

/* Gives the text that waited for its logprobs; `list`: these, absent: they did not come. */
static void give_piece(struct encoder *e, struct span list)
{
	if (!e->has_piece)
		return;
	say_piece(e, buf_view(&e->piece), list);
	buf_clear(&e->piece);
	e->has_piece = false;
}

static enum err on_piece(void *context, const struct block *b, struct span text)
{
	struct encoder *e = context;
	(void)b;
	give_piece(e, SPAN_NONE);
	e->has_piece = e->out && e->wants_logprobs && e->item.kind == &message;
	if (e->has_piece)
		buf_span(&e->piece, text);
	else
		say_piece(e, text, SPAN_NONE);
	return answer_error(e);
}

void answer_take_logprobs(struct encoder *e, struct json list)
{
	struct json_out o = list_of(&e->item.logprobs);
	const bool is_list = json_kind(list) == JSON_ARRAY;
	const struct span inside =
		is_list ? span_trim(span_of(list.text.p + 1, list.text.n - 2)) : SPAN("");
	if (inside.n == 0)
		return;
	json_put_raw(&o, inside);
	give_piece(e, list.text);
}

/* ---- citations ---- */

/* How many there are in a text that json_escape wrote: of its escapes only those of control bytes are
 * longer than two. */
static int64_t characters(struct span escaped)
{
	int64_t n = 0;
	for (size_t k = 0; k < escaped.n; k++) {
		if (escaped.p[k] == '\\')
			k += escaped.p[k + 1] == 'u' ? 5 : 1;
		n += (escaped.p[k] & 0xc0) != 0x80;
	}
	return n;
}

static void say_annotation(struct encoder *e, struct span annotation)
{
	if (!e->out)
		return;
	struct json_out o = about_item(e, "response.output_text.annotation.added");
	json_pair_i64(&o, "annotation_index", e->item.n_annotations);
	json_pair_raw(&o, "annotation", annotation);
	answer_event_end(e, &o);
}

static enum err on_note(void *context, const struct block *b, const struct part *note)
{
	struct encoder *e = context;
	struct answer_item *i = &e->item;
	struct json list;
	(void)b;
	give_piece(e, SPAN_NONE);
	if (json_scan(note->citations, JSON_STRICT, &list, NULL))
		return answer_error(e);
	const struct span text = span_skip(buf_view(&i->text), 1); /* less its quote */
	const int64_t to = characters(text), from = characters(span_first(text, i->cited));
	for (struct json_walk w = json_each(list); json_next(&w);) {
		struct json_out o = list_of(&i->annotations);
		const size_t at = i->annotations.n + (i->annotations.n > 0);
		if (!answer_put_citation(w.value, from, to, &o))
			continue;
		say_annotation(e, span_skip(buf_view(&i->annotations), at));
		i->n_annotations++;
	}
	i->cited = text.n;
	return answer_error(e);
}

/* ---- items that come whole ---- */

/* Where the next item will begin in those that are kept. */
static size_t next_at(const struct encoder *e)
{
	return e->items.n + (e->items.n > 0);
}

/* The item that was kept last, from `at` on, is over. */
static void say_done(struct encoder *e, size_t at)
{
	say_item(e, "response.output_item.done", span_skip(buf_view(&e->items), at));
	e->n_items++;
	e->said_n = e->items.n;
}

#define PICTURE_TYPE "image_generation_call"

/* Before it is there, a picture is announced without its bytes. */
static void say_picture_added(struct encoder *e, struct span id)
{
	OWNED(buf_done) struct buf item = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&item);
	json_open(&o, '{');
	json_pair_raw(&o, "id", id);
	json_pair_str(&o, "type", SPAN(PICTURE_TYPE));
	json_pair_str(&o, "status", SPAN("in_progress"));
	json_pair_raw(&o, "result", SPAN("null"));
	json_close(&o, '}');
	say_item(e, "response.output_item.added", buf_view(&item));
}

static void give_item(struct encoder *e, struct json item)
{
	struct json_out o = list_of(&e->items);
	const size_t at = next_at(e);
	if (json_is(json_member(item, "type"), PICTURE_TYPE))
		say_picture_added(e, json_member(item, "id").text);
	else
		say_item(e, "response.output_item.added", item.text);
	json_put_raw(&o, item.text);
	say_done(e, at);
}

/* A picture of another family's is what this one's tool would have made. */
static void give_picture(struct encoder *e)
{
	char id[ANSWER_ID_BYTES], json[ANSWER_ID_BYTES + 2];
	struct json_out o = list_of(&e->items);
	const size_t at = next_at(e);
	if (!e->has_picture)
		return;
	answer_make_id(e, "ig_", id);
	(void)snprintf(json, sizeof json, "\"%s\"", id);
	say_picture_added(e, span_str(json));
	json_open(&o, '{');
	json_pair_raw(&o, "id", span_str(json));
	json_pair_str(&o, "type", SPAN(PICTURE_TYPE));
	json_pair_str(&o, "status", SPAN("completed"));
	json_pair_raw(&o, "result", buf_view(&e->picture));
	json_close(&o, '}');
	say_done(e, at);
	buf_clear(&e->picture);
	e->has_picture = false;
}

static void open_item(struct encoder *e, const struct item_kind *kind)
{
	struct answer_item *i = &e->item;
	i->kind = kind;
	answer_make_id(e, kind->prefix, i->id);
	if (!is_message(kind))
		buf_clear(&i->beside);
	buf_clear(&i->annotations);
	buf_clear(&i->text);
	buf_byte(&i->text, '"');
	i->n_annotations = 0;
	i->cited = 0;
}

/* Keeps the open item with its seal, and says that it is over. A whole answer has this family's own items of
 * reasoning as they are. In a stream an item has an id before its own is known, and without its own its seal
 * is no good: so all of it is carried, as another family's is. */
static enum err end_item(struct encoder *e, const struct opaque *seal)
{
	const size_t at = next_at(e);
	const struct json own = answer_own_item(seal);
	struct json_out o = list_of(&e->items);
	enum err err = OK;
	if (span_is_set(own.text) && e->item.text.n > 2 && !e->is_stream) {
		json_put_raw(&o, own.text);
		err = answer_seal_add(e, own, at, false);
	} else {
		put_item_head(&e->item, e->is_ending ? answer_status(e->finish) : "completed", &o);
		if (e->item.kind == &reasoning) {
			json_key(&o, "encrypted_content");
			const size_t sealed_at = e->items.n;
			carry_put(span_is_set(seal->family) ? seal : &carry_unsealed, &o);
			if (span_is_set(own.text))
				err = answer_seal_add(e, own, sealed_at, true);
		}
		put_item_rest(&e->item, true, &o);
	}
	say_done(e, at);
	return err;
}

/* Gives an item of reasoning without words, for what it carries. */
static enum err carry(struct encoder *e, const struct opaque *opaque)
{
	if (!span_is_set(opaque->family))
		return OK;
	open_item(e, &reasoning);
	say_added(e);
	buf_byte(&e->item.text, '"');
	return end_item(e, opaque);
}

/* A seal that is not of the reasoning right before it. This family's item goes as it is, but where its words
 * were given already, without a seal. */
static enum err give_seal(struct encoder *e, const struct opaque *opaque)
{
	const struct json item = answer_own_item(opaque);
	const size_t at = next_at(e);
	const bool is_told = e->has_unsealed;
	e->has_unsealed = false;
	if (!span_is_set(item.text) || is_told)
		return carry(e, opaque);
	give_item(e, item);
	return answer_seal_add(e, item, at, false);
}

enum err answer_settle(struct encoder *e)
{
	enum err err = OK;
	give_piece(e, SPAN_NONE);
	give_picture(e);
	while (!err && e->again) {
		const struct answer_again *a = e->again;
		e->again = a->next;
		err = give_seal(e, &a->opaque);
	}
	return err;
}

/* This family's own picture comes again, in its item. */
static void take_picture(struct encoder *e, const struct media *m)
{
	struct json_out o = json_to(&e->picture);
	if (m->data.n == 0)
		return;
	json_put_base64(&o, SPAN(""), m->data);
	e->has_picture = true;
}

/* What a provider did by itself: another family's goes where its signatures go. */
static enum err take_item(struct encoder *e, const struct opaque *opaque)
{
	const struct json item = answer_own_item(opaque);
	if (json_is(json_member(item, "type"), PICTURE_TYPE)) {
		buf_clear(&e->picture);
		e->has_picture = false;
	}
	const enum err err = answer_settle(e);
	if (err)
		return err;
	if (!span_is_set(item.text))
		return carry(e, opaque);
	give_item(e, item);
	return OK;
}

/* What has to come back with a message stands before it. */
static void take_beside(struct encoder *e, const struct extra *extra)
{
	static const char *const own[] = {"id", "type", "status", "content", "role"};
	struct json_out o = list_of(&e->item.beside);
	if (!span_is(extra->family, OPENAI_RESPONSES_FAMILY))
		return;
	for (size_t k = 0; k < extra->n; k++) {
		const struct extra_member *m = &extra->members[k];
		bool is_own = !span_starts(m->name, SPAN("item."));
		const struct span name = is_own ? m->name : span_skip(m->name, strlen("item."));
		for (size_t n = 0; n < COUNT_OF(own); n++)
			is_own = is_own || span_is(name, own[n]);
		if (is_own)
			continue;
		json_key_text(&o, name);
		json_put_raw(&o, m->json);
	}
}

/* ---- items that come in pieces ---- */

static void put_call(struct encoder *e, const struct block *b)
{
	struct json_out o = json_to(&e->item.beside);
	struct json rest;
	const struct namespaced *f = space_of(e, b);
	json_pair_str(&o, "call_id", b->id);
	json_pair_str(&o, "name", f ? f->name : b->name);
	if (f)
		json_pair_str(&o, "namespace", f->space);
	if (!span_is(b->opaque.family, OPENAI_RESPONSES_FAMILY) ||
		json_scan(b->opaque.data, JSON_STRICT, &rest, NULL))
		return;
	for (struct json_walk w = json_each(rest); json_next(&w);) {
		if (responses_is_of_call(w.name))
			continue;
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
	}
}

static enum err on_open(void *context, const struct block *b)
{
	struct encoder *e = context;
	const enum err err = answer_settle(e);
	if (err)
		return err;
	open_item(e, kind_of(b));
	if (b->type == BLOCK_CALL)
		put_call(e, b);
	make_opening(e);
	say_added(e);
	say_part(e, e->item.kind->part_added, false);
	return answer_error(e);
}

static enum err on_close(void *context, const struct block *b, const struct opaque *seal)
{
	struct encoder *e = context;
	struct answer_item *i = &e->item;
	if (i->kind == &function && i->text.n == 1)
		say_piece(e, SPAN("{}"), SPAN_NONE);
	give_piece(e, SPAN_NONE);
	buf_byte(&i->text, '"');
	say_text_done(e, b);
	say_part(e, i->kind->part_done, true);
	const enum err err = end_item(e, seal);
	if (i->kind == &reasoning)
		e->has_unsealed = !span_is_set(seal->family);
	buf_clear(&i->beside);
	if (i->kind == &message)
		buf_clear(&i->logprobs);
	return err ? err : answer_error(e);
}

/* ---- what comes between them ---- */

static enum err take_part(struct encoder *e, const struct part *p)
{
	enum err err = OK;
	switch (p->type) {
	case PART_OPAQUE:
		return take_item(e, &p->opaque);
	case PART_IMAGE:
		err = answer_settle(e);
		take_picture(e, &p->media);
		return err;
	case PART_TEXT:
		buf_clear(&e->item.beside);
		take_beside(e, &p->extra);
		return OK;
	case PART_AUDIO: /* has no place here, and the rest comes in events of its own */
	case PART_FILE:
	case PART_VIDEO:
	case PART_REFUSAL:
	case PART_REASONING:
	case PART_TOOL_CALL:
		break;
	}
	return OK;
}

/* An item that comes again may be the last word on it, or one that has the same id: it waits. */
static enum err take_seal(struct encoder *e, const struct opaque *opaque)
{
	if (answer_seal_find(e, answer_own_item(opaque)))
		return answer_again(e, opaque);
	const enum err err = answer_settle(e);
	return err ? err : give_seal(e, opaque);
}

static enum err on_whole(void *context, uint32_t index, const struct llm_event *event)
{
	struct encoder *e = context;
	(void)index;
	const enum err err = event->type == EV_OPAQUE ? take_seal(e, &event->opaque)
						      : take_part(e, &event->part);
	return err ? err : answer_error(e);
}

const struct block_sink answer_items = {
	.on_open = on_open,
	.on_piece = on_piece,
	.on_note = on_note,
	.on_close = on_close,
	.on_whole = on_whole,
};
