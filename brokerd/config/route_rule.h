/* route_rule.h - what do the lines of routing say: which key, which target, for which calls, by which strategy?
 * Plain values, and the readers of their text: route/ chooses by them. */
#ifndef BROKERD_CONFIG_ROUTE_RULE_H
#define BROKERD_CONFIG_ROUTE_RULE_H
#include "brokerd/config/policy_rule.h"
#include "protocol/base/arena.h"

#define ROUTE_WEIGHT_MAX  1000000
#define ROUTE_TARGETS_MAX 128 /* lines of one list */
#define ROUTE_KEYS_MAX    64  /* of one provider */

/* What a request needs that not every target has. Bits. */
enum capability {
	CAPABILITY_IMAGES = 1 << 0,
	CAPABILITY_AUDIO = 1 << 1,
	CAPABILITY_VIDEO = 1 << 2,
	CAPABILITY_FILES = 1 << 3,
	CAPABILITY_TOOLS = 1 << 4,
	CAPABILITY_SCHEMA = 1 << 5, /* an answer by a JSON schema */
	CAPABILITY_REASONING = 1 << 6,
};
#define CAPABILITY_COUNT 7
/* Its word, as configurations and refusals have it: "images". NULL: no such bit. */
const char *capability_name(enum capability bit);

/* key_label = LABEL [weight=N] [model=PATTERN,...]: one key of a provider's. */
struct key_rule {
	struct span label;
	int64_t weight;      /* to ROUTE_WEIGHT_MAX; 0: not said */
	struct words models; /* patterns, as the provider calls them; none: all */
};

/* target = PROVIDER/MODEL [weight=N] ...: one line, and the calls that it is for. All that is said must hold. */
struct target_rule {
	struct span provider, model;
	int64_t weight;               /* to ROUTE_WEIGHT_MAX; 0: not said */
	struct words apps, tags;      /* patterns, of which one must fit; none: any */
	int64_t min_input, max_input; /* tokens, as estimated; -1: not said */
	unsigned needs;          /* for requests that need one of these capabilities; 0: for all */
	int64_t min_budget_nusd; /* that is left; -1: not said */
};
struct target_rules {
	struct target_rule *list;
	size_t n;
};

/* Has it no conditions? */
bool target_rule_is_for_all(const struct target_rule *r);

/* In which order the lines of an alias are asked. */
enum strategy {
	STRATEGY_PRIORITY, /* as they are written */
	STRATEGY_WEIGHTED, /* by chance, by their weights */
	STRATEGY_LATENCY,  /* the quicker of two, taken by chance, and less busy */
	STRATEGY_BUSY,     /* with the fewest requests under way */
	STRATEGY_CHEAPEST,
	STRATEGY_STICKY, /* the same for the same session */
};

#define HEDGE_P95 INT64_C(-1)

/* How an alias goes about its targets. */
struct route_rule {
	enum strategy strategy;
	struct target_rules context, refusal; /* fallback_context, fallback_refusal: names alone */
	int64_t max_price_input, max_price_output; /* nano-dollars per million tokens; -1: any */
	int64_t hedge_us;          /* 0: never; HEDGE_P95: after that of the target's */
	int64_t min_rate;          /* characters of content a second; 0: none is too slow */
	int64_t attempts;          /* of one request, all targets together */
	bool is_invalid_passed_on; /* invalid_request goes to the next target */
	bool is_resumed;           /* a broken answer is gone on with by another target */
};

/* Each: ERR_MISCONFIGURED, with a sentence. Texts are copied into `a`. */
enum err key_rule_read(
	struct span value, struct arena *a, struct key_rule *to, struct fault *why) MUST_USE;
enum err target_rule_read(
	struct span value, struct arena *a, struct target_rule *to, struct fault *why) MUST_USE;
/* PROVIDER/MODEL alone. */
enum err fallback_rule_read(
	struct span value, struct arena *a, struct target_rule *to, struct fault *why) MUST_USE;
/* "never", "p95" or a time. */
enum err hedge_read(struct span value, int64_t *to, struct fault *why) MUST_USE;
/* "never", "5/s". */
enum err min_rate_read(struct span value, int64_t *to, struct fault *why) MUST_USE;

#endif
