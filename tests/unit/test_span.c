/* test_span.c - which bytes a span means. */
#include "protocol/base/span.h"

#include <stdlib.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct span a, b;
	bool eq, starts, ends;
	size_t find;
} pairs[] = {
	{"the same",             T("abc"),   T("abc"),  true,  true,  true,  0},
	{"a beginning",          T("abc"),   T("ab"),   false, true,  false, 0},
	{"an end",               T("abc"),   T("bc"),   false, false, true,  1},
	{"a middle",             T("abcd"),  T("bc"),   false, false, false, 1},
	{"longer than the text", T("ab"),    T("abc"),  false, false, false, 2},
	{"another case",         T("abc"),   T("ABC"),  false, false, false, 3},
	{"a NUL is a byte",      T("a\0b"),  T("a\0c"), false, false, false, 3},
	{"a NUL is found",       T("a\0b"),  T("\0b"),  false, false, true,  1},
	{"nothing in a text",    T("abc"),   T(""),     false, true,  true,  0},
	{"a text in nothing",    T(""),      T("abc"),  false, false, false, 0},
	{"nothing in nothing",   T(""),      T(""),     true,  true,  true,  0},
	{"the absent is empty",  {NULL, 0},  T(""),     true,  true,  true,  0},
	{"the absent, twice",    {NULL, 0},  {NULL, 0}, true,  true,  true,  0},
	{"a text in the absent", {NULL, 0},  T("x"),    false, false, false, 0},
	{"the first of two",     T("xabab"), T("ab"),   false, false, true,  1},
};

static const struct {
	const char *name;
	struct span text;
	const char *want;
} trims[] = {
	{"nothing to trim",   T("a b"),             "a b"  },
	{"all four kinds",    T(" \t\r\na\n\r\t "), "a"    },
	{"other blanks stay", T("\va\f"),           "\va\f"},
	{"only blanks",       T(" \t "),            ""     },
	{"empty",             T(""),                ""     },
	{"absent",            {NULL, 0},            ""     },
};

static const struct {
	const char *name;
	struct span a;
	const char *text;
	bool same;
} cases[] = {
	{"equal",		       T("Content-Type"), "Content-Type", true },
	{"case differs",                T("CONTENT-type"), "content-TYPE", true },
	{"a letter differs",            T("abc"),          "abd",          false},
	{"shorter",		     T("ab"),           "abc",          false},
	{"longer",		      T("abcd"),         "abc",          false},
	{"empty",		       T(""),             "",             true },
	{"absent",		      {NULL, 0},         "",             true },
	{"32 apart, but no letters",    T("@[`{"),         "`{@[",         false},
	{"ends of the alphabet",        T("azAZ"),         "AZaz",         true },
	{"a NUL does not end it",       T("ab\0d"),        "abcd",         false},
	{"bytes above ASCII have none", T("\xc9"),         "\xe9",         false},
	{"nor in UTF-8",                T("\xc3\x89"),     "\xc3\xa9",     false},
};

static void cut(void)
{
	struct span rest = SPAN("a,,bc");
	struct span head = span_cut(&rest, ',');
	is_mem(head.p, head.n, "a", 1, "cut: up to the first");
	head = span_cut(&rest, ',');
	ok(span_is_set(head) && head.n == 0, "cut: an empty piece is there");
	head = span_cut(&rest, ',');
	is_mem(head.p, head.n, "bc", 2, "cut: the last piece is the rest");
	ok(!span_is_set(rest), "cut: and then nothing is left");
	head = span_cut(&rest, ',');
	ok(!span_is_set(head) && !span_is_set(rest), "cut: nothing of nothing");

	rest = SPAN("a,");
	(void)span_cut(&rest, ',');
	ok(span_is_set(rest) && rest.n == 0, "cut: a comma at the end leaves an empty piece");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		const struct span a = pairs[i].a, b = pairs[i].b;
		const char *name = pairs[i].name;
		is_int(span_eq(a, b), pairs[i].eq, "eq: %s", name);
		is_int(span_starts(a, b), pairs[i].starts, "starts: %s", name);
		is_int(span_ends(a, b), pairs[i].ends, "ends: %s", name);
		is_uint(span_find(a, b), pairs[i].find, "find: %s", name);
	}
	for (size_t i = 0; i < COUNT_OF(trims); i++) {
		const struct span got = span_trim(trims[i].text);
		is_mem(got.p, got.n, trims[i].want, strlen(trims[i].want), "trim: %s",
			trims[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		is_int(span_is_nocase(cases[i].a, cases[i].text), cases[i].same, "nocase: %s",
			cases[i].name);
	cut();

	ok(span_is(SPAN("abc"), "abc") && !span_is(SPAN("abc"), "ab"), "is: the whole text");
	ok(!span_is(SPAN("ab\0c"), "ab"), "is: a NUL does not end it");
	ok(!span_is_set(span_str(NULL)), "a NULL string is absent");
	ok(span_is_set(span_str("")) && span_str("").n == 0, "an empty string is there");
	is_uint(span_index(SPAN("a\0b"), '\0'), 1, "index: of a NUL");
	is_uint(span_index(SPAN("abc"), 'x'), 3, "index: not there");
	is_uint(span_index(SPAN_NONE, 'x'), 0, "index: in the absent");
	is_uint(span_first(SPAN("abc"), 2).n, 2, "first: two");
	is_uint(span_first(SPAN("abc"), 9).n, 3, "first: no more than there is");
	ok(!span_is_set(span_skip(SPAN_NONE, 0)), "skip: nothing of the absent");
	is_uint(span_skip(SPAN("abc"), 3).n, 0, "skip: all");
	return tap_done();
}
