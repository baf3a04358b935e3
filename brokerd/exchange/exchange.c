/* exchange.c - the states of one request, in the order it walks them:
 *
 *   BODY     the request's bytes are coming                       -> ASK | SETTLE
 *   ASK      has a person said yes or no, or is one to be asked?  -> FOLLOW | SETTLE
 *   FOLLOW   what was kept, if it goes on from that or asks for it -> ADMIT | SETTLE
 *   ADMIT    is it a request, and one that its caller may make?   -> ROUTE | SETTLE
 *   ROUTE    which targets, in which order? Or: wait to retry     -> LOOKUP | RESERVE | SETTLE
 *   LOOKUP   was it answered before, or is it being answered?     -> JOIN | COMPARE | RESERVE | SETTLE
 *   COMPARE  was it asked in other words? A call for their vector -> JOIN | LOOKUP | SETTLE
 *   JOIN     another's answer is read along                       -> LOOKUP | SETTLE
 *   RESERVE  what it may take is set aside of all its limits, and
 *            written down before it is spent                      -> PREPARE | WAIT | ROUTE | SETTLE
 *   WAIT     not now: its turn in the queue, and then the same    -> PREPARE | ROUTE | SETTLE
 *   PREPARE  the target's key, or a token that it gets (a wait)   -> SEND | ROUTE | SETTLE
 *   SEND     encoded and on its way                               -> RELAY | ROUTE | SETTLE
 *   RELAY    events come, are logged and read                     -> ROUTE (nothing shown, or resume.h) | SETTLE
 *   SETTLE   the truth to the ledger, the last event to the log   -> END */
#include "brokerd/exchange/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>

#include "brokerd/exchange/hedge.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/memo_read.h"
#include "brokerd/exchange/slow.h"
#include "brokerd/exchange/steps.h"
#include "brokerd/exchange/trail.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

static const char caller_is_gone[] = "the caller is gone";

/* ---- small things ---- */

static void make_id(char id[REQUEST_ID_BYTES], int64_t wall_us, const unsigned char random[16])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t ms = (uint64_t)(wall_us / 1000);
	memcpy(id, "req_", 4);
	for (int i = 9; i >= 0; i--, ms >>= 5) /* 48 bits of time, so that ids sort by it */
		id[4 + i] = digits[ms & 31];
	for (size_t i = 0; i < 16; i++)
		id[14 + i] = digits[random[i] & 31];
	id[30] = '\0';
}

/* `n` random bytes, each given out once; a few of what may be drawn at once. */
static void draw(struct drawn *d, unsigned char *to, size_t n)
{
	if (d->left < n) {
		randombytes_buf(d->bytes, sizeof d->bytes);
		d->left = sizeof d->bytes;
	}
	unsigned char *from = d->bytes + sizeof d->bytes - d->left;
	memcpy(to, from, n);
	sodium_memzero(from, n);
	d->left -= n;
}

void exchange_draw_id(struct organs *o, int64_t wall_us, char id[REQUEST_ID_BYTES])
{
	unsigned char random[16];
	draw(&o->drawn, random, sizeof random);
	make_id(id, wall_us, random);
}

const struct target *exchange_target(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	assert(l->target < f->route.n);
	return &f->route.targets[l->target];
}

struct span exchange_surface(const struct exchange *x)
{
	if (!x->is_relayed)
		return SPAN_NONE;
	const struct surface_call *call = &x->relay.call;
	return span_is_set(call->provider) ? SPAN("native") : call->surface;
}

int64_t exchange_now_s(const struct exchange *x)
{
	return loop_wall_us(x->organs->loop) / 1000000;
}

int64_t exchange_left_us(const struct exchange *x)
{
	return x->deadline.due_us - loop_now_us(x->organs->loop);
}

enum state exchange_fail(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	mishap_keep(&x->verdict, resume_tells(x, why));
	x->outcome = outcome;
	return SETTLE;
}

enum state exchange_fail_with(struct exchange *x, enum err err, const struct fault *why)
{
	struct fault own = *why;
	if (!own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	return exchange_fail(x, OUTCOME_FAILED, &own);
}

/* ---- the first step and the last ---- */

static enum state step_body(struct exchange *x)
{
	return x->is_body_whole ? ASK : BODY;
}

static enum state step_end(struct exchange *x)
{
	(void)x;
	return END;
}

/* ---- the table ---- */

#define TO(state) (1u << (state))

static const struct {
	const char *name;
	enum state (*step)(struct exchange *x);
	unsigned to;
} states[] = {
	[BODY] = {"body",    step_body,    TO(ASK) | TO(SETTLE)                             },
	[ASK] = {"ask",     step_ask,     TO(FOLLOW) | TO(SETTLE)                          },
	[FOLLOW] = {"follow",  step_follow,  TO(ADMIT) | TO(SETTLE)                           },
	[ADMIT] = {"admit",   step_admit,   TO(ROUTE) | TO(SETTLE)                           },
	[ROUTE] = {"route",   step_route,   TO(LOOKUP) | TO(RESERVE) | TO(SETTLE)            },
	[LOOKUP] = {"lookup",  step_lookup,  TO(JOIN) | TO(COMPARE) | TO(RESERVE) | TO(SETTLE)},
	[COMPARE] = {"compare", step_compare, TO(JOIN) | TO(LOOKUP) | TO(SETTLE)               },
	[JOIN] = {"join",    step_join,    TO(LOOKUP) | TO(SETTLE)                          },
	[RESERVE] = {"reserve", step_reserve, TO(PREPARE) | TO(WAIT) | TO(ROUTE) | TO(SETTLE)  },
	[WAIT] = {"wait",    step_wait,    TO(PREPARE) | TO(ROUTE) | TO(SETTLE)             },
	[PREPARE] = {"prepare", step_prepare, TO(SEND) | TO(ROUTE) | TO(SETTLE)                },
	[SEND] = {"send",    step_send,    TO(RELAY) | TO(ROUTE) | TO(SETTLE)               },
	[RELAY] = {"relay",   step_relay,   TO(ROUTE) | TO(SETTLE)                           },
	[SETTLE] = {"settle",  step_settle,  TO(END)                                          },
	[END] = {"end",     step_end,     0						},
};

const char *exchange_state(const struct exchange *x)
{
	return states[x->state].name;
}

/* The only line that assigns the state. */
static void exchange_enter(struct exchange *x, enum state next)
{
	if (next == x->state)
		return;
	assert(states[x->state].to & TO(next));
	log_debug("exchange.state", "id=%s from=%s to=%s", x->id, states[x->state].name,
		states[next].name);
	x->state = next;
}

/* Walks on until a step has to wait. */
static void exchange_run(struct exchange *x)
{
	if (x->is_running)
		return;
	x->is_running = true;
	for (;;) {
		const enum state next = states[x->state].step(x);
		if (next == x->state)
			break;
		exchange_enter(x, next);
	}
	x->is_running = false;
	if (x->state == END && x->left.is_left)
		loop_later(x->organs->loop, &x->left.end);
}

void exchange_go_on(struct exchange *x, enum state next)
{
	exchange_enter(x, next);
	exchange_run(x);
}

/* ---- from outside ---- */

static void on_flight_event(void *context)
{
	struct exchange *x = context;
	if (x->left.is_left) {
		event_log_skip(&x->flight->log, &x->cursor);
		return;
	}
	x->caller.on_ready(x->caller.context);
}

/* From wherever it is to its end, if it has not come there by itself. */
static void exchange_stop(struct exchange *x, const struct fault *why)
{
	if (x->state >= SETTLE)
		return;
	exchange_enter(
		x, exchange_fail(
			   x, why->err == ERR_CANCELLED ? OUTCOME_CANCELLED : OUTCOME_FAILED, why));
	exchange_run(x);
}

static void on_patience(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, patience);
	struct fault why = FAULT_NONE;
	if (x->is_along && !exchange_waits_along(x)) {
		/* it is that one's turn by now; but it may have to wait again */
		loop_timer_set(x->organs->loop, &x->patience, x->flight->config->queue_us);
		return;
	}
	exchange_waited(x, &why);
	exchange_stop(x, &why);
}

static void stop_left(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_CANCELLED, "%s", caller_is_gone);
	exchange_stop(x, &why);
}

static void on_left_over(struct loop_timer *t)
{
	stop_left(container_of(t, struct exchange, left.over));
}

/* Others read along: its caller alone has the end of it. False: nobody does. */
static bool part(struct exchange *x, const struct fault *why)
{
	struct fault said = *why;
	if (x->state >= SETTLE || !memo_is_shared(x))
		return false;
	if (x->is_parted)
		return true;
	memcpy(said.request_id, x->id, sizeof x->id);
	memo_part(x);
	flight_fail(x->flight, &said);
	x->is_parted = true;
	return true;
}

/* What is under way goes on for those who have more time, after its own caller was told that his is over. False: nobody has. */
static bool outlive(struct exchange *x, const struct fault *why)
{
	const int64_t left_us = memo_due_us(x) - loop_now_us(x->organs->loop);
	if (x->state != RELAY || left_us <= 0 || (!x->left.is_left && !part(x, why)))
		return false;
	loop_timer_set(x->organs->loop, &x->deadline, left_us);
	return true;
}

static void on_deadline(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, deadline);
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_TIMEOUT, "the call's time is over: %" PRId64 " ms",
		(loop_now_us(x->organs->loop) - x->flight->begun_us) / 1000);
	if (outlive(x, &why))
		return;
	if (x->left.is_left) {
		stop_left(x);
		return;
	}
	if (x->state == WAIT || exchange_waits_along(x))
		exchange_waited(x, &why);
	exchange_stop(x, &why);
}

static void on_retry(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, retry);
	x->is_retry_due = false;
	exchange_run(x);
}

static void on_hold(struct loop_timer *t)
{
	struct exchange *x = container_of(t, struct exchange, hold);
	const bool is_telling = relay_hold(&x->relay);
	loop_timer_set(x->organs->loop, &x->hold, x->flight->config->keep_alive_us);
	if (is_telling)
		x->caller.on_ready(x->caller.context);
}

/* A user's programs in the open share what is kept for him; whoever has a name of its own, or is in a sandbox, has
 * its own alone. */
uint64_t exchange_owner(const struct peer_id *p)
{
	char who[PEER_TEXT_BYTES];
	uint64_t owner;
	crypto_generichash_state state;
	if (peer_is_open(p) || p->kind == PEER_KIND_SERVICE)
		return (uint64_t)p->uid;
	const uint64_t uid = (uint64_t)p->uid;
	peer_grant_text(p, who);
	crypto_generichash_init(&state, NULL, 0, sizeof owner + 8);
	crypto_generichash_update(&state, (const unsigned char *)&uid, sizeof uid);
	crypto_generichash_update(&state, (const unsigned char *)who, strlen(who));
	unsigned char hash[16];
	crypto_generichash_final(&state, hash, sizeof hash);
	memcpy(&owner, hash, sizeof owner);
	return owner | UINT64_C(1) << 63; /* no user's number */
}

static enum err keep_labels(struct arena *a, const struct span *from, size_t n, struct labels *to)
{
	enum err err = OK;
	to->list = arena_array(a, n, sizeof *to->list);
	if (n > 0 && !to->list)
		return ERR_NO_MEMORY;
	for (; !err && to->n < n; to->n++)
		err = arena_dup(a, from[to->n], &to->list[to->n]);
	return err;
}

/* What its caller says of where it may go. */
static void keep_routing(struct exchange *x, const struct call *c)
{
	struct arena *a = &x->flight->arena;
	enum err err = keep_labels(a, c->tags, c->n_tags, &x->tags);
	if (!err)
		err = keep_labels(a, c->fallbacks, c->n_fallbacks, &x->fallbacks);
	if (!err)
		err = arena_dup(a, c->session, &x->session);
	if (err)
		mishap_set(&x->refused, err, "%s", err_info(err)->sentence);
}

/* A body or an answer of so many bytes leaves holes in the heap, which its end alone does not fill. */
#define LARGE_BYTES ((uint64_t)MIB)

static bool is_large(const struct exchange *x)
{
	const struct flight *f = x->flight;
	return f->body.n + x->laid_out.n + f->log.base + f->log.bytes.n > LARGE_BYTES;
}

#define CLEARED_BYTES offsetof(struct exchange, peer)

void exchange_drop_mishaps(struct exchange *x)
{
	mishap_drop(&x->relay.broke);
	mishap_drop(&x->refused);
	mishap_drop(&x->telling);
	mishap_drop(&x->verdict);
	mishap_drop(&x->waits_for);
}

/* Behind that is who asked: that stays till the next one. */
static void give_back(struct exchange *x)
{
	exchange_drop_mishaps(x);
	spare_give(&x->organs->spare_exchanges, x, CLEARED_BYTES);
}

struct exchange *exchange_new(struct organs *o, const struct peer_id *peer,
	const struct exchange_bounds *bounds, const struct call *c,
	const struct exchange_caller *caller)
{
	struct exchange *x = spare_take(&o->spare_exchanges, sizeof *x, CLEARED_BYTES);
	if (!x)
		return NULL;
	x->organs = o;
	x->caller = *caller;
	x->peer = *peer;
	peer_account(peer, x->account);
	x->owner = exchange_owner(peer);
	x->outcome = OUTCOME_FAILED;
	x->max_cost_nusd = c->max_cost_nusd;
	x->is_at_most_once = c->is_at_most_once;
	x->is_batch = c->is_batch;
	x->body_bytes = c->body_bytes;
	resume_init(&x->resume);
	x->flight = flight_new(o);
	if (!x->flight) {
		spare_give(&o->spare_exchanges, x, CLEARED_BYTES);
		return NULL;
	}
	if (allowance_copy(&x->flight->arena, &bounds->allowance, &x->allowance)) {
		flight_free(x->flight);
		spare_give(&o->spare_exchanges, x, CLEARED_BYTES);
		return NULL;
	}
	x->flight->on_event = on_flight_event;
	x->flight->on_content = trail_tell;
	x->flight->on_slow = slow_over;
	x->flight->context = x;
	x->flight->leg->exchange = x;
	x->flight->leg->token.on_token = exchange_on_token;
	unsigned char random[16 + sizeof x->seed];
	draw(&o->drawn, random, sizeof random);
	memcpy(&x->seed, random + 16, sizeof x->seed);
	make_id(x->id, x->flight->begun_wall_us, random);
	x->flight->op = c->op;
	buf_init(&x->laid_out, LIMIT_BODY_BYTES);
	x->is_relayed = c->kind == CALL_RELAY || c->kind == CALL_NATIVE;
	if (x->is_relayed) {
		const struct dialect_env env = {.wall_s = exchange_now_s(x), .seed = x->seed};
		struct fault why;
		fault_clear(&why);
		if (relay_init(&x->relay, &c->surface, &x->flight->arena, &env, &why) == OK)
			x->flight->op = x->relay.op;
		mishap_keep(&x->refused, &why);
		/* what nobody here understands may do anything at the provider's */
		x->is_at_most_once = x->is_at_most_once || c->kind == CALL_NATIVE;
	}
	trail_begin(x);
	keep_routing(x, c);
	memo_init(x, &c->cache);
	if (arena_dup(&x->flight->arena, c->cache.name_space, &x->memo.terms.name_space))
		mishap_set(&x->refused, ERR_NO_MEMORY, "no memory for the call");
	event_log_join(&x->flight->log, &x->cursor);
	LIST_PUSH(o->exchanges, x);
	o->n_exchanges++;

	int64_t limit_us = x->flight->config->request_us;
	const int64_t asked_us = num_mul_sat(c->timeout_ms, 1000);
	if (asked_us > 0 && asked_us < limit_us)
		limit_us = asked_us;
	x->has_own_time = asked_us > 0;
	LOOP_CALLS(&x->deadline, on_fire, on_deadline);
	LOOP_CALLS(&x->patience, on_fire, on_patience);
	LOOP_CALLS(&x->retry, on_fire, on_retry);
	LOOP_CALLS(&x->hold, on_fire, on_hold);
	loop_timer_set(o->loop, &x->deadline, limit_us);
	if (span_is_set(c->body)) {
		buf_span(&x->flight->body, c->body); /* small, and there are max_calls of them */
		o->body_bytes += x->flight->body.n;
		x->is_body_whole = true;
	}
	if (x->is_relayed && x->flight->config->head_hold_us > 0)
		loop_timer_set(o->loop, &x->hold, x->flight->config->head_hold_us);
	x->is_noted = bounds->refusal != NULL;
	if (bounds->refusal)
		exchange_stop(x, bounds->refusal);
	else
		exchange_run(x);
	return x;
}

enum err exchange_bodies_fit(const struct exchange *x, size_t more, struct fault *why)
{
	const struct organs *o = x->organs;
	return o->body_bytes + more <= o->max_body_bytes
		       ? OK
		       : fault_set(why, ERR_OVERLOADED,
				 "the requests under way are %zu MiB together, which is the limit: "
				 "try again when some have ended",
				 o->max_body_bytes >> 20);
}

enum err exchange_body(struct exchange *x, const struct data *d, struct fault *why)
{
	struct buf *body = &x->flight->body;
	if (x->state > BODY)
		return x->is_body_whole ? fault_set(why, ERR_PROTOCOL,
						  "data after the last piece of the body")
					: OK; /* it has failed meanwhile: the rest is not wanted */
	if (exchange_bodies_fit(x, d->bytes.n, why))
		return why->err;
	buf_span(body, d->bytes);
	if (buf_error(body))
		return fault_set(why, buf_error(body), "the body is longer than %zu bytes",
			LIMIT_BODY_BYTES);
	x->organs->body_bytes += d->bytes.n;
	if (x->body_bytes >= 0 && (int64_t)body->n > x->body_bytes)
		return fault_set(why, ERR_INVALID_REQUEST,
			"the body is longer than the %" PRId64 " bytes announced", x->body_bytes);
	if (!d->is_last)
		return OK;
	if (x->body_bytes >= 0 && (int64_t)body->n < x->body_bytes)
		return fault_set(why, ERR_INVALID_REQUEST,
			"the body is %zu bytes, and %" PRId64 " were announced", body->n,
			x->body_bytes);
	x->is_body_whole = true;
	exchange_run(x);
	return OK;
}

/* Something was taken of the answer. */
static void was_read(struct exchange *x)
{
	flight_read(x->flight);
	if (x->memo.reader.tape)
		memo_wake(x); /* not now: what was shown lies in the log */
	else if (x->state == ROUTE)
		exchange_run(x); /* it may have waited for its reader */
}

static bool peek_relayed(struct exchange *x, int *frame_type, struct span *body)
{
	struct flight *f = x->flight;
	const bool is_told = f->attempts > 0 || (x->memo.cached.source && f->has_content);
	const struct target *t = is_told ? exchange_target(x) : NULL;
	OWNED(buf_done) struct buf route = BUF_INIT(TRAIL_ROUTE_BYTES);
	const struct relay_about about = {.request_id = span_str(x->id),
		.provider = t ? t->provider : SPAN_NONE,
		.model = t ? t->model : SPAN_NONE,
		.route = x->relay.has_head ? SPAN_NONE : trail_route(x, &route),
		.attempts = f->attempts,
		.cached = &x->memo.cached};
	bool has_read;
	const bool has_frame =
		relay_peek(&x->relay, &f->log, &x->cursor, &about, frame_type, body, &has_read);
	exchange_keep(x);
	if (relay_broke(&x->relay)->err)
		exchange_stop(x, relay_broke(&x->relay));
	else if (has_read)
		was_read(x);
	return has_frame;
}

bool exchange_peek(struct exchange *x, int *frame_type, struct span *body)
{
	if (x->is_relayed && x->relay.speaks)
		return peek_relayed(x, frame_type, body);
	return event_log_peek(&x->flight->log, &x->cursor, frame_type, body);
}

void exchange_take(struct exchange *x)
{
	if (x->is_relayed && x->relay.speaks)
		relay_take(&x->relay, &x->flight->log, &x->cursor);
	else
		event_log_take(&x->flight->log, &x->cursor);
	was_read(x);
}

bool exchange_is_over(struct exchange *x)
{
	int frame_type;
	struct span body;
	return (x->state == END || x->is_parted) && !exchange_peek(x, &frame_type, &body) &&
	       !(x->is_relayed && x->relay.is_keeping);
}

static void cancel(struct exchange *x, const struct fault *why)
{
	int frame_type;
	struct span body;
	exchange_stop(x, why);
	while (mishap_err(&x->verdict) && exchange_peek(x, &frame_type, &body) &&
		frame_type != FRAME_FAULT)
		exchange_take(x);
}

void exchange_refuse(struct exchange *x, const struct fault *why)
{
	if (!part(x, why))
		exchange_stop(x, why);
}

void exchange_cancel(struct exchange *x, const struct fault *why)
{
	int frame_type;
	struct span body;
	if (!part(x, why)) {
		cancel(x, why);
		return;
	}
	while (exchange_peek(x, &frame_type, &body) && frame_type != FRAME_FAULT)
		exchange_take(x);
}

enum state exchange_left_over(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_CANCELLED, "%s", caller_is_gone);
	return exchange_fail(x, OUTCOME_CANCELLED, &why);
}

#define TOLD_US INT64_C(2000000) /* and no more is to come */

bool exchange_is_told(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const int64_t n = f->request.n.is_set ? f->request.n.v : 1;
	return x->state == RELAY && f->leg->attempt && f->leg->n_finished >= n;
}

/* Is what is under way to be paid for anyhow, and worth reading to its end? */
static bool is_drained(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const struct leg *l = f->leg;
	if (exchange_is_told(x))
		return true;
	if (x->state != RELAY || !l->attempt)
		return false;
	const struct provider *p = config_provider(f->config, exchange_target(x)->provider);
	return p && p->is_drained_when_gone && attempt_is_served(l->attempt);
}

static void on_left_end(struct loop_task *t)
{
	exchange_free(container_of(t, struct exchange, left.end));
}

bool exchange_leave(
	struct exchange *x, struct leavings *his, void (*on_gone)(void *context), void *context)
{
	const size_t bytes = x ? x->flight->body.n + x->laid_out.n : 0;
	const bool is_read = x && x->state < SETTLE && memo_is_shared(x),
		   is_kept = x && is_drained(x);
	if (!x || (!is_read && !is_kept) ||
		!leavings_take(&x->organs->left, his, bytes, x->organs->max_body_bytes)) {
		exchange_free(x);
		return false;
	}
	struct flight *f = x->flight;
	hedge_stop(x);
	x->left = (struct left){.is_left = true,
		.is_drained = is_kept,
		.is_told = is_kept && exchange_is_told(x),
		.over = {LOOP_CALL(on_fire, on_left_over)},
		.end = {LOOP_CALL(on_run, on_left_end)},
		.his = his,
		.bytes = bytes,
		.on_gone = on_gone,
		.context = context};
	loop_timer_stop(&x->hold);
	if (!is_read)
		loop_timer_set(x->organs->loop, &x->left.over,
			x->left.is_told && f->config->drain_gone_us > TOLD_US
				? TOLD_US
				: f->config->drain_gone_us);
	memo_part(x);
	f->leg->floor = 0;
	flight_show(f);
	event_log_skip(&f->log, &x->cursor); /* nobody reads it: it neither grows nor waits */
	flight_read(f);
	return true;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->state < SETTLE || mishap_err(&x->verdict)) {
		struct fault why = FAULT_NONE;
		fault_set(&why, ERR_CANCELLED, "%s", caller_is_gone);
		cancel(x, &why);
	}
	const struct left left = x->left;
	struct asked_body *asked = x->memo.asked; /* the request lies there, to the end */
	if (left.is_left)
		leavings_give(&x->organs->left, left.his, left.bytes);
	loop_timer_stop(&x->left.over);
	loop_task_stop(&x->left.end);
	memo_done(x);
	compare_done(x);
	event_log_leave(&x->flight->log, &x->cursor);
	LIST_REMOVE(x->organs->exchanges, x);
	x->organs->n_exchanges--;
	if (is_large(x))
		x->organs->had_large = true;
	x->organs->body_bytes -= x->flight->body.n;
	resume_done(&x->resume);
	loop_timer_stop(&x->hold);
	responses_leave(&x->kept);
	x->organs->body_bytes -= x->laid_out.n;
	buf_done(&x->laid_out);
	if (x->is_relayed)
		relay_done(&x->relay);
	flight_free(x->flight);
	buf_done(&x->trail.tried);
	free(x->concealed);
	asked_unref(asked);
	give_back(x);
	if (left.is_left)
		left.on_gone(left.context);
}

const char *exchange_id(const struct exchange *x)
{
	return x->id;
}
