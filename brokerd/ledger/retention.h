/* retention.h - how long do rows stay in the ledger?
 * Older ones are deleted on the ledger's lane, a few at a time, so that what comes in need not wait; then the file gives
 * its free pages back. */
#ifndef BROKERD_LEDGER_RETENTION_H
#define BROKERD_LEDGER_RETENTION_H
#include "brokerd/ledger/ledger.h"
#include "brokerd/loop/loop.h"

#define RETENTION_LEAST_US (INT64_C(32) * 86400000000) /* budgets look back a month */

struct retention;

/* Deletes nothing yet. */
struct retention *retention_new(struct loop *l, struct workers *w, struct ledger *g);
/* Before the workers are freed; NULL is fine. */
void retention_free(struct retention *r);

/* Rows stay so long (0: for ever; never less than RETENTION_LEAST_US): now, and again every day. Moments are those of
 * the wall clock, but not later than a day after the newest row, nor than that of retention_new and the time that has
 * passed since: a clock that is set ahead deletes nothing. Nor does one that is ahead by more than a month already at the start,
 * until there are rows of more than a day by it. */
void retention_keep(struct retention *r, int64_t keep_us);

/* One step of it: deletes up to so many exchanges that are older, as all their attempts are, with these; or where there are none gives
 * free pages back. ERR_STORAGE_FULL, ERR_IO: it did neither. On the lane. */
struct retention_step {
	int64_t now_us, keep_us;
	int64_t exchanges;
};
struct retention_done {
	int64_t deleted; /* exchanges */
	bool is_done;    /* nothing was left to do */
	bool is_too_large; /* a former version made the file, and to make it anew would take too long */
};
enum err retention_step(struct ledger *g, const struct retention_step *step,
	struct retention_done *done, struct fault *why) MUST_USE;

#endif
