/* says.h - what is a caller told whom a limit refuses?
 * Each sentence names the limit, whose count it is, what is used of how much, when it begins anew, where it was said
 * and how it is changed; an outline, for those whose business that is not, none of it but when. For limiter.c. */
#ifndef BROKERD_LIMIT_SAYS_H
#define BROKERD_LIMIT_SAYS_H
#include "brokerd/limit/counter.h"
#include "brokerd/limit/limiter.h"

/* The moment of a call, as all of the limiter sees it. */
struct limit_moment {
	int64_t now_us; /* the loop's clock */
	const struct budget_clock *clock;
};

/* From now on, rounded up; 0: it is over. */
static inline int64_t limit_ms_until(int64_t at_us, int64_t now_us)
{
	return at_us <= now_us ? 0 : (at_us - now_us - 1) / 1000 + 1;
}

/* Fills in `why` and its retry_after_ms. */
void says_obstacle(const struct obstacle *o, const struct limit_need *need,
	const struct limit_subject *s, const struct limit_moment *m, struct fault *why);

/* The same without names, places and amounts that are not the call's own. */
void says_outline(const struct obstacle *o, const struct limit_need *need,
	const struct limit_subject *s, const struct limit_moment *m, char to[LIMIT_OUTLINE_BYTES]);

/* A soft budget that is over. */
void says_soft(
	const struct counter *c, size_t budget, const struct limit_moment *m, struct fault *why);

#endif
