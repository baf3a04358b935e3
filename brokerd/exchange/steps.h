/* steps.h - what do the steps of an exchange share?
 * Its struct, for the files of this folder that are its steps and for exchange.c, which walks them. */
#ifndef BROKERD_EXCHANGE_STEPS_H
#define BROKERD_EXCHANGE_STEPS_H
#include "brokerd/exchange/compare.h"
#include "brokerd/exchange/exchange.h"
#include "brokerd/exchange/flight.h"
#include "brokerd/exchange/kept.h"
#include "brokerd/exchange/kept_show.h"
#include "brokerd/exchange/relay.h"
#include "brokerd/exchange/resume.h"
#include "brokerd/value/mishap.h"

enum state {
	BODY,
	ASK,
	FOLLOW,
	ADMIT,
	ROUTE,
	LOOKUP,
	COMPARE,
	JOIN,
	RESERVE,
	WAIT,
	PREPARE,
	SEND,
	RELAY,
	SETTLE,
	END,
};

struct bounds;

struct labels {
	struct span *list;
	size_t n;
};

/* Its way so far: trail.h. */
#define TRAIL_TRIED_BYTES ((size_t)640)
#define TRAIL_ROUTE_BYTES (TRAIL_TRIED_BYTES + 256)
struct trail {
	uint64_t number;  /* in organs->traces */
	struct buf tried; /* targets that came to nothing, and what did; empty, as a rule */
	size_t n_tried;
	struct span provider, model, key; /* of the target whose queue it is in */
	size_t rested;     /* one more than the target that rests, as was noted last; 0: none */
	int64_t rested_us; /* what of the exchange's is noted */
};

/* What has become of one whose caller is gone, and which goes on. */
struct left {
	bool is_left;
	bool is_drained; /* for its own sake; else for those who read along */
	bool is_told;  /* he has gone behind its last word: what is missing is how the reply ends */
	bool is_whole; /* it has ended well */
	struct loop_timer over; /* so long it may */
	struct loop_task end;   /* it has ended: it is freed */
	struct leavings *his;   /* where it is counted, */
	size_t bytes;           /* as so long */
	void (*on_gone)(void *context);
	void *context;
};

/* Of a second target beside a slow one: hedge.h. */
struct hedge {
	struct loop_timer due;
	int64_t after_us;
	bool is_used; /* once a request */
};

struct exchange {
	struct exchange *prev, *next; /* of organs->exchanges */
	struct organs *organs;
	struct exchange_caller caller;
	char account[PEER_ACCOUNT_BYTES]; /* as peer_account has it */
	uint64_t owner;                   /* whose what it keeps is */
	struct allowance
		allowance; /* its rule is of the flight's configuration, its grant a copy in that one's arena */
	struct consent_wait consent;
	bool is_parted; /* its caller has been told the end of it, and it goes on for others */
	bool is_noted;  /* that it was refused is in the audit log */
	char id[REQUEST_ID_BYTES];
	uint64_t seed; /* for what is made up on the way: ids of calls, the jitter of waits */
	enum state state;
	bool is_running; /* inside exchange_run: what happens meanwhile is seen when it looks again */
	bool is_body_whole;
	int64_t body_bytes; /* announced; -1: not */
	int64_t max_cost_nusd;
	int64_t estimate_tokens; /* of the prompt, as it came, before fit_tokens; 0: nothing was estimated */
	struct span
		asked_model; /* of a native call, by a name that is no more in its body; absent: by none such */
	struct opt_i64 asked_max_tokens; /* by the caller: what is sent may be less */
	bool is_at_most_once;
	struct labels tags, fallbacks; /* that its caller names */
	struct span session;           /* absent: none */
	uint64_t prompt_key,
		prompt_holder; /* as holders.h has them; 0: it is not looked for, or found */
	bool is_batch;         /* it may wait behind others that are not */
	struct flight *flight;
	struct event_cursor cursor;
	bool is_relayed;            /* its caller speaks a public API */
	struct memo memo;           /* who asks the same */
	struct compare compare;     /* and who in other words */
	struct responses_wait kept; /* an answer that is read, written or removed */
	enum kept_wish wish;     /* what is wanted of it; nothing: it is what the request follows */
	struct span kept_id;     /* of which */
	struct kept_item *named; /* items that the request names by their ids */
	size_t n_named;
	struct buf laid_out;   /* the body with all that it goes on from */
	size_t n_warned;       /* of how many targets the caller has the encoding's warnings */
	bool has_told_reading; /* and those of the reading of its body */
	struct loop_timer deadline, retry, hold, patience;
	bool has_own_time; /* its caller has said how long it may take */
	enum outcome outcome;
	bool is_retry_due;      /* ROUTE: a target is chosen, only the wait is left */
	struct turn turn;       /* WAIT: for what the target in hand can give */
	char *concealed;        /* what he is not told of that; NULL: he is told all. Owned */
	int64_t waits_since_us; /* the loop's clock */
	bool is_along;          /* it waits with one that waits, and reads that one's answer */
	int64_t queued_us;      /* that it has waited, all together */
	struct opt_i64 told_max_tokens; /* to which its output was capped, as its caller knows */
	bool has_told_budgets;
	/* of the targets at the end of the route that were put off, when each is free */
	int64_t *ready_us;
	size_t n_put_off;
	size_t rest_from; /* where targets begin that may still be waited for: those before have failed it */
	int64_t rested_us; /* that it has waited for a target that rests, all together */
	struct trail trail;
	struct hedge hedge;
	struct left left;
	unsigned n_told; /* attempts that were told to wait, and for how long: they are no tries */
	struct resume resume;

	struct relay relay;      /* which public API, and what its caller gets of the answer */
	struct mishap refused;   /* the call itself is wrong; told when its body is there */
	struct mishap telling;   /* of all failures so far, what a caller learns most from */
	struct mishap verdict;   /* what it is settled with; nothing: a good answer */
	struct mishap waits_for; /* WAIT: what stands in its way, as its caller is told */
	/* this comes last, and is not overwritten: it says who asks, which is no secret here, and is written before it is read: */
	struct peer_id peer;
};

/* ---- the steps: each returns the next state, or its own to wait ---- */

enum state step_follow(struct exchange *x);
enum state step_admit(struct exchange *x);
enum state step_ask(struct exchange *x);
enum state step_route(struct exchange *x);
enum state step_lookup(struct exchange *x);
enum state step_compare(struct exchange *x);
enum state step_join(struct exchange *x);
enum state step_reserve(struct exchange *x);
enum state step_wait(struct exchange *x);
enum state step_prepare(struct exchange *x);
enum state step_send(struct exchange *x);
enum state step_relay(struct exchange *x);
enum state step_settle(struct exchange *x);

/* ---- where they lead ---- */

/* A result that a callback brings goes through the same door as a step's; then the walk goes on. */
void exchange_go_on(struct exchange *x, enum state next);

/* It is over: what went wrong with it goes. */
void exchange_drop_mishaps(struct exchange *x);

/* A word for the state that it is in. */
const char *exchange_state(const struct exchange *x);

/* The verdict for SETTLE, which is where a step that calls this goes next; with words of the class's where
 * *why has none. */
enum state exchange_fail(struct exchange *x, enum outcome outcome, const struct fault *why);
enum state exchange_fail_with(struct exchange *x, enum err err, const struct fault *why);

/* The transfer that was read on for a caller who is gone has ended, however it did. */
enum state exchange_left_over(struct exchange *x);

/* The parts of RESERVE, PREPARE and SEND that a second attempt beside the one under way goes through too, each for the leg
 * in hand: its claim is written down; its proof is found (ERR_MORE: its token is waited for); it is sent. */
enum err exchange_announce(struct exchange *x, const struct bounds *b, struct fault *why) MUST_USE;
enum err exchange_prove(struct exchange *x, struct fault *why) MUST_USE;
enum err exchange_begin(struct exchange *x, struct fault *why) MUST_USE;
/* What should prove it could not be had, for *why: that is noted of its key. */
void exchange_unproved(struct exchange *x, const struct fault *why);
/* Are there any left of the attempts that its alias allows? */
bool exchange_has_tries(const struct exchange *x);

/* What a failure of the target in hand allows: another try, or the end. */
enum state exchange_after_failure(
	struct exchange *x, enum outcome outcome, const struct fault *why);
/* The target in hand rests, for *why: another one, a moment's wait for this one, or the end. */
enum state exchange_rest(struct exchange *x, const struct fault *why);
/* The i-th of the route is the one in hand from now on. */
void exchange_use_target(struct exchange *x, size_t i);
/* Tells its caller why the target in hand is tried now. */
void exchange_tell_next(struct exchange *x, const char *why);
/* The limits were asked for the target in hand (or `err`: that did not come so far): all is set aside, or none is. */
enum state exchange_claimed(struct exchange *x, enum err err, const struct bounds *b,
	const struct limit_answer *answer, const struct fault *why);
/* By which name that target is asked for: the model's, or that of the fallback that it comes from. */
struct span exchange_asked_name(const struct exchange *x, const struct target *t);
/* So far the route may be walked from the target in hand: of what has answered a part, its own keys alone, for the vectors of
 * two models cannot stand beside one another. */
size_t exchange_route_end(const struct exchange *x);
/* Is nothing of it sent again that may have been served? Its caller says so, or the rule for him. */
bool exchange_sends_once(const struct exchange *x);
/* Not now: another target that is free sooner, a place in the queue, or a refusal where the call's time is certainly
 * not enough, anywhere. */
enum state exchange_must_wait(
	struct exchange *x, const struct bounds *b, const struct limit_answer *answer);
/* Those who wait for the same have it first: at this target, or of what several targets share. NULL: nobody does. */
struct turn *exchange_first_in_line(const struct exchange *x, const struct bounds *b);
/* What it is told who has to let that one go before. */
void exchange_let_before(struct exchange *x, struct turn *first, struct limit_answer *out);
/* It reads along with one that waits in a queue: no longer than it would by itself. Harmless where that one does not wait. */
void exchange_wait_along(struct exchange *x);
/* Does it? Then what stands in that one's way is in its own. */
bool exchange_waits_along(struct exchange *x);
/* What it reads along with is being answered: that is waiting no more. */
void exchange_stop_along(struct exchange *x);
/* It waits no more, and that it has waited is counted. Harmless where it does not. */
void exchange_stop_waiting(struct exchange *x);
/* Its time is over while it waits: *why says for what. */
void exchange_waited(const struct exchange *x, struct fault *why);
/* The provider in hand has told of its models, or cannot: the next one, or the end. */
enum state exchange_next_listing(struct exchange *x);
/* The list of the provider in hand goes on. */
enum state exchange_next_page(struct exchange *x);

/* Keeps a call whose prompt is estimated within what the rule for its caller allows: of input, of output, of money. ERR_DENIED;
 * errors of flight_put. */
enum err exchange_bound(struct exchange *x, struct fault *why) MUST_USE;
/* Which targets the names of the call mean, in the order in which they are written. Errors as route_find_op; ERR_LOCKED,
 * ERR_VAULT_DAMAGED: it names none, and nobody can say which has a key. */
enum err exchange_find_targets(struct exchange *x, struct fault *why) MUST_USE;
/* In which of its languages is each spoken to? */
void exchange_choose_dialects(struct exchange *x);
/* May the caller use it, by the name that he asked for? ERR_DENIED; ERR_NO_MEMORY. */
enum err exchange_admit_target(
	const struct exchange *x, const struct target *t, struct fault *why) MUST_USE;
/* Takes the targets away that the caller may not use. ERR_DENIED: none is left. */
enum err exchange_admit_targets(struct exchange *x, struct fault *why) MUST_USE;
/* May it go to that endpoint? ERR_DENIED. */
enum err exchange_admit_native(struct exchange *x, struct fault *why) MUST_USE;

/* Is there room for so many bytes beside the bodies of all that are open? ERR_OVERLOADED. */
enum err exchange_bodies_fit(const struct exchange *x, size_t more, struct fault *why) MUST_USE;

/* The answer is over, and is to be kept before its caller has the end of it. */
void exchange_keep(struct exchange *x);
/* Is it asked of the broker to keep the answer, and can it? Then the relay is told. */
enum err exchange_may_keep(struct exchange *x, struct fault *why) MUST_USE;

/* Does the target take the request as its caller wrote it, and answer as the caller wants it? */
bool exchange_may_forward(const struct exchange *x);

/* Of what is asked of the target in hand, as it goes there: with what its caller dropped, without what another provider alone can
 * read (*is_whole: there was none of that). *out is `asked` itself where nothing changes, which for its caller's own bytes is
 * always so. What is made is the arena's. ERR_NO_MEMORY. */
enum err exchange_as_sent(const struct exchange *x, const struct llm_request *asked,
	struct arena *a, const struct llm_request **out, bool *is_whole) MUST_USE;

/* What may prove the request instead of what was refused, once for each target; NULL: nothing. */
const char *exchange_renewal(const struct exchange *x, const struct fault *why);
/* A token that was waited for. */
void exchange_on_token(struct token_wait *w, struct secret *token, const struct fault *why);

/* ---- of the target in hand; only once the route is found ---- */

const struct target *exchange_target(const struct exchange *x);
/* No provider takes money for what is asked. */
bool exchange_is_free(const struct exchange *x);
/* What budgets count for it where its price is not known: nothing where no key is asked for,
 * for then nobody knows whom to send a bill. */
int64_t exchange_unknown_price(const struct exchange *x);
/* The prompt's tokens as they are estimated for the target in hand. */
int64_t exchange_input_estimate(const struct exchange *x);
/* The same uncorrected; -1: what is reported of this attempt tells nothing about it. */
int64_t exchange_raw_estimate(const struct exchange *x);

/* Does the operation write an answer, whose tokens cost too? */
bool exchange_is_written(enum llm_op op);
/* Writes the row of an attempt that is over and lets go of it. */
void exchange_account(struct exchange *x, const struct attempt_record *record);

/* A name for one that begins at that time since 1970. */
void exchange_draw_id(struct organs *o, int64_t wall_us, char id[REQUEST_ID_BYTES]);

/* Whose what is kept for such a caller is. */
uint64_t exchange_owner(const struct peer_id *p);

/* The public API that its caller speaks, as the ledger has it, or "native"; absent: ours. */
struct span exchange_surface(const struct exchange *x);
int64_t exchange_now_s(const struct exchange *x);   /* since 1970 */
int64_t exchange_left_us(const struct exchange *x); /* until its deadline */

#endif
