/* resume.h - may an answer that broke off go on with another target, and with what?
 * Where its alias says so (resume = yes): the text that its caller has had goes to the next target as the beginning of the
 * assistant's last message. A chat with one answer alone, of which text was shown, reasoning, and what seals reasoning:
 * who would go on with a call of a tool, a refusal, a medium or log probabilities would have to make the rest up, and who
 * is held to JSON by a grammar begins it anew. Where a failure leads is retry.h's matter. */
#ifndef BROKERD_EXCHANGE_RESUME_H
#define BROKERD_EXCHANGE_RESUME_H
#include "brokerd/value/target.h"
#include "protocol/event.h"

struct exchange;

struct resume {
	bool is_on;
	bool is_over;             /* something was shown that nobody else can go on with */
	bool is_due;              /* somebody else is to go on, and has said nothing yet */
	struct buf shown;         /* the text that its caller has had; nothing where it is not on */
	size_t counted;           /* so much of it was counted by an attempt that is over */
	size_t given;             /* so much of it the target in hand was given, of */
	size_t whole;             /* so much that there was: the rest is white space, */
	size_t joined;            /* which up to there has come again */
	struct buf prefill;       /* the same behind what the caller himself began */
	struct message *messages; /* the request's, and that one; NULL: they are as they were */
	size_t n_messages;
	struct fault *broke; /* why the one broke off whose words were shown last; NULL: none did */
	struct span provider, model; /* which that was */
};
void resume_init(struct resume *r);
void resume_done(struct resume *r);

/* The route is found: is it on? */
void resume_begin(struct exchange *x);

/* flight_put for a step of an attempt's answer. What goes on joins what was shown before: of white space that the target
 * was not given none comes twice. Before the first of it a warning says who goes on, and why. */
enum err resume_put(struct exchange *x, const struct llm_event *e) MUST_USE;

/* The attempt in hand has failed: was anything of it shown that can be gone on with? Then those behind it that cannot are
 * taken from the route. */
bool resume_may(struct exchange *x);
/* Can that one go on with what was shown so far? */
bool resume_can(const struct exchange *x, const struct target *t);
/* Another one, or the same once more, is to go on: what that one gets is made. The target in hand is still the one that broke off,
 * for *why. ERR_NO_MEMORY, ERR_TOO_BIG. */
enum err resume_take(struct exchange *x, const struct fault *why) MUST_USE;

/* Puts that into what of the request goes to the target in hand. */
void resume_apply(struct exchange *x);

/* What its caller is told of a failure: who would have gone on and could not does not hide why that was wanted. */
const struct fault *resume_tells(const struct exchange *x, const struct fault *why);

#endif
