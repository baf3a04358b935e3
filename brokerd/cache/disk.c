/* disk.c - its struct, and jobs as they come back: each part of the question has a file of its own (disk_parts.h). */
#include "brokerd/cache/disk.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/cache/disk_parts.h"
#include "brokerd/log/log.h"

#define LANE           6 /* of the workers */
#define ERASURES_BYTES (8 * MIB)
#define SCOPES_BYTES   KIB /* of what is noted beside a file, or is to be */

static void done(struct job *j);

void *disk_take(size_t bytes)
{
	void *p = calloc(1, bytes);
	if (!p)
		abort();
	return p;
}

int64_t disk_now_s(const struct cache_disk *d)
{
	return loop_wall_us(d->loop) / 1000000;
}

/* ---- jobs ---- */

struct disk_work *disk_work_new(struct cache_disk *d, enum disk_act act)
{
	struct disk_work *w = disk_take(sizeof *w);
	w->job = (struct job){.run = disk_work_run, .on_done = done};
	w->act = act;
	w->disk = d;
	w->file = d->file;
	w->now_s = disk_now_s(d);
	w->limit = d->limit_now;
	w->cut = -1;
	w->fd = -1;
	buf_init(&w->erasures, ERASURES_BYTES);
	buf_init(&w->scopes, SCOPES_BYTES);
	memcpy(w->dir, d->dir, sizeof w->dir);
	return w;
}

static void work_free(struct disk_work *w)
{
	cache_book_free(w->book);
	buf_done(&w->erasures);
	buf_done(&w->scopes);
	free(w);
}

void disk_submit(struct disk_work *w)
{
	workers_submit(w->disk->workers, &w->job, LANE);
}

static void done(struct job *j)
{
	struct disk_work *w = container_of(j, struct disk_work, job);
	struct cache_disk *d = w->disk;
	char text[256];
	switch (w->act) {
	case DISK_ACT_SCAN:
		if (w->file == d->file && !w->is_whole) {
			disk_submit(w);
			return;
		}
		if (w->file == d->file)
			disk_scan_done(d, w);
		else if (w->cause && w->is_clear)
			disk_forget(d); /* it was not cleared: the next one is */
		break;
	case DISK_ACT_WRITE:
		disk_write_done(d, w);
		break;
	case DISK_ACT_CLOSE:
		free(w->file);
		break;
	case DISK_ACT_REMOVE:
		if (w->cause)
			log_warn("cache.disk",
				"note=\"the file of answers cannot be removed\" why=%s",
				log_quote(text, sizeof text, span_str(strerror(w->cause))));
		if (w->cause && d->limit > 0)
			disk_forget(d);
		break;
	case DISK_ACT_NOTE:
		break;
	}
	disk_asked_tell(&w->asked, w->gone_cause);
	work_free(w);
	disk_soon(d);
}

/* ---- what others see ---- */

struct cache_disk *cache_disk_new(
	struct loop *l, struct workers *w, const char *dir, struct disk_reader reader)
{
	struct cache_disk *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	d->loop = l;
	d->workers = w;
	d->fd = -1;
	d->cut = -1;
	LOOP_CALLS(&d->timer, on_fire, disk_on_timer);
	buf_init(&d->erasures, ERASURES_BYTES);
	buf_init(&d->dooms, DISK_DOOMS_BYTES);
	d->reader = reader;
	disk_read_init(d);
	(void)snprintf(d->dir, sizeof d->dir, "%.3900s", dir);
	return d;
}

void cache_disk_free(struct cache_disk *d)
{
	struct disk_item *i, *after;
	if (!d)
		return;
	loop_timer_stop(&d->timer);
	TABLE_EACH(d->table, i, after) {
		disk_item_drop(d, i);
	}
	if (d->file)
		cache_file_done(d->file);
	/* what was to go before it was found goes with all else: none is to come back */
	if ((disk_is_doomed(d) || d->is_clear) && d->limit > 0)
		(void)cache_file_remove(d->dir);
	while (d->asked)
		cache_disk_leave_sure(d->asked);
	free(d->file);
	cache_book_free(d->book);
	buf_done(&d->erasures);
	buf_done(&d->dooms);
	disk_read_done(d);
	sodium_memzero(d->key, sizeof d->key);
	free(d);
}

struct cache_place *cache_disk_newest(const struct cache_disk *d)
{
	return d->book ? cache_book_newest(d->book) : NULL;
}

struct cache_disk_stats cache_disk_stats(const struct cache_disk *d)
{
	struct cache_book_stats book = {.n = 0};
	if (d->book)
		book = cache_book_stats(d->book);
	return (struct cache_disk_stats){
		.n = book.n + d->n_list,
		.bytes = book.bytes,
		.evicted = d->evicted + book.evicted,
		.expired = d->expired + book.expired,
		.damaged = d->damaged,
		.is_open = d->state == DISK_READY,
		.is_read = d->state == DISK_SCANNING,
		.cause = d->cause,
	};
}
