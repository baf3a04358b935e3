/* bedrock.h - what do the files of this family share?
 * request.c, tools.c, messages.c and media.c write requests, inputs.c
 * those beside chat, reply.c reads replies, incoming.c and
 * turns.c read what others ask for in this family's words, bedrock.c is the table. */
#ifndef BROKERD_DIALECT_BEDROCK_BEDROCK_H
#define BROKERD_DIALECT_BEDROCK_BEDROCK_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define BEDROCK_FAMILY "bedrock"
#define BEDROCK_PATH   "/model/{model}/{method}"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule bedrock_errors[];

/* Writes `system` and `messages`. `tail` (may be absent) is a system text of ours behind all others;
 * `marks` counts cache points over the whole request: those before the first that is taken are left
 * out. */
struct scribe;
struct cache_marks;
enum err bedrock_put_messages(
	struct scribe *s, struct span tail, struct cache_marks *marks) MUST_USE;

/* A cachePoint block behind what it closes, unless it is one too many or the model takes none.
 * `extra` is of what it closes. */
enum err bedrock_put_cache(struct scribe *s, struct span ttl, const struct extra *extra,
	const char *path, struct cache_marks *marks) MUST_USE;

/* How many cache points the request has where this family takes one. */
size_t bedrock_count_marks(const struct llm_request *r);

/* The members of dialect_op. */
enum err bedrock_encode_embed(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err bedrock_encode_count(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err bedrock_encode_rerank(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
void bedrock_bound_output(
	const struct llm_request *, const struct target *, struct output_bound *out);
enum err bedrock_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *bedrock_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void bedrock_decoder_done(struct decoder *);
enum err bedrock_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err bedrock_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err bedrock_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);

#endif
