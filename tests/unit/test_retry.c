/* test_retry.c - what a failure allows next. */
#include "brokerd/route/retry.h"
#include "tests/lib/tap.h"

#define LONG_US INT64_C(60000000)

static const struct {
	const char *name;
	struct retry_case c;
	enum retry_move want;
	int64_t least_us, most_us;
} cases[] = {
	{"a connection that failed is tried at once",
         {.err = ERR_CONNECTION, .same = 1, .attempts = 1, .retry_after_ms = -1},        RETRY_SAME,
         0,												   0      },
	{"three times at the most",
         {.err = ERR_CONNECTION, .same = 3, .attempts = 3, .retry_after_ms = -1},        RETRY_STOP,
         0,												   0      },
	{"then the next target",
         {.err = ERR_CONNECTION,
			.same = 3,
			.attempts = 3,
			.retry_after_ms = -1,
			.has_next = true},
         RETRY_NEXT,										 0,       0      },
	{"content forbids every other try",
         {.err = ERR_CONNECTION,
			.has_content = true,
			.same = 1,
			.attempts = 1,
			.has_next = true},
         RETRY_STOP,										 0,       0      },
	{"an overloaded provider gets half a second, less jitter",
         {.err = ERR_OVERLOADED, .same = 1, .attempts = 1, .retry_after_ms = -1},        RETRY_SAME,
         250000,											      500000 },
	{"then twice that",
         {.err = ERR_OVERLOADED,
			.same = 2,
			.attempts = 2,
			.retry_after_ms = -1,
			.jitter = 1023},
         RETRY_SAME,										 500000,  1000000},
	{"a wait that it names is kept",
         {.err = ERR_RATE_LIMITED, .same = 1, .attempts = 1, .retry_after_ms = 1500},
         RETRY_SAME,										 1500000, 1500000},
	{"but not a long one",
         {.err = ERR_RATE_LIMITED, .same = 1, .attempts = 1, .retry_after_ms = 60000},
         RETRY_STOP,										 0,       0      },
	{"nor where another target is free now",
         {.err = ERR_RATE_LIMITED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = 100,
			.has_next = true},
         RETRY_NEXT,										 0,       0      },
	{"nor past the deadline",
         {.err = ERR_RATE_LIMITED,
			.same = 1,
			.attempts = 1,
			.retry_after_ms = 1500,
			.left_us = 1000},
         RETRY_STOP,										 0,       0      },
	{"an unknown outcome moves on once",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.has_next = true},
         RETRY_NEXT,										 0,       0      },
	{"never to the same target",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1},
         RETRY_STOP,										 0,       0      },
	{"not twice",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.same = 1,
			.attempts = 2,
			.unknown = 2,
			.has_next = true},
         RETRY_STOP,										 0,       0      },
	{"not at all where the caller says at most once",
         {.err = ERR_OUTCOME_UNKNOWN,
			.is_unknown = true,
			.is_at_most_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.has_next = true},
         RETRY_STOP,										 0,       0      },
	{"an answer that broke off is as unknown",
         {.err = ERR_STREAM_INCOMPLETE,
			.is_unknown = true,
			.is_at_most_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.has_next = true},
         RETRY_STOP,										 0,       0      },
	{"silence behind a head is as unknown",
         {.err = ERR_TIMEOUT,
			.is_unknown = true,
			.is_at_most_once = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.has_next = true},
         RETRY_STOP,										 0,       0      },
	{"so is what was sent and answered with no HTTP: another target, at once",
         {.err = ERR_SERVER_ERROR,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.retry_after_ms = -1,
			.has_next = true},
         RETRY_NEXT,										 0,       0      },
	{"and never the same",
         {.err = ERR_SERVER_ERROR,
			.is_unknown = true,
			.same = 1,
			.attempts = 1,
			.unknown = 1,
			.retry_after_ms = -1},
         RETRY_STOP,										 0,       0      },
	{"behind the deadline there is nothing",
         {.err = ERR_AUTH, .same = 1, .attempts = 1, .left_us = -1, .has_next = true},
         RETRY_STOP,										 0,       0      },
	{"a wrong request is wrong everywhere",
         {.err = ERR_INVALID_REQUEST, .same = 1, .attempts = 1, .has_next = true},
         RETRY_STOP,										 0,       0      },
	{"a refused key lets another provider serve",
         {.err = ERR_AUTH, .same = 1, .attempts = 1, .has_next = true},                  RETRY_NEXT, 0,       0      },
	{"a cancelled call is over",
         {.err = ERR_CANCELLED, .same = 1, .attempts = 1, .has_next = true},             RETRY_STOP, 0,
         0													   },
	{"the budget of attempts ends everything",
         {.err = ERR_OVERLOADED, .same = 1, .attempts = ATTEMPTS_MAX, .has_next = true},
         RETRY_STOP,										 0,       0      },
};

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

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(tellings); i++)
		ok(retry_tells_more(tellings[i].later, tellings[i].before) == tellings[i].want,
			"%s", tellings[i].name);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct retry_case c = cases[i].c;
		if (c.left_us == 0)
			c.left_us = LONG_US;
		const struct retry_verdict v = retry_decide(&c);
		is_int(v.move, cases[i].want, "%s", cases[i].name);
		ok(v.delay_us >= cases[i].least_us && v.delay_us <= cases[i].most_us,
			"%s: the wait, %lld us", cases[i].name, (long long)v.delay_us);
	}
	return tap_done();
}
