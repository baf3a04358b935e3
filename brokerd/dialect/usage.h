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

/* `u` has its classes but for input and output, some of them parts of the two totals (-1: not
 * known). Fills in input and output as what remains. False: the parts were more than the total, and
 * were cut to fit. */
bool usage_split(struct llm_usage *u, int64_t input_total, int64_t output_total);

/* A decimal number of 10^-places dollars in nano-dollars, from its text, half up. -1: no number,
 * negative, or too large. */
int64_t usage_money(struct json v, int places);

#endif
