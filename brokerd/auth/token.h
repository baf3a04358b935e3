/* token.h - how is a short-lived token got by a long-lived key?
 * The request to the token endpoint, and what its reply means. Pure: exchange/tokens.c sends it and
 * keeps the token. The key goes to the endpoint's origin alone, which is the one it was added for; the
 * token that comes may go to the provider's origin alone, which the key remembers. */
#ifndef BROKERD_AUTH_TOKEN_H
#define BROKERD_AUTH_TOKEN_H
#include "brokerd/value/secret.h"
#include "brokerd/value/target.h"

struct token_request {
	struct http_request http;
	struct target target;   /* of the endpoint; asks for no further proof */
	struct buf url, body;   /* the body proves who asks, */
	size_t assertion_bytes; /* and its last bytes do by themselves; 0: by the key */
};

/* Does the scheme work by tokens? */
bool token_is_needed(enum auth_scheme auth);

/* Makes the request for a token for `target`. Spans are the target's, or in `out`, which is to be let
 * go of by token_request_done whatever comes. ERR_DENIED (the key was added for another endpoint),
 * ERR_NO_KEY (it is of another kind, or cannot sign), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err token_request(const struct target *target, struct secret *key, int64_t now_s,
	struct token_request *out, struct fault *why) MUST_USE;
void token_request_done(struct token_request *r); /* wipes */

/* What came back, whole, to what was asked. Nothing that proved who asks is repeated in *why. *token is
 * one reference, good for *life_s seconds (1 or more). ERR_AUTH (the
 * endpoint refuses the key), ERR_RATE_LIMITED, ERR_SERVER_ERROR, ERR_NO_KEY, ERR_NO_MEMORY. */
enum err token_reply(const struct target *target, struct secret *key,
	const struct token_request *asked, int status, struct span body, struct secret **token,
	int64_t *life_s, struct fault *why) MUST_USE;

#endif
