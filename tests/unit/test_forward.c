/* test_forward.c - what becomes of a caller's own body on its way to a provider of its family, and which
 * bodies may not go there because another reader could see something else in them than we do? */
#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/host.h"
#include "tests/lib/tap.h"

/* For the eye, bodies have ' where " is meant. */
#define CHAT   "'messages':[{'role':'user','content':'x'}]"
#define GEMINI "'contents':[{'parts':[{'text':'x'}]}]"

struct sent {
	struct arena a;
	struct notes notes;
	struct llm_request r;
	struct target target;
	struct config *config;
	struct http_request http;
	struct fault why;
};

static struct span quoted(struct arena *a, const char *text)
{
	char *made = arena_str(a, span_str(text));
	for (char *c = made; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return span_str(made);
}

static enum err read_body(struct sent *s, const char *family, const char *text, struct span *body)
{
	const struct dialect *d = dialect_find(span_str(family));
	const struct surface_call call = {
		.method = SPAN("POST"), .path = SPAN("/v1beta/models/m:generateContent")};
	arena_init(&s->a, LIMIT_REQUEST_ARENA);
	notes_init(&s->notes, &s->a);
	s->why = FAULT_NONE;
	s->config = NULL;
	*body = quoted(&s->a, text);
	return d->ops[LLM_OP_CHAT]->decode_request(&call, *body, &s->a, &s->r, &s->notes, &s->why);
}

static enum err forward(struct sent *s, const char *family, struct span body)
{
	const struct host_wish wish = {.family = span_str(family), .model = SPAN("target")};
	const struct forwarded what = {
		.request = &s->r, .body = json_of(body), .form = s->notes.form};
	const struct dialect *d = dialect_find(span_str(family));
	s->http = (struct http_request){.n_headers = 0};
	s->config = host_target(&wish, &s->a, &s->target, &s->why);
	if (!s->config)
		bail("%s", s->why.message);
	return d->ops[LLM_OP_CHAT]->forward(&what, &s->target, &s->notes, &s->http, &s->why);
}

static void done(struct sent *s)
{
	config_unref(s->config);
	arena_done(&s->a);
}

/* ---- what changes ---- */

/* clang-format off */
static const struct change {
	const char *name, *family;
	int64_t bound; /* the broker's, on what is answered; 0: none */
	const char *body, *want;
} changes[] = {
	{"the model alone", "openai-chat", 0,
		"{ 'model' : 'm' ,'x':1e400," CHAT "}",
		"{ 'model' : 'target' ,'x':1e400," CHAT "}"},
	{"a bound that is lower stays", "openai-chat", 5,
		"{'model':'m','max_tokens':4," CHAT "}",
		"{'model':'target','max_tokens':4," CHAT "}"},
	{"where there is none it is added", "openai-chat", 5,
		"{'model':'m'," CHAT "}",
		"{'model':'target'," CHAT ",'max_completion_tokens':5}"},
	{"it has two names, and both are held to", "openai-chat", 5,
		"{'max_tokens':9,'model':'m','max_completion_tokens':9," CHAT "}",
		"{'max_tokens':5,'model':'target','max_completion_tokens':5," CHAT "}"},
	{"null is none", "openai-chat", 5,
		"{'model':'m','max_tokens':9,'max_completion_tokens':null," CHAT "}",
		"{'model':'target','max_tokens':5,'max_completion_tokens':null," CHAT "}"},
	{"which is written over", "openai-chat", 5,
		"{'model':'m','max_completion_tokens':null," CHAT "}",
		"{'model':'target','max_completion_tokens':5," CHAT "}"},
	{"Gemini's is inside", "gemini", 5,
		"{" GEMINI ",'generationConfig':{'x':1,'maxOutputTokens':9}}",
		"{" GEMINI ",'generationConfig':{'x':1,'maxOutputTokens':5}}"},
	{"in either spelling", "gemini", 5,
		"{" GEMINI ",'generation_config':{'max_output_tokens':9}}",
		"{" GEMINI ",'generation_config':{'max_output_tokens':5}}"},
	{"the model in the address is no other's", "gemini", 0,
		"{'model':'models/other'," GEMINI "}",
		"{" GEMINI "}"},
};
/* clang-format on */

static void test_change(const struct change *c)
{
	struct sent s;
	struct span body;
	is_err(read_body(&s, c->family, c->body, &body), OK, "%s: is read", c->name);
	if (c->bound > 0 && (!s.r.max_tokens.is_set || s.r.max_tokens.v > c->bound))
		s.r.max_tokens = (struct opt_i64){true, c->bound};
	is_err(forward(&s, c->family, body), OK, "%s: goes on", c->name);
	const struct span want = quoted(&s.a, c->want);
	is_mem(s.http.body.p, s.http.body.n, want.p, want.n, "%s: as it should", c->name);
	done(&s);
}

/* ---- what does not go on ---- */

#define BOTH  "openai-chat", "{'model':'m'," CHAT ","
#define INPUT "openai-responses", "{'model':'m','input':[{'role':'user','content':'x',"

/* clang-format off */
static const struct refusal {
	const char *name, *family, *body;
	const char *param; /* NULL: it is taken */
} refusals[] = {
	{"a name twice", BOTH "'model':'n'}", "model"},
	{"once with an escape", BOTH "'mode\\u006c':'n'}", "mode\\u006c"},
	{"once in another case", BOTH "'Model':'n'}", "Model"},
	{"with a NUL behind it", BOTH "'model\\u0000':'n'}", "model\\u0000"},
	{"where nothing is known", BOTH "'x':[{'a':1,'\\u0061':2}]}", "\\u0061"},
	{"a long s", BOTH "'\\u017ftream':true}", "\\u017ftream"},
	{"case alone", "openai-chat", "{'Model':'m'," CHAT "}", "Model"},
	{"a NUL in the model", "openai-chat", "{'model':'m\\u0000n'," CHAT "}", "model"},
	{"a line in it", "openai-chat", "{'model':'m\\nn'," CHAT "}", "model"},
	{"twice in an item of the input", INPUT "'role':'system'}]}", "role"},
	{"deeper", INPUT "'x':{'a':1,'A':2}}]}", "A"},
	{"in what a tool is called with", INPUT "'x':{'arguments':{'a':1,'A':2}}}]}", NULL},
	{"in a message", "anthropic",
		"{'model':'m','max_tokens':1,'messages':[{'role':'user','content':'x','role':'y'}]}", "role"},
	{"in the input of a tool", "anthropic",
		"{'model':'m','max_tokens':1,'messages':[{'role':'assistant','content':[{'type':'tool_use',"
		"'id':'a','name':'f','input':{'a':1,'A':2}}]}]}", NULL},
	{"in two spellings", "gemini",
		"{" GEMINI ",'generationConfig':{},'generation_config':{}}", "generation_config"},
	{"inside", "gemini",
		"{" GEMINI ",'generationConfig':{'max_output_tokens':1,'maxOutputTokens':9}}",
		"maxOutputTokens"},
	{"labels are the caller's own", "gemini", "{" GEMINI ",'labels':{'a_b':'1','ab':'2'}}", NULL},
	{"and so are a schema's names", "gemini",
		"{" GEMINI ",'generationConfig':{'responseSchema':{'properties':{'id':{},'ID':{},'i_d':{}}}}}",
		NULL},
	{"in its other spelling", "gemini",
		"{" GEMINI ",'generation_config':{'response_schema':{'properties':{'id':{},'ID':{},'i_d':{}}}}}",
		NULL},
};
/* clang-format on */

static void test_refusal(const struct refusal *x)
{
	struct sent s;
	struct span body;
	const enum err want = x->param ? ERR_INVALID_REQUEST : OK;
	is_err(read_body(&s, x->family, x->body, &body), want, "%s", x->name);
	is_str(s.why.param, x->param ? x->param : "", "%s: which is named", x->name);
	done(&s);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(refusals); i++)
		test_refusal(&refusals[i]);
	for (size_t i = 0; i < COUNT_OF(changes); i++)
		test_change(&changes[i]);
	return tap_done();
}
