/* openai_completions.h - what do the files of this family share?
 * request.c writes requests, reply.c reads replies, incoming.c reads the requests of callers, answer.c
 * writes what they get, openai_completions.c is the family's table. */
#ifndef BROKERD_DIALECT_OPENAI_COMPLETIONS_OPENAI_COMPLETIONS_H
#define BROKERD_DIALECT_OPENAI_COMPLETIONS_OPENAI_COMPLETIONS_H
#include "brokerd/dialect/dialect.h"

#define OPENAI_COMPLETIONS_FAMILY "openai-completions"

/* The members of dialect_op. */
enum err completions_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *completions_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void completions_decoder_done(struct decoder *);
enum err completions_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err completions_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err completions_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *completions_encoder_new(struct arena *, const struct answer_plan *);
enum err completions_encode(struct encoder *, const struct llm_event *, struct buf *out);
void completions_encoder_done(struct encoder *);

#endif
