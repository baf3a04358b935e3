/* blocks.c - one block is open at most; while it is a call that goes on, everything else waits. */
#include "brokerd/dialect/blocks.h"

#include <stdlib.h>

#include "protocol/limits.h"

/* A run of text, a call, or what comes whole, that could not be given yet. */
struct waiting {
	struct waiting *next;
	enum event_type type; /* EV_TEXT, EV_REASONING, EV_REFUSAL, EV_TOOL_START, or of `event` */
	uint32_t tool;
	struct buf text; /* of the run, or the call's arguments */
	bool is_over;    /* a call that has ended */
	struct arena arena;
	struct llm_event event; /* its texts in the arena */
};

void blocks_init(struct blocks *b, const struct block_sink *sink)
{
	*b = (struct blocks){.sink = *sink};
	buf_init(&b->id, LIMIT_BODY_BYTES);
	buf_init(&b->name, LIMIT_BODY_BYTES);
	buf_init(&b->opaque, LIMIT_BODY_BYTES);
	part_join_init(&b->join);
}

static void waiting_free(struct waiting *w)
{
	buf_done(&w->text);
	arena_done(&w->arena);
	free(w);
}

void blocks_done(struct blocks *b)
{
	while (b->first) {
		struct waiting *w = b->first;
		b->first = w->next;
		waiting_free(w);
	}
	buf_done(&b->id);
	buf_done(&b->name);
	buf_done(&b->opaque);
	part_join_done(&b->join);
}

/* ---- the open block ---- */

static enum err block_close(struct blocks *b, const struct opaque *seal)
{
	const struct opaque none = {.family = SPAN_NONE};
	if (!b->is_open)
		return OK;
	b->is_open = false;
	return b->sink.on_close(b->sink.context, &b->open, seal ? seal : &none);
}

static enum err block_open(struct blocks *b, const struct block *what)
{
	const enum err err = block_close(b, NULL);
	if (err)
		return err;
	b->open = *what;
	b->open.index = b->n++;
	b->is_open = true;
	return b->sink.on_open(b->sink.context, &b->open);
}

static enum err block_piece(struct blocks *b, struct span text)
{
	return text.n > 0 ? b->sink.on_piece(b->sink.context, &b->open, text) : OK;
}

static bool is_call_open(const struct blocks *b)
{
	return b->is_open && b->open.type == BLOCK_CALL;
}

static enum block_type type_of(enum event_type type)
{
	return type == EV_TEXT        ? BLOCK_TEXT
	       : type == EV_REASONING ? BLOCK_REASONING
				      : BLOCK_REFUSAL;
}

static enum err give_text(struct blocks *b, enum event_type type, struct span text)
{
	const struct block what = {.type = type_of(type)};
	enum err err = OK;
	if (text.n == 0)
		return OK;
	if (!b->is_open || b->open.type != what.type)
		err = block_open(b, &what);
	return err ? err : block_piece(b, text);
}

/* A copy for as long as the call is open. */
static struct span keep(struct buf *to, struct span text)
{
	buf_clear(to);
	buf_span(to, text);
	return span_is_set(text) ? buf_view(to) : SPAN_NONE;
}

static enum err open_call(struct blocks *b, const struct llm_event *e)
{
	struct block what = {.type = BLOCK_CALL,
		.tool = e->tool,
		.is_custom = e->call.is_custom,
		.id = keep(&b->id, e->call.id),
		.name = keep(&b->name, e->call.name)};
	const struct opaque *o = &e->call.opaque;
	if (span_is_set(o->family)) { /* its three texts, one behind the other */
		const size_t n = o->family.n + o->model.n;
		buf_clear(&b->opaque);
		buf_span(&b->opaque, o->family);
		buf_span(&b->opaque, o->model);
		buf_span(&b->opaque, o->data);
		const struct span all = buf_view(&b->opaque);
		what.opaque.family = span_first(all, o->family.n);
		what.opaque.model = span_is_set(o->model) ? span_of(all.p + o->family.n, o->model.n)
							  : SPAN_NONE;
		what.opaque.data = span_skip(all, n);
	}
	enum err err = buf_error(&b->id);
	if (!err)
		err = buf_error(&b->name);
	if (!err)
		err = buf_error(&b->opaque);
	return err ? err : block_open(b, &what);
}

static enum err give_whole(struct blocks *b, const struct llm_event *e)
{
	const bool is_seal = e->type == EV_OPAQUE && b->is_open && b->open.type == BLOCK_REASONING;
	const bool is_note = e->type == EV_PART && e->part.type == PART_TEXT && b->is_open &&
			     b->open.type == BLOCK_TEXT && span_is_set(e->part.citations);
	if (is_seal)
		return block_close(b, &e->opaque);
	if (is_note)
		return b->sink.on_note(b->sink.context, &b->open, &e->part);
	const enum err err = block_close(b, NULL);
	return err ? err : b->sink.on_whole(b->sink.context, b->n++, e);
}

/* ---- what waits ---- */

static struct waiting *wait_new(struct blocks *b, enum event_type type)
{
	struct waiting *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->type = type;
	buf_init(&w->text, LIMIT_BODY_BYTES);
	arena_init(&w->arena, LIMIT_BODY_BYTES);
	if (b->last)
		b->last->next = w;
	else
		b->first = w;
	b->last = w;
	return w;
}

static enum err wait_text(struct blocks *b, struct waiting *w, struct span text)
{
	if (text.n > LIMIT_BODY_BYTES - b->held_bytes)
		return ERR_TOO_BIG;
	b->held_bytes += text.n;
	buf_span(&w->text, text);
	return buf_error(&w->text);
}

static enum err wait_event(struct blocks *b, const struct llm_event *e)
{
	struct waiting *w = wait_new(b, e->type);
	if (!w)
		return ERR_NO_MEMORY;
	w->event = *e;
	w->tool = e->tool;
	if (e->type == EV_OPAQUE)
		return opaque_dup(&w->arena, &w->event.opaque);
	if (e->type == EV_PART) { /* its medium waits as the run of bytes */
		const enum err err = wait_text(b, w, e->part.media.data);
		w->event.part.media.data = SPAN_NONE;
		return err ? err : part_dup(&w->arena, &w->event.part);
	}
	enum err err = arena_dup(&w->arena, e->call.id, &w->event.call.id);
	if (!err)
		err = arena_dup(&w->arena, e->call.name, &w->event.call.name);
	return err ? err : opaque_dup(&w->arena, &w->event.call.opaque);
}

static struct waiting *waiting_call(const struct blocks *b, uint32_t tool)
{
	for (struct waiting *w = b->first; w; w = w->next) {
		if (w->type == EV_TOOL_START && w->tool == tool)
			return w;
	}
	return NULL;
}

static bool is_text_event(enum event_type type)
{
	return type == EV_TEXT || type == EV_REASONING || type == EV_REFUSAL;
}

static enum err wait(struct blocks *b, const struct llm_event *e)
{
	struct waiting *w;
	if (is_text_event(e->type)) {
		w = b->last && b->last->type == e->type ? b->last : wait_new(b, e->type);
		return w ? wait_text(b, w, e->text) : ERR_NO_MEMORY;
	}
	if (e->type == EV_TOOL_ARGS || e->type == EV_TOOL_END) {
		w = waiting_call(b, e->tool);
		if (w && e->type == EV_TOOL_END)
			w->is_over = true;
		return w && e->type == EV_TOOL_ARGS && !w->is_over ? wait_text(b, w, e->text) : OK;
	}
	return wait_event(b, e);
}

/* Gives one of those that waited. */
static enum err give(struct blocks *b, const struct waiting *w)
{
	if (is_text_event(w->type))
		return give_text(b, w->type, buf_view(&w->text));
	if (w->type != EV_TOOL_START) {
		struct llm_event e = w->event;
		if (e.type == EV_PART && w->text.n > 0)
			e.part.media.data = buf_view(&w->text);
		return give_whole(b, &e);
	}
	enum err err = open_call(b, &w->event);
	if (!err)
		err = block_piece(b, buf_view(&w->text));
	return err || !w->is_over ? err : block_close(b, NULL);
}

/* No call is open: gives what waited, up to a call that goes on. */
static enum err drain(struct blocks *b)
{
	enum err err = OK;
	while (!err && b->first && !is_call_open(b)) {
		struct waiting *w = b->first;
		b->first = w->next;
		if (!b->first)
			b->last = NULL;
		b->held_bytes -= w->text.n;
		err = give(b, w);
		waiting_free(w);
	}
	return err;
}

/* ---- events ---- */

static enum err take_call(struct blocks *b, const struct llm_event *e)
{
	const bool is_here = is_call_open(b) && b->open.tool == e->tool;
	if (e->type == EV_TOOL_START)
		return is_call_open(b) ? wait(b, e) : open_call(b, e);
	if (!is_here)
		return wait(b, e);
	if (e->type == EV_TOOL_ARGS)
		return block_piece(b, e->text);
	const enum err err = block_close(b, NULL);
	return err ? err : drain(b);
}

static enum err take_whole(struct blocks *b, const struct llm_event *e)
{
	return is_call_open(b) ? wait(b, e) : give_whole(b, e);
}

static enum err take_part(struct blocks *b, const struct llm_event *e)
{
	struct llm_event one = {.type = EV_PART};
	const struct part *whole;
	const enum err err = part_join_take(&b->join, e, &whole);
	if (err || !whole)
		return err;
	one.part = *whole;
	return take_whole(b, &one);
}

enum err blocks_take(struct blocks *b, const struct llm_event *e)
{
	if (e->choice > 0)
		return OK;
	switch (e->type) {
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
		return is_call_open(b) ? wait(b, e) : give_text(b, e->type, e->text);
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
		return take_call(b, e);
	case EV_OPAQUE:
		return take_whole(b, e);
	case EV_PART:
		return take_part(b, e);
	default:
		return OK;
	}
}

enum err blocks_end(struct blocks *b)
{
	enum err err = block_close(b, NULL);
	while (!err && b->first) {
		err = drain(b);
		if (!err)
			err = block_close(b, NULL); /* a call that never ended */
	}
	return err;
}
