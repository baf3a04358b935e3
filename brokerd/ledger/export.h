/* export.h - what are the ledger's rows, as they are?
 * Page by page, so that nobody holds them all. On the thread that may touch the ledger, or its reader. */
#ifndef BROKERD_LEDGER_EXPORT_H
#define BROKERD_LEDGER_EXPORT_H
#include "brokerd/ledger/ledger.h"
#include "brokerd/ledger/selection.h"

#define EXPORT_ROWS_MAX 1000 /* in a page */

enum export_table {
	EXPORT_EXCHANGES, /* one row for each request */
	EXPORT_ATTEMPTS, /* one for each time that a provider was asked; of the exchanges selected */
};

struct export
{
	struct selection of;
	enum export_table table;
	struct span after; /* where the page before said; absent: from the first */
};

/* Appends {"columns":[...],"rows":[[...]...],"next":...}: the columns are those of the table, the rows are in the order
 * of their ids, which grow with time, and `next` is null where nothing more is there. A value that is not known is
 * null. ERR_INVALID_ARGUMENT: `after` is no place; ERR_IO. */
enum err export_page(
	struct ledger *g, const struct export *e, struct buf *json, struct fault *why) MUST_USE;

#endif
