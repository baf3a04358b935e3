/* sockets.h - on which sockets do clients come, and whose is each?
 * The main one; beside it, where its folder is called llm-broker, one for sandboxes in a folder of its own, which
 * may be bound into them; and one for each application that was given its own:
 *
 *     .../llm-broker/sock   .../llm-broker-sandbox/sock   .../llm-broker/apps/NAME/sock
 *
 * Or those that a service manager hands over, by their names: "sandbox", "app-NAME", and any other for the main
 * one. */
#ifndef BROKERD_FRONT_SOCKETS_H
#define BROKERD_FRONT_SOCKETS_H
#include "brokerd/front/listener.h"

#define APP_NAME_BYTES 63
#define HANDED_MAX     512

struct sockets {
	struct sessions *sessions;
	struct listener **list;
	size_t n;
	bool is_adopted; /* a service manager makes them, and keeps them */
};

void sockets_init(struct sockets *s, struct sessions *sessions);
void sockets_done(struct sockets *s);

/* One of LISTEN_FDS. */
enum err sockets_adopt(struct sockets *s, int fd, struct span name, struct fault *why) MUST_USE;
/* Makes the main one, and that for sandboxes; without the latter it is only poorer. */
enum err sockets_bind(struct sockets *s, const char *path, struct fault *why) MUST_USE;

/* Letters, digits, dots, hyphens and underscores, and no dot first. */
bool sockets_is_app_name(struct span name);
/* Makes an application's own, or finds it, as where a service manager holds it; its path is *path, as long as it is there. `profile` "" is none; where it
 * was another one, who came on it before is closed.
 * ERR_INVALID_ARGUMENT, ERR_IO. */
enum err sockets_add_app(struct sockets *s, struct span name, const char *profile,
	const char **path, struct fault *why) MUST_USE;
/* Has it one that a service manager holds? That stays after we have ended, and after it was removed: it is handed over
 * again at the next start. */
bool sockets_is_held(const struct sockets *s, struct span name);
/* Who came on it is closed. */
void sockets_remove_app(struct sockets *s, struct span name);

/* One that a program of the host made for a sandbox, with a descriptor whose other end that program holds: when
 * it is closed, the socket is no more listened on, and who came on it is closed: a pipe's, to read from. Both become ours. ERR_INVALID_ARGUMENT, ERR_OVERLOADED. */
enum err sockets_add_handed(struct sockets *s, const struct peer_place *place, int fd, int until,
	struct fault *why) MUST_USE;

/* Has somebody a socket that a service manager does not hold, where it holds others? It would go with us, and who comes by it
 * starts no broker. */
bool sockets_would_go(const struct sockets *s);

/* Does the main one's path still lead here? Another broker, or a service manager, may have put its own there, or its folder
 * have gone with its user's session. */
bool sockets_is_reachable(const struct sockets *s);

const char *sockets_main_path(const struct sockets *s);
void sockets_pause(struct sockets *s);

#endif
