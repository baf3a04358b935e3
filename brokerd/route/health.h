/* health.h - which targets are resting, how quick is each, and how much may be tried again there?
 * Learned from the traffic of all callers, and never by asking. A failure counts where it belongs: a provider's endpoint,
 * one key of it, or a model with that key; each such place has a breaker. Closed, it lets all through. Open, none until its
 * rest is over. Then half-open: one call that somebody makes anyway is let through, and what becomes of it closes the
 * breaker, or opens it for twice as long. No I/O, no clock: times are the loop's, 0 or more. For brokerd/ alone: but for
 * health_new it aborts when memory is out. */
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
	/* so many there, by whichever rule, open the breaker: within window_us, or, where that is 0, in a row, which a success
	 * ends; 1: the first does; at most HEALTH_FAILURES */
	unsigned failures;
	int64_t window_us;
	int64_t rest_us; /* how long it then rests, and twice as long each time that it fails when tried again */
	int64_t rest_max_us; /* up to that, or rest_us, whichever is longer */
	bool is_as_told; /* where the provider said how long (retry_after_ms), that long, up to a day, and no doubling */
	bool spares_only; /* who has no other target is let through while it rests: he may have more patience than they had */
};
#define HEALTH_FAILURES 16u

/* Whose names these are is the configuration's business: they are copied. `key` is the label, "" for the one that has
 * none; absent (a provider that takes none) is like "". */
struct health_subject {
	struct span provider, key, model;
};

struct health;

struct health *health_new(void);    /* NULL: out of memory */
void health_free(struct health *h); /* no attempt is under way any more */

enum health_state {
	HEALTH_CLOSED,    /* nothing is known against it */
	HEALTH_OPEN,      /* it rests */
	HEALTH_HALF_OPEN, /* its rest is over: the next one is let through */
	HEALTH_PROBED, /* one is, just now: all others wait for what becomes of it, but for HEALTH_PROBE_US at most: an
			   * answer may take long. Then the next one is let through too, and the first of them that fails opens it */
};
#define HEALTH_PROBE_US INT64_C(2000000)

/* "closed", "open", "half_open", "probed". */
const char *health_state_word(enum health_state s);

/* What is known of a target now; of its three places the one that stands most in the way: an open one, of several the one
 * whose rest is the longest, before one that is probed, before one that is half-open; else the widest. */
struct health_view {
	enum health_state state;
	enum health_place place; /* HEALTH_NOWHERE where all are closed */
	int64_t until_us;        /* HEALTH_OPEN: when its rest is over; else 0 */
	struct fault why;        /* what opened it, the last time; OK where it is closed */
	unsigned in_flight;      /* attempts that are under way there: of the model with that key */
	int64_t first_us; /* peak EWMA of the time to the first content (pace.h); -1: nothing is known */
	int64_t p95_us; /* 95 of 100 had their first content within that; -1: fewer than HEALTH_KNOWN were seen in an hour */
};
#define HEALTH_KNOWN 20u

void health_look(const struct health *h, const struct health_subject *s, int64_t now_us,
	struct health_view *out);

/* May it be asked now: is it closed or half-open? `is_only`: there is no other target left. What fails at a key or a model
 * costs nobody anything but the failure (a key that is refused, an account that is empty, a model that is not there), so that
 * one is then let through there once in HEALTH_LAST_US, whatever its rest and whoever probes it: who has mended it need not
 * wait; at an endpoint once in HEALTH_LAST_ENDPOINT_US, for whoever has started a server; always, where the rule spares him. Takes nothing: health_begin does, so ask again right before it. *view is what
 * health_look says, or, where it is false, of what is in the way. */
#define HEALTH_LAST_US          INT64_C(5000000)
#define HEALTH_LAST_ENDPOINT_US INT64_C(1000000)
bool health_may_ask(const struct health *h, const struct health_subject *s, int64_t now_us,
	bool is_only, struct health_view *view);

/* One attempt there, from its sending to its end. Embedded in its owner, where it stays, and zeroed; where `health` is NULL
 * nothing is under way. It is the probe of every place of its that is half-open and has none. */
struct health_try {
	struct health *health;
	struct health_record *places[HEALTH_MODEL]; /* from the widest; they stay */
	int64_t begun_us;
	uint64_t number;           /* in the order of beginnings and first contents */
	bool is_probe;             /* of one of them at least, when it began: */
	bool probed[HEALTH_MODEL]; /* of these */
	bool has_first;
	bool is_whole; /* its owner says so once it has begun: its answer comes when it is finished, and not in pieces */
};
/* None may be under way in *t. It counts whether health_may_ask would allow it or not. */
void health_begin(
	struct health *h, const struct health_subject *s, int64_t now_us, struct health_try *t);
/* Its first content has come: all of its places are well, those too that opened after it began, for it is news; and rests
 * begin with the shortest again. Once; later ones are harmless, and so is it where nothing is under way. */
void health_first(struct health_try *t, int64_t now_us);
/* How long must nothing come, from its beginning on, for it to mean something (silence.h)? For what comes in pieces and for
 * what comes whole that is known apart. What was usual when a model came to rest is so until it is well again. It is under way. */
#define HEALTH_SILENCE_US       INT64_C(10000000) /* where nothing is known of it, in pieces, */
#define HEALTH_SILENCE_WHOLE_US INT64_C(60000000) /* and whole */
int64_t health_silence_us(const struct health_try *t, int64_t now_us);
/* It has ended well, or by what says nothing of the target (a caller gone, a request that is wrong): `rule` NULL and
 * `is_good` true or false. Or it failed, and that is what follows: *why is the failure. `why` may be NULL where there is no
 * rule. Harmless where nothing is under way.
 * A good end is a success as a first content is, where there was none; behind one it ends rows of failures, and opens and
 * closes nothing. A failure counts at its rule's place alone; but whatever the provider answered (http_status), its endpoint
 * is well, unless the rule blames that. What it probed besides is half-open again, for the next one.
 * Where it ended without content, answer or rule, after longer than its first_us, that counts as the time that it took: who
 * is cancelled because another was quicker is not taken for as quick as when it won.
 * What is late changes nothing: a failure of what was no probe where the breaker is open (unless the provider says that it is
 * to rest longer), and of what began before it was closed. A crowd that fails opens it once. */
void health_end(struct health_try *t, bool is_good, const struct health_rule *rule,
	const struct fault *why, int64_t now_us);

/* A retry that is about to go to the provider: of those a host gets one in ten of what it is asked besides ten in reserve, all
 * callers together, so that an outage is not multiplied. What was taken of the reserve comes back with what is asked, or one
 * in HEALTH_RETRY_US: who asks little has his retries too. False: no more for now, and nothing is taken. */
#define HEALTH_RETRY_US INT64_C(60000000)
bool health_take_retry(struct health *h, struct span provider, int64_t now_us);

/* A key was added, changed or removed, or a configuration loaded (`key` absent: all of the provider's; `provider` absent: all
 * there are): what rested for its sake is tried again, and what began before can count against it no more. An endpoint
 * rests for no key's sake, so that it is closed only where `key` is absent. What was learned of how quick it is stays. A walk
 * over all that is meant. */
void health_forget(struct health *h, struct span provider, struct span key);

/* So many places are remembered at the most, those with attempts under way beyond it. One with others under it stays as long
 * as they do. Of the others those that were used longest ago, and are well, go first; but where those that are not are over
 * half of all, the oldest of these: whoever asks for names that are not there pushes out others like them. */
#define HEALTH_PLACES ((size_t)4096)
/* How many it remembers: for tests. */
size_t health_size(const struct health *h);

/* All that is not simply well, for `llmb status`: appends [{"provider","key","model","state":"closed|open|half_open|probed",
 * "until_ms" (from now),"class","why","failures" (in a row)}], and with `is_all` the rest too, each with
 * "in_flight","first_ms","p95_ms" where known. Those of an endpoint have no "key" and no "model", those of a key no "model";
 * the wider before what is under it. At most HEALTH_JSON, the well ones left out first, and then {"more":N}. */
#define HEALTH_JSON ((size_t)1000)
void health_json(const struct health *h, int64_t now_us, bool is_all, struct json_out *o);

#endif
