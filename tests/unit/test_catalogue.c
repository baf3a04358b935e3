/* test_catalogue.c - what is known of a model, by which of several lines. */
#include "brokerd/config/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/catalogue_data.h"
#include "brokerd/config/catalogue_file.h"
#include "brokerd/config/config.h"
#include "brokerd/route/route.h"
#include "tests/lib/tap.h"

#define USD INT64_C(1000000000)

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static struct catalogue *make(const char *text)
{
	struct catalogue *c;
	struct fault why;
	if (catalogue_new(span_str(text), &c, &why))
		bail("no catalogue: %s", why.message);
	return c;
}

/* Every line of the snapshot is one that an import would be allowed to have, in its place. */
static void test_snapshot(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(CATALOGUE_BYTES);
	struct catalogue *c;
	struct fault why = FAULT_NONE;
	size_t unsorted = 0, imported;
	for (size_t i = 0; i < catalogue_data_n; i++) {
		const struct span line = catalogue_data[i];
		const struct span name = span_first(line, span_index(line, ' '));
		if (i > 0) {
			const struct span before = catalogue_data[i - 1];
			const struct span last = span_first(before, span_index(before, ' '));
			const size_t n = last.n < name.n ? last.n : name.n;
			const int how = memcmp(last.p, name.p, n);
			unsorted += how > 0 || (how == 0 && last.n > name.n);
		}
		buf_span(&text, line);
		buf_byte(&text, '\n');
	}
	is_uint(unsorted, 0, "the snapshot is sorted");
	is_int(catalogue_new(buf_view(&text), &c, &why), OK, "and read: %s", why.message);
	const size_t n = catalogue_count(c, &imported);
	is_uint(n, imported, "an import of the same models takes the place of all");
	ok(n > 1000, "there are many: %zu", n);
	struct catalogue_walk w = {
		{0, 0}
        };
	struct model_facts facts;
	size_t dear = 0;
	while (catalogue_next(c, SPAN_NONE, &w, &facts))
		dear += facts.price.input > 1000 * USD || facts.price.output > 2000 * USD;
	is_uint(dear, 0, "no price is that of a single token");
	catalogue_unref(c);
	is_span(catalogue_snapshot_date(), CATALOGUE_DATE, "its date");
}

static bool is_builtin(struct span name)
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, rows[i].name))
			return true;
	}
	return false;
}

/* What is known of a model is of use where its provider can be asked. */
static void test_providers(void)
{
#define LITELLM(theirs, ours)    ours,
#define MODELS_DEV(theirs, ours) ours,
	static const char *const named[] = {
#include "libllmclient/cli/catalogue_names.def"
	};
#undef LITELLM
#undef MODELS_DEV
	for (size_t i = 0; i < COUNT_OF(named); i++) {
		if (named[i][0] != '\0')
			ok(is_builtin(span_str(named[i])), "an import's %s is a provider",
				named[i]);
	}
	struct span last = SPAN_NONE;
	size_t requests = 0;
	for (size_t i = 0; i < catalogue_data_n; i++) {
		const struct span line = catalogue_data[i];
		const struct span provider = span_first(line, span_index(line, '/'));
		if (!span_eq(provider, last))
			ok(is_builtin(provider), "the snapshot's %.*s is a provider",
				SPAN_ARG(provider));
		last = provider;
		requests += span_find(line, SPAN(" kind=rerank ")) < line.n &&
			    span_find(line, SPAN(" price_input=0 ")) < line.n;
	}
	is_uint(requests, 0, "what is paid for by the request has no price of 0 a token");
	struct catalogue *c = make("");
	struct model_facts f;
	ok(catalogue_find(c, SPAN("vertex"), SPAN("claude-opus-5@default"), &f) &&
			f.price.input == 5 * USD,
		"a model of another dialect of its provider has its price");
	catalogue_unref(c);
}

static const char own[] =
	"# a comment\n"
	"acme/big kind=chat context=1000 max_output=200 in=text,image out=text params=tools "
	"efforts=low,high retires=2027-01-31 price_input=2.5 price_output=10 color=blue\n"
	"acme/big above=500 price_input=5 price_output=20\n"
	"acme/big from=2026-06-01 price_input=2 price_output=8 price_cache_read=0.2\n"
	"acme/big from=2027-06-01 price_input=1\n"
	"acme/big tier=flex price_input=1.25\n"
	"acme/bigger kind=chat\n"
	"\n"
	"acme/big-embed kind=embed dimensions=768 price_input=0.02\r\n"
	"openai/gpt-4o-mini kind=chat context=7\n"
	"zeta/z kind=chat\n";

static void test_lookup(void)
{
	struct catalogue *c = make(own);
	struct model_facts f;
	struct price_row row;
	ok(catalogue_find(c, SPAN("acme"), SPAN("big"), &f), "a model");
	is_span(f.name, "acme/big", "its name");
	is_span(f.kind, "chat", "its kind");
	is_span(f.inputs, "text,image", "what it reads");
	is_span(f.outputs, "text", "and writes");
	is_span(f.params, "tools", "what it takes");
	is_span(f.efforts, "low,high", "its efforts");
	is_span(f.retires, "2027-01-31", "its end");
	is_int(f.context_tokens, 1000, "its context");
	is_int(f.max_output_tokens, 200, "its output");
	is_int(f.dimensions, -1, "no dimensions");
	is_int(f.price.input, 2 * USD + USD / 2, "before all dates: the price without one");
	ok(f.is_imported, "it was imported");
	catalogue_set_day(c, 20604); /* 2026-05-31 */
	ok(catalogue_find(c, SPAN("acme"), SPAN("big"), &f), "the day before a new price");
	is_int(f.price.output, 10 * USD, "the old one");
	catalogue_set_day(c, 20605); /* 2026-06-01 */
	ok(catalogue_find(c, SPAN("acme"), SPAN("big"), &f), "the day of it");
	is_int(f.price.output, 8 * USD, "the new one");
	is_int(f.price.cache_read, USD / 5, "with its classes");
	is_int(f.context_tokens, 1000, "the facts stay");
	ok(catalogue_price(c, f.name, 0, &row) && row.above_tokens == 500, "a longer prompt's");
	is_int(row.price.input, 5 * USD, "costs more");
	ok(catalogue_price(c, f.name, 1, &row), "a price to come");
	is_span(row.from, "2027-06-01", "its day");
	ok(catalogue_price(c, f.name, 2, &row), "another tier's");
	is_span(row.tier, "flex", "its name");
	ok(!catalogue_price(c, f.name, 3, &row), "no more");
	ok(!catalogue_price(c, SPAN("acme/none"), 0, &row), "nor of a model that is not there");
	ok(catalogue_find(c, SPAN("acme"), SPAN("big-embed"), &f), "a name that begins the same");
	is_int(f.dimensions, 768, "its dimensions");
	is_int(f.price.output, -1, "what is not said is not known");
	ok(!catalogue_find(c, SPAN("acme"), SPAN("bi"), &f), "half a name is none");
	is_int(f.context_tokens, -1, "and nothing is known of it");
	ok(!catalogue_find(c, SPAN("acme"), SPAN(""), &f), "nor is no name");
	ok(catalogue_find(c, SPAN("openai"), SPAN("gpt-4o-mini"), &f), "one of both lists");
	is_int(f.context_tokens, 7, "is as it was imported");
	is_int(f.price.input, -1, "wholly");
	ok(catalogue_find(c, SPAN("openai"), SPAN("gpt-4o"), &f) && !f.is_imported,
		"the others are the snapshot's");
	catalogue_unref(c);
}

static const char priced[] =
	"acme/m tier=flex price_input=0.5\n" /* a first line without facts */
	"acme/m kind=chat context=1000 price_input=1 price_output=10 price_cache_read=0.1\n"
	"acme/m above=100 price_input=2 price_output=20\n"
	"acme/m above=200 price_input=3 price_output=30\n"
	"acme/m tier=priority price_input=2.5 price_output=25\n"
	"acme/m tier=batch above=100 price_input=1.5\n"
	"acme/m from=2026-06-01 price_input=1.2 price_output=12\n"
	"acme/m from=2026-06-01 tier=flex price_input=0.6\n"
	"acme/m from=2026-06-01 above=200 price_input=3.6 price_output=36\n";
#define MAY  20604 /* 2026-05-31 */
#define JUNE 20605

static const struct {
	const char *name;
	int64_t tokens;
	const char *tier;
	int64_t day;
	int64_t input, output, cache_read; /* thousandths of a dollar; -1: unknown */
} price_cases[] = {
	{"the usual one",                  5,   "",         MAY,  1000, 10000, 100},
	{"as long as that is not longer",  100, "",         MAY,  1000, 10000, 100},
	{"a token more is",                101, "",         MAY,  2000, 20000, 100},
	{"of two lengths the greater",     201, "",         MAY,  3000, 30000, 100},
	{"a tier",			 5,   "flex",     MAY,  500,  10000, 100},
	{"another one",                    5,   "priority", MAY,  2500, 25000, 100},
	{"one that no line has",           5,   "default",  MAY,  1000, 10000, 100},
	{"no length is said",              -1,  "",         MAY,  1000, 10000, 100},
	{"a line for both",                101, "batch",    MAY,  1500, 20000, 100},
	{"the dearer of two for one each", 101, "priority", MAY,  2500, 25000, 100},
	{"whichever that is",              201, "priority", MAY,  3000, 30000, 100},
	{"a later day",                    5,   "",         JUNE, 1200, 12000, -1 },
	{"a tier's",		       5,   "flex",     JUNE, 600,  12000, -1 },
	{"a length's",                     201, "",         JUNE, 3600, 36000, -1 },
	{"one that did not change",        101, "",         JUNE, 2000, 20000, -1 },
	{"the day of the catalogue",       5,   "",         -1,   1200, 12000, -1 },
};

static int64_t thousandths(int64_t nusd)
{
	return nusd < 0 ? -1 : nusd / 1000000;
}

static void test_prices(void)
{
	struct catalogue *c = make(priced);
	struct model_facts f;
	struct price p;
	catalogue_set_day(c, JUNE);
	for (size_t i = 0; i < COUNT_OF(price_cases); i++) {
		const char *name = price_cases[i].name;
		const struct price_case when = {
			price_cases[i].tokens, span_str(price_cases[i].tier), price_cases[i].day};
		catalogue_price_of(c, SPAN("acme"), SPAN("m"), &when, &p);
		is_int(thousandths(p.input), price_cases[i].input, "%s: input", name);
		is_int(thousandths(p.output), price_cases[i].output, "%s: output", name);
		is_int(thousandths(p.cache_read), price_cases[i].cache_read, "%s: cache", name);
	}
	catalogue_price_of(c, SPAN("acme"), SPAN("none"), &(struct price_case){0}, &p);
	is_int(p.input, -1, "of a model that is not there nothing is known");
	struct price_case most = {150, SPAN_NONE, -1};
	catalogue_price_bound(c, SPAN("acme"), SPAN("m"), &most, &p);
	is_int(thousandths(p.input), 2000, "a bound: the dearest that is not too long");
	most = (struct price_case){150, SPAN("priority"), -1};
	catalogue_price_bound(c, SPAN("acme"), SPAN("m"), &most, &p);
	is_int(thousandths(p.output), 25000, "or that tier's");
	most = (struct price_case){150, SPAN("flex"), -1};
	catalogue_price_bound(c, SPAN("acme"), SPAN("m"), &most, &p);
	is_int(thousandths(p.input), 2000, "which may not be granted");
	ok(catalogue_find(c, SPAN("acme"), SPAN("m"), &f), "facts of a later line");
	is_int(f.context_tokens, 1000, "are the model's");
	is_int(thousandths(f.price.input), 1200, "and the usual price");
	catalogue_unref(c);
}

static void test_walk(void)
{
	struct catalogue *c = make(own);
	struct catalogue_walk w = {
		{0, 0}
        };
	struct model_facts f;
	static const char *const wanted[] = {"acme/big", "acme/big-embed", "acme/bigger"};
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		ok(catalogue_next(c, SPAN("acme"), &w, &f), "one more of a provider's");
		is_span(f.name, wanted[i], "in order");
	}
	ok(!catalogue_next(c, SPAN("acme"), &w, &f), "then no more");
	w = (struct catalogue_walk){
		{0, 0}
        };
	ok(!catalogue_next(c, SPAN("acm"), &w, &f), "half a provider is none");
	w = (struct catalogue_walk){
		{0, 0}
        };
	size_t n = 0, twice = 0, seven = 0, imported;
	char last[512] = "";
	while (catalogue_next(c, SPAN_NONE, &w, &f)) {
		twice += span_is(f.name, last);
		seven += f.context_tokens == 7;
		(void)snprintf(last, sizeof last, "%.*s", SPAN_ARG(f.name));
		n++;
	}
	is_uint(twice, 0, "none comes twice");
	is_uint(seven, 1, "one of both lists once");
	is_uint(n, catalogue_count(c, &imported), "all are counted");
	is_uint(imported, 5, "and the imported ones");
	is_str(last, "zeta/z", "the last is the last");
	catalogue_unref(c);
}

/* Bytes that may stand in a provider's name sort before the slash that ends it. */
static void test_longer_names(void)
{
	struct catalogue *c = make("acme-plan/p kind=chat\nacme.eu/e kind=chat\nacme/a kind=chat\n"
				   "acme/b kind=chat\nacmes/s kind=chat\n");
	static const char *const wanted[] = {"acme/a", "acme/b"};
	struct catalogue_walk w = {
		{0, 0}
        };
	struct model_facts f;
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		ok(catalogue_next(c, SPAN("acme"), &w, &f), "a provider whose name begins others");
		is_span(f.name, wanted[i], "has its own models");
	}
	ok(!catalogue_next(c, SPAN("acme"), &w, &f), "and no others");
	w = (struct catalogue_walk){
		{0, 0}
        };
	ok(catalogue_next(c, SPAN("acme-plan"), &w, &f), "the longer name");
	is_span(f.name, "acme-plan/p", "has its own");
	ok(!catalogue_next(c, SPAN("acme-plan"), &w, &f), "and no more");
	catalogue_unref(c);
}

static const struct {
	const char *text, *sentence;
} wrongs[] = {
	{"acme",		   "line 1 of the catalogue begins with no PROVIDER/MODEL"        },
	{"/big kind=chat",         "line 1 of the catalogue begins with no PROVIDER/MODEL"        },
	{"acme/ kind=chat",        "line 1 of the catalogue begins with no PROVIDER/MODEL"        },
	{"a/b\na/c context=-1",    "line 2 of the catalogue: context has no such value"           },
	{"a/b context=many",       "line 1 of the catalogue: context has no such value"           },
	{"a/b price_input=free",   "line 1 of the catalogue: price_input has no such value"       },
	{"a/b price_input=-1",     "line 1 of the catalogue: price_input has no such value"       },
	{"a/b from=June",          "line 1 of the catalogue: from has no such value"              },
	{"a/b retires=2026-13-01", "line 1 of the catalogue: retires has no such value"           },
	{"a/b from=2026-02-30",    "line 1 of the catalogue: from has no such value"              },
	{"a/b from=2027-02-29",    "line 1 of the catalogue: from has no such value"              },
	{"a/b kind=a\"b",          "line 1 of the catalogue: kind has no such value"              },
	{"a/b\x7f",                "line 1 of the catalogue has a character that may not be there"},
	{"a/\xc3\xa4 kind=chat",   "line 1 of the catalogue has a character that may not be there"},
};

static void test_wrong(void)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		struct catalogue *c;
		struct fault why = FAULT_NONE;
		is_int(catalogue_new(span_str(wrongs[i].text), &c, &why), ERR_INVALID_ARGUMENT,
			"%s", wrongs[i].sentence);
		is_str(why.message, wrongs[i].sentence, "said so");
		ok(!c, "and nothing made");
	}
}

static void spoil(const char *path)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs("half a li", f) < 0 || fclose(f) != 0)
		bail("%s cannot be spoiled", path);
}

static void test_file(void)
{
	char dir[] = "/tmp/test_catalogue.XXXXXX", path[64];
	struct catalogue *c;
	struct fault why = FAULT_NONE;
	size_t imported;
	if (!mkdtemp(dir))
		bail("no folder");
	(void)snprintf(path, sizeof path, "%s/catalogue", dir);
	is_int(catalogue_load(dir, &c, &why), OK, "no file is fine");
	catalogue_unref(c);
	is_int(catalogue_load("/nowhere/at/all", &c, &why), OK, "no folder either");
	catalogue_unref(c);
	is_int(catalogue_keep(dir, SPAN("a/b kind=chat\n"), &why), OK, "one is kept");
	is_int(catalogue_load(dir, &c, &why), OK, "and read");
	(void)catalogue_count(c, &imported);
	is_uint(imported, 1, "with its line");
	catalogue_unref(c);
	spoil(path);
	is_int(catalogue_load(dir, &c, &why), ERR_INVALID_ARGUMENT, "a damaged file is told of");
	(void)catalogue_count(c, &imported);
	is_uint(imported, 1, "its copy holds");
	ok(catalogue_imported_at_s(c) > 0, "which has an age");
	catalogue_unref(c);
	is_int(catalogue_keep(dir, SPAN("nonsense\n"), &why), OK, "what is kept is not judged");
	is_int(catalogue_load(dir, &c, &why), ERR_INVALID_ARGUMENT, "but what is read is");
	(void)catalogue_count(c, &imported);
	is_uint(imported, 0, "then the snapshot holds");
	catalogue_unref(c);
	is_int(catalogue_keep(dir, SPAN(""), &why), OK, "it can be forgotten");
	ok(access(path, F_OK) != 0, "then there is no file");
	is_int(catalogue_keep(dir, SPAN(""), &why), OK, "twice");
	is_int(catalogue_keep("/nowhere/at/all", SPAN("x"), &why), ERR_IO, "not without a folder");
	if (rmdir(dir))
		bail("something was left in %s", dir);
}

/* Whose word counts for a target: the catalogue's, then the configuration's, class by class. */
static void test_target(void)
{
	struct fault why = FAULT_NONE;
	struct config *config =
		config_parse(SPAN("[provider \"acme\"]\ndialect = openai-chat\n"
				  "base_url = https://acme.example/v1\n"
				  "[provider \"mine\"]\ndialect = openai-chat\nlocal = yes\n"
				  "base_url = https://mine.example/v1\n"
				  "[model \"acme/big\"]\nprice_output = 9\ncontext = 900\n"),
			"t", &why);
	struct target t;
	if (!config)
		bail("%s", why.message);
	is_int(route_target(config, SPAN("acme"), SPAN("big-embed"), &t, &why), OK, "a target");
	is_int(t.price.input, -1, "without a catalogue nothing is known");
	struct catalogue *made = make(own);
	config_set_catalogue(config, made);
	catalogue_unref(made);
	is_int(route_target(config, SPAN("acme"), SPAN("big-embed"), &t, &why), OK, "with one");
	is_int(t.price.input, USD / 50, "its price");
	is_int(route_target(config, SPAN("acme"), SPAN("big"), &t, &why), OK, "one of both");
	is_int(t.price.input, 2 * USD + USD / 2, "what the configuration does not say stays");
	is_int(t.price.output, 9 * USD, "what it says counts");
	is_int(t.context_tokens, 900, "sizes too");
	is_int(t.max_output_tokens, 200, "one by one");
	is_int(route_target(config, SPAN("mine"), SPAN("big"), &t, &why), OK, "a server here");
	is_int(t.price.input, -1, "has names of its own");
	config_set_catalogue(config, NULL);
	is_int(route_target(config, SPAN("acme"), SPAN("big-embed"), &t, &why), OK,
		"when it is gone");
	is_int(t.price.input, -1, "nothing is known again");
	config_unref(config);
}

int main(void)
{
	test_snapshot();
	test_providers();
	test_lookup();
	test_prices();
	test_walk();
	test_longer_names();
	test_wrong();
	test_file();
	test_target();
	return tap_done();
}
