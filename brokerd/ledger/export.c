/* export.c - columns come from the tables of record.c, and rows by their primary key. */
#include "brokerd/ledger/export.h"

#include <assert.h>
#include <stdio.h>

#include "brokerd/ledger/ledger_parts.h"
#include "protocol/base/json.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define SQL_BYTES_MAX  ((size_t)16 * 1024)
#define PAGE_BYTES_MAX ((size_t)2 * 1024 * 1024) /* a page is over, however few rows it has */

static const struct shape *shape_of(enum export_table t)
{
	return t == EXPORT_EXCHANGES ? &exchange_shape : &attempt_shape;
}

static void select_page(struct buf *sql, const struct export *e)
{
	const struct shape *shape = shape_of(e->table);
	buf_text(sql, "SELECT ");
	for (size_t i = 0; i < shape->n_fields; i++)
		buf_print(sql, "%s%s", i > 0 ? ", " : "", shape->fields[i].name);
	if (e->table == EXPORT_EXCHANGES) {
		buf_text(sql, " FROM exchange WHERE id > @id AND ");
		selection_sql_by_id(sql, &e->of);
		buf_text(sql, " ORDER BY id");
	} else {
		buf_text(sql, " FROM attempt WHERE (exchange_id, number) > (@id, @number)"
			      " AND EXISTS (SELECT 1 FROM exchange WHERE id = exchange_id AND ");
		selection_sql_by_id(sql, &e->of);
		buf_text(sql, ") ORDER BY exchange_id, number");
	}
	buf_print(sql, " LIMIT %d", EXPORT_ROWS_MAX);
}

/* A place between rows. */
struct mark {
	struct span id;
	int64_t number; /* of an attempt */
};

/* "req_...", or "req_...#2". False: it is neither. */
static bool mark_read(struct span text, struct mark *out)
{
	*out = (struct mark){.id = SPAN("")};
	if (!span_is_set(text))
		return true;
	out->id = span_cut(&text, '#');
	return !span_is_set(text) || num_i64(text, &out->number);
}

static int mark_bind(sqlite3_stmt *s, const struct mark *m)
{
	const int number = sqlite3_bind_parameter_index(s, "@number");
	const int rc = sqlite3_bind_text(
		s, sqlite3_bind_parameter_index(s, "@id"), m->id.p, (int)m->id.n, SQLITE_STATIC);
	return rc == SQLITE_OK && number != 0 ? sqlite3_bind_int64(s, number, m->number) : rc;
}

static void put_value(struct json_out *o, sqlite3_stmt *s, int column)
{
	switch (sqlite3_column_type(s, column)) {
	case SQLITE_NULL:
		json_put_null(o);
		return;
	case SQLITE_INTEGER:
		json_put_i64(o, sqlite3_column_int64(s, column));
		return;
	default:
		break;
	}
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_CONFIG_BYTES);
	struct utf8_repair repair = {0};
	const char *value = (const char *)sqlite3_column_text(s, column);
	utf8_repair(&repair, span_of(value ? value : "", (size_t)sqlite3_column_bytes(s, column)),
		&text);
	utf8_repair_end(&repair, &text);
	json_put_str(o, text.n > 0 ? buf_view(&text) : SPAN(""));
}

static void put_columns(struct json_out *o, const struct shape *shape)
{
	json_key(o, "columns");
	json_open(o, '[');
	for (size_t i = 0; i < shape->n_fields; i++)
		json_put_str(o, span_str(shape->fields[i].name));
	json_close(o, ']');
}

/* Where the next page begins: behind the row in hand. */
static void note_last(sqlite3_stmt *s, enum export_table table, char *to, size_t size)
{
	const char *id = (const char *)sqlite3_column_text(s, 0);
	if (table == EXPORT_EXCHANGES)
		(void)snprintf(to, size, "%s", id ? id : "");
	else
		(void)snprintf(
			to, size, "%s#%lld", id ? id : "", (long long)sqlite3_column_int64(s, 1));
}

enum err export_page(struct ledger *g, const struct export *e, struct buf *json, struct fault *why)
{
	OWNED(buf_done) struct buf sql = BUF_INIT(SQL_BYTES_MAX);
	const struct shape *shape = shape_of(e->table);
	struct json_out o = json_to(json);
	char last[REQUEST_ID_BYTES + 24] = "";
	sqlite3_stmt *s = NULL;
	const size_t began = json->n;
	struct mark after;
	int n = 0;
	if (!mark_read(e->after, &after))
		return fault_param(why, ERR_INVALID_ARGUMENT, "after",
			"what comes after is what `next` of a page says");
	enum err err = ledger_ready(g, why);
	if (err)
		return err;
	select_page(&sql, e);
	assert(buf_error(&sql) == OK);
	int rc = sqlite3_prepare_v2(g->db, sql.p, (int)sql.n, &s, NULL);
	if (rc == SQLITE_OK)
		rc = selection_bind(s, &e->of);
	if (rc == SQLITE_OK)
		rc = mark_bind(s, &after);
	json_open(&o, '{');
	put_columns(&o, shape);
	json_key(&o, "rows");
	json_open(&o, '[');
	while (rc == SQLITE_OK && json->n - began < PAGE_BYTES_MAX) {
		if ((rc = sqlite3_step(s)) != SQLITE_ROW)
			break;
		json_open(&o, '[');
		for (int i = 0; i < (int)shape->n_fields; i++)
			put_value(&o, s, i);
		json_close(&o, ']');
		note_last(s, e->table, last, sizeof last);
		n++;
		rc = SQLITE_OK;
	}
	json_close(&o, ']');
	json_key(&o, "next");
	if (n == EXPORT_ROWS_MAX || (rc == SQLITE_OK && n > 0))
		json_put_str(&o, span_str(last));
	else
		json_put_null(&o);
	json_close(&o, '}');
	err = rc == SQLITE_OK || rc == SQLITE_DONE ? OK : ledger_fault(g, rc, "reading", why);
	sqlite3_finalize(s);
	return err;
}
