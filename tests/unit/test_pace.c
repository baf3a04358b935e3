/* test_pace.c - what is taken for quick, and for how long. */
#include "brokerd/route/pace.h"

#include <string.h>

#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)

static struct pace of(const int64_t *took_us, size_t n, int64_t now_us)
{
	struct pace p = {.n = 0};
	for (size_t i = 0; i < n; i++)
		pace_add(&p, took_us[i], now_us);
	return p;
}

static void test_peak(void)
{
	struct pace p = {.n = 0};
	is_int(pace_first_us(&p, 5), -1, "nothing is known of what never came");
	pace_add(&p, 2 * SECOND_US, 0);
	is_int(pace_first_us(&p, 0), 2 * SECOND_US, "the first one is what is known");
	is_int(pace_first_us(&p, HOUR_US), 2 * SECOND_US, "an hour later too");
	pace_add(&p, 10 * SECOND_US, 0);
	is_int(pace_first_us(&p, 0), 10 * SECOND_US, "a worse one counts at once");
	pace_add(&p, 2 * SECOND_US, 0);
	is_int(pace_first_us(&p, 0), 10 * SECOND_US, "a better one at the same time does not");
	pace_add(&p, 2 * SECOND_US, PACE_HALF_US);
	is_int(pace_first_us(&p, PACE_HALF_US), 6 * SECOND_US,
		"half of it does, seven seconds later");
	pace_add(&p, SECOND_US, INT64_C(40) * PACE_HALF_US);
	is_int(pace_first_us(&p, INT64_C(40) * PACE_HALF_US), SECOND_US, "all of it long after");

	/* e ^ -1 is left after ten seconds, e ^ -3 after thirty */
	p = of((int64_t[]){0, 0, 1000000}, 3, 0);
	const int64_t at_10_us = pace_first_us(&p, 10 * SECOND_US),
		      at_30_us = pace_first_us(&p, 30 * SECOND_US);
	ok(at_10_us > 347000 && at_10_us < 391000, "ten seconds leave %d of a million",
		(int)at_10_us);
	ok(at_30_us > 46000 && at_30_us < 53000, "thirty leave %d", (int)at_30_us);
}

static void test_idle(void)
{
	struct pace p =
		of((int64_t[]){3 * SECOND_US, SECOND_US, 2 * SECOND_US, 60 * SECOND_US}, 4, 0);
	int64_t before_us = pace_first_us(&p, 0);
	is_int(before_us, 60 * SECOND_US, "one slow answer counts");
	bool is_falling = true;
	for (int64_t t = SECOND_US; t < 300 * SECOND_US; t += SECOND_US) {
		const int64_t now_us = pace_first_us(&p, t);
		is_falling = is_falling && now_us <= before_us;
		before_us = now_us;
	}
	ok(is_falling, "with nobody asking it fades, never to rise");
	is_int(before_us, 2 * SECOND_US, "down to what was usual");
	is_int(pace_first_us(&p, 2 * HOUR_US), 2 * SECOND_US, "which is known when all is too old");
	is_int(pace_p95_us(&p, 1, 2 * HOUR_US), -1, "to say more");
	is_int(pace_first_us(&p, INT64_MAX), 2 * SECOND_US, "at the end of time too");

	p = of((int64_t[]){0, SECOND_US}, 2, 100);
	is_int(pace_first_us(&p, 50), SECOND_US, "a clock that went back changes nothing");

	p = of((int64_t[]){2 * SECOND_US, 2 * SECOND_US}, 2, 0);
	pace_add(&p, SECOND_US, HOUR_US);
	is_int(pace_first_us(&p, HOUR_US + 30 * SECOND_US), SECOND_US,
		"and what is quicker than usual is not taken for slower");
}

static void test_p95(void)
{
	struct pace p = {.n = 0};
	is_int(pace_p95_us(&p, 0, 0), -1, "of none there is none");
	for (int64_t i = 1; i <= 19; i++)
		pace_add(&p, i, i);
	is_int(pace_p95_us(&p, 20, 19), -1, "nineteen are fewer than twenty");
	pace_add(&p, 20, 20);
	is_int(pace_p95_us(&p, 20, 20), 19, "19 of 20 came within 19");
	for (int64_t i = 21; i <= 100; i++)
		pace_add(&p, i, i);
	is_int(pace_p95_us(&p, 20, 100), 36 + 61, "61 of the last 64 within the 61st of them");
	is_int(pace_p95_us(&p, 20, 40 + PACE_LATE_US), 97,
		"what is older than an hour does not count");
	is_int(pace_p95_us(&p, 20, 80 + PACE_LATE_US), 99, "down to twenty-one");
	is_int(pace_p95_us(&p, 20, 82 + PACE_LATE_US), -1, "and nineteen say nothing");
	pace_add(&p, 7, 82 + PACE_LATE_US);
	is_int(pace_p95_us(&p, 20, 82 + PACE_LATE_US), 99, "till there is one more");

	p = of((int64_t[]){-5, INT64_MAX}, 2, 0);
	is_int(pace_p95_us(&p, 1, 0), UINT32_MAX, "what takes for ever takes an hour and more");
}

/* Against all of them, sorted by picking the least each time. */
static void test_any(void)
{
	static int64_t at_us[3000], took_us[3000];
	uint64_t state = 7;
	struct pace p = {.n = 0};
	int n_bad = 0;
	int64_t now_us = 0;
	for (size_t i = 0; i < 3000; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		now_us += (int64_t)((state >> 33) % (i % 500 < 400 ? 100 : 600)) * SECOND_US;
		took_us[i] = (int64_t)(state >> 40) % (i % 3 ? 50 : 5000000);
		at_us[i] = now_us;
		pace_add(&p, took_us[i], now_us);
		bool is_taken[PACE_SAMPLES] = {false};
		const size_t from = i + 1 > PACE_SAMPLES ? i + 1 - PACE_SAMPLES : 0;
		size_t n = 0, best = 0;
		for (size_t k = from; k <= i; k++)
			n += at_us[k] >= now_us - PACE_LATE_US;
		for (size_t r = 0; r < (n * 95 + 99) / 100; r++) {
			bool is_found = false;
			for (size_t k = from; k <= i; k++) {
				if (is_taken[k - from] || at_us[k] < now_us - PACE_LATE_US ||
					(is_found && took_us[k] >= took_us[best]))
					continue;
				best = k;
				is_found = true;
			}
			is_taken[best - from] = true;
		}
		n_bad += pace_p95_us(&p, 1, now_us) != took_us[best];
	}
	is_int(n_bad, 0, "as sorting all of them has it");
}

int main(void)
{
	test_peak();
	test_idle();
	test_p95();
	test_any();
	return tap_done();
}
