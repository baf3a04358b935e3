/* test_journal_step.c - killed at any instruction: is the file sound after each single one?
 * A child writes to a journal, traced one instruction at a time; between two of them the file is read
 * as the next start would find it. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/ledger/journal.h"
#include "brokerd/ledger/journal_file.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/log/log.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/small_journal.h"
#include "tests/lib/tap.h"

#define HALF_BYTES ((size_t)64 * 1024)
#define FILE_BYTES (JOURNAL_PAGE_BYTES + 2 * HALF_BYTES)
#define OPEN       3 /* reservations that are open all the time */
#define TRACED     4 /* requests that are watched */
#define STEPS_MAX  2000000

static char dir[64];
static const char *map;

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

static void map_file(void)
{
	const int fd = open(in_dir("journal"), O_RDONLY | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		bail("mapping the journal: %s", strerror(errno));
	close(fd);
	map = p;
}

static struct record_reader reader_of(int half)
{
	const char *p = map + JOURNAL_PAGE_BYTES + (size_t)half * HALF_BYTES;
	return (struct record_reader){.left = span_of(p, HALF_BYTES)};
}

/* The half that has the latest record, and how much room is left in it. */
static int fullest(size_t *room)
{
	struct record r;
	uint64_t latest = 0;
	int half = 0;
	for (int i = 0; i < 2; i++) {
		struct record_reader reader = reader_of(i);
		while (record_next(&reader, &r) == RECORD_FOUND)
			;
		if (reader.sequence > latest) {
			latest = reader.sequence;
			half = i;
			*room = reader.left.n;
		}
	}
	return half;
}

/* ---- the child ---- */

static void child_request(struct journal *j, int n)
{
	struct fault why = FAULT_NONE;
	struct reserve_record r = {.number = 1, .provider = "openai", .target_model = "m"};
	struct attempt_record a = {
		.number = 1, .outcome = OUTCOME_OK, .usage = USAGE_UNKNOWN, .price = PRICE_UNKNOWN};
	struct exchange_record x = {.outcome = OUTCOME_OK,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	/* lengths vary, so that frames of one round do not begin where those of another did */
	snprintf(r.id, sizeof r.id, "req_%0*d", 6 + n % 7, n);
	memcpy(a.id, r.id, sizeof a.id);
	memcpy(x.id, r.id, sizeof x.id);
	if (journal_reserve(j, &r, &why) || journal_attempt(j, &a, &why) ||
		journal_settle(j, &x, &why))
		_exit(2);
}

/* From here on the ledger takes nothing, so that no move is traced. */
static void child_block(struct loop *l, struct journal *j)
{
	sqlite3 *db = NULL;
	if (sqlite3_open(in_dir("ledger.db"), &db) != SQLITE_OK ||
		sqlite3_exec(db,
			"CREATE TRIGGER no BEFORE INSERT ON exchange BEGIN SELECT RAISE(ABORT, "
			"'no'); "
			"END",
			NULL, NULL, NULL) != SQLITE_OK)
		_exit(3);
	sqlite3_close(db);
	child_request(j, 999999);
	loop_virtual_advance(l, 1000000);
}

_Noreturn static void child_run(void)
{
	struct fault why = FAULT_NONE;
	size_t room = 0;
	struct loop *l = loop_new(&why);
	struct workers *w = workers_new(l, 1, &why);
	struct ledger *g = ledger_open(dir, &why);
	struct journal *j = g ? journal_open(dir, g, l, w, &why) : NULL;
	if (!j)
		_exit(4);
	for (int i = 0; i < OPEN; i++) {
		struct reserve_record r = {.number = 1, .provider = "openai"};
		snprintf(r.id, sizeof r.id, "open_%d", i);
		if (journal_reserve(j, &r, &why) != OK)
			_exit(5);
	}
	/* some rounds of the file, then up to just before it turns to the other half */
	int n = 0;
	for (; n < 700 || fullest(&room) != 0 || room > HALF_BYTES / 2; n++) {
		child_request(j, n);
		loop_virtual_settle(l);
	}
	child_block(l, j);
	/* what is open needs some of the room that is left, a request may need much, and a part is
	 * left to those that are refused */
	const size_t one = RECORD_EXCHANGE_BYTES + ATTEMPTS_RESERVED * RECORD_ATTEMPT_BYTES;
	const size_t need = (OPEN + 1) * one + RECORD_OPEN_BYTES + HALF_BYTES / 16;
	while (fullest(&room) == 0 && room > need + 600)
		child_request(j, n++);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (int i = 0; i < TRACED; i++)
		child_request(j, n++);
	raise(SIGSTOP);
	_exit(0);
}

/* ---- the watcher ---- */

static struct {
	long steps, torn, backwards;
	int found[2]; /* records, by half, since the watch began */
} seen;

/* Reads what is new. A frame that is no whole one must never be where the next is looked for. */
static void look(struct record_reader *readers)
{
	struct record r;
	for (int i = 0; i < 2; i++) {
		const uint64_t before = readers[i].sequence;
		enum record_next found;
		while ((found = record_next(&readers[i], &r)) == RECORD_FOUND)
			seen.found[i]++;
		seen.torn += found == RECORD_TORN;
		seen.backwards += readers[i].sequence < before;
	}
}

static bool stepped(pid_t pid, int *status)
{
	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0 || waitpid(pid, status, 0) != pid)
		return false;
	return WIFSTOPPED(*status);
}

int main(void)
{
	int status = 0;
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
	snprintf(dir, sizeof dir, "/tmp/test_step.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	small_journal_make(dir, HALF_BYTES);
	map_file();
	fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0)
		child_run();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bail("fork: %s", strerror(errno));
	if (!WIFSTOPPED(status)) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			bail("the child failed: %d", status);
		skip("processes cannot be traced here");
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		return tap_done();
	}

	struct record_reader readers[2] = {reader_of(0), reader_of(1)};
	look(readers);
	ok(seen.found[0] > 100, "%d records are there before", seen.found[0]);
	memset(&seen, 0, sizeof seen);
	int raised = 0;
	while (seen.steps < STEPS_MAX && stepped(pid, &status)) {
		/* the signal itself is not passed on */
		if (WSTOPSIG(status) == SIGSTOP && ++raised > 0)
			break;
		seen.steps++;
		look(readers);
	}
	is_int(WIFSTOPPED(status) ? WSTOPSIG(status) : -1, SIGSTOP, "the child came to its end");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(seen.steps > 1000, "after each of %ld instructions", seen.steps);
	is_int(seen.torn, 0, "the file ended in a whole record");
	is_int(seen.backwards, 0, "of a later sequence than those before");
	ok(seen.found[0] > 0, "in the one half, with %d records,", seen.found[0]);
	ok(seen.found[1] >= OPEN, "and in the other, with %d", seen.found[1]);
	is_int(seen.found[0] + seen.found[1], 3 * TRACED + OPEN,
		"where what is open was written again, and all else once");
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
