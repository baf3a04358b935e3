/* audit.c - one group is with a worker while the next one gathers. */
#include "brokerd/audit/audit.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>

#include "brokerd/audit/fold.h"
#include "brokerd/audit/writer.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"

#define HEAD_US        INT64_C(900000000) /* between two lines with the head in the daemon's log */
#define AGAIN_FIRST_US INT64_C(100000)
#define AGAIN_MAX_US   INT64_C(30000000)

/* What a worker has: it owns all of this until it is done. */
struct work {
	struct job job;
	struct audit *audit;
	struct writer *writer;
	struct buf records;
	struct batch batch;
	struct written last;
	enum err err;
	struct fault why;
};

struct audit {
	struct workers *workers;
	struct loop *loop;
	struct work work;
	struct job leave; /* of the same lane */
	bool has_begun, is_busy, is_leaving;
	bool is_left; /* the last group could not be written, and waits for another try */
	struct buf pending;
	uint64_t lost, lost_said; /* records, and how many of these a record has told */
	struct guarded *epoch;    /* one that is to begin behind what is pending; NULL: none */
	bool is_keyed, has_epoch;
	struct folds *folds;
	struct job *readers; /* that wait for what is pending */
	struct loop_task flush;
	struct loop_timer fold, again, head;
	int64_t again_us;
	struct written last;
	uint64_t seq_logged;
	struct fault fault;
	bool is_told; /* in the daemon's log; not at once, for a broker that ends gives way to the next */
};

/* ---- a group goes to a worker ---- */

static void run(struct job *j)
{
	struct work *w = container_of(j, struct work, job);
	w->why = FAULT_NONE;
	w->err = writer_write(w->writer, &w->batch, &w->why);
	if (!w->err)
		w->last = writer_last(w->writer);
}

static void tell_loss(struct audit *a)
{
	const struct audit_event e = {
		.what = "audit.lost", .verdict = AUDIT_FAILED, .err = ERR_OVERLOADED};
	const struct line_fold fold = {a->lost - a->lost_said, loop_wall_us(a->loop)};
	if (fold.count == 0)
		return;
	line_event(&e, fold.since_us, &fold, &a->work.records);
	buf_byte(&a->work.records, '\n');
	a->lost_said = a->lost;
}

/* What is in the queue becomes the group. */
static void gather(struct audit *a)
{
	struct work *w = &a->work;
	if (!a->is_left) {
		buf_move(&w->records, &a->pending);
		tell_loss(a);
		w->batch.epoch = TAKE(a->epoch);
	}
	w->batch.records = buf_view(&w->records);
	w->batch.at_us = loop_wall_us(a->loop);
}

static bool has_more(const struct audit *a)
{
	return a->pending.n > 0 || a->epoch || a->lost > a->lost_said;
}

static void submit(struct audit *a)
{
	gather(a);
	a->has_begun = a->is_busy = true;
	workers_submit(a->workers, &a->work.job, AUDIT_LANE);
}

static void submit_readers(struct audit *a)
{
	while (a->readers) {
		struct job *j = a->readers;
		LIST_REMOVE(a->readers, j);
		workers_submit(a->workers, j, AUDIT_LANE);
	}
}

static void on_head(struct loop_timer *t)
{
	struct audit *a = container_of(t, struct audit, head);
	char hex[2 * CHAIN_HASH_BYTES + 1];
	if (a->last.seq == a->seq_logged)
		return;
	a->seq_logged = a->last.seq;
	sodium_bin2hex(hex, sizeof hex, a->last.head, sizeof a->last.head);
	log_info("audit.head", "seq=%" PRIu64 " hash=%s", a->seq_logged, hex);
}

static void written(struct audit *a)
{
	struct work *w = &a->work;
	a->last = w->last;
	if (a->is_told)
		log_info("audit.written", "seq=%" PRIu64, a->last.seq);
	a->fault = FAULT_NONE;
	a->is_told = false;
	a->again_us = AGAIN_FIRST_US;
	a->is_left = false;
	buf_clear(&w->records);
	guarded_free(TAKE(w->batch.epoch));
}

static void unwritten(struct audit *a)
{
	char said[2 * sizeof a->fault.message];
	const bool is_other = strcmp(a->fault.message, a->work.why.message) != 0;
	a->fault = a->work.why;
	if (!a->fault.err)
		fault_set(&a->fault, a->work.err, "%s", err_info(a->work.err)->sentence);
	a->is_told = a->is_told && !is_other;
	if (a->is_left && !a->is_told) {
		a->is_told = true;
		log_error("audit.unwritten", "why=%s",
			log_quote(said, sizeof said, span_str(a->fault.message)));
	}
	a->is_left = true;
}

static void on_done(struct job *j)
{
	struct audit *a = container_of(j, struct work, job)->audit;
	a->is_busy = false;
	if (a->work.err) {
		unwritten(a);
		loop_timer_set(a->loop, &a->again, a->again_us);
		a->again_us = 2 * a->again_us < AGAIN_MAX_US ? 2 * a->again_us : AGAIN_MAX_US;
	} else {
		written(a);
		if (!a->head.loop)
			loop_timer_set(a->loop, &a->head, HEAD_US);
		if (has_more(a))
			submit(a);
	}
	submit_readers(a);
}

static void on_flush(struct loop_task *t)
{
	struct audit *a = container_of(t, struct audit, flush);
	if (!a->is_busy && !a->is_left && has_more(a))
		submit(a);
}

static void on_again(struct loop_timer *t)
{
	struct audit *a = container_of(t, struct audit, again);
	if (!a->is_busy)
		submit(a);
}

static void leave_run(struct job *j)
{
	writer_let_go(container_of(j, struct audit, leave)->work.writer);
}

static void leave_done(struct job *j)
{
	container_of(j, struct audit, leave)->is_leaving = false;
}

void audit_let_go(struct audit *a)
{
	if (!a || a->is_leaving)
		return;
	a->is_leaving = true;
	a->leave = (struct job){.run = leave_run, .on_done = leave_done};
	workers_submit(a->workers, &a->leave, AUDIT_LANE);
}

void audit_retry(struct audit *a)
{
	if (!a || !a->is_left)
		return;
	a->again_us = AGAIN_FIRST_US;
	loop_timer_set(a->loop, &a->again, 0);
}

/* ---- events ---- */

static void put(
	struct audit *a, const struct audit_event *e, int64_t at_us, const struct line_fold *fold)
{
	const size_t from = a->pending.n;
	line_event(e, at_us, fold, &a->pending);
	buf_byte(&a->pending, '\n');
	if (buf_error(&a->pending)) {
		buf_cut(&a->pending, from);
		a->pending.err = OK;
		a->lost++;
	}
	loop_later(a->loop, &a->flush);
}

static void watch_folds(struct audit *a)
{
	const int64_t due_us = fold_due_us(a->folds), now_us = loop_now_us(a->loop);
	if (due_us != FOLD_NEVER && (!a->fold.loop || due_us < a->fold.due_us))
		loop_timer_set(a->loop, &a->fold, due_us > now_us ? due_us - now_us : 0);
}

static void tell_folds(struct audit *a, int64_t now_us)
{
	struct folded f;
	while (fold_next(a->folds, now_us, &f))
		put(a, &f.event, f.at_us, &f.fold);
}

static void on_fold(struct loop_timer *t)
{
	struct audit *a = container_of(t, struct audit, fold);
	tell_folds(a, loop_now_us(a->loop));
	watch_folds(a);
}

void audit_record(struct audit *a, const struct audit_event *e)
{
	if (!a)
		return;
	const int64_t at_us = loop_wall_us(a->loop);
	const bool is_said = fold_take(a->folds, e, at_us, loop_now_us(a->loop));
	if (is_said)
		put(a, e, at_us, NULL);
	if (!is_said || e->verdict != AUDIT_ALLOWED)
		watch_folds(a);
}

/* ---- epochs ---- */

/* A vault's key becomes a first key of its own at once; the vault's is not kept. */
static void begin_epoch(struct audit *a, const unsigned char *root)
{
	unsigned char id[EPOCH_ID_BYTES];
	struct epoch e;
	randombytes_buf(id, sizeof id);
	if (root)
		epoch_keyed(&e, root, id);
	else
		epoch_unkeyed(&e, id);
	guarded_free(TAKE(a->epoch));
	if (guarded_copy(span_of((const char *)&e, sizeof e), &a->epoch) != OK)
		abort(); /* some pages */
	sodium_memzero(&e, sizeof e);
	a->is_keyed = root != NULL;
	a->has_epoch = true;
	loop_later(a->loop, &a->flush);
}

void audit_key(struct audit *a, const unsigned char root[AUDIT_ROOT_BYTES])
{
	if (a)
		begin_epoch(a, root);
}

void audit_no_key(struct audit *a)
{
	if (a && (a->is_keyed || !a->has_epoch))
		begin_epoch(a, NULL);
}

bool audit_is_keyed(const struct audit *a)
{
	return a && a->is_keyed;
}

/* ---- from outside ---- */

void audit_read(struct audit *a, struct job *j)
{
	if (!a->is_busy && !a->is_left && has_more(a))
		submit(a);
	if (a->is_busy && has_more(a))
		LIST_PUSH(a->readers, j);
	else
		workers_submit(a->workers, j, AUDIT_LANE);
}

uint64_t audit_lost(const struct audit *a)
{
	return a ? a->lost : 0;
}

const struct fault *audit_fault(const struct audit *a)
{
	static const struct fault none = {.err = OK, .retry_after_ms = -1};
	return a ? &a->fault : &none;
}

/* ---- birth and death ---- */

struct audit *audit_open(
	struct workers *w, struct loop *l, const char *state_dir, struct audit_limits limits)
{
	struct audit *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->workers = w;
	a->loop = l;
	a->again_us = AGAIN_FIRST_US;
	a->fault = FAULT_NONE;
	LOOP_CALLS(&a->flush, on_run, on_flush);
	LOOP_CALLS(&a->fold, on_fire, on_fold);
	LOOP_CALLS(&a->again, on_fire, on_again);
	LOOP_CALLS(&a->head, on_fire, on_head);
	buf_init(&a->pending, AUDIT_QUEUE_BYTES);
	buf_init(&a->work.records, AUDIT_QUEUE_BYTES + LINE_BYTES);
	a->work.job = (struct job){.run = run, .on_done = on_done};
	a->work.audit = a;
	a->work.writer = writer_new(state_dir, &limits);
	a->folds = folds_new();
	if (!a->work.writer || !a->folds) {
		audit_close(a);
		return NULL;
	}
	begin_epoch(a, NULL);
	loop_task_stop(&a->flush); /* the first record begins the log */
	return a;
}

/* What is left, and that it ends. A disk that takes nothing now does not get it later. */
static void write_last(struct audit *a)
{
	tell_folds(a, FOLD_NEVER);
	if (a->is_left) {
		gather(a);
		run(&a->work.job);
		if (a->work.err) {
			unwritten(a);
			return;
		}
		written(a);
	}
	gather(a);
	a->work.batch.is_last = true;
	run(&a->work.job);
	if (a->work.err) {
		a->is_left = true; /* for good, so it is told */
		unwritten(a);
		return;
	}
	written(a);
	on_head(&a->head);
}

void audit_close(struct audit *a)
{
	if (!a)
		return;
	loop_task_stop(&a->flush);
	if (a->has_begun)
		write_last(a);
	loop_timer_stop(&a->fold);
	loop_timer_stop(&a->again);
	loop_timer_stop(&a->head);
	loop_task_stop(&a->flush); /* what is left has set it again */
	guarded_free(a->epoch);
	guarded_free(a->work.batch.epoch);
	writer_free(a->work.writer);
	folds_free(a->folds);
	buf_done(&a->pending);
	buf_done(&a->work.records);
	free(a);
}
