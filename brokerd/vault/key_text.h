/* key_text.h - can this text be a key? */
#ifndef BROKERD_VAULT_KEY_TEXT_H
#define BROKERD_VAULT_KEY_TEXT_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

/* What an HTTP header can carry and every provider's keys are made of: 1..LIMIT_SECRET_BYTES of
 * printable ASCII, no space at either end. ERR_INVALID_ARGUMENT with advice, and nothing of the key. */
enum err key_text_check(struct span key, struct fault *why) MUST_USE;

#endif
