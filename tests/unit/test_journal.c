/* test_journal.c - what is written reaches the ledger once, whatever happens to the disk meanwhile. */
#include "brokerd/ledger/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "tests/lib/loop_virtual.h"
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
	struct reserve_record r = {.at_us = 7, .uid = 1000, .pid = 1, .app = "notes",
		.op = "chat", .surface = "", .model = "mini", .provider = "openai",
		.target_model = "gpt-4o-mini", .estimate_input = 100, .estimate_output = 50,
		.estimate_nusd = 45000};
	snprintf(r.id, sizeof r.id, "%s", id);
	return r;
}

static struct attempt_record attempt(const char *id, uint32_t number)
{
	struct attempt_record a = {.number = number, .at_us = 8, .provider = "openai",
		.model = "gpt-4o-mini", .outcome = OUTCOME_OK, .http_status = 200,
		.has_sent_body = true, .usage = USAGE_UNKNOWN, .price = PRICE_UNKNOWN};
	snprintf(a.id, sizeof a.id, "%s", id);
	a.usage.input = 90;
	a.usage.output = 10;
	a.usage.cost_nusd = 19500;
	return a;
}

static struct exchange_record exchange(const char *id)
{
	struct exchange_record x = {.at_us = 7, .total_us = 100, .ttft_us = 10, .uid = 1000,
		.app = "notes", .op = "chat", .model = "mini", .provider = "openai",
		.target_model = "gpt-4o-mini", .outcome = OUTCOME_OK, .attempts = 1,
		.usage = USAGE_UNKNOWN, .price = PRICE_UNKNOWN};
	snprintf(x.id, sizeof x.id, "%s", id);
	x.usage.cost_nusd = 19500;
	return x;
}

static enum err do_reserve(const char *id, struct fault *why)
{
	const struct reserve_record r = reserve(id);
	return journal_reserve(b.journal, &r, why);
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
		snprintf(id, sizeof id, "%s_%06d", prefix, i);
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
	must_start();
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "long_%03d", i);
		if (do_reserve(id, &why) || (i % 2 && do_attempt(id, 1, &why)))
			bail("%s", why.message);
	}
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof id, "round_%02d", i);
		requests(id, 1500);
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
	is_int(ask("SELECT count(*) FROM exchange"), 60 * 1500 + 50, "every exchange, once");
	is_int(ask("SELECT count(*) FROM attempt"), 60 * 1500 + 50, "every attempt, once");

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
	is_int(ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown' AND (attempts <> 1 OR "
		   "cost_nusd <> 45000 OR input <> 100 OR app <> 'notes')"),
		0, "and what was reserved");
	stop();
}

static const struct {
	const char *name;
	int reserves, attempts; /* done before the crash; attempts last */
	int64_t cost_nusd;      /* of each attempt */
	int64_t want_attempts, want_unknown, want_cost;
} crashes[] = {
	{"before the first attempt ended",      1, 0, 0,     1, 1, 45000},
	{"between attempt and settlement",      1, 1, 19500, 1, 0, 45000},
	{"as above, and it was dearer",         1, 1, 99000, 1, 0, 99000},
	{"in a second attempt, elsewhere",      2, 1, 19500, 2, 1, 45000},
	{"in a second one, after a dear first", 2, 1, 99000, 2, 1, 99000},
	{"after two",                           2, 2, 30000, 2, 0, 60000},
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
			for (int n = 0; n < crashes[i].reserves || n < crashes[i].attempts; n++) {
				snprintf(r.provider, sizeof r.provider, "provider%d", n + 1);
				a.number = (uint32_t)n + 1;
				if (n < crashes[i].reserves && journal_reserve(b.journal, &r, &why))
					_exit(1);
				if (n < crashes[i].attempts && journal_attempt(b.journal, &a, &why))
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
		is_int(ask("SELECT count(*) FROM attempt"), crashes[i].want_attempts,
			"each of which has a row");
		is_int(ask("SELECT count(*) FROM attempt WHERE outcome = 'unknown'"),
			crashes[i].want_unknown, "so many unknown");
		snprintf(sql, sizeof sql,
			"SELECT count(*) FROM exchange WHERE provider = 'provider%d'",
			crashes[i].reserves);
		is_int(ask(sql), 1, "it is known where it went last");
		is_int(ask("SELECT cost_nusd FROM exchange"), crashes[i].want_cost,
			"and costs the larger of what was estimated and reported");
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
	is_int(open, 2377, "so many can be open");
	is_err(why.err, ERR_STORAGE_FULL, "%s", why.message);
	ok(strstr(why.message, "2377 paid requests are open") != NULL, "and it says why");

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
	is_int(ask("SELECT count(*) FROM exchange"), open, "all are in the ledger");
	is_int(ask("SELECT count(*) FROM attempt"), (int64_t)ATTEMPTS_RESERVED * open, "and theirs");
}

/* Somebody else holds the ledger locked: nothing is lost, and in the end nothing more is begun. */
static void check_full(void)
{
	struct fault why = FAULT_NONE;
	char id[REQUEST_ID_BYTES];
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
		if (n % 1000 == 0)
			loop_virtual_advance(b.loop, SECOND_US);
	}
	is_err(err, ERR_STORAGE_FULL, "after %d it is full: %s", n, why.message);
	ok(strstr(why.message, "the journal is full, for writing") != NULL, "and says why");
	ok(n > 20000, "which took a while");
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

static void with_file(const char *name, void (*change)(int fd))
{
	const int fd = open(in_dir(name), O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bail("%s: %s", name, strerror(errno));
	change(fd);
	close(fd);
}

static void put(int fd, off_t at, const void *bytes, size_t n)
{
	if (pwrite(fd, bytes, n, at) != (ssize_t)n)
		bail("pwrite: %s", strerror(errno));
}

/* The journal of a process that was killed after `n` requests. */
static void leave(int n)
{
	const pid_t pid = child();
	if (pid == 0) {
		must_start();
		requests("req", n);
		die();
	}
	await(pid);
}

static size_t tail; /* where the last frame of the first half begins, and ends */
static size_t tail_end;

static void find_tail(int fd)
{
	char *bytes = malloc(JOURNAL_HALF_BYTES);
	struct record r;
	if (pread(fd, bytes, JOURNAL_HALF_BYTES, (off_t)JOURNAL_PAGE_BYTES) !=
		(ssize_t)JOURNAL_HALF_BYTES)
		bail("pread");
	struct record_reader reader = {.left = span_of(bytes, JOURNAL_HALF_BYTES)};
	const char *at = bytes;
	while (record_next(&reader, &r) == RECORD_FOUND) {
		tail = JOURNAL_PAGE_BYTES + (size_t)(at - bytes);
		at = reader.left.p;
	}
	tail_end = JOURNAL_PAGE_BYTES + (size_t)(at - bytes);
	free(bytes);
}

static size_t flip_at;

static void flip(int fd)
{
	unsigned char c;
	if (pread(fd, &c, 1, (off_t)flip_at) != 1)
		bail("pread");
	c ^= 0x41;
	put(fd, (off_t)flip_at, &c, 1);
}

static void cut(int fd)
{
	if (ftruncate(fd, (off_t)flip_at) != 0)
		bail("ftruncate");
}

static void copy(const char *from, const char *to)
{
	char command[300];
	snprintf(command, sizeof command, "cp -p '%s/%s' '%s/%s'", dir, from, dir, to);
	if (system(command) != 0)
		bail("%s", command);
}

/* The last record, the settlement of the fourth request, damaged at every byte: three are sound, the
 * fourth is unknown, and the next start finds nothing to do. */
static void check_torn(void)
{
	int wrong = 0, kept = 0;
	leave(4);
	with_file("journal", find_tail);
	copy("journal", "left");
	unlink(in_dir("ledger.db"));
	for (flip_at = tail; flip_at < tail_end; flip_at++) {
		for (int is_cut = 0; is_cut < 2; is_cut++) {
			copy("left", "journal");
			with_file("journal", is_cut ? cut : flip);
			must_start();
			stop();
			const int64_t ok_rows = ask("SELECT count(*) FROM exchange WHERE outcome = 'ok'");
			const int64_t unknown =
				ask("SELECT count(*) FROM exchange WHERE outcome = 'unknown'");
			const int64_t attempts = ask("SELECT count(*) FROM attempt");
			/* padding is in no sum, and a cut inside zeroes cuts nothing */
			const bool is_whole = ok_rows == 4 && unknown == 0 && flip_at + 16 > tail_end;
			wrong += attempts != 4 || !(is_whole || (ok_rows == 3 && unknown == 1));
			kept += access(in_dir("journal.old-1"), F_OK) == 0;
			unlink(in_dir("ledger.db"));
		}
	}
	is_int(wrong, 0, "damaged at any of %zu bytes, the last record alone is lost",
		tail_end - tail);
	is_int(kept, 0, "and a torn end is nothing to be kept");
}

static void check_damaged(void)
{
	leave(4);
	with_file("journal", find_tail);
	flip_at = JOURNAL_PAGE_BYTES + 30;
	with_file("journal", flip);
	must_start();
	is_int(access(in_dir("journal.old-1"), F_OK), 0, "damage before whole records: it is kept");
	is_int(ask("SELECT count(*) FROM exchange"), 0, "what comes after is not guessed at");
	request("req_after");
	stop();
	is_int(ask("SELECT count(*) FROM exchange"), 1, "and a new journal works");

	/* a record of a newer version among ours */
	leave(2);
	with_file("journal", find_tail);
	struct exchange_record x = exchange("req_newer");
	unsigned char frame[RECORD_BYTES];
	const int fd = open(in_dir("journal"), O_RDWR | O_CLOEXEC);
	uint64_t sequence;
	if (pread(fd, &sequence, sizeof sequence, (off_t)tail + 8) != sizeof sequence)
		bail("pread");
	size_t n = record_pack((enum record_type)RECORD_EXCHANGE, &x, sequence + 1, frame);
	(void)n;
	close(fd);
	stop();
}

int main(void)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{"everyday", check_everyday},
		{"wrapping", check_wrapping},
		{"crashes", check_crashes},
		{"many open", check_many_open},
		{"full", check_full},
		{"torn", check_torn},
		{"damaged", check_damaged},
	};
	const char *only = getenv("ONLY");
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
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
