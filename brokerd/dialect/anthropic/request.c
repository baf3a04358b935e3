/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define VERSION        "2023-06-01"
#define NAME_BYTES     ((size_t)64)
#define MARKS_MAX      ((size_t)4)
#define BODY_BYTES     (32 * MIB)
#define BUDGET_LEAST   INT64_C(1024)
#define UNSTREAMED_MAX INT64_C(16384) /* more takes longer than a connection may be silent */
#define EMPTY_SCHEMA   "{\"type\":\"object\",\"properties\":{}}"

#define JSON_WORDS "Respond with one JSON value and nothing else."
#define SCHEMA_WORDS \
	"Respond with one JSON value that fits this JSON Schema, and with nothing else:\n"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL " name description input_schema strict cache_control type "
#define KNOWN_IN_REQUEST                                                                         \
	" model max_tokens tools tool_choice system messages thinking thinking. output_config "  \
	"output_config. temperature top_p top_k stop_sequences metadata metadata. service_tier " \
	"cache_control stream "

/* What the request comes to, found out before anything is written. */
struct asked {
	int64_t max_tokens;
	enum { SILENT, DISABLED, ENABLED, ADAPTIVE } thinking;
	int64_t budget;     /* of ENABLED */
	struct span effort; /* of ADAPTIVE; absent: none */
	bool has_json_tool; /* structured output through a forced tool */
	struct span words;  /* or through a system text; absent: none */
};

/* ---- limits and thinking ---- */

static enum err choose_max_tokens(struct scribe *s, struct asked *a)
{
	const int64_t known = s->target->max_output_tokens;
	const int64_t most = known > 0 ? known : s->target->quirks.tokens_max;
	a->max_tokens = s->r->max_tokens.is_set ? s->r->max_tokens.v : most;
	if (known <= 0 || a->max_tokens <= known)
		return OK;
	a->max_tokens = known;
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"%.*s writes at most %lld tokens", SPAN_ARG(s->target->model), (long long)known);
}

/* Thinking by so many tokens: they must leave room in max_tokens. */
static enum err fit_budget(struct scribe *s, struct asked *a)
{
	const int64_t most = s->target->max_output_tokens > 0 ? s->target->max_output_tokens
							      : s->target->quirks.tokens_max;
	const struct opt_i64 asked = s->r->reasoning.budget_tokens;
	a->thinking = ENABLED;
	a->budget = asked.is_set ? asked.v
				 : effort_budget(s->r->reasoning.effort,
					   most - 1 < 63999 ? most - 1 : 63999);
	if (a->budget < BUDGET_LEAST)
		a->budget = BUDGET_LEAST;
	if (a->max_tokens > a->budget)
		return OK;
	a->max_tokens = a->max_tokens + a->budget < most ? a->max_tokens + a->budget : most;
	if (a->max_tokens <= a->budget)
		a->budget = a->max_tokens - 1;
	if (a->budget < BUDGET_LEAST)
		return scribe_refuse(s, "max_tokens",
			"max_tokens leaves no room for reasoning: it must be more than %lld",
			(long long)BUDGET_LEAST);
	return scribe_change(s, "clamped_parameter", "max_tokens",
		"max_tokens went out as %lld, with %lld of them for reasoning",
		(long long)a->max_tokens, (long long)a->budget);
}

/* Thinking by effort, in the words that the model takes. */
static enum err fit_effort(struct scribe *s, struct asked *a)
{
	const struct span asked = s->r->reasoning.effort;
	a->thinking = ADAPTIVE;
	if (s->r->reasoning.budget_tokens.is_set) {
		const enum err err = scribe_drop(s, "reasoning.budget_tokens",
			"%.*s takes no budget of tokens: it decides by itself",
			SPAN_ARG(s->target->model));
		if (err || !span_is_set(asked))
			return err;
	}
	const struct span taken = s->target->quirks.efforts;
	/* what is above high was asked for, so above high it stays */
	const bool is_raised = span_is(asked, "xhigh") && !words_have(taken, asked) &&
			       words_have(taken, SPAN("max"));
	a->effort = is_raised ? SPAN("max") : effort_nearest(taken, asked);
	if (span_eq(a->effort, asked))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"%.*s does not know the effort \"%.*s\": \"%.*s\" was asked for",
		SPAN_ARG(s->target->model), SPAN_ARG(asked), SPAN_ARG(a->effort));
}

static enum err choose_thinking(struct scribe *s, struct asked *a)
{
	const struct reasoning *r = &s->r->reasoning;
	const bool is_off = span_is(r->effort, "none");
	a->thinking = SILENT;
	if (!span_is_set(r->effort) && !r->budget_tokens.is_set)
		return OK;
	if (is_off && s->target->quirks.reasons == REASONS_ALWAYS)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	if (is_off) {
		a->thinking =
			s->target->quirks.reasoning_by == REASONING_BY_ADAPTIVE ? DISABLED : SILENT;
		return OK;
	}
	if (s->target->quirks.reasons == REASONS_NEVER)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s does not reason", SPAN_ARG(s->target->model));
	const bool is_by_budget =
		s->target->quirks.has_budgets && r->budget_tokens.is_set && !span_is_set(r->effort);
	if (s->target->quirks.reasoning_by == REASONING_BY_ADAPTIVE && !is_by_budget)
		return fit_effort(s, a);
	if (anthropic_loop_lacks_thinking(s->r))
		return scribe_change(s, "reasoning_dropped", "reasoning",
			"the tool loop began without reasoning, and the provider does not let it "
			"begin in the midst: this turn goes without");
	return fit_budget(s, a);
}

static enum err put_thinking(struct scribe *s, const struct asked *a)
{
	struct json_out *o = &s->o;
	const bool is_hidden = span_is(s->r->reasoning.expose, "none");
	if (a->thinking == SILENT)
		return scribe_drop_below(s, &s->r->extra, "", "thinking.");
	json_key(o, "thinking");
	json_open(o, '{');
	if (a->thinking == DISABLED) {
		json_pair_str(o, "type", SPAN("disabled"));
	} else {
		json_pair_str(
			o, "type", a->thinking == ENABLED ? SPAN("enabled") : SPAN("adaptive"));
		if (a->thinking == ENABLED)
			json_pair_i64(o, "budget_tokens", a->budget);
		if (is_hidden)
			json_pair_str(o, "display", SPAN("omitted"));
		else if (s->target->quirks.has_thinking_display)
			json_pair_str(o, "display", SPAN("summarized"));
	}
	const enum err err = scribe_extra_below(
		s, &s->r->extra, "", "thinking.", " type budget_tokens display ");
	json_close(o, '}');
	return err;
}

/* ---- structured output ---- */

static enum err choose_format(struct scribe *s, struct asked *a)
{
	const struct response_format *f = &s->r->response_format;
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT ||
		(f->type == FORMAT_SCHEMA && s->target->quirks.has_json_schema))
		return OK;
	if (f->type == FORMAT_SCHEMA && a->thinking != ENABLED &&
		s->r->tool_choice.mode != CHOICE_NAMED) {
		a->has_json_tool = s->notes->has_json_tool = true;
		return scribe_change(s, "emulated", "response_format",
			"%.*s takes no schema: a tool that the model must call stands for it",
			SPAN_ARG(s->target->model));
	}
	s->notes->has_json_words = true;
	buf_text(&text, f->type == FORMAT_JSON ? JSON_WORDS : SCHEMA_WORDS);
	if (f->type == FORMAT_SCHEMA)
		buf_span(&text, f->schema);
	enum err err = buf_error(&text);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&text), &a->words);
	return err ? err
		   : scribe_change(s, "emulated", "response_format",
			     "%.*s is asked for JSON in a system text only",
			     SPAN_ARG(s->target->model));
}

/* Members of this object that the caller said and nobody here acts on. */
static bool has_own_config(const struct scribe *s)
{
	const struct extra *e = &s->r->extra;
	for (size_t i = 0; span_eq(e->family, s->target->family) && i < e->n; i++) {
		if (span_starts(e->members[i].name, SPAN("output_config.")))
			return true;
	}
	return false;
}

static enum err put_output_config(struct scribe *s, const struct asked *a)
{
	struct json_out *o = &s->o;
	const struct response_format *f = &s->r->response_format;
	const bool has_format = f->type == FORMAT_SCHEMA && s->target->quirks.has_json_schema;
	enum err err = OK;
	if (!has_format && !span_is_set(a->effort) && !has_own_config(s))
		return scribe_drop_below(s, &s->r->extra, "", "output_config.");
	json_key(o, "output_config");
	json_open(o, '{');
	json_pair_str(o, "effort", a->effort);
	if (has_format) {
		json_key(o, "format");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("json_schema"));
		json_pair_raw(o, "schema", f->schema);
		err = scribe_extra_below(
			s, &s->r->extra, "", "output_config.format.", " type schema ");
		json_close(o, '}');
	}
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "output_config.",
			span_is_set(a->effort) ? " effort format format. " : " format format. ");
	json_close(o, '}');
	return err;
}

/* ---- tools ---- */

/* An object schema that says so, with properties. */
static void put_schema(struct scribe *s, struct json schema)
{
	struct json_out *o = &s->o;
	json_key(o, "input_schema");
	if (!span_is_set(schema.text)) {
		json_put_raw(o, SPAN(EMPTY_SCHEMA));
		return;
	}
	const bool has_type = span_is_set(json_member(schema, "type").text);
	const bool has_properties = span_is_set(json_member(schema, "properties").text);
	if (has_type && has_properties) {
		json_put_raw(o, schema.text);
		return;
	}
	json_open(o, '{');
	if (!has_type)
		json_pair_str(o, "type", SPAN("object"));
	for (struct json_walk w = json_each(schema); json_next(&w);) {
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	if (!has_properties)
		json_pair_raw(o, "properties", SPAN("{}"));
	json_close(o, '}');
}

static enum err put_tool(
	struct scribe *s, const struct tool *tool, size_t i, struct cache_marks *marks)
{
	struct json_out *o = &s->o;
	struct json schema;
	char path[64];
	(void)snprintf(path, sizeof path, "tools[%zu]", i);
	if (tool->type == TOOL_PROVIDER) {
		if (!span_eq(tool->family, s->target->family))
			return scribe_refuse(s, path,
				"a tool that %.*s serves is not to be had at %.*s",
				SPAN_ARG(tool->family), SPAN_ARG(s->target->provider));
		json_put_raw(o, tool->raw);
		return OK;
	}
	if (tool->type == TOOL_CUSTOM)
		return scribe_refuse(
			s, path, "%.*s knows no custom tools", SPAN_ARG(s->target->provider));
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	put_schema(s, schema);
	if (tool->strict.is_set && tool->strict.v) {
		if (s->target->quirks.has_strict_tools)
			json_pair_bool(o, "strict", true);
		else
			err = scribe_drop(s, path, "%.*s does not hold tools to their schema",
				SPAN_ARG(s->target->model));
	}
	if (!err)
		err = anthropic_put_cache(s, tool->cache, path, marks);
	if (!err)
		err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
	json_close(o, '}');
	return err;
}

static void put_json_tool(struct scribe *s)
{
	struct json schema;
	if (json_scan(s->r->response_format.schema, JSON_STRICT, &schema, NULL) != OK)
		schema = JSON_NONE;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", SPAN(ANTHROPIC_JSON_TOOL));
	json_pair_str(&s->o, "description", SPAN("Gives the final answer."));
	put_schema(s, schema);
	json_close(&s->o, '}');
}

static enum err put_tool_choice(struct scribe *s, const struct asked *a)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct json_out *o = &s->o;
	const bool is_single = s->r->parallel_tool_calls.is_set && !s->r->parallel_tool_calls.v;
	const bool is_alone = s->r->n_tools == 0 || c->mode == CHOICE_NONE;
	struct span type = SPAN("auto"), name = SPAN_NONE;
	if (a->has_json_tool && is_alone) {
		type = SPAN("tool");
		name = SPAN(ANTHROPIC_JSON_TOOL);
	} else if (c->mode == CHOICE_NAMED) {
		type = SPAN("tool");
		name = notes_tool_theirs(s->notes, c->names[0]);
	} else if (c->mode == CHOICE_REQUIRED || a->has_json_tool) {
		type = SPAN("any");
	} else if (c->mode == CHOICE_NONE) {
		type = SPAN("none");
	} else if (!is_single) {
		return OK;
	}
	const bool is_forced = span_is(type, "tool") || span_is(type, "any");
	if (is_forced && (s->target->quirks.forcing == FORCING_NEVER ||
				 (s->target->quirks.forcing == FORCING_UNLESS_REASONING &&
					 a->thinking == ENABLED)))
		return scribe_refuse(s, "tool_choice", "%.*s cannot be made to call a tool%s",
			SPAN_ARG(s->target->model),
			s->target->quirks.forcing == FORCING_NEVER ? "" : " while it reasons");
	json_key(o, "tool_choice");
	json_open(o, '{');
	json_pair_str(o, "type", type);
	json_pair_str(o, "name", name);
	if (is_single && !span_is(type, "none"))
		json_pair_bool(o, "disable_parallel_tool_use", true);
	json_close(o, '}');
	return OK;
}

static enum err put_tools(struct scribe *s, const struct asked *a, struct cache_marks *marks)
{
	/* the provider cannot be told which are allowed, so only those go out */
	const bool has_all = s->r->tool_choice.mode == CHOICE_NAMED;
	enum err err = OK;
	if (s->r->n_tools == 0 && !a->has_json_tool)
		return OK;
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (has_all || tools_is_allowed(s->r, &s->r->tools[i]))
			err = put_tool(s, &s->r->tools[i], i, marks);
		else
			marks->seen += span_is_set(s->r->tools[i].cache);
	}
	if (a->has_json_tool)
		put_json_tool(s);
	json_close(&s->o, ']');
	return err ? err : put_tool_choice(s, a);
}

/* ---- sampling ---- */

static bool thinks(const struct asked *a)
{
	return a->thinking == ENABLED || a->thinking == ADAPTIVE;
}

static enum err put_temperature(struct scribe *s, const struct asked *a)
{
	const struct opt_f64 t = s->r->temperature;
	const bool is_plain = scribe_is_one(t.v); /* the default */
	if (!t.is_set || (is_plain && (s->target->quirks.sampling == SAMPLING_NONE || thinks(a))))
		return OK;
	if (s->target->quirks.sampling == SAMPLING_NONE || thinks(a))
		return scribe_drop(s, "temperature", "%.*s takes no temperature%s",
			SPAN_ARG(s->target->model),
			s->target->quirks.sampling == SAMPLING_NONE ? "" : " while it reasons");
	json_key(&s->o, "temperature");
	json_put_f64(&s->o, t.v > 1 ? 1 : t.v < 0 ? 0 : t.v);
	return t.v > 1 || t.v < 0 ? scribe_change(s, "clamped_parameter", "temperature",
					    "the provider takes 0 to 1")
				  : OK;
}

static enum err put_top_p(struct scribe *s, const struct asked *a)
{
	const struct opt_f64 p = s->r->top_p;
	if (!p.is_set)
		return OK;
	if (s->target->quirks.sampling == SAMPLING_NONE)
		return scribe_drop(s, "top_p", "%.*s takes no top_p", SPAN_ARG(s->target->model));
	if (s->target->quirks.sampling == SAMPLING_ONE_OF && s->r->temperature.is_set)
		return scribe_drop(s, "top_p", "%.*s takes temperature or top_p, not both",
			SPAN_ARG(s->target->model));
	if (thinks(a) && p.v < 0.95)
		return scribe_drop(s, "top_p", "%.*s takes no top_p below 0.95 while it reasons",
			SPAN_ARG(s->target->model));
	json_key(&s->o, "top_p");
	json_put_f64(&s->o, p.v);
	return OK;
}

static enum err put_top_k(struct scribe *s, const struct asked *a)
{
	if (!s->r->top_k.is_set)
		return OK;
	if (s->target->quirks.sampling == SAMPLING_NONE || thinks(a))
		return scribe_drop(s, "top_k", "%.*s takes no top_k%s", SPAN_ARG(s->target->model),
			s->target->quirks.sampling == SAMPLING_NONE ? "" : " while it reasons");
	json_pair_i64(&s->o, "top_k", s->r->top_k.v);
	return OK;
}

static enum err put_stop(struct scribe *s)
{
	bool has_blank = false, is_open = false;
	for (size_t i = 0; i < s->r->n_stop; i++) {
		bool is_new = true;
		for (size_t j = 0; j < i; j++)
			is_new = is_new && !span_eq(s->r->stop[i], s->r->stop[j]);
		if (span_trim(s->r->stop[i]).n == 0) {
			has_blank = true;
			continue;
		}
		if (!is_new)
			continue;
		if (!is_open) {
			json_key(&s->o, "stop_sequences");
			json_open(&s->o, '[');
			is_open = true;
		}
		json_put_str(&s->o, s->r->stop[i]);
	}
	if (is_open)
		json_close(&s->o, ']');
	return has_blank ? scribe_drop(s, "stop",
				   "the provider takes no stop sequences of white space alone")
			 : OK;
}

/* What this family has no member for. */
static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct {
		const char *name;
		bool is_set;
	} unknown[] = {
		{"min_p",              r->min_p.is_set						},
		{"presence_penalty",   r->presence_penalty.is_set                                     },
		{"frequency_penalty",  r->frequency_penalty.is_set                                    },
		{"repetition_penalty", r->repetition_penalty.is_set                                   },
		{"seed",               r->seed.is_set						 },
		{"logit_bias",         span_is_set(r->logit_bias)                                     },
		{"logprobs",           (r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set},
		{"verbosity",          span_is_set(r->verbosity)                                      },
		{"cache.key",          span_is_set(r->cache_key)                                      },
		{"metadata",           r->n_metadata > 0					      },
	};
	if (r->n.is_set && r->n.v != 1)
		return scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < r->n_modalities; i++) {
		if (!span_is(r->modalities[i], "text"))
			return scribe_refuse(s, "modalities", "%.*s answers in text only",
				SPAN_ARG(s->target->provider));
	}
	for (size_t i = 0; i < COUNT_OF(unknown); i++) {
		if (!unknown[i].is_set)
			continue;
		const enum err err = scribe_drop(s, unknown[i].name, "%.*s does not know %s",
			SPAN_ARG(s->target->provider), unknown[i].name);
		if (err)
			return err;
	}
	return OK;
}

static enum err put_rest(struct scribe *s, struct cache_marks *marks)
{
	const struct llm_request *r = s->r;
	enum err err = OK;
	if (span_is_set(r->user)) {
		json_key(&s->o, "metadata");
		json_open(&s->o, '{');
		json_pair_str(&s->o, "user_id", r->user);
		err = scribe_extra_below(s, &r->extra, "", "metadata.", " user_id ");
		json_close(&s->o, '}');
	} else {
		err = scribe_drop_below(s, &r->extra, "", "metadata.");
	}
	if (err)
		return err;
	if (span_is(r->service_tier, "auto") || span_is(r->service_tier, "standard_only"))
		json_pair_str(&s->o, "service_tier", r->service_tier);
	else if (span_is_set(r->service_tier))
		err = scribe_drop(s, "service_tier",
			"%.*s knows the service tiers \"auto\" and \"standard_only\"",
			SPAN_ARG(s->target->provider));
	/* the last block that can be cached is marked */
	if (!err && span_is_set(r->cache_ttl) && anthropic_count_marks(r) < MARKS_MAX)
		err = anthropic_put_cache(s, r->cache_ttl, "cache.ttl", marks);
	else if (!err && span_is_set(r->cache_ttl))
		err = scribe_drop(s, "cache.ttl",
			"the provider takes four cache marks, and there are as many");
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_REQUEST);
}

/* ---- all ---- */

static enum err choose(struct scribe *s, struct asked *a)
{
	enum err err = tools_prepare(s, NAME_BYTES);
	if (!err)
		err = choose_max_tokens(s, a);
	if (!err)
		err = choose_thinking(s, a);
	if (!err)
		err = choose_format(s, a);
	s->notes->wants_reasoning_text = !span_is(s->r->reasoning.expose, "none");
	s->notes->is_reply_streamed = s->r->is_stream || a->max_tokens > UNSTREAMED_MAX;
	return err;
}

static enum err put_body(struct scribe *s, const struct asked *a)
{
	struct cache_marks marks = {.seen = 0};
	const size_t all = anthropic_count_marks(s->r);
	marks.first = all > MARKS_MAX ? all - MARKS_MAX : 0;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "model", s->target->model);
	json_pair_i64(&s->o, "max_tokens", a->max_tokens);
	enum err err = put_tools(s, a, &marks);
	if (!err)
		err = anthropic_put_messages(s, a->words, &marks);
	if (!err)
		err = put_thinking(s, a);
	if (!err)
		err = put_output_config(s, a);
	if (!err)
		err = put_temperature(s, a);
	if (!err)
		err = put_top_p(s, a);
	if (!err)
		err = put_top_k(s, a);
	if (!err)
		err = put_stop(s);
	if (!err)
		err = drop_unknown(s);
	if (!err)
		err = put_rest(s, &marks);
	if (s->notes->is_reply_streamed)
		json_pair_bool(&s->o, "stream", true);
	json_close(&s->o, '}');
	return err;
}

enum err anthropic_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	struct asked a = {.max_tokens = 0};
	const struct span version = target->quirks.api_version;
	(void)env; /* nothing here needs a time or an id */
	enum err err = choose(&s, &a);
	if (!err)
		err = put_body(&s, &a);
	if (!err)
		err = scribe_finish(&s, &body, BODY_BYTES, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/v1/messages"}, out);
	if (!err && !http_request_header(out, SPAN("anthropic-version"),
			    version.n > 0 ? version : SPAN(VERSION)))
		err = fault_set(why, ERR_MISCONFIGURED,
			"the provider's api_version holds a byte that no header may");
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
