/* test_minute.c - what do the calls of the last minute come to? */
#include "libllmclient/cli/minute.h"

#include "tests/lib/tap.h"

#define S INT64_C(1000000)

static void add(struct minute *m, int64_t ended_us, int64_t total_us, bool is_good)
{
	const struct minute_call c = {.ended_us = ended_us,
		.ttft_us = total_us / 2,
		.total_us = total_us,
		.tokens = 10,
		.is_good = is_good};
	minute_add(m, &c);
}

static void test_none(void)
{
	struct minute m;
	struct minute_sums s;
	ok(minute_init(&m, 100 * S), "there is memory");
	minute_sum(&m, 100 * S, 60 * S, &s);
	is_int(s.calls, 0, "nothing has ended");
	is_int(s.calls_milli_s, 0, "no rate");
	is_int(s.ttft_p50_us, -1, "no median");
	is_int(s.total_p99_us, -1, "nor another");
	is_int(s.cached_permille, -1, "nor hits");
	minute_done(&m);
	minute_done(&m);
}

static void test_window(void)
{
	struct minute m;
	struct minute_sums s;
	ok(minute_init(&m, 0), "there is memory");
	add(&m, 40 * S, 9 * S, true); /* just too old */
	add(&m, 40 * S + 1, 1 * S, true);
	add(&m, 95 * S, 2 * S, true);
	add(&m, 99 * S, 50 * S, false);
	minute_sum(&m, 100 * S, 60 * S, &s);
	is_int(s.calls, 3, "those of the minute");
	is_int(s.failed, 1, "one has failed");
	is_int(s.tokens, 30, "their tokens");
	is_int(s.calls_milli_s, 50, "three a minute");
	is_int(s.tokens_milli_s, 500, "and ten times that");
	is_int(s.total_p50_us, 1 * S, "the median of what was good");
	is_int(s.total_p99_us, 2 * S, "and the longest");
	is_int(s.ttft_p50_us, S / 2, "the same of the first token");
	minute_sum(&m, 100 * S, 10 * S, &s);
	is_int(s.calls, 2, "those of ten seconds");
	is_int(s.calls_milli_s, 200, "two in ten");
	minute_sum(&m, 1000 * S, 60 * S, &s);
	is_int(s.calls, 0, "all are old at last");
	minute_done(&m);
}

static void test_since(void)
{
	struct minute m;
	struct minute_sums s;
	ok(minute_init(&m, 98 * S), "there is memory");
	add(&m, 99 * S, S, true);
	add(&m, 99 * S, S, true);
	minute_sum(&m, 100 * S, 60 * S, &s);
	is_int(s.calls_milli_s, 1000, "two in the two seconds that are known of");
	minute_sum(&m, 98 * S + 1, 60 * S, &s);
	is_int(s.calls_milli_s, 2000, "less than a second is none");
	minute_done(&m);
}

static void test_ranks(void)
{
	struct minute m;
	struct minute_sums s;
	ok(minute_init(&m, 0), "there is memory");
	for (int64_t i = 0; i < 200; i++) /* 1..200, mixed */
		add(&m, 50 * S, (i * 77 % 200 + 1) * 1000, true);
	minute_sum(&m, 60 * S, 60 * S, &s);
	is_int(s.total_p50_us, 100 * 1000, "half are no longer");
	is_int(s.total_p99_us, 198 * 1000, "of a hundred all but one");
	const struct minute_call unknown = {.ended_us = 50 * S,
		.ttft_us = -1,
		.total_us = -1,
		.tokens = -1,
		.is_good = true,
		.is_cached = true};
	minute_add(&m, &unknown);
	minute_sum(&m, 60 * S, 60 * S, &s);
	is_int(s.total_p50_us, 100 * 1000, "what is not known counts in no rank");
	is_int(s.tokens, 2000, "nor as tokens");
	is_int(s.cached_permille, 1000 / 201, "one was kept");
	minute_done(&m);
}

static void test_full(void)
{
	struct minute m;
	struct minute_sums s;
	const int64_t more = 100, n = (int64_t)MINUTE_CALLS + more;
	ok(minute_init(&m, 0), "there is memory");
	for (int64_t i = 0; i < n; i++) /* a millisecond each */
		add(&m, 100 * S + i * 1000, S, true);
	const int64_t now_us = 100 * S + (n - 1) * 1000;
	minute_sum(&m, now_us, 60 * S, &s);
	is_int(s.calls, (int64_t)MINUTE_CALLS, "the last ones are there");
	is_int(s.calls_milli_s, 1000 * 1000, "and the rate is of the time that they reach back");
	minute_done(&m);
}

int main(void)
{
	test_none();
	test_window();
	test_since();
	test_ranks();
	test_full();
	return tap_done();
}
