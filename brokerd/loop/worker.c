/* worker.c - one mutex over the queues; threads sleep on one condition and the loop on a wake. */
#include "brokerd/loop/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/list.h"

#define THREADS_MAX 16
/* Room for a name service module; a hash of megabytes is on the heap. */
#define STACK_BYTES ((size_t)512 * 1024)

struct workers {
	/* the loop's thread alone */
	struct loop *loop;
	struct loop_wake wake;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads, max_threads;
	size_t pending;
	struct job *given; /* done, and not told of yet */

	/* under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t has_work, has_done;
	struct job *waiting[WORKER_LANES];
	bool is_busy[WORKER_LANES]; /* a job of that lane is running; lane 0 never is */
	unsigned next_lane; /* where the next look begins, so that no lane starves another */
	unsigned n_idle;    /* threads that wait for work */
	size_t n_waiting;   /* jobs in all lanes */
	struct job *done;
	bool is_ending;
};

/* Takes the next job that may run, or NULL. */
static struct job *take(struct workers *w, unsigned *lane)
{
	for (unsigned i = 0; i < WORKER_LANES; i++) {
		const unsigned at = (w->next_lane + i) % WORKER_LANES;
		struct job *j = w->waiting[at];
		if (!j || w->is_busy[at])
			continue;
		LIST_REMOVE(w->waiting[at], j);
		w->n_waiting--;
		w->is_busy[at] = at != 0;
		w->next_lane = at + 1;
		*lane = at;
		return j;
	}
	return NULL;
}

static void *work(void *context)
{
	struct workers *w = context;
	unsigned lane;
	pthread_mutex_lock(&w->mutex);
	for (;;) {
		struct job *j = take(w, &lane);
		if (j) {
			pthread_mutex_unlock(&w->mutex);
			j->run(j);
			pthread_mutex_lock(&w->mutex);
			w->is_busy[lane] = false;
			LIST_PUSH(w->done, j);
			pthread_cond_signal(&w->has_done);
			loop_wake(&w->wake);
			continue;
		}
		if (w->is_ending)
			break;
		w->n_idle++;
		pthread_cond_wait(&w->has_work, &w->mutex);
		w->n_idle--;
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static void fetch(struct workers *w)
{
	pthread_mutex_lock(&w->mutex);
	LIST_JOIN(w->given, w->done);
	w->done = NULL;
	pthread_mutex_unlock(&w->mutex);
}

/* Tells the owner of the one that was done first. */
static void give_back(struct workers *w)
{
	struct job *j = w->given;
	LIST_REMOVE(w->given, j);
	w->pending--;
	loop_moved(w->loop);
	j->is_done = true;
	j->on_done(j);
}

static void on_wake(struct loop_wake *wake)
{
	struct workers *w = container_of(wake, struct workers, wake);
	fetch(w);
	while (w->given) {
		give_back(w);
		if (w->given && loop_is_late(w->loop)) {
			loop_wake(wake);
			return;
		}
	}
}

struct workers *workers_new(struct loop *l, unsigned threads, struct fault *why)
{
	assert(threads >= 1 && threads <= THREADS_MAX);
	struct workers *w = calloc(1, sizeof *w);
	if (!w) {
		fault_set(why, ERR_NO_MEMORY, "no memory for worker threads");
		return NULL;
	}
	w->loop = l;
	w->max_threads = threads;
	LOOP_CALLS(&w->wake, on_wake, on_wake);
	/* with default attributes these cannot fail on Linux */
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->has_work, NULL);
	pthread_cond_init(&w->has_done, NULL);
	loop_wake_start(l, &w->wake);
	return w;
}

/* Signals are the loop's: a new thread is born with all of them blocked. */
static int start_thread(struct workers *w)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int failed = pthread_attr_init(&attr);
	if (failed)
		return failed;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	failed = pthread_create(&w->threads[w->n_threads], &attr, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!failed)
		w->n_threads++;
	return failed;
}

void workers_submit(struct workers *w, struct job *j, unsigned lane)
{
	assert(lane < WORKER_LANES);
	j->is_done = false;
	w->pending++;
	pthread_mutex_lock(&w->mutex);
	LIST_PUSH(w->waiting[lane], j);
	w->n_waiting++;
	const bool wants_thread = w->n_waiting > w->n_idle && w->n_threads < w->max_threads;
	pthread_cond_signal(&w->has_work);
	pthread_mutex_unlock(&w->mutex);
	if (!wants_thread || start_thread(w) == 0 || w->n_threads > 0)
		return;

	/* a kernel that gives not even one thread: the job is done here, and the loop waits for it */
	pthread_mutex_lock(&w->mutex);
	LIST_REMOVE(w->waiting[lane], j);
	w->n_waiting--;
	pthread_mutex_unlock(&w->mutex);
	j->run(j);
	pthread_mutex_lock(&w->mutex);
	LIST_PUSH(w->done, j);
	pthread_mutex_unlock(&w->mutex);
	loop_wake(&w->wake);
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
		pthread_mutex_lock(&w->mutex);
		while (!w->done && !w->given)
			pthread_cond_wait(&w->has_done, &w->mutex);
		pthread_mutex_unlock(&w->mutex);
		fetch(w);
		give_back(w);
	}
	pthread_mutex_lock(&w->mutex);
	w->is_ending = true;
	pthread_cond_broadcast(&w->has_work);
	pthread_mutex_unlock(&w->mutex);
	for (unsigned i = 0; i < w->n_threads; i++)
		pthread_join(w->threads[i], NULL);
	loop_wake_stop(&w->wake);
	pthread_cond_destroy(&w->has_work);
	pthread_cond_destroy(&w->has_done);
	pthread_mutex_destroy(&w->mutex);
	free(w);
}
