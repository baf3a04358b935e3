/* named.c - all of them have to say yes. */
#include "brokerd/front/named.h"

#include <stdio.h>

bool named_join(struct named *n, struct identities *t, const struct identity *own,
	const struct behalf *b, int64_t now_s)
{
	for (n->n = 0; n->n < b->n; n->n++) {
		struct identity *i = identity_join(t, &b->parties[n->n].peer, now_s);
		bool is_first = i != own;
		if (!i) {
			named_leave(n, t, now_s);
			return false;
		}
		for (size_t k = 0; k < n->n; k++)
			is_first = is_first && n->of[k] != i;
		if (!is_first) /* who holds it already does */
			identity_leave(t, i, now_s);
		n->of[n->n] = i;
		n->is_first[n->n] = is_first;
	}
	return true;
}

static int64_t limit_of(const struct config *c, const struct policy_rule *rule)
{
	return rule && rule->max_calls > 0 ? rule->max_calls : c->max_calls;
}

static enum err check_own(const struct identity *own, int64_t limit, struct fault *why)
{
	return (int64_t)own->n_calls < limit
		       ? OK
		       : fault_set(why, ERR_OVERLOADED,
				 "%zu requests of yours are in flight, which is the limit "
				 "(max_calls)",
				 own->n_calls);
}

static enum err check_party(const struct identity *i, int64_t limit, struct fault *why)
{
	char who[PEER_TEXT_BYTES];
	if ((int64_t)i->n_calls < limit)
		return OK;
	peer_text(&i->peer, who);
	return fault_set(why, ERR_OVERLOADED,
		"%zu requests of %.200s are in flight, which is the limit (max_calls)", i->n_calls,
		who);
}

/* Of what who has the connection may have, does one leave enough for the others? */
static enum err check_share(
	const struct identity *i, const struct identity *own, int64_t limit, struct fault *why)
{
	char who[PEER_TEXT_BYTES], through[PEER_TEXT_BYTES];
	if (i == own || (int64_t)own->n_calls < limit - limit / 4 ||
		(int64_t)i->n_calls < limit / 2)
		return OK;
	peer_text(&i->peer, who);
	peer_text(&own->peer, through);
	return fault_set(why, ERR_OVERLOADED,
		"%zu requests of %.200s are in flight: the last of those that %.200s may have "
		"(max_calls) are left to others",
		i->n_calls, who, through);
}

enum err named_check(const struct named *n, const struct config *c, const struct identity *own,
	const struct behalf *b, struct fault *why)
{
	const int64_t limit = limit_of(c, b->own.rule);
	enum err err = check_own(own, limit, why);
	for (size_t i = 0; i < n->n && !err; i++) {
		err = check_party(n->of[i], limit_of(c, b->parties[i].allowance.rule), why);
		if (!err)
			err = check_share(n->of[i], own, limit, why);
	}
	return err;
}

void named_count(struct named *n)
{
	for (size_t i = 0; i < n->n; i++) {
		n->of[i]->n_calls += n->is_first[i];
		n->of[i]->calls += n->is_first[i];
	}
	n->is_counted = true;
}

void named_leave(struct named *n, struct identities *t, int64_t now_s)
{
	for (size_t i = 0; i < n->n; i++) {
		if (!n->is_first[i])
			continue;
		n->of[i]->n_calls -= n->is_counted;
		identity_leave(t, n->of[i], now_s);
	}
	*n = (struct named){.n = 0};
}
