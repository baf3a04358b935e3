/* retry.h - what does a failure allow next?
 * The one table of it. Pure: no clock, no I/O; the waiting is the caller's. */
#ifndef BROKERD_ROUTE_RETRY_H
#define BROKERD_ROUTE_RETRY_H
#include <stdint.h>

#include "protocol/base/err.h"

#define ATTEMPTS_MAX 6 /* of one request, all targets together */

enum retry_move {
	RETRY_STOP, /* tell the caller */
	RETRY_SAME, /* the same target again, after delay_us */
	RETRY_NEXT, /* the next target in the route, if there is one */
};

struct retry_case {
	enum err err;
	bool has_content;         /* the caller has seen content of this answer */
	bool is_unknown;          /* this one was sent, and may have been served */
	bool is_at_most_once;     /* the caller forbids a second sending whose first is unknown */
	unsigned same;            /* tries on this target so far, this one included: 1 or more */
	unsigned attempts;        /* on all targets */
	unsigned unknown;         /* how many of them may have been served */
	int64_t retry_after_ms;   /* the provider's wish; -1: none */
	enum retry_advice advice; /* the same, of whether it wants to be asked again */
	int64_t left_us;          /* until the request's deadline */
	uint32_t jitter;          /* any number: the same number, the same delay */
	bool has_next;            /* is another target left? */
	bool may_renew;           /* what was refused is a token, and another can be had, once */
};

struct retry_verdict {
	enum retry_move move;
	int64_t delay_us;
};

struct retry_verdict retry_decide(const struct retry_case *c);

/* Of two failures of one request, on different targets: does the later one tell its caller at least as
 * much as the one before (OK: there was none)? */
bool retry_tells_more(enum err later, enum err before);

#endif
