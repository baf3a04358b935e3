/* account.c - copies of what the peer, the rule and the request say. */
#include "brokerd/exchange/account.h"

void account_key(const struct exchange *x, char *to, size_t size)
{
	fault_text(to, size, x->flight->route.n > 0 ? exchange_target(x)->key : SPAN(""));
}

void account_of(const struct exchange *x, struct account_record *out)
{
	const struct peer_id *p = &x->peer;
	const struct span tier = x->flight->request.service_tier;
	*out = (struct account_record){.kind = ""};
	fault_text(out->kind, sizeof out->kind, span_str(peer_kind_name(p->kind)));
	memcpy(out->unit, p->unit, sizeof out->unit);
	memcpy(out->container, p->container, sizeof out->container);
	memcpy(out->project, p->project, sizeof out->project);
	memcpy(out->via, p->via, sizeof out->via);
	if (x->allowance.rule)
		fault_text(out->policy, sizeof out->policy, x->allowance.rule->name);
	account_key(x, out->key_label, sizeof out->key_label);
	if (span_is_set(tier))
		fault_text(out->tier, sizeof out->tier, tier);
}
