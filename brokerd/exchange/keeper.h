/* keeper.h - which bytes of an answer wait until it is kept?
 * Stands before the caller of an answer of the Responses API that is to be kept: its last event, or all of
 * a whole one, is held back until the answer lies in the store, so that nobody can go on from one that is
 * not there. What the provider says of keeping is put right on the way, for it is the broker that keeps. */
#ifndef BROKERD_EXCHANGE_KEEPER_H
#define BROKERD_EXCHANGE_KEEPER_H
#include "protocol/base/json.h"

struct keeper {
	bool is_stream;
	struct span id;       /* JSON of the id that it is kept under */
	struct span previous; /* of the one that it goes on from, or "null" */
	struct buf held;      /* an event that is not whole yet; of a whole answer all of it */
	struct buf last;      /* what waits */
	struct buf object;    /* the response object in it */
};

void keeper_init(struct keeper *k, bool is_stream, struct span id, struct span previous);
void keeper_done(struct keeper *k);

/* Takes bytes of the answer, and appends to `out` those that need not wait. Failures stick to the bufs. */
void keeper_take(struct keeper *k, struct span bytes, struct buf *out);

/* The answer is over. The response object, which lives as long as the keeper, or an absent value: there is
 * none to be kept. */
struct json keeper_end(struct keeper *k);

/* It is kept, or never will be: what waited. */
struct span keeper_rest(const struct keeper *k);
enum err keeper_error(const struct keeper *k) MUST_USE;

#endif
