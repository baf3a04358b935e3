/* says.h - what is a caller told whom a limit refuses, and what an administrator who asks?
 * Each sentence names the limit, whose count it is, what is used of how much, when it begins anew, where it was said
 * and how it is changed. For limiter.c. */
#ifndef BROKERD_LIMIT_SAYS_H
#define BROKERD_LIMIT_SAYS_H
#include "brokerd/limit/counter.h"
#include "protocol/base/json.h"

/* The moment of a call, as all of the limiter sees it. */
struct limit_moment {
	int64_t now_us; /* the loop's clock */
	const struct budget_clock *clock;
};

/* Fills in `why` and its retry_after_ms. */
void says_obstacle(const struct obstacle *o, const struct limit_need *need,
	const struct limit_subject *s, const struct limit_moment *m, struct fault *why);

/* A soft budget that is over. */
void says_soft(
	const struct counter *c, size_t budget, const struct limit_moment *m, struct fault *why);

void says_counter_json(const struct counter *c, const struct limit_moment *m, struct json_out *o);
/* Whose calls it is for, what it tells apart, how much it is, where it was said: members of an open object. */
void says_rule_json(const struct limit_rule *r, struct json_out *o);
void says_learned_json(const struct counter *c, const struct limit_moment *m, struct json_out *o);

#endif
