/* step_compare.c - was it asked before, in other words? */
#include <math.h>

#include "brokerd/exchange/bounds.h"
#include "brokerd/exchange/lookup.h"
#include "brokerd/exchange/memo_key.h"
#include "brokerd/exchange/memo_lead.h"
#include "brokerd/log/log.h"
#include "protocol/base/num.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

/* ---- may it be ---- */

static int64_t threshold(const struct exchange *x)
{
	struct allowance_cache may;
	allowance_cache(&x->allowance, &may);
	return may.semantic;
}

/* What is said in its rules is of its own configuration: no other is to hold for the vector. */
static bool is_current(const struct exchange *x)
{
	return x->flight->config == x->organs->config;
}

/* Where a call with tags may go is said by an alias, line by line; a model's own name takes them all. */
static bool may_go_there(const struct exchange *x)
{
	const struct span name = x->flight->config->embed_model;
	return x->tags.n == 0 || span_index(name, '/') == name.n;
}

bool compare_wants(struct exchange *x)
{
	const struct flight *f = x->flight;
	OWNED(buf_done) struct buf words = BUF_INIT(LAST_TURN_BYTES + LIMIT_FRAME_BYTES);
	return !x->compare.is_done && x->memo.reads && f->op == LLM_OP_CHAT && x->organs->cache &&
	       x->organs->semantic && span_is_set(f->config->embed_model) && is_current(x) &&
	       f->config->vectors > 0 && threshold(x) > 0 && may_go_there(x) &&
	       !memo_has_items(&f->request) && last_turn_words(&f->request, &words);
}

/* ---- its end ---- */

static void on_left_end(void *context)
{
	struct organs *o = context;
	if (o->on_left_end)
		o->on_left_end(o->broker);
}

/* What it says as it goes is not heard; what is still under way of it counts as what was set aside for that. Where it has been
 * sent, and others wait for the same vector, it goes on for them, and costs no more than that. */
static void drop_inner(struct exchange *x)
{
	struct compare *c = &x->compare;
	struct exchange *inner = c->inner;
	c->inner = NULL;
	loop_task_stop(&c->wake);
	if (!inner)
		return;
	c->spent_nusd = bounds_spent_nusd(inner);
	if (inner->max_cost_nusd > c->spent_nusd)
		inner->max_cost_nusd = c->spent_nusd;
	if (!inner->flight->leg->attempt || !memo_is_shared(inner))
		exchange_free(inner);
	else if (exchange_leave(inner, &x->organs->left_asked, on_left_end, x->organs))
		log_debug("cache.asked_on", "id=%s for others", x->id);
}

void compare_stop(struct exchange *x)
{
	struct compare *c = &x->compare;
	drop_inner(x);
	loop_timer_stop(&c->over);
	semantic_leave(c->search);
	c->search = NULL;
	cache_leave(&c->kept);
	c->is_matched = false;
	tape_unref(c->found);
	c->found = NULL;
}

void compare_done(struct exchange *x)
{
	compare_stop(x);
	semantic_vector_drop(x->compare.vector);
	x->compare.vector = NULL;
}

/* By how many targets there is still no answer to the very same words: who was told so does not miss them again. */
static size_t still_missing(struct exchange *x)
{
	const struct route *route = &x->flight->route;
	const int64_t now_s = exchange_now_s(x);
	for (size_t i = 0; i < route->n; i++) {
		struct cache_key key;
		struct cache_entry e;
		if (!lookup_covers(route, i))
			continue;
		memo_key(x, i, &key);
		const enum cache_found is = cache_peek(x->organs->cache, &key, now_s, &e);
		if (is == CACHE_COMES || (is == CACHE_THERE && lookup_is_fresh(x, &e, now_s)))
			return i;
	}
	return route->n;
}

/* Nothing is there: it goes on as any other. */
static enum state give_up(struct exchange *x)
{
	compare_stop(x);
	x->compare.is_done = true;
	x->memo.looked = still_missing(x);
	return LOOKUP;
}

static enum state fail(struct exchange *x, const char *why)
{
	const struct exchange *inner = x->compare.inner;
	log_info("cache.not_compared", "id=%s asked=%s why=\"%s\"", x->id, inner ? inner->id : "",
		why);
	semantic_vector_drop(x->compare.vector); /* it may be half of one, and of nobody's space */
	x->compare.vector = NULL;
	return give_up(x);
}

static void on_over(struct loop_timer *t)
{
	struct compare *c = container_of(t, struct compare, over);
	struct exchange *x = container_of(c, struct exchange, compare);
	if (!c->found) /* else it waits for its caller's limits, as long as these say */
		exchange_go_on(x, fail(x, "it took too long"));
}

/* ---- the nearest ---- */

/* It counts as asked, as what was kept of the very same words does. */
static enum state take(struct exchange *x)
{
	struct compare *c = &x->compare;
	if (c->generation != cache_generation(x->organs->cache))
		return give_up(x); /* it was cleared while it waited */
	const enum state next = lookup_replay(x, tape_ref(c->found), &c->cached, c->which);
	if (next == LOOKUP)
		return COMPARE; /* not yet */
	if (next == JOIN)
		semantic_note_hit(x->organs->semantic);
	compare_stop(x);
	c->is_done = true;
	return next;
}

static void on_come(struct cache_wait *w)
{
	struct compare *c = container_of(w, struct compare, kept);
	exchange_go_on(container_of(c, struct exchange, compare), COMPARE);
}

/* The top match alone, and only where its answer is still as good as one of now. */
static enum state judge(struct exchange *x)
{
	struct compare *c = &x->compare;
	const struct semantic_match *m = &c->match;
	const int64_t now_s = exchange_now_s(x);
	struct cache_entry e;
	c->kept.on_come = on_come;
	const enum cache_found is = cache_get(x->organs->cache, &m->answer, now_s, &c->kept, &e);
	if (is == CACHE_COMES)
		return COMPARE; /* a worker reads it */
	if (is == CACHE_MISS)
		semantic_remove(x->organs->semantic, &m->answer);
	if (is == CACHE_MISS || !lookup_is_fresh(x, &e, now_s))
		return give_up(x);
	c->found = lookup_tape(x, &e);
	if (!c->found)
		return give_up(x);
	c->generation = cache_generation(x->organs->cache);
	c->which = c->targets[m->group];
	c->cached = (struct cached){.source = CACHE_SEMANTIC,
		.age_s = e.at_s < now_s ? now_s - e.at_s : 0,
		.saved_nusd = c->found->usage.cost_nusd};
	c->cached.score = (struct opt_f64){true, m->score};
	return take(x);
}

static void on_found(void *context, const struct semantic_match *m)
{
	struct exchange *x = context;
	struct compare *c = &x->compare;
	c->search = NULL;
	if (m)
		log_debug("cache.compared", "id=%s score=%.4f", x->id, m->score);
	c->is_matched = m && llrint(m->score * (double)COSINE_ONE) >= threshold(x);
	if (c->is_matched)
		c->match = *m;
	exchange_go_on(x, c->is_matched ? judge(x) : give_up(x));
}

/* Among the answers of those that it would be sent to. */
static enum state search(struct exchange *x)
{
	struct compare *c = &x->compare;
	const struct route *route = &x->flight->route;
	struct cache_key groups[SEMANTIC_GROUPS];
	size_t n = 0;
	for (size_t i = 0; i < route->n && n < SEMANTIC_GROUPS; i++) {
		if (!lookup_covers(route, i))
			continue;
		memo_key_of(x, &c->core, &route->targets[i], &groups[n]);
		c->targets[n++] = i;
	}
	c->search = semantic_find(
		x->organs->semantic, c->vector, groups, n, exchange_now_s(x), on_found, x);
	return c->search ? COMPARE : give_up(x);
}

void compare_keep(struct exchange *x, const struct target *t, const struct cache_key *answer,
	const struct cache_entry *e, int64_t now_s)
{
	struct compare *c = &x->compare;
	if (!c->vector || !x->organs->semantic)
		return;
	struct semantic_entry entry = {.answer = *answer, .scope = e->scope, .kept_s = e->kept_s};
	memo_key_of(x, &c->core, t, &entry.group);
	semantic_put(x->organs->semantic, &entry, c->vector, now_s);
}

/* ---- the vector ---- */

/* What the call that asks for it tells: COMPARE, there is more to come. */
static enum state hear(struct exchange *x, const struct llm_event *e)
{
	struct compare *c = &x->compare;
	if (e->type == EV_FAULT)
		return fail(x, err_info(e->fault->err)->word);
	if (e->type == EV_EMBEDDING && !c->vector)
		c->vector = semantic_vector_new(&e->embedding.vector);
	if (e->type != EV_END)
		return COMPARE;
	if (!c->vector)
		return fail(
			x, "the embed_model has no vector for it that words can be compared by");
	last_turn_space(x->organs->cache_secret, e->end.provider, e->end.model,
		semantic_dimensions(c->vector), &c->core);
	drop_inner(x);
	return search(x);
}

static void on_wake(struct loop_task *t)
{
	struct compare *c = container_of(t, struct compare, wake);
	struct exchange *x = container_of(c, struct exchange, compare);
	enum state next = COMPARE;
	int type;
	struct span body;
	while (next == COMPARE && c->inner && exchange_peek(c->inner, &type, &body)) {
		struct llm_event e;
		OWNED(arena_done) struct arena a;
		arena_init(&a, LIMIT_REQUEST_ARENA);
		next = event_unpack(type, pack_from(body), &a, &e, NULL)
			       ? fail(x, "what the embed_model says cannot be read")
			       : hear(x, &e);
		if (c->inner)
			exchange_take(c->inner);
	}
	exchange_go_on(x, next);
}

static void on_ready(void *context)
{
	struct exchange *x = context;
	loop_later(x->organs->loop, &x->compare.wake);
}

static struct exchange *ask(struct exchange *x, struct span words, int64_t limit_us)
{
	const struct flight *f = x->flight;
	struct exchange_bounds bounds = {.refusal = NULL};
	struct part input = {.type = PART_TEXT, .text = words};
	const struct llm_request r = {
		.model = f->config->embed_model, .inputs = &input, .n_inputs = 1};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct call call = CALL_INIT;
	request_pack(&r, &body);
	if (buf_error(&body) ||
		allowance_any_model(&x->flight->arena, &x->allowance, &bounds.allowance))
		return NULL;
	call.kind = CALL_TYPED;
	call.op = LLM_OP_EMBED;
	call.body = buf_view(&body);
	call.timeout_ms = (limit_us - limit_us / 8) / 1000 + 1; /* some is left for the search */
	call.max_cost_nusd = x->max_cost_nusd;
	call.is_at_most_once = x->is_at_most_once;
	call.tags = x->tags.list;
	call.n_tags = x->tags.n;
	call.session = x->session;
	call.is_batch = x->is_batch;
	call.cache.name_space = x->memo.terms.name_space;
	if (!x->memo.writes)
		call.cache.wish = CACHE_READ;
	struct exchange *inner = exchange_new(
		x->organs, &x->peer, &bounds, &call, &(struct exchange_caller){on_ready, x});
	/* it may outlive this one, whose rules these are */
	if (inner && allowance_any_model(&inner->flight->arena, &x->allowance, &inner->allowance)) {
		exchange_free(inner);
		return NULL;
	}
	return inner;
}

static enum state begin(struct exchange *x)
{
	struct compare *c = &x->compare;
	const struct cache_ask asked = memo_ask(x);
	OWNED(buf_done) struct buf words = BUF_INIT(LAST_TURN_BYTES + LIMIT_FRAME_BYTES);
	const int64_t left_us = exchange_left_us(x);
	int64_t limit_us = x->flight->config->embed_us;
	if (limit_us > left_us / 4)
		limit_us = left_us / 4;
	OWNED(arena_done) struct arena a;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	if (!last_turn_words(&x->flight->request, &words) ||
		last_turn_core(x->organs->cache_secret, &asked, &a, &c->core))
		return fail(x, "nobody can tell where its last words are");
	LOOP_CALLS(&c->wake, on_run, on_wake);
	LOOP_CALLS(&c->over, on_fire, on_over);
	c->inner = ask(x, buf_view(&words), limit_us);
	if (!c->inner)
		return fail(x, "out of memory");
	loop_timer_set(x->organs->loop, &c->over, limit_us);
	return COMPARE;
}

enum state step_compare(struct exchange *x)
{
	const struct compare *c = &x->compare;
	if (x->is_retry_due || c->inner || c->search || c->kept.read)
		return COMPARE;
	if (c->found)
		return take(x);
	return c->is_matched ? judge(x) : begin(x);
}
