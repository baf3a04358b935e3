/* resume.h - has the host slept?
 * The kernel wakes a timer of the wall's clock when the host comes back, or when somebody sets that
 * clock; how long the host slept is what CLOCK_BOOTTIME counts and CLOCK_MONOTONIC does not. Nothing
 * is polled. */
#ifndef BROKERD_LOOP_RESUME_H
#define BROKERD_LOOP_RESUME_H
#include "brokerd/loop/loop.h"

#define RESUME_LEAST_US INT64_C(5000000) /* a shorter sleep is none */

/* Both clocks at one moment. */
struct resume_clocks {
	int64_t boot_us, monotonic_us;
};

/* Was there a sleep between the two moments? Pure. */
bool resume_was_asleep(const struct resume_clocks *before, const struct resume_clocks *now);

struct resume_watch {
	struct loop_io io;
	int fd; /* -1: none */
	struct resume_clocks seen;
	void (*on_resume)(struct resume_watch *w);
};

/* ERR_IO: this kernel has no such timer, and *why says so; nothing is watched then. */
enum err resume_watch_start(struct loop *l, struct resume_watch *w, struct fault *why) MUST_USE;
void resume_watch_stop(struct resume_watch *w); /* harmless where it did not start */

#endif
