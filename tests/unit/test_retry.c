/* test_retry.c - what a failure allows next. */
#include "brokerd/route/retry.h"
#include "tests/lib/tap.h"

#define LONG_US INT64_C(60000000)

static const struct target two[] = {
	{.provider = {"one", 3}, .model = {"m", 1}, .key = {"", 0}},
	{.provider = {"two", 3}, .model = {"m", 1}, .key = {"", 0}},
};

static const struct {
	const char *name;
	struct retry_case c;
	enum retry_move want;
	int64_t least_us, most_us;
} cases[] = {
	{"a connection that failed is tried at once",
         {.err = ERR_CONNECTION, .same = 1, .attempts = 1, .retry_after_ms = -1},            RETRY_SAME,
         0,												       0      },
	{"three times at the most",
         {.err = ERR_CONNECTION, .same = 3, .attempts = 3, .retry_after_ms = -1},            RETRY_STOP,
         0,												       0      },
	{"then the next target",
         {.err = ERR_CONNECTION,
			.same = 3,
			.attempts = 3,
			.retry_after_ms = -1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"content forbids every other try",
         {.err = ERR_CONNECTION,
			.has_content = true,
			.same = 1,
			.attempts = 1,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"an overloaded provider gets half a second, less jitter",
         {.err = ERR_OVERLOADED, .same = 1, .attempts = 1, .retry_after_ms = -1},            RETRY_SAME,
         0,												       500000 },
	{"then twice that",
         {.err = ERR_OVERLOADED,
			.same = 2,
			.attempts = 2,
			.retry_after_ms = -1,
			.jitter = 1023},
         RETRY_SAME,										     0,       1000000},
	{"a wait that it names is kept",
         {.err = ERR_RATE_LIMITED, .same = 1, .attempts = 1, .retry_after_ms = 1500},
         RETRY_SAME,										     1500000, 1500000},
	{"but not a long one",
         {.err = ERR_RATE_LIMITED, .same = 1, .attempts = 1, .retry_after_ms = 60000},
         RETRY_STOP,										     0,       0      },
	{"nor where another target is free now",
         {.err = ERR_RATE_LIMITED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = 100,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"nor past the deadline",
         {.err = ERR_RATE_LIMITED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = 1500,
			.left_us = 1000},
         RETRY_STOP,										     0,       0      },
	{"a provider may forbid it",
         {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.advice = RETRY_FORBIDDEN},
         RETRY_STOP,										     0,       0      },
	{"or advise it where the class alone would not",
         {.err = ERR_TIMEOUT,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.advice = RETRY_ADVISED},
         RETRY_SAME,										     0,       500000 },
	{"once, for a class that is never tried again",
         {.err = ERR_INVALID_REQUEST,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.advice = RETRY_ADVISED},
         RETRY_SAME,										     0,       500000 },
	{"and not twice",
         {.err = ERR_INVALID_REQUEST,
			.same = 2,
			.attempts = 2,
			.retry_after_ms = -1,
			.advice = RETRY_ADVISED},
         RETRY_STOP,										     0,       0      },
	{"but never a refused key",
         {.err = ERR_AUTH,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.advice = RETRY_ADVISED},
         RETRY_STOP,										     0,       0      },
	{"nor an empty account",
         {.err = ERR_QUOTA_EXHAUSTED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.advice = RETRY_ADVISED},
         RETRY_STOP,										     0,       0      },
	{"an unknown outcome moves on once",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"never to the same target",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1},
         RETRY_STOP,										     0,       0      },
	{"not twice",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 2,
			.unknown = 2,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"not at all where the caller says at most once",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.is_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"an answer that broke off is as unknown",
         {.err = ERR_STREAM_INCOMPLETE,
			.is_unknown = true,
			.is_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"silence behind a head is as unknown",
         {.err = ERR_TIMEOUT,
			.is_unknown = true,
			.is_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"so is what was sent and answered with no HTTP: another target, at once",
         {.err = ERR_SERVER_ERROR,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.retry_after_ms = -1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"and never the same",
         {.err = ERR_SERVER_ERROR,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.retry_after_ms = -1},
         RETRY_STOP,										     0,       0      },
	{"behind the deadline there is nothing",
         {.err = ERR_AUTH, .same = 1, .attempts = 1, .left_us = -1, .targets = two, .n = 2},
         RETRY_STOP,										     0,       0      },
	{"a wrong request is wrong everywhere",
         {.err = ERR_INVALID_REQUEST, .same = 1, .attempts = 1, .targets = two, .n = 2},
         RETRY_STOP,										     0,       0      },
	{"a refused key lets another provider serve",
         {.err = ERR_AUTH, .same = 1, .attempts = 1, .targets = two, .n = 2},                RETRY_NEXT, 0,
         0													       },
	{"a cancelled call is over",
         {.err = ERR_CANCELLED, .same = 1, .attempts = 1, .targets = two, .n = 2},
         RETRY_STOP,										     0,       0      },
	{"a connection that was at once refused twice waits",
         {.err = ERR_CONNECTION, .same = 2, .attempts = 2, .retry_after_ms = -1},            RETRY_SAME,
         0,												       500000 },
	{"an address that is forbidden is so again",
         {.err = ERR_CONNECTION, .code = {"address", 7}, .same = 1, .attempts = 1},
         RETRY_STOP,										     0,       0      },
	{"what repeats at no cost may be sent again although it may have been served",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.is_repeatable = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.retry_after_ms = -1},
         RETRY_SAME,										     0,       500000 },
	{"more than once, elsewhere",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.is_repeatable = true,
			.same = 2,
			.attempts = 2,
			.unknown = 2,
			.retry_after_ms = -1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"but not where nothing may",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.is_repeatable = true,
			.is_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"a host that had its share gets no other try",
         {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.is_host_spent = true},
         RETRY_STOP,										     0,       0      },
	{"but another one may be asked",
         {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.is_host_spent = true,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"what one cannot do another may",
         {.err = ERR_INVALID_REQUEST,
			.code = {"unsupported_parameter", 21},
			.same = 1,
			.attempts = 1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"and a wrong request too, where that is wanted",
         {.err = ERR_INVALID_REQUEST,
			.may_fail_over = true,
			.same = 1,
			.attempts = 1,
			.targets = two,
			.n = 2},
         RETRY_NEXT,										     0,       0      },
	{"what cost nothing does not use the attempts up",
         {.err = ERR_AUTH, .same = 1, .attempts = 7, .free = 7, .targets = two, .n = 2},
         RETRY_NEXT,										     0,       0      },
	{"but has an end",
         {.err = ERR_AUTH, .same = 1, .attempts = 16, .free = 16, .targets = two, .n = 2},
         RETRY_STOP,										     0,       0      },
	{"a route may say how many there are",
         {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = 2,
			.attempts_most = 2,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
	{"the budget of attempts ends everything",
         {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = ATTEMPTS_MAX,
			.targets = two,
			.n = 2},
         RETRY_STOP,										     0,       0      },
};

/* ---- an answer that broke off behind its first words ---- */

#define RESUMED \
	.has_content = true, .may_resume = true, .same = 1, .attempts = 1, .retry_after_ms = -1
#define UNKNOWN .is_unknown = true, .unknown = 1

/* clang-format off */
static const struct {
	const char *name;
	struct retry_case c;
	enum retry_move want;
} broken[] = {
	{"another goes on", {RESUMED, UNKNOWN, .err = ERR_STREAM_INCOMPLETE, .n = 2}, RETRY_NEXT},
	{"behind a silence", {RESUMED, UNKNOWN, .err = ERR_TIMEOUT, .n = 2}, RETRY_NEXT},
	{"behind an error in its midst", {RESUMED, .err = ERR_QUOTA_EXHAUSTED, .n = 2}, RETRY_NEXT},
	{"be it for a rate", {RESUMED, .err = ERR_RATE_LIMITED, .n = 2}, RETRY_NEXT},
	{"where there is one", {RESUMED, UNKNOWN, .err = ERR_STREAM_INCOMPLETE, .n = 1}, RETRY_STOP},
	{"and can", {.has_content = true, UNKNOWN, .err = ERR_STREAM_INCOMPLETE, .same = 1, .attempts = 1, .n = 2},
		RETRY_STOP},
	{"who is overloaded goes on himself", {RESUMED, .err = ERR_OVERLOADED, .n = 2}, RETRY_SAME},
	{"but where he cannot", {RESUMED, .err = ERR_OVERLOADED, .is_host_spent = true, .n = 2}, RETRY_NEXT},
	{"what may have been served goes on once", {.has_content = true, .may_resume = true, .is_unknown = true,
		.unknown = 2, .err = ERR_STREAM_INCOMPLETE, .same = 1, .attempts = 2, .n = 2}, RETRY_STOP},
	{"and not at all at most once", {RESUMED, UNKNOWN, .is_once = true, .err = ERR_STREAM_INCOMPLETE, .n = 2}, RETRY_STOP},
	{"the tries have an end", {RESUMED, .attempts_most = 1, .err = ERR_OVERLOADED, .n = 2}, RETRY_STOP},
	{"so has its time", {RESUMED, .left_us = -1, .err = ERR_OVERLOADED, .n = 2}, RETRY_STOP},
	{"what is wrong with the request is so elsewhere", {RESUMED, .err = ERR_UNSUPPORTED, .n = 2}, RETRY_STOP},
	{"a request passed on, too", {RESUMED, .may_fail_over = true, .err = ERR_INVALID_REQUEST, .n = 2}, RETRY_STOP},
	{"who is too dear was asked before", {RESUMED, .err = ERR_BUDGET, .n = 2}, RETRY_STOP},
	{"a refused key has said nothing", {RESUMED, .err = ERR_AUTH, .n = 2}, RETRY_STOP},
	{"who goes does not want more", {RESUMED, .err = ERR_CANCELLED, .n = 2}, RETRY_STOP},
	{"nor does who is too slow", {RESUMED, .err = ERR_SLOW_CONSUMER, .n = 2}, RETRY_STOP},
	{"advice is for what has shown nothing", {RESUMED, .advice = RETRY_ADVISED, .err = ERR_MALFORMED, .n = 2}, RETRY_STOP},
};
/* clang-format on */

static void resume(void)
{
	static const struct target larger[] = {
		{.provider = {"one", 3},   .model = {"m", 1}, .context_tokens = 10   },
		{.provider = {"two", 3},   .model = {"m", 1}, .context_tokens = 20   },
		{.provider = {"three", 5}, .model = {"m", 1}, .list = TARGETS_REFUSAL}
        };
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		struct retry_case c = broken[i].c;
		c.left_us = c.left_us == 0 ? LONG_US : c.left_us;
		c.targets = two;
		is_int(retry_decide(&c).move, broken[i].want, "%s", broken[i].name);
	}
	for (int has_content = 0; has_content < 2; has_content++) {
		struct retry_case c = {RESUMED, .err = ERR_CONTEXT_LENGTH, .left_us = LONG_US,
			.targets = larger, .n = 3};
		c.has_content = has_content;
		is_int(retry_decide(&c).move, has_content ? RETRY_STOP : RETRY_NEXT, "no room%s",
			has_content ? ", behind its words" : "");
		c.err = ERR_CONTENT_FILTERED;
		is_int(retry_decide(&c).move, has_content ? RETRY_STOP : RETRY_NEXT, "refused%s",
			has_content ? ", behind its words" : "");
	}
}

static const struct {
	const char *name;
	enum err later, before;
	bool want;
} tellings[] = {
	{"the first failure tells something",                        ERR_NO_KEY,       OK,                  true },
	{"a key that is missing tells less than a wait",             ERR_NO_KEY,       ERR_RATE_LIMITED,    false},
	{"a refused key tells more",                                 ERR_AUTH,         ERR_RATE_LIMITED,    true },
	{"what may have been served must not look like a mere wait", ERR_RATE_LIMITED,
         ERR_OUTCOME_UNKNOWN,									       false},
	{"of two alike, the later",                                  ERR_CONNECTION,   ERR_CONNECTION,      true },
	{"a wrong request tells most",                               ERR_AUTH,         ERR_INVALID_REQUEST, false},
};

static void shorter_wait(void)
{
	struct fault brief = FAULT_NONE, lasting = FAULT_NONE;
	brief.err = lasting.err = ERR_RATE_LIMITED;
	brief.retry_after_ms = 100;
	lasting.retry_after_ms = 9000;
	ok(!retry_tells_more(&lasting, &brief), "of two waits, the shorter");
	ok(retry_tells_more(&brief, &lasting), "whichever came first");
}

/* ---- which follows ---- */

#define T(p, m, k, l, context)                                                  \
	{                                                                       \
		.provider = {p, sizeof(p) - 1}, .model = {m, sizeof(m) - 1},    \
		.key = {k, sizeof(k) - 1}, .list = l, .context_tokens = context \
	}

static const struct target route[] = {
	T("one", "a", "x", TARGETS_USUAL, 1000),
	T("one", "a", "y", TARGETS_USUAL, 1000),
	T("one", "b", "x", TARGETS_USUAL, -1),
	T("two", "a", "", TARGETS_USUAL, 500),
	T("one", "c", "x", TARGETS_USUAL, 4000),
	T("one", "long", "x", TARGETS_CONTEXT, 9000),
	T("two", "longer", "", TARGETS_CONTEXT, -1),
	T("three", "lax", "", TARGETS_REFUSAL, -1),
	T("four", "laxer", "", TARGETS_REFUSAL, -1),
};
#define N COUNT_OF(route)

static const struct {
	const char *name;
	enum retry_next how;
	size_t at, want;
} followers[] = {
	{"nothing follows",				   NEXT_NONE,    0, N},
	{"the next key",				      NEXT_KEY,     0, 1},
	{"and then whatever is next",                         NEXT_KEY,     1, 2},
	{"but of the same list",                              NEXT_KEY,     4, N},
	{"another model",				     NEXT_MODEL,   0, 2},
	{"another provider's",				NEXT_HOST,    0, 3},
	{"where there is none, another model",                NEXT_HOST,    3, 4},
	{"and then none",				     NEXT_HOST,    4, N},
	{"one with more room",				NEXT_LARGER,  0, 4},
	{"of one whose room is not known, the list for that", NEXT_LARGER,  2, 5},
	{"behind the largest, too",                           NEXT_LARGER,  4, 5},
	{"and on in that",				    NEXT_LARGER,  5, 6},
	{"to its end",					NEXT_LARGER,  6, N},
	{"who may be willing",				NEXT_WILLING, 0, 7},
	{"and after that one",				NEXT_WILLING, 7, 8},
	{"within a list one goes on",                         NEXT_KEY,     7, 8},
	{"and nowhere else",				  NEXT_HOST,    6, N},
};

static void follow(void)
{
	for (size_t i = 0; i < COUNT_OF(followers); i++)
		is_uint(retry_next(followers[i].how, route, N, followers[i].at), followers[i].want,
			"%s", followers[i].name);
}

static const struct {
	const char *name;
	enum err err;
	const char *code;
	enum health_place place; /* NOWHERE: no rule */
	unsigned failures;
} rules[] = {
	{"a refused key rests at once",                   ERR_AUTH,            "",           HEALTH_KEY,      1},
	{"so does one without credit",                    ERR_QUOTA_EXHAUSTED, "",           HEALTH_KEY,      1},
	{"a model that a key may not use",                ERR_PERMISSION,      "",           HEALTH_MODEL,    1},
	{"one that is not there",                         ERR_NOT_FOUND,       "",           HEALTH_MODEL,    1},
	{"a path that is not there is one operation's",   ERR_NOT_FOUND,       "endpoint",   HEALTH_MODEL,    1},
	{"a model that is slow, the third",               ERR_TIMEOUT,         "slow",       HEALTH_MODEL,    3},
	{"who is overloaded rests the second time",       ERR_OVERLOADED,      "",           HEALTH_MODEL,    2},
	{"who fails, the fifth",                          ERR_SERVER_ERROR,    "",           HEALTH_MODEL,    5},
	{"who cannot be reached, the third",              ERR_CONNECTION,      "connect",    HEALTH_ENDPOINT, 3},
	{"who is silent, the third",                      ERR_OUTCOME_UNKNOWN, "first_byte", HEALTH_MODEL,    3},
	{"so he is where his callers had no more time",   ERR_TIMEOUT,         "silent",     HEALTH_MODEL,    3},
	{"how long a rate lasts is the limiter's",        ERR_RATE_LIMITED,    "",           HEALTH_NOWHERE,  0},
	{"a wrong request says nothing of where it went", ERR_INVALID_REQUEST, "",           HEALTH_NOWHERE,
         0												     },
	{"nor does one that is too long",                 ERR_CONTEXT_LENGTH,  "",           HEALTH_NOWHERE,  0},
	{"nor a key that is not there",                   ERR_NO_KEY,          "",           HEALTH_NOWHERE,  0},
	{"nor a vault that is locked",                    ERR_LOCKED,          "",           HEALTH_NOWHERE,  0},
	{"a command that brings no key, the third time",  ERR_NO_KEY,          "key_source", HEALTH_KEY,      3},
	{"nor a caller that goes",                        ERR_CANCELLED,       "",           HEALTH_NOWHERE,  0},
};

static void rest(void)
{
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		const struct health_rule *r = retry_rule(rules[i].err, span_str(rules[i].code));
		is_int(r ? r->place : HEALTH_NOWHERE, rules[i].place, "%s: where", rules[i].name);
		is_uint(r ? r->failures : 0, rules[i].failures, "%s: when", rules[i].name);
		ok(!r || (r->rest_us > 0 && r->rest_us <= r->rest_max_us), "%s: for how long",
			rules[i].name);
	}
}

/* All that the same number gives, over all numbers: between nothing and the whole. */
static void jitter(void)
{
	int64_t least = INT64_MAX, most = 0;
	for (uint32_t i = 0; i < 2048; i++) {
		const struct retry_case c = {.err = ERR_OVERLOADED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = -1,
			.left_us = LONG_US,
			.jitter = i,
			.targets = two,
			.n = 1};
		const int64_t us = retry_decide(&c).delay_us;
		least = us < least ? us : least;
		most = us > most ? us : most;
	}
	is_int(least, 0, "the shortest wait is none");
	ok(most > 499000 && most <= 500000, "the longest is the whole: %lld us", (long long)most);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(tellings); i++) {
		struct fault later = FAULT_NONE, before = FAULT_NONE;
		later.err = tellings[i].later;
		before.err = tellings[i].before;
		ok(retry_tells_more(&later, &before) == tellings[i].want, "%s", tellings[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct retry_case c = cases[i].c;
		if (c.left_us == 0)
			c.left_us = LONG_US;
		if (!c.targets)
			c.targets = two, c.n = 1;
		const struct retry_verdict v = retry_decide(&c);
		is_int(v.move, cases[i].want, "%s", cases[i].name);
		ok(v.delay_us >= cases[i].least_us && v.delay_us <= cases[i].most_us,
			"%s: the wait, %lld us", cases[i].name, (long long)v.delay_us);
	}
	shorter_wait();
	follow();
	rest();
	jitter();
	resume();
	return tap_done();
}
