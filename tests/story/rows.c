/* rows.c - two queries whose one column is the line. */
#include "tests/story/rows.h"

#include <sqlite3.h>
#include <stdio.h>

#include "tests/lib/tap.h"

#define ANSWER                                                           \
	" || ' cost=' || ifnull(cost_nusd, '?') || "                     \
	"iif(queued_us > 0, ' queued=' || (queued_us / 1000.0), '') || " \
	"' ms=' || ifnull(total_us / 1000.0, '?') AS line "

static const char *const queries[] = {
	"SELECT 'exchange ' || outcome || ' ' || ifnull(error, '-') || ' ' || "
	"ifnull(provider || '/' || target_model, '-') || ' attempts=' || attempts || "
	"' warnings=' || warnings || ' input=' || ifnull(input, '?') || "
	"' output=' || ifnull(output, '?')" ANSWER "FROM exchange ORDER BY at_us, line",
	"SELECT 'attempt ' || number || ' ' || a.outcome || ' ' || ifnull(a.error, '-') || ' ' || "
	"a.provider || '/' || a.model || ' http=' || ifnull(http_status, '-') || "
	"iif(sent_body, ' sent', ' unsent') || ' input=' || ifnull(a.input, '?') || "
	"' output=' || ifnull(a.output, '?') || ' cost=' || ifnull(a.cost_nusd, '?') AS line "
	"FROM attempt a JOIN exchange e ON e.id = a.exchange_id ORDER BY e.at_us, number, line",
};

void rows_read(const char *state_dir, struct buf *out)
{
	char path[256];
	sqlite3 *db = NULL;
	snprintf(path, sizeof path, "%s/ledger.db", state_dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		bail("no ledger in %s", path);
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		sqlite3_stmt *s = NULL;
		if (sqlite3_prepare_v2(db, queries[i], -1, &s, NULL) != SQLITE_OK)
			bail("%s: %s", path, sqlite3_errmsg(db));
		while (sqlite3_step(s) == SQLITE_ROW) {
			const char *line = (const char *)sqlite3_column_text(s, 0);
			buf_text(out, line ? line : "a column is null");
			buf_byte(out, '\n');
		}
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
}
