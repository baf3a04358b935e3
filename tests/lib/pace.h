/* pace.h - at a fixed rate, when is the next call due?
 * Dues do not wait for answers, and none is left out: who begins one late counts from when it was due, so
 * that a stall is felt by all whom it held up, not by one (coordinated omission). Pure arithmetic: no
 * clock. */
#ifndef TESTS_LIB_PACE_H
#define TESTS_LIB_PACE_H
#include <stdbool.h>
#include <stdint.h>

struct pace {
	int64_t rate;     /* a second, from 1 to 1,000,000 */
	int64_t began_ns; /* when the first is due */
	int64_t taken;    /* dues */
};

/* When the first due that was not taken is. Rounds down, and adds up no error. */
int64_t pace_next_ns(const struct pace *p);

/* Takes it if it is not later than now. */
bool pace_take(struct pace *p, int64_t now_ns, int64_t *due_ns);

/* How many could be taken now. */
int64_t pace_backlog(const struct pace *p, int64_t now_ns);

#endif
