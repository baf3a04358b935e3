/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/effort.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define NAME_BYTES   ((size_t)64)
#define STOPS_MAX    ((size_t)4)
#define TOOLS_MAX    ((size_t)128) /* at OpenAI */
#define METADATA_MAX ((size_t)16)
#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define SCHEMA_LEADIN \
	"Answer with one JSON value that fits this JSON Schema, and with nothing else:\n"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TOOL     " type function custom cache_control function. custom. "
#define KNOWN_IN_FUNCTION " name description parameters strict "
#define KNOWN_IN_CUSTOM   " name description format "
#define KNOWN_IN_FORMAT   " type json_schema json_schema. "
#define KNOWN_IN_SCHEMA   " name description schema strict "
#define KNOWN_IN_REQUEST                                                                     \
	" model messages tools tool_choice parallel_tool_calls functions function_call "     \
	"response_format response_format. max_tokens max_completion_tokens temperature "     \
	"top_p top_k min_p presence_penalty frequency_penalty repetition_penalty seed stop " \
	"logit_bias logprobs top_logprobs n modalities audio audio. safety_identifier "      \
	"metadata service_tier verbosity prompt_cache_key stream stream_options "            \
	"stream_options. "

/* Does it reason for this request, which shuts out some parameters? */
struct thinking {
	bool is_on;
};

/* ---- reasoning ---- */

/* What the model makes of an effort: the effort to send, or absent to send none. */
static enum err fit_effort(struct scribe *s, struct span *effort)
{
	const struct quirks *q = &s->target->quirks;
	const struct span wanted = *effort;
	if (q->reasons == REASONS_UNKNOWN || words_have(q->efforts, wanted))
		return OK;
	if (span_is(wanted, "none")) {
		*effort = SPAN_NONE;
		if (q->reasons == REASONS_NEVER)
			return OK; /* as it is */
		return scribe_refuse(
			s, "reasoning.effort", "%.*s always reasons", SPAN_ARG(s->target->model));
	}
	*effort = effort_nearest(q->efforts, wanted);
	if (q->reasons == REASONS_NEVER)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s does not reason", SPAN_ARG(s->target->model));
	if (!span_is_set(*effort) || q->reasoning_by == REASONING_BY_NOTHING)
		return scribe_refuse(
			s, "reasoning.effort", "%.*s takes no effort", SPAN_ARG(s->target->model));
	if (span_eq(*effort, wanted))
		return OK;
	return scribe_change(s, "clamped_parameter", "reasoning.effort",
		"the effort went out as \"%.*s\", the nearest that %.*s takes", SPAN_ARG(*effort),
		SPAN_ARG(s->target->model));
}

bool openai_chat_has_own_reasoning(const struct llm_request *r, struct span family)
{
	static const char *const words[] = {"reasoning", "thinking", "enable_thinking",
		"thinking_budget", "chat_template_kwargs", "reasoning_format"};
	for (size_t i = 0; span_eq(r->extra.family, family) && i < r->extra.n; i++) {
		for (size_t k = 0; k < COUNT_OF(words); k++) {
			if (span_is(r->extra.members[i].name, words[k]))
				return true;
		}
	}
	return false;
}

static enum err put_reasoning(struct scribe *s, struct thinking *t)
{
	const struct reasoning *r = &s->r->reasoning;
	const enum reasons reasons = s->target->quirks.reasons;
	struct span effort = r->effort;
	enum err err = OK;
	if (openai_chat_has_own_reasoning(s->r, s->target->family)) {
		t->is_on = reasons != REASONS_UNKNOWN && span_is_set(effort) &&
			   !span_is(effort, "none");
		return OK;
	}
	if (r->budget_tokens.is_set && !span_is_set(effort)) {
		effort = effort_of_budget(r->budget_tokens.v);
		err = scribe_change(s, "emulated", "reasoning.budget_tokens",
			"the provider takes no budget of tokens: the effort \"%.*s\" stands for it",
			SPAN_ARG(effort));
	} else if (r->budget_tokens.is_set) {
		err = scribe_drop(s, "reasoning.budget_tokens",
			"the provider takes no budget of tokens; the effort decides");
	}
	if (!err && span_is_set(effort))
		err = fit_effort(s, &effort);
	if (err)
		return err;
	json_pair_str(&s->o, "reasoning_effort", effort);
	if (reasons != REASONS_UNKNOWN)
		t->is_on = span_is_set(effort) ? !span_is(effort, "none")
					       : reasons >= REASONS_UNLESS_NONE;
	return OK;
}

/* Is a parameter shut out because the model reasons? */
static bool is_shut_out(const struct scribe *s, const struct thinking *t, const char *name)
{
	return t->is_on && words_have(s->target->quirks.drops_when_reasoning, span_str(name));
}

/* ---- limits and sampling ---- */

static enum err put_max_tokens(struct scribe *s)
{
	const struct span field = s->target->quirks.max_tokens_field;
	int64_t n = s->r->max_tokens.v;
	enum err err = OK;
	if (!s->r->max_tokens.is_set)
		return OK;
	if (n < 1)
		return fault_param(
			s->why, ERR_INVALID_REQUEST, "max_tokens", "max_tokens must be 1 or more");
	if (s->target->max_output_tokens > 0 && n > s->target->max_output_tokens) {
		n = s->target->max_output_tokens;
		err = scribe_change(s, "clamped_parameter", "max_tokens",
			"%.*s writes at most %lld tokens", SPAN_ARG(s->target->model),
			(long long)n);
	}
	json_pair_i64(&s->o,
		span_is(field, "max_completion_tokens") ? "max_completion_tokens" : "max_tokens",
		n);
	return err;
}

/* A sampling number, where the target has it and no reasoning shuts it out. `is_plain`: the value
 * is the default, which nobody refuses but nobody misses. */
static enum err put_sampling(struct scribe *s, const struct thinking *t, const char *name,
	struct opt_f64 v, bool is_known, bool is_plain)
{
	if (!v.is_set)
		return OK;
	if (!is_known)
		return scribe_drop(
			s, name, "%.*s does not know %s", SPAN_ARG(s->target->provider), name);
	if (is_shut_out(s, t, name) && !is_plain)
		return scribe_drop(s, name, "%.*s takes no %s while it reasons",
			SPAN_ARG(s->target->model), name);
	json_key(&s->o, name);
	json_put_f64(&s->o, v.v);
	return OK;
}

static enum err put_stop(struct scribe *s, const struct thinking *t)
{
	size_t n = 0;
	enum err err = OK;
	if (s->r->n_stop == 0)
		return OK;
	if (is_shut_out(s, t, "stop"))
		return scribe_drop(s, "stop", "%.*s takes no stop sequences while it reasons",
			SPAN_ARG(s->target->model));
	json_key(&s->o, "stop");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_stop; i++) {
		bool is_new = true;
		for (size_t j = 0; j < i; j++)
			is_new = is_new && !span_eq(s->r->stop[i], s->r->stop[j]);
		if (!is_new)
			continue;
		if (n++ < STOPS_MAX || !s->target->quirks.is_openai)
			json_put_str(&s->o, s->r->stop[i]);
		else if (n == STOPS_MAX + 1)
			err = scribe_drop(s, "stop",
				"%.*s takes %zu stop sequences: the first were kept",
				SPAN_ARG(s->target->provider), STOPS_MAX);
	}
	json_close(&s->o, ']');
	return err;
}

/* Token id -> number, held within -100..100. */
static enum err put_logit_bias(struct scribe *s, const struct thinking *t)
{
	struct json bias;
	bool is_clamped = false;
	if (!span_is_set(s->r->logit_bias))
		return OK;
	if (!s->target->quirks.has_logit_bias || is_shut_out(s, t, "logit_bias"))
		return scribe_drop(s, "logit_bias", "%.*s at %.*s takes no logit_bias",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
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

static enum err put_logprobs(struct scribe *s, const struct thinking *t)
{
	const bool is_wanted = s->r->logprobs.is_set && s->r->logprobs.v;
	if (!is_wanted && !s->r->top_logprobs.is_set)
		return OK;
	if (!s->target->quirks.has_logit_bias || is_shut_out(s, t, "logprobs"))
		return scribe_drop(s, "logprobs", "%.*s at %.*s gives no logprobs",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	json_pair_bool(&s->o, "logprobs", true);
	if (s->r->top_logprobs.is_set)
		json_pair_i64(&s->o, "top_logprobs", s->r->top_logprobs.v);
	return OK;
}

/* An integer that some targets have. */
static enum err put_count(struct scribe *s, const char *name, struct opt_i64 v, bool is_known)
{
	if (!v.is_set)
		return OK;
	if (!is_known)
		return scribe_drop(
			s, name, "%.*s does not know %s", SPAN_ARG(s->target->provider), name);
	json_pair_i64(&s->o, name, v.v);
	return OK;
}

static enum err put_sampling_all(struct scribe *s, const struct thinking *t)
{
	const struct llm_request *r = s->r;
	const struct quirks *q = &s->target->quirks;
	enum err err = put_sampling(s, t, "temperature", r->temperature,
		q->sampling != SAMPLING_NONE, scribe_is_one(r->temperature.v));
	if (!err)
		err = put_sampling(s, t, "top_p", r->top_p, q->sampling != SAMPLING_NONE,
			scribe_is_one(r->top_p.v));
	if (!err)
		err = put_count(s, "top_k", r->top_k, q->has_top_k);
	if (!err)
		err = put_sampling(s, t, "min_p", r->min_p, q->has_top_k, false);
	if (!err)
		err = put_sampling(
			s, t, "presence_penalty", r->presence_penalty, q->has_penalties, false);
	if (!err)
		err = put_sampling(
			s, t, "frequency_penalty", r->frequency_penalty, q->has_penalties, false);
	if (!err)
		err = put_sampling(
			s, t, "repetition_penalty", r->repetition_penalty, q->has_top_k, false);
	if (!err)
		err = put_count(s, "seed", r->seed, q->has_seed);
	if (!err)
		err = put_stop(s, t);
	if (!err)
		err = put_logit_bias(s, t);
	return err ? err : put_logprobs(s, t);
}

static enum err put_n(struct scribe *s)
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

/* ---- tools ---- */

static enum err put_function(struct scribe *s, const struct tool *tool, const char *path)
{
	struct json_out *o = &s->o;
	struct json schema;
	enum err err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_key(o, "function");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	json_key(o, "parameters");
	json_put_raw(o, json_is_nil(schema) ? SPAN(EMPTY_SCHEMA) : schema.text);
	if (!err && tool->strict.is_set) {
		if (s->target->quirks.has_strict_tools)
			json_pair_bool(o, "strict", tool->strict.v);
		else if (tool->strict.v)
			err = scribe_drop(s, path, "%.*s does not hold tools to their schema",
				SPAN_ARG(s->target->provider));
	}
	if (!err)
		err = scribe_extra_below(s, &tool->extra, path, "function.", KNOWN_IN_FUNCTION);
	json_close(o, '}');
	return err;
}

static enum err put_tool(struct scribe *s, const struct tool *tool, size_t i)
{
	struct json_out *o = &s->o;
	char path[64];
	enum err err = OK;
	(void)snprintf(path, sizeof path, "tools[%zu]", i);
	if (tool->type == TOOL_PROVIDER) {
		if (!span_eq(tool->family, s->target->family))
			return scribe_refuse(s, path,
				"a tool that %.*s serves is not to be had at %.*s",
				SPAN_ARG(tool->family), SPAN_ARG(s->target->provider));
		json_put_raw(o, tool->raw);
		return OK;
	}
	json_open(o, '{');
	json_pair_str(o, "type", tool->type == TOOL_CUSTOM ? SPAN("custom") : SPAN("function"));
	if (tool->type == TOOL_FUNCTION) {
		err = put_function(s, tool, path);
	} else if (!s->target->quirks.is_openai) {
		err = scribe_refuse(
			s, path, "%.*s knows no custom tools", SPAN_ARG(s->target->provider));
	} else {
		json_key(o, "custom");
		json_open(o, '{');
		json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
		json_pair_str(o, "description", tool->description);
		json_pair_raw(o, "format", tool->format);
		err = scribe_extra_below(s, &tool->extra, path, "custom.", KNOWN_IN_CUSTOM);
		json_close(o, '}');
	}
	if (!err)
		err = scribe_extra(s, &tool->extra, path, KNOWN_IN_TOOL);
	if (!err && span_is_set(tool->cache))
		err = openai_chat_put_cache(s, tool->cache, path);
	json_close(o, '}');
	return err;
}

static void put_chosen(struct scribe *s, struct span name)
{
	bool is_custom = false;
	for (size_t i = 0; i < s->r->n_tools; i++)
		is_custom = is_custom || (span_eq(s->r->tools[i].name, name) &&
						 s->r->tools[i].type == TOOL_CUSTOM);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", is_custom ? SPAN("custom") : SPAN("function"));
	json_key(&s->o, is_custom ? "custom" : "function");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, name));
	json_close(&s->o, '}');
	json_close(&s->o, '}');
}

static void put_tool_choice(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct json_out *o = &s->o;
	const struct span mode = c->mode == CHOICE_REQUIRED ? SPAN("required") : SPAN("auto");
	if (c->mode == CHOICE_NONE) {
		json_pair_str(o, "tool_choice", SPAN("none"));
	} else if (c->mode == CHOICE_NAMED) {
		json_key(o, "tool_choice");
		put_chosen(s, c->names[0]);
	} else if (c->n_names > 0 && s->target->quirks.is_openai) {
		json_key(o, "tool_choice");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("allowed_tools"));
		json_key(o, "allowed_tools");
		json_open(o, '{');
		json_pair_str(o, "mode", mode);
		json_key(o, "tools");
		json_open(o, '[');
		for (size_t i = 0; i < c->n_names; i++)
			put_chosen(s, c->names[i]);
		json_close(o, ']');
		json_close(o, '}');
		json_close(o, '}');
	} else if (c->mode == CHOICE_REQUIRED) {
		json_pair_str(o, "tool_choice", mode);
	}
}

static enum err put_tools(struct scribe *s)
{
	/* where the target cannot be told which are allowed, only those go out */
	const bool has_all = s->target->quirks.is_openai || s->r->tool_choice.mode == CHOICE_NAMED;
	enum err err = OK;
	if (s->r->n_tools == 0)
		return OK;
	if (s->target->quirks.is_openai && s->r->n_tools > TOOLS_MAX)
		return scribe_refuse(s, "tools", "%.*s takes at most %zu tools",
			SPAN_ARG(s->target->provider), TOOLS_MAX);
	json_key(&s->o, "tools");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		if (has_all || tools_is_allowed(s->r, &s->r->tools[i]))
			err = put_tool(s, &s->r->tools[i], i);
	}
	json_close(&s->o, ']');
	put_tool_choice(s);
	if (err || !s->r->parallel_tool_calls.is_set)
		return err;
	if (s->target->quirks.has_parallel_flag)
		json_pair_bool(&s->o, "parallel_tool_calls", s->r->parallel_tool_calls.v);
	else if (!s->r->parallel_tool_calls.v)
		return scribe_drop(s, "parallel_tool_calls",
			"%.*s cannot be kept from calling several tools at once",
			SPAN_ARG(s->target->provider));
	return OK;
}

/* ---- structured output ---- */

/* What the messages must say, beside what the caller says in them. */
struct words {
	struct span lead, tail;
};

static bool says_json(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			const struct span text = r->messages[i].parts[k].text;
			for (size_t at = 0; at + 4 <= text.n; at++) {
				if (strncasecmp(text.p + at, "json", 4) == 0)
					return true;
			}
		}
	}
	return false;
}

static enum err choose_words(struct scribe *s, struct words *words)
{
	const struct response_format *f = &s->r->response_format;
	if (f->type == FORMAT_SCHEMA && !s->target->quirks.has_json_schema) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		buf_text(&text, SCHEMA_LEADIN);
		buf_span(&text, f->schema);
		enum err err = buf_error(&text);
		if (!err)
			err = arena_dup(s->notes->arena, buf_view(&text), &words->lead);
		s->notes->has_json_words = true;
		return err ? err
			   : scribe_change(s, "emulated", "response_format",
				     "%.*s takes no schema: it was asked for JSON, and the schema "
				     "is in a system message",
				     SPAN_ARG(s->target->provider));
	}
	if (f->type == FORMAT_JSON && !says_json(s->r)) {
		words->tail = SPAN("Respond with JSON.");
		return scribe_change(s, "rewritten_message", "response_format",
			"a system message that asks for JSON was added: no message does, and "
			"providers insist");
	}
	return OK;
}

static enum err put_format(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	struct json_out *o = &s->o;
	struct span name;
	if (f->type == FORMAT_UNSET || f->type == FORMAT_TEXT)
		/* text is what comes unasked, and some hosts refuse the word */
		return scribe_drop_below(s, &s->r->extra, "", "response_format.");
	json_key(o, "response_format");
	json_open(o, '{');
	if (f->type == FORMAT_JSON || !s->target->quirks.has_json_schema) {
		json_pair_str(o, "type", SPAN("json_object"));
		const enum err wrong = scribe_extra_below(
			s, &s->r->extra, "", "response_format.", KNOWN_IN_FORMAT);
		json_close(o, '}');
		return wrong;
	}
	json_pair_str(o, "type", SPAN("json_schema"));
	json_key(o, "json_schema");
	json_open(o, '{');
	enum err err = OK;
	if (f->name.n == 0)
		name = SPAN("response");
	else
		err = name_legal(s->notes->arena, f->name, NAME_BYTES, &name);
	if (!err)
		json_pair_str(o, "name", name);
	json_pair_str(o, "description", f->description);
	json_pair_raw(o, "schema", f->schema);
	if (f->strict.is_set)
		json_pair_bool(o, "strict", f->strict.v);
	if (!err)
		err = scribe_extra_below(
			s, &s->r->extra, "", "response_format.json_schema.", KNOWN_IN_SCHEMA);
	json_close(o, '}');
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "response_format.", KNOWN_IN_FORMAT);
	json_close(o, '}');
	return err;
}

/* ---- the rest ---- */

static enum err put_modalities(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct json_out *o = &s->o;
	enum err err = OK;
	bool is_plain = true;
	for (size_t i = 0; i < r->n_modalities; i++)
		is_plain = is_plain && span_is(r->modalities[i], "text");
	if (!is_plain) {
		json_key(o, "modalities");
		json_open(o, '[');
		for (size_t i = 0; i < r->n_modalities; i++)
			json_put_str(o, r->modalities[i]);
		json_close(o, ']');
	}
	if (span_is_set(r->audio_voice) || span_is_set(r->audio_format)) {
		json_key(o, "audio");
		json_open(o, '{');
		json_pair_str(o, "voice", r->audio_voice);
		json_pair_str(o, "format", r->audio_format);
		err = scribe_extra_below(s, &r->extra, "", "audio.", " voice format ");
		json_close(o, '}');
	}
	return err;
}

static enum err put_metadata(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (r->n_metadata == 0)
		return OK;
	if (!s->target->quirks.is_openai)
		return scribe_drop(
			s, "metadata", "%.*s keeps no metadata", SPAN_ARG(s->target->provider));
	if (r->n_metadata > METADATA_MAX)
		return fault_param(s->why, ERR_INVALID_REQUEST, "metadata",
			"%.*s takes at most %zu pairs of metadata", SPAN_ARG(s->target->provider),
			METADATA_MAX);
	json_key(&s->o, "metadata");
	json_open(&s->o, '{');
	for (size_t i = 0; i < r->n_metadata; i++) {
		scribe_key(s, r->metadata[i].key);
		json_put_str(&s->o, r->metadata[i].value);
	}
	json_close(&s->o, '}');
	return OK;
}

/* A text that only OpenAI knows. */
static enum err put_own(struct scribe *s, const char *name, const char *param, struct span v)
{
	if (!span_is_set(v))
		return OK;
	if (!s->target->quirks.is_openai)
		return scribe_drop(
			s, param, "%.*s does not know %s", SPAN_ARG(s->target->provider), param);
	json_pair_str(&s->o, name, v);
	return OK;
}

static enum err put_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	enum err err = put_modalities(s);
	json_pair_str(&s->o, s->target->quirks.is_openai ? "safety_identifier" : "user", r->user);
	if (!err)
		err = put_metadata(s);
	json_pair_str(&s->o, "service_tier", r->service_tier);
	if (!err)
		err = put_own(s, "verbosity", "verbosity", r->verbosity);
	if (!err)
		err = put_own(s, "prompt_cache_key", "cache.key", r->cache_key);
	if (!err && span_is_set(r->cache_ttl))
		err = scribe_drop(s, "cache.ttl", "%.*s decides itself how long it caches",
			SPAN_ARG(s->target->provider));
	if (err)
		return err;
	/* which of these two is ours to write depends on the host */
	const bool is_effort_own = openai_chat_has_own_reasoning(r, s->target->family);
	return scribe_extra(s, &r->extra, "",
		s->target->quirks.is_openai && is_effort_own ? KNOWN_IN_REQUEST
		: s->target->quirks.is_openai                ? KNOWN_IN_REQUEST "reasoning_effort "
		: is_effort_own                              ? KNOWN_IN_REQUEST "user "
				: KNOWN_IN_REQUEST "user reasoning_effort ");
}

static enum err put_stream(struct scribe *s)
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

/* Some hosts repeat the words that the request made the assistant begin with. */
static void note_prefill(struct scribe *s)
{
	const struct message *last = &s->r->messages[s->r->n_messages - 1];
	if (last->role != ROLE_ASSISTANT || last->n_parts != 1 || last->parts[0].type != PART_TEXT)
		return;
	s->notes->prefill = last->parts[0].text;
}

enum err openai_chat_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	struct thinking thinking = {.is_on = false};
	struct words words = {.lead = SPAN_NONE};
	enum err err;
	(void)env; /* nothing here needs a time or an id */
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	err = tools_prepare(&s, NAME_BYTES); /* before calls that use the names */
	if (!err)
		err = choose_words(&s, &words);
	if (!err)
		err = openai_chat_put_messages(&s, words.lead, words.tail);
	if (!err)
		err = put_tools(&s);
	if (!err)
		err = put_format(&s);
	if (!err)
		err = put_max_tokens(&s);
	if (!err)
		err = put_reasoning(&s, &thinking);
	if (!err)
		err = put_sampling_all(&s, &thinking);
	if (!err)
		err = put_n(&s);
	if (!err)
		err = put_rest(&s);
	if (!err)
		err = put_stream(&s);
	json_close(&s.o, '}');
	if (!err && r->n_messages > 0)
		note_prefill(&s);
	if (!err)
		err = scribe_finish(&s, &body, LIMIT_BODY_BYTES, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/chat/completions"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
