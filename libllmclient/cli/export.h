/* export.h - what does a provider's table of costs say was spent?
 * Its columns by the names in its first line, as a map says; without one, as those of exports that are known.
 * Fed with the file's bytes as they come. Pure, but for the zone (day.h). */
#ifndef LIBLLMCLIENT_CLI_EXPORT_H
#define LIBLLMCLIENT_CLI_EXPORT_H
#include "libllmclient/cli/amount.h"
#include "libllmclient/cli/csv_reader.h"
#include "libllmclient/cli/day.h"
#include "libllmclient/cli/statement.h"

enum export_field {
	EXPORT_DAY,
	EXPORT_MODEL,
	EXPORT_COST,
	EXPORT_KEY,
	EXPORT_INPUT, /* tokens, all of them */
	EXPORT_OUTPUT,
	EXPORT_REQUESTS,
	EXPORT_CURRENCY,
	EXPORT_FIELDS,
};

struct export_map {
	struct span columns[EXPORT_FIELDS]; /* names; absent: not there */
	enum day_form day_form;
	enum amount_mark mark;
};

/* Adds "day=Date:mdy,model=Model,cost=Cost" (borrowed) to a map. ERR_INVALID_ARGUMENT. */
enum err export_map_read(struct export_map *map, struct span text, struct fault *why) MUST_USE;

/* Days that count; others are passed over. */
struct export_days {
	int64_t first, last;
};

struct export
{
	struct csv_reader csv;
	struct export_map map;
	struct export_days days;
	struct statement *to;
	size_t at[EXPORT_FIELDS];  /* columns from 0; SIZE_MAX: not there */
	size_t columns;            /* of the first line; 0: it has not come */
	const char *known_as;      /* whose export it was taken for, without a map; NULL */
	struct amount_column cost; /* how its amounts are written */
	struct buf head;           /* the names of the columns, with a NUL each */
	int64_t n_rows;            /* that count */
	int64_t n_blank;           /* without an amount */
	int64_t n_sums;            /* without a day, as totals are */
	int64_t n_outside;         /* on other days */
};

/* `map` without any column: an export that is known. */
void export_init(struct export *e, const struct export_map *map, const struct export_days *days,
	struct statement *to);
void export_done(struct export *e);

/* ERR_INVALID_ARGUMENT: the map names a column that is not there, or there is no map, and the export is not known;
 * ERR_MALFORMED and others as csv.h, amount.h, day.h and statement.h: *why says the line and the column. */
enum err export_feed(struct export *e, struct span bytes, struct fault *why) MUST_USE;
enum err export_end(struct export *e, struct fault *why) MUST_USE;

#endif
