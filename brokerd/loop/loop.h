/* loop.h - what happens next?
 * Time, descriptors, timers, signals and "later", on one thread. Watchers are embedded in their
 * owners; a callback is container_of and one call. Nothing here is called from another thread but
 * loop_wake. Tests replace it by one with virtual time. */
#ifndef BROKERD_LOOP_LOOP_H
#define BROKERD_LOOP_LOOP_H
#include <ev.h>
#include <stdint.h>

#include "protocol/base/err.h"

struct loop;

/* NULL: the kernel refused, and *why says what. Reads no environment variable. */
struct loop *loop_new(struct fault *why);
void loop_free(struct loop *l);

void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* after the callbacks of this turn, and what they put off */

/* Called after a callback that kept all others waiting for LOOP_STALL_US or longer, with what kind
 * it was: "io", "timer", "task", "signal" or "wake". The loop itself writes no log. */
#define LOOP_STALL_US INT64_C(50000)
void loop_watch_stalls(struct loop *l, void (*on_stall)(const char *kind, int64_t took_us));

/* Monotonic microseconds as of this turn: the one clock, passed down as a value. */
int64_t loop_now_us(const struct loop *l);
/* Wall-clock microseconds since 1970. */
int64_t loop_wall_us(const struct loop *l);
/* Microseconds since the host began: as loop_now_us, but they go on while it sleeps. */
int64_t loop_boot_us(const struct loop *l);

enum loop_ready {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
};

struct loop_io {
	ev_io watcher;
	struct loop *loop; /* NULL while stopped */
	void (*on_ready)(struct loop_io *io, int ready);
};
/* Watches `fd` for `what` (LOOP_READ | LOOP_WRITE); again with another set changes it; 0 stops.
 * The descriptor is open, and stays so until loop_io_stop: a closed one is a bug and ends us. */
void loop_io_set(struct loop *l, struct loop_io *io, int fd, int what);
void loop_io_stop(struct loop_io *io); /* before the descriptor is closed; harmless when stopped */

struct loop_timer {
	ev_timer watcher;
	struct loop *loop; /* NULL while stopped */
	int64_t due_us;
	void (*on_fire)(struct loop_timer *t);
};
/* Fires once, `delay_us` (0 or more) from now; a running one is set anew. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us);
void loop_timer_stop(struct loop_timer *t);

/* Runs after the callbacks of this turn, before the loop waits again; what is added while these run
 * waits for the next turn. Adding one that is pending changes nothing. */
struct loop_task {
	struct loop_task *prev, *next;
	struct loop *loop; /* NULL while not pending */
	void (*on_run)(struct loop_task *t);
};
void loop_later(struct loop *l, struct loop_task *t);
void loop_task_stop(struct loop_task *t);

struct loop_signal {
	ev_signal watcher;
	struct loop *loop;
	void (*on_signal)(struct loop_signal *s);
};
void loop_signal_set(struct loop *l, struct loop_signal *s, int number);
void loop_signal_stop(struct loop_signal *s);

/* Another thread's way in: makes on_wake run on the loop's thread, soon, once for many calls. Start
 * it before the other thread knows of it, and stop it after the other thread is gone. */
struct loop_wake {
	ev_async watcher;
	struct loop *loop;
	void (*on_wake)(struct loop_wake *w);
};
void loop_wake_start(struct loop *l, struct loop_wake *w);
void loop_wake_stop(struct loop_wake *w);
void loop_wake(struct loop_wake *w); /* from any thread */

#endif
