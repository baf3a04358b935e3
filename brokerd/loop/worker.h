/* worker.h - who does what would make the loop wait?
 * A few threads for password hashing, syncs, databases and name lookups. A job owns its data until
 * on_done gives it back on the loop's thread; there are no locks elsewhere. */
#ifndef BROKERD_LOOP_WORKER_H
#define BROKERD_LOOP_WORKER_H
#include "brokerd/loop/loop.h"

struct workers;

struct job {
	struct job *prev, *next;
	void (*run)(struct job *j); /* on a worker's thread: touches nothing but the job's data */
	void (*on_done)(struct job *j); /* on the loop's thread; may free the job */
	bool is_done;
};

/* `threads` 1..16, started at the first job, all signals blocked in them. NULL: the kernel refused. */
struct workers *workers_new(struct loop *l, unsigned threads, struct fault *why);

/* Jobs of one lane run one after another in the order they were given (the ledger's); lane 0 has no
 * order. `lane` 0..WORKER_LANES - 1. */
#define WORKER_LANES 9u
void workers_submit(struct workers *w, struct job *j, unsigned lane);

/* How many jobs were submitted whose on_done has not been called. */
size_t workers_pending(const struct workers *w);

/* Waits for the running and waiting jobs, runs their on_done (and what those submit), ends the
 * threads. NULL is fine. */
void workers_free(struct workers *w);

#endif
