/* spending.c - one question to SQLite, which groups. */
#include "brokerd/ledger/spending.h"

#include "brokerd/ledger/ledger_parts.h"

/* An attempt whose exchange has no row is one whose row is not yet there: its own columns are told. */
#define SPENDING                                                                            \
	"SELECT x.app, x.policy, a.provider, a.key_label, a.model, x.model, x.uid,"         \
	"max(a.at_us) AS last_us,"                                                          \
	"sum_known(coalesce(a.charged_nusd, a.provider_cost_nusd, a.cost_nusd)) AS charged" \
	" FROM attempt a LEFT JOIN exchange x ON x.id = a.exchange_id"                      \
	" WHERE a.at_us >= ?1"                                                              \
	" GROUP BY a.at_us / 900000000, 1, 2, 3, 4, 5, 6, 7"                                \
	" HAVING charged > 0 ORDER BY a.at_us / 900000000"

static const char *text(sqlite3_stmt *s, int column)
{
	const char *t = (const char *)sqlite3_column_text(s, column);
	return t ? t : "";
}

static void tell(sqlite3_stmt *s, void (*on_row)(void *, const struct spending *), void *context)
{
	const struct spending row = {
		.app = text(s, 0),
		.policy = text(s, 1),
		.provider = text(s, 2),
		.key = text(s, 3),
		.model = text(s, 4),
		.asked = text(s, 5),
		.uid = (uint32_t)sqlite3_column_int64(s, 6),
		.at_us = sqlite3_column_int64(s, 7),
		.charged_nusd = sqlite3_column_int64(s, 8),
	};
	on_row(context, &row);
}

enum err ledger_spending(struct ledger *g, int64_t since_us,
	void (*on_row)(void *context, const struct spending *row), void *context, struct fault *why)
{
	sqlite3_stmt *s = NULL;
	enum err err = ledger_ready(g, why);
	if (err)
		return err;
	int rc = sqlite3_prepare_v2(g->db, SPENDING, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, since_us);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	for (; rc == SQLITE_ROW; rc = sqlite3_step(s))
		tell(s, on_row, context);
	err = rc == SQLITE_DONE ? OK : ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}
