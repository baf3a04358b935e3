/* choose.h - of the targets of a route, which first, and why not the others?
 * By the conditions and the strategy of the alias, by what the request needs, and by what is known of each target now. Pure: no
 * clock, no I/O; what is random comes from the seed. */
#ifndef BROKERD_ROUTE_CHOOSE_H
#define BROKERD_ROUTE_CHOOSE_H
#include "brokerd/config/config.h"
#include "protocol/request.h"

/* What a request needs; and what of that a target is known not to have. */
unsigned capability_needs(const struct llm_request *r);
unsigned capability_lacks(const struct target *t, unsigned needs);

struct choose_ask {
	struct span app; /* of whose call, as accounts have it */
	const struct span *tags;
	size_t n_tags;
	struct span session;                 /* what sticky sticks to; absent: the app */
	unsigned needs;                      /* capabilities */
	int64_t input_tokens, output_tokens; /* as estimated; output -1: not known */
	uint64_t seed;
};

/* What is known of a target now. */
struct choose_view {
	bool is_resting; /* its breaker is open */
	unsigned in_flight;
	int64_t first_us;  /* how long its first content takes; -1: nothing is known */
	int64_t nusd;      /* that this request can cost there; -1: its price is not known */
	int64_t left_nusd; /* of the budgets that it falls under there; INT64_MAX: of none */
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
	CHOOSE_LACKS,   /* it cannot do what the request needs */
	CHOOSE_CONTEXT, /* the request does not fit its context */
};

struct choice {
	size_t target; /* which of those that were handed in */
	enum choose_reason reason;
	char why[192]; /* a sentence for people, where it is out: "images are not among what it takes" */
};

/* One choice for each of `targets`: first those that are in, in the order in which they are to be asked, then those that are
 * out, as they came. `alias` is the section that the model's name means; NULL: none. Those of TARGETS_CONTEXT and
 * TARGETS_REFUSAL come behind the usual ones, each list in its own order; what rests comes last in its list. Where the
 * capabilities or contexts of all usual targets do not suffice, all of these are out, and the lists are as they are. Returns
 * how many of the usual ones are in. */
size_t choose(const struct config *c, const struct model *alias, const struct choose_ask *ask,
	const struct target *targets, const struct choose_view *views, size_t n,
	struct choice *out);

#endif
