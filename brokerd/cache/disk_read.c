/* disk_read.c - who waits for what is read?
 * A read is of one place, and has a key and a descriptor of its own: whatever becomes of the file meanwhile, it can be gone on
 * with. What it brings counts only if the book still has that place when it is told. */
#include "brokerd/cache/disk_parts.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "protocol/base/list.h"

#define READS_MOST 64
#define READ_BYTES (128 * MIB)
#define READ_US    INT64_C(1000000) /* who has waited so long waits no more */
#define TELL_MOST  16               /* in one turn of the loop; a long one counts as several */
#define TELL_BYTES (64 * KIB)

struct disk_read {
	TABLE_LINK;
	struct disk_read *prev, *next;
	struct job job;
	struct cache_disk *disk;
	struct cache_wait *waits;
	struct loop_timer patience;
	bool is_back;
	bool is_off;  /* it is in no table: what it brings is nobody's */
	bool is_late; /* it comes to memory, but nobody waits for it */
	/* the worker's */
	struct cache_seal seal;
	int fd;
	unsigned char id[CACHE_FILE_ID];
	struct cache_key key;
	uint64_t seq;
	uint32_t block, bytes;
	struct cache_copy *copy; /* NULL: */
	bool is_damaged; /* it is not what was sealed there; else there is no memory for it */
};

/* ---- on a worker ---- */

/* NULL: it is not what was sealed there, or there is no memory for it. */
static struct cache_copy *unseal(struct disk_read *r, struct span record)
{
	const struct cache_spot at = {r->id, r->block};
	struct cache_head h;
	char about[CACHE_ABOUT_BYTES];
	r->is_damaged = !cache_record_head(&r->seal, at, record, &h, about) ||
			memcmp(h.key.bytes, r->key.bytes, sizeof h.key.bytes) != 0;
	struct cache_copy *c =
		r->is_damaged ? NULL : cache_copy_new(&h.key, h.about_bytes, h.body_bytes);
	if (!c)
		return NULL;
	c->seq = h.seq;
	c->scope = h.scope;
	c->at_s = h.at_s;
	c->fresh_s = h.fresh_s;
	c->kept_s = h.kept_s;
	memcpy(c->bytes, about, h.about_bytes);
	r->is_damaged = !cache_record_body(&r->seal, at, record, &h, c->bytes + h.about_bytes);
	if (!r->is_damaged)
		return c;
	cache_copy_drop(c);
	return NULL;
}

static void run(struct job *j)
{
	struct disk_read *r = container_of(j, struct disk_read, job);
	OWNED(buf_done) struct buf record = BUF_INIT(FILE_RECORD_MAX);
	if (cache_file_read(r->fd, r->block, r->bytes, &record))
		r->copy = unseal(r, buf_view(&record));
	else
		r->is_damaged = buf_error(&record) == OK;
	(void)close(r->fd);
	cache_seal_wipe(&r->seal);
}

/* ---- a read ---- */

static void take_off(struct cache_disk *d, struct disk_read *r)
{
	if (!r->is_off)
		TABLE_REMOVE(d->read_table, r);
	r->is_off = true;
}

static void read_free(struct cache_disk *d, struct disk_read *r)
{
	struct cache_wait *w, *after;
	LIST_EACH_SAFE(r->waits, w, after) {
		cache_disk_leave(w);
	}
	take_off(d, r);
	loop_timer_stop(&r->patience);
	LIST_REMOVE(d->reads, r);
	d->n_reads--;
	d->read_bytes -= r->bytes;
	cache_copy_drop(r->copy);
	free(r);
}

/* Where it is to be read; NULL: it went, or lies elsewhere by now. */
static struct cache_place *place_of(const struct cache_disk *d, const struct disk_read *r)
{
	struct cache_place *p =
		d->state == DISK_READY && !r->is_off ? cache_book_find(d->book, &r->key) : NULL;
	return p && !p->is_busy && p->seq == r->seq && p->block == r->block ? p : NULL;
}

static bool is_of(const struct disk_read *r, const struct cache_key *key)
{
	return r && memcmp(r->key.bytes, key->bytes, sizeof key->bytes) == 0;
}

/* Is there nothing that its waiters may still wait for? */
static bool is_over(const struct disk_read *r)
{
	return r->is_back || r->is_off || r->is_late;
}

static void tell_one(struct cache_disk *d, struct disk_read *r)
{
	struct cache_wait *w = r->waits;
	if (!place_of(d, r))
		take_off(d, r);
	cache_disk_leave(w);
	d->told = r;
	w->on_come(w);
	d->told = NULL;
}

static void on_tell(struct loop_task *t)
{
	struct cache_disk *d = container_of(t, struct cache_disk, tell);
	struct disk_read *r, *after;
	int64_t left = TELL_MOST;
	LIST_EACH_SAFE(d->reads, r, after) {
		for (; is_over(r) && r->waits && left > 0;
			left -= 1 + r->bytes / (int64_t)TELL_BYTES)
			tell_one(d, r);
		if (r->is_back && !r->waits)
			read_free(d, r);
	}
	if (left <= 0)
		loop_later(d->loop, &d->tell);
}

static void is_not_as_written(struct cache_disk *d, struct cache_place *p)
{
	if (!d->has_said_damaged)
		log_warn("cache.disk",
			"note=\"an answer on disk is not as it was written: it is removed\"");
	d->has_said_damaged = true;
	d->damaged++;
	disk_place_remove(d, p);
	disk_soon(d);
}

static void on_done(struct job *j)
{
	struct disk_read *r = container_of(j, struct disk_read, job);
	struct cache_disk *d = r->disk;
	struct cache_place *p = place_of(d, r);
	loop_timer_stop(&r->patience);
	r->is_back = true;
	if (p && r->copy)
		d->reader.on_read(d->reader.context, r->copy);
	else if (p && r->is_damaged)
		is_not_as_written(d, p);
	loop_later(d->loop, &d->tell);
}

static void on_patience(struct loop_timer *t)
{
	struct disk_read *r = container_of(t, struct disk_read, patience);
	r->is_late = true;
	loop_later(r->disk->loop, &r->disk->tell);
}

/* NULL: there are too many, or too few descriptors. */
static struct disk_read *begin(struct cache_disk *d, const struct cache_place *p)
{
	if (d->n_reads >= READS_MOST ||
		(d->n_reads > 0 && d->read_bytes + p->bytes > (int64_t)READ_BYTES))
		return NULL;
	const int fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	struct disk_read *r = disk_take(sizeof *r);
	r->job = (struct job){.run = run, .on_done = on_done};
	r->disk = d;
	LOOP_CALLS(&r->patience, on_fire, on_patience);
	r->seal = d->file->seal;
	r->fd = fd;
	memcpy(r->id, d->id, sizeof r->id);
	r->key = p->key;
	r->seq = p->seq;
	r->block = p->block;
	r->bytes = p->bytes;
	LIST_PUSH(d->reads, r);
	TABLE_ADD(d->read_table, r, r->key.bytes, sizeof r->key.bytes);
	d->n_reads++;
	d->read_bytes += r->bytes;
	loop_timer_set(d->loop, &r->patience, READ_US);
	workers_submit(d->workers, &r->job, DISK_READ_LANE);
	return r;
}

void disk_read_init(struct cache_disk *d)
{
	LOOP_CALLS(&d->tell, on_run, on_tell);
}

void disk_read_stop(struct cache_disk *d)
{
	struct disk_read *r;
	LIST_EACH(d->reads, r) {
		take_off(d, r);
		loop_later(d->loop, &d->tell);
	}
}

void disk_read_done(struct cache_disk *d)
{
	loop_task_stop(&d->tell);
	while (d->reads)
		read_free(d, d->reads);
}

/* ---- what others see ---- */

bool cache_disk_knows(const struct cache_disk *d, const struct cache_key *key, int64_t now_s)
{
	const struct cache_place *p = d->state == DISK_READY ? cache_book_find(d->book, key) : NULL;
	return p && !p->is_busy && p->kept_s > now_s;
}

bool cache_disk_get(
	struct cache_disk *d, const struct cache_key *key, int64_t now_s, struct cache_wait *w)
{
	struct cache_place *p = d->state == DISK_READY ? cache_book_find(d->book, key) : NULL;
	struct disk_read *r;
	assert(!w->read);
	if (!p || p->is_busy || is_of(d->told, key))
		return false;
	if (p->kept_s <= now_s) {
		d->expired++;
		disk_place_remove(d, p);
		disk_soon(d);
		return false;
	}
	TABLE_FIND(d->read_table, r, key->bytes, sizeof key->bytes);
	if (r && !place_of(d, r)) {
		take_off(d, r); /* it reads what was there before */
		loop_later(d->loop, &d->tell);
		r = NULL;
	}
	if (!r)
		r = begin(d, p);
	if (!r || r->is_late)
		return false;
	if (p->used < 3)
		p->used++;
	w->read = r;
	LIST_PUSH(r->waits, w);
	return true;
}

void cache_disk_leave(struct cache_wait *w)
{
	if (!w->read)
		return;
	LIST_REMOVE(w->read->waits, w);
	w->read = NULL;
}

struct cache_copy *cache_disk_come(const struct cache_disk *d, const struct cache_key *key)
{
	const struct disk_read *r = d->told;
	return is_of(r, key) && r->is_back && !r->is_off ? r->copy
							 : NULL; /* till then it is the worker's */
}
