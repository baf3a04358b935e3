/* test_caution.c - after a refusal one asks, then more, and never too many lanes are cared for. */
#include "brokerd/exchange/caution.h"

#include <stdio.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define A SPAN("one/k/m")
#define B SPAN("two/k/m")

static void test_slow_start(void)
{
	static struct cautions c;
	struct caution *out[CAUTION_ENOUGH + 1];
	size_t n = 0, most = 0;
	ok(caution_allows(&c, A, 0) && !caution_begin(&c, A, 0), "nobody was refused");
	caution_refused(&c, A, 0, 5);
	out[n++] = caution_begin(&c, A, 6);
	ok(out[0] && !caution_allows(&c, A, 6), "one goes out, and no other");
	ok(caution_allows(&c, B, 6), "but elsewhere");
	caution_refused(&c, A, 7, 9);
	caution_end(out[--n]);
	ok(caution_allows(&c, A, 9), "it was refused: one again");
	for (int round = 0; round < 7 && most <= CAUTION_ENOUGH; round++) {
		while (n < COUNT_OF(out) && caution_allows(&c, A, 10))
			out[n++] = caution_begin(&c, A, 10);
		is_uint(n, round < 5 ? (size_t)1 << round : n, "twice as many each time");
		most = n;
		while (n > 0)
			caution_served(out[--n]);
	}
	ok(most > CAUTION_ENOUGH - 1, "until they are enough: %zu", most);
	ok(caution_allows(&c, A, 10) && !caution_begin(&c, A, 10), "then there is no caution");
}

static void test_time(void)
{
	static struct cautions c;
	caution_refused(&c, A, 0, 1000);
	struct caution *one = caution_begin(&c, A, 1);
	ok(!caution_allows(&c, A, CAUTION_US + 999), "a refusal is remembered");
	ok(caution_allows(&c, A, CAUTION_US + 1000), "for so long");
	caution_refused(&c, A, CAUTION_US + 1000, 0);
	ok(caution_begin(&c, A, CAUTION_US + 1001) != one, "one still out is no other's");
	caution_end(one);
}

static void test_many(void)
{
	static struct cautions c;
	char name[32];
	for (int i = 0; i < CAUTIONS_MAX + 10; i++) {
		snprintf(name, sizeof name, "lane %d", i);
		caution_refused(&c, span_str(name), 0, 0);
	}
	(void)caution_begin(&c, SPAN("lane 0"), 0);
	ok(!caution_allows(&c, SPAN("lane 0"), 0), "the first are cared for");
	ok(!caution_begin(&c, span_str(name), 0), "the last are not");
	caution_refused(&c, span_str(name), CAUTION_US, 0);
	ok(caution_begin(&c, span_str(name), CAUTION_US) != NULL, "until others are forgotten");
	caution_end(NULL);
	caution_served(NULL);
}

int main(void)
{
	test_slow_start();
	test_time();
	test_many();
	return tap_done();
}
