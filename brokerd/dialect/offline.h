/* offline.h - how is a question answered without any provider?
 * The family `offline` is the wire of a host that sends each request's body back as its reply:
 * encode_request writes what the answer needs, and decode makes the answer of it. Nothing is sent.
 *
 * Where target->is_offline, the exchange encodes as always, then gives `http_request.body` to decode
 * as if it had come from the network, with offline_head as its head, and calls decode_end.
 *
 * The answer is made of the prompt alone, the same for the same: the text of the last message, word
 * by word; `stop` and `max_tokens` end it. A line `call NAME {...}` of the prompt calls that tool,
 * several lines call several; a required tool is called with the least its schema takes, and once a
 * result is there, the answer is its text. A schema is answered by the least that fits it, a wanted
 * effort by a line of reasoning. A word is a token. Its cost is nothing. */
#ifndef BROKERD_DIALECT_OFFLINE_H
#define BROKERD_DIALECT_OFFLINE_H
#include "brokerd/value/http.h"

/* The head of each reply: 200, application/json. */
extern const struct http_head offline_head;

/* Tokens as this provider counts them: words, each with the white space before it. */
int64_t offline_count(struct span text);
struct scribe;
enum err offline_count_request(struct scribe *s, int64_t *tokens) MUST_USE;

/* What it does beside chat; the reply to each is its own request. */
extern const struct dialect_op offline_embed, offline_rerank, offline_moderate, offline_count_op;

#endif
