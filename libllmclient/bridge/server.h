/* server.h - who is connected, and who has been for too long without a word?
 * HTTP by libmicrohttpd, on the caller's loop: nothing here blocks, and there is no thread. */
#ifndef LIBLLMCLIENT_BRIDGE_SERVER_H
#define LIBLLMCLIENT_BRIDGE_SERVER_H
#include "libllmclient/bridge/bridge.h"
#include "libllmclient/bridge/caller.h"

#define SERVER_CONNECTIONS \
	12000u /* at the most; whoever comes then waits, for who has been quiet for longest goes */
#define SERVER_QUIET_S \
	75.0 /* a connection between two requests, until the next one's head is whole */

struct server;

/* `b` is filled in by the caller but for `stir`. NULL: *why says what is missing. */
struct server *server_new(struct bridge *b, struct fault *why);
/* Nobody new is taken, and who has nothing under way is let go; true: nobody is left. */
bool server_drain(struct server *s);
void server_free(struct server *s); /* whoever is left is let go. NULL is fine */

/* The loop's time since when nobody is connected; below 0: somebody is. */
double server_empty_since(const struct server *s);

/* A connection that was accepted; from now on it is the server's. */
void server_add(struct server *s, int fd, const struct caller *who);
/* May another one be taken? */
bool server_has_room(const struct server *s);
/* Somebody waits for whom there is none: those that have been quiet for longest, and for a while, are let go. */
void server_make_room(struct server *s);

#endif
