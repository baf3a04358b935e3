/* test_legal.c - does the fuzzer's second opinion know a legal stream from one that is not? */
#include "tests/lib/legal.h"
#include "tests/lib/tap.h"

#define CHUNK(delta, finish)                                                                     \
	"data: {\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":" finish "}]}" \
	"\n\n"
#define ROLE    CHUNK("\"role\":\"assistant\"", "null")
#define TEXT    CHUNK("\"content\":\"x\"", "null")
#define CALL(n) CHUNK("\"tool_calls\":[{\"index\":" n "}]", "null")
#define STOP    CHUNK("", "\"stop\"")
#define DONE    "data: [DONE]\n\n"
#define FAIL    "data: {\"error\":{\"message\":\"m\"}}\n\n"
#define CUT     "data: [DONE]\n"
#define JSON    "data: {\n\n"
#define UTF8    "data: {\"a\":\"\xff\"}\n\n"

#define NAMED(type, more)    "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define IN_BLOCK(type, more) NAMED("content_block_" type, ",\"index\":0" more)
#define START                NAMED("message_start", "")
#define BLOCK                IN_BLOCK("start", ",\"content_block\":{\"type\":\"text\"}")
#define WORDS                IN_BLOCK("delta", ",\"delta\":{\"type\":\"text_delta\"}")
#define THINK                IN_BLOCK("delta", ",\"delta\":{\"type\":\"thinking_delta\"}")
#define CLOSE                IN_BLOCK("stop", "")
#define END                  NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"}")
#define LAST                 NAMED("message_stop", "")
#define ERROR                NAMED("error", "")
#define PONG                 "event: ping\ndata: {\"type\":\"pong\"}\n\n"

#define NUM(n, type, more)  NAMED(type, ",\"sequence_number\":" n more)
#define ITEM(n, type, more) NUM(n, "response." type, ",\"output_index\":0" more)
#define MESSAGE             ",\"item\":{\"type\":\"message\"}"
#define BEGUN               NUM("0", "response.created", "") NUM("1", "response.in_progress", "")
#define ADDED               BEGUN ITEM("2", "output_item.added", MESSAGE)
#define PART                ADDED ITEM("3", "content_part.added", ",\"content_index\":0")
#define PIECE               PART ITEM("4", "output_text.delta", "")
#define TOLD                PIECE ITEM("5", "output_text.done", "")
#define CLOSED              TOLD ITEM("6", "content_part.done", ",\"content_index\":0")
#define ITEM_END            CLOSED ITEM("7", "output_item.done", MESSAGE)
#define OTHER_TEXT          PART ITEM("4", "function_call_arguments.delta", "")
#define NO_PART             ADDED ITEM("3", "output_text.delta", "")
#define PART_OPEN           PART ITEM("4", "output_item.done", MESSAGE)
#define COMPLETE(n)         NUM(n, "response.completed", "")
#define FAILED(n)           NUM(n, "response.failed", "")
#define TROUBLE(n)          NUM(n, "error", "")
#define NOT_BEGUN           NUM("0", "response.created", "")

#define SAYS(more) "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}" more "}]}"
#define MORE       "data: " SAYS("") "\n\n"
#define ENOUGH     "data: " SAYS(",\"finishReason\":\"STOP\"") "\n\n"
#define TWO_KINDS                                                                                  \
	"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\",\"functionCall\":{}}]}}]}" \
	"\n\n"

static const struct {
	const char *name, *family, *said;
	enum legal_end end;
	bool is_legal;
} streams[] = {
	{"a chat",                 "openai-chat",        ROLE TEXT STOP DONE,                LEGAL_WHOLE,  true },
	{"one that may go on",     "openai-chat",        ROLE TEXT,                          LEGAL_OPEN,   true },
	{"no last",                "openai-chat",        ROLE TEXT STOP,                     LEGAL_WHOLE,  false},
	{"no finish",              "openai-chat",        ROLE TEXT DONE,                     LEGAL_WHOLE,  false},
	{"no role",                "openai-chat",        TEXT STOP DONE,                     LEGAL_WHOLE,  false},
	{"a role twice",           "openai-chat",        ROLE ROLE STOP DONE,                LEGAL_WHOLE,  false},
	{"more behind the finish", "openai-chat",        ROLE STOP TEXT DONE,                LEGAL_WHOLE,  false},
	{"more behind the last",   "openai-chat",        ROLE STOP DONE TEXT,                LEGAL_WHOLE,  false},
	{"the last twice",         "openai-chat",        ROLE STOP DONE DONE,                LEGAL_WHOLE,  false},
	{"a failed one",           "openai-chat",        ROLE TEXT FAIL,                     LEGAL_FAILED, true },
	{"a fault not told",       "openai-chat",        ROLE TEXT STOP DONE,                LEGAL_FAILED, false},
	{"no fault, but told",     "openai-chat",        ROLE TEXT FAIL,                     LEGAL_WHOLE,  false},
	{"no empty line",          "openai-chat",        ROLE CUT,                           LEGAL_OPEN,   false},
	{"no JSON",                "openai-chat",        JSON,                               LEGAL_OPEN,   false},
	{"no UTF-8",               "openai-chat",        UTF8,                               LEGAL_OPEN,   false},
	{"two calls",              "openai-chat",        ROLE CALL("0") CALL("1") STOP DONE, LEGAL_WHOLE,  true },
	{"a call goes on",         "openai-chat",        ROLE CALL("0") CALL("1") CALL("0"), LEGAL_OPEN,   false},
	{"not the next call",      "openai-chat",        ROLE CALL("0") CALL("2"),           LEGAL_OPEN,   false},
	{"the older kind",         "openai-completions", TEXT STOP DONE,                     LEGAL_WHOLE,  true },
	{"a message",              "anthropic",          START BLOCK WORDS CLOSE END LAST,   LEGAL_WHOLE,  true },
	{"one without blocks",     "anthropic",          START END LAST,                     LEGAL_WHOLE,  true },
	{"an open block",          "anthropic",          START BLOCK END LAST,               LEGAL_WHOLE,  false},
	{"a block in a block",     "anthropic",          START BLOCK BLOCK CLOSE END LAST,   LEGAL_WHOLE,  false},
	{"a block again",          "anthropic",          START BLOCK CLOSE BLOCK CLOSE END,  LEGAL_OPEN,   false},
	{"a piece of no block",    "anthropic",          START WORDS END LAST,               LEGAL_WHOLE,  false},
	{"another block's",        "anthropic",          START BLOCK THINK CLOSE END LAST,   LEGAL_WHOLE,  false},
	{"no beginning",           "anthropic",          BLOCK CLOSE END LAST,               LEGAL_WHOLE,  false},
	{"no end",                 "anthropic",          START BLOCK CLOSE LAST,             LEGAL_WHOLE,  false},
	{"no last",                "anthropic",          START BLOCK CLOSE END,              LEGAL_WHOLE,  false},
	{"a failed one",           "anthropic",          START BLOCK ERROR,                  LEGAL_FAILED, true },
	{"more behind the error",  "anthropic",          START ERROR LAST,                   LEGAL_FAILED, false},
	{"another name",           "anthropic",          PONG,                               LEGAL_OPEN,   false},
	{"a response",             "openai-responses",   ITEM_END COMPLETE("8"),             LEGAL_WHOLE,  true },
	{"one of nothing",         "openai-responses",   BEGUN COMPLETE("2"),                LEGAL_WHOLE,  true },
	{"a number left out",      "openai-responses",   BEGUN COMPLETE("3"),                LEGAL_WHOLE,  false},
	{"no in_progress",         "openai-responses",   NOT_BEGUN COMPLETE("1"),            LEGAL_WHOLE,  false},
	{"an open item",           "openai-responses",   ADDED COMPLETE("3"),                LEGAL_WHOLE,  false},
	{"a piece of no part",     "openai-responses",   NO_PART,                            LEGAL_OPEN,   false},
	{"an open part",           "openai-responses",   PART_OPEN,                          LEGAL_OPEN,   false},
	{"another item's text",    "openai-responses",   OTHER_TEXT,                         LEGAL_OPEN,   false},
	{"a failed one",           "openai-responses",   BEGUN FAILED("2"),                  LEGAL_FAILED, true },
	{"an error",               "openai-responses",   TROUBLE("0"),                       LEGAL_FAILED, true },
	{"both",		   "openai-responses",   BEGUN TROUBLE("2") FAILED("3"),     LEGAL_FAILED, true },
	{"the other way",          "openai-responses",   BEGUN FAILED("2") TROUBLE("3"),     LEGAL_FAILED, false},
	{"an answer",              "gemini",             MORE ENOUGH,                        LEGAL_WHOLE,  true },
	{"no end",                 "gemini",             MORE,                               LEGAL_WHOLE,  false},
	{"more behind the end",    "gemini",             ENOUGH MORE,                        LEGAL_WHOLE,  false},
	{"a part of two kinds",    "gemini",             TWO_KINDS,                          LEGAL_OPEN,   false},
	{"a failed one",           "gemini",             MORE FAIL,                          LEGAL_FAILED, true },
	{"nobody's language",      "bedrock",            MORE,                               LEGAL_OPEN,   false},
};

static const struct {
	const char *name, *said;
	enum legal_end end;
	bool is_legal;
} lists[] = {
	{"a list",       "[" SAYS("") "," SAYS(",\"finishReason\":\"STOP\"") "]", LEGAL_WHOLE,  true },
	{"no end",       "[" SAYS("") "]",					LEGAL_WHOLE,  false},
	{"no bracket",   "[" SAYS(",\"finishReason\":\"STOP\""),                  LEGAL_WHOLE,  false},
	{"a failed one", "[{\"error\":{}}]",                                      LEGAL_FAILED, true },
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
		ok((wrong == NULL) == lists[i].is_legal, "a list, %s: %s", lists[i].name,
			wrong ? wrong : "legal");
	}
	return tap_done();
}
