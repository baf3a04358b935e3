/* bounds.c - what is too much goes out as the nearest that is taken. */
#include "brokerd/dialect/bounds.h"

/* Bounds are in thousandths; of `most` 0 is none. */
static enum err hold(
	struct scribe *s, const char *name, int64_t least, int64_t most, struct opt_f64 *v)
{
	const double low = (double)least / 1000, high = (double)most / 1000;
	const double was = v->v;
	if (!v->is_set || (was >= low && (most == 0 || was <= high)))
		return OK;
	v->v = was < low ? low : high;
	return scribe_change(s, "clamped_parameter", name,
		"%s went out as %g, the nearest that %.*s takes", name, v->v,
		SPAN_ARG(s->target->provider));
}

enum err bounds_temperature(struct scribe *s, struct opt_f64 *v)
{
	const struct quirks *q = &s->target->quirks;
	return hold(s, "temperature", q->temperature_min_milli, q->temperature_max_milli, v);
}

enum err bounds_top_p(struct scribe *s, struct opt_f64 *v)
{
	const struct quirks *q = &s->target->quirks;
	return hold(s, "top_p", q->top_p_min_milli, q->top_p_max_milli, v);
}

enum err bounds_penalty(struct scribe *s, const char *name, struct opt_f64 *v)
{
	const int64_t most = s->target->quirks.penalty_max_milli;
	return most > 0 ? hold(s, name, -most, most, v) : OK;
}

enum err bounds_top_logprobs(struct scribe *s, struct opt_i64 *v)
{
	const int64_t most = s->target->quirks.top_logprobs_max;
	if (!v->is_set || (v->v >= 0 && (most == 0 || v->v <= most)))
		return OK;
	v->v = v->v < 0 ? 0 : most;
	return scribe_change(s, "clamped_parameter", "top_logprobs",
		"top_logprobs went out as %lld, the nearest that %.*s takes", (long long)v->v,
		SPAN_ARG(s->target->provider));
}

enum err bounds_max_tokens(struct scribe *s, int64_t *n)
{
	const int64_t most = s->target->max_output_tokens;
	*n = s->r->max_tokens.is_set ? s->r->max_tokens.v : 0;
	if (!s->r->max_tokens.is_set)
		return OK;
	if (*n < 1)
		return fault_param(
			s->why, ERR_INVALID_REQUEST, "max_tokens", "max_tokens must be 1 or more");
	if (most <= 0 || *n <= most)
		return OK;
	*n = most;
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"%.*s writes at most %lld tokens", SPAN_ARG(s->target->model), (long long)most);
}

void bounds_output(const struct dialect_op *op, const struct llm_request *r, const struct target *t,
	struct output_bound *out)
{
	const struct opt_i64 *asked = &r->max_tokens;
	const int64_t most = t->max_output_tokens;
	*out = (struct output_bound){.asked = most > 0 ? most : -1, .least = 1};
	if (asked->is_set && (most <= 0 || asked->v < most))
		out->asked = asked->v < 0 ? 0 : asked->v;
	if (op && op->bound_output)
		op->bound_output(r, t, out);
}

enum err bounds_put_stops(struct scribe *s, const char *name, size_t most)
{
	const struct span *const stop = s->r->stop;
	size_t n = 0;
	enum err err = OK;
	if (s->r->n_stop == 0)
		return OK;
	json_key(&s->o, name);
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_stop; i++) {
		bool is_new = true;
		for (size_t j = 0; j < i; j++)
			is_new = is_new && !span_eq(stop[i], stop[j]);
		if (!is_new)
			continue;
		if (most == 0 || n++ < most)
			json_put_str(&s->o, stop[i]);
		else if (n == most + 1)
			err = scribe_drop(s, "stop",
				"%.*s takes %zu stop sequences: the first were kept",
				SPAN_ARG(s->target->provider), most);
	}
	json_close(&s->o, ']');
	return err;
}
