/* sigv4.h - which header lines prove a request by AWS Signature Version 4?
 * Pure: the time is passed in, the body is its hash, and what is derived from the key is wiped before
 * it returns. For all services but S3, which encodes its paths otherwise. */
#ifndef BROKERD_AUTH_SIGV4_H
#define BROKERD_AUTH_SIGV4_H
#include "brokerd/value/http.h"

#define SIGV4_HASH_BYTES ((size_t)32)

struct sigv4_credential {
	struct span access_key_id, secret_key;
	struct span session_token; /* absent: none */
};

struct sigv4_request {
	struct span method;
	struct span url; /* absolute, as it is sent: its path is percent-encoded once more */
	const struct http_header *headers; /* to be signed beside host, x-amz-date and the token */
	size_t n_headers;
	unsigned char body_hash[SIGV4_HASH_BYTES];
	struct span region, service;
	int64_t now_s; /* since 1970 */
};

/* The values of the two headers; the third, x-amz-security-token, is the session token itself. */
struct sigv4_proof {
	char date[sizeof "YYYYMMDDTHHMMSSZ"]; /* x-amz-date */
	char authorization[1536];
};

void sigv4_hash(struct span body, unsigned char out[SIGV4_HASH_BYTES]);

/* ERR_INVALID_ARGUMENT (no absolute URL, or a part of the credential is absent or too long),
 * ERR_TOO_BIG (more headers or query members than anybody sends), ERR_NO_MEMORY. */
enum err sigv4_sign(const struct sigv4_request *r, const struct sigv4_credential *c,
	struct sigv4_proof *out, struct fault *why) MUST_USE;

#endif
