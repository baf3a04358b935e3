/* test_utf8.c - what is valid, what it is repaired to, and that cutting it up changes nothing. */
#include "protocol/base/utf8.h"

#include <stdlib.h>

#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
#define BAD  "\xef\xbf\xbd"
#define HIGH "\xed\xa0\xbd" /* U+D83D */
#define LOW  "\xed\xb8\x80" /* U+DE00 */
#define FACE "\xf0\x9f\x98\x80"

static const struct {
	const char *name;
	struct span text;
	int length;
	const char *repaired;
} firsts[] = {
	{"ASCII",			T("a"),                1,  "a"               },
	{"NUL",			  T("\0"),               1,  NULL              },
	{"DEL",			  T("\x7f"),             1,  "\x7f"            },
	{"a continuation alone",         T("\x80"),             0,  BAD               },
	{"the last continuation",        T("\xbf"),             0,  BAD               },
	{"C0 is overlong",               T("\xc0\x80"),         0,  BAD BAD           },
	{"C1 is overlong",               T("\xc1\xbf"),         0,  BAD BAD           },
	{"U+0080",		       T("\xc2\x80"),         2,  "\xc2\x80"        },
	{"U+07FF",		       T("\xdf\xbf"),         2,  "\xdf\xbf"        },
	{"two, second missing",          T("\xc3"),             -1, BAD               },
	{"two, second is ASCII",
         T("\xc3"
		  "a"),
         0,							 BAD "a"           },
	{"two, second is a lead",        T("\xc3\xc3"),         0,  BAD BAD           },
	{"E0 overlong",                  T("\xe0\x9f\xbf"),     0,  BAD BAD BAD       },
	{"U+0800",		       T("\xe0\xa0\x80"),     3,  "\xe0\xa0\x80"    },
	{"U+D7FF",		       T("\xed\x9f\xbf"),     3,  "\xed\x9f\xbf"    },
	{"U+D800",		       T("\xed\xa0\x80"),     0,  BAD               },
	{"U+DFFF",		       T("\xed\xbf\xbf"),     0,  BAD               },
	{"U+E000",		       T("\xee\x80\x80"),     3,  "\xee\x80\x80"    },
	{"U+FFFF",		       T("\xef\xbf\xbf"),     3,  "\xef\xbf\xbf"    },
	{"three, one of them",           T("\xe2"),             -1, BAD               },
	{"three, two of them",           T("\xe2\x82"),         -1, BAD               },
	{"three, third is ASCII",        T("\xe2\x82z"),        0,  BAD BAD "z"       },
	{"F0 overlong",                  T("\xf0\x8f\xbf\xbf"), 0,  BAD BAD BAD BAD   },
	{"U+10000",		      T("\xf0\x90\x80\x80"), 4,  "\xf0\x90\x80\x80"},
	{"U+10FFFF",		     T("\xf4\x8f\xbf\xbf"), 4,  "\xf4\x8f\xbf\xbf"},
	{"U+110000",		     T("\xf4\x90\x80\x80"), 0,  BAD BAD BAD BAD   },
	{"four, three of them",          T("\xf0\x9f\x98"),     -1, BAD               },
	{"four, fourth is ASCII",        T("\xf0\x9f\x98z"),    0,  BAD BAD BAD "z"   },
	{"F5 is never there",            T("\xf5\x80\x80\x80"), 0,  BAD BAD BAD BAD   },
	{"FE",			   T("\xfe"),             0,  BAD               },
	{"FF",			   T("\xff"),             0,  BAD               },
	{"the beginning of a surrogate", T("\xed\xa0"),         0,  BAD               },
	{"ED alone",		     T("\xed"),             -1, BAD               },
};

/* Whole texts, each given to the repair in two and in three pieces cut anywhere, and byte by byte. */
static const struct {
	const char *name;
	struct span text, want;
	bool has_replaced;
} repairs[] = {
	{"plain",			T("hello"),                      T("hello"),                      false},
	{"nothing",		      T(""),			   T(""),                           false},
	{"all lengths",                  T("a\xc3\xa9\xe2\x82\xac" FACE), T("a\xc3\xa9\xe2\x82\xac" FACE), false},
	{"a pair becomes one",           T("x" HIGH LOW "y"),             T("x" FACE "y"),                 false},
	{"the last pair",                T("\xed\xaf\xbf\xed\xbf\xbf"),   T("\xf4\x8f\xbf\xbf"),           false},
	{"the first pair",               T("\xed\xa0\x80\xed\xb0\x80"),   T("\xf0\x90\x80\x80"),           false},
	{"a high half alone",            T("x" HIGH "y"),                 T("x" BAD "y"),                  true },
	{"a low half alone",             T("x" LOW "y"),                  T("x" BAD "y"),                  true },
	{"the wrong way round",          T(LOW HIGH),                     T(BAD BAD),                      true },
	{"two high, one low",            T(HIGH HIGH LOW),                T(BAD FACE),                     true },
	{"one high, two low",            T(HIGH LOW LOW),                 T(FACE BAD),                     true },
	{"a high half at the end",       T("x" HIGH),                     T("x" BAD),                      true },
	{"and a cut one behind",         T(HIGH "\xed\xb8"),              T(BAD BAD),                      true },
	{"and another's first byte",     T(HIGH "\xe2"),                  T(BAD BAD),                      true },
	{"a high half and a character",  T(HIGH "\xed\x9f\xbf"),          T(BAD "\xed\x9f\xbf"),           true },
	{"a high half and a broken one",
         T(HIGH "\xed"
		       "a"),
         T(BAD BAD "a"),										   true },
	{"a cut high half and ASCII",
         T("\xed\xa0"
		  "a"),
         T(BAD BAD "a"),										   true },
	{"a cut character",              T("x\xf0\x9f\x98"),              T("x" BAD),                      true },
	{"a broken character",
         T("\xf0\x9f"
		  "abc"),
         T(BAD BAD "abc"),										 true },
	{"Latin-1",		      T("caf\xe9 cr\xe8me"),           T("caf" BAD " cr" BAD "me"),     true },
	{"a NUL is a character",         T("a\0b"),                       T("a\0b"),                       false},
	{"long, then broken",
         T("0123456789abcdef0123456789\xff"
		  "0123456789abcdef"),
         T("0123456789abcdef0123456789" BAD "0123456789abcdef"),                                           true },
};

static void repaired(const char *name, struct span text, size_t cut, size_t again, struct span want,
	bool has_replaced)
{
	OWNED(buf_done) struct buf out = BUF_INIT(1000);
	struct utf8_repair r = {.n = 0};
	size_t invalid = 0;
	const size_t ends[] = {cut, again, text.n};
	for (size_t i = 0, from = 0; i < 3; from = ends[i++]) {
		const size_t before = out.n;
		utf8_repair(&r, span_of(text.p + from, ends[i] - from), &out);
		invalid += !utf8_is_valid(span_skip(buf_view(&out), before));
		invalid += r.n > 5;
	}
	utf8_repair_end(&r, &out);
	const struct span got = buf_view(&out);
	/* one check for a whole table of cuts: a line for each would drown the others */
	if (invalid || !span_eq(got, want) || r.has_replaced != has_replaced || r.n != 0) {
		is_mem(got.p, got.n, want.p, want.n, "repair: %s, cut at %zu and %zu", name, cut,
			again);
		is_int(r.has_replaced, has_replaced, "repair: %s: was it noted?", name);
		is_uint(invalid, 0, "repair: %s: each piece valid", name);
	}
}

static void repair(void)
{
	for (size_t i = 0; i < COUNT_OF(repairs); i++) {
		const struct span text = repairs[i].text, want = repairs[i].want;
		const bool has_replaced = repairs[i].has_replaced;
		for (size_t cut = 0; cut <= text.n; cut++) {
			for (size_t again = cut; again <= text.n; again++)
				repaired(repairs[i].name, text, cut, again, want, has_replaced);
		}
		OWNED(buf_done) struct buf out = BUF_INIT(1000);
		struct utf8_repair r = {.n = 0};
		for (size_t k = 0; k < text.n; k++)
			utf8_repair(&r, span_of(text.p + k, 1), &out);
		utf8_repair_end(&r, &out);
		is_mem(buf_view(&out).p, buf_view(&out).n, want.p, want.n,
			"repair: %s, byte by byte", repairs[i].name);
	}
	OWNED(buf_done) struct buf small = BUF_INIT(5);
	struct utf8_repair r = {.n = 0};
	utf8_repair(&r, SPAN("abc\xff"), &small);
	is_err(buf_error(&small), ERR_TOO_BIG, "repair: a full buf says so");
}

/* The definition, slowly: decode, and look at the number. */
static bool is_valid_slowly(const unsigned char *p, size_t n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	for (size_t i = 0; i < n;) {
		const unsigned char c = p[i++];
		if (c < 0x80)
			continue;
		size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		if (c < 0xc0 || c >= 0xf8)
			return false;
		uint32_t code = c & (0x3fu >> more);
		const size_t length = more + 1;
		for (; more > 0; more--, i++) {
			if (i == n || (p[i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (p[i] & 0x3f);
		}
		if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

/* The `v`-th text of n bytes: all of two; of three, with the third byte in steps of sixteen; of
 * four, with the first from e0 on, the third and the fourth in steps of eight. */
static void short_text(unsigned char *p, size_t n, uint32_t v)
{
	if (n == 2) {
		p[0] = (unsigned char)(v >> 8);
		p[1] = (unsigned char)v;
	} else if (n == 3) {
		p[0] = (unsigned char)(v >> 12);
		p[1] = (unsigned char)(v >> 4);
		p[2] = (unsigned char)(v << 4);
	} else {
		p[0] = (unsigned char)(0xe0 + (v >> 18));
		p[1] = (unsigned char)(v >> 10);
		p[2] = (unsigned char)((v >> 5 & 31) << 3);
		p[3] = (unsigned char)((v & 31) << 3);
	}
}

/* Alone, and at a distance from the start that puts them on either side of a step of sixteen. */
static void all_short_texts(void)
{
	static const struct {
		size_t n;
		uint32_t end, step;
	} lengths[] = {
		{2, 0x10000,  1},
		{3, 0x100000, 1},
		{4, 0x800000, 3},
	};
	enum { DISTANCE = 14, AFTER = 20 };
	for (size_t k = 0; k < COUNT_OF(lengths); k++) {
		const size_t n = lengths[k].n;
		unsigned char text[DISTANCE + 4 + AFTER];
		size_t wrong = 0;
		memset(text, 'x', sizeof text);
		for (uint32_t v = 0; v < lengths[k].end; v += lengths[k].step) {
			const struct span whole = span_of((const char *)text, sizeof text);
			const struct span part = span_of((const char *)text + DISTANCE, n);
			short_text(text + DISTANCE, n, v);
			const bool is_valid = is_valid_slowly(text + DISTANCE, n);
			wrong += utf8_is_valid(whole) != is_valid;
			wrong += utf8_is_valid(part) != is_valid;
		}
		is_uint(wrong, 0, "valid: texts of %zu bytes", n);
	}
}

/* A long text of all lengths is valid; with one byte spoilt it is valid up to that character. */
static void valid_bytes(void)
{
	static const char unit[] = "ab\xc3\xa9"
				   "c\xe2\x82\xac\xe2\x82\xac" FACE FACE "\xd0\xb9\xd0\xb9";
	char text[8 * (sizeof unit - 1)], spoilt[sizeof text];
	size_t wrong = 0;
	for (size_t i = 0; i < 8; i++)
		memcpy(text + i * (sizeof unit - 1), unit, sizeof unit - 1);
	is_uint(utf8_valid_bytes(span_of(text, sizeof text)), sizeof text, "valid bytes: all");
	for (size_t n = 0; n < sizeof text; n++) {
		size_t start = n;
		while ((text[start] & 0xc0) == 0x80)
			start--;
		wrong += utf8_valid_bytes(span_of(text, n)) != start;
		memcpy(spoilt, text, sizeof text);
		spoilt[n] = '\xff';
		wrong += utf8_valid_bytes(span_of(spoilt, sizeof spoilt)) != start;
	}
	is_uint(wrong, 0, "valid bytes: up to the character that is cut or spoilt");
	is_uint(utf8_valid_bytes(SPAN_NONE), 0, "valid bytes: of nothing");
	ok(utf8_is_valid(SPAN_NONE) && utf8_is_valid(SPAN("")), "nothing is valid");
}

static void encodings(void)
{
	size_t wrong = 0;
	char room[4];
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		const size_t n = utf8_encode(c, room);
		const bool is_surrogate = c >= 0xd800 && c < 0xe000;
		wrong += n != (c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u);
		wrong += utf8_length(span_of(room, n)) != (is_surrogate ? 0 : (int)n);
	}
	is_uint(wrong, 0, "encode: each code point but the surrogates is valid");
	is_mem(room, utf8_encode(0x20ac, room), "\xe2\x82\xac", 3, "encode: U+20AC");
	is_mem(room, utf8_encode(0x1f600, room), FACE, 4, "encode: U+1F600");
	is_mem(room, utf8_encode(0xd83d, room), HIGH, 3, "encode: a surrogate is three bytes");
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(firsts); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(100);
		struct utf8_repair r = {.n = 0};
		is_int(utf8_length(firsts[i].text), firsts[i].length, "length: %s", firsts[i].name);
		utf8_repair(&r, firsts[i].text, &out);
		utf8_repair_end(&r, &out);
		const struct span want =
			firsts[i].repaired ? span_str(firsts[i].repaired) : SPAN("\0");
		is_mem(buf_view(&out).p, buf_view(&out).n, want.p, want.n, "repair: %s",
			firsts[i].name);
	}
	repair();
	all_short_texts();
	valid_bytes();
	encodings();
	return tap_done();
}
