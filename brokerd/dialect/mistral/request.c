/* request.c - the unified request as this family writes it: what is asked, in a fixed order. The
 * provider refuses members that it does not know, so nothing goes out that is not listed here. */
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/json_words.h"
#include "brokerd/dialect/mistral/mistral.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define NAME_BYTES ((size_t)64)
#define SEED_MASK  INT64_C(0x7fffffff)

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_REQUEST                                                                          \
	" model messages tools tool_choice parallel_tool_calls response_format response_format. " \
	"max_tokens "                                                                             \
	"reasoning_effort temperature top_p presence_penalty frequency_penalty "                  \
	"random_seed stop n metadata service_tier prompt_cache_key stream "

/* ---- reasoning ---- */

/* What was asked for as a word of effort; absent: nothing was. */
static enum err asked_effort(struct scribe *s, struct span *effort)
{
	const struct reasoning *r = &s->r->reasoning;
	*effort = r->effort;
	if (!r->budget_tokens.is_set)
		return OK;
	if (span_is_set(r->effort))
		return scribe_drop(s, "reasoning.budget_tokens",
			"the provider takes no budget of tokens; the effort decides");
	*effort = effort_of_budget(r->budget_tokens.v);
	return scribe_change(s, "emulated", "reasoning.budget_tokens",
		"the provider takes no budget of tokens: the effort \"%.*s\" stands for it",
		SPAN_ARG(*effort));
}

/* Models that always reason have a mode for it, and no measure. */
static enum err put_mode(struct scribe *s, struct span effort)
{
	if (!scribe_has_extra(s, &s->r->extra, "prompt_mode")) /* the caller's word stands */
		json_pair_str(&s->o, "prompt_mode", SPAN("reasoning"));
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"%.*s reasons as much as it sees fit, whatever the effort (\"%.*s\")",
		SPAN_ARG(s->target->model), SPAN_ARG(effort));
}

static enum err put_reasoning(struct scribe *s)
{
	const struct quirks *q = &s->target->quirks;
	struct span effort, nearest;
	const enum err err = asked_effort(s, &effort);
	if (err || !span_is_set(effort))
		return err;
	if (span_is(effort, "none") && q->reasons == REASONS_NEVER)
		return OK;
	if (span_is(effort, "none") && q->reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (q->reasons == REASONS_NEVER)
		return reason_lack(s, "does not reason");
	if (q->reasoning_by == REASONING_BY_MODE)
		return put_mode(s, effort);
	nearest = effort;
	if (span_is_set(q->efforts) && !words_have(q->efforts, effort))
		nearest = effort_nearest(q->efforts, effort);
	if (!span_is_set(nearest))
		return reason_lack(s, "takes no effort");
	json_pair_str(&s->o, "reasoning_effort", nearest);
	if (span_eq(nearest, effort))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"the effort went out as \"%.*s\", the nearest that %.*s takes", SPAN_ARG(nearest),
		SPAN_ARG(s->target->model));
}

/* ---- limits and sampling ---- */

static enum err put_max_tokens(struct scribe *s)
{
	int64_t n;
	const enum err err = bounds_max_tokens(s, &n);
	if (n > 0)
		json_pair_i64(&s->o, "max_tokens", n);
	return err;
}

static enum err put_temperature(struct scribe *s)
{
	struct opt_f64 t = s->r->temperature;
	const enum err err = bounds_temperature(s, &t);
	scribe_put_number(s, "temperature", t);
	return err;
}

static enum err put_seed(struct scribe *s)
{
	const int64_t seed = s->r->seed.v;
	if (!s->r->seed.is_set)
		return OK;
	json_pair_i64(&s->o, "random_seed", seed < 0 ? seed & SEED_MASK : seed);
	return seed < 0 ? scribe_change(s, "clamped_parameter", "seed",
				  "the seed went out as %lld: the provider takes none below 0",
				  (long long)(seed & SEED_MASK))
			: OK;
}

static enum err put_n(struct scribe *s)
{
	const struct opt_i64 n = s->r->n;
	if (!n.is_set || n.v == 1)
		return OK;
	if (n.v < 1 || n.v > 128)
		return fault_param(s->why, ERR_INVALID_REQUEST, "n", "n must be 1 to 128");
	if (!s->target->quirks.has_n)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	s->notes->n_choices = n.v;
	json_pair_i64(&s->o, "n", n.v);
	return OK;
}

static enum err put_sampling(struct scribe *s)
{
	enum err err = put_temperature(s);
	scribe_put_number(s, "top_p", s->r->top_p);
	scribe_put_number(s, "presence_penalty", s->r->presence_penalty);
	scribe_put_number(s, "frequency_penalty", s->r->frequency_penalty);
	if (!err)
		err = put_seed(s);
	if (!err)
		err = bounds_put_stops(s, "stop", 0);
	return err ? err : put_n(s);
}

/* ---- tools ---- */

/* A call that is forced goes out as "any", with only the tools among which there is a choice. */
static enum err put_tools(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	const struct opt_bool parallel = s->r->parallel_tool_calls;
	enum err err = OK;
	if (s->r->n_tools == 0)
		return OK;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (tools_is_allowed(s->r, &s->r->tools[i]))
			err = functions_put_tool(s, &s->r->tools[i], i);
	}
	json_close(&s->o, ']');
	if (c->mode == CHOICE_NONE)
		json_pair_str(&s->o, "tool_choice", SPAN("none"));
	else if (c->mode == CHOICE_REQUIRED || c->mode == CHOICE_NAMED)
		json_pair_str(&s->o, "tool_choice", SPAN("any"));
	if (err || !parallel.is_set)
		return err;
	if (s->target->quirks.has_parallel_flag)
		json_pair_bool(&s->o, "parallel_tool_calls", parallel.v);
	else if (!parallel.v)
		return scribe_drop(s, "parallel_tool_calls",
			"%.*s cannot be kept from calling several tools at once",
			SPAN_ARG(s->target->provider));
	return OK;
}

/* ---- the rest ---- */

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct unsaid unknown[] = {
		{"top_k",              r->top_k.is_set						},
		{"min_p",              r->min_p.is_set						},
		{"repetition_penalty", r->repetition_penalty.is_set                                   },
		{"logit_bias",         span_is_set(r->logit_bias)                                     },
		{"logprobs",           (r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set},
		{"verbosity",          span_is_set(r->verbosity)                                      },
		{"user",               span_is_set(r->user)                                           },
	};
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
	enum err err = drop_unknown(s);
	if (r->n_metadata > 0) {
		json_key(&s->o, "metadata");
		json_open(&s->o, '{');
		for (size_t i = 0; i < r->n_metadata; i++) {
			scribe_key(s, r->metadata[i].key);
			json_put_str(&s->o, r->metadata[i].value);
		}
		json_close(&s->o, '}');
	}
	if (span_is(r->service_tier, "auto") || span_is(r->service_tier, "standard_only"))
		json_pair_str(&s->o, "service_tier", r->service_tier);
	else if (!err && span_is_set(r->service_tier))
		err = scribe_drop(s, "service_tier",
			"%.*s knows the service tiers \"auto\" and \"standard_only\"",
			SPAN_ARG(s->target->provider));
	json_pair_str(&s->o, "prompt_cache_key", r->cache_key);
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_REQUEST);
}

static enum err put_body(struct scribe *s)
{
	struct json_words words = {.lead = SPAN_NONE};
	enum err err = tools_prepare(s, NAME_BYTES); /* before calls that use the names */
	if (!err)
		err = json_words_plan(s, &words);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "model", s->target->model);
	if (!err) /* both stand at the beginning: the provider takes no system text later */
		err = mistral_put_messages(s, span_is_set(words.lead) ? words.lead : words.tail);
	if (!err)
		err = put_tools(s);
	if (!err)
		err = openai_chat_put_format(s);
	if (!err)
		err = put_max_tokens(s);
	if (!err)
		err = put_reasoning(s);
	if (!err)
		err = put_sampling(s);
	if (!err)
		err = put_rest(s);
	if (s->notes->is_reply_streamed)
		json_pair_bool(&s->o, "stream", true);
	json_close(&s->o, '}');
	return err;
}

enum err mistral_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	enum err err = put_body(&s);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	const struct place place = {
		.path = "/chat/completions",
		.method = notes->is_reply_streamed ? "streamRawPredict" : "rawPredict",
	};
	if (!err)
		err = scribe_address(&s, &place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
