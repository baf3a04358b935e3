/* rs256.h - what does an RSA key say to a text?
 * RSASSA-PKCS1-v1_5 with SHA-256, as Google asks for it, by OpenSSL: libsodium has no RSA. Pure; the key
 * is open while it signs, and wiped. */
#ifndef BROKERD_AUTH_RS256_H
#define BROKERD_AUTH_RS256_H
#include "protocol/base/buf.h"

/* A key is the base64 of its DER form (PKCS #8, or PKCS #1), without white space. */

/* Is it an RSA key of 2048 bits or more that can sign? */
bool rs256_is_key(struct span key);

/* Appends the signature, as URL-safe base64 without padding. ERR_INVALID_ARGUMENT (no such key),
 * ERR_NO_MEMORY. */
enum err rs256_sign(struct span key, struct span text, struct buf *out) MUST_USE;

#endif
