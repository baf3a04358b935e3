/* autostart.h - may a per-user broker be started here, and how?
 * By systemd, where one runs for this user and has a llm-broker.socket; else only a broker that is installed beside
 * this library. Never where that unit is masked, for root where systemd runs, whose broker is the system's, nor from
 * inside a sandbox or a program with another's privileges: there a broker would be of no use, or a way in. */
#ifndef LIBLLMCLIENT_SRC_AUTOSTART_H
#define LIBLLMCLIENT_SRC_AUTOSTART_H
#include "protocol/base/arena.h"

/* What was begun. */
struct autostart {
	int report;      /* what comes of it is told there; -1: nothing more is */
	bool is_asked;   /* systemd, which has not answered yet */
	bool is_managed; /* systemd has taken it on */
};
#define AUTOSTART_NONE ((struct autostart){.report = -1})

/* Starts one that will listen at `socket_path`, and does not wait for it: two that are started at
 * once settle it between them. ERR_UNREACHABLE says why none was started. ERR_NO_MEMORY. */
enum err autostart(struct autostart *a, const char *socket_path, struct fault *why) MUST_USE;
void autostart_done(struct autostart *a);

/* What has become of it, as far as is known. ERR_UNREACHABLE: nothing, and why. */
enum err autostart_look(struct autostart *a, struct fault *why) MUST_USE;

/* ERR_UNREACHABLE: what is to be said of one that does not listen in time. */
enum err autostart_late(
	const struct autostart *a, const char *socket_path, struct fault *why) MUST_USE;

#endif
