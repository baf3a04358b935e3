/* openai_forward.h - which members of a caller's request are the broker's, where the language is OpenAI's?
 * forward.h for chat, completions and embeddings. */
#ifndef BROKERD_DIALECT_OPENAI_FORWARD_H
#define BROKERD_DIALECT_OPENAI_FORWARD_H
#include "brokerd/dialect/forward.h"

/* The model, the bound on output, and, of a stream, the counts at its end. */
enum err openai_forward_chat(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why) MUST_USE;
enum err openai_forward_completion(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why) MUST_USE;
/* The model alone. */
enum err openai_forward_embed(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why) MUST_USE;

#endif
