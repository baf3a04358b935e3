/* counts.h - how many tokens does a provider say that a chat is?
 * The reply, {"input_tokens"|"inputTokens"|"totalTokens"} or a list of {"tokens"}; and the request,
 * which is the chat's own less what is not counted. */
#ifndef BROKERD_DIALECT_COUNTS_H
#define BROKERD_DIALECT_COUNTS_H
#include "brokerd/dialect/scribe.h"

/* A member of dialect_op. */
struct decoder *counts_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);

/* The members of a chat's body that are in `keep` (NULL ends them; NULL alone: all of them), into the
 * object that is open; or as a body of their own. */
enum err counts_members(struct scribe *s, struct span chat, const char *const *keep) MUST_USE;
enum err counts_body(
	struct scribe *s, struct span chat, const char *const *keep, struct span *out) MUST_USE;

/* Makes the request for a count out of that for a chat: of its body the members in `keep` (NULL ends
 * them), of its headers those that are not every request's. */
enum err counts_request(struct scribe *s, const struct http_request *chat, const char *const *keep,
	const struct place *place, struct http_request *out) MUST_USE;

/* A caller's request for a count was read as one for a chat: whatever it says, no stream is wanted. */
void counts_plain(struct llm_request *r, struct notes *notes);

#endif
