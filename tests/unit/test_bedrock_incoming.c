/* test_bedrock_incoming.c - what a Converse request asks, and that nothing of it is lost. JSON is written
 * with ' for its quotes. */
#include "brokerd/config/config.h"
#include "brokerd/dialect/dialect.h"
#include "brokerd/route/route.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define SONNET "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
#define NOVA   "/model/us.amazon.nova-2-lite-v1:0/converse"
#define PIXEL  "iVBORw0KGgo="

static struct arena arena;
static struct notes notes;

static struct span quoted(const char *text)
{
	char *copy = arena_str(&arena, span_str(text));
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return span_str(copy);
}

static enum err decode(const char *path, const char *body, struct llm_request *r, struct fault *why)
{
	const struct surface_call call = {.path = span_str(path)};
	const struct dialect *d = dialect_find(SPAN("bedrock"));
	*why = FAULT_NONE;
	return d->ops[LLM_OP_CHAT]->decode_request(&call, quoted(body), &arena, r, &notes, why);
}

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static void begin(void)
{
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &arena);
}

/* ---- there and back ---- */

/* Bodies in the order in which they are written, so that each comes back as it was. */
static const struct {
	const char *name, *path, *body;
} kept[] = {
	{"words",                 NOVA,
         "{'system':[{'text':'Be brief.'},{'text':'Now.'}],"
		"'messages':[{'role':'user','content':[{'text':'x'}]}],"
		"'inferenceConfig':{'maxTokens':512,'temperature':0.5,'topP':0.9,'stopSequences':['"
		"END']},"
		"'requestMetadata':{'k':'v','user':'u'},'serviceTier':{'type':'flex'}}"},
	{"a tool loop",           SONNET,
         "{'toolConfig':{'tools':[{'toolSpec':{'name':'f','description':'d','inputSchema':{'"
		"json':"
		"{'type':'object','properties':{'a':{'type':'string','type':'number'}}}},'strict':"
		"true}},"
		"{'cachePoint':{'type':'default','ttl':'1h'}}],'toolChoice':{'any':{}}},"
		"'messages':[{'role':'user','content':[{'text':'x'},{'cachePoint':{'type':'default'"
		"}}]},"
		"{'role':'assistant','content':[{'reasoningContent':{'reasoningText':{'text':'t','"
		"signature':"
		"'s'}}},{'reasoningContent':{'redactedContent':'AAEC'}},{'toolUse':{'toolUseId':'a'"
		",'name':"
		"'f','input':{'n':9007199254740993}}},{'toolUse':{'toolUseId':'b','name':'f','"
		"input':{}}}]},"
		"{'role':'user','content':[{'toolResult':{'toolUseId':'a','content':[{'json':{'c':"
		"4.0}},"
		"{'text':'t'}],'status':'error'}},{'toolResult':{'toolUseId':'b','content':[{'"
		"image':{"
		"'format':'png','source':{'bytes':'" PIXEL
		"'}}}]}},{'cachePoint':{'type':'default'}},"
		"{'text':'and?'}]}]}"						  },
	{"one tool",              NOVA,
         "{'toolConfig':{'tools':[{'toolSpec':{'name':'f','inputSchema':{'json':{'type':'"
		"object',"
		"'properties':{}}}}},{'systemTool':{'name':'nova_grounding'}}],'toolChoice':{'tool'"
		":{'name':"
		"'f'}}},'messages':[{'role':'user','content':[{'text':'x'}]}]}"        },
	{"media",                 NOVA,
         "{'messages':[{'role':'user','content':[{'text':'x'},{'image':{'format':'png','"
		"source':{"
		"'bytes':'" PIXEL
		"'}}},{'image':{'format':'webp','source':{'s3Location':{'uri':'s3://b/k',"
		"'bucketOwner':'1'}}}},{'document':{'format':'pdf','name':'a b','source':{'bytes':"
		"'JVBERi0='},'context':'c'}},{'document':{'format':'txt','name':'t','source':{'"
		"text':'words'},"
		"'citations':{'enabled':true}}},{'document':{'format':'md','name':'m','source':{'"
		"content':[{"
		"'text':'chunk'}]}}},{'video':{'format':'three_gp','source':{'bytes':'AAAA'}}}]}]"
		"}"								    },
	{"a schema",              SONNET,
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'outputConfig':{'"
		"textFormat':{'type':"
		"'json_schema','structure':{'jsonSchema':{'schema':'{\\'type\\':\\'object\\'}','"
		"name':'n',"
		"'description':'d'}}},'effort':'high'}}"                               },
	{"a budget",              SONNET,
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'inferenceConfig':{'"
		"maxTokens':4000},"
		"'additionalModelRequestFields':{'thinking':{'type':'enabled','budget_tokens':1500}"
		"}}"								   },
	{"an effort",             "/model/us.anthropic.claude-sonnet-4-6/converse",
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'"
		"additionalModelRequestFields':{"
		"'thinking':{'type':'adaptive'},'output_config':{'effort':'high'}}}"   },
	{"no thinking",           "/model/us.anthropic.claude-sonnet-4-6/converse",
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'"
		"additionalModelRequestFields':{"
		"'thinking':{'type':'disabled'}}}"                                     },
	{"a level",               NOVA,
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'"
		"additionalModelRequestFields':{"
		"'reasoningConfig':{'type':'enabled','maxReasoningEffort':'low'},'inferenceConfig':"
		"{'topK':9}}}"							 },
	{"a word",                "/model/openai.gpt-oss-120b-1:0/converse",
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'"
		"additionalModelRequestFields':{"
		"'reasoning_effort':'low'}}"                                           },
	{"fields beyond us",      SONNET,
         "{'messages':[{'role':'user','content':[{'text':'x'}]}],'"
		"additionalModelRequestFields':{"
		"'top_k':40,'thinking':{'type':'between_tools'},'anthropic_beta':['a'],'output_"
		"config':{'x':1},"
		"'reasoning_effort':'huge','inferenceConfig':{'topK':1,'x':2}}}"       },
	{"what is only carried",  NOVA,
         "{'system':[{'guardContent':{'text':{'text':'g'}}},{'cachePoint':{'type':'default'}"
		"}],"
		"'messages':[{'role':'user','content':[{'cachePoint':{'type':'default'}},{'"
		"guardContent':{"
		"'text':{'text':'q','qualifiers':['query']}}},{'guardContent':{'image':{'format':'"
		"png'}}},"
		"{'searchResult':{'source':'s'}}]},{'role':'assistant','content':[{'toolUse':{'"
		"toolUseId':"
		"'s','name':'n','input':{},'type':'server_tool_use'}},{'toolResult':{'toolUseId':'"
		"s',"
		"'content':[],'type':'r'}},{'citationsContent':{'content':[{'text':'Blue.'}],'"
		"citations':[{"
		"'title':'t','location':{'web':{'url':'u'}}}]}},{'citationsContent':{'citations':[]"
		"}},"
		"{'reasoningContent':{'reasoningText':{'text':'unsigned'}}},{'text':'a'}]},"
		"{'role':'user','content':[{'text':'y'}]}],'guardrailConfig':{'trace':'enabled'},"
		"'performanceConfig':{'latency':'optimized'},'promptVariables':{'a':{'text':'b'}},"
		"'additionalModelResponseFieldPaths':['/stop_sequence']}"              },
	{"unknown, at any level", SONNET,
         "{'toolConfig':{'tools':[{'toolSpec':{'name':'f','inputSchema':{'json':{'type':'"
		"object',"
		"'properties':{}},'a':1},'b':[2.0]},'c':3},{'cachePoint':{'type':'default','d':4}}]"
		",'e':5},"
		"'system':[{'text':'s','f':6}],"
		"'messages':[{'role':'user','g':-0,'content':[{'text':'x','h':8},{'cachePoint':{'"
		"type':"
		"'default','i':1e400}},{'image':{'format':'png','source':{'bytes':'" PIXEL
		"','j':10},'k':11},"
		"'l':null},{'image':{'format':'png','source':{'s3Location':{'uri':'s3://"
		"b','m':13}}}}]},"
		"{'role':'assistant','n':14,'content':[{'toolUse':{'toolUseId':'a','name':'f','"
		"input':{},'o':"
		"15},'p':16},{'citationsContent':{'content':[{'text':'t'}],'citations':[],'q':17},'"
		"r':18}]},"
		"{'role':'user','s':19,'content':[{'toolResult':{'toolUseId':'a','content':[{'text'"
		":'r','t':"
		"20},{'searchResult':{}}],'u':21},'v':22},{'text':'y'}]}],"
		"'inferenceConfig':{'maxTokens':1,'w':23},'additionalModelRequestFields':{'x':24},"
		"'outputConfig':{'textFormat':{'type':'json_schema','structure':{'jsonSchema':{'"
		"schema':'{}',"
		"'name':'n','y':25},'z':26},'aa':27},'bb':28},'serviceTier':{'type':'default','cc':"
		"29},'dd':{"
		"'ee': 30}}"							   },
};

static void test_kept(void)
{
	struct fault why;
	struct config *config =
		config_parse(SPAN("[provider \"bedrock\"]\ndialect = bedrock\n"), "test", &why);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		const struct dialect_env env = {.wall_s = 0};
		struct llm_request r;
		struct target target;
		struct http_request http = {.n_headers = 0};
		begin();
		enum err err = decode(kept[i].path, kept[i].body, &r, &why);
		if (!err)
			err = route_target(config, SPAN("bedrock"), r.model, &target, &why);
		if (!err)
			err = dialect_find(SPAN("bedrock"))
				      ->ops[LLM_OP_CHAT]
				      ->encode_request(&r, &target, &env, &notes, &http, &why);
		is_err(err, OK, "%s: %s %s", kept[i].name, why.param, why.message);
		const struct span want = quoted(kept[i].body);
		is_mem(http.body.p, http.body.n, want.p, want.n, "%s: as it was", kept[i].name);
		is_uint(notes.n_warnings, 0, "%s: without a word", kept[i].name);
		arena_done(&arena);
	}
	config_unref(config);
}

/* ---- what it means ---- */

static void test_path(void)
{
	static const struct {
		const char *path, *model;
		bool is_stream;
	} paths[] = {
		{"/model/amazon.nova-lite-v1:0/converse", "amazon.nova-lite-v1:0", false},
		{"/model/a%3ab%2Fc/converse-stream",      "a:b/c",                 true },
		{"/model/arn:aws:x/us.y/converse",        "arn:aws:x/us.y",        false},
		{"/below/model/m/converse",               "m",                     false},
		{"/model/converse/converse-stream",       "converse",              true },
		{"/model/m/invoke",                       NULL,                    false},
		{"/model//converse",                      NULL,                    false},
		{"/model/converse",                       NULL,                    false},
		{"/model/a%0/converse",                   NULL,                    false},
		{"/model/a%00b/converse",                 NULL,                    false},
		{"",				      NULL,                    false},
	};
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct llm_request r;
		struct fault why;
		begin();
		const enum err err = decode(paths[i].path,
			"{'messages':[{'role':'user','content':[{'text':'x'}]}]}", &r, &why);
		is_err(err, paths[i].model ? OK : ERR_INVALID_REQUEST, "the path \"%s\"",
			paths[i].path);
		if (paths[i].model && !err) {
			is_span(r.model, paths[i].model, "its model");
			ok(r.is_stream == paths[i].is_stream, "and whether it streams");
		} else {
			is_str(why.param, "path", "is named");
		}
		arena_done(&arena);
	}
}

static void test_meaning(void)
{
	struct llm_request r;
	struct fault why;
	begin();
	is_err(decode(NOVA "-stream",
		       "{'messages':[{'role':'user','content':[{'text':'x'},{'document':{'format':"
		       "'csv','name':'n','source':{'text':'a,b'}}}]},{'role':'assistant','content':"
		       "["
		       "{'toolUse':{'toolUseId':'a','name':'f','input':{'x':1}}}]},{'role':'user',"
		       "'content':[{'text':'first'},{'toolResult':{'toolUseId':'a','content':[{'"
		       "json':"
		       "[1]}],'status':'success'}},{'cachePoint':{'type':'default','ttl':'1h'}},"
		       "{'text':'last'}]}],'system':[{'text':'s'}],'additionalModelRequestFields':{"
		       "'thinking':{'type':'adaptive','display':'omitted'}},'toolConfig':{'tools':["
		       "],"
		       "'toolChoice':{'auto':{}}},'inferenceConfig':{'maxTokens':7,'stopSequences':"
		       "['a']}}",
		       &r, &why),
		OK, "a body: %s", why.message);
	ok(r.is_stream, "in pieces");
	is_uint(r.n_messages, 6, "the results of tools are messages of their own");
	is_int(r.messages[0].role, ROLE_SYSTEM, "the system text comes first");
	is_span(r.messages[1].parts[1].media.data, "a,b", "a document's text");
	is_span(r.messages[1].parts[1].media.mime, "text/csv", "its type");
	is_span(r.messages[1].parts[1].media.filename, "n", "its name");
	is_span(r.messages[2].parts[0].call.arguments, "{\"x\":1}", "arguments are text");
	is_span(r.messages[3].parts[0].text, "first", "words before a result");
	is_int(r.messages[4].role, ROLE_TOOL, "the result");
	is_span(r.messages[4].tool_call_id, "a", "its id");
	is_span(r.messages[4].parts[0].text, "[1]", "its JSON as text");
	is_span(r.messages[4].parts[0].cache, "1h", "its mark");
	ok(!r.messages[4].is_error, "it did not fail");
	is_span(r.messages[5].parts[0].text, "last", "words behind it");
	is_span(r.reasoning.effort, "high", "adaptive thinking is an effort");
	is_span(r.reasoning.expose, "none", "not to be shown");
	is_int(r.max_tokens.v, 7, "the bound");
	is_uint(r.n_stop, 1, "a stop sequence");
	is_int(r.tool_choice.mode, CHOICE_AUTO, "the choice is the model's");
	arena_done(&arena);
}

/* ---- what is wrong ---- */

#define SAID "'messages':[{'role':'user','content':[{'text':'x'}]}]"
static const struct {
	const char *name, *body, *param;
} wrongs[] = {
	{"no JSON",		    "{",							       ""						   },
	{"no messages",                "{}",							      "messages"					   },
	{"none of them",               "{'messages':[]}",						 "messages"                                           },
	{"messages that are no array", "{'messages':{}}",                                                 "messages"                                           },
	{"a name twice",               "{" SAID ",'x':1,'X':2}",                                          "X"                                                  },
	{"a message without a role",   "{'messages':[{'content':[]}]}",                                   "messages[0]"                                        },
	{"a role that there is not",   "{'messages':[{'role':'tool','content':[]}]}",
         "messages[0].role"																    },
	{"content that is text",       "{'messages':[{'role':'user','content':'x'}]}",
         "messages[0].content"																 },
	{"a block that is none",       "{'messages':[{'role':'user','content':[1]}]}",
         "messages[0].content[0]"															      },
	{"text that is none",          "{'messages':[{'role':'user','content':[{'text':1}]}]}",
         "messages[0].content[0].text"															 },
	{"bytes that are no base64",
         "{'messages':[{'role':'user','content':[{'image':{'format':'png','source':{'bytes':"
		"'*'}}}]}]}",									     "messages[0].content[0].image.source.bytes"          },
	{"a call without a name",
         "{'messages':[{'role':'assistant','content':[{'toolUse':{'toolUseId':'a'}}]}]}",		 "messages[0].content[0].toolUse"                     },
	{"a result without an id",
         "{'messages':[{'role':'user','content':[{'toolResult':{'content':[]}}]}]}",		      "messages[0].content[0].toolResult"                  },
	{"a status that there is not",
         "{'messages':[{'role':'user','content':[{'toolResult':{'toolUseId':'a','status':'x'"
		"}}]}]}",										 "messages[0].content[0].toolResult.status"           },
	{"a mark of another type",
         "{'messages':[{'role':'user','content':[{'text':'x'},{'cachePoint':{'type':'x'}}]}]"
		"}",										      "messages[0].content[1].cachePoint.type"             },
	{"half a token",               "{" SAID ",'inferenceConfig':{'maxTokens':1.5}}",
         "inferenceConfig.maxTokens"															   },
	{"a tool without a name",      "{" SAID ",'toolConfig':{'tools':[{'toolSpec':{}}]}}",
         "toolConfig.tools[0].toolSpec"															},
	{"a choice that there is not", "{" SAID ",'toolConfig':{'toolChoice':{'none':{}}}}",
         "toolConfig.toolChoice.none"															  },
	{"a format that there is not", "{" SAID ",'outputConfig':{'textFormat':{'type':'xml'}}}",
         "outputConfig.textFormat.type"															},
	{"a schema that is no JSON",
         "{" SAID
		",'outputConfig':{'textFormat':{'type':'json_schema','structure':{'jsonSchema':{"
		"'schema':'{'}}}}}",								      "outputConfig.textFormat.structure.jsonSchema.schema"},
	{"no schema",                  "{" SAID ",'outputConfig':{'textFormat':{'type':'json_schema'}}}",
         "outputConfig.textFormat"															     },
	{"fields that are no object",  "{" SAID ",'additionalModelRequestFields':[]}",
         "additionalModelRequestFields"															},
	{"metadata that is no text",   "{" SAID ",'requestMetadata':{'a':1}}",                            "requestMetadata.a"                                  },
};

static void test_wrongs(void)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		struct llm_request r;
		struct fault why;
		begin();
		is_err(decode(NOVA, wrongs[i].body, &r, &why), ERR_INVALID_REQUEST, "%s",
			wrongs[i].name);
		is_str(why.param, wrongs[i].param, "%s: %s", wrongs[i].name, why.message);
		arena_done(&arena);
	}
}

int main(void)
{
	test_kept();
	test_path();
	test_meaning();
	test_wrongs();
	return tap_done();
}
