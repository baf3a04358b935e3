/* multi.h - how does one curl multi handle live on our loop?
 * Sockets and curl's one timer become the loop's; curl is never called from inside a callback of
 * its own. Knows nothing of requests. */
#ifndef BROKERD_TRANSPORT_MULTI_H
#define BROKERD_TRANSPORT_MULTI_H
#include <curl/curl.h>

#include "brokerd/loop/loop.h"

struct multi;

/* All but one come outside of curl, where it may be called. */
struct multi_events {
	/* A transfer is over, and its handle is out of the multi. */
	void (*on_done)(void *context, CURL *easy, CURLcode code);
	/* From now on curl only waits for what comes to it, for that transfer. Inside curl; NULL: nobody wants to know. */
	void (*on_listening)(void *context, CURL *easy);
	/* The multi cannot be used any more: all its handles are to be removed, and it is to be
	 * freed, later. Said once, from the loop. */
	void (*on_broken)(void *context, const char *reason);
	void *context;
};

/* `max_connections`: kept open, in use or idle. NULL: out of memory. */
struct multi *multi_new(
	struct loop *l, long max_connections, const struct multi_events *events, struct fault *why);
void multi_free(struct multi *m); /* all handles are removed; closes its connections */

bool multi_is_broken(const struct multi *m); /* also before on_broken has said so */

/* Is curl on the stack? Then none of the following may be called. */
bool multi_is_inside(const struct multi *m);

/* It begins at once, and may call its callbacks. False: refused, and none was called. */
bool multi_add(struct multi *m, CURL *easy);
void multi_remove(struct multi *m, CURL *easy); /* drops its connection if it is in use */
/* Lets a paused transfer go on; may call its callbacks. Where the result is not CURLE_OK it has
 * failed, and no on_done says so. */
CURLcode multi_unpause(struct multi *m, CURL *easy) MUST_USE;

/* A transfer came further. Without such a word, more wake-ups than MULTI_SPINS_A_SECOND for
 * MULTI_SPIN_US are a busy loop inside curl, and the multi is called broken. From anywhere. */
#define MULTI_SPINS_A_SECOND 5000
#define MULTI_SPIN_US        INT64_C(2000000)
void multi_moved(struct multi *m);

/* CURLOPT_CLOSESOCKETFUNCTION with a multi as its data, for every handle: a descriptor is closed
 * only after its watch, whether or not curl has said so. */
int multi_close_socket(void *multi, curl_socket_t fd);

#endif
