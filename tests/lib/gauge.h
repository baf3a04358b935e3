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
	struct histogram call;        /* from when it was due to its end; errors are not in it */
	struct histogram first_token; /* from when it was due */
	struct histogram token_delay; /* from its stamp */
};

void gauge_begin(struct gauge *t);

/* All do nothing before gauge_begin. */
void gauge_call(struct gauge *t, int64_t due_ns);
void gauge_error(struct gauge *t);
void gauge_token(struct gauge *t, int64_t due_ns, int64_t stamp_ns, bool is_first);

/* Ends it now, and prints its figures to stdout as members of a JSON object. */
void gauge_print(const struct gauge *t);

#endif
