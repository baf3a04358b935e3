/* list.c - two lists that fall by number are merged, first without what only the disk knows. */
#include "brokerd/cache/list.h"

#include <stdlib.h>

#include "protocol/base/buf.h"

struct cache_listing {
	struct cache_memory *memory;
	struct cache_disk *disk;
	struct cache_list what;
	struct cache_telling *telling; /* NULL: he has left */
	struct buf copies;             /* pointers, at most twice as many as are wanted */
	struct cache_rows rows;
};

#define COPIES_BYTES (64 * KIB)

/* ---- in memory, or waiting ---- */

static size_t n_copies(const struct cache_listing *l)
{
	return l->copies.n / sizeof(struct cache_copy *);
}

static struct cache_copy **copies_of(const struct cache_listing *l)
{
	return (struct cache_copy **)(void *)l->copies.p;
}

static int by_seq_falling(const void *a, const void *b)
{
	const struct cache_copy *const *x = a, *const *y = b;
	return ((*x)->seq < (*y)->seq) - ((*x)->seq > (*y)->seq);
}

/* The latest, in their order. */
static void keep_latest(struct cache_listing *l)
{
	const size_t n = n_copies(l);
	if (n > 0)
		qsort(l->copies.p, n, sizeof(struct cache_copy *), by_seq_falling);
	if (n > l->what.most)
		buf_cut(&l->copies, l->what.most * sizeof(struct cache_copy *));
}

static void list_copy(void *context, struct cache_copy *copy)
{
	struct cache_listing *l = context;
	if (!cache_is_meant(&l->what.filter, copy->scope) || copy->kept_s <= l->what.now_s)
		return;
	if (n_copies(l) == 2 * l->what.most)
		keep_latest(l);
	buf_put(&l->copies, &copy, sizeof(struct cache_copy *));
}

static void list_waiting(void *context, struct cache_copy *copy)
{
	struct cache_listing *l = context;
	if (!cache_memory_find(l->memory, &copy->key))
		list_copy(context, copy);
}

/* ---- on disk alone ---- */

static const struct cache_place *next_on_disk(
	const struct cache_listing *l, const struct cache_place *p)
{
	while (p && (!cache_is_meant(&l->what.filter, p->scope) || p->kept_s <= l->what.now_s ||
			    p->is_busy || cache_memory_find(l->memory, &p->key)))
		p = p->older;
	return p;
}

/* As many of both as are told of together. */
static void choose(struct cache_listing *l)
{
	struct cache_copy **copies = copies_of(l);
	const size_t n = n_copies(l);
	size_t i = 0;
	const struct cache_place *p = next_on_disk(l, cache_disk_newest(l->disk));
	while (i + l->rows.n < l->what.most && (p || i < n)) {
		if (i < n && (!p || copies[i]->seq > p->seq)) {
			(void)cache_copy_hold(copies[i++]);
			continue;
		}
		l->rows.list[l->rows.n++] = (struct cache_row){
			.key = p->key, .seq = p->seq, .block = p->block, .bytes = p->bytes};
		p = next_on_disk(l, p->older);
	}
	buf_cut(&l->copies, i * sizeof(struct cache_copy *));
}

/* ---- told ---- */

/* Has it gone, or has another come in its place? */
static bool is_kept(const struct cache_listing *l, const struct cache_key *key, uint64_t seq)
{
	const struct cache_copy *c = cache_memory_find(l->memory, key);
	return c ? c->seq == seq : cache_disk_has(l->disk, key, seq);
}

static void tell_copy(const struct cache_listing *l, const struct cache_copy *c)
{
	struct cache_entry e = cache_copy_entry(c);
	e.body = SPAN_NONE;
	if (is_kept(l, &c->key, c->seq))
		l->telling->tell(l->telling, &c->key, &e, c->body_bytes);
}

static void tell_row(const struct cache_listing *l, const struct cache_row *r)
{
	const struct cache_head *h = &r->head;
	const struct cache_entry e = {.scope = h->scope,
		.at_s = h->at_s,
		.fresh_s = h->fresh_s,
		.kept_s = h->kept_s,
		.about = span_of(r->about, h->about_bytes)};
	/* one that is not as it was written is found out by who asks for it */
	if (r->is_read && is_kept(l, &r->key, r->seq))
		l->telling->tell(l->telling, &r->key, &e, h->body_bytes);
}

static void tell_all(const struct cache_listing *l)
{
	struct cache_copy **copies = copies_of(l);
	const size_t n = n_copies(l);
	for (size_t i = 0, k = 0; i < n || k < l->rows.n;) {
		if (i < n && (k == l->rows.n || copies[i]->seq > l->rows.list[k].seq))
			tell_copy(l, copies[i++]);
		else
			tell_row(l, &l->rows.list[k++]);
	}
}

static void on_read(struct cache_rows *r)
{
	struct cache_listing *l = container_of(r, struct cache_listing, rows);
	struct cache_telling *t = l->telling;
	if (t)
		tell_all(l);
	for (size_t i = 0; i < n_copies(l); i++)
		cache_copy_drop(copies_of(l)[i]);
	buf_done(&l->copies);
	free(l->rows.list);
	free(l);
	if (!t)
		return;
	t->listing = NULL;
	t->on_done(t);
}

static void *take(size_t n, size_t each)
{
	void *p = calloc(n, each);
	if (!p)
		abort();
	return p;
}

void cache_list(struct cache_memory *m, struct cache_disk *d, const struct cache_list *what,
	struct cache_telling *t)
{
	struct cache_listing *l = take(1, sizeof *l);
	*l = (struct cache_listing){
		.memory = m,
		.disk = d,
		.what = *what,
		.telling = t,
		.copies = BUF_INIT(COPIES_BYTES),
		.rows = {.list = take(what->most, sizeof *l->rows.list), .on_read = on_read}
        };
	t->listing = l;
	cache_memory_each(m, list_copy, l);
	cache_disk_each_waiting(d, list_waiting, l);
	keep_latest(l);
	choose(l);
	cache_disk_read_rows(d, &l->rows);
}

void cache_list_leave(struct cache_telling *t)
{
	if (t->listing)
		t->listing->telling = NULL;
	t->listing = NULL;
}
