/* test_fit.c - estimates that get better with what is reported. */
#include "brokerd/limit/fit.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "protocol/base/json.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define HOST  SPAN("host")
#define MODEL SPAN("model")

static void is_said(struct buf *got, const char *want, const char *name)
{
	buf_byte(got, '\0');
	is_str(got->p, want, "%s", name);
}

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
	is_int(fit_tokens(f, HOST, MODEL, 1000), 1500, "one call teaches");
	is_int(fit_tokens(f, HOST, MODEL, 100), 150, "of other sizes too");
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
	{"a coarser one",          0.8,  0,   0.03},
	{"and a system prompt",    1.1,  340, 0.4 }, /* which the shortest are nearly nothing beside */
	{"much is not text",       3.9,  12,  0.05},
	{"hardly anything counts", 0.2,  3,   0.2 },
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
	is_int(fit_tokens(f, HOST, MODEL, 1000), 1200, "it has learnt");
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
	is_int(fit_tokens(f, HOST, MODEL, 100), 300, "the one in use stays");
	is_int(fit_tokens(f, HOST, SPAN("m0"), 100), 100, "the oldest is forgotten");
	is_int(fit_tokens(f, HOST, SPAN("m1033"), 100), 200, "the newest is there");
	char longest[1000];
	memset(longest, 'x', sizeof longest);
	fit_learn(f, span_of(longest, sizeof longest), span_of(longest, sizeof longest), 100, 200);
	is_int(fit_tokens(f, span_of(longest, sizeof longest), MODEL, 100), 200,
		"a name of any length has a place");
	OWNED(buf_done) struct buf out = BUF_INIT(MIB);
	fit_json(f, &out);
	struct json v;
	ok(json_scan(buf_view(&out), JSON_STRICT, &v, NULL) == OK, "all of them are JSON");
	fit_free(f);
}

static void learn_some(struct fit *f)
{
	for (int i = 0; i < 10; i++)
		fit_learn(f, SPAN("b"), SPAN("x/y"), 1000, 2000);
	fit_learn(f, SPAN("a"), SPAN("z"), 100, 100);
}

static void test_json(void)
{
	struct fit *f = fit_new(), *again = fit_new();
	OWNED(buf_done) struct buf out = BUF_INIT(MIB), same = BUF_INIT(MIB);
	fit_json(f, &out);
	is_said(&out, "{\"estimates\":[]}", "nothing is known");
	buf_clear(&out);
	learn_some(f);
	fit_json(f, &out);
	/* the first of ten was half of it, the others exact */
	is_said(&out,
		"{\"estimates\":[{\"provider\":\"a\",\"model\":\"z\",\"n\":1,\"ratio\":1,"
		"\"mean_error\":0,\"p50_error\":0.001,\"p95_error\":0.001},"
		"{\"provider\":\"b\",\"model\":\"x/y\",\"n\":10,\"ratio\":2,\"mean_error\":-0.05,"
		"\"p50_error\":0.001,\"p95_error\":0.5394}]}",
		"by name, with their errors");
	learn_some(again);
	fit_json(again, &same);
	is_said(&same, out.p, "the same calls again teach the same");
	fit_free(f);
	fit_free(again);
}

int main(void)
{
	test_unknown();
	test_ways();
	test_outliers();
	test_bound();
	test_json();
	return tap_done();
}
