/* test_known.c - is what is remembered of a model what would be found of it? */
#include "brokerd/config/known.h"

#include <stdio.h>
#include <stdlib.h>

#include "brokerd/route/route.h"
#include "tests/lib/tap.h"

#define ROUNDS 1500

/* One price changes on a day; the second catalogue has others. */
static const char *const catalogues[] = {"openai/mm kind=chat context=100 max_output=10 in=text "
					 "out=text params=tools price_input=1 price_output=2\n"
					 "openai/mm from=2026-06-01 price_input=3 price_output=4\n",
	"openai/mm kind=chat context=777 max_output=10 in=text,image out=text price_input=9 "
	"price_output=9\n"};
#define FIRST_DAY INT64_C(20600) /* some days before that one */

static const char text[] = "[model \"al\"]\n"
			   "target = openai/gpt-4o-mini\n"
			   "target = openai/mm\n"
			   "context = 5000\n"
			   "[model \"openai/zz*\"]\n"
			   "context = 4321\n";

static struct config *parsed(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "t.conf", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

static struct catalogue *made(const char *of)
{
	struct fault why = FAULT_NONE;
	struct catalogue *c = NULL;
	if (catalogue_new(span_str(of), &c, &why))
		bail("%s", why.message);
	return c;
}

static bool is_same(const struct target *a, const struct target *b)
{
	return a->price.input == b->price.input && a->price.output == b->price.output &&
	       a->context_tokens == b->context_tokens &&
	       a->max_output_tokens == b->max_output_tokens && a->lacks == b->lacks &&
	       a->poor == b->poor && span_eq(a->provider, b->provider) &&
	       span_eq(a->model, b->model) && span_eq(a->family, b->family) &&
	       span_eq(a->path, b->path) && a->quirks.reasons == b->quirks.reasons;
}

/* Names enough to be in each other's places, and some that are as long as one may be, or longer. */
static size_t make_names(char to[][128])
{
	static const char *const first[] = {"mm", "gpt-4o-mini", "zz1", "o3", "", "x"};
	size_t n = 0;
	for (; n < COUNT_OF(first); n++)
		snprintf(to[n], 128, "%s", first[n]);
	for (size_t length = 94; length < 99; length++, n++) {
		memset(to[n], 'm', length);
		to[n][length] = '\0';
	}
	for (int i = 0; i < 60; i++, n++)
		snprintf(to[n], 128, "model-%d", i);
	return n;
}

/* A configuration that goes on, against one that is asked for the first time. */
static void test_the_same(void)
{
	static const char *const providers[] = {"openai", "anthropic", "groq"};
	static char names[100][128];
	const size_t n = make_names(names);
	struct config *old = parsed();
	struct catalogue *all[COUNT_OF(catalogues)];
	struct catalogue *now = NULL;
	unsigned seed = 1;
	size_t wrong = 0, found = 0, strange = 0;
	for (size_t i = 0; i < COUNT_OF(all); i++)
		all[i] = made(catalogues[i]);
	for (int i = 0; i < ROUNDS; i++) {
		const int what = rand_r(&seed) % 40;
		if (what == 0) {
			const int which = rand_r(&seed) % 3;
			now = which == 2 ? NULL : all[which];
			config_set_catalogue(old, now);
		}
		const int64_t day = FIRST_DAY + rand_r(&seed) % 10;
		for (size_t k = 0; what == 1 && k < COUNT_OF(all); k++)
			catalogue_set_day(all[k], day);
		/* as a call has them: the name is gone when it is over */
		char *own = strdup(names[(size_t)rand_r(&seed) % (what < 30 ? 11 : n)]);
		if (!own)
			bail("no memory");
		const struct span provider =
			span_str(providers[(size_t)rand_r(&seed) % COUNT_OF(providers)]);
		struct target kept = {0}, anew = {0};
		const bool is_there = route_facts(old, provider, span_str(own), &kept);
		struct config *young = parsed();
		config_set_catalogue(young, now);
		const bool should_be = route_facts(young, provider, span_str(own), &anew);
		wrong += is_there != should_be || (is_there && !is_same(&kept, &anew));
		strange += is_there && kept.model.p != own;
		found += is_there;
		config_unref(young);
		free(own);
	}
	ok(found > ROUNDS / 2, "models are found: %zu", found);
	is_uint(wrong, 0, "each time what one finds that was never asked before");
	is_uint(strange, 0, "under the name of who asks, and no former one's");
	config_unref(old);
	for (size_t i = 0; i < COUNT_OF(all); i++)
		catalogue_unref(all[i]);
}

static void test_forgetting(void)
{
	struct config *c = parsed();
	struct catalogue *one = made(catalogues[0]);
	const struct provider *p = config_provider(c, SPAN("openai"));
	struct target t = {0};
	config_set_catalogue(c, one);
	ok(!known_find(c, p, SPAN("mm"), NULL, &t), "at first nothing is known");
	ok(route_facts(c, SPAN("openai"), SPAN("mm"), &t), "it is asked for");
	ok(known_find(c, p, SPAN("mm"), NULL, &t), "then it is");
	ok(!known_find(c, p, SPAN("mm"), config_model(c, SPAN("al")), &t),
		"but not under an alias");
	catalogue_set_day(one, catalogue_day(one) + 1);
	ok(!known_find(c, p, SPAN("mm"), NULL, &t), "nor on another day");
	ok(route_facts(c, SPAN("openai"), SPAN("mm"), &t) && known_find(c, p, SPAN("mm"), NULL, &t),
		"where it is found anew");
	config_set_catalogue(c, one);
	ok(!known_find(c, p, SPAN("mm"), NULL, &t), "a catalogue that is set makes it forget");
	config_unref(c);
	catalogue_unref(one);
}

int main(void)
{
	test_the_same();
	test_forgetting();
	return tap_done();
}
