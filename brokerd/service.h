/* service.h - what does a service manager hand over, and what is it told?
 * LISTEN_FDS, NOTIFY_SOCKET and CREDENTIALS_DIRECTORY, as systemd documents them; without one, nothing
 * happens. */
#ifndef BROKERD_SERVICE_H
#define BROKERD_SERVICE_H
#include <stdint.h>

#include "protocol/base/err.h"

#define SERVICE_FIRST_FD 3
#define SERVICE_FDS_MAX  1024

struct service {
	int n_fds;              /* descriptors from SERVICE_FIRST_FD on; 0: not socket-activated */
	char *names;            /* of them, with colons between; NULL none */
	char notify[108];       /* the address; "" none; '@' first: abstract */
	int64_t watchdog_us;    /* 0: none */
	char credentials[1024]; /* the folder that they are in; "" none */
};

/* Reads the variables and takes them out of the environment, so that no child has them. Aborts when memory is out. */
void service_read(struct service *s);
void service_done(struct service *s);

/* What the i-th descriptor is called; "" where it has no name. */
struct span service_name(const struct service *s, int i);

/* "READY=1", "STOPPING=1", "STATUS=...": one datagram; nobody to tell is no failure. */
void service_tell(const struct service *s, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
