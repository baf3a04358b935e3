/* ready.h - who is ready, and whose turn is it?
 * A queue of watchers, first in first out, for a loop that has not the time for all of them at once: who waits longest is
 * next, and who is ready again meanwhile keeps his place. The links are the watchers' own. No clock, no I/O. */
#ifndef BROKERD_LOOP_READY_H
#define BROKERD_LOOP_READY_H
#include "brokerd/loop/loop.h"

/* Embed it zeroed; there is nothing to free. */
struct ready {
	struct loop_io *first;
	struct loop_io *
		batch; /* the first of those that were noted since ready_begin; NULL: none was, or it is gone */
};

/* The kernel was asked: what is noted until the next time stands behind all that was noted before, and, as libev tells
 * the last first, each in front of the one noted before it. */
void ready_begin(struct ready *r);
/* False: it waits already, and what it is ready for is added to that. */
bool ready_note(struct ready *r, struct loop_io *io, int what);
/* The first leaves the queue, with what it is ready for. NULL: nobody waits. */
struct loop_io *ready_take(struct ready *r, int *what);
/* Of what it is ready for only this still counts: with nothing left it leaves the queue. Harmless where it is not in it. */
void ready_keep(struct ready *r, struct loop_io *io, int what);

#endif
