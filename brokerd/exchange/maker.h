/* maker.h - which account made what is kept?
 * The name that is kept beside opaque items: what one key's account has made, another's cannot read. */
#ifndef BROKERD_EXCHANGE_MAKER_H
#define BROKERD_EXCHANGE_MAKER_H
#include "brokerd/value/target.h"
#include "protocol/limits.h"

#define MAKER_BYTES (LIMIT_LABEL_BYTES * 2 + 2)

/* "openai/work", "openai" where the key has no label. Borrowed from `to`. */
struct span maker_name(const struct target *t, char to[MAKER_BYTES]);
bool maker_is(struct span maker, const struct target *t);

#endif
