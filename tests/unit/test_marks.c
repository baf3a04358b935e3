/* test_marks.c - where are marks put for one who set none, and where are they not? */
#include "brokerd/dialect/marks.h"
#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

/* A text of so many tokens, as they are estimated. */
#define LONG        "LONG"
#define LONG_TOKENS 1100

#define SYSTEM(text) "{'role':'system','content':'" text "'}"
#define USER(text)   "{'role':'user','content':'" text "'}"
#define SAID(text)   "{'role':'assistant','content':'" text "'}"
#define CALLED                                                                                 \
	"{'role':'assistant','content':[{'type':'tool_call','id':'c1','name':'f','arguments':" \
	"'{}'},{'type':'tool_call','id':'c2','name':'f','arguments':'{}'}]}"
#define RESULTS                                                  \
	"{'role':'tool','tool_call_id':'c1','content':'first'}," \
	"{'role':'tool','tool_call_id':'c2','content':'second'}"
#define TOOL(description) "{'name':'f','description':'" description "'}"

/* Where marks are wanted: t and m with the index, in the order of the prompt. */
static const struct {
	const char *name, *family, *model, *request, *want;
} cases[] = {
	{"a short prompt gets none",                                 "anthropic",   "claude",
         "'messages':[" SYSTEM("s") "," USER("q") "]",													     ""         },
	{"a long question gets one",                                 "anthropic",   "claude",                                       "'messages':[" USER(LONG) "]", "m0 "      },
	{"a long system text, and what comes behind it",             "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    "m0 m1 "   },
	{"the last of several system texts",                         "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," SYSTEM("s") "," USER("q") "]",											    "m1 m2 "   },
	{"not what is before enough",                                "anthropic",   "claude",
         "'messages':[" SYSTEM("s") "," USER(LONG) "]",													    "m1 "      },
	{"all four",						 "anthropic",   "claude",
         "'tools':[{'name':'g'}," TOOL(LONG) "],'messages':[" SYSTEM("s") "," USER(
			"q") "," SAID("a") "," USER("r") "]",
         "t1 m0 m1 m3 "																		       },
	{"short tools get none",				     "anthropic",   "claude",
         "'tools':[" TOOL("x") "],'messages':[" SYSTEM(LONG) "," USER("q") "]",                                                                                    "m0 m1 "   },
	{"as it grows, what was said last is what was said before",  "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "," SAID("a") "," USER("r") "," SAID(
			"b") "," USER("s") "]",
         "m0 m3 m5 "																			  },
	{"results are a turn of the user's, and its last is marked", "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "," CALLED "," RESULTS "]",                                                                                     "m0 m1 m4 "},
	{"so are those with words behind them",                      "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "," CALLED "," RESULTS "," USER("r") "]",
         "m0 m1 m5 "																			  },
	{"words that the assistant began change nothing",            "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "," SAID("a") "]",											      "m0 m1 "   },
	{"blank texts are not marked",                               "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) "," USER(" ") "]",													    "m0 "      },
	{"who marks himself gets none",                              "anthropic",   "claude",
         "'messages':[" SYSTEM(LONG) ",{'role':'user','content':[{'type':'text','text':'q','"
					    "cache':'5m'}]}]",												     "m1 "      },
	{"nor who marks the whole",                                  "anthropic",   "claude",
         "'cache':{'ttl':'1h'},'messages':[" SYSTEM(LONG) "," USER("q") "]",										       ""         },
	{"Claude at Bedrock",					"bedrock",     "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    "m0 m1 "   },
	{"not Nova",						 "bedrock",     "us.amazon.nova-lite-v1:0",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    ""         },
	{"Claude behind OpenRouter",                                 "openai-chat", "anthropic/claude-sonnet-4.5",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    "m0 m1 "   },
	{"not others there",					 "openai-chat", "openai/gpt-5",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    ""         },
	{"not who keeps prompts by himself",                         "gemini",      "claude",
         "'messages':[" SYSTEM(LONG) "," USER("q") "]",													    ""         },
};

/* LONG becomes words. */
static void put_long(struct buf *json, const char *request)
{
	struct span rest = span_str(request);
	buf_text(json, "{'model':'m',");
	for (size_t at; (at = span_find(rest, SPAN(LONG))) < rest.n;) {
		buf_put(json, rest.p, at);
		for (size_t i = 0; i < LONG_TOKENS; i++)
			buf_text(json, "abc ");
		rest = span_skip(rest, at + sizeof LONG - 1);
	}
	buf_span(json, rest);
	buf_text(json, "}");
	buf_byte(json, '\0');
}

static void read(const char *request, struct arena *a, struct buf *packed, struct llm_request *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(MIB);
	struct fault why = FAULT_NONE;
	put_long(&json, request);
	packed_json(packed, json.p);
	if (request_unpack(buf_view(packed), a, out, &why))
		bail("%s: %s", request, why.message);
}

static void put_marks(struct buf *to, const struct llm_request *r, const char *ttl)
{
	for (size_t i = 0; i < r->n_tools; i++) {
		if (span_is_set(r->tools[i].cache))
			buf_print(to, "t%zu%s ", i, span_is(r->tools[i].cache, ttl) ? "" : "?");
	}
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++) {
			const struct span cache = r->messages[m].parts[k].cache;
			if (span_is_set(cache))
				buf_print(to, "m%zu%s ", m, span_is(cache, ttl) ? "" : "?");
		}
	}
	buf_byte(to, '\0');
}

static void check(size_t i, const char *ttl, struct arena *a)
{
	OWNED(buf_done)
	struct buf packed = BUF_INIT(MIB), got = BUF_INIT(KIB), left = BUF_INIT(KIB),
		   none = BUF_INIT(KIB);
	const struct target t = {.family = span_str(cases[i].family),
		.model = span_str(cases[i].model),
		.quirks = {.has_cache_marks = true}};
	const struct llm_request *marked, *plain;
	struct llm_request r;
	read(cases[i].request, a, &packed, &r);
	const bool had_any = marks_are_set(&r);
	put_marks(&left, &r, "5m");
	if (marks_set(&r, &t, span_str(ttl), a, &marked) || marks_remove(marked, a, &plain))
		bail("no memory");
	put_marks(&got, marked, had_any ? "5m" : ttl);
	is_str(got.p, cases[i].want, "%s, for %s", cases[i].name, ttl);
	buf_clear(&got);
	put_marks(&got, &r, "5m");
	is_str(got.p, left.p, "%s: what was asked is as it was", cases[i].name);
	put_marks(&none, plain, ttl);
	ok(none.n == 1 && !marks_are_set(plain), "%s: and none is left", cases[i].name);
	ok((marked == &r) == (had_any || cases[i].want[0] == '\0'),
		"%s: it is the request itself only where nothing is changed", cases[i].name);
}

/* ---- a conversation that grows ---- */

#define STEPS 12 /* of a question or the results of calls, each answered */

/* So many of them: every third step the assistant calls tools, and the results are the next one. */
static void put_steps(struct buf *json, unsigned steps)
{
	buf_text(json, "'messages':[" SYSTEM(LONG));
	for (unsigned i = 0; i <= steps; i++) {
		const bool is_results = i % 3 == 2;
		buf_text(json, is_results ? "," RESULTS : "," USER("q"));
		if (i < steps)
			buf_text(json, i % 3 == 1 ? "," CALLED : "," SAID("a"));
	}
	buf_text(json, "]");
	buf_byte(json, '\0');
}

static size_t last_marked(const struct llm_request *r)
{
	size_t last = 0;
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++) {
			if (span_is_set(r->messages[m].parts[k].cache))
				last = m;
		}
	}
	return last;
}

/* What was written at one step's end is what the next one reads: a mark stands there again, and a new one at the end. */
static void check_growth(struct arena *a)
{
	const struct target t = {.family = SPAN("anthropic"), .model = SPAN("claude")};
	size_t before = 0, found = 0, at_end = 0;
	for (unsigned i = 0; i < STEPS; i++) {
		OWNED(buf_done) struct buf json = BUF_INIT(MIB), packed = BUF_INIT(MIB);
		const struct llm_request *marked;
		struct llm_request r;
		put_steps(&json, i);
		read(json.p, a, &packed, &r);
		if (marks_set(&r, &t, SPAN("5m"), a, &marked))
			bail("no memory");
		const struct message *m = &marked->messages[before];
		found += i == 0 || span_is_set(m->parts[m->n_parts - 1].cache);
		before = last_marked(marked);
		at_end += before == marked->n_messages - 1;
	}
	is_uint(found, STEPS, "where one request ended the next one has a mark");
	is_uint(at_end, STEPS, "and each has one at its end");
}

int main(void)
{
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		check(i, "5m", &arena);
		check(i, "1h", &arena);
	}
	check_growth(&arena);
	return tap_done();
}
