/* host.h - whom does a test send to that says little about it?
 * By way of a configuration, so that a target has all that a real one would have. */
#ifndef TESTS_LIB_HOST_H
#define TESTS_LIB_HOST_H
#include "brokerd/config/config.h"
#include "protocol/base/json.h"

/* What is not said is the family's own host: a built-in provider that speaks it, with a usual model.
 * A provider that is not built in gets an address of no consequence. */
struct host_wish {
	struct span family;
	struct span provider, model, path;
	struct json
		more; /* an object with base_url, region, ... and `traits` by name; may be absent */
};

/* The target, and the configuration that it borrows from, which the caller unrefs. NULL: *why says
 * what is wrong. */
struct config *host_target(
	const struct host_wish *wish, struct arena *a, struct target *out, struct fault *why);

#endif
