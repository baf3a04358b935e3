/* histogram.h - how were these times spread?
 * Counts nanoseconds in steps that grow with them, so that any percentile is within 0.8 % of the
 * truth at a fixed cost. Pure arithmetic: no clock, no allocation. Zeroed memory is an empty one. */
#ifndef TESTS_LIB_HISTOGRAM_H
#define TESTS_LIB_HISTOGRAM_H
#include <stdint.h>

#define HISTOGRAM_STEPS   128 /* between a power of two and the next */
#define HISTOGRAM_OCTAVES 34  /* what is longer than 36 minutes counts as that */

struct histogram {
	uint64_t n;
	int64_t max_ns; /* exact */
	uint64_t counts[(HISTOGRAM_OCTAVES + 1) * HISTOGRAM_STEPS];
};

/* A negative time counts as 0: two processors' clocks may differ by a little. */
void histogram_add(struct histogram *h, int64_t ns);

void histogram_merge(struct histogram *into, const struct histogram *from);

/* The time that `share` (0 to 1) of all were not longer than; 0 when it is empty. */
int64_t histogram_at(const struct histogram *h, double share);

/* Prints `, "NAME_p50_us": ..., "NAME_p99_us": ..., "NAME_p999_us": ..., "NAME_max_us": ...` to
 * stdout: further members of a JSON object. null where it is empty. */
void histogram_print(const struct histogram *h, const char *name);

#endif
