/* price_check.h - can this price be meant, or is its unit another?
 * Prices are for a million tokens; who writes one for a single token, or for a thousand, in cents or in dollars, is
 * a thousand times off and more. Pure. */
#ifndef BROKERD_CONFIG_PRICE_CHECK_H
#define BROKERD_CONFIG_PRICE_CHECK_H
#include "brokerd/config/config.h"

#define PRICE_TIMES_MAX \
	INT64_C(1000) /* what the catalogue has; and as much below it, but for free */

/* All prices of the configuration against a catalogue's, the same class of tokens each: those of a model's section,
 * of all models that it is for, and of an alias's targets. A section that says price_force = yes is not looked at,
 * nor a model that the catalogue does not have. ERR_MISCONFIGURED: where, and what to write. */
enum err config_check_prices(
	const struct config *c, const struct catalogue *catalogue, struct fault *why) MUST_USE;

#endif
