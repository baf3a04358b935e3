/* worker_inline.h - how does a test make a job wait?
 * worker_inline.c stands in for worker.c: a job is run where it is submitted, on the same thread, unless its lane is held. */
#ifndef TESTS_LIB_WORKER_INLINE_H
#define TESTS_LIB_WORKER_INLINE_H
#include "brokerd/loop/worker.h"

/* Jobs of that lane wait from now on, of the workers made last. */
void worker_inline_hold(unsigned lane);
/* All that wait are run, in their order; none waits any more. */
void worker_inline_release(void);

#endif
