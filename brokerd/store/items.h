/* items.h - what belongs to this tool call that its caller may have dropped?
 * Providers hand out signatures and encrypted reasoning that they want back with the next turn; many
 * callers cannot carry them. They are kept by the id of the call they came with, for one user, in
 * memory and, while the vault gives a key, sealed in a file that the next start reads. Bounded in
 * bytes and in age; the oldest go first. A worker does the reading and writing. */
#ifndef BROKERD_STORE_ITEMS_H
#define BROKERD_STORE_ITEMS_H
#include <sys/types.h>

#include "brokerd/loop/worker.h"
#include "protocol/base/span.h"
#include "protocol/limits.h"

struct items;

#define ITEMS_KEY_BYTES 32

struct items_limits {
	size_t bytes;       /* of all values together, in memory and in one of the two files */
	size_t value_bytes; /* of one value; a longer one is not kept */
	int64_t age_s;
	size_t count; /* 0: as many as the bytes allow */
};
#define ITEMS_LIMITS ((struct items_limits){16 * MIB, 1 * MIB, INT64_C(30) * 86400, 131072})

/* `path` is the file, in a folder that is made where it is missing; beside it lies "PATH.old". Both
 * are used from items_open on. NULL: out of memory. */
struct items *items_new(struct workers *w, const char *path, struct items_limits limits);
void items_free(struct items *s); /* its jobs must have ended; NULL is fine */

/* There is a key: what was kept is read, and what comes is written. Again with the same key: nothing.
 * The key is copied. `now_s` as below. */
void items_open(struct items *s, const unsigned char key[ITEMS_KEY_BYTES], int64_t now_s);
/* The same for a start, before anything is served: what was kept is there when it returns. */
void items_begin(struct items *s, const unsigned char key[ITEMS_KEY_BYTES], int64_t now_s);
/* The key is gone: from now on in memory alone. */
void items_close(struct items *s);
bool items_is_open(const struct items *s);

/* Keeps a value for (owner, id), in place of an earlier one; an empty one, or one that is too long, takes
 * the earlier one away and leaves none. `now_s`: seconds since 1970. */
void items_put(struct items *s, uint64_t owner, struct span id, struct span value, int64_t now_s);

/* The value, until the next call of any of these; absent where there is none. */
struct span items_get(struct items *s, uint64_t owner, struct span id, int64_t now_s);

/* How many there are, and their bytes. */
size_t items_count(const struct items *s, size_t *bytes);

#endif
