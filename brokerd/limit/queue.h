/* queue.h - whose turn is it?
 * Those who wait for what a provider allows, in lanes: one for each of its models and keys. In a lane interactive
 * calls go before batches, and identities take turns (deficit round robin): each gets so many estimated tokens a
 * turn, whatever number of calls it has waiting. Pure: no clock, no I/O. */
#ifndef BROKERD_LIMIT_QUEUE_H
#define BROKERD_LIMIT_QUEUE_H
#include "protocol/base/err.h"
#include "protocol/base/span.h"

#define QUEUE_IDENTITY_MAX ((size_t)128)     /* that one identity may have waiting */
#define QUEUE_MAX          ((size_t)16384)   /* all together */
#define QUEUE_QUANTUM      4096              /* estimated tokens a turn */
#define QUEUE_COST_MAX     INT64_C(16777216) /* what is more counts as so much */

struct queue;
struct queue *queue_new(void);         /* NULL: out of memory */
void queue_free(struct queue *q);      /* nobody waits; NULL is fine */
size_t queue_n(const struct queue *q); /* that wait */

/* Among those that lack the same. */
struct queue_lacking {
	struct queue_lacking *prev, *next;
	struct queue_lack *of; /* NULL: it is not there */
	struct queue_place *place;
};

/* Who waits. Embedded and zeroed. */
struct queue_place {
	struct queue_place *prev, *next; /* of its identity's, oldest first */
	struct queue_turn *turn;         /* NULL: it does not wait */
	int64_t cost_tokens; /* estimated; set before it joins, which holds it to 1..QUEUE_COST_MAX */
	bool is_held_back;   /* what it lacks is its own: others of its lane need not wait for it */
	int64_t ready_us; /* not before that; 0: whenever. Both are as it was last told "not yet" */
	const void *
		lacks; /* what it has not enough of, whatever that is: compared, and no more; NULL: nothing */
	uint64_t asked_at; /* this and the following are the queue's own */
	uint64_t seen_in;
	struct queue_lacking lacking;
	/* Try now. It leaves, which is to be served, or stays, and has said until when. Others may join and leave;
	 * one that has left may be freed. */
	void (*on_turn)(struct queue_place *p);
};

/* It is behind all others of its identity and class. ERR_OVERLOADED: too many wait. ERR_NO_MEMORY. */
enum err queue_join(struct queue *q, struct span lane, struct span identity, bool is_batch,
	struct queue_place *p, struct fault *why) MUST_USE;
void queue_leave(struct queue_place *p); /* harmless where it does not wait */
bool queue_waits(const struct queue_place *p);

/* Whom who does not wait would overtake by trying at once: the first of its class or a better one that waits for what
 * the lane shares, else the first of its own; NULL: nobody. */
struct queue_place *queue_before(
	const struct queue *q, struct span lane, struct span identity, bool is_batch);

/* In any lane: who of its class or a better one lacks one of these things, and was found to in the last run: whoever
 * takes of that now would overtake him. NULL: nobody. */
struct queue_place *queue_lacks(
	const struct queue *q, const void *const *what, size_t n, bool is_batch);

/* Something may be free that was not: nobody's ready_us holds any more. */
void queue_stir(struct queue *q);

/* Gives turns in all lanes, one after another, until, in each, whoever is next says that he still waits for something
 * that the lane shares. Returns when to come again (the least ready_us; INT64_MAX: nobody waits for a time). Not from
 * inside on_turn. */
int64_t queue_run(struct queue *q, int64_t now_us);

/* How many are served before it if nobody else comes and nobody is held back, and how many wait in its lane; and the
 * tokens of those before. It looks at each of these. */
struct queue_view {
	size_t place, n; /* place from 1 */
	int64_t tokens_before;
};
void queue_look(const struct queue_place *p, struct queue_view *out);
/* The same of one who does not wait, if it joined. As queue_join. */
enum err queue_look_ahead(struct queue *q, struct span lane, struct span identity, bool is_batch,
	int64_t cost_tokens, struct queue_view *out, struct fault *why) MUST_USE;

#endif
