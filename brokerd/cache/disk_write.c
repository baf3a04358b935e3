/* disk_write.c - when is what was put written? */
#include "brokerd/cache/disk_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "brokerd/log/log.h"
#include "protocol/base/list.h"

#define BATCH           32 /* so many, or so much, are written at once, */
#define BATCH_BYTES     MIB
#define BATCH_US        INT64_C(200000) /* and what has waited so long */
#define BATCH_MAX       256             /* of one job */
#define BATCH_MAX_BYTES (8 * MIB)
#define FULL_US         INT64_C(5000000) /* a disk that was full is believed to be for so long */
#define WAITING_BYTES   (64 * MIB)

/* ---- one that waits, or is under way ---- */

static size_t bytes_of(const struct disk_item *i)
{
	return sizeof *i + i->copy->about_bytes + i->copy->body_bytes;
}

static void item_free(struct cache_disk *d, struct disk_item *i)
{
	d->waiting_bytes -= bytes_of(i);
	cache_copy_drop(i->copy);
	free(i);
}

void disk_item_leave(struct cache_disk *d, struct disk_item *i)
{
	TABLE_REMOVE(d->table, i);
	i->is_gone = true;
	i->place = NULL;
}

void disk_item_drop(struct cache_disk *d, struct disk_item *i)
{
	TABLE_REMOVE(d->table, i);
	LIST_REMOVE(d->list, i);
	d->n_list--;
	item_free(d, i);
}

/* There may be room on the disk again: some must be put there to know. */
static void try_room(struct cache_disk *d)
{
	if (d->limit_now == d->limit || d->state != DISK_READY ||
		loop_now_us(d->loop) - d->full_us < FULL_US)
		return;
	d->limit_now = d->limit;
	disk_limit_book(d);
}

void cache_disk_put(struct cache_disk *d, struct cache_copy *c)
{
	cache_disk_remove(d, &c->key);
	try_room(d);
	if (d->state == DISK_OFF ||
		(int64_t)cache_record_bytes(c->about_bytes, c->body_bytes) > d->limit_now / 2)
		return;
	struct disk_item *i = disk_take(sizeof *i);
	i->copy = c;
	if (d->waiting_bytes + bytes_of(i) > WAITING_BYTES) {
		d->dropped++;
		free(i);
		return;
	}
	(void)cache_copy_hold(c);
	TABLE_ADD(d->table, i, c->key.bytes, sizeof c->key.bytes);
	LIST_PUSH(d->list, i);
	d->n_list++;
	d->waiting_bytes += bytes_of(i);
	disk_soon(d);
}

struct cache_copy *cache_disk_waiting(const struct cache_disk *d, const struct cache_key *key)
{
	struct disk_item *i;
	TABLE_FIND(d->table, i, key->bytes, sizeof key->bytes);
	return i ? i->copy : NULL;
}

void cache_disk_each_waiting(
	struct cache_disk *d, void (*tell)(void *context, struct cache_copy *c), void *context)
{
	struct disk_item *i, *after;
	TABLE_EACH(d->table, i, after) {
		tell(context, i->copy);
	}
}

/* ---- to a worker ---- */

/* Gives a worker what waits, and a place to each. */
static void write_now(struct cache_disk *d)
{
	struct disk_work *w = disk_work_new(d, DISK_ACT_WRITE);
	size_t n = 0, bytes = 0;
	disk_asked_give(d, w);
	w->is_clear = d->is_clear;
	w->is_noted = d->is_noted;
	d->is_clear = d->is_noted = false;
	buf_move(&w->erasures, &d->erasures);
	w->cut = d->cut;
	d->cut = -1;
	while (d->list && n < BATCH_MAX && bytes < BATCH_MAX_BYTES) {
		struct disk_item *i = d->list;
		const struct cache_copy *c = i->copy;
		const struct cache_head head = {.key = c->key,
			.seq = c->seq,
			.scope = c->scope,
			.kept_s = c->kept_s,
			.about_bytes = c->about_bytes,
			.body_bytes = c->body_bytes};
		i->place = c->kept_s > w->now_s ? cache_book_add(d->book, &head, w->now_s) : NULL;
		if (!i->place) {
			disk_item_drop(d, i);
			continue;
		}
		i->block = i->place->block;
		LIST_REMOVE(d->list, i);
		d->n_list--;
		LIST_PUSH(w->items, i);
		n++;
		bytes += bytes_of(i);
	}
	d->is_writing = true;
	disk_submit(w);
}

static bool is_work(const struct cache_disk *d)
{
	return d->list || d->erasures.n > 0 || d->is_clear || d->cut >= 0 || d->asked;
}

void cache_disk_flush(struct cache_disk *d)
{
	loop_timer_stop(&d->timer);
	if (d->state == DISK_AWAY && d->list)
		disk_scan(d);
	else if (d->state == DISK_READY && !d->is_writing && is_work(d))
		write_now(d);
}

void disk_on_timer(struct loop_timer *t)
{
	cache_disk_flush(container_of(t, struct cache_disk, timer));
}

void disk_soon(struct cache_disk *d)
{
	const bool can =
		(d->state == DISK_READY && !d->is_writing) || (d->state == DISK_AWAY && d->list);
	if (!can || !is_work(d))
		return;
	if (d->n_list >= BATCH || d->waiting_bytes >= BATCH_BYTES || d->asked)
		cache_disk_flush(d);
	else if (!d->timer.loop)
		loop_timer_set(d->loop, &d->timer, BATCH_US);
}

void disk_write_rest(struct cache_disk *d)
{
	while (d->state == DISK_READY && is_work(d))
		write_now(d);
}

/* ---- back from it ---- */

void disk_say_failed(struct cache_disk *d, int cause)
{
	char text[256];
	if (!d->cause)
		log_warn("cache.disk", "note=\"answers are not kept on disk\" why=%s",
			log_quote(text, sizeof text, span_str(strerror(cause))));
	d->cause = cause;
}

/* More is there, or, where it was not room that was wanting, something new is. */
static void say_well(struct cache_disk *d, bool has_grown)
{
	if (!d->cause || (d->is_short && !has_grown))
		return;
	log_info("cache.disk", "note=\"answers are kept on disk again\"");
	d->cause = 0;
	d->is_short = false;
}

static void say_dropped(struct cache_disk *d)
{
	if (d->dropped > 0 && d->waiting_bytes == 0) {
		log_warn("cache.disk",
			"note=\"more came than could be written: some are not kept on disk\" "
			"dropped=%" PRIu64,
			d->dropped);
		d->dropped = 0;
	}
}

static uint32_t blocks_of(const struct cache_copy *c)
{
	const size_t n = cache_record_bytes(c->about_bytes, c->body_bytes);
	return (uint32_t)((n + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES);
}

static void item_done(struct cache_disk *d, struct disk_item *i, bool is_ours, bool has_failed)
{
	struct cache_place *p = i->place;
	if (!i->is_gone)
		TABLE_REMOVE(d->table, i);
	if (p && has_failed)
		cache_book_remove(d->book, p);
	else if (p)
		p->is_busy = false;
	/* what lay under it may be there still */
	if (is_ours && has_failed)
		disk_erase(d, i->block, blocks_of(i->copy));
	item_free(d, i);
}

void disk_write_done(struct cache_disk *d, struct disk_work *w)
{
	const bool is_ours = w->file == d->file;
	const bool has_written = w->items && !w->cause;
	struct disk_item *i, *after;
	LIST_EACH_SAFE(w->items, i, after) {
		LIST_REMOVE(w->items, i);
		item_done(d, i, is_ours, w->cause != 0);
	}
	if (w->cause)
		disk_say_failed(d, w->cause);
	else if (has_written && is_ours)
		say_well(d, cache_book_stats(d->book).bytes > d->written_bytes);
	say_dropped(d);
	if (w->has_lost)
		disk_forget(d);
	if (!is_ours)
		return;
	d->is_writing = false;
	d->fd = w->fd;
	memcpy(d->id, w->id, sizeof d->id);
	if (w->has_lost) {
		disk_leave(d, DISK_AWAY);
	} else if (w->cause == 0) {
		d->written_bytes = cache_book_stats(d->book).bytes;
	} else if (w->cause == ENOSPC || w->cause == EDQUOT || w->cause == EFBIG) {
		d->is_short = d->written_bytes < d->limit;
		d->full_us = loop_now_us(d->loop);
		d->limit_now = d->written_bytes < d->limit_now ? d->written_bytes : d->limit_now;
		disk_limit_book(d);
	}
}
