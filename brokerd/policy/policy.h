/* policy.h - may this peer do this?
 * One table of operations; what has no row is denied. The first rule of the configuration that fits a peer says
 * which of them it may do, and with what. Pure: no I/O. */
#ifndef BROKERD_POLICY_POLICY_H
#define BROKERD_POLICY_POLICY_H
#include "brokerd/config/config.h"
#include "protocol/control.h"

/* The rule that holds for a peer, as long as the configuration lives; NULL: none. `own` is the broker's uid. */
const struct policy_rule *policy_find(
	const struct config *c, const struct peer_id *peer, uid_t own);

/* May it hold a connection? ERR_DENIED. */
enum err policy_admit_peer(const struct policy_rule *r, const struct peer_id *peer, uid_t own,
	struct fault *why) MUST_USE;

/* May it make this call? ERR_DENIED; ERR_UNSUPPORTED for what this version knows and does not do yet. */
enum err policy_admit_call(const struct policy_rule *r, const struct peer_id *peer,
	const struct call *c, struct fault *why) MUST_USE;

/* Is it one that a person can allow or forbid? What a caller is told of itself is not. */
bool policy_needs_grant(const struct call *c);
/* May it be asked for somebody else? Administration is not, but for what only looks and names nobody. */
bool policy_may_be_on_behalf(const struct call *c);

/* May it use a model, that it asked for as `asked` and that is to be had as provider and model? ERR_DENIED. */
enum err policy_admit_model(const struct policy_rule *r, struct span asked, struct span provider,
	struct span model, struct fault *why) MUST_USE;
/* Does the rule say anything of models? */
bool policy_limits_models(const struct policy_rule *r);

/* May it go to that endpoint of a provider's own? The path begins with a slash, and is one that has no dots to
 * climb by. ERR_DENIED. */
enum err policy_admit_native(const struct policy_rule *r, struct span provider, struct span method,
	struct span path, struct fault *why) MUST_USE;

/* Do all rules speak of operations, providers and methods that there are? ERR_MISCONFIGURED. */
enum err policy_check(const struct config *c, struct fault *why) MUST_USE;

/* The operations there are, in the order of the table: for what is generated from it. NULL: no more. */
const char *policy_operation(size_t i);
/* A call of the i-th. */
struct call policy_call_of(size_t i);

#endif
