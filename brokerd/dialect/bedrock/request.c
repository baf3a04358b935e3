/* request.c - the unified request as this family writes it: what is asked, in a fixed order. What the
 * vendors behind it have of their own goes below additionalModelRequestFields. */
#include <stdio.h>

#include "brokerd/dialect/bedrock/bedrock.h"
#include "brokerd/dialect/bedrock/tools.h"
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/emulate.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/thinking.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define NAME_BYTES ((size_t)64)

/* The names that are written here, for scribe_extra; a dot leads to another list. */
#define KNOWN_IN_REQUEST                                                                         \
	" system messages inferenceConfig toolConfig additionalModelRequestFields outputConfig " \
	"serviceTier requestMetadata inferenceConfig. toolConfig. "                              \
	"additionalModelRequestFields. outputConfig. serviceTier. "
#define KNOWN_IN_INFERENCE " maxTokens temperature topP stopSequences "
#define KNOWN_IN_OUTPUT    " textFormat textFormat. "
#define KNOWN_IN_FORMAT    " type structure structure. "
#define KNOWN_IN_STRUCTURE " jsonSchema jsonSchema. "
#define KNOWN_IN_SCHEMA    " schema name description "
#define KNOWN_IN_TIER      " type "

#define IN_INFERENCE "inferenceConfig."
#define IN_FIELDS    "additionalModelRequestFields."
#define IN_OUTPUT    "outputConfig."
#define IN_FORMAT    IN_OUTPUT "textFormat."
#define IN_STRUCTURE IN_FORMAT "structure."
#define IN_SCHEMA    IN_STRUCTURE "jsonSchema."
#define IN_TIER      "serviceTier."

/* What the request comes to, found out before anything is written. */
struct asked {
	struct thinking thinking; /* its kind, where the model thinks as Claude does */
	bool has_max_tokens;
	struct span effort;    /* of the other ways to reason; absent: nothing is said */
	bool is_reasoning_off; /* which must be said */
	struct bedrock_tools tools;
	struct span words; /* a system text of ours; absent: none */
};

/* ---- reasoning ---- */

static bool has_claude_thinking(const struct target *t)
{
	const enum reasoning_by by = t->quirks.reasoning_by;
	return by == REASONING_BY_BUDGET || by == REASONING_BY_ADAPTIVE;
}

void bedrock_bound_output(
	const struct llm_request *r, const struct target *t, struct output_bound *out)
{
	struct output_bound own = *out;
	if (has_claude_thinking(t))
		thinking_bound_output(r, t, &own);
	if (own.reasoning > 0)
		*out = own; /* else no more than is asked goes out */
}

static enum err choose_off(struct scribe *s, struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	if (q->reasons == REASONS_ALWAYS && !words_have(q->efforts, SPAN("none")))
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	a->is_reasoning_off = q->reasoning_by == REASONING_BY_LEVEL;
	if (q->reasoning_by == REASONING_BY_EFFORT && words_have(q->efforts, SPAN("none")))
		a->effort = SPAN("none");
	return OK;
}

/* By a word of the model's own, where it has one. */
static enum err choose_effort(struct scribe *s, struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	const struct reasoning *r = &s->r->reasoning;
	if (span_is(r->effort, "none"))
		return choose_off(s, a);
	if (!span_is_set(r->effort) && !r->budget_tokens.is_set)
		return OK;
	if (q->reasons == REASONS_ALWAYS && q->reasoning_by == REASONING_BY_NOTHING)
		return scribe_change(s, "clamped_parameter", "reasoning",
			"%.*s reasons as much as it likes", SPAN_ARG(s->target->model));
	if (q->reasons == REASONS_NEVER || q->reasoning_by == REASONING_BY_NOTHING)
		return reason_lack(s, "does not reason");
	const struct span wanted =
		span_is_set(r->effort) ? r->effort : effort_of_budget(r->budget_tokens.v);
	a->effort = effort_nearest(q->efforts, wanted);
	if (span_eq(a->effort, r->effort))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning",
		"%.*s is told an effort: \"%.*s\" was asked for", SPAN_ARG(s->target->model),
		SPAN_ARG(a->effort));
}

static enum err choose_reasoning(struct scribe *s, struct asked *a)
{
	const bool is_claude = has_claude_thinking(s->target);
	if (s->r->max_tokens.is_set && s->r->max_tokens.v < 1)
		return fault_param(s->why, ERR_INVALID_REQUEST, "max_tokens",
			"the answer must have room for a token at least");
	enum err err = is_claude ? thinking_choose(s, &a->thinking)
				 : thinking_fit_max_tokens(s, &a->thinking);
	if (!err && !is_claude)
		err = choose_effort(s, a);
	/* the model's own bound holds where none is asked for, but a budget must fit in */
	a->has_max_tokens = s->r->max_tokens.is_set ||
			    (a->thinking.kind == THINKING_ENABLED && a->thinking.max_tokens > 0);
	return err;
}

/* ---- structured output ---- */

static bool has_native_schema(const struct scribe *s)
{
	return s->r->response_format.type == FORMAT_SCHEMA && s->target->quirks.has_json_schema;
}

static bool can_force(const struct scribe *s, const struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	return q->has_tools && q->forcing != FORCING_NEVER &&
	       a->thinking.kind != THINKING_ENABLED &&
	       (q->forcing == FORCING_ALWAYS || !span_is_set(a->effort)) &&
	       s->r->tool_choice.mode != CHOICE_NAMED;
}

static enum err choose_format(struct scribe *s, struct asked *a)
{
	const struct response_format *f = &s->r->response_format;
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT || has_native_schema(s))
		return OK;
	a->tools.has_json_tool = f->type == FORMAT_SCHEMA && can_force(s, a);
	return a->tools.has_json_tool ? emulate_by_tool(s) : emulate_by_words(s, &a->words);
}

static enum err put_json_schema(struct scribe *s)
{
	struct json_out *o = &s->o;
	const struct response_format *f = &s->r->response_format;
	struct span name = SPAN("response");
	enum err err = OK;
	if (f->name.n > 0)
		err = name_legal(s->notes->arena, f->name, NAME_BYTES, &name);
	json_key(o, "textFormat");
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("json_schema"));
	json_key(o, "structure");
	json_open(o, '{');
	json_key(o, "jsonSchema");
	json_open(o, '{');
	json_pair_str(o, "schema", f->schema);
	json_pair_str(o, "name", name);
	json_pair_str(o, "description", f->description);
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_SCHEMA, KNOWN_IN_SCHEMA);
	json_close(o, '}');
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_STRUCTURE, KNOWN_IN_STRUCTURE);
	json_close(o, '}');
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_FORMAT, KNOWN_IN_FORMAT);
	json_close(o, '}');
	return err;
}

static enum err put_output_config(struct scribe *s)
{
	const struct extra *e = &s->r->extra;
	enum err err = OK;
	if (!has_native_schema(s))
		err = scribe_drop_below(s, e, "", IN_FORMAT);
	const bool is_open = has_native_schema(s) || scribe_has_extra_below(s, e, IN_OUTPUT);
	if (is_open) {
		json_key(&s->o, "outputConfig");
		json_open(&s->o, '{');
	}
	if (!err && has_native_schema(s))
		err = put_json_schema(s);
	if (!err)
		err = scribe_extra_below(s, e, "", IN_OUTPUT, KNOWN_IN_OUTPUT);
	if (is_open)
		json_close(&s->o, '}');
	return err;
}

/* ---- sampling and limits ---- */

static enum err put_temperature(struct scribe *s, const struct asked *a)
{
	struct opt_f64 t = s->r->temperature;
	const struct quirks *q = &s->target->quirks;
	const bool is_shut_out = q->sampling == SAMPLING_NONE || thinking_is_on(&a->thinking);
	if (!t.is_set || (is_shut_out && scribe_is_one(t.v)))
		return OK;
	if (is_shut_out)
		return scribe_drop(s, "temperature", "%.*s takes no temperature%s",
			SPAN_ARG(s->target->model),
			q->sampling == SAMPLING_NONE ? "" : " while it reasons");
	const enum err err = bounds_temperature(s, &t);
	json_key(&s->o, "temperature");
	json_put_f64(&s->o, t.v);
	return err;
}

static enum err put_top_p(struct scribe *s, const struct asked *a)
{
	const struct opt_f64 p = s->r->top_p;
	const enum sampling sampling = s->target->quirks.sampling;
	if (!p.is_set)
		return OK;
	if (sampling == SAMPLING_NONE)
		return scribe_drop(s, "top_p", "%.*s takes no top_p", SPAN_ARG(s->target->model));
	if (sampling == SAMPLING_ONE_OF && s->r->temperature.is_set)
		return scribe_drop(s, "top_p", "%.*s takes temperature or top_p, not both",
			SPAN_ARG(s->target->model));
	if (thinking_is_on(&a->thinking) && p.v < 0.95)
		return scribe_drop(s, "top_p", "%.*s takes no top_p below 0.95 while it reasons",
			SPAN_ARG(s->target->model));
	json_key(&s->o, "topP");
	json_put_f64(&s->o, p.v);
	return OK;
}

/* The `i`th stop sequence, or is it one that is left out? */
static bool is_stop_taken(const struct llm_request *r, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (span_eq(r->stop[i], r->stop[j]))
			return false;
	}
	return span_trim(r->stop[i]).n > 0;
}

static enum err put_stop(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const int64_t most = s->target->quirks.stops_max;
	bool has_blank = false;
	int64_t n = 0;
	if (r->n_stop == 0)
		return OK;
	if (!s->target->quirks.has_stop)
		return scribe_drop(
			s, "stop", "%.*s takes no stop sequences", SPAN_ARG(s->target->model));
	for (size_t i = 0; i < r->n_stop; i++) {
		has_blank = has_blank || span_trim(r->stop[i]).n == 0;
		if (!is_stop_taken(r, i) || (n++ >= most && most > 0))
			continue;
		if (n == 1) {
			json_key(&s->o, "stopSequences");
			json_open(&s->o, '[');
		}
		json_put_str(&s->o, r->stop[i]);
	}
	if (n > 0)
		json_close(&s->o, ']');
	enum err err = OK;
	if (has_blank)
		err = scribe_drop(
			s, "stop", "the provider takes no stop sequences of white space alone");
	if (!err && most > 0 && n > most)
		err = scribe_change(s, "clamped_parameter", "stop",
			"%.*s takes %lld stop sequences: the first of them went out",
			SPAN_ARG(s->target->model), (long long)most);
	return err;
}

static enum err put_inference(struct scribe *s, const struct asked *a)
{
	struct json_out *o = &s->o;
	const size_t before = o->to->n;
	const bool had_value = o->has_value;
	json_key(o, "inferenceConfig");
	json_open(o, '{');
	const size_t opened = o->to->n;
	if (a->has_max_tokens)
		json_pair_i64(o, "maxTokens", a->thinking.max_tokens);
	enum err err = put_temperature(s, a);
	if (!err)
		err = put_top_p(s, a);
	if (!err)
		err = put_stop(s);
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_INFERENCE, KNOWN_IN_INFERENCE);
	json_close(o, '}');
	if (!buf_error(o->to) && o->to->n == opened + 1) { /* nothing came */
		buf_cut(o->to, before);
		o->has_value = had_value;
	}
	return err;
}

/* ---- what the vendors have of their own ---- */

static enum err put_top_k(struct scribe *s, const struct asked *a)
{
	const struct quirks *q = &s->target->quirks;
	struct json_out *o = &s->o;
	if (!s->r->top_k.is_set)
		return OK;
	if (!q->has_top_k || q->sampling == SAMPLING_NONE || thinking_is_on(&a->thinking))
		return scribe_drop(s, "top_k", "%.*s takes no top_k%s", SPAN_ARG(s->target->model),
			thinking_is_on(&a->thinking) ? " while it reasons" : "");
	if (!span_is(q->top_k_field, "inferenceConfig.topK")) {
		json_pair_i64(o, "top_k", s->r->top_k.v);
		return OK;
	}
	json_key(o, "inferenceConfig");
	json_open(o, '{');
	json_pair_i64(o, "topK", s->r->top_k.v);
	json_close(o, '}');
	return OK;
}

static enum err put_reasoning(struct scribe *s, const struct asked *a)
{
	struct json_out *o = &s->o;
	const enum err err = thinking_put(s, &a->thinking, IN_FIELDS "thinking.");
	if (span_is_set(a->thinking.effort)) {
		json_key(o, "output_config");
		json_open(o, '{');
		json_pair_str(o, "effort", a->thinking.effort);
		json_close(o, '}');
	}
	if (a->is_reasoning_off) {
		json_key(o, "reasoningConfig");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("disabled"));
		json_close(o, '}');
	}
	if (!span_is_set(a->effort)) {
		/* nothing is said */
	} else if (s->target->quirks.reasoning_by == REASONING_BY_LEVEL) {
		json_key(o, "reasoningConfig");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("enabled"));
		json_pair_str(o, "maxReasoningEffort", a->effort);
		json_close(o, '}');
	} else if (s->target->quirks.reasoning_by == REASONING_BY_CONFIG) {
		json_pair_str(o, "reasoning_config", a->effort);
	} else {
		json_pair_str(o, "reasoning_effort", a->effort);
	}
	return err;
}

/* The names that went into the object so far, as scribe_extra wants them. */
static void list_names(struct span object, char *words, size_t size)
{
	struct json v;
	size_t n = (size_t)snprintf(words, size, " thinking. ");
	if (json_scan(object, JSON_STRICT, &v, NULL) != OK)
		return;
	for (struct json_walk w = json_each(v); json_next(&w) && n < size;)
		n += (size_t)snprintf(words + n, size - n, "%.*s ", SPAN_ARG(w.name));
}

static enum err put_fields(struct scribe *s, const struct asked *a)
{
	OWNED(buf_done) struct buf fields = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out whole = s->o;
	char known[128];
	s->o = json_to(&fields);
	json_open(&s->o, '{');
	enum err err = put_reasoning(s, a);
	if (!err)
		err = put_top_k(s, a);
	json_close(&s->o, '}');
	/* an extra one may have any name that we did not give out ourselves */
	list_names(buf_view(&fields), known, sizeof known);
	if (fields.n > 0)
		buf_cut(&fields, fields.n - 1);
	s->o.has_value = fields.n > 1;
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", IN_FIELDS, known);
	json_close(&s->o, '}');
	s->o = whole;
	if (!err && fields.n > 2)
		json_pair_raw(&s->o, "additionalModelRequestFields", buf_view(&fields));
	return err ? err : buf_error(&fields);
}

/* ---- the rest ---- */

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct unsaid unknown[] = {
		{"min_p",               r->min_p.is_set							 },
		{"presence_penalty",    r->presence_penalty.is_set                                              },
		{"frequency_penalty",   r->frequency_penalty.is_set                                             },
		{"repetition_penalty",  r->repetition_penalty.is_set                                            },
		{"seed",                r->seed.is_set							  },
		{"logit_bias",          span_is_set(r->logit_bias)                                              },
		{"logprobs",            (r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set         },
		{"verbosity",           span_is_set(r->verbosity)                                               },
		{"parallel_tool_calls", r->n_tools > 0 && r->parallel_tool_calls.is_set &&
						!r->parallel_tool_calls.v},
	};
	if (r->n.is_set && r->n.v != 1)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < r->n_modalities; i++) {
		if (!span_is(r->modalities[i], "text"))
			return scribe_refuse(s, "modalities", "%.*s answers in text only",
				SPAN_ARG(s->target->provider));
	}
	return scribe_drop_unsaid(s, unknown, COUNT_OF(unknown));
}

static enum err put_metadata(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct json_out *o = &s->o;
	bool has_user = false;
	if (r->n_metadata == 0 && r->user.n == 0)
		return OK;
	json_key(o, "requestMetadata");
	json_open(o, '{');
	for (size_t i = 0; i < r->n_metadata; i++) {
		scribe_key(s, r->metadata[i].key);
		json_put_str(o, r->metadata[i].value);
		has_user = has_user || span_is(r->metadata[i].key, "user");
	}
	if (r->user.n > 0 && !has_user)
		json_pair_str(o, "user", r->user);
	json_close(o, '}');
	return r->user.n > 0 && has_user
		       ? scribe_drop(s, "user", "the metadata has a member \"user\" of its own")
		       : OK;
}

static enum err put_tier(struct scribe *s)
{
	static const char *const known[] = {"default", "priority", "flex", "reserved"};
	struct span tier = s->r->service_tier;
	bool is_known = false;
	if (span_is(tier, "standard"))
		tier = SPAN("default");
	for (size_t i = 0; i < COUNT_OF(known); i++)
		is_known = is_known || span_is(tier, known[i]);
	if (!is_known) {
		const enum err err = scribe_drop_below(s, &s->r->extra, "", IN_TIER);
		/* auto is what is done where nothing is said */
		return err || tier.n == 0 || span_is(tier, "auto")
			       ? err
			       : scribe_drop(s, "service_tier",
					 "%.*s knows the service tiers \"default\", "
					 "\"priority\", \"flex\" and \"reserved\"",
					 SPAN_ARG(s->target->provider));
	}
	json_key(&s->o, "serviceTier");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", tier);
	const enum err err = scribe_extra_below(s, &s->r->extra, "", IN_TIER, KNOWN_IN_TIER);
	json_close(&s->o, '}');
	return err;
}

/* ---- all ---- */

static enum err choose(struct scribe *s, struct asked *a)
{
	enum err err = tools_prepare(s, NAME_BYTES);
	if (!err)
		err = choose_reasoning(s, a);
	if (!err)
		err = choose_format(s, a);
	a->tools.is_thinking = a->thinking.kind == THINKING_ENABLED || span_is_set(a->effort);
	if (!err)
		err = bedrock_choose_tools(s, &a->tools, &a->words);
	s->notes->wants_reasoning_text = !span_is(s->r->reasoning.expose, "none");
	s->notes->is_reply_streamed = s->r->is_stream || s->target->quirks.is_stream_forced;
	return err;
}

static enum err put_body(struct scribe *s, const struct asked *a)
{
	struct cache_marks marks = {.seen = 0};
	const size_t all = bedrock_count_marks(s->r);
	marks.first = all > MARKS_MAX ? all - MARKS_MAX : 0;
	json_open(&s->o, '{');
	/* in the order in which the provider caches */
	enum err err = bedrock_put_tools(s, &a->tools, &marks);
	if (!err)
		err = bedrock_put_messages(s, a->words, &marks);
	if (!err)
		err = put_inference(s, a);
	if (!err)
		err = put_fields(s, a);
	if (!err)
		err = put_output_config(s);
	if (!err)
		err = drop_unknown(s);
	if (!err)
		err = put_metadata(s);
	if (!err)
		err = put_tier(s);
	if (!err)
		err = scribe_extra(s, &s->r->extra, "", KNOWN_IN_REQUEST);
	json_close(&s->o, '}');
	return err;
}

enum err bedrock_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	struct asked a = {.has_max_tokens = false};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	enum err err = choose(&s, &a);
	if (!err)
		err = put_body(&s, &a);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	const bool is_stream = notes->is_reply_streamed;
	const struct place place = {
		.path = BEDROCK_PATH,
		.method = is_stream ? "converse-stream" : "converse",
		.accept = is_stream ? "application/vnd.amazon.eventstream" : NULL,
	};
	if (!err)
		err = scribe_address(&s, &place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
