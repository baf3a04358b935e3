/* verdict.h - why did an answer end, and what did it cost, in this family's words?
 * Read and written. Pure. */
#ifndef BROKERD_DIALECT_ANTHROPIC_VERDICT_H
#define BROKERD_DIALECT_ANTHROPIC_VERDICT_H
#include "protocol/base/json.h"
#include "protocol/event.h"

/* What a stop_reason says; FINISH_OTHER for one that is not known. */
enum finish anthropic_read_stop(struct span word);

/* The stop_reason for an end: `native` itself, the provider's word, where it is one of this family's
 * and says the same; "stop_sequence" where it is known which one matched. Borrowed from `native`, or a
 * literal. */
struct span anthropic_stop_word(enum finish f, struct span native, bool has_matched);

/* What stands for counts that nobody knows; -1: null. */
struct anthropic_guess {
	int64_t input, output;
};

/* Writes the member "usage": input and caches apart, thinking as a part of the output. */
void anthropic_put_usage(
	struct json_out *o, const struct llm_usage *u, struct anthropic_guess otherwise);

#endif
