/* reply_texts.c - what is new of a text? What came of it in pieces is not taken again from the events that
 * repeat it; what did not is. */
#include "brokerd/dialect/openai_responses/reply.h"
#include "protocol/limits.h"

#define TEXTS_MAX 4096 /* of one kind, in an item */

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

bool responses_has_come(const struct texts *t)
{
	for (const struct told *each = t->first; each; each = each->next) {
		if (each->came.n > 0)
			return true;
	}
	return false;
}

enum err responses_say(struct decoder *d, struct item *i, int64_t index, enum outlet_text kind,
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

enum err responses_say_summary(
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

enum err responses_say_logprobs(struct decoder *d, struct item *i, struct json list)
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

enum err responses_say_citations(struct decoder *d, struct item *i, struct json list)
{
	struct json_walk w = json_each(list);
	if (json_kind(list) != JSON_ARRAY || !json_next(&w))
		return OK;
	i->cited = i->last_cited = NULL;
	return give_citations(d, list.text);
}

enum err responses_keep_cited(struct decoder *d, struct item *i, struct json citation)
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

enum err responses_give_cited(struct decoder *d, struct item *i)
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
