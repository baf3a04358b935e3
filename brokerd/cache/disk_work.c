/* disk_work.c - first what is erased, then what is written, so that a place is free before it is taken and of two answers to one
 * question at most the newer is there, whenever we are killed. */
#include "brokerd/cache/disk_work.h"

#include <errno.h>

#include "protocol/base/list.h"

#define SCAN_BYTES ((int64_t)(8 * MIB)) /* of a scan, before others have their turn */

static void scan_run(struct disk_work *w)
{
	if (!w->is_begun) {
		/* too much is noted, or nobody knows what: then all goes */
		w->is_clear = !cache_file_noted(w->file->dir, &w->scopes) || w->is_clear;
		errno = 0;
		w->found = cache_file_open(w->file);
		if (w->found == FILE_FOUND && w->is_clear && !cache_file_clear(w->file))
			w->found = FILE_FAILED;
		if (w->found == FILE_FAILED)
			w->cause = errno ? errno : EIO;
		w->book = cache_book_new(w->limit);
		(void)cache_file_cut(w->file, w->limit);
	}
	w->is_begun = true;
	w->is_whole = w->found != FILE_FOUND ||
		      cache_file_scan(w->file, w->book, w->now_s, SCAN_BYTES, &w->block);
	if (w->is_whole)
		cache_book_settle(w->book);
}

static bool erase_all(struct disk_work *w)
{
	const struct disk_erasure *e = (const struct disk_erasure *)(const void *)w->erasures.p;
	if (w->is_clear && !cache_file_clear(w->file))
		return false;
	for (size_t i = 0; i < w->erasures.n / sizeof *e; i++) {
		if (!cache_file_erase(w->file, e[i].block, e[i].blocks))
			return false;
	}
	return w->cut < 0 || cache_file_cut(w->file, w->cut);
}

static void write_run(struct disk_work *w)
{
	OWNED(buf_done) struct buf room = BUF_INIT(FILE_RECORD_MAX);
	struct disk_item *i;
	errno = 0;
	if (!erase_all(w)) {
		/* what should be gone is not: then nothing may be left */
		w->cause = errno ? errno : EIO;
		w->has_lost = true;
		if (!cache_file_clear(w->file) && !cache_file_remove(w->file->dir))
			w->gone_cause = w->cause;
		return;
	}
	if ((w->is_asked || w->is_noted) && !cache_file_sync(w->file))
		w->gone_cause = errno ? errno : EIO;
	else if (w->is_noted)
		cache_file_unnote(w->file->dir);
	errno = 0;
	LIST_EACH(w->items, i) {
		if (!cache_file_write(w->file, i->copy, i->block, &room)) {
			w->cause = errno ? errno : EIO;
			return;
		}
	}
}

void disk_work_run(struct job *j)
{
	struct disk_work *w = container_of(j, struct disk_work, job);
	switch (w->act) {
	case DISK_ACT_SCAN:
		scan_run(w);
		break;
	case DISK_ACT_WRITE:
		write_run(w);
		break;
	case DISK_ACT_CLOSE:
		cache_file_done(w->file);
		return;
	case DISK_ACT_REMOVE:
		w->cause = w->gone_cause = cache_file_remove(w->dir) ? 0 : errno;
		return;
	case DISK_ACT_NOTE:
		w->cause = w->gone_cause =
			cache_file_note(w->dir, buf_view(&w->scopes)) ? 0 : errno;
		return;
	}
	w->fd = w->file->fd;
	memcpy(w->id, w->file->id, sizeof w->id);
}
