/* telling.c - a block is an object, and in a stream the events that build it. */
#include "brokerd/dialect/anthropic/telling.h"

#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/sse_write.h"
#include "brokerd/dialect/tool_args.h"
#include "protocol/limits.h"

void telling_init(struct telling *t)
{
	*t = (struct telling){
		.content = BUF_INIT(LIMIT_BODY_BYTES),
		.text = BUF_INIT(LIMIT_BODY_BYTES),
		.lead = BUF_INIT(LIMIT_LABEL_BYTES),
		.citations = BUF_INIT(LIMIT_BODY_BYTES),
	};
}

void telling_done(struct telling *t)
{
	buf_done(&t->content);
	buf_done(&t->text);
	buf_done(&t->lead);
	buf_done(&t->citations);
}

/* ---- what there is to tell ---- */

/* This family's own block that an opaque item is, or an absent value. */
static struct json own_block(const struct opaque *o)
{
	struct json v;
	if (!span_is(o->family, ANTHROPIC_FAMILY) ||
		json_scan(o->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT ||
		json_kind(json_member(v, "type")) != JSON_STRING)
		return JSON_NONE;
	return v;
}

static bool is_thinking(struct json block)
{
	return json_is(json_member(block, "type"), "thinking");
}

static bool is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

/* What seals a block of thinking, as the JSON string of its signature. Our own goes as it is; that of
 * thinking which the caller was not told is carried with it, as another family's is. */
static void put_signature(const struct telling *t, const struct opaque *seal, struct json_out *o)
{
	const struct json block = own_block(seal), signature = json_member(block, "signature");
	const bool is_hidden = !t->is_told && is_text(json_member(block, "thinking"));
	json_key(o, "signature");
	if (!span_is_set(seal->family))
		carry_put(&carry_unsealed, o);
	else if (is_thinking(block) && is_text(signature) && !is_hidden)
		json_put_raw(o, signature.text);
	else
		carry_put(seal, o);
}

/* A block as it begins, its object left open. */
static void open_object(const struct block *b, struct json_out *o)
{
	json_open(o, '{');
	switch (b->type) {
	case BLOCK_TEXT:
	case BLOCK_REFUSAL: /* there is no other word for it */
		json_pair_str(o, "type", SPAN("text"));
		break;
	case BLOCK_REASONING:
		json_pair_str(o, "type", SPAN("thinking"));
		break;
	case BLOCK_CALL:
		/* What must come back with a call has no place in it: the broker keeps that by the
		 * call's id, and puts it back. */
		json_pair_str(o, "type", SPAN("tool_use"));
		json_pair_str(o, "id", b->id);
		json_pair_str(o, "name", b->name);
		break;
	}
}

/* A block that is there at once: our own as it was, of others what comes back by itself. */
static void put_whole(const struct opaque *item, struct json_out *o)
{
	const struct json block = own_block(item);
	if (span_is_set(block.text)) {
		json_put_raw(o, block.text);
		return;
	}
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("redacted_thinking"));
	json_key(o, "data");
	carry_put(item, o);
	json_close(o, '}');
}

/* Nobody else's citations can be said, and ours are known by their types. */
static bool is_own_citation(struct json v)
{
	static const char *const types[] = {"char_location", "page_location",
		"content_block_location", "web_search_result_location", "search_result_location"};
	const struct json type = json_member(v, "type");
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (json_is(type, types[i]))
			return true;
	}
	return false;
}

/* Of what a text cites, what is ours; false: no more. Begin with cited_by. */
static struct json_walk cited_by(const struct part *note)
{
	struct json list;
	if (json_scan(note->citations, JSON_STRICT, &list, NULL) != OK ||
		json_kind(list) != JSON_ARRAY)
		list = JSON_NONE;
	return json_each(list);
}

static bool next_cited(struct json_walk *w)
{
	while (json_next(w)) {
		if (is_own_citation(w->value))
			return true;
	}
	return false;
}

bool telling_has_place(const struct part *part)
{
	struct json_walk w;
	if (part->type == PART_OPAQUE)
		return span_is_set(own_block(&part->opaque).text);
	if (part->type != PART_TEXT || !span_is_set(part->citations))
		return false;
	w = cited_by(part);
	return next_cited(&w);
}

/* ---- what comes whole, in either form ---- */

/* By the steps of a block where it is of a kind that has some. */
static bool has_steps(const struct llm_event *e)
{
	return e->type == EV_PART ? e->part.type == PART_TEXT : is_thinking(own_block(&e->opaque));
}

static const struct opaque *item_of(const struct llm_event *e)
{
	return e->type == EV_PART ? &e->part.opaque : &e->opaque;
}

/* Thinking that is not told has a seal alone, and a text without words what it cites. */
static enum err take_steps(const struct block_sink *sink, uint32_t index, const struct llm_event *e)
{
	const bool is_part = e->type == EV_PART;
	const struct block b = {.type = is_part ? BLOCK_TEXT : BLOCK_REASONING, .index = index};
	enum err err = sink->on_open(sink->context, &b);
	if (!err && is_part)
		err = sink->on_note(sink->context, &b, &e->part);
	return err ? err : sink->on_close(sink->context, &b, item_of(e));
}

/* ---- a stream ---- */

struct told_event telling_begin(struct buf *out, const char *type)
{
	const size_t mark = sse_begin(out, type);
	struct told_event e = {json_to(out), mark};
	json_open(&e.o, '{');
	json_pair_str(&e.o, "type", span_str(type));
	return e;
}

void telling_end(struct told_event *e)
{
	json_close(&e->o, '}');
	sse_finish(e->o.to, e->mark);
}

static struct told_event begin_at(struct telling *t, const char *type, uint32_t index)
{
	struct told_event e = telling_begin(t->out, type);
	json_pair_i64(&e.o, "index", index);
	return e;
}

static void put_stop(struct telling *t, uint32_t index)
{
	struct told_event e = begin_at(t, "content_block_stop", index);
	telling_end(&e);
}

/* A delta that is not one more piece: its object is left open. */
static struct told_event begin_delta(struct telling *t, uint32_t index, const char *type)
{
	struct told_event e = begin_at(t, "content_block_delta", index);
	json_key(&e.o, "delta");
	json_open(&e.o, '{');
	json_pair_str(&e.o, "type", span_str(type));
	return e;
}

static void end_delta(struct told_event *e)
{
	json_close(&e->o, '}');
	telling_end(e);
}

/* Whatever is of all deltas of a block is written once. */
static void write_lead(struct telling *t, const struct block *b)
{
	static const char *const kinds[] = {
		[BLOCK_TEXT] = "text_delta\",\"text",
		[BLOCK_REFUSAL] = "text_delta\",\"text",
		[BLOCK_REASONING] = "thinking_delta\",\"thinking",
		[BLOCK_CALL] = "input_json_delta\",\"partial_json",
	};
	buf_clear(&t->lead);
	buf_text(&t->lead, "event: content_block_delta\ndata: "
			   "{\"type\":\"content_block_delta\",\"index\":");
	buf_i64(&t->lead, b->index);
	buf_text(&t->lead, ",\"delta\":{\"type\":\"");
	buf_text(&t->lead, kinds[b->type]);
	buf_text(&t->lead, "\":");
}

/* No line ends in it: they are escaped. */
static void put_delta(struct telling *t, struct span text)
{
	struct json_out o = json_to(t->out);
	buf_span(t->out, buf_view(&t->lead));
	json_put_str(&o, text);
	buf_put(t->out, "}}\n\n", 4);
}

static enum err stream_open(void *context, const struct block *b)
{
	struct telling *t = context;
	struct told_event e = begin_at(t, "content_block_start", b->index);
	json_key(&e.o, "content_block");
	open_object(b, &e.o);
	if (b->type == BLOCK_CALL) {
		json_pair_raw(&e.o, "input", SPAN("{}"));
	} else if (b->type == BLOCK_REASONING) {
		json_pair_str(&e.o, "thinking", SPAN(""));
		json_pair_str(&e.o, "signature", SPAN(""));
	} else {
		json_pair_str(&e.o, "text", SPAN(""));
	}
	json_close(&e.o, '}');
	telling_end(&e);
	write_lead(t, b);
	buf_clear(&t->text);
	t->is_told = t->is_object = false;
	return buf_error(&t->lead);
}

/* Arguments of a call must make an object: what does not begin as one waits for its end, and becomes
 * one. So does the raw input of a custom tool. */
static enum err stream_args(struct telling *t, const struct block *b, struct span text)
{
	buf_span(&t->text, text);
	const struct span so_far = span_trim(buf_view(&t->text));
	t->is_object = !b->is_custom && so_far.n > 0 && so_far.p[0] == '{';
	if (t->is_object)
		put_delta(t, buf_view(&t->text));
	return buf_error(&t->text);
}

static enum err stream_piece(void *context, const struct block *b, struct span text)
{
	struct telling *t = context;
	t->is_told = true;
	if (b->type == BLOCK_CALL && !t->is_object)
		return stream_args(t, b, text);
	put_delta(t, text);
	return OK;
}

static enum err stream_note(void *context, const struct block *b, const struct part *note)
{
	struct telling *t = context;
	for (struct json_walk w = cited_by(note); next_cited(&w);) {
		struct told_event e = begin_delta(t, b->index, "citations_delta");
		json_pair_raw(&e.o, "citation", w.value.text);
		end_delta(&e);
	}
	return OK;
}

static enum err stream_held_args(struct telling *t)
{
	OWNED(buf_done) struct buf object = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&object);
	if (t->is_object || t->text.n == 0)
		return OK;
	(void)tool_args_put_object(&o, buf_view(&t->text));
	put_delta(t, buf_view(&object));
	return buf_error(&object);
}

static enum err stream_close(void *context, const struct block *b, const struct opaque *seal)
{
	struct telling *t = context;
	const enum err err = b->type == BLOCK_CALL ? stream_held_args(t) : OK;
	if (b->type == BLOCK_REASONING) {
		struct told_event e = begin_delta(t, b->index, "signature_delta");
		put_signature(t, seal, &e.o);
		end_delta(&e);
	}
	put_stop(t, b->index);
	return err;
}

static enum err stream_whole(void *context, uint32_t index, const struct llm_event *e)
{
	struct telling *t = context;
	const struct block_sink sink = telling_as_events(t);
	if (has_steps(e))
		return take_steps(&sink, index, e);
	struct told_event start = begin_at(t, "content_block_start", index);
	json_key(&start.o, "content_block");
	put_whole(item_of(e), &start.o);
	telling_end(&start);
	put_stop(t, index);
	return OK;
}

struct block_sink telling_as_events(struct telling *t)
{
	return (struct block_sink){
		stream_open, stream_piece, stream_note, stream_close, stream_whole, t};
}

/* ---- one message ---- */

static struct json_out content_out(struct telling *t)
{
	struct json_out o = json_to(&t->content);
	o.has_value = t->content.n > 0;
	return o;
}

static enum err whole_open(void *context, const struct block *b)
{
	struct telling *t = context;
	(void)b;
	buf_clear(&t->text);
	buf_clear(&t->citations);
	t->is_told = false;
	return OK;
}

static enum err whole_piece(void *context, const struct block *b, struct span text)
{
	struct telling *t = context;
	(void)b;
	t->is_told = true;
	buf_span(&t->text, text);
	return buf_error(&t->text);
}

static enum err whole_note(void *context, const struct block *b, const struct part *note)
{
	struct telling *t = context;
	(void)b;
	for (struct json_walk w = cited_by(note); next_cited(&w);) {
		if (t->citations.n > 0)
			buf_byte(&t->citations, ',');
		buf_span(&t->citations, w.value.text);
	}
	return buf_error(&t->citations);
}

static enum err whole_close(void *context, const struct block *b, const struct opaque *seal)
{
	struct telling *t = context;
	struct json_out o = content_out(t);
	open_object(b, &o);
	if (b->type == BLOCK_CALL) {
		json_key(&o, "input");
		(void)tool_args_put_object(&o, buf_view(&t->text));
	} else if (b->type == BLOCK_REASONING) {
		json_pair_str(&o, "thinking", buf_view(&t->text));
		put_signature(t, seal, &o);
	} else {
		json_pair_str(&o, "text", buf_view(&t->text));
	}
	if (t->citations.n > 0) {
		json_key(&o, "citations");
		json_open(&o, '[');
		json_put_raw(&o, buf_view(&t->citations));
		json_close(&o, ']');
	}
	json_close(&o, '}');
	return buf_error(&t->content);
}

static enum err whole_whole(void *context, uint32_t index, const struct llm_event *e)
{
	struct telling *t = context;
	const struct block_sink sink = telling_as_objects(t);
	struct json_out o = content_out(t);
	if (has_steps(e))
		return take_steps(&sink, index, e);
	put_whole(item_of(e), &o);
	return buf_error(&t->content);
}

struct block_sink telling_as_objects(struct telling *t)
{
	return (struct block_sink){
		whole_open, whole_piece, whole_note, whole_close, whole_whole, t};
}
