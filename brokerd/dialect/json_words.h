/* json_words.h - which words must the messages hold so that JSON comes back?
 * For the hosts of OpenAI's wires: a schema that the target cannot be given as such, and the word
 * "JSON" itself, without which they refuse a request for it. */
#ifndef BROKERD_DIALECT_JSON_WORDS_H
#define BROKERD_DIALECT_JSON_WORDS_H
#include "brokerd/dialect/scribe.h"

struct json_words {
	struct span lead, tail; /* system texts before and behind all others; absent: none */
};

/* Each with a warning; a schema in words is noted, so that the reply is taken out of its fence. */
enum err json_words_plan(struct scribe *s, struct json_words *out) MUST_USE;

#endif
