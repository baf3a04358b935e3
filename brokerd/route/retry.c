/* retry.c - a row a class: how often the same target, how soon, and whether another may serve. */
#include "brokerd/route/retry.h"

#include <assert.h>

#define MS INT64_C(1000)

struct row {
	enum err err;
	unsigned same;      /* further tries on the same target */
	int64_t first_ms;   /* the wait before the first of them, doubling; 0: at once */
	bool is_next;       /* may another target serve the request? */
	bool waits_as_told; /* the same target may be tried after the provider's own wait */
};

/* A wait that a provider asks for is kept on the same target only up to this; else another target
 * serves, or the caller is told. */
#define WAIT_MAX_MS INT64_C(2000)
#define WAIT_CAP_MS INT64_C(8000)

/* Where a provider advises another try that the class alone would not get. */
#define ADVISED_MS INT64_C(500)

static const struct row rows[] = {
	{ERR_CONNECTION,        2, 0,   true, false}, /* nothing was sent: a stale connection, at once */
	{ERR_TIMEOUT,           0, 0,   true, false},
	{ERR_OUTCOME_UNKNOWN,   0, 0,   true, false}, /* once, and never for at_most_once: see below */
	{ERR_STREAM_INCOMPLETE, 0, 0,   true, false}, /* no content came, but it was sent: likewise */
	{ERR_OVERLOADED,        2, 500, true, true },
        {ERR_SERVER_ERROR,      1, 500, true, true },
	{ERR_RATE_LIMITED,      1, 500, true, true },
        {ERR_AUTH,              0, 0,   true, false},
	{ERR_PERMISSION,        0, 0,   true, false},
        {ERR_NOT_FOUND,         0, 0,   true, false},
	{ERR_QUOTA_EXHAUSTED,   0, 0,   true, false},
        {ERR_NO_KEY,            0, 0,   true, false},
	{ERR_LOCKED,            0, 0,   true, false}, /* a target that needs no key may follow */
	{ERR_BUDGET,            0, 0,   true, false}, /* or a cheaper one */
};

/* What tells a caller most comes first: what is wrong with the request, what a person must mend, what
 * may have been served, what time mends. Any other class tells least. */
static const enum err telling[] = {
	ERR_INVALID_REQUEST,
	ERR_CONTEXT_LENGTH,
	ERR_CONTENT_FILTERED,
	ERR_AUTH,
	ERR_PERMISSION,
	ERR_LOCKED,
	ERR_NOT_FOUND,
	ERR_QUOTA_EXHAUSTED,
	ERR_OUTCOME_UNKNOWN,
	ERR_STREAM_INCOMPLETE,
	ERR_RATE_LIMITED,
	ERR_OVERLOADED,
	ERR_TIMEOUT,
	ERR_SERVER_ERROR,
	ERR_CONNECTION,
};

static size_t rank(enum err err)
{
	size_t i = 0;
	while (i < COUNT_OF(telling) && telling[i] != err)
		i++;
	return err ? i : COUNT_OF(telling) + 1;
}

bool retry_tells_more(enum err later, enum err before)
{
	return rank(later) <= rank(before);
}

/* Full jitter downwards: between half the wait and all of it. */
static int64_t jittered_us(int64_t wait_ms, uint32_t jitter)
{
	const int64_t wait_us = wait_ms * MS;
	return wait_us - (wait_us / 2) * (int64_t)(jitter % 1024) / 1024;
}

/* How often the same target may be tried again: as its class has it, unless the provider knows better.
 * A key that is refused and an account that is empty are so again. */
static unsigned same_tries(const struct row *row, const struct retry_case *c)
{
	switch (c->advice) {
	case RETRY_UNSAID:
		return row->same;
	case RETRY_FORBIDDEN:
		return 0;
	case RETRY_ADVISED:
		return row->same > 0 || c->err == ERR_AUTH || c->err == ERR_QUOTA_EXHAUSTED
			       ? row->same
			       : 1;
	}
	return row->same;
}

struct retry_verdict retry_decide(const struct retry_case *c)
{
	const struct retry_verdict stop = {RETRY_STOP, 0};
	static const struct row advised = {.is_next = false};
	const struct row *row = c->advice == RETRY_ADVISED ? &advised : NULL;
	assert(c->same >= 1);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].err == c->err)
			row = &rows[i];
	}
	if (!row || c->has_content || c->attempts >= ATTEMPTS_MAX || c->left_us <= 0)
		return stop;
	/* what may have been served is sent again once, elsewhere, and only where the caller allows
	 * it: how it failed does not matter */
	if (c->is_unknown && (c->is_at_most_once || c->unknown > 1))
		return stop;

	if (c->may_renew && !c->is_unknown)
		return (struct retry_verdict){RETRY_SAME, 0};
	if (same_tries(row, c) >= c->same && !c->is_unknown) {
		int64_t wait_ms = (row->same > 0 ? row->first_ms : ADVISED_MS) << (c->same - 1);
		if (wait_ms > WAIT_CAP_MS)
			wait_ms = WAIT_CAP_MS;
		int64_t delay_us = jittered_us(wait_ms, c->jitter);
		bool may_wait = true;
		if ((row->waits_as_told || row->same == 0) && c->retry_after_ms >= 0) {
			may_wait = c->retry_after_ms <= WAIT_MAX_MS;
			delay_us = c->retry_after_ms * MS;
		}
		if (c->err == ERR_RATE_LIMITED && c->has_next)
			may_wait = false; /* somebody else is free now */
		if (may_wait && delay_us < c->left_us)
			return (struct retry_verdict){RETRY_SAME, delay_us};
	}
	if (row->is_next && c->has_next)
		return (struct retry_verdict){RETRY_NEXT, 0};
	return stop;
}
