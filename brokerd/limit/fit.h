/* fit.h - how far off are our estimates of a prompt's tokens, and what is a better one?
 * For each model what its provider reported is held against what was estimated from the bytes, and later
 * estimates are corrected by it. Short prompts and long ones apart, for what a provider adds to each weighs
 * on the short ones; what is far off now and then, as where a provider searched, teaches nothing. A table of
 * bounded size: the model that was not heard of for longest goes. No I/O, no clock. */
#ifndef BROKERD_LIMIT_FIT_H
#define BROKERD_LIMIT_FIT_H
#include <stdint.h>

#include "protocol/base/span.h"

#define FIT_MODELS_MAX ((size_t)1024)

struct fit;

struct fit *fit_new(void);
void fit_free(struct fit *f); /* NULL is fine */

/* A call to that model is over: its prompt was estimated as `raw` tokens (estimate_request, not corrected)
 * and its provider reported `reported`, of all classes, also those read from a cache. Each below 1: it says
 * nothing. Also for the ledger's rows at the start, the oldest first. */
void fit_learn(
	struct fit *f, struct span provider, struct span model, int64_t raw, int64_t reported);

/* The corrected estimate; `raw` itself for a model that nothing is known of. 0 or less stays as it is. */
int64_t fit_tokens(const struct fit *f, struct span provider, struct span model, int64_t raw);

#endif
