/* worker_inline.c - worker.h without threads: a job runs where it is submitted, and is given back
 * by the loop, later. */
#include "tests/lib/worker_inline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/list.h"

struct workers {
	struct loop *loop;
	struct loop_task task;
	struct job *done, *held;
	size_t pending;
	bool is_held[WORKER_LANES];
};

static struct workers *last;

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
	return last = w;
}

static void run(struct workers *w, struct job *j)
{
	j->run(j);
	LIST_PUSH(w->done, j);
	loop_later(w->loop, &w->task);
}

void worker_inline_hold(unsigned lane)
{
	assert(lane > 0 && lane < WORKER_LANES);
	last->is_held[lane] = true;
}

static void release(struct workers *w)
{
	memset(w->is_held, 0, sizeof w->is_held);
	while (w->held) {
		struct job *j = w->held;
		LIST_REMOVE(w->held, j);
		run(w, j);
	}
}

void worker_inline_release(void)
{
	release(last);
}

void workers_submit(struct workers *w, struct job *j, unsigned lane)
{
	assert(lane < WORKER_LANES);
	j->is_done = false;
	w->pending++;
	if (w->is_held[lane])
		LIST_PUSH(w->held, j);
	else
		run(w, j);
}

size_t workers_pending(const struct workers *w)
{
	return w->pending;
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	while (w->pending > 0) {
		release(w);
		give_back(w);
	}
	last = NULL;
	loop_task_stop(&w->task);
	free(w);
}
