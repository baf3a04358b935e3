/* openai_wire.h - what do all of OpenAI's wires say alike?
 * Errors, usage and the words for an ending, which chat, responses and completions share with the
 * many hosts that speak them. Tables and pure functions. */
#ifndef BROKERD_DIALECT_OPENAI_WIRE_H
#define BROKERD_DIALECT_OPENAI_WIRE_H
#include "brokerd/dialect/errors.h"
#include "protocol/event.h"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule openai_errors[];
/* dialect.h's `explain` by that table. */
void openai_explain(const struct http_reply *reply, const struct target *target, struct fault *out);

/* Fills *out from a usage object of any of the wires, and *billed with that and what only its total tells
 * of. `cached`: the tokens read from the cache, where something beside the object says them; else -1.
 * Returns NULL, or a sentence about counts that make no sense: they were dropped, or cut to fit. */
const char *openai_usage(
	struct json usage, int64_t cached, struct llm_usage *out, struct llm_usage *billed);

/* What a finish_reason means, without case; FINISH_OTHER where nobody knows it. The class of an error
 * where the word is an ending that is none: then *why says so. */
enum err openai_finish(struct span word, enum finish *out, struct fault *why) MUST_USE;

#endif
