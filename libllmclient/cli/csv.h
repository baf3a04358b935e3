/* csv.h - how is a value written into a CSV file?
 * As in RFC 4180: CR LF ends a line, and a cell with a comma, a quote or an end of line in it stands in quotes. A text
 * that a spreadsheet would take for a formula (it begins with = + - @, a tab or a CR) has an apostrophe before it, for
 * callers choose their names; JSON has the true one. */
#ifndef LIBLLMCLIENT_CLI_CSV_H
#define LIBLLMCLIENT_CLI_CSV_H
#include "protocol/base/json.h"

/* A line is begun with no cell. */
struct csv {
	struct buf *to;
	bool has_cell;
};
void csv_text(struct csv *c, struct span text);
void csv_number(struct csv *c, struct span number); /* as it is; absent: an empty cell */
/* A number as it is, a text as above; null and absent: an empty cell. */
void csv_value(struct csv *c, struct json v);
void csv_end(struct csv *c); /* of the line */

#endif
