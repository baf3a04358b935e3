/* test_guard.c - how much of a stream is held back before its rate is known? */
#include "brokerd/exchange/guard.h"

#include "tests/lib/tap.h"

/* How many steps of a kind it takes until it is let through, at a floor of 5 characters a second. */
static const struct {
	const char *name;
	enum event_type type;
	const char *text;
	size_t held; /* bytes with each */
	unsigned steps;
} rows[] = {
	{"as many characters as the probe would give", EV_TEXT,       "0123456789",                                           40,    5  },
	{"reasoning is content",                       EV_REASONING,  "0123456789",                                           40,    5  },
	{"and so is a refusal",                        EV_REFUSAL,    "0123456789",                                           40,    5  },
	{"one long piece is enough",                   EV_TEXT,       "01234567890123456789012345678901234567890123456789",
         99,															 1  },
	{"characters, not bytes",                      EV_TEXT,       "\xc3\xa4\xc3\xb6\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80",
         40,															 10 },
	{"no more than so many steps",                 EV_TEXT,       "",						     1,     512},
	{"log probabilities are none",                 EV_LOGPROBS,   "0123456789",                                           1,     512},
	{"nor are bytes as they came",                 EV_RAW,        "0123456789",                                           1,     512},
	{"nor warnings",			       EV_WARNING,    "",						     1,     512},
	{"and no more than so many bytes",             EV_LOGPROBS,   "",                                                     65536, 4  },
	{"a call of a tool ends it",                   EV_TOOL_START, "",                                                     40,    1  },
	{"so does its end",			    EV_TOOL_END,   "",						     40,    1  },
	{"an image",				   EV_PART,       "",						     40,    1  },
	{"what only its maker reads",                  EV_OPAQUE,     "",						     40,    1  },
	{"and the end of the answer",                  EV_FINISH,     "",						     40,    1  },
};

static void steps(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct guard g;
		struct llm_event e = {.type = rows[i].type};
		unsigned n = 0;
		e.text = span_str(rows[i].text);
		guard_begin(&g, 5);
		do
			n++;
		while (!guard_take(&g, &e, n * rows[i].held) && n < 10000);
		is_uint(n, rows[i].steps, "%s", rows[i].name);
	}
}

static void counts(void)
{
	struct guard g;
	struct llm_event e = {.type = EV_TEXT};
	e.text = SPAN("abc");
	guard_begin(&g, 1000000);
	ok(!guard_take(&g, &e, 1) && !guard_take(&g, &e, 2), "a high floor wants more");
	is_int(g.chars, 6, "what came is counted");
	guard_begin(&g, 1);
	is_int(g.chars, 0, "and from nothing for the next");
}

static void which_begin_one(void)
{
	ok(guard_watches(EV_TEXT) && guard_watches(EV_REASONING) && guard_watches(EV_REFUSAL),
		"words have a rate");
	ok(!guard_watches(EV_TOOL_START) && !guard_watches(EV_PART) && !guard_watches(EV_OPAQUE) &&
			!guard_watches(EV_FINISH) && !guard_watches(EV_RAW),
		"a call, an image, an end have none");
}

int main(void)
{
	steps();
	counts();
	which_begin_one();
	return tap_done();
}
