/* request.c - the unified request as this family writes it: what is asked, in a fixed order. */
#include <stdio.h>

#include "brokerd/dialect/bounds.h"
#include "brokerd/dialect/json_words.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/reason.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/stop_watch.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define NAME_BYTES   ((size_t)64)
#define TOOLS_MAX    ((size_t)128) /* at OpenAI */
#define METADATA_MAX ((size_t)16)
#define TOKENS_MIN   INT64_C(16)
#define EMPTY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define ENCRYPTED    "reasoning.encrypted_content"
#define LOGPROBS     "message.output_text.logprobs"

/* The names that are written here, for scribe_extra. `include`, `store`, `tool_choice`, `user` and a
 * format that we do not know may come as extra members, and take the place of ours. */
#define KNOWN_IN_TOOL      " type name description parameters format "
#define KNOWN_IN_TEXT      " format format. verbosity "
#define KNOWN_IN_PLAIN     " verbosity "
#define KNOWN_IN_FORMAT    " type name description schema strict "
#define KNOWN_IN_REASONING " effort "
#define KNOWN_IN_REQUEST                                                            \
	" model instructions input tools parallel_tool_calls text text. reasoning " \
	"reasoning. max_output_tokens temperature top_p top_logprobs "              \
	"safety_identifier metadata service_tier prompt_cache_key stream "

/* ---- tools ---- */

static bool has_own_strict(const struct scribe *s, const struct tool *tool)
{
	for (size_t i = 0; i < tool->extra.n; i++) {
		if (span_is_nocase(tool->extra.members[i].name, "strict"))
			return span_eq(tool->extra.family, s->target->family);
	}
	return false;
}

/* Left out it would be more than most callers ask for; who speaks this wire may leave it out, which
 * is an extra member then. */
static enum err put_strict(
	struct scribe *s, const struct tool *tool, struct json schema, const char *path)
{
	if (tool->strict.is_set || !has_own_strict(s, tool))
		json_pair_bool(&s->o, "strict", tool->strict.is_set && tool->strict.v);
	return tools_check_function(s, tool, schema, path);
}

static enum err put_tool(struct scribe *s, const struct tool *tool, size_t i)
{
	struct json_out *o = &s->o;
	struct json schema;
	char path[64];
	enum err err = OK;
	(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
	if (tool->type == TOOL_PROVIDER) {
		tools_put_hosted(s, tool);
		return OK;
	}
	if (tool->type == TOOL_FUNCTION)
		err = tools_schema(s, tool, path, &schema);
	if (err)
		return err;
	json_open(o, '{');
	json_pair_str(o, "type", tool->type == TOOL_CUSTOM ? SPAN("custom") : SPAN("function"));
	json_pair_str(o, "name", notes_tool_theirs(s->notes, tool->name));
	json_pair_str(o, "description", tool->description);
	if (tool->type == TOOL_FUNCTION) {
		json_key(o, "parameters");
		if (json_is_nil(schema))
			json_put_raw(o, SPAN(EMPTY_SCHEMA));
		else
			err = tools_put_host_schema(s, schema, path);
		if (!err)
			err = put_strict(s, tool, schema, path);
	} else {
		json_pair_raw(o, "format", tool->format);
	}
	if (!err)
		err = scribe_extra(s, &tool->extra, path,
			tool->strict.is_set ? KNOWN_IN_TOOL "strict " : KNOWN_IN_TOOL);
	if (!err)
		err = scribe_drop_mark(s, tool->cache, path);
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
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, name));
	json_close(&s->o, '}');
}

static enum err put_tool_choice(struct scribe *s)
{
	const struct tool_choice *c = &s->r->tool_choice;
	struct json_out *o = &s->o;
	const struct span mode = c->mode == CHOICE_REQUIRED ? SPAN("required") : SPAN("auto");
	if (c->mode == CHOICE_UNSET)
		return OK;
	if (responses_has_extra(s->r, "tool_choice"))
		return scribe_refuse(s, "tool_choice", "the tool choice is there twice");
	if (c->mode == CHOICE_NONE) {
		json_pair_str(o, "tool_choice", SPAN("none"));
	} else if (c->mode == CHOICE_NAMED) {
		json_key(o, "tool_choice");
		put_chosen(s, c->names[0]);
	} else if (c->n_names > 0 && s->target->quirks.is_openai) {
		json_key(o, "tool_choice");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("allowed_tools"));
		json_pair_str(o, "mode", mode);
		json_key(o, "tools");
		json_open(o, '[');
		for (size_t i = 0; i < c->n_names; i++)
			put_chosen(s, c->names[i]);
		json_close(o, ']');
		json_close(o, '}');
	} else if (c->mode == CHOICE_REQUIRED) {
		json_pair_str(o, "tool_choice", mode);
	}
	return OK;
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
	if (!err)
		err = put_tool_choice(s);
	if (!err && s->r->parallel_tool_calls.is_set)
		json_pair_bool(&s->o, "parallel_tool_calls", s->r->parallel_tool_calls.v);
	return err;
}

/* ---- text: its form and how much of it ---- */

static enum err put_schema(struct scribe *s)
{
	const struct response_format *f = &s->r->response_format;
	struct span name = SPAN("response");
	if (f->name.n > 0) {
		const enum err err = name_legal(s->notes->arena, f->name, NAME_BYTES, &name);
		if (err)
			return err;
	}
	json_pair_str(&s->o, "type", SPAN("json_schema"));
	json_pair_str(&s->o, "name", name);
	json_pair_str(&s->o, "description", f->description);
	json_key(&s->o, "schema");
	const enum err err = tools_put_host_format(s, f->schema);
	if (f->strict.is_set)
		json_pair_bool(&s->o, "strict", f->strict.v);
	return err ? err : tools_check_format(s);
}

static enum err put_format(struct scribe *s)
{
	const enum format_type type = s->r->response_format.type;
	enum err err = OK;
	json_key(&s->o, "format");
	json_open(&s->o, '{');
	if (type == FORMAT_TEXT)
		json_pair_str(&s->o, "type", SPAN("text"));
	else if (type == FORMAT_JSON || !s->target->quirks.has_json_schema)
		json_pair_str(&s->o, "type", SPAN("json_object"));
	else
		err = put_schema(s);
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "text.format.", KNOWN_IN_FORMAT);
	json_close(&s->o, '}');
	return err;
}

static bool has_extra_below(const struct scribe *s, const char *below)
{
	const struct extra *e = &s->r->extra;
	for (size_t i = 0; i < e->n && span_eq(e->family, s->target->family); i++) {
		if (span_starts(e->members[i].name, span_str(below)))
			return true;
	}
	return false;
}

static enum err put_text(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const bool has_verbosity = s->target->quirks.is_openai || s->target->quirks.has_verbosity;
	const bool has_format = r->response_format.type != FORMAT_UNSET;
	enum err err = OK;
	if (span_is_set(r->verbosity) && !has_verbosity)
		err = scribe_drop(s, "verbosity", "%.*s does not know verbosity",
			SPAN_ARG(s->target->provider));
	if (err || (!has_format && !(span_is_set(r->verbosity) && has_verbosity) &&
			   !has_extra_below(s, "text.")))
		return err;
	json_key(&s->o, "text");
	json_open(&s->o, '{');
	if (has_format)
		err = put_format(s);
	if (has_verbosity)
		json_pair_str(&s->o, "verbosity", r->verbosity);
	if (!err)
		err = scribe_extra_below(
			s, &r->extra, "", "text.", has_format ? KNOWN_IN_TEXT : KNOWN_IN_PLAIN);
	json_close(&s->o, '}');
	return err;
}

/* ---- reasoning ---- */

/* A summary is asked for where the caller spoke of reasoning and does not decline to read it: some
 * accounts may not have it, and are not to be refused for a default. */
static enum err put_reasoning(struct scribe *s, const struct reason *reason)
{
	const struct reasoning *r = &s->r->reasoning;
	const bool may_reason =
		s->target->quirks.reasons != REASONS_NEVER && !span_is(reason->effort, "none");
	const bool wants_summary = may_reason && !span_is(r->expose, "none") &&
				   (span_is_set(reason->effort) || span_is_set(r->expose)) &&
				   !responses_has_extra(s->r, "reasoning.summary");
	if (!span_is_set(reason->effort) && !wants_summary && !has_extra_below(s, "reasoning."))
		return OK;
	json_key(&s->o, "reasoning");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "effort", reason->effort);
	if (wants_summary)
		json_pair_str(&s->o, "summary", SPAN("auto"));
	const enum err err =
		scribe_extra_below(s, &s->r->extra, "", "reasoning.", KNOWN_IN_REASONING);
	json_close(&s->o, '}');
	return err;
}

/* Will there be reasoning that only comes back to the model if it is asked for sealed? */
static bool wants_sealed(const struct scribe *s, const struct reason *reason, bool is_stored)
{
	if (is_stored || span_is(reason->effort, "none"))
		return false;
	return s->target->quirks.reasons == REASONS_UNKNOWN
		       ? span_is_set(reason->effort)
		       : s->target->quirks.reasons != REASONS_NEVER;
}

/* ---- limits and sampling ---- */

void responses_bound_output(
	const struct llm_request *r, const struct target *t, struct output_bound *out)
{
	(void)t;
	out->least = TOKENS_MIN;
	if (r->max_tokens.is_set && out->asked < TOKENS_MIN)
		out->asked = TOKENS_MIN;
}

static enum err put_max_tokens(struct scribe *s)
{
	int64_t n;
	enum err err = bounds_max_tokens(s, &n);
	if (err || n == 0)
		return err;
	if (n < TOKENS_MIN) {
		n = TOKENS_MIN;
		err = scribe_change(s, "clamped_parameter", "max_tokens",
			"max_tokens went out as %lld, the least that this wire takes",
			(long long)n);
	}
	json_pair_i64(&s->o, "max_output_tokens", n);
	return err;
}

static enum err drop_unknown(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct {
		const char *name;
		bool is_set;
	} rows[] = {
		{"top_k",              r->top_k.is_set             },
		{"min_p",              r->min_p.is_set             },
		{"presence_penalty",   r->presence_penalty.is_set  },
		{"frequency_penalty",  r->frequency_penalty.is_set },
		{"repetition_penalty", r->repetition_penalty.is_set},
		{"seed",               r->seed.is_set              },
		{"logit_bias",         span_is_set(r->logit_bias)  },
	};
	enum err err = OK;
	for (size_t i = 0; !err && i < COUNT_OF(rows); i++) {
		if (rows[i].is_set)
			err = scribe_drop(s, rows[i].name, "%.*s knows no %s in its Responses API",
				SPAN_ARG(s->target->provider), rows[i].name);
	}
	return err;
}

/* Sets *wants: to be included in the reply. */
static enum err put_logprobs(struct scribe *s, const struct reason *reason, bool *wants)
{
	const struct llm_request *r = s->r;
	*wants = (r->logprobs.is_set && r->logprobs.v) || r->top_logprobs.is_set;
	if (!*wants)
		return OK;
	if (reason_shuts_out(s, reason, "logprobs")) {
		*wants = false;
		return scribe_drop(s, "logprobs", "%.*s takes no logprobs while it reasons",
			SPAN_ARG(s->target->model));
	}
	struct opt_i64 top = r->top_logprobs;
	const enum err err = bounds_top_logprobs(s, &top);
	if (top.is_set)
		json_pair_i64(&s->o, "top_logprobs", top.v);
	return err;
}

static enum err put_sampling(struct scribe *s, const struct reason *reason)
{
	const struct llm_request *r = s->r;
	const bool has_sampling = s->target->quirks.sampling != SAMPLING_NONE;
	struct opt_f64 heat = r->temperature, top_p = r->top_p;
	enum err err = OK;
	if (has_sampling && !reason_shuts_out(s, reason, "temperature"))
		err = bounds_temperature(s, &heat);
	if (!err && has_sampling && !reason_shuts_out(s, reason, "top_p"))
		err = bounds_top_p(s, &top_p);
	const struct sampled rows[] = {
		{"temperature", heat,  has_sampling, scribe_is_one(heat.v) },
		{"top_p",       top_p, has_sampling, scribe_is_one(top_p.v)},
	};
	for (size_t i = 0; !err && i < COUNT_OF(rows); i++)
		err = reason_put_sampled(s, reason, &rows[i]);
	if (!err)
		err = drop_unknown(s);
	if (!err)
		err = stop_watch_plan(s);
	if (!err && r->n.is_set && r->n.v != 1)
		err = scribe_refuse(
			s, "n", "%.*s gives one answer a request", SPAN_ARG(s->target->provider));
	return err;
}

/* ---- the rest ---- */

static struct json extra_member(const struct scribe *s, const char *name)
{
	const struct llm_request *r = s->r;
	struct json v = JSON_NONE;
	if (!span_is(r->extra.family, OPENAI_RESPONSES_FAMILY) &&
		!scribe_takes_common(s, span_str(name)))
		return v;
	for (size_t i = 0; i < r->extra.n; i++) {
		if (span_is_nocase(r->extra.members[i].name, name) &&
			json_scan(r->extra.members[i].json, JSON_STRICT, &v, NULL) != OK)
			return JSON_NONE;
	}
	return v;
}

/* What the reply is to include: what the caller asks for, and what we need. */
static enum err put_include(struct scribe *s, bool wants_sealed_items, bool wants_logprobs)
{
	const struct json theirs = extra_member(s, "include");
	const struct {
		const char *word;
		bool is_wanted;
	} ours[] = {
		{ENCRYPTED, wants_sealed_items},
		{LOGPROBS,  wants_logprobs    },
	};
	if (span_is_set(theirs.text) && json_kind(theirs) != JSON_ARRAY)
		return fault_param(
			s->why, ERR_INVALID_REQUEST, "include", "include is an array of strings");
	if (!span_is_set(theirs.text) && !wants_sealed_items && !wants_logprobs)
		return OK;
	json_key(&s->o, "include");
	json_open(&s->o, '[');
	for (struct json_walk w = json_each(theirs); json_next(&w);)
		json_put_raw(&s->o, w.value.text);
	for (size_t i = 0; i < COUNT_OF(ours); i++) {
		bool is_there = false;
		for (struct json_walk w = json_each(theirs); json_next(&w);)
			is_there = is_there || json_is(w.value, ours[i].word);
		if (ours[i].is_wanted && !is_there)
			json_put_str(&s->o, span_str(ours[i].word));
	}
	json_close(&s->o, ']');
	return OK;
}

static enum err put_metadata(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (r->n_metadata == 0)
		return OK;
	if (r->n_metadata > METADATA_MAX && s->target->quirks.is_openai)
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

static enum err put_modalities(struct scribe *s)
{
	const struct llm_request *r = s->r;
	for (size_t i = 0; i < r->n_modalities; i++) {
		if (!span_is(r->modalities[i], "text"))
			return scribe_refuse(s, "modalities",
				"%.*s answers in text here; its image_generation tool makes images",
				SPAN_ARG(s->target->provider));
	}
	if (span_is_set(r->audio_voice) || span_is_set(r->audio_format))
		return scribe_drop(
			s, "audio", "%.*s answers in text here", SPAN_ARG(s->target->provider));
	return OK;
}

/* The extra members less `include`, which is merged with ours. */
static enum err put_extra(struct scribe *s)
{
	const struct extra *e = &s->r->extra;
	struct extra rest = {.family = e->family};
	rest.members = arena_array(s->notes->arena, e->n, sizeof *rest.members);
	if (!rest.members)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < e->n; i++) {
		if (!span_is(e->members[i].name, "include") ||
			!span_eq(e->family, s->target->family))
			rest.members[rest.n++] = e->members[i];
	}
	return scribe_extra(s, &rest, "", KNOWN_IN_REQUEST);
}

static enum err put_rest(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const bool is_openai = s->target->quirks.is_openai;
	const bool has_key = is_openai || s->target->quirks.has_cache_key;
	enum err err = put_metadata(s);
	json_pair_str(&s->o, "service_tier", r->service_tier);
	if (is_openai)
		json_pair_str(&s->o, "safety_identifier", r->user);
	else if (!responses_has_extra(r, "user"))
		json_pair_str(&s->o, "user", r->user);
	if (has_key)
		json_pair_str(&s->o, "prompt_cache_key", r->cache_key);
	if (!err)
		err = put_modalities(s);
	return err ? err : put_extra(s);
}

/* All members but the model's. */
static enum err put_members(struct scribe *s)
{
	const bool has_earlier = json_kind(extra_member(s, "previous_response_id")) > JSON_NULL ||
				 json_kind(extra_member(s, "conversation")) > JSON_NULL;
	const bool is_stored = json_is_true(extra_member(s, "store")) ||
			       json_is_true(extra_member(s, "background")) ||
			       json_kind(extra_member(s, "conversation")) > JSON_NULL;
	struct json_words words;
	struct reason reason;
	bool wants_logprobs = false;
	enum err err = tools_prepare(s, NAME_BYTES); /* before calls that use the names */
	if (!err)
		err = json_words_plan(s, &words);
	if (!err)
		err = responses_put_input(s, &(struct responses_input){words.lead, words.tail,
						     is_stored || has_earlier, has_earlier});
	if (!err)
		err = put_tools(s);
	if (!err)
		err = put_text(s);
	if (!err)
		err = put_max_tokens(s);
	if (!err)
		err = reason_plan(s, &reason);
	if (!err)
		err = put_reasoning(s, &reason);
	if (!err)
		err = put_sampling(s, &reason);
	if (!err)
		err = put_logprobs(s, &reason, &wants_logprobs);
	if (!err)
		err = put_include(s, wants_sealed(s, &reason, is_stored), wants_logprobs);
	/* the provider is to keep nothing, unless the caller says so or asks for what needs it */
	if (json_kind(extra_member(s, "store")) == JSON_ABSENT && !is_stored)
		json_pair_bool(&s->o, "store", false);
	return err ? err : put_rest(s);
}

enum err responses_encode_request(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env; /* nothing here needs a time or an id */
	scribe_make_room(&s);
	notes->is_reply_streamed = r->is_stream || target->quirks.is_stream_forced;
	notes->wants_reasoning_text = !span_is(r->reasoning.expose, "none");
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = put_members(&s);
	if (notes->is_reply_streamed)
		json_pair_bool(&s.o, "stream", true);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/responses"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
