/* loop_cases.h - does a client live in this event loop?
 * The same cases for each loop that has an adapter (llmclient-*.h), told in terms of a rig: one loop, one
 * watch and one clock, all made new for each case. What watches is on the heap, and goes with `unwatch`, so
 * that a sanitizer sees whoever looks at it afterwards. */
#ifndef TESTS_LIB_LOOP_CASES_H
#define TESTS_LIB_LOOP_CASES_H
#include <stdbool.h>

#include "llmclient.h"

struct rig {
	const struct rig_kind *kind;
	llm_client *client;
	void (*on_ready)(struct rig *r);
	void (*on_tick)(struct rig *r);
	int n_ready, n_ticks;
	int n_ready_before; /* when the case parted with its client */
	int code;           /* what on_error was given */
	void *arg;
};

struct rig_kind {
	struct rig *(*make)(void);                  /* a loop, in which nothing happens */
	void (*drop)(struct rig *r);                /* of a rig that is not watching */
	void (*turn)(struct rig *r);                /* waits for something, and deals with it */
	void (*tick)(struct rig *r, int every_ms);  /* 0: no more */
	int (*watch)(struct rig *r, llm_client *c); /* what the adapter's start returns */
	void (*unwatch)(struct rig *r);             /* may be called inside of any callback */
	void (*in_child)(struct rig *r);            /* after a fork */
};

/* For the watch's and the clock's callbacks. */
void rig_ready(struct rig *r);
void rig_error(struct rig *r, int code);
void rig_tick(struct rig *r);

void loop_cases(const struct rig_kind *kind);

#endif
