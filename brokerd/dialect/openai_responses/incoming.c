/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/no_news.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"

/* ---- tools ---- */

enum err responses_take_tool(struct intake *in, const struct at *at, struct json v, struct tool *to)
{
	static const struct intake_row function[] = {
		{"type",              intake_ignore,        0           },
		{ "name",        intake_text, offsetof(struct tool,        name)},
		{ "description",        intake_text, offsetof(struct tool, description)},
		{ "parameters", intake_object_json, offsetof(struct tool,  parameters)},
		{ "strict",        intake_bool, offsetof(struct tool,      strict)},
	};
	static const struct intake_row custom[] = {
		{"type",              intake_ignore,        0           },
		{ "name",        intake_text, offsetof(struct tool,        name)},
		{ "description",        intake_text, offsetof(struct tool, description)},
		{ "format", intake_object_json, offsetof(struct tool,      format)},
	};
	const struct json type = json_member(v, "type");
	enum err err;
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (json_is(type, "function")) {
		/* left out is the provider's default, which is neither true nor false; that others
		   have another default is no news */
		if (json_is_nil(json_member(v, "strict"))) {
			err = intake_keep(in, &to->extra, "", SPAN("strict"), SPAN("null"));
			if (err)
				return err;
			to->extra.members[to->extra.n - 1].is_told = true;
		}
		err = intake_object(in, at, v, function, COUNT_OF(function), to, &to->extra, "");
	} else if (json_is(type, "custom")) {
		to->type = TOOL_CUSTOM;
		err = intake_object(in, at, v, custom, COUNT_OF(custom), to, &to->extra, "");
	} else {
		to->type = TOOL_PROVIDER;
		to->family = in->family;
		to->raw = v.text;
		return json_kind(type) == JSON_STRING ? OK
						      : intake_refuse(in, at, "a tool has a type");
	}
	return err || to->name.n > 0 ? err : intake_refuse(in, at, "a tool has a name");
}

static enum err read_tools(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array of tools");
	r->tools = arena_array(in->arena, intake_count(v), sizeof *r->tools);
	if (!r->tools)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); json_next(&w); r->n_tools++) {
		const struct at here = at_index(at, r->n_tools);
		const enum err err = responses_take_tool(in, &here, w.value, &r->tools[r->n_tools]);
		if (err)
			return err;
	}
	return OK;
}

static bool is_named(struct json v)
{
	const struct json type = json_member(v, "type");
	return (json_is(type, "function") || json_is(type, "custom")) &&
	       json_kind(json_member(v, "name")) == JSON_STRING;
}

/* The names of a list of functions and custom tools; none where another kind of tool is among them. */
static enum err take_names(
	struct intake *in, const struct at *at, struct json list, struct tool_choice *to)
{
	to->names = arena_array(in->arena, intake_count(list), sizeof *to->names);
	if (!to->names)
		return intake_no_memory(in);
	to->n_names = 0;
	for (struct json_walk w = json_each(list); json_next(&w);) {
		if (!is_named(w.value)) {
			to->n_names = 0;
			return OK;
		}
		const enum err err = intake_text(
			in, at, json_member(w.value, "name"), &to->names[to->n_names++]);
		if (err)
			return err;
	}
	return OK;
}

static enum err take_choice_word(
	struct intake *in, const struct at *at, struct json v, enum tool_choice_mode *to)
{
	if (json_is(v, "auto"))
		*to = CHOICE_AUTO;
	else if (json_is(v, "none"))
		*to = CHOICE_NONE;
	else if (json_is(v, "required"))
		*to = CHOICE_REQUIRED;
	else
		return intake_refuse(in, at, "\"auto\", \"none\" or \"required\" is wanted");
	return OK;
}

/* A choice of a tool that the provider serves is kept as it is, for it alone can be told. */
static enum err read_choice(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	struct tool_choice choice = {.mode = CHOICE_NAMED};
	enum err err = OK;
	if (json_kind(v) == JSON_STRING)
		return take_choice_word(in, at, v, &r->tool_choice.mode);
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "a string or an object");
	if (json_is(json_member(v, "type"), "allowed_tools")) {
		const struct at mode = at_member(at, SPAN("mode"));
		err = take_choice_word(in, &mode, json_member(v, "mode"), &choice.mode);
		if (!err)
			err = take_names(in, at, json_member(v, "tools"), &choice);
	} else if (is_named(v)) {
		choice.names = arena_array(in->arena, 1, sizeof *choice.names);
		choice.n_names = 1;
		err = choice.names ? intake_text(in, at, json_member(v, "name"), choice.names)
				   : intake_no_memory(in);
	}
	if (!err && choice.n_names == 0)
		return intake_keep(in, &r->extra, "", SPAN("tool_choice"), v.text);
	r->tool_choice = choice;
	return err;
}

/* ---- text and reasoning ---- */

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row rows[] = {
		{"type",              intake_ignore,               0                      },
		{ "name",        intake_text, offsetof(struct llm_request,   response_format.name)},
		{ "description",        intake_text,
                 offsetof(struct llm_request,                 response_format.description)},
		{ "schema", intake_object_json,
                 offsetof(struct llm_request,                      response_format.schema)},
		{ "strict",        intake_bool, offsetof(struct llm_request, response_format.strict)},
	};
	struct llm_request *r = request;
	const struct json type = json_member(v, "type");
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (json_is(type, "text"))
		r->response_format.type = FORMAT_TEXT;
	else if (json_is(type, "json_object"))
		r->response_format.type = FORMAT_JSON;
	else if (json_is(type, "json_schema"))
		r->response_format.type = FORMAT_SCHEMA;
	else
		return intake_refuse(
			in, at, "the type \"text\", \"json_object\" or \"json_schema\" is wanted");
	const enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "text.format.");
	if (!err && r->response_format.type == FORMAT_SCHEMA &&
		!span_is_set(r->response_format.schema))
		return intake_refuse(in, at, "a format of the type \"json_schema\" has a schema");
	return err;
}

static enum err read_text(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row rows[] = {
		{"format",     read_format,                 0         },
		{ "verbosity", intake_text, offsetof(struct llm_request, verbosity)},
	};
	struct llm_request *r = request;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "text.");
}

/* "auto" is what we ask for by ourselves; how detailed it is to be only this family knows. */
static enum err read_summary(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	if (json_kind(v) != JSON_STRING)
		return intake_wrong(in, at, v, "a string");
	r->reasoning.expose = SPAN("text");
	return json_is(v, "auto")
		       ? OK
		       : intake_keep(in, &r->extra, "reasoning.", SPAN("summary"), v.text);
}

/* Who speaks of reasoning and asks for no summary does not want to read any. */
static enum err read_reasoning(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row rows[] = {
		{"effort", intake_text, offsetof(struct llm_request, reasoning.effort)},
		{"summary",        read_summary,           0                  },
	};
	struct llm_request *r = request;
	r->reasoning.expose = SPAN("none");
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "reasoning.");
}

/* ---- the request ---- */

static enum err read_metadata(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	return intake_pairs(in, at, v, &r->metadata, &r->n_metadata);
}

/* What is to be included is the family's own, but for what we have a member for, too, and for sealed
 * reasoning: that every caller gets. */
static enum err read_include(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	struct span *words;
	size_t n;
	bool is_told = true;
	enum err err = intake_texts(in, at, v, &words, &n);
	for (size_t i = 0; !err && i < n; i++) {
		if (span_is(words[i], "message.output_text.logprobs"))
			r->logprobs = (struct opt_bool){true, true};
		else
			is_told = is_told && span_is(words[i], "reasoning.encrypted_content");
	}
	if (!err)
		err = intake_keep(in, &r->extra, "", SPAN("include"), v.text);
	if (!err && is_told)
		no_news_mark(&r->extra, "include");
	return err;
}

#define R(member) offsetof(struct llm_request, member)

static const struct intake_row request_rows[] = {
	{"model",               intake_model,   R(model)              },
	{"stream",              intake_flag,    R(is_stream)          },
	{"instructions",        intake_ignore,  0                     },
	{"input",               intake_ignore,  0                     },
	{"tools",               read_tools,     0                     },
	{"tool_choice",         read_choice,    0                     },
	{"parallel_tool_calls", intake_bool,    R(parallel_tool_calls)},
	{"text",                read_text,      0                     },
	{"reasoning",           read_reasoning, 0                     },
	{"max_output_tokens",   intake_i64,     R(max_tokens)         },
	{"temperature",         intake_f64,     R(temperature)        },
	{"top_p",               intake_f64,     R(top_p)              },
	{"top_logprobs",        intake_i64,     R(top_logprobs)       },
	{"include",             read_include,   0                     },
	{"metadata",            read_metadata,  0                     },
	{"service_tier",        intake_text,    R(service_tier)       },
	{"safety_identifier",   intake_text,    R(user)               },
	{"prompt_cache_key",    intake_text,    R(cache_key)          },
};

static enum err take_instructions(
	struct intake *in, const struct at *at, struct json v, struct responses_messages *to)
{
	to->list = arena_array(in->arena, 1, sizeof *to->list);
	struct part *part = arena_array(in->arena, 1, sizeof *part);
	if (!to->list || !part)
		return intake_no_memory(in);
	part->type = PART_TEXT;
	to->list[0] = (struct message){.role = ROLE_SYSTEM, .parts = part, .n_parts = 1};
	to->n = 1;
	return intake_text(in, at, v, &part->text);
}

enum err responses_decode_request(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(OPENAI_RESPONSES_FAMILY)};
	struct responses_messages messages = {.n = 0};
	const struct at root = {.up = NULL};
	struct json v;
	(void)call; /* the body says all */
	*out = (struct llm_request){.n_messages = 0};
	enum err err = intake_body(&in, body, &v);
	if (err)
		return err;
	const struct json instructions = json_member(v, "instructions");
	const struct json input = json_member(v, "input");
	if (!json_is_nil(instructions)) {
		const struct at at = at_member(&root, SPAN("instructions"));
		err = take_instructions(&in, &at, instructions, &messages);
	}
	if (!err && !json_is_nil(input)) {
		const struct at at = at_member(&root, SPAN("input"));
		err = responses_take_input(&in, &at, input, &messages);
	}
	if (!err && messages.n == 0)
		err = fault_param(why, ERR_INVALID_REQUEST, "input", "an input is wanted");
	if (err)
		return err;
	out->messages = messages.list;
	out->n_messages = messages.n;
	err = intake_object(
		&in, &root, v, request_rows, COUNT_OF(request_rows), out, &out->extra, "");
	no_news_mark(&out->extra, "store"); /* the answer is kept here, whoever gives it */
	notes->form = out->is_stream ? ANSWER_SSE : ANSWER_WHOLE;
	/* who was meant is said once, where both are there */
	for (size_t i = 0; !err && !span_is_set(out->user) && i < out->extra.n; i++) {
		const struct extra_member m = out->extra.members[i];
		struct json user = json_of(m.json);
		if (!span_is(m.name, "user") || json_kind(user) != JSON_STRING)
			continue;
		memmove(&out->extra.members[i], &out->extra.members[i + 1],
			(out->extra.n - i - 1) * sizeof m);
		out->extra.n--;
		const struct at at = at_member(&root, SPAN("user"));
		return intake_text(&in, &at, user, &out->user);
	}
	return err;
}
