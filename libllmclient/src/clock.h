/* clock.h - what time is it? Monotonic; nobody sets it back. */
#ifndef LIBLLMCLIENT_SRC_CLOCK_H
#define LIBLLMCLIENT_SRC_CLOCK_H
#include <stdint.h>
#include <time.h>

#define NEVER_MS INT64_MAX

static inline int64_t clock_ms(void)
{
	struct timespec t = {0, 0};
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* `now` and a timeout as public options have them: less than 0 is none. */
static inline int64_t clock_due_ms(int64_t now_ms, int64_t timeout_ms)
{
	return timeout_ms < 0 ? NEVER_MS : now_ms + timeout_ms;
}

#endif
