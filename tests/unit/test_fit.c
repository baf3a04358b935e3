/* test_fit.c - estimates that get better with what is reported. */
#include "brokerd/limit/fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define HOST  SPAN("host")
#define MODEL SPAN("model")

static double error_of(int64_t said, int64_t truth)
{
	return fabs((double)said - (double)truth) / (double)truth;
}

static void test_unknown(void)
{
	struct fit *f = fit_new();
	is_int(fit_tokens(f, HOST, MODEL, 1234), 1234, "of an unknown model, the estimate itself");
	fit_learn(f, HOST, MODEL, 0, 100);
	fit_learn(f, HOST, MODEL, 100, 0);
	fit_learn(f, HOST, MODEL, -1, -1);
	is_int(fit_tokens(f, HOST, MODEL, 1234), 1234, "what says nothing teaches nothing");
	fit_learn(f, HOST, MODEL, 1000, 1500);
	is_int(fit_tokens(f, HOST, MODEL, 1000), 1145, "one call teaches a third of it");
	is_int(fit_tokens(f, HOST, MODEL, 100), 114, "of other sizes too");
	for (int i = 0; i < 40; i++)
		fit_learn(f, HOST, MODEL, 1000, 1500);
	is_int(fit_tokens(f, HOST, MODEL, 1000), 1472, "forty nearly all");
	is_int(fit_tokens(f, HOST, MODEL, 0), 0, "nothing is nothing");
	is_int(fit_tokens(f, HOST, MODEL, -1), -1, "not known is not known");
	is_int(fit_tokens(f, HOST, SPAN("other"), 1000), 1000, "not of another model");
	is_int(fit_tokens(f, SPAN("elsewhere"), MODEL, 1000), 1000, "nor of another provider's");
	is_int(fit_tokens(f, HOST, MODEL, INT64_MAX), INT64_MAX, "the largest does not wrap");
	fit_free(f);
	fit_free(NULL);
}

/* Prompts of 20 to 200,000 tokens, in an order of no meaning. */
static int64_t raw_of(int i)
{
	static const int64_t sizes[] = {20, 150, 900, 3000, 12000, 70000, 200000};
	return sizes[(i * 5) % 7] + (i * 37) % 11;
}

/* A model's own way of counting, and what its provider adds to each prompt. */
static const struct {
	const char *name;
	double ratio;
	int64_t added;
	double at_worst; /* in the second half */
} ways[] = {
	{"as estimated",           1,    0,   0.01},
	{"a finer tokenizer",      1.35, 0,   0.03},
	{"a coarser one",          0.8,  0,   0.05},
	{"and a system prompt",    1.1,  340, 0.5 }, /* which the shortest are nearly nothing beside */
	{"much is not text",       3.9,  12,  0.2 },
	{"hardly anything counts", 0.2,  3,   0.25},
};

static void test_ways(void)
{
	for (size_t w = 0; w < COUNT_OF(ways); w++) {
		struct fit *f = fit_new();
		double worst = 0, worst_raw = 0;
		for (int i = 0; i < 400; i++) {
			const int64_t raw = raw_of(i);
			const int64_t truth = llround((double)raw * ways[w].ratio) + ways[w].added;
			const double error = error_of(fit_tokens(f, HOST, MODEL, raw), truth);
			if (i >= 200 && error > worst)
				worst = error;
			if (i >= 200 && error_of(raw, truth) > worst_raw)
				worst_raw = error_of(raw, truth);
			fit_learn(f, HOST, MODEL, raw, truth);
		}
		ok(worst <= ways[w].at_worst, "%s: at worst %.3f off (%.3f as estimated)",
			ways[w].name, worst, worst_raw);
		fit_free(f);
	}
}

static void test_outliers(void)
{
	struct fit *f = fit_new();
	for (int i = 0; i < 100; i++)
		fit_learn(f, HOST, MODEL, 1000, 1200);
	is_int(fit_tokens(f, HOST, MODEL, 1000), 1196, "it has learnt");
	fit_learn(f, HOST, MODEL, 1000, INT64_MAX);
	fit_learn(f, HOST, MODEL, 1000, 1);
	fit_learn(f, HOST, MODEL, 1000, 900000);
	ok(error_of(fit_tokens(f, HOST, MODEL, 1000), 1200) < 0.05,
		"three that are far off do not unteach it: %" PRId64,
		fit_tokens(f, HOST, MODEL, 1000));
	for (int i = 0; i < 200; i++)
		fit_learn(f, HOST, MODEL, 1000, 600);
	ok(error_of(fit_tokens(f, HOST, MODEL, 1000), 600) < 0.02,
		"a model that counts otherwise from now on does: %" PRId64,
		fit_tokens(f, HOST, MODEL, 1000));
	fit_free(f);
}

static void test_bound(void)
{
	struct fit *f = fit_new();
	char name[32];
	for (size_t i = 0; i < FIT_MODELS_MAX + 10; i++) {
		(void)snprintf(name, sizeof name, "m%zu", i);
		fit_learn(f, HOST, span_str(name), 100, 200);
		fit_learn(f, HOST, MODEL, 100, 300); /* heard of all the time */
	}
	is_int(fit_tokens(f, HOST, MODEL, 100), 299, "the one in use stays");
	is_int(fit_tokens(f, HOST, SPAN("m0"), 100), 100, "the oldest is forgotten");
	is_int(fit_tokens(f, HOST, SPAN("m1033"), 100), 126, "the newest is there");
	char longest[1000];
	memset(longest, 'x', sizeof longest);
	fit_learn(f, span_of(longest, sizeof longest), span_of(longest, sizeof longest), 100, 200);
	is_int(fit_tokens(f, span_of(longest, sizeof longest), MODEL, 100), 126,
		"a name of any length has a place");
	fit_free(f);
}

int main(void)
{
	test_unknown();
	test_ways();
	test_outliers();
	test_bound();
	return tap_done();
}
