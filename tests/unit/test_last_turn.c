/* test_last_turn.c - are the words of the last turn left out, and nothing else? */
#include "brokerd/cache/last_turn.h"

#include <stdlib.h>
#include <string.h>

#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const unsigned char secret[CACHE_SECRET_BYTES] = "any thirty-two bytes that are so";

struct asked {
	enum err err; /* of the key */
	bool has_words;
	char words[256];
	struct cache_core core;
};

static void key_of(struct asked *q, const struct cache_ask *ask, struct arena *a)
{
	OWNED(buf_done) struct buf words = BUF_INIT(LIMIT_BODY_BYTES);
	memset(q, 0, sizeof *q);
	q->has_words = last_turn_words(ask->request, &words);
	if (!q->has_words)
		return;
	if (words.n < sizeof q->words)
		memcpy(q->words, words.p, words.n);
	q->err = last_turn_core(secret, ask, a, &q->core);
}

/* For the eye, bodies have ' where " is meant, and words where there is an @. */
static void read_body(struct asked *q, const char *family, const char *text, const char *words)
{
	const struct dialect *d = dialect_find(span_str(family));
	const struct surface_call call = {
		.method = SPAN("POST"), .path = SPAN("/v1beta/models/m:generateContent")};
	struct fault why = FAULT_NONE;
	struct llm_request r;
	struct notes notes;
	OWNED(arena_done) struct arena a;
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	for (; *text; text++) {
		if (*text == '@')
			buf_text(&body, words);
		else
			buf_byte(&body, *text == '\'' ? '"' : *text);
	}
	if (d->ops[LLM_OP_CHAT]->decode_request(&call, buf_view(&body), &a, &r, &notes, &why))
		bail("%s: %s: %s", family, body.p, why.message);
	const struct cache_ask ask = {
		.op = LLM_OP_CHAT, .request = &r, .surface = span_str(family), .body = notes.body};
	key_of(q, &ask, &a);
}

#define CHAT(more, turn) \
	"{'model':'m','messages':[{'role':'system','content':'s'}," turn "]" more "}"
#define RESPONSES(more, turn) \
	"{'model':'m','input':[{'role':'assistant','content':'s'}," turn "]" more "}"
#define CLAUDE(more, turn) "{'model':'m','max_tokens':9,'system':'s','messages':[" turn "]" more "}"
#define GEMINI(more, turn) \
	"{'systemInstruction':{'parts':[{'text':'s'}]},'contents':[" turn "]" more "}"

#define USER  "{'role':'user','content':'@'}"
#define TEXT  "{'role':'user','content':[{'type':'text','text':'@'}]}"
#define INPUT "{'role':'user','content':[{'type':'input_text','text':'@'}]}"
#define PARTS "{'role':'user','parts':[{'text':'@'}]}"

/* clang-format off */
static const struct {
	const char *family, *body;
} alike[] = { /* no two are the same but for their words */
	{"openai-chat", CHAT("", USER)},
	{"openai-chat", CHAT("", TEXT)},
	{"openai-chat", CHAT("", "{'role':'user','content':[{'type':'text','text':'@'},{'type':'text','text':'@'}]}")},
	{"openai-chat", CHAT("", "{'role':'user','name':'n','content':'@'}")},
	{"openai-chat", CHAT("", "{'role':'user','content':'@','unknown':1}")},
	{"openai-chat", CHAT("", "{'role':'user','content':[{'type':'text','text':'@','unknown':1}]}")},
	{"openai-chat", CHAT("", "{'role':'user','content':'before'},{'role':'assistant','content':'x'}," USER)},
	{"openai-chat", CHAT("", "{'role':'user','content':'else'},{'role':'assistant','content':'x'}," USER)},
	{"openai-chat", CHAT(",'temperature':0.5", USER)},
	{"openai-chat", CHAT(",'temperature':0.50", USER)},
	{"openai-chat", CHAT(",'max_tokens':5", USER)},
	{"openai-chat", CHAT(",'unknown':{'text':'x'}", USER)},
	{"openai-chat", CHAT(",'tools':[{'type':'function','function':{'name':'f'}}]", USER)},
	{"openai-chat", CHAT(",'tools':[{'type':'function','function':{'name':'g'}}]", USER)},
	{"openai-chat", "{'model':'m','messages':[{'role':'system','content':'t'}," USER "]}"},
	{"openai-responses", RESPONSES("", USER)},
	{"openai-responses", RESPONSES("", INPUT)},
	{"openai-responses", RESPONSES(",'instructions':'i'", INPUT)},
	{"openai-responses", "{'model':'m','input':'@'}"},
	{"openai-responses", "{'model':'m','instructions':'i','input':'@'}"},
	{"anthropic", CLAUDE("", USER)},
	{"anthropic", CLAUDE("", TEXT)},
	{"anthropic", CLAUDE("", "{'role':'user','content':[{'type':'text','text':'@','cache_control':{'type':'ephemeral'}}]}")},
	{"anthropic", CLAUDE(",'top_k':3", USER)},
	{"gemini", GEMINI("", PARTS)},
	{"gemini", GEMINI("", "{'parts':[{'text':'@'}]}")},
	{"gemini", GEMINI(",'generationConfig':{'topK':3}", PARTS)},
};

static const struct {
	const char *name, *family, *body;
	bool has_words; /* and then nobody can tell where they are */
} others[] = {
	{"a picture beside them", "openai-chat", CHAT("", "{'role':'user','content':[{'type':'text','text':'@'},"
		"{'type':'image_url','image_url':{'url':'https://h/x.png'}}]}"), false},
	{"an answer behind them", "openai-chat", CHAT("", USER ",{'role':'assistant','content':'x'}"), false},
	{"what a tool has said", "openai-chat", CHAT("", "{'role':'assistant','tool_calls':[{'id':'c','type':'function',"
		"'function':{'name':'f','arguments':'{}'}}]},{'role':'tool','tool_call_id':'c','content':'@'}"), false},
	{"the same beside words", "anthropic", CLAUDE("", USER ",{'role':'assistant','content':[{'type':'tool_use','id':'c',"
		"'name':'f','input':{}}]},{'role':'user','content':[{'type':'tool_result','tool_use_id':'c','content':'r'},"
		"{'type':'text','text':'@'}]}"), true},
};
/* clang-format on */

static void test_surfaces(void)
{
	struct asked *all = calloc(COUNT_OF(alike), sizeof *all), other;
	if (!all)
		bail("no memory");
	for (size_t i = 0; i < COUNT_OF(alike); i++) {
		read_body(&all[i], alike[i].family, alike[i].body, "say \\u0041 \\\"x\\\"");
		read_body(&other, alike[i].family, alike[i].body, "other, longer words");
		ok(all[i].has_words && strncmp(all[i].words, "say A \"x\"", 9) == 0,
			"%zu: words: %s", i, all[i].words);
		is_err(all[i].err, OK, "%zu: what is beside them has a key", i);
		ok(memcmp(&all[i].core, &other.core, sizeof other.core) == 0,
			"%zu: which is the same for other words", i);
		for (size_t k = 0; k < i; k++) {
			if (memcmp(&all[i].core, &all[k].core, sizeof other.core) == 0)
				ok(false, "%zu and %zu have one key", i, k);
		}
	}
	ok(true, "and for nothing else");
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		read_body(&other, others[i].family, others[i].body, "words");
		ok(other.has_words == others[i].has_words, "%s: words", others[i].name);
		if (others[i].has_words)
			is_err(other.err, ERR_UNSUPPORTED, "%s: no key", others[i].name);
	}
	free(all);
}

static void ask_typed(struct asked *q, const struct llm_request *r)
{
	OWNED(arena_done) struct arena a;
	const struct cache_ask ask = {.op = LLM_OP_CHAT, .request = r};
	arena_init(&a, LIMIT_REQUEST_ARENA);
	key_of(q, &ask, &a);
}

static void test_typed(void)
{
	struct part before = {.type = PART_TEXT, .text = SPAN("before")};
	struct part parts[2] = {
		{.type = PART_TEXT, .text = SPAN("one")},
                {.type = PART_TEXT, .text = SPAN("two")}
        };
	struct message messages[2] = {
		{.role = ROLE_SYSTEM, .parts = &before, .n_parts = 1},
		{.role = ROLE_USER,   .parts = parts,   .n_parts = 2}
        };
	struct llm_request r = {.messages = messages, .n_messages = 2};
	struct asked first, q;
	ask_typed(&first, &r);
	is_str(first.words, "one\ntwo", "all its words");
	parts[1].text = SPAN("three");
	ask_typed(&q, &r);
	ok(q.has_words && memcmp(&q.core, &first.core, sizeof q.core) == 0, "other words");
	r.model = SPAN("an alias");
	ask_typed(&q, &r);
	ok(memcmp(&q.core, &first.core, sizeof q.core) == 0, "another name of the model");
	before.text = SPAN("else");
	ask_typed(&q, &r);
	ok(memcmp(&q.core, &first.core, sizeof q.core) != 0, "other words before");
	before.text = SPAN("before");
	r.temperature = (struct opt_f64){true, 0.5};
	ask_typed(&q, &r);
	ok(memcmp(&q.core, &first.core, sizeof q.core) != 0, "another temperature");
	r.temperature.is_set = false;
	messages[1].n_parts = 1;
	ask_typed(&q, &r);
	ok(memcmp(&q.core, &first.core, sizeof q.core) != 0, "another number of texts");
	parts[0].text = SPAN("");
	ask_typed(&q, &r);
	ok(!q.has_words, "no words");
	char *many = calloc(1, LAST_TURN_BYTES + 1);
	parts[0].text = span_of(many, LAST_TURN_BYTES + 1);
	ask_typed(&q, &r);
	ok(!q.has_words, "too many");
	parts[0].text.n--;
	ask_typed(&q, &r);
	ok(q.has_words, "just as many as may be");
	free(many);
	r.n_messages = 0;
	ask_typed(&q, &r);
	ok(!q.has_words, "no turn at all");
}

static void test_space(void)
{
	struct cache_core c[4];
	memset(c, 0, sizeof c);
	last_turn_space(secret, SPAN("p"), SPAN("m"), 3, &c[0]);
	last_turn_space(secret, SPAN("p"), SPAN("m"), 4, &c[1]);
	last_turn_space(secret, SPAN("pm"), SPAN(""), 3, &c[2]);
	last_turn_space(secret, SPAN("p"), SPAN("n"), 3, &c[3]);
	for (size_t i = 0; i < COUNT_OF(c); i++) {
		for (size_t k = 0; k < i; k++)
			ok(memcmp(&c[i], &c[k], sizeof *c) != 0, "spaces %zu and %zu", k, i);
	}
}

int main(void)
{
	test_surfaces();
	test_typed();
	test_space();
	return tap_done();
}
