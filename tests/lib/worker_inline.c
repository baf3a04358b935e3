/* worker_inline.c - worker.h without threads: a job runs where it is submitted, and is given back
 * by the loop, later. */
#include <assert.h>
#include <stdlib.h>

#include "brokerd/loop/worker.h"
#include "protocol/base/list.h"

struct workers {
	struct loop *loop;
	struct loop_task task;
	struct job *done;
	size_t pending;
};

static void give_back(struct workers *w)
{
	struct job *done = w->done;
	w->done = NULL;
	while (done) {
		struct job *j = done;
		LIST_REMOVE(done, j);
		w->pending--;
		j->is_done = true;
		j->on_done(j);
	}
}

static void on_run(struct loop_task *t)
{
	give_back(container_of(t, struct workers, task));
}

struct workers *workers_new(struct loop *l, unsigned threads, struct fault *why)
{
	struct workers *w = calloc(1, sizeof *w);
	assert(threads >= 1 && threads <= 16);
	if (!w) {
		fault_set(why, ERR_NO_MEMORY, "no memory for worker threads");
		return NULL;
	}
	w->loop = l;
	w->task.on_run = on_run;
	return w;
}

void workers_submit(struct workers *w, struct job *j, unsigned lane)
{
	assert(lane < 8);
	j->is_done = false;
	j->run(j);
	w->pending++;
	LIST_PUSH(w->done, j);
	loop_later(w->loop, &w->task);
}

size_t workers_pending(const struct workers *w)
{
	return w->pending;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	while (w->pending > 0)
		give_back(w);
	loop_task_stop(&w->task);
	free(w);
}
