/* holders.h - which target holds the beginning of this prompt in its provider's cache?
 * A hint and no more: it is remembered where a conversation went, under a hash with a key of the process, for as long as what
 * was read or written there lives; so many of them, and where one more comes, the one that was used longest ago goes. Nothing of a
 * prompt is kept. No clock, no I/O. */
#ifndef BROKERD_ROUTE_HOLDERS_H
#define BROKERD_ROUTE_HOLDERS_H
#include "brokerd/value/target.h"
#include "protocol/request.h"

#define HOLDERS_MAX     ((size_t)4096)
#define HOLDERS_US      (INT64_C(300) * 1000000) /* from the last use on: the least that providers say */
#define HOLDERS_LONG_US (INT64_C(3600) * 1000000)

/* So much of it is looked at, and of each text its beginning: of what is longer the length alone counts. */
#define HOLDERS_BYTES      ((size_t)32 * 1024)
#define HOLDERS_TEXT_BYTES ((size_t)4 * 1024)

struct holders;

struct holders *holders_new(void);    /* NULL: out of memory */
void holders_free(struct holders *h); /* NULL is fine, here and below: then nothing is held */

/* By what its conversation is known; never 0. A word of the caller's, where there is one: what belongs together; else system
 * texts, the names of the tools, and what comes up to the end of the first that the user said. */
struct holders_ask {
	uint64_t owner;
	struct span model; /* as it is asked for */
	struct span word;  /* absent: none */
	const struct llm_request *request;
};
uint64_t holders_key(const struct holders *h, const struct holders_ask *ask);

/* Who holds it, as a number for holders_is; 0: nobody is known to. */
uint64_t holders_find(const struct holders *h, uint64_t key, int64_t now_us);
bool holders_is(const struct holders *h, uint64_t holder, const struct target *t);

/* It went to `t`, whose cache has it now: for an hour, where it was written so (`is_long`) or has been since it was. */
void holders_note(
	struct holders *h, uint64_t key, const struct target *t, bool is_long, int64_t now_us);

#endif
