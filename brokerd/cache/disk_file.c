/* disk_file.c - when is there a file, and how large may it be? */
#include "brokerd/cache/disk_parts.h"

#include <sodium.h>

#include "brokerd/log/log.h"

/* ---- it is opened and left ---- */

void disk_scan(struct cache_disk *d)
{
	d->file = disk_take(sizeof *d->file);
	cache_file_init(d->file, d->dir, d->key);
	d->state = DISK_SCANNING;
	struct disk_work *w = disk_work_new(d, DISK_ACT_SCAN);
	w->is_clear = d->is_clear;
	d->is_clear = false;
	disk_submit(w);
}

static void book_drop(struct cache_disk *d)
{
	if (d->book) {
		const struct cache_book_stats stats = cache_book_stats(d->book);
		d->evicted += stats.evicted;
		d->expired += stats.expired;
	}
	cache_book_free(TAKE(d->book));
}

void disk_leave(struct cache_disk *d, enum disk_state to)
{
	struct disk_item *i, *after;
	loop_timer_stop(&d->timer);
	disk_read_stop(d);
	TABLE_EACH(d->table, i, after) {
		if (i->place)
			disk_item_leave(d, i);
		else if (to == DISK_OFF)
			disk_item_drop(d, i);
	}
	if (d->file)
		disk_submit(disk_work_new(d, DISK_ACT_CLOSE));
	book_drop(d);
	buf_clear(&d->erasures);
	d->file = NULL;
	d->fd = -1;
	d->cut = -1;
	d->is_writing = false;
	d->state = to;
	disk_make_sure(d);
}

/* What is to go from the file, as was noted while it could not be opened. */
static void heed_notes(struct cache_disk *d, const struct disk_work *w)
{
	uint64_t scope;
	d->is_noted = true;
	/* it could not be opened now either */
	d->is_clear = d->is_clear || (w->cause && (w->is_clear || w->scopes.n > 0));
	for (size_t at = 0; at < w->scopes.n; at += sizeof scope) {
		memcpy(&scope, w->scopes.p + at, sizeof scope);
		cache_disk_doom_scope(d, scope);
	}
}

void disk_limit_book(struct cache_disk *d)
{
	struct disk_item *i, *after;
	const int64_t bytes = d->limit_now;
	TABLE_EACH(d->table, i, after) {
		if (i->place &&
			(int64_t)i->block * (int64_t)CACHE_BLOCK_BYTES + i->place->bytes > bytes)
			disk_item_leave(d, i);
	}
	if (cache_book_stats(d->book).bytes > bytes)
		d->cut = bytes;
	cache_book_limit(d->book, bytes);
}

void disk_scan_done(struct cache_disk *d, struct disk_work *w)
{
	struct disk_item *i, *after;
	if (w->found == FILE_STRANGE)
		log_warn("cache.disk",
			"note=\"the file of answers is damaged, or of another version or "
			"vault: it is removed\"");
	if (w->cause)
		disk_say_failed(d, w->cause);
	heed_notes(d, w);
	d->book = TAKE(w->book);
	d->fd = w->fd;
	memcpy(d->id, w->id, sizeof d->id);
	d->state = DISK_READY;
	d->has_said_damaged = false;
	if (d->is_clear)
		disk_forget(d);
	disk_fulfil(d);
	disk_limit_book(d);
	TABLE_EACH(d->table, i, after) /* what came meanwhile is newer */
	{
		struct cache_place *p = cache_book_find(d->book, &i->copy->key);
		if (p)
			disk_place_remove(d, p);
	}
	d->written_bytes = cache_book_stats(d->book).bytes;
}

/* ---- what others see ---- */

void cache_disk_limit(struct cache_disk *d, int64_t bytes)
{
	bytes -= bytes % (int64_t)CACHE_BLOCK_BYTES;
	d->limit = d->limit_now = bytes;
	d->is_short = false;
	if (bytes == 0) {
		d->cause = 0;
		disk_leave(d, DISK_OFF);
		disk_remove_file(d);
	} else if (d->state == DISK_READY) {
		disk_limit_book(d);
		disk_soon(d);
	} else if (d->state == DISK_OFF && d->has_key) {
		disk_scan(d);
	}
}

void cache_disk_open(struct cache_disk *d, const unsigned char key[CACHE_SEAL_BYTES])
{
	const bool is_same = d->has_key && sodium_memcmp(d->key, key, sizeof d->key) == 0;
	if (is_same && d->state != DISK_OFF && d->state != DISK_AWAY)
		return;
	if (!is_same && d->has_key)
		cache_disk_close(d);
	memcpy(d->key, key, sizeof d->key);
	d->has_key = true;
	if (d->limit > 0)
		disk_scan(d);
}

void cache_disk_close(struct cache_disk *d)
{
	disk_write_rest(d);
	disk_leave(d, DISK_OFF);
	d->has_key = false;
	sodium_memzero(d->key, sizeof d->key);
}

void cache_disk_let_go(struct cache_disk *d)
{
	if (d->state != DISK_READY && d->state != DISK_SCANNING)
		return;
	disk_write_rest(d);
	disk_leave(d, DISK_AWAY);
}

bool cache_disk_sweep(struct cache_disk *d, int64_t now_s, size_t buckets)
{
	if (d->state != DISK_READY)
		return true;
	return cache_book_sweep(d->book, now_s, buckets);
}
