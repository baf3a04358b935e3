/* test_price.c - what tokens cost: values worked out by hand. */
#include "brokerd/ledger/price.h"

#include <inttypes.h>

#include "tests/lib/tap.h"

/* input, output, cache read, 5m, 1h, reasoning, audio in, out, image in, out */
#define PRICE(...)          \
	{                   \
		__VA_ARGS__ \
	}
/* USD 0.15 in, 0.60 out, 0.075 cached */
#define MINI PRICE(150000000, 600000000, 75000000, -1, -1, -1, -1, -1, -1, -1)
/* USD 3 in, 15 out, 0.30 cached, 3.75 and 6 for writes */
#define SONNET  PRICE(3000000000, 15000000000, 300000000, 3750000000, 6000000000, -1, -1, -1, -1, -1)
#define FREE    PRICE(0, 0, -1, -1, -1, -1, -1, -1, -1, -1)
#define TINY    PRICE(1, 1, -1, -1, -1, -1, -1, -1, -1, -1)
#define NOTHING PRICE(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1)
#define LARGEST                                                                            \
	PRICE(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, \
		INT64_MAX, INT64_MAX, INT64_MAX)
/* tokens, in the order of struct llm_usage; costs are not asked */
#define TOKENS(...) PRICE(__VA_ARGS__, -1, -1)
#define NONE        TOKENS(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)

/* clang-format off */
static const struct {
	const char *name;
	struct price price;
	struct llm_usage usage;
	int64_t want;
} prices[] = {
	/* input, read, 5m, 1h, write, output, reasoning, audio in, out, image in, out */
	{"a million in", MINI, TOKENS(1000000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1), 150000000},
	{"a million out", MINI, TOKENS(-1, -1, -1, -1, -1, 1000000, -1, -1, -1, -1, -1),
		600000000},
	{"one token in", MINI, TOKENS(1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1), 150},
	{"one token of each", MINI, TOKENS(1, -1, -1, -1, -1, 1, -1, -1, -1, -1, -1), 750},
	/* 1234 * 150 + 567 * 600 = 185100 + 340200 */
	{"a small talk", MINI, TOKENS(1234, -1, -1, -1, -1, 567, -1, -1, -1, -1, -1), 525300},
	/* 200 * 150 + 1024 * 75 + 50 * 600 = 30000 + 76800 + 30000 */
	{"cached input is cheaper", MINI, TOKENS(200, 1024, -1, -1, -1, 50, -1, -1, -1, -1, -1),
		136800},
	/* reasoning has no price of its own: 300 * 600 */
	{"reasoning is output", MINI, TOKENS(0, -1, -1, -1, -1, 0, 300, -1, -1, -1, -1), 180000},
	/* (10 + 10) * 150 + (10 + 10) * 600 */
	{"audio and image fall back too", MINI,
		TOKENS(-1, -1, -1, -1, -1, -1, -1, 10, 10, 10, 10), 15000},
	/* (5 + 7 + 9) * 150 */
	{"so do writes", MINI, TOKENS(-1, -1, 5, 7, 9, -1, -1, -1, -1, -1, -1), 3150},
	/* 3 * 3000 + 10000 * 300 + 2000 * 3750 + 1000 * 6000 + 500 * 15000
	 * = 9000 + 3000000 + 7500000 + 6000000 + 7500000 */
	{"writes by lifetime", SONNET, TOKENS(3, 10000, 2000, 1000, -1, 500, -1, -1, -1, -1, -1),
		24009000},
	{"a write of no said lifetime is the short one", SONNET,
		TOKENS(0, -1, -1, -1, 1000, -1, -1, -1, -1, -1, -1), 3750000},
	{"a long write without a price takes the short one's",
		PRICE(1, 1, 1, 5000000, -1, -1, -1, -1, -1, -1),
		TOKENS(-1, -1, -1, 1, -1, -1, -1, -1, -1, -1, -1), 5},
	{"every class at its own price",
		PRICE(1000000, 2000000, 3000000, 4000000, 5000000, 6000000, 7000000, 8000000, 9000000,
			10000000),
		/* 1 + 3 + 4 + 5 + 4 + 2 + 6 + 7 + 8 + 9 + 10 */
		TOKENS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 59},

	{"nothing counted", MINI, NONE, -1},
	{"nothing counted, nothing priced", NOTHING, NONE, -1},
	{"zero is counted", MINI, TOKENS(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0},
	{"zero needs no price", NOTHING, TOKENS(0, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1), 0},
	{"one without a price", NOTHING, TOKENS(1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1), -1},
	{"output without a price", PRICE(1, -1, 1, 1, 1, -1, 1, 1, -1, 1),
		TOKENS(1, -1, -1, -1, -1, 1, -1, -1, -1, -1, -1), -1},
	{"free", FREE,
		TOKENS(5000, 10, 10, 10, 10, 5000, 10, 10, 10, 10, 10), 0},

	{"just under half is dropped", TINY,
		TOKENS(499999, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1), 0},
	{"half is one", TINY,
		TOKENS(500000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1), 1},
	{"halves are added before they are rounded", TINY,
		TOKENS(250000, -1, -1, -1, -1, 250000, -1, -1, -1, -1, -1), 1},
	{"the largest price of a million", PRICE(INT64_MAX, 0, -1, -1, -1, -1, -1, -1, -1, -1),
		TOKENS(1000000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1), INT64_MAX},
	{"one more does not wrap", PRICE(INT64_MAX, 1, -1, -1, -1, -1, -1, -1, -1, -1),
		TOKENS(1000000, -1, -1, -1, -1, 500000, -1, -1, -1, -1, -1), INT64_MAX},
	{"everything at its largest",
		LARGEST,
		TOKENS(INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
			INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX),
		INT64_MAX},
};

static const struct {
	const char *name;
	struct price price;
	int64_t input, output, want;
} bounds[] = {
	/* 1000 * 150 + 100 * 600 */
	{"input and output", MINI, 1000, 100, 210000},
	/* 1000 * 6000 + 100 * 15000 */
	{"the dearest is the long write", SONNET, 1000, 100, 7500000},
	{"dear audio counts", PRICE(1000000, 2000000, -1, -1, -1, 3000000, 4000000, 9000000, 5000000, -1),
		10, 10, 140},
	{"nothing costs nothing", MINI, 0, 0, 0},
	{"nothing needs no price", NOTHING, 0, 0, 0},
	{"no input price", PRICE(-1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 1, 1, -1},
	{"no output price", PRICE(1, -1, 1, 1, 1, 1, 1, 1, 1, 1), 1, 1, -1},
	{"no output price, none wanted", PRICE(1000000, -1, -1, -1, -1, -1, -1, -1, -1, -1), 7, 0, 7},
	{"no output known", MINI, 1, -1, -1},
	{"no input known", MINI, -1, 1, -1},
	{"the largest", PRICE(INT64_MAX, INT64_MAX, -1, -1, -1, -1, -1, -1, -1, -1), INT64_MAX,
		INT64_MAX, INT64_MAX},
};

/* USD 10 per million where nothing is known */
#define TEN INT64_C(10000000000)
static const struct {
	const char *name;
	struct price price;
	struct llm_usage usage;
	int64_t unknown, want;
} pessimists[] = {
	{"what is known is not touched", MINI, TOKENS(1234, -1, -1, -1, -1, 567, -1, -1, -1, -1, -1), TEN, 525300},
	{"nothing is known", NOTHING, TOKENS(100, 10, 1, -1, -1, 50, 5, -1, -1, -1, -1), TEN, 1660000},
	{"the output's is not", PRICE(1000000, -1, -1, -1, -1, -1, -1, -1, -1, -1),
		TOKENS(1, -1, -1, -1, -1, 1, 1, -1, -1, 1, 1), TEN, 30002},
	{"a class of its own keeps its price", PRICE(-1, -1, 1000000, -1, -1, -1, -1, -1, -1, -1),
		TOKENS(1, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1), TEN, 10001},
	{"free is known", FREE, TOKENS(9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9), TEN, 0},
	{"no pessimist", NOTHING, TOKENS(1, -1, -1, -1, -1, 1, -1, -1, -1, -1, -1), -1, -1},
	{"nothing counted", MINI, NONE, TEN, -1},
	{"what it may be", NOTHING, NONE, 0, -1},
};

static const struct {
	const char *name;
	struct price price;
	int64_t input, output, unknown, want;
} pessimist_bounds[] = {
	{"known", SONNET, 1000, 100, TEN, 7500000},
	{"not known", NOTHING, 1000, 100, TEN, 11000000},
	{"output not known", PRICE(1000000, -1, -1, -1, -1, -1, -1, -1, -1, -1), 1000, 100, TEN, 1001000},
	{"a dear class beside", PRICE(-1, -1, -1, -1, 20000000000, -1, -1, -1, -1, -1), 1, 0, TEN, 20000},
	{"no pessimist", NOTHING, 1, 1, -1, -1},
	{"a count is not known", NOTHING, -1, 1, TEN, -1},
};

static const struct {
	const char *name;
	struct price price;
	struct llm_usage usage;
	bool is_known;
	int64_t want;
} prompts[] = {
	/* input, read, 5m, 1h, write, output, ... */
	{"what is read", SONNET, TOKENS(5, 10000, -1, -1, -1, 7, -1, -1, -1, -1, -1), true, 27000000},
	{"what is written", SONNET, TOKENS(5, -1, 2000, -1, -1, 7, -1, -1, -1, -1, -1), true, -1500000},
	{"for an hour", SONNET, TOKENS(5, 0, -1, 1000, -1, 7, -1, -1, -1, -1, -1), true, -3000000},
	{"for nobody knows how long", SONNET, TOKENS(5, -1, -1, -1, 1000, 7, -1, -1, -1, -1, -1), true, -750000},
	/* 27000000 - 1500000 - 3000000 - 750000 */
	{"one less the other", SONNET, TOKENS(5, 10000, 2000, 1000, 1000, 7, -1, -1, -1, -1, -1), true, 21750000},
	{"no price of its own is that of input", MINI, TOKENS(5, -1, 2000, 3, 4, 7, -1, -1, -1, -1, -1), true, 0},
	{"and reading without one saves nothing", TINY, TOKENS(5, 9000000, -1, -1, -1, 7, -1, -1, -1, -1, -1), true, 0},
	{"nothing was kept", SONNET, TOKENS(5, 0, 0, 0, 0, 7, -1, -1, -1, -1, -1), true, 0},
	{"nothing is known of it", SONNET, TOKENS(5, -1, -1, -1, -1, 7, -1, -1, -1, -1, -1), false, 0},
	{"no price of input", NOTHING, TOKENS(5, 1, -1, -1, -1, 7, -1, -1, -1, -1, -1), false, 0},
	{"nor is one needed for nothing", NOTHING, TOKENS(5, 0, -1, -1, -1, 7, -1, -1, -1, -1, -1), true, 0},
	{"half is one", PRICE(1, 0, 0, -1, -1, -1, -1, -1, -1, -1), TOKENS(0, 500000, -1, -1, -1, 0, -1, -1, -1, -1, -1), true, 1},
	{"so it is below 0", PRICE(0, 0, 1, -1, -1, -1, -1, -1, -1, -1), TOKENS(0, 500000, -1, -1, -1, 0, -1, -1, -1, -1, -1), true, -1},
	{"the most", PRICE(INT64_MAX, 0, 0, 0, 0, -1, -1, -1, -1, -1),
		TOKENS(0, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 0, -1, -1, -1, -1, -1), true, INT64_MAX},
	{"the least", PRICE(0, 0, INT64_MAX, INT64_MAX, INT64_MAX, -1, -1, -1, -1, -1),
		TOKENS(0, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 0, -1, -1, -1, -1, -1), true, -INT64_MAX},
};

static const struct {
	int64_t ours, theirs;
	bool want;
} drifts[] = {
	{1000000, 1000000, false},
	{1005000, 1000000, false},
	{1005001, 1000000, true},
	{995000, 1000000, false},
	{994999, 1000000, true},
	{0, 1000000, true},
	{1000000, 0, true},
	{0, 0, false},
	{-1, 1000000, false},
	{1000000, -1, false},
	{10, 20, false}, /* not told so finely */
	{1000, 2000, false},
	{1000, 2001, true},
	{INT64_MAX, 1, true},
	{INT64_MAX, INT64_MAX, false},
};
/* clang-format on */

static void test_paid(void)
{
	struct llm_usage u = USAGE_UNKNOWN;
	is_int(price_paid_nusd(&u), -1, "nobody knows what was paid");
	u.cost_nusd = 7;
	is_int(price_paid_nusd(&u), 7, "by our prices");
	u.provider_cost_nusd = 0;
	is_int(price_paid_nusd(&u), 0, "the provider's word goes before, also that it is free");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(pessimists); i++)
		is_int(price_pessimistic_nusd(
			       &pessimists[i].price, &pessimists[i].usage, pessimists[i].unknown),
			pessimists[i].want, "pessimist: %s", pessimists[i].name);
	for (size_t i = 0; i < COUNT_OF(pessimist_bounds); i++)
		is_int(price_pessimistic_bound_nusd(&pessimist_bounds[i].price,
			       pessimist_bounds[i].input, pessimist_bounds[i].output,
			       pessimist_bounds[i].unknown),
			pessimist_bounds[i].want, "pessimist's bound: %s",
			pessimist_bounds[i].name);
	for (size_t i = 0; i < COUNT_OF(drifts); i++)
		ok(price_drifts(drifts[i].ours, drifts[i].theirs) == drifts[i].want,
			"%" PRId64 " against %" PRId64, drifts[i].ours, drifts[i].theirs);
	test_paid();
	for (size_t i = 0; i < COUNT_OF(prompts); i++) {
		int64_t saved = 0;
		ok(price_prompt_saved_nusd(&prompts[i].price, &prompts[i].usage, &saved) ==
				prompts[i].is_known,
			"saved: %s: is it known", prompts[i].name);
		if (prompts[i].is_known)
			is_int(saved, prompts[i].want, "saved: %s", prompts[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(prices); i++)
		is_int(price_nusd(&prices[i].price, &prices[i].usage), prices[i].want, "%s",
			prices[i].name);
	for (size_t i = 0; i < COUNT_OF(bounds); i++)
		is_int(price_bound_nusd(&bounds[i].price, bounds[i].input, bounds[i].output),
			bounds[i].want, "bound: %s", bounds[i].name);
	return tap_done();
}
