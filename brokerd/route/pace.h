/* pace.h - how soon does the first content come there?
 * Pure arithmetic: no clock, no allocation, no I/O. Embed it by value, zeroed; there is nothing to free. Times are the
 * loop's, 0 or more. */
#ifndef BROKERD_ROUTE_PACE_H
#define BROKERD_ROUTE_PACE_H
#include <stdbool.h>
#include <stdint.h>

#define PACE_SAMPLES 64                  /* the last of them */
#define PACE_LATE_US INT64_C(3600000000) /* and none that is older */
#define PACE_HALF_US INT64_C(6931472)    /* in which half of an excess is gone: 10 s times ln 2 */

struct pace {
	int64_t peak_us, peak_at_us, usual_us;
	bool is_known;
	unsigned first, n;              /* of those below, a ring, the oldest first */
	int64_t at_us[PACE_SAMPLES];    /* when it came */
	uint32_t took_us[PACE_SAMPLES]; /* after how long */
	uint32_t sorted[PACE_SAMPLES];  /* these `n`, in order */
};

/* It took so long, and came now. What took over an hour took UINT32_MAX. */
void pace_add(struct pace *p, int64_t took_us, int64_t now_us);

/* Peak EWMA: what is worse counts at once, and what is better the more, the longer ago the worse one was. Where nothing
 * comes it goes down to what was usual, so that one slow answer is not held against a target that nobody asks since. -1:
 * nothing is known. */
int64_t pace_first_us(const struct pace *p, int64_t now_us);

/* 95 of 100 of the last ones came within that; -1: fewer than `least` did in the last hour. Forgets older ones. */
int64_t pace_p95_us(struct pace *p, unsigned least, int64_t now_us);

#endif
