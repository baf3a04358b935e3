/* price.h - what do these tokens cost?
 * Integer arithmetic in nano-dollars, prices per million tokens. Pure functions. */
#ifndef BROKERD_LEDGER_PRICE_H
#define BROKERD_LEDGER_PRICE_H
#include "brokerd/value/target.h"
#include "protocol/event.h"

/* The sum over all known classes, rounded half up once, at the end; INT64_MAX where it does not fit.
 * A class without its own price takes the one it is a kind of (cache reads, writes, audio, image:
 * input; reasoning, audio, image: output); a cache write for an hour, or of a lifetime not said,
 * takes that for five minutes first, which is the nearer one. Zero tokens cost nothing at any price.
 * -1: tokens were counted whose price is not known, or nothing was counted. */
int64_t price_nusd(const struct price *p, const struct llm_usage *u);

/* The most that a request can cost: `input_tokens` and `output_tokens` at the dearest class. -1:
 * unknown, be it a price or a count. */
int64_t price_bound_nusd(const struct price *p, int64_t input_tokens, int64_t output_tokens);

/* The same two for a budget, which no call may pass by because its price is not known: `unknown`, in
 * nano-dollars per million tokens, is the price of input where there is none, and of output. -1: that is
 * not known either (-1), or a count is not. */
int64_t price_pessimistic_nusd(const struct price *p, const struct llm_usage *u, int64_t unknown);
int64_t price_pessimistic_bound_nusd(
	const struct price *p, int64_t input_tokens, int64_t output_tokens, int64_t unknown);

/* What the provider's own cache has saved of these tokens, in *out: what those that were read there cost less than usual input,
 * less what those that were written there cost more. Below 0 it has cost more than it saved; it stops at the ends. False: nothing
 * of either was counted, or it was, and the price of input is not known. */
bool price_prompt_saved_nusd(
	const struct price *p, const struct llm_usage *u, int64_t *out) MUST_USE;

/* What a call cost: as its provider says, else by our prices; -1: neither is known. */
int64_t price_paid_nusd(const struct llm_usage *u);

/* Are the two figures so far apart (more than 0.5 % of the provider's, and more than a rounding to a
 * micro-dollar makes) that a price here is wrong? False where one is not known. */
bool price_drifts(int64_t ours_nusd, int64_t provider_nusd);

#endif
