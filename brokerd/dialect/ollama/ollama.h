/* ollama.h - what do the files of this family share?
 * request.c and messages.c write requests, reply.c reads replies, incoming.c reads requests, ollama.c
 * is the table. */
#ifndef BROKERD_DIALECT_OLLAMA_OLLAMA_H
#define BROKERD_DIALECT_OLLAMA_OLLAMA_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define OLLAMA_FAMILY "ollama"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule ollama_errors[];

/* Writes the member `messages`. */
struct scribe;
enum err ollama_put_messages(struct scribe *s) MUST_USE;

/* The members of dialect_op. */
enum err ollama_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *ollama_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void ollama_decoder_done(struct decoder *);
enum err ollama_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err ollama_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err ollama_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);

#endif
