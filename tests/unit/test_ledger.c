/* test_ledger.c - what becomes a row, and what is refused. */
#include "brokerd/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/ledger/ledger_parts.h"
#include "brokerd/ledger/report.h"
#include "brokerd/ledger/retention.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define DAY_US INT64_C(86400000000)

static char dir[64];

/* What SQLite has the disk do; and what the disk answers. */
static int syncs, sync_error;

int fdatasync(int fd)
{
	syncs++;
	errno = sync_error;
	return sync_error ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void dir_make(void)
{
	snprintf(dir, sizeof dir, "/tmp/test_ledger.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
}

static void dir_remove(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_dir(const char *name)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* The first column of the first row, as a text; "NULL", or "error: ..." */
static const char *ask(const char *sql)
{
	static char answer[512];
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_open_v2(in_dir("ledger.db"), &db, SQLITE_OPEN_READWRITE, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		snprintf(answer, sizeof answer, "error: %s", sqlite3_errmsg(db));
	else
		snprintf(answer, sizeof answer, "%s", text ? text : "NULL");
	sqlite3_finalize(s);
	sqlite3_close(db);
	return answer;
}

static struct exchange_record exchange(const char *id, int64_t at_us)
{
	struct exchange_record x = {.at_us = at_us,
		.total_us = 1500000,
		.ttft_us = 300000,
		.uid = 1000,
		.pid = 42,
		.app = "notes",
		.program = "notes-bin",
		.op = "chat",
		.model = "openai/gpt-4o-mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.finish = "stop",
		.is_stream = true,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	snprintf(x.id, sizeof x.id, "%s", id);
	x.usage.input = 1000;
	x.usage.cache_read = 24;
	x.usage.output = 100;
	x.usage.cost_nusd = 210000;
	x.price.input = 150000000;
	x.price.output = 600000000;
	return x;
}

static struct attempt_record attempt(const char *id, uint32_t number)
{
	struct attempt_record a = {.number = number,
		.at_us = 1,
		.provider = "openai",
		.model = "gpt-4o-mini",
		.key_label = "work",
		.outcome = OUTCOME_FAILED,
		.err = ERR_RATE_LIMITED,
		.http_status = 429,
		.provider_request_id = "req_theirs",
		.has_sent_body = true,
		.sent_bytes = 512,
		.received_bytes = 90,
		.connect_us = -1,
		.first_byte_us = 80000,
		.total_us = 81000,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	snprintf(a.id, sizeof a.id, "%s", id);
	return a;
}

static enum err write_one(struct ledger *g, const struct exchange_record *x,
	const struct attempt_record *a, struct fault *why)
{
	const struct ledger_rows rows = {x, x != NULL, a, a != NULL};
	return ledger_write(g, &rows, why);
}

static void check_rows(void)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	struct exchange_record x = exchange("req_1", 5 * DAY_US);
	struct attempt_record a = attempt("req_1", 1);
	struct stat st;
	if (!ok(g != NULL, "a new ledger opens: %s", why.message))
		return;
	is_err(write_one(g, &x, &a, &why), OK, "a row each: %s", why.message);
	a.number = 2;
	is_err(write_one(g, NULL, &a, &why), OK, "another attempt");
	x.outcome = OUTCOME_FAILED;
	a.http_status = 200;
	is_err(write_one(g, &x, &a, &why), OK, "and the same again, otherwise");

	is_str(ask("SELECT count(*) || ' ' || min(outcome) FROM exchange"), "1 ok",
		"a row that is there stays as it is");
	is_str(ask("SELECT group_concat(number || ':' || http_status) FROM attempt"), "1:429,2:429",
		"so does an attempt's");
	is_str(ask("SELECT concat FROM (SELECT id || '|' || at_us || '|' || total_us || '|' || "
		   "ttft_us "
		   "|| '|' || uid || '|' || pid || '|' || app || '|' || program || '|' || op || "
		   "'|' "
		   "|| model || '|' || provider || '|' || target_model || '|' || finish || '|' || "
		   "stream || '|' || attempts || '|' || warnings || '|' || input || '|' || "
		   "cache_read || '|' || output || '|' || cost_nusd || '|' || price_input || '|' "
		   "|| "
		   "price_output AS concat FROM exchange)"),
		"req_1|432000000000|1500000|300000|1000|42|notes|notes-bin|chat|openai/gpt-4o-mini|"
		"openai|gpt-4o-mini|stop|1|1|0|1000|24|100|210000|150000000|600000000",
		"each value is in its column");
	is_str(ask("SELECT surface IS NULL AND error IS NULL AND reasoning IS NULL AND "
		   "provider_cost_nusd IS NULL AND price_cache_read IS NULL FROM exchange"),
		"1", "what is not known is NULL");
	is_str(ask("SELECT error || '|' || provider_request_id || '|' || sent_body || '|' || "
		   "sent_bytes || '|' || received_bytes || '|' || first_byte_us || '|' || "
		   "key_label "
		   "FROM attempt WHERE connect_us IS NULL AND exchange_id = 'req_1'"),
		"rate_limited|req_theirs|1|512|90|80000|work", "an attempt's too");
	is_str(ask("PRAGMA journal_mode"), "wal", "readers and the writer do not meet");
	is_str(ask("SELECT version FROM schema"), "4", "its version is said");
	stat(in_dir("ledger.db"), &st);
	is_int(st.st_mode & 0777, 0600, "nobody else reads it");
	stat(in_dir("ledger.db-wal"), &st);
	is_int(st.st_mode & 0777, 0600, "nor its log");
	is_err(ledger_sync(g, &why), OK, "it syncs: %s", why.message);
	ledger_close(g);

	g = ledger_open(dir, &why);
	ok(g != NULL, "it opens again: %s", why.message);
	is_str(ask("SELECT count(*) FROM attempt"), "2", "and all is there");
	ledger_close(g);
	ledger_close(NULL);
}

static void insert(struct ledger *g, const struct exchange_record *x)
{
	struct fault why = FAULT_NONE;
	if (write_one(g, x, NULL, &why) != OK)
		bail("%s", why.message);
}

#define BATCH 120

/* Any value of each field, every third of which is as in the record before. */
static void vary(const struct shape *shape, void *record, unsigned *seed)
{
	for (size_t i = 1; i < shape->n_fields; i++) {
		const struct field *f = &shape->fields[i];
		char *at = (char *)record + f->offset;
		*seed = *seed * 1103515245u + 12345u;
		const unsigned drawn = (*seed >> 16) / 3;
		if ((*seed >> 16) % 3 == 0)
			continue;
		switch (f->kind) {
		case FIELD_TEXT:
			snprintf(at, f->size, "%.*s", (int)(drawn % 4), "abc");
			break;
		case FIELD_NUMBER:
			memcpy(at, &(int64_t){(int64_t)(drawn % 5) - 1}, sizeof(int64_t));
			break;
		case FIELD_OUTCOME:
			memcpy(at, &(uint32_t){OUTCOME_OK + drawn % 4}, sizeof(uint32_t));
			break;
		case FIELD_FLAG:
			memcpy(at, &(bool){drawn % 2}, sizeof(bool));
			break;
		case FIELD_COUNT:
		case FIELD_STATUS:
		case FIELD_ERR:
			memcpy(at, &(uint32_t){drawn % 3}, sizeof(uint32_t));
			break;
		}
	}
}

/* Of rows that are written together each is what it is alone. */
static void check_batches(void)
{
	static struct exchange_record all[BATCH];
	OWNED(buf_done) struct buf sql = BUF_INIT(16 * KIB);
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	struct exchange_record x = exchange("", 0);
	unsigned seed = 7;
	if (!ok(g != NULL, "a ledger opens: %s", why.message))
		return;
	for (size_t i = 0; i < BATCH; i++) {
		vary(&exchange_shape, &x, &seed);
		x.at_us = (int64_t)(1 + i / 2); /* a row without is none */
		snprintf(x.id, sizeof x.id, "a%zu", i);
		all[i] = x;
		x.id[0] = 'b';
		insert(g, &x);
	}
	const struct ledger_rows rows = {all, BATCH, NULL, 0};
	is_err(ledger_write(g, &rows, &why), OK, "many rows at once: %s", why.message);
	buf_text(&sql, "SELECT count(*) FROM (SELECT substr(id, 2)");
	for (int side = 0; side < 2; side++) {
		for (size_t i = 1; i < exchange_shape.n_fields; i++)
			buf_print(&sql, ", %s", exchange_shape.fields[i].name);
		buf_print(&sql, " FROM exchange WHERE id LIKE '%s'%s", side ? "b%" : "a%",
			side ? ")" : " INTERSECT SELECT substr(id, 2)");
	}
	buf_byte(&sql, '\0');
	is_str(ask(sql.p), "120", "each as if it had been alone");
	is_str(ask("SELECT count(DISTINCT outcome) || '|' || (count(error) BETWEEN 1 AND 239) FROM "
		   "exchange"),
		"4|1", "and they differ");
	ledger_close(g);
}

static void sum_up(struct ledger *reader, enum err want, const char *name)
{
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	struct report r = {.by = {DIM_MODEL}, .n_by = 1};
	struct fault why = FAULT_NONE;
	is_err(report_usage(reader, &r, &json, &why), want, "%s: %s", name, why.message);
}

static void check_reader(void)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	struct ledger *reader = g ? ledger_reader(g) : NULL;
	struct exchange_record x;
	atomic_bool is_unwanted = false;
	if (!ok(reader != NULL, "a ledger has a reader: %s", why.message))
		return;
	for (int i = 0; i < 300; i++) {
		x = exchange("", i);
		snprintf(x.id, sizeof x.id, "req_%d", i);
		insert(g, &x);
	}
	is_int(sqlite3_exec(reader->db, "BEGIN; SELECT count(*) FROM exchange", NULL, NULL, NULL),
		SQLITE_OK, "somebody is reading");
	x = exchange("req_while", 7);
	is_err(write_one(g, &x, NULL, &why), OK, "and rows are written: %s", why.message);
	is_int(sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL), SQLITE_OK, "he is done");
	is_int(sqlite3_exec(reader->db, "DELETE FROM exchange", NULL, NULL, NULL) & 0xff,
		SQLITE_READONLY, "who reads changes nothing");

	ledger_heed(reader, &is_unwanted);
	sum_up(reader, OK, "somebody waits");
	atomic_store(&is_unwanted, true);
	sum_up(reader, ERR_CANCELLED, "nobody does any more");
	ledger_heed(reader, NULL);
	sum_up(reader, OK, "the next one's question");
	ledger_close(g);
	is_int(access(in_dir("ledger.db-wal"), F_OK), -1, "closed, it is one file");
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "we");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		bail("cannot write %s", name);
}

static size_t size_of(const char *name)
{
	struct stat st;
	return stat(in_dir(name), &st) == 0 ? (size_t)st.st_size : 0;
}

static void refused(enum err want, const char *part, const char *name)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	ok(g == NULL, "%s is refused", name);
	is_err(why.err, want, "%s", name);
	ok(strstr(why.message, part) != NULL, "%s: %s", name, why.message);
	ledger_close(g);
}

/* What was written is on the disk only once it is synced; one that commits the same again syncs nothing. */
static void check_sync(void)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	struct exchange_record x = exchange("req_synced", 1);
	for (int i = 0; i < 3; i++) {
		snprintf(x.id, sizeof x.id, "req_synced_%d", i);
		is_err(write_one(g, &x, NULL, &why), OK, "a row");
		const int before = syncs;
		is_err(ledger_sync(g, &why), OK, "and a sync");
		is_int(syncs - before, 1, "which is one");
	}
	sync_error = EIO;
	is_err(ledger_sync(g, &why), ERR_IO, "%s", why.message);
	ok(ledger_is_lost(g), "the disk cannot be written");
	sync_error = ENOSPC;
	is_err(ledger_sync(g, &why), ERR_STORAGE_FULL, "%s", why.message);
	ok(!ledger_is_lost(g), "a full one is not lost");
	sync_error = 0;
	ledger_close(g);
}

static void ask_reader(struct ledger *g, enum err want, const char *part, const char *name)
{
	OWNED(buf_done) struct buf json = BUF_INIT(64 * KIB);
	struct report r = {.n_by = 0};
	struct fault why = FAULT_NONE;
	is_err(report_usage(ledger_reader(g), &r, &json, &why), want, "%s: %s", name, why.message);
	const struct span said = want ? span_str(why.message) : buf_view(&json);
	ok(span_find(said, span_str(part)) < said.n, "%s: %.*s", name, (int)said.n, said.p);
}

/* Does a connection of this process keep others from the log? Another process is asked, for one's own locks are not seen. */
static bool is_locked(void)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_start = 0x40000002, .l_len = 510}; /* SQLite's */
	int status = 0;
	const pid_t child = fork();
	if (child == 0) {
		const int fd = open(in_dir("ledger.db"), O_RDWR | O_CLOEXEC);
		_exit(fd >= 0 && fcntl(fd, F_GETLK, &range) == 0 && range.l_type == F_RDLCK);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
}

static int64_t bytes_of(const char *name)
{
	struct stat st;
	return stat(in_dir(name), &st) == 0 ? (int64_t)st.st_size : -1;
}

static void check_letting_go(void)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	struct exchange_record x = exchange("req_before", 1);
	atomic_bool is_unwanted = false;
	struct retention_done done;
	const struct retention_step step = {.keep_us = 1, .exchanges = 1};
	is_err(write_one(g, &x, NULL, &why), OK, "a row");
	ask_reader(g, OK, "\"requests\":1", "before");
	ledger_let_go(g);
	ok(is_locked(), "the reader has it open still");
	ok(bytes_of("ledger.db-wal") > 0, "the row is in the log alone");
	sync_error = EIO;
	is_err(ledger_come_back(g, &why), ERR_IO,
		"it does not come back where nothing can be synced: %s", why.message);
	sync_error = 0;
	is_err(ledger_come_back(g, &why), OK, "it comes back meanwhile");
	is_int(bytes_of("ledger.db-wal"), 0, "and what was in the log is in the file");
	ok(is_locked(), "and nobody takes the log for one that is left over");
	ledger_let_go(g);
	ledger_reader_let_go(ledger_reader(g));
	ok(!is_locked(), "nothing is open");
	ask_reader(g, ERR_IO, "was let go", "while it is let go");
	ledger_heed(ledger_reader(g), &is_unwanted);
	ledger_heed(ledger_reader(g), NULL);
	is_err(write_one(g, &x, NULL, &why), ERR_IO, "nothing is written: %s", why.message);
	is_err(ledger_sync(g, &why), ERR_IO, "nor synced");
	is_err(retention_step(g, &step, &done, &why), ERR_IO, "nor removed");
	ledger_let_go(g); /* again */
	is_err(ledger_come_back(g, &why), OK, "it comes back");
	ask_reader(g, OK, "\"requests\":1", "with what it had");
	snprintf(x.id, sizeof x.id, "req_after");
	is_err(write_one(g, &x, NULL, &why), OK, "and takes rows");
	ask_reader(g, OK, "\"requests\":2", "which can be read");

	/* another in its place, while the reader still has the former one open */
	ledger_let_go(g);
	unlink(in_dir("ledger.db"));
	unlink(in_dir("ledger.db-wal"));
	unlink(in_dir("ledger.db-shm"));
	is_err(ledger_come_back(g, &why), OK, "a new one is made where there is none");
	ask_reader(g, OK, "\"requests\":0", "the reader has that one");

	ledger_let_go(g);
	unlink(in_dir("ledger.db"));
	mkfifo(in_dir("ledger.db"), 0600);
	is_err(ledger_come_back(g, &why), ERR_IO, "what is no ledger is not taken: %s",
		why.message);
	ask_reader(g, ERR_IO, "was let go", "it is let go still");
	unlink(in_dir("ledger.db"));
	is_err(ledger_come_back(g, &why), OK, "until it can be");
	ledger_close(g);
}

static void check_refusals(void)
{
	put("ledger.db",
		"This is a text of somebody's, and not a database at all. It goes on and on.");
	refused(ERR_IO, "damaged, or no database", "a text");
	is_uint(size_of("ledger.db"), 75, "and left as it was");
	unlink(in_dir("ledger.db"));

	is_str(ask("SELECT 1"), "error: unable to open database file", "nothing there");
	put("ledger.db", "");
	ask("CREATE TABLE bookmarks(url)");
	refused(ERR_IO, "another program's database", "another program's");
	is_str(ask("SELECT count(*) FROM sqlite_schema"), "1", "and left as it was");
	unlink(in_dir("ledger.db"));

	put("ledger.db", "");
	ask("CREATE TABLE schema(version)");
	refused(ERR_IO, "which version", "one without a version");
	ask("INSERT INTO schema VALUES(5)");
	refused(ERR_VERSION, "newer llm-brokerd (schema 5, this one knows 4)", "a newer one");
	is_str(ask("SELECT version || (SELECT count(*) FROM sqlite_schema) FROM schema"), "51",
		"and left as it was");
	unlink(in_dir("ledger.db"));

	if (symlink("elsewhere", in_dir("ledger.db")) != 0)
		bail("no symbolic link");
	refused(ERR_IO, "symbolic link", "a symbolic link");
	unlink(in_dir("ledger.db"));
	mkfifo(in_dir("ledger.db"), 0600);
	refused(ERR_IO, "not a regular file", "a FIFO");
	unlink(in_dir("ledger.db"));

	if (geteuid() == 0) {
		put("ledger.db", "");
		if (chown(in_dir("ledger.db"), 1, 1) != 0)
			bail("chown");
		refused(ERR_IO, "belongs to uid 1, and llm-brokerd runs as uid 0", "a stranger's");
		unlink(in_dir("ledger.db"));
	} else {
		skip("only root can make a stranger's file");
	}
	struct fault why = FAULT_NONE;
	char behind[128];
	snprintf(behind, sizeof behind, "%s/behind", dir);
	if (symlink(dir, behind) != 0)
		bail("no symbolic link");
	struct ledger *g = ledger_open(behind, &why);
	ok(g != NULL, "a folder behind a link is fine: %s", why.message);
	ledger_close(g);
	ok(ledger_open("/nonexistent/folder", &why) == NULL, "no folder: %s", why.message);
	is_err(why.err, ERR_IO, "no folder");
}

/* A page in the middle, overwritten: what is asked of it fails, and says so. */
static void check_damage(void)
{
	struct fault why = FAULT_NONE;
	struct ledger *g = ledger_open(dir, &why);
	char id[REQUEST_ID_BYTES], garbage[4096];
	for (int i = 0; i < 200; i++) {
		snprintf(id, sizeof id, "req_%04d", i);
		const struct exchange_record x = exchange(id, i);
		insert(g, &x);
	}
	ledger_close(g);
	memset(garbage, 0x5a, sizeof garbage);
	const int fd = open(in_dir("ledger.db"), O_WRONLY | O_CLOEXEC);
	const off_t half = (off_t)(size_of("ledger.db") / 2 / 4096 * 4096);
	for (off_t at = half; at < (off_t)size_of("ledger.db"); at += 4096) {
		if (pwrite(fd, garbage, sizeof garbage, at) != (ssize_t)sizeof garbage)
			bail("pwrite");
	}
	close(fd);

	g = ledger_open(dir, &why);
	if (!g) {
		ok(strstr(why.message, "damaged") != NULL, "found at once: %s", why.message);
		return;
	}
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	const struct report r = {.by = {DIM_APP}, .n_by = 1};
	is_err(report_usage(g, &r, &json, &why), ERR_IO, "a damaged page is no answer");
	ok(strstr(why.message, "damaged") != NULL, "and it is said: %s", why.message);
	ledger_close(g);
}

int main(void)
{
	void (*const checks[])(void) = {check_rows, check_batches, check_reader, check_sync,
		check_letting_go, check_refusals, check_damage};
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		dir_make();
		checks[i]();
		dir_remove();
	}
	return tap_done();
}
