/* route.h - which targets may answer for this model name, in which order?
 * From the configuration and the names of the providers that have a key; no clock, no I/O. */
#ifndef BROKERD_ROUTE_ROUTE_H
#define BROKERD_ROUTE_ROUTE_H
#include "brokerd/config/config.h"

/* Does the vault hold a key for this provider? */
struct route_keys {
	bool (*has_key)(const void *context, struct span provider);
	const void *context;
};

struct route {
	struct target *targets; /* in order; 1 or more */
	size_t n;
	bool is_fallback_offline; /* no provider has a key: the built-in one answers */
};

/* `model`: "provider/model" (everything behind the first slash is the provider's), an alias of the
 * configuration, a bare name where one provider alone can be meant, or "default" (also absent): the
 * alias of that name, else the default model of the first provider that has a key, else
 * offline/echo. Spans of the targets are the configuration's or the arena's.
 * ERR_NOT_FOUND says what names there are, ERR_MISCONFIGURED which key is missing; ERR_NO_MEMORY. */
enum err route_find(const struct config *c, struct span model, const struct route_keys *keys,
	struct arena *a, struct route *out, struct fault *why) MUST_USE;

/* One target from its two names; ERR_NOT_FOUND where there is no such provider, ERR_MISCONFIGURED where
 * its address lacks a key of the configuration. */
enum err route_target(const struct config *c, struct span provider, struct span model,
	struct target *out, struct fault *why) MUST_USE;

#endif
