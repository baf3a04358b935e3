/* pulse.c - what is answered here needs no health; what a caller did says nothing of a provider, but how long he has waited
 * may. */
#include "brokerd/exchange/pulse.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/exchange/objects.h"
#include "brokerd/log/log.h"
#include "brokerd/route/retry.h"
#include "protocol/limits.h"

/* What is longer takes longer, on its way and there: a second more for each so many of it. */
#define SENT_BYTES INT64_C(32768)
/* By then a connection that comes at all has come, one packet that was lost on the way included. */
#define DOOR_US INT64_C(3000000)

#define LOCAL_REST_US INT64_C(1000000) /* at first, and at the most: */
#define LOCAL_MAX_US  INT64_C(5000000)

/* A model's name, and what is done with it: a host may have no list of its models, and a good chat. */
struct subject {
	char model[LIMIT_LABEL_BYTES + 32];
	struct health_subject of;
};

/* Of the leg in hand. */
static struct health_try *try_of(const struct exchange *x)
{
	return &x->flight->leg->pulse;
}

static void subject_of(const struct exchange *x, const struct target *t, struct subject *out)
{
	const enum llm_op op = x->flight->op;
	const struct span model = span_first(t->model, LIMIT_LABEL_BYTES);
	size_t n = model.n;
	if (n > 0)
		memcpy(out->model, model.p,
			n); /* by hand: each target of each request is looked at */
	if (op != LLM_OP_CHAT && op != LLM_OP_COMPLETE) {
		const struct span word =
			span_first(span_str(llm_op_name(op)), sizeof out->model - n - 1);
		out->model[n++] = ' ';
		memcpy(out->model + n, word.p, word.n);
		n += word.n;
	}
	out->of = (struct health_subject){t->provider, t->key, span_of(out->model, n)};
}

static bool is_followed(const struct exchange *x)
{
	return x->organs->health && !attempt_is_local(exchange_target(x), x->flight->op);
}

static bool is_last(const struct exchange *x)
{
	const struct flight *f = x->flight;
	const size_t end = exchange_route_end(x);
	return retry_next(NEXT_KEY, f->route.targets, end, f->leg->target) == end;
}

/* What a caller is told of what others met: its class where that says nothing of their requests. */
static enum err told_class(enum err err)
{
	return err == ERR_OUTCOME_UNKNOWN || err == ERR_STREAM_INCOMPLETE ||
			       err == ERR_INVALID_REQUEST
		       ? ERR_OVERLOADED
		       : err;
}

/* Nothing of this call was sent; and what a provider said to others is not for all. */
static void tell_rest(const struct exchange *x, const struct health_view *v, struct fault *why)
{
	const struct target *t = exchange_target(x);
	const int64_t wait_us = v->until_us - loop_now_us(x->organs->loop);
	const int64_t wait_ms = v->state != HEALTH_OPEN || wait_us < 1000 ? 1000 : wait_us / 1000;
	const bool is_quoted = peer_is_open(&x->peer);
	char when[64] = "is being tried by another call just now";
	if (v->state == HEALTH_OPEN)
		(void)snprintf(when, sizeof when, "is not asked for another %" PRId64 " s",
			(wait_ms + 999) / 1000);
	fault_clear(why);
	fault_set(why, told_class(v->why.err),
		"%.*s/%.*s %s, because of what was said last: %.700s",
		SPAN_ARG(span_first(t->provider, 64)), SPAN_ARG(span_first(t->model, 128)), when,
		is_quoted ? v->why.message : err_info(v->why.err)->sentence);
	fault_text(why->provider, sizeof why->provider, t->provider);
	why->retry_after_ms = wait_ms;
}

bool pulse_may_ask(const struct exchange *x, struct fault *why)
{
	struct health_view view;
	struct subject s;
	if (!is_followed(x))
		return true;
	subject_of(x, exchange_target(x), &s);
	if (health_may_ask(
		    x->organs->health, &s.of, loop_now_us(x->organs->loop), is_last(x), &view))
		return true;
	tell_rest(x, &view, why);
	return false;
}

static bool is_well(const struct exchange *x, const struct target *t, struct health_view *view)
{
	struct subject s;
	subject_of(x, t, &s);
	health_look(x->organs->health, &s.of, loop_now_us(x->organs->loop), view);
	return view->state == HEALTH_CLOSED || view->state == HEALTH_HALF_OPEN;
}

bool pulse_view(const struct exchange *x, struct health_view *out)
{
	if (!is_followed(x))
		return false;
	(void)is_well(x, exchange_target(x), out);
	return true;
}

size_t pulse_other(const struct exchange *x)
{
	const struct route *r = &x->flight->route;
	const size_t end = exchange_route_end(x);
	struct health_view view;
	size_t i = retry_next(NEXT_HOST, r->targets, end, x->flight->leg->target);
	for (; i < end; i = retry_next(NEXT_KEY, r->targets, end, i)) {
		if (!x->organs->health || is_well(x, &r->targets[i], &view))
			return i;
	}
	return r->n;
}

bool pulse_has_other(const struct exchange *x)
{
	return pulse_other(x) < x->flight->route.n;
}

size_t pulse_soonest(const struct exchange *x, int64_t *wait_us)
{
	const struct leg *l = x->flight->leg;
	const struct route *r = &x->flight->route;
	const enum target_list list = exchange_target(x)->list;
	const int64_t now_us = loop_now_us(x->organs->loop);
	size_t best = l->target;
	int64_t best_us = INT64_MAX;
	const size_t end = exchange_route_end(x);
	for (size_t i = x->rest_from; i < end; i++) {
		struct health_view view;
		if (r->targets[i].list != list || (x->flight->batches > 0 && i < l->target))
			continue;
		const int64_t until_us =
			is_well(x, &r->targets[i], &view) || view.state != HEALTH_OPEN
				? now_us
				: view.until_us;
		if (until_us < best_us) {
			best_us = until_us;
			best = i;
		}
	}
	*wait_us = best_us == INT64_MAX ? 0 : best_us - now_us;
	return best;
}

void pulse_look(const struct exchange *x, struct choose_view *out)
{
	struct health_view view;
	if (!pulse_view(x, &view))
		return;
	out->is_resting = view.state == HEALTH_OPEN || view.state == HEALTH_PROBED;
	out->in_flight = view.in_flight;
	out->first_us = view.first_us;
}

void pulse_begin(struct exchange *x)
{
	struct subject s;
	if (!is_followed(x))
		return;
	subject_of(x, exchange_target(x), &s);
	health_begin(x->organs->health, &s.of, loop_now_us(x->organs->loop), try_of(x));
	try_of(x)->is_whole = !x->flight->request.is_stream;
}

void pulse_first(struct exchange *x)
{
	health_first(try_of(x), loop_now_us(x->organs->loop));
}

void pulse_drop(struct exchange *x)
{
	health_end(try_of(x), false, NULL, &FAULT_NONE, loop_now_us(x->organs->loop));
}

void pulse_unsent(struct exchange *x)
{
	try_of(x)->begun_us =
		loop_now_us(x->organs->loop); /* how quick the host is, that does not tell */
	pulse_drop(x);
}

/* That a target rests from now on is worth a line; that a key does, a record. */
static void note_rest(struct exchange *x, const struct health_view *v)
{
	static const char *const places[] = {"", "provider", "key", "model"};
	const struct target *t = exchange_target(x);
	char provider[160], model[320], key[160], said[2 * sizeof v->why.message];
	log_warn("target.rests",
		"place=%s provider=%s key=%s model=%s rest_ms=%" PRId64 " class=%s why=%s",
		places[v->place], log_quote(provider, sizeof provider, t->provider),
		log_quote(key, sizeof key, t->key), log_quote(model, sizeof model, t->model),
		(v->until_us - loop_now_us(x->organs->loop)) / 1000, err_info(v->why.err)->word,
		log_quote(said, sizeof said, span_str(v->why.message)));
}

/* Whoever starts a server on his own host does not want to wait for it. */
static void shorten_at_home(const struct exchange *x, struct health_rule *rule)
{
	if (!exchange_target(x)->is_local)
		return;
	rule->rest_us = rule->rest_us < LOCAL_REST_US ? rule->rest_us : LOCAL_REST_US;
	rule->rest_max_us = rule->rest_max_us < LOCAL_MAX_US ? rule->rest_max_us : LOCAL_MAX_US;
}

/* What it does to where it happened, as far as that is more than one caller's, or one operation's, matter. */
static bool find_rule(const struct exchange *x, const struct fault *why, struct health_rule *out)
{
	const struct health_rule *r = retry_rule(why->err, span_str(why->code));
	const enum llm_op op = x->flight->op;
	/* who only lacks an endpoint that counts is well, and is not asked for it again */
	if (!r || (op == LLM_OP_COUNT && repair_lacks_count(why)))
		return false;
	*out = *r;
	/* the path is its caller's: what is not there, or not allowed, is so there alone */
	if (op == LLM_OP_NATIVE)
		return out->place == HEALTH_ENDPOINT;
	if (out->place == HEALTH_KEY && op != LLM_OP_CHAT && op != LLM_OP_COMPLETE)
		out->place = HEALTH_MODEL; /* a key may be good for one thing and not for another */
	shorten_at_home(x, out);
	return true;
}

/* Was it the call's own time that was not enough? Then nobody knows what a more patient one would have had, unless that was
 * long already. What broke off before that is another matter. */
static bool is_impatience(const struct exchange *x, const struct fault *why)
{
	const int64_t took_us = loop_now_us(x->organs->loop) - try_of(x)->begun_us;
	const struct span code = span_str(why->code);
	const bool is_door = span_is(code, "connect") || span_is(code, "tls");
	return took_us >= x->flight->leg->hurry_us && !(is_door && took_us >= DOOR_US) &&
	       (why->err == ERR_TIMEOUT || why->err == ERR_OUTCOME_UNKNOWN);
}

/* Is it that nothing came for so long that it means something? Whoever waited may have had no more time, and who hangs up
 * says no less by it than who said before how long he has: it is not by his time that this is measured. */
static bool is_silence(const struct exchange *x)
{
	const struct health_try *t = try_of(x);
	const int64_t now_us = loop_now_us(x->organs->loop);
	const int64_t more_s = (int64_t)attempt_body(x->flight->leg->attempt).n / SENT_BYTES;
	return !t->has_first &&
	       now_us - t->begun_us >= health_silence_us(t, now_us) + more_s * 1000000;
}

static void conclude(
	struct exchange *x, bool is_good, const struct health_rule *rule, const struct fault *why)
{
	struct health_view before, after;
	(void)is_well(x, exchange_target(x), &before);
	health_end(try_of(x), is_good, rule, why, loop_now_us(x->organs->loop));
	(void)is_well(x, exchange_target(x), &after);
	if (after.state == HEALTH_OPEN && before.state != HEALTH_OPEN)
		note_rest(x, &after);
}

/* It was sent, and its time is over, or its caller gone. */
static void end_unheard(struct exchange *x)
{
	struct fault why = FAULT_NONE;
	struct health_rule rule;
	if (!is_silence(x)) {
		pulse_drop(x);
		return;
	}
	fault_set(&why, ERR_TIMEOUT, "nothing of an answer came within %" PRId64 " ms",
		(loop_now_us(x->organs->loop) - try_of(x)->begun_us) / 1000);
	fault_text(why.code, sizeof why.code, SPAN("silent"));
	conclude(x, false, find_rule(x, &why, &rule) ? &rule : NULL, &why);
}

void pulse_stop(struct exchange *x, const struct attempt_record *r)
{
	if (!try_of(x)->health)
		return;
	if (r->has_sent_body && r->http_status < 400)
		end_unheard(x);
	else
		pulse_drop(x);
}

void pulse_end(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	struct health_rule rule;
	if (!try_of(x)->health)
		return;
	if (outcome == OUTCOME_CANCELLED || why->err == ERR_CANCELLED ||
		why->err == ERR_SLOW_CONSUMER || why->err == ERR_NO_MEMORY ||
		objects_may_be_meant(&x->flight->leg->asked, why)) {
		pulse_drop(x);
		return;
	}
	if (is_impatience(x, why)) {
		if (outcome == OUTCOME_UNKNOWN)
			end_unheard(x);
		else
			pulse_drop(x);
		return;
	}
	const bool has_rule = find_rule(x, why, &rule);
	/* who answers, be it by a no, is there */
	const bool is_good = !why->err || (!has_rule && why->http_status > 0);
	conclude(x, is_good, has_rule ? &rule : NULL, why);
}

void pulse_unproved(struct exchange *x, const struct fault *why)
{
	const struct health_rule *r = retry_rule(why->err, span_str(why->code));
	struct fault said = *why;
	if (!r || !try_of(x)->health) {
		pulse_unsent(x);
		return;
	}
	struct health_rule rule = *r;
	rule.place = HEALTH_KEY;
	shorten_at_home(x, &rule);
	said.http_status = 0; /* it is not the provider who answered */
	conclude(x, false, &rule, &said);
}
