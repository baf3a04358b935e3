/* request.h - what becomes of one HTTP request?
 * Its body goes to the broker as it comes, the broker's answer back as it comes; nothing of either is read. A reader who is
 * behind holds the answer up at the broker, by its credit, and there at the provider. */
#ifndef LIBLLMCLIENT_BRIDGE_REQUEST_H
#define LIBLLMCLIENT_BRIDGE_REQUEST_H
#include <microhttpd.h>

#include "libllmclient/bridge/door.h"
#include "libllmclient/bridge/line.h"

/* What all requests share. */
struct bridge {
	struct ev_loop *loop;
	struct lines *lines;
	struct door door;
	bool is_token_required; /* whoever shows no app token is refused */
	bool is_for_one;        /* the broker knows by our connection for whom all of it is */
	size_t gathered_bytes;  /* of bodies that wait to be whole */
	/* HTTP connections have something to do: to be called at the end of this turn */
	void (*stir)(void *context);
	void *context;
};

/* Who is connected. */
struct caller {
	bool is_local_socket; /* of a Unix socket: no browser comes here */
	int process; /* a handle of the program there, the connection's own; -1: the kernel keeps it (peer.h), or none is known */
	struct fault refused; /* why it may not; OK: it may */
};

struct request;

/* `target` is what stands behind the method. NULL: out of memory. */
struct request *request_new(struct bridge *b, const struct caller *who, const char *target);
/* As an access handler of libmicrohttpd. */
enum MHD_Result request_handle(struct request *r, struct MHD_Connection *c, const char *method,
	const char *data, size_t *n);
/* Its caller has hung up: what it asked for is cancelled now. */
void request_gone(struct request *r);
/* Does its body come so slowly that it is not waited for? */
bool request_is_late(const struct request *r);
/* It is over, however it came to that. */
void request_free(struct request *r);

#endif
