/* incoming.c - what does a request of this family ask, in our terms? */
#include "brokerd/dialect/anthropic/incoming.h"
#include "brokerd/dialect/anthropic/anthropic.h"

/* A request whose members must be seen together. */
struct said {
	struct llm_request r;
	struct json system, messages;
	struct span thinking;   /* its type */
	struct span effort;     /* of output_config */
	struct json effort_raw; /* the same, where it was said */
};

#define SAID(field) offsetof(struct said, field)

/* ---- tools ---- */

#define TOOL(field) offsetof(struct tool, field)

/* Those that the provider serves have a type of their own. */
static enum err read_tool(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0                },
		{"name",          intake_text,          TOOL(name)       },
		{"description",   intake_text,          TOOL(description)},
		{"input_schema",  intake_object_json,   TOOL(parameters) },
		{"strict",        intake_bool,          TOOL(strict)     },
		{"cache_control", intake_cache_control, TOOL(cache)      },
	};
	const struct json type = json_member(v, "type");
	const struct at name = at_member(at, SPAN("name"));
	struct tool *tool = field;
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (!json_is_nil(type) && !json_is(type, "custom")) {
		const struct json known = json_member(v, "name");
		tool->type = TOOL_PROVIDER;
		tool->family = in->family;
		tool->raw = v.text;
		return json_is_nil(known) ? OK : intake_text(in, &name, known, &tool->name);
	}
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), tool, &tool->extra, "");
	return err || tool->name.n > 0 ? err : intake_refuse(in, &name, "a tool must have a name");
}

static enum err read_tools(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return intake_array(in, at, v, sizeof *r->tools, read_tool, &r->tools, &r->n_tools);
}

static enum err read_choice_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct {
		const char *word;
		enum tool_choice_mode mode;
	} words[] = {
		{"auto", CHOICE_AUTO    },
		{"any",  CHOICE_REQUIRED},
		{"tool", CHOICE_NAMED   },
		{"none", CHOICE_NONE    },
	};
	struct llm_request *r = field;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i].word)) {
			r->tool_choice.mode = words[i].mode;
			return OK;
		}
	}
	return intake_refuse(in, at, "auto, any, tool or none is wanted");
}

static enum err read_choice_name(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	r->tool_choice.names = arena_array(in->arena, 1, sizeof *r->tool_choice.names);
	r->tool_choice.n_names = 1;
	return r->tool_choice.names ? intake_text(in, at, v, r->tool_choice.names)
				    : intake_no_memory(in);
}

static enum err read_single(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	bool is_single = false;
	const enum err err = intake_flag(in, at, v, &is_single);
	r->parallel_tool_calls = (struct opt_bool){.is_set = true, .v = !is_single};
	return err;
}

static enum err read_tool_choice(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",                      read_choice_type, 0},
		{"name",                      read_choice_name, 0},
		{"disable_parallel_tool_use", read_single,      0},
	};
	struct llm_request *r = field;
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), r, NULL, "");
	if (err)
		return err;
	if (r->tool_choice.mode == CHOICE_UNSET)
		return intake_refuse(in, at, "a type is wanted");
	if ((r->tool_choice.mode == CHOICE_NAMED) != (r->tool_choice.n_names == 1))
		return intake_refuse(in, at, "a name goes with the type \"tool\", and no other");
	return OK;
}

/* ---- thinking and output ---- */

#define REASONING(field) SAID(r.reasoning.field)

static enum err read_display(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct said *said = field;
	if (!json_is(v, "omitted") && !json_is(v, "summarized"))
		return intake_refuse(in, at, "omitted or summarized is wanted");
	said->r.reasoning.expose = json_is(v, "omitted") ? SPAN("none") : SPAN("text");
	return OK;
}

static enum err read_thinking(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",          intake_text,  SAID(thinking)          },
		{"budget_tokens", intake_i64,   REASONING(budget_tokens)},
		{"display",       read_display, 0                       },
	};
	struct said *said = field;
	const enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), said, &said->r.extra, "thinking.");
	if (err)
		return err;
	if (span_is(said->thinking, "enabled") && !said->r.reasoning.budget_tokens.is_set)
		return intake_refuse(in, at, "thinking that is enabled has budget_tokens");
	if (span_is(said->thinking, "enabled") || span_is(said->thinking, "adaptive") ||
		span_is(said->thinking, "disabled"))
		return OK;
	return intake_refuse(in, at, "the type is one of enabled, adaptive and disabled");
}

static enum err read_effort(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const char *const words[] = {"low", "medium", "high", "xhigh", "max"};
	struct said *said = field;
	said->effort_raw = v;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i]))
			return intake_text(in, at, v, &said->effort);
	}
	return intake_refuse(in, at, "one of low, medium, high, xhigh and max is wanted");
}

#define FORMAT(field) SAID(r.response_format.field)

static enum err read_format_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (!json_is(v, "json_schema"))
		return intake_refuse(in, at, "json_schema is wanted");
	*(enum format_type *)field = FORMAT_SCHEMA;
	return OK;
}

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",   read_format_type,   FORMAT(type)  },
		{"schema", intake_object_json, FORMAT(schema)},
	};
	struct said *said = field;
	const struct at schema = at_member(at, SPAN("schema"));
	const enum err err = intake_object(
		in, at, v, rows, COUNT_OF(rows), said, &said->r.extra, "output_config.format.");
	return err || span_is_set(said->r.response_format.schema)
		       ? err
		       : intake_refuse(in, &schema, "this is missing");
}

static enum err read_output_config(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"effort", read_effort, 0},
		{"format", read_format, 0},
	};
	struct said *said = field;
	return intake_object(
		in, at, v, rows, COUNT_OF(rows), said, &said->r.extra, "output_config.");
}

/* An effort is one of reasoning where the model decides itself how long to think; elsewhere it says
 * how much to write, for which nobody else has a word. */
static enum err settle_thinking(struct intake *in, struct said *said)
{
	struct reasoning *r = &said->r.reasoning;
	if (span_is(said->thinking, "disabled"))
		r->effort = SPAN("none");
	if (span_is(said->thinking, "adaptive")) {
		r->effort = span_is_set(said->effort) ? said->effort : SPAN("high");
		r->is_wish = true;
		return OK;
	}
	if (!span_is_set(said->effort))
		return OK;
	return intake_keep(
		in, &said->r.extra, "output_config.", SPAN("effort"), said->effort_raw.text);
}

/* ---- the rest ---- */

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct llm_request *r = field;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

static enum err read_metadata(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"user_id", intake_text, SAID(r.user)},
	};
	struct said *said = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), said, &said->r.extra, "metadata.");
}

/* Of a conversation that the provider keeps, the body has the newest turn alone, and whoever shares the
 * account could go on from it. By this code a caller knows to send all of it. */
static enum err refuse_thread(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)v;
	(void)field;
	const enum err err = intake_refuse(in, at,
		"threads are the provider's, for all its users: send the whole conversation");
	if (in->why)
		fault_text(in->why->code, sizeof in->why->code, SPAN("thread_unsupported_request"));
	return err;
}

static const struct intake_row request_rows[] = {
	{"model",          intake_model,         SAID(r.model)       },
	{"system",         intake_value,         SAID(system)        },
	{"messages",       intake_value,         SAID(messages)      },
	{"max_tokens",     intake_i64,           SAID(r.max_tokens)  },
	{"tools",          read_tools,           0                   },
	{"tool_choice",    read_tool_choice,     0                   },
	{"thinking",       read_thinking,        0                   },
	{"output_config",  read_output_config,   0                   },
	{"output_format",  read_format,          0                   },
	{"temperature",    intake_f64,           SAID(r.temperature) },
	{"top_p",          intake_f64,           SAID(r.top_p)       },
	{"top_k",          intake_i64,           SAID(r.top_k)       },
	{"stop_sequences", read_stop,            0                   },
	{"metadata",       read_metadata,        0                   },
	{"service_tier",   intake_text,          SAID(r.service_tier)},
	{"cache_control",  intake_cache_control, SAID(r.cache_ttl)   },
	{"stream",         intake_flag,          SAID(r.is_stream)   },
	{"thread",         refuse_thread,        0                   },
};

enum err anthropic_decode_request(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	struct intake in = {a, notes, why, SPAN(ANTHROPIC_FAMILY)};
	const struct at top = {.up = NULL};
	struct said said = {.thinking = SPAN_NONE};
	struct json v;
	(void)call; /* everything is in the body */
	*out = (struct llm_request){.model = SPAN_NONE};
	enum err err = intake_body(&in, body, &v);
	if (!err)
		err = intake_object(&in, &top, v, request_rows, COUNT_OF(request_rows), &said,
			&said.r.extra, "");
	if (!err)
		err = settle_thinking(&in, &said);
	if (!err)
		err = anthropic_read_messages(&in, said.system, said.messages, &said.r);
	if (!err && said.r.model.n == 0)
		err = fault_param(why, ERR_INVALID_REQUEST, "model", "a model is wanted");
	*out = said.r;
	notes->form = said.r.is_stream ? ANSWER_SSE : ANSWER_WHOLE;
	return err;
}
