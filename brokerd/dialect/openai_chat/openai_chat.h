/* openai_chat.h - what do the files of this family share?
 * request.c writes requests, inputs.c those of the operations beside chat, reply.c reads replies,
 * incoming.c reads requests of callers who speak it, answer.c writes what they get, incoming_inputs.c and
 * results.c do so beside chat, openai_chat.c is the family's table. */
#ifndef BROKERD_DIALECT_OPENAI_CHAT_OPENAI_CHAT_H
#define BROKERD_DIALECT_OPENAI_CHAT_OPENAI_CHAT_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"
#include "brokerd/dialect/reason.h"

#define OPENAI_CHAT_FAMILY "openai-chat"

/* What is settled before the first member is written. */
struct openai_chat_plan {
	struct span lead,
		tail; /* system texts of ours, before and behind all others; absent: none */
	struct reason reason;
	bool has_prefill; /* the last message is to be gone on with */
};

/* messages.c: writes the member `messages`. */
enum err openai_chat_put_messages(struct scribe *s, const struct openai_chat_plan *plan) MUST_USE;

/* order.c: where the target wants its messages in another order than they are, or has no tools, makes
 * s->r a copy in `room` that suits it, with the plan's texts in it. */
enum err openai_chat_order(
	struct scribe *s, struct openai_chat_plan *plan, struct llm_request *room) MUST_USE;

/* tools.c: writes `tools` and what belongs to it. */
enum err openai_chat_put_tools(struct scribe *s, const struct reason *reason) MUST_USE;

/* reasoning.c: whether it reasons, and the members that ask for it. */
enum err openai_chat_plan_reasoning(struct scribe *s, struct reason *out) MUST_USE;
enum err openai_chat_put_reasoning(struct scribe *s, const struct reason *p) MUST_USE;

/* Writes the member `response_format`. */
enum err openai_chat_put_format(struct scribe *s) MUST_USE;

/* What a near relative of this family says otherwise in its replies. */
struct openai_chat_kin {
	const char *family;
	const struct error_rule *errors;
	bool has_chunks; /* its content is a list of chunks, of which those that think come back */
};
struct decoder *openai_chat_decoder_new_for(const struct openai_chat_kin *kin, struct arena *,
	const struct notes *, const struct dialect_env *, const struct http_head *);

/* `cache_control`, or a warning where the host has none. */
enum err openai_chat_put_cache(struct scribe *s, struct span ttl, const char *path) MUST_USE;

/* Did a caller of this family ask for reasoning in a host's own words? They are among the extra
 * members, `reasoning_effort` with them, and what `reasoning` says is for other families. */
bool openai_chat_has_own_reasoning(const struct llm_request *r, struct span family);
/* May a member of that name be one of those? */
bool openai_chat_is_own_reasoning(struct span name);

/* The members of dialect_op. */
enum err openai_chat_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err openai_chat_encode_embed(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err openai_chat_encode_rerank(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err openai_chat_encode_moderate(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *openai_chat_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void openai_chat_decoder_done(struct decoder *);
enum err openai_chat_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err openai_chat_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err openai_chat_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *openai_chat_encoder_new(struct arena *, const struct answer_plan *);
enum err openai_chat_encode(struct encoder *, const struct llm_event *, struct buf *out);
void openai_chat_encoder_done(struct encoder *);

enum err openai_chat_decode_embed(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
enum err openai_chat_decode_rerank(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
enum err openai_chat_decode_moderate(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *openai_chat_embed_encoder_new(struct arena *, const struct answer_plan *);
struct encoder *openai_chat_rerank_encoder_new(struct arena *, const struct answer_plan *);
struct encoder *openai_chat_moderate_encoder_new(struct arena *, const struct answer_plan *);

#endif
