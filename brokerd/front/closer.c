/* closer.c - a pile of descriptors, and detached threads; the last to go frees it. */
#include "brokerd/front/closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS_MAX 16
#define FULL        256
#define STACK_BYTES ((size_t)128 * 1024)

struct closer {
	pthread_mutex_t mutex;
	pthread_cond_t has_work;
	int *waiting;
	size_t n, room;
	unsigned n_threads, n_idle;
	bool is_ending;
};

static void destroy(struct closer *c)
{
	pthread_cond_destroy(&c->has_work);
	pthread_mutex_destroy(&c->mutex);
	free(c->waiting);
	free(c);
}

static void *work(void *context)
{
	struct closer *c = context;
	const struct linger at_once = {.l_onoff = 0}; /* which is all that most need */
	pthread_mutex_lock(&c->mutex);
	while (c->n > 0 || !c->is_ending) {
		if (c->n == 0) {
			c->n_idle++;
			pthread_cond_wait(&c->has_work, &c->mutex);
			c->n_idle--;
			continue;
		}
		const int fd = c->waiting[--c->n];
		pthread_mutex_unlock(&c->mutex);
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		close(fd);
		pthread_mutex_lock(&c->mutex);
	}
	const bool is_last = --c->n_threads == 0;
	pthread_mutex_unlock(&c->mutex);
	if (is_last)
		destroy(c);
	return NULL;
}

struct closer *closer_new(void)
{
	struct closer *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	/* with default attributes these cannot fail on Linux */
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->has_work, NULL);
	return c;
}

/* Signals are the loop's: a new thread is born with all of them blocked. */
static bool start_thread(struct closer *c)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	if (pthread_attr_init(&attr) != 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	const bool is_started = pthread_create(&thread, &attr, work, c) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return is_started;
}

/* Under the mutex. False: there is no room for it, or nobody who would come for it. */
static bool push(struct closer *c, int fd)
{
	if (c->n == c->room) {
		const size_t room = c->room + 64;
		int *more = reallocarray(c->waiting, room, sizeof *more);
		if (!more)
			return false;
		c->waiting = more;
		c->room = room;
	}
	if (c->n >= c->n_idle && c->n_threads < THREADS_MAX && start_thread(c))
		c->n_threads++;
	if (c->n_threads == 0)
		return false;
	c->waiting[c->n++] = fd;
	pthread_cond_signal(&c->has_work);
	return true;
}

void closer_give(struct closer *c, int fd)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	const bool is_taken = push(c, fd);
	pthread_mutex_unlock(&c->mutex);
	if (!is_taken)
		close(fd);
}

bool closer_is_full(struct closer *c)
{
	pthread_mutex_lock(&c->mutex);
	const bool is_full = c->n >= FULL;
	pthread_mutex_unlock(&c->mutex);
	return is_full;
}

void closer_free(struct closer *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	c->is_ending = true;
	const bool is_last = c->n_threads == 0;
	pthread_cond_broadcast(&c->has_work);
	pthread_mutex_unlock(&c->mutex);
	if (is_last)
		destroy(c);
}
