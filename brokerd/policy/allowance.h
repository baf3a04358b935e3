/* allowance.h - which models may a caller use: by its rule, and by what a person has said of it?
 * Pure. */
#ifndef BROKERD_POLICY_ALLOWANCE_H
#define BROKERD_POLICY_ALLOWANCE_H
#include "brokerd/policy/grant.h"
#include "brokerd/policy/policy.h"

struct allowance {
	const struct policy_rule *rule; /* NULL: there is none, and nothing is allowed */
	const struct grant *grant;      /* that lets it in; NULL: none is needed */
};

/* Is anything said of models? */
bool allowance_limits_models(const struct allowance *a);

/* As policy_admit_model, and within what was granted. */
enum err allowance_model(const struct allowance *a, struct span asked, struct span provider,
	struct span model, struct fault *why) MUST_USE;
/* Could any model of that provider be used? */
bool allowance_has_any(const struct allowance *a, struct span provider);
/* The same of "provider/model", or an alias, that is only to be told of. */
bool allowance_shows(const struct allowance *a, struct span id);

#endif
