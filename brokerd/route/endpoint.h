/* endpoint.h - where has a provider this endpoint of a public API, which nobody here translates?
 * Files, batches, images, audio and the like: a path as that API's own clients write it is looked up in one table, and
 * becomes a path below a provider's host. From the configuration alone; no clock, no I/O. */
#ifndef BROKERD_ROUTE_ENDPOINT_H
#define BROKERD_ROUTE_ENDPOINT_H
#include "brokerd/config/config.h"
#include "protocol/surface.h"

/* Whose API has such a path? */
enum endpoint_api { ENDPOINT_OPENAI, ENDPOINT_ANTHROPIC, ENDPOINT_GEMINI };

struct endpoint {
	enum endpoint_api api;
	struct span path;   /* as the caller has it */
	const char *stem;   /* the beginning of what stands behind the version; "": of any */
	const char *served; /* the word of the trait `ops` for it; NULL: there is none */
};

/* Does a provider have it? */
enum endpoint_has {
	ENDPOINT_NOT,
	ENDPOINT_PERHAPS, /* nobody has said what it serves */
	ENDPOINT_THERE,
};

/* By the call's path, and the headers that only one API's clients send. */
void endpoint_find(const struct surface_call *call, struct endpoint *out);

/* The same path in another API that has such a one, too. False: there is no other. */
bool endpoint_next(struct endpoint *e);

/* Appends to `path` where the provider has it, below its host, or would have it (ENDPOINT_NOT): nothing where it does not
 * speak that API at all, nor where it has no address yet. Failures stick to the buf. */
enum endpoint_has endpoint_at(const struct config *c, const struct provider *p,
	const struct endpoint *e, struct buf *path);

#endif
