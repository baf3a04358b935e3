/* retry.c - a row a class, and one before it for a code that is another matter. */
#include "brokerd/route/retry.h"

#include <assert.h>

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

struct row {
	enum err err;
	const char *code; /* NULL: any other */
	unsigned same;    /* further tries on the same target */
	int64_t first_ms; /* the longest wait before the first of them, doubling; -1: that one is at once */
	enum retry_next next;
	bool waits_as_told; /* the same target may be tried after the provider's own wait */
	struct health_rule rule;
};

/* A wait that a provider asks for is kept on the same target only up to this; else another target
 * serves, or the caller is told. */
#define WAIT_MAX_MS INT64_C(2000)
#define WAIT_CAP_MS INT64_C(8000)

/* Where a try that is at once fails, or a provider advises one that the class alone would not get. */
#define USUAL_MS INT64_C(500)

/* Places, how many failures in which time, the first rest and the longest, and whether the provider's word counts. */
#define AT_ONCE(place, rest, most, told)                      \
	{                                                     \
		HEALTH_##place, 1, 0, rest, most, told, false \
	}
#define RESTS(place, n, window, rest, most, told)                  \
	{                                                          \
		HEALTH_##place, n, window, rest, most, told, false \
	}
#define SPARES(place, n, window, rest, most)                       \
	{                                                          \
		HEALTH_##place, n, window, rest, most, false, true \
	}
#define UNHURT                                           \
	{                                                \
		HEALTH_NOWHERE, 0, 0, 0, 0, false, false \
	}

/* clang-format off */
static const struct row rows[] = {
	/* nothing was sent. At once: a connection that was kept may have been closed meanwhile */
	{ERR_CONNECTION, "address",     0, 0, NEXT_HOST, false, RESTS(ENDPOINT, 1, 0, 30 * SECOND, 5 * MINUTE, false)},
	{ERR_CONNECTION, "certificate", 0, 0, NEXT_HOST, false, RESTS(ENDPOINT, 3, 0, SECOND, 30 * SECOND, false)},
	{ERR_CONNECTION, "descriptors", 1, 500, NEXT_NONE, false, UNHURT}, /* it is we who have none left */
	{ERR_CONNECTION, "tls",     1, 500, NEXT_HOST, false, RESTS(ENDPOINT, 3, 0, SECOND, 30 * SECOND, false)},
	{ERR_CONNECTION, NULL,      2, -1, NEXT_HOST, false, RESTS(ENDPOINT, 3, 0, SECOND, 30 * SECOND, false)},
	{ERR_TIMEOUT, "connect", 0, 0, NEXT_HOST, false, RESTS(ENDPOINT, 3, 0, SECOND, 30 * SECOND, false)},
	{ERR_TIMEOUT, "tls",     0, 0, NEXT_HOST, false, RESTS(ENDPOINT, 3, 0, SECOND, 30 * SECOND, false)},
	/* nothing came for longer than is usual there (silence.h), though those who waited may have had no more time. Of the
	 * model alone: what a host takes its time for, with a head or without one, another model of its has in no time */
	{ERR_TIMEOUT, "silent",  0, 0, NEXT_HOST, false, SPARES(MODEL, 3, 0, 5 * SECOND, 30 * SECOND)},
	/* it may have been sent: once, elsewhere, and never where its caller says so; see below. A host that is connected
	 * to may be slow with one model alone. What fails behind its first words is no row, for those were well: so in a time */
	{ERR_TIMEOUT,           NULL, 0, 0, NEXT_HOST, false, RESTS(MODEL, 3, 5 * MINUTE, 5 * SECOND, MINUTE, false)},
	{ERR_OUTCOME_UNKNOWN,   NULL, 0, 0, NEXT_HOST, false, RESTS(MODEL, 3, 0, 5 * SECOND, MINUTE, false)},
	{ERR_STREAM_INCOMPLETE, NULL, 0, 0, NEXT_HOST, false, RESTS(MODEL, 3, MINUTE, 5 * SECOND, MINUTE, false)},
	{ERR_OVERLOADED,   NULL, 2, 500, NEXT_MODEL, true, RESTS(MODEL, 2, 0, 5 * SECOND, 30 * SECOND, true)},
	{ERR_SERVER_ERROR, "invalid_tool_call", 1, 500, NEXT_MODEL, true, UNHURT},
	{ERR_SERVER_ERROR, NULL, 1, 500, NEXT_MODEL, true, RESTS(MODEL, 5, 0, 5 * SECOND, MINUTE, true)},
	/* how long it rests is the limiter's, which has it from the reply */
	{ERR_RATE_LIMITED, NULL, 1, 500, NEXT_KEY,   true, UNHURT},
	{ERR_QUOTA_EXHAUSTED, NULL, 0, 0, NEXT_KEY,  false, AT_ONCE(KEY, 15 * MINUTE, 6 * HOUR, true)},
	{ERR_AUTH,         NULL, 0, 0, NEXT_KEY,     false, AT_ONCE(KEY, 10 * MINUTE, 6 * HOUR, false)},
	{ERR_PERMISSION,   NULL, 0, 0, NEXT_KEY,     false, AT_ONCE(MODEL, 10 * MINUTE, 6 * HOUR, false)},
	/* the path of one operation, of which a host may have others */
	{ERR_NOT_FOUND, "endpoint", 0, 0, NEXT_HOST, false, AT_ONCE(MODEL, 10 * MINUTE, HOUR, false)},
	{ERR_NOT_FOUND,    NULL, 0, 0, NEXT_KEY,     false, AT_ONCE(MODEL, 10 * MINUTE, HOUR, false)},
	{ERR_CONTEXT_LENGTH,   NULL, 0, 0, NEXT_LARGER,  false, UNHURT},
	{ERR_CONTENT_FILTERED, NULL, 0, 0, NEXT_WILLING, false, UNHURT},
	/* its address leads elsewhere: nothing is wrong with the request */
	{ERR_INVALID_REQUEST, "endpoint", 0, 0, NEXT_HOST, false, AT_ONCE(MODEL, 30 * SECOND, 10 * MINUTE, false)},
	{ERR_INVALID_REQUEST, "request_exceeds_rate_limit", 0, 0, NEXT_KEY, false, UNHURT},
	{ERR_INVALID_REQUEST, "unsupported_parameter", 0, 0, NEXT_MODEL, false, UNHURT},
	{ERR_INVALID_REQUEST, "unsupported_input",     0, 0, NEXT_MODEL, false, UNHURT},
	{ERR_INVALID_REQUEST, "unsupported_value",     0, 0, NEXT_MODEL, false, UNHURT},
	{ERR_UNSUPPORTED,  NULL, 0, 0, NEXT_MODEL,   false, UNHURT}, /* of what our own encoder has no words for */
	/* a command that brings it has failed, and each call would wait for that */
	{ERR_NO_KEY, "key_source", 0, 0, NEXT_KEY,   false, RESTS(KEY, 3, 0, SECOND, 30 * SECOND, false)},
	{ERR_NO_KEY,       NULL, 0, 0, NEXT_KEY,     false, UNHURT},
	{ERR_LOCKED,       NULL, 0, 0, NEXT_KEY,     false, UNHURT}, /* a target that needs no key may follow */
	{ERR_MISCONFIGURED, NULL, 0, 0, NEXT_HOST,   false, UNHURT},
	{ERR_BUDGET,       NULL, 0, 0, NEXT_KEY,     false, UNHURT}, /* or a cheaper one */
};
/* clang-format on */

static const struct row *find_row(enum err err, struct span code)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (rows[i].err == err && (!rows[i].code || span_is(code, rows[i].code)))
			return &rows[i];
	}
	return NULL;
}

const struct health_rule *retry_rule(enum err err, struct span code)
{
	const struct row *row = find_row(err, code);
	return row && row->rule.place != HEALTH_NOWHERE ? &row->rule : NULL;
}

bool retry_is_free(enum err err)
{
	return err == ERR_AUTH || err == ERR_PERMISSION || err == ERR_QUOTA_EXHAUSTED ||
	       err == ERR_NOT_FOUND || err == ERR_NO_KEY || err == ERR_LOCKED || err == ERR_BUDGET;
}

/* What breaks an answer off in its midst. Any other class says something of the request, of its caller, or of what the
 * model wrote. */
static const enum err breaks[] = {
	ERR_CONNECTION,
	ERR_TIMEOUT,
	ERR_OUTCOME_UNKNOWN,
	ERR_STREAM_INCOMPLETE,
	ERR_OVERLOADED,
	ERR_SERVER_ERROR,
	ERR_RATE_LIMITED,
	ERR_QUOTA_EXHAUSTED,
};

static bool is_break(enum err err)
{
	for (size_t i = 0; i < COUNT_OF(breaks); i++) {
		if (breaks[i] == err)
			return true;
	}
	return false;
}

/* ---- what is told ---- */

/* What tells a caller most comes first: what may have been served and billed, what is wrong with the request, what a
 * person must mend, what time mends. Any other class tells least. */
static const enum err telling[] = {
	ERR_OUTCOME_UNKNOWN,
	ERR_STREAM_INCOMPLETE,
	ERR_INVALID_REQUEST,
	ERR_CONTEXT_LENGTH,
	ERR_CONTENT_FILTERED,
	ERR_AUTH,
	ERR_PERMISSION,
	ERR_LOCKED,
	ERR_NOT_FOUND,
	ERR_QUOTA_EXHAUSTED,
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

bool retry_tells_more(const struct fault *later, const struct fault *before)
{
	const size_t a = rank(later->err), b = rank(before->err);
	const bool are_waits = later->err == before->err && later->retry_after_ms >= 0 &&
			       before->retry_after_ms >= 0;
	return are_waits ? later->retry_after_ms <= before->retry_after_ms : a <= b;
}

/* ---- who follows ---- */

static bool is_same_model(const struct target *a, const struct target *b)
{
	return span_eq(a->provider, b->provider) && span_eq(a->model, b->model);
}

/* May `t` follow `from`, which is before it? */
static bool follows(enum retry_next how, const struct target *from, const struct target *t)
{
	const bool is_same_list = t->list == from->list;
	switch (how) {
	case NEXT_NONE:
		return false;
	case NEXT_KEY:
		return is_same_list;
	case NEXT_MODEL:
		return is_same_list && !is_same_model(from, t);
	case NEXT_HOST:
		return is_same_list && !span_eq(from->provider, t->provider);
	case NEXT_LARGER:
		return (is_same_list && from->context_tokens > 0 &&
			       t->context_tokens > from->context_tokens) ||
		       (t->list == TARGETS_CONTEXT && !is_same_model(from, t));
	case NEXT_WILLING:
		return t->list == TARGETS_REFUSAL && !is_same_model(from, t);
	}
	return false;
}

size_t retry_next(enum retry_next how, const struct target *all, size_t n, size_t at)
{
	for (size_t i = at + 1; i < n; i++) {
		if (follows(how, &all[at], &all[i]))
			return i;
	}
	return how == NEXT_HOST ? retry_next(NEXT_MODEL, all, n, at) : n;
}

/* ---- what is done ---- */

/* Full jitter: whoever failed together does not come back together. */
static int64_t jittered_us(int64_t wait_ms, uint32_t jitter)
{
	return wait_ms * MS / 1024 * (int64_t)(jitter % 1025);
}

/* How often the same target may be tried again: as its class has it, unless the provider knows better.
 * A key that is refused and an account that is empty are so again. */
static unsigned same_tries(const struct row *row, const struct retry_case *c)
{
	const unsigned usual = row->same == 0 && c->is_unknown && c->is_repeatable ? 1 : row->same;
	switch (c->advice) {
	case RETRY_UNSAID:
		return usual;
	case RETRY_FORBIDDEN:
		return 0;
	case RETRY_ADVISED:
		return usual > 0 || c->err == ERR_AUTH || c->err == ERR_QUOTA_EXHAUSTED ? usual : 1;
	}
	return usual;
}

static bool is_sent_enough(const struct retry_case *c)
{
	if (!c->is_unknown)
		return false;
	return c->is_once || (!c->is_repeatable && c->unknown > 1);
}

static bool is_tried_enough(const struct retry_case *c)
{
	const unsigned most = c->attempts_most > 0 ? c->attempts_most : ATTEMPTS_MAX;
	const unsigned costly = c->attempts > c->free ? c->attempts - c->free : 0;
	return costly >= most || c->free >= ATTEMPTS_FREE;
}

static bool may_try_same(const struct row *row, const struct retry_case *c, int64_t *delay_us)
{
	if (same_tries(row, c) < c->same || (c->is_unknown && !c->is_repeatable) ||
		c->is_host_spent)
		return false;
	const int64_t first_ms = row->same > 0 && row->first_ms > 0 ? row->first_ms : USUAL_MS;
	const bool is_at_once = row->first_ms < 0 && c->same == 1;
	const unsigned doublings = row->first_ms < 0 ? c->same - 2 : c->same - 1;
	int64_t wait_ms = is_at_once ? 0 : doublings > 4 ? WAIT_CAP_MS : first_ms << doublings;
	if (wait_ms > WAIT_CAP_MS)
		wait_ms = WAIT_CAP_MS;
	*delay_us = jittered_us(wait_ms, c->jitter);
	if ((row->waits_as_told || row->same == 0) && c->retry_after_ms >= 0) {
		if (c->retry_after_ms > WAIT_MAX_MS)
			return false;
		*delay_us = c->retry_after_ms * MS;
	}
	return *delay_us < c->left_us;
}

struct retry_verdict retry_decide(const struct retry_case *c)
{
	const struct retry_verdict stop = {RETRY_STOP, 0, c->at};
	static const struct row advised = {.next = NEXT_NONE}, elsewhere = {.next = NEXT_MODEL};
	const struct row *row = find_row(c->err, c->code);
	int64_t delay_us;
	assert(c->same >= 1);
	if (!row && c->err == ERR_INVALID_REQUEST && c->may_fail_over)
		row = &elsewhere;
	if (!row && c->advice == RETRY_ADVISED)
		row = &advised;
	if (!row || is_tried_enough(c) || c->left_us <= 0)
		return stop;
	if (c->has_content && !(c->may_resume && is_break(c->err)))
		return stop;
	/* what may have been served is sent again once, elsewhere, and only where the caller allows
	 * it: how it failed does not matter */
	if (is_sent_enough(c))
		return stop;
	if (c->may_renew && !c->is_unknown)
		return (struct retry_verdict){RETRY_SAME, 0, c->at};
	const size_t next =
		retry_next(c->is_unknown ? NEXT_HOST : row->next, c->targets, c->n, c->at);
	const bool is_another_free = c->err == ERR_RATE_LIMITED && next < c->n;
	if (!is_another_free && may_try_same(row, c, &delay_us))
		return (struct retry_verdict){RETRY_SAME, delay_us, c->at};
	return next < c->n ? (struct retry_verdict){RETRY_NEXT, 0, next} : stop;
}
