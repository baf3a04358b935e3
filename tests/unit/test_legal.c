/* test_legal.c - does the fuzzer's second opinion know a legal stream from one that is not? */
#include "tests/lib/legal.h"
#include "tests/lib/tap.h"

#define ROLE                                                                                    \
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}," \
	"\"finish_reason\":null}]}\n\n"
#define TEXT     \
	"data: " \
	"{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n"
#define STOP "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define FAIL "data: {\"error\":{\"message\":\"m\"}}\n\n"

#define NAMED(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define START             NAMED("message_start", "")
#define BLOCK             NAMED("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\"}")
#define DELTA(kind)       NAMED("content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"" kind "\"}")
#define CLOSE             NAMED("content_block_stop", ",\"index\":0")
#define END               NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}")
#define LAST              NAMED("message_stop", "")

#define NUMBERED(type, n, rest) NAMED("response." type, ",\"sequence_number\":" n rest)
#define CREATED                 NUMBERED("created", "0", "")
#define PROGRESS                NUMBERED("in_progress", "1", "")
#define ADDED \
	NUMBERED("output_item.added", "2", ",\"output_index\":0,\"item\":{\"type\":\"message\"}")
#define PART     NUMBERED("content_part.added", "3", ",\"output_index\":0,\"content_index\":0")
#define PIECE    NUMBERED("output_text.delta", "4", ",\"output_index\":0")
#define WHOLE    NUMBERED("output_text.done", "5", ",\"output_index\":0")
#define PART_END NUMBERED("content_part.done", "6", ",\"output_index\":0,\"content_index\":0")
#define ITEM_END \
	NUMBERED("output_item.done", "7", ",\"output_index\":0,\"item\":{\"type\":\"message\"}")
#define COMPLETED(n) NUMBERED("completed", n, "")

#define SAYS(rest) \
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}" rest "}]}\n\n"

static const struct {
	const char *name, *family, *said;
	enum legal_end end;
	bool is_legal;
} streams[] = {
	{"a chat",						"openai-chat",				    ROLE TEXT STOP DONE,										      LEGAL_WHOLE,true        },
	{"one that may go on",				    "openai-chat",                                    ROLE TEXT,												LEGAL_OPEN,true        },
	{"one that has no last",				  "openai-chat",                                    ROLE TEXT STOP,											   LEGAL_WHOLE,false       },
	{"one whose choice goes on",                              "openai-chat",                                    ROLE TEXT DONE,											   LEGAL_WHOLE,false       },
	{"one without a role",				    "openai-chat",                                    TEXT STOP DONE,											   LEGAL_WHOLE,false       },
	{"one with a role twice",                                 "openai-chat",                                    ROLE ROLE STOP DONE,										      LEGAL_WHOLE,false       },
	{"something behind its finish",                           "openai-chat",                                    ROLE STOP TEXT DONE,										      LEGAL_WHOLE,false       },
	{"something behind its last",                             "openai-chat",                                    ROLE STOP DONE TEXT,										      LEGAL_WHOLE,false       },
	{"the last twice",					"openai-chat",                                    ROLE STOP DONE DONE,										      LEGAL_WHOLE,false       },
	{"one that failed",				       "openai-chat",                                    ROLE TEXT FAIL,											   LEGAL_FAILED,true        },
	{"one that did not say so",                               "openai-chat",                                    ROLE TEXT STOP DONE,										      LEGAL_FAILED,false       },
	{"one that failed for nothing",                           "openai-chat",                                    ROLE TEXT FAIL,											   LEGAL_WHOLE,false       },
	{"no empty line",					 "openai-chat",                                    ROLE "data: [DONE]\n",										    LEGAL_OPEN,false       },
	{"no JSON",					       "openai-chat",				    "data: {\n\n",											    LEGAL_OPEN,false       },
	{"no UTF-8",					      "openai-chat",				    "data: {\"a\":\"\xff\"}\n\n",									     LEGAL_OPEN,false       },
	{"text of the older kind",                                "openai-completions",                             TEXT STOP DONE,											   LEGAL_WHOLE,true        },
	{"a message",					     "anthropic",				      START BLOCK DELTA("text_delta") CLOSE END LAST,                                                           LEGAL_WHOLE,
         true},
	{"one without blocks",				    "anthropic",                                      START END LAST,											   LEGAL_WHOLE,true        },
	{"an open block",					 "anthropic",                                      START BLOCK END LAST,										     LEGAL_WHOLE,false       },
	{"a block in a block",				    "anthropic",                                      START BLOCK BLOCK CLOSE END LAST,                                                                         LEGAL_WHOLE,false       },
	{"a block again",					 "anthropic",                                      START BLOCK CLOSE BLOCK CLOSE END LAST,                                                                   LEGAL_WHOLE,false       },
	{"a piece of no block",				   "anthropic",                                      START DELTA("text_delta") END LAST,                                                                       LEGAL_WHOLE,
         false},
	{"another block's piece",                                 "anthropic",                                      START BLOCK DELTA("thinking_delta") CLOSE END LAST,
         LEGAL_WHOLE,false       },
	{"no beginning",					  "anthropic",				      BLOCK CLOSE END LAST,										     LEGAL_WHOLE,false       },
	{"no end",						"anthropic",				      START BLOCK CLOSE LAST,										   LEGAL_WHOLE,false       },
	{"no last",					       "anthropic",				      START BLOCK CLOSE END,										    LEGAL_WHOLE,false       },
	{"an error",					      "anthropic",				      START BLOCK NAMED("error",										""),LEGAL_FAILED, true},
	{"something behind an error",						       "anthropic",									     START NAMED("error",														    "") LAST,LEGAL_FAILED,
         false},
	{"another name",						   "anthropic",												   "event: ping\ndata: {\"type\":\"pong\"}\n\n",																							      LEGAL_OPEN,
         false},
	{"a response",						   "openai-responses",
         CREATED PROGRESS ADDED PART PIECE WHOLE PART_END ITEM_END COMPLETED("8"),
         LEGAL_WHOLE,true},
	{"one of nothing",						   "openai-responses",												   CREATED PROGRESS COMPLETED("2"),																							    LEGAL_WHOLE,true                },
	{"a number left out",						   "openai-responses",												   CREATED PROGRESS COMPLETED("3"),																							 LEGAL_WHOLE,
         false},
	{"no in_progress",						   "openai-responses",												   CREATED COMPLETED("1"),																							    LEGAL_WHOLE,false                        },
	{"an open item",						  "openai-responses",												  CREATED PROGRESS ADDED COMPLETED("3"),																							     LEGAL_WHOLE,
         false},
	{"a piece of no part",						   "openai-responses",
         CREATED PROGRESS ADDED NUMBERED("output_text.delta",																							"3",",\"output_index\":0"),
         LEGAL_OPEN, false},
	{"a part that is open",				 "openai-responses",
         CREATED PROGRESS ADDED PART NUMBERED("output_item.done",																								   "4",
         ",\"output_index\":0,\"item\":{\"type\":\"message\"}"),
         LEGAL_OPEN, false},
	{"the text of another item", "openai-responses",
         CREATED PROGRESS ADDED PART NUMBERED(
			"function_call_arguments.delta",																			      "4",",\"output_index\":0"),
         LEGAL_OPEN, false},
	{"one that failed",			      "openai-responses",							    CREATED PROGRESS NUMBERED("failed",																				      "2",""),
         LEGAL_FAILED, true},
	{"an error",						  "openai-responses",												  NAMED("error",																							  ",\"sequence_number\":0"),LEGAL_FAILED,
         true},
	{"candidates",						    "gemini",											      SAYS("") SAYS(",\"finishReason\":\"STOP\""),																								  LEGAL_WHOLE,true},
	{"one that has no end",					  "gemini",SAYS(""),LEGAL_WHOLE,false},
	{"something behind the end","gemini",SAYS(",\"finishReason\":\"STOP\"") SAYS(""),
         LEGAL_WHOLE,false},
	{"a part of two kinds",      "gemini",
         "data: "
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\",\"functionCall\":{}}]}}]}"
		"\n\n",																																					  LEGAL_OPEN,										    false																				      },
	{"an error",						    "gemini",																		      SAYS("") "data: {\"error\":{}}\n\n",																									 LEGAL_FAILED,																																				      true																																																																									   },
	{"a language of nobody",					  "bedrock",											     SAYS(""),LEGAL_OPEN,false},
};

static const struct {
	const char *name, *said;
	enum legal_end end;
	bool is_legal;
} lists[] = {
	{"a list",
         "[{\"candidates\":[{\"content\":{}}]},{\"candidates\":[{\"finishReason\":\"STOP\"}]"
		"}]",							      LEGAL_WHOLE,  true },
	{"one that has no end", "[{\"candidates\":[{\"content\":{}}]}]",           LEGAL_WHOLE,  false},
	{"one that is open",    "[{\"candidates\":[{\"finishReason\":\"STOP\"}]}", LEGAL_WHOLE,  false},
	{"an error",            "[{\"error\":{}}]",                                LEGAL_FAILED, true },
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		const char *wrong = legal_stream(
			span_str(streams[i].family), span_str(streams[i].said), streams[i].end);
		ok((wrong == NULL) == streams[i].is_legal, "%s, %s: %s", streams[i].family,
			streams[i].name, wrong ? wrong : "legal");
	}
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		const char *wrong = legal_list(span_str(lists[i].said), lists[i].end);
		ok((wrong == NULL) == lists[i].is_legal, "%s: %s", lists[i].name,
			wrong ? wrong : "legal");
	}
	return tap_done();
}
