/* claim.h - what does the attempt in hand set aside of the limits, and what was it in truth?
 * Taken before anything goes out and held in the flight until the attempt is over, however that comes. */
#ifndef BROKERD_EXCHANGE_CLAIM_H
#define BROKERD_EXCHANGE_CLAIM_H
#include "brokerd/exchange/bounds.h"
#include "brokerd/exchange/steps.h"

/* Who waits, for any target, for what it would take of, and is of its class or a better one; NULL: nobody. */
struct turn *claim_overtakes(const struct exchange *x, const struct bounds *b);
/* Sets aside what the target in hand may take, as limiter_take does. */
void claim_take(struct exchange *x, const struct bounds *b, struct limit_answer *out);
/* A caller who may not list the limits is told the outline, and the sentence is put by for the log. */
void claim_conceal(struct exchange *x, struct limit_answer *out);
/* It is refused for that: the log has what its caller is not told. */
void claim_note_refused(const struct exchange *x, const struct fault *why);
/* When it would be had if those had what they need first, and nothing is given back of what is set aside: the loop's
 * clock; INT64_MAX: that cannot be told. */
int64_t claim_ready_us(
	const struct exchange *x, const struct bounds *b, const struct queue_view *before);
/* Before which that is certainly not so. */
int64_t claim_sure_us(
	const struct exchange *x, const struct bounds *b, const struct queue_view *before);

/* It is answered without a provider: that it was asked counts, of limits that are not about one provider, and nothing else.
 * Taken and settled at once; who came before and waits for that goes first. Where it comes to an attempt nevertheless, the first
 * one is not counted there again. */
void claim_recall(struct exchange *x, struct limit_answer *out);

/* The same of a call without an exchange, where it may be had at once. False: it may not, or others wait, and nothing is taken. */
bool claim_asked(struct organs *o, const struct limit_subject *who);

/* Its target answers, and does not refuse. */
void claim_served(struct exchange *x);
/* The attempt is over: what it used is counted, as far as that is known, and what may have been used otherwise.
 * Fills in what was charged. */
void claim_settle(struct exchange *x, struct attempt_record *r);
/* Nothing has gone out. Harmless where nothing is set aside. */
void claim_release(struct exchange *x);

/* What the target's reply said of its rates. */
void claim_learn(struct exchange *x, const struct rates *said);

/* As limiter_left_nusd, for the target in hand. */
int64_t claim_left_nusd(const struct exchange *x);
/* Tells the caller, once, of budgets that are over and not kept. */
enum err claim_warn(struct exchange *x) MUST_USE;

/* For the queue: who it is, whatever it calls itself, and what it waits for. */
#define CLAIM_NAME_BYTES 512
struct span claim_identity(const struct exchange *x, char to[CLAIM_NAME_BYTES]);
struct span claim_lane(const struct exchange *x, char to[CLAIM_NAME_BYTES]);

#endif
