/* test_journal_kill.c - killed at any moment, again and again: is every settlement that was
 * acknowledged in the ledger, once, and everything else unknown?
 * Real threads and the real clock; the file is a small one, so that its halves change all the time. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/ledger/journal.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "tests/lib/small_journal.h"
#include "tests/lib/tap.h"

#define ROUNDS     200
#define WINDOW     8  /* requests that are open at a time */
#define BURST      40 /* and begun in one turn of the loop */
#define HALF_BYTES (128 * 1024)

static char dir[64];

/* What a child says it was told, before it is killed. */
static struct {
	_Atomic int reserved, settled;
	_Atomic bool is_up;
} * said;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static const char *in_dir(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* ---- the child ---- */

struct child {
	struct loop_timer timer;
	struct loop *loop;
	struct journal *journal;
	int round, reserved, settled;
};

static void make_id(char *id, int round, int n)
{
	snprintf(id, REQUEST_ID_BYTES, "req_%04d_%06d", round, n);
}

static bool child_reserve(struct child *c)
{
	struct fault why;
	struct reserve_record r = {.number = 1,
		.provider = "openai",
		.target_model = "m",
		.app = "killed",
		.estimate_input = 1,
		.estimate_output = 1,
		.estimate_nusd = 5};
	make_id(r.id, c->round, c->reserved);
	if (journal_reserve(c->journal, &r, &why) != OK)
		return false;
	atomic_store(&said->reserved, ++c->reserved);
	return true;
}

static void child_settle(struct child *c)
{
	struct fault why = FAULT_NONE;
	struct attempt_record a = {
		.number = 1, .outcome = OUTCOME_OK, .usage = USAGE_UNKNOWN, .price = PRICE_UNKNOWN};
	struct exchange_record x = {.outcome = OUTCOME_OK,
		.attempts = 1,
		.app = "killed",
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	make_id(a.id, c->round, c->settled);
	make_id(x.id, c->round, c->settled);
	if (journal_attempt(c->journal, &a, &why) != OK ||
		journal_settle(c->journal, &x, &why) != OK)
		abort();
	atomic_store(&said->settled, ++c->settled);
}

static void on_fire(struct loop_timer *t)
{
	struct child *c = container_of(t, struct child, timer);
	for (int i = 0; i < BURST && child_reserve(c); i++) {
		if (c->reserved - c->settled > WINDOW)
			child_settle(c);
	}
	/* a full journal must not stop what is open: what it waits for are others */
	if (c->reserved > c->settled)
		child_settle(c);
	loop_timer_set(c->loop, t, 100);
}

_Noreturn static void child_run(int round)
{
	struct fault why = FAULT_NONE;
	struct child c = {.round = round};
	c.timer.on_fire = on_fire;
	c.loop = loop_new(&why);
	struct workers *w = workers_new(c.loop, 2, &why);
	struct ledger *g = ledger_open(dir, &why);
	c.journal = g ? journal_open(dir, g, c.loop, w, &why) : NULL;
	if (!c.journal) {
		fprintf(stderr, "# round %d: %s\n", round, why.message);
		abort();
	}
	atomic_store(&said->is_up, true);
	loop_timer_set(c.loop, &c.timer, 0);
	loop_run(c.loop);
	abort();
}

/* ---- the judge ---- */

static int64_t ask(const char *format, int round, int n)
{
	char sql[400];
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t answer = -1;
	snprintf(sql, sizeof sql, "%s AND id >= 'req_%04d_%06d' AND id < 'req_%04d_%06d'", format,
		round, 0, round, n);
	if (sqlite3_open_v2(in_dir("ledger.db"), &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		answer = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return answer;
}

/* Is the database whole? */
static bool is_whole(void)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	bool whole = false;
	if (sqlite3_open_v2(in_dir("ledger.db"), &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		whole = strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0;
	sqlite3_finalize(s);
	sqlite3_close(db);
	return whole;
}

static void replay(void)
{
	struct fault why = FAULT_NONE;
	struct loop *l = loop_new(&why);
	struct workers *w = workers_new(l, 1, &why);
	struct ledger *g = ledger_open(dir, &why);
	struct journal *j = g ? journal_open(dir, g, l, w, &why) : NULL;
	if (!j)
		bail("%s", why.message);
	journal_close(j);
	ledger_close(g);
	workers_free(w);
	loop_free(l);
}

static struct {
	int64_t lost, extra, missing, attempts, settled, unknown;
	int rounds, late;
} sum;

#define MANY 999999

static void judge(int round)
{
	const int reserved = atomic_load(&said->reserved), settled = atomic_load(&said->settled);
	const int64_t ok_rows =
		ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'", round, MANY);
	const int64_t unknown =
		ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'", round, MANY);
	sum.settled += settled;
	sum.unknown += unknown;
	/* acknowledged, and not there as it was */
	sum.lost +=
		settled - ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'", round, settled);
	/* a kill can hit between the record and the word about it, once each */
	sum.extra += ok_rows > settled + 1;
	sum.missing += ok_rows + unknown < reserved || ok_rows + unknown > reserved + 1;
	/* an attempt is as its exchange; but one may have ended well that was not settled any more */
	sum.attempts +=
		ask("SELECT count(*) FROM exchange WHERE (SELECT count(*) FROM attempt WHERE "
		    "exchange_id = id) <> 1",
			round, MANY);
	sum.attempts += ask("SELECT count(*) FROM exchange, attempt WHERE exchange_id = id AND "
			    "attempt.outcome <> exchange.outcome",
				round, MANY) > 1;
}

static void kill_one(int round, unsigned *seed)
{
	atomic_store(&said->reserved, 0);
	atomic_store(&said->settled, 0);
	atomic_store(&said->is_up, false);
	fflush(NULL);
	const pid_t pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	if (pid == 0)
		child_run(round);
	/* one in four is killed while it opens, and maybe replays */
	const bool is_early = rand_r(seed) % 4 == 0;
	for (int i = 0; !is_early && !atomic_load(&said->is_up) && i < 20000; i++)
		usleep(500);
	usleep((useconds_t)(rand_r(seed) % (is_early ? 3000 : 12000)));
	kill(pid, SIGKILL);
	int status;
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		bail("round %d: the child ended by itself: %d", round, status);
	sum.late += atomic_load(&said->is_up);
}

/* A worker is at it, and more is waiting: closing waits for both. */
static void check_close(void)
{
	struct fault why = FAULT_NONE;
	struct loop *l = loop_new(&why);
	struct workers *w = workers_new(l, 2, &why);
	struct ledger *g = ledger_open(dir, &why);
	struct child c = {.round = 2 * ROUNDS, .loop = l};
	c.journal = g ? journal_open(dir, g, l, w, &why) : NULL;
	if (!c.journal)
		bail("%s", why.message);
	while (child_reserve(&c))
		child_settle(&c);
	journal_close(c.journal);
	workers_free(w);
	ledger_close(g);
	loop_free(l);
	ok(c.settled > 200, "%d requests, until the journal was full", c.settled);
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'", c.round, MANY), c.settled,
		"are in the ledger when it is closed");
}

int main(void)
{
	const char *word = getenv("SEED");
	unsigned seed = word ? (unsigned)strtoul(word, NULL, 10) : (unsigned)getpid();
	diag("SEED=%u", seed);
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	said = mmap(NULL, sizeof *said, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(dir, sizeof dir, "/tmp/test_kill.XXXXXX");
	if (said == MAP_FAILED || !mkdtemp(dir))
		bail("no folder in /tmp");
	small_journal_make(dir, HALF_BYTES);
	for (int round = 0; round < ROUNDS; round++) {
		kill_one(round, &seed);
		/* most are replayed by the next child, which may be killed in it */
		const int reserved = atomic_load(&said->reserved);
		const int settled = atomic_load(&said->settled);
		if (rand_r(&seed) % 3 == 0) {
			kill_one(ROUNDS + round, &seed);
			replay();
			judge(ROUNDS + round);
			atomic_store(&said->reserved, reserved);
			atomic_store(&said->settled, settled);
		} else {
			replay();
		}
		judge(round);
	}
	struct stat st;
	stat(in_dir("journal"), &st);
	is_int(st.st_size, 4096 + 2 * HALF_BYTES, "the journal keeps the size that it says");
	ok(sum.late > ROUNDS / 2, "%d of the killed had begun to work", sum.late);
	ok(sum.settled > 10000, "%lld settlements were acknowledged", (long long)sum.settled);
	is_int(sum.lost, 0, "none of them was lost");
	is_int(sum.extra, 0, "nothing was settled that was not");
	is_int(sum.missing, 0, "each reservation has one row, and there is no other");
	is_int(sum.attempts, 0, "each has one attempt");
	ok(sum.unknown >= WINDOW, "%lld were unknown", (long long)sum.unknown);
	check_close();
	ok(is_whole(), "the database is whole");
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
