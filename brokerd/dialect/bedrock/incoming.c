/* incoming.c - what does a Converse request ask, in our terms? Which model, and whether in pieces, is in
 * its path; what vendors have of their own is understood where the unified request has a word for it. */
#include "brokerd/dialect/bedrock/incoming.h"

#include "brokerd/dialect/pick.h"

#define IN_FIELDS "additionalModelRequestFields."

/* The values of the body that are read last, for their order in it says nothing. */
struct body {
	struct llm_request *r;
	struct json system, messages;
};

static enum err read_later(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	*(struct json *)field = v;
	return OK;
}

/* ---- sampling and limits ---- */

static enum err read_stop(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct llm_request *r = object;
	return intake_texts(in, at, v, &r->stop, &r->n_stop);
}

static enum err read_inference(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"maxTokens",                  intake_i64, offsetof(struct llm_request, max_tokens)},
		{"temperature",                            intake_f64,                          offsetof(struct llm_request,                temperature)},
		{"topP",                intake_f64,                          offsetof(struct llm_request,                                 top_p)},
		{"stopSequences", read_stop,0},
	};
	struct llm_request *r = ((struct body *)object)->r;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "inferenceConfig.");
}

/* ---- tools ---- */

static enum err read_schema(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"json", intake_object_json, offsetof(struct tool, parameters)},
	};
	struct tool *t = object;
	return intake_object(
		in, at, v, rows, COUNT_OF(rows), t, &t->extra, "toolSpec.inputSchema.");
}

static enum err read_spec(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"name",        intake_text,          offsetof(struct tool, name)       },
		{"description", intake_text,          offsetof(struct tool, description)},
		{"inputSchema", read_schema,          0                   },
		{"strict",  intake_bool, offsetof(struct tool,              strict)            },
	};
	struct tool *t = object;
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), t, &t->extra, "toolSpec.");
	return err || t->name.n > 0 ? err : intake_refuse(in, at, "the tool has no name");
}

/* A tool, a tool of the provider's own, or a mark behind the tool before it. */
static enum err read_tool(
	struct intake *in, const struct at *at, struct json v, struct llm_request *r)
{
	static const struct intake_row rows[] = {
		{"toolSpec", read_spec, 0},
	};
	struct tool *t = &r->tools[r->n_tools];
	const struct json mark = json_member(v, "cachePoint");
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (json_kind(mark) == JSON_OBJECT && r->n_tools > 0 && !span_is_set(t[-1].cache))
		return bedrock_read_cache(in, at, mark, &t[-1].cache, &t[-1].extra);
	*t = (struct tool){.type = TOOL_FUNCTION};
	r->n_tools++;
	if (!json_is_nil(json_member(v, "toolSpec")))
		return intake_object(in, at, v, rows, COUNT_OF(rows), t, &t->extra, "");
	t->type = TOOL_PROVIDER;
	t->family = in->family;
	t->raw = v.text;
	return OK;
}

static enum err read_tools(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct llm_request *r = object;
	size_t i = 0;
	enum err err = OK;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	r->tools = arena_array(in->arena, intake_count(v), sizeof *r->tools);
	if (!r->tools)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); !err && json_next(&w); i++) {
		const struct at here = at_index(at, i);
		err = read_tool(in, &here, w.value, r);
	}
	return err;
}

static enum err read_choice_auto(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	((struct llm_request *)object)->tool_choice.mode = CHOICE_AUTO;
	return intake_object(in, at, v, NULL, 0, object, NULL, "");
}

static enum err read_choice_any(struct intake *in, const struct at *at, struct json v, void *object)
{
	((struct llm_request *)object)->tool_choice.mode = CHOICE_REQUIRED;
	return intake_object(in, at, v, NULL, 0, object, NULL, "");
}

static enum err read_choice_tool(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"name", intake_text, 0},
	};
	struct tool_choice *c = &((struct llm_request *)object)->tool_choice;
	c->names = arena_array(in->arena, 1, sizeof *c->names);
	if (!c->names)
		return intake_no_memory(in);
	c->names[0] = SPAN_NONE;
	c->mode = CHOICE_NAMED;
	c->n_names = 1;
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), c->names, NULL, "");
	return err || c->names[0].n > 0 ? err : intake_refuse(in, at, "the tool has no name");
}

static enum err read_choice(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"auto", read_choice_auto, 0},
		{"any",  read_choice_any,  0},
		{"tool", read_choice_tool, 0},
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), object, NULL, "");
}

static enum err read_tool_config(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"tools",      read_tools,  0},
		{"toolChoice", read_choice, 0},
	};
	struct llm_request *r = ((struct body *)object)->r;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "toolConfig.");
}

/* ---- structured output ---- */

static enum err read_format_type(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	struct llm_request *r = object;
	if (!json_is(v, "json_schema"))
		return intake_refuse(in, at, "the one type that is known is \"json_schema\"");
	r->response_format.type = FORMAT_SCHEMA;
	return OK;
}

/* The schema is JSON inside a string. */
static enum err read_schema_text(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct json schema;
	const enum err err = intake_text(in, at, v, field);
	if (err)
		return err;
	if (json_scan(*(struct span *)field, JSON_STRICT, &schema, NULL) != OK ||
		json_kind(schema) != JSON_OBJECT)
		return intake_refuse(in, at, "the text of a JSON object is wanted");
	return OK;
}

static enum err read_json_schema(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"schema",      read_schema_text, offsetof(struct response_format, schema)     },
		{"name",        intake_text,      offsetof(struct response_format, name)       },
		{"description", intake_text,      offsetof(struct response_format, description)},
	};
	struct llm_request *r = object;
	return intake_object(in, at, v, rows, COUNT_OF(rows), &r->response_format, &r->extra,
		"outputConfig.textFormat.structure.jsonSchema.");
}

static enum err read_structure(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"jsonSchema", read_json_schema, 0},
	};
	struct llm_request *r = object;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra,
		"outputConfig.textFormat.structure.");
}

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"type",      read_format_type, 0},
		{"structure", read_structure,   0},
	};
	struct llm_request *r = object;
	const enum err err = intake_object(
		in, at, v, rows, COUNT_OF(rows), r, &r->extra, "outputConfig.textFormat.");
	if (!err && (r->response_format.type != FORMAT_SCHEMA ||
			    !span_is_set(r->response_format.schema)))
		return intake_refuse(in, at, "a type and a schema are wanted");
	return err;
}

static enum err read_output(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"textFormat", read_format, 0},
	};
	struct llm_request *r = ((struct body *)object)->r;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "outputConfig.");
}

/* ---- what vendors have of their own ---- */

/* One of the words for an effort, or an absent span. */
static struct span effort_in(struct json v)
{
	static const char *const words[] = {
		"none", "minimal", "low", "medium", "high", "xhigh", "max"};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i]))
			return span_str(words[i]);
	}
	return SPAN_NONE;
}

/* Has the object no members but these? */
static bool has_only(struct json object, const char *one, const char *two, const char *three)
{
	if (json_kind(object) != JSON_OBJECT)
		return false;
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (!json_name_is(w.name, one) && !(two && json_name_is(w.name, two)) &&
			!(three && json_name_is(w.name, three)))
			return false;
	}
	return true;
}

/* {"type", "budget_tokens", "display"}, with {"effort"} beside it where thinking is adaptive. False: it
 * says more than we have words for. */
static bool take_thinking(struct json v, struct json config, struct reasoning *r)
{
	const struct json type = json_member(v, "type"), display = json_member(v, "display");
	const struct span effort = effort_in(json_member(config, "effort"));
	int64_t budget;
	if (!has_only(v, "type", "budget_tokens", "display") ||
		!(json_is_nil(display) || json_is(display, "omitted") ||
			json_is(display, "summarized")))
		return false;
	if (json_is(type, "disabled")) {
		r->effort = SPAN("none");
	} else if (json_is(type, "enabled") && json_i64(json_member(v, "budget_tokens"), &budget) &&
		   budget > 0) {
		r->budget_tokens.is_set = true;
		r->budget_tokens.v = budget;
	} else if (json_is(type, "adaptive") &&
		   (json_is_nil(config) ||
			   (has_only(config, "effort", NULL, NULL) && span_is_set(effort)))) {
		r->effort = json_is_nil(config) ? SPAN("high") : effort; /* the default */
		r->is_wish = true;
	} else {
		return false;
	}
	if (json_is(display, "omitted"))
		r->expose = SPAN("none");
	return true;
}

static bool take_effort(struct json v, struct reasoning *r)
{
	const struct span effort = effort_in(v);
	if (!span_is_set(effort) || span_is_set(r->effort) || r->budget_tokens.is_set)
		return false;
	r->effort = effort;
	return true;
}

/* {"type", "maxReasoningEffort"}. */
static bool take_level(struct json v, struct reasoning *r)
{
	if (!has_only(v, "type", "maxReasoningEffort", NULL) || span_is_set(r->effort) ||
		r->budget_tokens.is_set)
		return false;
	if (json_is(json_member(v, "type"), "disabled")) {
		r->effort = SPAN("none");
		return true;
	}
	return json_is(json_member(v, "type"), "enabled") &&
	       take_effort(json_member(v, "maxReasoningEffort"), r);
}

static bool take_top_k(struct json v, struct llm_request *r)
{
	if (json_kind(v) == JSON_OBJECT) {
		if (!has_only(v, "topK", NULL, NULL))
			return false;
		v = json_member(v, "topK");
	}
	if (r->top_k.is_set || !json_i64(v, &r->top_k.v))
		return false;
	r->top_k.is_set = true;
	return true;
}

static enum err read_fields(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct llm_request *r = ((struct body *)object)->r;
	const struct json thinking = json_member(v, "thinking");
	const struct json config = json_member(v, "output_config");
	struct extra all = {.n = 0};
	enum err err = intake_object(in, at, v, NULL, 0, r, &all, "");
	const bool is_known =
		!err && !json_is_nil(thinking) && take_thinking(thinking, config, &r->reasoning);
	const bool is_adaptive = is_known && json_is(json_member(thinking, "type"), "adaptive");
	for (size_t i = 0; !err && i < all.n; i++) {
		const struct span name = all.members[i].name;
		const struct json value = json_of(all.members[i].json);
		const bool is_taken =
			span_is(name, "thinking")           ? is_known
			: span_is(name, "output_config")    ? is_adaptive
			: span_is(name, "reasoning_effort") ? take_effort(value, &r->reasoning)
			: span_is(name, "reasoningConfig")  ? take_level(value, &r->reasoning)
			: span_is(name, "top_k") || span_is(name, "inferenceConfig")
				? take_top_k(value, r)
			: span_is(name, "reasoning_config") && !is_known
				? take_effort(value, &r->reasoning) ||
					  take_thinking(value, JSON_NONE, &r->reasoning)
				: false;
		if (!is_taken)
			err = intake_keep(in, &r->extra, IN_FIELDS, name, value.text);
	}
	return err;
}

/* ---- the rest ---- */

static enum err read_tier(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"type", intake_text, offsetof(struct llm_request, service_tier)},
	};
	struct llm_request *r = ((struct body *)object)->r;
	return intake_object(in, at, v, rows, COUNT_OF(rows), r, &r->extra, "serviceTier.");
}

static enum err read_metadata(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct llm_request *r = ((struct body *)object)->r;
	return intake_pairs(in, at, v, &r->metadata, &r->n_metadata);
}

/* ---- the path ---- */

/* .../model/ID/converse, or converse-stream; an ARN may have come with its slash as it is. */
static enum err read_path(struct intake *in, struct span path, struct llm_request *r)
{
	const struct span before = SPAN("/model/");
	const size_t at = span_find(path, before);
	struct span id = at < path.n ? span_skip(path, at + before.n) : SPAN_NONE;
	if (span_ends(id, SPAN("/converse-stream")))
		r->is_stream = true;
	else if (!span_ends(id, SPAN("/converse")))
		id = SPAN_NONE;
	if (id.n > 0)
		id.n -= r->is_stream ? strlen("/converse-stream") : strlen("/converse");
	if (id.n == 0)
		return fault_param(in->why, ERR_INVALID_REQUEST, "path",
			"/model/ID/converse or /model/ID/converse-stream is wanted");
	return intake_unescape(in, id, &r->model);
}

/* ---- all ---- */

enum err bedrock_decode_request(const struct surface_call *call, struct span bytes, struct arena *a,
	struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"system",   read_later, offsetof(struct body, system)},
		{"messages",          read_later,           offsetof(struct body,            messages)},
		{"inferenceConfig", read_inference,           0   },
		{"toolConfig",         read_tool_config,         0              },
		{"additionalModelRequestFields",         read_fields,           0},
		{"outputConfig",         read_output,         0                            },
		{"serviceTier",         read_tier,           0},
		{"requestMetadata",         read_metadata,         0                      },
	};
	struct intake in = {a, notes, why, SPAN(BEDROCK_FAMILY)};
	struct body body = {out, JSON_NONE, JSON_NONE};
	const struct at root = {.up = NULL};
	struct json v;
	*out = (struct llm_request){.n_messages = 0};
	enum err err = read_path(&in, call->path, out);
	if (!err)
		err = intake_body(&in, bytes, &v);
	if (!err)
		err = intake_object(&in, &root, v, rows, COUNT_OF(rows), &body, &out->extra, "");
	return err ? err : bedrock_read_messages(&in, body.system, body.messages, out);
}
