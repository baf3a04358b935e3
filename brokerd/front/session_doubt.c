/* session_doubt.c - when is it known whose session it is?
 * Mostly from the start; else it is kept, for who it seems to be may be let in, and moved once that is settled. */
#include "brokerd/front/session_parts.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"

bool session_may_be_let_in(const struct session *s)
{
	const struct organs *o = s->all->organs;
	struct fault why = FAULT_NONE;
	if (!s->doubt)
		return false;
	const struct peer_id *p = doubt_peer(s->doubt);
	return policy_admit_peer(policy_find(o->config, p, o->own_uid), p, o->own_uid, &why) == OK;
}

/* Its calls that are under way go along. False: out of memory, and nothing is changed. */
static bool become(struct session *s, const struct peer_id *who)
{
	struct identities *all = &s->all->admin->identities;
	const struct open_call *c;
	struct peer_id peer = *who;
	struct pinned *pinned;
	size_t n_calls = 0;
	memcpy(peer.app, s->who->peer.app, sizeof peer.app);
	LIST_EACH(s->calls, c)
		n_calls += c->exchange != NULL;
	pinned = pinned_get(&s->all->pinned, &peer);
	if (!pinned)
		return false;
	struct identity *identity =
		identity_move(all, s->identity, n_calls, &peer, session_now_s(s->all));
	if (!identity) {
		pinned_put(&s->all->pinned, pinned);
		return false;
	}
	s->identity = identity;
	pinned_put(&s->all->pinned, s->who);
	s->who = pinned;
	return true;
}

void session_hear(struct session *s, const struct sender *who)
{
	const enum doubt_end end = doubt_hear(s->doubt, who, s->in.n == 0);
	struct fault why = FAULT_NONE;
	if (end == DOUBT_STAYS)
		return;
	const bool is_known = end == DOUBT_OVER || become(s, doubt_peer(s->doubt));
	doubt_free(s->doubt);
	s->doubt = NULL;
	log_debug("session.settled", "uid=%u pid=%d kind=%s", (unsigned)s->who->peer.uid,
		(int)s->who->peer.pid, peer_kind_name(s->who->peer.kind));
	if (is_known) {
		session_admit(s);
		return;
	}
	fault_set(&why, ERR_NO_MEMORY, "out of memory for a connection");
	session_close_with(s, &why);
}

enum err session_deny_early(struct fault *why)
{
	return fault_set(why, ERR_DENIED,
		"who calls is not known yet, for this call was sent before the welcome was there: "
		"where "
		"Linux is older than 6.5 a program must wait for the welcome before its first "
		"call");
}
