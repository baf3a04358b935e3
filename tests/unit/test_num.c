/* test_num.c - numbers from text, and sums that do not fit. */
#include "protocol/base/num.h"

#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}
#define UNTOUCHED INT64_C(-77)

struct text_case {
	struct span text;
	bool is_number;
	int64_t want;
};

static const struct text_case integers[] = {
	{T("0"),		    true,  0        },
	{T("-0"),		   true,  0        },
	{T("+5"),		   true,  5        },
	{T("007"),                  true,  7        },
	{T("9223372036854775807"),  true,  INT64_MAX},
	{T("-9223372036854775808"), true,  INT64_MIN},
	{T("9223372036854775808"),  false, 0        },
	{T("+9223372036854775808"), false, 0        },
	{T("-9223372036854775809"), false, 0        },
	{T("99999999999999999999"), false, 0        },
	{T(""),		     false, 0        },
	{{NULL, 0},                 false, 0        },
	{T("-"),		    false, 0        },
	{T("+"),		    false, 0        },
	{T("--1"),                  false, 0        },
	{T("1 "),		   false, 0        },
	{T(" 1"),		   false, 0        },
	{T("1\0"),                  false, 0        },
	{T("1.0"),                  false, 0        },
	{T("0x10"),                 false, 0        },
	{T("\xd9\xa1"),             false, 0        },
};

static const struct text_case durations[] = {
	{T("250ms"),              true,  250000                   },
	{T("30s"),                true,  30000000                 },
	{T("30 s"),               true,  30000000                 },
	{T("  30\ts  "),          true,  30000000                 },
	{T("1.5s"),               true,  1500000                  },
	{T("0.001ms"),            true,  1                        },
	{T(".5s"),                true,  500000                   },
	{T("5m"),                 true,  300000000                },
	{T("5min"),               true,  300000000                },
	{T("2h"),                 true,  INT64_C(7200000000)      },
	{T("7d"),                 true,  INT64_C(604800000000)    },
	{T("0s"),                 true,  0                        },
	{T("106751d"),            true,  INT64_C(9223286400000000)},
	{T("106752d"),            false, 0                        },
	{T("99999999999999999s"), false, 0                        },
	{T("0.0001s"),            false, 0                        },
	{T("0.5us"),              false, 0                        },
	{T("30"),                 false, 0                        },
	{T("s"),		  false, 0                        },
	{T(""),		   false, 0			},
	{{NULL, 0},               false, 0                        },
	{T("-1s"),                false, 0                        },
	{T("1S"),                 false, 0                        },
	{T("1.2.3s"),             false, 0                        },
	{T("1s2"),                false, 0                        },
	{T("1s\0"),               false, 0                        },
	{T("1e3s"),               false, 0                        },
};

static const struct text_case sizes[] = {
	{T("4096"),            true,  4096               },
	{T("4096B"),           true,  4096               },
	{T("64 KiB"),          true,  65536              },
	{T("2MiB"),            true,  2097152            },
	{T("1.5 MiB"),         true,  1572864            },
	{T("1 GiB"),           true,  1073741824         },
	{T("10 MB"),           true,  10000000           },
	{T("1kB"),             true,  1000               },
	{T("1KB"),             true,  1000               },
	{T("2GB"),             true,  INT64_C(2000000000)},
	{T("0"),               true,  0                  },
	{T("0.5"),             false, 0                  },
	{T("0.001 KiB"),       false, 0                  },
	{T("1 TiB"),           false, 0                  },
	{T("1 mib"),           false, 0                  },
	{T("99999999999 GiB"), false, 0                  },
	{T("-1"),              false, 0                  },
	{T(""),		false, 0                  },
	{{NULL, 0},            false, 0                  },
};

static const struct text_case money[] = {
	{T("5"),		    true,  INT64_C(5000000000)},
	{T("5.00"),                 true,  INT64_C(5000000000)},
	{T("5.00 USD"),             true,  INT64_C(5000000000)},
	{T("5 usd"),                true,  INT64_C(5000000000)},
	{T("$5"),		   true,  INT64_C(5000000000)},
	{T(" $5.25 "),              true,  INT64_C(5250000000)},
	{T("0.000000001"),          true,  1                  },
	{T("9223372036.854775807"), true,  INT64_MAX          },
	{T("9223372036.854775808"), false, 0                  },
	{T("9223372037"),           false, 0                  },
	{T("0.0000000001"),         false, 0                  },
	{T("5 EUR"),                false, 0                  },
	{T("-5"),		   false, 0                  },
	{T("$"),		    false, 0                  },
	{T("$$5"),                  false, 0                  },
	{T("."),		    false, 0                  },
	{T("5,00"),                 false, 0                  },
	{T(""),		     false, 0                  },
	{{NULL, 0},                 false, 0                  },
};

static void texts(const char *what, bool (*read)(struct span, int64_t *),
	const struct text_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = UNTOUCHED;
		const struct span text = cases[i].text;
		const bool is_number = read(text, &got);
		is_int(is_number, cases[i].is_number, "%s: \"%.*s\" is one, or not", what,
			SPAN_ARG(text));
		is_int(got, cases[i].is_number ? cases[i].want : UNTOUCHED,
			"%s: \"%.*s\", or left alone", what, SPAN_ARG(text));
	}
}

static const struct {
	int64_t a, b;
	int64_t add, mul; /* as the saturating ones give it */
	bool add_fits, mul_fits;
} sums[] = {
	{2,          3,          5,             6,         true,  true },
	{-2,         3,          1,             -6,        true,  true },
	{INT64_MAX,  0,          INT64_MAX,     0,         true,  true },
	{INT64_MAX,  1,          INT64_MAX,     INT64_MAX, false, true },
	{INT64_MIN,  -1,         INT64_MIN,     INT64_MAX, false, false},
	{INT64_MIN,  1,          INT64_MIN + 1, INT64_MIN, true,  true },
	{INT64_MAX,  INT64_MAX,  INT64_MAX,     INT64_MAX, false, false},
	{INT64_MAX,  -2,         INT64_MAX - 2, INT64_MIN, true,  false},
	{INT64_MIN,  INT64_MIN,  INT64_MIN,     INT64_MAX, false, false},
	{INT64_MIN,  0,          INT64_MIN,     0,         true,  true },
	{3037000500, 3037000500, 6074001000,    INT64_MAX, true,  false},
};

static const struct {
	int64_t a, b, c, want;
} quotients[] = {
	{7,         1,         2,         4			   }, /* half, up */
	{5,         1,         3,         2			   },
	{4,         1,         3,         1			   },
	{0,         9,         7,         0			   },
	{INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX                   },
	{INT64_MAX, INT64_MAX, 1,         INT64_MAX                   },
	{INT64_MAX, 1000,      1000,      INT64_MAX                   },
	{INT64_MAX, 2,         4,         INT64_C(4611686018427387904)},
	{123456789, 2500000,   1000000,   308641973                   }, /* .5 up */
	{1,         1,         INT64_MAX, 0			   },
};

static const struct {
	struct span text;
	int want; /* -1: no boolean */
} booleans[] = {
	{T("yes"),   1 },
	{T("On"),    1 },
	{T("TRUE"),  1 },
	{T("1"),     1 },
	{T("no"),    0 },
	{T("off"),   0 },
	{T("False"), 0 },
	{T("0"),     0 },
	{T("y"),     -1},
	{T("2"),     -1},
	{T(""),      -1},
	{{NULL, 0},  -1},
	{T("yes "),  -1},
	{T("o\0n"),  -1},
};

/* A JSON number times ten to so many places. */
static const struct {
	struct span text;
	int places;
	bool is_number;
	int64_t want;
} scaled[] = {
	{T("2.5e-07"),                15, true,  INT64_C(250000000)          },
	{T("1e-05"),                  15, true,  INT64_C(10000000000)        },
	{T("0.0"),		    15, true,  0                           },
	{T("3"),		      9,  true,  INT64_C(3000000000)         },
	{T("0.15"),                   9,  true,  150000000                   },
	{T("1.4999999"),              0,  true,  1                           },
	{T("1.5"),		    0,  true,  2                           },
	{T("0.00000000049"),          9,  true,  0                           },
	{T("1E+2"),                   0,  true,  100                         },
	{T("12345678901234567890"),   0,  false, 0                           },
	{T("1.23456789012345678901"), 18, true,  INT64_C(1234567890123456789)},
	{T("1e30"),                   0,  false, 0                           },
	{T("0e999999"),               0,  true,  0                           },
	{T("1e-999999"),              0,  false, 0                           },
	{T(""),		       0,  false, 0			   },
	{T("-1"),		     0,  false, 0                           },
	{T(".5"),		     0,  false, 0                           },
	{T("1e"),		     0,  false, 0                           },
	{T("1.5x"),                   0,  false, 0                           },
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(scaled); i++) {
		int64_t got = UNTOUCHED;
		is_int(num_scaled(scaled[i].text, scaled[i].places, &got), scaled[i].is_number,
			"scaled %zu: a number, or not", i);
		if (scaled[i].is_number)
			is_int(got, scaled[i].want, "scaled %zu", i);
	}
	texts("integer", num_i64, integers, COUNT_OF(integers));
	texts("duration", num_duration_us, durations, COUNT_OF(durations));
	texts("size", num_size_bytes, sizes, COUNT_OF(sizes));
	texts("money", num_money_nusd, money, COUNT_OF(money));
	for (size_t i = 0; i < COUNT_OF(sums); i++) {
		const int64_t a = sums[i].a, b = sums[i].b;
		int64_t got = UNTOUCHED;
		is_int(num_add(a, b, &got), sums[i].add_fits, "%zu: the sum fits, or not", i);
		is_int(got, sums[i].add_fits ? sums[i].add : UNTOUCHED, "%zu: the sum", i);
		is_int(num_add_sat(a, b), sums[i].add, "%zu: the sum, held", i);
		is_int(num_add_sat(b, a), sums[i].add, "%zu: the sum, the other way", i);
		got = UNTOUCHED;
		is_int(num_mul(a, b, &got), sums[i].mul_fits, "%zu: the product fits, or not", i);
		is_int(got, sums[i].mul_fits ? sums[i].mul : UNTOUCHED, "%zu: the product", i);
		is_int(num_mul_sat(a, b), sums[i].mul, "%zu: the product, held", i);
		is_int(num_mul_sat(b, a), sums[i].mul, "%zu: the product, the other way", i);
	}
	for (size_t i = 0; i < COUNT_OF(quotients); i++)
		is_int(num_mul_div(quotients[i].a, quotients[i].b, quotients[i].c),
			quotients[i].want, "quotient %zu", i);
	for (size_t i = 0; i < COUNT_OF(booleans); i++) {
		bool got = false;
		const bool is_one = num_bool(booleans[i].text, &got);
		is_int(is_one ? got : -1, booleans[i].want, "boolean %zu", i);
	}
	return tap_done();
}
