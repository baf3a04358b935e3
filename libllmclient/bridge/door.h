/* door.h - is it a program of this host that asks, or a web page in its browser?
 * A page may make its reader's browser send requests here, by a name that leads here if need be (DNS rebinding). The browser
 * says from which page (Origin), and which name was asked for (Host). Pure. */
#ifndef LIBLLMCLIENT_BRIDGE_DOOR_H
#define LIBLLMCLIENT_BRIDGE_DOOR_H
#include "protocol/base/err.h"

struct door {
	const char *const *origins; /* of pages that may, as in --allow-origin */
	size_t n_origins;
	const char *const *hosts; /* names of this host beside the usual ones, as in --allow-host */
	size_t n_hosts;
};

/* `host`: the header's value; absent: there was none. On a Unix socket any goes. ERR_DENIED. */
enum err door_host(const struct door *d, struct span host, struct fault *why) MUST_USE;
/* `origin`: likewise; "null" is some page, too. Absent: it is no browser. ERR_DENIED. */
enum err door_origin(const struct door *d, struct span origin, struct fault *why) MUST_USE;
/* `site`: of Sec-Fetch-Site, by which a browser says whose page it is also where it says no Origin, as for an image. Absent: it
 * is no browser, or an old one. ERR_DENIED. */
enum err door_site(struct span site, struct fault *why) MUST_USE;

#endif
