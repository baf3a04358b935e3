/* estimate.h - how many tokens will this be, where nobody can be asked?
 * A rule of thumb over bytes, meant to be near for English; what is peculiar to a model is learnt by
 * limit/fit.h. Pure functions. */
#ifndef BROKERD_DIALECT_ESTIMATE_H
#define BROKERD_DIALECT_ESTIMATE_H
#include "brokerd/dialect/dialect.h"

/* One token for each four ASCII bytes of a text, rounded up, and for each other character: 3 bytes in
 * CJK are about one, 2 in Cyrillic about two thirds of one. */
int64_t estimate_text(struct span text);

/* Of a picture by its pixels, a PDF by its pages, a text by its letters, of others by their bytes. Each
 * family of models counts these otherwise, so it is a middle. */
int64_t estimate_medium(const struct part *p);

/* Of a whole chat: its texts, calls, media, tools and schemas, 4 for each message, and what hosts of some
 * models put before tools, which is told by the model's name. */
int64_t estimate_request(const struct llm_request *r);

/* Counts here what a provider has no operation for, with the warning "emulated". Its request goes
 * nowhere: what is encoded is its own reply, as the offline provider's is. */
extern const struct dialect_op estimate_op;

#endif
