/* limit_rule.h - what does one [limit "NAME"] section say?
 * Which calls it counts, how those are told apart, and how much of what they may have. Plain values: limit/ keeps
 * the counts. */
#ifndef BROKERD_CONFIG_LIMIT_RULE_H
#define BROKERD_CONFIG_LIMIT_RULE_H
#include "brokerd/config/policy_rule.h"
#include "brokerd/config/zone.h"

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

/* So much in any time of that length, all of it at once if need be. amount 0: not limited. */
struct rate_rule {
	int64_t amount;
	int64_t per_us;
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
	/* which calls it is for: all that is said must hold */
	struct words apps, policies, providers, keys, models; /* patterns; empty: any */
	struct words users;                                   /* numbers; empty or "*": any */
	uint32_t each;                                        /* a bit for each of enum limit_each */
	/* how much */
	struct rate_rule requests, input, output, tokens;
	int64_t concurrency; /* calls at a time; -1: any number */
	struct budget_rule *budgets;
	size_t n_budgets;
	/* when budgets begin anew */
	bool is_rolling;         /* with every moment; else with the calendar's periods */
	const struct zone *zone; /* of that calendar; weeks begin on Monday */
};

const char *limit_each_name(enum limit_each e); /* "app" */
const char *period_name(enum period p);         /* "day" */

#endif
