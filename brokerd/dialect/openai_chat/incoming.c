/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/openai_chat/incoming.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/reading.h"
#include "protocol/limits.h"

#define REQUEST(field) offsetof(struct llm_request, field)

/* ---- tools ---- */

#define TOOL(field) offsetof(struct tool, field)

static enum err read_function(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"name",        intake_text,        TOOL(name)       },
		{"description", intake_text,        TOOL(description)},
		{"parameters",  intake_object_json, TOOL(parameters) },
		{"strict",      intake_bool,        TOOL(strict)     },
	};
	struct tool *tool = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), tool, &tool->extra, "function.");
}

static enum err read_custom(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"name",        intake_text, TOOL(name)       },
		{"description", intake_text, TOOL(description)},
		{"format",      intake_json, TOOL(format)     },
	};
	struct tool *tool = field;
	tool->type = TOOL_CUSTOM;
	return intake_object(in, at, v, rows, COUNT_OF(rows), tool, &tool->extra, "custom.");
}

static enum err check_name(struct intake *in, const struct at *at, const struct tool *tool)
{
	return tool->name.n > 0 ? OK : intake_refuse(in, at, "a tool must have a name");
}

static enum err read_tool(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0          },
		{"function",      read_function,        0          },
		{"custom",        read_custom,          0          },
		{"cache_control", intake_cache_control, TOOL(cache)},
	};
	const struct json type = json_member(v, "type");
	struct tool *tool = field;
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (!json_is_nil(type) && !json_is(type, "function") && !json_is(type, "custom")) {
		tool->type = TOOL_PROVIDER; /* the host serves it */
		tool->family = in->family;
		tool->raw = v.text;
		return OK;
	}
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), tool, &tool->extra, "");
	return err ? err : check_name(in, at, tool);
}

static enum err read_tools(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	if (r->n_tools > 0)
		return intake_refuse(in, at, "tools and functions cannot be had at once");
	return intake_array(in, at, v, sizeof *r->tools, read_tool, &r->tools, &r->n_tools);
}

/* The older form of a tool is the function alone. */
static enum err read_older_tool(struct intake *in, const struct at *at, struct json v, void *field)
{
	const enum err err = read_function(in, at, v, field);
	return err ? err : check_name(in, at, field);
}

static enum err read_functions(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	in->notes->is_older_call_form = true;
	if (r->n_tools > 0)
		return intake_refuse(in, at, "tools and functions cannot be had at once");
	return intake_array(in, at, v, sizeof *r->tools, read_older_tool, &r->tools, &r->n_tools);
}

/* ---- tool choice ---- */

/* An entry that names a tool: its name is in the object of its type. */
static enum err read_choice_name(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"name", intake_text, 0},
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), field, NULL, "");
}

static enum err read_chosen(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",     intake_ignore,    0},
		{"function", read_choice_name, 0},
		{"custom",   read_choice_name, 0},
	};
	struct span *name = field;
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), name, NULL, "");
	return err || name->n > 0 ? err : intake_refuse(in, at, "the name of a tool is wanted");
}

#define CHOICE(field) offsetof(struct tool_choice, field)

static enum err read_mode(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct {
		const char *word;
		enum tool_choice_mode mode;
	} words[] = {
		{"auto",     CHOICE_AUTO    },
		{"none",     CHOICE_NONE    },
		{"required", CHOICE_REQUIRED},
		{"any",      CHOICE_REQUIRED},
	};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i].word)) {
			*(enum tool_choice_mode *)field = words[i].mode;
			return OK;
		}
	}
	return intake_refuse(in, at, "auto, none, required or a tool is wanted");
}

static enum err read_allowed_tools(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	struct tool_choice *choice = field;
	return intake_array(
		in, at, v, sizeof *choice->names, read_chosen, &choice->names, &choice->n_names);
}

static enum err read_allowed(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"mode",  read_mode,          CHOICE(mode)},
		{"tools", read_allowed_tools, 0           },
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), field, NULL, "");
}

static enum err read_tool_choice(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore, 0},
		{"allowed_tools", read_allowed,  0},
	};
	struct tool_choice *choice = field;
	if (json_kind(v) == JSON_STRING)
		return read_mode(in, at, v, &choice->mode);
	if (json_is(json_member(v, "type"), "allowed_tools"))
		return intake_object(in, at, v, rows, COUNT_OF(rows), choice, NULL, "");
	choice->mode = CHOICE_NAMED;
	choice->n_names = 1;
	choice->names = arena_array(in->arena, 1, sizeof *choice->names);
	return choice->names ? read_chosen(in, at, v, choice->names) : intake_no_memory(in);
}

/* The older form: a word, or {"name": ...}. */
static enum err read_function_call(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	struct tool_choice *choice = field;
	if (json_kind(v) == JSON_STRING)
		return read_mode(in, at, v, &choice->mode);
	choice->mode = CHOICE_NAMED;
	choice->n_names = 1;
	choice->names = arena_array(in->arena, 1, sizeof *choice->names);
	return choice->names ? read_choice_name(in, at, v, choice->names) : intake_no_memory(in);
}

/* ---- reasoning ---- */

#define REASONING(field) REQUEST(reasoning.field)

static enum err read_effort(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const char *const words[] = {
		"none", "minimal", "low", "medium", "high", "xhigh", "max"};
	if (json_is(v, "default"))
		return OK; /* as if nothing had been said */
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i]))
			return intake_text(in, at, v, field);
	}
	return intake_refuse(
		in, at, "one of none, minimal, low, medium, high, xhigh and max is wanted");
}

/* A host's own word for reasoning goes back to this family as it was, and others are told what it
 * means. */
static enum err keep_own(struct intake *in, struct llm_request *r, const char *name, struct json v)
{
	const enum err err = intake_keep(in, &r->extra, "", span_str(name), v.text);
	if (!err)
		r->extra.members[r->extra.n - 1].is_told = true;
	return err;
}

/* The effort that stands beside such words. */
static enum err keep_effort(struct intake *in, struct llm_request *r, struct json v)
{
	return json_is_nil(v) ? OK : keep_own(in, r, "reasoning_effort", v);
}

/* On or off, without an effort beside it. */
static void take_switch(struct llm_request *r, bool is_on)
{
	if (!is_on)
		r->reasoning.effort = SPAN("none");
	else if (!span_is_set(r->reasoning.effort) && !r->reasoning.budget_tokens.is_set)
		r->reasoning.effort = SPAN("medium");
}

static enum err read_reasoning(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"effort",     read_effort, REASONING(effort)       },
		{"max_tokens", intake_i64,  REASONING(budget_tokens)},
	};
	struct llm_request *r = field;
	struct extra rest = {.n = 0}; /* is kept with the whole */
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), r, &rest, "");
	const struct json enabled = json_member(v, "enabled");
	if (err)
		return err;
	if (json_kind(enabled) == JSON_TRUE || json_kind(enabled) == JSON_FALSE)
		take_switch(r, json_is_true(enabled));
	if (json_is_true(json_member(v, "exclude")))
		r->reasoning.expose = SPAN("none");
	return keep_own(in, r, "reasoning", v);
}

static enum err read_thinking(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"budget_tokens", intake_i64, REASONING(budget_tokens)},
	};
	struct llm_request *r = field;
	struct extra rest = {.n = 0};
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), r, &rest, "");
	if (err)
		return err;
	take_switch(r, !json_is(json_member(v, "type"), "disabled"));
	return keep_own(in, r, "thinking", v);
}

static enum err read_enable_thinking(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	bool is_on = false;
	const enum err err = intake_flag(in, at, v, &is_on);
	if (err)
		return err;
	take_switch(field, is_on);
	return keep_own(in, field, "enable_thinking", v);
}

static enum err read_disable_reasoning(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	bool is_off = false;
	const enum err err = intake_flag(in, at, v, &is_off);
	if (err)
		return err;
	take_switch(field, !is_off);
	return keep_own(in, field, "disable_reasoning", v);
}

static enum err read_thinking_budget(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	const enum err err = intake_i64(in, at, v, &r->reasoning.budget_tokens);
	return err ? err : keep_own(in, r, "thinking_budget", v);
}

static enum err read_template(struct intake *in, const struct at *at, struct json v, void *field)
{
	const struct json enabled = json_member(v, "enable_thinking");
	(void)at;
	if (json_kind(enabled) == JSON_TRUE || json_kind(enabled) == JSON_FALSE)
		take_switch(field, json_is_true(enabled));
	return keep_own(in, field, "chat_template_kwargs", v);
}

static enum err read_reasoning_format(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	(void)at;
	if (json_is(v, "hidden"))
		r->reasoning.expose = SPAN("none");
	return keep_own(in, r, "reasoning_format", v);
}

/* ---- the rest ---- */

/* Two names for one thing must not say two things. */
static enum err read_max_tokens(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_i64 *bound = field;
	const struct opt_i64 before = *bound;
	const enum err err = intake_i64(in, at, v, bound);
	if (!err && before.is_set && before.v != bound->v)
		return intake_refuse(
			in, at, "max_tokens and max_completion_tokens are two names for one bound");
	return err;
}

/* safety_identifier says who it is; `user`, its older name, is kept beside it. */
static enum err read_user(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	const bool is_newer = span_is(at->name, "safety_identifier");
	struct span text = SPAN_NONE;
	const enum err err = intake_text(in, at, v, &text);
	if (err)
		return err;
	if (!span_is_set(r->user)) {
		r->user = text;
		return OK;
	}
	struct json_out o;
	OWNED(buf_done) struct buf json = BUF_INIT(SIZE_MAX / 2);
	struct span kept;
	o = json_to(&json);
	json_put_str(&o, is_newer ? r->user : text);
	if (is_newer)
		r->user = text;
	if (buf_error(&json) || arena_dup(in->arena, buf_view(&json), &kept))
		return intake_no_memory(in);
	return intake_keep(in, &r->extra, "", SPAN("user"), kept);
}

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

static enum err read_modalities(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return intake_texts(in, at, v, &r->modalities, &r->n_modalities);
}

static enum err read_metadata(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return intake_pairs(in, at, v, &r->metadata, &r->n_metadata);
}

/* A voice of the caller's own is named by its id, in an object that only this family knows. */
static enum err read_voice(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return json_kind(v) == JSON_OBJECT
		       ? intake_keep(in, &r->extra, "audio.", SPAN("voice"), v.text)
		       : intake_text(in, at, v, &r->audio_voice);
}

static enum err read_audio(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"voice",  read_voice,  0                    },
		{"format", intake_text, REQUEST(audio_format)},
	};
	struct llm_request *r = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "audio.");
}

/* Usage is always asked for; whether the caller wants to see it is the reply's to know. */
static enum err read_include_usage(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)field;
	return intake_flag(in, at, v, &in->notes->wants_usage_event);
}

static enum err read_stream_options(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"include_usage", read_include_usage, 0},
	};
	struct llm_request *r = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "stream_options.");
}

static const struct intake_row request_rows[] = {
	{"model",                 intake_model,              REQUEST(model)              },
	{"messages",              openai_chat_read_messages, 0                           },
	{"tools",                 read_tools,                0                           },
	{"tool_choice",           read_tool_choice,          REQUEST(tool_choice)        },
	{"functions",             read_functions,            0                           },
	{"function_call",         read_function_call,        REQUEST(tool_choice)        },
	{"parallel_tool_calls",   intake_bool,               REQUEST(parallel_tool_calls)},
	{"response_format",       reading_format,            0                           },
	{"max_tokens",            read_max_tokens,           REQUEST(max_tokens)         },
	{"max_completion_tokens", read_max_tokens,           REQUEST(max_tokens)         },
	{"reasoning_effort",      read_effort,               REASONING(effort)           },
	{"reasoning",             read_reasoning,            0                           },
	{"thinking",              read_thinking,             0                           },
	{"enable_thinking",       read_enable_thinking,      0                           },
	{"disable_reasoning",     read_disable_reasoning,    0                           },
	{"thinking_budget",       read_thinking_budget,      0                           },
	{"chat_template_kwargs",  read_template,             0                           },
	{"reasoning_format",      read_reasoning_format,     0                           },
	{"temperature",           intake_f64,                REQUEST(temperature)        },
	{"top_p",                 intake_f64,                REQUEST(top_p)              },
	{"top_k",                 intake_i64,                REQUEST(top_k)              },
	{"min_p",                 intake_f64,                REQUEST(min_p)              },
	{"presence_penalty",      intake_f64,                REQUEST(presence_penalty)   },
	{"frequency_penalty",     intake_f64,                REQUEST(frequency_penalty)  },
	{"repetition_penalty",    intake_f64,                REQUEST(repetition_penalty) },
	{"seed",		  intake_i64,                REQUEST(seed)               },
	{"n",		     intake_i64,                REQUEST(n)                  },
	{"stop",		  read_stop,                 0                           },
	{"logit_bias",            intake_object_json,        REQUEST(logit_bias)         },
	{"logprobs",              intake_bool,               REQUEST(logprobs)           },
	{"top_logprobs",          intake_i64,                REQUEST(top_logprobs)       },
	{"modalities",            read_modalities,           0                           },
	{"audio",                 read_audio,                0                           },
	{"user",		  read_user,                 0                           },
	{"safety_identifier",     read_user,                 0                           },
	{"metadata",              read_metadata,             0                           },
	{"service_tier",          intake_text,               REQUEST(service_tier)       },
	{"verbosity",             intake_text,               REQUEST(verbosity)          },
	{"prompt_cache_key",      intake_text,               REQUEST(cache_key)          },
	{"stream",                intake_flag,               REQUEST(is_stream)          },
	{"stream_options",        read_stream_options,       0                           },
};

enum err openai_chat_decode_request(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(OPENAI_CHAT_FAMILY)};
	const struct at top = {.up = NULL};
	struct json v;
	(void)call; /* everything is in the body */
	*out = (struct llm_request){.model = SPAN_NONE};
	enum err err = intake_body(&in, body, &v);
	if (!err)
		err = intake_object(
			&in, &top, v, request_rows, COUNT_OF(request_rows), out, &out->extra, "");
	if (!err && openai_chat_has_own_reasoning(out, in.family))
		err = keep_effort(&in, out, json_member(v, "reasoning_effort"));
	if (err)
		return err;
	if (out->model.n == 0)
		return fault_param(why, ERR_INVALID_REQUEST, "model", "a model is wanted");
	notes->form = out->is_stream ? ANSWER_SSE : ANSWER_WHOLE;
	if (out->n_messages == 0)
		return fault_param(
			why, ERR_INVALID_REQUEST, "messages", "at least one message is wanted");
	return OK;
}
