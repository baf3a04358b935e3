/* report.c - questions to SQLite, made of constant pieces. */
#include "brokerd/ledger/report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/ledger/ledger_parts.h"
#include "brokerd/ledger/price.h"
#include "protocol/base/json.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define SQL_BYTES_MAX ((size_t)16 * 1024)

/* ---- functions ---- */

struct sum {
	int64_t total;
	bool is_known;
};

/* SUM of SQLite fails for ever once a sum is too large; a foreign figure must not do that. */
static void sum_step(sqlite3_context *c, int n, sqlite3_value **values)
{
	struct sum *sum = sqlite3_aggregate_context(c, sizeof *sum);
	for (int i = 0; sum && i < n; i++) {
		if (sqlite3_value_type(values[i]) == SQLITE_NULL)
			continue;
		sum->total = num_add_sat(sum->total, sqlite3_value_int64(values[i]));
		sum->is_known = true;
	}
}

static void sum_final(sqlite3_context *c)
{
	const struct sum *sum = sqlite3_aggregate_context(c, 0);
	if (sum && sum->is_known)
		sqlite3_result_int64(c, sum->total);
	else
		sqlite3_result_null(c);
}

#define SHARE_MOST 10000 /* permille */

/* How often each permille came: its memory does not grow with the rows. */
struct share {
	int percent;
	uint64_t n;
	uint32_t *counts; /* SHARE_MOST + 1 */
};

static void share_step(sqlite3_context *c, int n, sqlite3_value **values)
{
	struct share *share = sqlite3_aggregate_context(c, sizeof *share);
	(void)n;
	if (!share || sqlite3_value_type(values[0]) == SQLITE_NULL)
		return;
	if (!share->counts)
		share->counts = calloc(SHARE_MOST + 1, sizeof *share->counts);
	if (!share->counts) {
		sqlite3_result_error_nomem(c);
		return;
	}
	const double v = sqlite3_value_double(values[0]);
	share->counts[v < 0 ? 0 : v >= SHARE_MOST ? SHARE_MOST : (size_t)(v + 0.5)]++;
	share->percent = sqlite3_value_int(values[1]);
	share->n++;
}

static void share_final(sqlite3_context *c)
{
	struct share *share = sqlite3_aggregate_context(c, 0);
	if (!share || !share->counts) {
		sqlite3_result_null(c);
		return;
	}
	const uint64_t want = (share->n * (uint64_t)share->percent + 99) / 100;
	uint64_t seen = 0;
	int at = 0;
	while (at < SHARE_MOST && (seen += share->counts[at]) < want)
		at++;
	free(share->counts);
	sqlite3_result_int(c, at);
}

static int64_t nusd_of(sqlite3_value *v)
{
	return sqlite3_value_type(v) == SQLITE_NULL ? -1 : sqlite3_value_int64(v);
}

static void drifts(sqlite3_context *c, int n, sqlite3_value **values)
{
	(void)n;
	sqlite3_result_int(c, price_drifts(nusd_of(values[0]), nusd_of(values[1])));
}

/* Of cache_read, cache_write_5m, cache_write_1h, cache_write, and of the prices of input and of the first three. */
static void prompt_saved(sqlite3_context *c, int n, sqlite3_value **values)
{
	const struct llm_usage u = {.cache_read = nusd_of(values[0]),
		.cache_write_5m = nusd_of(values[1]),
		.cache_write_1h = nusd_of(values[2]),
		.cache_write = nusd_of(values[3])};
	const struct price p = {.input = nusd_of(values[4]),
		.cache_read = nusd_of(values[5]),
		.cache_write_5m = nusd_of(values[6]),
		.cache_write_1h = nusd_of(values[7])};
	int64_t saved;
	(void)n;
	if (price_prompt_saved_nusd(&p, &u, &saved))
		sqlite3_result_int64(c, saved);
	else
		sqlite3_result_null(c);
}

int report_setup(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
	int rc = sqlite3_create_function(
		db, "sum_known", -1, flags, NULL, NULL, sum_step, sum_final);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function(
			db, "share", 2, flags, NULL, NULL, share_step, share_final);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function(db, "drifts", 2, flags, NULL, drifts, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_create_function(
			db, "prompt_saved", 8, flags, NULL, prompt_saved, NULL, NULL);
	return rc;
}

/* ---- a question ---- */

static enum err question_open(struct ledger *g, struct buf *sql, const struct selection *of,
	sqlite3_stmt **out, struct fault *why)
{
	assert(buf_error(sql) == OK);
	*out = NULL;
	const enum err err = ledger_ready(g, why);
	if (err)
		return err;
	int rc = sqlite3_prepare_v2(g->db, sql->p, (int)sql->n, out, NULL);
	if (rc == SQLITE_OK)
		rc = selection_bind(*out, of);
	return rc == SQLITE_OK ? OK : ledger_fault(g, rc, "reading", why);
}

/* A text that whoever called may have made up. */
static void put_text(struct json_out *o, sqlite3_stmt *s, int column)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
	struct utf8_repair repair = {0};
	const char *key = (const char *)sqlite3_column_text(s, column);
	utf8_repair(
		&repair, span_of(key ? key : "", (size_t)sqlite3_column_bytes(s, column)), &text);
	utf8_repair_end(&repair, &text);
	json_put_str(o, text.n > 0 ? buf_view(&text) : SPAN(""));
}

/* ---- what was used ---- */

#define COST "coalesce(provider_cost_nusd, cost_nusd)"
#define ANY_TOKENS                                                                         \
	"coalesce(input, cache_read, cache_write_5m, cache_write_1h, cache_write, output," \
	"reasoning, audio_input, audio_output, image_input, image_output)"
/* What budgets counted of attempts without a cost; one that has it alone is the exchange's. */
#define REQUESTS_CHARGED                                                          \
	"CASE WHEN " COST " IS NULL OR attempts > 1 THEN"                         \
	" (SELECT sum_known(a.charged_nusd) FROM attempt a WHERE a.exchange_id =" \
	" exchange.id AND coalesce(a.provider_cost_nusd, a.cost_nusd) IS NULL) END"
#define ATTEMPTS_CHARGED "CASE WHEN " COST " IS NULL THEN charged_nusd END"
/* By the prices that each row has; what was answered without a provider has read nothing there. */
#define PROMPT_SAVED                                                                          \
	"prompt_saved(cache_read, cache_write_5m, cache_write_1h, cache_write, price_input, " \
	"price_cache_read, price_cache_write_5m, price_cache_write_1h)"
#define COMPARED "(provider_cost_nusd IS NOT NULL AND cost_nusd IS NOT NULL)"

/* clang-format off */
static const struct {
	const char *name, *sql;
	bool is_count;         /* 0 where there is no row, never null */
	const char *of_billed; /* where it is another of attempts; NULL: the same */
} figures[] = {
	{"requests",     "count(*)",                                                      true , NULL},
	{"failed",       "sum(outcome = 'failed')",                                       true , NULL},
	{"unknown",      "sum(outcome = 'unknown')",                                      true , NULL},
	{"input",        "sum_known(input, audio_input, image_input)",                    false, NULL},
	{"cache_read",   "sum_known(cache_read)",                                         false, NULL},
	{"cache_write",  "sum_known(cache_write_5m, cache_write_1h, cache_write)",        false, NULL},
	{"output",       "sum_known(output, audio_output, image_output)",                 false, NULL},
	{"reasoning",    "sum_known(reasoning)",                                          false, NULL},
	{"cost_nusd",    "sum_known(" COST ")",                                           false, NULL},
	{"unpriced",
		"sum(" COST " IS NULL AND (" ANY_TOKENS " IS NOT NULL OR "
		"(attempts > 0 AND outcome IN ('ok', 'unknown'))))",                      true , NULL},
	{"compared",     "sum(" COMPARED ")",                                             true , NULL},
	{"ours_nusd",    "sum_known(CASE WHEN " COMPARED " THEN cost_nusd END)",          false, NULL},
	{"theirs_nusd",  "sum_known(CASE WHEN " COMPARED " THEN provider_cost_nusd END)", false, NULL},
	{"drifted",      "sum(drifts(cost_nusd, provider_cost_nusd))",                    true , NULL},
	{"charged_nusd", "sum_known(" REQUESTS_CHARGED ")",                               false,
		"sum_known(" ATTEMPTS_CHARGED ")"},
	{"cached",       "count(cache)",                                                  true, "0"},
	{"saved_nusd",   "sum_known(saved_nusd)",                                         false, "NULL"},
	{"prompt_saved_nusd", "sum_known(CASE WHEN cache IS NULL THEN " PROMPT_SAVED " END)",  false,
		"sum_known(" PROMPT_SAVED ")"},
};
/* clang-format on */

enum err report_by(struct report *r, struct span words, struct fault *why)
{
	r->n_by = 0;
	if (span_is(words, "none"))
		return OK;
	while (span_is_set(words)) {
		const struct span word = span_cut(&words, ',');
		if (r->n_by == REPORT_BY_MAX)
			return fault_param(why, ERR_INVALID_ARGUMENT, "by",
				"usage can be shown by %d things at once", REPORT_BY_MAX);
		if (!dim_from(word, &r->by[r->n_by++]))
			return fault_param(why, ERR_INVALID_ARGUMENT, "by",
				"usage can be shown by app, model, provider, key, user, unit, "
				"container, project, policy, kind, surface, op, hour, day, month "
				"or none, not by '%.*s'",
				(int)(word.n < 64 ? word.n : 64), word.p);
	}
	return OK;
}

/* An attempt with the columns of its exchange, which has no row while it is under way. */
#define ATTEMPTS                                                                             \
	"(SELECT a.at_us, a.provider, a.model AS target_model, x.model, a.key_label, "       \
	"a.outcome, a.sent_body, 1 AS attempts, a.input, a.cache_read, a.cache_write_5m, "   \
	"a.cache_write_1h, a.cache_write, a.output, a.reasoning, a.audio_input, "            \
	"a.audio_output, a.image_input, a.image_output, a.cost_nusd, a.provider_cost_nusd, " \
	"a.charged_nusd, a.price_input, a.price_cache_read, a.price_cache_write_5m, "        \
	"a.price_cache_write_1h, "                                                           \
	"x.app, x.uid, x.unit, x.container, x.project, x.policy, x.kind, x.surface, x.op"    \
	" FROM attempt a LEFT JOIN exchange x ON x.id = a.exchange_id)"

static const char *const sources[] = {
	[REPORT_REQUESTS] = " FROM exchange WHERE ",
	[REPORT_BILLED] = " FROM " ATTEMPTS " WHERE sent_body"
			  " AND coalesce(op, '') NOT IN ('models', 'count')"
			  " AND (outcome IN ('ok', 'unknown') OR " ANY_TOKENS
			  " IS NOT NULL OR coalesce(" COST ", 0) <> 0) AND ",
};

static void select_figures(struct buf *sql, const struct report *r)
{
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		const char *of_billed = figures[i].of_billed;
		const bool is_other = r->what == REPORT_BILLED && of_billed;
		buf_print(sql, "%s%s AS %s", i > 0 ? ", " : "",
			is_other ? of_billed : figures[i].sql, figures[i].name);
	}
	buf_text(sql, sources[r->what]);
	selection_sql(sql, &r->of);
}

static void select_rows(struct buf *sql, const struct report *r)
{
	buf_text(sql, "SELECT ");
	for (size_t i = 0; i < r->n_by; i++) {
		dim_sql(sql, r->by[i]);
		buf_print(sql, " AS k%zu, ", i);
	}
	select_figures(sql, r);
	buf_text(sql, " GROUP BY ");
	for (size_t i = 0; i < r->n_by; i++)
		buf_print(sql, "%sk%zu", i > 0 ? ", " : "", i);
	buf_text(sql, " ORDER BY ");
	for (size_t i = 0; i < r->n_by; i++) {
		const bool is_by_cost = i + 1 == r->n_by && r->by[i] < DIM_VALUES;
		buf_print(sql, "%s%sk%zu", i > 0 ? ", " : "",
			is_by_cost ? "cost_nusd DESC, requests DESC, " : "", i);
	}
}

static void put_figures(struct json_out *o, sqlite3_stmt *s, size_t first)
{
	for (size_t i = 0; i < COUNT_OF(figures); i++) {
		const int column = (int)(first + i);
		json_key(o, figures[i].name);
		if (!figures[i].is_count && sqlite3_column_type(s, column) == SQLITE_NULL)
			json_put_null(o);
		else
			json_put_i64(o, sqlite3_column_int64(s, column));
	}
}

static void put_row(struct json_out *o, sqlite3_stmt *s, size_t n_keys)
{
	json_open(o, '{');
	if (n_keys > 0) {
		json_key(o, "keys");
		json_open(o, '[');
		for (size_t i = 0; i < n_keys; i++)
			put_text(o, s, (int)i);
		json_close(o, ']');
	}
	if (n_keys == 1) {
		json_key(o, "key");
		put_text(o, s, 0);
	}
	put_figures(o, s, n_keys);
	json_close(o, '}');
}

static enum err put_rows(struct ledger *g, struct buf *sql, const struct selection *of,
	size_t n_keys, struct json_out *o, struct fault *why)
{
	sqlite3_stmt *s;
	enum err err = question_open(g, sql, of, &s, why);
	int rc = SQLITE_ROW;
	while (err == OK && buf_error(o->to) == OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		put_row(o, s, n_keys);
	if (err == OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}

static enum err answer_end(enum err err, const struct buf *json, struct fault *why)
{
	if (err == OK && buf_error(json) != OK)
		return fault_set(why, buf_error(json),
			"the answer is too long: ask for a shorter time, or by something else");
	return err;
}

enum err report_usage(struct ledger *g, const struct report *r, struct buf *json, struct fault *why)
{
	OWNED(buf_done) struct buf rows = BUF_INIT(SQL_BYTES_MAX);
	OWNED(buf_done) struct buf total = BUF_INIT(SQL_BYTES_MAX);
	struct json_out o = json_to(json);
	enum err err = OK;
	json_open(&o, '{');
	json_key(&o, "by");
	json_open(&o, '[');
	for (size_t i = 0; i < r->n_by; i++)
		json_put_str(&o, span_str(dim_name(r->by[i])));
	json_close(&o, ']');
	json_key(&o, "rows");
	json_open(&o, '[');
	if (r->n_by > 0) {
		select_rows(&rows, r);
		err = put_rows(g, &rows, &r->of, r->n_by, &o, why);
	}
	json_close(&o, ']');
	json_key(&o, "total");
	buf_text(&total, "SELECT ");
	select_figures(&total, r);
	if (err == OK)
		err = put_rows(g, &total, &r->of, 0, &o, why);
	json_close(&o, '}');
	return answer_end(err, json, why);
}

/* ---- how good estimates are ---- */

#define REPORTED_OUTPUT                                                                \
	"(coalesce(output, 0) + coalesce(reasoning, 0) + coalesce(audio_output, 0) + " \
	"coalesce(image_output, 0))"

/* Errors and uses in permille; NULL where one side is not known. */
static const char estimates[] =
	"SELECT m, count(e), avg(e), share(abs(e), 50), share(abs(e), 90),"
	" count(u), avg(u), share(u, 50), share(u, 90) FROM ("
	"SELECT coalesce(provider, '') || '/' || coalesce(model, '') AS m,"
	" CASE WHEN estimate_input IS NOT NULL AND " REPORTED_INPUT " > 0"
	" THEN (estimate_input - " REPORTED_INPUT ") * 1000.0 / " REPORTED_INPUT " END AS e,"
	" CASE WHEN estimate_output > 0 AND coalesce(output, reasoning) IS NOT NULL"
	" THEN " REPORTED_OUTPUT " * 1000.0 / estimate_output END AS u"
	" FROM attempt WHERE outcome = 'ok' AND at_us >= @since AND at_us < @until"
	" AND EXISTS (SELECT 1 FROM exchange WHERE id = exchange_id AND ";

static void put_percent(struct json_out *o, const char *name, sqlite3_stmt *s, int column)
{
	char text[32];
	json_key(o, name);
	if (sqlite3_column_type(s, column) == SQLITE_NULL) {
		json_put_null(o);
		return;
	}
	const double permille = sqlite3_column_double(s, column);
	(void)snprintf(text, sizeof text, "%.1f", permille / 10);
	json_put_raw(o, span_str(text));
}

static void put_estimate(struct json_out *o, sqlite3_stmt *s)
{
	static const char *const names[] = {NULL, NULL, "mean_error_pct", "p50_error_pct",
		"p90_error_pct", NULL, "mean_use_pct", "p50_use_pct", "p90_use_pct"};
	json_open(o, '{');
	json_key(o, "model");
	put_text(o, s, 0);
	json_pair_i64(o, "requests", sqlite3_column_int64(s, 1));
	for (int i = 2; i < 5; i++)
		put_percent(o, names[i], s, i);
	json_pair_i64(o, "bounded", sqlite3_column_int64(s, 5));
	for (int i = 6; i < (int)COUNT_OF(names); i++)
		put_percent(o, names[i], s, i);
	json_close(o, '}');
}

enum err report_estimates(
	struct ledger *g, const struct selection *of, struct buf *json, struct fault *why)
{
	OWNED(buf_done) struct buf sql = BUF_INIT(SQL_BYTES_MAX);
	struct json_out o = json_to(json);
	sqlite3_stmt *s;
	int rc = SQLITE_ROW;
	buf_text(&sql, estimates);
	selection_sql(&sql, of);
	buf_text(&sql, ")) WHERE coalesce(e, u) IS NOT NULL GROUP BY m ORDER BY 2 DESC, m");
	enum err err = question_open(g, &sql, of, &s, why);
	json_open(&o, '{');
	json_key(&o, "rows");
	json_open(&o, '[');
	while (err == OK && buf_error(json) == OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		put_estimate(&o, s);
	if (err == OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	json_close(&o, ']');
	json_close(&o, '}');
	return answer_end(err, json, why);
}
