/* guard.h - is the beginning of a stream fast enough to be shown?
 * Content is held back until so much of it has come that its rate is known: as many characters as the floor would give in
 * the time of the probe, or that time. Pure: no clock, no timer, no memory; who holds what back is flight.c. */
#ifndef BROKERD_EXCHANGE_GUARD_H
#define BROKERD_EXCHANGE_GUARD_H
#include "protocol/event.h"

#define GUARD_PROBE_US INT64_C(10000000)
/* More than that is not held back: it is let through, however slow. */
#define GUARD_EVENTS 512
#define GUARD_BYTES  ((size_t)256 * 1024)

struct guard {
	int64_t floor; /* characters a second; 0: none is too slow */
	int64_t chars; /* that have come */
	unsigned events;
};

/* Does a stream that begins with such content have a rate? A call of a tool often comes in one piece when it is
 * finished, an image always does: what begins so, or goes on so before the probe is over, is let through. */
bool guard_watches(enum event_type type);

/* A stream begins. */
void guard_begin(struct guard *g, int64_t floor);

/* A step of it has come, and `held` bytes are held back with it. True: enough is known, or there is too much to hold back. */
bool guard_take(struct guard *g, const struct llm_event *e, size_t held);

#endif
