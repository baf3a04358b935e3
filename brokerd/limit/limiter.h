/* limiter.h - may this attempt go out now, and if not, when?
 * All limits of the configuration that it falls under, and what its provider has said of its own, are taken
 * together or not at all. What is taken belongs to a hold, which belongs to a live attempt; so nothing leaks. No I/O, no clock. */
#ifndef BROKERD_LIMIT_LIMITER_H
#define BROKERD_LIMIT_LIMITER_H
#include "brokerd/config/config.h"
#include "brokerd/limit/subject.h"
#include "brokerd/value/rates.h"

struct limiter;

/* Three clocks: rates go by the one that never jumps, budgets by the calendar, which has to go with real time
 * (budget.h). */
struct limit_now {
	int64_t mono_us; /* loop_now_us */
	int64_t wall_us; /* since 1970 */
	int64_t boot_us; /* loop_boot_us: as mono_us, but it also counts while the host sleeps; 0: not known */
};

/* What it may take at the most; nothing is below 0. */
struct limit_need {
	int64_t input_tokens, output_tokens; /* as estimated for rates */
	int64_t nusd; /* that it can cost; with the pessimistic price where its own is not known; 0: it is free */
};

/* What it took. -1: not known, which is as much as was set aside. */
struct limit_use {
	int64_t input_tokens, output_tokens;
	int64_t nusd;
};

enum limit_verdict {
	LIMIT_HELD, /* all of it is set aside */
	LIMIT_WAIT, /* nothing is: it may be tried again at ready_us, or when a hold is let go of */
	LIMIT_SPENT, /* nothing is, and waiting does not help before reset_us: a budget is spent, or it is more than a
		      * limit ever allows */
};

#define LIMIT_OUTLINE_BYTES 512
struct limit_answer {
	enum limit_verdict verdict;
	/* LIMIT_WAIT: the loop's clock; INT64_MAX: only when something is let go of */
	int64_t ready_us;
	/* LIMIT_SPENT: the loop's clock, when the budget begins anew; INT64_MAX: that would not help either */
	int64_t reset_us;
	/* what stands in the way stands in everybody's: the provider's own limits, or one that is neither for some
	 * apps, users or policies alone nor tells them apart. Who comes behind has to wait too */
	bool is_shared;
	/* of what there is not enough, as limiter_counters has it; NULL where it is held */
	const void *lacks;
	/* ERR_RATE_LIMITED or ERR_BUDGET, with retry_after_ms; the sentence names the limit, whose count it is, its
	 * window, what is used of how much, when it begins anew, where it was said and the command that changes it */
	struct fault why;
	/* where something stands in the way: the same for those who may not see what all use. Only the kind of limit,
	 * what this call needs and when to come again */
	char outline[LIMIT_OUTLINE_BYTES];
};

/* What one live attempt holds. Zeroed: nothing. */
#define LIMIT_HOLD_MAX 16
struct limit_hold {
	struct limiter *limiter;
	struct limit_caller *caller;
	struct limit_need need;
	int64_t wall_us, real_us; /* when it was taken: the windows that it counts in */
	uint64_t turn;            /* the how manieth take it was, from 1 */
	uint64_t generation;      /* of the configuration */
	size_t n;
	struct limit_share { /* of one counter */
		struct limit_share *prev, *next;
		struct limit_hold *hold;
		struct counter *counter;
		bool is_counted; /* the provider's own figures have it */
		bool has_asked;  /* it took no request: that was counted before (subject.h) */
	} shares[LIMIT_HOLD_MAX]; /* a configuration with more limits that fit one call is refused when loaded */
};

struct limiter *limiter_new(void);
void limiter_free(struct limiter *l); /* nothing is held any more; NULL is fine */

/* The limits of another configuration. Counters of limits that still exist, by name and by what they tell apart, go
 * on; what was spent before counts in new ones too (spending.h). */
void limiter_configure(struct limiter *l, struct config *c, const struct limit_now *now);

/* Takes all or nothing. `hold` holds nothing before. */
void limiter_take(struct limiter *l, const struct limit_subject *s, const struct limit_need *need,
	const struct limit_now *now, struct limit_hold *hold, struct limit_answer *out);

/* It is over, and that is what it took: the difference is given back, or taken besides. */
void limiter_settle(struct limit_hold *h, const struct limit_use *use, const struct limit_now *now);
/* It never went out: all is given back. Harmless where nothing is held. */
void limiter_release(struct limit_hold *h, const struct limit_now *now);

/* Something may be free that was not: after a settle, a release, another configuration. One listener. */
void limiter_on_free(struct limiter *l, void (*on_free)(void *context), void *context);

/* The least that is left of the hard budgets that it falls under, what is reserved by others not counted as spent;
 * INT64_MAX: it falls under none. For capping a call's output before it takes. */
int64_t limiter_left_nusd(
	struct limiter *l, const struct limit_subject *s, const struct limit_now *now);
/* When it may be had if so many calls with so many tokens had what they need before, as far as rates go: the loop's
 * clock; INT64_MAX: that cannot be told, for it waits for others to end. */
int64_t limiter_ready_us(struct limiter *l, const struct limit_subject *s,
	const struct limit_need *need, size_t calls_before, int64_t tokens_before,
	const struct limit_now *now);
/* Before which it cannot be had, whatever others give back of what they have set aside: if so many calls have theirs
 * before, of which nobody knows how many tokens they will take. The loop's clock. */
int64_t limiter_sure_us(struct limiter *l, const struct limit_subject *s,
	const struct limit_need *need, size_t calls_before, const struct limit_now *now);
/* What it takes of: things that are alike for whom they are shared by, and no more than that. Returns how many. */
size_t limiter_counters(struct limiter *l, const struct limit_subject *s,
	const void *to[LIMIT_HOLD_MAX], const struct limit_now *now);
/* Those of them that count how often one may ask. */
size_t limiter_asked_counters(struct limiter *l, const struct limit_subject *s,
	const void *to[LIMIT_HOLD_MAX], const struct limit_now *now);
/* Soft budgets that are over: the sentence of the n-th. False: no more. */
bool limiter_soft(struct limiter *l, const struct limit_subject *s, const struct limit_now *now,
	size_t n, struct fault *said);

/* What a provider's reply said of its rates, for that key and model; shared by all callers. One reply, one call: the
 * attempts that have had none are what its figures do not count yet. `turn`: its hold's (0: it has none); what comes
 * behind the reply to a later one is old, and gives nothing back. */
void limiter_learn(struct limiter *l, const struct limit_subject *s, const struct rates *said,
	uint64_t turn, const struct limit_now *now);

/* What was spent before this process, as the ledger has it; before the first take. */
void limiter_remember(
	struct limiter *l, const struct limit_subject *s, int64_t wall_us, int64_t nusd);

/* How many it remembers: for tests. */
void limiter_size(const struct limiter *l, size_t *callers, size_t *counters);

/* All counters as JSON, for `llmb budget list` and `llmb budget show NAME` (absent: all): appends
 * {"limits":[{"name","said_at","window","zone","for":{"app":[...],...},"each":[...],"counters":[{"of":{"app":...},
 * "requests":{"limit","per_ms","used"},"input_tokens","output_tokens","tokens","concurrency":{"limit","used"},
 * "budgets":[{"limit_nusd","period","soft","spent_nusd","reserved_nusd","from_s","until_s"}]}],"more":N}],
 * "providers":[{"provider","key","model","requests":{...},"input_tokens","output_tokens","tokens",
 * "rest_ms"}]}. A limit that tells nothing apart has a counter always, one that does those that are in use; of each
 * at most LIMIT_JSON_COUNTERS, those with the most spent first, and then how many more there are. */
#define LIMIT_JSON_COUNTERS ((size_t)1000)
void limiter_json(
	struct limiter *l, struct span name, const struct limit_now *now, struct buf *out);

#endif
