/* test_cache_members.c - is there a member of a request, or of a body of a public API, that its key does not depend on?
 * Each is changed in turn, at each level. Those of a request are the rows of the model's own tables, which are private to
 * request.c: a new row is changed here by itself, or fails where nobody here knows how. */
#include <stdio.h>
#include <string.h>

#include "brokerd/cache/cache_key.h"
#include "protocol/request.c"
#include "tests/lib/tap.h"

static const unsigned char secret[CACHE_SECRET_BYTES] = "any thirty-two bytes that are so";

/* ---- a request that has all there is ---- */

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static struct string_pair labels[] = {
	{TEXT("team"),  TEXT("blue")},
	{TEXT("place"), TEXT("here")},
};
static struct string_pair options[] = {
	{TEXT("anthropic"), TEXT("{\"top_k\":1}")    },
	{TEXT("openai"),    TEXT("{\"store\":false}")},
};
static struct span stops[] = {TEXT("END"), TEXT("STOP")};
static struct span ways[] = {TEXT("text"), TEXT("audio")};
static struct span allowed[] = {TEXT("look"), TEXT("run")};
static struct extra_member unknown[] = {
	{TEXT("first"),        TEXT("{\"a\":1}"), false},
	{TEXT("second.inner"), TEXT("null"),      false},
};
#define EXTRA                                                   \
	{                                                       \
		TEXT("openai-chat"), unknown, COUNT_OF(unknown) \
	}

/* One of all kinds at once: what is written of a part asks for no kind. */
#define WHOLE_PART(words)                                                                \
	{                                                                                \
		.type = PART_TEXT, .text = TEXT(words),                                  \
		.media = {TEXT("bytes"), TEXT("https://a/b.png"), TEXT("file-1"),        \
			TEXT("image/png"), TEXT("b.png"), TEXT("low")},                  \
		.call = {TEXT("call_1"), TEXT("look"), TEXT("{\"at\":\"sky\"}"), false}, \
		.opaque = {TEXT("anthropic"), TEXT("claude"), TEXT("\"c2ln\"")},         \
		.is_summary = false, .cache = TEXT("5m"),                                \
		.citations = TEXT("[{\"url\":\"https://a\"}]"), .extra = EXTRA           \
	}
static struct part said[] = {WHOLE_PART("What is that?"), WHOLE_PART("And there?")},
		   answered[] = {WHOLE_PART("The sky."), WHOLE_PART("The sea.")},
		   given[] = {WHOLE_PART("one"), WHOLE_PART("two")};
static struct message messages[] = {
	{ROLE_USER, said,     COUNT_OF(said),     TEXT("ann"), TEXT("call_0"), false, EXTRA},
	{ROLE_TOOL, answered, COUNT_OF(answered), TEXT("bob"), TEXT("call_1"), true,  EXTRA},
};
#define WHOLE_TOOL(word)                                                                        \
	{                                                                                       \
		TOOL_FUNCTION, TEXT(word), TEXT("what it does"), TEXT("{\"type\":\"object\"}"), \
			{true, true}, TEXT("1h"), TEXT("{\"type\":\"text\"}"), TEXT("gemini"),  \
			TEXT("{\"googleSearch\":{}}"), EXTRA                                    \
	}
static struct tool tools[] = {WHOLE_TOOL("look"), WHOLE_TOOL("run")};

/* clang-format off */
static struct llm_request whole = {
	.model = TEXT("gpt"),
	.messages = messages,
	.n_messages = COUNT_OF(messages),
	.inputs = given,
	.n_inputs = COUNT_OF(given),
	.query = TEXT("which?"),
	.top_n = {true, 3},
	.dimensions = {true, 256},
	.input_type = TEXT("query"),
	.truncate = TEXT("end"),
	.tools = tools,
	.n_tools = COUNT_OF(tools),
	.tool_choice = {CHOICE_AUTO, allowed, COUNT_OF(allowed)},
	.parallel_tool_calls = {true, true},
	.response_format = {FORMAT_SCHEMA, TEXT("reply"), TEXT("how"), TEXT("{}"), {true, false}},
	.reasoning = {TEXT("low"), {true, 1024}, TEXT("text"), false},
	.max_tokens = {true, 100},
	.temperature = {true, 0.5},
	.top_p = {true, 0.5},
	.min_p = {true, 0.5},
	.top_k = {true, 5},
	.presence_penalty = {true, 0.5},
	.frequency_penalty = {true, 0.5},
	.repetition_penalty = {true, 1.5},
	.n = {true, 1},
	.seed = {true, 7},
	.stop = stops,
	.n_stop = COUNT_OF(stops),
	.logit_bias = TEXT("{\"50256\":-100}"),
	.logprobs = {true, true},
	.top_logprobs = {true, 2},
	.modalities = ways,
	.n_modalities = COUNT_OF(ways),
	.audio_voice = TEXT("alloy"),
	.audio_format = TEXT("wav"),
	.is_stream = false,
	.user = TEXT("u-1"),
	.metadata = labels,
	.n_metadata = COUNT_OF(labels),
	.service_tier = TEXT("flex"),
	.verbosity = TEXT("low"),
	.cache_key = TEXT("k"),
	.cache_ttl = TEXT("1h"),
	.on_unsupported = UNSUPPORTED_WARN,
	.wants_raw = false,
	.provider_options = options,
	.n_provider_options = COUNT_OF(options),
	.extra = EXTRA,
};
/* clang-format on */

/* ---- and its members, one after the other ---- */

static struct cache_core before;
static bool counts; /* does an answer depend on what is being changed? */
static size_t changes;

static struct cache_core core_of_whole(void)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	const struct cache_ask ask = {.op = LLM_OP_CHAT, .request = &whole};
	struct cache_core core;
	if (cache_core(secret, &ask, &scratch, &core))
		bail("no key");
	return core;
}

static void compare(const char *path, const char *how)
{
	const struct cache_core now = core_of_whole();
	is_int(memcmp(&now, &before, sizeof now) != 0, counts, "%s, %s", path, how);
	changes++;
}

static void change_text(const char *path, struct span *text)
{
	const struct span was = *text;
	char longer[64], other[64];
	if (!span_is_set(was) || was.n == 0 || was.n + 1 > sizeof longer)
		bail("the whole request has no %s", path);
	memcpy(longer, was.p, was.n);
	longer[was.n] = '!';
	memcpy(other, was.p, was.n);
	other[was.n - 1] ^= 1;
	*text = span_of(longer, was.n + 1);
	compare(path, "longer");
	*text = span_of(other, was.n);
	compare(path, "another");
	*text = SPAN("");
	compare(path, "empty");
	*text = SPAN_NONE;
	compare(path, "absent");
	*text = was;
}

static void change_flag(const char *path, bool *flag)
{
	*flag = !*flag;
	compare(path, "the other");
	*flag = !*flag;
}

static void change_i64(const char *path, struct opt_i64 *number)
{
	const struct opt_i64 was = *number;
	number->v++;
	compare(path, "one more");
	*number = (struct opt_i64){true, 0};
	compare(path, "none");
	*number = (struct opt_i64){false, 0};
	compare(path, "absent");
	*number = was;
}

static void change_f64(const char *path, struct opt_f64 *number)
{
	const struct opt_f64 was = *number;
	number->v += 1e-12;
	compare(path, "a little more");
	*number = (struct opt_f64){true, 0};
	compare(path, "none");
	*number = (struct opt_f64){false, 0};
	compare(path, "absent");
	*number = was;
}

static void change_truth(const char *path, struct opt_bool *truth)
{
	const struct opt_bool was = *truth;
	truth->v = !truth->v;
	compare(path, "the other");
	*truth = (struct opt_bool){false, false};
	compare(path, "absent");
	*truth = was;
}

static void change_word(const char *path, unsigned *word, unsigned n)
{
	const unsigned was = *word;
	for (unsigned other = 0; other < n; other++) {
		*word = other;
		if (other != was)
			compare(path, "another word");
	}
	*word = was;
}

static void fewer(const char *path, size_t *n)
{
	const size_t was = *n;
	for (*n = 0; *n < was; ++*n)
		compare(path, "fewer");
}

/* Two elements change places. */
#define SWAPPED(path, list)                             \
	do {                                            \
		__typeof__(*(list)) first_ = (list)[0]; \
		(list)[0] = (list)[1];                  \
		(list)[1] = first_;                     \
		compare(path, "in another order");      \
		(list)[1] = (list)[0];                  \
		(list)[0] = first_;                     \
	} while (0)

static void change_texts(const char *path, struct span *list, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		change_text(path, &list[i]);
	SWAPPED(path, list);
	fewer(path, n);
}

static void change_pairs(const char *path, struct string_pair *list, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		change_text(path, &list[i].key);
		change_text(path, &list[i].value);
	}
	SWAPPED(path, list);
	fewer(path, n);
}

static void change_extra(const char *path, struct extra *extra)
{
	change_text(path, &extra->family);
	for (size_t i = 0; i < extra->n; i++) {
		change_text(path, &extra->members[i].name);
		change_text(path, &extra->members[i].json);
	}
	SWAPPED(path, extra->members);
	fewer(path, &extra->n);
}

static void change_rows(const char *path, const struct member *rows, size_t n, void *object);
#define CHANGE_ROWS(path, rows, object) change_rows(path, rows, COUNT_OF(rows), object)

static void change_parts(const char *path, struct part *parts, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		CHANGE_ROWS(path, part_rows, &parts[i]);
	SWAPPED(path, parts);
	fewer(path, n);
}

static void change_messages(const char *path, struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++)
		CHANGE_ROWS(path, message_rows, &r->messages[i]);
	SWAPPED(path, r->messages);
	fewer(path, &r->n_messages);
}

static void change_tools(const char *path, struct llm_request *r)
{
	for (size_t i = 0; i < r->n_tools; i++)
		CHANGE_ROWS(path, tool_rows, &r->tools[i]);
	SWAPPED(path, r->tools);
	fewer(path, &r->n_tools);
}

/* Of a choice by a list, and of one by its name. */
static void change_choice(const char *path, struct tool_choice *choice)
{
	const struct cache_core by_list = before;
	CHANGE_ROWS(path, choice_rows, choice);
	choice->mode = CHOICE_NAMED;
	choice->n_names = 1;
	compare(path, "by name");
	before = core_of_whole();
	change_text(path, &choice->names[0]);
	choice->mode = CHOICE_AUTO;
	choice->n_names = COUNT_OF(allowed);
	before = by_list;
}

static void change_member(const char *path, const struct member *row, void *field)
{
	struct llm_request *r = field; /* where it is a member of several fields */
#define IS(writer) (row->write == member_write_##writer)
	if (IS(text) || IS(bytes))
		change_text(path, field);
	else if (IS(bool))
		change_flag(path, field);
	else if (IS(opt_i64))
		change_i64(path, field);
	else if (IS(opt_f64))
		change_f64(path, field);
	else if (IS(opt_bool))
		change_truth(path, field);
	else if (IS(part_type))
		change_word(path, field, COUNT_OF(part_types));
	else if (IS(role))
		change_word(path, field, COUNT_OF(roles));
	else if (IS(tool_type))
		change_word(path, field, COUNT_OF(tool_types));
	else if (IS(format_type))
		change_word(path, field, COUNT_OF(formats));
	else if (IS(choice_word))
		change_word(path, (void *)&((struct tool_choice *)field)->mode, COUNT_OF(choices));
	else if (IS(on_unsupported))
		change_word(path, field, UNSUPPORTED_REJECT + 1);
	else if (IS(extra))
		change_extra(path, field);
	else if (IS(opaque))
		CHANGE_ROWS(path, opaque_rows, field);
	else if (IS(content))
		change_parts(path, ((struct message *)field)->parts,
			&((struct message *)field)->n_parts);
	else if (IS(inputs))
		change_parts(path, r->inputs, &r->n_inputs);
	else if (IS(messages))
		change_messages(path, r);
	else if (IS(tools))
		change_tools(path, r);
	else if (IS(tool_choice))
		change_choice(path, field);
	else if (IS(choice_allowed))
		change_texts(path, ((struct tool_choice *)field)->names,
			&((struct tool_choice *)field)->n_names);
	else if (IS(format))
		CHANGE_ROWS(path, format_rows, field);
	else if (IS(reasoning))
		CHANGE_ROWS(path, reasoning_rows, field);
	else if (IS(audio))
		CHANGE_ROWS(path, audio_rows, field);
	else if (IS(cache))
		CHANGE_ROWS(path, cache_rows, field);
	else if (IS(stop))
		change_texts(path, r->stop, &r->n_stop);
	else if (IS(modalities))
		change_texts(path, r->modalities, &r->n_modalities);
	else if (IS(metadata))
		change_pairs(path, r->metadata, &r->n_metadata);
	else if (IS(options))
		change_pairs(path, r->provider_options, &r->n_provider_options);
	else if (!IS(choice_name)) /* which change_choice does */
		ok(false, "somebody here knows how to change %s", path);
#undef IS
}

static void change_rows(const char *path, const struct member *rows, size_t n, void *object)
{
	for (size_t i = 0; i < n; i++) {
		char here[128];
		(void)snprintf(here, sizeof here, "%s.%s", path, rows[i].name);
		change_member(here, &rows[i], (char *)object + rows[i].offset);
	}
}

static void test_request(void)
{
	static const char *const inert[] = {"model", "stream", "user", "metadata", "cache"};
	before = core_of_whole();
	for (size_t i = 0; i < COUNT_OF(request_rows); i++) {
		const struct member *row = &request_rows[i];
		counts = true;
		for (size_t j = 0; j < COUNT_OF(inert); j++)
			counts = counts && strcmp(row->name, inert[j]) != 0;
		change_member(row->name, row, (char *)&whole + row->offset);
	}
	const struct cache_core after = core_of_whole();
	ok(memcmp(&after, &before, sizeof after) == 0, "all is as it was");
	ok(changes > 500, "%zu pairs", changes);
}

/* ---- bodies ---- */

struct body {
	const char *surface;
	enum llm_op op;
	struct span text;
	struct cache_core core;
	size_t changes, hits, misses; /* hits: wrong ones; misses: where no answer depends on it */
	struct buf said;              /* of the first wrong one */
};

static bool is_inert(struct span name)
{
	static const char *const names[] = {"model", "stream", "stream_options", "user", "metadata",
		"prompt_cache_key", "safety_identifier"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

static struct cache_core core_of_body(const struct body *b, struct span text)
{
	OWNED(buf_done) struct buf scratch = BUF_INIT(LIMIT_BODY_BYTES);
	static const struct llm_request plain;
	struct fault why = FAULT_NONE;
	struct cache_ask ask = {.op = b->op, .request = &plain, .surface = span_str(b->surface)};
	struct cache_core core;
	if (json_scan(text, JSON_STRICT, &ask.body, &why))
		bail("%s: %.*s", why.message, SPAN_ARG(text));
	if (cache_core(secret, &ask, &scratch, &core))
		bail("no key");
	return core;
}

/* What is from `at` on, so many bytes, becomes another text. */
static void replace(struct body *b, const char *at, size_t n, struct span by, bool is_counted)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	buf_span(&text, span_first(b->text, (size_t)(at - b->text.p)));
	buf_span(&text, by);
	buf_span(&text, span_skip(b->text, (size_t)(at - b->text.p) + n));
	const struct cache_core core = core_of_body(b, buf_view(&text));
	const bool is_same = memcmp(&core, &b->core, sizeof core) == 0;
	b->changes++;
	b->hits += is_same && is_counted;
	b->misses += !is_same && !is_counted;
	if (is_same == is_counted && b->said.n == 0)
		buf_span(&b->said, buf_view(&text));
}

static void change_scalar(struct body *b, struct json v, bool is_counted)
{
	const char *at = v.text.p;
	switch (json_kind(v)) {
	case JSON_STRING:
		replace(b, at + 1, 0, SPAN("!"), is_counted);
		replace(b, at + v.text.n - 1, 0, SPAN(" "), is_counted);
		replace(b, at, v.text.n, SPAN("null"), is_counted);
		break;
	case JSON_NUMBER:
		if (v.text.n == 1)
			replace(b, at, 1, at[0] == '0' ? SPAN("1") : SPAN("0"), is_counted);
		else
			replace(b, at + v.text.n, 0, SPAN("1"), is_counted);
		replace(b, at, v.text.n, SPAN("null"), is_counted);
		break;
	case JSON_TRUE:
		replace(b, at, v.text.n, SPAN("false"), is_counted);
		break;
	case JSON_FALSE:
		replace(b, at, v.text.n, SPAN("true"), is_counted);
		break;
	default:
		replace(b, at, v.text.n, SPAN("0"), is_counted);
		break;
	}
}

/* Without the comma that is then one too many; these texts have no blanks. */
static void leave_out(struct body *b, const char *from, const char *to, bool is_counted)
{
	if (*to == ',')
		to++;
	else if (from[-1] == ',')
		from--;
	replace(b, from, (size_t)(to - from), SPAN(""), is_counted);
}

static void change_value(struct body *b, struct json v, size_t depth, bool is_counted)
{
	const bool is_object = json_kind(v) == JSON_OBJECT;
	const bool is_top = depth == 0;
	if (!is_object && json_kind(v) != JSON_ARRAY) {
		change_scalar(b, v, is_counted);
		return;
	}
	for (struct json_walk w = json_each(v); json_next(&w);) {
		const bool does = is_top ? !is_inert(w.name) : is_counted;
		const char *end = w.value.text.p + w.value.text.n;
		change_value(b, w.value, depth + 1, does);
		leave_out(b, is_object ? w.name.p - 1 : w.value.text.p, end, does);
		if (is_object)
			replace(b, w.name.p, 0, SPAN("x"), is_top || is_counted);
		else
			replace(b, end, 0, SPAN(",{}"), is_counted);
	}
	const char *last = v.text.p + v.text.n - 1;
	const bool is_empty = v.text.n == 2;
	if (is_object)
		replace(b, last, 0, is_empty ? SPAN("\"x\":null") : SPAN(",\"x\":null"),
			is_top || is_counted);
	else if (is_empty)
		replace(b, last, 0, SPAN("null"), is_counted);
	if (!is_top)
		replace(b, v.text.p, v.text.n, SPAN("null"), is_counted);
}

/* With ' for ". */
/* clang-format off */
static const struct {
	const char *surface;
	enum llm_op op;
	const char *text;
} bodies[] = {
	{"openai.chat", LLM_OP_CHAT,
	 "{'model':'gpt-4o','messages':[{'role':'developer','content':'Be brief.'},{'role':'user',"
	 "'name':'ann','content':[{'type':'text','text':'What is this?'},{'type':'image_url',"
	 "'image_url':{'url':'data:image/png;base64,AAAA','detail':'low'}},{'type':'input_audio',"
	 "'input_audio':{'data':'UklG','format':'wav'}},{'type':'file','file':{'file_data':'JVBE',"
	 "'filename':'a.pdf','file_id':'file-1'}}]},{'role':'assistant','content':null,"
	 "'refusal':null,'tool_calls':[{'id':'call_1','type':'function','function':{'name':'look',"
	 "'arguments':'{\\'at\\':1}'}}]},{'role':'tool','tool_call_id':'call_1','content':'sky'}],"
	 "'tools':[{'type':'function','function':{'name':'look','description':'Looks.',"
	 "'strict':true,'parameters':{'type':'object','properties':{'at':{'type':'integer'}},"
	 "'required':['at']}}}],'tool_choice':{'type':'function','function':{'name':'look'}},"
	 "'parallel_tool_calls':false,'response_format':{'type':'json_schema',"
	 "'json_schema':{'name':'r','schema':{},'strict':true}},'temperature':0,'top_p':0.9,'n':1,"
	 "'seed':42,'max_completion_tokens':100,'max_tokens':90,'stop':['END'],"
	 "'presence_penalty':0.5,'frequency_penalty':-0.5,'logit_bias':{'50256':-100},"
	 "'logprobs':true,'top_logprobs':2,'reasoning_effort':'low','verbosity':'low',"
	 "'modalities':['text'],'audio':{'voice':'alloy','format':'wav'},"
	 "'prediction':{'type':'content','content':'x'},'service_tier':'auto','store':false,"
	 "'web_search_options':{'search_context_size':'low'},'stream':true,"
	 "'stream_options':{'include_usage':true},'user':'u','metadata':{'k':'v'},"
	 "'prompt_cache_key':'p','safety_identifier':'s'}"},
	{"openai.responses", LLM_OP_CHAT,
	 "{'model':'gpt-5','instructions':'Be brief.','input':[{'role':'user',"
	 "'content':[{'type':'input_text','text':'Hi'},{'type':'input_image',"
	 "'image_url':'https://a/b.png','detail':'auto'},{'type':'input_file','file_id':'file-1',"
	 "'filename':'a.pdf'}]},{'type':'reasoning','id':'rs_1','summary':[{'type':'summary_text',"
	 "'text':'t'}],'encrypted_content':'gAAA'},{'type':'function_call','call_id':'c',"
	 "'name':'look','arguments':'{}'},{'type':'function_call_output','call_id':'c',"
	 "'output':'sky'}],'tools':[{'type':'function','name':'look',"
	 "'parameters':{'type':'object'},'strict':false},{'type':'web_search',"
	 "'filters':{'allowed_domains':['a']}}],'tool_choice':'auto','parallel_tool_calls':true,"
	 "'previous_response_id':'resp_1','conversation':null,"
	 "'include':['reasoning.encrypted_content'],'reasoning':{'effort':'low','summary':'auto'},"
	 "'text':{'format':{'type':'json_schema','name':'r','schema':{}},'verbosity':'low'},"
	 "'truncation':'auto','temperature':0,'top_p':1,'max_output_tokens':100,"
	 "'max_tool_calls':3,'top_logprobs':1,'store':true,'background':false,"
	 "'service_tier':'flex','prompt':{'id':'pmpt_1','variables':{'city':'Rome'}},"
	 "'stream':false,'user':'u','metadata':{},'prompt_cache_key':'p','safety_identifier':'s'}"},
	{"openai.completions", LLM_OP_COMPLETE,
	 "{'model':'gpt-3.5-turbo-instruct','prompt':['Once','Twice'],'suffix':'end',"
	 "'max_tokens':16,'temperature':0,'top_p':1,'n':1,'best_of':2,'echo':true,'logprobs':3,"
	 "'stop':'END','presence_penalty':0,'frequency_penalty':0,'logit_bias':{'1':5},'seed':7,"
	 "'stream':true,'stream_options':{'include_usage':true},'user':'u'}"},
	{"openai.embeddings", LLM_OP_EMBED,
	 "{'model':'text-embedding-3-small','input':['one','two',[1,22,333]],'dimensions':256,"
	 "'encoding_format':'base64','user':'u'}"},
	{"anthropic.messages", LLM_OP_CHAT,
	 "{'model':'claude-sonnet-4-5','max_tokens':1024,'system':[{'type':'text',"
	 "'text':'Be brief.','cache_control':{'type':'ephemeral','ttl':'1h'}}],"
	 "'messages':[{'role':'user','content':[{'type':'image','source':{'type':'base64',"
	 "'media_type':'image/png','data':'AAAA'}},{'type':'document','source':{'type':'file',"
	 "'file_id':'file_1'},'title':'t','context':'c','citations':{'enabled':true}},"
	 "{'type':'text','text':'Hi'}]},{'role':'assistant','content':[{'type':'thinking',"
	 "'thinking':'hm','signature':'c2ln'},{'type':'redacted_thinking','data':'ZGF0'},"
	 "{'type':'tool_use','id':'toolu_1','name':'look','input':{'at':'sky'}}]},{'role':'user',"
	 "'content':[{'type':'tool_result','tool_use_id':'toolu_1','content':'blue',"
	 "'is_error':false}]}],'tools':[{'name':'look','description':'Looks.',"
	 "'input_schema':{'type':'object','properties':{'at':{'enum':['sky','sea']}}}},"
	 "{'type':'web_search_20250305','name':'web_search','max_uses':5}],"
	 "'tool_choice':{'type':'auto','disable_parallel_tool_use':true},"
	 "'thinking':{'type':'enabled','budget_tokens':1024},'temperature':1,'top_k':40,"
	 "'top_p':0.99,'stop_sequences':['END'],'service_tier':'auto','container':'c_1',"
	 "'context_management':{'edits':[]},'mcp_servers':[{'type':'url','url':'https://m',"
	 "'name':'m'}],'stream':true,'metadata':{'user_id':'u'}}"},
	{"gemini.generate", LLM_OP_CHAT,
	 "{'systemInstruction':{'parts':[{'text':'Be brief.'}]},'contents':[{'role':'user',"
	 "'parts':[{'text':'Hi'},{'inlineData':{'mimeType':'image/png','data':'AAAA'}},"
	 "{'fileData':{'mimeType':'video/mp4','fileUri':'https://f'},'videoMetadata':{'fps':1,"
	 "'startOffset':'1s'}}]},{'role':'model','parts':[{'text':'hm','thought':true,"
	 "'thoughtSignature':'c2ln'},{'functionCall':{'id':'1','name':'look',"
	 "'args':{'at':'sky'}}}]},{'role':'user','parts':[{'functionResponse':{'id':'1',"
	 "'name':'look','response':{'result':'blue'}}}]}],"
	 "'tools':[{'functionDeclarations':[{'name':'look','parameters':{'type':'OBJECT'}}]},"
	 "{'googleSearch':{}},{'codeExecution':{}}],"
	 "'toolConfig':{'functionCallingConfig':{'mode':'ANY','allowedFunctionNames':['look']}},"
	 "'safetySettings':[{'category':'HARM_CATEGORY_HARASSMENT','threshold':'BLOCK_NONE'}],"
	 "'generationConfig':{'temperature':0,'topP':0.9,'topK':40,'candidateCount':1,"
	 "'maxOutputTokens':100,'stopSequences':['END'],'seed':7,"
	 "'responseMimeType':'application/json','responseSchema':{'type':'STRING'},"
	 "'presencePenalty':0.1,'frequencyPenalty':0.1,'responseLogprobs':true,'logprobs':2,"
	 "'thinkingConfig':{'includeThoughts':true,'thinkingBudget':512},"
	 "'speechConfig':{'voiceConfig':{'prebuiltVoiceConfig':{'voiceName':'Kore'}}}},"
	 "'cachedContent':'cachedContents/1','labels':{'team':'blue'}}"},
};
/* clang-format on */

static void test_bodies(void)
{
	size_t all = 0;
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		for (const char *p = bodies[i].text; *p; p++)
			buf_byte(&text, *p == '\'' ? '"' : *p);
		struct body b = {.surface = bodies[i].surface,
			.op = bodies[i].op,
			.text = buf_view(&text),
			.said = BUF_INIT(LIMIT_BODY_BYTES)};
		b.core = core_of_body(&b, b.text);
		change_value(&b, json_of(b.text), 0, true);
		is_uint(b.hits, 0, "%s: %zu pairs, no wrong hit", b.surface, b.changes);
		is_uint(b.misses, 0, "%s: and a hit where no answer depends on it", b.surface);
		if (b.said.n > 0)
			printf("# %.*s\n", SPAN_ARG(buf_view(&b.said)));
		all += b.changes;
		buf_done(&b.said);
	}
	ok(all > 1000, "%zu pairs of bodies", all);
}

int main(void)
{
	test_request();
	test_bodies();
	return tap_done();
}
