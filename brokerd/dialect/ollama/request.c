/* request.c - the unified request as this family writes it: what is asked, in a fixed order; how the
 * model is run stands in `options`. */
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/ollama/ollama.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_REQUEST \
	" model messages tools think format options options. logprobs top_logprobs stream "
#define KNOWN_IN_OPTIONS                                                              \
	" num_predict temperature top_p top_k min_p repeat_penalty presence_penalty " \
	"frequency_penalty seed stop "

/* ---- reasoning ---- */

static enum err put_level(struct scribe *s, struct span effort)
{
	const struct span taken = s->target->quirks.efforts;
	const struct span nearest =
		words_have(taken, effort) ? effort : effort_nearest(taken, effort);
	if (!span_is_set(nearest))
		return reason_lack(s, "takes no effort");
	json_pair_str(&s->o, "think", nearest);
	if (span_eq(nearest, effort))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"the effort went out as \"%.*s\", the nearest that %.*s takes", SPAN_ARG(nearest),
		SPAN_ARG(s->target->model));
}

static enum err put_think(struct scribe *s)
{
	const struct reasoning *r = &s->r->reasoning;
	const enum reasons reasons = s->target->quirks.reasons;
	const bool is_off = span_is(r->effort, "none");
	struct span effort = r->effort;
	enum err err = OK;
	if (!span_is_set(effort) && !r->budget_tokens.is_set)
		return OK;
	if (!is_off && reasons == REASONS_NEVER)
		return reason_lack(s, "does not reason");
	if (is_off && reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (is_off) {
		if (reasons != REASONS_NEVER)
			json_pair_bool(&s->o, "think", false);
		return OK;
	}
	if (!span_is_set(effort))
		effort = effort_of_budget(r->budget_tokens.v);
	if (r->budget_tokens.is_set)
		err = scribe_change(s, "emulated", "reasoning.budget_tokens",
			"the provider takes no budget of tokens: the effort \"%.*s\" stands for it",
			SPAN_ARG(effort));
	if (err)
		return err;
	if (span_is_set(s->target->quirks.efforts))
		return put_level(s, effort);
	json_pair_bool(&s->o, "think", true);
	if (span_is(effort, "medium"))
		return OK; /* what is usual */
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"%.*s thinks as much as it sees fit, whatever the effort (\"%.*s\")",
		SPAN_ARG(s->target->model), SPAN_ARG(effort));
}

/* ---- options ---- */

static enum err put_num_predict(struct scribe *s)
{
	int64_t n;
	const enum err err = bounds_max_tokens(s, &n);
	if (n > 0)
		json_pair_i64(&s->o, "num_predict", n);
	return err;
}

static bool has_options(const struct scribe *s)
{
	const struct llm_request *r = s->r;
	for (size_t i = 0; i < r->extra.n; i++) {
		if (span_eq(r->extra.family, s->target->family) &&
			span_starts(r->extra.members[i].name, SPAN("options.")))
			return true;
	}
	return r->max_tokens.is_set || r->temperature.is_set || r->top_p.is_set ||
	       r->top_k.is_set || r->min_p.is_set || r->repetition_penalty.is_set ||
	       r->presence_penalty.is_set || r->frequency_penalty.is_set || r->seed.is_set ||
	       r->n_stop > 0 || s->target->context_tokens > 0;
}

static enum err put_options(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct json_out *o = &s->o;
	if (!has_options(s)) /* foreign ones are told of */
		return scribe_extra_below(s, &r->extra, "", "options.", KNOWN_IN_OPTIONS);
	json_key(o, "options");
	json_open(o, '{');
	struct opt_f64 heat = r->temperature, top_p = r->top_p;
	enum err err = put_num_predict(s);
	if (!err)
		err = bounds_temperature(s, &heat);
	if (!err)
		err = bounds_top_p(s, &top_p);
	scribe_put_number(s, "temperature", heat);
	scribe_put_number(s, "top_p", top_p);
	if (r->top_k.is_set)
		json_pair_i64(o, "top_k", r->top_k.v);
	scribe_put_number(s, "min_p", r->min_p);
	scribe_put_number(s, "repeat_penalty", r->repetition_penalty);
	scribe_put_number(s, "presence_penalty", r->presence_penalty);
	scribe_put_number(s, "frequency_penalty", r->frequency_penalty);
	if (r->seed.is_set)
		json_pair_i64(o, "seed", r->seed.v);
	if (!err)
		err = bounds_put_stops(s, "stop", 0);
	/* the default is small, and what does not fit would be cut off */
	if (s->target->context_tokens > 0 && !scribe_has_extra(s, &r->extra, "options.num_ctx"))
		json_pair_i64(o, "num_ctx", s->target->context_tokens);
	if (!err)
		err = scribe_extra_below(s, &r->extra, "", "options.", KNOWN_IN_OPTIONS);
	json_close(o, '}');
	return err;
}

/* ---- tools and format ---- */

/* The wire has no word for a choice: without tools nothing is called; to be called, none can be made. */
static enum err put_tools(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	enum err err = OK;
	if (c->mode == CHOICE_REQUIRED || c->mode == CHOICE_NAMED)
		return scribe_refuse(s, "tool_choice", "%.*s cannot be made to call a tool",
			SPAN_ARG(s->target->provider));
	if (s->r->n_tools == 0 || c->mode == CHOICE_NONE)
		return OK;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (tools_is_allowed(s->r, &s->r->tools[i]))
			err = functions_put_tool(s, &s->r->tools[i], i);
	}
	json_close(&s->o, ']');
	if (!err && s->r->parallel_tool_calls.is_set && !s->r->parallel_tool_calls.v)
		err = scribe_drop(s, "parallel_tool_calls",
			"%.*s cannot be kept from calling several tools at once",
			SPAN_ARG(s->target->provider));
	return err;
}

static void put_format(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	if (f->type == FORMAT_JSON)
		json_pair_str(&s->o, "format", SPAN("json"));
	else if (f->type == FORMAT_SCHEMA)
		json_pair_raw(&s->o, "format", f->schema);
}

/* ---- the rest ---- */

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct unsaid unknown[] = {
		{"logit_bias",                  span_is_set(r->logit_bias)                 },
		{"user",                        span_is_set(r->user)                       },
		{"metadata",                    r->n_metadata > 0                          },
		{"service_tier",                span_is_set(r->service_tier)               },
		{"verbosity",                   span_is_set(r->verbosity)                  },
		{"response_format.description", span_is_set(r->response_format.description)},
	};
	if (r->n.is_set && r->n.v != 1)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < r->n_modalities; i++) {
		if (!span_is(r->modalities[i], "text"))
			return scribe_refuse(s, "modalities", "%.*s answers in text only",
				SPAN_ARG(s->target->provider));
	}
	enum err err = scribe_drop_unsaid(s, unknown, COUNT_OF(unknown));
	if (!err)
		err = scribe_drop_names(s);
	return err ? err : scribe_drop_marks(s);
}

static enum err put_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if ((r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set)
		json_pair_bool(&s->o, "logprobs", true);
	if (r->top_logprobs.is_set)
		json_pair_i64(&s->o, "top_logprobs", r->top_logprobs.v);
	/* what is too long is an error, and not cut in silence */
	if (!scribe_has_extra(s, &r->extra, "truncate"))
		json_pair_bool(&s->o, "truncate", false);
	const enum err err = drop_unknown(s);
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_REQUEST);
}

static enum err put_body(struct scribe *s)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "model", s->target->model);
	enum err err = tools_check(s);
	if (!err)
		err = ollama_put_messages(s);
	if (!err)
		err = put_tools(s);
	put_format(s);
	if (!err)
		err = put_think(s);
	if (!err)
		err = put_options(s);
	if (!err)
		err = put_rest(s);
	json_pair_bool(&s->o, "stream", s->notes->is_reply_streamed);
	json_close(&s->o, '}');
	return err;
}

enum err ollama_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	const struct place place = {
		.path = "/api/chat",
		.accept = r->is_stream ? "application/x-ndjson" : NULL,
	};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	enum err err = put_body(&s);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
