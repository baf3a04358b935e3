/* disk_rows.c - what is told of many that are on disk? */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/cache/disk_parts.h"

#define ROWS_MOST 32 /* before others have their turn */

struct rows_work {
	struct job job;
	struct cache_disk *disk;
	struct cache_rows *rows;
	size_t done;
	struct cache_seal seal;
	int fd; /* -1: there is nothing to read from */
	unsigned char id[CACHE_FILE_ID];
};

static void read_row(const struct rows_work *w, struct cache_row *r)
{
	OWNED(buf_done) struct buf head = BUF_INIT(CACHE_HEAD_MAX);
	const size_t n = r->bytes < CACHE_HEAD_MAX ? r->bytes : CACHE_HEAD_MAX;
	r->is_read = cache_file_read(w->fd, r->block, n, &head) &&
		     cache_record_head(&w->seal, (struct cache_spot){w->id, r->block},
			     buf_view(&head), &r->head, r->about) &&
		     memcmp(r->head.key.bytes, r->key.bytes, sizeof r->key.bytes) == 0;
}

static void run(struct job *j)
{
	struct rows_work *w = container_of(j, struct rows_work, job);
	for (unsigned i = 0; i < ROWS_MOST && w->done < w->rows->n; i++)
		read_row(w, &w->rows->list[w->done++]);
}

static void on_done(struct job *j)
{
	struct rows_work *w = container_of(j, struct rows_work, job);
	struct cache_rows *rows = w->rows;
	if (w->fd >= 0 && w->done < rows->n) {
		workers_submit(w->disk->workers, j, DISK_READ_LANE);
		return;
	}
	if (w->fd >= 0)
		(void)close(w->fd);
	cache_seal_wipe(&w->seal);
	free(w);
	rows->on_read(rows);
}

static void nothing(struct job *j)
{
	(void)j;
}

void cache_disk_read_rows(struct cache_disk *d, struct cache_rows *r)
{
	struct rows_work *w = disk_take(sizeof *w);
	const bool can = d->state == DISK_READY && d->fd >= 0 && r->n > 0;
	w->disk = d;
	w->rows = r;
	w->fd = can ? fcntl(d->fd, F_DUPFD_CLOEXEC, 0) : -1;
	w->job = (struct job){.run = w->fd >= 0 ? run : nothing, .on_done = on_done};
	if (w->fd >= 0)
		w->seal = d->file->seal;
	memcpy(w->id, d->id, sizeof w->id);
	workers_submit(d->workers, &w->job, DISK_READ_LANE);
}

bool cache_disk_has(const struct cache_disk *d, const struct cache_key *key, uint64_t seq)
{
	const struct cache_copy *c = cache_disk_waiting(d, key);
	const struct cache_place *p =
		!c && d->state == DISK_READY ? cache_book_find(d->book, key) : NULL;
	return (c && c->seq == seq) || (p && p->seq == seq);
}
