/* session.h - what do one client and the broker say to each other?
 * One connection: frames in, checked and handed on; events out, as far as the client's credit and
 * its reading go. A client that breaks the rules is told which one, and then closed. */
#ifndef BROKERD_FRONT_SESSION_H
#define BROKERD_FRONT_SESSION_H
#include "brokerd/front/admin.h"
#include "brokerd/front/identity.h"
#include "brokerd/front/peer.h"
#include "brokerd/front/seats.h"

struct session;
struct pinned;

/* All sessions of a broker, and what they share. */
struct sessions {
	struct admin_env *admin;
	struct organs *organs;
	struct session *all;
	size_t n;
	uint64_t n_ever;       /* that there were */
	char *scratch;         /* one receive buffer for all: an idle client owns none */
	struct buf spare;      /* the same for what is written; empty while somebody has it */
	struct pinned *pinned; /* who has a connection */
	/* descriptors that came with what is just being read, and those that did not */
	struct passed passed, none;
	struct closer *closer;
	struct seats seats;
	/* a session has come or gone, or a call has ended: whether the broker idles may have changed */
	void (*on_change)(void *context);
	void *context;
};

/* False: out of memory. */
bool sessions_init(struct sessions *s, struct admin_env *admin) MUST_USE;
void sessions_done(struct sessions *s); /* closes all, at once */

/* Takes a connected, non-blocking descriptor over, whatever happens, that came on a socket of that place. A
 * peer that policy does not let in is told so and closed. The session remembers by `place` where it came from. */
void session_accept(struct sessions *s, int fd, const struct peer_place *place);

/* The socket of that place is gone, or another's: who came on it is told why and closed, and his calls end. Nothing is
 * freed before the end of this turn. */
void sessions_end_of(struct sessions *s, const struct peer_place *place, const struct fault *why);

/* These app tokens are taken back: calls that showed one end, and are told why. Nothing is freed before the end of this
 * turn. */
void sessions_end_tokens(struct sessions *s, const struct app_token_id *ids, size_t n);

/* The broker is going: says so to every client; sessions without calls close, the others when
 * theirs are finished. */
void sessions_drain(struct sessions *s, const char *reason, int64_t grace_us);

/* Tells a connected, non-blocking descriptor why it cannot be served, as well as one write can, and closes it. */
void session_refuse(const struct sessions *all, int fd, const struct fault *why);

#endif
