/* reading.c - content first, then calls. */
#include "brokerd/dialect/reading.h"

#include "brokerd/dialect/functions.h"
#include "protocol/limits.h"

enum err reading_role(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = {
		{"system",    ROLE_SYSTEM   },
		{"developer", ROLE_DEVELOPER},
		{"user",      ROLE_USER     },
		{"assistant", ROLE_ASSISTANT},
		{"tool",      ROLE_TOOL     },
	};
	for (size_t i = 0; i < COUNT_OF(roles); i++) {
		if (json_is(v, roles[i].word)) {
			*(enum role *)field = roles[i].role;
			return OK;
		}
	}
	return intake_refuse(in, at, "system, user, assistant or tool is wanted");
}

static enum err read_content(struct intake *in, const struct at *at, struct json v,
	reading_part *read, struct message *to)
{
	size_t i = 0;
	if (json_kind(v) == JSON_STRING) {
		to->parts[to->n_parts] = (struct part){.type = PART_TEXT};
		return intake_text(in, at, v, &to->parts[to->n_parts++].text);
	}
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "a string, or an array of parts");
	for (struct json_walk w = json_each(v); json_next(&w); i++) {
		const struct at here = at_index(at, i);
		struct part *part = &to->parts[to->n_parts++];
		*part = (struct part){.type = PART_TEXT};
		if (json_kind(w.value) == JSON_STRING) {
			const enum err err = intake_text(in, &here, w.value, &part->text);
			if (err)
				return err;
			continue;
		}
		if (json_kind(w.value) != JSON_OBJECT)
			return intake_wrong(in, &here, w.value, "a part is an object");
		const enum err err = read(in, &here, w.value, part);
		if (err)
			return err;
	}
	return OK;
}

enum err reading_parts(struct intake *in, const struct at *at, struct json message,
	reading_part *read, struct message *to)
{
	const struct json content = json_member(message, "content");
	const struct json calls = json_member(message, "tool_calls");
	const size_t before = to->n_parts;
	const size_t room = before + 1 + intake_count(content) + intake_count(calls);
	struct part *parts = arena_array(in->arena, room, sizeof *parts);
	enum err err = OK;
	if (!parts)
		return intake_no_memory(in);
	if (before > 0)
		memcpy(parts, to->parts, before * sizeof *parts);
	to->parts = parts;
	const struct at at_content = at_member(at, SPAN("content"));
	const struct at at_calls = at_member(at, SPAN("tool_calls"));
	if (!json_is_nil(content))
		err = read_content(in, &at_content, content, read, to);
	if (err || json_is_nil(calls))
		return err;
	if (to->role != ROLE_ASSISTANT)
		return intake_refuse(in, &at_calls, "only an assistant calls tools");
	return functions_read_calls(in, &at_calls, calls, to->parts, &to->n_parts);
}

enum err reading_messages(struct intake *in, const struct at *at, struct json v,
	enum err (*read)(struct intake *, const struct at *, struct json, struct message *),
	struct llm_request *to)
{
	const size_t n = intake_count(v);
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array of messages");
	if (n > LIMIT_MESSAGES)
		return intake_refuse(in, at, "at most %zu messages can be sent", LIMIT_MESSAGES);
	to->messages = arena_array(in->arena, n, sizeof *to->messages);
	if (!to->messages)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); json_next(&w); to->n_messages++) {
		const struct at here = at_index(at, to->n_messages);
		if (json_kind(w.value) != JSON_OBJECT)
			return intake_wrong(in, &here, w.value, "a message is an object");
		const struct at role = at_member(&here, SPAN("role"));
		if (json_is_nil(json_member(w.value, "role")))
			return intake_refuse(in, &role, "a message has a role");
		const enum err err = read(in, &here, w.value, &to->messages[to->n_messages]);
		if (err)
			return err;
	}
	return OK;
}

/* ---- structured output ---- */

static enum err read_format_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	enum format_type *to = field;
	if (json_is(v, "text"))
		*to = FORMAT_TEXT;
	else if (json_is(v, "json_object"))
		*to = FORMAT_JSON;
	else if (json_is(v, "json_schema"))
		*to = FORMAT_SCHEMA;
	else
		return intake_refuse(in, at, "text, json_object or json_schema is wanted");
	return OK;
}

#define FORMAT(member) offsetof(struct llm_request, response_format.member)

static enum err read_schema(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row rows[] = {
		{"name",        intake_text,        FORMAT(name)       },
		{"description", intake_text,        FORMAT(description)},
		{"schema",      intake_object_json, FORMAT(schema)     },
		{"strict",      intake_bool,        FORMAT(strict)     },
	};
	struct llm_request *r = request;
	return intake_object(
		in, at, v, rows, COUNT_OF(rows), r, &r->extra, "response_format.json_schema.");
}

/* A schema that nobody would be held to is not left out in silence. */
static enum err check_format(struct intake *in, const struct at *at, struct response_format *f)
{
	const bool has_schema = span_is_set(f->schema);
	if (f->type == FORMAT_UNSET)
		return intake_refuse(in, at, "a type is wanted");
	if (f->type == FORMAT_SCHEMA && !has_schema)
		return intake_refuse(in, at, "json_schema with a schema is wanted");
	if (f->type == FORMAT_TEXT && has_schema)
		return intake_refuse(in, at, "text has no schema");
	if (has_schema)
		f->type = FORMAT_SCHEMA;
	return OK;
}

/* llama.cpp and Together take the schema beside the type as well, under either of two types. */
enum err reading_format(struct intake *in, const struct at *at, struct json v, void *request)
{
	static const struct intake_row nested[] = {
		{"type",        read_format_type, FORMAT(type)},
		{"json_schema", read_schema,      0           },
	};
	static const struct intake_row flat[] = {
		{"type",        read_format_type,   FORMAT(type)       },
		{"name",        intake_text,        FORMAT(name)       },
		{"description", intake_text,        FORMAT(description)},
		{"schema",      intake_object_json, FORMAT(schema)     },
		{"strict",      intake_bool,        FORMAT(strict)     },
	};
	struct llm_request *r = request;
	const bool is_flat = !json_is_nil(json_member(v, "schema"));
	if (is_flat && !json_is_nil(json_member(v, "json_schema")))
		return intake_refuse(in, at, "the schema is there twice");
	const enum err err = intake_object(in, at, v, is_flat ? flat : nested,
		is_flat ? COUNT_OF(flat) : COUNT_OF(nested), r, &r->extra, "response_format.");
	return err ? err : check_format(in, at, &r->response_format);
}
