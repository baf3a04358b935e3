/* prompts.h - what was a provider asked, word for word?
 * For who must be able to look at it later; nothing is kept unless a limit of age says so. Each is a record in a file of
 * many, sealed with a key of the vault and bound to its request's id. The files go when they are too old, and the
 * oldest of them when all together are too large. One that seems to be begun later than now is as old as it was last
 * written; one that cannot be removed is tried again, and the log says so. A worker writes and reads; what it cannot
 * keep up with is not kept, and the log says so, as it does where there is no key. kill -9 costs what was not written
 * yet, a power cut what the kernel had not. */
#ifndef BROKERD_STORE_PROMPTS_H
#define BROKERD_STORE_PROMPTS_H
#include "brokerd/loop/worker.h"
#include "protocol/base/span.h"
#include "protocol/limits.h"

#define PROMPTS_KEY_BYTES 32
#define PROMPT_ID_BYTES   64 /* an id is shorter */
#define PROMPT_BYTES \
	MIB /* of one, or a quarter of all, if that is less; of a longer one that much is kept */

struct prompts;

struct prompts_limits {
	int64_t bytes; /* of all files together; a mebibyte at least */
	int64_t age_s; /* none stays longer; 0: nothing is kept, and what was is removed */
};

/* `dir` is made with the first one. Before prompts_limit nothing happens. NULL: out of memory. */
struct prompts *prompts_new(struct loop *l, struct workers *w, const char *dir);
void prompts_free(struct prompts *p); /* its jobs must have ended; NULL is fine */

/* Holds from now on, also for what is there. */
void prompts_limit(struct prompts *p, const struct prompts_limits *limits);
/* There is a key, which is copied. */
void prompts_open(struct prompts *p, const unsigned char key[PROMPTS_KEY_BYTES]);
/* The key is gone: nothing is read or written until there is one. */
void prompts_close(struct prompts *p);
bool prompts_is_open(const struct prompts *p);

/* The disk is lost: the file that is written to is closed, so that it can be unmounted, and what there is is looked for anew. */
void prompts_let_go(struct prompts *p);

/* Keeps a copy of what was sent for that request. NULL is fine. */
void prompts_keep(struct prompts *p, struct span id, struct span text);

struct prompt {
	int64_t at_s;     /* since 1970 */
	int64_t bytes;    /* as long as it was */
	struct span text; /* as much of it as was kept */
};

/* Who waits for prompts_find. Embedded; it stays until on_done. */
struct prompts_wait {
	/* Once, never from inside; *found lives until it returns. *why OK: it is there. ERR_NOT_FOUND, ERR_IO,
	 * ERR_NO_MEMORY. */
	void (*on_done)(
		struct prompts_wait *w, const struct prompt *found, const struct fault *why);
};

/* Looks for it, behind all that is being written. ERR_LOCKED: there is no key; ERR_UNSUPPORTED: none are kept. */
enum err prompts_find(
	struct prompts *p, struct span id, struct prompts_wait *wait, struct fault *why) MUST_USE;

#endif
