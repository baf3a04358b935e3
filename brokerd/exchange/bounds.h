/* bounds.h - what can the attempt in hand take at the most, and what keeps it under its ceilings? */
#ifndef BROKERD_EXCHANGE_BOUNDS_H
#define BROKERD_EXCHANGE_BOUNDS_H
#include "brokerd/exchange/steps.h"

struct bounds {
	int64_t input_bound;  /* tokens, for sure */
	int64_t input_tokens; /* as estimated */
	int64_t output_tokens;
	int64_t known_nusd; /* that it can cost; -1: its price is unknown */
	int64_t nusd;       /* the same with the price that budgets count where none is known */
	const char *capped; /* its output is, for that reason; NULL: it is not */
};

/* What the call may cost and what is left of its budgets cap its output: anew for every attempt, for prices differ,
 * and those before may have cost something. ERR_BUDGET: what its caller is willing to pay is not enough for the
 * prompt, or nobody can say whether it is. */
enum err bounds_find(struct exchange *x, struct bounds *out, struct fault *why) MUST_USE;

/* What the request has cost so far at the most: its attempts that are over, those under way, and what was asked on its behalf. */
int64_t bounds_spent_nusd(const struct exchange *x);

#endif
