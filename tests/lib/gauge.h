/* gauge.h - what was seen while it was measured, and what did it cost?
 * Counts calls, streamed tokens and their times between a beginning and an end, and the processor time
 * of one process meanwhile. Before the beginning nothing counts: that is the warm-up. */
#ifndef TESTS_LIB_GAUGE_H
#define TESTS_LIB_GAUGE_H
#include <sys/types.h>

#include "tests/lib/bench.h"
#include "tests/lib/histogram.h"

struct gauge {
	bool is_on;
	pid_t watched; /* whose processor time it is; 0: this process's */
	int64_t began_ns, cpu_began_ns;
	uint64_t calls, errors, tokens;
	uint64_t unanswered;          /* at the end; their times until then are in `call` */
	struct histogram call;        /* from when it was due to its end; errors are not in it */
	struct histogram first_token; /* from when it was due */
	struct histogram token_delay; /* from its stamp */
	struct histogram token_gap;   /* from the one before it */
};

void gauge_begin(struct gauge *t);

/* All do nothing before gauge_begin. */
void gauge_call(struct gauge *t, int64_t due_ns);
void gauge_error(struct gauge *t);
/* *last_ns is when the call's last token came, 0 before the first; it is kept there. */
void gauge_token(struct gauge *t, int64_t due_ns, int64_t stamp_ns, int64_t *last_ns);
/* A call that was due and has no answer yet at `end_ns`. It took so long at least: left out, those that
 * were held up the longest would be missed. */
void gauge_unanswered(struct gauge *t, int64_t due_ns, int64_t end_ns);

/* Ends it now, and prints its figures to stdout as members of a JSON object. */
void gauge_print(const struct gauge *t);

#endif
