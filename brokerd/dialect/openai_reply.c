/* openai_reply.c - members in, outlet's calls out. */
#include "brokerd/dialect/openai_reply.h"

#include "brokerd/dialect/openai_wire.h"
#include "protocol/limits.h"

bool openai_is_text(struct json v)
{
	return json_kind(v) == JSON_STRING && v.text.n > 2;
}

bool openai_is_filled(struct json v)
{
	struct json_walk w = json_each(v);
	return json_kind(v) == JSON_OBJECT && json_next(&w);
}

bool openai_is_error(struct json v)
{
	int64_t number;
	if (json_kind(v) != JSON_OBJECT)
		return openai_is_text(v);
	for (struct json_walk w = json_each(v); json_next(&w);) {
		const enum json_kind kind = json_kind(w.value);
		const bool says = kind == JSON_STRING   ? w.value.text.n > 2
				  : kind == JSON_NUMBER ? !json_i64(w.value, &number) || number != 0
							: kind > JSON_FALSE;
		if (says)
			return true;
	}
	return false;
}

enum err openai_error(
	struct span host, const struct error_rule *rules, struct json v, struct fault *why)
{
	struct error_body body;
	error_read_json(v, &body);
	return error_inside_of(host, &body, rules, why);
}

enum err openai_about(struct outlet *o, struct json id, struct json model, struct json created)
{
	OWNED(buf_done) struct buf id_text = BUF_INIT(LIMIT_REPLY_BYTES);
	OWNED(buf_done) struct buf model_text = BUF_INIT(LIMIT_REPLY_BYTES);
	double at;
	if (o->is_started)
		return OK;
	json_text_to(id, &id_text);
	json_text_to(model, &model_text);
	if (json_f64(created, &at) && at > 0 && at < 1e15)
		at = at < 1 ? 1 : at;
	else /* Azure's first chunk has neither id nor time, and a later one both */
		at = json_is_nil(created) || id_text.n == 0 ? 0 : -1;
	enum err err = outlet_check(&id_text);
	if (!err)
		err = outlet_check(&model_text);
	return err ? err : outlet_about(o, buf_view(&id_text), buf_view(&model_text), (int64_t)at);
}

enum err openai_counts(struct outlet *o, struct json usage, int64_t cached)
{
	struct llm_usage u, billed;
	if (json_kind(usage) != JSON_OBJECT)
		return OK;
	const char *odd = openai_usage(usage, cached, &u, &billed);
	if (usage_input_total(&u) >= 0 || usage_output_total(&u) >= 0 || u.provider_cost_nusd >= 0)
		outlet_usage_billed(o, &u, &billed);
	const enum err err = outlet_tier(o, json_member(usage, "service_tier")); /* Mistral's */
	if (err)
		return err;
	return odd ? outlet_warn(o, "repaired_response", "usage", odd) : OK;
}

/* Text of an event into the arena: it may be wanted when that is gone. */
static enum err keep(struct outlet *o, struct json v, struct span *out)
{
	buf_clear(&o->piece);
	json_text_to(v, &o->piece);
	const enum err err = outlet_check(&o->piece);
	return err ? err : outlet_keep(o, buf_view(&o->piece), out);
}

enum err openai_ending(
	struct outlet *o, uint32_t choice, struct json reason, struct json stop, struct fault *why)
{
	struct span word, matched = SPAN_NONE;
	enum finish finish;
	if (!openai_is_text(reason))
		return OK;
	enum err err = keep(o, reason, &word);
	if (!err && openai_is_text(stop))
		err = keep(o, stop, &matched);
	if (!err)
		err = openai_finish(word, &finish, why);
	return err ? err : outlet_finish(o, choice, finish, word, matched);
}

enum err openai_unsaid_ending(struct outlet *o, uint32_t choice, bool is_over, struct fault *why)
{
	if (!is_over)
		return fault_set(why, ERR_STREAM_INCOMPLETE,
			"the provider's answer broke off before its end");
	const enum err err = outlet_finish(o, choice, FINISH_STOP, SPAN_NONE, SPAN_NONE);
	return err ? err
		   : outlet_warn(o, "missing_finish", NULL,
			     "the provider did not say why its answer ended");
}

enum err openai_nothing(struct fault *why)
{
	(void)fault_set(why, ERR_SERVER_ERROR, "the provider sent an empty reply");
	fault_text(why->code, sizeof why->code, SPAN("empty_response"));
	return ERR_SERVER_ERROR;
}
