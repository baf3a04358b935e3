/* secret.h - how is one open key held?
 * In guarded, locked memory that no dump and no swap sees, unreadable but while it is read, and
 * wiped when the last holder lets go. There is no way from it into a format string. */
#ifndef BROKERD_VALUE_SECRET_H
#define BROKERD_VALUE_SECRET_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

struct secret; /* counted; belongs to the loop's thread */

/* Copies `bytes` (1..LIMIT_SECRET_BYTES, the caller wipes its own copy) in. `origin` is the one place
 * it may be sent to, as "https://host:port" in lower case with its port. ERR_NO_MEMORY. */
enum err secret_new(struct span bytes, struct span origin, struct secret **out) MUST_USE;
struct secret *secret_ref(struct secret *s);
void secret_unref(struct secret *s); /* the last one wipes; NULL is fine */

struct span secret_origin(const struct secret *s);

/* Can more memory be locked than is now? Returns false, with a sentence in *why, where it cannot, so that
 * further keys, or those that are open, may be swapped; the broker goes on and says so. */
bool secret_memory_locks(struct fault *why);

#endif
