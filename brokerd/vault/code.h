/* code.h - how is a key that opens a vault written, for a person or for an agent?
 * A recovery code is 160 random bits and a check of twenty, in nine groups of four of Crockford's
 * letters, which no two of look or sound alike: 7ZKQ-... An agent's key is 32 bytes in hexadecimal.
 * Neither can be guessed, so that a fast hash will do for them. */
#ifndef BROKERD_VAULT_CODE_H
#define BROKERD_VAULT_CODE_H
#include "brokerd/vault/slot.h"
#include "protocol/base/err.h"

#define CODE_KEY_BYTES 32
#define CODE_TEXT_MAX  64

/* Writes a new one, random, and a NUL; the caller wipes it. `type` is SLOT_RECOVERY or SLOT_AGENT. */
void code_new(enum slot_type type, char text[CODE_TEXT_MAX + 1]);

/* The key that it stands for. A recovery code may come in either case, with any spaces and hyphens,
 * with O for 0 and I or L for 1. ERR_INVALID_ARGUMENT: it is not one, or was mistyped. */
enum err code_read(enum slot_type type, struct span text, unsigned char key[CODE_KEY_BYTES],
	struct fault *why) MUST_USE;

#endif
