/* entry.h - may this HTTP request come in?
 * By its head, and by who is connected; before a byte of its body is taken, and without a word to the broker. */
#ifndef LIBLLMCLIENT_BRIDGE_ENTRY_H
#define LIBLLMCLIENT_BRIDGE_ENTRY_H
#include <microhttpd.h>

#include "libllmclient/bridge/bridge.h"
#include "libllmclient/bridge/caller.h"
#include "libllmclient/bridge/place.h"

#define ENTRY_BODY_MAX ((size_t)64 * 1024 * 1024) /* bytes of a body */

/* May whoever asks, be it a program or a page? ERR_DENIED. */
enum err entry_admit(const struct bridge *b, const struct caller *who, struct MHD_Connection *http,
	struct fault *why) MUST_USE;

/* Does a page ask whether it may ask? That the bridge answers itself. */
bool entry_is_preflight(struct MHD_Connection *http, const char *method);

/* Is it one request, of a kind that is served at that place? *status is set where it is not that of the class. */
enum err entry_check(const struct place *p, struct MHD_Connection *http, const char *method,
	int *status, struct fault *why) MUST_USE;

#endif
