/* request.c - a table for each object; what tables cannot say stands under them. */
#include "protocol/request.h"

#include "protocol/limits.h"
#include "protocol/members.h"

static const char *const ops[] = {
	[LLM_OP_CHAT] = "chat",
	[LLM_OP_COMPLETE] = "complete",
	[LLM_OP_EMBED] = "embed",
	[LLM_OP_RERANK] = "rerank",
	[LLM_OP_COUNT] = "count",
	[LLM_OP_MODELS] = "models",
	[LLM_OP_MODERATE] = "moderate",
};

const char *llm_op_name(enum llm_op op)
{
	if (op == LLM_OP_NATIVE)
		return "native";
	return (size_t)op < COUNT_OF(ops) ? ops[op] : "unknown";
}

bool llm_op_from(struct span word, enum llm_op *out)
{
	for (size_t i = 0; i < COUNT_OF(ops); i++) {
		if (span_is(word, ops[i])) {
			*out = (enum llm_op)i;
			return true;
		}
	}
	return false;
}

static void put_word(struct buf *out, struct pack_open *m, const char *key,
	const char *const *words, size_t n, size_t which)
{
	if (which < n)
		pack_pair_str(out, m, key, span_str(words[which]));
}

/* A path can be that of one unknown member and the name of another, "reasoning.style". */
static enum err check_extra_names(
	const struct reader *r, const struct at *at, const struct extra *extra)
{
	struct numbered_name *names = arena_array(r->a, extra->n, sizeof *names);
	if (!names)
		return reader_no_memory(r);
	for (size_t i = 0; i < extra->n; i++) {
		const struct at here = at_member(at, extra->members[i].name);
		const enum err err = member_check_clear(r, &here, extra->members[i].name);
		if (err)
			return err;
		names[i] = (struct numbered_name){extra->members[i].name, i};
	}
	const size_t twice = members_repeated(names, extra->n);
	if (twice == SIZE_MAX)
		return OK;
	const struct at here = at_member(at, extra->members[twice].name);
	return reader_refuse(r, &here, r->bad,
		"this member is not known here, and there are two that would be kept under its "
		"name");
}

/* The extra of an object that was read: what its `extra` member held, and what nobody knew. */
static enum err join_extra(const struct reader *r, const struct at *at, struct extra *named,
	const struct extra *unknown)
{
	if (unknown->n == 0)
		return OK;
	if (named->n == 0) {
		*named = *unknown;
		return check_extra_names(r, at, named);
	}
	if (!span_eq(named->family, unknown->family)) {
		const struct at here = at_member(at, unknown->members[0].name);
		return reader_refuse(r, &here, r->bad,
			"this member is not known here, and cannot be carried beside the extra of "
			"\"%.*s\"",
			SPAN_ARG(span_first(named->family, 64)));
	}
	const size_t n = named->n + unknown->n;
	struct extra_member *all = arena_array(r->a, n, sizeof *all);
	if (!all)
		return reader_no_memory(r);
	memcpy(all, named->members, named->n * sizeof *all);
	memcpy(all + named->n, unknown->members, unknown->n * sizeof *all);
	*named = (struct extra){named->family, all, n};
	return check_extra_names(r, at, named);
}

/* Reads an object that has an `extra` of its own. */
static enum err read_whole(struct reader *r, const struct at *at, struct pack_in *in,
	const struct member *rows, size_t n, void *object, struct extra *extra, uint64_t *seen)
{
	struct extra unknown = {.n = 0};
	struct reader own = *r;
	own.unknown = &unknown;
	own.owner = at;
	const enum err err = members_read(&own, at, in, rows, n, object, seen);
	return err ? err : join_extra(&own, at, extra, &unknown);
}

/* ---- opaque items ---- */

#define OPAQUE(field) offsetof(struct opaque, field)
static const struct member opaque_rows[] = {
	{"family", AS(label, text), OPAQUE(family), 0, 1},
	{"model",  AS(text,  text), OPAQUE(model),  0, 0},
	{"data",   AS(json,  text), OPAQUE(data),   0, 1},
};

READER(member_read_opaque)
{
	return members_read(r, at, in, opaque_rows, COUNT_OF(opaque_rows), field, NULL);
}

WRITER(member_write_opaque)
{
	const struct opaque *opaque = field;
	if (!span_is_set(opaque->family))
		return;
	pack_key(out, m, key);
	members_write(out, opaque_rows, COUNT_OF(opaque_rows), opaque);
}

/* ---- parts ---- */

static const char *const part_types[] = {
	[PART_TEXT] = "text",
	[PART_IMAGE] = "image",
	[PART_AUDIO] = "audio",
	[PART_FILE] = "file",
	[PART_VIDEO] = "video",
	[PART_REFUSAL] = "refusal",
	[PART_REASONING] = "reasoning",
	[PART_OPAQUE] = "opaque",
	[PART_TOOL_CALL] = "tool_call",
};

static READER(member_read_part_type)
{
	size_t which = 0;
	const enum err err = member_read_word(r, at, in, part_types, COUNT_OF(part_types), &which);
	*(enum part_type *)field = (enum part_type)which;
	return err;
}

static WRITER(member_write_part_type)
{
	const enum part_type *type = field;
	put_word(out, m, key, part_types, COUNT_OF(part_types), *type);
}

#define KIND(type)  (UINT32_C(1) << (type))
#define EVERY       UINT32_MAX
#define SPOKEN      (KIND(PART_TEXT) | KIND(PART_REFUSAL) | KIND(PART_REASONING))
#define MEDIA       (KIND(PART_IMAGE) | KIND(PART_AUDIO) | KIND(PART_FILE) | KIND(PART_VIDEO))
#define CALL        KIND(PART_TOOL_CALL)
#define SEALED      (KIND(PART_REASONING) | KIND(PART_OPAQUE) | KIND(PART_TOOL_CALL))
#define PART(field) offsetof(struct part, field)
static const struct member part_rows[] = {
	{"type",      AS(part_type, part_type), PART(type),           0,                    EVERY            },
	{"text",      AS(text,      text),      PART(text),           SPOKEN,               SPOKEN           },
	{"data",      AS(bytes,     bytes),     PART(media.data),     MEDIA,                0                },
	{"url",       AS(name,      text),      PART(media.url),      MEDIA,                0                },
	{"file_id",   AS(name,      text),      PART(media.file_id),  MEDIA,                0                },
	{"mime",      AS(name,      text),      PART(media.mime),     MEDIA,                0                },
	{"filename",  AS(text,      text),      PART(media.filename), MEDIA,                0                },
	{"detail",    AS(text,      text),      PART(media.detail),   MEDIA,                0                },
	{"id",        AS(name,      text),      PART(call.id),        CALL,                 CALL             },
	{"name",      AS(name,      text),      PART(call.name),      CALL,                 CALL             },
	{"arguments", AS(text,      text),      PART(call.arguments), CALL,                 0                },
	{"custom",    AS(bool,      bool),      PART(call.is_custom), CALL,                 0                },
	{"opaque",    AS(opaque,    opaque),    PART(opaque),         SEALED,               KIND(PART_OPAQUE)},
	{"summary",   AS(bool,      bool),      PART(is_summary),     KIND(PART_REASONING), 0                },
	{"cache",     AS(label,     text),      PART(cache),          0,                    0                },
	{"citations", AS(json,      text),      PART(citations),      0,                    0                },
	{"extra",     AS(extra,     extra),     PART(extra),          0,                    0                },
};

static enum err check_media(const struct reader *r, const struct at *at, const struct media *m)
{
	const int sources = span_is_set(m->data) + span_is_set(m->url) + span_is_set(m->file_id);
	if (sources == 1)
		return OK;
	return reader_refuse(r, at, r->bad, "one of data, url and file_id is wanted, not %s",
		sources == 0 ? "none" : "several");
}

READER(member_read_part)
{
	struct part *part = field;
	uint64_t seen = 0;

	enum err err =
		read_whole(r, at, in, part_rows, COUNT_OF(part_rows), part, &part->extra, &seen);
	if (err)
		return err;
	if (!(seen & 1))
		return members_check(r, at, part_rows, 1, seen, 0, "a part", "");
	err = members_check(r, at, part_rows, COUNT_OF(part_rows), seen, part->type,
		"a part of type ", part_types[part->type]);
	if (!err && (KIND(part->type) & MEDIA))
		err = check_media(r, at, &part->media);
	if (!err && part->type == PART_TOOL_CALL && !span_is_set(part->call.arguments))
		part->call.arguments = SPAN("");
	return err;
}

WRITER(member_write_part)
{
	pack_key(out, m, key);
	members_write(out, part_rows, COUNT_OF(part_rows), field);
}

/* ---- messages ---- */

static const char *const roles[] = {
	[ROLE_SYSTEM] = "system",
	[ROLE_DEVELOPER] = "developer",
	[ROLE_USER] = "user",
	[ROLE_ASSISTANT] = "assistant",
	[ROLE_TOOL] = "tool",
};

static READER(member_read_role)
{
	size_t which = 0;
	const enum err err = member_read_word(r, at, in, roles, COUNT_OF(roles), &which);
	*(enum role *)field = (enum role)which;
	return err;
}

static WRITER(member_write_role)
{
	const enum role *role = field;
	put_word(out, m, key, roles, COUNT_OF(roles), *role);
}

static READER(member_read_content)
{
	struct message *message = field;
	if (pack_kind(in) == PACK_STR) {
		message->parts = arena_array(r->a, 1, sizeof *message->parts);
		if (!message->parts)
			return reader_no_memory(r);
		message->n_parts = 1;
		return member_read_text(r, at, in, &message->parts[0].text);
	}
	enum err err = member_read_array(r, at, in, LIMIT_PACK_NODES, sizeof *message->parts,
		&message->parts, &message->n_parts);
	for (size_t i = 0; !err && i < message->n_parts; i++) {
		const struct at here = at_index(at, i);
		err = member_read_part(r, &here, in, &message->parts[i]);
	}
	return err;
}

static bool is_plain_text(const struct part *p)
{
	return p->type == PART_TEXT && span_is_set(p->text) && !span_is_set(p->cache) &&
	       !span_is_set(p->citations) && p->extra.n == 0;
}

static WRITER(member_write_content)
{
	const struct message *message = field;
	if (message->n_parts == 0)
		return;
	pack_key(out, m, key);
	if (message->n_parts == 1 && is_plain_text(&message->parts[0])) {
		pack_put_str(out, message->parts[0].text);
		return;
	}
	pack_put_array(out, message->n_parts);
	for (size_t i = 0; i < message->n_parts; i++)
		members_write(out, part_rows, COUNT_OF(part_rows), &message->parts[i]);
}

#define MESSAGE(field) offsetof(struct message, field)
static const struct member message_rows[] = {
	{"role",         AS(role,    role),    MESSAGE(role),         0,               EVERY                        },
	{"content",      AS(content, content), 0,                     0,               EVERY & ~KIND(ROLE_ASSISTANT)},
	{"name",         AS(text,    text),    MESSAGE(name),         0,               0                            },
	{"tool_call_id", AS(name,    text),    MESSAGE(tool_call_id), KIND(ROLE_TOOL), KIND(ROLE_TOOL)              },
	{"is_error",     AS(bool,    bool),    MESSAGE(is_error),     KIND(ROLE_TOOL), 0                            },
	{"extra",        AS(extra,   extra),   MESSAGE(extra),        0,               0                            },
};

static enum err check_content(
	const struct reader *r, const struct at *at, const struct message *message)
{
	const struct at content = at_member(at, SPAN("content"));
	if (message->role == ROLE_ASSISTANT)
		return OK;
	if (message->n_parts == 0)
		return reader_refuse(
			r, &content, r->bad, "only an assistant's message may have no content");
	for (size_t i = 0; i < message->n_parts; i++) {
		const struct at here = at_index(&content, i);
		if (message->parts[i].type == PART_TOOL_CALL)
			return reader_refuse(
				r, &here, r->bad, "only an assistant's message may call a tool");
	}
	return OK;
}

static enum err read_message(
	struct reader *r, const struct at *at, struct pack_in *in, struct message *message)
{
	uint64_t seen = 0;

	enum err err = read_whole(
		r, at, in, message_rows, COUNT_OF(message_rows), message, &message->extra, &seen);
	if (err)
		return err;
	if (!(seen & 1))
		return members_check(r, at, message_rows, 1, seen, 0, "a message", "");
	err = members_check(r, at, message_rows, COUNT_OF(message_rows), seen, message->role,
		"a message of role ", roles[message->role]);
	return err ? err : check_content(r, at, message);
}

static READER(member_read_messages)
{
	struct llm_request *request = field;
	enum err err = member_read_array(r, at, in, LIMIT_MESSAGES, sizeof *request->messages,
		&request->messages, &request->n_messages);
	if (!err && request->n_messages == 0)
		return reader_refuse(r, at, r->bad, "at least one message is wanted");
	for (size_t i = 0; !err && i < request->n_messages; i++) {
		const struct at here = at_index(at, i);
		err = read_message(r, &here, in, &request->messages[i]);
	}
	return err;
}

static WRITER(member_write_messages)
{
	const struct llm_request *request = field;
	if (request->n_messages == 0)
		return;
	pack_key(out, m, key);
	pack_put_array(out, request->n_messages);
	for (size_t i = 0; i < request->n_messages; i++)
		members_write(out, message_rows, COUNT_OF(message_rows), &request->messages[i]);
}

/* ---- tools ---- */

static const char *const tool_types[] = {
	[TOOL_FUNCTION] = "function",
	[TOOL_CUSTOM] = "custom",
	[TOOL_PROVIDER] = "provider",
};

static READER(member_read_tool_type)
{
	size_t which = 0;
	const enum err err = member_read_word(r, at, in, tool_types, COUNT_OF(tool_types), &which);
	*(enum tool_type *)field = (enum tool_type)which;
	return err;
}

static WRITER(member_write_tool_type)
{
	const enum tool_type *type = field;
	if (*type != TOOL_FUNCTION)
		put_word(out, m, key, tool_types, COUNT_OF(tool_types), *type);
}

#define OURS        (KIND(TOOL_FUNCTION) | KIND(TOOL_CUSTOM))
#define TOOL(field) offsetof(struct tool, field)
static const struct member tool_rows[] = {
	{"type",        AS(tool_type,    tool_type), TOOL(type),        0,                   0                  },
	{"name",        AS(name,         text),      TOOL(name),        0,                   OURS               },
	{"description", AS(text,         text),      TOOL(description), 0,                   0                  },
	{"parameters",  AS(json_object,  text),      TOOL(parameters),  KIND(TOOL_FUNCTION), 0                  },
	{"strict",      AS(opt_bool,     opt_bool),  TOOL(strict),      KIND(TOOL_FUNCTION), 0                  },
	{"cache",       AS(label,        text),      TOOL(cache),       0,                   0                  },
	{"format",      AS(json_merged,  text),      TOOL(format),      KIND(TOOL_CUSTOM),   0                  },
	{"family",      AS(label,        text),      TOOL(family),      KIND(TOOL_PROVIDER), KIND(TOOL_PROVIDER)},
	{"raw",         AS(json_options, text),      TOOL(raw),         KIND(TOOL_PROVIDER), KIND(TOOL_PROVIDER)},
	{"extra",       AS(extra,        extra),     TOOL(extra),       0,                   0                  },
};

static enum err read_tool(
	struct reader *r, const struct at *at, struct pack_in *in, struct tool *tool)
{
	uint64_t seen = 0;

	const enum err err =
		read_whole(r, at, in, tool_rows, COUNT_OF(tool_rows), tool, &tool->extra, &seen);
	if (err)
		return err;
	return members_check(r, at, tool_rows, COUNT_OF(tool_rows), seen, tool->type,
		"a tool of type ", tool_types[tool->type]);
}

static enum err check_tool_names(
	const struct reader *r, const struct at *at, const struct llm_request *request)
{
	struct numbered_name *names = arena_array(r->a, request->n_tools, sizeof *names);
	size_t n = 0;
	if (!names)
		return reader_no_memory(r);
	for (size_t i = 0; i < request->n_tools; i++) {
		if (span_is_set(request->tools[i].name))
			names[n++] = (struct numbered_name){request->tools[i].name, i};
	}
	const size_t twice = members_repeated(names, n);
	if (twice == SIZE_MAX)
		return OK;
	const struct at tool = at_index(at, twice), name = at_member(&tool, SPAN("name"));
	return reader_refuse(r, &name, r->bad, "another tool has the name \"%.*s\" too",
		SPAN_ARG(span_first(request->tools[twice].name, 64)));
}

static READER(member_read_tools)
{
	struct llm_request *request = field;
	enum err err = member_read_array(
		r, at, in, LIMIT_TOOLS, sizeof *request->tools, &request->tools, &request->n_tools);
	for (size_t i = 0; !err && i < request->n_tools; i++) {
		const struct at here = at_index(at, i);
		err = read_tool(r, &here, in, &request->tools[i]);
	}
	return err || request->n_tools < 2 ? err : check_tool_names(r, at, request);
}

static WRITER(member_write_tools)
{
	const struct llm_request *request = field;
	if (request->n_tools == 0)
		return;
	pack_key(out, m, key);
	pack_put_array(out, request->n_tools);
	for (size_t i = 0; i < request->n_tools; i++)
		members_write(out, tool_rows, COUNT_OF(tool_rows), &request->tools[i]);
}

/* ---- tool choice: a word, or a map ---- */

static const char *const choices[] = {
	[CHOICE_UNSET] = "",
	[CHOICE_AUTO] = "auto",
	[CHOICE_NONE] = "none",
	[CHOICE_REQUIRED] = "required",
};

static READER(member_read_choice_word)
{
	size_t which = 0;
	const enum err err =
		member_read_word(r, at, in, choices + 1, COUNT_OF(choices) - 1, &which);
	((struct tool_choice *)field)->mode = (enum tool_choice_mode)(which + 1);
	return err;
}

static WRITER(member_write_choice_word)
{
	const struct tool_choice *choice = field;
	if (choice->mode != CHOICE_UNSET)
		put_word(out, m, key, choices, COUNT_OF(choices), choice->mode);
}

static READER(member_read_choice_name)
{
	struct tool_choice *choice = field;
	choice->names = arena_array(r->a, 1, sizeof *choice->names);
	if (!choice->names)
		return reader_no_memory(r);
	choice->n_names = 1;
	return member_read_name(r, at, in, choice->names);
}

static WRITER(member_write_choice_name)
{
	const struct tool_choice *choice = field;
	if (choice->mode == CHOICE_NAMED && choice->n_names > 0)
		pack_pair_str(out, m, key, choice->names[0]);
}

static READER(member_read_choice_allowed)
{
	struct tool_choice *choice = field;
	const enum err err =
		member_read_texts(r, at, in, LIMIT_TOOLS, &choice->names, &choice->n_names);
	if (!err && choice->n_names == 0)
		return reader_refuse(r, at, r->bad, "at least one name is wanted");
	return err;
}

static WRITER(member_write_choice_allowed)
{
	const struct tool_choice *choice = field;
	if (choice->mode == CHOICE_NAMED || choice->n_names == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, choice->names, choice->n_names);
}

enum { CHOICE_BY_NAME, CHOICE_BY_LIST };
static const struct member choice_rows[] = {
	{"name",    AS(choice_name,    choice_name),    0, KIND(CHOICE_BY_NAME), KIND(CHOICE_BY_NAME)},
	{"mode",    AS(choice_word,    choice_word),    0, KIND(CHOICE_BY_LIST), KIND(CHOICE_BY_LIST)},
	{"allowed", AS(choice_allowed, choice_allowed), 0, KIND(CHOICE_BY_LIST),
         KIND(CHOICE_BY_LIST)									},
};

static READER(member_read_tool_choice)
{
	struct tool_choice *choice = field;
	uint64_t seen = 0;
	if (pack_kind(in) == PACK_STR)
		return member_read_choice_word(r, at, in, choice);
	enum err err = members_read(r, at, in, choice_rows, COUNT_OF(choice_rows), choice, &seen);
	if (err)
		return err;
	const bool is_named = (seen & 1) != 0;
	err = members_check(r, at, choice_rows, COUNT_OF(choice_rows), seen,
		is_named ? CHOICE_BY_NAME : CHOICE_BY_LIST, "a choice by ",
		is_named ? "name" : "list");
	if (err)
		return err;
	if (is_named) {
		choice->mode = CHOICE_NAMED;
	} else if (choice->mode == CHOICE_NONE) {
		const struct at here = at_member(at, SPAN("mode"));
		return reader_refuse(
			r, &here, r->bad, "a list of allowed tools is for auto and required");
	}
	return OK;
}

static WRITER(member_write_tool_choice)
{
	const struct tool_choice *choice = field;
	if (choice->mode == CHOICE_UNSET)
		return;
	if (choice->mode != CHOICE_NAMED && choice->n_names == 0) {
		member_write_choice_word(out, m, key, choice);
		return;
	}
	pack_key(out, m, key);
	members_write(out, choice_rows, COUNT_OF(choice_rows), choice);
}

/* ---- response format ---- */

static const char *const formats[] = {
	[FORMAT_UNSET] = "",
	[FORMAT_TEXT] = "text",
	[FORMAT_JSON] = "json",
	[FORMAT_SCHEMA] = "json_schema",
};

static READER(member_read_format_type)
{
	size_t which = 0;
	const enum err err =
		member_read_word(r, at, in, formats + 1, COUNT_OF(formats) - 1, &which);
	*(enum format_type *)field = (enum format_type)(which + 1);
	return err;
}

static WRITER(member_write_format_type)
{
	const enum format_type *type = field;
	put_word(out, m, key, formats, COUNT_OF(formats), *type);
}

#define FORMAT(field) offsetof(struct response_format, field)
static const struct member format_rows[] = {
	{"type",        AS(format_type, format_type), FORMAT(type),        0,                   EVERY              },
	{"name",        AS(name,        text),        FORMAT(name),        KIND(FORMAT_SCHEMA), 0                  },
	{"description", AS(text,        text),        FORMAT(description), KIND(FORMAT_SCHEMA), 0                  },
	{"schema",      AS(json_object, text),        FORMAT(schema),      KIND(FORMAT_SCHEMA), KIND(FORMAT_SCHEMA)},
	{"strict",      AS(opt_bool,    opt_bool),    FORMAT(strict),      KIND(FORMAT_SCHEMA), 0                  },
};

static READER(member_read_format)
{
	struct response_format *format = field;
	uint64_t seen = 0;
	const enum err err =
		members_read(r, at, in, format_rows, COUNT_OF(format_rows), format, &seen);
	if (err)
		return err;
	return members_check(r, at, format_rows, COUNT_OF(format_rows), seen, format->type,
		"a format ", formats[format->type]);
}

static WRITER(member_write_format)
{
	const struct response_format *format = field;
	if (format->type == FORMAT_UNSET)
		return;
	pack_key(out, m, key);
	members_write(out, format_rows, COUNT_OF(format_rows), format);
}

/* ---- small maps ---- */

static enum err read_span_word(struct reader *r, const struct at *at, struct pack_in *in,
	const char *const *words, size_t n, struct span *out)
{
	size_t which;
	struct pack_in ahead = *in;
	const enum err err = member_read_word(r, at, in, words, n, &which);
	if (!err && !pack_str(&ahead, out))
		return reader_wrong(r, at, &ahead, "a word");
	return err;
}

static READER(member_read_effort)
{
	static const char *const words[] = {
		"none", "minimal", "low", "medium", "high", "xhigh", "max"};
	return read_span_word(r, at, in, words, COUNT_OF(words), field);
}

static READER(member_read_expose)
{
	static const char *const words[] = {"text", "none"};
	return read_span_word(r, at, in, words, COUNT_OF(words), field);
}

#define REASONING(field) offsetof(struct reasoning, field)
static const struct member reasoning_rows[] = {
	{"effort",        AS(effort,  text),    REASONING(effort),        0, 0},
	{"budget_tokens", AS(opt_i64, opt_i64), REASONING(budget_tokens), 0, 0},
	{"expose",        AS(expose,  text),    REASONING(expose),        0, 0},
};

static READER(member_read_reasoning)
{
	return members_read(r, at, in, reasoning_rows, COUNT_OF(reasoning_rows), field, NULL);
}

static WRITER(member_write_reasoning)
{
	const struct reasoning *reasoning = field;
	if (!span_is_set(reasoning->effort) && !reasoning->budget_tokens.is_set &&
		!span_is_set(reasoning->expose))
		return;
	pack_key(out, m, key);
	members_write(out, reasoning_rows, COUNT_OF(reasoning_rows), reasoning);
}

#define REQUEST(field) offsetof(struct llm_request, field)
static const struct member audio_rows[] = {
	{"voice",  AS(text, text), REQUEST(audio_voice),  0, 0},
	{"format", AS(text, text), REQUEST(audio_format), 0, 0},
};

static READER(member_read_audio)
{
	return members_read(r, at, in, audio_rows, COUNT_OF(audio_rows), field, NULL);
}

static WRITER(member_write_audio)
{
	const struct llm_request *request = field;
	if (!span_is_set(request->audio_voice) && !span_is_set(request->audio_format))
		return;
	pack_key(out, m, key);
	members_write(out, audio_rows, COUNT_OF(audio_rows), request);
}

static const struct member cache_rows[] = {
	{"key", AS(text,  text), REQUEST(cache_key), 0, 0},
	{"ttl", AS(label, text), REQUEST(cache_ttl), 0, 0},
};

static READER(member_read_cache)
{
	return members_read(r, at, in, cache_rows, COUNT_OF(cache_rows), field, NULL);
}

static WRITER(member_write_cache)
{
	const struct llm_request *request = field;
	if (!span_is_set(request->cache_key) && !span_is_set(request->cache_ttl))
		return;
	pack_key(out, m, key);
	members_write(out, cache_rows, COUNT_OF(cache_rows), request);
}

/* A map of the caller's own names, in order. */
static enum err read_map(struct reader *r, const struct at *at, struct pack_in *in,
	enum err (*read_value)(
		struct reader *r, const struct at *at, struct pack_in *in, void *field),
	struct string_pair **out, size_t *n_out)
{
	uint32_t n;
	if (!pack_map(in, &n))
		return reader_wrong(r, at, in, "a map");
	struct string_pair *pairs = arena_array(r->a, n, sizeof *pairs);
	if (!pairs)
		return reader_no_memory(r);
	for (size_t i = 0; i < n; i++) {
		enum err err = member_read_text(r, at, in, &pairs[i].key);
		const struct at here = at_member(at, pairs[i].key);
		if (!err)
			err = read_value(r, &here, in, &pairs[i].value);
		if (err)
			return err;
	}
	*out = pairs;
	*n_out = n;
	return OK;
}

static void put_map(struct buf *out, struct pack_open *m, const char *key,
	const struct string_pair *pairs, size_t n)
{
	if (n == 0)
		return;
	pack_key(out, m, key);
	pack_put_map(out, n);
	for (size_t i = 0; i < n; i++) {
		pack_put_str(out, pairs[i].key);
		pack_put_str(out, pairs[i].value);
	}
}

static READER(member_read_metadata)
{
	struct llm_request *request = field;
	return read_map(r, at, in, member_read_text, &request->metadata, &request->n_metadata);
}

static WRITER(member_write_metadata)
{
	const struct llm_request *request = field;
	put_map(out, m, key, request->metadata, request->n_metadata);
}

static READER(member_read_options)
{
	struct llm_request *request = field;
	return read_map(r, at, in, member_read_json_options, &request->provider_options,
		&request->n_provider_options);
}

static WRITER(member_write_options)
{
	const struct llm_request *request = field;
	put_map(out, m, key, request->provider_options, request->n_provider_options);
}

/* ---- the rest of the request ---- */

static READER(member_read_stop)
{
	struct llm_request *request = field;
	return member_read_texts(r, at, in, LIMIT_PACK_NODES, &request->stop, &request->n_stop);
}

static WRITER(member_write_stop)
{
	const struct llm_request *request = field;
	if (request->n_stop == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, request->stop, request->n_stop);
}

static READER(member_read_modalities)
{
	static const char *const words[] = {"text", "image", "audio"};
	struct llm_request *request = field;
	enum err err = member_read_array(r, at, in, LIMIT_PACK_NODES, sizeof *request->modalities,
		&request->modalities, &request->n_modalities);
	for (size_t i = 0; !err && i < request->n_modalities; i++) {
		const struct at here = at_index(at, i);
		err = read_span_word(r, &here, in, words, COUNT_OF(words), &request->modalities[i]);
	}
	return err;
}

static WRITER(member_write_modalities)
{
	const struct llm_request *request = field;
	if (request->n_modalities == 0)
		return;
	pack_key(out, m, key);
	member_write_texts(out, request->modalities, request->n_modalities);
}

static READER(member_read_on_unsupported)
{
	static const char *const words[] = {
		[UNSUPPORTED_WARN] = "warn", [UNSUPPORTED_REJECT] = "reject"};
	size_t which = 0;
	const enum err err = member_read_word(r, at, in, words, COUNT_OF(words), &which);
	*(enum on_unsupported *)field = (enum on_unsupported)which;
	return err;
}

static WRITER(member_write_on_unsupported)
{
	const enum on_unsupported *what = field;
	if (*what == UNSUPPORTED_REJECT)
		pack_pair_str(out, m, key, SPAN("reject"));
}

/* ---- what the operations beside chat are given ---- */

static READER(member_read_inputs)
{
	struct llm_request *request = field;
	enum err err = member_read_array(r, at, in, LIMIT_PACK_NODES, sizeof *request->inputs,
		&request->inputs, &request->n_inputs);
	if (!err && request->n_inputs == 0)
		return reader_refuse(r, at, r->bad, "at least one input is wanted");
	for (size_t i = 0; !err && i < request->n_inputs; i++) {
		const struct at here = at_index(at, i);
		struct part *part = &request->inputs[i];
		if (pack_kind(in) == PACK_STR)
			err = member_read_text(r, &here, in, &part->text);
		else
			err = member_read_part(r, &here, in, part);
		if (!err && part->type != PART_TEXT && part->type != PART_IMAGE)
			return reader_refuse(r, &here, r->bad,
				"an input is a text or an image, no part of type %s",
				part_types[part->type]);
	}
	return err;
}

static WRITER(member_write_inputs)
{
	const struct llm_request *request = field;
	if (request->n_inputs == 0)
		return;
	pack_key(out, m, key);
	pack_put_array(out, request->n_inputs);
	for (size_t i = 0; i < request->n_inputs; i++) {
		if (is_plain_text(&request->inputs[i]))
			pack_put_str(out, request->inputs[i].text);
		else
			members_write(out, part_rows, COUNT_OF(part_rows), &request->inputs[i]);
	}
}

static READER(member_read_input_type)
{
	static const char *const words[] = {
		"query", "document", "classification", "clustering", "similarity", "code_query"};
	return read_span_word(r, at, in, words, COUNT_OF(words), field);
}

static READER(member_read_truncate)
{
	static const char *const words[] = {"none", "start", "end"};
	return read_span_word(r, at, in, words, COUNT_OF(words), field);
}

static READER(member_read_opt_count)
{
	struct opt_i64 *opt = field;
	opt->is_set = true;
	return member_read_count(r, at, in, &opt->v);
}

static READER(member_read_opt_positive)
{
	const struct opt_i64 *opt = field;
	const enum err err = member_read_opt_i64(r, at, in, field);
	if (!err && opt->v < 1)
		return reader_refuse(r, at, r->bad, "this may not be less than 1");
	return err;
}

/* In the order in which they are written, each with the operations that it belongs to. */
#define CHAT     KIND(LLM_OP_CHAT)
#define COMPLETE KIND(LLM_OP_COMPLETE)
#define EMBED    KIND(LLM_OP_EMBED)
#define RERANK   KIND(LLM_OP_RERANK)
#define COUNT    KIND(LLM_OP_COUNT)
#define MODELS   KIND(LLM_OP_MODELS)
#define MODERATE KIND(LLM_OP_MODERATE)
#define SAID     (CHAT | COMPLETE | COUNT) /* to a model that writes an answer */
#define GIVEN    (EMBED | RERANK | MODERATE | COMPLETE)
static const struct member request_rows[] = {
	{"model",               AS(label,          text),           REQUEST(model),               0,                       (EVERY & ~MODELS)          },
	{"messages",            AS(messages,       messages),       0,                            SAID,                    (CHAT | COUNT)             },
	{"inputs",              AS(inputs,         inputs),         0,                            GIVEN,                   (EMBED | RERANK | MODERATE)},
	{"query",               AS(text,           text),           REQUEST(query),               RERANK,                  RERANK                     },
	{"top_n",               AS(opt_positive,   opt_i64),        REQUEST(top_n),               RERANK,                  0                          },
	{"dimensions",          AS(opt_positive,   opt_i64),        REQUEST(dimensions),          EMBED,                   0                          },
	{"input_type",          AS(input_type,     text),           REQUEST(input_type),          EMBED,                   0                          },
	{"truncate",            AS(truncate,       text),           REQUEST(truncate),            EMBED,                   0                          },
	{"max_tokens",          AS(opt_count,      opt_i64),        REQUEST(max_tokens),          SAID,                    0                          },
	{"temperature",         AS(opt_f64,        opt_f64),        REQUEST(temperature),         SAID,                    0                          },
	{"top_p",               AS(opt_f64,        opt_f64),        REQUEST(top_p),               SAID,                    0                          },
	{"min_p",               AS(opt_f64,        opt_f64),        REQUEST(min_p),               SAID,                    0                          },
	{"top_k",               AS(opt_i64,        opt_i64),        REQUEST(top_k),               SAID,                    0                          },
	{"n",		   AS(opt_positive,   opt_i64),        REQUEST(n),                   SAID,                    0                          },
	{"seed",                AS(opt_i64,        opt_i64),        REQUEST(seed),                SAID,                    0                          },
	{"stop",                AS(stop,           stop),           0,                            SAID,                    0                          },
	{"presence_penalty",    AS(opt_f64,        opt_f64),        REQUEST(presence_penalty),    SAID,                    0                          },
	{"frequency_penalty",   AS(opt_f64,        opt_f64),        REQUEST(frequency_penalty),   SAID,                    0                          },
	{"repetition_penalty",  AS(opt_f64,        opt_f64),        REQUEST(repetition_penalty),  SAID,                    0                          },
	{"logit_bias",          AS(json_options,   text),           REQUEST(logit_bias),          SAID,                    0                          },
	{"logprobs",            AS(opt_bool,       opt_bool),       REQUEST(logprobs),            SAID,                    0                          },
	{"top_logprobs",        AS(opt_count,      opt_i64),        REQUEST(top_logprobs),        SAID,                    0                          },
	{"tools",               AS(tools,          tools),          0,                            SAID,                    0                          },
	{"tool_choice",         AS(tool_choice,    tool_choice),    REQUEST(tool_choice),         SAID,                    0                          },
	{"parallel_tool_calls", AS(opt_bool,       opt_bool),       REQUEST(parallel_tool_calls), SAID,                    0                          },
	{"response_format",     AS(format,         format),         REQUEST(response_format),     SAID,                    0                          },
	{"reasoning",           AS(reasoning,      reasoning),      REQUEST(reasoning),           SAID,                    0                          },
	{"modalities",          AS(modalities,     modalities),     0,                            SAID,                    0                          },
	{"audio",               AS(audio,          audio),          0,                            SAID,                    0                          },
	{"stream",              AS(bool,           bool),           REQUEST(is_stream),           0,                       0                          },
	{"user",                AS(text,           text),           REQUEST(user),                SAID | EMBED | MODERATE, 0                          },
	{"metadata",            AS(metadata,       metadata),       0,                            SAID,                    0                          },
	{"service_tier",        AS(text,           text),           REQUEST(service_tier),        SAID,                    0                          },
	{"verbosity",           AS(text,           text),           REQUEST(verbosity),           SAID,                    0                          },
	{"cache",               AS(cache,          cache),          0,                            SAID,                    0                          },
	{"on_unsupported",      AS(on_unsupported, on_unsupported), REQUEST(on_unsupported),      0,                       0                          },
	{"return_raw",          AS(bool,           bool),           REQUEST(wants_raw),           0,                       0                          },
	{"provider_options",    AS(options,        options),        0,                            0,                       0                          },
	{"extra",               AS(extra,          extra),          REQUEST(extra),               0,                       0                          },
};

static enum err check_request(
	const struct reader *r, const struct at *at, uint64_t seen, enum llm_op op)
{
	const bool is_chat = op == LLM_OP_CHAT;
	return members_check(r, at, request_rows, COUNT_OF(request_rows), seen, op,
		is_chat ? "a request" : "the operation ", is_chat ? "" : llm_op_name(op));
}

/* A prompt is what the user says: whoever answers need know no other form of it. */
static enum err prompt_to_message(const struct reader *r, struct llm_request *request)
{
	struct message *message = arena_array(r->a, 1, sizeof *message);
	if (!message)
		return reader_no_memory(r);
	*message = (struct message){
		.role = ROLE_USER, .parts = request->inputs, .n_parts = request->n_inputs};
	request->messages = message;
	request->n_messages = 1;
	request->inputs = NULL;
	request->n_inputs = 0;
	return OK;
}

enum err request_unpack_op(enum llm_op op, struct span packed, struct arena *a,
	struct llm_request *out, struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_INVALID_REQUEST};
	const struct at top = {.up = NULL};
	uint64_t seen = 0;

	*out = (struct llm_request){.model = SPAN_NONE};
	enum err err = pack_check(packed, why);
	if (err)
		return err;
	struct pack_in in = pack_from(packed);
	err = read_whole(
		&r, &top, &in, request_rows, COUNT_OF(request_rows), out, &out->extra, &seen);
	if (!err)
		err = check_request(&r, &top, seen, op);
	if (!err && op == LLM_OP_COMPLETE && out->n_messages == 0 && out->n_inputs > 0)
		return prompt_to_message(&r, out);
	if (!err && op == LLM_OP_COMPLETE && out->n_messages == 0) {
		const struct at here = at_member(&top, SPAN("inputs"));
		return reader_refuse(&r, &here, r.bad,
			"the operation complete must have this member, or messages");
	}
	return err;
}

enum err request_unpack(
	struct span packed, struct arena *a, struct llm_request *out, struct fault *why)
{
	return request_unpack_op(LLM_OP_CHAT, packed, a, out, why);
}

void request_pack(const struct llm_request *r, struct buf *out)
{
	members_write(out, request_rows, COUNT_OF(request_rows), r);
}
