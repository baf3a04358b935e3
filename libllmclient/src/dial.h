/* dial.h - how is a broker reached?
 * Tries the places where one may listen, in their order, checks who answers, and has a per-user broker
 * started where none does. Each try returns at once; when to try again is said. */
#ifndef LIBLLMCLIENT_SRC_DIAL_H
#define LIBLLMCLIENT_SRC_DIAL_H
#include "libllmclient/src/autostart.h"
#include "protocol/base/arena.h"

#define SYSTEM_SOCKET "/run/llm-broker/sock"

struct dial_options {
	const char *socket_path; /* NULL: the places of the environment, then the known ones */
	int fd;                  /* >= 0: this socket, and no other */
	bool may_start;          /* a broker, where none listens */
};

struct dial {
	struct arena arena; /* of the places' names */
	const char *places[4];
	size_t n_places;
	const char *home;  /* where a broker that is started listens; NULL: none may be */
	int fd;            /* the one socket there is; -1: places are tried */
	bool is_inherited; /* fd is $LLM_BROKER_FD */
	bool has_started;
	struct autostart begun; /* where it has */
	int64_t due_ms, again_ms;
	int64_t pause_ms;
};

/* ERR_UNREACHABLE: what is named cannot be one. ERR_NO_MEMORY. */
enum err dial_begin(struct dial *d, const struct dial_options *o, int64_t now_ms, int64_t due_ms,
	struct fault *why) MUST_USE;
void dial_done(struct dial *d);

/* OK: *fd is connected, does not block, and belongs to the caller. ERR_MORE: again at d->again_ms.
 * ERR_UNREACHABLE, ERR_TIMEOUT, ERR_NO_MEMORY. */
enum err dial_try(struct dial *d, int64_t now_ms, int *fd, struct fault *why) MUST_USE;

#endif
