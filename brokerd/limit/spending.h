/* spending.h - what was spent by whom, in the last month?
 * Nano-dollars by subject and quarter of an hour, from the ledger at the start and from each call after that: so that
 * what was spent before counts in limits that are made later. The ledger is the truth; this is bounded:
 * - 32 days; at most SPENDING_CELLS quarters with money in them, of all subjects. Beyond that quarters that are more
 *   than a day old are put together by the hour, then those over eight days old by the quarter of a day, then all over
 *   two days old by the day: into the last of them, so that no window loses money before it should; and then, by
 *   half, subjects.
 * - at most SPENDING_ROWS subjects. Beyond that an eighth, those who spent least, is put to those of the same user, rule,
 *   provider and key whose application and model nobody knows any more; limits that ask for these forget it.
 * Pure: no clock, no I/O. */
#ifndef BROKERD_LIMIT_SPENDING_H
#define BROKERD_LIMIT_SPENDING_H
#include "brokerd/limit/subject.h"

#define SPENDING_DAYS      32
#define SPENDING_ROWS      ((size_t)16384)
#define SPENDING_CELLS     ((size_t)524288)
#define SPENDING_QUARTER_S INT64_C(900)

struct spending;

struct spending *spending_new(void);
void spending_free(struct spending *s);

/* Out of order is fine; what is more than SPENDING_DAYS before the latest is not kept. */
void spending_add(struct spending *s, const struct limit_subject *who, int64_t at_s, int64_t nusd);

/* What was written by a clock that was ahead: nothing was spent after that moment. */
void spending_forget_after(struct spending *s, int64_t at_s);

/* Tells, in no order, what the subjects that fall under a rule and are like `who` in what it tells apart have spent
 * in quarters that end behind `from_s`. `at_s`: the quarter's first second. What it looks at is those who are alike in
 * what the rule tells apart, or all. */
void spending_each(struct spending *s, const struct limit_rule *r, const struct limit_subject *who,
	int64_t from_s, void (*on_cell)(void *context, int64_t at_s, int64_t nusd), void *context);

/* How much it holds: for tests. */
void spending_size(const struct spending *s, size_t *rows, size_t *cells);

#endif
