/* test_json.c - what is JSON, and what a text says. */
#include "protocol/base/json.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* Scans a copy that ends where its memory does, so that a sanitizer sees a step too far. *copy is
 * the caller's to free. */
static enum err scan(
	struct span text, struct json_rules rules, char **copy, struct json *out, struct fault *why)
{
	*copy = malloc(text.n ? text.n : 1);
	if (!*copy)
		bail("no memory");
	if (text.n)
		memcpy(*copy, text.p, text.n);
	return json_scan(span_of(*copy, text.n), rules, out, why);
}

/* The value of a text that is right. */
static struct json value(const char *text)
{
	struct json v;
	struct fault why = FAULT_NONE;
	if (json_scan(span_str(text), JSON_LENIENT, &v, &why))
		bail("%s: %s", text, why.message);
	return v;
}

/* ---- what is JSON ---- */

static const struct {
	const char *name;
	struct span text, want; /* want absent: all of the text */
} accepted[] = {
	{"null",			       T("null"),						   {NULL, 0}},
	{"true",			       T("true"),						   {NULL, 0}},
	{"false",			      T("false"),						  {NULL, 0}},
	{"zero",			       T("0"),						      {NULL, 0}},
	{"minus zero",			 T("-0"),						     {NULL, 0}},
	{"a digit",			    T("7"),						      {NULL, 0}},
	{"digits",			     T("1234567890"),					     {NULL, 0}},
	{"a fraction",			 T("0.5"),						    {NULL, 0}},
	{"zeroes behind the point",            T("-1.000"),						 {NULL, 0}},
	{"an exponent",			T("1e5"),						    {NULL, 0}},
	{"a large exponent letter",            T("1E5"),						    {NULL, 0}},
	{"signs of exponents",                 T("[1e+5,1e-5,0e0,0E-00]"),                                  {NULL, 0}},
	{"zeroes before an exponent's digits", T("1e007"),                                                  {NULL, 0}},
	{"all of a number",                    T("-123.456E+78"),                                           {NULL, 0}},
	{"no double holds this",               T("1e99999"),						{NULL, 0}},
	{"nor this",			   T("123456789012345678901234567890.1"),                       {NULL, 0}},
	{"an empty string",                    T("\"\""),						   {NULL, 0}},
	{"a letter",			   T("\"a\""),						  {NULL, 0}},
	{"DEL",				T("\"\x7f\""),					       {NULL, 0}},
	{"all short escapes",                  T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),                         {NULL, 0}},
	{"a quote at the end",                 T("\"\\\"\""),					       {NULL, 0}},
	{"a backslash at the end",             T("\"\\\\\""),                                               {NULL, 0}},
	{"an escaped NUL",                     T("\"\\u0000\""),                                            {NULL, 0}},
	{"hexadecimal digits, both cases",     T("\"\\uabcd\\uABCD\\u0189\""),                              {NULL, 0}},
	{"a pair",			     T("\"\\ud83d\\ude00\""),                                     {NULL, 0}},
	{"a lone high half",                   T("\"\\ud83d\""),                                            {NULL, 0}},
	{"a lone low half",                    T("\"\\ude00\""),                                            {NULL, 0}},
	{"halves the wrong way round",         T("\"\\ude00\\ud83d\""),                                     {NULL, 0}},
	{"UTF-8 of all lengths",               T("\"\xc2\x80\xe2\x82\xac\xf0\x9f\x98\x80\""),               {NULL, 0}},
	{"a noncharacter",                     T("\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\""),                       {NULL, 0}},
	{"U+2028",			     T("\"\xe2\x80\xa8\""),                                       {NULL, 0}},
	{"brackets in a string",               T("\"[{]},:\""),                                             {NULL, 0}},
	{"an empty array",                     T("[]"),						     {NULL, 0}},
	{"an empty array with a space",        T("[ ]"),						    {NULL, 0}},
	{"an empty object",                    T("{}"),						     {NULL, 0}},
	{"an empty object with lines",         T("{\r\n}"),                                                 {NULL, 0}},
	{"nested empty ones",                  T("[[],{},[[]]]"),                                           {NULL, 0}},
	{"an empty name",                      T("{\"\":0}"),					       {NULL, 0}},
	{"a name twice",                       T("{\"a\":1,\"a\":2}"),                                      {NULL, 0}},
	{"an escaped name",                    T("{\"\\u0061\\n\":1}"),                                     {NULL, 0}},
	{"members",			    T("{\"a\":[1,2],\"b\":{\"c\":null}}"),                       {NULL, 0}},
	{"space wherever it may be",
         T(" \t\r\n{ \"a\" : [ 1 , \"b\" , { } , [ ] ] , \"c\" :true } \n"),
         T("{ \"a\" : [ 1 , \"b\" , { } , [ ] ] , \"c\" :true }")                                                    },
	{"a number and space",                 T(" 12 "),						   T("12")  },
	{"a string longer than a step",        T("\"0123456789abcdef0123456789abcdef\\n0123456789abcde\""),
         {NULL, 0}												   },
};

static void accepts(void)
{
	for (size_t i = 0; i < COUNT_OF(accepted); i++) {
		const struct span text = accepted[i].text;
		const struct span want = span_is_set(accepted[i].want) ? accepted[i].want : text;
		struct json_rules rules[] = {JSON_STRICT, JSON_LENIENT};
		for (size_t k = 0; k < COUNT_OF(rules); k++) {
			struct json v;
			struct fault why = FAULT_NONE;
			char *copy;
			is_err(scan(text, rules[k], &copy, &v, &why), OK, "accepted: %s",
				accepted[i].name);
			is_mem(v.text.p, v.text.n, want.p, want.n, "its bytes: %s",
				accepted[i].name);
			free(copy);
		}
	}
}

static const struct {
	const char *name;
	struct span text;
	size_t at;
	const char *expected; /* in the sentence */
	bool is_lenient;      /* accepted by lenient rules */
} rejected[] = {
	{"nothing",			T(""),					   0,  "ends too early",    false},
	{"absent",			 {NULL, 0},				       0,  "a value",           false},
	{"space alone",                    T(" \n"),					2,  "a value",           false},
	{"a byte order mark",              T("\xef\xbb\xbf{}"),                             0,  "byte order mark",   false},
	{"a byte order mark alone",        T("\xef\xbb\xbf"),                               0,  "byte order mark",   false},
	{"UTF-16",			 T("\xff\xfe[\0]\0"),                             0,  "a value",           false},
	{"a NUL",			  T("\0"),					 0,  "a value",           false},
	{"a NUL behind a value",           T("1\0"),                                        1,  "nothing after",     false},
	{"a NUL in an array",              T("[\0]"),                                       1,  "a value",           false},
	{"a NUL for an end of a string",   T("\"a\0"),                                      2,  "control",           false},
	{"two values",                     T("1 2"),					2,  "nothing after",     false},
	{"two objects",                    T("{}{}"),				       2,  "nothing after",     false},
	{"a bracket too many",             T("[]]"),                                        2,  "nothing after",     false},
	{"a comma behind",                 T("1,"),					 1,  "nothing after",     false},
	{"a comment",		      T("1 // one"),                                   2,  "nothing after",     false},
	{"a comment before",               T("/* */1"),                                     0,  "a value",           false},
	{"a form feed",                    T("\f1"),					0,  "a value",           false},
	{"a vertical tab",                 T("[\v1]"),                                      1,  "a value",           false},
	{"a no-break space",
         T("[\xc2\xa0"
		  "1]"),
         1,										     "a value",           false},
	{"a letter",		       T("a"),					  0,  "a value",           false},
	{"a star",			 T("*"),					  0,  "a value",           false},
	{"single quotes",                  T("'a'"),					0,  "a value",           false},
	{"a part of null",                 T("nul"),					3,  "expected null",     false},
	{"not null",		       T("nuls"),				       3,  "expected null",     false},
	{"more than null",                 T("nulll"),                                      4,  "nothing after",     false},
	{"Null",			   T("Null"),				       0,  "a value",           false},
	{"TRUE",			   T("TRUE"),				       0,  "a value",           false},
	{"tru",			    T("[tru]"),				      4,  "expected true",     false},
	{"truth",			  T("truth"),				      3,  "expected true",     false},
	{"fals",			   T("fals"),				       4,  "expected false",    false},
	{"true1",			  T("[true1]"),				    5,  "',' or ']'",        false},
	{"undefined",		      T("undefined"),                                  0,  "a value",           false},
	{"NaN",			    T("NaN"),					0,  "a value",           false},
	{"nan",			    T("nan"),					1,  "expected null",     false},
	{"-NaN",			   T("-NaN"),				       1,  "a digit",           false},
	{"Infinity",		       T("[Infinity]"),                                 1,  "a value",           false},
	{"-Infinity",		      T("-Infinity"),                                  1,  "a digit",           false},
	{"a plus",			 T("+1"),					 0,  "a value",           false},
	{"a minus",			T("-"),					  1,  "a digit",           false},
	{"two minuses",                    T("--1"),					1,  "a digit",           false},
	{"a minus and a space",            T("- 1"),                                        1,  "a digit",           false},
	{"a leading zero",                 T("012"),					1,  "nothing after",     false},
	{"a leading zero, negative",       T("-01"),                                        2,  "nothing after",     false},
	{"two zeroes",                     T("[00]"),				       2,  "',' or ']'",        false},
	{"hexadecimal",                    T("0x1"),					1,  "nothing after",     false},
	{"a point at the end",             T("1."),					 2,  "the decimal point", false},
	{"a point and an exponent",        T("1.e1"),                                       2,  "the decimal point", false},
	{"a point at the start",           T(".5"),                                         0,  "a value",           false},
	{"a minus and a point",            T("-.5"),                                        1,  "a digit",           false},
	{"two points",                     T("1.2.3"),				      3,  "nothing after",     false},
	{"a decimal comma",                T("1,5"),					1,  "nothing after",     false},
	{"an exponent without digits",     T("1e"),                                         2,  "the exponent",      false},
	{"its sign alone",                 T("1e+"),					3,  "the exponent",      false},
	{"its two signs",                  T("1e+-1"),				      3,  "the exponent",      false},
	{"an exponent with a point",       T("1e1.5"),                                      3,  "nothing after",     false},
	{"an exponent alone",              T("e5"),					 0,  "a value",           false},
	{"two exponents",                  T("1e2e3"),				      3,  "nothing after",     false},
	{"wide digits",                    T("\xef\xbc\x91"),                               0,  "a value",           false},
	{"digits with gaps",               T("[1 000]"),                                    3,  "',' or ']'",        false},
	{"digits underlined",              T("1_000"),                                      1,  "nothing after",     false},
	{"a letter behind a number",       T("[1a]"),                                       2,  "',' or ']'",        false},
	{"an open string",                 T("\"abc"),                                      4,  "the closing quote", false},
	{"a quote alone",                  T("\""),					 1,  "the closing quote", false},
	{"an escaped quote at the end",    T("\"a\\\""),                                    4,  "the closing quote", false},
	{"an escape cut off",              T("\"\\"),                                       2,  "after a backslash", false},
	{"an escape that is none",         T("\"\\a\""),                                    2,  "after a backslash", false},
	{"an escaped apostrophe",          T("\"\\'\""),                                    2,  "after a backslash", false},
	{"an escaped NUL byte",            T("\"\\\0\""),                                   2,  "after a backslash", false},
	{"an escaped line end",            T("\"\\\n\""),                                   2,  "after a backslash", false},
	{"\\x",			    T("\"\\x41\""),				  2,  "after a backslash", false},
	{"\\U",			    T("\"\\U0041\""),                                2,  "after a backslash", false},
	{"\\u cut off",                    T("\"\\u"),				      3,  "hexadecimal",       false},
	{"\\u with three digits",          T("\"\\u00a\""),                                 6,  "hexadecimal",       false},
	{"\\u with a wrong digit",         T("\"\\u00g0\""),                                5,  "hexadecimal",       false},
	{"\\u with a sign",                T("\"\\u+123\""),                                3,  "hexadecimal",       false},
	{"a pair cut off",                 T("\"\\ud83d\\u\""),                             9,  "hexadecimal",       false},
	{"a line end in a string",         T("\"a\nb\""),                                   2,  "control",           true },
	{"a tab in a string",              T("[\"\t\"]"),                                   2,  "control",           true },
	{"a NUL in a string",              T("\"a\0b\""),                                   2,  "control",           true },
	{"U+001F in a name",               T("{\"\x1f\":1}"),                               2,  "control",           true },
	{"a control in the second step",   T("\"0123456789abcdefgh\x01\""),                 19, "control",           true },
	{"U+001F in the first step",
         T("\"0123\x1f"
		  "56789abcdefgh\""),
         5,										     "control",           true },
	{"a continuation byte",            T("\"\x80\""),                                   1,  "valid UTF-8",       true },
	{"an overlong slash",              T("\"\xc0\xaf\""),                               1,  "valid UTF-8",       true },
	{"a character cut by a quote",     T("\"\xe2\x82\""),                               1,  "valid UTF-8",       true },
	{"a surrogate in UTF-8",           T("\"\xed\xa0\x80\""),                           1,  "valid UTF-8",       true },
	{"above U+10FFFF",                 T("\"\xf4\x90\x80\x80\""),                       1,  "valid UTF-8",       true },
	{"Latin-1",			T("{\"caf\xe9\":1}"),                            5,  "valid UTF-8",       true },
	{"FF far behind",                  T("[\"0123456789abcdef0123456789abcdef\xff\"]"), 34, "valid UTF-8",       true },
	{"an open array",                  T("["),					  1,  "a value",           false},
	{"an open array with a value",     T("[1"),                                         2,  "',' or ']'",        false},
	{"an open array with a comma",     T("[1,"),                                        3,  "a value",           false},
	{"a comma alone",                  T("[,]"),					1,  "a value",           false},
	{"a comma first",                  T("[,1]"),				       1,  "a value",           false},
	{"a comma last",                   T("[1,]"),				       3,  "a value",           false},
	{"two commas",                     T("[1,,2]"),				     3,  "a value",           false},
	{"no comma",		       T("[1 2]"),				      3,  "',' or ']'",        false},
	{"a colon in an array",            T("[\"a\":1]"),                                  4,  "',' or ']'",        false},
	{"a semicolon",                    T("[1;2]"),				      2,  "',' or ']'",        false},
	{"the wrong bracket",              T("[1}"),					2,  "',' or ']'",        false},
	{"the wrong brace",                T("{\"a\":1]"),                                  6,  "',' or '}'",        false},
	{"crossed brackets",               T("[{]}"),                                       2,  "name in quotes",    false},
	{"a bracket alone",                T("]"),					  0,  "a value",           false},
	{"a brace alone",                  T("}"),					  0,  "a value",           false},
	{"an open object",                 T("{"),					  1,  "or '}'",            false},
	{"a name alone",                   T("{\"a\"}"),                                    4,  "':'",               false},
	{"a name cut off",                 T("{\"a"),				       3,  "the closing quote", false},
	{"a name and a comma",             T("{\"a\",1}"),                                  4,  "':'",               false},
	{"no value",		       T("{\"a\":}"),                                   5,  "a value",           false},
	{"no name",			T("{:1}"),				       1,  "name in quotes",    false},
	{"a name without quotes",          T("{a:1}"),                                      1,  "name in quotes",    false},
	{"a name in single quotes",        T("{'a':1}"),                                    1,  "name in quotes",    false},
	{"a number for a name",            T("{1:1}"),                                      1,  "name in quotes",    false},
	{"two colons",                     T("{\"a\"::1}"),                                 5,  "a value",           false},
	{"a comma last in an object",      T("{\"a\":1,}"),                                 7,  "name in quotes",    false},
	{"a comma first in an object",     T("{,\"a\":1}"),                                 1,  "name in quotes",    false},
	{"no comma in an object",          T("{\"a\":1 \"b\":2}"),                          7,  "',' or '}'",        false},
	{"an open object with a value",    T("{\"a\":1"),                                   6,  "',' or '}'",        false},
	{"an object in an object's place", T("{{}:1}"),                                     1,  "name in quotes",    false},
};

static void rejects(void)
{
	for (size_t i = 0; i < COUNT_OF(rejected); i++) {
		struct json v = json_of(SPAN("x"));
		struct fault why = FAULT_NONE;
		char *copy, at[40];
		const char *name = rejected[i].name;
		is_err(scan(rejected[i].text, JSON_STRICT, &copy, &v, &why), ERR_MALFORMED,
			"rejected: %s", name);
		ok(!span_is_set(v.text), "nothing comes out: %s", name);
		is_err(why.err, ERR_MALFORMED, "and it is said why: %s", name);
		(void)snprintf(at, sizeof at, " byte %zu:", rejected[i].at);
		const bool has_place = ok(strstr(why.message, at), "where: %s:%s", name, at);
		if (!ok(strstr(why.message, rejected[i].expected), "what: %s", name) || !has_place)
			diag("%s", why.message);
		free(copy);
		is_err(scan(rejected[i].text, JSON_LENIENT, &copy, &v, NULL),
			rejected[i].is_lenient ? OK : ERR_MALFORMED, "lenient: %s", name);
		free(copy);
	}
}

static const char whole[] =
	"{\"model\":\"m-1\",\"n\":-12.5e+3,\"s\":\"a\\n\\u20ac\\ud83d\\ude00\xe2\x82\xac \\\\\","
	"\"list\" : [ true , false,null,[],{} , [{\"a\":\"\"}] ] ,\"last\":{\"x\":0}}";

/* No beginning of an object is one, whatever the rules; and no byte may be missing or be a NUL
 * (outside the strings of a lenient text) without being noticed or changing the text's length. */
static void cuts(void)
{
	const size_t n = sizeof whole - 1;
	struct json_rules rules[] = {JSON_STRICT, JSON_LENIENT, JSON_STRICT};
	rules[2].has_unique_names = true;
	for (size_t k = 0; k < COUNT_OF(rules); k++) {
		size_t accepted_cuts = 0, silent = 0, late = 0;
		struct json v;
		char *copy;
		is_err(scan(span_of(whole, n), rules[k], &copy, &v, NULL), OK, "whole, rules %zu",
			k);
		free(copy);
		for (size_t cut = 0; cut < n; cut++) {
			struct fault why = FAULT_NONE;
			char at[40];
			(void)snprintf(at, sizeof at, "at byte %zu:", cut);
			accepted_cuts += scan(span_of(whole, cut), rules[k], &copy, &v, &why) !=
					 ERR_MALFORMED;
			silent += !strstr(why.message, "ends too early");
			late += !strstr(why.message, at);
			free(copy);
		}
		is_uint(accepted_cuts, 0, "cut at every byte, rules %zu: each is refused", k);
		is_uint(silent, 0, "cut at every byte, rules %zu: each is called too short", k);
		is_uint(late, 0, "cut at every byte, rules %zu: where it is cut", k);
	}
	char spoilt[sizeof whole];
	size_t missed = 0;
	for (size_t i = 0; i < n; i++) {
		struct json v;
		char *copy;
		memcpy(spoilt, whole, sizeof whole);
		spoilt[i] = '\0';
		missed += scan(span_of(spoilt, n), JSON_STRICT, &copy, &v, NULL) != ERR_MALFORMED;
		free(copy);
	}
	is_uint(missed, 0, "a NUL for any byte is refused");
}

static void depths(void)
{
	static const size_t limits[] = {1, 2, 63, 64, 65, 127, 128, 129, JSON_DEPTH_MAX};
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		const size_t max = limits[i];
		struct json_rules rules = JSON_STRICT;
		OWNED(buf_done) struct buf text = BUF_INIT(100000);
		rules.max_depth = max;
		for (size_t deep = max; deep <= max + 1; deep++) {
			struct json v;
			struct fault why = FAULT_NONE;
			char *copy;
			/* arrays and objects by turns, so that each level's bit counts */
			buf_clear(&text);
			for (size_t k = 0; k < deep; k++)
				buf_text(&text, k % 3 ? "[1," : "{\"a\":");
			buf_text(&text, "0");
			for (size_t k = deep; k-- > 0;)
				buf_text(&text, k % 3 ? "]" : "}");
			is_err(scan(buf_view(&text), rules, &copy, &v, &why),
				deep > max ? ERR_TOO_BIG : OK, "%zu deep of %zu", deep, max);
			if (deep > max) {
				char said[40];
				(void)snprintf(said, sizeof said, "at most %zu ", max);
				ok(strstr(why.message, said), "and says so");
			}
			free(copy);
		}
	}
	struct json v;
	struct json_rules rules = JSON_STRICT;
	rules.max_depth = 1;
	is_err(json_scan(SPAN("[[1]"), rules, &v, NULL), ERR_TOO_BIG,
		"too deep before it is wrong");
	is_err(json_scan(SPAN("[1,2,{}"), rules, &v, NULL), ERR_TOO_BIG, "an object counts too");
	is_err(json_scan(SPAN("[1,2]"), rules, &v, NULL), OK, "breadth is not depth");
}

static const struct {
	const char *name;
	struct span text;
	const char *twice; /* why->param; NULL: no name is there twice */
} duplicates[] = {
	{"none",			T("{\"a\":1,\"b\":2}"),                             NULL            },
	{"an empty object",             T("{}"),					    NULL            },
	{"the same",                    T("{\"a\":1,\"a\":2}"),                             "a"             },
	{"the first and the last",      T("{\"a\":1,\"b\":2,\"c\":3,\"a\":4}"),             "a"             },
	{"case",			T("{\"Model\":1,\"mODEL\":2}"),                     "mODEL"         },
	{"escaped",		     T("{\"a\":1,\"\\u0061\":2}"),                       "\\u0061"       },
	{"escaped and case",            T("{\"a\":1,\"\\u0041\":2}"),                       "\\u0041"       },
	{"escaped first",               T("{\"\\u0061b\":1,\"ab\":2}"),                     "ab"            },
	{"a slash",		     T("{\"a/b\":1,\"a\\/b\":2}"),                       "a\\/b"         },
	{"a pair and UTF-8",            T("{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}"), "\\ud83d\\ude00"},
	{"two empty names",             T("{\"\":1,\"\":2}"),                               ""              },
	{"a NUL, where some end it",    T("{\"a\\u0000b\":1}"),                             "a\\u0000b"     },
	{"one at its end",              T("{\"x\":{\"a\\u0000\":1}}"),                      "a\\u0000"      },
	{"an old s, which folds to s",  T("{\"\xc5\xbftop\":1}"),                           "\xc5\xbftop"   },
	{"the same as an escape",       T("{\"u\\u017fer\":1}"),                            "u\\u017fer"    },
	{"the sign of kelvins, as k",   T("{\"to\\u212Aen\":1}"),                           "to\\u212Aen"   },
	{"what is near to them",        T("{\"\\u017e\":1,\"\\u212B\":2,\"\\u0001\":3}"),   NULL            },
	{"one begins the other",        T("{\"a\":1,\"aa\":2,\"aaa\":3}"),                  NULL            },
	{"case beyond ASCII is kept",   T("{\"\xc3\xa9\":1,\"\xc3\x89\":2}"),               NULL            },
	{"no letters 32 apart",         T("{\"@\":1,\"`\":2,\"[\":3,\"{\":4}"),             NULL            },
	{"in an object and one inside", T("{\"a\":{\"a\":{\"a\":1}}}"),                     NULL            },
	{"in two of an array",          T("[{\"a\":1},{\"a\":2},[{\"a\":3}]]"),             NULL            },
	{"in two values of an object",  T("{\"x\":{\"a\":1},\"y\":{\"a\":2}}"),             NULL            },
	{"after an object inside",      T("{\"a\":{\"b\":1,\"c\":[{\"d\":1}]},\"a\":2}"),   "a"             },
	{"after an array of objects",   T("[{\"a\":[{\"a\":1},{\"b\":1}],\"A\":2}]"),       "A"             },
	{"inside, not around",          T("{\"a\":{\"b\":1,\"b\":2}}"),                     "b"             },
	{"in a lone surrogate's name",  T("{\"\\ud800\":1,\"\\uD800\":2}"),                 "\\uD800"       },
	{"strings are no names",        T("{\"a\":\"a\",\"b\":[\"a\",\"a\"]}"),             NULL            },
};

static const char *const open_members[] = {"parameters", "input", NULL};

/* With the names inside `parameters` and `input` free. */
static const struct {
	const char *name;
	struct span text;
	const char *twice;
} free_names[] = {
	{"inside",               T("{\"parameters\":{\"a\":1,\"A\":2}}"),                             NULL   },
	{"deeper inside",        T("{\"input\":[{\"b\":{\"a\":1,\"a\":2}}]}"),                        NULL   },
	{"itself twice",         T("{\"input\":{},\"input\":{}}"),                                    "input"},
	{"after it",             T("{\"input\":{\"a\":1,\"a\":2},\"x\":1,\"x\":2}"),                  "x"    },
	{"inside what follows",  T("{\"input\":{},\"x\":{\"a\":1,\"a\":2}}"),                         "a"    },
	{"inside what precedes", T("{\"x\":{\"a\":1,\"a\":2},\"input\":{}}"),                         "a"    },
	{"after its object",     T("[{\"input\":{}},[{\"a\":1,\"a\":2}]]"),                           "a"    },
	{"and deeper there",     T("[{\"input\":1},[[{\"a\":1,\"a\":2}]]]"),                          "a"    },
	{"a scalar opens none",  T("[{\"input\":1},{\"x\":{\"a\":1,\"a\":2}}]"),                      "a"    },
	{"escaped",              T("{\"inpu\\u0074\":{\"a\":1,\"a\":2}}"),                            NULL   },
	{"in another case",      T("{\"Input\":{\"a\":1,\"a\":2}}"),                                  "a"    },
	{"one inside the other", T("{\"input\":{\"input\":{},\"x\":{\"a\":1,\"a\":2}}}"),             NULL   },
	{"two of them",          T("{\"input\":{\"a\":1,\"a\":2},\"parameters\":{\"a\":1,\"a\":1}}"), NULL   },
	{"a NUL in one",         T("{\"input\":{\"a\\u0000\":1,\"\\u017f\":2}}"),                     NULL   },
};

static void unique(struct json_rules rules, struct span text, const char *twice, const char *name)
{
	struct json v;
	struct fault why = FAULT_NONE;
	char *copy;
	is_err(scan(text, rules, &copy, &v, &why), twice ? ERR_MALFORMED : OK, "names: %s", name);
	is_str(why.param, twice ? twice : "", "names: %s: the member", name);
	if (twice)
		ok(strstr(why.message, twice), "names: %s: in the sentence", name);
	free(copy);
	is_err(scan(text, rules, &copy, &v, NULL), twice ? ERR_MALFORMED : OK,
		"names: %s, and nobody asks why", name);
	free(copy);
	rules.has_unique_names = false;
	is_err(scan(text, rules, &copy, &v, NULL), OK, "names: %s, where they are free", name);
	free(copy);
}

/* As many names as make the set grow often, some objects in the middle of them. */
static void many_names(void)
{
	enum { COUNT = 20000 };
	struct json_rules rules = JSON_STRICT;
	struct fault why = FAULT_NONE;
	struct json v;
	OWNED(buf_done) struct buf text = BUF_INIT((size_t)8 << 20);
	rules.has_unique_names = true;
	buf_byte(&text, '{');
	for (int i = 0; i < COUNT; i++)
		buf_print(&text,
			"\"Name-%d\":{\"name-%d\":[{\"a\":1,\"b\":2,\"c\":{\"a\":3}}],\"x\":0},", i,
			i);
	const size_t before = text.n;
	buf_text(&text, "\"last\":1}");
	is_err(json_scan(buf_view(&text), rules, &v, &why), OK, "names: %d of them", COUNT);
	size_t missed = 0;
	for (int i = 0; i < COUNT; i += 997) {
		char again[32];
		buf_cut(&text, before);
		(void)snprintf(again, sizeof again, "NAME-%d", i);
		buf_print(&text, "\"%s\":1}", again);
		missed += json_scan(buf_view(&text), rules, &v, &why) != ERR_MALFORMED;
		missed += strcmp(why.param, again) != 0;
	}
	is_uint(missed, 0, "names: one more of them is found again");

	/* the set grows while names are in it that leave, and come again */
	buf_clear(&text);
	for (int i = 0; i < 4; i++) {
		buf_text(&text, i ? ",{" : "[{");
		for (int k = 0; k < 1000 << i; k++)
			buf_print(&text, "%s\"%d\":{\"%d\":0}", k ? "," : "", k, k);
		buf_byte(&text, '}');
	}
	buf_byte(&text, ']');
	is_err(json_scan(buf_view(&text), rules, &v, &why), OK, "names: the same in each object");

	/* a name too long for the fault's fields */
	buf_clear(&text);
	for (int i = 0; i < 2; i++) {
		buf_text(&text, i ? ",\"" : "{\"");
		for (int k = 0; k < 5000; k++)
			buf_text(&text, "\xc3\xa9");
		buf_text(&text, "\":1");
	}
	buf_byte(&text, '}');
	is_err(json_scan(buf_view(&text), rules, &v, &why), ERR_MALFORMED,
		"names: a long one twice");
	is_uint(strlen(why.param), sizeof why.param - 2, "names: cut at a character");
}

/* So many that comparing them would keep a loop from everything else; where nobody compares they may be. */
static void too_many_names(void)
{
	struct json_rules rules = JSON_STRICT;
	OWNED(buf_done) struct buf text = BUF_INIT((size_t)64 << 20);
	struct json v;
	buf_byte(&text, '[');
	for (size_t i = 0; i < JSON_NAMES_MAX / 2; i++)
		buf_text(&text, "{\"a\":{\"a\":0}},");
	const size_t enough = text.n;
	buf_text(&text, "{}]");
	rules.has_unique_names = true;
	is_err(json_scan(buf_view(&text), rules, &v, NULL), OK, "names: as many as there may be");
	buf_cut(&text, enough);
	buf_text(&text, "{\"a\":0}]");
	is_err(json_scan(buf_view(&text), rules, &v, NULL), ERR_TOO_BIG, "names: one too many");
	rules.free_inside = (const char *const[]){"a", NULL};
	is_err(json_scan(buf_view(&text), rules, &v, NULL), OK,
		"names: but for those that are free");
	is_err(json_scan(buf_view(&text), JSON_STRICT, &v, NULL), OK, "names: or all are");
}

static void names(void)
{
	struct json_rules rules = JSON_STRICT;
	rules.has_unique_names = true;
	for (size_t i = 0; i < COUNT_OF(duplicates); i++)
		unique(rules, duplicates[i].text, duplicates[i].twice, duplicates[i].name);
	rules.free_inside = open_members;
	for (size_t i = 0; i < COUNT_OF(free_names); i++)
		unique(rules, free_names[i].text, free_names[i].twice, free_names[i].name);
	many_names();
	too_many_names();

	struct json v;
	rules = JSON_STRICT;
	rules.has_unique_names = rules.has_two_spellings = true;
	is_err(json_scan(SPAN("{\"aB\":1,\"_a_b_\":2}"), rules, &v, NULL), ERR_MALFORMED,
		"names: in two spellings");
	is_err(json_scan(SPAN("{\"ab\":{\"_\":1,\"a\":2},\"ac\":2}"), rules, &v, NULL), OK,
		"names: that differ in more");
	rules = JSON_LENIENT;
	rules.has_unique_names = true;
	is_err(json_scan(SPAN("{\"\xff\":1,\"\xff\":2}"), rules, &v, NULL), ERR_MALFORMED,
		"names: bytes that are no text, twice");
	is_err(json_scan(SPAN("{\"\xff\":1,\"\xfe\":2}"), rules, &v, NULL), OK,
		"names: bytes that are no text, and differ");
}

/* ---- reading ---- */

static const struct {
	struct span text;
	enum json_kind kind;
} kinds[] = {
	{T("null"),  JSON_NULL  },
	{T("false"), JSON_FALSE },
	{T("true"),  JSON_TRUE  },
	{T("0"),     JSON_NUMBER},
	{T("-1"),    JSON_NUMBER},
	{T("\"\""),  JSON_STRING},
	{T("[]"),    JSON_ARRAY },
	{T("{}"),    JSON_OBJECT},
};

static void read_kinds(void)
{
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct json v = json_of(kinds[i].text);
		int64_t whole_number;
		double nearest;
		struct span text = SPAN("x");
		struct arena a;
		OWNED(buf_done) struct buf out = BUF_INIT(100);
		const char *name = kinds[i].text.p;
		const bool is_string = kinds[i].kind == JSON_STRING;
		arena_init(&a, 10000);
		is_int(json_kind(v), kinds[i].kind, "kind: %s", name);
		is_int(json_is_nil(v), kinds[i].kind == JSON_NULL, "nil: %s", name);
		is_int(json_is_true(v), kinds[i].kind == JSON_TRUE, "true: %s", name);
		is_int(json_i64(v, &whole_number), kinds[i].kind == JSON_NUMBER, "i64: %s", name);
		is_int(json_f64(v, &nearest), kinds[i].kind == JSON_NUMBER, "f64: %s", name);
		is_err(json_text(v, &a, &text), OK, "text: %s", name);
		is_int(span_is_set(text), is_string, "text: %s: there or absent", name);
		is_err(json_utf8(v, &a, &text), OK, "utf8: %s", name);
		is_int(span_is_set(text), is_string, "utf8: %s: there or absent", name);
		is_int(json_text_to(v, &out), is_string, "text_to: %s", name);
		is_int(json_is(v, ""), is_string, "is: %s", name);
		struct json_walk w = json_each(v);
		ok(!json_next(&w) && !json_next(&w), "each: %s: empty", name);
		is_int(json_kind(json_member(v, "a")), JSON_ABSENT, "member: %s", name);
		arena_done(&a);
	}
	struct json_walk w = json_each(JSON_NONE);
	ok(!json_next(&w), "each: of an absent value");
	is_int(json_kind(JSON_NONE), JSON_ABSENT, "kind: of an absent value");
	ok(json_is_nil(JSON_NONE) && !json_is_true(JSON_NONE), "nil: an absent value");
	ok(!json_is(JSON_NONE, ""), "is: not an absent value");
}

/* Each member as name=value; of an array =value; those of one level. */
static const struct {
	const char *name, *text, *want;
} walks[] = {
	{"an array",                "[1,2,3]",				 "=1|=2|=3|"                 },
	{"space",		   " [ 1 ,\t2\r\n, 3 ] ",                     "=1|=2|=3|"                 },
	{"one value",               "[ null ]",                                "=null|"                    },
	{"empty with space",        "[ \n ]",                                  ""                          },
	{"an object",               "{\"a\":1,\"b\":true}",                    "a=1|b=true|"               },
	{"an object with space",    "{ \"a\" : 1 , \"b\" :\"x\" }",            "a=1|b=\"x\"|"              },
	{"containers inside",       "[[1,[2]],{\"a\":[3]},[]]",                "=[1,[2]]|={\"a\":[3]}|=[]|"},
	{"brackets in strings",     "[\"]\",\"[\",[\"]]\",\"{\"],1]",
         "=\"]\"|=\"[\"|=[\"]]\",\"{\"]|=1|"							       },
	{"quotes in strings",       "[\"\\\"\",\"a\\\\\",\"\\\\\\\"]\",2]",
         "=\"\\\"\"|=\"a\\\\\"|=\"\\\\\\\"]\"|=2|"							 },
	{"the same in a container", "[[\"\\\"]\",\"\\\\\"],{\"\\\\\":\"}\"}]",
         "=[\"\\\"]\",\"\\\\\"]|={\"\\\\\":\"}\"}|"                                                        },
	{"raw names",               "{\"\\u0061\\\"\":1,\"\":2,\"a:b\":3}",    "\\u0061\\\"=1|=2|a:b=3|"   },
	{"a name twice",            "{\"a\":1,\"a\":2}",                       "a=1|a=2|"                  },
	{"numbers as they are",     "[1.50,-0,1E400]",                         "=1.50|=-0|=1E400|"         },
	{"commas in strings",       "{\",\":\",\",\"b\":[\",\"]}",             ",=\",\"|b=[\",\"]|"        },
};

static void reads_walks(void)
{
	for (size_t i = 0; i < COUNT_OF(walks); i++) {
		struct json v;
		char *copy;
		OWNED(buf_done) struct buf got = BUF_INIT(1000);
		if (scan(span_str(walks[i].text), JSON_STRICT, &copy, &v, NULL))
			bail("%s is wrong", walks[i].text);
		struct json_walk w = json_each(v);
		while (json_next(&w)) {
			buf_span(&got, w.name);
			buf_byte(&got, '=');
			buf_span(&got, w.value.text);
			buf_byte(&got, '|');
		}
		is_mem(got.p, got.n, walks[i].want, strlen(walks[i].want), "walk: %s",
			walks[i].name);
		ok(!json_next(&w) && !span_is_set(w.value.text) && !span_is_set(w.name),
			"walk: %s: the end stays the end", walks[i].name);
		free(copy);
	}
}

static const struct {
	const char *name, *raw, *text;
	bool is;
} texts[] = {
	{"plain",		       "abc",                        "abc",                          true },
	{"empty",		       "",			   "",			     true },
	{"begins it",                   "ab",                         "abc",                          false},
	{"goes on",		     "abcd",                       "abc",                          false},
	{"case counts",                 "Abc",                        "abc",                          false},
	{"escaped",		     "\\u0061bc",                  "abc",                          true },
	{"escaped in the middle",       "a\\u0062c",                  "abc",                          true },
	{"escaped at the end",          "ab\\u0063",                  "abc",                          true },
	{"escaped otherwise",           "ab\\u0064",                  "abc",                          false},
	{"an escape too many",          "abc\\u0064",                 "abc",                          false},
	{"short escapes",               "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t",              true },
	{"two bytes",                   "\\u00e9",                    "\xc3\xa9",                     true },
	{"three bytes",                 "\\u20AC",                    "\xe2\x82\xac",                 true },
	{"a pair",		      "\\uD83D\\uDE00",             "\xf0\x9f\x98\x80",             true },
	{"the first pair",              "\\ud800\\udc00",             "\xf0\x90\x80\x80",             true },
	{"the last pair",               "\\udbff\\udfff",             "\xf4\x8f\xbf\xbf",             true },
	{"a lone high half",            "\\ud83d",                    "\xed\xa0\xbd",                 true },
	{"a lone low half",             "\\ude00x",                   "\xed\xb8\x80x",                true },
	{"two high halves, one low",    "\\ud83d\\ud83d\\ude00",      "\xed\xa0\xbd\xf0\x9f\x98\x80", true },
	{"a high half and a character", "\\ud83d\\u0041",
         "\xed\xa0\xbd"
		"A",										  true },
	{"a high half and an escape",   "\\ud83d\\n",                 "\xed\xa0\xbd\n",               true },
	{"a high half, then text",      "\\ud83dude00",               "\xed\xa0\xbdude00",            true },
	{"the last before them",        "\\ud7ff\\ue000",             "\xed\x9f\xbf\xee\x80\x80",     true },
	{"a backslash and a u",         "\\\\u0061",                  "\\u0061",                      true },
	{"a NUL is not an end",         "a\\u0000",                   "a",                            false},
	{"nor a beginning",             "\\u0000",                    "",                             false},
};

static void read_texts(void)
{
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char *name = texts[i].name, *want = texts[i].text;
		char quoted[100];
		struct arena a;
		struct json v;
		struct span text;
		char *copy;
		OWNED(buf_done) struct buf out = BUF_INIT(100);
		arena_init(&a, 10000);
		is_int(json_name_is(span_str(texts[i].raw), want), texts[i].is, "name: %s", name);
		(void)snprintf(quoted, sizeof quoted, "\"%s\"", texts[i].raw);
		is_err(scan(span_str(quoted), JSON_STRICT, &copy, &v, NULL), OK, "text: %s", name);
		is_int(json_is(v, want), texts[i].is, "is: %s", name);
		is_err(json_text(v, &a, &text), OK, "text: %s", name);
		ok(json_text_to(v, &out), "text_to: %s", name);
		is_mem(out.p, out.n, text.p, text.n, "text_to: %s: the same", name);
		if (texts[i].is)
			is_mem(text.p, text.n, want, strlen(want), "text: %s: that", name);
		const bool is_escaped = strchr(texts[i].raw, '\\') != NULL;
		is_int(text.p != copy + 1, is_escaped, "text: %s: copied if it must be", name);
		free(copy);
		arena_done(&a);
	}
}

static const struct {
	const char *name;
	struct span text;
	const char *want;
	bool is_copy;
} repairs[] = {
	{"valid",              T("\"a\xe2\x82\xac\""),            "a\xe2\x82\xac",                        false},
	{"empty",              T("\"\""),                         "",				     false},
	{"escaped",            T("\"\\u20ac\""),                  "\xe2\x82\xac",                         true },
	{"a byte of Latin-1",  T("\"caf\xe9\""),                  "caf\xef\xbf\xbd",                      true },
	{"a lone half",        T("\"x\\ud83dy\""),                "x\xef\xbf\xbdy",                       true },
	{"CESU-8",             T("\"\xed\xa0\xbd\xed\xb8\x80\""), "\xf0\x9f\x98\x80",                     true },
	{"half of it escaped", T("\"\xed\xa0\xbd\\ude00\""),      "\xf0\x9f\x98\x80",                     true },
	{"all of it broken",   T("\"\xff\xff\xff\""),             "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true },
	{"cut at its end",     T("\"a\xe2\x82\""),                "a\xef\xbf\xbd",                        true },
};

static void read_utf8(void)
{
	struct arena a;
	struct span text;
	for (size_t i = 0; i < COUNT_OF(repairs); i++) {
		struct json v;
		char *copy;
		arena_init(&a, 10000);
		if (scan(repairs[i].text, JSON_LENIENT, &copy, &v, NULL))
			bail("%s", repairs[i].name);
		is_err(json_utf8(v, &a, &text), OK, "utf8: %s", repairs[i].name);
		is_mem(text.p, text.n, repairs[i].want, strlen(repairs[i].want), "utf8: %s: text",
			repairs[i].name);
		is_int(text.p != copy + 1, repairs[i].is_copy, "utf8: %s: copied if it must be",
			repairs[i].name);
		free(copy);
		arena_done(&a);
	}
	OWNED(buf_done) struct buf large = BUF_INIT(20000);
	buf_text(&large, "\"\\n");
	for (int i = 0; i < 9000; i++)
		buf_byte(&large, 'x');
	buf_text(&large, "\xff\"");
	struct json v;
	if (json_scan(buf_view(&large), JSON_LENIENT, &v, NULL))
		bail("a large string");
	text = SPAN("x");
	arena_init(&a, 5000);
	is_err(json_text(v, &a, &text), ERR_NO_MEMORY, "text: more than the arena has");
	ok(!span_is_set(text), "text: is absent then");
	text = SPAN("x");
	is_err(json_utf8(v, &a, &text), ERR_NO_MEMORY, "utf8: more than the arena has");
	ok(!span_is_set(text), "utf8: is absent then");
	arena_done(&a);
	arena_init(&a, 12000);
	is_err(json_utf8(v, &a, &text), ERR_NO_MEMORY, "utf8: more than it has for the repair");
	ok(!span_is_set(text), "utf8: is absent then too");
	arena_done(&a);

	OWNED(buf_done) struct buf just = BUF_INIT(3);
	ok(json_text_to(value("\"\\u0061\\u0062\\u0063\""), &just), "text_to: a string");
	is_mem(just.p, just.n, "abc", 3, "text_to: just fits once unescaped");
	is_err(buf_error(&just), OK, "text_to: and that is no fault");
	ok(json_text_to(value("\"d\""), &just), "text_to: a string still");
	is_err(buf_error(&just), ERR_TOO_BIG, "text_to: one byte over");
}

static void members(void)
{
	const struct json v =
		value("{ \"a\" : {\"b\":1} , \"\\u0063\":2, \"b\":3, \"b\" : 4 , \"\":5 }");
	is_mem(json_member(v, "a").text.p, 7, "{\"b\":1}", 7, "member: the first");
	ok(span_is(json_member(v, "c").text, "2"), "member: escaped in the text");
	ok(span_is(json_member(v, "b").text, "4"), "member: the last of two");
	ok(span_is(json_member(v, "").text, "5"), "member: without a name");
	is_int(json_kind(json_member(v, "d")), JSON_ABSENT, "member: not there");
	is_int(json_kind(json_member(v, "A")), JSON_ABSENT, "member: case counts");
	is_int(json_kind(json_member(value("[\"a\"]"), "a")), JSON_ABSENT, "member: of an array");
	is_int(json_kind(json_member(JSON_NONE, "a")), JSON_ABSENT, "member: of an absent value");
	ok(span_is(json_member(json_member(v, "a"), "b").text, "1"), "member: of a member");
}

static const struct {
	const char *text;
	bool is_one;
	int64_t want;
} integers[] = {
	{"0",					   true,  0                  },
	{"-0",					  true,  0                  },
	{"0.000",				       true,  0                  },
	{"-0.0e-9",				     true,  0                  },
	{"0e99999999999999999999999",                   true,  0                  },
	{"12",					  true,  12                 },
	{"-12",					 true,  -12                },
	{"12.0",					true,  12                 },
	{"12.000000000000000000000000000",              true,  12                 },
	{"1.2e1",				       true,  12                 },
	{"1.2E+1",				      true,  12                 },
	{"0.00012e5",				   true,  12                 },
	{"1200e-2",				     true,  12                 },
	{"12000.00e-3",				 true,  12                 },
	{"1e18",					true,  1000000000000000000},
	{"9e18",					true,  9000000000000000000},
	{"1e19",					false, 0                  },
	{"10e18",				       false, 0                  },
	{"0.9e19",				      true,  9000000000000000000},
	{"9007199254740993",                            true,  9007199254740993   },
	{"9007199254740993.0",                          true,  9007199254740993   },
	{"9223372036854775807",                         true,  INT64_MAX          },
	{"9223372036854775807.000",                     true,  INT64_MAX          },
	{"9.223372036854775807e18",                     true,  INT64_MAX          },
	{"92233720368547758070e-1",                     true,  INT64_MAX          },
	{"922337203685477580700000000000e-11",          true,  INT64_MAX          },
	{"9223372036854775808",                         false, 0                  },
	{"-9223372036854775808",                        true,  INT64_MIN          },
	{"-9.223372036854775808e18",                    true,  INT64_MIN          },
	{"-9223372036854775809",                        false, 0                  },
	{"9223372036854775807.5",                       false, 0                  },
	{"99999999999999999999",                        false, 0                  },
	{"100000000000000000000",                       false, 0                  },
	{"1.5",					 false, 0                  },
	{"12.05",				       false, 0                  },
	{"12e-1",				       false, 0                  },
	{"0.1",					 false, 0                  },
	{"-1e-1",				       false, 0                  },
	{"1e400",				       false, 0                  },
	{"1e-400",				      false, 0                  },
	{"1000000000e9223372036854775799",              false, 0                  },
	{"0.000000001e-9223372036854775799",            false, 0                  },
	{"1e9223372036854775807",                       false, 0                  },
	{"1e9223372036854775808",                       false, 0                  },
	{"1e-9223372036854775808",                      false, 0                  },
	{"1e99999999999999999999999999999999999999",    false, 0                  },
	{"1e-99999999999999999999999999999999999999",   false, 0                  },
	{"100e-00000000000000000000000000000000000002", true,  1                  },
	{"\"12\"",				      false, 0                  },
	{"null",					false, 0                  },
	{"[1]",					 false, 0                  },
};

/* Digits, zeroes and exponents by the thousand. */
static void long_numbers(void)
{
	enum { MANY = 100000 };
	OWNED(buf_done) struct buf text = BUF_INIT((size_t)1 << 20);
	int64_t i64 = 0;
	double f64 = 0;
	buf_text(&text, "0.");
	for (int i = 1; i < MANY; i++)
		buf_byte(&text, '0');
	buf_print(&text, "125e%d", MANY + 2);
	struct json v = json_of(buf_view(&text));
	ok(json_i64(v, &i64) && i64 == 125,
		"long: zeroes behind the point, undone by the exponent");
	ok(json_f64(v, &f64) && f64 == 125, "long: and as a double");

	buf_clear(&text);
	buf_text(&text, "-15");
	for (int i = 0; i < MANY; i++)
		buf_byte(&text, '0');
	buf_print(&text, "e-%d", MANY);
	v.text = buf_view(&text);
	ok(json_i64(v, &i64) && i64 == -15, "long: zeroes before the point, undone");
	ok(json_f64(v, &f64) && f64 == -15, "long: and as a double");

	buf_clear(&text);
	buf_text(&text, "1.");
	for (int i = 0; i < MANY; i++)
		buf_byte(&text, '0');
	buf_byte(&text, '1');
	v.text = buf_view(&text);
	ok(!json_i64(v, &i64), "long: a one far behind the point is a fraction");
	ok(json_f64(v, &f64) && f64 == 1, "long: that no double sees");

	buf_clear(&text);
	buf_text(&text, "1e");
	for (int i = 0; i < MANY; i++)
		buf_byte(&text, '9');
	v.text = buf_view(&text);
	ok(!json_i64(v, &i64) && !json_f64(v, &f64), "long: an exponent of many digits");

	/* half way between 1 and the next double: the last digit decides */
	static const char half[] = "1.00000000000000011102230246251565404236316680908203125";
	v.text = span_str(half);
	ok(json_f64(v, &f64) && f64 == 1, "long: a tie goes to the even one");
	buf_clear(&text);
	buf_text(&text, half);
	for (int i = 0; i < MANY; i++)
		buf_byte(&text, '0');
	buf_byte(&text, '1');
	v.text = buf_view(&text);
	ok(json_f64(v, &f64) && f64 == 1 + DBL_EPSILON, "long: a digit far behind decides a tie");
}

static const struct {
	const char *text;
	bool is_finite;
	double want;
} doubles[] = {
	{"0",				     true,  0		      },
	{"12",				    true,  12                     },
	{"-12.5",				 true,  -12.5                  },
	{"0.1",				   true,  0.1                    },
	{"1e-1",				  true,  0.1                    },
	{"1.7976931348623157e308",                true,  DBL_MAX                },
	{"17976931348623157e292",                 true,  DBL_MAX                },
	{"1.7976931348623159e308",                false, 0                      },
	{"1e400",				 false, 0                      },
	{"-1e400",				false, 0                      },
	{"1e-400",				true,  0                      },
	{"5e-324",				true,  4.9406564584124654e-324},
	{"2.2250738585072014e-308",               true,  DBL_MIN                },
	{"9007199254740993",                      true,  9007199254740992.      },
	{"123456789012345678",                    true,  123456789012345680.    },
	{"1e99999999999999999999",                false, 0                      },
	{"1e-99999999999999999999",               true,  0                      },
	{"0e99999999999999999999",                true,  0                      },
	{"3.14159265358979323846264338327950288", true,  3.141592653589793      },
	{"\"1\"",				 false, 0                      },
};

static void numbers(void)
{
	for (size_t i = 0; i < COUNT_OF(integers); i++) {
		int64_t got = -77;
		const bool is_one = json_i64(value(integers[i].text), &got);
		is_int(is_one, integers[i].is_one, "i64: %s is one, or not", integers[i].text);
		is_int(got, integers[i].is_one ? integers[i].want : -77, "i64: %s, or left alone",
			integers[i].text);
	}
	for (size_t i = 0; i < COUNT_OF(doubles); i++) {
		double got = -77;
		const bool is_finite = json_f64(value(doubles[i].text), &got);
		is_int(is_finite, doubles[i].is_finite, "f64: %s is finite, or not",
			doubles[i].text);
		const double want = is_finite ? doubles[i].want : -77;
		if (!ok(got >= want && got <= want, "f64: %s", doubles[i].text))
			diag("got %.17g, wanted %.17g", got, want);
	}
	double zero = 1;
	ok(json_f64(value("-0.0"), &zero) && signbit(zero), "f64: minus zero keeps its sign");
	long_numbers();
}

/* ---- marks ---- */

/* How many values that have a mark; and that two walks find the same, all the way down. */
static size_t compare(struct json marked, struct json plain, size_t *different)
{
	struct json_walk w = json_each(marked), v = json_each(plain);
	size_t n = marked.mark != NULL;
	*different += !span_eq(marked.text, plain.text) || marked.text.p != plain.text.p;
	for (;;) {
		const bool more = json_next(&w), same = json_next(&v) == more;
		*different += !same || !span_eq(w.name, v.name);
		if (!more || !same)
			return n;
		n += compare(w.value, v.value, different);
	}
}

#define SHORT "\"0123456789abcdef\""
#define LONG  "\"0123456789abcdef 0123456789abcdef 0123456789abcdef 0123456789abcdef\""

static const struct {
	const char *name;
	struct span text;
	size_t marks;
} marked[] = {
	{"a short text",                       T("{\"a\":" SHORT "}"),                                         0},
	{"a long string alone",                T(" " LONG " "),                                                1},
	{"a long member, and those around it", T("{\"a\":{\"b\":" LONG ",\"c\":1}}"),                          3},
	{"short ones make up a long list",     T("[" SHORT "," SHORT "," SHORT "," SHORT "]"),                 1},
	{"a short list before a long one",
         T("[[1,2,[]],[" SHORT "," SHORT "," SHORT "," SHORT "],{},[3]]"),                                     2},
	{"long ones side by side",             T("[" LONG ",1," LONG ",{\"a\":" LONG "}," SHORT "," LONG "]"),
         6												      },
	{"a long name is no value",            T("{" LONG ":1}"),                                              1},
	{"white space counts",
         T("{ \"a\" :                                                                  1 }"),
         1												      },
};

static void marks(void)
{
	struct json_rules rules = JSON_STRICT;
	struct arena a;
	arena_init(&a, 100000);
	for (size_t i = 0; i < COUNT_OF(marked); i++) {
		struct json with, without;
		size_t different = 0;
		rules.marks = &a;
		is_err(json_scan(marked[i].text, JSON_STRICT, &without, NULL), OK, "%s",
			marked[i].name);
		is_err(json_scan(marked[i].text, rules, &with, NULL), OK, "%s, with marks",
			marked[i].name);
		is_uint(compare(with, without, &different), marked[i].marks, "%s: marks",
			marked[i].name);
		is_uint(different, 0, "%s: walks are the same", marked[i].name);
	}
	arena_done(&a);

	/* no room for them is no failure */
	struct json v;
	arena_init(&a, 8);
	rules.marks = &a;
	is_err(json_scan(marked[2].text, rules, &v, NULL), OK, "no room for marks: scanned");
	ok(!v.mark, "no room for marks: none");
	arena_done(&a);
}

/* Nothing but depth: more marks than the text is worth. */
static void marks_of_depth(void)
{
	OWNED(buf_done) struct buf text = BUF_INIT(10000);
	struct json_rules rules = JSON_STRICT;
	struct json v;
	struct arena a;
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_byte(&text, '[');
	for (int i = 0; i < JSON_DEPTH_MAX; i++)
		buf_byte(&text, ']');
	arena_init(&a, 100000);
	rules.marks = &a;
	is_err(json_scan(buf_view(&text), rules, &v, NULL), OK, "deep: scanned");
	ok(a.total <= text.n, "deep: marks take no more than their text: %zu", a.total);
	arena_done(&a);
}

int main(void)
{
	marks();
	marks_of_depth();
	accepts();
	rejects();
	cuts();
	depths();
	names();
	read_kinds();
	reads_walks();
	read_texts();
	read_utf8();
	members();
	numbers();

	/* a library lives in programs that speak with a decimal comma */
	if (setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8"))
		numbers();
	else
		skip("no locale with a decimal comma is installed");
	return tap_done();
}
