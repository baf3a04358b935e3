/* test_choose.c - which target first, and why not the others? */
#include "brokerd/route/choose.h"

#include <stdio.h>
#include <stdlib.h>

#include "brokerd/route/route.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define HOST(name) \
	"[provider \"" name "\"]\ndialect = openai-chat\nbase_url = https://" name ".example/v1\n"

static const char sections[] = HOST("one") HOST("two") HOST("three")
	HOST("four") "key_label = a\nkey_label = b model=m\nkey_label = c model=x*\n" HOST(
		"keys") "key_label = a weight=1\nkey_label = b weight=3\nkey_label = "
			"c\n" HOST("free") "auth = none\n"
					   "[model \"one/blind\"]\nimages = no\ntools = "
					   "no\nfile_parts = no\n"
					   "[model \"two/seeing\"]\nimages = yes\ntools = "
					   "yes\naudio_parts = yes\nvideo_parts = yes\n"
					   "file_parts = yes\nreasons = asked\n"
					   "[model \"one/loose\"]\njson_schema = "
					   "no\nreasons = never\n"
					   "[model \"two/strict\"]\njson_schema = "
					   "yes\nreasons = asked\n"
					   "[model \"one/short\"]\ncontext = "
					   "1000\nmax_output = 100\n"
					   "[model \"two/long\"]\ncontext = 2000\n"
					   "[model \"one/cheap\"]\nprice_input = "
					   "1\nprice_output = 2\n"
					   "[model \"two/dear\"]\nprice_input = "
					   "3\nprice_output = 2.50\n"

					   "[model \"three-lines\"]\ntarget = "
					   "one/m\ntarget = two/m\ntarget = three/m\n"
					   "[model \"apps\"]\ntarget = one/m "
					   "app=agent-*,x\ntarget = two/m\n"
					   "[model \"tags\"]\ntarget = one/m "
					   "tag=cheap,dear*\ntarget = two/m\n"
					   "[model \"sizes\"]\ntarget = one/m "
					   "min_input=100 max_input=200\ntarget = two/m "
					   "max_input=99\n"
					   "target = three/m min_input=201\n"
					   "[model \"needs\"]\ntarget = one/m "
					   "needs=images,tools\ntarget = two/m\n"
					   "[model \"budgets\"]\ntarget = one/m "
					   "min_budget=1.50\ntarget = two/m\n"
					   "[model \"prices\"]\nmax_price_input = "
					   "2\nmax_price_output = 4\ntarget = one/cheap\n"
					   "target = two/dear\ntarget = three/m\ntarget = "
					   "free/m\n"
					   "[model \"outputs\"]\nmax_price_output = "
					   "2\ntarget = one/cheap\ntarget = two/dear\n"
					   "[model \"keyed\"]\ntarget = four/x1\ntarget = "
					   "four/m\ntarget = four/y\n"
					   "[model \"unkeyed\"]\ntarget = one/m\ntarget = "
					   "onlym/z\n"
					   "[provider \"onlym\"]\ndialect = "
					   "openai-chat\nbase_url = "
					   "https://m.example\nkey_label = a model=m\n"
					   "[model \"sights\"]\ntarget = one/blind\ntarget "
					   "= two/seeing\ntarget = three/m\n"
					   "fallback_context = one/blind\n"
					   "[model \"blind-only\"]\ntarget = "
					   "one/blind\nfallback_refusal = two/seeing\n"
					   "[model \"schemas\"]\ntarget = "
					   "one/loose\ntarget = two/strict\n"
					   "[model \"loose-only\"]\ntarget = one/loose\n"
					   "[model \"lengths\"]\ntarget = "
					   "one/short\ntarget = two/long\nfallback_context "
					   "= three/m\n"
					   "fallback_context = one/short\n"
					   "[model \"lists\"]\ntarget = one/m\ntarget = "
					   "two/m\nfallback_context = three/m\n"
					   "fallback_context = one/long\nfallback_refusal "
					   "= two/r\n"
					   "[model \"busy\"]\nstrategy = busy\ntarget = "
					   "one/m\ntarget = two/m\ntarget = three/m\n"
					   "[model \"cheapest\"]\nstrategy = "
					   "cheapest\ntarget = one/m\ntarget = "
					   "two/m\ntarget = three/m\n"
					   "[model \"latency\"]\nstrategy = "
					   "latency\ntarget = one/m\ntarget = two/m\n"
					   "[model \"quick\"]\nstrategy = latency\ntarget "
					   "= one/m\ntarget = two/m\ntarget = three/m\n"
					   "target = one/n\n"
					   "[model \"weighted\"]\nstrategy = "
					   "weighted\ntarget = one/m weight=5\ntarget = "
					   "two/m weight=3\n"
					   "target = three/m\ntarget = one/n\n"
					   "[model \"sticky\"]\nstrategy = sticky\ntarget "
					   "= one/m\ntarget = two/m\ntarget = three/m\n"
					   "target = one/n\n"
					   "[model \"sticky-less\"]\nstrategy = "
					   "sticky\ntarget = one/m\ntarget = "
					   "three/m\ntarget = one/n\n"
					   "[model \"sticky-weighted\"]\nstrategy = "
					   "sticky\ntarget = one/m weight=3\ntarget = "
					   "two/m\n"
					   "[model \"sticky-keys\"]\nstrategy = "
					   "sticky\ntarget = keys/m\n";

static struct config *config;

/* "one,two/work": which keys there are. */
static bool key_at(const void *context, struct span provider, size_t i, struct span *label)
{
	struct span names = span_str(context);
	while (names.n > 0) {
		struct span rest = span_cut(&names, ',');
		if (!span_eq(span_cut(&rest, '/'), provider))
			continue;
		*label = span_is_set(rest) ? rest : SPAN("");
		if (i-- == 0)
			return true;
	}
	return false;
}

struct found {
	struct arena arena;
	struct route route;
	struct choose_view views[64];
	struct choice choices[64];
};

static void look(struct found *f, const char *model, const char *fallbacks, const char *keys)
{
	const struct route_keys all = {key_at, keys};
	struct span names[ROUTE_FALLBACKS_MAX], rest = span_str(fallbacks);
	struct fault why = FAULT_NONE;
	size_t n = 0;
	while (rest.n > 0)
		names[n++] = span_cut(&rest, ',');
	arena_init(&f->arena, 16 * MIB);
	if (route_find_op(config, LLM_OP_CHAT, span_str(model), names, n, &all, &f->arena,
		    &f->route, &why))
		bail("%s: %s", model, why.message);
	for (size_t i = 0; i < COUNT_OF(f->views); i++)
		f->views[i] =
			(struct choose_view){.first_us = -1, .nusd = -1, .left_nusd = INT64_MAX};
}

static size_t pick(struct found *f, const struct choose_ask *ask)
{
	return choose(
		config, f->route.alias, ask, f->route.targets, f->views, f->route.n, f->choices);
}

/* "r", "i3", "f200", "c5", "b100", "h": rests, in flight, first content, costs, budget left, holds the prompt; a word for each
 * target. */
static void set_views(struct found *f, const char *said)
{
	struct span rest = span_str(said);
	for (size_t i = 0; rest.n > 0; i++) {
		struct span word = span_cut(&rest, ' ');
		while (word.n > 0) {
			struct span one = span_cut(&word, ',');
			const int64_t v = one.n > 1 ? atoll(one.p + 1) : 0;
			if (one.p[0] == 'r')
				f->views[i].is_resting = true;
			if (one.p[0] == 'i')
				f->views[i].in_flight = (unsigned)v;
			if (one.p[0] == 'f')
				f->views[i].first_us = v;
			if (one.p[0] == 'c')
				f->views[i].nusd = v;
			if (one.p[0] == 'b')
				f->views[i].left_nusd = v;
			if (one.p[0] == 'h')
				f->views[i].holds_prompt = true;
		}
	}
}

static void say_target(struct buf *out, const struct target *t)
{
	buf_print(out, "%s%.*s/%.*s", out->n > 0 ? " " : "", SPAN_ARG(t->provider),
		SPAN_ARG(t->model));
	if (t->key.n > 0)
		buf_print(out, ":%.*s", SPAN_ARG(t->key));
	if (t->list != TARGETS_USUAL)
		buf_text(out, t->list == TARGETS_CONTEXT ? "!c" : "!r");
}

/* ---- one case after another ---- */

#define ALL "one,two,three,keys/a,keys/b,keys/c,four/a,four/b,four/c,onlym/a"
static const struct {
	const char *name, *model, *fallbacks;
	struct choose_ask ask;
	const char *views;
	const char *wants; /* those that are in, then those that are out and why */
	size_t n_usual;
	const char *why; /* of the first that is out */
} rows[] = {
  /* clang-format off */
	{"by priority: as they are written", "three-lines", "", {.seed = 7}, "", "one/m two/m three/m", 3, NULL},
	{"what rests comes last", "three-lines", "", {.seed = 7}, "r - -", "two/m three/m one/m", 3, NULL},
	{"in the same order", "three-lines", "", {.seed = 7}, "r r -", "three/m one/m two/m", 3, NULL},
	{"all may rest", "three-lines", "", {.seed = 7}, "r r r", "one/m two/m three/m", 3, NULL},

	{"an app that fits", "apps", "", {.app = {"agent-7", 7}}, "", "one/m two/m", 2, NULL},
	{"one that does not", "apps", "", {.app = {"agent", 5}}, "", "two/m | one/m 1", 1, "it is for other apps"},
	{"nobody", "apps", "", {.seed = 0}, "", "two/m | one/m 1", 1, "it is for other apps"},
	{"a tag that fits", "tags", "", {.tags = (const struct span[]){{"x", 1}, {"dearest", 7}}, .n_tags = 2}, "",
		"one/m two/m", 2, NULL},
	{"none that does", "tags", "", {.tags = (const struct span[]){{"x", 1}}, .n_tags = 1}, "", "two/m | one/m 2", 1,
		"it is for calls with other tags"},
	{"no tag at all", "tags", "", {.seed = 0}, "", "two/m | one/m 2", 1, NULL},
	{"a short prompt", "sizes", "", {.input_tokens = 99}, "", "two/m | one/m 3 three/m 3", 1,
		"it is for prompts of 100 tokens or more, and this one has about 99"},
	{"one in the middle", "sizes", "", {.input_tokens = 100}, "", "one/m | two/m 3 three/m 3", 1,
		"it is for prompts of 99 tokens or less, and this one has about 100"},
	{"at its end", "sizes", "", {.input_tokens = 200}, "", "one/m | two/m 3 three/m 3", 1, NULL},
	{"a long one", "sizes", "", {.input_tokens = 201}, "", "three/m | one/m 3 two/m 3", 1, NULL},
	{"a need that the line is for", "needs", "", {.needs = CAPABILITY_TOOLS}, "", "one/m two/m", 2, NULL},
	{"another need", "needs", "", {.needs = CAPABILITY_SCHEMA}, "", "two/m | one/m 4", 1,
		"it is for requests that need images or tools"},
	{"enough is left", "budgets", "", {.seed = 0}, "b1500000000 -", "one/m two/m", 2, NULL},
	{"too little is", "budgets", "", {.seed = 0}, "b1499999999 -", "two/m | one/m 5", 1,
		"it is for as long as 1.50 USD are left, and 1.499999999 USD are"},
	{"a ceiling: dearer, unknown, and free where no key is taken", "prices", "", {.seed = 0}, "",
		"one/cheap free/m | two/dear 6 three/m 6", 2, "a million tokens of input cost 3.00 USD, and 2.00 USD is the most"},
	{"a ceiling of the output alone", "outputs", "", {.seed = 0}, "", "one/cheap | two/dear 6", 1,
		"a million tokens of output cost 2.50 USD, and 2.00 USD is the most"},

	{"keys that are for a model", "keyed", "", {.seed = 0}, "", "four/x1:a four/x1:c four/m:a four/m:b four/y:a", 5, NULL},
	{"none is", "unkeyed", "", {.seed = 0}, "", "one/m | onlym/z:a 7", 1, "the key a is not for z"},

	{"who sees", "sights", "", {.needs = CAPABILITY_IMAGES}, "", "two/seeing three/m | one/blind 8 one/blind!c 8", 2,
		"images are not among what it takes"},
	{"who sees and has tools", "sights", "", {.needs = CAPABILITY_IMAGES | CAPABILITY_TOOLS}, "",
		"two/seeing three/m | one/blind 8 one/blind!c 8", 2, "images and tools are not among what it takes"},
	{"nobody but one", "sights", "", {.needs = CAPABILITY_AUDIO}, "", "two/seeing | one/blind 8 three/m 8 one/blind!c 8", 1,
		"audio is not among what it takes"},
	{"files", "sights", "", {.needs = CAPABILITY_FILES}, "", "two/seeing | one/blind 8 three/m 8 one/blind!c 8", 1, NULL},
	{"video", "sights", "", {.needs = CAPABILITY_VIDEO}, "", "two/seeing | one/blind 8 three/m 8 one/blind!c 8", 1, NULL},
	{"nothing is needed", "sights", "", {.needs = 0}, "", "one/blind two/seeing three/m one/blind!c", 3, NULL},
	{"none of the usual ones can", "blind-only", "", {.needs = CAPABILITY_IMAGES}, "", "two/seeing!r | one/blind 8", 0, NULL},
	{"a schema goes where it is taken", "schemas", "", {.needs = CAPABILITY_SCHEMA}, "", "two/strict | one/loose 8", 1,
		"schema is there by a makeshift at best, and elsewhere properly"},
	{"or anywhere, while that rests", "schemas", "", {.needs = CAPABILITY_SCHEMA}, "- r", "one/loose two/strict", 2, NULL},
	{"or is put in words", "loose-only", "", {.needs = CAPABILITY_SCHEMA}, "", "one/loose", 1, NULL},
	{"reasoning too", "schemas", "", {.needs = CAPABILITY_REASONING}, "", "two/strict | one/loose 8", 1, NULL},
	{"is left out else", "loose-only", "", {.needs = CAPABILITY_REASONING}, "", "one/loose", 1, NULL},
	{"who names one model hears from that one", "one/blind", "", {.needs = CAPABILITY_IMAGES, .input_tokens = 1 << 30}, "",
		"one/blind", 1, NULL},
	{"unless there is another", "one/blind", "two/seeing", {.needs = CAPABILITY_IMAGES}, "", "two/seeing | one/blind 8", 1, NULL},

	{"a prompt that fits", "lengths", "", {.input_tokens = 1000, .output_tokens = 100}, "",
		"one/short two/long three/m!c one/short!c", 2, NULL},
	{"one that may fit, as estimates go", "lengths", "", {.input_tokens = 1250, .output_tokens = -1}, "",
		"one/short two/long three/m!c one/short!c", 2, NULL},
	{"one that cannot", "lengths", "", {.input_tokens = 1255, .output_tokens = -1}, "",
		"two/long three/m!c | one/short 9 one/short!c 9", 1,
		"a prompt of about 1255 tokens and an answer of 0 do not fit its context of 1000"},
	{"an answer counts, as far as one can come", "lengths", "", {.input_tokens = 1125, .output_tokens = 5000}, "",
		"one/short three/m!c one/short!c | two/long 9", 1, NULL},
	{"a little more does not", "lengths", "", {.input_tokens = 1130, .output_tokens = 5000}, "",
		"three/m!c | one/short 9 two/long 9 one/short!c 9", 0, NULL},
	{"texts that need not fit together", "lengths", "", {.input_tokens = 9000, .output_tokens = -1, .is_in_pieces = true}, "",
		"one/short two/long three/m!c one/short!c", 2, NULL},
	{"too long for all of them: the list is there", "lengths", "", {.input_tokens = 9000, .output_tokens = -1}, "",
		"three/m!c | one/short 9 two/long 9 one/short!c 9", 0, NULL},

	{"the lists come behind", "lists", "", {.seed = 3}, "", "one/m two/m three/m!c one/long!c two/r!r", 2, NULL},
	{"each with what rests last", "lists", "", {.seed = 3}, "r - r - -", "two/m one/m one/long!c three/m!c two/r!r", 2, NULL},
	{"what a request falls back to comes before them", "lists", "four/y,three/m", {.seed = 3}, "",
		"one/m two/m four/y:a three/m three/m!c one/long!c two/r!r", 4, NULL},
	{"each name in its own way", "four/y", "busy,free/q", {.seed = 3}, "- i3 i1 i2", "four/y:a two/m three/m one/m free/q", 5, NULL},
	{"and what rests behind all", "four/y", "busy,free/q", {.seed = 3}, "r i3 i1,r i2", "three/m one/m free/q four/y:a two/m", 5, NULL},

	{"who holds the prompt does not come before what is written before", "three-lines", "", {.seed = 7}, "- h -",
		"one/m two/m three/m", 3, NULL},
	{"nor one of another list", "lists", "", {.seed = 0}, "- - h h h", "one/m two/m three/m!c one/long!c two/r!r", 2, NULL},
	{"one of another name comes first there, and not before", "four/y", "busy", {.seed = 3}, "- - h",
		"four/y:a two/m one/m three/m", 4, NULL},
	{"not where their order is written", "keyed", "", {.seed = 0}, "- h - - h",
		"four/x1:a four/x1:c four/m:a four/m:b four/y:a", 5, NULL},
	{"the one that holds the prompt, if it is not much busier", "busy", "", {.seed = 0}, "i3 i1 i2,h",
		"three/m two/m one/m", 3, NULL},
	{"but no busier than twice", "busy", "", {.seed = 0}, "i4,h i1 i2", "two/m three/m one/m", 3, NULL},
	{"nor while it rests", "busy", "", {.seed = 0}, "i3 i1 i1,h,r", "two/m one/m three/m", 3, NULL},
	{"it is not dearer for that", "cheapest", "", {.seed = 0}, "c30 c10 c20,h", "two/m three/m one/m", 3, NULL},
	{"of two that cost the same, it comes first", "cheapest", "", {.seed = 0}, "c10 c20 c20,h", "one/m three/m two/m", 3, NULL},
	{"and where no price is known", "cheapest", "", {.seed = 0}, "- - h", "three/m one/m two/m", 3, NULL},
	{"a little slower is soon made up for", "latency", "", {.seed = 0}, "f300,h f200", "one/m two/m", 2, NULL},
	{"much slower is not", "latency", "", {.seed = 0}, "f500,h f200", "two/m one/m", 2, NULL},
	{"the least busy", "busy", "", {.seed = 0}, "i3 i1 i2", "two/m three/m one/m", 3, NULL},
	{"of two, the first", "busy", "", {.seed = 0}, "i3 i1 i1", "two/m three/m one/m", 3, NULL},
	{"unless it rests", "busy", "", {.seed = 0}, "i3 i1,r i2", "three/m one/m two/m", 3, NULL},
	{"the cheapest", "cheapest", "", {.seed = 0}, "c30 c10 c20", "two/m three/m one/m", 3, NULL},
	{"not known is dear", "cheapest", "", {.seed = 0}, "- c10 c0", "three/m two/m one/m", 3, NULL},
	{"of two, the quicker", "latency", "", {.seed = 0}, "f300 f200", "two/m one/m", 2, NULL},
	{"counting what is under way", "latency", "", {.seed = 0}, "f300 f200,i1", "one/m two/m", 2, NULL},
	{"what nobody knows is tried", "latency", "", {.seed = 0}, "f300 -", "two/m one/m", 2, NULL},
	{"but not by all at once", "latency", "", {.seed = 0}, "f3 i5", "one/m two/m", 2, NULL},
	{"the one that does not rest", "latency", "", {.seed = 0}, "f300 f200,r", "one/m two/m", 2, NULL},
  /* clang-format on */
};

static void test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		OWNED(buf_done) struct buf said = BUF_INIT(MIB);
		struct found f;
		look(&f, rows[i].model, rows[i].fallbacks, ALL);
		set_views(&f, rows[i].views);
		const size_t n = pick(&f, &rows[i].ask);
		const char *why = NULL;
		bool is_out = false;
		for (size_t k = 0; k < f.route.n; k++) {
			const struct choice *c = &f.choices[k];
			if (c->reason != CHOOSE_IN && !is_out) {
				buf_text(&said, " |");
				why = c->why;
				is_out = true;
			}
			say_target(&said, &f.route.targets[c->target]);
			if (c->reason != CHOOSE_IN)
				buf_print(&said, " %u", (unsigned)c->reason);
			else
				ok(c->why[0] == '\0' && !is_out,
					"%s: the ones that are in come first", rows[i].name);
		}
		buf_byte(&said, '\0');
		is_str(said.p, rows[i].wants, "%s", rows[i].name);
		is_uint(n, rows[i].n_usual, "%s: how many", rows[i].name);
		if (rows[i].why)
			is_str(why, rows[i].why, "%s: told", rows[i].name);
		arena_done(&f.arena);
	}
}

/* ---- by chance ---- */

/* Which is first, of so many draws, and how far from what was to be expected: chi squared over its freedom of n - 1. */
static double chi_squared(const unsigned *seen, const double *parts, size_t n, unsigned draws)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		const double expected = parts[i] * draws;
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	}
	return sum;
}

#define DRAWS 100000

static void test_weighted(void)
{
	static const double firsts[] = {0.5, 0.3, 0.1, 0.1};
	/* behind one/m: what is left, by its weights; and so for the others */
	static const double seconds[] = {0.3 * 5 / 7 + 0.1 * 5 / 9 * 2,
		0.5 * 3 / 5 + 0.1 * 3 / 9 * 2, 0.5 / 5 + 0.3 / 7 + 0.1 / 9,
		0.5 / 5 + 0.3 / 7 + 0.1 / 9};
	unsigned first[4] = {0}, second[4] = {0}, wrong = 0;
	struct found f;
	look(&f, "weighted", "", ALL);
	for (unsigned i = 0; i < DRAWS; i++) {
		const struct choose_ask ask = {.seed = i};
		wrong += pick(&f, &ask) != 4;
		first[f.choices[0].target]++;
		second[f.choices[1].target]++;
		unsigned all = 0;
		for (size_t k = 0; k < 4; k++)
			all |= 1U << f.choices[k].target;
		wrong += all != 15;
	}
	is_uint(wrong, 0, "each time all of them, once");
	/* 3 degrees of freedom: 16.27 is passed once in a thousand */
	const double of_first = chi_squared(first, firsts, 4, DRAWS);
	const double of_second = chi_squared(second, seconds, 4, DRAWS);
	ok(of_first < 16.27, "as often first as their weights say: %.2f", of_first);
	ok(of_second < 16.27, "and next, of those that are left: %.2f", of_second);
	const struct choose_ask ask = {.seed = 42};
	size_t order[4], changed = 0;
	pick(&f, &ask);
	for (size_t k = 0; k < 4; k++)
		order[k] = f.choices[k].target;
	for (unsigned i = 0; i < 100; i++) {
		pick(&f, &ask);
		for (size_t k = 0; k < 4; k++)
			changed += f.choices[k].target != order[k];
	}
	is_uint(changed, 0, "the same seed, the same order");
	arena_done(&f.arena);
}

static void test_weighted_keys(void)
{
	static const double parts[] = {0.2, 0.6, 0.2};
	unsigned first[3] = {0};
	struct found f;
	look(&f, "keys/m", "", ALL);
	is_uint(f.route.n, 3, "three keys");
	for (unsigned i = 0; i < DRAWS; i++) {
		const struct choose_ask ask = {.seed = i};
		pick(&f, &ask);
		first[f.choices[0].target]++;
	}
	/* 2 degrees of freedom */
	const double off = chi_squared(first, parts, 3, DRAWS);
	ok(off < 13.82, "keys by their weights, 1 where none is said: %.2f", off);
	arena_done(&f.arena);
}

/* Of the quicker of two that chance takes: with four, the best is among them in half of all cases, the worst never wins. */
static void test_two(void)
{
	static const double parts[] = {3.0 / 6, 2.0 / 6, 1.0 / 6};
	unsigned first[4] = {0}, wrong = 0;
	struct found f;
	look(&f, "quick", "", ALL);
	set_views(&f, "f100 f200 f300 f400");
	for (unsigned i = 0; i < DRAWS; i++) {
		const struct choose_ask ask = {.seed = i};
		pick(&f, &ask);
		first[f.choices[0].target]++;
		for (size_t k = 2; k < 4; k++)
			wrong += f.choices[k].target < f.choices[k - 1].target;
	}
	is_uint(first[3], 0, "the slowest of all is never the quicker of two");
	const double off = chi_squared(first, parts, 3, DRAWS);
	ok(off < 13.82, "the others as often as two of them are drawn: %.2f", off);
	is_uint(wrong, 0, "behind it they stand by their load");
	/* one that rests is not drawn */
	set_views(&f, "f100,r f200 f300 f400");
	unsigned last = 0;
	for (unsigned i = 0; i < 1000; i++) {
		const struct choose_ask ask = {.seed = i};
		pick(&f, &ask);
		last += f.choices[3].target == 0;
	}
	is_uint(last, 1000, "but comes last");
	arena_done(&f.arena);
}

/* ---- who holds the prompt ---- */

/* How often each is first, of 1000, while that one holds it. */
static void test_holder(const char *model, const char *keys, size_t holder, bool is_first)
{
	struct found f;
	unsigned first = 0, changed = 0, others = 0;
	look(&f, model, "", keys);
	f.views[holder].holds_prompt = true;
	for (unsigned i = 0; i < 1000; i++) {
		const struct choose_ask ask = {.seed = i, .session = SPAN("s")};
		struct choice with[2], without;
		pick(&f, &ask);
		memcpy(with, f.choices, sizeof with);
		first += with[0].target == holder;
		f.views[holder].holds_prompt = false;
		pick(&f, &ask);
		without = f.choices[0];
		f.views[holder].holds_prompt = true;
		changed += with[0].target != without.target;
		others += with[0].target != without.target && with[1].target != without.target;
	}
	if (is_first)
		is_uint(first, 1000, "%s: who holds the prompt is always first", model);
	else
		is_uint(changed, 0, "%s: to hold the prompt changes nothing", model);
	is_uint(others, 0, "%s: the others stay as they were", model);
	arena_done(&f.arena);
}

static void test_holders(void)
{
	test_holder("weighted", ALL, 2, true);
	test_holder("keys/m", ALL, 0, true);
	test_holder("three/m", "three/a,three/b,three/c", 1, true);
	test_holder("sticky", ALL, 1, false);
	test_holder("sticky", ALL, 2, false);
	test_holder("sticky-keys", ALL, 0, false);
	test_holder("sticky-keys", ALL, 1, false);
}

/* ---- sticky ---- */

#define SESSIONS 20000

static size_t stuck_to(struct found *f, const char *session, uint64_t seed)
{
	const struct choose_ask ask = {
		.session = span_str(session), .app = SPAN("x"), .seed = seed};
	pick(f, &ask);
	return f->choices[0].target;
}

static void test_sticky(void)
{
	static const size_t same[] = {
		0, SIZE_MAX, 1, 2}; /* where each of four is among the three that stay */
	static const double parts[] = {0.25, 0.25, 0.25, 0.25}, weights[] = {0.75, 0.25};
	unsigned seen[4] = {0}, weighed[2] = {0}, moved = 0, changed = 0, keys[3] = {0};
	struct found f, less, heavy, keyed;
	look(&f, "sticky", "", ALL);
	look(&less, "sticky-less", "", ALL);
	look(&heavy, "sticky-weighted", "", ALL);
	look(&keyed, "sticky-keys", "", ALL);
	for (unsigned i = 0; i < SESSIONS; i++) {
		char session[24];
		snprintf(session, sizeof session, "s%u", i);
		const size_t at = stuck_to(&f, session, i);
		seen[at]++;
		changed += stuck_to(&f, session, i + 1) != at;
		const size_t now = stuck_to(&less, session, i);
		moved += same[at] != SIZE_MAX && now != same[at];
		weighed[stuck_to(&heavy, session, i)]++;
		const size_t key = stuck_to(&keyed, session, i);
		keys[key]++;
		changed += stuck_to(&keyed, session, i + 1) != key;
	}
	is_uint(changed, 0, "a session stays, whatever the seed");
	is_uint(moved, 0, "where a target goes, only its sessions move");
	ok(chi_squared(seen, parts, 4, SESSIONS) < 16.27, "they are spread evenly");
	ok(chi_squared(weighed, weights, 2, SESSIONS) < 10.83, "or by weight");
	ok(keys[1] > keys[0] && keys[1] > keys[2] && keys[0] > 0 && keys[2] > 0,
		"keys with weights stay with it too");
	/* one that rests gives its sessions to others, and has them again */
	const size_t at = stuck_to(&f, "mine", 1);
	f.views[at].is_resting = true;
	const size_t meanwhile = stuck_to(&f, "mine", 2);
	ok(meanwhile != at, "what rests is not asked first");
	is_uint(stuck_to(&f, "mine", 3), meanwhile, "the session goes to one other");
	f.views[at].is_resting = false;
	is_uint(stuck_to(&f, "mine", 4), at, "and back");
	/* without a session it is the app's */
	const struct choose_ask one = {.app = SPAN("mine"), .seed = 1};
	pick(&f, &one);
	is_uint(f.choices[0].target, at, "an app is like a session of its name");
	arena_done(&f.arena);
	arena_done(&less.arena);
	arena_done(&heavy.arena);
	arena_done(&keyed.arena);
}

/* ---- what is needed, what is there ---- */

static void test_needs(void)
{
	struct part parts[] = {
		{.type = PART_TEXT				      },
                {.type = PART_IMAGE                                     },
                {.type = PART_AUDIO                                     },
		{.type = PART_VIDEO				     },
		{.type = PART_FILE,				       .media = {.data = SPAN("x"), .mime = SPAN("application/pdf")}},
		{.type = PART_FILE,						       .media = {.data = SPAN("x"), .mime = SPAN("text/csv")}},
		{.type = PART_FILE,.media = {.url = SPAN("data:text/plain,x")}},
		{.type = PART_FILE,				       .media = {.file_id = SPAN("f")}},
                {.type = PART_REASONING                                                      },
		{.type = PART_TOOL_CALL}
        };
	static const unsigned wants[] = {0, CAPABILITY_IMAGES, CAPABILITY_AUDIO, CAPABILITY_VIDEO,
		CAPABILITY_FILES, 0, 0, CAPABILITY_FILES, 0, 0};
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		struct message m = {.role = ROLE_USER, .parts = &parts[i], .n_parts = 1};
		const struct llm_request r = {.messages = &m, .n_messages = 1};
		is_uint(capability_needs(&r), wants[i], "what the part %zu needs", i);
	}
	struct tool tool = {.type = TOOL_FUNCTION};
	struct llm_request r = {.tools = &tool, .n_tools = 1};
	is_uint(capability_needs(&r), CAPABILITY_TOOLS, "tools");
	r.tool_choice.mode = CHOICE_NONE;
	is_uint(capability_needs(&r), 0, "that must not be called");
	r = (struct llm_request){.response_format = {.type = FORMAT_SCHEMA}};
	is_uint(capability_needs(&r), CAPABILITY_SCHEMA, "a schema");
	r.response_format.type = FORMAT_JSON;
	is_uint(capability_needs(&r), 0, "any JSON");
	r = (struct llm_request){.reasoning = {.effort = SPAN("low")}};
	is_uint(capability_needs(&r), CAPABILITY_REASONING, "an effort");
	r.reasoning.is_wish = true;
	is_uint(capability_needs(&r), 0, "a wish");
	r = (struct llm_request){.reasoning = {.effort = SPAN("none")}};
	is_uint(capability_needs(&r), 0, "none");
	r = (struct llm_request){.reasoning = {.budget_tokens = {true, 1000}}};
	is_uint(capability_needs(&r), CAPABILITY_REASONING, "a budget");
}

static void test_lacks(void)
{
	static const char known[] =
		"acme/text in=text params=temperature\n"
		"acme/all in=text,image,audio,video,pdf params=tools,json_schema,reasoning\n"
		"acme/said in=text params=temperature\nacme/half kind=chat\n"
		"here/text in=text params=temperature\n";
	static const char dialects[] =
		"[provider \"acme\"]\ndialect = anthropic\nbase_url = https://acme.example\n"
		"json_schema = yes\nreasons = asked\n"
		"[provider \"here\"]\ndialect = ollama\nbase_url = https://here.example\nlocal = "
		"yes\n"
		"[provider \"old\"]\ndialect = openai-completions\nbase_url = https://old.example\n"
		"[model \"acme/said\"]\nimages = yes\ntools = yes\n"
		"[model \"acme/no\"]\nimages = no\n"
		"[model \"nick\"]\ntarget = acme/text\nimages = yes\n";
	enum {
		I = CAPABILITY_IMAGES,
		A = CAPABILITY_AUDIO,
		V = CAPABILITY_VIDEO,
		F = CAPABILITY_FILES,
		T = CAPABILITY_TOOLS,
		S = CAPABILITY_SCHEMA,
		R = CAPABILITY_REASONING,
		WIRE = A | V /* that Anthropic's has no word for */
	};
	static const struct {
		const char *name, *provider, *model;
		unsigned lacks, poor;
	} cases[] = {
		{"what the catalogue leaves out",                      "acme",       "text",     WIRE | I | T,              F},
		{"all that the wire has",                              "acme",       "all",      WIRE,                      0},
		{"the configuration beats the catalogue",              "acme",       "said",     WIRE,                      F},
		{"the other way too",                                  "acme",       "no",       WIRE | I,                  0},
		{"no word is no lack",                                 "acme",       "half",     WIRE,                      0},
		{"nor is a model that nobody knows",                   "acme",       "new",      WIRE,                      0},
		{"what a server on this host has, it has by any name", "here",       "text",     A | V | F,
                 0													   },
		{"a wire that completes text",                         "old",        "m",        I | A | V | F | T | S | R, 0},
		{"the one that answers by itself takes all",           "offline",    "echo",     0,                         0},
		{"a table of ours",				    "perplexity", "none-yet", T | A | V,                 0},
	};
	struct fault why = FAULT_NONE;
	struct target t, other;
	struct config *c = config_parse(span_str(dialects), "t.conf", &why);
	if (!c || catalogue_new(span_str(known), &c->catalogue, &why))
		bail("%s", why.message);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		is_err(route_target(
			       c, span_str(cases[i].provider), span_str(cases[i].model), &t, &why),
			OK, "%s", cases[i].name);
		is_uint(t.lacks, cases[i].lacks, "%s: lacks", cases[i].name);
		is_uint(t.poor, cases[i].poor, "%s: has somehow", cases[i].name);
		is_uint(capability_lacks(&t, T), cases[i].lacks & T, "%s: of tools", cases[i].name);
	}
	const struct route_keys keys = {key_at, "acme"};
	struct route r;
	struct arena a;
	arena_init(&a, MIB);
	is_err(route_find(c, SPAN("nick"), &keys, &a, &r, &why), OK, "an alias that says more");
	is_uint(r.targets[0].lacks, WIRE | T, "is believed");
	ok(route_in_dialect(c, 0, &r.targets[0], &other) && other.lacks == (WIRE | T),
		"in whatever dialect");
	arena_done(&a);
	config_unref(c);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	config = config_parse(span_str(sections), "t.conf", &why);
	if (!config)
		bail("%s", why.message);
	test_rows();
	test_weighted();
	test_weighted_keys();
	test_two();
	test_holders();
	test_sticky();
	test_needs();
	test_lacks();
	config_unref(config);
	return tap_done();
}
