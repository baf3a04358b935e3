/* journal.c - one half is filled while the other's records move to the ledger.
 * A record counts once the word of its length and sum is stored, after its bytes and after the word
 * behind it was zeroed: whatever instruction a kill hits, the file ends in a whole record. When a half
 * is full, the reservations still open are written again at the start of the other, so that a half
 * whose ended records are in the ledger holds nothing that is needed. */
#include "brokerd/ledger/journal.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/crc32c.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/base/table.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses it, and is slower */
#endif

#define GROUP_BYTES ((size_t)256 * 1024)  /* as much as is moved at once, at the latest */
#define GROUP_US    INT64_C(1000000)      /* and as long as a record waits to be */
#define RETRY_US    INT64_C(1000000)      /* after the ledger could not be written */
#define ROWS        128                   /* a transaction */
#define EPOCH       (UINT64_C(1) << 32)   /* sequences between two openings */
#define HALF_MIN    ((uint64_t)64 * 1024) /* what a file may say of itself */
#define HALF_MAX    ((uint64_t)1024 * 1024 * 1024)

/* What one open exchange can need in a half that is begun anew. */
#define ASIDE_BYTES(attempts) (RECORD_EXCHANGE_BYTES + (attempts) * (size_t)RECORD_ATTEMPT_BYTES)

static const char magic[16] = "llm-broker jnl\n";
#define FILE_VERSION 1

/* The first page. `sequence` is the one word of it that changes. */
struct page {
	char magic[16];
	uint32_t version; /* little-endian, as all of it */
	uint32_t crc;     /* of the page up to `sequence`, this word as zero */
	uint64_t half_bytes;
	uint64_t sequence; /* no record in the file has a later one, or else replay finds it */
};

struct half {
	unsigned char *p;
	size_t used;  /* bytes of records */
	size_t moved; /* of these, in the ledger */
};

/* An exchange that has not ended. */
struct reservation {
	struct open_record state;
	size_t attempts; /* that space is set aside for */
	TABLE_LINK;
};

struct waiter {
	struct waiter *prev, *next;
	uint64_t sequence; /* what it waits for */
	struct journal_reply reply;
};

/* Records of one half on their way to the ledger. There is one at a time. */
struct move {
	struct job job;
	struct journal *journal; /* NULL: closed meanwhile */
	sem_t has_run;

	struct ledger *ledger;
	int fd;
	unsigned char *half;
	size_t half_bytes;
	size_t from, to;
	bool is_last; /* nothing comes after `to`: the half is used again */

	uint64_t sequence; /* of the last record moved */
	enum err err;
	struct fault why;
};

struct journal {
	struct loop *loop;
	struct workers *workers;
	int fd;
	unsigned char *map;
	size_t map_bytes, half_bytes;

	struct half halves[2];
	unsigned active;
	uint64_t sequence, moved_sequence;
	struct reservation *open;
	size_t n_open, aside_bytes; /* what those need of the active half */

	struct loop_timer timer;
	struct move *move;
	bool is_moving;
	struct fault failure; /* why the last move failed; OK: it did not */
	struct waiter *waiters;
	struct loop_task tell;
};

static void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		abort();
	return p;
}

/* ---- words of the map ---- */

static void word_store(void *at, uint64_t word)
{
	atomic_store_explicit((_Atomic uint64_t *)at, word, memory_order_release);
}

static void half_clear(unsigned char *half)
{
	word_store(half, 0);
}

static void page_set_sequence(unsigned char *map, uint64_t sequence)
{
	word_store(map + offsetof(struct page, sequence), htole64(sequence));
}

/* ---- what is open ---- */

static struct reservation *reservation_find(struct reservation *open, const char *id)
{
	struct reservation *r;
	TABLE_FIND(open, r, id, strnlen(id, REQUEST_ID_BYTES));
	return r;
}

static struct reservation *reservation_add(
	struct reservation **open, const struct reserve_record *first)
{
	struct reservation *r = xcalloc(1, sizeof *r);
	r->state.reserve = *first;
	r->state.usage = USAGE_UNKNOWN;
	TABLE_ADD(*open, r, r->state.reserve.id, strnlen(first->id, REQUEST_ID_BYTES));
	return r;
}

static void reservation_end(struct reservation **open, struct reservation *r)
{
	TABLE_REMOVE(*open, r);
	free(r);
}

/* ---- rows on their way ---- */

struct rows {
	struct ledger *ledger;
	struct exchange_record *exchanges;
	struct attempt_record *attempts;
	size_t n_exchanges, n_attempts, total;
};

static void rows_init(struct rows *r, struct ledger *ledger)
{
	*r = (struct rows){.ledger = ledger};
	r->exchanges = xcalloc(ROWS, sizeof *r->exchanges);
	r->attempts = xcalloc(ROWS, sizeof *r->attempts);
}

static void rows_done(struct rows *r)
{
	free(r->exchanges);
	free(r->attempts);
}

static enum err rows_write(struct rows *r, struct fault *why)
{
	const struct ledger_rows rows = {r->exchanges, r->n_exchanges, r->attempts, r->n_attempts};
	if (r->n_exchanges + r->n_attempts == 0)
		return OK;
	const enum err err = ledger_write(r->ledger, &rows, why);
	r->total += r->n_exchanges + r->n_attempts;
	r->n_exchanges = r->n_attempts = 0;
	return err;
}

static enum err rows_attempt(struct rows *r, const struct attempt_record *a, struct fault *why)
{
	r->attempts[r->n_attempts++] = *a;
	return r->n_attempts == ROWS ? rows_write(r, why) : OK;
}

static enum err rows_exchange(struct rows *r, const struct exchange_record *x, struct fault *why)
{
	r->exchanges[r->n_exchanges++] = *x;
	return r->n_exchanges == ROWS ? rows_write(r, why) : OK;
}

/* ---- moving: on a worker's thread ---- */

static enum err move_records(struct move *m, struct rows *rows)
{
	struct record_reader reader = {
		.left = span_of((const char *)m->half + m->from, m->to - m->from)};
	struct record record;
	while (record_next(&reader, &record) == RECORD_FOUND) {
		union record_value v;
		enum err err = record_unpack(&record, &v, &m->why);
		if (err == OK && record.type == RECORD_ATTEMPT)
			err = rows_attempt(rows, &v.attempt, &m->why);
		else if (err == OK && record.type == RECORD_EXCHANGE)
			err = rows_exchange(rows, &v.exchange, &m->why);
		if (err)
			return err;
		m->sequence = record.sequence;
	}
	if (reader.left.n > 0)
		return fault_set(&m->why, ERR_IO,
			"the journal was changed by another program; llm-brokerd cannot go on: "
			"restart it, and leave the state folder to it");
	return rows_write(rows, &m->why);
}

/* Gives back the pages that are not needed any more (the file keeps them), and makes as many ready
 * that will be: a first write to a page costs the loop more than all else here. */
static void move_pages(const struct move *m)
{
	const size_t page = JOURNAL_PAGE_BYTES;
	const size_t from = m->from & ~(page - 1), to = m->to & ~(page - 1);
	size_t ahead = (m->to - m->from + page - 1) & ~(page - 1);
	if (to > from)
		madvise(m->half + from, to - from, MADV_DONTNEED);
	if (ahead > m->half_bytes - to)
		ahead = m->half_bytes - to;
	if (!m->is_last && ahead > 0)
		madvise(m->half + to, ahead, MADV_POPULATE_WRITE);
}

static enum err move_all(struct move *m)
{
	struct rows rows;
	/* first of all: the reservations of what is under way survive a power cut too */
	if (fdatasync(m->fd) != 0)
		return fault_set(&m->why,
			errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
			"syncing the journal failed: %s", strerror(errno));
	rows_init(&rows, m->ledger);
	enum err err = move_records(m, &rows);
	rows_done(&rows);
	if (err == OK && m->is_last)
		err = ledger_sync(m->ledger, &m->why);
	if (err)
		return err;
	if (m->is_last)
		half_clear(m->half);
	move_pages(m);
	return OK;
}

static void move_run(struct job *job)
{
	struct move *m = container_of(job, struct move, job);
	m->err = move_all(m);
	sem_post(&m->has_run);
}

static void move_free(struct move *m)
{
	sem_destroy(&m->has_run);
	free(m);
}

/* ---- moving: on the loop's thread ---- */

static void journal_move(struct journal *j);
static void journal_note(struct journal *j);

static struct half *inactive(struct journal *j)
{
	return &j->halves[1 - j->active];
}

static bool is_satisfied(const struct journal *j, const struct waiter *w)
{
	return w->sequence <= j->moved_sequence;
}

static void tell_first(struct journal *j, const struct fault *why)
{
	struct waiter *w = j->waiters;
	const struct journal_reply reply = w->reply;
	LIST_REMOVE(j->waiters, w);
	free(w);
	reply.on_done(reply.context, why ? why->err : OK, why);
}

static void on_tell(struct loop_task *t)
{
	struct journal *j = container_of(t, struct journal, tell);
	while (j->waiters && is_satisfied(j, j->waiters))
		tell_first(j, NULL);
}

/* All who wait now; not those who begin to while they are told. */
static void tell_failure(struct journal *j)
{
	const struct fault why = j->failure;
	size_t n = 0;
	struct waiter *w;
	LIST_EACH(j->waiters, w)
		n++;
	while (n-- > 0)
		tell_first(j, &why);
}

static void journal_failed(struct journal *j, const struct move *m)
{
	if (j->failure.err == OK)
		log_error("ledger.write", "class=%s why=\"%s\" note=\"kept in the journal\"",
			err_info(m->err)->word, m->why.message);
	j->failure = m->why;
	j->failure.err = m->err;
	loop_timer_set(j->loop, &j->timer, RETRY_US);
	tell_failure(j);
}

/* What was moved is free. */
static void move_apply(struct journal *j, const struct move *m)
{
	struct half *h = &j->halves[m->half == j->halves[1].p];
	h->moved = m->to;
	if (m->sequence > j->moved_sequence)
		j->moved_sequence = m->sequence;
	if (m->is_last)
		h->used = h->moved = 0;
}

static void journal_moved(struct journal *j, const struct move *m)
{
	if (j->failure.err != OK) {
		log_info("ledger.write", "note=\"works again\"");
		j->failure = FAULT_NONE;
	}
	move_apply(j, m);
	/* what came meanwhile waits its time, but for those who wait for it, and a full half */
	on_tell(&j->tell);
	if (j->waiters)
		journal_move(j);
	else
		journal_note(j);
}

static void move_done(struct job *job)
{
	struct move *m = container_of(job, struct move, job);
	struct journal *j = m->journal;
	if (!j) {
		move_free(m);
		return;
	}
	const int failed = sem_trywait(&m->has_run);
	assert(!failed); /* it has run */
	j->is_moving = false;
	if (m->err)
		journal_failed(j, m);
	else
		journal_moved(j, m);
}

/* Says what is to be moved next: the half that is full, then the one being filled. False: nothing. */
static bool move_plan(struct journal *j)
{
	struct move *m = j->move;
	struct half *h = inactive(j);
	m->is_last = h->used > 0;
	if (!m->is_last)
		h = &j->halves[j->active];
	m->half = h->p;
	m->half_bytes = j->half_bytes;
	m->from = h->moved;
	m->to = h->used;
	m->sequence = 0;
	m->err = OK;
	m->why = FAULT_NONE;
	return m->is_last || m->from < m->to;
}

static void journal_move(struct journal *j)
{
	if (j->is_moving || !move_plan(j))
		return;
	loop_timer_stop(&j->timer);
	j->is_moving = true;
	workers_submit(j->workers, &j->move->job, LEDGER_LANE);
}

static void on_timer(struct loop_timer *t)
{
	journal_move(container_of(t, struct journal, timer));
}

void journal_flush(struct journal *j, struct journal_reply reply)
{
	struct waiter *w = xcalloc(1, sizeof *w);
	w->sequence = j->sequence;
	w->reply = reply;
	LIST_PUSH(j->waiters, w);
	if (is_satisfied(j, w))
		loop_later(j->loop, &j->tell);
	else
		journal_move(j);
}

/* ---- writing ---- */

static size_t journal_append(struct journal *j, enum record_type type, const void *record)
{
	unsigned char frame[RECORD_BYTES];
	struct half *h = &j->halves[j->active];
	const size_t at = h->used;
	const size_t n = record_pack(type, record, ++j->sequence, frame);
	unsigned char *to = h->p + at;
	uint64_t word;

	assert(n <= j->half_bytes - at);
	if (at + n < j->half_bytes)
		memset(to + n, 0, sizeof word);
	memcpy(to + sizeof word, frame + sizeof word, n - sizeof word);
	memcpy(&word, frame, sizeof word);
	word_store(to, word);
	h->used += n;
	return at;
}

/* Sees to it that what was written is moved in time. */
static void journal_note(struct journal *j)
{
	const struct half *h = &j->halves[j->active];
	if (j->is_moving || j->failure.err != OK)
		return;
	if (inactive(j)->used > 0 || h->used - h->moved >= GROUP_BYTES)
		journal_move(j);
	else if (h->moved < h->used && !j->timer.loop)
		loop_timer_set(j->loop, &j->timer, GROUP_US);
}

/* Goes on in the other half, which is empty, beginning with what is open. */
static void journal_switch(struct journal *j)
{
	struct reservation *r, *after;
	j->active = 1 - j->active;
	assert(j->halves[j->active].used == 0);
	page_set_sequence(j->map, j->sequence);
	TABLE_EACH(j->open, r, after)
		journal_append(j, RECORD_OPEN, &r->state);
}

/* Can `n` bytes be had in the active half, beside what is set aside? */
static bool has_room(const struct journal *j, size_t n)
{
	return j->half_bytes - j->halves[j->active].used >= j->aside_bytes + n;
}

/* Could they, if the other half were begun with what is open? */
static bool fits_anew(const struct journal *j, size_t n)
{
	return j->n_open * RECORD_OPEN_BYTES + j->aside_bytes + n <= j->half_bytes;
}

static bool can_have(const struct journal *j, size_t n)
{
	return fits_anew(j, n) && (has_room(j, n) || j->halves[1 - j->active].used == 0);
}

static enum err journal_room(struct journal *j, size_t n, struct fault *why)
{
	if (can_have(j, n)) {
		if (!has_room(j, n))
			journal_switch(j);
		return OK;
	}
	if (!fits_anew(j, n))
		return fault_set(why, ERR_STORAGE_FULL,
			"%zu paid requests are open, as many as the journal holds: try again when "
			"some have ended",
			j->n_open);
	if (j->failure.err != OK)
		return fault_set(why, ERR_STORAGE_FULL,
			"the request cannot be recorded, so it is not sent: the journal is full, "
			"for %s",
			j->failure.message);
	return fault_set(why, ERR_STORAGE_FULL,
		"the request cannot be recorded, so it is not sent: the journal is full until the "
		"disk has taken what it holds. Try again in a moment");
}

enum err journal_reserve(struct journal *j, const struct reserve_record *r, struct fault *why)
{
	struct reservation *own = reservation_find(j->open, r->id);
	const size_t attempts = !own ? ATTEMPTS_RESERVED : own->attempts == 0 ? 1 : 0;
	const size_t aside = !own ? ASIDE_BYTES(attempts) : attempts * RECORD_ATTEMPT_BYTES;
	const enum err err = journal_room(j, RECORD_OPEN_BYTES + aside, why);
	if (err)
		return err;

	if (!own) {
		own = reservation_add(&j->open, r);
		j->n_open++;
	}
	own->attempts += attempts;
	j->aside_bytes += aside;
	own->state.reserve = *r;
	own->state.announced = own->state.attempts + 1;
	journal_append(j, RECORD_OPEN, &own->state);
	journal_note(j);
	return OK;
}

enum err journal_attempt(struct journal *j, const struct attempt_record *r, struct fault *why)
{
	struct reservation *own = reservation_find(j->open, r->id);
	if (own && own->attempts > 0) {
		own->attempts--;
		j->aside_bytes -= RECORD_ATTEMPT_BYTES;
	} else {
		const enum err err = journal_room(j, RECORD_ATTEMPT_BYTES, why);
		if (err)
			return err;
	}
	if (own)
		open_record_count(&own->state, r);
	journal_append(j, RECORD_ATTEMPT, r);
	journal_note(j);
	return OK;
}

enum err journal_settle(struct journal *j, const struct exchange_record *r, struct fault *why)
{
	struct reservation *own = reservation_find(j->open, r->id);
	if (own) {
		j->aside_bytes -= ASIDE_BYTES(own->attempts);
		j->n_open--;
		reservation_end(&j->open, own);
	} else {
		const enum err err = journal_room(j, RECORD_EXCHANGE_BYTES, why);
		if (err)
			return err;
	}
	journal_append(j, RECORD_EXCHANGE, r);
	journal_note(j);
	return OK;
}

bool journal_is_writable(const struct journal *j)
{
	return can_have(j, RECORD_OPEN_BYTES + ASIDE_BYTES(ATTEMPTS_RESERVED));
}

/* ---- replay ---- */

struct replay {
	struct rows rows;
	struct reservation *open;
	uint64_t sequence; /* the last one seen */
	size_t unknown;    /* exchanges whose end nobody knows */
	size_t unreadable; /* records, or reasons to keep the file */
	struct fault why;  /* of the last of those */
};

static struct llm_usage estimate(const struct reserve_record *r)
{
	struct llm_usage u = USAGE_UNKNOWN;
	u.input = r->estimate_input;
	u.output = r->estimate_output;
	u.cost_nusd = r->estimate_nusd;
	return u;
}

static int64_t bill(const struct llm_usage *u)
{
	return u->provider_cost_nusd >= 0 ? u->provider_cost_nusd : u->cost_nusd;
}

static enum err replay_unknown_attempt(
	struct replay *p, const struct open_record *o, struct fault *why)
{
	const struct reserve_record *r = &o->reserve;
	struct attempt_record a = {
		.number = o->announced,
		.at_us = r->at_us,
		.outcome = OUTCOME_UNKNOWN,
		.err = ERR_OUTCOME_UNKNOWN,
		.has_sent_body = true, /* as it must be taken to be */
		.sent_bytes = -1,
		.received_bytes = -1,
		.connect_us = -1,
		.first_byte_us = -1,
		.total_us = -1,
		.usage = estimate(r),
		.price = PRICE_UNKNOWN,
	};
	memcpy(a.id, r->id, sizeof a.id);
	memcpy(a.provider, r->provider, sizeof a.provider);
	memcpy(a.model, r->target_model, sizeof a.model);
	return rows_attempt(&p->rows, &a, why);
}

static enum err replay_unknown(struct replay *p, const struct open_record *o, struct fault *why)
{
	const struct reserve_record *r = &o->reserve;
	const struct llm_usage least = estimate(r);
	struct exchange_record x = {
		.at_us = r->at_us,
		.total_us = -1,
		.ttft_us = -1,
		.uid = r->uid,
		.pid = r->pid,
		.outcome = OUTCOME_UNKNOWN,
		.err = ERR_OUTCOME_UNKNOWN,
		.attempts = o->announced ? o->announced : o->attempts,
		.usage = bill(&o->usage) > bill(&least) ? o->usage : least,
		.price = PRICE_UNKNOWN,
	};
	memcpy(x.id, r->id, sizeof x.id);
	memcpy(x.app, r->app, sizeof x.app);
	memcpy(x.program, r->program, sizeof x.program);
	memcpy(x.op, r->op, sizeof x.op);
	memcpy(x.surface, r->surface, sizeof x.surface);
	memcpy(x.model, r->model, sizeof x.model);
	memcpy(x.provider, r->provider, sizeof x.provider);
	memcpy(x.target_model, r->target_model, sizeof x.target_model);
	p->unknown++;
	const enum err err = o->announced ? replay_unknown_attempt(p, o, why) : OK;
	return err ? err : rows_exchange(&p->rows, &x, why);
}

static enum err replay_record(
	struct replay *p, enum record_type type, const union record_value *v, struct fault *why)
{
	struct reservation *own;
	switch (type) {
	case RECORD_OPEN:
		own = reservation_find(p->open, v->open.reserve.id);
		if (!own)
			own = reservation_add(&p->open, &v->open.reserve);
		own->state = v->open;
		return OK;
	case RECORD_ATTEMPT:
		own = reservation_find(p->open, v->attempt.id);
		if (own)
			open_record_count(&own->state, &v->attempt);
		return rows_attempt(&p->rows, &v->attempt, why);
	case RECORD_EXCHANGE:
		own = reservation_find(p->open, v->exchange.id);
		if (own)
			reservation_end(&p->open, own);
		return rows_exchange(&p->rows, &v->exchange, why);
	}
	return OK;
}

static enum err replay_half(struct replay *p, struct span half, struct fault *why)
{
	struct record_reader reader = {.left = half};
	struct record record;
	union record_value v;
	enum record_next found;
	while ((found = record_next(&reader, &record)) == RECORD_FOUND) {
		if (record.sequence > p->sequence)
			p->sequence = record.sequence;
		if (record_unpack(&record, &v, &p->why) != OK) {
			p->unreadable++;
			continue;
		}
		const enum err err = replay_record(p, record.type, &v, why);
		if (err)
			return err;
	}
	if (found == RECORD_TORN && record_is_damaged(&reader)) {
		fault_set(&p->why, ERR_MALFORMED, "records after byte %zu of a half are damaged",
			half.n - reader.left.n);
		p->unreadable++;
	} else if (found == RECORD_TORN) {
		log_warn("journal.torn",
			"note=\"the last record was not whole, as after a power cut\"");
	}
	return OK;
}

/* The sequence of the first record of a half, or UINT64_MAX where there is none. */
static uint64_t first_sequence(struct span half)
{
	struct record_reader reader = {.left = half};
	struct record record;
	return record_next(&reader, &record) == RECORD_FOUND ? record.sequence : UINT64_MAX;
}

static enum err replay_halves(struct replay *p, struct span a, struct span b, struct fault *why)
{
	struct reservation *r, *after;
	const bool is_b_older = first_sequence(b) < first_sequence(a);
	enum err err = replay_half(p, is_b_older ? b : a, why);
	if (err == OK)
		err = replay_half(p, is_b_older ? a : b, why);
	TABLE_EACH(p->open, r, after) {
		if (err == OK)
			err = replay_unknown(p, &r->state, why);
		reservation_end(&p->open, r);
	}
	return err == OK ? rows_write(&p->rows, why) : err;
}

/* Brings what the halves hold into the ledger, durably. */
static enum err journal_replay(
	struct journal *j, struct ledger *ledger, struct replay *p, struct fault *why)
{
	const struct span a = span_of((const char *)j->halves[0].p, j->half_bytes);
	const struct span b = span_of((const char *)j->halves[1].p, j->half_bytes);
	*p = (struct replay){.why = FAULT_NONE};
	rows_init(&p->rows, ledger);
	enum err err = replay_halves(p, a, b, why);
	rows_done(&p->rows);
	if (err == OK && p->rows.total > 0)
		err = ledger_sync(ledger, why);
	if (err == OK && p->rows.total > 0)
		log_info("journal.replay", "rows=%zu unknown=%zu", p->rows.total, p->unknown);
	return err;
}

/* ---- the file ---- */

/* Where it is: for its calls, and for sentences. */
struct place {
	int dir;
	const char *state_dir;
};

#define FILE_NAME "journal"

static enum err place_fault(const struct place *at, const char *doing, int os, struct fault *why)
{
	if (os == ENOSPC || os == EDQUOT || os == EFBIG)
		return fault_set(why, ERR_STORAGE_FULL,
			"%s %s/" FILE_NAME " failed: %s. It needs %zu MiB: free some space", doing,
			at->state_dir, strerror(os),
			(JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES) >> 20);
	return fault_set(why, ERR_IO,
		"%s %s/" FILE_NAME
		" failed: %s. The state folder and its files must be writable by "
		"the user that runs llm-brokerd",
		doing, at->state_dir, os == ELOOP ? "it is a symbolic link" : strerror(os));
}

static enum err file_check(const struct place *at, int fd, struct fault *why)
{
	struct stat st, named;
	if (fstat(fd, &st) != 0)
		return place_fault(at, "opening", errno, why);
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_IO,
			"%s/" FILE_NAME " is not a regular file: move it away", at->state_dir);
	if (st.st_uid != geteuid())
		return fault_set(why, ERR_IO,
			"%s/" FILE_NAME
			" belongs to uid %u, and llm-brokerd runs as uid %u: give it "
			"the file, or another state folder",
			at->state_dir, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) != 0)
		return place_fault(at, "closing to others", errno, why);
	/* the second look is for a file that was set aside between open and lock */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 ||
		fstatat(at->dir, FILE_NAME, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
		named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		return fault_set(why, ERR_IO,
			"another llm-brokerd uses the state folder %s: stop it, or start this one "
			"with another --state-dir",
			at->state_dir);
	return OK;
}

static uint32_t page_sum(const struct page *page)
{
	struct page p = *page;
	p.crc = 0;
	return htole32(crc32c(0, &p, offsetof(struct page, sequence)));
}

/* Space that is really there: a write into a hole of a full disk would be a SIGBUS. */
static int file_reserve(int fd, size_t bytes)
{
	int failed;
	do
		failed = posix_fallocate(fd, 0, (off_t)bytes);
	while (failed == EINTR);
	return failed;
}

static enum err file_make(const struct place *at, int fd, struct page *page, struct fault *why)
{
	int flags;
	/* where files are copied when written, space is only there if this one is not */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
	const int failed = file_reserve(fd, JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES);
	if (failed)
		return place_fault(at, "making", failed, why);
	*page = (struct page){.version = htole32(FILE_VERSION),
		.half_bytes = htole64(JOURNAL_HALF_BYTES),
		.sequence = htole64(1)};
	memcpy(page->magic, magic, sizeof magic);
	page->crc = page_sum(page);
	if (pwrite(fd, page, sizeof *page, 0) != (ssize_t)sizeof *page || fsync(fd) != 0 ||
		fsync(at->dir) != 0)
		return place_fault(at, "making", errno, why);
	return OK;
}

enum file_state {
	FILE_FRESH, /* nothing was ever written to it */
	FILE_OURS,
	FILE_FOREIGN, /* another version's, or damaged */
};

static enum file_state page_judge(const struct page *page, ssize_t n)
{
	static const struct page nothing;
	const uint64_t half_bytes = le64toh(page->half_bytes);
	if (n == 0 || memcmp(page, &nothing, (size_t)n) == 0)
		return FILE_FRESH;
	if (n < (ssize_t)sizeof *page || memcmp(page->magic, magic, sizeof magic) != 0 ||
		le32toh(page->version) != FILE_VERSION || page->crc != page_sum(page) ||
		half_bytes < HALF_MIN || half_bytes > HALF_MAX ||
		half_bytes % JOURNAL_PAGE_BYTES != 0)
		return FILE_FOREIGN;
	return FILE_OURS;
}

/* Keeps the file under another name. Never over another file. */
static enum err file_set_aside(const struct place *at, const char *reason, struct fault *why)
{
	for (unsigned n = 1; n < 1000; n++) {
		char name[32];
		(void)snprintf(name, sizeof name, FILE_NAME ".old-%u", n);
		if (linkat(at->dir, FILE_NAME, at->dir, name, 0) != 0) {
			if (errno == EEXIST)
				continue;
			return place_fault(at, "setting aside", errno, why);
		}
		if (unlinkat(at->dir, FILE_NAME, 0) != 0)
			return place_fault(at, "setting aside", errno, why);
		log_warn("journal.set_aside", "file=%s/%s why=\"%s\"", at->state_dir, name, reason);
		return OK;
	}
	return fault_set(why, ERR_IO,
		"%s holds 999 files " FILE_NAME ".old-N: llm-brokerd makes one where its journal "
		"cannot be read (%s). Move them away",
		at->state_dir, reason);
}

static enum err journal_map(
	struct journal *j, const struct place *at, const struct page *page, struct fault *why)
{
	j->half_bytes = (size_t)le64toh(page->half_bytes);
	const size_t bytes = JOURNAL_PAGE_BYTES + 2 * j->half_bytes;
	/* every time: a copy or a backup may have brought back holes */
	const int failed = file_reserve(j->fd, bytes);
	if (failed)
		return place_fault(at, "extending", failed, why);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
	if (map == MAP_FAILED)
		return place_fault(at, "mapping", errno, why);
	j->map = map;
	j->map_bytes = bytes;
	for (size_t i = 0; i < 2; i++)
		j->halves[i].p = j->map + JOURNAL_PAGE_BYTES + i * j->half_bytes;
	return OK;
}

static void journal_unmap(struct journal *j)
{
	if (j->map)
		munmap(j->map, j->map_bytes);
	if (j->fd >= 0)
		close(j->fd);
	j->map = NULL;
	j->fd = -1;
}

/* Opens what is there, or makes it. ERR_MORE: what was there is set aside; once more. */
static enum err journal_load(
	struct journal *j, const struct place *at, struct ledger *ledger, struct fault *why)
{
	struct page page = {0};
	j->fd = openat(
		at->dir, FILE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return place_fault(at, "opening", errno, why);
	enum err err = file_check(at, j->fd, why);
	if (err)
		return err;
	const ssize_t n = pread(j->fd, &page, sizeof page, 0);
	if (n < 0)
		return place_fault(at, "reading", errno, why);

	switch (page_judge(&page, n)) {
	case FILE_FOREIGN:
		err = file_set_aside(at, "it is another version's, or damaged", why);
		return err ? err : ERR_MORE;
	case FILE_FRESH:
		err = file_make(at, j->fd, &page, why);
		break;
	case FILE_OURS:
		break;
	}
	if (err == OK)
		err = journal_map(j, at, &page, why);
	if (err)
		return err;

	struct replay replay;
	err = journal_replay(j, ledger, &replay, why);
	if (err == OK && replay.unreadable > 0) {
		err = file_set_aside(at, replay.why.message, why);
		return err ? err : ERR_MORE;
	}
	if (err)
		return err;
	const uint64_t before = le64toh(page.sequence);
	j->sequence = (before > replay.sequence ? before : replay.sequence) + EPOCH;
	page_set_sequence(j->map, j->sequence);
	half_clear(j->halves[0].p);
	half_clear(j->halves[1].p);
	return OK;
}

static struct move *move_new(struct journal *j, struct ledger *ledger)
{
	struct move *m = xcalloc(1, sizeof *m);
	m->job.run = move_run;
	m->job.on_done = move_done;
	m->journal = j;
	m->ledger = ledger;
	m->fd = j->fd;
	sem_init(&m->has_run, 0, 0);
	return m;
}

struct journal *journal_open(const char *state_dir, struct ledger *ledger, struct loop *l,
	struct workers *w, struct fault *why)
{
	struct place at = {.state_dir = state_dir};
	at.dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at.dir < 0) {
		fault_set(why, ERR_IO, "the state folder %s cannot be used: %s", state_dir,
			strerror(errno));
		return NULL;
	}
	struct journal *j = xcalloc(1, sizeof *j);
	j->loop = l;
	j->workers = w;
	j->timer.on_fire = on_timer;
	j->tell.on_run = on_tell;
	j->failure = FAULT_NONE;

	enum err err = journal_load(j, &at, ledger, why);
	if (err == ERR_MORE) {
		journal_unmap(j);
		err = journal_load(j, &at, ledger, why);
	}
	if (err == ERR_MORE)
		err = fault_set(why, ERR_IO,
			"%s/" FILE_NAME " is changed by another program while llm-brokerd opens it",
			state_dir);
	close(at.dir);
	if (err) {
		journal_unmap(j);
		free(j);
		return NULL;
	}
	j->moved_sequence = j->sequence;
	j->move = move_new(j, ledger);
	return j;
}

/* ---- closing ---- */

/* Waits for the move under way. Its job is then the workers' to give back, to nobody. */
static enum err close_wait(struct journal *j)
{
	struct move *m = j->move;
	if (!j->is_moving)
		return OK;
	while (sem_wait(&m->has_run) != 0)
		assert(errno == EINTR);
	const enum err err = m->err;
	if (err == OK)
		move_apply(j, m);
	else
		j->failure = m->why;
	j->move = move_new(j, m->ledger);
	j->is_moving = false;
	m->journal = NULL;
	return err;
}

/* Says what is left to move, to the end of both halves. */
static bool close_plan(struct journal *j)
{
	struct move *m = j->move;
	const struct half *h = &j->halves[j->active];
	const bool is_left = move_plan(j);
	if (m->is_last || h->used == 0)
		return is_left;
	/* where nothing is open, the next start need not look at it again */
	m->is_last = j->n_open == 0;
	return is_left || m->is_last;
}

/* On the ledger's lane still: jobs of others may be in it. */
static enum err close_move(struct journal *j)
{
	enum err err = close_wait(j);
	while (err == OK && close_plan(j)) {
		j->is_moving = true;
		workers_submit(j->workers, &j->move->job, LEDGER_LANE);
		err = close_wait(j);
	}
	return err;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	loop_timer_stop(&j->timer);
	const enum err err = close_move(j);
	if (err)
		log_error("ledger.write", "class=%s why=\"%s\" note=\"kept in the journal\"",
			err_info(err)->word, j->failure.message);
	page_set_sequence(j->map, j->sequence);
	while (j->waiters)
		tell_first(j, err ? &j->failure : NULL);
	loop_task_stop(&j->tell);
	while (j->open)
		reservation_end(&j->open, j->open);
	move_free(j->move);
	journal_unmap(j);
	free(j);
}
