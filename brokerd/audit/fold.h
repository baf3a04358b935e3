/* fold.h - has this been said before, and how often since?
 * The first of like denials and failures is recorded at once, those after it are counted, and one record
 * tells their number when a while has passed, ever longer. Whoever varies what it asks, or its name, comes
 * to be counted by its uid alone, and at last by the word alone: it cannot fill the disk. Pure: no clock. */
#ifndef BROKERD_AUDIT_FOLD_H
#define BROKERD_AUDIT_FOLD_H
#include "brokerd/audit/line.h"

#define FOLD_NEVER INT64_MAX

struct folds;

struct folds *folds_new(void); /* NULL: out of memory */
void folds_free(struct folds *f);

/* Is it to be recorded? False: it is counted. `at_us` is wall time, `now_us` monotonic. What the broker did
 * itself is always recorded, and what it allowed while there is not very much of it. */
bool fold_take(struct folds *f, const struct audit_event *e, int64_t at_us, int64_t now_us);

/* What was counted and is due. Its texts and its peer live until the next call. */
struct folded {
	struct audit_event event; /* as the last of them was */
	struct line_fold fold;
	int64_t at_us; /* of the last */
};

/* Hands out one that is due by `now_us` (FOLD_NEVER: all there are). False: there is none. */
bool fold_next(struct folds *f, int64_t now_us, struct folded *out);

/* When something is due next, monotonic; FOLD_NEVER: nothing is. */
int64_t fold_due_us(const struct folds *f);

#endif
