/* test_nothing_lost.c - does every word of a request reach every provider, or is it told what did not?
 *
 * Each member of a request is left out and put in, for each dialect of each built-in provider: the
 * second must be another HTTP request, or be refused, or have a warning more. */
#include "brokerd/config/builtin.h"
#include "brokerd/dialect/dialect.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/packed.h"
#include "tests/lib/tap.h"

/* clang-format off */

#define SCHEMA "'{\\'type\\':\\'object\\',\\'properties\\':{\\'a\\':{\\'type\\':\\'string\\'}}," \
	"\\'required\\':[\\'a\\'],\\'additionalProperties\\':false}'"
#define TOOL   "{'name':'f','parameters':" SCHEMA
#define ASK    "{'role':'user','content':'Hi'}"
#define GIVEN  "'inputs':['a']"
#define HI     "'messages':[" ASK "]"
#define TOOLS  HI ",'tools':[" TOOL "}]"
#define TWO    HI ",'tools':[" TOOL "},{'name':'g'}]"
#define FORMAT HI ",'response_format':{'type':'json_schema','name':'n','schema':" SCHEMA
#define PART(part)    "'messages':[{'role':'user','content':[{'type':'text','text':'See:'},{" part "}]}]"
#define LATER(turn)   "'messages':[" ASK "," turn "," ASK "]"
#define SAID(content) "{'role':'assistant','content':" content "}"
#define CALLED(arguments, result) "'tools':[" TOOL "}],'messages':[" ASK "," \
	SAID("[{'type':'tool_call','id':'c1','name':'f','arguments':'" arguments "'}]") "," \
	"{'role':'tool','tool_call_id':'c1'," result "}]"
/* they keep prompts without being told to */
#define BY_ITSELF "openai-chat,openai-responses,openai-completions,gemini,mistral,ollama"
#define WEBP "'type':'image','data':'bin:RIFFxxxxWEBPVP8 '"
#define PDF      "'type':'file','data':'bin:%PDF-1.4','mime':'application/pdf'"
#define TXT      "'type':'file','data':'bin:words','mime':'text/plain'"

/* An effort of "none" is not among them: where nothing is sent for it, no reasoning is what comes
 * unasked. `of`: a warning about that says enough. `meant`: families in which it goes without saying. */
static const struct row {
	const char *name, *without, *with, *of, *meant;
} members[] = {
	{"max_tokens", HI,
		HI ",'max_tokens':100", NULL, NULL},
	{"temperature", HI,
		HI ",'temperature':0.5", NULL, NULL},
	{"top_p", HI,
		HI ",'top_p':0.5", NULL, NULL},
	{"min_p", HI,
		HI ",'min_p':0.1", NULL, NULL},
	{"top_k", HI,
		HI ",'top_k':5", NULL, NULL},
	{"n", HI,
		HI ",'n':2", NULL, NULL},
	{"seed", HI,
		HI ",'seed':7", NULL, NULL},
	{"stop", HI,
		HI ",'stop':['END']", NULL, NULL},
	{"presence_penalty", HI,
		HI ",'presence_penalty':0.5", NULL, NULL},
	{"frequency_penalty", HI,
		HI ",'frequency_penalty':0.5", NULL, NULL},
	{"repetition_penalty", HI,
		HI ",'repetition_penalty':1.2", NULL, NULL},
	{"logit_bias", HI,
		HI ",'logit_bias':'{\\'50256\\':-100}'", NULL, NULL},
	{"logprobs", HI,
		HI ",'logprobs':true", NULL, NULL},
	{"top_logprobs", HI ",'logprobs':true",
		HI ",'logprobs':true,'top_logprobs':3", "logprobs", NULL},
	{"tools", HI,
		TOOLS, NULL, NULL},
	{"a tool's description", TOOLS,
		HI ",'tools':[" TOOL ",'description':'d'}]", NULL, NULL},
	{"a tool's strict", TOOLS,
		HI ",'tools':[" TOOL ",'strict':true}]", NULL, NULL},
	{"a tool's cache", TOOLS,
		HI ",'tools':[" TOOL ",'cache':'5m'}]", NULL, BY_ITSELF},
	{"an unknown member of a tool", TOOLS,
		HI ",'tools':[" TOOL ",'frobnicate':true}]", NULL, NULL},
	{"a custom tool", TOOLS,
		HI ",'tools':[" TOOL "},{'type':'custom','name':'c'}]", NULL, NULL},
	{"a custom tool's format", HI ",'tools':[{'type':'custom','name':'c'}]",
		HI ",'tools':[{'type':'custom','name':'c','format':'{\\'type\\':\\'grammar\\',"
		"\\'syntax\\':\\'regex\\',\\'definition\\':\\'a\\'}'}]", NULL, NULL},
	{"a provider's tool", HI,
		HI ",'tools':[{'type':'provider','family':'elsewhere','raw':'{\\'type\\':\\'search\\'}'}]", NULL, NULL},
	{"tool_choice required", TOOLS,
		TOOLS ",'tool_choice':'required'", NULL, NULL},
	{"tool_choice none", TOOLS,
		TOOLS ",'tool_choice':'none'", NULL, NULL},
	{"tool_choice by name", TWO,
		TWO ",'tool_choice':{'name':'f'}", NULL, NULL},
	{"tool_choice by list", TWO,
		TWO ",'tool_choice':{'mode':'auto','allowed':['g']}", NULL, NULL},
	{"parallel_tool_calls", TWO,
		TWO ",'parallel_tool_calls':false", NULL, NULL},
	{"response_format json", HI,
		HI ",'response_format':{'type':'json'}", NULL, NULL},
	{"response_format schema", HI,
		FORMAT "}", NULL, NULL},
	{"response_format.description", FORMAT "}",
		FORMAT ",'description':'d'}", "response_format", NULL},
	{"response_format.strict", FORMAT "}",
		FORMAT ",'strict':true}", "response_format", "anthropic,bedrock,gemini,cohere,ollama"},
	{"reasoning.effort", HI,
		HI ",'reasoning':{'effort':'high'}", NULL, NULL},
	{"reasoning.budget_tokens", HI,
		HI ",'reasoning':{'budget_tokens':2048}", NULL, NULL},
	{"modalities", HI,
		HI ",'modalities':['text','image']", NULL, NULL},
	{"audio", HI ",'modalities':['text','audio']",
		HI ",'modalities':['text','audio'],'audio':{'voice':'ash','format':'mp3'}", NULL, NULL},
	{"user", HI,
		HI ",'user':'u-1'", NULL, NULL},
	{"metadata", HI,
		HI ",'metadata':{'k':'v'}", NULL, NULL},
	{"service_tier", HI,
		HI ",'service_tier':'flex'", NULL, NULL},
	{"verbosity", HI,
		HI ",'verbosity':'low'", NULL, NULL},
	{"cache.key", HI,
		HI ",'cache':{'key':'k'}", NULL, BY_ITSELF ",anthropic,bedrock,cohere"},
	{"cache.ttl", HI,
		HI ",'cache':{'ttl':'1h'}", NULL, BY_ITSELF},
	{"an unknown member", HI,
		HI ",'frobnicate':true", NULL, NULL},
	{"a system message", HI,
		"'messages':[{'role':'system','content':'Be brief.'}," ASK "]", NULL, NULL},
	{"a developer's message", HI,
		"'messages':[{'role':'developer','content':'Be brief.'}," ASK "]", NULL, NULL},
	{"a later system message", LATER(SAID("'Yo'")),
		LATER(SAID("'Yo'") ",{'role':'system','content':'Be brief.'}"), NULL, NULL},
	{"a name", HI,
		"'messages':[{'role':'user','content':'Hi','name':'Jo'}]", NULL, NULL},
	{"an unknown member of a message", HI,
		"'messages':[{'role':'user','content':'Hi','frobnicate':true}]", NULL, NULL},
	{"a cache mark", PART("'type':'text','text':'it'"),
		PART("'type':'text','text':'it','cache':'5m'"), NULL, BY_ITSELF},
	{"an unknown member of a part", PART("'type':'text','text':'it'"),
		PART("'type':'text','text':'it','frobnicate':1"), NULL, NULL},
	{"an image", HI,
		PART(WEBP), NULL, NULL},
	{"an image's detail", PART(WEBP),
		PART(WEBP ",'detail':'high'"), NULL, NULL},
	{"an image's address", HI,
		PART("'type':'image','url':'https://example.org/a.png'"), NULL, NULL},
	{"audio of the user", HI,
		PART("'type':'audio','data':'bin:RIFFxxxxWAVE','mime':'audio/wav'"), NULL, NULL},
	{"video", HI,
		PART("'type':'video','data':'bin:mpeg','mime':'video/mp4'"), NULL, NULL},
	{"a document", HI,
		PART(PDF), NULL, NULL},
	{"a document's name", PART(PDF),
		PART(PDF ",'filename':'a.pdf'"), NULL, NULL},
	{"a text file", HI,
		PART(TXT), NULL, NULL},
	{"a text file's name", PART(TXT),
		PART(TXT ",'filename':'a.txt'"), NULL, NULL},
	{"earlier reasoning", LATER(SAID("'Yo'")),
		LATER(SAID("[{'type':'reasoning','text':'Hm.'},{'type':'text','text':'Yo'}]")), NULL, NULL},
	{"an earlier refusal", HI,
		LATER(SAID("[{'type':'refusal','text':'No.'}]")), NULL, NULL},
	{"earlier citations", LATER(SAID("[{'type':'text','text':'Yo'}]")),
		LATER(SAID("[{'type':'text','text':'Yo','citations':'[{\\'url\\':\\'u\\'}]'}]")), NULL, NULL},
	{"a call's arguments", CALLED("{}", "'content':'r'"),
		CALLED("{\\'a\\':\\'1\\'}", "'content':'r'"), NULL, NULL},
	{"a failed result", CALLED("{}", "'content':'r'"),
		CALLED("{}", "'content':'r','is_error':true"), NULL, NULL},
	{"an image in a result", CALLED("{}", "'content':'r'"),
		CALLED("{}", "'content':[{'type':'text','text':'r'},{" WEBP "}]"), NULL, NULL},
	{"a prefill", HI,
		"'messages':[" ASK "," SAID("'Yo, I'") "]", NULL, NULL},
}, to_embed[] = {
	{"dimensions", GIVEN, GIVEN ",'dimensions':64", NULL, NULL},
	/* where no model of a family knows of types of inputs, nothing is lost */
	{"input_type", GIVEN, GIVEN ",'input_type':'query'", NULL, "openai-chat,mistral,ollama"},
	{"truncate", GIVEN, GIVEN ",'truncate':'start'", NULL, NULL},
	{"user", GIVEN, GIVEN ",'user':'u-1'", NULL, NULL},
	{"an image", GIVEN, "'inputs':['a',{" WEBP "}]", NULL, NULL},
	{"an unknown member", GIVEN, GIVEN ",'frobnicate':true", NULL, NULL},
}, to_rank[] = {
	{"query", GIVEN ",'query':'q'", GIVEN ",'query':'r'", NULL, NULL},
	/* what is not sent is cut from the reply */
	{"an unknown member", GIVEN ",'query':'q'", GIVEN ",'query':'q','frobnicate':true", NULL, NULL},
}, to_judge[] = {
	{"user", GIVEN, GIVEN ",'user':'u-1'", NULL, NULL},
	{"an image", GIVEN, "'inputs':['a',{" WEBP "}]", NULL, NULL},
	{"an unknown member", GIVEN, GIVEN ",'frobnicate':true", NULL, NULL},
};

static const struct {
	enum llm_op op;
	const struct row *rows;
	size_t n;
} operations[] = {
	{LLM_OP_CHAT,     members,  COUNT_OF(members) },
	{LLM_OP_EMBED,    to_embed, COUNT_OF(to_embed)},
	{LLM_OP_RERANK,   to_rank,  COUNT_OF(to_rank) },
	{LLM_OP_MODERATE, to_judge, COUNT_OF(to_judge)},
};
/* clang-format on */

struct outcome {
	bool is_sent;
	struct buf text; /* all that goes out, and all that the caller is told */
	struct buf told; /* the members that warnings are about */
};

static void outcome_done(struct outcome *o)
{
	buf_done(&o->text);
	buf_done(&o->told);
}

static void put_outcome(const char *request, enum llm_op op, const struct dialect *d,
	const struct target *target, struct outcome *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(8 * KIB), packed = BUF_INIT(8 * KIB);
	struct arena arena;
	struct notes notes;
	struct llm_request r;
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
	buf_print(&json, "{'model':'m',%s}", request);
	buf_byte(&json, '\0');
	packed_json(&packed, json.p);
	if (request_unpack_op(op, buf_view(&packed), &arena, &r, &why))
		bail("%s: %s", request, why.message);
	out->is_sent = dialect_encode(d->ops[op], &r, target, &FEED_ENV, &notes, &http, &why) == OK;
	if (out->is_sent &&
		(span_ends(http.url, SPAN(":")) || span_index(http.url, '{') < http.url.n))
		bail("%s of %.*s: no address is %.*s", d->family, SPAN_ARG(target->provider),
			SPAN_ARG(http.url));
	buf_print(&out->text, "%s%.*s %.*s", why.message, SPAN_ARG(http.url), SPAN_ARG(http.body));
	for (size_t i = 0; i < http.n_headers; i++)
		buf_span(&out->text, http.headers[i].value);
	for (size_t i = 0; i < notes.n_warnings; i++)
		buf_print(&out->told, "%.*s,", SPAN_ARG(notes.warnings[i].param));
	buf_span(&out->text, buf_view(&out->told));
	buf_print(&out->text, "%lld %zu", (long long)notes.n_choices, notes.prefill.n);
	arena_done(&arena);
}

static bool is_lost(
	const struct row *row, enum llm_op op, const struct dialect *d, const struct target *target)
{
	struct outcome without = {.text = BUF_INIT(LIMIT_BODY_BYTES), .told = BUF_INIT(KIB)};
	struct outcome with = {.text = BUF_INIT(LIMIT_BODY_BYTES), .told = BUF_INIT(KIB)};
	put_outcome(row->without, op, d, target, &without);
	put_outcome(row->with, op, d, target, &with);
	const bool is_same = span_eq(buf_view(&without.text), buf_view(&with.text));
	const bool is_told = row->of && words_have(buf_view(&with.told), span_str(row->of));
	const bool is_meant = row->meant && words_have(span_str(row->meant), span_str(d->family));
	/* where what surrounds it is refused, there is nothing to lose */
	const bool lost = without.is_sent && is_same && !is_told && !is_meant;
	outcome_done(&without);
	outcome_done(&with);
	return lost;
}

static void check_host(struct span provider, struct span family, struct span model)
{
	const struct host_wish wish = {.family = family, .provider = provider, .model = model};
	const struct dialect *d = dialect_find(family);
	struct arena arena;
	struct target target;
	struct fault why = FAULT_NONE;
	size_t n = 0;
	arena_init(&arena, MIB);
	struct config *config = host_target(&wish, &arena, &target, &why);
	if (!config || !d || !d->ops[LLM_OP_CHAT])
		bail("%.*s as %.*s: %s", SPAN_ARG(provider), SPAN_ARG(family), why.message);
	for (size_t k = 0; k < COUNT_OF(operations); k++) {
		const enum llm_op op = operations[k].op;
		for (size_t i = 0; d->ops[op] && i < operations[k].n; i++) {
			if (!is_lost(&operations[k].rows[i], op, d, &target))
				continue;
			diag("%s: %s is lost", llm_op_name(op), operations[k].rows[i].name);
			n++;
		}
	}
	is_uint(n, 0, "%.*s of %.*s as %.*s: nothing is lost", SPAN_ARG(target.model),
		SPAN_ARG(target.provider), SPAN_ARG(family));
	config_unref(config);
	arena_done(&arena);
}

int main(void)
{
	static const char *const families[] = {"openai-chat", "openai-responses",
		"openai-completions", "anthropic", "gemini", "bedrock", "mistral", "cohere",
		"ollama"};
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		check_host(SPAN_NONE, span_str(families[i]), SPAN_NONE);
		check_host(SPAN("stranger"), span_str(families[i]), SPAN("some-model"));
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < BUILTIN_DIALECTS && rows[i].dialects[k].dialect; k++) {
			struct span rest = span_str(rows[i].dialects[k].dialect);
			const struct span family = span_cut(&rest, ' ');
			if (!span_is(family, "offline"))
				check_host(span_str(rows[i].name), family, SPAN("some-model"));
		}
	}
	return tap_done();
}
