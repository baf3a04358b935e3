/* behalf.h - on whose behalf is a call made, may they too, and on whose account is it?
 * Whoever has the connection may say for whom it asks: by a handle of a process, and by an app token. That only ever takes
 * away: all who are named have to be allowed what is asked, and the ceilings of all hold.
 *
 * Nobody gains by naming somebody else. The account goes from one to the next only where the one who names is in the open
 * (peer_is_open), who could say anything of himself anyway; whoever is in a sandbox, or has a name of his own, keeps his
 * account, his limits and what is kept for him, whomever he names. Administration is not done on another's behalf. */
#ifndef BROKERD_FRONT_BEHALF_H
#define BROKERD_FRONT_BEHALF_H
#include "brokerd/exchange/organs.h"
#include "brokerd/front/closer.h"
#include "brokerd/front/evidence.h"
#include "brokerd/policy/allowance.h"

#define BEHALF_PARTIES 2

/* Points into itself: it stays where it is. */
struct behalf {
	const struct peer_id
		*who; /* on whose account it is: who has the connection, or one of the parties */
	const struct allowance *allowance; /* of `who`, and behind it those of all others */
	struct allowance own;              /* of who has the connection */
	struct party {
		struct peer_id peer;
		struct allowance allowance;
		char models[GRANT_MODELS_BYTES]; /* of a token */
	} parties[BEHALF_PARTIES];               /* who else is named, in that order */
	size_t n;
};

/* May whoever this is name others by handles of their processes? */
bool behalf_may_name(const struct peer_id *connection);

/* Who is named by the call, and which rule is each one's: `out` is whole whatever comes back, with nobody named where
 * that is an error. A handle is taken out of `passed`. ERR_INVALID_REQUEST: there is no such descriptor, or it is none of
 * a process; ERR_DENIED: the process is gone or another user's, this one may name nobody, or the token is not known. */
enum err behalf_find(struct organs *o, const struct peer_id *connection, struct passed *passed,
	struct closer *closer, const struct call *c, struct behalf *out,
	struct fault *why) MUST_USE;

/* May all of them make it? As admission_check; only `who` is waited for until a person has answered. */
enum err behalf_admit(const struct organs *o, const struct peer_id *connection,
	const struct call *c, struct behalf *b, struct fault *why) MUST_USE;

#endif
