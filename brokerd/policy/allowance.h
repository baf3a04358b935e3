/* allowance.h - what may a caller use: by its rule, by what a person has said of it, and by what all may on whose behalf
 * it asks?
 * Pure. */
#ifndef BROKERD_POLICY_ALLOWANCE_H
#define BROKERD_POLICY_ALLOWANCE_H
#include "brokerd/policy/grant.h"
#include "brokerd/policy/policy.h"
#include "protocol/base/arena.h"

struct allowance {
	const struct policy_rule *rule; /* NULL: there is none, and nothing is allowed */
	const struct grant *grant;      /* that lets it in; NULL: none is needed */
	struct span models; /* of a token: patterns, with spaces between; absent or empty: all */
	/* who else has to be allowed the same, and whose ceilings hold as well; NULL: nobody */
	const struct allowance *also;
};

/* All of them in one arena, with copies of the grants; the rules stay those of the configuration. ERR_NO_MEMORY. */
enum err allowance_copy(
	struct arena *a, const struct allowance *from, struct allowance *to) MUST_USE;

/* The same but for which models may be used: of what the configuration itself has asked on their behalf, who have been let in. The
 * rules are copies. ERR_NO_MEMORY. */
enum err allowance_any_model(
	struct arena *a, const struct allowance *from, struct allowance *to) MUST_USE;

/* Is anything said of models? */
bool allowance_limits_models(const struct allowance *a);

/* As policy_admit_model, and within what was granted, for all of them. */
enum err allowance_model(const struct allowance *a, struct span asked, struct span provider,
	struct span model, struct fault *why) MUST_USE;
/* Could any model of that provider be used? */
bool allowance_has_any(const struct allowance *a, struct span provider);
/* The same of "provider/model", or an alias, that is only to be told of. */
bool allowance_shows(const struct allowance *a, struct span id);

/* As policy_admit_call and policy_admit_native, by the rules of all. */
bool allowance_may(const struct allowance *a, const struct peer_id *peer, const struct call *c);
enum err allowance_native(const struct allowance *a, struct span provider, struct span method,
	struct span path, struct fault *why) MUST_USE;

/* The strictest of all ceilings of that kind: whose rule it is, and *most what it says. NULL: there is none. */
enum ceiling {
	CEILING_INPUT, /* tokens of a call */
	CEILING_OUTPUT,
	CEILING_COST, /* nano-dollars of it */
};
const struct policy_rule *allowance_ceiling(
	const struct allowance *a, enum ceiling kind, int64_t *most);
/* What they say together of answers that were given before. */
struct allowance_cache {
	bool may_read, may_write;
	bool is_default;  /* also of what is left to chance, where the call says nothing */
	int64_t semantic; /* as policy_rule's cache_semantic */
	enum policy_scope scope;
};
void allowance_cache(const struct allowance *a, struct allowance_cache *out);
/* What they say of marks for providers' own caches: the least of all. */
enum policy_prompt_cache allowance_prompt_cache(const struct allowance *a);
/* Does a rule forbid that what may have been served is sent again? */
bool allowance_denies_resend(const struct allowance *a);

#endif
