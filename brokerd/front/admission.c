/* admission.c - a no of a person's comes before all rules, a yes where a rule asks for one. */
#include "brokerd/front/admission.h"

enum err admission_check(const struct organs *o, const struct peer_id *peer, const struct call *c,
	struct allowance *a, struct fault *why)
{
	char who[PEER_TEXT_BYTES];
	const enum err err = policy_admit_call(a->rule, peer, c, why);
	if (err || !policy_needs_grant(c))
		return err;
	const struct grant *said = grants_find(o->grants, peer, loop_wall_us(o->loop) / 1000000);
	peer_grant_text(peer, who);
	/* whoever administers can take back what was said of himself */
	if (said && !said->is_yes && c->kind != CALL_ADMIN)
		return fault_set(why, ERR_DENIED,
			"%.200s was cut off: `llmb app allow %.200s` lets it in again", who, who);
	if (a->rule->allow != POLICY_ASK)
		return OK;
	const bool is_allowed = said && said->is_yes;
	a->grant = is_allowed ? said : NULL;
	if (is_allowed || c->kind != CALL_ADMIN) /* the others wait until a person has answered */
		return OK;
	return fault_set(why, ERR_CONSENT,
		"nobody has allowed %.150s to use this broker: `llmb app allow %.150s`, from "
		"outside of "
		"it, does",
		who, who);
}
