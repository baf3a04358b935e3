/* pages.c - one rule for all who follow lists. */
#include "brokerd/exchange/pages.h"

enum err pages_entry(struct pages *p, struct span id, struct arena *a, bool *is_new)
{
	if (!p->has_begun && span_is_set(p->first))
		p->is_again = span_eq(id, p->first);
	p->has_begun = true;
	*is_new = !p->is_again;
	return span_is_set(p->first) ? OK : arena_dup(a, id, &p->first);
}

enum err pages_turn(struct pages *p, struct span more, struct arena *a)
{
	p->n++;
	p->has_more = p->has_begun = false;
	if (more.n == 0)
		return OK;
	p->is_cut = p->n >= PAGES_MAX || p->is_again || span_eq(more, p->at);
	if (p->is_cut)
		return OK;
	p->has_more = true;
	return arena_dup(a, more, &p->at);
}
