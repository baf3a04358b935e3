/* test_journal.c - what is written reaches the ledger once, whatever happens to the disk meanwhile. */
#undef _FORTIFY_SOURCE /* whose pread is an inline one, and no name that a test can give another meaning */
#include "brokerd/ledger/journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/ledger/journal_file.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "brokerd/value/crc32c.h"
#include "protocol/limits.h"
#include "tests/lib/former_journal.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/small_journal.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)

static char dir[64];

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

static int64_t ask(const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int64_t answer = -1;
	if (sqlite3_open_v2(in_dir("ledger.db"), &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
		sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		answer = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return answer;
}

/* ---- one broker's worth ---- */

static struct {
	struct loop *loop;
	struct workers *workers;
	struct ledger *ledger;
	struct journal *journal;
} b;

static struct fault start(void)
{
	struct fault why = FAULT_NONE;
	b.loop = loop_new(&why);
	b.workers = workers_new(b.loop, 1, &why);
	b.ledger = ledger_open(dir, &why);
	b.journal = b.ledger ? journal_open(dir, b.ledger, b.loop, b.workers, &why) : NULL;
	return why;
}

static void must_start(void)
{
	const struct fault why = start();
	if (!b.journal)
		bail("%s", why.message);
}

static void stop(void)
{
	journal_close(b.journal);
	ledger_close(b.ledger);
	workers_free(b.workers);
	loop_free(b.loop);
	memset(&b, 0, sizeof b);
}

/* Ends the process, if this is a child: what was not yet moved stays in the file. */
static pid_t child(void)
{
	fflush(NULL);
	const pid_t pid = fork();
	if (pid < 0)
		bail("fork: %s", strerror(errno));
	return pid;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
}

static void await(pid_t pid)
{
	int status;
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		bail("a child ended otherwise than by its own hand: %d", status);
}

static struct reserve_record reserve(const char *id)
{
	struct reserve_record r = {.number = 1,
		.at_us = 7,
		.uid = 1000,
		.pid = 1,
		.app = "notes",
		.op = "chat",
		.surface = "",
		.model = "mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.estimate_input = 100,
		.estimate_output = 50,
		.estimate_nusd = 45000};
	snprintf(r.id, sizeof r.id, "%s", id);
	return r;
}

static struct attempt_record attempt(const char *id, uint32_t number)
{
	struct attempt_record a = {.number = number,
		.at_us = 8,
		.provider = "openai",
		.model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.http_status = 200,
		.has_sent_body = true,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	snprintf(a.id, sizeof a.id, "%s", id);
	a.usage.input = 90;
	a.usage.output = 10;
	a.usage.cost_nusd = 19500;
	return a;
}

static struct exchange_record exchange(const char *id)
{
	struct exchange_record x = {.at_us = 7,
		.total_us = 100,
		.ttft_us = 10,
		.uid = 1000,
		.app = "notes",
		.op = "chat",
		.model = "mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	snprintf(x.id, sizeof x.id, "%s", id);
	x.usage.cost_nusd = 19500;
	return x;
}

static enum err do_announce(const char *id, uint32_t number, struct fault *why)
{
	struct reserve_record r = reserve(id);
	r.number = number;
	return journal_reserve(b.journal, &r, why);
}

static enum err do_reserve(const char *id, struct fault *why)
{
	return do_announce(id, 1, why);
}

static enum err do_attempt(const char *id, uint32_t number, struct fault *why)
{
	const struct attempt_record a = attempt(id, number);
	return journal_attempt(b.journal, &a, why);
}

static enum err do_settle(const char *id, struct fault *why)
{
	const struct exchange_record x = exchange(id);
	return journal_settle(b.journal, &x, why);
}

/* A whole request; bails where something is refused. */
static void request(const char *id)
{
	struct fault why = FAULT_NONE;
	if (do_reserve(id, &why) || do_attempt(id, 1, &why) || do_settle(id, &why))
		bail("%s: %s", id, why.message);
}

static void requests(const char *prefix, int n)
{
	char id[REQUEST_ID_BYTES];
	for (int i = 0; i < n; i++) {
		snprintf(id, sizeof id, "%.16s_%06d", prefix, i);
		request(id);
	}
}

static struct {
	int calls;
	enum err err;
	char message[1024];
} flushed;

static void on_flushed(void *context, enum err err, const struct fault *why)
{
	(void)context;
	flushed.calls++;
	flushed.err = err;
	snprintf(flushed.message, sizeof flushed.message, "%s", why ? why->message : "");
}

static void flush(void)
{
	journal_flush(b.journal, (struct journal_reply){on_flushed, NULL});
}

/* ---- checks ---- */

static void check_everyday(void)
{
	struct fault why = FAULT_NONE;
	struct stat st;
	must_start();
	stat(in_dir("journal"), &st);
	is_int(st.st_size, (int64_t)(JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES), "its size");
	ok(st.st_blocks * 512 >= st.st_size, "its space is really there");
	is_int(st.st_mode & 07777, 0600, "nobody else reads it");
	ok(journal_is_writable(b.journal), "an empty one can be written to");
	is_uint(loop_virtual_timers(b.loop), 0, "and wants nothing of the loop");

	request("req_1");
	is_int(ask("SELECT count(*) FROM exchange"), 0, "nothing is moved at once");
	is_uint(loop_virtual_timers(b.loop), 1, "but it will be");
	loop_virtual_advance(b.loop, SECOND_US);
	is_int(ask("SELECT count(*) FROM exchange WHERE id = 'req_1' AND outcome = 'ok'"), 1,
		"a second later it is: the exchange");
	is_int(ask("SELECT count(*) FROM attempt WHERE exchange_id = 'req_1' AND number = 1"), 1,
		"and its attempt");
	is_uint(loop_virtual_timers(b.loop), 0, "and there is nothing left to do");

	flushed.calls = 0;
	flush();
	is_int(flushed.calls, 0, "a flush answers later, even with nothing to do");
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "and does");
	request("req_2");
	flush();
	request("req_3");
	flush();
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 3, "each flush is answered");
	is_err(flushed.err, OK, "well");
	is_int(ask("SELECT count(*) FROM exchange"), 3, "when the rows are there");

	is_err(do_settle("req_4", &why), OK, "a settlement without a reservation");
	is_err(do_attempt("req_4", 1, &why), OK, "an attempt likewise");
	is_err(do_reserve("req_5", &why), OK, "a reservation that stays open");
	for (uint32_t n = 1; n <= ATTEMPTS_RESERVED + 2; n++)
		is_err(do_attempt("req_5", n, &why), OK, "its attempt %u", n);
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), 4, "closing moves what has ended");
	is_int(ask("SELECT count(*) FROM attempt"), 4 + ATTEMPTS_RESERVED + 2, "attempts too");
	is_int(ask("SELECT count(*) FROM exchange WHERE id = 'req_5'"), 0, "and not what is open");
	must_start();
	is_int(ask("SELECT count(*) FROM exchange WHERE id = 'req_5' AND outcome = 'unknown'"), 1,
		"which the next start finds, unknown");
	stop();
	must_start();
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), 5, "and the start after that adds nothing");
	is_int(ask("SELECT count(*) FROM attempt"), 4 + ATTEMPTS_RESERVED + 2, "nor attempts");
}

/* Rounds of the file, with exchanges that stay open through all of them. */
static void check_wrapping(void)
{
	char id[REQUEST_ID_BYTES];
	struct fault why = FAULT_NONE;
	small_journal_make(dir, MIB);
	must_start();
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "long_%03d", i);
		if (do_reserve(id, &why) || (i % 2 && do_attempt(id, 1, &why)))
			bail("%s", why.message);
	}
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof id, "round_%02d", i);
		requests(id, 500);
		loop_virtual_settle(b.loop);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(id, sizeof id, "long_%03d", i);
		if (do_settle(id, &why))
			bail("%s", why.message);
	}
	flushed.calls = 0;
	flush();
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "flushed");
	is_int(ask("SELECT count(*) FROM exchange"), 60 * 500 + 50, "every exchange, once");
	is_int(ask("SELECT count(*) FROM attempt"), 60 * 500 + 50, "every attempt, once");

	const pid_t pid = child();
	if (pid == 0)
		die();
	await(pid);
	journal_close(b.journal); /* with 50 open, in a half that was begun with them */
	b.journal = NULL;
	stop();
	must_start();
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'"), 50,
		"those open through all rounds are unknown");
	is_int(ask("SELECT count(*) FROM attempt WHERE outcome = 'unknown'"), 25,
		"with an attempt each where none was recorded");
	is_int(ask("SELECT count(*) FROM exchange x JOIN attempt a ON a.exchange_id = x.id WHERE "
		   "x.outcome = 'unknown' AND (x.attempts <> 1 OR x.cost_nusd <> a.cost_nusd OR "
		   "x.input <> a.input OR x.app <> 'notes')"),
		0, "and what those used");
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown' AND cost_nusd = 45000 "
		   "AND input = 100"),
		25, "or, of the others, what was reserved");
	stop();
}

static const struct {
	const char *name;
	/* before the crash: rN announces an attempt, bN one beside the one before, aN records its end */
	const char *steps;
	int64_t cost_nusd; /* of each that ended */
	int64_t want_attempts, want_unknown, want_cost;
	int want_provider; /* where it is said to have gone last */
	int never;         /* of its attempts so many were announced, and did not come to sending */
} crashes[] = {
	{"before the first attempt ended",      "r1",         0,     1, 1, 45000,  1, 0},
	{"between attempt and settlement",      "r1a1",       19500, 1, 0, 19500,  1, 0},
	{"as above, and it was dearer",         "r1a1",       99000, 1, 0, 99000,  1, 0},
	{"while it waits after a free failure", "r1a1",       0,     1, 0, 0,      1, 0},
	{"in a second attempt, elsewhere",      "r1a1r2",     19500, 2, 1, 64500,  2, 0},
	{"in a second one, after a dear first", "r1a1r2",     99000, 2, 1, 144000, 2, 0},
	{"in a second one, after a cut first",  "r1a1r2",     45000, 2, 1, 90000,  2, 0},
	{"after two",			   "r1a1r2a2",   30000, 2, 0, 60000,  2, 0},
	{"announced elsewhere before it began", "r1r1",       0,     1, 1, 45000,  1, 0},
	{"with two under way",                  "r1b2",       0,     2, 2, 90000,  2, 0},
	{"when the first of two has ended",     "r1b2a1",     19500, 2, 1, 64500,  2, 0},
	{"when the second of two has ended",    "r1b2a2",     19500, 2, 1, 64500,  2, 0},
	{"when both of two have ended",         "r1b2a2a1",   19500, 2, 0, 39000,  2, 0},
	{"in a third one, after two at a time", "r1b2a2a1r3", 19500, 3, 1, 84000,  3, 0},
	{"with two under way, after one",       "r1a1r2b3",   19500, 3, 2, 109500, 3, 0},
	{"in the one that began of three",      "r1r2r3",     0,     3, 1, 45000,  3, 2},
	{"in a second beside which none began", "r1b2a1r3",   19500, 3, 1, 64500,  3, 1},
	{"and beside which one did again",      "r1b2b2",     0,     2, 2, 90000,  2, 0},
};

static void check_crashes(void)
{
	for (size_t i = 0; i < COUNT_OF(crashes); i++) {
		const pid_t pid = child();
		if (pid == 0) {
			struct fault why = FAULT_NONE;
			must_start();
			struct reserve_record r = reserve("req_x");
			struct attempt_record a = attempt("req_x", 1);
			a.usage.cost_nusd = crashes[i].cost_nusd;
			for (const char *at = crashes[i].steps; *at; at += 2) {
				r.number = a.number = (uint32_t)(at[1] - '0');
				r.beside = at[0] == 'b' ? r.number - 1 : 0;
				snprintf(r.provider, sizeof r.provider, "provider%c", at[1]);
				if (at[0] == 'a' ? journal_attempt(b.journal, &a, &why)
						 : journal_reserve(b.journal, &r, &why))
					_exit(1);
			}
			die();
		}
		await(pid);
		for (int again = 0; again < 2; again++) {
			must_start();
			stop();
		}
		char sql[200];
		is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown' AND error = "
			   "'outcome_unknown'"),
			1, "killed %s: one exchange, unknown", crashes[i].name);
		is_int(ask("SELECT attempts FROM exchange"), crashes[i].want_attempts,
			"it knows its attempts");
		is_int(ask("SELECT count(*) FROM attempt"),
			crashes[i].want_attempts - crashes[i].never, "each of which has a row");
		is_int(ask("SELECT count(*) FROM attempt WHERE outcome = 'unknown'"),
			crashes[i].want_unknown, "so many unknown");
		snprintf(sql, sizeof sql,
			"SELECT count(*) FROM exchange WHERE provider = 'provider%d'",
			crashes[i].want_provider);
		is_int(ask(sql), 1, "it is known where it went last");
		is_int(ask("SELECT count(*) FROM attempt WHERE outcome = 'unknown' AND provider <> "
			   "'provider' || number"),
			0, "and where each that was under way did");
		is_int(ask("SELECT cost_nusd FROM exchange"), crashes[i].want_cost,
			"and costs what those that ended did, and what was set aside for one "
			"under way");
		is_int(ask("SELECT sum(cost_nusd) FROM attempt"), crashes[i].want_cost,
			"as its attempts do together");
		unlink(in_dir("ledger.db"));
	}
}

static void check_many_open(void)
{
	char id[REQUEST_ID_BYTES];
	struct fault why = FAULT_NONE;
	int open = 0;
	must_start();
	for (;; open++) {
		snprintf(id, sizeof id, "req_%05d", open);
		const bool is_writable = journal_is_writable(b.journal);
		const enum err err = do_reserve(id, &why);
		if (is_writable != (err == OK))
			ok(false, "writable means just that, at %d", open);
		if (err)
			break;
	}
	is_int(open, 2190, "so many can be open");
	is_err(why.err, ERR_STORAGE_FULL, "%s", why.message);
	ok(strstr(why.message, "2190 paid requests are open") != NULL, "and it says why");

	int refused_rows = 0;
	for (; refused_rows < 200; refused_rows++) {
		snprintf(id, sizeof id, "refused_%03d", refused_rows);
		if (do_settle(id, &why) != OK)
			break;
	}
	is_int(refused_rows, 200, "those that are refused may still be noted");

	/* each can still do all that was promised, in rounds of the file */
	int failed = 0;
	for (uint32_t n = 1; n <= ATTEMPTS_RESERVED; n++) {
		for (int i = 0; i < open; i++) {
			snprintf(id, sizeof id, "req_%05d", i);
			failed += do_attempt(id, n, &why) != OK;
		}
	}
	is_int(failed, 0, "every attempt that was promised");
	for (int i = 0; i < open; i++) {
		snprintf(id, sizeof id, "req_%05d", i);
		failed += do_settle(id, &why) != OK;
		loop_virtual_settle(b.loop);
	}
	is_int(failed, 0, "every settlement");
	ok(journal_is_writable(b.journal), "then there is room again");
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), open + 200, "all are in the ledger");
	is_int(ask("SELECT count(*) FROM attempt"), (int64_t)ATTEMPTS_RESERVED * open,
		"and theirs");
}

/* Somebody else holds the ledger locked: nothing is lost, and in the end nothing more is begun. */
static void check_full(void)
{
	struct fault why = FAULT_NONE;
	char id[REQUEST_ID_BYTES];
	small_journal_make(dir, MIB);
	must_start();
	request("req_first");
	loop_virtual_advance(b.loop, SECOND_US);

	/* a trigger stands for a disk that takes nothing */
	ask("CREATE TRIGGER full BEFORE INSERT ON exchange BEGIN SELECT RAISE(ABORT, 'no'); END");
	flushed.calls = 0;
	request("req_second");
	flush();
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "the flush is answered");
	is_err(flushed.err, ERR_IO, "with what failed: %s", flushed.message);
	ok(journal_is_writable(b.journal), "there is room yet");

	int n = 0;
	enum err err = OK;
	for (; n < 100000; n++) {
		snprintf(id, sizeof id, "req_%06d", n);
		err = do_reserve(id, &why);
		if (err)
			break;
		if (do_attempt(id, 1, &why) || do_settle(id, &why))
			bail("%s", why.message);
		if (n % 500 == 0)
			loop_virtual_advance(b.loop, SECOND_US);
	}
	is_err(err, ERR_STORAGE_FULL, "after %d it is full: %s", n, why.message);
	ok(strstr(why.message, "the journal is full, for writing") != NULL, "and says why");
	ok(n > 4000, "which took a while");
	ok(!journal_is_writable(b.journal), "so it is not writable");
	is_err(do_settle("req_refused", &why), OK, "what was refused may still be noted");

	ask("DROP TRIGGER full");
	loop_virtual_advance(b.loop, 2 * SECOND_US);
	ok(journal_is_writable(b.journal), "it recovers by itself");
	is_err(do_reserve("req_last", &why), OK, "and takes requests");
	is_err(do_settle("req_last", &why), OK, "and takes requests");
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), n + 4, "nothing was lost");
	is_int(ask("SELECT count(*) FROM attempt"), n + 2, "no attempt either");
}

/* ---- the file itself ---- */

static void put(const char *name, size_t at, const void *bytes, size_t n)
{
	const int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, bytes, n, (off_t)at) != (ssize_t)n || close(fd) != 0)
		bail("writing %s: %s", name, strerror(errno));
}

static void get(const char *name, size_t at, void *bytes, size_t n)
{
	const int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, bytes, n, (off_t)at) != (ssize_t)n || close(fd) != 0)
		bail("reading %s: %s", name, strerror(errno));
}

static void flip(size_t at)
{
	unsigned char c;
	get("journal", at, &c, 1);
	c ^= 0x41;
	put("journal", at, &c, 1);
}

static void cut(size_t at)
{
	if (truncate(in_dir("journal"), (off_t)at) != 0)
		bail("truncate: %s", strerror(errno));
}

static bool is_there(const char *name)
{
	return access(in_dir(name), F_OK) == 0;
}

/* The journal of a process that was killed after `n` requests, and no ledger. */
static void leave(int n)
{
	const pid_t pid = child();
	if (pid == 0) {
		must_start();
		requests("req", n);
		die();
	}
	await(pid);
	unlink(in_dir("ledger.db"));
}

/* All that a few requests leave, and where the last frame of it lies. */
static struct {
	unsigned char bytes[JOURNAL_PAGE_BYTES * 4];
	size_t from, padding, to; /* in the file */
	uint64_t sequence;
} left;

static void read_left(void)
{
	struct record r;
	get("journal", 0, left.bytes, sizeof left.bytes);
	const char *half = (const char *)left.bytes + JOURNAL_PAGE_BYTES;
	struct record_reader reader = {
		.left = span_of(half, sizeof left.bytes - JOURNAL_PAGE_BYTES)};
	left.from = left.to = JOURNAL_PAGE_BYTES;
	while (record_next(&reader, &r) == RECORD_FOUND) {
		left.from = left.to;
		left.to = (size_t)(reader.left.p - (const char *)left.bytes);
		left.padding = (size_t)(r.fields.p + r.fields.n - (const char *)left.bytes);
		left.sequence = r.sequence;
	}
}

static bool is_zero(size_t from, size_t to)
{
	while (from < to && left.bytes[from] == 0)
		from++;
	return from == to;
}

/* The last record, the settlement of the fourth request, damaged at every byte. */
static void check_torn(void)
{
	int wrong = 0, kept = 0;
	leave(4);
	read_left();
	for (size_t i = left.from; i < left.to; i++) {
		for (int is_cut = 0; is_cut < 2; is_cut++) {
			put("journal", 0, left.bytes, sizeof left.bytes);
			if (is_cut)
				cut(i);
			else
				flip(i);
			must_start();
			stop();
			const bool is_whole = is_cut ? is_zero(i, left.to) : i >= left.padding;
			const int64_t lost = is_whole ? 0 : 1;
			wrong += ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'") !=
				 4 - lost;
			wrong += ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown' AND "
				     "id "
				     "= 'req_000003'") != lost;
			wrong += ask("SELECT count(*) FROM attempt") != 4;
			kept += is_there("journal.old-1");
			unlink(in_dir("ledger.db"));
		}
	}
	is_int(wrong, 0, "damaged at any of %zu bytes, or cut there, the last record alone is lost",
		left.to - left.from);
	is_int(kept, 0, "and a torn end is nothing to be kept");
}

static void check_kept(void)
{
	leave(4);
	flip(JOURNAL_PAGE_BYTES + 30);
	must_start();
	ok(is_there("journal.old-1"), "damage before whole records: the file is kept");
	is_int(ask("SELECT count(*) FROM exchange"), 0, "what comes after is not guessed at");
	request("req_after");
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), 1, "and a new journal works");

	/* a newer version's record among ours */
	struct exchange_record x = exchange("req_newer");
	unsigned char frame[RECORD_BYTES];
	leave(2);
	read_left();
	const size_t n = record_pack(RECORD_EXCHANGE, &x, left.sequence + 1, frame);
	frame[17]++;
	const size_t length = frame[0];
	const uint32_t sum = crc32c(crc32c(0, frame, 4), frame + 8, length);
	memcpy(frame + 4, &(uint32_t){htole32(sum)}, 4);
	put("journal", left.to, frame, n);
	x = exchange("req_behind");
	record_pack(RECORD_EXCHANGE, &x, left.sequence + 2, frame);
	put("journal", left.to + n, frame, n);
	must_start();
	ok(is_there("journal.old-2"),
		"a record of a newer version: the file is kept, beside others");
	is_int(ask("SELECT count(*) FROM exchange"), 3, "what can be read of it is in the ledger");
	stop();

	/* a first page that is not ours */
	leave(2);
	flip(3);
	must_start();
	ok(is_there("journal.old-3"), "another magic: the file is kept");
	stop();
	leave(2);
	flip(16);
	must_start();
	ok(is_there("journal.old-4"), "another version: the file is kept");
	is_int(ask("SELECT count(*) FROM exchange"), 0, "unread");
	stop();

	/* making it was cut short */
	unlink(in_dir("journal"));
	put("journal", 0, "\0\0\0", 3);
	must_start();
	ok(!is_there("journal.old-5"), "one that was never finished is nothing to keep");
	stop();
}

/* After a power cut, pages of an earlier process may lie behind those of the last one: they must not
 * pass for its own. */
static void check_sequences(void)
{
	uint64_t latest = 0;
	for (int i = 0; i < 3; i++) {
		if (i == 1) {
			must_start();
			requests("req", 3);
			stop(); /* leaves nothing behind that says how far it came */
		}
		leave(1);
		read_left();
		ok(left.sequence > latest + 1000000, "another process begins far behind %llu",
			(unsigned long long)latest);
		latest = left.sequence;
	}
}

/* What version 1 left is read, and its file made as long as a new one. */
static void check_former(void)
{
	struct stat st;
	small_journal_make(dir, JOURNAL_FORMER_BYTES);
	put("journal", JOURNAL_PAGE_BYTES, former_frames, FORMER_FRAMES_BYTES);
	/* and in its second half, which will be in the middle of the first, something of a former round */
	put("journal", (off_t)(JOURNAL_PAGE_BYTES + JOURNAL_FORMER_BYTES), former_frames, 120);
	must_start();
	is_int(ask("SELECT count(*) FROM exchange WHERE id = 'req_done' AND outcome = 'ok' AND "
		   "cost_nusd = 19500 AND kind IS NULL AND queued_us IS NULL"),
		1, "a former version's exchange is in the ledger");
	is_int(ask("SELECT count(*) FROM attempt WHERE exchange_id = 'req_done' AND charged_nusd "
		   "IS NULL"),
		1, "and its attempt");
	is_int(ask("SELECT count(*) FROM exchange WHERE id = 'req_open' AND outcome = 'unknown' "
		   "AND cost_nusd = 45000"),
		1, "what was open is unknown");
	is_int(ask("SELECT charged_nusd FROM attempt WHERE exchange_id = 'req_open'"), 45000,
		"and counts for budgets as it was reserved");
	ok(!is_there("journal.old-1"), "nothing had to be kept");
	stat(in_dir("journal"), &st);
	is_int(st.st_size, (int64_t)(JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES),
		"the file is as long as a new one");
	ok(st.st_blocks * 512 >= st.st_size, "its space is really there");
	requests("req", 30000); /* over the place where the second half was */
	stop();
	leave(3);
	must_start();
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'"), 3,
		"and is used like one");
	stop();
}

static void check_holes(void)
{
	struct stat st;
	leave(4);
	cut(64 * 1024);
	must_start();
	stat(in_dir("journal"), &st);
	ok(st.st_size == (off_t)(JOURNAL_PAGE_BYTES + 2 * JOURNAL_HALF_BYTES) &&
			st.st_blocks * 512 >= st.st_size,
		"a copy that lost its empty space gets it back");
	is_int(ask("SELECT count(*) FROM exchange"), 4, "and what it held is read");
	stop();
}

static void refused(enum err want, const char *part, const char *name)
{
	const struct fault why = start();
	ok(b.journal == NULL, "%s is refused", name);
	is_err(why.err, want, "%s", name);
	ok(strstr(why.message, part) != NULL, "%s: %s", name, why.message);
	stop();
}

static void check_refusals(void)
{
	if (symlink("elsewhere", in_dir("journal")) != 0)
		bail("no symbolic link");
	refused(ERR_IO, "symbolic link", "a symbolic link");
	ok(!is_there("elsewhere"), "and not followed");
	unlink(in_dir("journal"));
	mkfifo(in_dir("journal"), 0600);
	refused(ERR_IO, "not a regular file", "a FIFO");
	unlink(in_dir("journal"));
	put("journal", 0, "", 0);
	if (geteuid() == 0) {
		if (chown(in_dir("journal"), 1, 1) != 0)
			bail("chown");
		refused(ERR_IO, "belongs to uid 1, and llm-brokerd runs as uid 0", "a stranger's");
	} else {
		skip("only root can make a stranger's file");
	}
	unlink(in_dir("journal"));

	must_start();
	const pid_t pid = child();
	if (pid == 0) {
		const struct fault why = start();
		if (!b.journal && strstr(why.message, "another llm-brokerd uses"))
			die();
		_exit(1);
	}
	await(pid);
	ok(true, "a second one on the same folder is refused");
	stop();
	must_start();
	stop();
	ok(true, "and may come after the first");
}

/* ---- a disk that is lost, and comes back ---- */

/* Lost: no file may grow any more, and the ledger's is the first that has to. */
/* What the journal's file answers to be read and to be synced. */
static int read_error, sync_error;

static bool is_journal(int fd)
{
	struct stat named, st;
	return stat(in_dir("journal"), &named) == 0 && fstat(fd, &st) == 0 &&
	       st.st_ino == named.st_ino && st.st_dev == named.st_dev;
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
	if (read_error && at >= (off_t)JOURNAL_PAGE_BYTES && is_journal(fd)) {
		errno = read_error;
		return -1;
	}
	return syscall(SYS_pread64, fd, to, n, at);
}

int fdatasync(int fd)
{
	if (sync_error && is_journal(fd)) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void limit_files(bool is_lost)
{
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = is_lost ? 1 : limit.rlim_max;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		bail("setrlimit: %s", strerror(errno));
}

static struct {
	int away, back;
	char why[1024];
} watched;

static void on_away(void *context, const struct fault *why)
{
	(void)context;
	watched.away++;
	snprintf(watched.why, sizeof watched.why, "%s", why->message);
}

static void on_back(void *context)
{
	(void)context;
	watched.back++;
}

static void die_back(void *context)
{
	(void)context;
	die();
}

/* Has the process a file of that name open, or mapped? */
static bool is_held(const char *name)
{
	char line[512], path[300];
	bool is_there_one = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof line, maps))
		is_there_one = is_there_one || strstr(line, in_dir(name)) != NULL;
	if (maps)
		fclose(maps);
	for (int fd = 0; fd < 64; fd++) {
		snprintf(line, sizeof line, "/proc/self/fd/%d", fd);
		const ssize_t n = readlink(line, path, sizeof path - 1);
		path[n > 0 ? n : 0] = '\0';
		is_there_one = is_there_one || strcmp(path, in_dir(name)) == 0;
	}
	return is_there_one;
}

/* What ends while the disk is being looked at: that is not among what is taken along. */
static bool is_tail_due;

static int on_connect(sqlite3 *db, char **message, const void *api)
{
	struct fault why = FAULT_NONE;
	(void)db, (void)message, (void)api;
	if (!is_tail_due)
		return SQLITE_OK;
	is_tail_due = false;
	if (do_attempt("req_tail", 1, &why) || do_settle("req_tail", &why) ||
		do_settle("req_tail_refused", &why))
		abort();
	return SQLITE_OK;
}

static void leave_as_it_is(void)
{
}

static void leave_nothing(void)
{
	static const char *const names[] = {
		"journal", "ledger.db", "ledger.db-wal", "ledger.db-shm"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		unlink(in_dir(names[i]));
}

/* As a disk that is mounted further up, and is empty. */
static void leave_no_folder(void)
{
	leave_nothing();
	if (rmdir(dir) != 0)
		bail("rmdir: %s", strerror(errno));
}

/* Another broker's, that was killed. Some of what is under way here was so there. */
static void leave_another(void)
{
	leave_nothing();
	const pid_t pid = child();
	if (pid == 0) {
		struct fault why = FAULT_NONE;
		memset(&b, 0, sizeof b);
		must_start();
		request("req_foreign");
		if (do_reserve("req_foreign_open", &why) || do_reserve("req_open", &why) ||
			do_announce("req_ending", 2, &why))
			_exit(1);
		die();
	}
	await(pid);
}

/* As the disk had it a while ago: what was open then is there, but not how it ended. */
static void leave_older(void)
{
	struct record r;
	size_t end = JOURNAL_PAGE_BYTES;
	read_left();
	struct record_reader reader = {.left = span_of((const char *)left.bytes + end,
					       sizeof left.bytes - JOURNAL_PAGE_BYTES)};
	/* up to the beginning of that one, and with it */
	for (bool is_more = true; is_more && record_next(&reader, &r) == RECORD_FOUND;) {
		is_more = span_find(r.fields, SPAN("req_before")) == r.fields.n;
		end = (size_t)(reader.left.p - (const char *)left.bytes);
	}
	put("journal", end, "\0\0\0\0\0\0\0\0", 8);
}

static const struct {
	const char *name;
	void (*leave)(void);
	int foreign; /* exchanges of others, of which one is unknown */
} disks[] = {
	{"as it was",    leave_as_it_is,  0},
	{"an empty one", leave_nothing,   0},
	{"no folder",    leave_no_folder, 0},
	{"another's",    leave_another,   2},
	{"an older one", leave_older,     0},
};

static void begin_three(void)
{
	struct fault why = FAULT_NONE;
	/* one has announced an attempt that it will not come to */
	if (do_reserve("req_open", &why) || do_reserve("req_tail", &why) ||
		do_reserve("req_ending", &why) || do_attempt("req_ending", 1, &why) ||
		do_reserve("req_ending", &why))
		bail("%s", why.message);
	request("req_before");
	loop_virtual_advance(b.loop, SECOND_US);
}

static void lose_disk(void)
{
	watched.away = watched.back = 0;
	journal_watch(b.journal, (struct journal_watch){on_away, on_back, NULL});
	limit_files(true);
	request("req_meanwhile");
	loop_virtual_advance(b.loop, SECOND_US);
}

static void go_on_without(void)
{
	struct fault why = FAULT_NONE;
	if (do_settle("req_ending", &why) || do_settle("req_refused", &why))
		bail("%s", why.message);
}

static void come_back(void (*leave_disk)(void))
{
	limit_files(false);
	leave_disk();
	is_tail_due = true;
	loop_virtual_advance(b.loop, SECOND_US);
}

/* All but those that are open, each once and as it was. */
static void check_rows_of(const char *name, int foreign, int others)
{
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok' AND id IN ('req_before', "
		   "'req_meanwhile', 'req_ending', 'req_tail', 'req_refused', "
		   "'req_tail_refused')"),
		6, "%s: all that ended is there, as it ended", name);
	is_int(ask("SELECT count(*) FROM exchange"), 6 + foreign + others, "%s: once", name);
	is_int(ask("SELECT count(*) FROM attempt"), 4 + foreign + others,
		"%s: and so are the attempts", name);
}

static void check_away(void)
{
	struct fault why = FAULT_NONE;
	must_start();
	begin_three();
	is_int(ask("SELECT count(*) FROM exchange"), 1, "all is well");
	lose_disk();
	is_int(watched.away, 1, "the disk is lost: %s", watched.why);
	ok(!is_held("journal"), "the journal is let go");
	ok(!journal_is_writable(b.journal), "nothing more is taken on");
	is_err(do_reserve("req_new", &why), ERR_STORAGE_FULL, "%s", why.message);
	ok(strstr(why.message, "cannot be recorded, so it is not sent") != NULL &&
			strstr(why.message, "ledger.db") != NULL,
		"and it is said why");
	is_err(do_announce("req_open", 2, &why), ERR_STORAGE_FULL, "nor a further attempt");
	const struct ledger_rows rows = {.n_exchanges = 0};
	is_err(ledger_write(b.ledger, &rows, &why), ERR_IO, "the ledger says so: %s", why.message);
	is_err(ledger_sync(b.ledger, &why), ERR_IO, "whatever is asked");
	go_on_without();
	flushed.calls = 0;
	flush();
	is_int(flushed.calls, 0, "who wants to know what was used is answered later,");
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "but not for ever");
	is_err(flushed.err, ERR_IO, "%s", flushed.message);
	loop_virtual_advance(b.loop, 3 * SECOND_US);
	is_int(watched.back, 0, "it is not back before it is better");
	ok(!is_held("journal"), "and not held meanwhile");
	limit_files(false);
	read_error = EIO;
	loop_virtual_advance(b.loop, SECOND_US);
	is_int(watched.back, 0, "nor while the journal cannot be read");
	ok(strstr(watched.why, "reading") != NULL, "%s", watched.why);
	read_error = 0;
	sync_error = EIO;
	loop_virtual_advance(b.loop, SECOND_US);
	is_int(watched.back, 0, "nor while it does not take what is written to it");
	ok(strstr(watched.why, "syncing") != NULL, "%s", watched.why);
	sync_error = 0;
	come_back(leave_as_it_is);
	is_int(watched.back, 1, "then it is");
	ok(!is_tail_due, "while it came, something ended");
	ok(is_held("journal"), "the journal is a file again");
	ok(journal_is_writable(b.journal), "and takes requests");
	flushed.calls = 0;
	flush();
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "what was used can be asked");
	is_err(flushed.err, OK, "again");
	check_rows_of("at once", 0, 0);
	stop();
}

/* How many seconds until a disk that can be used is back. */
static int seconds_until_back(void)
{
	int seconds = 0;
	limit_files(false);
	while (watched.back == 0 && seconds < 100) {
		loop_virtual_advance(b.loop, SECOND_US);
		seconds++;
	}
	return seconds;
}

/* There has to be something new to write. */
static void lose_another_time(size_t n)
{
	char id[REQUEST_ID_BYTES];
	snprintf(id, sizeof id, "req_lost_%zu", n);
	request(id);
	lose_disk();
}

static void check_flapping(void)
{
	static const int seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
	must_start();
	for (size_t i = 0; i < COUNT_OF(seconds); i++) {
		lose_another_time(i);
		is_int(watched.away, 1, "it is lost");
		is_int(seconds_until_back(), seconds[i], "and looked for again in time");
	}
	loop_virtual_advance(b.loop, 61 * SECOND_US);
	lose_another_time(COUNT_OF(seconds));
	is_int(seconds_until_back(), 1, "and soon, once it has held for a minute");
	stop();
	leave_nothing();
}

static void check_returns(void)
{
	struct fault why = FAULT_NONE;
	for (size_t i = 0; i < COUNT_OF(disks); i++) {
		const char *name = disks[i].name;
		must_start();
		begin_three();
		lose_disk();
		go_on_without();
		come_back(disks[i].leave);
		is_int(watched.back, 1, "%s: it is back", name);
		is_err(do_attempt("req_open", 1, &why), OK, "what is under way goes on");
		is_err(do_settle("req_open", &why), OK, "and ends");
		request("req_after");
		stop();
		check_rows_of(name, disks[i].foreign, 2);
		is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'"),
			disks[i].foreign / 2, "%s: of ours, nothing is unknown", name);
		must_start();
		stop();
		check_rows_of(name, disks[i].foreign, 2);
		leave_nothing();
	}
}

/* At the first moment of the new file, and with what the older half says besides. */
static void check_killed_returns(void)
{
	for (size_t i = 0; i < COUNT_OF(disks); i++) {
		const char *name = disks[i].name;
		const pid_t pid = child();
		if (pid == 0) {
			must_start();
			begin_three();
			lose_disk();
			go_on_without();
			journal_watch(b.journal, (struct journal_watch){.on_back = die_back});
			come_back(disks[i].leave);
			_exit(1);
		}
		await(pid);
		for (int again = 0; again < 2; again++) {
			must_start();
			stop();
			check_rows_of(name, disks[i].foreign, 1);
			is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown' AND "
				   "id = 'req_open' AND attempts = 1"),
				1, "%s, then killed: what was open is unknown", name);
		}
		leave_nothing();
	}
}

/* What was in memory alone is lost with the process, but nothing is told twice. */
static void check_killed_away(void)
{
	const pid_t pid = child();
	if (pid == 0) {
		must_start();
		begin_three();
		lose_disk();
		go_on_without();
		die();
	}
	await(pid);
	must_start();
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'"), 2,
		"killed while away: what the file had is there");
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'"), 3,
		"and what was open is unknown");
	stop();
}

static void check_closed_away(void)
{
	for (int is_better = 0; is_better < 2; is_better++) {
		must_start();
		begin_three();
		lose_disk();
		go_on_without();
		if (is_better)
			limit_files(false);
		stop();
		limit_files(false);
		must_start();
		is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'"), is_better ? 4 : 2,
			"closed while %s",
			is_better ? "it could be written again: nothing is lost" : "away");
		is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'"),
			is_better ? 2 : 3, "what was open is unknown");
		stop();
		leave_nothing();
	}
}

static void check_too_small(void)
{
	struct fault why = FAULT_NONE;
	char id[REQUEST_ID_BYTES];
	must_start();
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "long_%02d", i);
		if (do_reserve(id, &why))
			bail("%s", why.message);
	}
	lose_disk();
	limit_files(false);
	unlink(in_dir("journal"));
	small_journal_make(dir, 64 * KIB);
	loop_virtual_advance(b.loop, 2 * SECOND_US);
	is_int(watched.back, 0, "a file that is too small will not do");
	ok(strstr(watched.why, "too small for what is under way") != NULL, "%s", watched.why);
	ok(!is_held("journal"), "nor is it held");
	unlink(in_dir("journal"));
	loop_virtual_advance(b.loop, SECOND_US);
	is_int(watched.back, 1, "without it, a new one is made");
	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof id, "long_%02d", i);
		if (do_attempt(id, 1, &why) || do_settle(id, &why))
			bail("%s", why.message);
	}
	stop();
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'"), 21, "and all is there");
	is_int(ask("SELECT count(*) FROM exchange"), 21, "once");
}

/* Lost again and again, with rounds of a small file, and what is open all the time. */
static void check_lost_often(void)
{
	char id[REQUEST_ID_BYTES];
	struct fault why = FAULT_NONE;
	small_journal_make(dir, 256 * KIB);
	must_start();
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "long_%02d", i);
		if (do_reserve(id, &why))
			bail("%s", why.message);
	}
	int failed = 0;
	for (int round = 0; round < 20; round++) {
		snprintf(id, sizeof id, "well_%02d", round);
		requests(id, 37 * (round % 7) +
				     1); /* so that it is another place of the file each time */
		loop_virtual_settle(b.loop);
		lose_disk();
		failed += watched.away != 1;
		for (int i = 0; i < 200; i++) {
			snprintf(id, sizeof id, "refused_%02d_%03d", round, i);
			failed += do_settle(id, &why) != OK;
		}
		failed += seconds_until_back() > 60;
	}
	is_int(failed, 0, "each time it is let go, and comes back");
	for (int i = 0; i < 10; i++) {
		snprintf(id, sizeof id, "long_%02d", i);
		if (do_attempt(id, 1, &why) || do_settle(id, &why))
			bail("%s", why.message);
	}
	stop();
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome <> 'ok'"), 0, "nothing is unknown");
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'refused%'"), 20 * 200,
		"what was in memory is there");
	is_int(ask("SELECT count(*) FROM exchange WHERE id LIKE 'long%'"), 10, "and what was open");
}

/* A folder of its own, on a small disk. False where that cannot be. */
static bool mount_small(const char *options)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	return mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

static void fill_disk(void)
{
	static const char zeroes[65536];
	const int fd = open(in_dir("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, zeroes, sizeof zeroes) > 0)
		;
	while (write(fd, zeroes, 1) > 0)
		;
	close(fd);
}

static void check_disk_full(void)
{
	struct fault why = FAULT_NONE;
	if (!mount_small("size=1m,mode=700")) {
		skip("only root can mount a small disk");
		return;
	}
	refused(ERR_STORAGE_FULL, "It needs 22 MiB: free some space", "a disk that is too small");
	umount(dir);

	/* room for the journal and a little */
	if (mount("tmpfs", dir, "tmpfs", 0, "size=2300k,mode=700") != 0)
		bail("mount: %s", strerror(errno));
	small_journal_make(dir, MIB);
	must_start();
	is_err(do_reserve("req_open", &why), OK, "a request begins");
	fill_disk();
	requests("req", 1000);
	flushed.calls = 0;
	flush();
	loop_virtual_settle(b.loop);
	is_int(flushed.calls, 1, "the flush is answered");
	is_err(flushed.err, ERR_STORAGE_FULL, "%s", flushed.message);
	ok(journal_is_writable(b.journal), "the journal has its space, and takes requests");
	char id[REQUEST_ID_BYTES];
	int n = 0;
	for (; n < 100000 && do_reserve((snprintf(id, sizeof id, "more_%05d", n), id), &why) == OK;
		n++) {
		if (do_attempt(id, 1, &why) || do_settle(id, &why))
			bail("%s", why.message);
	}
	is_err(why.err, ERR_STORAGE_FULL, "until it is full: %s", why.message);
	ok(!journal_is_writable(b.journal), "which can be asked");
	loop_virtual_advance(b.loop, 2 * SECOND_US);
	ok(!journal_is_writable(b.journal), "and stays so while the disk is full");
	is_err(do_attempt("req_open", 1, &why), OK, "what had begun can go on");
	is_err(do_settle("req_open", &why), OK, "and end");

	unlink(in_dir("filler"));
	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=64m") != 0)
		bail("remount: %s", strerror(errno));
	loop_virtual_advance(b.loop, 2 * SECOND_US);
	ok(journal_is_writable(b.journal), "with space, it recovers by itself");
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), 1000 + n + 1, "and nothing was lost");
	is_int(ask("SELECT count(*) FROM attempt"), 1000 + n + 1, "no attempt either");

	if (mount("tmpfs", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64m") != 0)
		bail("remount: %s", strerror(errno));
	struct ledger *g = ledger_open(dir, &why);
	ok(g == NULL && strstr(why.message, "must be writable by the user"), "read-only: %s",
		why.message);
	umount(dir);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{"everyday",       check_everyday      },
		{"wrapping",       check_wrapping      },
		{"crashes",        check_crashes       },
		{"many open",      check_many_open     },
		{"full",           check_full          },
		{"torn",           check_torn          },
		{"kept",           check_kept          },
		{"sequences",      check_sequences     },
		{"former",         check_former        },
		{"holes",          check_holes         },
		{"refusals",       check_refusals      },
		{"away",           check_away          },
		{"flapping",       check_flapping      },
		{"returns",        check_returns       },
		{"killed returns", check_killed_returns},
		{"killed away",    check_killed_away   },
		{"closed away",    check_closed_away   },
		{"too small",      check_too_small     },
		{"lost often",     check_lost_often    },
		{"disk full",      check_disk_full     },
	};
	const char *only = getenv("ONLY");
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sqlite3_auto_extension((void (*)(void))on_connect);
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		if (only && strcmp(only, checks[i].name) != 0)
			continue;
		snprintf(dir, sizeof dir, "/tmp/test_journal.XXXXXX");
		if (!mkdtemp(dir))
			bail("no folder in /tmp");
		checks[i].check();
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	return tap_done();
}
