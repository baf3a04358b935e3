/* vigil.h - who holds the loop up?
 * Says so in the log, by the callback's name, and not so often that the log is full of it: between two lines of stalls
 * are ten seconds, unless one takes twice as long as the one that was told. Embed it zeroed. */
#ifndef BROKERD_VIGIL_H
#define BROKERD_VIGIL_H
#include "brokerd/loop/loop.h"

struct vigil {
	struct loop_watch watch;
	const struct loop *loop;
	int64_t told_us, took_us; /* of the last line: when it was, and what it told of */
	uint64_t untold;          /* stalls since */
};

/* `v` stays until the loop is freed. */
void vigil_begin(struct vigil *v, struct loop *l);

#endif
