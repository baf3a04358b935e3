/* test_repair.c - which refusals can be mended, and what is kept of them. */
#include <stdio.h>

#include "brokerd/exchange/repair.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name;
	enum err err;
	int status;
	const char *code, *param;
	bool want;
} cases[] = {
	{"a sampling number",           ERR_INVALID_REQUEST, 400, "unsupported_parameter", "temperature",
         true												  },
	{"a value of one",              ERR_INVALID_REQUEST, 400, "unsupported_value",     "top_p",       true },
	{"the bound's other name",      ERR_INVALID_REQUEST, 400, "unsupported_parameter", "max_tokens",
         true												  },
	{"an answer in pieces alone",   ERR_INVALID_REQUEST, 400, "stream_required",       "",            true },
	{"tools are not left out",      ERR_INVALID_REQUEST, 400, "unsupported_parameter", "tools",
         false												 },
	{"nor is what is not named",    ERR_INVALID_REQUEST, 400, "unsupported_parameter", "",            false},
	{"a bad value is the caller's", ERR_INVALID_REQUEST, 400, "invalid_value",         "temperature",
         false												 },
	{"another status",              ERR_INVALID_REQUEST, 422, "unsupported_parameter", "temperature", false},
	{"another class",               ERR_SERVER_ERROR,    400, "unsupported_parameter", "temperature", false},
};

/* Which refusals of a count mean that nobody there counts. */
static const struct {
	const char *name;
	int status;
	const char *code, *message;
	bool want;
} counts[] = {
	{"no such page",     404, "endpoint",        "404 page not found",                            true },
	{"no such address",  404, "",                "Invalid URL (POST /v1/responses/input_tokens)", true },
	{"no such method",   405, "",                "",					      true },
	{"501 by its name",  501, "NotImplemented",  "the model cannot",                              true },
	{"no such model",    404, "model_not_found", "",                                              false},
	{"in words alone",   404, "not_found_error", "Model: claude-x",                               false},
	{"a bad request",    400, "",                "no such page",                                  false},
	{"nobody was asked", 0,   "",                "",					      false},
	{"it is broken",     500, "",                "",					      false},
};

static void count_tokens(void)
{
	static struct repairs r;
	struct target t = {.provider = SPAN("p"), .model = SPAN("m"), .family = SPAN("anthropic")};
	struct arena a;
	arena_init(&a, MIB);
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		struct fault f = FAULT_NONE;
		f.http_status = counts[i].status;
		fault_text(f.code, sizeof f.code, span_str(counts[i].code));
		fault_text(f.message, sizeof f.message, span_str(counts[i].message));
		is_int(repair_lacks_count(&f), counts[i].want, "%s", counts[i].name);
	}
	is_err(repair_apply(&r, &t, &a), OK, "nothing is known");
	ok(!t.is_count_missing, "so it is asked");
	repair_learn_count(&r, &t);
	const size_t kept = r.next;
	repair_learn_count(&r, &t);
	is_uint(r.next, kept, "it is kept once");
	const struct {
		struct target t;
		bool want;
		const char *name;
	} others[] = {
		{{.provider = SPAN("p"), .model = SPAN("m"), .family = SPAN("anthropic")}, true,
                 "that one"       },
		{{.provider = SPAN("p"), .model = SPAN("n"), .family = SPAN("anthropic")}, true,
                 "another model"  },
		{{.provider = SPAN("p"), .model = SPAN("m"), .family = SPAN("gemini")},    false,
                 "another dialect"},
		{{.provider = SPAN("q"), .model = SPAN("m"), .family = SPAN("anthropic")}, false,
                 "another host"   },
	};
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct target other = others[i].t;
		is_err(repair_apply(&r, &other, &a), OK, "%s", others[i].name);
		is_int(other.is_count_missing, others[i].want, "%s: is it asked?", others[i].name);
		ok(!span_is_set(other.quirks.drops), "%s loses nothing else", others[i].name);
	}
	arena_done(&a);
}

static struct fault fault_of(size_t i)
{
	struct fault f = FAULT_NONE;
	f.err = cases[i].err;
	f.http_status = cases[i].status;
	fault_text(f.code, sizeof f.code, span_str(cases[i].code));
	fault_text(f.param, sizeof f.param, span_str(cases[i].param));
	return f;
}

int main(void)
{
	static struct repairs r;
	const struct llm_request asked = {.n_messages = 0};
	const struct llm_request strict = {.on_unsupported = UNSUPPORTED_REJECT};
	struct target t = {.provider = SPAN("p"), .model = SPAN("m")};
	struct arena a;
	arena_init(&a, MIB);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct fault f = fault_of(i);
		ok(!repair_learn(&r, &t, &strict, &f), "%s: not for one who wants a refusal",
			cases[i].name);
		is_int(repair_learn(&r, &t, &asked, &f), cases[i].want, "%s", cases[i].name);
		ok(!repair_learn(&r, &t, &asked, &f), "%s: once", cases[i].name);
	}
	t.quirks.drops = SPAN("seed");
	is_err(repair_apply(&r, &t, &a), OK, "applied");
	is_mem(t.quirks.drops.p, t.quirks.drops.n, "seed,temperature,top_p", 22,
		"what is left out");
	ok(span_is(t.quirks.max_tokens_field, "max_completion_tokens"), "the other name");
	ok(t.quirks.is_stream_forced, "and a stream");
	struct target other = {.provider = SPAN("p"), .model = SPAN("n")};
	is_err(repair_apply(&r, &other, &a), OK, "another model");
	ok(!span_is_set(other.quirks.drops) && !other.quirks.is_stream_forced, "is as it was");
	for (size_t i = 0; i < REPAIRS_MAX; i++) {
		char name[16];
		const int n = snprintf(name, sizeof name, "m%zu", i);
		other.model = span_of(name, (size_t)n);
		const struct fault f = fault_of(0);
		ok(repair_learn(&r, &other, &asked, &f), "model %zu", i);
	}
	t.quirks.drops = SPAN_NONE;
	is_err(repair_apply(&r, &t, &a), OK, "the oldest");
	ok(!span_is_set(t.quirks.drops), "gave way");
	arena_done(&a);
	count_tokens();
	return tap_done();
}
