/* autostart.h - may a per-user broker be started here, and how?
 * Only a broker that is installed beside this library, and never from inside a sandbox or a program
 * with another's privileges: there a broker would be of no use, or a way in. */
#ifndef LIBLLMCLIENT_SRC_AUTOSTART_H
#define LIBLLMCLIENT_SRC_AUTOSTART_H
#include "protocol/base/arena.h"

/* Starts one that will listen at `socket_path`, and does not wait for it: two that are started at
 * once settle it between them. ERR_UNREACHABLE says why none was started. ERR_NO_MEMORY. */
enum err autostart(const char *socket_path, struct fault *why) MUST_USE;

#endif
