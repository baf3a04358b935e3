/* recent.c - a ring of rows, by their numbers. */
#include "brokerd/ledger/recent.h"

#include <stdlib.h>

#include "protocol/base/list.h"

struct recent {
	struct exchange_record *rows; /* RECENT_ROWS; NULL: nobody has followed yet */
	uint64_t began, first,
		next; /* of the first of all, of those that are there, and of the one that comes */
	struct follower *followers;
	bool is_ended;
};

struct recent *recent_new(uint64_t first)
{
	struct recent *r = calloc(1, sizeof *r);
	if (r)
		r->began = r->first = r->next = first;
	return r;
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	while (r->followers)
		recent_leave(r->followers);
	free(r->rows);
	free(r);
}

void recent_add(struct recent *r, const struct exchange_record *row)
{
	struct follower *f, *after;
	if (!r || !r->rows)
		return;
	r->rows[r->next % RECENT_ROWS] = *row;
	r->next++;
	if (r->next - r->first > RECENT_ROWS)
		r->first++;
	LIST_EACH_SAFE(r->followers, f, after)
		f->on_row(f);
}

uint64_t recent_next(struct recent *r)
{
	if (!r->rows)
		r->rows = calloc(RECENT_ROWS, sizeof *r->rows);
	return r->next;
}

bool recent_knows(const struct recent *r, uint64_t number)
{
	return r->began <= number && number <= r->next;
}

const struct exchange_record *recent_row(const struct recent *r, uint64_t *at)
{
	if (*at < r->first)
		*at = r->first;
	return r->rows && *at < r->next ? &r->rows[*at % RECENT_ROWS] : NULL;
}

void recent_end(struct recent *r)
{
	struct follower *f, *after;
	if (!r)
		return;
	r->is_ended = true;
	LIST_EACH_SAFE(r->followers, f, after)
		f->on_row(f);
}

bool recent_is_ended(const struct recent *r)
{
	return r->is_ended;
}

void recent_await(struct recent *r, struct follower *f)
{
	f->recent = r;
	LIST_PUSH(r->followers, f);
}

void recent_leave(struct follower *f)
{
	if (!f->recent)
		return;
	LIST_REMOVE(f->recent->followers, f);
	f->recent = NULL;
}
