/* exchange.h - what happens to one caller's request, from admission to its ledger row?
 * One table of states in exchange.c is the whole story. It never touches a socket: its caller hands
 * it bytes and takes events. */
#ifndef BROKERD_EXCHANGE_EXCHANGE_H
#define BROKERD_EXCHANGE_EXCHANGE_H
#include "brokerd/exchange/organs.h"
#include "brokerd/policy/allowance.h"

struct exchange;

/* There is something to read, or the end has come. May be called from inside any of the functions
 * below: note it, and read later. */
struct exchange_caller {
	void (*on_ready)(void *context);
	void *context;
};

/* What its caller may do with it. The rule is of the configuration that holds now. */
struct exchange_bounds {
	struct allowance allowance;
	const struct fault
		*refusal; /* it may not be made at all: told as its answer; NULL: it may */
};

/* Takes a typed or a relayed call. Nothing of `c` is kept but copies. Aborts never on what the caller sent: what
 * is wrong with it is read like any answer. NULL: out of memory. */
struct exchange *exchange_new(struct organs *o, const struct peer_id *peer,
	const struct exchange_bounds *bounds, const struct call *c,
	const struct exchange_caller *caller);

/* A piece of the request's body where it did not come inside the call. ERR_TOO_BIG, ERR_PROTOCOL
 * (after the last piece), ERR_NO_MEMORY: the caller then fails the exchange with *why. */
enum err exchange_body(struct exchange *x, const struct data *d, struct fault *why) MUST_USE;

/* The next event to be told: its frame type and packed body, valid until exchange_take. False:
 * nothing yet, or nothing more. */
bool exchange_peek(struct exchange *x, int *frame_type, struct span *body);
void exchange_take(struct exchange *x);

/* The caller has been told everything: free it. */
bool exchange_is_over(struct exchange *x);

/* What the caller sent of it is wrong: it fails by that, and all is told that a failure has to tell. */
void exchange_refuse(struct exchange *x, const struct fault *why);

/* The caller is gone, or says stop (`why` ERR_CANCELLED), or is too slow (ERR_SLOW_CONSUMER): the
 * provider's connection is dropped now. Its ledger row is written; what was not read is dropped,
 * and a fault event ends it. One that has ended well stays as it is. */
void exchange_cancel(struct exchange *x, const struct fault *why);

/* Has all of it come but the end of the reply? Many a client reads no further than the last word and closes its connection. Of
 * APIs whose answer is over when the reply is (Gemini's, Bedrock's) it never has. */
bool exchange_is_told(const struct exchange *x);

/* Its caller is gone, or wants nothing more of it, and it is no longer his: it frees itself. What is under way is
 * cancelled now, unless it is told, or its provider's section says that it is drained (on_gone) and the request has left in
 * full: then the answer is read to its end for what it has truly used, at most as long as the configuration says and the call
 * might have taken (a told one two seconds), and is kept as any other. Its row says that it was cancelled, but of one that was told how it ended. How
 * many may is in leavings.h; what comes beyond that is cancelled. NULL is fine. True: it goes on, and is counted in *his until
 * *on_gone is called, once, when it is freed. */
bool exchange_leave(struct exchange *x, struct leavings *his, void (*on_gone)(void *context),
	void *context) MUST_USE;

/* NULL is fine; one that is not over is cancelled first, so that it leaves its row. */
void exchange_free(struct exchange *x);

/* The broker's id of it, as in the log, the ledger and the reply. */
const char *exchange_id(const struct exchange *x);

#endif
