/* openai_members.c - a member each. */
#include "brokerd/dialect/openai_members.h"

#include "brokerd/dialect/bounds.h"

#define STOPS_MAX ((size_t)4)

enum err openai_put_stops(struct scribe *s)
{
	return bounds_put_stops(s, "stop", s->target->quirks.is_openai ? STOPS_MAX : 0);
}

enum err openai_hold_penalties(
	struct scribe *s, struct opt_f64 *presence, struct opt_f64 *frequency)
{
	if (!s->target->quirks.has_penalties) /* they do not go out at all */
		return OK;
	const enum err err = bounds_penalty(s, "presence_penalty", presence);
	return err ? err : bounds_penalty(s, "frequency_penalty", frequency);
}

enum err openai_put_logit_bias(struct scribe *s)
{
	struct json bias;
	bool is_clamped = false;
	if (!span_is_set(s->r->logit_bias))
		return OK;
	if (json_scan(s->r->logit_bias, JSON_STRICT, &bias, s->why) != OK)
		return ERR_INVALID_REQUEST;
	json_key(&s->o, "logit_bias");
	json_open(&s->o, '{');
	for (struct json_walk w = json_each(bias); json_next(&w);) {
		double v;
		bool is_id = w.name.n > 0;
		for (size_t i = 0; i < w.name.n; i++)
			is_id = is_id && w.name.p[i] >= '0' && w.name.p[i] <= '9';
		if (!is_id || !json_f64(w.value, &v))
			return fault_param(s->why, ERR_INVALID_REQUEST, "logit_bias",
				"logit_bias has a number for each token id in decimal");
		json_key_raw(&s->o, w.name);
		if (v >= -100 && v <= 100) {
			json_put_raw(&s->o, w.value.text);
			continue;
		}
		json_put_i64(&s->o, v < 0 ? -100 : 100);
		is_clamped = true;
	}
	json_close(&s->o, '}');
	return is_clamped ? scribe_change(s, "clamped_parameter", "logit_bias",
				    "values were held within -100 to 100")
			  : OK;
}

enum err openai_put_n(struct scribe *s)
{
	if (!s->r->n.is_set || s->r->n.v == 1)
		return OK;
	if (s->r->n.v < 1 || s->r->n.v > 128)
		return fault_param(s->why, ERR_INVALID_REQUEST, "n", "n must be 1 to 128");
	if (!s->target->quirks.has_n)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	s->notes->n_choices = s->r->n.v;
	json_pair_i64(&s->o, "n", s->r->n.v);
	return OK;
}

enum err openai_put_stream(struct scribe *s)
{
	if (s->notes->is_reply_streamed)
		json_pair_bool(&s->o, "stream", true);
	if (!s->notes->is_reply_streamed || !s->target->quirks.has_stream_options)
		return scribe_drop_below(s, &s->r->extra, "", "stream_options.");
	json_key(&s->o, "stream_options");
	json_open(&s->o, '{');
	json_pair_bool(&s->o, "include_usage", true);
	const enum err err =
		scribe_extra_below(s, &s->r->extra, "", "stream_options.", " include_usage ");
	json_close(&s->o, '}');
	return err;
}
