/* listener.h - on which socket do clients come?
 * One that a service manager hands over, or one that is made here; a full table of descriptors is
 * answered, not spun on. */
#ifndef BROKERD_FRONT_LISTENER_H
#define BROKERD_FRONT_LISTENER_H
#include "brokerd/front/session.h"

struct listener;

/* Makes PATH (its folder too, 0700, where it is missing), 0600, and listens. A socket that nobody
 * answers on is replaced; one that somebody does is left: ERR_INVALID_ARGUMENT, code "in_use". Who else starts just
 * now is waited for, but not for an application's socket, which is made while others are served. */
enum err listener_bind(struct sessions *s, const char *path, const struct peer_place *place,
	struct listener **out, struct fault *why) MUST_USE;

/* Takes a listening descriptor over (LISTEN_FDS); it is never unlinked. */
enum err listener_adopt(struct sessions *s, int fd, const struct peer_place *place,
	struct listener **out, struct fault *why) MUST_USE;

/* Is it a pipe's end to read from? Others may not be watched, or keep who looks at them waiting. */
enum err listener_check_until(int fd, struct fault *why) MUST_USE;
/* When that descriptor, which becomes the listener's, says that its other end is closed: on_end, which may free
 * the listener. */
void listener_until(struct listener *l, int fd, void (*on_end)(struct listener *l, void *context),
	void *context);

/* No more connections are taken; those that wait in the kernel stay there. */
void listener_pause(struct listener *l);
void listener_free(struct listener *l); /* unlinks what it made; NULL is fine */

const char *listener_path(const struct listener *l);
/* Does its socket go with us: we made it, or it is one that a program handed in? */
bool listener_would_go(const struct listener *l);
/* Does its path still lead here? Of one that was handed over its maker knows. */
bool listener_is_reachable(const struct listener *l);
/* Whose it is: all who come on it. */
const struct peer_place *listener_place(const struct listener *l);
/* Who came before, under another one, is closed. */
void listener_set_profile(struct listener *l, const char *profile);

#endif
