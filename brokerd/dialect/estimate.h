/* estimate.h - how many tokens will this be, where nobody can be asked?
 * A rule of thumb over bytes, the same for all models: meant to be near for English, and rather above
 * than below for anything else. Pure functions. */
#ifndef BROKERD_DIALECT_ESTIMATE_H
#define BROKERD_DIALECT_ESTIMATE_H
#include "brokerd/dialect/dialect.h"

/* One token for each four ASCII bytes of a text, rounded up, and for each other character: 3 bytes in
 * CJK are about one, 2 in Cyrillic about two thirds of one. */
int64_t estimate_text(struct span text);

/* Of a whole chat: its texts, calls, tools and schemas, 4 for each message, and for each image 1000,
 * each other medium a token for 4 of its bytes. */
int64_t estimate_request(const struct llm_request *r);

/* Counts here what a provider has no operation for, with the warning "emulated". Its request goes
 * nowhere: what is encoded is its own reply, as the offline provider's is. */
extern const struct dialect_op estimate_op;

#endif
