/* identity.c - a table by a text of all that tells them apart. */
#include "brokerd/front/identity.h"

#include <stdio.h>

#include "protocol/base/list.h"

static int write_key(const struct peer_id *p, char *to, size_t size)
{
	char who[PEER_TEXT_BYTES];
	/* by claims nobody gets another share of what each has */
	peer_grant_text(p, who);
	return snprintf(to, size, "%lld %d %d %s %s", (long long)p->uid, (int)p->socket,
		(int)p->is_claim, p->profile, who);
}

static bool is_here(const struct identity *i)
{
	return i->n_connections > 0 || i->n_calls > 0;
}

static void forget(struct identities *t, struct identity *i)
{
	LIST_REMOVE(t->idle, i);
	t->n_idle--;
	TABLE_REMOVE(t->all, i);
	free(i);
}

struct identity *identity_join(struct identities *t, const struct peer_id *peer, int64_t now_s)
{
	char key[PEER_TEXT_BYTES + 128];
	struct identity *i;
	const size_t n = (size_t)write_key(peer, key, sizeof key);
	TABLE_FIND(t->all, i, key, n);
	if (!i) {
		i = calloc(1, sizeof *i + n + 1);
		if (!i)
			return NULL;
		memcpy(i->key, key, n + 1);
		i->key_bytes = n;
		i->first_s = now_s;
		TABLE_ADD(t->all, i, i->key, i->key_bytes);
	} else if (!is_here(i)) {
		LIST_REMOVE(t->idle, i);
		t->n_idle--;
	}
	i->peer = *peer;
	i->last_s = now_s;
	i->n_connections++;
	return i;
}

/* The last of what kept it has gone. */
static void rest(struct identities *t, struct identity *i, int64_t now_s)
{
	i->last_s = now_s;
	if (is_here(i))
		return;
	LIST_PUSH(t->idle, i);
	if (++t->n_idle > IDENTITIES_IDLE)
		forget(t, t->idle);
}

void identity_leave(struct identities *t, struct identity *i, int64_t now_s)
{
	i->n_connections--;
	rest(t, i, now_s);
}

void identity_ended(struct identities *t, struct identity *i, int64_t now_s)
{
	i->n_calls--;
	if (i->n_connections == 0)
		rest(t, i, now_s);
}

struct identity *identity_move(struct identities *t, struct identity *from, size_t n_calls,
	const struct peer_id *to, int64_t now_s)
{
	struct identity *i = identity_join(t, to, now_s);
	if (!i)
		return NULL;
	from->n_calls -= n_calls;
	i->n_calls += n_calls;
	const bool was_nobody = from->n_connections == 1 && from->calls == 0;
	identity_leave(t, from, now_s);
	if (was_nobody)
		forget(t, from);
	return i;
}

void identities_done(struct identities *t)
{
	while (t->idle)
		forget(t, t->idle);
}
