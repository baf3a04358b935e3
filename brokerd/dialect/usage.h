/* usage.h - how do a provider's counts become disjoint classes?
 * Pure functions. Source of the numbers: the reply; nothing is estimated. */
#ifndef BROKERD_DIALECT_USAGE_H
#define BROKERD_DIALECT_USAGE_H
#include "protocol/base/json.h"
#include "protocol/event.h"

/* A count: an integer, also as 12.0 or "12". False, and *out left alone, for anything else and for
 * what is negative. */
bool usage_count(struct json v, int64_t *out);

/* The first of the members with that name or the other (may be NULL) that is a count. */
bool usage_member(struct json object, const char *name, const char *other, int64_t *out);

/* Is it a number below 0, also in quotes? That is no count. */
bool usage_is_negative(struct json v);

/* Is one of the members? */
bool usage_has_negative(struct json counts);

/* What its caller is told of counts that were mended. */
#define USAGE_UNFIT                                                                    \
	"the provider's token counts do not add up: a part is larger than its whole, " \
	"and was cut to fit"
#define USAGE_NEGATIVE "the provider sent a negative token count; it was left out"

/* `u` has its classes but for input and output, some of them parts of the two totals (-1: not
 * known). Fills in input and output as what remains. What is counted under two parts (an image that was
 * read from the cache) stays in the first of them. False: a part was more than its total, and was cut to
 * fit. */
bool usage_split(struct llm_usage *u, int64_t input_total, int64_t output_total);

/* A decimal number of 10^-places dollars in nano-dollars, from its text, half up. -1: no number,
 * negative, or too large. */
int64_t usage_money(struct json v, int places);

/* What a call cost, as the members of a usage object say that hosts have for it: all that is to be paid for
 * it, to whomever. -1: they do not say. `tokens` were counted (-1: not known). */
int64_t usage_cost(struct json usage, int64_t tokens);

/* Adds up class by class; what one of the two does not know is the other's. */
void usage_add(struct llm_usage *to, const struct llm_usage *more);

#endif
