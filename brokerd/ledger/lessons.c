/* lessons.c - one question to SQLite, from the end backwards as far as is wanted. */
#include "brokerd/ledger/lessons.h"

#include "brokerd/ledger/ledger_parts.h"

#define LESSONS                                                               \
	"SELECT provider, model, raw, reported FROM ("                        \
	"SELECT at_us, provider, model, estimate_raw AS raw, " REPORTED_INPUT \
	" AS reported FROM attempt WHERE at_us >= ?1 AND outcome = 'ok'"      \
	" AND estimate_raw > 0 AND " REPORTED_INPUT " > 0"                    \
	" AND provider IS NOT NULL AND model IS NOT NULL"                     \
	" ORDER BY at_us DESC LIMIT ?2) ORDER BY at_us"

static void tell(sqlite3_stmt *s, void (*on_lesson)(void *, const struct lesson *), void *context)
{
	const struct lesson l = {
		.provider = (const char *)sqlite3_column_text(s, 0),
		.model = (const char *)sqlite3_column_text(s, 1),
		.raw = sqlite3_column_int64(s, 2),
		.reported = sqlite3_column_int64(s, 3),
	};
	if (l.provider && l.model) /* or there was no memory for them */
		on_lesson(context, &l);
}

enum err ledger_lessons(struct ledger *g, int64_t since_us, int64_t most,
	void (*on_lesson)(void *context, const struct lesson *l), void *context, struct fault *why)
{
	sqlite3_stmt *s = NULL;
	enum err err = ledger_ready(g, why);
	if (err)
		return err;
	int rc = sqlite3_prepare_v2(g->db, LESSONS, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, since_us);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 2, most);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	for (; rc == SQLITE_ROW; rc = sqlite3_step(s))
		tell(s, on_lesson, context);
	err = rc == SQLITE_DONE ? OK : ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}
