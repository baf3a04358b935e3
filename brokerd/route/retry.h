/* retry.h - what does a failure allow next, and what does it say of where it happened?
 * The one table of it: class and code against the same target, another one, and what rests for how long. Pure: no clock, no
 * I/O; the waiting is the caller's, and so is the resting (health.h). */
#ifndef BROKERD_ROUTE_RETRY_H
#define BROKERD_ROUTE_RETRY_H
#include "brokerd/route/health.h"
#include "brokerd/value/target.h"

#define ATTEMPTS_MAX 6 /* of one request, all targets together, where nobody says how many */
/* And so many more that cost nobody anything: a key that is refused, an account that is empty, a model that is not there. */
#define ATTEMPTS_FREE 16

/* Which target may follow? Those of a list are followed by those of the same one. */
enum retry_next {
	NEXT_NONE,
	NEXT_KEY,   /* the next one, be it the same model with another key */
	NEXT_MODEL, /* another model, or another provider's: with another key it would be the same */
	NEXT_HOST,  /* another provider's, if there is one, else another model */
	NEXT_LARGER,  /* one that is known to have more room, else the first of the list for that */
	NEXT_WILLING, /* the first of the list for what was refused */
};

/* Of `all`, behind the one at `at`; n: there is none. */
size_t retry_next(enum retry_next how, const struct target *all, size_t n, size_t at);

enum retry_move {
	RETRY_STOP, /* tell the caller */
	RETRY_SAME, /* the same target again, after delay_us */
	RETRY_NEXT, /* the target `next` */
};

struct retry_case {
	enum err err;
	struct span code; /* finer than the class; may be absent */
	bool has_content; /* the caller has seen content of this answer, */
	bool may_resume; /* and another can go on with it, as can each of `targets` behind this one */
	bool is_unknown; /* this one was sent, and may have been served */
	bool is_once;    /* nothing that may have been served is sent again */
	bool is_repeatable; /* sending it twice costs little and changes nothing: it may be sent again as often as else */
	bool may_fail_over; /* what is wrong with the request, or too large for one, may be right for another target */
	unsigned same;            /* tries on this target so far, this one included: 1 or more */
	unsigned attempts;        /* on all targets, */
	unsigned attempts_most;   /* of so many; 0: ATTEMPTS_MAX */
	unsigned free;            /* how many of them cost nobody anything */
	unsigned unknown;         /* how many of them may have been served */
	bool is_host_spent;       /* its provider has had all the retries it gets for now */
	int64_t retry_after_ms;   /* the provider's wish; -1: none */
	enum retry_advice advice; /* the same, of whether it wants to be asked again */
	int64_t left_us;          /* until the request's deadline */
	uint32_t jitter;          /* any number: the same number, the same delay */
	bool may_renew;           /* what was refused is a token, and another can be had, once */
	const struct target *targets; /* the route, */
	size_t n, at;                 /* and where in it this one stands */
};

struct retry_verdict {
	enum retry_move move;
	int64_t delay_us;
	size_t next;
};

struct retry_verdict retry_decide(const struct retry_case *c);

/* What such a failure does to where it happened; NULL: nothing. */
const struct health_rule *retry_rule(enum err err, struct span code);
/* Is it one that costs nobody anything: a complete answer that says no, at once? */
bool retry_is_free(enum err err);

/* Of two failures of one request, on different targets: does the later one tell its caller at least as
 * much as the one before (OK: there was none)? Of several waits the shortest does. */
bool retry_tells_more(const struct fault *later, const struct fault *before);

#endif
