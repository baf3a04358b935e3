/* incoming_tools.c - which tools does a request of this family declare, and which may be called? */
#include "brokerd/dialect/gemini/incoming.h"
#include "brokerd/dialect/gemini/schema.h"
#include "protocol/limits.h"

struct function {
	struct span name, description, parameters, json_parameters;
};

static const struct intake_row function_rows[] = {
	{"name",        intake_text,        offsetof(struct function, name)       },
	{"description", intake_text,        offsetof(struct function, description)},
	{"parameters",  intake_object_json, offsetof(struct function, parameters) },
	BOTH("parametersJsonSchema", "parameters_json_schema", intake_object_json,
		offsetof(struct function, json_parameters)),
};

enum err incoming_schema(struct intake *in, struct json schema, struct span *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&text);
	schema_put_from_openapi(schema, &o);
	if (buf_error(&text) || arena_dup(in->arena, buf_view(&text), out))
		return intake_no_memory(in);
	return OK;
}

static bool is_declarations(struct span name)
{
	return json_name_is(name, "functionDeclarations") ||
	       json_name_is(name, "function_declarations");
}

static size_t count_tools(struct incoming_list list)
{
	struct json v;
	size_t n = 0;
	while (incoming_next(&list, &v)) {
		for (struct json_walk w = json_each(v); json_next(&w);)
			n += is_declarations(w.name) ? intake_count(w.value) + 1 : 1;
	}
	return n;
}

static enum err read_function(
	struct intake *in, const struct at *at, struct json v, struct tool *out)
{
	struct function f = {.name = SPAN_NONE};
	*out = (struct tool){.type = TOOL_FUNCTION};
	const enum err err = intake_object(
		in, at, v, function_rows, COUNT_OF(function_rows), &f, &out->extra, "");
	if (err)
		return err;
	if (f.name.n == 0)
		return intake_refuse(in, at, "a function has a name");
	out->name = f.name;
	out->description = f.description;
	out->parameters = f.json_parameters;
	return span_is_set(f.json_parameters) || !span_is_set(f.parameters)
		       ? OK
		       : incoming_schema(in, json_of(f.parameters), &out->parameters);
}

/* What the provider serves itself, as an element of its own. */
static enum err read_served(struct intake *in, struct span name, struct json v, struct tool *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out o = json_to(&text);
	json_open(&o, '{');
	json_key_raw(&o, name);
	json_put_raw(&o, v.text);
	json_close(&o, '}');
	*out = (struct tool){.type = TOOL_PROVIDER, .family = in->family};
	if (buf_error(&text) || arena_dup(in->arena, buf_view(&text), &out->raw))
		return intake_no_memory(in);
	return OK;
}

static enum err read_element(
	struct intake *in, const struct at *at, struct json v, struct llm_request *out)
{
	enum err err = OK;
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	for (struct json_walk w = json_each(v); !err && json_next(&w);) {
		const struct at functions = at_member(at, w.name);
		struct incoming_list list;
		struct json f;
		if (json_kind(w.value) == JSON_NULL)
			continue;
		if (!is_declarations(w.name)) {
			err = read_served(in, w.name, w.value, &out->tools[out->n_tools++]);
			continue;
		}
		err = incoming_each(in, &functions, w.value, &list);
		while (!err && incoming_next(&list, &f)) {
			const struct at here = at_index(&functions, list.index);
			err = read_function(in, &here, f, &out->tools[out->n_tools++]);
		}
	}
	return err;
}

/* ---- choice ---- */

struct calling {
	struct span mode, names;
};

static const struct intake_row calling_rows[] = {
	{"mode", intake_text, offsetof(struct calling, mode)},
	BOTH("allowedFunctionNames", "allowed_function_names", intake_json,
		offsetof(struct calling, names)),
};

struct tool_config {
	struct span calling;
};

static const struct intake_row config_rows[] = {
	BOTH("functionCallingConfig", "function_calling_config", intake_object_json,
		offsetof(struct tool_config, calling)),
};

/* Held to their schemas, all are allowed, which is told by naming all. */
static enum err allow_all(struct intake *in, struct llm_request *out)
{
	struct tool_choice *c = &out->tool_choice;
	c->names = arena_array(in->arena, out->n_tools, sizeof *c->names);
	if (!c->names)
		return intake_no_memory(in);
	for (size_t i = 0; i < out->n_tools; i++) {
		if (out->tools[i].type == TOOL_FUNCTION)
			c->names[c->n_names++] = out->tools[i].name;
	}
	return OK;
}

static enum err read_calling(
	struct intake *in, const struct at *at, struct span json, struct llm_request *out)
{
	static const struct {
		const char *word;
		enum tool_choice_mode mode;
	} modes[] = {
		{"AUTO",             CHOICE_AUTO    },
		{"ANY",              CHOICE_REQUIRED},
		{"NONE",             CHOICE_NONE    },
		{"VALIDATED",        CHOICE_AUTO    },
		{"MODE_UNSPECIFIED", CHOICE_UNSET   },
	};
	const struct at mode = at_member(at, SPAN("mode"));
	const struct at names = at_member(at, SPAN("allowedFunctionNames"));
	struct tool_choice *c = &out->tool_choice;
	struct calling f = {.mode = SPAN_NONE};
	size_t i = 0;
	enum err err = intake_object(in, at, json_of(json), calling_rows, COUNT_OF(calling_rows),
		&f, &out->extra, "toolConfig.functionCallingConfig.");
	if (!err && span_is_set(f.names))
		err = intake_texts(in, &names, json_of(f.names), &c->names, &c->n_names);
	if (err || !span_is_set(f.mode))
		return err;
	while (i < COUNT_OF(modes) && !span_is_nocase(f.mode, modes[i].word))
		i++;
	if (i == COUNT_OF(modes))
		return intake_refuse(
			in, &mode, "AUTO, ANY, NONE or VALIDATED is wanted, not another word");
	c->mode = modes[i].mode;
	if (c->mode == CHOICE_REQUIRED && c->n_names == 1)
		c->mode = CHOICE_NAMED;
	return span_is_nocase(f.mode, "VALIDATED") && c->n_names == 0 ? allow_all(in, out) : OK;
}

enum err incoming_tools(
	struct intake *in, struct json tools, struct json config, struct llm_request *out)
{
	const struct at at = at_member(&incoming_body, SPAN("tools"));
	const struct at at_config = at_member(&incoming_body, SPAN("toolConfig"));
	const struct at at_calling = at_member(&at_config, SPAN("functionCallingConfig"));
	struct tool_config c = {.calling = SPAN_NONE};
	struct incoming_list list;
	struct json v;
	enum err err = incoming_each(in, &at, tools, &list);
	if (err)
		return err;
	const size_t most = count_tools(list);
	if (most > 0) {
		out->tools = arena_array(in->arena, most, sizeof *out->tools);
		if (!out->tools)
			return intake_no_memory(in);
	}
	while (!err && incoming_next(&list, &v)) {
		const struct at here = at_index(&at, list.index);
		err = read_element(in, &here, v, out);
	}
	if (!err && span_is_set(config.text))
		err = intake_object(in, &at_config, config, config_rows, COUNT_OF(config_rows), &c,
			&out->extra, "toolConfig.");
	return err || !span_is_set(c.calling) ? err : read_calling(in, &at_calling, c.calling, out);
}
