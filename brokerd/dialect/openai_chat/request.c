/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/json_words.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/openai_members.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

#define NAME_BYTES   ((size_t)64)
#define TOOLS_MAX    ((size_t)128) /* at OpenAI */
#define METADATA_MAX ((size_t)16)
#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"

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

/* ---- reasoning ---- */

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

static enum err put_reasoning(struct scribe *s, struct reason *out)
{
	const struct span effort = s->r->reasoning.effort;
	if (openai_chat_has_own_reasoning(s->r, s->target->family)) {
		*out = (struct reason){.is_on = s->target->quirks.reasons != REASONS_UNKNOWN &&
						span_is_set(effort) && !span_is(effort, "none")};
		return OK;
	}
	const enum err err = reason_plan(s, out);
	if (!err)
		json_pair_str(&s->o, "reasoning_effort", out->effort);
	return err;
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

static enum err put_stop(struct scribe *s, const struct reason *t)
{
	if (s->r->n_stop > 0 && reason_shuts_out(s, t, "stop"))
		return scribe_drop(s, "stop", "%.*s takes no stop sequences while it reasons",
			SPAN_ARG(s->target->model));
	return openai_put_stops(s);
}

static enum err put_logit_bias(struct scribe *s, const struct reason *t)
{
	if (!span_is_set(s->r->logit_bias))
		return OK;
	if (!s->target->quirks.has_logit_bias || reason_shuts_out(s, t, "logit_bias"))
		return scribe_drop(s, "logit_bias", "%.*s at %.*s takes no logit_bias",
			SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
	return openai_put_logit_bias(s);
}

static enum err put_logprobs(struct scribe *s, const struct reason *t)
{
	const bool is_wanted = s->r->logprobs.is_set && s->r->logprobs.v;
	if (!is_wanted && !s->r->top_logprobs.is_set)
		return OK;
	if (!s->target->quirks.has_logit_bias || reason_shuts_out(s, t, "logprobs"))
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

static enum err put_sampling_all(struct scribe *s, const struct reason *t)
{
	const struct llm_request *r = s->r;
	const struct quirks *q = &s->target->quirks;
	const bool has_sampling = q->sampling != SAMPLING_NONE;
	const struct sampled before[] = {
		{"temperature", r->temperature, has_sampling, scribe_is_one(r->temperature.v)},
		{"top_p",       r->top_p,       has_sampling, scribe_is_one(r->top_p.v)      },
	};
	const struct sampled after[] = {
		{"min_p",              r->min_p,              q->has_top_k,     false},
		{"presence_penalty",   r->presence_penalty,   q->has_penalties, false},
		{"frequency_penalty",  r->frequency_penalty,  q->has_penalties, false},
		{"repetition_penalty", r->repetition_penalty, q->has_top_k,     false},
	};
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(before); i++)
		err = reason_put_sampled(s, t, &before[i]);
	if (!err)
		err = put_count(s, "top_k", r->top_k, q->has_top_k);
	for (size_t i = 0; !err && i < COUNT_OF(after); i++)
		err = reason_put_sampled(s, t, &after[i]);
	if (!err)
		err = put_count(s, "seed", r->seed, q->has_seed);
	if (!err)
		err = put_stop(s, t);
	if (!err)
		err = put_logit_bias(s, t);
	return err ? err : put_logprobs(s, t);
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
	struct reason reason;
	struct json_words words;
	enum err err;
	(void)env; /* nothing here needs a time or an id */
	notes->is_reply_streamed = r->is_stream;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	err = tools_prepare(&s, NAME_BYTES); /* before calls that use the names */
	if (!err)
		err = json_words_plan(&s, &words);
	if (!err)
		err = openai_chat_put_messages(&s, words.lead, words.tail);
	if (!err)
		err = put_tools(&s);
	if (!err)
		err = put_format(&s);
	if (!err)
		err = put_max_tokens(&s);
	if (!err)
		err = put_reasoning(&s, &reason);
	if (!err)
		err = put_sampling_all(&s, &reason);
	if (!err)
		err = openai_put_n(&s);
	if (!err)
		err = put_rest(&s);
	if (!err)
		err = openai_put_stream(&s);
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
