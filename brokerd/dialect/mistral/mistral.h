/* mistral.h - what do the files of this family share?
 * request.c and messages.c write requests, ids.c has the ids of calls, incoming.c reads requests,
 * mistral.c is the table; replies are the openai-chat decoder's, whose near relative this family is. */
#ifndef BROKERD_DIALECT_MISTRAL_MISTRAL_H
#define BROKERD_DIALECT_MISTRAL_MISTRAL_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define MISTRAL_FAMILY "mistral"

/* The table of errors.h, for replies and for errors inside them. */
extern const struct error_rule mistral_errors[];

/* Writes the member `messages`; `lead` (may be absent) is a system text of ours before all others. */
struct scribe;
enum err mistral_put_messages(struct scribe *s, struct span lead) MUST_USE;

/* The members of dialect_op. */
enum err mistral_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err mistral_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);

#endif
