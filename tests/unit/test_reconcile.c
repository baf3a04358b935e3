/* test_reconcile.c - two sides' figures, and what is said of them. */
#include "libllmclient/cli/reconcile.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/lib/tap.h"

#define CENT INT64_C(10000000)

static struct spend row(int64_t day, const char *model, const char *key, int64_t nusd)
{
	struct spend s = spend_none;
	s.day = day;
	s.model = span_str(model);
	s.key = span_str(key);
	s.nusd = nusd;
	s.has_cost = true;
	return s;
}

static void add(struct statement *to, struct spend s)
{
	struct fault why = FAULT_NONE;
	is_err(statement_add(to, &s, &why), OK, "a row is taken: %s", why.message);
}

/* clang-format off */
static const struct {
	const char *name, *want;
} stems[] = {
	{"gpt-4o", "gpt-4o"},
	{"GPT-4o", "gpt-4o"},
	{"gpt-4o-2024-08-06", "gpt-4o"},
	{"gpt-4o-2024-08-06, cached input", "gpt-4o"},
	{"GPT-4o, input", "gpt-4o"},
	{"Claude Haiku 4.5", "claude-haiku-4-5"},
	{"claude-haiku-4-5-20251001", "claude-haiku-4-5"},
	{"claude-3-5-sonnet-latest", "claude-3-5-sonnet"},
	{"openai/gpt-oss-120b", "openai-gpt-oss-120b"},
	{"gpt-4-0613", "gpt-4-0613"},
	{"model-12345678", "model-12345678"},
	{"20240806", "20240806"},
	{"", ""},
	{"---", ""},
	{"\xe6\xa8\xa1\xe5\x9e\x8b", "\xe6\xa8\xa1\xe5\x9e\x8b"},
};

static const struct {
	const char *text;
	bool is_one;
	struct tolerance want;
} tolerances[] = {
	{"0.5%", true, {5000, 0}},
	{"0.01", true, {0, CENT}},
	{"0.5%,0.01", true, {5000, CENT}},
	{"$1, 2%", true, {20000, 100 * CENT}},
	{"0", true, {0, 0}},
	{"100%", true, {1000000, 0}},
	{"101%", false, {0}},
	{"-1%", false, {0}},
	{"-1", false, {0}},
	{"%", false, {0}},
	{"", false, {0}},
	{"1,", false, {0}},
	{"much", false, {0}},
};
/* clang-format on */

static void test_words(void)
{
	OWNED(arena_done) struct arena a;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < COUNT_OF(stems); i++) {
		struct span stem;
		is_err(model_stem(span_str(stems[i].name), &a, &stem), OK, "a stem");
		is_mem(stem.p, stem.n, stems[i].want, strlen(stems[i].want), "the stem of \"%s\"",
			stems[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(tolerances); i++) {
		struct tolerance t;
		const bool is_one = tolerance_read(span_str(tolerances[i].text), &t);
		is_int(is_one, tolerances[i].is_one, "\"%s\" is a tolerance, or is not",
			tolerances[i].text);
		if (!is_one)
			continue;
		is_int(t.millionths, tolerances[i].want.millionths, "\"%s\": its part",
			tolerances[i].text);
		is_int(t.nusd, tolerances[i].want.nusd, "\"%s\": its amount", tolerances[i].text);
	}
	const struct tolerance t = {5000, CENT};
	ok(tolerance_has(&t, 100 * CENT, 101 * CENT), "a cent is no difference");
	ok(!tolerance_has(&t, 100 * CENT, 101 * CENT + 1), "a little more is one");
	ok(tolerance_has(&t, 995 * CENT, 1000 * CENT), "half a percent is none");
	ok(!tolerance_has(&t, 994 * CENT, 1000 * CENT), "more is one");
	ok(tolerance_has(&t, -995 * CENT, -1000 * CENT), "the same of a credit");
	ok(!tolerance_has(&t, INT64_MIN, INT64_MAX), "the ends of the range are apart");
}

/* ---- lines ---- */

static const struct reconcile_rules rules = {
	.tolerance = {5000, CENT}
};

/* "DAY MODEL OURS THEIRS KIND HINT WITHIN;", amounts in cents, '-' where a side has nothing. */
static void put_lines(const struct reconciled *r, char *to, size_t size)
{
	size_t n = 0;
	to[0] = '\0';
	for (size_t i = 0; i < r->n && n < size; i++) {
		const struct line *l = &r->lines[i];
		n += (size_t)snprintf(to + n, size - n,
			"%" PRId64 " %.*s %" PRId64 " %" PRId64 " %d %s %d;", l->day,
			SPAN_ARG(l->model), l->ours.nusd / CENT, l->theirs.nusd / CENT,
			(int)l->kind, line_hint_word(l->hint), l->is_within);
	}
}

struct sides {
	struct statement ours, theirs;
};

static void sides_done(struct sides *s)
{
	statement_done(&s->ours);
	statement_done(&s->theirs);
}

static void sides_init(struct sides *s)
{
	statement_init(&s->ours);
	statement_init(&s->theirs);
}

static void test_lines(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	char text[1024];
	struct spend with_tokens;
	sides_init(&s);
	add(&s.ours, row(2, "gpt-4o", "", 200 * CENT));
	add(&s.ours, row(1, "gpt-4o", "", 100 * CENT));
	add(&s.ours, row(1, "gpt-4o-2024-08-06", "", 50 * CENT));
	add(&s.theirs, row(1, "GPT-4o, input", NULL, 90 * CENT));
	add(&s.theirs, row(1, "gpt-4o-2024-08-06, output", NULL, 60 * CENT));
	/* the price has changed */
	with_tokens = row(2, "o3", "", 30 * CENT);
	with_tokens.tokens[SPEND_INPUT] = 1000;
	add(&s.ours, with_tokens);
	with_tokens.nusd = 40 * CENT;
	add(&s.theirs, with_tokens);
	/* somebody else used it too */
	with_tokens.day = 3;
	add(&s.ours, with_tokens);
	with_tokens.tokens[SPEND_INPUT] = 3000;
	with_tokens.nusd = 90 * CENT;
	add(&s.theirs, with_tokens);
	add(&s.theirs, row(3, "dall-e", NULL, 7 * CENT));
	add(&s.theirs, row(3, "tiny", NULL, CENT / 2));
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	put_lines(&r, text, sizeof text);
	is_str(text,
		"1 gpt-4o 150 150 0  1;2 gpt-4o 200 0 1  0;2 o3 30 40 0 price 0;"
		"3 dall-e 0 7 2  0;3 o3 40 90 0 more used 0;3 tiny 0 0 2  1;",
		"each day and model is a line");
	is_int(r.total.ours.nusd, 420 * CENT, "all of ours");
	is_int(r.total.theirs.nusd, 287 * CENT + CENT / 2, "all of theirs");
	is_int(r.foreign_nusd, 7 * CENT + CENT / 2, "what was not the broker's");
	ok(!r.is_within, "they do not agree");
	is_uint(r.n_keys, (size_t)0, "no keys are told apart");
}

static void test_days_alone(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	char text[256];
	sides_init(&s);
	add(&s.ours, row(1, "a", "", 100 * CENT));
	add(&s.ours, row(1, "b", "", 50 * CENT));
	add(&s.theirs, row(1, "", NULL, 150 * CENT));
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	ok(r.is_by_day && r.is_within, "without models, whole days agree");
	put_lines(&r, text, sizeof text);
	is_str(text, "1  150 150 0  1;", "as one line");
}

static void test_aliases(void)
{
	const struct name_pair aliases[] = {
		{SPAN("Chat models"), SPAN("gpt-4o")}
        };
	const struct reconcile_rules with = {
		.tolerance = {5000, CENT},
                  .aliases = aliases, .n_aliases = 1
        };
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	sides_init(&s);
	add(&s.ours, row(1, "gpt-4o", "", 100 * CENT));
	add(&s.theirs, row(1, "chat models, input", NULL, 100 * CENT));
	is_err(reconcile(&s.ours, &s.theirs, &with, &r), OK, "it is compared");
	ok(r.is_within && r.n == 1, "a model goes by another name there");
}

/* clang-format off */
static const struct {
	const char *pattern, *name;
	bool fits;
} patterns[] = {
	{"*gemini 2.5 flash *", "Generate content output token count Gemini 2.5 Flash short input text", true},
	{"*gemini 2.5 flash *", "Generate content output token count gemini 2.5 flash", false},
	{"*", "anything", true},
	{"*a*a*", "banana", true},
	{"a*a*a*a", "aaa", false},
	{"*ana", "banana", true},
	{"ban", "banana", false},
	{"*x", "banana", false},
	{"b*", "Banana", true},
	{"b**a", "ba", true},
};
/* clang-format on */

static void test_patterns(void)
{
	for (size_t i = 0; i < COUNT_OF(patterns); i++) {
		OWNED(sides_done) struct sides s;
		OWNED(reconciled_done) struct reconciled r;
		const struct name_pair aliases[] = {
			{span_str(patterns[i].pattern), SPAN("ours")  },
                        {SPAN("*"),                     SPAN("behind")}
                };
		const struct reconcile_rules with = {
			.tolerance = {5000, CENT},
                          .aliases = aliases, .n_aliases = 2
                };
		sides_init(&s);
		add(&s.ours, row(1, "ours", "", 100 * CENT));
		add(&s.theirs, row(1, patterns[i].name, NULL, 100 * CENT));
		is_err(reconcile(&s.ours, &s.theirs, &with, &r), OK, "it is compared");
		is_int(r.is_within, patterns[i].fits, "\"%s\" and \"%s\"", patterns[i].pattern,
			patterns[i].name);
	}
}

static void test_many_small(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	sides_init(&s);
	for (int64_t day = 0; day < 100; day++) {
		add(&s.ours, row(day, "m", "", 10 * CENT));
		add(&s.theirs, row(day, "m", NULL, 11 * CENT));
	}
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	ok(r.lines[0].is_within && r.lines[99].is_within, "a cent a day is no difference");
	ok(!r.total.is_within && !r.is_within, "a dollar in all is one");
}

static void test_nothing(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	sides_init(&s);
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "nothing is compared with nothing");
	ok(r.n == 0 && r.is_within, "and agrees");
}

/* ---- keys ---- */

static struct spend used(int64_t day, const char *key, int64_t input, int64_t output)
{
	struct spend s = spend_none;
	s.day = day;
	s.model = SPAN("m");
	s.key = span_str(key);
	s.tokens[SPEND_INPUT] = input;
	s.tokens[SPEND_OUTPUT] = output;
	return s;
}

static struct spend ours_of(
	int64_t day, const char *key, int64_t input, int64_t output, int64_t nusd)
{
	struct spend s = used(day, key, input, output);
	s.nusd = nusd;
	s.has_cost = true;
	return s;
}

static struct spend priced(int64_t day, enum spend_class class, int64_t nusd)
{
	struct spend s = row(day, "m, something", NULL, nusd);
	s.class_nusd[class] = nusd;
	return s;
}

static const struct key_line *key_of(const struct reconciled *r, const char *key)
{
	static const struct key_line none = {.proof = KEY_UNKNOWN};
	for (size_t i = 0; i < r->n_keys; i++) {
		if (span_is(r->keys[i].key, key))
			return &r->keys[i];
	}
	ok(false, "there is a line for the key %s", key);
	return &none;
}

static void keys_begin(struct sides *s)
{
	sides_init(s);
	add(&s->ours, ours_of(1, "work", 1000, 10, 110 * CENT));
	add(&s->ours, ours_of(2, "work", 2000, 0, 200 * CENT));
	add(&s->theirs, priced(1, SPEND_INPUT, 400 * CENT));
	add(&s->theirs, priced(1, SPEND_OUTPUT, 30 * CENT));
	add(&s->theirs, priced(2, SPEND_INPUT, 200 * CENT));
	add(&s->theirs, used(1, "id_work", 1000, 10));
	add(&s->theirs, used(2, "id_work", 2000, 0));
	add(&s->theirs, used(1, "id_leaked", 3000, 20));
}

static void test_keys_inferred(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	keys_begin(&s);
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	const struct key_line *work = key_of(&r, "id_work"), *leaked = key_of(&r, "id_leaked");
	is_uint(r.n_keys, (size_t)2, "two keys");
	is_int(work->proof, KEY_INFERRED, "one used what ours did");
	is_mem(work->label.p, work->label.n, "work", 4, "so it is that one");
	is_int(work->theirs.nusd, 310 * CENT, "its part of each class's cost");
	ok(work->is_within, "which is what the ledger has");
	is_int(leaked->proof, KEY_UNKNOWN, "the other is nobody's");
	is_int(leaked->theirs.nusd, 320 * CENT, "and has the rest");
	is_int(r.unknown_key_nusd, 320 * CENT, "which the broker did not spend");
	is_int(r.unassigned_nusd, 0, "nothing is left over");
}

static void test_keys_given(void)
{
	const struct name_pair keys[] = {
		{SPAN("id_work"),   SPAN("work")},
                {SPAN("id_leaked"), SPAN("work")}
        };
	const struct reconcile_rules with = {
		.tolerance = {5000, CENT},
                  .keys = keys, .n_keys = 2
        };
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	keys_begin(&s);
	is_err(reconcile(&s.ours, &s.theirs, &with, &r), OK, "it is compared");
	is_uint(r.n_keys, (size_t)1, "two ids of one label are one key");
	is_int(r.keys[0].proof, KEY_GIVEN, "that was said to be ours");
	is_int(r.keys[0].diff_nusd, 320 * CENT, "and on which more was spent than here");
	ok(!r.keys[0].is_within, "more than a little");
}

/* Where two could be it, neither is. */
static void test_keys_alike(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	keys_begin(&s);
	add(&s.theirs, used(1, "id_twin", 1000, 10));
	add(&s.theirs, used(2, "id_twin", 2000, 0));
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	is_int(key_of(&r, "id_work")->proof, KEY_UNKNOWN, "one of two is not taken for ours");
	is_int(key_of(&r, "id_twin")->proof, KEY_UNKNOWN, "nor the other");
	is_uint(r.n_keys, (size_t)4, "ours has a line of its own");
}

static void test_keys_of_a_file(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	sides_init(&s);
	add(&s.ours, row(1, "m", "work", 100 * CENT));
	add(&s.ours, row(1, "m", "", 50 * CENT));
	add(&s.theirs, row(1, "m", "work", 100 * CENT));
	add(&s.theirs, row(1, "m", "other", 50 * CENT));
	add(&s.theirs, row(1, "m", "stolen", 30 * CENT));
	add(&s.theirs, row(1, "m", NULL, 5 * CENT));
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	is_int(key_of(&r, "work")->proof, KEY_SAME_NAME, "a key with our label is ours");
	is_int(key_of(&r, "other")->proof, KEY_INFERRED,
		"one that cost the same as ours is taken for it");
	is_int(key_of(&r, "stolen")->proof, KEY_UNKNOWN, "any other is not");
	is_int(r.unknown_key_nusd, 30 * CENT, "what that cost");
	is_int(r.unassigned_nusd, 5 * CENT, "and what no key did");
}

/* To the last unit, whatever the parts are. */
static void test_parts(void)
{
	OWNED(sides_done) struct sides s;
	OWNED(reconciled_done) struct reconciled r;
	int64_t sum = 0;
	sides_init(&s);
	add(&s.theirs, priced(1, SPEND_INPUT, 1000000007));
	add(&s.theirs, priced(1, SPEND_CACHE_READ, -7));
	for (int i = 0; i < 3; i++) {
		const char *const keys[] = {"a", "b", "c"};
		struct spend u = used(1, keys[i], 1, 0);
		u.tokens[SPEND_CACHE_READ] = 1;
		add(&s.theirs, u);
	}
	is_err(reconcile(&s.ours, &s.theirs, &rules, &r), OK, "it is compared");
	for (size_t i = 0; i < r.n_keys; i++)
		sum += r.keys[i].theirs.nusd;
	is_int(sum, 1000000000, "the parts make the whole");
}

int main(void)
{
	test_words();
	test_lines();
	test_days_alone();
	test_aliases();
	test_patterns();
	test_many_small();
	test_nothing();
	test_keys_inferred();
	test_keys_given();
	test_keys_alike();
	test_keys_of_a_file();
	test_parts();
	return tap_done();
}
