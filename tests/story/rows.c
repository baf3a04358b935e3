/* rows.c - two queries whose one column is the line. */
#include "tests/story/rows.h"

#include <sqlite3.h>
#include <stdio.h>

#include "tests/lib/tap.h"

#define ANSWER                                                                                   \
	" || ' cost=' || ifnull(cost_nusd, '?') || ' ms=' || ifnull(total_us / 1000.0, '?') AS " \
	"line "

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

static void put_lines(struct buf *out, struct buf *line, unsigned count)
{
	if (count > 1)
		buf_print(out, "%ux ", count);
	if (count > 0) {
		buf_span(out, buf_view(line));
		buf_byte(out, '\n');
	}
	buf_clear(line);
}

void rows_read(const char *state_dir, struct buf *out)
{
	char path[256];
	sqlite3 *db = NULL;
	snprintf(path, sizeof path, "%s/ledger.db", state_dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		bail("no ledger in %s", path);
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		OWNED(buf_done) struct buf before = BUF_INIT(65536);
		sqlite3_stmt *s = NULL;
		unsigned count = 0;
		if (sqlite3_prepare_v2(db, queries[i], -1, &s, NULL) != SQLITE_OK)
			bail("%s: %s", path, sqlite3_errmsg(db));
		while (sqlite3_step(s) == SQLITE_ROW) {
			const char *line = (const char *)sqlite3_column_text(s, 0);
			const struct span text = span_str(line ? line : "a column is null");
			if (count > 0 && !span_eq(text, buf_view(&before))) {
				put_lines(out, &before, count);
				count = 0;
			}
			if (count++ == 0)
				buf_span(&before, text);
		}
		put_lines(out, &before, count);
		sqlite3_finalize(s);
	}
	sqlite3_close(db);
}
