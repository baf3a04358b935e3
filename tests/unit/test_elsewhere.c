/* test_elsewhere.c - what is a caller told whose request goes to a family that is not its own?
 * What it asks for and does not get; but nothing of what only its library or an earlier answer put there. */
#include "brokerd/dialect/dialect.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/tap.h"

#define ASK "{'type':'message','role':'user','content':'x'}"

/* clang-format off */
static const struct row {
	const char *name, *family, *body, *told; /* the members that a warning is of, a blank behind each */
} rows[] = {
	{"what is included anyway", "openai-responses",
		"{'model':'m','input':'x','include':['reasoning.encrypted_content',"
		"'message.output_text.logprobs']}", "logprobs "},
	{"what is not", "openai-responses",
		"{'model':'m','input':'x','include':['file_search_call.results']}", "include "},
	{"an answer to be kept", "openai-responses",
		"{'model':'m','input':'x','store':true}", ""},
	{"the same of chat, which nobody here keeps", "openai-chat",
		"{'model':'m','messages':[{'role':'user','content':'x'}],'store':true}", "store "},
	{"ids and states of items", "openai-responses",
		"{'model':'m','input':[{'type':'message','id':'msg_0','status':'completed','role':'user',"
		"'content':'x'},{'type':'function_call','id':'fc_1','status':'completed','call_id':'a',"
		"'name':'f','arguments':'{}','parsed_arguments':{'a':1}},{'type':'function_call_output',"
		"'id':'fco_1','status':'completed','call_id':'a','output':'r'},"
		"{'type':'message','id':'msg_1','status':'completed','role':'assistant','content':[{"
		"'type':'output_text','text':'y','annotations':[],'logprobs':[],'parsed':{'a':1}}]}," ASK "]}", ""},
	{"what openai-python puts together", "openai-chat",
		"{'model':'m','messages':[{'role':'user','id':'u1','content':'x'},{'role':'assistant',"
		"'id':'a1','content':null,'parsed':{'a':1},'tool_calls':[{'index':0,'id':'a','type':'function',"
		"'function':{'name':'f','arguments':'{}','parsed_arguments':{'a':1}}}]},"
		"{'role':'tool','tool_call_id':'a','content':'r'}]}", ""},
	{"functions of a namespace", "openai-responses",
		"{'model':'m','input':[" ASK ",{'type':'function_call','call_id':'a','name':'f','namespace':'s',"
		"'arguments':'{}'},{'type':'function_call_output','call_id':'a','output':'r'}," ASK "],"
		"'tools':[{'type':'namespace','name':'s','description':'d','tools':[{'type':'function',"
		"'name':'f','parameters':{'type':'object','properties':{}}}]}]}", "tools[0] "},
	{"a custom tool and its calls", "openai-chat",
		"{'model':'m','messages':[{'role':'user','content':'x'},{'role':'assistant','tool_calls':["
		"{'id':'a','type':'custom','custom':{'name':'f','input':'i'}}]},{'role':'tool','tool_call_id':'a',"
		"'content':'r'}],'tools':[{'type':'custom','custom':{'name':'f','format':{'type':'grammar',"
		"'grammar':{'syntax':'regex','definition':'i+'}}}}]}", "tools[0] "},
	{"members that nobody knows", "openai-chat",
		"{'model':'m','messages':[{'role':'user','content':'x','mood':'good'}]}", "messages[0].mood "},
};
/* clang-format on */

/* A row's text, with quotes for its apostrophes. */
static void put_body(struct buf *out, const char *text)
{
	buf_text(out, text);
	for (size_t i = 0; i < out->n; i++) {
		if (out->p[i] == '\'')
			out->p[i] = '"';
	}
}

/* Warnings of what was asked but for those of tools that are not in the request, and of models. */
static void check(const struct row *row, const char *family)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	OWNED(buf_done) struct buf told = BUF_INIT(LIMIT_BODY_BYTES);
	const struct surface_call call = {.method = SPAN("POST")};
	const struct host_wish wish = {.family = span_str(family)};
	struct http_request http = {.n_headers = 0};
	struct fault why = FAULT_NONE;
	struct arena a;
	struct notes notes;
	struct llm_request r;
	struct target target;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	put_body(&body, row->body);
	enum err err = dialect_find(span_str(row->family))
			       ->ops[LLM_OP_CHAT]
			       ->decode_request(&call, buf_view(&body), &a, &r, &notes, &why);
	struct config *config = host_target(&wish, &a, &target, &why);
	if (!err && config)
		err = dialect_encode(dialect_find(span_str(family))->ops[LLM_OP_CHAT], &r, &target,
			&FEED_ENV, &notes, &http, &why);
	for (size_t i = 0; i < notes.n_warnings; i++)
		buf_print(&told, "%.*s ", SPAN_ARG(notes.warnings[i].param));
	if (!is_err(err, OK, "%s, for %s", row->name, family))
		diag("%s", why.message);
	is_mem(told.p, told.n, row->told, strlen(row->told), "%s, for %s: warnings", row->name,
		family);
	config_unref(config);
	arena_done(&a);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check(&rows[i], "anthropic");
		check(&rows[i], "mistral");
	}
	return tap_done();
}
