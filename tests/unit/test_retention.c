/* test_retention.c - what goes from a ledger, and what stays. */
#include "brokerd/ledger/retention.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define DAY_US INT64_C(86400000000)

static char dir[64], path[96];
static struct ledger *g;

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(name);
}

static void open_it(void)
{
	struct fault why = FAULT_NONE;
	g = ledger_open(dir, &why);
	if (!g)
		bail("%s", why.message);
}

static int64_t ask(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t answer = -1;
	if (sqlite3_open(path, &db) == SQLITE_OK &&
		sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		answer = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return answer;
}

static void change(const char *sql)
{
	sqlite3 *db = NULL;
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		bail("%s: %s", path, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static int64_t size_of(void)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* So many requests, one each minute from then on, with two attempts each. */
static void fill(const char *prefix, int n, int64_t at_us)
{
	static struct exchange_record x[100];
	static struct attempt_record a[200];
	struct fault why = FAULT_NONE;
	for (int i = 0; i < n; i += 100) {
		for (int k = 0; k < 100; k++) {
			x[k] = (struct exchange_record){
				.at_us = at_us + (i + k) * INT64_C(60000000),
				.outcome = OUTCOME_OK,
				.model = "some-provider/some-model-of-theirs",
				.usage = USAGE_UNKNOWN,
				.price = PRICE_UNKNOWN};
			snprintf(x[k].id, sizeof x[k].id, "req_%s_%06d", prefix, i + k);
			for (uint32_t m = 0; m < 2; m++) {
				struct attempt_record *own = &a[2 * k + (int)m];
				*own = (struct attempt_record){.number = m + 1,
					.at_us = x[k].at_us,
					.outcome = OUTCOME_OK,
					.usage = USAGE_UNKNOWN,
					.price = PRICE_UNKNOWN};
				memcpy(own->id, x[k].id, sizeof own->id);
			}
		}
		if (ledger_write(g, &(struct ledger_rows){x, 100, a, 200}, &why) != OK)
			bail("%s", why.message);
	}
}

/* What rows of two days before lead up to is no leap of the clock. */
static void fill_for_days(const char *prefix, int64_t at_us)
{
	char eve[16];
	snprintf(eve, sizeof eve, "eve_%s", prefix);
	fill(eve, 100, at_us - 2 * DAY_US);
	fill(prefix, 100, at_us);
}

/* All steps; how many. */
static int steps(int64_t now_us, int64_t keep_us)
{
	struct fault why = FAULT_NONE;
	const struct retention_step step = {now_us, keep_us, 300};
	struct retention_done done = {.is_done = false};
	int n = 0;
	for (; !done.is_done && n < 1000; n++) {
		if (retention_step(g, &step, &done, &why) != OK)
			bail("%s", why.message);
	}
	return n;
}

static void check_steps(void)
{
	open_it();
	fill("old", 10000, 100 * DAY_US);
	fill_for_days("new", 500 * DAY_US);
	ok(steps(500 * DAY_US, 300 * DAY_US) > 10000 / 300, "a few at a time");
	is_int(ask("SELECT count(*) FROM exchange"), 200, "what is old goes");
	is_int(ask("SELECT count(*) FROM attempt"), 400, "with its attempts");
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_new%'"), 100,
		"what is new stays");
	is_int(ask("PRAGMA freelist_count"), 0, "no page is free");
	ok(size_of() < 200000, "the file is small again: %lld", (long long)size_of());
	is_int(steps(500 * DAY_US, 300 * DAY_US), 1, "then nothing is left to do");
	/* to the moment */
	is_int(steps(500 * DAY_US + 300 * DAY_US, 300 * DAY_US), 1,
		"a clock that ran away by a year deletes nothing, while no row is of that time");
	is_int(ask("SELECT count(*) FROM exchange"), 200, "all are there");
	fill_for_days("far", 800 * DAY_US);
	steps(800 * DAY_US, 300 * DAY_US - 50 * INT64_C(60000000));
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_new%'"), 50,
		"a row goes once it is older, to the minute");
	/* a request that took days */
	fill("slow", 100, 400 * DAY_US);
	change("UPDATE attempt SET at_us = at_us + 3 * 86400000000 WHERE number = 2 AND "
	       "exchange_id = 'req_slow_000099'");
	steps(802 * DAY_US, 400 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_slow%'"), 1,
		"one stays while an attempt of it is young enough");
	is_int(ask("SELECT count(*) FROM attempt WHERE exchange_id LIKE 'req_slow%'"), 2,
		"with all its attempts");
	fill("last", 100, 804 * DAY_US);
	steps(804 * DAY_US, 400 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_slow%'"), 0, "and goes then");
	is_int(ask("SELECT count(*) FROM attempt WHERE exchange_id LIKE 'req_slow%'"), 0,
		"with them");
	is_int(ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1,
		"and all is sound");
	ledger_close(g);
}

/* One that cannot become smaller by pieces, for a former version made it. */
static void check_former(void)
{
	OWNED(buf_done) struct buf sql = BUF_INIT(1024 * 1024);
	sqlite3 *db = NULL;
	if (!whole_file("tests/golden/ledger/v1.sql", &sql))
		bail("run from the top of the tree");
	buf_byte(&sql, '\0');
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db, sql.p, NULL, NULL, NULL) != SQLITE_OK)
		bail("v1.sql");
	sqlite3_close(db);
	chmod(path, 0600);
	open_it();
	is_int(ask("PRAGMA auto_vacuum"), 0, "it is as it was");
	fill("old", 30000, 100 * DAY_US);
	const int64_t newest_us = ask("SELECT max(at_us) FROM exchange");
	fill("eve", 100, newest_us - 2 * DAY_US);
	const int64_t before = size_of();
	steps(newest_us, 100 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange"), 102, "what is old goes");
	is_int(ask("PRAGMA auto_vacuum"), 2, "it is made anew, once");
	ok(size_of() < before / 10, "and small: %lld of %lld", (long long)size_of(),
		(long long)before);
	is_int(ask("SELECT count(*) FROM attempt"), 203, "with all that is kept");
	ledger_close(g);
}

/* What would take long to make anew is left: the journal could not wait for it. */
static void check_large(void)
{
	struct fault why = FAULT_NONE;
	const struct retention_step step = {500 * DAY_US, 300 * DAY_US, 100000};
	struct retention_done done;
	change("CREATE TABLE one(x); PRAGMA journal_mode=WAL; DROP TABLE one;");
	chmod(path, 0600);
	open_it();
	is_int(ask("PRAGMA auto_vacuum"), 0, "it was there before");
	fill("old", 20000, 100 * DAY_US);
	fill_for_days("new", 500 * DAY_US);
	change("CREATE TABLE large(x); INSERT INTO large VALUES(zeroblob(70000000))");
	is_err(retention_step(g, &step, &done, &why), OK, "a step");
	is_int(done.deleted, 20000, "what is old goes");
	is_err(retention_step(g, &step, &done, &why), OK, "another");
	ok(done.is_done && done.is_too_large, "and it says that the file stays large");
	is_int(ask("PRAGMA auto_vacuum"), 0, "as it is");
	ok(ask("PRAGMA freelist_count") > 1024, "with pages that are used again");
	ledger_close(g);
}

/* A clock that was ahead already when this began, by whose time some were served. */
static void check_leaps(void)
{
	open_it();
	fill_for_days("real", 500 * DAY_US);
	fill("ahead", 100, 1600 * DAY_US);
	steps(1600 * DAY_US, 300 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange"), 300, "an hour of it makes nothing old");
	fill("more", 100, 1600 * DAY_US + DAY_US / 2);
	fill("further", 100, 2600 * DAY_US);
	steps(2600 * DAY_US, 300 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange"), 500, "nor does half a day, nor a second leap");
	fill("late", 100, 530 * DAY_US);
	steps(530 * DAY_US, 29 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_%real%'"), 0,
		"once the clock is right again, what is old goes");
	fill("away", 100, 900 * DAY_US);
	steps(900 * DAY_US, 300 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_late%'"), 100,
		"who was away for a year is not believed at once");
	fill("back", 100, 901 * DAY_US + DAY_US / 2);
	change("DELETE FROM exchange WHERE at_us > 1000 * 86400000000");
	steps(901 * DAY_US + DAY_US / 2, 300 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_late%'"), 0,
		"but the day after");
	ledger_close(g);
}

static void check_days(void)
{
	struct fault why = FAULT_NONE;
	struct loop *l = loop_new(&why);
	struct workers *w = workers_new(l, 1, &why);
	open_it();
	const int64_t now_us = loop_wall_us(l);
	fill("a", 100, now_us - 50 * DAY_US);
	fill("b", 100, now_us - DAY_US);
	struct retention *r = retention_new(l, w, g);
	retention_keep(r, 0);
	loop_virtual_advance(l, 3 * DAY_US);
	is_int(ask("SELECT count(*) FROM exchange"), 200, "for ever is for ever");
	is_uint(loop_virtual_timers(l), 0, "and wants nothing of the loop");
	retention_keep(r, 60 * DAY_US);
	loop_virtual_settle(l);
	is_int(ask("SELECT count(*) FROM exchange"), 200, "none is so old yet");
	is_uint(loop_virtual_timers(l), 1, "it looks again");
	for (int i = 0; i < 10; i++) {
		char prefix[8];
		loop_virtual_advance(l, DAY_US);
		snprintf(prefix, sizeof prefix, "c%d", i);
		fill(prefix, 100, loop_wall_us(l));
	}
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_a%'"), 0,
		"every day: what has become old is gone");
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_b%'"), 100,
		"and the rest is not");
	loop_virtual_set_wall(l, loop_wall_us(l) + 100 * DAY_US);
	fill("ahead", 100, loop_wall_us(l));
	for (int i = 0; i < 2; i++)
		loop_virtual_advance(l, DAY_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_b%'"), 100,
		"a clock that is set ahead makes nothing old");
	loop_virtual_set_wall(l, loop_wall_us(l) - 100 * DAY_US);
	retention_keep(r, DAY_US);
	loop_virtual_settle(l);
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'req_b%'"), 100,
		"less than a month is a month, for budgets look back so far");
	retention_free(r);
	retention_free(NULL);
	is_uint(loop_virtual_timers(l), 0, "no timer is left");
	workers_free(w);
	ledger_close(g);
	loop_free(l);
}

int main(void)
{
	void (*const checks[])(void) = {
		check_steps, check_former, check_large, check_leaps, check_days};
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		snprintf(dir, sizeof dir, "/tmp/test_retention.XXXXXX");
		if (!mkdtemp(dir))
			bail("no folder in /tmp");
		snprintf(path, sizeof path, "%s/ledger.db", dir);
		checks[i]();
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	return tap_done();
}
