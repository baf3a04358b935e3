/* recall.h - what does a provider want back that its caller dropped?
 * Signatures and encrypted reasoning come with a turn that calls tools, and the provider wants them
 * again when the results come. A caller that sends them back is left alone; for one that does not,
 * they are kept by the id of the call, and put where they stood before the request is encoded: for
 * the same user, the same provider and the same family only. Without a store (NULL) nothing happens. */
#ifndef BROKERD_EXCHANGE_RECALL_H
#define BROKERD_EXCHANGE_RECALL_H
#include "brokerd/exchange/recall_ink.h"
#include "brokerd/store/items.h"
#include "brokerd/value/target.h"
#include "protocol/event.h"

/* What has come of one answer. */
struct recall {
	struct buf id;       /* of its last call; empty: there was none, or its items are lost */
	struct buf kept;     /* what is kept for that: JSON; empty: nothing */
	struct buf held;     /* the opaque items since: JSON objects, a comma between them */
	struct ink seen;     /* what a caller has seen since */
	struct buf thought;  /* reasoning that no item was the signature of so far */
	size_t thought_from; /* where in it the latest run of reasoning begins */
	bool is_thinking;    /* that run goes on: nothing came behind it */
	bool is_lost;        /* there was more than is held: a part of it would be refused */
};
void recall_init(struct recall *r);
void recall_done(struct recall *r);

/* A fresh attempt begins. */
void recall_rewind(struct recall *r);

/* An event of the first choice goes by: opaque items are held, and kept once their call is known. What
 * comes behind the last call is kept with it when the choice is over. A call without any takes away
 * what another answer left for its id. */
void recall_note(struct recall *r, struct items *store, uint64_t owner, const struct target *t,
	const struct llm_event *e, int64_t now_s);

/* The request with what its messages lack for this target, in *out: `request` itself where they lack
 * nothing. An item comes to stand behind as much of what the caller sends as stood before it in the
 * answer, in the midst of a text if need be. Where the caller's words are others, what came first in
 * the answer stays first, and all else comes right before its call. Reasoning that the caller sends
 * back as plain words gives way to the same with its signature. Where an id comes more than once, the
 * latest call has what is kept for it. What is made is the arena's; spans of what is put in as well.
 * ERR_NO_MEMORY. */
enum err recall_restore(struct items *store, uint64_t owner, const struct target *t,
	struct arena *a, const struct llm_request *request, int64_t now_s,
	const struct llm_request **out) MUST_USE;

#endif
