/* counter.h - what is used of one limit, by those whom it does not tell apart?
 * Its shares are those of live holds; what is reserved and how many are at it goes up and down with them alone, and
 * so cannot leak. A provider's own limits are one too, whose figures are learned. For limiter.c and its
 * neighbours. No clock, no I/O. */
#ifndef BROKERD_LIMIT_COUNTER_H
#define BROKERD_LIMIT_COUNTER_H
#include "brokerd/limit/bucket.h"
#include "brokerd/limit/budget.h"
#include "brokerd/limit/limiter.h"
#include "protocol/base/table.h"

enum counter_bucket {
	COUNTER_REQUESTS,
	COUNTER_INPUT,
	COUNTER_OUTPUT,
	COUNTER_TOKENS, /* of both kinds */
	COUNTER_BUCKETS,
};

struct counter {
	TABLE_LINK;
	struct counter *prev, *next;   /* among those that nobody uses */
	bool is_idle;                  /* it is there */
	const struct limit_rule *rule; /* NULL: of a provider, or of a limit that is no more */
	bool is_learned;
	struct limit_subject who;   /* what tells it apart; lies in `key` */
	uint32_t each;              /* and in what */
	size_t n_callers;           /* that know of it */
	struct limit_share *shares; /* in the order of their turns */
	size_t n_shares;
	struct bucket buckets[COUNTER_BUCKETS];
	struct budget *budgets;
	size_t n_budgets;
	/* learned.h */
	struct limit_share
		*uncounted; /* the first of those that the figures do not have; all behind it too */
	int64_t pending[COUNTER_BUCKETS]; /* their sum */
	uint64_t heard;                   /* the latest turn whose reply has come */
	int64_t rest_us;                  /* nothing before that */
	struct span name;                 /* of the limit; lies in `key` */
	size_t key_n;
	char key[];
};

/* What stands in the way. */
struct obstacle {
	enum limit_verdict verdict; /* LIMIT_HELD: nothing does */
	int64_t ready_us; /* LIMIT_WAIT: the loop's clock; LIMIT_SPENT: real time, when the budget begins anew */
	const struct counter *counter;
	enum {
		OBSTACLE_BUCKET,
		OBSTACLE_CONCURRENCY,
		OBSTACLE_BUDGET,
		OBSTACLE_REST,
	} kind;
	size_t i; /* which bucket, which budget */
};

/* What a limit says of that bucket; its amount is 0 where it says nothing. */
const struct rate_rule *counter_rate(const struct limit_rule *r, size_t i);

/* Was it counted here before that it is asked? */
bool counter_has_asked(const struct counter *c, const struct limit_subject *s);

/* How much of each bucket a need is; each at most twice BUCKET_UNITS_MAX, so that sums of them fit. */
void counter_units(const struct limit_need *need, int64_t to[COUNTER_BUCKETS]);

void counter_free(struct counter *c); /* has no shares */
/* Its limit is no more, nor what that said of budgets: those who hold a share end as if it had none. */
void counter_forget_rule(struct counter *c);

/* Budgets that are over begin anew. */
void counter_refresh(struct counter *c, const struct budget_clock *clock, uint64_t turn);

/* Refreshed before. Keeps in *worst what is worse than what is there. */
void counter_test(const struct counter *c, const struct limit_subject *s,
	const struct limit_need *need, const struct budget_clock *clock, int64_t now_us,
	struct obstacle *worst);

/* The hold has its turn and moment. */
void counter_take(struct counter *c, const struct limit_subject *s, struct limit_hold *h,
	struct limit_share *share, int64_t now_us);
/* `use` is known in all; NULL: it never went out. The share is out of the list then. */
void counter_settle(struct counter *c, struct limit_share *share, const struct limit_use *use,
	const struct budget_clock *clock, int64_t now_us);

/* Would one that is made anew be the same? */
bool counter_is_whole(const struct counter *c, const struct budget_clock *clock, int64_t now_us);

/* Does what it lacks stand in everybody's way? */
bool counter_is_shared(const struct counter *c);

#endif
