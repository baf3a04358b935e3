/* test_holders.c - is it known who holds the beginning of a prompt, for as long as he does and no longer? */
#include "brokerd/route/holders.h"

#include <stdio.h>

#include "protocol/limits.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

#define SECOND INT64_C(1000000)

static const struct target a =
				   {
					   .provider = {"one", 3},
					   .model = {"m",   1},
					   .key = {"a",   1}
},
			   b = {.provider = {"one", 3}, .model = {"m", 1}, .key = {"b", 1}};

static struct arena arena;

static uint64_t key_of(struct holders *h, const char *json)
{
	OWNED(buf_done) struct buf packed = BUF_INIT(MIB);
	struct fault why = FAULT_NONE;
	struct llm_request r;
	struct span copy;
	packed_json(&packed, json);
	if (arena_dup(&arena, buf_view(&packed), &copy) || request_unpack(copy, &arena, &r, &why))
		bail("%s: %s", json, why.message);
	const struct holders_ask ask = {
		.owner = 7, .model = r.model, .word = r.cache_key, .request = &r};
	return holders_key(h, &ask);
}

#define SYSTEM "{'role':'system','content':'Be brief.'}"
#define FIRST  "{'role':'user','content':'q'}"
#define TOOLS  "'tools':[{'name':'f'}],"

static const struct {
	const char *name, *one, *other;
	bool is_same;
} pairs[] = {
	{"what goes on is the same conversation",      "{'model':'m','messages':[" SYSTEM "," FIRST "]}",
         "{'model':'m','messages':[" SYSTEM "," FIRST
		",{'role':'assistant','content':'a'},{'role':'user','content':'r'}]}",       true },
	{"and so it is with other parameters",         "{'model':'m','messages':[" SYSTEM "," FIRST "]}",
         "{'model':'m','temperature':0.5,'max_tokens':9,'messages':[" SYSTEM "," FIRST "]}",
         true										     },
	{"another system text",                        "{'model':'m','messages':[" SYSTEM "," FIRST "]}",
         "{'model':'m','messages':[{'role':'system','content':'Be long.'}," FIRST "]}",
         false										    },
	{"another question",                           "{'model':'m','messages':[" FIRST "]}",
         "{'model':'m','messages':[{'role':'user','content':'r'}]}",                         false},
	{"another model",			      "{'model':'m','messages':[" FIRST "]}",
         "{'model':'n','messages':[" FIRST "]}",                                             false},
	{"tools",				      "{'model':'m','messages':[" FIRST "]}",
         "{'model':'m'," TOOLS "'messages':[" FIRST "]}",                                    false},
	{"another tool",			       "{'model':'m'," TOOLS "'messages':[" FIRST "]}",
         "{'model':'m','tools':[{'name':'g'}],'messages':[" FIRST "]}",                      false},
	{"one text of two, or two",                    "{'model':'m','messages':[{'role':'user','content':'ab'}]}",
         "{'model':'m','messages':[{'role':'user','content':[{'type':'text','text':'a'},{'"
		"type':'text','text':'b'}]}]}",					      false},
	{"one word of the caller's holds it together",
         "{'model':'m','cache':{'key':'k'},'messages':[" FIRST "]}",
         "{'model':'m','cache':{'key':'k'},'messages':[" SYSTEM "," FIRST "]}",              true },
	{"another word does not",                      "{'model':'m','cache':{'key':'k'},'messages':[" FIRST "]}",
         "{'model':'m','cache':{'key':'l'},'messages':[" FIRST "]}",                         false},
	{"nor does a text that reads like it",
         "{'model':'m','cache':{'key':'q'},'messages':[" FIRST "]}",
         "{'model':'m','messages':[" FIRST "]}",                                             false},
};

static void test_keys(void)
{
	struct holders *h = holders_new(), *other = holders_new();
	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		ok((key_of(h, pairs[i].one) == key_of(h, pairs[i].other)) == pairs[i].is_same, "%s",
			pairs[i].name);
	ok(key_of(h, pairs[0].one) != key_of(other, pairs[0].one), "no other process has that key");
	struct llm_request none = {.n_messages = 0};
	struct holders_ask ask = {.owner = 1, .model = SPAN("m"), .request = &none};
	const uint64_t mine = holders_key(h, &ask);
	ask.owner = 2;
	ok(mine != holders_key(h, &ask), "nor any other caller");
	holders_free(h);
	holders_free(other);
}

/* What is told of long texts: the beginning and the length. */
static void test_long(void)
{
	enum { N = 100000 };
	static char text[N];
	struct holders *h = holders_new();
	struct part p = {
		.type = PART_TEXT, .text = {text, N}
        };
	struct message m = {.role = ROLE_USER, .parts = &p, .n_parts = 1};
	const struct llm_request r = {.messages = &m, .n_messages = 1};
	const struct holders_ask ask = {.owner = 1, .model = SPAN("m"), .request = &r};
	memset(text, 'x', sizeof text);
	const uint64_t key = holders_key(h, &ask);
	text[HOLDERS_TEXT_BYTES] = 'y';
	ok(holders_key(h, &ask) == key, "what is far behind is not looked at");
	text[HOLDERS_TEXT_BYTES - 1] = 'y';
	ok(holders_key(h, &ask) != key, "what is before it is");
	text[HOLDERS_TEXT_BYTES - 1] = 'x';
	p.text.n--;
	ok(holders_key(h, &ask) != key, "and so is how long it is");
	holders_free(h);
}

static void test_times(void)
{
	struct holders *h = holders_new();
	is_uint(holders_find(h, 5, 0), 0, "nobody is known");
	holders_note(h, 5, &a, false, SECOND);
	ok(holders_is(h, holders_find(h, 5, SECOND), &a), "he who was noted is");
	ok(!holders_is(h, holders_find(h, 5, SECOND), &b), "and no other key of his");
	ok(!holders_is(h, 0, &a), "nobody is nobody");
	ok(holders_find(h, 5, SECOND + HOLDERS_US - 1) != 0, "for five minutes");
	is_uint(holders_find(h, 5, SECOND + HOLDERS_US), 0, "and no longer");
	holders_note(h, 5, &a, false, 100 * SECOND);
	ok(holders_find(h, 5, 100 * SECOND + HOLDERS_US - 1) != 0, "from the last time on");
	holders_note(h, 5, &b, true, 100 * SECOND);
	ok(holders_is(h, holders_find(h, 5, 100 * SECOND), &b), "who had it last has it");
	holders_note(h, 5, &b, false, 200 * SECOND);
	ok(holders_find(h, 5, 200 * SECOND + HOLDERS_LONG_US - 1) != 0,
		"what is kept for an hour is, from the last reading on");
	holders_note(h, 5, &b, false, 200 * SECOND + HOLDERS_LONG_US);
	is_uint(holders_find(h, 5, 200 * SECOND + HOLDERS_LONG_US + HOLDERS_US), 0,
		"and is not, once it was over and came anew");
	holders_free(h);
}

/* More than there is room for: the latest are there, and no more than fit. */
static void test_many(void)
{
	struct holders *h = holders_new();
	size_t n = 0, late = 0;
	for (uint64_t i = 1; i <= 4 * HOLDERS_MAX; i++)
		holders_note(h, i, &a, false, (int64_t)i);
	for (uint64_t i = 1; i <= 4 * HOLDERS_MAX; i++) {
		const bool is_held = holders_find(h, i, 4 * (int64_t)HOLDERS_MAX) != 0;
		n += is_held;
		late += is_held && i > 3 * HOLDERS_MAX;
	}
	is_uint(n, HOLDERS_MAX, "as many as fit");
	is_uint(late, HOLDERS_MAX, "and these are the last");
	holders_free(h);
}

int main(void)
{
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	test_keys();
	test_long();
	test_times();
	test_many();
	is_uint(holders_find(NULL, 1, 0), 0, "without a table nobody holds anything");
	arena_done(&arena);
	return tap_done();
}
