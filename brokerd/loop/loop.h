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

/* A watcher may say which function it calls: set by LOOP_CALLS, or in an initialiser by LOOP_CALL, it does. Then who holds
 * the loop up can be told by name; one without is told by its kind: "io", "timer", "task", "signal" or "wake". */
#define LOOP_NAME(function)             __FILE__ ":" #function
#define LOOP_CALL(member, function)     .member = (function), .name = LOOP_NAME(function)
#define LOOP_CALLS(w, member, function) ((w)->member = (function), (w)->name = LOOP_NAME(function))

/* Who looks on. The loop itself writes no log. */
struct loop_watch {
	/* After a callback that kept all others waiting for LOOP_STALL_US or longer; the time runs from the end of the
	 * one before it in the same turn, or from the turn's beginning. */
	void (*on_stall)(struct loop_watch *w, const char *name, int64_t took_us);
	/* The loop is woken without end while nothing gets done (spin.h): by whom, by which descriptor (-1: none), and
	 * how often a second. Once, until it has rested. */
	void (*on_spin)(struct loop_watch *w, const char *name, int fd, uint64_t turns);
};
#define LOOP_STALL_US INT64_C(50000)
/* `w` stays until the loop is freed. */
void loop_watched_by(struct loop *l, struct loop_watch *w);

/* What was seen since then. */
struct loop_figures {
	uint64_t stalls, spins;
	int64_t longest_us; /* of all turns, less the waiting */
};
struct loop_figures loop_figures(const struct loop *l);

/* Something came further in this turn: bytes moved, a job ended. Turns of which nobody says so are no work, where they
 * are very many. */
void loop_moved(struct loop *l);

/* Monotonic microseconds as of this turn: the one clock, passed down as a value. */
int64_t loop_now_us(const struct loop *l);
/* Wall-clock microseconds since 1970, as of this turn, too. */
int64_t loop_wall_us(const struct loop *l);
/* Microseconds since the host began: as loop_now_us, but they go on while it sleeps. */
int64_t loop_boot_us(const struct loop *l);

/* Has this turn lasted so long that what can wait waits for the next? For who has many things to do in one callback, to be
 * asked between two of them. */
bool loop_is_late(const struct loop *l);

enum loop_ready {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
};

struct loop_io {
	ev_io watcher;
	struct loop *loop;           /* NULL while stopped */
	struct loop_io *prev, *next; /* while it waits for its turn (ready.h) */
	int ready;                   /* for this; 0: it does not wait */
	void (*on_ready)(struct loop_io *io, int ready);
	const char *name;
};
/* Watches `fd` for `what` (LOOP_READ | LOOP_WRITE); again with another set changes it; 0 stops. Who is ready has his turn
 * in the order in which the kernel told; where a turn of the loop has no time left for him it is in the next one, and what
 * he was ready for may be gone by then: he reads and writes without waiting.
 * The descriptor is open, and stays so until loop_io_stop: a closed one is a bug and ends us. */
void loop_io_set(struct loop *l, struct loop_io *io, int fd, int what);
void loop_io_stop(struct loop_io *io); /* before the descriptor is closed; harmless when stopped */

struct loop_timer {
	ev_timer watcher;
	struct loop *loop;              /* NULL while stopped */
	struct loop_timer *prev, *next; /* while it is due and waits for its turn */
	bool is_due;
	int64_t due_us;
	void (*on_fire)(struct loop_timer *t);
	const char *name;
};
/* Fires once, `delay_us` (0 or more) from now, or in a later turn where many are due; a running one is set anew. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t delay_us);
void loop_timer_stop(struct loop_timer *t);

/* Runs after the callbacks of this turn, or, where it has no time left, first of all in the next one, before the loop waits
 * again; what is added while these run waits for the next turn. Adding one that is pending changes nothing. */
struct loop_task {
	struct loop_task *prev, *next;
	struct loop *loop; /* NULL while not pending */
	void (*on_run)(struct loop_task *t);
	const char *name;
};
void loop_later(struct loop *l, struct loop_task *t);
void loop_task_stop(struct loop_task *t);

struct loop_signal {
	ev_signal watcher;
	struct loop *loop;
	void (*on_signal)(struct loop_signal *s);
	const char *name;
};
void loop_signal_set(struct loop *l, struct loop_signal *s, int number);
void loop_signal_stop(struct loop_signal *s);

/* Another thread's way in: makes on_wake run on the loop's thread, soon, once for many calls. Start
 * it before the other thread knows of it, and stop it after the other thread is gone. */
struct loop_wake {
	ev_async watcher;
	struct loop *loop;
	void (*on_wake)(struct loop_wake *w);
	const char *name;
};
void loop_wake_start(struct loop *l, struct loop_wake *w);
void loop_wake_stop(struct loop_wake *w);
void loop_wake(struct loop_wake *w); /* from any thread */

#endif
