/* pins.h - who made what this request brings back?
 * A signature or an encrypted item is good with the key that made it, and refused by every other, even
 * of the same family. Who it was is kept by what is opaque in the item, for one user; a request that brings
 * such items back goes first to where they were made, and elsewhere without them. Without a store (NULL)
 * nothing happens. */
#ifndef BROKERD_EXCHANGE_PINS_H
#define BROKERD_EXCHANGE_PINS_H
#include "brokerd/route/route.h"
#include "brokerd/store/items.h"
#include "brokerd/value/notes.h"
#include "protocol/event.h"

/* An event of an answer of `t` goes by. */
void pins_note(struct items *store, uint64_t owner, const struct target *t,
	const struct llm_event *e, int64_t now_s);

/* Of several targets, the first of those who made the latest of the request's items comes to the front; all
 * others stay in their order. */
void pins_order(struct items *store, uint64_t owner, const struct llm_request *r,
	struct route *route, int64_t now_s);

/* The request without the items that another provider than `t` is known to have made, in *out: `r` itself
 * where there are none. What is made is the arena's.
 * ERR_NO_MEMORY. */
enum err pins_leave_out(struct items *store, uint64_t owner, const struct target *t,
	struct arena *a, const struct llm_request *r, int64_t now_s,
	const struct llm_request **out) MUST_USE;

#endif
