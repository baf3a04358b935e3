/* incoming.h - what do the readers of this family's requests share?
 * incoming.c reads the request for a chat, incoming_messages.c its messages, incoming_inputs.c requests
 * beside chat. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_INCOMING_H
#define BROKERD_DIALECT_OPENAI_CHAT_INCOMING_H
#include "brokerd/dialect/intake.h"

/* A row's reader: `messages`, into the request. */
enum err openai_chat_read_messages(
	struct intake *in, const struct at *at, struct json v, void *request) MUST_USE;

/* A part of a content, {"type", ...}. */
enum err openai_chat_read_part(
	struct intake *in, const struct at *at, struct json v, struct part *part) MUST_USE;

/* A text that says where bytes are, or is they: a data: URI or another address, else base64. */
enum err openai_chat_read_bytes(
	struct intake *in, const struct at *at, struct json v, void *media) MUST_USE;

#endif
