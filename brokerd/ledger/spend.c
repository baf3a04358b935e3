/* spend.c - one question to SQLite for each day, for days are not equally long. */
#include "brokerd/ledger/spend.h"

#include "brokerd/ledger/ledger_parts.h"
#include "protocol/base/json.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define COST "coalesce(a.provider_cost_nusd, a.cost_nusd)"
#define ANY_TOKENS                                                             \
	"coalesce(a.input, a.cache_read, a.cache_write_5m, a.cache_write_1h,"  \
	"a.cache_write, a.output, a.reasoning, a.audio_input, a.audio_output," \
	"a.image_input, a.image_output)"
#define BILLED "(a.outcome IN ('ok', 'unknown') OR " ANY_TOKENS " IS NOT NULL)"

/* An exchange under way has no row yet: what its attempts were for is not known then, and they count. */
#define SPEND                                                                        \
	"SELECT a.model, a.key_label, sum(" BILLED ") AS requests,"                  \
	"sum(a.outcome = 'unknown'),"                                                \
	"sum(" COST " IS NULL AND " BILLED "),"                                      \
	"sum_known(a.input, a.audio_input, a.image_input), sum_known(a.cache_read)," \
	"sum_known(a.cache_write_5m, a.cache_write_1h, a.cache_write),"              \
	"sum_known(a.output, a.reasoning, a.audio_output, a.image_output),"          \
	"sum_known(" COST ") AS cost"                                                \
	" FROM attempt a LEFT JOIN exchange x ON x.id = a.exchange_id"               \
	" WHERE a.at_us >= ?1 AND a.at_us < ?2 AND a.provider = ?3 AND a.sent_body"  \
	" AND coalesce(x.op, '') NOT IN ('models', 'count')"                         \
	" GROUP BY 1, 2 HAVING requests > 0 OR cost <> 0 ORDER BY 1, 2"

static const char *const figures[] = {"requests", "unknown", "unpriced", "input", "cache_read",
	"cache_write", "output", "cost_nusd"};

static void put_text(struct json_out *o, const char *name, sqlite3_stmt *s, int column)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4 * KIB);
	struct utf8_repair repair = {0};
	const char *t = (const char *)sqlite3_column_text(s, column);
	utf8_repair(&repair, span_of(t ? t : "", (size_t)sqlite3_column_bytes(s, column)), &text);
	utf8_repair_end(&repair, &text);
	json_pair_str(o, name, text.n > 0 ? buf_view(&text) : SPAN(""));
}

static void put_row(struct json_out *o, sqlite3_stmt *s, int64_t at_s)
{
	json_open(o, '{');
	json_pair_i64(o, "at_s", at_s);
	put_text(o, "model", s, 0);
	put_text(o, "key", s, 1);
	for (int i = 0; i < (int)COUNT_OF(figures); i++) {
		json_key(o, figures[i]);
		if (sqlite3_column_type(s, i + 2) == SQLITE_NULL)
			json_put_null(o);
		else
			json_put_i64(o, sqlite3_column_int64(s, i + 2));
	}
	json_close(o, '}');
}

static int put_day(
	struct json_out *o, sqlite3_stmt *s, const struct spend_query *q, const int64_t *day)
{
	int rc = sqlite3_reset(s);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, day[0] * 1000000);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 2, day[1] * 1000000);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(s, 3, q->provider.p, (int)q->provider.n, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	for (; rc == SQLITE_ROW && buf_error(o->to) == OK; rc = sqlite3_step(s))
		put_row(o, s, day[0]);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

enum err ledger_spend(
	struct ledger *g, const struct spend_query *q, struct buf *json, struct fault *why)
{
	struct json_out o = json_to(json);
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(g->db, SPEND, -1, &s, NULL);
	json_open(&o, '{');
	json_key(&o, "rows");
	json_open(&o, '[');
	for (size_t i = 0; rc == SQLITE_OK && i < q->n_days; i++)
		rc = put_day(&o, s, q, &q->starts_s[i]);
	json_close(&o, ']');
	json_close(&o, '}');
	const enum err err = rc == SQLITE_OK ? OK : ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	if (!err && buf_error(json))
		return fault_set(
			why, buf_error(json), "the answer is too long: ask for a shorter time");
	return err;
}
