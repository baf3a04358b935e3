/* cohere.h - what do the files of this family share?
 * request.c and messages.c write requests, reply.c reads replies, incoming.c reads requests, cohere.c
 * is the table. */
#ifndef BROKERD_DIALECT_COHERE_COHERE_H
#define BROKERD_DIALECT_COHERE_COHERE_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define COHERE_FAMILY "cohere"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule cohere_errors[];

/* Writes the member `messages`. */
struct scribe;
enum err cohere_put_messages(struct scribe *s) MUST_USE;

/* Is it a text file of the user's, which stands in the member `documents`? */
bool cohere_is_document(const struct message *m, const struct part *p);

/* The members of dialect_op. */
enum err cohere_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *cohere_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void cohere_decoder_done(struct decoder *);
enum err cohere_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err cohere_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err cohere_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);

#endif
