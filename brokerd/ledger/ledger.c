/* ledger.c - statements are made from the tables of record.c, so that a row and its record agree. */
#include "brokerd/ledger/ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/ledger_parts.h"
#include "brokerd/ledger/report.h"

#define BUSY_MS        5000 /* somebody else's sqlite3 may hold it that long */
#define SQL_MAX_BYTES  8192
#define TEMPORARY      "PRAGMA temp_store=FILE;" /* what is sorted grows with the ledger */
#define STEPS_UNHEEDED 1000 /* of SQLite's machine: far less than a millisecond */

/* ---- the schema: one script a version, never changed once released ---- */

#define USAGE_COLUMNS                                                                         \
	"input INTEGER, cache_read INTEGER, cache_write_5m INTEGER, cache_write_1h INTEGER,"  \
	"cache_write INTEGER, output INTEGER, reasoning INTEGER, audio_input INTEGER,"        \
	"audio_output INTEGER, image_input INTEGER, image_output INTEGER, cost_nusd INTEGER," \
	"provider_cost_nusd INTEGER,"
#define PRICE_COLUMNS                                                                          \
	"price_input INTEGER, price_output INTEGER, price_cache_read INTEGER,"                 \
	"price_cache_write_5m INTEGER, price_cache_write_1h INTEGER, price_reasoning INTEGER," \
	"price_audio_input INTEGER, price_audio_output INTEGER, price_image_input INTEGER,"    \
	"price_image_output INTEGER"

static const char *const migrations[] = {
	/* 1: ids grow with time, so rows that lie in their order are appended */
	"CREATE TABLE schema(version INTEGER NOT NULL);"
	"INSERT INTO schema VALUES(0);"
	"CREATE TABLE exchange("
	"id TEXT PRIMARY KEY NOT NULL, at_us INTEGER NOT NULL, total_us INTEGER, ttft_us INTEGER,"
	"uid INTEGER NOT NULL, pid INTEGER NOT NULL, app TEXT, program TEXT, op TEXT, surface TEXT,"
	"model TEXT, provider TEXT, target_model TEXT, outcome TEXT NOT NULL, error TEXT,"
	"finish TEXT, stream INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	"warnings INTEGER NOT NULL," USAGE_COLUMNS PRICE_COLUMNS ") WITHOUT ROWID;"
	"CREATE INDEX exchange_at_us ON exchange(at_us);"
	"CREATE TABLE attempt("
	"exchange_id TEXT NOT NULL, number INTEGER NOT NULL, at_us INTEGER NOT NULL,"
	"provider TEXT, model TEXT, key_label TEXT, outcome TEXT NOT NULL, error TEXT,"
	"http_status INTEGER, provider_request_id TEXT, sent_body INTEGER NOT NULL,"
	"sent_bytes INTEGER, received_bytes INTEGER, connect_us INTEGER, first_byte_us INTEGER,"
	"total_us INTEGER," USAGE_COLUMNS PRICE_COLUMNS
	", PRIMARY KEY(exchange_id, number)) WITHOUT ROWID;"
	"CREATE INDEX attempt_at_us ON attempt(at_us);",

	/* 2: on whose account; what was expected, and what budgets counted */
	"ALTER TABLE exchange ADD COLUMN kind TEXT;"
	"ALTER TABLE exchange ADD COLUMN unit TEXT;"
	"ALTER TABLE exchange ADD COLUMN container TEXT;"
	"ALTER TABLE exchange ADD COLUMN project TEXT;"
	"ALTER TABLE exchange ADD COLUMN policy TEXT;"
	"ALTER TABLE exchange ADD COLUMN key_label TEXT;"
	"ALTER TABLE exchange ADD COLUMN tier TEXT;"
	"ALTER TABLE exchange ADD COLUMN queued_us INTEGER;"
	"ALTER TABLE exchange ADD COLUMN estimate_input INTEGER;"
	"ALTER TABLE exchange ADD COLUMN estimate_output INTEGER;"
	"ALTER TABLE attempt ADD COLUMN charged_nusd INTEGER;"
	"ALTER TABLE attempt ADD COLUMN estimate_input INTEGER;"
	"ALTER TABLE attempt ADD COLUMN estimate_output INTEGER;"
	"ALTER TABLE attempt ADD COLUMN estimate_raw INTEGER;",

	/* 3: who stood between */
	"ALTER TABLE exchange ADD COLUMN via TEXT;",

	/* 4: what was answered without a provider, and what that would have cost */
	("ALTER TABLE exchange ADD COLUMN cache TEXT;"
	 "ALTER TABLE exchange ADD COLUMN saved_nusd INTEGER;"),
};
#define SCHEMA_VERSION ((int)COUNT_OF(migrations))

/* ---- faults ---- */

enum err ledger_fault(struct ledger *g, int rc, const char *doing, struct fault *why)
{
	const int os = sqlite3_system_errno(g->db);
	const int primary = rc & 0xff;
	const bool is_full = primary == SQLITE_FULL ||
			     (primary == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT));
	g->is_lost = !is_full && (primary == SQLITE_IOERR || primary == SQLITE_READONLY);
	if (is_full)
		return fault_set(why, ERR_STORAGE_FULL,
			"%s %s failed: the disk is full. Free some space; nothing was lost", doing,
			g->path);
	if (primary == SQLITE_NOTADB || primary == SQLITE_CORRUPT)
		return fault_set(why, ERR_IO,
			"%s %s failed: it is damaged, or no database (%s). It was left as it is: "
			"move "
			"it away to start a new one, or save what can be read by `sqlite3 %s "
			".recover`",
			doing, g->path, sqlite3_errstr(rc), g->path);
	if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
		return fault_set(why, ERR_IO,
			"%s %s failed: another program has held it locked for %d s. Close it there",
			doing, g->path, BUSY_MS / 1000);
	if (primary == SQLITE_INTERRUPT)
		return fault_set(
			why, ERR_CANCELLED, "nobody waits for what %s says any more", g->path);
	if (primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN || primary == SQLITE_PERM)
		return fault_set(why, ERR_IO,
			"%s %s failed: %s. The state folder and its files must be writable by the "
			"user that runs llm-brokerd",
			doing, g->path, sqlite3_errstr(rc));
	return fault_set(why, ERR_IO, "%s %s failed: %s%s%s", doing, g->path, sqlite3_errmsg(g->db),
		os ? ": " : "", os ? strerror(os) : "");
}

static enum err ledger_exec(struct ledger *g, const char *sql, const char *doing, struct fault *why)
{
	const int rc = sqlite3_exec(g->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, doing, why);
}

/* ---- opening ---- */

static enum err claim_fault(const char *path, int os, struct fault *why)
{
	return fault_set(why, os == ENOSPC || os == EDQUOT ? ERR_STORAGE_FULL : ERR_IO,
		"opening %s failed: %s. The state folder and its files must be writable by "
		"the user that runs llm-brokerd",
		path, os == ELOOP ? "it is a symbolic link" : strerror(os));
}

/* Makes the file, for SQLite would make it readable by all; refuses what is not ours. One that is there is only looked at: to
 * close it would take away the locks that a connection of this process has on it. */
static enum err ledger_claim(const char *path, struct fault *why)
{
	struct stat st;
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		return OK;
	}
	if (errno != EEXIST || lstat(path, &st) != 0)
		return claim_fault(path, errno, why);
	if (S_ISLNK(st.st_mode))
		return claim_fault(path, ELOOP, why);
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_IO, "%s is not a regular file: move it away", path);
	if (st.st_uid != geteuid())
		return fault_set(why, ERR_IO,
			"%s belongs to uid %u, and llm-brokerd runs as uid %u: give it the file, "
			"or "
			"another state folder",
			path, (unsigned)st.st_uid, (unsigned)geteuid());
	if ((st.st_mode & 077) != 0 && fchmodat(AT_FDCWD, path, 0600, 0) != 0)
		return fault_set(why, ERR_IO,
			"%s can be read by others, and that cannot be changed: %s", path,
			strerror(errno));
	return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0
		       ? OK
		       : claim_fault(path, errno, why);
}

static enum err ledger_version(struct ledger *g, int *version, struct fault *why)
{
	sqlite3_stmt *s = NULL;
	int tables = 0, ours = 0;
	int rc = sqlite3_prepare_v2(g->db,
		"SELECT count(*), coalesce(sum(name = 'schema'), 0) FROM sqlite_schema "
		"WHERE type = 'table'",
		-1, &s, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		tables = sqlite3_column_int(s, 0);
		ours = sqlite3_column_int(s, 1);
	}
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW)
		return ledger_fault(g, rc, "reading", why);
	*version = 0;
	if (tables == 0)
		return OK;
	if (ours == 0)
		return fault_set(why, ERR_IO,
			"%s is another program's database: it has no table `schema`. It was left "
			"as "
			"it is: move it away",
			g->path);

	s = NULL;
	rc = sqlite3_prepare_v2(g->db, "SELECT version FROM schema", -1, &s, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		*version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return ledger_fault(g, rc, "reading", why);
	if (rc == SQLITE_DONE || *version < 1)
		return fault_set(why, ERR_IO,
			"%s does not say which version it is. It was left as it is: move it away",
			g->path);
	if (*version > SCHEMA_VERSION)
		return fault_set(why, ERR_VERSION,
			"%s was written by a newer llm-brokerd (schema %d, this one knows %d): run "
			"that one, or move the file away. It was left as it is",
			g->path, *version, SCHEMA_VERSION);
	return OK;
}

static enum err ledger_migrate(struct ledger *g, struct fault *why)
{
	int version = 0;
	enum err err = ledger_version(g, &version, why);
	for (; err == OK && version < SCHEMA_VERSION; version++) {
		char sql[SQL_MAX_BYTES];
		const int n = snprintf(sql, sizeof sql,
			"BEGIN IMMEDIATE;%sUPDATE schema SET version = %d;COMMIT;",
			migrations[version], version + 1);
		assert(n > 0 && (size_t)n < sizeof sql);
		err = ledger_exec(g, sql, "writing", why);
		if (err != OK)
			sqlite3_exec(g->db, "ROLLBACK", NULL, NULL, NULL);
	}
	return err;
}

static int prepare_insert(
	struct ledger *g, const char *table, const struct shape *shape, sqlite3_stmt **out)
{
	OWNED(buf_done) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
	buf_print(&sql, "INSERT OR IGNORE INTO %s(", table);
	for (size_t i = 0; i < shape->n_fields; i++)
		buf_print(&sql, "%s%s", i == 0 ? "" : ",", shape->fields[i].name);
	buf_text(&sql, ")VALUES(?");
	for (size_t i = 1; i < shape->n_fields; i++)
		buf_text(&sql, ",?");
	buf_byte(&sql, ')');
	assert(buf_error(&sql) == OK);
	return sqlite3_prepare_v3(g->db, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

static int prepare(struct ledger *g, const char *sql, sqlite3_stmt **out)
{
	return sqlite3_prepare_v3(g->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

static enum err ledger_prepare(struct ledger *g, struct fault *why)
{
	int rc = prepare(g, "BEGIN IMMEDIATE", &g->begin);
	if (rc == SQLITE_OK)
		rc = prepare(g, "COMMIT", &g->commit);
	if (rc == SQLITE_OK)
		rc = prepare(g, "ROLLBACK", &g->rollback);
	if (rc == SQLITE_OK)
		rc = prepare_insert(g, "exchange", &exchange_shape, &g->insert_exchange);
	if (rc == SQLITE_OK)
		rc = prepare_insert(g, "attempt", &attempt_shape, &g->insert_attempt);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "reading", why);
}

static int on_progress(void *is_unwanted)
{
	return atomic_load((atomic_bool *)is_unwanted);
}

static void heed(struct ledger *g)
{
	sqlite3_progress_handler(
		g->db, STEPS_UNHEEDED, g->is_unwanted ? on_progress : NULL, g->is_unwanted);
}

static enum err ledger_connect(struct ledger *g, int how, struct fault *why)
{
	const int flags = how | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(g->path, &g->db, flags, NULL);
	if (!g->db)
		return fault_set(why, ERR_NO_MEMORY, "no memory to open %s", g->path);
	if (rc != SQLITE_OK)
		return ledger_fault(g, rc, "opening", why);

	/* the file is ours, but not every program that wrote to it need be friendly */
	sqlite3_db_config(g->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(g->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_busy_timeout(g->db, BUSY_MS);
	heed(g);
	rc = report_setup(g->db);
	if (rc == SQLITE_OK)
		rc = selection_setup(g->db);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "opening", why);
}

static enum err ledger_setup(struct ledger *g, struct fault *why)
{
	int version; /* looked at before anything is written */
	enum err err = ledger_connect(g, SQLITE_OPEN_READWRITE, why);
	if (err == OK)
		err = ledger_version(g, &version, why);
	if (err == OK)
		err = ledger_exec(g,
			"PRAGMA auto_vacuum=INCREMENTAL;" /* for a new file alone */
			"PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
			"PRAGMA journal_size_limit=4194304;PRAGMA cache_size=-1024;" TEMPORARY,
			"opening", why);
	if (err == OK)
		err = ledger_migrate(g, why);
	if (err == OK)
		err = ledger_prepare(g, why);
	return err;
}

/* Once the schema is ours. What is asked of it first maps what both share, while that can be said. */
static enum err reader_connect(struct ledger *r, struct fault *why)
{
	int version;
	enum err err = ledger_connect(r, SQLITE_OPEN_READONLY, why);
	if (err == OK)
		err = ledger_exec(r, "PRAGMA cache_size=-1024;" TEMPORARY, "opening", why);
	return err ? err : ledger_version(r, &version, why);
}

static enum err ledger_open_reader(struct ledger *g, struct fault *why)
{
	struct ledger *r = g->reader = calloc(1, sizeof *r);
	if (!r)
		abort();
	memcpy(r->path, g->path, sizeof r->path);
	r->writer = g;
	return reader_connect(r, why);
}

/* Where there is room for a ledger there is some for what is made of it; what /tmp has is often memory. SQLite has one
 * such folder, that must not change while it works. */
static void keep_temporary_in(const char *dir)
{
	if (!sqlite3_temp_directory)
		sqlite3_temp_directory = sqlite3_mprintf("%s", dir);
}

struct ledger *ledger_open(const char *state_dir, struct fault *why)
{
	/* NOFOLLOW refuses a link anywhere on the way, and a home may well be behind one */
	char *dir = realpath(state_dir, NULL);
	if (!dir) {
		fault_set(why, ERR_IO, "the state folder %s cannot be used: %s", state_dir,
			strerror(errno));
		return NULL;
	}
	keep_temporary_in(dir);
	/* nobody asks how much it has: else each of its blocks is counted under a lock. Where it runs already it stays as it is */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	struct ledger *g = calloc(1, sizeof *g);
	if (!g)
		abort();
	const int n = snprintf(g->path, sizeof g->path, "%s/ledger.db", dir);
	enum err err = OK;
	if (n < 0 || (size_t)n >= sizeof g->path)
		err = fault_set(why, ERR_IO, "the path of the state folder %s is too long", dir);
	free(dir);
	if (err == OK)
		err = ledger_claim(g->path, why);
	if (err == OK)
		err = ledger_setup(g, why);
	if (err == OK)
		err = ledger_open_reader(g, why);
	if (err == OK)
		return g;
	ledger_close(g);
	return NULL;
}

static void ledger_disconnect(struct ledger *g)
{
	sqlite3_finalize(g->begin);
	sqlite3_finalize(g->commit);
	sqlite3_finalize(g->rollback);
	sqlite3_finalize(g->insert_exchange);
	sqlite3_finalize(g->insert_attempt);
	g->begin = g->commit = g->rollback = g->insert_exchange = g->insert_attempt = NULL;
	sqlite3_close(g->db);
	g->db = NULL;
}

void ledger_close(struct ledger *g)
{
	if (!g)
		return;
	ledger_close(g->reader); /* who closes it last tidies up, and must be able to write */
	ledger_disconnect(g);
	free(g);
}

/* ---- letting go ---- */

/* What lies in SQLite's log stays there: the disk is no place to write to. */
static void abandon(struct ledger *g)
{
	if (g->db)
		sqlite3_db_config(g->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	ledger_disconnect(g);
}

void ledger_let_go(struct ledger *g)
{
	if (atomic_load(&g->turns) % 2 == 0)
		atomic_fetch_add(&g->turns, 1);
	abandon(g);
}

void ledger_reader_let_go(struct ledger *reader)
{
	abandon(reader);
}

/* What a disk failed to write is clean for the kernel, and not written another time: a sync of SQLite's log would say nothing
 * of it. What the log has is therefore written anew, to the file, which is synced, and the log begun from its start: frames
 * behind one that the disk does not have would be lost with it. Who is still reading has to come to an end first. */
static enum err write_anew(struct ledger *g, struct fault *why)
{
	const int rc =
		sqlite3_wal_checkpoint_v2(g->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "writing", why);
}

enum err ledger_come_back(struct ledger *g, struct fault *why)
{
	assert(!g->db && atomic_load(&g->turns) % 2 != 0);
	enum err err = ledger_claim(g->path, why);
	if (err == OK)
		err = ledger_setup(g, why);
	if (err == OK)
		err = write_anew(g, why);
	if (err)
		abandon(g);
	else
		atomic_fetch_add(&g->turns, 1);
	return err;
}

enum err ledger_ready(struct ledger *g, struct fault *why)
{
	const unsigned turn = g->writer ? atomic_load(&g->writer->turns) : 0;
	if (g->writer && g->turn != turn)
		ledger_disconnect(g);
	g->is_lost = false;
	if (g->db)
		return OK;
	if (!g->writer || turn % 2 != 0)
		return fault_set(why, ERR_IO,
			"%s was let go, for its file system could not be written. It is tried "
			"again by itself",
			g->path);
	g->turn = turn;
	const enum err err = reader_connect(g, why);
	if (err)
		ledger_disconnect(g);
	return err;
}

bool ledger_is_lost(const struct ledger *g)
{
	return g->is_lost;
}

/* ---- asking ---- */

struct ledger *ledger_reader(const struct ledger *g)
{
	return g->reader;
}

void ledger_heed(struct ledger *reader, atomic_bool *is_unwanted)
{
	reader->is_unwanted = is_unwanted;
	if (reader->db)
		heed(reader);
}

/* ---- writing ---- */

static int step_once(sqlite3_stmt *s)
{
	const int rc = sqlite3_step(s);
	sqlite3_reset(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int bind_text(sqlite3_stmt *s, int at, const char *text)
{
	return text[0] == '\0' ? sqlite3_bind_null(s, at)
			       : sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static int bind_field(sqlite3_stmt *s, int at, const struct field *f, const void *record)
{
	if (f->kind == FIELD_TEXT)
		return bind_text(s, at, (const char *)record + f->offset);
	const int64_t v = field_number(f, record);
	switch (f->kind) {
	case FIELD_NUMBER:
		return v < 0 ? sqlite3_bind_null(s, at) : sqlite3_bind_int64(s, at, v);
	case FIELD_STATUS:
		return v == 0 ? sqlite3_bind_null(s, at) : sqlite3_bind_int64(s, at, v);
	case FIELD_OUTCOME:
		return bind_text(s, at, outcome_name((enum outcome)v));
	case FIELD_ERR:
		return bind_text(s, at, v == OK ? "" : err_info((enum err)v)->word);
	case FIELD_COUNT:
	case FIELD_FLAG:
	case FIELD_TEXT:
		break;
	}
	return sqlite3_bind_int64(s, at, v);
}

/* All but the first two fields of an exchange's: of what was read from the journal there is nothing else between them. */
static bool is_like(const struct exchange_record *record, const struct exchange_record *other)
{
	const size_t from = offsetof(struct exchange_record, total_us);
	return memcmp((const char *)record + from, (const char *)other + from,
		       sizeof *record - from) == 0;
}

static bool is_same(const struct field *f, const void *record, const void *other)
{
	if (f->kind != FIELD_TEXT)
		return field_number(f, record) == field_number(f, other);
	return strcmp((const char *)record + f->offset, (const char *)other + f->offset) == 0;
}

/* `before`: the record that was bound last, which is still there, for what both have stays bound; NULL: there is none. Those
 * behind the first `n` fields are the same. */
static int insert(sqlite3_stmt *s, const struct shape *shape, size_t n, const void *record,
	const void *before)
{
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++) {
		const struct field *f = &shape->fields[i];
		if (!before || !is_same(f, record, before))
			rc = bind_field(s, (int)i + 1, f, record);
	}
	return rc == SQLITE_OK ? step_once(s) : rc;
}

/* The first two fields are the id and the time. */
static int insert_exchange(struct ledger *g, const struct exchange_record *all, size_t i)
{
	const struct exchange_record *x = &all[i], *before = i > 0 ? &all[i - 1] : NULL;
	const size_t n = before && is_like(x, before) ? 2 : exchange_shape.n_fields;
	return insert(g->insert_exchange, &exchange_shape, n, x, before);
}

enum err ledger_write(struct ledger *g, const struct ledger_rows *rows, struct fault *why)
{
	enum err err = ledger_ready(g, why);
	if (err)
		return err;
	int rc = step_once(g->begin);
	if (rc != SQLITE_OK)
		return ledger_fault(g, rc, "writing", why);
	for (size_t i = 0; rc == SQLITE_OK && i < rows->n_exchanges; i++)
		rc = insert_exchange(g, rows->exchanges, i);
	for (size_t i = 0; rc == SQLITE_OK && i < rows->n_attempts; i++)
		rc = insert(g->insert_attempt, &attempt_shape, attempt_shape.n_fields,
			&rows->attempts[i], i > 0 ? &rows->attempts[i - 1] : NULL);
	if (rc == SQLITE_OK)
		rc = step_once(g->commit);
	if (rc == SQLITE_OK)
		return OK;

	err = ledger_fault(g, rc, "writing", why);
	if (!sqlite3_get_autocommit(g->db)) /* some failures have rolled back already */
		step_once(g->rollback);
	return err;
}

/* SQLite's log has all that a power cut could take: what is in the file itself was synced when it came there. To commit
 * something in FULL would not do, for a row that is written as it is dirties no page, and nothing is synced then. */
enum err ledger_sync(struct ledger *g, struct fault *why)
{
	sqlite3_file *log = NULL;
	const enum err err = ledger_ready(g, why);
	if (err)
		return err;
	int rc = sqlite3_file_control(g->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (rc == SQLITE_OK && log && log->pMethods)
		rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	if (rc == SQLITE_OK)
		return OK;
	const int os = errno; /* SQLite keeps it for failures of its own calls alone */
	const bool is_full = os == ENOSPC || os == EDQUOT;
	g->is_lost = !is_full;
	return fault_set(why, is_full ? ERR_STORAGE_FULL : ERR_IO, "syncing %s failed: %s", g->path,
		strerror(os));
}
