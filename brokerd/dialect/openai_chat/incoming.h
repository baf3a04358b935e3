/* incoming.h - what do the two readers of this family's requests share?
 * incoming.c reads the request, incoming_messages.c its messages. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_INCOMING_H
#define BROKERD_DIALECT_OPENAI_CHAT_INCOMING_H
#include "brokerd/dialect/intake.h"

/* A row's reader: `messages`, into the request. */
enum err openai_chat_read_messages(
	struct intake *in, const struct at *at, struct json v, void *request) MUST_USE;

#endif
