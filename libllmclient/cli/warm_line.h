/* warm_line.h - which call does a line of a file of requests make?
 * Three forms: the body of a public API, of chat (`messages`), embeddings (`input`) or the older completions (`prompt`); a line
 * of OpenAI's batches, {"url", "body"}; one of Anthropic's, {"params"}. Pure: no I/O. */
#ifndef LIBLLMCLIENT_CLI_WARM_LINE_H
#define LIBLLMCLIENT_CLI_WARM_LINE_H
#include "llmclient.h"
#include "protocol/base/json.h"

struct warm_call {
	const char *surface; /* as llm_relay_new() takes it */
	struct span body;    /* of the line, byte for byte */
};

/* Spans are of the line. ERR_MALFORMED: it is not JSON; ERR_INVALID_REQUEST: it is none of the three; ERR_UNSUPPORTED: its `url`
 * or its `method` is none whose answers are kept; ERR_NO_MEMORY. */
enum err warm_line(struct span line, struct warm_call *out, struct fault *why) MUST_USE;

#endif
