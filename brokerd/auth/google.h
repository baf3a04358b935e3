/* google.h - how does a service account ask for a token?
 * By a JWT that it signs with its private key (RFC 7523). Pure: the time is passed in. */
#ifndef BROKERD_AUTH_GOOGLE_H
#define BROKERD_AUTH_GOOGLE_H
#include "brokerd/auth/credential.h"

/* Appends the assertion: good for an hour from `now_s`, for `audience` (the token endpoint's address)
 * and `scope`. ERR_INVALID_ARGUMENT (the key cannot sign), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err google_assertion(const struct credential *account, struct span audience, struct span scope,
	int64_t now_s, struct buf *out) MUST_USE;

#endif
