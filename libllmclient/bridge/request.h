/* request.h - what becomes of one HTTP request?
 * Its body goes to the broker as it comes, the broker's answer back as it comes; nothing of either is read. A reader who is
 * behind holds the answer up at the broker, by its credit, and there at the provider. */
#ifndef LIBLLMCLIENT_BRIDGE_REQUEST_H
#define LIBLLMCLIENT_BRIDGE_REQUEST_H
#include <microhttpd.h>

#include "libllmclient/bridge/bridge.h"
#include "libllmclient/bridge/caller.h"

struct request;

/* `target` is what stands behind the method. NULL: out of memory. */
struct request *request_new(struct bridge *b, const struct caller *who, const char *target);
/* As an access handler of libmicrohttpd. */
enum MHD_Result request_handle(struct request *r, struct MHD_Connection *c, const char *method,
	const char *data, size_t *n);
/* Its caller has hung up: what it asked for is cancelled now. */
void request_gone(struct request *r);
/* Does its body come so slowly that it is not waited for? */
bool request_is_late(const struct request *r);
/* Are others refused for the sake of its answer, which has been there for a while and is not read? */
bool request_is_in_the_way(const struct request *r);
/* It is over, however it came to that. */
void request_free(struct request *r);

#endif
