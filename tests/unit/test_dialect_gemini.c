/* test_dialect_gemini.c - what callers who speak Gemini ask, where their bodies differ from what goes
 * out again, and when Google's day is over. Its replies and requests are in tests/golden. */
#include <stdio.h>

#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/gemini/pacific.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/host.h"
#include "tests/lib/tap.h"

/* ---- the day ---- */

static const struct {
	const char *name;
	int64_t now_s, want_s;
} days[] = {
	{"the first second",                INT64_C(0),          INT64_C(28800)     },
	{"a winter's morning",              INT64_C(1795600800), INT64_C(1795680000)}, /* 2026-11-25 10:00 */
	{"a second before midnight",        INT64_C(1795679999), INT64_C(1795680000)},
	{"midnight",			INT64_C(1795680000), INT64_C(1795766400)},
	{"a summer's morning",              INT64_C(1782900000), INT64_C(1782975600)}, /* 2026-07-01 10:00 */
	{"the day that has 23 hours",       INT64_C(1772956800),
         INT64_C(1773039600)							}, /* 2026-03-08 08:00 */
	{"and after the hour was left out", INT64_C(1772964000), INT64_C(1773039600)},
	{"the day that has 25 hours",       INT64_C(1793516400),
         INT64_C(1793606400)							}, /* 2026-11-01 07:00 */
	{"and after the hour came twice",   INT64_C(1793523600), INT64_C(1793606400)},
	{"a leap day",                      INT64_C(1835424000), INT64_C(1835510400)}, /* 2028-02-29 08:00 */
};

static void test_days(void)
{
	for (size_t i = 0; i < COUNT_OF(days); i++)
		is_int(pacific_midnight_s(days[i].now_s), days[i].want_s, "%s", days[i].name);
}

/* ---- requests ---- */

#define CHAT "/v1beta/models/m:generateContent"
#define HI   "'contents':[{'role':'user','parts':[{'text':'x'}]}]"

/* clang-format off */
/* With ' for ". `want` absent: what came goes out. */
static const struct {
	const char *name, *path, *body, *want;
} bodies[] = {
	{"the least",				 CHAT, "{" HI "}",							    NULL                                  },
	{"snake case",				CHAT,
         "{'system_instruction':{'parts':{'text':'s'}},'contents':{'parts':[{'text':'x'},"
		"{'inline_data':{'mime_type':'image/png','data':'iVBORw0KGgo='}}]},"
		"'generation_config':{'top_p':0.5,'max_output_tokens':5}}",							"{'systemInstruction':{'parts':[{'text':'s'}]},'contents':[{'role':'user','parts':["
		"{'text':'x'},{'inlineData':{'mimeType':'image/png','data':'iVBORw0KGgo='}}]}],"
		"'generationConfig':{'topP':0.5,'maxOutputTokens':5}}"                        },
	{"members that nobody knows, at every level", CHAT,
         "{'systemInstruction':{'parts':[{'text':'s','a':1}],'b':2.0},'contents':[{'role':'"
		"user',"
		"'c':[1e400],'parts':[{'text':'x','d':true},{'inlineData':{'mimeType':'image/"
		"png','data':"
		"'iVBORw0KGgo=','e':-0},'f':{}}]},{'role':'model','g':null,'parts':[{'functionCall'"
		":{'id':"
		"'i','name':'n','args':{'big':9007199254740993},'h':[]},'thoughtSignature':'S','j':"
		"'\\u20ac'}]"
		"},{'role':'user','k':1,'parts':[{'functionResponse':{'id':'i','name':'n','"
		"response':{'q':1.0"
		"},'l':2},'m':3},{'text':'and?'}]}],'tools':[{'functionDeclarations':[{'name':'n',"
		"'description':'d','o':4}]}],'toolConfig':{'functionCallingConfig':{'mode':'AUTO','"
		"p':5},'q':"
		"6},'generationConfig':{'topK':7,'thinkingConfig':{'r':8},'s':9},'safetySettings':["
		"{'t':10}]"
		",'u':{'z':1,'a':2}}",											     NULL				  },
	{"signatures where they were",                CHAT,
         "{'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model','parts':[{'"
		"text':'h',"
		"'thought':true,'thoughtSignature':'A'},{'text':'y','thoughtSignature':'B'},{'"
		"functionCall':"
		"{'name':'f','args':{}},'thoughtSignature':'C'},{'functionCall':{'name':'f','args':"
		"{'a':1}}},"
		"{'executableCode':{'code':'1'},'thoughtSignature':'D'},{'inlineData':{'mimeType':"
		"'image/"
		"png','data':'iVBORw0KGgo='},'thoughtSignature':'E'},{'text':'','thoughtSignature':"
		"'F'}]},{'role':'user','parts':[{'functionResponse':{'name':'f','response':{'"
		"output':'1'}}},"
		"{'functionResponse':{'name':'f','response':{'error':'2'}}}]}]}",						  NULL				  },
	{"results that are told by id",               CHAT,
         "{'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model','parts':["
		"{'functionCall':{'id':'a','name':'f','args':{}}},{'functionCall':{'id':'b','name':"
		"'f',"
		"'args':{}}}]},{'role':'function','parts':[{'functionResponse':{'id':'b','name':'f'"
		","
		"'response':{'output':'B'}}},{'functionResponse':{'id':'a','name':'f','response':{'"
		"output':"
		"'{}'}}}]}]}",												     "{'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model','parts':["
		"{'functionCall':{'id':'a','name':'f','args':{}}},{'functionCall':{'id':'b','name':"
		"'f',"
		"'args':{}}}]},{'role':'user','parts':[{'functionResponse':{'id':'a','name':'f',"
		"'response':{'output':'{}'}}},{'functionResponse':{'id':'b','name':'f','response':{"
		"'output':"
		"'B'}}}]}]}"													       },
	{"a turn of the model's in pieces, as clients keep a stream", CHAT,
         "{'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model','parts':[{'text':'I'}]},"
		"{'role':'model','parts':[{'text':' look.'}]},{'role':'model','parts':[{'functionCall':{"
		"'name':'f','args':{}}}]},{'role':'model','parts':[{'functionCall':{'name':'g','args':{}}}]},"
		"{'role':'model','parts':[{'text':''}]},{'role':'user','parts':[{'functionResponse':{'name':'g',"
		"'response':{'output':'2'}}},{'functionResponse':{'name':'f','response':{'output':'1'}}}]}]}",
         "{'contents':[{'role':'user','parts':[{'text':'x'}]},{'role':'model','parts':[{'text':'I look.'},"
		"{'functionCall':{'name':'f','args':{}}},{'functionCall':{'name':'g','args':{}}}]},"
		"{'role':'user','parts':[{'functionResponse':{'name':'f','response':{'output':'1'}}},"
		"{'functionResponse':{'name':'g','response':{'output':'2'}}}]}]}"},
	{"tools of the provider's own",               CHAT,
         "{" HI ",'tools':[{'googleSearch':{}},{'codeExecution':{'x':1},'urlContext':{}}]}",
         "{" HI
		",'tools':[{'googleSearch':{}},{'codeExecution':{'x':1}},{'urlContext':{}}]}"                                                                            },
	{"schemas in the form of OpenAPI",            CHAT,
         "{" HI
		",'tools':[{'functionDeclarations':[{'name':'f','description':'d','parameters':{"
		"'type':'OBJECT','properties':{'type':{'type':'STRING','nullable':true},'l':{'type'"
		":'ARRAY',"
		"'items':{'anyOf':[{'type':'NUMBER'}]}}}}}]}]}",								   "{" HI ",'tools':[{'functionDeclarations':[{'name':'f','description':'d',"
		"'parametersJsonSchema':{'type':'object','properties':{'type':{'type':['string','"
		"null']},"
		"'l':{'type':'array','items':{'anyOf':[{'type':'number'}]}}}}}]}]}"                      },
	{"the same in snake case",                    CHAT,
         "{" HI ",'generation_config':{'response_mime_type':'application/json',"
		"'response_schema':{'type':'OBJECT','properties':{'any_of':{'any_of':[{'type':'"
		"STRING'},"
		"{'type':'ARRAY','min_items':1}]}},'property_ordering':['any_of']}}}",					     "{" HI ",'generationConfig':{'responseMimeType':'application/json',"
		"'responseJsonSchema':{'type':'object','properties':{'any_of':{'anyOf':[{'type':'"
		"string'},"
		"{'type':'array','minItems':1}]}},'propertyOrdering':['any_of']}}}"},
	{"and of the answer",                         CHAT,
         "{" HI
		",'generationConfig':{'responseMimeType':'application/json','responseSchema':{"
		"'type':'INTEGER'}}}",											     "{" HI
		",'generationConfig':{'responseMimeType':'application/json','responseJsonSchema':"
		"{'type':'integer'}}}"											     },
	{"one function that must be called",          CHAT,
         "{" HI
		",'tools':[{'functionDeclarations':[{'name':'f','description':'d'}]}],'toolConfig':"
		"{'functionCallingConfig':{'mode':'ANY','allowedFunctionNames':['f']}}}",					  NULL				  },
	{"functions held to their schemas",           CHAT,
         "{" HI
		",'tools':[{'functionDeclarations':[{'name':'f','description':'d'}]}],'toolConfig':"
		"{'functionCallingConfig':{'mode':'VALIDATED'}}}",								 "{" HI
		",'tools':[{'functionDeclarations':[{'name':'f','description':'d'}]}],'toolConfig':"
		"{'functionCallingConfig':{'mode':'VALIDATED','allowedFunctionNames':['f']}}}"         },
	{"all of generationConfig",                   CHAT,
         "{" HI
		",'generationConfig':{'temperature':0.5,'topP':0.9,'topK':40,'maxOutputTokens':9,"
		"'stopSequences':['a','b'],'candidateCount':2,'seed':-1,'presencePenalty':0.25,"
		"'frequencyPenalty':-0.25,'responseMimeType':'application/"
		"json','responseLogprobs':true,"
		"'logprobs':3,'responseModalities':['TEXT','IMAGE'],'speechConfig':{'voiceConfig':{"
		"'prebuiltVoiceConfig':{'voiceName':'Kore'}}},'thinkingConfig':{'includeThoughts':"
		"true,"
		"'thinkingBudget':1024},'mediaResolution':'X'},'serviceTier':'flex'}",					     NULL				  },
	{"thinking as it likes",                      CHAT,
         "{" HI
		",'generationConfig':{'thinkingConfig':{'includeThoughts':true,'thinkingBudget':"
		"-1}}}",													   NULL				  },
	{"no thinking",			       CHAT, "{" HI ",'generationConfig':{'thinkingConfig':{'thinkingBudget':0}}}",
         NULL																			    },
	{"a voice finer than its name",               CHAT,
         "{" HI ",'generationConfig':{'responseModalities':['AUDIO'],'speechConfig':{"
		"'languageCode':'de'}}}",											  NULL				  },
	{"files by address",                          CHAT,
         "{'contents':[{'role':'user','parts':[{'fileData':{'mimeType':'application/"
		"pdf','fileUri':"
		"'https://generativelanguage.googleapis.com/v1beta/files/"
		"a'}},{'fileData':{'mimeType':"
		"'video/mp4','fileUri':'https://b.example/c'},'videoMetadata':{'fps':1}}]}]}",				     NULL				  },
};
/* clang-format on */

/* ' for ", in the arena. */
static struct span quoted(const char *text, struct arena *a)
{
	char *copy = arena_str(a, span_str(text));
	if (!copy)
		bail("no memory");
	for (char *c = copy; *c; c++)
		*c = (char)(*c == '\'' ? '"' : *c);
	return span_str(copy);
}

static enum err decode(const char *path, struct span body, struct arena *a, struct notes *notes,
	struct llm_request *r, struct fault *why)
{
	const struct surface_call call = {.method = SPAN("POST"), .path = span_str(path)};
	*why = FAULT_NONE;
	notes_init(notes, a);
	return dialect_find(SPAN("gemini"))
		->ops[LLM_OP_CHAT]
		->decode_request(&call, body, a, r, notes, why);
}

static void test_bodies(void)
{
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct arena a;
		struct fault why = FAULT_NONE;
		struct target target;
		struct notes notes;
		struct llm_request r;
		struct http_request http = {.n_headers = 0};
		arena_init(&a, LIMIT_REQUEST_ARENA);
		const struct host_wish wish = {.family = SPAN("gemini")};
		struct config *config = host_target(&wish, &a, &target, &why);
		if (!config)
			bail("no target: %s", why.message);
		const struct span body = quoted(bodies[i].body, &a);
		const struct span want =
			quoted(bodies[i].want ? bodies[i].want : bodies[i].body, &a);
		is_err(decode(bodies[i].path, body, &a, &notes, &r, &why), OK, "%s: %s",
			bodies[i].name, why.message);
		is_err(dialect_find(SPAN("gemini"))
				->ops[LLM_OP_CHAT]
				->encode_request(&r, &target, &FEED_ENV, &notes, &http, &why),
			OK, "%s, back: %s", bodies[i].name, why.message);
		is_mem(http.body.p, http.body.n, want.p, want.n, "%s, the body", bodies[i].name);
		is_uint(notes.n_warnings, (size_t)0, "%s, no warnings", bodies[i].name);
		arena_done(&a);
		config_unref(config);
	}
}

/* ---- paths ---- */

static const struct {
	const char *path, *model;
	bool is_stream;
	enum err err;
} paths[] = {
	{"/v1beta/models/gemini-2.5-flash:generateContent",                             "gemini-2.5-flash",            false, OK                 },
	{"/v1beta/models/gemini-2.5-flash:streamGenerateContent",                       "gemini-2.5-flash",            true,  OK                 },
	{"/v1/models/openai%2Fgpt-4o:generateContent",                                  "openai/gpt-4o",               false, OK                 },
	{"/v1/models/openai/gpt-4o:generateContent",                                    "openai/gpt-4o",               false, OK                 },
	{"/v1/models/ollama/qwen3:8b:generateContent",                                  "ollama/qwen3:8b",             false, OK                 },
	{"/v1beta/tunedModels/mine:generateContent",                                    "tunedModels/mine",            false, OK                 },
	{"/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent", "g",                           true,
         OK																      },
	{"/v1beta/anthropic/claude-sonnet-4-5:streamGenerateContent",                   "anthropic/claude-sonnet-4-5",
         true,														OK                 },
	{"/v1/ollama/qwen3:8b:generateContent",                                         "ollama/qwen3:8b",             false, OK                 },
	{"/v1beta/fireworks/a/models/m:generateContent",                                "fireworks/a/models/m",        false, OK                 },
	{"/openai/gpt-4o:generateContent",					      "openai/gpt-4o",               false, OK                 },
	{"/proxy/models/g:generateContent",					     "g",                           false, OK                 },
	{"/v1beta/models/g:batchEmbedContents",                                         NULL,                          false, ERR_UNSUPPORTED    },
	{"/v1beta/models/g:countTokens",						NULL,                          false, ERR_UNSUPPORTED    },
	{"/v1beta/models/:generateContent",					     NULL,                          false, ERR_INVALID_REQUEST},
	{"/v1beta/models/g",							    NULL,                          false, ERR_INVALID_REQUEST},
	{"/v1beta/generateContent",						     NULL,                          false, ERR_INVALID_REQUEST},
};

static void test_paths(void)
{
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct arena a;
		struct fault why;
		struct notes notes;
		struct llm_request r;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		const enum err err =
			decode(paths[i].path, quoted("{" HI "}", &a), &a, &notes, &r, &why);
		is_err(err, paths[i].err, "%s", paths[i].path);
		if (paths[i].model) {
			is_mem(r.model.p, r.model.n, paths[i].model, strlen(paths[i].model),
				"%s, the model", paths[i].path);
			is_int(r.is_stream, paths[i].is_stream, "%s, streamed", paths[i].path);
		}
		arena_done(&a);
	}
}

/* ---- what is refused, and where ---- */

static const struct {
	const char *body, *param;
} refused[] = {
	{"{}",									    "contents"                 },
	{"{'contents':[],'generationConfig':{}}",                                         "contents"                 },
	{"{'contents':7}",								"contents"                 },
	{"{'contents':[{'role':'tool','parts':[]}]}",                                     "contents[0].role"         },
	{"{'contents':[{'parts':[{'text':7}]}]}",                                         "contents[0].parts[0].text"},
	{"{'contents':[{'parts':[7]}]}",						  "contents[0].parts[0]"     },
	{"{'contents':[{'parts':[{'inlineData':{'mimeType':'image/png'}}]}]}",
         "contents[0].parts[0].inlineData"									   },
	{"{'contents':[{'parts':[{'inlineData':{'mimeType':'image/png','data':'!'}}]}]}",
         "contents[0].parts[0].inlineData"									   },
	{"{'contents':[{'parts':[{'functionCall':{'name':'f'}}]}]}",                      "contents[0].parts[0]"     },
	{"{'contents':[{'role':'model','parts':[{'functionCall':{'args':{}}}]}]}",
         "contents[0].parts[0].functionCall"									 },
	{"{'contents':[{'parts':[{'functionResponse':{'name':'f','response':{}}}]}]}",
         "contents[0].parts[0].functionResponse"								     },
	{"{'contents':[{'parts':[{'text':'a','text':'b'}]}]}",                            "text"                     },
	{"{'systemInstruction':{'parts':[{'inlineData':{'data':''}}]},'contents':[]}",
         "systemInstruction.parts"										   },
	{"{" HI ",'tools':[7]}",							  "tools[0]"                 },
	{"{" HI ",'tools':[{'functionDeclarations':[{'description':'d'}]}]}",
         "tools[0].functionDeclarations[0]"									  },
	{"{" HI ",'tools':[{'functionDeclarations':[{'name':'f','parameters':[]}]}]}",
         "tools[0].functionDeclarations[0].parameters"							       },
	{"{" HI ",'toolConfig':{'functionCallingConfig':{'mode':'SOME'}}}",
         "toolConfig.functionCallingConfig.mode"								     },
	{"{" HI ",'toolConfig':{'functionCallingConfig':{'allowedFunctionNames':[1]}}}",
         "toolConfig.functionCallingConfig.allowedFunctionNames[0]"                                                  },
	{"{" HI ",'generationConfig':{'topK':1.5}}",                                      "generationConfig.topK"    },
	{"{" HI ",'generationConfig':{'responseMimeType':'text/x.enum'}}",
         "generationConfig.responseMimeType"									 },
	{"{" HI ",'generationConfig':{'thinkingConfig':{'thinkingBudget':'x'}}}",
         "generationConfig.thinkingConfig.thinkingBudget"                                                            },
	{"{" HI ",'labels':{'a':1}}",						     "labels.a"                 },
	{"[]",									    ""			 },
	{"{",									     ""			 },
};

static void test_refused(void)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct arena a;
		struct fault why;
		struct notes notes;
		struct llm_request r;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		is_err(decode(CHAT, quoted(refused[i].body, &a), &a, &notes, &r, &why),
			ERR_INVALID_REQUEST, "%s", refused[i].body);
		is_str(why.param, refused[i].param, "%s, the place", refused[i].body);
		arena_done(&a);
	}
}

int main(void)
{
	test_days();
	test_bodies();
	test_paths();
	test_refused();
	return tap_done();
}
