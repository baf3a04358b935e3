/* test_dialect_errors.c - what an error reply means, and what of it may be repeated. */
#include <stdio.h>

#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name, *body, *message, *type, *code, *param;
} bodies[] = {
	{"OpenAI",		     "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":\"c\"}}",
         "m",															  "t", "c",    "p"},
	{"a number for a code",        "{\"error\":{\"message\":\"m\",\"code\":429}}",                                  "m",           "",  "429",  "" },
	{"nulls",		      "{\"error\":{\"message\":\"m\",\"type\":null,\"param\":null,\"code\":null}}",    "m",
         "",																"",     "" },
	{"an array around it",         "[{\"error\":{\"message\":\"m\"}}]",                                             "m",           "",  "",     "" },
	{"a string for an error",      "{\"error\":\"m\",\"code\":\"c\"}",                                              "m",           "c", "c",    "" },
	{"flat",		       "{\"message\":\"m\",\"type\":\"t\",\"code\":\"c\"}",                             "m",           "t", "c",    "" },
	{"a message inside a message", "{\"message\":{\"message\":\"m\"}}",                                             "m",           "",  "",     "" },
	{"Amazon",		     "{\"Message\":\"m\",\"__type\":\"t\"}",                                          "m",           "t", "",     "" },
	{"detail as text",             "{\"detail\":\"m\"}",							    "m",           "",  "",     "" },
	{"detail as a list",           "{\"detail\":[{\"loc\":[\"a\"],\"msg\":\"m\",\"type\":\"t\"}]}",                 "m",
         "t",															       "",     "" },
	{"errors",		     "{\"errors\":[{\"message\":\"m\"}]}",                                            "m",           "",  "",     "" },
	{"title",		      "{\"title\":\"m\",\"status\":403}",                                              "m",           "",  "",     "" },
	{"Apigee",		     "{\"fault\":{\"faultstring\":\"m\"}}",                                           "m",           "",  "",     "" },
	{"MiniMax",		    "{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"m\"}}",                   "m",           "",  "1004",
         ""																	    },
	{"a string alone",             "\"m\"",									 "m",           "",  "",     "" },
	{"Anthropic",                  "{\"type\":\"error\",\"error\":{\"type\":\"t\",\"message\":\"m\"}}",             "m",           "t",
         "",																	"" },
	{"a byte order mark",          "\xef\xbb\xbf{\"error\":{\"message\":\"m\"}}",                                   "m",           "",  "",     "" },
	{"HTML",		       "<html><head><TITLE class=x> m </TITLE></head><body>b</body></html>",            "m",           "",  "",
         ""																	    },
	{"HTML without a title",       "<html><body>b</body></html>",                                                   "",            "",  "",     "" },
	{"plain text",                 "  m \n",									"m",           "",  "",     "" },
	{"broken JSON",                "{\"error\":",								   "{\"error\":", "",  "",     "" },
	{"an empty object",            "{}",									    "",            "",  "",     "" },
	{"nothing",		    "",									      "",            "",  "",     "" },
};

static void test_bodies(void)
{
	for (size_t i = 0; i < COUNT_OF(bodies); i++) {
		struct error_body b;
		error_read(span_str(bodies[i].body), &b);
		is_str(b.message, bodies[i].message, "%s: message", bodies[i].name);
		is_str(b.type, bodies[i].type, "%s: type", bodies[i].name);
		is_str(b.code, bodies[i].code, "%s: code", bodies[i].name);
		is_str(b.param, bodies[i].param, "%s: param", bodies[i].name);
	}
}

static const struct {
	const char *family;
	int status;
	const char *body;
	enum err class;
	const char *code;
} replies[] = {
	{"openai-chat", 400, "{\"error\":{\"code\":\"context_length_exceeded\"}}",
         ERR_CONTEXT_LENGTH,											     "context_length_exceeded"    },
	{"openai-chat", 400, "{\"error\":{\"code\":\"invalid_prompt\"}}",                          ERR_CONTENT_FILTERED,
         "invalid_prompt"															     },
	{"openai-chat", 400, "{\"error\":{\"code\":\"DeploymentNotFound\"}}",                      ERR_NOT_FOUND,
         "DeploymentNotFound"															 },
	{"openai-chat", 400, "{\"error\":{\"code\":\"billing_hard_limit_reached\"}}",
         ERR_QUOTA_EXHAUSTED,											    "billing_hard_limit_reached" },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"Invalid schema for function "
		"'get_monthly_report'\",\"code\":\"invalid_function_parameters\"}}",               ERR_INVALID_REQUEST,  "invalid_function_parameters"},
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"Invalid tools[0].function.description: moderation "
		"tool\",\"code\":\"invalid_value\"}}",					     ERR_INVALID_REQUEST,  "invalid_value"              },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"safety_identifier too "
		"long\",\"code\":\"string_above_max_length\"}}",				   ERR_INVALID_REQUEST,  "string_above_max_length"    },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"payment is no "
		"object\",\"code\":\"invalid_json_schema\"}}",				     ERR_INVALID_REQUEST,  "invalid_json_schema"        },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"Invalid schema for function 'get_monthly_report'\"}}",         ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"`billing` isn't known, nor is 'payment'\"}}",		  ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"Your team's monthly budget of 'x' is spent\"}}",               ERR_QUOTA_EXHAUSTED,  ""                           },
	{"openai-chat", 400, "{\"error\":{\"message\":\"too many input tokens\"}}",
         ERR_CONTEXT_LENGTH,											     ""                           },
	{"openai-chat", 400,
         "{\"error\":{\"message\":\"tokens per minute: maximum context reached\"}}",               ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 422, "{\"error\":{\"message\":\"Input length 9 exceeds 8\"}}",
         ERR_CONTEXT_LENGTH,											     ""                           },
	{"openai-chat", 403, "{\"error\":{\"message\":\"flagged by moderation\"}}",
         ERR_CONTENT_FILTERED,											   ""                           },
	{"openai-chat", 429, "{\"error\":{\"type\":\"insufficient_quota\"}}",                      ERR_QUOTA_EXHAUSTED,
         "insufficient_quota"															 },
	{"openai-chat", 429, "{\"error\":{\"code\":\"slow_down\"}}",                               ERR_OVERLOADED,       "slow_down"                  },
	{"openai-chat", 429, "{\"error\":{\"message\":\"We are experiencing high demand\"}}",
         ERR_OVERLOADED,												 ""                           },
	{"openai-chat", 429, "{\"error\":{\"message\":\"Insufficient balance\"}}",
         ERR_QUOTA_EXHAUSTED,											    ""                           },
	{"openai-chat", 429, "",								   ERR_RATE_LIMITED,     ""                           },
	{"openai-chat", 404, "{\"error\":{\"code\":\"404\",\"message\":\"Resource not found\"}}",
         ERR_NOT_FOUND,												  "endpoint"                   },
	{"openai-chat", 404, "{\"error\":{\"code\":\"unknown_model\"}}",                           ERR_NOT_FOUND,
         "unknown_model"															      },
	{"openai-chat", 400, "{}",								 ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 401, "{}",								 ERR_AUTH,             ""                           },
	{"openai-chat", 402, "{}",								 ERR_QUOTA_EXHAUSTED,  ""                           },
	{"openai-chat", 403, "{}",								 ERR_PERMISSION,       ""                           },
	{"openai-chat", 405, "{}",								 ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 408, "{}",								 ERR_TIMEOUT,          ""                           },
	{"openai-chat", 409, "{}",								 ERR_SERVER_ERROR,     ""                           },
	{"openai-chat", 410, "{}",								 ERR_NOT_FOUND,        ""                           },
	{"openai-chat", 413, "{}",								 ERR_INVALID_REQUEST,  "request_too_large"          },
	{"openai-chat", 418, "{}",								 ERR_INVALID_REQUEST,  ""                           },
	{"openai-chat", 424, "{}",								 ERR_SERVER_ERROR,     ""                           },
	{"openai-chat", 451, "{}",								 ERR_PERMISSION,       ""                           },
	{"openai-chat", 498, "{}",								 ERR_OVERLOADED,       ""                           },
	{"openai-chat", 499, "{}",								 ERR_CONNECTION,       ""                           },
	{"openai-chat", 500, "{}",								 ERR_SERVER_ERROR,     ""                           },
	{"openai-chat", 503, "{}",								 ERR_OVERLOADED,       ""                           },
	{"openai-chat", 504, "{}",								 ERR_TIMEOUT,          ""                           },
	{"openai-chat", 520, "{}",								 ERR_SERVER_ERROR,     ""                           },
	{"openai-chat", 522, "{}",								 ERR_TIMEOUT,          ""                           },
	{"openai-chat", 529, "{}",								 ERR_OVERLOADED,       ""                           },
	{"openai-chat", 599, "{}",								 ERR_SERVER_ERROR,     ""                           },
	{"anthropic",   400,
         "{\"error\":{\"message\":\"input length and `max_tokens` exceed context limit\"}}",       ERR_CONTEXT_LENGTH,   ""                           },
	{"anthropic",   400,
         "{\"error\":{\"message\":\"Output blocked by content filtering policy\"}}",               ERR_CONTENT_FILTERED, ""                           },
	{"anthropic",   400,
         "{\"error\":{\"type\":\"x\",\"message\":\"prompt is too long\","
		"\"details\":{\"error_code\":\"organization_on_hold\"}}}",			 ERR_PERMISSION,       "organization_on_hold"       },
	{"anthropic",   402, "{\"error\":{\"type\":\"billing_error\"}}",                           ERR_QUOTA_EXHAUSTED,
         "billing_error"															      },
	{"anthropic",   429, "{\"error\":{\"details\":{\"error_code\":\"ramp_limit_exceeded\"}}}",
         ERR_RATE_LIMITED,											       "ramp_limit_exceeded"        },
	{"anthropic",   503, "{\"error\":{\"type\":\"overloaded_error\"}}",                        ERR_OVERLOADED,
         "overloaded_error"															   },
	{"anthropic",   504, "{\"error\":{\"type\":\"timeout_error\"}}",                           ERR_TIMEOUT,
         "timeout_error"															      },
};

static void test_replies(void)
{
	const struct target target = {.provider = SPAN("somewhere")};
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		const struct http_reply reply = {
			{replies[i].status, NULL, 0},
                        span_str(replies[i].body)
                };
		struct fault f;
		dialect_find(span_str(replies[i].family))->explain(&reply, &target, &f);
		is_str(err_info(f.err)->word, err_info(replies[i].class)->word, "%s %d %s",
			replies[i].family, replies[i].status, replies[i].body);
		is_str(f.code, replies[i].code, "its code");
		ok(f.message[0] && f.http_status == replies[i].status, "a sentence and the status");
		is_str(f.provider, "somewhere", "and who said it");
	}
}

static const struct {
	const char *text, *want;
} secrets[] = {
	{"Incorrect API key provided: sk-abcdefgh12345678.", "Incorrect API key provided: sk-***."},
	{"key sk-proj-****************wxyz is bad",          "key sk-*** is bad"                  },
	{"(gsk_0123456789abcdef)",                           "(gsk_***)"                          },
	{"Bearer abcdef0123456789",                          "Bearer ***"                         },
	{"Your api key: ****-key is invalid",                "Your api key: ****-key is invalid"  },
	{"Your API Key: 0123456789abcdef",                   "Your API Key: ***"                  },
	{"AIzaSyA-1234567890",			       "AIza***"                            },
	{"sk-short",					 "sk-***"			     },
	{"sk-1",					     "sk-1"			       },
	{"task-force risk-averse",                           "task-force risk-averse"             },
	{"The model `gpt-4o` does not exist",                "The model `gpt-4o` does not exist"  },
	{"https://platform.openai.com/account/api-keys.",
         "https://platform.openai.com/account/api-keys."                                          },
	{"",						 ""				   },
};

static void test_secrets(void)
{
	char field[64];
	for (size_t i = 0; i < COUNT_OF(secrets); i++) {
		error_redact(field, sizeof field, span_str(secrets[i].text));
		is_str(field, secrets[i].want, "\"%s\"", secrets[i].text);
	}
	error_redact(field, 8, SPAN("abcd \xe2\x82\xac"));
	is_str(field, "abcd ", "what does not fit is cut at a character");
}

static const struct {
	const char *message, *remaining, *reset;
	int64_t want_ms;
} waits[] = {
	{"Please try again in 20ms.",          NULL, NULL,       20     },
	{"Please try again in 1.5s.",          NULL, NULL,       1500   },
	{"Please try again in 6m0s. Visit",    NULL, NULL,       360000 },
	{"try again in 1h2m3.25s",             NULL, NULL,       3723250},
	{"Please retry after 26 seconds.",     NULL, NULL,       26000  },
	{"Please retry after 26 seconds",      "0",  "1s",       26000  },
	{"wait 3 minutes",                     NULL, NULL,       180000 },
	{"retry in 2 and a half",              NULL, NULL,       2000   },
	{"try again in a while",               NULL, NULL,       -1     },
	{"no",				 "0",  "2m59.56s", 179560 },
	{"no",				 "0",  "12",       12000  },
	{"no",				 "1",  "12",       -1     },
	{"no",				 "0",  "soon",     -1     },
	{"try again in 99999999999999999999s", NULL, NULL,       -1     },
};

static void test_waits(void)
{
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		char body[256];
		struct fault f;
		struct http_header headers[] = {
			{SPAN("x-ratelimit-remaining-tokens"), span_str(waits[i].remaining)},
			{SPAN("x-ratelimit-reset-tokens"),     span_str(waits[i].reset)    },
		};
		(void)snprintf(
			body, sizeof body, "{\"error\":{\"message\":\"%s\"}}", waits[i].message);
		const struct http_reply reply = {
			{429, headers, waits[i].remaining ? 2 : 0},
                        span_str(body)
                };
		dialect_find(SPAN("openai-chat"))->explain(&reply, NULL, &f);
		is_int(f.retry_after_ms, waits[i].want_ms, "%s, %s of it left", waits[i].message,
			waits[i].remaining ? waits[i].remaining : "?");
	}
}

int main(void)
{
	test_bodies();
	test_replies();
	test_secrets();
	test_waits();
	return tap_done();
}
