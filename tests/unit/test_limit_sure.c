/* test_limit_sure.c - before when can something certainly not be had, and who else is after the same? */
#include "brokerd/limit/limiter.h"

#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define NOON_US   (INT64_C(1795953600) * SECOND_US) /* 2026-11-29 12:00 UTC */

static const struct limit_subject one = {
	.app = {"editor", 6},
          .provider = {"openai", 6},
          .key = {"",       0},
          .model = {"m",      1}
};
static const struct limit_subject other = {
	.app = {"editor", 6},
          .provider = {"openai", 6},
          .key = {"",       0},
          .model = {"n",      1}
};

static struct limit_now at(int64_t us)
{
	return (struct limit_now){DAY_US + us, NOON_US + us, DAY_US + us};
}

static struct limiter *limiter(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "test", &why);
	struct limiter *l = limiter_new();
	const struct limit_now now = at(0);
	if (!c)
		bail("%s", why.message);
	limiter_configure(l, c, &now);
	config_unref(c);
	return l;
}

/* From the beginning, in seconds; rounded up. */
static int64_t sure_s(
	struct limiter *l, int64_t input, int64_t output, size_t calls_before, int64_t us)
{
	const struct limit_need need = {input, output, 0};
	const struct limit_now now = at(us);
	const int64_t sure_us = limiter_sure_us(l, &one, &need, calls_before, &now);
	return (sure_us - at(0).mono_us + SECOND_US - 1) / SECOND_US;
}

static void take(struct limiter *l, int64_t output, struct limit_hold *h)
{
	const struct limit_need need = {0, output, 0};
	const struct limit_now now = at(0);
	struct limit_answer a;
	*h = (struct limit_hold){.n = 0};
	limiter_take(l, &one, &need, &now, h, &a);
	is_int(a.verdict, LIMIT_HELD, "%lld tokens are held", (long long)output);
	ok(!a.lacks, "nothing is lacking");
}

static void test_tokens(void)
{
	struct limiter *l = limiter("[limit \"t\"]\ntokens = 600/minute\n");
	struct limit_hold h[2];
	struct limit_now now = at(0);
	is_int(sure_s(l, 100, 500, 0, 0), 0, "all of it is there");
	take(l, 300, &h[0]);
	take(l, 300, &h[1]);
	is_int(sure_s(l, 0, 600, 0, 0), 0, "those under way may give all of it back");
	limiter_settle(&h[0], &(struct limit_use){0, 300, 0}, &now);
	is_int(sure_s(l, 0, 300, 0, 0), 0, "one of them may");
	is_int(sure_s(l, 0, 400, 0, 0), 10, "what was used grows back");
	is_int(sure_s(l, 0, 400, 7, 0), 10, "of others nobody knows how many they take");
	is_int(sure_s(l, 0, 400, 0, 4 * SECOND_US), 10, "whenever one asks");
	limiter_settle(&h[1], &(struct limit_use){0, 300, 0}, &now);
	is_int(sure_s(l, 0, 300, 0, 0), 30, "no one can any more");
	limiter_free(l);
}

static void test_requests(void)
{
	struct limiter *l =
		limiter("[limit \"r\"]\nrequests = 6/minute\n[limit \"c\"]\nconcurrency = 1\n");
	struct limit_hold h;
	struct limit_now now = at(0);
	struct rates rates = RATES_UNKNOWN;
	take(l, 10, &h);
	is_int(sure_s(l, 0, 0, 4, 0), 0, "five more may ask, as soon as it is over");
	is_int(sure_s(l, 0, 0, 5, 0), 10, "and a sixth behind those");
	rates.retry_after_ms = 7000;
	limiter_learn(l, &one, &rates, 0, &now);
	is_int(sure_s(l, 0, 0, 0, 0), 7, "not before its provider wants to be asked");
	limiter_release(&h, &now);
	limiter_free(l);
}

/* What one lacks and the other would take of has the same name for both. */
static void test_lacks(void)
{
	struct limiter *l = limiter(
		"[limit \"c\"]\nconcurrency = 1\n[limit \"m\"]\nmodel = m\ntokens = 5/minute\n");
	const struct limit_need need = {0, 1, 0};
	const struct limit_now now = at(0);
	const void *counters[LIMIT_HOLD_MAX];
	struct limit_hold h, none = {.n = 0};
	struct limit_answer a;
	bool has_it = false;
	take(l, 1, &h);
	limiter_take(l, &one, &need, &now, &none, &a);
	is_int(a.verdict, LIMIT_WAIT, "one is under way");
	const size_t n = limiter_counters(l, &other, counters, &now);
	is_uint(n, 2, "the limit of both, and its provider's own");
	for (size_t i = 0; i < n; i++)
		has_it = has_it || counters[i] == a.lacks;
	ok(a.lacks && has_it, "what is lacking is what the other would take of, too");
	limiter_release(&h, &now);
	limiter_free(l);
}

int main(void)
{
	test_tokens();
	test_requests();
	test_lacks();
	return tap_done();
}
