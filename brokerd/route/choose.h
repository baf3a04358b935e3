/* choose.h - of the targets of a route, which first, and why not the others?
 * By the conditions and the strategy of the alias, by what the request needs, and by what is known of each target now. Pure: no
 * clock, no I/O, no allocation but some 100 KiB of stack; what is random comes from the seed. */
#ifndef BROKERD_ROUTE_CHOOSE_H
#define BROKERD_ROUTE_CHOOSE_H
#include "brokerd/route/capability.h"

struct choose_ask {
	struct span app; /* of whose call, as accounts have it */
	const struct span *tags;
	size_t n_tags;
	struct span session;                 /* what sticky sticks to; absent: the app */
	unsigned needs;                      /* capabilities */
	int64_t input_tokens, output_tokens; /* as estimated; output -1: not known */
	bool is_in_pieces; /* the input is many, as texts to embed: no context has to hold all of it */
	uint64_t seed;
};

/* What is known of a target now. */
struct choose_view {
	bool is_resting; /* its breaker is open */
	unsigned in_flight;
	int64_t first_us;  /* how long its first content takes; -1: nothing is known */
	int64_t nusd;      /* that this request can cost there; -1: its price is not known */
	int64_t left_nusd; /* of the budgets that it falls under there; INT64_MAX: of none */
	bool holds_prompt; /* its provider's cache has the beginning of this prompt */
};

enum choose_reason {
	CHOOSE_IN,
	CHOOSE_APP,     /* its line is for other apps; */
	CHOOSE_TAG,     /* for calls with other tags; */
	CHOOSE_SIZE,    /* for prompts of another size; */
	CHOOSE_NEED,    /* for requests that need something */
	CHOOSE_BUDGET,  /* too little is left */
	CHOOSE_PRICE,   /* it is dearer than the alias allows, or its price is not known */
	CHOOSE_KEY,     /* the key is not for that model */
	CHOOSE_LACKS,   /* it cannot do what the request needs, or only somehow where another can */
	CHOOSE_CONTEXT, /* the request does not fit its context */
};

struct choice {
	size_t target; /* which of those that were handed in */
	enum choose_reason reason;
	char why[192]; /* a sentence for people, where it is out: "images are not among what it takes" */
};

/* One choice for each of the `n` `targets`, ROUTE_MAX at the most: first those that are in, in the order in which they are to
 * be asked, then those that are out, as they came. The targets are as route.h makes them, some perhaps left out: those of
 * one line stand together. `alias` is the section that the model's name means (route.alias); NULL: none.
 *
 * The strategy orders lines, by what is known of the target that each would be asked with; the keys of a line follow it, as
 * they are listed or, where one has a weight, by chance (under sticky: always the same for the same session). A key that holds
 * the prompt comes before the others of its line, unless their order is written down; and a line that would be asked with one before those that the strategy has no
 * reason to prefer: under weighted before all; under latency and busy where it has no more than twice to do of the least that one
 * has; under cheapest where it costs the same. Under priority lines stay as written; under sticky nothing changes. Lines of a
 * request's own fallbacks come behind the model's, name by name, each name's in its own strategy. Those of TARGETS_CONTEXT
 * and TARGETS_REFUSAL come behind the usual ones, in the order in which they are written. What rests comes last in its list.
 *
 * Estimates of tokens may be off by a quarter: a request does not fit a context only where a prompt of four fifths of
 * the estimate and the output that was asked for, or the most that the model gives, are more than the context. What a
 * target has by a makeshift alone (target.poor) puts it out only where another of its list has it and does not rest. A route of one line that
 * is no alias's is not held against capabilities and context: who names one model hears from that one what it says.
 * A price that is not known is over every ceiling, but where no key is taken it is nothing.
 *
 * Returns how many of the usual ones are in. 0: the lists are as they are. */
size_t choose(const struct config *c, const struct model *alias, const struct choose_ask *ask,
	const struct target *targets, const struct choose_view *views, size_t n,
	struct choice *out);

#endif
