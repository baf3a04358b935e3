/* limit_rule.h - what does one [limit "NAME"] section say?
 * Which calls it counts, how those are told apart, and how much of what they may have. Plain values: limit/ keeps
 * the counts. */
#ifndef BROKERD_CONFIG_LIMIT_RULE_H
#define BROKERD_CONFIG_LIMIT_RULE_H
#include "brokerd/config/policy_rule.h"
#include "brokerd/config/zone.h"
#include "protocol/base/buf.h"

/* By what calls are told apart: for each of its values, together, a count of its own. None: one for all. */
enum limit_each {
	LIMIT_EACH_APP,
	LIMIT_EACH_USER,
	LIMIT_EACH_POLICY,
	LIMIT_EACH_PROVIDER,
	LIMIT_EACH_KEY,
	LIMIT_EACH_MODEL,
	LIMIT_EACH_COUNT,
};

#define RATE_AMOUNT_MAX INT64_C(1000000000000)
#define BUDGETS_MAX     8 /* of one limit: hard and soft for each period */
#define MONEY_MAX       INT64_C(1000000000000000000) /* nano-dollars: a thousand million dollars */
#define CONCURRENCY_MAX 1000000

/* So much at once, and as much again in any time of that length, evenly. amount 0: not limited. */
struct rate_rule {
	int64_t amount; /* to RATE_AMOUNT_MAX */
	int64_t per_us; /* a second to 31 days */
};

enum period {
	PERIOD_HOUR,
	PERIOD_DAY,
	PERIOD_WEEK,
	PERIOD_MONTH,
};

struct budget_rule {
	int64_t nusd;
	enum period period;
	bool is_soft; /* told, not kept */
};

struct limit_rule {
	struct span name;
	struct span said_at; /* "/etc/llm-broker/broker.conf:12", or "llmb budget set" */
	bool is_by_hand;     /* it was set with llmb, and stands in no file of the configuration */
	struct span
		unfit; /* by hand, and it names what there is not: a sentence; absent: all is there */
	/* which calls it is for: all that is said must hold */
	/* patterns; empty: any. A key is LABEL or PROVIDER/LABEL, a model as asked or PROVIDER/MODEL */
	struct words apps, policies, providers, keys, models;
	struct words users; /* numbers; empty or "*": any */
	uint32_t each;      /* a bit for each of enum limit_each */
	/* how much */
	struct rate_rule requests, input, output, tokens;
	int64_t concurrency; /* calls at a time; -1: any number */
	struct budget_rule *budgets;
	size_t n_budgets;
	/* when budgets begin anew */
	bool is_rolling;         /* with every moment; else with the calendar's periods */
	const struct zone *zone; /* of that calendar; weeks begin on Monday */
	struct span zone_said;   /* absent: nobody named one */
};

/* Do the same calls fall under both? */
bool limit_is_for_same(const struct limit_rule *a, const struct limit_rule *b);

const char *limit_each_name(enum limit_each e); /* "app" */
const char *period_name(enum period p);         /* "day" */

/* "60/minute", "100000/30s". ERR_MISCONFIGURED, with a sentence. */
enum err rate_read(struct span value, struct rate_rule *to, struct fault *why) MUST_USE;
/* "5/day", "$5 / day", "5.00 USD/month". */
enum err budget_read(struct span value, struct budget_rule *to, struct fault *why) MUST_USE;

/* As one would write it: "60/minute"; "0.15", exact. */
void rate_print(const struct rate_rule *r, struct buf *out);
void money_print(int64_t nusd, struct buf *out);

/* The section that says the same, from its first line to its last. */
void limit_rule_print(const struct limit_rule *r, struct buf *out);

#endif
