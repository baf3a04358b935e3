/* journal.c - one half is filled while the other's records move to the ledger.
 * A record counts once the word of its length and sum is stored, after its bytes and after the word
 * behind it was zeroed: whatever instruction a kill hits, the file ends in a whole record. When a half
 * is full, the reservations still open are written again at the start of the other, so that a half
 * whose ended records are in the ledger holds nothing that is needed.
 *
 * A disk that is lost costs the file, not what was written: the halves are copied to memory and go on there. Once there is a
 * file again, what memory had is brought to the ledger on its lane, what came meanwhile is appended to the one half of that
 * file, and what is open behind it; the other half, which tells of it until then, is emptied last, by a move like any. */
#include "brokerd/ledger/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "brokerd/ledger/journal_file.h"
#include "brokerd/ledger/journal_guard.h"
#include "brokerd/ledger/journal_take.h"
#include "brokerd/ledger/reservation.h"
#include "brokerd/ledger/rows.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses it, and is slower */
#endif

#define GROUP_BYTES  ((size_t)256 * 1024) /* as much as is moved at once, at the latest */
#define GROUP_US     INT64_C(1000000)     /* and as long as a record waits to be */
#define RETRY_US     INT64_C(1000000) /* after the ledger could not be written, or the disk was lost */
#define RETRY_MAX_US INT64_C(60000000)   /* and that, where it is lost again and again: */
#define STEADY_US    INT64_C(60000000)   /* within this of its coming back */
#define EPOCH        (UINT64_C(1) << 32) /* sequences between two openings */

/* What one open exchange can need in a half that is begun anew. */
#define ASIDE_BYTES(attempts) (RECORD_EXCHANGE_BYTES + (attempts) * (size_t)RECORD_ATTEMPT_BYTES)

struct half {
	unsigned char *p;
	size_t used;  /* bytes of records */
	size_t moved; /* of these, in the ledger */
};

struct waiter {
	struct waiter *prev, *next;
	uint64_t sequence; /* what it waits for */
	struct journal_reply reply;
};

/* What the ledger's lane is at. There is one at a time. */
enum act {
	ACT_MOVE,      /* records of one half, on their way to the ledger */
	ACT_COPY,      /* what is in the halves, to memory */
	ACT_LET_GO,    /* of file and ledger */
	ACT_TAKE_BACK, /* both */
};

struct errand {
	struct job job;
	struct journal *journal; /* NULL: closed meanwhile */
	sem_t has_run;
	enum act act;
	struct ledger *ledger;

	size_t half_bytes;

	/* of a move */
	int fd;
	unsigned char *half;
	size_t from, to;
	bool is_last;      /* nothing comes after `to`: the half is used again */
	uint64_t sequence; /* of the last record moved */
	bool is_lost;      /* it was the disk that failed */

	/* of copying, and of taking back: as much of each half as it has */
	const unsigned char *halves[2];
	size_t used[2];
	unsigned char *memory; /* of a copy; NULL: there is none to be had */
	/* of taking back; its file is also the one to let go of */
	struct journal_back back;

	enum err err;
	struct fault why;
};

struct journal {
	struct loop *loop;
	struct workers *workers;
	char *state_dir;
	struct mounted where;
	struct journal_watch watch;
	struct journal_file file; /* without a map while it is let go */
	struct half halves[2];
	size_t half_bytes;
	unsigned active;
	uint64_t sequence, moved_sequence;
	struct reservation *open;
	size_t n_open, aside_bytes; /* what those need of the active half */

	struct loop_timer timer;
	struct errand *errand;
	bool is_busy;         /* it is with a worker */
	struct fault failure; /* why the last one failed; OK: it did not */
	bool is_lost;         /* the disk, so that what is recorded now would not survive */
	int64_t back_us;      /* when it last came back; 0: it was never lost */
	int64_t retry_us;     /* how long it is waited for until it is looked for again */
	struct fault reason;  /* that it was last lost for */
	unsigned char
		*memory; /* where the halves are while the file is let go; NULL: in the file */
	struct waiter *waiters;
	struct loop_task tell, lose;
};

static void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		abort();
	return p;
}

/* ---- moving: on a worker's thread ---- */

static enum err move_records(struct errand *m, struct rows *rows)
{
	struct record_reader reader = {
		.left = span_of((const char *)m->half + m->from, m->to - m->from)};
	struct record record, before = {.fields = SPAN_NONE};
	union record_value v;
	while (record_next(&reader, &record) == RECORD_FOUND) {
		enum err err = record_unpack_like(&record, &before, &v)
				       ? OK
				       : record_unpack(&record, &v, &m->why);
		before = record;
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
static void move_pages(const struct errand *m)
{
	const size_t page = JOURNAL_PAGE_BYTES;
	const size_t from = m->from & ~(page - 1), to = m->to & ~(page - 1);
	if (journal_guard_is_private()) /* they are nowhere else */
		return;
	size_t ahead = (m->to - m->from + page - 1) & ~(page - 1);
	if (to > from)
		madvise(m->half + from, to - from, MADV_DONTNEED);
	if (ahead > m->half_bytes - to)
		ahead = m->half_bytes - to;
	if (!m->is_last && ahead > 0)
		madvise(m->half + to, ahead, MADV_POPULATE_WRITE);
}

static enum err move_all(struct errand *m)
{
	struct rows rows;
	/* first of all: the reservations of what is under way survive a power cut too. What could not be synced is not
	 * tried again: the kernel may have given up on those pages */
	m->is_lost = fdatasync(m->fd) != 0;
	if (m->is_lost)
		return fault_set(&m->why,
			errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
			"syncing the journal failed: %s", strerror(errno));
	rows_init(&rows, m->ledger);
	enum err err = move_records(m, &rows);
	rows_done(&rows);
	if (err == OK && m->is_last)
		err = ledger_sync(m->ledger, &m->why);
	m->is_lost = err && ledger_is_lost(m->ledger);
	if (err)
		return err;
	if (m->is_last)
		journal_store(m->half, 0);
	move_pages(m);
	return OK;
}

/* ---- an errand: on a worker's thread ---- */

/* So much at once that the loop had to wait for it. What is there stays as it is meanwhile. */
static void copy_halves(struct errand *m)
{
	const size_t n = m->half_bytes;
	void *memory =
		mmap(NULL, 2 * n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->memory = memory != MAP_FAILED ? memory : NULL;
	for (size_t i = 0; m->memory && i < 2; i++)
		memcpy(m->memory + i * n, m->halves[i], m->used[i]);
}

static void errand_run(struct job *job)
{
	struct errand *m = container_of(job, struct errand, job);
	sigset_t
		bus; /* on this thread, too, a page may turn out not to be writable: journal_guard.h */
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	(void)pthread_sigmask(SIG_UNBLOCK, &bus, NULL);
	m->err = OK;
	m->why = FAULT_NONE;
	switch (m->act) {
	case ACT_MOVE:
		m->err = move_all(m);
		break;
	case ACT_COPY:
		copy_halves(m);
		break;
	case ACT_LET_GO:
		journal_let_go(&m->back.file, m->ledger);
		break;
	case ACT_TAKE_BACK:
		m->err = journal_take_back(&m->back, m->ledger, &m->why);
		break;
	}
	sem_post(&m->has_run);
}

static void errand_free(struct errand *m)
{
	sem_destroy(&m->has_run);
	free(m);
}

/* ---- an errand: on the loop's thread ---- */

static void journal_move(struct journal *j);
static void journal_note(struct journal *j);
static void journal_append(struct journal *j, enum record_type type, const void *record);

static void errand_submit(struct journal *j, enum act act)
{
	loop_timer_stop(&j->timer);
	j->errand->act = act;
	j->is_busy = true;
	workers_submit(j->workers, &j->errand->job, LEDGER_LANE);
}

/* Would what is recorded now survive the process? */
static bool is_kept(const struct journal *j)
{
	return !j->is_lost && !journal_guard_is_private();
}

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

static void on_tell(struct loop_task *t)
{
	struct journal *j = container_of(t, struct journal, tell);
	while (j->waiters && is_satisfied(j, j->waiters))
		tell_first(j, NULL);
	if (j->is_lost)
		tell_failure(j);
}

static void log_failure(const struct fault *why)
{
	char text[sizeof why->message];
	log_error("ledger.write", "class=%s why=%s note=\"it is kept in the journal\"",
		err_info(why->err)->word, log_quote(text, sizeof text, span_str(why->message)));
}

static void journal_failed(struct journal *j, const struct fault *why)
{
	if (j->failure.err == OK)
		log_failure(why);
	j->failure = *why;
	loop_timer_set(j->loop, &j->timer, RETRY_US);
	tell_failure(j);
}

/* What was moved is free. */
static void move_apply(struct journal *j, const struct errand *m)
{
	struct half *h = &j->halves[m->half == j->halves[1].p];
	h->moved = m->to;
	if (m->sequence > j->moved_sequence)
		j->moved_sequence = m->sequence;
	if (m->is_last)
		h->used = h->moved = 0;
}

/* The ledger has taken what there was. */
static void journal_go_on(struct journal *j)
{
	if (j->failure.err != OK) {
		log_info("ledger.write", "note=\"it works again\"");
		j->failure = FAULT_NONE;
	}
	/* what came meanwhile waits its time, but for those who wait for it, and a full half */
	on_tell(&j->tell);
	if (j->waiters)
		journal_move(j);
	else
		journal_note(j);
}

/* ---- letting go ---- */

static void page_fault(struct fault *why)
{
	fault_set(why, ERR_IO, "a page of the journal could not be written");
}

static void journal_copy(struct journal *j)
{
	struct errand *m = j->errand;
	m->half_bytes = j->half_bytes;
	for (size_t i = 0; i < 2; i++) {
		m->halves[i] = j->halves[i].p;
		m->used[i] = j->halves[i].used;
	}
	errand_submit(j, ACT_COPY);
}

/* A disk that is lost as soon as it is back is looked for less and less often, and its reason is said once. */
static void note_loss(struct journal *j, const struct fault *why)
{
	char text[2 * sizeof why->message];
	const bool is_again = j->back_us > 0 && loop_boot_us(j->loop) - j->back_us < STEADY_US;
	const bool is_said = is_again && strcmp(j->reason.message, why->message) == 0;
	if (!is_again)
		j->retry_us = RETRY_US;
	else if (j->retry_us < RETRY_MAX_US)
		j->retry_us = 2 * j->retry_us < RETRY_MAX_US ? 2 * j->retry_us : RETRY_MAX_US;
	j->reason = *why;
	if (!is_said)
		log_error("journal.away",
			"class=%s why=%s note=\"it goes on in memory, and the disk is looked for "
			"again\"",
			err_info(why->err)->word,
			log_quote(text, sizeof text, span_str(why->message)));
}

/* The disk is lost: *why. What is in the halves will go on in memory, and the file be closed. */
static void journal_leave(struct journal *j, const struct fault *why)
{
	j->is_lost = true;
	j->failure = *why;
	note_loss(j, why);
	journal_copy(j);
	tell_failure(j);
	if (j->watch.on_away)
		j->watch.on_away(j->watch.context, &j->failure);
}

/* But for what came meanwhile. */
static void copy_came(struct journal *j, struct errand *m)
{
	if (!m->memory)
		return; /* another time: nothing is taken on until then */
	j->memory = TAKE(m->memory);
	for (size_t i = 0; i < 2; i++) {
		struct half *h = &j->halves[i];
		unsigned char *to = j->memory + i * j->half_bytes;
		memcpy(to + m->used[i], h->p + m->used[i], h->used - m->used[i]);
		h->p = to;
	}
	journal_guard(NULL);
	j->errand->back.file = j->file;
	j->file = (struct journal_file){.fd = -1};
	errand_submit(j, ACT_LET_GO);
}

/* A page turned out to be in memory alone, in the middle of a record. */
static void on_lose(struct loop_task *t)
{
	struct journal *j = container_of(t, struct journal, lose);
	struct fault why;
	if (j->is_lost || j->is_busy || !journal_guard_is_private())
		return; /* or whoever is busy sees to it */
	page_fault(&why);
	journal_leave(j, &why);
}

/* ---- coming back ---- */

/* What a half of the file has to have room for, with all that came to be in memory since `used`. */
static size_t back_bytes(const struct journal *j, const size_t used[2])
{
	return j->halves[0].used - used[0] + j->halves[1].used - used[1] +
	       j->n_open * RECORD_OPEN_BYTES + j->aside_bytes;
}

static void journal_try_back(struct journal *j)
{
	struct errand *m = j->errand;
	struct reservation *r, *after;
	m->back = (struct journal_back){.state_dir = j->state_dir, .where = &j->where};
	for (size_t i = 0; i < 2; i++) {
		m->used[i] = j->halves[i].used;
		m->back.memory.memory[i] = span_of((const char *)j->halves[i].p, m->used[i]);
	}
	m->back.need_bytes = back_bytes(j, m->used);
	TABLE_EACH(j->open, r, after)
		reservation_add(&m->back.memory.under_way, &r->state.reserve);
	errand_submit(j, ACT_TAKE_BACK);
}

/* What came to be in a half of memory since. */
static void append_since(struct journal *j, const struct half *was, size_t since)
{
	struct record_reader reader = {
		.left = span_of((const char *)was->p + since, was->used - since)};
	struct record record;
	union record_value v;
	struct fault why;
	while (record_next(&reader, &record) == RECORD_FOUND) {
		const enum err err = record_unpack(&record, &v, &why);
		assert(!err); /* it is our own */
		journal_append(j, record.type, &v);
	}
	assert(reader.left.n == 0);
}

/* There is a file again, and what memory had is in the ledger. What is open comes last, for it counts the attempts that
 * came before. */
static void journal_adopt(struct journal *j, struct errand *m)
{
	const struct journal_back *b = &m->back;
	const struct half was[2] = {j->halves[0], j->halves[1]};
	const unsigned was_active = j->active;
	const size_t memory_bytes = 2 * j->half_bytes;
	struct reservation *r, *after;
	struct waiter *w;
	j->file = b->file;
	j->half_bytes = b->file.half_bytes;
	if (j->sequence < b->file.sequence)
		j->sequence = b->file.sequence;
	j->sequence += EPOCH;
	j->moved_sequence = j->sequence;
	journal_file_note(&j->file, j->sequence);
	j->active = 1 - b->kept;
	for (size_t i = 0; i < 2; i++)
		j->halves[i] = (struct half){.p = j->file.halves[i]};
	j->halves[b->kept].used = j->halves[b->kept].moved = j->half_bytes;
	journal_store(j->halves[j->active].p, 0);
	for (size_t i = 0; i < b->was.n_ended; i++)
		journal_append(j, RECORD_EXCHANGE, &b->was.ended[i]);
	/* where the halves changed since, what is in the other one is older */
	append_since(j, &was[1 - was_active], m->used[1 - was_active]);
	append_since(j, &was[was_active], m->used[was_active]);
	TABLE_EACH(j->open, r, after)
		journal_append(j, RECORD_OPEN, &r->state);
	LIST_EACH(j->waiters, w)
		w->sequence = j->sequence;
	munmap(j->memory, memory_bytes);
	j->memory = NULL;
	j->is_lost = false;
	j->back_us = loop_boot_us(j->loop);
	j->failure = FAULT_NONE;
	log_info("journal.back", "rows=%zu unknown=%zu open=%zu", b->was.rows, b->was.unknown,
		j->n_open);
}

static void back_failed(struct journal *j, const struct fault *why)
{
	const bool is_other = strcmp(j->failure.message, why->message) != 0;
	j->failure = *why;
	if (is_other && j->watch.on_away)
		j->watch.on_away(j->watch.context, &j->failure);
}

static void back_came(struct journal *j, struct errand *m)
{
	struct journal_back *b = &m->back;
	struct reservation *r, *after;
	struct fault why = m->why;
	TABLE_EACH(b->memory.under_way, r, after)
		reservation_end(&b->memory.under_way, r);
	const size_t ended_bytes = b->was.n_ended * RECORD_EXCHANGE_BYTES;
	if (m->err == OK && back_bytes(j, m->used) + ended_bytes <= b->file.half_bytes) {
		journal_adopt(j, m);
	} else if (m->err) {
		back_failed(j, &why);
	} else { /* so much came while it was looked at */
		journal_too_small(b, &why);
		journal_guard(NULL);
		j->errand->back.file = b->file;
		errand_submit(j, ACT_LET_GO);
		back_failed(j, &why);
	}
	free(TAKE(b->was.ended));
}

/* ---- the end of an errand ---- */

static void move_came(struct journal *j, struct errand *m)
{
	struct fault why = m->why;
	if (m->err == OK)
		move_apply(j, m);
	if (m->err == OK && journal_guard_is_private())
		page_fault(&why);
	if (m->is_lost || journal_guard_is_private())
		journal_leave(j, &why);
	else if (m->err)
		journal_failed(j, &why);
	else
		journal_go_on(j);
}

static void errand_done(struct job *job)
{
	struct errand *m = container_of(job, struct errand, job);
	struct journal *j = m->journal;
	if (!j) {
		errand_free(m);
		return;
	}
	const int failed = sem_trywait(&m->has_run);
	assert(!failed); /* it has run */
	j->is_busy = false;
	if (m->act == ACT_MOVE) {
		move_came(j, m);
		return;
	}
	if (m->act == ACT_COPY)
		copy_came(j, m);
	else if (m->act == ACT_TAKE_BACK)
		back_came(j, m);
	if (!j->is_lost) {
		if (j->watch.on_back)
			j->watch.on_back(j->watch.context);
		journal_move(j); /* so that the disk has soon what is open */
	} else if (!j->is_busy) {
		loop_timer_set(j->loop, &j->timer, j->retry_us);
	}
}

/* ---- moving ---- */

/* Says what is to be moved next: the half that is full, then the one being filled. False: nothing. */
static bool move_plan(struct journal *j)
{
	struct errand *m = j->errand;
	struct half *h = inactive(j);
	m->is_last = h->used > 0;
	if (!m->is_last)
		h = &j->halves[j->active];
	m->half = h->p;
	m->half_bytes = j->half_bytes;
	m->from = h->moved;
	m->to = h->used;
	m->fd = j->file.fd;
	m->sequence = 0;
	m->is_lost = false;
	return m->is_last || m->from < m->to;
}

static void journal_move(struct journal *j)
{
	if (j->is_busy || j->is_lost || !move_plan(j))
		return;
	errand_submit(j, ACT_MOVE);
}

static void on_timer(struct loop_timer *t)
{
	struct journal *j = container_of(t, struct journal, timer);
	if (j->memory)
		journal_try_back(j);
	else if (j->is_lost)
		journal_copy(j);
	if (j->is_lost)
		return;
	journal_move(j);
	if (!j->is_busy && j->failure.err != OK) /* nothing is left to move */
		journal_go_on(j);
}

void journal_flush(struct journal *j, struct journal_reply reply)
{
	struct waiter *w = xcalloc(1, sizeof *w);
	w->sequence = j->sequence;
	w->reply = reply;
	LIST_PUSH(j->waiters, w);
	if (j->is_lost || is_satisfied(j, w))
		loop_later(j->loop, &j->tell);
	else
		journal_move(j);
}

/* ---- writing ---- */

/* `frame`, of `n` bytes, goes behind all others. */
static void journal_write(struct journal *j, const unsigned char *frame, size_t n)
{
	struct half *h = &j->halves[j->active];
	unsigned char *to = h->p + h->used;
	uint64_t word;

	assert(n <= j->half_bytes - h->used);
	if (h->used + n < j->half_bytes)
		memset(to + n, 0, sizeof word);
	memcpy(to + sizeof word, frame + sizeof word, n - sizeof word);
	memcpy(&word, frame, sizeof word);
	journal_store(to, word);
	h->used += n;
}

static void journal_append(struct journal *j, enum record_type type, const void *record)
{
	unsigned char frame[RECORD_BYTES];
	journal_write(j, frame, record_pack(type, record, ++j->sequence, frame));
}

/* Sees to it that what was written is moved in time. */
static void journal_note(struct journal *j)
{
	const struct half *h = &j->halves[j->active];
	if (!j->is_lost && journal_guard_is_private())
		loop_later(j->loop, &j->lose);
	if (j->is_busy || j->failure.err != OK)
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
	if (!j->memory)
		journal_file_note(&j->file, j->sequence);
	TABLE_EACH(j->open, r, after)
		journal_append(j, RECORD_OPEN, &r->state);
}

/* What reservations leave to others: a request that is refused for want of room has a row too. */
static size_t spare(const struct journal *j)
{
	return j->half_bytes / 16;
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

/* For how many attempts more space has to be set aside, so that there is some for that one and for one that it is beside. */
static size_t lacking(const struct reservation *own, const struct reserve_record *r)
{
	const size_t under_way = r->beside != 0 ? 2 : 1;
	return own->attempts < under_way ? under_way - own->attempts : 0;
}

enum err journal_reserve(struct journal *j, const struct reserve_record *r, struct fault *why)
{
	struct reservation *own = reservation_find(j->open, r->id);
	const size_t attempts = !own ? ATTEMPTS_RESERVED : lacking(own, r);
	const size_t aside = !own ? ASIDE_BYTES(attempts) : attempts * RECORD_ATTEMPT_BYTES;
	if (!is_kept(j))
		return fault_set(why, ERR_STORAGE_FULL,
			"the request cannot be recorded, so it is not sent: %s. It is tried again "
			"by itself",
			j->failure.err ? j->failure.message
				       : "a page of the journal could not be written");
	const enum err err = journal_room(j, RECORD_OPEN_BYTES + aside + spare(j), why);
	if (err)
		return err;

	if (!own) {
		own = reservation_add(&j->open, r);
		j->n_open++;
	}
	own->attempts += attempts;
	j->aside_bytes += aside;
	open_record_announce(&own->state, r);
	journal_append(j, RECORD_OPEN, &own->state);
	journal_note(j);
	return OK;
}

enum err journal_attempt(struct journal *j, const struct attempt_record *r, struct fault *why)
{
	/* what could be written and not be read again would keep all behind it from the ledger */
	assert(r->outcome >= OUTCOME_OK && r->outcome <= OUTCOME_UNKNOWN && r->http_status >= 0);
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
	assert(r->outcome >= OUTCOME_OK && r->outcome <= OUTCOME_UNKNOWN);
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

enum err journal_settle_like(struct journal *j, const struct exchange_record *r,
	struct record_form *form, struct fault *why)
{
	unsigned char frame[RECORD_BYTES];
	assert(r->outcome >= OUTCOME_OK && r->outcome <= OUTCOME_UNKNOWN);
	const enum err err = journal_room(j, RECORD_EXCHANGE_BYTES, why);
	if (err)
		return err;
	journal_write(j, frame, record_pack_like(form, r, ++j->sequence, frame));
	journal_note(j);
	return OK;
}

bool journal_is_writable(const struct journal *j)
{
	return is_kept(j) &&
	       can_have(j, RECORD_OPEN_BYTES + ASIDE_BYTES(ATTEMPTS_RESERVED) + spare(j));
}

/* ---- opening ---- */

/* Brings what is there into the ledger, and makes the file an empty one. */
static enum err journal_load(
	struct journal *j, const struct journal_place *at, struct ledger *ledger, struct fault *why)
{
	const struct replay_source nothing = {.under_way = NULL};
	struct replayed was;
	enum err err = journal_take(&j->file, at, &nothing, ledger, &was, why);
	if (err)
		return err;

	/* Pages that were not written before a power cut leave older ones behind: no record of this
	 * process may have the sequence of one of theirs. */
	j->sequence = j->moved_sequence = j->file.sequence + EPOCH;
	journal_file_note(&j->file, j->sequence);
	for (size_t i = 0; i < 2; i++)
		journal_store(j->file.halves[i], 0);
	err = journal_file_grow(&j->file, at, why);
	j->half_bytes = j->file.half_bytes;
	for (size_t i = 0; err == OK && i < 2; i++) {
		j->halves[i].p = j->file.halves[i];
		journal_store(j->halves[i].p, 0);
	}
	return err;
}

static struct errand *errand_new(struct journal *j, struct ledger *ledger)
{
	struct errand *m = xcalloc(1, sizeof *m);
	m->job.run = errand_run;
	m->job.on_done = errand_done;
	m->journal = j;
	m->ledger = ledger;
	sem_init(&m->has_run, 0, 0);
	return m;
}

struct journal *journal_open(const char *state_dir, struct ledger *ledger, struct loop *l,
	struct workers *w, struct fault *why)
{
	struct journal_place at = {.state_dir = state_dir};
	at.dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at.dir < 0) {
		fault_set(why, ERR_IO, "the state folder %s cannot be used: %s", state_dir,
			strerror(errno));
		return NULL;
	}
	struct journal *j = xcalloc(1, sizeof *j);
	j->loop = l;
	j->workers = w;
	LOOP_CALLS(&j->timer, on_fire, on_timer);
	LOOP_CALLS(&j->tell, on_run, on_tell);
	LOOP_CALLS(&j->lose, on_run, on_lose);
	j->failure = j->reason = FAULT_NONE;
	j->retry_us = RETRY_US;
	enum err err = journal_file_open(&j->file, &at, why);
	if (err == OK)
		err = journal_load(j, &at, ledger, why);
	close(at.dir);
	if (err) {
		journal_file_close(&j->file);
		free(j);
		return NULL;
	}
	j->state_dir = strdup(state_dir);
	if (!j->state_dir)
		abort();
	mounted_note(&j->where, state_dir);
	j->errand = errand_new(j, ledger);
	journal_guard(&j->file);
	return j;
}

void journal_watch(struct journal *j, struct journal_watch watch)
{
	j->watch = watch;
}

/* ---- closing ---- */

/* Waits for the errand under way. Its job is then the workers' to give back, to nobody. */
static enum err close_wait(struct journal *j)
{
	struct errand *m = j->errand;
	if (!j->is_busy)
		return OK;
	while (sem_wait(&m->has_run) != 0)
		assert(errno == EINTR);
	j->errand = errand_new(j, m->ledger);
	j->is_busy = false;
	m->journal = NULL;
	const enum err err = m->err;
	if (m->act == ACT_COPY)
		copy_came(j, m);
	else if (m->act == ACT_TAKE_BACK)
		back_came(j, m);
	else if (err)
		j->failure = m->why;
	else if (m->act == ACT_MOVE)
		move_apply(j, m);
	j->is_lost = j->is_lost || (m->act == ACT_MOVE && m->is_lost);
	return err;
}

/* Says what is left to move, to the end of both halves. */
static bool close_plan(struct journal *j)
{
	struct errand *m = j->errand;
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
	while (err == OK && is_kept(j) && close_plan(j)) {
		errand_submit(j, ACT_MOVE);
		err = close_wait(j);
	}
	return err;
}

/* The disk is lost, and this is the last chance to have it again. */
static enum err close_back(struct journal *j)
{
	struct fault why = j->failure;
	if (!why.err)
		page_fault(&why);
	if (!j->memory && !j->is_busy)
		journal_leave(j, &why);
	while (j->is_busy)
		(void)close_wait(j);
	if (j->memory)
		journal_try_back(j);
	while (j->is_busy)
		(void)close_wait(j);
	return j->is_lost ? j->failure.err : close_move(j);
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	j->watch = (struct journal_watch){.context = NULL};
	enum err err = close_move(j);
	if (!is_kept(j))
		err = close_back(j);
	loop_timer_stop(&j->timer);
	if (!is_kept(j))
		log_error("journal.lost", "why=\"%s\" note=\"what ended since is not in it\"",
			j->failure.message);
	else if (err)
		log_failure(&j->failure);
	if (!j->memory)
		journal_file_note(&j->file, j->sequence);
	while (j->waiters)
		tell_first(j, err ? &j->failure : NULL);
	loop_task_stop(&j->tell);
	loop_task_stop(&j->lose);
	while (j->open)
		reservation_end(&j->open, j->open);
	errand_free(j->errand);
	journal_guard(NULL);
	journal_file_close(&j->file);
	if (j->memory)
		munmap(j->memory, 2 * j->half_bytes);
	free(j->state_dir);
	free(j);
}
