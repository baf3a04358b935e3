/* limit_check.h - can these limits hold for anything, and can all of them be held at once?
 * What a limit names and nothing is called so would silently limit nobody. Pure. */
#ifndef BROKERD_CONFIG_LIMIT_CHECK_H
#define BROKERD_CONFIG_LIMIT_CHECK_H
#include "brokerd/config/config.h"

#define LIMITS_MAX         ((size_t)1024)
#define LIMITS_OF_CALL_MAX ((size_t)15) /* that one call may fall under */

/* Is it a limit, as it stands? ERR_MISCONFIGURED, with a sentence. */
enum err limit_check(const struct limit_rule *r, struct fault *why) MUST_USE;

/* Is all there that it names? Providers and policies are known by then. ERR_MISCONFIGURED, with a sentence. */
enum err limit_check_names(
	const struct config *c, const struct limit_rule *r, struct fault *why) MUST_USE;

/* All of c->limits together; *at is one of those that are too many. */
enum err limit_check_all(const struct config *c, size_t *at, struct fault *why) MUST_USE;

#endif
