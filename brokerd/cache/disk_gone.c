/* disk_gone.c - what must not be found again? */
#include "brokerd/cache/disk_parts.h"

#include "protocol/base/list.h"

#define DOOM_WALKS 8 /* more than so many walks through a book are none at all, but a new one */

/* ---- of a file that has a book ---- */

void disk_forget(struct cache_disk *d)
{
	struct disk_item *i, *after;
	TABLE_EACH(d->table, i, after) {
		if (i->place)
			disk_item_leave(d, i);
	}
	if (d->book)
		cache_book_clear(d->book);
	buf_clear(&d->erasures);
	buf_clear(&d->dooms);
	d->n_walks = 0;
	d->is_clear = true;
}

void disk_erase(struct cache_disk *d, uint32_t block, uint32_t blocks)
{
	buf_put(&d->erasures, &(struct disk_erasure){block, blocks}, sizeof(struct disk_erasure));
	if (buf_error(&d->erasures))
		disk_forget(d);
}

void disk_place_remove(struct cache_disk *d, struct cache_place *p)
{
	const uint32_t block = p->block;
	cache_book_remove(d->book, p);
	disk_erase(d, block, 1);
}

static void item_remove(struct cache_disk *d, struct disk_item *i)
{
	struct cache_place *p = i->place;
	if (!p) {
		disk_item_drop(d, i);
		return;
	}
	disk_item_leave(d, i);
	disk_place_remove(d, p);
}

static size_t known_bytes(const struct cache_place *p)
{
	return p->bytes - cache_record_bytes(0, 0);
}

static void places_remove_if(struct cache_disk *d,
	bool (*goes)(void *context, const struct cache_known *k), void *context)
{
	for (struct cache_place *p = cache_book_newest(d->book), *older; p; p = older) {
		older = p->older;
		if (p->is_busy ||
			!goes(context, &(struct cache_known){&p->key, p->scope, known_bytes(p)}))
			continue;
		disk_place_remove(d, p);
		if (d->is_clear)
			return; /* there is no place left */
	}
}

/* ---- of one that has none yet ---- */

/* Of a file that has no book yet, while there may be one. */
static void doom(struct cache_disk *d, const struct disk_doom *what)
{
	if (d->state == DISK_READY || d->limit == 0 || d->is_clear)
		return;
	if (d->state == DISK_OFF && what->kind == DOOM_KEY)
		return; /* it is of no key that is on disk */
	d->n_walks += what->kind != DOOM_KEY;
	buf_put(&d->dooms, what, sizeof *what);
	if (buf_error(&d->dooms) || d->n_walks > DOOM_WALKS)
		disk_forget(d);
}

static bool is_doomed(void *context, const struct cache_known *k)
{
	const struct disk_doom *what = context;
	return what->kind == DOOM_SCOPE ? k->scope == what->scope : k->bytes > what->bytes;
}

void disk_fulfil(struct cache_disk *d)
{
	OWNED(buf_done) struct buf dooms = BUF_INIT(DISK_DOOMS_BYTES);
	buf_move(&dooms, &d->dooms);
	d->n_walks = 0;
	struct disk_doom *each = (struct disk_doom *)(void *)dooms.p;
	for (size_t i = 0; i < dooms.n / sizeof *each && !d->is_clear; i++) {
		if (each[i].kind != DOOM_KEY) {
			places_remove_if(d, is_doomed, &each[i]);
			continue;
		}
		struct cache_place *p = cache_book_find(d->book, &each[i].key);
		if (p)
			disk_place_remove(d, p);
	}
}

bool disk_is_doomed(const struct cache_disk *d)
{
	const struct disk_doom *each = (const struct disk_doom *)(const void *)d->dooms.p;
	size_t n = 0;
	for (size_t i = 0; i < d->dooms.n / sizeof *each; i++)
		n += each[i].kind != DOOM_LONGER; /* it has that limit, too */
	return n > 0;
}

/* ---- for good ---- */

void disk_remove_file(struct cache_disk *d)
{
	struct disk_work *w = disk_work_new(d, DISK_ACT_REMOVE);
	disk_asked_give(d, w);
	/* of a disk that is away nobody knows whether it was this one */
	d->is_clear = d->is_clear && d->state == DISK_AWAY;
	buf_clear(&d->dooms);
	d->n_walks = 0;
	disk_submit(w);
}

/* Those scopes go when the file can be opened, whoever opens it. */
static void note(struct cache_disk *d)
{
	struct disk_work *w = disk_work_new(d, DISK_ACT_NOTE);
	const struct disk_doom *each = (const struct disk_doom *)(const void *)d->dooms.p;
	for (size_t i = 0; i < d->dooms.n / sizeof *each; i++) {
		if (each[i].kind == DOOM_SCOPE)
			buf_put(&w->scopes, &each[i].scope, sizeof each[i].scope);
	}
	disk_asked_give(d, w);
	disk_submit(w);
}

void disk_make_sure(struct cache_disk *d)
{
	if (!d->asked)
		return;
	if (d->state == DISK_READY || d->state == DISK_SCANNING)
		cache_disk_flush(d);
	else if (d->is_clear || d->limit == 0)
		disk_remove_file(d);
	else
		note(d);
}

void disk_asked_give(struct cache_disk *d, struct disk_work *w)
{
	struct cache_clearing *t;
	w->asked = TAKE(d->asked);
	w->is_asked = w->asked != NULL;
	LIST_EACH(w->asked, t)
		t->list = &w->asked;
}

void disk_asked_tell(struct cache_clearing **list, int cause)
{
	while (*list) {
		struct cache_clearing *t = *list;
		cache_disk_leave_sure(t);
		t->on_done(t, cause);
	}
}

/* ---- what others see ---- */

void cache_disk_remove(struct cache_disk *d, const struct cache_key *key)
{
	struct disk_item *i;
	TABLE_FIND(d->table, i, key->bytes, sizeof key->bytes);
	if (i)
		item_remove(d, i);
	doom(d, &(struct disk_doom){.kind = DOOM_KEY, .key = *key});
	struct cache_place *p = d->state == DISK_READY ? cache_book_find(d->book, key) : NULL;
	if (p)
		disk_place_remove(d, p);
	disk_soon(d);
}

void cache_disk_remove_if(struct cache_disk *d,
	bool (*goes)(void *context, const struct cache_known *k), void *context)
{
	struct disk_item *i, *after;
	TABLE_EACH(d->table, i, after) {
		const struct cache_copy *c = i->copy;
		if (i->is_gone)
			break; /* so are all */
		const struct cache_known known = {
			&c->key, c->scope, (size_t)c->about_bytes + c->body_bytes};
		if (goes(context, &known))
			item_remove(d, i);
	}
	if (d->state == DISK_READY)
		places_remove_if(d, goes, context);
	disk_soon(d);
}

void cache_disk_doom_scope(struct cache_disk *d, uint64_t scope)
{
	doom(d, &(struct disk_doom){.kind = DOOM_SCOPE, .scope = scope});
}

void cache_disk_doom_longer(struct cache_disk *d, size_t bytes)
{
	doom(d, &(struct disk_doom){.kind = DOOM_LONGER, .bytes = bytes});
}

void cache_disk_clear(struct cache_disk *d)
{
	struct disk_item *i, *after;
	TABLE_EACH(d->table, i, after) {
		if (!i->place)
			disk_item_drop(d, i);
	}
	disk_forget(d);
}

void cache_disk_make_sure(struct cache_disk *d, struct cache_clearing *t)
{
	t->list = &d->asked;
	LIST_PUSH(d->asked, t);
	disk_make_sure(d);
}

void cache_disk_leave_sure(struct cache_clearing *t)
{
	if (t->list)
		LIST_REMOVE(*t->list, t);
	t->list = NULL;
}
