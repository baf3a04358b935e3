/* account.c - copies of what the peer, the rule and the request say. */
#include "brokerd/exchange/account.h"

void account_key(const struct exchange *x, char *to, size_t size)
{
	const struct flight *f = x->flight;
	const struct provider *p =
		f->route.n > 0 ? config_provider(f->config, exchange_target(x)->provider) : NULL;
	fault_text(to, size, p && span_is_set(p->key_label) ? p->key_label : SPAN(""));
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
	if (x->allowance.rule)
		fault_text(out->policy, sizeof out->policy, x->allowance.rule->name);
	account_key(x, out->key_label, sizeof out->key_label);
	if (span_is_set(tier))
		fault_text(out->tier, sizeof out->tier, tier);
}
