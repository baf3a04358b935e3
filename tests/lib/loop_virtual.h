/* loop_virtual.h - how does a test make time pass?
 * loop_virtual.c stands in for loop.c: the clock stands still until it is moved here, timers fire
 * in the order of their times, and descriptors are asked for real, without waiting. The wall clock
 * starts at LOOP_VIRTUAL_WALL_US and moves along. */
#ifndef TESTS_LIB_LOOP_VIRTUAL_H
#define TESTS_LIB_LOOP_VIRTUAL_H
#include "brokerd/loop/loop.h"

#define LOOP_VIRTUAL_WALL_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

/* Runs all that is ready (descriptors, tasks, wakes, timers that are due) until nothing is, without
 * moving the clock. Aborts where that does not end. */
void loop_virtual_settle(struct loop *l);

/* Moves the clock by `us` (0 or more), stopping at each timer on the way, and settles there. */
void loop_virtual_advance(struct loop *l, int64_t us);

/* Moves the clock to the next timer and settles. False, and nothing happened: there is none. */
bool loop_virtual_next(struct loop *l);

/* Sets the wall clock, as a person or the network's time may do: nothing else moves. */
void loop_virtual_set_wall(struct loop *l, int64_t wall_us);
/* The host sleeps: time goes on, but not for timers. */
void loop_virtual_sleep(struct loop *l, int64_t us);

/* Delivers a signal to the watchers of that number, at the next settling. */
void loop_virtual_raise(struct loop *l, int number);

/* Has loop_stop been called? Where nobody is in loop_run, it does nothing else. */
bool loop_virtual_is_stopped(const struct loop *l);

/* What is being watched: for tests that nothing is left behind. */
size_t loop_virtual_timers(const struct loop *l);
size_t loop_virtual_descriptors(const struct loop *l);

/* The loop made last, or NULL: for tests that do not make it themselves. */
struct loop *loop_virtual_last(void);

#endif
