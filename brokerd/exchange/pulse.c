/* pulse.c - what is answered here needs no health; what a caller did says nothing of a provider. */
#include "brokerd/exchange/pulse.h"

#include <inttypes.h>
#include <stdio.h>

#include "brokerd/log/log.h"
#include "brokerd/route/retry.h"

static struct health_subject subject(const struct exchange *x)
{
	const struct target *t = exchange_target(x);
	return (struct health_subject){t->provider, t->key, t->model};
}

static bool is_followed(const struct exchange *x)
{
	return x->organs->health && !attempt_is_local(exchange_target(x), x->flight->op);
}

static bool is_last(const struct exchange *x)
{
	const struct flight *f = x->flight;
	return retry_next(NEXT_KEY, f->route.targets, f->route.n, f->target) == f->route.n;
}

/* The sentence of what it rests for, and until when. */
static void tell_rest(const struct exchange *x, const struct health_view *v, struct fault *why)
{
	const struct target *t = exchange_target(x);
	const int64_t wait_us = v->until_us - loop_now_us(x->organs->loop);
	const int64_t wait_ms = v->state != HEALTH_OPEN || wait_us < 1000 ? 1000 : wait_us / 1000;
	char when[64] = "is being tried by another call just now";
	if (v->state == HEALTH_OPEN)
		(void)snprintf(when, sizeof when, "is not asked for another %" PRId64 " s",
			(wait_ms + 999) / 1000);
	*why = v->why;
	(void)snprintf(why->message, sizeof why->message,
		"%.*s/%.*s %s, because of what was said last: %.700s",
		SPAN_ARG(span_first(t->provider, 64)), SPAN_ARG(span_first(t->model, 128)), when,
		v->why.message);
	why->retry_after_ms = wait_ms;
}

bool pulse_may_ask(const struct exchange *x, struct fault *why)
{
	struct health_view view;
	const struct health_subject s = subject(x);
	if (!is_followed(x) || health_may_ask(x->organs->health, &s, loop_now_us(x->organs->loop),
				       is_last(x), &view))
		return true;
	tell_rest(x, &view, why);
	return false;
}

bool pulse_view(const struct exchange *x, struct health_view *out)
{
	const struct health_subject s = subject(x);
	if (!is_followed(x))
		return false;
	health_look(x->organs->health, &s, loop_now_us(x->organs->loop), out);
	return true;
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
	const struct health_subject s = subject(x);
	if (is_followed(x))
		health_begin(x->organs->health, &s, loop_now_us(x->organs->loop), &x->pulse);
}

void pulse_first(struct exchange *x)
{
	health_first(&x->pulse, loop_now_us(x->organs->loop));
}

void pulse_drop(struct exchange *x)
{
	health_end(&x->pulse, false, NULL, &FAULT_NONE, loop_now_us(x->organs->loop));
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

void pulse_end(struct exchange *x, enum outcome outcome, const struct fault *why)
{
	const int64_t now_us = loop_now_us(x->organs->loop);
	const struct health_subject s = subject(x);
	const struct health_rule *rule = retry_rule(why->err, span_str(why->code));
	struct health_view before, after;
	if (!x->pulse.health)
		return;
	if (outcome == OUTCOME_CANCELLED || why->err == ERR_CANCELLED ||
		why->err == ERR_SLOW_CONSUMER || why->err == ERR_NO_MEMORY) {
		pulse_drop(x);
		return;
	}
	health_look(x->organs->health, &s, now_us, &before);
	/* who answers, be it by a no, is there */
	health_end(&x->pulse, !why->err || !rule, rule, why, now_us);
	health_look(x->organs->health, &s, now_us, &after);
	if (after.state == HEALTH_OPEN && before.state != HEALTH_OPEN)
		note_rest(x, &after);
}
