/* recall.h - what does a provider want back that its caller dropped?
 * Signatures and encrypted reasoning come with a turn that calls tools, and the provider wants them
 * again when the results come. A caller that sends them back is left alone; for one that does not,
 * they are kept by the id of the call, and put where they stood before the request is encoded: for
 * the same user, the same provider and the same family only. Without a store (NULL) nothing happens. */
#ifndef BROKERD_EXCHANGE_RECALL_H
#define BROKERD_EXCHANGE_RECALL_H
#include "brokerd/store/items.h"
#include "brokerd/value/target.h"
#include "protocol/event.h"

/* The opaque items of one answer since its last call, in their order, and the reasoning that an item
 * to come is the signature of. */
struct recall {
	struct buf held; /* JSON objects, a comma between them */
	struct buf text;
	bool is_lost; /* it was more than is kept: a part of it would be refused */
};
void recall_init(struct recall *r);
void recall_done(struct recall *r);

/* A fresh attempt begins. */
void recall_rewind(struct recall *r);

/* An event of the first choice goes by: opaque items are held, and kept once their call is known. */
void recall_note(struct recall *r, struct items *store, uid_t uid, const struct target *t,
	const struct llm_event *e, int64_t now_s);

/* The request with what its messages lack for this target, in *out: `request` itself where they lack
 * nothing. What is made is the arena's; spans of what is put in as well. ERR_NO_MEMORY. */
enum err recall_restore(struct items *store, uid_t uid, const struct target *t, struct arena *a,
	const struct llm_request *request, int64_t now_s, const struct llm_request **out) MUST_USE;

#endif
