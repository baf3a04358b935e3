/* trail.c - steps are made of what an exchange has anyway. */
#include "brokerd/exchange/trail.h"

#include <stdio.h>

#include "protocol/base/num.h"

/* ---- for those who ask later ---- */

static void step(struct exchange *x, struct trace_step *s, const struct target *t)
{
	s->at_us = loop_now_us(x->organs->loop) - x->flight->begun_us;
	if (t) {
		s->provider = t->provider;
		s->model = t->model;
		s->key = t->key;
	}
	trace_step(x->organs->traces, x->trail.number, s);
}

void trail_begin(struct exchange *x)
{
	buf_init(&x->trail.tried, TRAIL_TRIED_BYTES);
	x->trail.number = trace_begin(x->organs->traces, x->owner, x->id, x->flight->begun_wall_us);
}

void trail_out(struct exchange *x, const struct target *t, const char *why)
{
	struct trace_step s = {.what = TRACE_OUT, .why = span_str(why), .us = -1};
	step(x, &s, t);
}

void trail_wait(struct exchange *x)
{
	const struct target *t = exchange_target(x);
	x->trail.provider = t->provider;
	x->trail.model = t->model;
	x->trail.key = t->key;
}

void trail_queue(struct exchange *x, int64_t waited_us)
{
	struct trace_step s = {.what = TRACE_QUEUE,
		.provider = x->trail.provider,
		.model = x->trail.model,
		.key = x->trail.key,
		.why = span_str(mishap_fault(&x->waits_for)->message),
		.us = waited_us};
	step(x, &s, NULL);
}

void trail_next(struct exchange *x, const char *why)
{
	struct trace_step s = {.what = TRACE_NEXT, .why = span_str(why), .us = -1};
	step(x, &s, exchange_target(x));
}

void trail_pause(struct exchange *x, int64_t wait_us)
{
	struct trace_step s = {.what = TRACE_PAUSE, .us = wait_us};
	if (wait_us > 0)
		step(x, &s, NULL);
}

void trail_hit(struct exchange *x, int64_t age_s)
{
	struct trace_step s = {.what = TRACE_HIT, .us = num_mul_sat(age_s, 1000000)};
	const struct cached *c = &x->memo.cached;
	char why[64];
	if (c->source == CACHE_SEMANTIC) {
		(void)snprintf(why, sizeof why, "the answer to other words (%.2f)", c->score.v);
		s.why = span_str(why);
	}
	step(x, &s, exchange_target(x));
}

void trail_stale(struct exchange *x, int64_t age_s, const struct fault *why)
{
	struct trace_step s = {.what = TRACE_STALE,
		.why = span_str(why->message),
		.us = num_mul_sat(age_s, 1000000)};
	step(x, &s, exchange_target(x));
}

void trail_join(struct exchange *x, const struct exchange *leader)
{
	const bool is_own = leader->owner == x->owner;
	struct trace_step s = {
		.what = TRACE_JOIN, .why = is_own ? span_str(leader->id) : SPAN_NONE, .us = -1};
	step(x, &s, NULL);
}

void trail_alone(struct exchange *x, const char *why)
{
	struct trace_step s = {.what = TRACE_ALONE, .why = span_str(why), .us = -1};
	step(x, &s, NULL);
}

/* It has waited for one that rests. */
static void note_rested(struct exchange *x, int64_t at_us)
{
	const struct trace_step s = {
		.what = TRACE_PAUSE, .at_us = at_us, .us = x->rested_us - x->trail.rested_us};
	if (s.us > 0)
		trace_step(x->organs->traces, x->trail.number, &s);
	x->trail.rested_us = x->rested_us;
}

void trail_end(struct exchange *x)
{
	const struct flight *f = x->flight;
	note_rested(x, loop_now_us(x->organs->loop) - f->begun_us);
	const struct trace_end e = {
		.op = span_str(llm_op_name(f->op)),
		.model = f->request.model,
		.outcome = x->outcome,
		.err = mishap_err(&x->verdict),
		.why = span_str(mishap_fault(&x->verdict)->message),
		.attempts = f->attempts,
		.total_us = loop_now_us(x->organs->loop) - f->begun_us,
		.ttft_us = f->first_content_us ? f->first_content_us - f->begun_us : -1,
		.queued_us = x->queued_us,
		.nusd = f->is_cost_open ? -1 : f->spent_nusd,
	};
	trace_end(x->organs->traces, x->trail.number, &e);
}

/* ---- and for its caller ---- */

static void put_name(struct buf *to, struct span provider, struct span model)
{
	buf_print(to, "%.*s/%.*s", SPAN_ARG(span_first(provider, 64)),
		SPAN_ARG(span_first(model, 128)));
}

/* All of it or none: what comes behind what has no room has none either. */
static void add_tried(
	struct exchange *x, const struct trace_step *s, const char *what, enum err err)
{
	struct buf *tried = &x->trail.tried;
	const size_t before = tried->n;
	if (x->flight->op == LLM_OP_MODELS)
		return;
	x->trail.n_tried++;
	if (buf_error(tried))
		return;
	if (before > 0)
		buf_text(tried, ", ");
	put_name(tried, s->provider, s->model);
	buf_print(tried, " %s(%s)", what, err_info(err)->word);
	if (buf_error(tried))
		buf_cut(tried, before);
}

void trail_rest(struct exchange *x, const struct fault *why)
{
	struct leg *l = x->flight->leg;
	struct trace_step s = {.what = TRACE_REST,
		.why = span_str(why->message),
		.us = why->retry_after_ms >= 0 ? why->retry_after_ms * 1000 : -1};
	if (x->trail.rested == l->target + 1 || x->rested_us > 0)
		return; /* once, however often all are looked at while it waits for one */
	x->trail.rested = l->target + 1;
	step(x, &s, exchange_target(x));
	if (l->same == 0) /* else it is there as what has failed */
		add_tried(x, &s, "rests", why->err);
}

void trail_attempt(struct exchange *x, const struct attempt_record *r)
{
	struct trace_step s = {
		.what = TRACE_ATTEMPT,
		.provider = span_str(r->provider),
		.model = span_str(r->model),
		.key = span_str(r->key_label),
		.us = r->total_us,
		.number = r->number,
		.outcome = r->outcome,
		.err = r->err,
		.http_status = r->http_status,
		.connect_us = r->connect_us,
		.first_byte_us = r->first_byte_us,
		.nusd = r->usage.provider_cost_nusd >= 0 ? r->usage.provider_cost_nusd
							 : r->usage.cost_nusd,
	};
	x->trail.rested = 0;
	s.at_us = r->at_us - x->flight->begun_wall_us;
	note_rested(x, s.at_us);
	trace_step(x->organs->traces, x->trail.number, &s);
	if (r->err)
		add_tried(x, &s, outcome_name(r->outcome), r->err);
}

struct span trail_route(const struct exchange *x, struct buf *to)
{
	const struct buf *tried = &x->trail.tried;
	const bool has_one = !mishap_err(&x->verdict); /* else there is none in hand any more */
	if (x->trail.n_tried + has_one < 2)
		return SPAN_NONE;
	buf_put(to, tried->p, tried->n);
	if (buf_error(tried))
		buf_text(to, ", ...");
	if (has_one) {
		buf_text(to, ", ");
		put_name(to, exchange_target(x)->provider, exchange_target(x)->model);
		if (x->memo.cached.source == CACHE_STALE)
			buf_text(to, " stale");
	}
	return buf_error(to) ? SPAN_NONE : buf_view(to);
}

void trail_tell(void *exchange)
{
	struct exchange *x = exchange;
	OWNED(buf_done) struct buf text = BUF_INIT(TRAIL_ROUTE_BYTES);
	const struct model *alias = x->flight->route.alias;
	if (x->is_relayed || x->flight->op == LLM_OP_MODELS)
		return;
	if (!span_is_set(trail_route(x, &text)) && alias && alias->n_targets > 1)
		put_name(&text, exchange_target(x)->provider, exchange_target(x)->model);
	if (text.n > 0)
		flight_status(x->flight, "route", "%.*s", SPAN_ARG(buf_view(&text)));
}
