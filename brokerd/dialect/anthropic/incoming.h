/* incoming.h - what do the two readers of this family's requests share?
 * incoming.c reads the request, incoming_messages.c its system texts and messages. */
#ifndef BROKERD_DIALECT_ANTHROPIC_INCOMING_H
#define BROKERD_DIALECT_ANTHROPIC_INCOMING_H
#include "brokerd/dialect/intake.h"

/* Both members, which may come in either order, into one list: `system` first. Either may be absent. */
enum err anthropic_read_messages(struct intake *in, struct json system, struct json messages,
	struct llm_request *r) MUST_USE;

#endif
