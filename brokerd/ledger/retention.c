/* retention.c - a job a step, each at the end of the lane, behind what came meanwhile. */
#include "brokerd/ledger/retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/ledger/ledger_parts.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"

#define DAY_US     INT64_C(86400000000)
#define LEAP_US    RETENTION_LEAST_US /* longer than most stay away */
#define ROWS       500                /* of a step */
#define PAGES      256                /* the same: a mebibyte */
#define PAGES_KEPT 1024 /* free ones that are not worth the work of making the file anew */
/* So many that are in use are written anew in about a second (64 MiB). While that lasts the journal takes what comes,
 * and a longer time could fill it. */
#define PAGES_ANEW 16384

struct retention {
	struct job job;
	struct loop *loop;
	struct workers *workers;
	struct ledger *ledger;
	struct loop_timer daily;
	int64_t keep_us;
	int64_t off_us; /* of the wall clock to the host's, when it was made */
	bool is_running, is_orphan;
	int64_t deleted; /* since it began */
	/* the job's */
	struct retention_step step;
	struct retention_done done;
	enum err err;
	struct fault why;
};

/* ---- on the lane ---- */

static int number_of(struct ledger *g, const char *sql, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(g->db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	*out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int run(struct ledger *g, const char *sql, int64_t before_us, int64_t rows)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(g->db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, before_us);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 2, rows);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A long request's last attempt may be younger by days, and budgets count attempts. */
#define OLDEST                                                                                  \
	"(SELECT id FROM exchange WHERE at_us < ?1 AND NOT EXISTS(SELECT 1 FROM attempt WHERE " \
	"exchange_id = exchange.id AND attempt.at_us >= ?1) ORDER BY at_us, id LIMIT ?2)"

static enum err delete_some(
	struct ledger *g, int64_t before_us, int64_t rows, int64_t *deleted, struct fault *why)
{
	*deleted = 0;
	int rc = sqlite3_exec(g->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = run(g, "DELETE FROM attempt WHERE exchange_id IN " OLDEST, before_us, rows);
	if (rc == SQLITE_OK)
		rc = run(g, "DELETE FROM exchange WHERE id IN " OLDEST, before_us, rows);
	if (rc == SQLITE_OK)
		*deleted = sqlite3_changes64(g->db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(g->db, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return OK;
	const enum err err = ledger_fault(g, rc, "writing", why);
	if (!sqlite3_get_autocommit(g->db))
		(void)sqlite3_exec(g->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/* A file of a former version's cannot become smaller by pieces: it is made anew, once, if that is soon done. */
static enum err give_back(struct ledger *g, struct retention_done *done, struct fault *why)
{
	int64_t pages = 0, free_pages = 0, is_incremental = 0;
	char sql[64];
	int rc = number_of(g, "PRAGMA page_count", &pages);
	if (rc == SQLITE_OK)
		rc = number_of(g, "PRAGMA freelist_count", &free_pages);
	if (rc == SQLITE_OK)
		rc = number_of(g, "PRAGMA auto_vacuum", &is_incremental);
	if (rc != SQLITE_OK)
		return ledger_fault(g, rc, "reading", why);
	const bool is_former = is_incremental != 2;
	done->is_too_large =
		is_former && free_pages > PAGES_KEPT && pages - free_pages > PAGES_ANEW;
	done->is_done =
		free_pages == 0 || (is_former && free_pages <= PAGES_KEPT) || done->is_too_large;
	if (done->is_done)
		return OK;
	(void)snprintf(sql, sizeof sql,
		is_former ? "PRAGMA auto_vacuum=INCREMENTAL;VACUUM"
			  : "PRAGMA incremental_vacuum(%d)",
		PAGES);
	rc = sqlite3_exec(g->db, sql, NULL, NULL, NULL);
	if (rc == SQLITE_OK) /* only then is the file smaller; a reader may keep it from that */
		(void)sqlite3_wal_checkpoint_v2(g->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "making smaller", why);
}

/* The newest row before then, or INT64_MIN. */
static int newest_before(struct ledger *g, int64_t us, int64_t *out)
{
	sqlite3_stmt *s = NULL;
	*out = INT64_MIN;
	int rc = sqlite3_prepare_v2(
		g->db, "SELECT max(at_us) FROM exchange WHERE at_us < ?1", -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, us);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		*out = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* The newest row that is no leap of the clock's: rows of more than a day lead up to it, or it came soon enough after
 * those before that day. Who comes back after a long time is believed the day after. */
static int newest_sure(struct ledger *g, int64_t *out)
{
	int64_t before = INT64_MIN;
	int rc = newest_before(g, INT64_MAX, out);
	while (rc == SQLITE_OK && *out > 0) {
		rc = newest_before(g, *out - DAY_US, &before);
		if (before == INT64_MIN || *out - DAY_US - LEAP_US <= before)
			break;
		*out = before;
	}
	if (*out < 0) /* there is none, or its clock knew nothing */
		*out = 0;
	return rc;
}

enum err retention_step(struct ledger *g, const struct retention_step *step,
	struct retention_done *done, struct fault *why)
{
	int64_t newest_us = 0;
	*done = (struct retention_done){.deleted = 0};
	enum err err = ledger_ready(g, why);
	if (err)
		return err;
	const int rc = newest_sure(g, &newest_us);
	if (rc != SQLITE_OK)
		return ledger_fault(g, rc, "reading", why);
	const int64_t sure_us = num_add_sat(newest_us, DAY_US);
	const int64_t now_us = step->now_us < sure_us ? step->now_us : sure_us;
	err = delete_some(g, now_us - step->keep_us, step->exchanges, &done->deleted, why);
	return err || done->deleted > 0 ? err : give_back(g, done, why);
}

static void step_run(struct job *job)
{
	struct retention *r = container_of(job, struct retention, job);
	r->err = retention_step(r->ledger, &r->step, &r->done, &r->why);
}

/* ---- on the loop ---- */

static void step_done(struct job *job);

/* A clock that was set ahead since makes nothing old. */
static int64_t sure_now_us(const struct retention *r)
{
	const int64_t wall_us = loop_wall_us(r->loop);
	const int64_t passed_us = r->off_us + loop_boot_us(r->loop);
	return wall_us < passed_us ? wall_us : passed_us;
}

static void step_begin(struct retention *r)
{
	r->step = (struct retention_step){sure_now_us(r), r->keep_us, ROWS};
	r->is_running = true;
	r->job.run = step_run;
	r->job.on_done = step_done;
	workers_submit(r->workers, &r->job, LEDGER_LANE);
}

static void say_end(struct retention *r)
{
	char text[2 * sizeof r->why.message];
	if (r->err)
		log_warn("ledger.keep", "why=%s note=\"it is tried again tomorrow\"",
			log_quote(text, sizeof text, span_str(r->why.message)));
	else if (r->deleted > 0)
		log_info("ledger.keep", "deleted=%" PRId64, r->deleted);
	if (!r->err && r->done.is_too_large && r->deleted > 0)
		log_warn("ledger.keep",
			"note=\"the file stays as large as it is, and its space is used again: to "
			"make it smaller, stop llm-brokerd and run sqlite3 ledger.db 'PRAGMA "
			"auto_vacuum=INCREMENTAL; VACUUM'\"");
	r->deleted = 0;
}

static void step_done(struct job *job)
{
	struct retention *r = container_of(job, struct retention, job);
	r->is_running = false;
	r->deleted += r->done.deleted;
	if (r->is_orphan)
		free(r);
	else if (!r->err && !r->done.is_done && r->keep_us > 0)
		step_begin(r);
	else
		say_end(r);
}

/* Where steps are under way, they go on by what holds now. */
static void retention_begin(struct retention *r)
{
	loop_timer_stop(&r->daily);
	if (r->keep_us == 0)
		return;
	loop_timer_set(r->loop, &r->daily, DAY_US);
	if (!r->is_running)
		step_begin(r);
}

static void on_day(struct loop_timer *t)
{
	retention_begin(container_of(t, struct retention, daily));
}

void retention_keep(struct retention *r, int64_t keep_us)
{
	const int64_t was_us = r->keep_us;
	r->keep_us = keep_us > 0 && keep_us < RETENTION_LEAST_US ? RETENTION_LEAST_US : keep_us;
	if (r->keep_us != was_us)
		retention_begin(r);
}

struct retention *retention_new(struct loop *l, struct workers *w, struct ledger *g)
{
	struct retention *r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->loop = l;
	r->workers = w;
	r->ledger = g;
	r->off_us = loop_wall_us(l) - loop_boot_us(l);
	LOOP_CALLS(&r->daily, on_fire, on_day);
	r->why = FAULT_NONE;
	return r;
}

void retention_free(struct retention *r)
{
	if (!r)
		return;
	loop_timer_stop(&r->daily);
	r->is_orphan = true;
	if (!r->is_running)
		free(r);
}
