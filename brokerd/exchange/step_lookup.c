/* step_lookup.c - was it answered before, or is it being answered? */
#include "brokerd/cache/copy.h"
#include "brokerd/exchange/claim.h"
#include "brokerd/exchange/lookup.h"
#include "brokerd/exchange/memo_asked.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/exchange/memo_read.h"
#include "brokerd/exchange/stale.h"
#include "brokerd/exchange/trail.h"
#include "protocol/base/num.h"

/* Those that it would be sent to as a rule: what is there for a prompt that is too long, or refused, answers nothing else. */
static bool is_asked(const struct target *t)
{
	return t->list == TARGETS_USUAL && !t->is_offline;
}

/* And whose answers are not those of the one before, by another key. */
bool lookup_covers(const struct route *route, size_t i)
{
	const struct target *t = &route->targets[i];
	return is_asked(t) &&
	       (i == 0 || !span_eq(t->provider, t[-1].provider) || !span_eq(t->model, t[-1].model));
}

/* It counts as asked, once, of what limits how often one may; for nothing else does it wait, nor for those who do: no provider is
 * asked. LOOKUP: it has to wait for that; SETTLE: it may not. */
static enum state claim(struct exchange *x)
{
	struct limit_answer answer;
	struct memo *m = &x->memo;
	if (m->is_claimed)
		return JOIN;
	claim_recall(x, &answer);
	m->is_claimed = answer.verdict == LIMIT_HELD;
	if (m->is_claimed)
		return JOIN;
	const int64_t now_us = loop_now_us(x->organs->loop);
	if (answer.verdict == LIMIT_SPENT || answer.ready_us - now_us > exchange_left_us(x))
		return exchange_fail(x, OUTCOME_FAILED, &answer.why);
	x->is_retry_due = true;
	loop_timer_set(x->organs->loop, &x->retry,
		answer.ready_us > now_us ? answer.ready_us - now_us : 0);
	return LOOKUP;
}

bool lookup_is_young(const struct cache_entry *e, int64_t max_s, int64_t now_s)
{
	const int64_t age_s = e->at_s < now_s ? now_s - e->at_s : 0;
	return e->fresh_s > now_s && (max_s < 0 || age_s <= max_s);
}

bool lookup_is_fresh(const struct exchange *x, const struct cache_entry *e, int64_t now_s)
{
	return lookup_is_young(e, x->memo.terms.max_age_s, now_s);
}

struct tape *lookup_tape(const struct exchange *x, const struct cache_entry *e)
{
	struct cache_copy *shown = cache_hold(x->organs->cache);
	struct tape *t = tape_unpack(e->body, shown);
	cache_copy_drop(shown);
	return t;
}

static struct tape *unpack(
	const struct exchange *x, const struct cache_entry *e, int64_t now_s, struct cached *found)
{
	struct tape *t = lookup_tape(x, e);
	if (t)
		*found = (struct cached){.source = CACHE_HIT,
			.age_s = e->at_s < now_s ? now_s - e->at_s : 0,
			.saved_nusd = t->usage.cost_nusd};
	return t;
}

enum cache_found lookup_seen(struct exchange *x, lookup_good *is_good, struct tape **t,
	struct cached *found, size_t *which)
{
	const struct route *route = &x->flight->route;
	const int64_t now_s = exchange_now_s(x);
	*t = NULL;
	for (size_t i = 0; i < route->n; i++) {
		struct cache_key key;
		struct cache_entry e;
		if (!lookup_covers(route, i))
			continue;
		memo_key(x, i, &key);
		*which = i;
		const enum cache_found is = cache_peek(x->organs->cache, &key, now_s, &e);
		if (is == CACHE_COMES)
			return is;
		if (is == CACHE_THERE && is_good(x, &e, now_s) &&
			(*t = unpack(x, &e, now_s, found)))
			return is;
	}
	return CACHE_MISS;
}

static void on_come(struct cache_wait *w)
{
	struct memo *m = container_of(w, struct memo, kept);
	exchange_go_on(container_of(m, struct exchange, memo), LOOKUP);
}

/* It may stand in later, and is then not looked for again: the first one. */
static void keep_stale(struct exchange *x, const struct cache_entry *e, int64_t now_s)
{
	struct memo *m = &x->memo;
	if (m->stale || !stale_is_good(x, e, now_s))
		return;
	m->stale = cache_hold(x->organs->cache);
	m->stale_generation = cache_generation(x->organs->cache);
}

/* The first target whose answer is there, and fresh. NULL: none; or it is waited for. */
static struct tape *find_kept(struct exchange *x, struct cached *found, size_t *which)
{
	struct memo *m = &x->memo;
	const struct route *route = &x->flight->route;
	const int64_t now_s = exchange_now_s(x);
	size_t i = m->looked;
	m->looked = 0;
	m->kept.on_come = on_come;
	for (; i < route->n; i++) {
		struct cache_key key;
		struct cache_entry e;
		if (!lookup_covers(route, i))
			continue;
		memo_key(x, i, &key);
		const enum cache_found is = cache_get(x->organs->cache, &key, now_s, &m->kept, &e);
		if (is == CACHE_COMES) {
			m->looked = i;
			return NULL;
		}
		if (is == CACHE_MISS)
			continue;
		struct tape *t = lookup_is_fresh(x, &e, now_s) ? unpack(x, &e, now_s, found) : NULL;
		*which = i;
		if (t)
			return t;
		keep_stale(x, &e, now_s);
	}
	return NULL;
}

enum state lookup_replay(
	struct exchange *x, struct tape *t, const struct cached *found, size_t which)
{
	const enum state next = claim(x);
	if (next == JOIN) {
		x->memo.cached = *found;
		x->flight->leg->target = which;
		trail_hit(x, found->age_s);
		memo_note_found(x);
		memo_replay(x, t);
	}
	tape_unref(t);
	return next;
}

struct exchange *lookup_leader(struct exchange *x)
{
	const struct route *route = &x->flight->route;
	for (size_t i = 0; i < route->n; i++) {
		struct cache_key key;
		struct leader *l;
		if (!lookup_covers(route, i))
			continue;
		memo_key(x, i, &key);
		TABLE_FIND(x->organs->leaders, l, &key, sizeof key);
		if (!l || !memo_may_join(x, l->exchange))
			continue;
		/* what comes a little later has a little more: a fourth of it */
		const int64_t left_us = exchange_left_us(x);
		if (exchange_left_us(l->exchange) >= left_us - left_us / 4)
			return l->exchange;
	}
	return NULL;
}

enum state step_lookup(struct exchange *x)
{
	struct memo *m = &x->memo;
	struct cached found = CACHED_NOT;
	size_t which = 0;
	if (x->is_retry_due || m->kept.read)
		return LOOKUP;
	if (!memo_wants(x) || !is_asked(exchange_target(x)))
		return RESERVE;
	struct tape *kept = m->reads && x->organs->cache ? find_kept(x, &found, &which) : NULL;
	if (kept)
		return lookup_replay(x, kept, &found, which);
	if (m->kept.read)
		return LOOKUP; /* a worker reads it */
	if (m->terms.wish == CACHE_ONLY)
		return RESERVE; /* which is the way to a provider, and lets it go no further */
	struct exchange *leader = m->joins ? lookup_leader(x) : NULL;
	if (leader) {
		const enum state next = claim(x);
		if (next != JOIN)
			return next;
		if (memo_join(x, leader)) {
			trail_join(x, leader);
			exchange_wait_along(x);
			return JOIN;
		}
	}
	if (compare_wants(x))
		return COMPARE;
	return memo_lead(x) ? RESERVE : exchange_fail_with(x, ERR_NO_MEMORY, &FAULT_NONE);
}

/* ---- reading along ---- */

bool lookup_place(struct exchange *x, const struct tape *t)
{
	const struct route *route = &x->flight->route;
	for (size_t i = 0; i < route->n; i++) {
		if (span_eq(route->targets[i].provider, t->provider) &&
			span_eq(route->targets[i].model, t->model)) {
			x->flight->leg->target = i;
			return true;
		}
	}
	return false;
}

/* It goes its own way, with what it has not had. */
static enum state go_alone(struct exchange *x, bool may_join)
{
	struct memo *m = &x->memo;
	trail_alone(x, may_join ? "that call has ended without an answer"
				: "a target answers it that is none of this call's");
	exchange_stop_waiting(x);
	tape_leave(&m->reader);
	m->cached = CACHED_NOT;
	x->flight->leg->target = 0;
	m->joins = m->joins && may_join;
	return LOOKUP;
}

static enum state have_all(struct exchange *x, const struct tape *t)
{
	const enum err err = memo_have(x, t);
	if (err)
		return exchange_fail_with(x, err, &FAULT_NONE);
	x->outcome = OUTCOME_OK;
	mishap_drop(&x->verdict);
	return SETTLE;
}

enum state step_join(struct exchange *x)
{
	struct memo *m = &x->memo;
	struct flight *f = x->flight;
	struct fault why;
	const struct tape *t = m->reader.tape;
	if (t->has_content || (t->is_over && !t->is_leaders_own))
		exchange_stop_along(x);
	if (t->has_content && !f->has_content && !lookup_place(x, t))
		return go_alone(x, false);
	const bool is_told = t->has_content || (t->is_over && !t->why);
	const enum err err = is_told ? memo_feed(x) : OK;
	if (err)
		return exchange_fail_with(x, err, &FAULT_NONE);
	if (!t->is_over || (!t->why && m->reader.at < tape_bytes(t).n))
		return JOIN;
	if (!t->why)
		return have_all(x, t);
	if (!t->is_leaders_own)
		return exchange_fail(x, OUTCOME_FAILED, t->why);
	if (!f->has_content)
		return go_alone(x, true);
	fault_set(&why, ERR_STREAM_INCOMPLETE,
		"another call that asked the same led to this answer, and ended before it was "
		"whole: "
		"ask again");
	return exchange_fail(x, OUTCOME_FAILED, &why);
}
