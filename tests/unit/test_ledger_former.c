/* test_ledger_former.c - what becomes of a ledger that a former version wrote.
 * tests/golden/ledger/vN.sql are such ledgers, as text: two requests, three attempts. They never change. */
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/ledger.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

static char dir[64], path[96];

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(name);
}

static void run_sql(const char *sql)
{
	sqlite3 *db = NULL;
	char *said = NULL;
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
		bail("%s: %s", sql, said ? said : "cannot be opened");
	sqlite3_close(db);
}

/* Every value of every row of the tables, of the columns that version 1 had, as one text. */
static const char *ask(const char *sql)
{
	static char answer[4096];
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	size_t n = 0;
	answer[0] = '\0';
	if (sqlite3_open(path, &db) != SQLITE_OK ||
		sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		bail("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(s) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(s) && n < sizeof answer; i++) {
			const char *v = (const char *)sqlite3_column_text(s, i);
			const int more =
				snprintf(answer + n, sizeof answer - n, "%s|", v ? v : "NULL");
			n += (size_t)more;
		}
	}
	if (n >= sizeof answer)
		bail("too long an answer");
	sqlite3_finalize(s);
	sqlite3_close(db);
	return answer;
}

static void make(const char *version)
{
	OWNED(buf_done) struct buf sql = BUF_INIT(1024 * 1024);
	char name[64];
	snprintf(name, sizeof name, "tests/golden/ledger/%s.sql", version);
	if (!whole_file(name, &sql))
		bail("%s cannot be read: run from the top of the tree", name);
	buf_byte(&sql, '\0');
	unlink(path);
	run_sql(sql.p);
	chmod(path, 0600);
}

static struct ledger *open_it(struct fault *why)
{
	fault_clear(why);
	return ledger_open(dir, why);
}

#define EXCHANGES                                                                             \
	"SELECT id, at_us, total_us, ttft_us, uid, pid, app, program, op, surface, model, "   \
	"provider, target_model, outcome, error, finish, stream, attempts, warnings, input, " \
	"output, cost_nusd, provider_cost_nusd, price_input, price_output FROM exchange "     \
	"ORDER BY id"
#define ATTEMPTS                                                                                \
	"SELECT exchange_id, number, at_us, provider, model, key_label, outcome, error, "       \
	"http_status, provider_request_id, sent_body, sent_bytes, received_bytes, connect_us, " \
	"first_byte_us, total_us, input, output, cost_nusd, provider_cost_nusd, price_input "   \
	"FROM attempt ORDER BY exchange_id, number"

static void check_migrated(void)
{
	struct fault why;
	char exchanges[4096], attempts[4096];
	make("v1");
	snprintf(exchanges, sizeof exchanges, "%s", ask(EXCHANGES));
	snprintf(attempts, sizeof attempts, "%s", ask(ATTEMPTS));
	ok(strstr(exchanges, "req_1|1790000000000000|4000|2500|1000|42|notes|") != NULL,
		"it is what version 1 wrote");

	struct ledger *g = open_it(&why);
	ok(g != NULL, "a ledger of version 1 opens: %s", why.message);
	ledger_close(g);
	is_str(ask("SELECT version FROM schema"), "4|", "and is of this version then");
	is_str(ask(EXCHANGES), exchanges, "nothing is lost of its exchanges");
	is_str(ask(ATTEMPTS), attempts, "nor of its attempts");
	is_str(ask("SELECT kind, unit, container, project, policy, key_label, tier, queued_us, "
		   "estimate_input, estimate_output FROM exchange WHERE id = 'req_1'"),
		"NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|",
		"what it did not write is not known");
	is_str(ask("SELECT charged_nusd, estimate_input, estimate_output FROM attempt LIMIT 1"),
		"NULL|NULL|NULL|", "of attempts too");
	is_str(ask("PRAGMA integrity_check"), "ok|", "and it is sound");

	g = open_it(&why);
	struct exchange_record x = {
		.id = "req_3",
		.outcome = OUTCOME_OK,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN,
		.account = {.kind = "host",
			    .unit = "a.service",
			    .tier = "flex",
			    .via = "host:between"},
		.queued_us = 7,
		.cache = "hit",
		.saved_nusd = 9
        };
	if (g)
		is_err(ledger_write(g, &(struct ledger_rows){&x, 1, NULL, 0}, &why), OK,
			"new rows go there: %s", why.message);
	ledger_close(g);
	is_str(ask("SELECT kind, unit, tier, queued_us, via, cache, saved_nusd FROM exchange WHERE "
		   "id = 'req_3'"),
		"host|a.service|flex|7|host:between|hit|9|", "with all that is known now");
}

/* Somebody has added a column of their own, in the way of the last but one of ours. */
static void check_failure(void)
{
	struct fault why;
	make("v1");
	run_sql("ALTER TABLE attempt ADD COLUMN estimate_input TEXT");
	char before[4096];
	snprintf(before, sizeof before, "%s", ask("SELECT sql FROM sqlite_schema ORDER BY name"));
	ok(open_it(&why) == NULL, "what cannot be migrated is refused: %s", why.message);
	is_err(why.err, ERR_IO, "as a fault of the file");
	ok(strstr(why.message, "estimate_input") != NULL, "that names what is in the way");
	is_str(ask("SELECT version FROM schema"), "1|", "it is of version 1 still");
	is_str(ask("SELECT sql FROM sqlite_schema ORDER BY name"), before,
		"and whole, without any of the new columns");
	is_str(ask("SELECT count(*) FROM exchange"), "2|", "with all its rows");
}

static void check_newer(void)
{
	struct fault why;
	make("v1");
	run_sql("UPDATE schema SET version = 5");
	ok(open_it(&why) == NULL, "a newer one is refused: %s", why.message);
	is_err(why.err, ERR_VERSION, "as what it is");
	is_str(ask("SELECT version FROM schema"), "5|", "and left as it was");
}

int main(void)
{
	void (*const checks[])(void) = {check_migrated, check_failure, check_newer};
	snprintf(dir, sizeof dir, "/tmp/test_ledger_former.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	snprintf(path, sizeof path, "%s/ledger.db", dir);
	for (size_t i = 0; i < COUNT_OF(checks); i++)
		checks[i]();
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
