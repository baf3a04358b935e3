/* test_json_write.c - how JSON is written. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/json.h"
#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	double v;
	const char *want;
} written[] = {
	{0.0,		     "0"		      },
	{-0.0,		    "-0"		     },
	{1.0,		     "1"		      },
	{-1.0,		    "-1"		     },
	{256.0,		   "256"                    },
	{0.7,		     "0.7"		    },
	{0.1 + 0.2,               "0.30000000000000004"    },
	{1.0 / 3,                 "0.3333333333333333"     },
	{2.0 / 3,                 "0.6666666666666666"     },
	{100.25,		  "100.25"                 },
	{1e15,		    "1000000000000000"       },
	{9007199254740992.0,      "9007199254740992"       },
	{1e16,		    "1e16"                   },
	{1.5e300,                 "1.5e300"                },
	{0.001,		   "0.001"                  },
	{0.00001,                 "0.00001"                },
	{0.000001,                "1e-6"                   },
	{-1.25e-7,                "-1.25e-7"               },
	{DBL_MAX,                 "1.7976931348623157e308" },
	{DBL_MIN,                 "2.2250738585072014e-308"},
	{4.9406564584124654e-324, "4.94065645841247e-324"  },
	{123456789.125,           "123456789.125"          },
	{5e-5,		    "0.00005"                },
};

static void write_f64(const char *locale)
{
	for (size_t i = 0; i < COUNT_OF(written); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(100);
		struct json_out o = json_to(&b);
		json_put_f64(&o, written[i].v);
		is_mem(b.p, b.n, written[i].want, strlen(written[i].want), "put_f64: %s, %s",
			written[i].want, locale);
	}
	/* bits as they come: whatever is finite is JSON and reads back the same */
	uint64_t bits = UINT64_C(88172645463325252);
	size_t wrong = 0, longest = 0;
	for (int i = 0; i < 20000; i++) {
		double v, back = 0;
		struct json read;
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&v, &bits, sizeof v);
		if (!isfinite(v))
			continue;
		OWNED(buf_done) struct buf b = BUF_INIT(100);
		struct json_out o = json_to(&b);
		json_put_f64(&o, v);
		longest = b.n > longest ? b.n : longest;
		wrong += json_scan(buf_view(&b), JSON_STRICT, &read, NULL) != OK ||
			 !json_f64(read, &back) || back < v || back > v ||
			 !signbit(v) != !signbit(back);
	}
	is_uint(wrong, 0, "put_f64: what is written reads back the same, %s", locale);
	ok(longest <= 24, "put_f64: at most 24 bytes: %zu", longest);
}

static void not_finite(void)
{
	const double bad[] = {HUGE_VAL, -HUGE_VAL, NAN};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		OWNED(buf_done) struct buf b = BUF_INIT(100);
		struct json_out o = json_to(&b);
		json_put_f64(&o, bad[i]);
		is_err(buf_error(&b), ERR_INVALID_ARGUMENT, "put_f64: not finite, %zu", i);
		is_uint(b.n, 0, "put_f64: nothing is written, %zu", i);
		buf_clear(&b);
		b.err = ERR_TOO_BIG;
		json_put_f64(&o, bad[i]);
		is_err(buf_error(&b), ERR_TOO_BIG, "put_f64: the first failure stays, %zu", i);
	}
}

static const struct {
	const char *name;
	struct span text;
	const char *want;
} strings[] = {
	{"plain",            T("abc"),					   "\"abc\""                         },
	{"empty",            T(""),					      "\"\""                            },
	{"absent",           {NULL, 0},					  "\"\""                            },
	{"quote, backslash", T("a\"b\\c"),                                       "\"a\\\"b\\\\c\""                 },
	{"short forms",      T("\n\t\r\b\f"),                                    "\"\\n\\t\\r\\b\\f\""             },
	{"other controls",   T("\0\x01\x1f\x0b"),                                "\"\\u0000\\u0001\\u001f\\u000b\""},
	{"nothing else",     T("/<>&'\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80"),
         "\"/<>&'\x7f\xc2\x80\xe2\x80\xa8\xf0\x9f\x98\x80\""                                                       },
	{"runs and escapes", T("0123456789abcdef\"0123456789abcdef0\n"),
         "\"0123456789abcdef\\\"0123456789abcdef0\\n\""                                                            },
};

static void write_strings(void)
{
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		const size_t n = strlen(strings[i].want);
		struct json v;
		struct span back;
		struct arena a;
		OWNED(buf_done) struct buf b = BUF_INIT(n);
		struct json_out o = json_to(&b);
		json_put_str(&o, strings[i].text);
		is_mem(b.p, b.n, strings[i].want, n, "put_str: %s", strings[i].name);
		is_err(buf_error(&b), OK, "put_str: %s just fits", strings[i].name);
		buf_clear(&b);
		json_escape(&b, strings[i].text);
		is_mem(b.p, b.n, strings[i].want + 1, n - 2, "escape: %s", strings[i].name);
		buf_clear(&b);
		o = json_to(&b);
		json_put_str(&o, strings[i].text);
		arena_init(&a, 10000);
		is_err(json_scan(buf_view(&b), JSON_STRICT, &v, NULL), OK, "put_str: %s is JSON",
			strings[i].name);
		is_err(json_text(v, &a, &back), OK, "put_str: %s is read", strings[i].name);
		is_mem(back.p, back.n, strings[i].text.p, strings[i].text.n,
			"put_str: %s comes back", strings[i].name);
		arena_done(&a);
		OWNED(buf_done) struct buf small = BUF_INIT(n - 1);
		o = json_to(&small);
		json_put_str(&o, strings[i].text);
		is_err(buf_error(&small), ERR_TOO_BIG, "put_str: %s, one byte less",
			strings[i].name);
	}
	/* every byte, at every place of a step */
	size_t wrong = 0;
	for (int c = 0; c < 0x80; c++) {
		for (size_t at = 0; at < 40; at++) {
			char text[40];
			struct json v;
			struct span back = SPAN_NONE;
			struct arena a;
			OWNED(buf_done) struct buf b = BUF_INIT(100);
			struct json_out o = json_to(&b);
			memset(text, 'x', sizeof text);
			text[at] = (char)c;
			json_put_str(&o, span_of(text, sizeof text));
			arena_init(&a, 1000);
			wrong += json_scan(buf_view(&b), JSON_STRICT, &v, NULL) != OK ||
				 json_text(v, &a, &back) != OK ||
				 !span_eq(back, span_of(text, sizeof text));
			for (size_t i = 0; i < b.n; i++)
				wrong += b.p[i] >= 0 && b.p[i] < 0x20;
			arena_done(&a);
		}
	}
	is_uint(wrong, 0, "put_str: every byte at every place comes back");
}

/* Escapes at every distance, so that the room for them ends at every place; and a ceiling that is just
 * met. */
static void write_escapes(void)
{
	char text[300], want[6 * sizeof text];
	size_t wrong = 0;
	for (size_t step = 1; step < 40; step++) {
		size_t n = 0;
		for (size_t i = 0; i < sizeof text; i++) {
			const char c = i % step != 0 ? 'x' : i % 2 ? '\n' : '\x01';
			text[i] = c;
			n += (size_t)snprintf(want + n, 7,
				c == 'x'    ? "x"
				: c == '\n' ? "\\n"
					    : "\\u0001");
		}
		for (size_t room = 0; room < 3; room++) {
			OWNED(buf_done) struct buf b = BUF_INIT(n + room - 1);
			json_escape(&b, span_of(text, sizeof text));
			wrong += buf_error(&b) != (room == 0 ? ERR_TOO_BIG : OK);
			wrong += room > 0 && !span_eq(buf_view(&b), span_of(want, n));
		}
	}
	is_uint(wrong, 0, "escape: whatever the room");
}

/* RFC 4648, section 10, and bytes that make the last two letters. */
static const struct {
	struct span prefix, bytes;
	const char *want;
} base64s[] = {
	{{NULL, 0},                   {NULL, 0},               "\"\""                              },
	{{NULL, 0},                   T("f"),                  "\"Zg==\""                          },
	{{NULL, 0},                   T("fo"),                 "\"Zm8=\""                          },
	{{NULL, 0},                   T("foo"),                "\"Zm9v\""                          },
	{{NULL, 0},                   T("foob"),               "\"Zm9vYg==\""                      },
	{{NULL, 0},                   T("fooba"),              "\"Zm9vYmE=\""                      },
	{{NULL, 0},                   T("foobar"),             "\"Zm9vYmFy\""                      },
	{{NULL, 0},                   T("\xfb\xff\xfe\0\0\0"), "\"+//+AAAA\""                      },
	{T("data:image/png;base64,"), T("\x89PNG"),            "\"data:image/png;base64,iVBORw==\""},
	{T("data:image/png;base64,"), T(""),                   "\"data:image/png;base64,\""        },
	{T("a\"b,"),                  T("foo"),                "\"a\\\"b,Zm9v\""                   },
};

static void write_base64(void)
{
	for (size_t i = 0; i < COUNT_OF(base64s); i++) {
		const size_t n = strlen(base64s[i].want);
		OWNED(buf_done) struct buf b = BUF_INIT(n);
		struct json_out o = json_to(&b);
		json_put_base64(&o, base64s[i].prefix, base64s[i].bytes);
		is_mem(b.p, b.n, base64s[i].want, n, "base64: %s", base64s[i].want);
		is_err(buf_error(&b), OK, "base64: %s just fits", base64s[i].want);
		OWNED(buf_done) struct buf small = BUF_INIT(n - 1);
		o = json_to(&small);
		json_put_base64(&o, base64s[i].prefix, base64s[i].bytes);
		is_err(buf_error(&small), ERR_TOO_BIG, "base64: %s, one byte less",
			base64s[i].want);
	}
}

static void writes(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(1000);
	struct json_out o = json_to(&b);
	json_open(&o, '{');
	json_pair_str(&o, "s", SPAN("a\n"));
	json_pair_str(&o, "absent", SPAN_NONE);
	json_pair_str(&o, "empty", SPAN(""));
	json_pair_i64(&o, "i", INT64_MIN);
	json_pair_bool(&o, "t", true);
	json_pair_bool(&o, "f", false);
	json_pair_raw(&o, "raw", SPAN("[1, 2.50]"));
	json_pair_raw(&o, "absent", SPAN_NONE);
	json_key_raw(&o, SPAN("\\u0061"));
	json_put_null(&o);
	json_key_text(&o, SPAN("\"\0"));
	json_put_raw(&o, SPAN_NONE);
	json_key(&o, "list\n");
	json_open(&o, '[');
	json_open(&o, '[');
	json_close(&o, ']');
	json_open(&o, '{');
	json_close(&o, '}');
	json_put_bool(&o, true);
	json_put_i64(&o, -1);
	json_put_f64(&o, 0.5);
	json_put_raw(&o, SPAN("{}"));
	json_put_str(&o, SPAN("x"));
	json_put_base64(&o, SPAN_NONE, SPAN("foo"));
	json_put_null(&o);
	json_close(&o, ']');
	json_key(&o, "last");
	json_open(&o, '{');
	json_pair_i64(&o, "z", 0);
	json_close(&o, '}');
	json_close(&o, '}');
	static const char want[] =
		"{\"s\":\"a\\n\",\"empty\":\"\",\"i\":-9223372036854775808,\"t\":true,\"f\":false,"
		"\"raw\":[1, "
		"2.50],\"\\u0061\":null,\"\\\"\\u0000\":null,\"list\\n\":[[],{},true,-1,0.5,{},"
		"\"x\",\"Zm9v\","
		"null],\"last\":{\"z\":0}}";
	struct json v;
	is_mem(b.p, b.n, want, sizeof want - 1, "write: commas and colons come by themselves");
	is_err(json_scan(buf_view(&b), JSON_STRICT, &v, NULL), OK, "write: and it is JSON");
}

int main(void)
{
	write_f64("in the C locale");
	not_finite();
	write_strings();
	write_escapes();
	write_base64();
	writes();

	/* a library lives in programs that speak with a decimal comma */
	if (setlocale(LC_ALL, "de_DE.UTF-8") || setlocale(LC_ALL, "fr_FR.UTF-8"))
		write_f64("with a decimal comma");
	else
		skip("no locale with a decimal comma is installed");
	return tap_done();
}
