/* test_worker.c - are jobs done off the loop, in their order, and given back on it? */
#include "brokerd/loop/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/lib/tap.h"

static struct loop *loop;
static pthread_t loops_thread;

struct task {
	struct job job;
	int number;
	unsigned lane;
	bool ran_elsewhere, had_signals_blocked;
	struct workers *again; /* submit it once more */
};

static int order[64];
static int n_done, n_wanted;
static atomic_int n_running, most_running, n_in_lane, most_in_lane;

static void most(atomic_int *highest, int now)
{
	int was = atomic_load(highest);
	while (now > was && !atomic_compare_exchange_weak(highest, &was, now))
		;
}

static void run(struct job *j)
{
	struct task *t = container_of(j, struct task, job);
	sigset_t now;
	most(&most_running, atomic_fetch_add(&n_running, 1) + 1);
	if (t->lane)
		most(&most_in_lane, atomic_fetch_add(&n_in_lane, 1) + 1);
	usleep(2000);
	if (t->lane)
		atomic_fetch_sub(&n_in_lane, 1);
	atomic_fetch_sub(&n_running, 1);
	t->ran_elsewhere = !pthread_equal(pthread_self(), loops_thread);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	t->had_signals_blocked = sigismember(&now, SIGTERM) && sigismember(&now, SIGHUP);
}

static void on_done(struct job *j)
{
	struct task *t = container_of(j, struct task, job);
	if (t->again) {
		struct workers *w = t->again;
		t->again = NULL;
		workers_submit(w, j, t->lane);
		return;
	}
	if (n_done < (int)COUNT_OF(order))
		order[n_done] = t->number;
	if (++n_done == n_wanted)
		loop_stop(loop);
}

static void begin(int wanted)
{
	loop = loop_new(NULL);
	if (!loop)
		bail("no loop");
	loops_thread = pthread_self();
	n_done = 0;
	n_wanted = wanted;
	atomic_store(&most_running, 0);
	atomic_store(&most_in_lane, 0);
}

static struct workers *workers(unsigned threads)
{
	struct fault why;
	struct workers *w = workers_new(loop, threads, &why);
	if (!w)
		bail("%s", why.message);
	return w;
}

static void a_lane_keeps_its_order(void)
{
	struct task t[20] = {0};
	begin(20);
	struct workers *w = workers(4);
	for (int i = 0; i < 20; i++) {
		t[i] = (struct task){
			.job = {.run = run, .on_done = on_done},
                          .number = i, .lane = 3
                };
		workers_submit(w, &t[i].job, 3);
	}
	is_uint(workers_pending(w), 20, "all are pending");
	loop_run(loop);
	is_uint(workers_pending(w), 0, "none is left");
	bool in_order = true, elsewhere = true, blocked = true, done = true;
	for (int i = 0; i < 20; i++) {
		in_order = in_order && order[i] == i;
		elsewhere = elsewhere && t[i].ran_elsewhere;
		blocked = blocked && t[i].had_signals_blocked;
		done = done && t[i].job.is_done;
	}
	ok(in_order, "one after another, in the order given");
	ok(elsewhere, "never on the loop's thread");
	ok(blocked, "with signals blocked");
	ok(done, "and marked as done");
	is_int(atomic_load(&most_in_lane), 1, "never two of a lane at once");
	workers_free(w);
	loop_free(loop);
}

static void lane_0_runs_side_by_side(void)
{
	struct task t[24] = {0};
	begin(24);
	struct workers *w = workers(4);
	for (int i = 0; i < 24; i++) {
		t[i] = (struct task){
			.job = {.run = run, .on_done = on_done},
                          .number = i
                };
		workers_submit(w, &t[i].job, 0);
	}
	loop_run(loop);
	is_int(n_done, 24, "all were done");
	ok(atomic_load(&most_running) > 1, "several at once");
	ok(atomic_load(&most_running) <= 4, "and no more than there are threads");
	workers_free(w);
	loop_free(loop);
}

static void freeing_waits(void)
{
	struct task t[6] = {0};
	begin(100);
	struct workers *w = workers(2);
	for (int i = 0; i < 6; i++) {
		t[i] = (struct task){
			.job = {.run = run, .on_done = on_done},
			.number = i,
			.lane = i % 2 ? 5 : 0
                };
		workers_submit(w, &t[i].job, t[i].lane);
	}
	t[5].again = w;
	workers_free(w);
	is_int(n_done, 6, "every on_done came before the end, a resubmitted job's too");
	loop_free(loop);
}

static void none_is_needed(void)
{
	begin(1);
	workers_free(workers(16));
	workers_free(NULL);
	ok(true, "workers without a job start no thread and end at once");
	loop_free(loop);
}

int main(void)
{
	a_lane_keeps_its_order();
	lane_0_runs_side_by_side();
	freeing_waits();
	none_is_needed();
	return tap_done();
}
