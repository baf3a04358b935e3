/* attempt.h - what becomes of one transfer to one target?
 * Encodes, sends, decodes, and ends with a verdict; it decides nothing about what comes after. */
#ifndef BROKERD_EXCHANGE_ATTEMPT_H
#define BROKERD_EXCHANGE_ATTEMPT_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/exchange/organs.h"
#include "brokerd/value/rates.h"

struct attempt;

/* What an attempt tells its owner, on the loop's thread and never from inside attempt_new. */
struct attempt_events {
	/* A step of the answer. A result other than OK ends the attempt with that class. */
	enum err (*on_event)(void *context, const struct llm_event *e);
	/* What the reply's head says of the provider's rates, if it says anything; NULL: nobody asks. */
	void (*on_rates)(void *context, const struct rates *said);
	/* The last word: `record` is whole but for id, number and cost; `why` says what failed,
	 * without any part of the key that a provider quotes. The attempt is still there: free it. */
	void (*on_end)(void *context, const struct attempt_record *record, const struct fault *why);
	void *context;
};

struct attempt_plan {
	enum llm_op op;
	const struct llm_request *request;
	const struct target *target;
	struct secret *secret; /* referenced; NULL where the target asks for none */
	struct transfer_limits limits;
	int64_t first_token_us; /* from now to the answer's first content; 0: no limit of its own */
	int64_t token_us; /* between two pieces of content, while it is not paused; 0: the same */
	uint64_t seed;
	/* the request goes as its caller wrote it, and its reply's own bytes come, too: EV_HEAD, and
	 * EV_RAW behind the events that they are decoded to; NULL: neither */
	const struct forwarded *forwarded;
	struct span
		page; /* of a list that comes in pages: as attempt_more had it; absent: the first */
};

/* Is it answered inside the broker, without key, wire or price? */
bool attempt_is_local(const struct target *t, enum llm_op op);

/* Begins. Everything in the plan but the secret must outlive the attempt. On failure nothing was
 * sent, *out is NULL, and *why says what is wrong with the request. */
enum err attempt_new(struct organs *o, const struct attempt_plan *plan,
	const struct attempt_events *events, struct attempt **out, struct fault *why) MUST_USE;

/* Stops the transfer if it runs, and fills *record with how it stood. No callback comes after. */
void attempt_cancel(struct attempt *a, struct attempt_record *record);
/* Before it is cancelled: what its provider has told of its usage, and no event has said yet, comes as one. Nothing that
 * comes after that is understood. */
void attempt_tell_usage(struct attempt *a);
/* Ends it, as if *why had gone wrong with its answer: it may have been served. It is running, and none of its callbacks is. */
void attempt_give_up(struct attempt *a, const struct fault *why);
void attempt_free(struct attempt *a); /* NULL is fine; a running one is dropped */

/* As transfer_until. */
void attempt_until(struct attempt *a, int64_t due_us);

/* The reader is behind; or has caught up. */
void attempt_pause(struct attempt *a);
void attempt_resume(struct attempt *a);

/* Has its request left in full, and is its reply still to end? */
bool attempt_is_served(const struct attempt *a);

/* Where the list goes on that came, once it has ended well; absent: it does not. Borrowed until
 * attempt_free. */
struct span attempt_more(const struct attempt *a);

/* The request's body as it is sent; borrowed until attempt_free. */
struct span attempt_body(const struct attempt *a);

/* Warnings of the encoding: borrowed until attempt_free. */
const struct notes *attempt_notes(const struct attempt *a);

#endif
