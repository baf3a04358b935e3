/* ready.c - a list, and the place in it where those of this turn begin. */
#include "brokerd/loop/ready.h"

#include "protocol/base/list.h"

static void leave(struct ready *r, struct loop_io *io)
{
	if (r->batch == io)
		r->batch = io->next;
	LIST_REMOVE(r->first, io);
	io->ready = 0;
}

void ready_begin(struct ready *r)
{
	r->batch = NULL;
}

bool ready_note(struct ready *r, struct loop_io *io, int what)
{
	const bool is_new = io->ready == 0;
	if (is_new) {
		LIST_BEFORE(r->first, r->batch, io);
		r->batch = io;
	}
	io->ready |= what;
	return is_new;
}

struct loop_io *ready_take(struct ready *r, int *what)
{
	struct loop_io *io = r->first;
	if (!io)
		return NULL;
	*what = io->ready;
	leave(r, io);
	return io;
}

void ready_keep(struct ready *r, struct loop_io *io, int what)
{
	if (io->ready == 0)
		return;
	if ((io->ready & what) == 0)
		leave(r, io);
	else
		io->ready &= what;
}
