/* memo_scope.h - with whom is an answer shared? */
#ifndef BROKERD_EXCHANGE_MEMO_SCOPE_H
#define BROKERD_EXCHANGE_MEMO_SCOPE_H
#include "brokerd/policy/policy.h"
#include "brokerd/value/peer_id.h"

#define MEMO_SCOPE_BYTES 768

struct memo_scope {
	char text[MEMO_SCOPE_BYTES];
	size_t n;
};

/* A name that is the caller's own word would let it in to what another's is, so there each run is one for itself; false: not
 * even that is known. */
bool memo_scope(const struct peer_id *p, enum policy_scope scope, struct memo_scope *s);

#endif
