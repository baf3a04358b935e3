/* test_limits.c - what headers say of a provider's rates, in each of their forms. */
#include "brokerd/dialect/limits.h"
#include "tests/lib/tap.h"

#define DATE "date: Wed, 25 Nov 2026 10:00:00 GMT\n"

/* clang-format off */
static const struct {
	const char *name, *provider, *headers;
	struct rate requests, tokens;
	int64_t wait_ms;
} cases[] = {
	{"nothing", "openai", "", {-1, -1, -1}, {-1, -1, -1}, -1},
	{"durations", "openai",
		"x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1s\n"
		"x-ratelimit-limit-tokens: 150000\nx-ratelimit-remaining-tokens: 149984\nx-ratelimit-reset-tokens: 6m0s\n",
		{60, 59, 1000}, {150000, 149984, 360000}, -1},
	{"nothing is left", "openai", "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 20ms\n",
		{-1, 0, 20}, {-1, -1, -1}, 20},
	{"the longer of two waits", "groq",
		"x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 2m59.56s\n"
		"x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 7.66s\n",
		{-1, 0, 179560}, {-1, 0, 7660}, 179560},
	{"one that is not known is as usual", "stranger", "x-ratelimit-limit-requests: 5\n",
		{5, -1, -1}, {-1, -1, -1}, -1},
	{"Azure's bare seconds", "azure", "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 30\n",
		{-1, -1, -1}, {-1, 0, 30000}, 30000},
	{"moments", "anthropic", DATE
		"anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 49\n"
		"anthropic-ratelimit-requests-reset: 2026-11-25T10:01:00Z\n"
		"anthropic-ratelimit-tokens-limit: 90\nanthropic-ratelimit-tokens-remaining: 80\n"
		"anthropic-ratelimit-tokens-reset: 2026-11-25T12:00:30.5+02:00\n",
		{50, 49, 60000}, {90, 80, 30500}, -1},
	{"input and output are other bounds", "anthropic", DATE
		"anthropic-ratelimit-tokens-remaining: 80\nanthropic-ratelimit-input-tokens-remaining: 7\n"
		"anthropic-ratelimit-output-tokens-remaining: 9\n",
		{-1, -1, -1}, {-1, 80, -1}, -1},
	{"a moment that is past", "anthropic", DATE
		"anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-25T09:00:00Z\n",
		{-1, 0, 0}, {-1, -1, -1}, 0},
	{"a moment without a Date", "anthropic",
		"anthropic-ratelimit-requests-remaining: 0\nanthropic-ratelimit-requests-reset: 2026-11-25T10:01:00Z\n",
		{-1, 0, -1}, {-1, -1, -1}, -1},
	{"milliseconds since 1970", "openrouter", DATE
		"x-ratelimit-limit: 20\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1795600860000\n",
		{20, 0, 60000}, {-1, -1, -1}, 60000},
	{"a day's requests and a minute's tokens", "cerebras",
		"x-ratelimit-limit-requests-day: 14400\nx-ratelimit-remaining-requests-day: 0\n"
		"x-ratelimit-reset-requests-day: 33011.382867\n"
		"x-ratelimit-limit-tokens-minute: 60000\nx-ratelimit-remaining-tokens-minute: 59000\n"
		"x-ratelimit-reset-tokens-minute: 11.382867\n",
		{14400, 0, 33011382}, {60000, 59000, 11382}, 33011382},
	{"no reset at all", "mistral", "x-ratelimit-limit-req-minute: 60\nx-ratelimit-remaining-req-minute: 0\n",
		{60, 0, -1}, {-1, -1, -1}, -1},
	{"Cohere's", "cohere", "x-trial-endpoint-call-limit: 40\nx-trial-endpoint-call-remaining: 39\n",
		{40, 39, -1}, {-1, -1, -1}, -1},
	{"Together's", "together", "x-ratelimit-limit: 60\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1\n",
		{60, 0, 1000}, {-1, -1, -1}, 1000},
	{"Fireworks's", "fireworks", "x-ratelimit-limit-requests: 600\nx-ratelimit-remaining-requests: 599\n",
		{600, 599, -1}, {-1, -1, -1}, -1},
	{"GitHub's", "github", "x-ratelimit-remaining-requests: 0\nx-ratelimit-timeremaining: 31\n",
		{-1, 0, 31000}, {-1, -1, 31000}, 31000},
	{"what is no number", "openai", "x-ratelimit-limit-requests: many\nx-ratelimit-remaining-requests: -3\n",
		{-1, -1, -1}, {-1, -1, -1}, -1},
};
/* clang-format on */

static void test_headers(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_header headers[12];
		struct http_head head = {.status = 200, .headers = headers};
		struct rates l;
		struct span rest = span_str(cases[i].headers);
		while (rest.n > 0) {
			struct span value = span_cut(&rest, '\n');
			const struct span name = span_cut(&value, ':');
			headers[head.n_headers++] = (struct http_header){name, span_trim(value)};
		}
		limits_read(&head, span_str(cases[i].provider), &l);
		is_int(l.requests.limit, cases[i].requests.limit, "%s: requests", cases[i].name);
		is_int(l.requests.remaining, cases[i].requests.remaining, "left");
		is_int(l.requests.reset_ms, cases[i].requests.reset_ms, "until");
		is_int(l.tokens.limit, cases[i].tokens.limit, "%s: tokens", cases[i].name);
		is_int(l.tokens.remaining, cases[i].tokens.remaining, "left");
		is_int(l.tokens.reset_ms, cases[i].tokens.reset_ms, "until");
		is_int(limits_wait_ms(&l), cases[i].wait_ms, "%s: the wait", cases[i].name);
	}
}

/* Each with its own wait; of a bound that comes twice the one of which less is left. */
static void test_four(void)
{
	struct http_header headers[] = {
		{SPAN("date"),					SPAN("Wed, 25 Nov 2026 10:00:00 GMT")},
		{SPAN("retry-after"),                                 SPAN("7")                            },
		{SPAN("anthropic-ratelimit-input-tokens-limit"),      SPAN("4000")                         },
		{SPAN("anthropic-ratelimit-input-tokens-remaining"),  SPAN("0")                            },
		{SPAN("anthropic-ratelimit-input-tokens-reset"),      SPAN("2026-11-25T10:00:30Z")         },
		{SPAN("anthropic-priority-input-tokens-remaining"),   SPAN("12")                           },
		{SPAN("anthropic-ratelimit-output-tokens-remaining"), SPAN("90")                           },
		{SPAN("anthropic-priority-output-tokens-remaining"),  SPAN("9")                            },
	};
	const struct http_head head = {429, headers, COUNT_OF(headers)};
	struct rates r;
	limits_read(&head, SPAN("anthropic"), &r);
	is_int(r.input.limit, 4000, "the input's limit");
	is_int(r.input.remaining, 0, "of which nothing is left");
	is_int(r.input.reset_ms, 30000, "for so long");
	is_int(r.output.remaining, 9, "the output's lesser rest");
	is_int(r.tokens.remaining, -1, "nothing of both together");
	is_int(r.retry_after_ms, 7000, "the wait that is asked for");
	is_int(limits_wait_ms(&r), 30000, "and the one that follows");
	ok(!r.is_day_spent, "no day's");
}

static const struct {
	const char *text;
	int64_t ms;
} durations[] = {
	{"1s",		  1000    },
	{"6m0s",                360000  },
	{"20ms",                20      },
	{"2m59.56s",            179560  },
	{"1h2m3s",              3723000 },
	{"1d",		  86400000},
	{"1500us",              2       },
	{"900ns",               1       },
	{"0s",		  0       },
	{"12",		  12000   },
	{"0.25",                250     },
	{"26 seconds",          26000   },
	{"5 minutes.",          300000  },
	{"3 parsecs",           3000    },
	{"",		    -1      },
	{"soon",                -1      },
	{"-5",		  -1      },
	{"9999999999999999999", -1      },
};

static void test_durations(void)
{
	for (size_t i = 0; i < COUNT_OF(durations); i++)
		is_int(limits_duration_ms(span_str(durations[i].text)), durations[i].ms, "\"%s\"",
			durations[i].text);
}

static const struct {
	const char *text;
	int64_t ms; /* -1: none */
} moments[] = {
	{"1970-01-01T00:00:00Z",      0                     },
	{"2026-11-25T10:00:00Z",      INT64_C(1795600800000)},
	{"2026-11-25T10:00:00.125Z",  INT64_C(1795600800125)},
	{"2026-11-25T12:00:00+02:00", INT64_C(1795600800000)},
	{"2026-11-25T08:30:00-01:30", INT64_C(1795600800000)},
	{"2026-11-25 10:00:00Z",      INT64_C(1795600800000)},
	{"2026-11-25T10:00:00",       -1                    },
	{"2026-13-25T10:00:00Z",      -1                    },
	{"2026-11-25T10:00:00+2",     -1                    },
	{"Wed, 25 Nov 2026",          -1                    },
	{"",			  -1		    },
};

static void test_moments(void)
{
	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		int64_t ms = -1;
		const bool is_one = http_rfc3339_ms(span_str(moments[i].text), &ms);
		ok(is_one == (moments[i].ms >= 0), "\"%s\"", moments[i].text);
		is_int(ms, moments[i].ms, "its milliseconds");
	}
}

int main(void)
{
	test_headers();
	test_four();
	test_durations();
	test_moments();
	return tap_done();
}
