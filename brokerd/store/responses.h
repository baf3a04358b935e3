/* responses.h - what was answered before, under the id that its caller has for it?
 * Answers of the Responses API, which goes on from one by its id. Each is a file, sealed with a key of the
 * vault, under a name that says nothing; one owner's are nobody else's: a user, or one identity of his. A worker reads and writes. They go
 * when they are old, and when they are too many the oldest of the user who has most, so that nobody pushes out
 * what others keep. What is in one is its writer's. */
#ifndef BROKERD_STORE_RESPONSES_H
#define BROKERD_STORE_RESPONSES_H
#include <sys/types.h>

#include "brokerd/loop/worker.h"
#include "protocol/base/span.h"
#include "protocol/limits.h"

#define RESPONSES_KEY_BYTES 32
#define RESPONSES_CHAIN_MAX 1000 /* answers that one goes on from */

struct responses;

struct responses_limits {
	int64_t bytes; /* of all files together */
	int64_t age_s; /* 0: nothing is kept */
};

/* `dir` is made where it is missing. Both are set by responses_open. NULL: out of memory. */
struct responses *responses_new(struct workers *w, const char *dir);
void responses_free(struct responses *s); /* its jobs must have ended; NULL is fine */

/* There is a key, which is copied; again with another limit or key: that holds from then on. */
void responses_open(struct responses *s, const unsigned char key[RESPONSES_KEY_BYTES],
	const struct responses_limits *limits);
/* The key is gone: nothing is read or written until there is one. */
void responses_close(struct responses *s);
bool responses_is_open(const struct responses *s);
/* Open, and meant to keep anything. */
bool responses_keeps(const struct responses *s);

struct response {
	struct span id;
	struct span previous; /* the answer that it goes on from; absent: none */
	struct span json;
	int64_t at_s; /* since 1970 */
};

/* Who waits for one of the operations below. Embedded and zeroed; `work` is set while it waits. */
struct responses_wait {
	struct responses_work *work;
	/* Once, never from inside; the list, newest first, lives until it returns. *why OK: it is done.
	 * ERR_NOT_FOUND (of a chain, `why->param` has the id that is missing), ERR_TOO_BIG, ERR_IO,
	 * ERR_NO_MEMORY. */
	void (*on_done)(struct responses_wait *w, const struct response *list, size_t n,
		const struct fault *why);
};

/* Each begins; ERR_LOCKED: there is no key. What waits may leave, which stops nothing but the telling. */
enum err responses_put(struct responses *s, uint64_t owner, const struct response *r,
	struct responses_wait *w, struct fault *why) MUST_USE;
/* One, or with all that it goes on from. */
enum err responses_get(struct responses *s, uint64_t owner, struct span id, bool with_chain,
	int64_t now_s, struct responses_wait *w, struct fault *why) MUST_USE;
enum err responses_remove(struct responses *s, uint64_t owner, struct span id,
	struct responses_wait *w, struct fault *why) MUST_USE;
void responses_leave(struct responses_wait *w); /* harmless where it does not wait */

#endif
