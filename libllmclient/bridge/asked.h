/* asked.h - what is asked of the broker for an HTTP request?
 * The call without its body: which surface or provider's endpoint, the headers that are passed on, on whose behalf it is,
 * and what the caller wishes of the broker itself. */
#ifndef LIBLLMCLIENT_BRIDGE_ASKED_H
#define LIBLLMCLIENT_BRIDGE_ASKED_H
#include <microhttpd.h>

#include "libllmclient/bridge/bridge.h"
#include "libllmclient/bridge/caller.h"
#include "libllmclient/bridge/place.h"

struct asked {
	llm_request *call; /* the caller's to free */
	bool is_named; /* somebody is, by whom the broker tells it from others of the bridge's */
};

/* `out` is empty where it fails: ERR_NO_MEMORY, or what is wrong with the request; *status is set where it is not that of the
 * class. */
enum err asked_make(const struct bridge *b, const struct caller *who, const struct place *p,
	struct MHD_Connection *http, const char *method, struct asked *out, int *status,
	struct fault *why) MUST_USE;

#endif
