/* incoming.h - what the readers of this family's requests share: incoming.c the body, turns.c what was
 * said. */
#ifndef BROKERD_DIALECT_BEDROCK_INCOMING_H
#define BROKERD_DIALECT_BEDROCK_INCOMING_H
#include "brokerd/dialect/bedrock/bedrock.h"
#include "brokerd/dialect/intake.h"

/* The inside of a cachePoint as the mark of what is before it. */
enum err bedrock_read_cache(struct intake *in, const struct at *at, struct json v,
	struct span *cache, struct extra *extra) MUST_USE;

/* Both arrays (the system one may be absent) as messages of the request. */
enum err bedrock_read_messages(struct intake *in, struct json system, struct json messages,
	struct llm_request *out) MUST_USE;

#endif
