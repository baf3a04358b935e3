/* answer_seals.c - which items of reasoning did the provider give, and what was its last word on each? That
 * comes at the end of the answer, and has the item's place in the response that ends it. */
#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/openai_responses/answer.h"
#include "protocol/limits.h"

struct json answer_own_item(const struct opaque *o)
{
	struct json item;
	if (!span_is(o->family, OPENAI_RESPONSES_FAMILY) ||
		json_scan(o->data, JSON_STRICT, &item, NULL) ||
		json_kind(json_member(item, "type")) != JSON_STRING)
		return JSON_NONE;
	return item;
}

struct answer_seal *answer_seal_find(const struct encoder *e, struct json item)
{
	const struct span id = json_member(item, "id").text;
	struct answer_seal *found = NULL;
	for (struct answer_seal *s = e->seals; s && id.n > 2; s = s->next) {
		if (span_eq(s->id, id))
			found = s;
	}
	return found;
}

enum err answer_seal_add(struct encoder *e, struct json item, size_t at, bool is_carried)
{
	struct answer_seal *s = arena_alloc(e->arena, sizeof *s);
	if (!s)
		return ERR_NO_MEMORY;
	*s = (struct answer_seal){.at = at, .n = e->items.n - at, .is_carried = is_carried};
	if (e->last_seal)
		e->last_seal->next = s;
	else
		e->seals = s;
	e->last_seal = s;
	return arena_dup(e->arena, json_member(item, "id").text, &s->id);
}

enum err answer_again(struct encoder *e, const struct opaque *o)
{
	struct answer_again *a = arena_alloc(e->arena, sizeof *a);
	if (!a)
		return ERR_NO_MEMORY;
	*a = (struct answer_again){.opaque = {.family = SPAN(OPENAI_RESPONSES_FAMILY)}};
	if (e->again)
		e->last_again->next = a;
	else
		e->again = a;
	e->last_again = a;
	const enum err err = arena_dup(e->arena, o->model, &a->opaque.model);
	return err ? err : arena_dup(e->arena, o->data, &a->opaque.data);
}

static enum err replace(struct encoder *e, struct answer_seal *s, const struct opaque *o)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out to = json_to(&text);
	if (!s->is_carried) {
		s->last = o->data;
		return OK;
	}
	carry_put(o, &to);
	return buf_error(&text) ? buf_error(&text) : arena_dup(e->arena, buf_view(&text), &s->last);
}

enum err answer_last_words(struct encoder *e)
{
	enum err err = OK;
	for (; !err && e->again; e->again = e->again->next)
		err = replace(e, answer_seal_find(e, answer_own_item(&e->again->opaque)),
			&e->again->opaque);
	return err;
}

void answer_put_output(const struct encoder *e, struct json_out *o)
{
	size_t at = 0;
	json_open(o, '[');
	for (const struct answer_seal *s = e->seals; s; s = s->next) {
		if (!span_is_set(s->last))
			continue;
		buf_span(o->to, span_of(e->items.p + at, s->at - at));
		buf_span(o->to, s->last);
		at = s->at + s->n;
	}
	if (e->said_n > at)
		buf_span(o->to, span_of(e->items.p + at, e->said_n - at));
	json_close(o, ']');
}
