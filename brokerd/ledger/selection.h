/* selection.h - which rows of the ledger are meant, and by what are they told apart?
 * Words of `llmb usage`, and the SQL that they stand for. No word of a caller's gets into SQL: values are bound. */
#ifndef BROKERD_LEDGER_SELECTION_H
#define BROKERD_LEDGER_SELECTION_H
#include <stdint.h>

#include "protocol/base/buf.h"

enum dim {
	DIM_APP,
	DIM_MODEL, /* PROVIDER/MODEL as it answered, or as asked where nobody did */
	DIM_PROVIDER,
	DIM_KEY, /* PROVIDER/LABEL, or PROVIDER for the key without a label */
	DIM_USER,
	DIM_UNIT,
	DIM_CONTAINER,
	DIM_PROJECT,
	DIM_POLICY,
	DIM_KIND,
	DIM_SURFACE,
	DIM_OP,
	DIM_VALUES, /* those before can be asked for by value, too */
	DIM_HOUR = DIM_VALUES,
	DIM_DAY,
	DIM_MONTH,
	DIM_COUNT,
};
const char *dim_name(enum dim d);
bool dim_from(struct span word, enum dim *out);

/* What clocks showed from a moment on. */
struct clock_change {
	int64_t from_s, offset_s; /* since 1970; to be added to UTC */
};

struct selection {
	int64_t since_us, until_us; /* wall clock, from and before; 0: no bound */
	struct span only
		[DIM_VALUES]; /* patterns with *; absent: any. DIM_MODEL also fits the model as asked */
	/* for hours, days and months; the first holds before it, too; none: UTC */
	const struct clock_change *clock;
	size_t n_clock;
};

/* ---- for statements over the table `exchange` ---- */

struct sqlite3;
struct sqlite3_stmt;

/* Gives the database the functions that the SQL below calls: once, when it is opened. An SQLite code. */
int selection_setup(struct sqlite3 *db);

/* Appends an expression for the dimension's value: a text. */
void dim_sql(struct buf *sql, enum dim d);
/* Appends a condition; its parameters are named, and selection_bind binds all that a statement has. */
void selection_sql(struct buf *sql, const struct selection *s);
/* The same where rows are walked by their ids, not by their times. */
void selection_sql_by_id(struct buf *sql, const struct selection *s);
int selection_bind(struct sqlite3_stmt *stmt, const struct selection *s);

#endif
