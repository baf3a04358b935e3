/* bridge.h - what do all requests share?
 * One of it, which outlives them. */
#ifndef LIBLLMCLIENT_BRIDGE_BRIDGE_H
#define LIBLLMCLIENT_BRIDGE_BRIDGE_H
#include "libllmclient/bridge/door.h"
#include "libllmclient/bridge/line.h"

/* Calls under way in which nobody is named: three quarters of what the broker lets one program have (max_calls), for to the broker
 * they are all the bridge's own, and count against those who are named as well. Of these it sees to it itself. */
#define BRIDGE_UNNAMED_MAX 1536u

/* What answers that are not read take, of all together: beyond it nothing more is asked. */
#define BRIDGE_HELD_MAX ((size_t)128 * 1024 * 1024)

struct request;

struct bridge {
	struct ev_loop *loop;
	struct lines *lines;
	struct door door;
	bool is_token_required; /* whoever shows no app token is refused */
	bool has_metrics;       /* whoever may ask may ask for them, too */
	bool is_for_one;        /* the broker knows by our connection for whom all of it is */
	unsigned n_unnamed;     /* calls under way in which nobody is named, where others may be */
	size_t gathered_bytes;  /* of bodies that wait to be whole */
	size_t held_bytes;      /* of answers that are there and not told yet, at the most */
	struct request
		*told; /* whose reader has not come back for more since, the first one first */
	/* HTTP connections have something to do: to be called at the end of this turn */
	void (*stir)(void *context);
	void *context;
};

#endif
