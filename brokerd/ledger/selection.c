/* selection.c - a table of dimensions; moments become texts by the clock that the asker sent along. */
#include "brokerd/ledger/selection.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "brokerd/config/policy_rule.h"

static const struct {
	const char *name, *sql;
} dims[DIM_COUNT] = {
	[DIM_APP] = {"app",       "coalesce(app, '')"                                       },
	[DIM_MODEL] = {"model",     "coalesce(provider || '/' || target_model, model, '')"    },
	[DIM_PROVIDER] = {"provider",  "coalesce(provider, '')"                                  },
	[DIM_KEY] = {"key",       "coalesce(provider || coalesce('/' || key_label, ''), '')"},
	[DIM_USER] = {"user",      "CAST(uid AS TEXT)"                                       },
	[DIM_UNIT] = {"unit",      "coalesce(unit, '')"                                      },
	[DIM_CONTAINER] = {"container", "coalesce(container, '')"                                 },
	[DIM_PROJECT] = {"project",   "coalesce(project, '')"                                   },
	[DIM_POLICY] = {"policy",    "coalesce(policy, '')"                                    },
	[DIM_KIND] = {"kind",      "coalesce(kind, '')"                                      },
	[DIM_SURFACE] = {"surface",   "coalesce(surface, '')"                                   },
	[DIM_OP] = {"op",        "coalesce(op, '')"                                        },
	[DIM_HOUR] = {"hour",      "clock_text(at_us, @clock, 13)"                           },
	[DIM_DAY] = {"day",       "clock_text(at_us, @clock, 10)"                           },
	[DIM_MONTH] = {"month",     "clock_text(at_us, @clock, 7)"                            },
};

const char *dim_name(enum dim d)
{
	return dims[d].name;
}

bool dim_from(struct span word, enum dim *out)
{
	for (size_t i = 0; i < DIM_COUNT; i++) {
		if (!span_is(word, dims[i].name))
			continue;
		*out = (enum dim)i;
		return true;
	}
	return false;
}

void dim_sql(struct buf *sql, enum dim d)
{
	buf_text(sql, dims[d].sql);
}

static void put_condition(struct buf *sql, const struct selection *s, const char *at_us)
{
	buf_print(sql, "%s >= @since AND %s < @until", at_us, at_us);
	for (size_t i = 0; i < DIM_VALUES; i++) {
		if (!span_is_set(s->only[i]))
			continue;
		buf_print(sql, " AND (fits(@only_%s, %s)", dims[i].name, dims[i].sql);
		if (i == DIM_MODEL)
			buf_print(sql, " OR fits(@only_%s, coalesce(model, ''))", dims[i].name);
		buf_byte(sql, ')');
	}
}

void selection_sql(struct buf *sql, const struct selection *s)
{
	put_condition(sql, s, "at_us");
}

/* A plus before a column keeps SQLite from its index. */
void selection_sql_by_id(struct buf *sql, const struct selection *s)
{
	put_condition(sql, s, "+at_us");
}

static int bind_text(sqlite3_stmt *stmt, const char *name, struct span text)
{
	const int at = sqlite3_bind_parameter_index(stmt, name);
	return at == 0 ? SQLITE_OK
		       : sqlite3_bind_text(stmt, at, text.p, (int)text.n, SQLITE_STATIC);
}

static int bind_number(sqlite3_stmt *stmt, const char *name, int64_t number)
{
	const int at = sqlite3_bind_parameter_index(stmt, name);
	return at == 0 ? SQLITE_OK : sqlite3_bind_int64(stmt, at, number);
}

#define SELECTION_POINTER "selection"

int selection_bind(sqlite3_stmt *stmt, const struct selection *s)
{
	int rc = bind_number(stmt, "@since", s->since_us);
	if (rc == SQLITE_OK)
		rc = bind_number(stmt, "@until", s->until_us > 0 ? s->until_us : INT64_MAX);
	for (size_t i = 0; rc == SQLITE_OK && i < DIM_VALUES; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "@only_%s", dims[i].name);
		if (span_is_set(s->only[i]))
			rc = bind_text(stmt, name, s->only[i]);
	}
	const int at = sqlite3_bind_parameter_index(stmt, "@clock");
	if (rc == SQLITE_OK && at != 0) /* it is read alone, as a const one again */
		rc = sqlite3_bind_pointer(stmt, at, (void *)(uintptr_t)s, SELECTION_POINTER, NULL);
	return rc;
}

/* ---- functions ---- */

static struct span text_of(sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);
	return span_of(text ? text : "", (size_t)sqlite3_value_bytes(v));
}

static void fits(sqlite3_context *c, int n, sqlite3_value **values)
{
	(void)n;
	sqlite3_result_int(c, pattern_fits(text_of(values[0]), text_of(values[1])));
}

static int64_t offset_at(const struct selection *s, int64_t at_s)
{
	size_t low = 0, high = s->n_clock;
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;
		if (s->clock[middle].from_s <= at_s)
			low = middle;
		else
			high = middle;
	}
	return s->n_clock > 0 ? s->clock[low].offset_s : 0;
}

/* "2026-10-25 02 +0200" as far as is asked for: 7 bytes are the month, 10 the day, 13 the hour; which comes twice when
 * clocks go back, and so has its offset. */
static void clock_text(sqlite3_context *c, int n, sqlite3_value **values)
{
	const struct selection *s = sqlite3_value_pointer(values[1], SELECTION_POINTER);
	const int64_t at_us = sqlite3_value_int64(values[0]);
	const int want = sqlite3_value_int(values[2]);
	const int64_t at_s = at_us / 1000000 - (at_us % 1000000 < 0);
	const int64_t offset_s = s ? offset_at(s, at_s) : 0;
	const time_t local = (time_t)(at_s + offset_s);
	const int64_t minutes = offset_s < 0 ? -offset_s / 60 : offset_s / 60;
	struct tm tm;
	char text[64];
	(void)n;
	if (!gmtime_r(&local, &tm))
		return; /* NULL */
	int length = snprintf(text, sizeof text, "%04d-%02d-%02d %02d:00", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour);
	if (want < 13)
		length = want < length ? want : length;
	else
		length += snprintf(text + length, sizeof text - (size_t)length, " %c%02d%02d",
			offset_s < 0 ? '-' : '+', (int)(minutes / 60), (int)(minutes % 60));
	sqlite3_result_text(c, text, length, SQLITE_TRANSIENT);
}

int selection_setup(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
	const int rc = sqlite3_create_function(db, "fits", 2, flags, NULL, fits, NULL, NULL);
	return rc == SQLITE_OK ? sqlite3_create_function(
					 db, "clock_text", 3, flags, NULL, clock_text, NULL, NULL)
			       : rc;
}
