/* health.h - which targets are resting, how quick is each, and how much may be tried again there?
 * Learned from the traffic of all callers, and never by asking. A failure counts where it belongs: a provider's endpoint,
 * one key of it, or a model with that key; each such place has a breaker. Closed, it lets all through. Open, none until its
 * rest is over. Then half-open: one call that somebody makes anyway is let through, and what becomes of it closes the
 * breaker, or opens it for twice as long. No I/O, no clock: times are the loop's. */
#ifndef BROKERD_ROUTE_HEALTH_H
#define BROKERD_ROUTE_HEALTH_H
#include <stdint.h>

#include "protocol/base/err.h"
#include "protocol/base/json.h"

/* From the widest: who is about a place falls under those before it too. */
enum health_place {
	HEALTH_NOWHERE, /* the failure says nothing of where it happened */
	HEALTH_ENDPOINT,
	HEALTH_KEY,
	HEALTH_MODEL, /* with that key */
};

/* What a failure does to where it happened: a part of the rows of retry.c. */
struct health_rule {
	enum health_place place;
	unsigned
		failures; /* so many open the breaker: within window_us, or, where that is 0, in a row; 1: the first does */
	int64_t window_us;
	int64_t rest_us; /* how long it then rests, and twice as long each time that it fails when tried again */
	int64_t rest_max_us; /* up to that */
	bool is_as_told; /* where the provider said how long (retry_after_ms), that long, and no doubling */
};

/* Whose names these are is the configuration's business: they are copied. `key` is the label, "" for the one that has
 * none; absent (a provider that takes none) is like "". */
struct health_subject {
	struct span provider, key, model;
};

struct health;

struct health *health_new(void); /* NULL: out of memory */
void health_free(struct health *h);

enum health_state {
	HEALTH_CLOSED,    /* nothing is known against it */
	HEALTH_OPEN,      /* it rests */
	HEALTH_HALF_OPEN, /* its rest is over: the next one is let through */
	HEALTH_PROBED,    /* one is, just now: all others wait for what becomes of it */
};

/* What is known of a target now; of its three places the one that stands most in the way. */
struct health_view {
	enum health_state state;
	enum health_place place;
	int64_t until_us;   /* HEALTH_OPEN: when its rest is over */
	struct fault why;   /* the failure that opened it; OK where it is closed */
	unsigned in_flight; /* attempts that are under way there: of the model with that key */
	int64_t first_us;   /* peak EWMA of the time to the first content; -1: nothing is known */
	int64_t p95_us; /* 95 of 100 had their first content within that; -1: fewer than HEALTH_KNOWN were seen lately */
};
#define HEALTH_KNOWN 20

void health_look(const struct health *h, const struct health_subject *s, int64_t now_us,
	struct health_view *out);

/* May it be asked now, as health_look says it? `is_only`: there is no other target left. What fails there costs nobody
 * anything but the failure (a key that is refused, an account that is empty, a model that is not there), so that one is then
 * let through once in HEALTH_LAST_US, whatever its rest: who has mended it need not wait. False: *view says why. */
#define HEALTH_LAST_US INT64_C(5000000)
bool health_may_ask(const struct health *h, const struct health_subject *s, int64_t now_us,
	bool is_only, struct health_view *view);

/* One attempt there, from its sending to its end. Embedded in its owner and zeroed; where `health` is NULL nothing is under
 * way. It is the probe of every place of its that is half-open. */
struct health_try {
	struct health *health;
	void *places[3]; /* struct place; pinned while it is under way */
	int64_t begun_us;
	bool is_probe;
	bool has_first;
};
void health_begin(
	struct health *h, const struct health_subject *s, int64_t now_us, struct health_try *t);
/* Its first content has come: all of its places are well. Once; later ones are harmless. */
void health_first(struct health_try *t, int64_t now_us);
/* It has ended well, or by what says nothing of the target (a caller gone, a request that is wrong): `rule` NULL and
 * `is_good` true or false. Or it failed, and that is what follows: *why is the failure. Harmless where nothing is under way. */
void health_end(struct health_try *t, bool is_good, const struct health_rule *rule,
	const struct fault *why, int64_t now_us);

/* A retry that is about to go to the provider: of those a host gets one in ten of what it is asked besides ten in reserve, all
 * callers together, so that an outage is not multiplied. False: no more for now, and nothing is taken. */
bool health_take_retry(struct health *h, struct span provider, int64_t now_us);

/* A key was added, changed or removed, or a configuration loaded (`key` absent: all of the provider's; `provider` absent: all
 * there are): what rested for its sake is tried again. What was learned of how quick it is stays. */
void health_forget(struct health *h, struct span provider, struct span key);

/* As much is remembered at the most; those that were used longest ago, and are well, go first. */
#define HEALTH_PLACES ((size_t)4096)

/* All that is not simply well, for `llmb status`: appends [{"provider","key","model","state":"open|half_open|probed",
 * "until_ms" (from now),"class","why","failures"}], and with `is_all` the rest too, each with "in_flight","first_ms","p95_ms"
 * where known. */
void health_json(const struct health *h, int64_t now_us, bool is_all, struct json_out *o);

#endif
