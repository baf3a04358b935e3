/* test_bench.c - do the benchmark's percentiles and time stamps say what was put in? */
#include "tests/lib/bench.h"

#include <stdlib.h>

#include "tests/lib/gauge.h"
#include "tests/lib/histogram.h"
#include "tests/lib/pace.h"
#include "tests/lib/tap.h"

static void check_histogram(void)
{
	static struct histogram h, other;
	static const struct {
		double share;
		int64_t want_ns;
	} uniform[] = {
		{0.001, 1000   },
		{0.5,   500000 },
		{0.99,  990000 },
		{1.0,   1000000},
	};

	is_int(histogram_at(&h, 0.5), 0, "an empty one has no time");
	for (int64_t us = 1; us <= 1000; us++)
		histogram_add(us % 2 == 0 ? &h : &other, us * 1000);
	histogram_merge(&h, &other);
	is_uint(h.n, 1000U, "all are counted, the merged too");
	for (size_t i = 0; i < COUNT_OF(uniform); i++) {
		const int64_t got = histogram_at(&h, uniform[i].share);
		const int64_t off = llabs(got - uniform[i].want_ns);
		ok(off * 1000 <= uniform[i].want_ns * 8, "1 to 1000 us at %g: %lld, within 0.8 %%",
			uniform[i].share, (long long)got);
	}

	static struct histogram one;
	for (int64_t ns = 0; ns < INT64_MAX / 3; ns = ns * 3 + 1) {
		one = (struct histogram){0};
		histogram_add(&one, ns);
		histogram_add(&one, INT64_MAX); /* so that the maximum does not help */
		const int64_t got = histogram_at(&one, 0.5);
		const int64_t longest = INT64_C(1) << (HISTOGRAM_OCTAVES + 7);
		if (ns < longest)
			ok(llabs(got - ns) <= ns / 127, "%lld ns is %lld", (long long)ns,
				(long long)got);
		else
			ok(got >= longest / 128 * 127, "%lld ns is too long to tell",
				(long long)ns);
	}

	one = (struct histogram){0};
	histogram_add(&one, -5);
	is_int(histogram_at(&one, 1), 0, "a negative time is 0");
}

static void check_pace(void)
{
	static const int64_t rates[] = {1, 3, 7, 999, 300000, 700001, 1000000};
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		struct pace p = {.rate = rates[i], .began_ns = 5};
		int64_t due_ns = 0, wrong = 0;
		ok(pace_take(&p, 5, &due_ns) && due_ns == 5,
			"%lld a second: the first is due at once", (long long)rates[i]);
		ok(!pace_take(&p, 5 + 999, &due_ns), "the second is not");
		for (int64_t n = 0; n < 1000; n++) {
			p.taken = n * rates[i] / 7;
			const int64_t at_ns = pace_next_ns(&p);
			wrong += pace_backlog(&p, at_ns) != 1 || pace_backlog(&p, at_ns - 1) != 0;
		}
		is_int(wrong, 0, "one is due when it is due, and not before");
		p.taken = 86400 * rates[i];
		is_int(pace_next_ns(&p), INT64_C(86400000000005), "a day later nothing is lost");
		p.taken = 0;
		is_int(pace_backlog(&p, 5 + INT64_C(10000000000)), 10 * rates[i] + 1,
			"ten seconds' dues wait");
		is_int(pace_backlog(&p, 4), 0, "none waits before the first");
	}
}

/* 1,000 a second, each answered in a millisecond, for nine seconds; then nobody answers for one. */
static void check_stall(void)
{
	static struct gauge g;
	struct pace p = {.rate = 1000};
	const int64_t ms = 1000000, stall_ns = 9000 * ms, end_ns = 10000 * ms - 1;
	int64_t due_ns;
	while (pace_take(&p, stall_ns - 1, &due_ns))
		histogram_add(&g.call, ms);
	while (pace_take(&p, end_ns, &due_ns))
		gauge_unanswered(&g, due_ns, end_ns);
	is_uint(g.unanswered, 1000U, "a second's calls are unanswered");
	is_uint(g.call.n, 10000U, "and counted as all others");
	ok(llabs(histogram_at(&g.call, 0.5) - ms) < ms / 100, "the middle knows of no stall");
	ok(llabs(histogram_at(&g.call, 0.95) - 500 * ms) < 5 * ms,
		"one in twenty was held up by half of it or more: %lld ns",
		(long long)histogram_at(&g.call, 0.95));
}

static void check_gaps(void)
{
	static struct gauge g;
	int64_t last_ns = 0;
	gauge_token(&g, 1, 1, &last_ns);
	ok(last_ns > 0 && g.tokens == 0, "before the beginning a token is remembered, not counted");
	g.is_on = true;
	gauge_token(&g, 1, 1, &last_ns);
	last_ns = 0; /* another call */
	gauge_token(&g, 1, 1, &last_ns);
	is_uint(g.tokens, 2U, "two were counted");
	ok(g.token_gap.n == 1 && g.first_token.n == 1, "one after another, and one the first");
}

static void check_stamps(void)
{
	char text[3 * BENCH_STAMP_BYTES + 32] = "data: \"";
	const int64_t times[] = {0, 1234567890123, INT64_C(999999999999999999)};
	size_t n = strlen(text);
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		bench_stamp(text + n, times[i]);
		n += BENCH_STAMP_BYTES;
		text[n++] = ' ';
	}
	for (size_t piece = 1; piece <= n; piece++) {
		struct bench_reader reader = {0};
		size_t seen = 0, right = 0;
		for (size_t at = 0; at < n; at += piece) {
			struct span in = span_first(span_of(text + at, n - at), piece);
			int64_t ns;
			while (bench_next_stamp(&reader, &in, &ns)) {
				right += seen < COUNT_OF(times) && ns == times[seen];
				seen++;
			}
		}
		ok(seen == COUNT_OF(times) && right == seen,
			"stamps in pieces of %zu: %zu seen, %zu right", piece, seen, right);
	}
}

static void check_prompt(void)
{
	static const size_t sizes[] = {0, 1, 69, 70, 71, 1024};
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(4096);
		bench_prompt(&b, sizes[i]);
		is_uint(b.n, sizes[i], "a prompt of %zu bytes", sizes[i]);
		ok(!memchr(b.n ? b.p : "", '@', b.n), "it looks like no stamp");
	}
}

int main(void)
{
	check_histogram();
	check_pace();
	check_stall();
	check_gaps();
	check_stamps();
	check_prompt();
	return tap_done();
}
