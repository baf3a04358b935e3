/* reply_find.c - which item is it that an event, or the last word, is about? */
#include "brokerd/dialect/openai_responses/reply.h"

#define ITEMS_MAX 4096

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

enum err responses_add_item(struct decoder *d, int64_t index, struct span id, struct item **out)
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

enum err responses_item_for(struct decoder *d, struct json index, struct json id, struct item **out)
{
	struct buf *text = &d->out.piece;
	int64_t at = -1;
	if (!json_i64(index, &at) || at < 0)
		at = -1;
	buf_clear(text);
	json_text_to(id, text);
	const enum err err = outlet_check(text);
	if (err)
		return err;
	*out = find_item(d, at, buf_view(text));
	return *out ? OK : responses_add_item(d, at, buf_view(text), out);
}

struct item *responses_find_last(const struct decoder *d, int64_t k, struct span id)
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
