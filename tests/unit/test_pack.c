/* test_pack.c - which msgpack is let in, what is read from it, and that msgpack-c agrees. */
#include "protocol/pack.h"

#include <math.h>
#include <msgpack.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct span bytes;
	enum err want;
} checks[] = {
	{"nothing",				T(""),						     ERR_MALFORMED},
	{"nil",				    T("\xc0"),						 OK           },
	{"the reserved byte",                      T("\xc1"),						 ERR_MALFORMED},
	{"the reserved byte inside",               T("\x92\x01\xc1"),                                         ERR_MALFORMED},
	{"false and true",                         T("\x92\xc2\xc3"),                                         OK           },
	{"bytes after the value",                  T("\x01\x02"),                                             ERR_MALFORMED},
	{"an empty map",			   T("\x80"),						 OK           },
	{"an empty array of 32 bits",              T("\xdd\x00\x00\x00\x00"),                                 OK           },
	{"an array of 4294967295 and no more",     T("\xdd\xff\xff\xff\xff"),                                 ERR_MALFORMED},
	{"a map of 4294967295 and no more",        T("\xdf\xff\xff\xff\xff"),                                 ERR_MALFORMED},
	{"a map of 16 bits, one pair short",       T("\xde\x00\x02\xa1\x61\x01"),                             ERR_MALFORMED},
	{"an array one short",                     T("\x93\x01\x02"),                                         ERR_MALFORMED},
	{"nested arrays that share too few bytes", T("\x92\x92\x92\x01\x02"),                                 ERR_MALFORMED},
	{"its count is cut",                       T("\xdc\x00"),					     ERR_MALFORMED},
	{"a str cut",			      T("\xa3\x61\x62"),					 ERR_MALFORMED},
	{"a str of 4294967295",                    T("\xdb\xff\xff\xff\xff\x61"),                             ERR_MALFORMED},
	{"a str's length cut",                     T("\xda\x00"),                                             ERR_MALFORMED},
	{"a str of 8 bits",                        T("\xd9\x01\x61"),                                         OK           },
	{"a str that is not UTF-8",                T("\xa2\xc3\x28"),                                         ERR_MALFORMED},
	{"a str with a surrogate",                 T("\xa3\xed\xa0\x80"),                                     ERR_MALFORMED},
	{"a str with half a character",            T("\xa1\xc3"),                                             ERR_MALFORMED},
	{"a str with NUL",                         T("\xa1\x00"),					     OK           },
	{"a bin of anything",                      T("\xc4\x02\xc3\x28"),                                     OK           },
	{"a bin cut",			      T("\xc4\x02\xc3"),					 ERR_MALFORMED},
	{"a bin of 16 bits",                       T("\xc5\x00\x01\xff"),                                     OK           },
	{"a bin of 32 bits",                       T("\xc6\x00\x00\x00\x01\xff"),                             OK           },
	{"ext of 1",			       T("\xd4\x05\x01"),					 OK           },
	{"ext of 16, cut",                         T("\xd8\x05\x01\x02"),                                     ERR_MALFORMED},
	{"ext of none",			    T("\xc7\x00\x05"),                                         OK           },
	{"ext of none, without its type",          T("\xc7\x00"),                                             ERR_MALFORMED},
	{"ext of 4294967295",                      T("\xc9\xff\xff\xff\xff\x05"),                             ERR_MALFORMED},
	{"int of 64 bits cut",                     T("\xd3\x00\x00\x00\x00\x00\x00\x00"),                     ERR_MALFORMED},
	{"float cut",			      T("\xca\x00\x00\x00"),                                     ERR_MALFORMED},
	{"NaN is msgpack",                         T("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),                 OK           },
	{"a map's key is a number",                T("\x81\x01\x02"),                                         ERR_MALFORMED},
	{"a map's key is a bin",                   T("\x81\xc4\x01\x61\x02"),                                 ERR_MALFORMED},
	{"a map's key is nil",                     T("\x81\xc0\x02"),                                         ERR_MALFORMED},
	{"a map's key is a map",                   T("\x81\x80\x02"),                                         ERR_MALFORMED},
	{"a key twice",			    T("\x82\xa1\x61\x01\xa1\x61\x02"),                         ERR_MALFORMED},
	{"a key twice, written in another width",  T("\x82\xa1\x61\x01\xd9\x01\x61\x02"),
         ERR_MALFORMED												     },
	{"an empty key twice",                     T("\x82\xa0\x01\xa0\x02"),                                 ERR_MALFORMED},
	{"an empty key once",                      T("\x81\xa0\x01"),                                         OK           },
	{"a prefix is another key",                T("\x82\xa1\x61\x01\xa2\x61\x61\x02"),                     OK           },
	{"the same key inside and after",          T("\x82\xa1\x62\x81\xa1\x61\x01\xa1\x61\x02"),             OK           },
	{"the same key outside first",             T("\x82\xa1\x61\x81\xa1\x61\x01\xa1\x62\x02"),             OK           },
	{"twice, with a map in between",           T("\x83\xa1\x61\x81\xa1\x62\x01\xa1\x63\x80\xa1\x61\x02"),
         ERR_MALFORMED												     },
	{"twice, in the inner of two",             T("\x82\xa1\x61\x82\xa1\x62\x01\xa1\x62\x03\xa1\x64\x02"),
         ERR_MALFORMED												     },
	{"twice, in the second element",           T("\x92\x81\xa1\x61\x01\x82\xa1\x61\x01\xa1\x61\x02"),
         ERR_MALFORMED												     },
};

static const struct {
	const char *name;
	struct span bytes;
	bool is_i64;
	int64_t i64;
	bool is_u32;
	bool is_f64;
	double f64;
} numbers[] = {
	{"0",		 T("\x00"),				 true,  0,          true,  true,  0           },
	{"127",               T("\x7f"),				 true,  127,        true,  true,  127         },
	{"-1",		T("\xff"),				 true,  -1,         false, true,  -1          },
	{"-32",               T("\xe0"),				 true,  -32,        false, true,  -32         },
	{"u8",		T("\xcc\xff"),                             true,  255,        true,  true,  255         },
	{"u16",               T("\xcd\xff\xff"),                         true,  65535,      true,  true,  65535       },
	{"u32",               T("\xce\xff\xff\xff\xff"),                 true,  4294967295, true,  true,  4294967295.0},
	{"u64 that fits",     T("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), true,  INT64_MAX,  false, true,
         0x1p63												       },
	{"u64 that does not", T("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), false, 0,          false, true,
         0x1p63												       },
	{"u64, small",        T("\xcf\x00\x00\x00\x00\x00\x00\x00\x07"), true,  7,          true,  true,  7           },
	{"i8",		T("\xd0\x80"),                             true,  -128,       false, true,  -128        },
	{"i16",               T("\xd1\x80\x00"),                         true,  -32768,     false, true,  -32768      },
	{"i32",               T("\xd2\x80\x00\x00\x00"),                 true,  INT32_MIN,  false, true,  INT32_MIN   },
	{"i32, positive",     T("\xd2\x00\x00\x00\x05"),                 true,  5,          true,  true,  5           },
	{"i64",               T("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), true,  INT64_MIN,  false, true,  -0x1p63     },
	{"f32 2.5",           T("\xca\x40\x20\x00\x00"),                 false, 0,          false, true,  2.5         },
	{"f64 2.0",           T("\xcb\x40\x00\x00\x00\x00\x00\x00\x00"), true,  2,          true,  true,  2           },
	{"f64 -0.0",          T("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), true,  0,          true,  true,  -0.0        },
	{"f64 2^63",          T("\xcb\x43\xe0\x00\x00\x00\x00\x00\x00"), false, 0,          false, true,  0x1p63      },
	{"f64 -2^63",         T("\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00"), true,  INT64_MIN,  false, true,
         -0x1p63												      },
	{"f64 NaN",           T("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), false, 0,          false, false, 0           },
	{"f64 infinity",      T("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), false, 0,          false, false, 0           },
	{"f32 infinity",      T("\xca\xff\x80\x00\x00"),                 false, 0,          false, false, 0           },
	{"a str",             T("\xa1\x31"),                             false, 0,          false, false, 0           },
	{"nil",               T("\xc0"),				 false, 0,          false, false, 0           },
	{"true",              T("\xc3"),				 false, 0,          false, false, 0           },
};

/* What has no JSON has no text here. */
static const struct {
	struct span bytes;
	const char *json;
} jsons[] = {
	{T("\xc0"),						 "null"                },
	{T("\xc3"),						 "true"                },
	{T("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),                 "18446744073709551615"},
	{T("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"),                 "-9223372036854775808"},
	{T("\xcf\x00\x20\x00\x00\x00\x00\x00\x01"),                 "9007199254740993"    },
	{T("\xcb\x3f\xd3\x33\x33\x33\x33\x33\x34"),                 "0.30000000000000004" },
	{T("\xca\x3f\x80\x00\x00"),                                 "1"                   },
	{T("\xa3\x61\x22\x0a"),				     "\"a\\\"\\n\""        },
	{T("\xc4\x03\x66\x6f\x6f"),                                 "\"Zm9v\""            },
	{T("\xc4\x00"),					     "\"\""                },
	{T("\x90"),						 "[]"                  },
	{T("\x80"),						 "{}"                  },
	{T("\x82\xa1\x61\x93\x01\x80\xc2\xa1\x62\x81\xa0\xa1\x78"),
         "{\"a\":[1,{},false],\"b\":{\"\":\"x\"}}"                                        },
	{T("\x92\x90\x92\x91\x01\xc0"),                             "[[],[[1],null]]"     },
	{T("\xd4\x05\x01"),					 NULL                  },
	{T("\x91\xd4\x05\x01"),				     NULL                  },
	{T("\x81\xa1\x61\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),     NULL                  },
	{T("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"),                 NULL                  },
};

static void test_checks(void)
{
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		struct fault why = FAULT_NONE;
		is_err(pack_check(checks[i].bytes, &why), checks[i].want, "%s", checks[i].name);
		ok((why.message[0] != '\0') == (checks[i].want != OK), "%s: and why",
			checks[i].name);
	}
	struct fault why;
	is_err(pack_check(span_of("\x92\x01\xc1", 3), &why), ERR_MALFORMED, "says where");
	ok(strstr(why.message, "byte 2"), "at byte 2: %s", why.message);
	is_err(pack_check(SPAN_NONE, NULL), ERR_MALFORMED, "an absent span");
	is_err(pack_check(span_of("\xc1", 1), NULL), ERR_MALFORMED, "nobody asks why");
}

static void test_limits(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
	for (int depth = LIMIT_PACK_DEPTH - 1; depth <= LIMIT_PACK_DEPTH + 1; depth++) {
		buf_clear(&b);
		for (int i = 0; i < depth; i++)
			pack_put_array(&b, 1);
		pack_put_nil(&b);
		is_err(pack_check(buf_view(&b), NULL), depth <= LIMIT_PACK_DEPTH ? OK : ERR_TOO_BIG,
			"%d arrays inside one another", depth);
	}
	buf_clear(&b);
	for (int i = 0; i < 1000000; i++)
		buf_byte(&b, '\x91');
	is_err(pack_check(buf_view(&b), NULL), ERR_TOO_BIG, "a million arrays");
	buf_clear(&b);
	for (int i = 0; i < LIMIT_PACK_DEPTH; i++) {
		pack_put_map(&b, 1);
		pack_put_text(&b, "k");
	}
	pack_put_nil(&b);
	is_err(pack_check(buf_view(&b), NULL), OK, "as many maps as may be");

	for (int more = -1; more <= 1; more++) {
		const size_t n = (size_t)(LIMIT_PACK_NODES - 1 + more);
		buf_clear(&b);
		pack_put_array(&b, n);
		for (size_t i = 0; i < n; i++)
			pack_put_nil(&b);
		is_err(pack_check(buf_view(&b), NULL), more <= 0 ? OK : ERR_TOO_BIG,
			"%zu values and their array", n);
	}
}

/* A map of `n` pairs, where the key of one is that of another. */
static void put_keys(struct buf *b, size_t n, size_t same, size_t as, size_t key_bytes)
{
	buf_clear(b);
	pack_put_map(b, n);
	const size_t room = key_bytes + 16;
	char *key = calloc(1, room + 1);
	if (!key)
		bail("out of memory");
	memset(key, 'x', room);
	for (size_t i = 0; i < n; i++) {
		snprintf(key + key_bytes, 17, "%016zx", i == same ? as : i);
		pack_put_text(b, key);
		pack_put_i64(b, 1);
	}
	free(key);
}

static void test_keys(void)
{
	static const size_t sizes[] = {
		2, 3, 11, 12, 13, 14, 63, 64, 65, 127, 128, 129, 1000, 32767};
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_BODY_BYTES);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const size_t n = sizes[i];
		put_keys(&b, n, n, 0, 0);
		is_err(pack_check(buf_view(&b), NULL), OK, "%zu keys that differ", n);
		put_keys(&b, n, n - 1, 0, 0);
		is_err(pack_check(buf_view(&b), NULL), ERR_MALFORMED, "%zu, the last as the first",
			n);
		put_keys(&b, n, 0, n / 2, 0);
		is_err(pack_check(buf_view(&b), NULL), ERR_MALFORMED, "%zu, the first as another",
			n);
	}
	put_keys(&b, 30000, 29999, 7, 1800); /* 54 MB of one prefix: must not take for ever */
	is_err(pack_check(buf_view(&b), NULL), ERR_MALFORMED, "long keys that differ at their end");

	/* keys of a map that goes on are kept while those of maps inside it come and go */
	buf_clear(&b);
	pack_put_map(&b, 40);
	for (int i = 0; i < 40; i++) {
		char key[12];
		snprintf(key, sizeof key, "%d", i == 39 ? 0 : i);
		pack_put_text(&b, key);
		pack_put_map(&b, 3);
		for (int j = 0; j < 3; j++) {
			snprintf(key, sizeof key, "%d", j);
			pack_put_text(&b, key);
			pack_put_nil(&b);
		}
	}
	is_err(pack_check(buf_view(&b), NULL), ERR_MALFORMED, "around forty inner maps");
}

static void test_numbers(void)
{
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		struct pack_in in = pack_from(numbers[i].bytes);
		const struct pack_in start = in;
		const char *name = numbers[i].name;
		int64_t i64 = 99;
		uint32_t u32 = 99;
		double f64 = 99;
		ok(pack_i64(&in, &i64) == numbers[i].is_i64, "%s as i64", name);
		is_int(i64, numbers[i].is_i64 ? numbers[i].i64 : 99, "%s is", name);
		ok((in.at == in.end) == numbers[i].is_i64, "%s is taken, or stays", name);
		in = start;
		ok(pack_u32(&in, &u32) == numbers[i].is_u32, "%s as u32", name);
		is_uint(u32, numbers[i].is_u32 ? (uint32_t)numbers[i].i64 : 99, "%s is", name);
		in = start;
		ok(pack_f64(&in, &f64) == numbers[i].is_f64, "%s as f64", name);
		if (numbers[i].is_f64)
			ok(f64 == numbers[i].f64 && signbit(f64) == signbit(numbers[i].f64),
				"%s is %g", name, f64);
	}
	struct pack_in in = pack_from(span_of("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9));
	uint64_t u64 = 0;
	ok(pack_u64(&in, &u64) && u64 == UINT64_MAX, "the largest integer");
	in = pack_from(span_of("\xff", 1));
	ok(!pack_u64(&in, &u64), "less than nothing is no u64");
}

static void test_reading(void)
{
	const struct span all =
		SPAN("\x87\xa1\x61\xc0\xa1\x62\xc3\xa1\x63\xc4\x01\xff\xa1\x64\xa2hi"
		     "\xa1\x65\x92\x01\x81\xa1x\x02\xa1\x66\xd4\x05\x01"
		     "\xa1\x67\xd9\x02ho");
	struct pack_in in = pack_from(all);
	struct span text = SPAN_NONE;
	uint32_t n = 0;
	bool b = false;
	is_err(pack_check(all, NULL), OK, "what is read is sound");
	ok(pack_kind(&in) == PACK_MAP && !pack_array(&in, &n), "a map is no array");
	ok(pack_map(&in, &n) && n == 7, "seven pairs");
	ok(pack_str(&in, &text) && span_is(text, "a"), "the first key");
	ok(!pack_bool(&in, &b) && pack_nil(&in) && !pack_nil(&in), "nil");
	ok(pack_str(&in, &text) && pack_bool(&in, &b) && b, "true");
	ok(pack_str(&in, &text) && !pack_str(&in, &text), "a bin is no str");
	ok(pack_kind(&in) == PACK_BIN && pack_bin(&in, &text) && text.n == 1, "a bin");
	ok(pack_str(&in, &text) && pack_bin(&in, &text) && span_is(text, "hi"), "a str as a bin");
	struct pack_in ahead = in;
	ok(pack_str(&ahead, &text) && pack_skip(&ahead).n == 6 && pack_kind(&in) == PACK_STR,
		"a copy looks ahead");
	in = ahead;
	ok(pack_str(&in, &text) && pack_kind(&in) == PACK_EXT, "an ext");
	is_uint(pack_skip(&in).n, 3, "is skipped");
	ok(pack_str(&in, &text) && pack_str(&in, &text) && span_is(text, "ho"), "the last");
	ok(pack_kind(&in) == PACK_END && !span_is_set(pack_skip(&in)), "the end");
	ok(!pack_str(&in, &text) && !pack_map(&in, &n) && !pack_nil(&in), "and nothing after it");

	/* unchecked bytes: false, never beyond the end */
	for (size_t cut = 0; cut < all.n; cut++) {
		char *copy = malloc(cut + 1);
		if (!copy)
			bail("out of memory");
		memcpy(copy, all.p, cut);
		in = pack_from(span_of(copy, cut));
		if (span_is_set(pack_skip(&in)))
			ok(false, "skipped a value of %zu bytes that was cut", cut);
		free(copy);
	}
	in = pack_from(span_of("\xdf\xff\xff\xff\xff", 5));
	ok(!span_is_set(pack_skip(&in)), "a count that is a lie");
	in = pack_from(SPAN_NONE);
	ok(pack_kind(&in) == PACK_END, "an absent span");
	for (int kind = PACK_END; kind <= PACK_EXT; kind++)
		ok(pack_kind_name((enum pack_kind)kind)[0] != '\0', "kind %d has a name", kind);
}

static void test_jsons(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	for (size_t i = 0; i < COUNT_OF(jsons); i++) {
		struct pack_in in = pack_from(jsons[i].bytes);
		const char *want = jsons[i].json;
		buf_clear(&b);
		is_err(pack_check(jsons[i].bytes, NULL), OK, "row %zu is sound", i);
		ok(pack_to_json(&in, &b) == (want != NULL), "row %zu: JSON, or none", i);
		if (want)
			is_mem(b.p, b.n, want, strlen(want), "%s", want);
		ok((in.at == in.end) == (want != NULL), "row %zu is taken, or stays", i);
	}
	buf_clear(&b);
	for (int i = 0; i < 1000; i++)
		buf_byte(&b, '\x91');
	buf_byte(&b, '\xc0');
	struct pack_in in = pack_from(buf_view(&b));
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_FRAME_BYTES);
	ok(!pack_to_json(&in, &out), "unchecked and too deep: false, and no harm");
}

static void test_writing(void)
{
	static const int64_t ints[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295,
		4294967296, INT64_MAX, -1, -32, -33, -128, -129, -32768, -32769, INT32_MIN,
		INT64_MIN};
	static const size_t shortest[] = {
		1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9, 1, 1, 2, 2, 3, 3, 5, 5, 9};
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	for (size_t i = 0; i < COUNT_OF(ints); i++) {
		int64_t back = 0;
		buf_clear(&b);
		pack_put_i64(&b, ints[i]);
		struct pack_in in = pack_from(buf_view(&b));
		ok(pack_i64(&in, &back) && back == ints[i], "%lld there and back",
			(long long)ints[i]);
		is_uint(b.n, shortest[i], "in the shortest form");
	}
	/* maps whose size is known at their end: 15, 16 and 65536 pairs are the borders */
	static const uint32_t pairs[] = {0, 1, 15, 16, 17, 300, 20000};
	for (size_t i = 0; i < COUNT_OF(pairs); i++) {
		uint32_t n = 0;
		buf_clear(&b);
		pack_put_array(&b, 2);
		struct pack_open m = pack_open_map(&b);
		for (uint32_t j = 0; j < pairs[i]; j++) {
			char key[12];
			snprintf(key, sizeof key, "%u", (unsigned)j);
			pack_pair_i64(&b, &m, key, j);
		}
		pack_close_map(&b, &m);
		pack_put_text(&b, "after");
		is_err(buf_error(&b), OK, "%u pairs are written", (unsigned)pairs[i]);
		is_err(pack_check(buf_view(&b), NULL), OK, "and sound");
		struct pack_in in = pack_from(buf_view(&b));
		ok(pack_array(&in, &n) && pack_map(&in, &n) && n == pairs[i],
			"as many as were put");
	}
	buf_clear(&b);
	struct pack_open m = pack_open_map(&b);
	for (uint32_t j = 0; j < 65536; j++)
		pack_pair_bool(&b, &m, "", true); /* the head alone is looked at */
	pack_close_map(&b, &m);
	is_mem(b.p, 5, "\xdf\x00\x01\x00\x00", 5, "65536 pairs need the long head");

	buf_clear(&b);
	m = pack_open_map(&b);
	pack_pair_str(&b, &m, "absent", SPAN_NONE);
	pack_pair_bin(&b, &m, "absent", SPAN_NONE);
	pack_pair_str(&b, &m, "s", SPAN(""));
	pack_pair_bin(&b, &m, "b", span_of("\xff", 1));
	pack_pair_f64(&b, &m, "f", 0.5);
	pack_pair_bool(&b, &m, "t", false);
	pack_key(&b, &m, "raw");
	pack_put_raw(&b, span_of("\x91\xc0", 2));
	pack_close_map(&b, &m);
	const struct span want =
		SPAN("\x85\xa1s\xa0\xa1\x62\xc4\x01\xff\xa1\x66\xcb\x3f\xe0\0\0\0\0\0"
		     "\0\xa1t\xc2\xa3raw\x91\xc0");
	is_mem(b.p, b.n, want.p, want.n, "pairs, the absent left out");

	/* a buf that is full at any point: no write beyond it, and the failure sticks */
	for (size_t room = 0; room < want.n; room++) {
		OWNED(buf_done) struct buf small = BUF_INIT(room);
		struct pack_open s = pack_open_map(&small);
		for (int i = 0; i < 40; i++)
			pack_pair_str(&small, &s, "key", SPAN("value"));
		pack_close_map(&small, &s);
		if (buf_error(&small) != ERR_TOO_BIG || small.n > room)
			ok(false, "a buf of %zu bytes took more", room);
	}
	/* the pairs fit, the longer head does not */
	OWNED(buf_done) struct buf tight = BUF_INIT(1 + 16 * 2);
	m = pack_open_map(&tight);
	for (int i = 0; i < 16; i++)
		pack_pair_i64(&tight, &m, "", 1);
	is_err(buf_error(&tight), OK, "sixteen pairs fit");
	pack_close_map(&tight, &m);
	is_err(buf_error(&tight), ERR_TOO_BIG, "their head does not");
}

/* ---- against msgpack-c ---- */

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

/* Some value, of any kind and width. */
static void put_any(struct buf *b, int depth)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static unsigned key;
	char name[16];
	const uint32_t n = draw(5);
	switch (draw(depth > 4 ? 6 : 8)) {
	case 0:
		pack_put_nil(b);
		break;
	case 1:
		pack_put_bool(b, draw(2));
		break;
	case 2:
		pack_put_i64(b, (int64_t)(seed >> draw(64)) * (draw(2) ? 1 : -1));
		break;
	case 3:
		pack_put_f64(b, (double)draw(1000) / 8);
		break;
	case 4:
		pack_put_str(b, span_of(text, draw(sizeof text)));
		break;
	case 5:
		pack_put_bin(b, span_of(text, draw(sizeof text)));
		break;
	case 6:
		pack_put_array(b, n);
		for (uint32_t i = 0; i < n; i++)
			put_any(b, depth + 1);
		break;
	default:
		pack_put_map(b, n);
		for (uint32_t i = 0; i < n; i++) {
			snprintf(name, sizeof name, "%u", key++ % 4096);
			pack_put_text(b, name);
			put_any(b, depth + 1);
		}
	}
}

static bool msgpack_agrees(struct span bytes)
{
	msgpack_unpacked result;
	size_t off = 0;
	msgpack_unpacked_init(&result);
	const msgpack_unpack_return ret = msgpack_unpack_next(&result, bytes.p, bytes.n, &off);
	msgpack_unpacked_destroy(&result);
	return ret == MSGPACK_UNPACK_SUCCESS && off == bytes.n;
}

static void test_against_msgpack(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	int sound = 0, refused = 0, differ = 0, unskipped = 0;
	for (int round = 0; round < 20000; round++) {
		buf_clear(&b);
		put_any(&b, 0);
		const bool is_whole = round % 4 == 0;
		for (uint32_t hits = is_whole ? 0 : 1 + draw(3); hits > 0; hits--) {
			if (draw(8) == 0)
				buf_cut(&b, draw((uint32_t)b.n + 1));
			else if (b.n > 0)
				b.p[draw((uint32_t)b.n)] = (char)draw(256);
		}
		const struct span bytes = buf_view(&b);
		const enum err err = pack_check(bytes, NULL);
		if (is_whole && err)
			ok(false, "round %d: what was written is refused", round);
		if (err) {
			refused++;
			continue;
		}
		sound++;
		differ += !msgpack_agrees(bytes);
		struct pack_in in = pack_from(bytes);
		unskipped += pack_skip(&in).n != bytes.n;
		in = pack_from(bytes);
		buf_clear(&json);
		if (pack_to_json(&in, &json) && in.at != in.end)
			ok(false, "round %d: JSON of half a value", round);
	}
	is_int(differ, 0, "msgpack-c accepts all %d that are let in, to the same length", sound);
	is_int(unskipped, 0, "and each is one value to a cursor");
	ok(sound > 5000 && refused > 5000, "%d let in, %d refused", sound, refused);
}

int main(void)
{
	test_checks();
	test_limits();
	test_keys();
	test_numbers();
	test_reading();
	test_jsons();
	test_writing();
	test_against_msgpack();
	return tap_done();
}
