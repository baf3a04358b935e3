/* story.c - columns have the names that members have. */
#include "brokerd/ledger/story.h"

#include "brokerd/ledger/ledger_parts.h"
#include "protocol/base/json.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define COST "coalesce(provider_cost_nusd, cost_nusd) AS cost_nusd"

static const char exchange_sql[] =
	"SELECT at_us, op, model, outcome, error AS class, attempts, total_us, ttft_us, "
	"queued_us, " COST " FROM exchange WHERE id = @id";
static const char attempt_sql[] =
	"SELECT max(0, at_us - (SELECT at_us FROM exchange WHERE id = @id)) AS at_us, provider,"
	" model, key_label AS key, total_us AS us, number, outcome, error AS class, http_status,"
	" connect_us, first_byte_us, " COST " FROM attempt WHERE exchange_id = @id ORDER BY number";

static enum err ask(
	struct ledger *g, const char *sql, struct span id, sqlite3_stmt **out, struct fault *why)
{
	*out = NULL;
	int rc = sqlite3_prepare_v2(g->db, sql, -1, out, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(*out, sqlite3_bind_parameter_index(*out, "@id"), id.p,
			(int)id.n, SQLITE_STATIC);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "reading", why);
}

/* A text that whoever called may have made up. */
static void put_text(struct json_out *o, const char *name, sqlite3_stmt *s, int column)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
	struct utf8_repair repair = {0};
	const char *value = (const char *)sqlite3_column_text(s, column);
	utf8_repair(&repair, span_of(value ? value : "", (size_t)sqlite3_column_bytes(s, column)),
		&text);
	utf8_repair_end(&repair, &text);
	json_pair_str(o, name, text.n > 0 ? buf_view(&text) : SPAN(""));
}

static void put_row(struct json_out *o, sqlite3_stmt *s)
{
	for (int i = 0; i < sqlite3_column_count(s); i++) {
		const char *name = sqlite3_column_name(s, i);
		if (sqlite3_column_type(s, i) == SQLITE_INTEGER)
			json_pair_i64(o, name, sqlite3_column_int64(s, i));
		else if (sqlite3_column_type(s, i) != SQLITE_NULL)
			put_text(o, name, s, i);
	}
}

static enum err put_exchange(
	struct ledger *g, struct span id, struct json_out *o, struct fault *why)
{
	sqlite3_stmt *s;
	enum err err = ask(g, exchange_sql, id, &s, why);
	const int rc = err ? SQLITE_OK : sqlite3_step(s);
	if (rc == SQLITE_ROW)
		put_row(o, s);
	else if (rc == SQLITE_DONE)
		err = fault_param(why, ERR_INVALID_ARGUMENT, "id",
			"the ledger has no request %.*s, and none of those under way or of the "
			"last ones is called so",
			SPAN_ARG(span_first(id, REQUEST_ID_BYTES)));
	else if (!err)
		err = ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}

static enum err put_attempts(
	struct ledger *g, struct span id, struct json_out *o, int64_t *left_out, struct fault *why)
{
	sqlite3_stmt *s;
	enum err err = ask(g, attempt_sql, id, &s, why);
	int rc = SQLITE_DONE, n = 0;
	while (!err && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		if (n++ >= STORY_STEPS_MAX) {
			++*left_out;
			continue;
		}
		json_open(o, '{');
		json_pair_str(o, "step", SPAN("attempt"));
		put_row(o, s);
		json_close(o, '}');
	}
	if (!err && rc != SQLITE_DONE)
		err = ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}

enum err story_of(struct ledger *g, struct span id, struct buf *json, struct fault *why)
{
	struct json_out o = json_to(json);
	int64_t left_out = 0;
	json_open(&o, '{');
	json_pair_str(&o, "id", id);
	json_pair_str(&o, "from", SPAN("ledger"));
	json_pair_bool(&o, "is_over", true);
	enum err err = put_exchange(g, id, &o, why);
	json_key(&o, "steps");
	json_open(&o, '[');
	if (!err)
		err = put_attempts(g, id, &o, &left_out, why);
	json_close(&o, ']');
	json_pair_i64(&o, "left_out", left_out);
	json_close(&o, '}');
	return err;
}
