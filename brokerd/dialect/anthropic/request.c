/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/anthropic/root_schema.h"
#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/emulate.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/thinking.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define VERSION        "2023-06-01"
#define NAME_BYTES     ((size_t)64)
#define UNSTREAMED_MAX INT64_C(16384) /* more takes longer than a connection may be silent */

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL " name description input_schema strict cache_control type "
#define KNOWN_IN_REQUEST                                                                         \
	" model max_tokens tools tool_choice system messages thinking thinking. output_config "  \
	"output_config. temperature top_p top_k stop_sequences metadata metadata. service_tier " \
	"cache_control stream "

/* What the request comes to, found out before anything is written. */
struct asked {
	struct thinking thinking;
	bool has_json_tool; /* structured output through a forced tool */
	struct span words;  /* or through a system text; absent: none */
};

/* ---- structured output ---- */

static enum err choose_format(struct scribe *s, struct asked *a)
{
	const struct response_format *f = &s->r->response_format;
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT ||
		(f->type == FORMAT_SCHEMA && s->target->quirks.has_json_schema))
		return OK;
	a->has_json_tool = f->type == FORMAT_SCHEMA && a->thinking.kind != THINKING_ENABLED &&
			   s->r->tool_choice.mode != CHOICE_NAMED;
	return a->has_json_tool ? emulate_by_tool(s) : emulate_by_words(s, &a->words);
}

static enum err put_output_config(struct scribe *s, const struct asked *a)
{
	struct json_out *o = &s->o;
	const struct response_format *f = &s->r->response_format;
	const bool has_format = f->type == FORMAT_SCHEMA && s->target->quirks.has_json_schema;
	enum err err = OK;
	if (!has_format && !span_is_set(a->thinking.effort) &&
		!scribe_has_extra_below(s, &s->r->extra, "output_config."))
		return scribe_drop_below(s, &s->r->extra, "", "output_config.");
	json_key(o, "output_config");
	json_open(o, '{');
	json_pair_str(o, "effort", a->thinking.effort);
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
			span_is_set(a->thinking.effort) ? " effort format format. "
							: " format format. ");
	json_close(o, '}');
	return err;
}

/* ---- tools ---- */

/* The schema, which may not be made of others at its root. */
static enum err put_schema(struct scribe *s, struct json schema, const char *path)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&text);
	char param[96];
	const char *word = root_schema_word(schema);
	if (word) {
		(void)snprintf(param, sizeof param, "%s.parameters.%s", path, word);
		if (!root_schema_put(schema, &o))
			return scribe_refuse_as(s, "invalid_json_schema", param,
				"%.*s takes no %s at the root of a tool's schema, and this one "
				"cannot be said without",
				SPAN_ARG(s->target->provider), word);
		if (buf_error(&text))
			return buf_error(&text);
		const enum err err = json_scan(buf_view(&text), JSON_STRICT, &schema, s->why);
		if (err)
			return err;
	}
	json_key(&s->o, "input_schema");
	tools_put_schema(&s->o, schema);
	return OK;
}

static enum err put_tool(
	struct scribe *s, const struct tool *tool, size_t i, struct cache_marks *marks)
{
	struct json_out *o = &s->o;
	struct json schema;
	char path[64];
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (tool->type == TOOL_PROVIDER) {
		tools_put_hosted(s, tool);
		return OK;
	}
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	err = put_schema(s, schema, path);
	if (!err && tool->strict.is_set && tool->strict.v) {
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
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", SPAN(EMULATED_TOOL));
	json_pair_str(&s->o, "description", SPAN(EMULATED_TOOL_DESCRIPTION));
	json_key(&s->o, "input_schema");
	tools_put_schema(&s->o, emulate_schema(s->r));
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
		name = SPAN(EMULATED_TOOL);
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
					 a->thinking.kind == THINKING_ENABLED)))
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

static enum err put_temperature(struct scribe *s, const struct asked *a)
{
	struct opt_f64 t = s->r->temperature;
	const bool is_plain = scribe_is_one(t.v); /* the default */
	if (!t.is_set || (is_plain && (s->target->quirks.sampling == SAMPLING_NONE ||
					      thinking_is_on(&a->thinking))))
		return OK;
	if (s->target->quirks.sampling == SAMPLING_NONE || thinking_is_on(&a->thinking))
		return scribe_drop(s, "temperature", "%.*s takes no temperature%s",
			SPAN_ARG(s->target->model),
			s->target->quirks.sampling == SAMPLING_NONE ? "" : " while it reasons");
	const enum err err = bounds_temperature(s, &t);
	json_key(&s->o, "temperature");
	json_put_f64(&s->o, t.v);
	return err;
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
	if (thinking_is_on(&a->thinking) && p.v < 0.95)
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
	if (s->target->quirks.sampling == SAMPLING_NONE || thinking_is_on(&a->thinking))
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
	const struct unsaid unknown[] = {
		{"min_p",                       r->min_p.is_set						},
		{"presence_penalty",            r->presence_penalty.is_set                                     },
		{"frequency_penalty",           r->frequency_penalty.is_set                                    },
		{"repetition_penalty",          r->repetition_penalty.is_set                                   },
		{"seed",                        r->seed.is_set						 },
		{"logit_bias",                  span_is_set(r->logit_bias)                                     },
		{"logprobs",                    (r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set},
		{"verbosity",                   span_is_set(r->verbosity)                                      },
		{"response_format.description", span_is_set(r->response_format.description)                    },
		{"metadata",                    r->n_metadata > 0					      },
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
		err = thinking_choose(s, &a->thinking);
	if (!err)
		err = choose_format(s, a);
	s->notes->wants_reasoning_text = !span_is(s->r->reasoning.expose, "none");
	s->notes->is_reply_streamed = s->r->is_stream || a->thinking.max_tokens > UNSTREAMED_MAX;
	return err;
}

struct span anthropic_version(const struct target *t)
{
	return t->quirks.api_version.n > 0 ? t->quirks.api_version : SPAN(VERSION);
}

static enum err put_body(struct scribe *s, const struct asked *a)
{
	struct cache_marks marks = {.seen = 0};
	const size_t all = anthropic_count_marks(s->r);
	marks.first = all > MARKS_MAX ? all - MARKS_MAX : 0;
	json_open(&s->o, '{');
	if (s->target->quirks.is_version_in_body)
		json_pair_str(&s->o, "anthropic_version", anthropic_version(s->target));
	else
		json_pair_str(&s->o, "model", s->target->model);
	json_pair_i64(&s->o, "max_tokens", a->thinking.max_tokens);
	enum err err = put_tools(s, a, &marks);
	if (!err)
		err = anthropic_put_messages(s, a->words, &marks);
	if (!err)
		err = thinking_put(s, &a->thinking, "thinking.");
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
	struct asked a = {.has_json_tool = false};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	enum err err = choose(&s, &a);
	if (!err)
		err = put_body(&s, &a);
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	const struct place place = {
		.path = "/v1/messages",
		.method = notes->is_reply_streamed ? "streamRawPredict" : "rawPredict",
	};
	if (!err)
		err = scribe_address(&s, &place, out);
	if (!err && !target->quirks.is_version_in_body &&
		!http_request_header(out, SPAN("anthropic-version"), anthropic_version(target)))
		err = fault_set(why, ERR_MISCONFIGURED,
			"the provider's api_version holds a byte that no header may");
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
