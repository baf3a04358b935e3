/* test_shown.c - where an app token is looked for, and what of a query goes on. */
#include "libllmclient/bridge/shown.h"
#include "tests/lib/tap.h"

#define T  "llmb_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define T2 "llmb_fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static const struct {
	const char *name, *authorization, *x_api_key, *x_goog, *query, *want;
} rows[] = {
	{"nothing",		       NULL,               NULL,       NULL,   NULL,                    NULL    },
	{"a bearer token",                "Bearer " T,        NULL,       NULL,   NULL,                    T       },
	{"in small letters, far away",    "bearer   " T "  ", NULL,       NULL,   NULL,                    T       },
	{"another scheme",                "Basic " T,         NULL,       NULL,   NULL,                    NULL    },
	{"no scheme",                     T,                  NULL,       NULL,   NULL,                    NULL    },
	{"Anthropic's header",            NULL,               T,          NULL,   NULL,                    T       },
	{"Google's header",               NULL,               NULL,       T,      NULL,                    T       },
	{"Google's query",                NULL,               NULL,       NULL,   "alt=sse&key=" T "&x=1", T       },
	{"its name escaped",              NULL,               NULL,       NULL,   "%6bEy=" T,              T       },
	{"another name",                  NULL,               NULL,       NULL,   "keys=" T "&akey=" T,    NULL    },
	{"a name alone",                  NULL,               NULL,       NULL,   "key",                   NULL    },
	{"others' keys",                  "Bearer sk-1",      "sk-ant-1", "AIza", "key=AIza",              NULL    },
	{"one among others' keys",        "Bearer sk-1",      "x",        T,      "key=AIza",              T       },
	{"two: the first",                "Bearer " T,        T2,         NULL,   NULL,                    T       },
	{"one that is none, but of ours", NULL,               "llmb_x",   NULL,   NULL,                    "llmb_x"},
	{"an empty bearer",               "Bearer ",          NULL,       NULL,   "",                      NULL    },
};

static const struct {
	const char *name, *token;
	bool is_sound;
} tokens[] = {
	{"as it is made",          T,								       true },
	{"too short",              "llmb_00",							       false},
	{"nothing behind",         "llmb_",								 false},
	{"too long",               T "0",								   false},
	{"in capitals",            "llmb_0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
         false												   },
	{"with another character",
         "llmb_g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",                           false},
};

static const struct {
	const char *query, *want;
} queries[] = {
	{"",			  ""		    },
	{"key=x",		     ""		    },
	{"a=1&key=x&b=2",             "a=1&b=2"             },
	{"KEY=x&%6bey=y&%6B%65%79=z", ""                    },
	{"a=1&key",                   "a=1"                 },
	{"keys=1&akey=2&k%=3&%",      "keys=1&akey=2&k%=3&%"},
	{"a=b=c&&d",                  "a=b=c&&d"            },
};

static struct span span_or_none(const char *s)
{
	return s ? span_str(s) : SPAN_NONE;
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct shown s = {span_or_none(rows[i].authorization),
			span_or_none(rows[i].x_api_key), span_or_none(rows[i].x_goog),
			span_or_none(rows[i].query)};
		const struct span got = shown_token(&s);
		const struct span want = span_or_none(rows[i].want);
		ok(span_is_set(got) == span_is_set(want), "%s: is there one", rows[i].name);
		is_mem(got.p, got.n, want.p, want.n, "%s", rows[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(tokens); i++)
		ok(shown_is_sound(span_str(tokens[i].token)) == tokens[i].is_sound, "%s",
			tokens[i].name);
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(1024);
		shown_leave_out(span_str(queries[i].query), &out);
		is_mem(out.p, out.n, queries[i].want, strlen(queries[i].want), "of \"%s\"",
			queries[i].query);
	}
	return tap_done();
}
