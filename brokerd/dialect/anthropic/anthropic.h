/* anthropic.h - what do the files of this family share?
 * request.c and messages.c write requests, reply.c reads replies, incoming.c reads requests of callers
 * who speak it, answer.c writes answers to them, anthropic.c is the table. */
#ifndef BROKERD_DIALECT_ANTHROPIC_ANTHROPIC_H
#define BROKERD_DIALECT_ANTHROPIC_ANTHROPIC_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define ANTHROPIC_FAMILY "anthropic"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule anthropic_errors[];

/* Writes `system` and `messages`. `tail` (may be absent) is a system text of ours behind all others;
 * `marks` counts over the whole request. */
struct scribe;
struct cache_marks;
enum err anthropic_put_messages(
	struct scribe *s, struct span tail, struct cache_marks *marks) MUST_USE;

/* `cache_control`, unless it is one mark too many. */
enum err anthropic_put_cache(
	struct scribe *s, struct span ttl, const char *path, struct cache_marks *marks) MUST_USE;

/* How many cache marks the request has where this family takes one. */
size_t anthropic_count_marks(const struct llm_request *r);

/* The members of dialect_op. */
enum err anthropic_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *anthropic_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void anthropic_decoder_done(struct decoder *);
enum err anthropic_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err anthropic_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err anthropic_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *anthropic_encoder_new(struct arena *, const struct answer_plan *);
enum err anthropic_encode(struct encoder *, const struct llm_event *, struct buf *out);
void anthropic_encoder_done(struct encoder *);

enum err anthropic_forward(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why);
enum err anthropic_forward_count(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why);
/* The version of the API that the target is spoken to in. */
struct span anthropic_version(const struct target *t);

#endif
