/* test_dialect_usage.c - counts and money out of replies, and the classes they come to. */
#include "brokerd/dialect/usage.h"
#include "tests/lib/tap.h"

static const struct {
	const char *text;
	int64_t want; /* -1: no count */
} counts[] = {
	{"12",		   12       },
	{"0",		    0        },
	{"12.0",		 12       },
	{"\"12\"",               12       },
	{"1.2e1",                12       },
	{"\"12.0\"",             12       },
	{"-1",		   -1       },
	{"1.5",		  -1       },
	{"\"x\"",                -1       },
	{"\"\"",		 -1       },
	{"null",		 -1       },
	{"true",		 -1       },
	{"[1]",		  -1       },
	{"{}",		   -1       },
	{"1e30",		 -1       },
	{"\"1 2\"",              -1       },
	{"\"+12\"",              -1       },
	{"\"012\"",              -1       },
	{"\"12x\"",              -1       },
	{"18446744073709551616", -1       },
	{"9223372036854775807",  INT64_MAX},
};

static const struct {
	const char *text;
	int places;
	int64_t want;
} money[] = {
	{"0",			   0,  0			   },
	{"0.00007159",                  0,  71590                       },
	{"7.159e-05",                   0,  71590                       },
	{"7.159E-5",                    0,  71590                       },
	{"1.5e-05",		     0,  15000                       },
	{"1",			   0,  1000000000                  },
	{"1e1",			 0,  INT64_C(10000000000)        },
	{"1e+1",			0,  INT64_C(10000000000)        },
	{"0.0000000004",                0,  0                           },
	{"0.0000000005",                0,  1                           },
	{"0.00000000049999",            0,  0                           },
	{"0.0004970133333333333",       0,  497013                      },
	{"0.00024701333333333335",      0,  247013                      },
	{"0.1234567890123456789012345", 0,  123456789                   },
	{"\"0.5\"",		     0,  500000000                   },
	{"123456",		      10, 12346                       },
	{"123444",		      10, 12344                       },
	{"5",			   10, 1			   },
	{"4",			   10, 0			   },
	{"-0.5",			0,  -1			  },
	{"null",			0,  -1			  },
	{"\"x\"",		       0,  -1			  },
	{"{}",			  0,  -1			  },
	{"1e30",			0,  -1			  },
	{"0e999999999999",              0,  0                           },
	{"1e999999999999",              0,  -1                          },
	{"1e-999999999999",             0,  -1                          },
	{"9223372036",                  0,  INT64_C(9223372036000000000)},
	{"9223372037",                  0,  -1                          },
};

static void test_numbers(void)
{
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		int64_t n = -1;
		const struct json v = json_of(span_str(counts[i].text));
		const bool is_count = usage_count(v, &n);
		is_int(n, counts[i].want, "the count %s", counts[i].text);
		ok(is_count == (counts[i].want >= 0), "is one, or none");
	}
	for (size_t i = 0; i < COUNT_OF(money); i++) {
		const struct json v = json_of(span_str(money[i].text));
		is_int(usage_money(v, money[i].places), money[i].want, "%s of 10^-%d dollars",
			money[i].text, money[i].places);
	}
	is_int(usage_money(JSON_NONE, 0), -1, "nothing is no money");
}

static const struct {
	const char *name;
	int64_t input_total, output_total;
	int64_t cached, written, audio, image, reasoning, audio_out; /* as given */
	int64_t want[8]; /* input, cached, written, audio, image, output, reasoning, audio out */
	bool fits;
} splits[] = {
	{"no parts",                   100, 50, -1, -1, -1, -1, -1, -1, {100, -1, -1, -1, -1, 50, -1, -1}, true},
	{"cached and reasoning",       100, 50, 40, -1, -1, -1, 20, -1, {60, 40, -1, -1, -1, 30, 20, -1},
         true												  },
	{"all parts",                  100, 50, 10, 20, 30, 5,  7,  3,  {35, 10, 20, 30, 5, 40, 7, 3},     true},
	{"zeros are known",            100, 50, 0,  0,  0,  0,  0,  0,  {100, 0, 0, 0, 0, 50, 0, 0},       true},
	{"parts are all of it",        10,  5,  10, -1, -1, -1, 5,  -1, {0, 10, -1, -1, -1, 0, 5, -1},     true},
	{"cached beyond its whole",    10,  5,  12, -1, -1, -1, -1, -1, {0, 10, -1, -1, -1, 5, -1, -1},
         false												 },
	{"audio was cached",           10,  5,  8,  -1, 6,  -1, -1, -1, {0, 8, -1, 2, -1, 5, -1, -1},      true},
	{"reasoning beyond its whole", 10,  5,  -1, -1, -1, -1, 6,  -1, {10, -1, -1, -1, -1, 0, 5, -1},
         false												 },
	{"totals unknown",             -1,  -1, 4,  -1, -1, -1, 6,  -1, {-1, 4, -1, -1, -1, -1, 6, -1},    true},
};

static void test_splits(void)
{
	for (size_t i = 0; i < COUNT_OF(splits); i++) {
		struct llm_usage u = USAGE_UNKNOWN;
		u.cache_read = splits[i].cached;
		u.cache_write = splits[i].written;
		u.audio_input = splits[i].audio;
		u.image_input = splits[i].image;
		u.reasoning = splits[i].reasoning;
		u.audio_output = splits[i].audio_out;
		ok(usage_split(&u, splits[i].input_total, splits[i].output_total) == splits[i].fits,
			"%s: adds up, or not", splits[i].name);
		const int64_t got[] = {u.input, u.cache_read, u.cache_write, u.audio_input,
			u.image_input, u.output, u.reasoning, u.audio_output};
		for (size_t k = 0; k < COUNT_OF(got); k++)
			is_int(got[k], splits[i].want[k], "%s: class %zu", splits[i].name, k);
		if (splits[i].input_total >= 0)
			is_int(usage_input_total(&u), splits[i].input_total,
				"%s: the input is all there", splits[i].name);
		if (splits[i].output_total >= 0)
			is_int(usage_output_total(&u), splits[i].output_total, "%s: and the output",
				splits[i].name);
	}
}

static const struct {
	const char *name, *usage;
	int64_t tokens, want;
} costs[] = {
	{"nothing said",			   "{}",							 10, -1      },
	{"a number",			       "{\"cost\":0.0004970133333333333}",                           10, 497013  },
	{"free",				   "{\"cost\":0}",					       10, 0       },
	{"null",				   "{\"cost\":null}",					    10, -1      },
	{"an object",			      "{\"cost\":{\"request_cost\":0.005,\"total_cost\":0.00571}}", 10, 5710000 },
	{"a key of one's own",
         "{\"cost\":0.00001,\"is_byok\":true,\"cost_details\":"
		"{\"upstream_inference_cost\":0.0003253}}",						      10, 335300  },
	{"and nothing said of it",
         "{\"cost\":0.00001,\"is_byok\":true,\"cost_details\":"
		"{\"upstream_inference_cost\":null}}",							   10, 10000   },
	{"none of one's own",
         "{\"cost\":0.025265,\"is_byok\":false,\"cost_details\":"
		"{\"upstream_inference_cost\":0.025265}}",						       10, 25265000},
	{"ticks",				  "{\"cost_in_usd_ticks\":1176500}",                            10, 117650  },
	{"no ticks, though something was counted", "{\"cost_in_usd_ticks\":0}",                                  10, -1      },
	{"no ticks for nothing",                   "{\"cost_in_usd_ticks\":0}",                                  0,  0       },
	{"estimated by the provider",              "{\"estimated_cost\":2.5e-07}",                               10, 250     },
	{"negative",			       "{\"cost\":-1}",					      10, -1      },
};

static void test_costs(void)
{
	for (size_t i = 0; i < COUNT_OF(costs); i++)
		is_int(usage_cost(json_of(span_str(costs[i].usage)), costs[i].tokens),
			costs[i].want, "cost: %s", costs[i].name);
}

static void test_sum(void)
{
	struct llm_usage a = USAGE_UNKNOWN, b = USAGE_UNKNOWN;
	a.input = 1;
	a.output = INT64_MAX;
	b.input = 2;
	b.output = 1;
	b.cache_read = 0;
	usage_add(&a, &b);
	is_int(a.input, 3, "known and known");
	is_int(a.output, INT64_MAX, "no wrapping");
	is_int(a.cache_read, 0, "what one does not know is the other's");
	is_int(a.reasoning, -1, "what nobody knows stays unknown");
}

int main(void)
{
	test_numbers();
	test_costs();
	test_sum();
	test_splits();
	return tap_done();
}
