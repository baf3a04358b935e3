/* incoming_messages.c - a caller's turns in our terms: results of tools are messages of their own, and
 * blocks that only this family knows are carried. */
#include "brokerd/dialect/anthropic/incoming.h"
#include "brokerd/dialect/carry.h"
#include "protocol/limits.h"

#define PART(field) offsetof(struct part, field)

/* ---- where media are ---- */

/* A source, before it is known what its data are. */
struct source {
	struct span type;
	struct json data;
	struct media *media;
};

#define SOURCE(field) offsetof(struct source, field)

static enum err read_media_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	const struct source *source = field;
	return intake_text(in, at, v, &source->media->mime);
}

static enum err read_url(struct intake *in, const struct at *at, struct json v, void *field)
{
	const struct source *source = field;
	return intake_text(in, at, v, &source->media->url);
}

static enum err read_file_id(struct intake *in, const struct at *at, struct json v, void *field)
{
	const struct source *source = field;
	return intake_text(in, at, v, &source->media->file_id);
}

static enum err read_source(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"type",       intake_text,     SOURCE(type)},
		{"data",       intake_value,    SOURCE(data)},
		{"media_type", read_media_type, 0           },
		{"url",        read_url,        0           },
		{"file_id",    read_file_id,    0           },
	};
	struct part *part = field;
	struct source source = {.media = &part->media};
	const struct at data = at_member(at, SPAN("data"));
	enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), &source, &part->extra, "source.");
	if (err || !span_is_set(source.data.text))
		return err;
	return span_is(source.type, "text")
		       ? intake_text(in, &data, source.data, &part->media.data)
		       : intake_base64(in, &data, source.data, &part->media.data);
}

/* Is the source of a kind that has a place of its own? */
static bool has_known_source(struct json block)
{
	static const char *const known[] = {"base64", "text", "url", "file"};
	const struct json type = json_member(json_member(block, "source"), "type");
	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (json_is(type, known[i]))
			return true;
	}
	return false;
}

static enum err check_source(struct intake *in, const struct at *at, const struct media *m)
{
	const struct at here = at_member(at, SPAN("source"));
	const int n = span_is_set(m->data) + (m->url.n > 0) + (m->file_id.n > 0);
	return n == 1 ? OK
		      : intake_refuse(in, &here, "one of data, url and file_id is wanted, not %s",
				n == 0 ? "none" : "several");
}

/* ---- blocks ---- */

static enum err read_input(struct intake *in, const struct at *at, struct json v, void *field)
{
	return intake_object_json(in, at, v, field);
}

static enum err read_text_block(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0              },
		{"text",          intake_text,          PART(text)     },
		{"citations",     intake_json,          PART(citations)},
		{"cache_control", intake_cache_control, PART(cache)    },
	};
	const struct at text = at_member(at, SPAN("text"));
	part->type = PART_TEXT;
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
	return err || span_is_set(part->text) ? err : intake_refuse(in, &text, "this is missing");
}

static enum err read_media_block(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row image[] = {
		{"type",          intake_ignore,        0          },
		{"source",        read_source,          0          },
		{"cache_control", intake_cache_control, PART(cache)},
	};
	static const struct intake_row document[] = {
		{"type",          intake_ignore,        0                   },
		{"source",        read_source,          0                   },
		{"title",         intake_text,          PART(media.filename)},
		{"citations",     intake_object_json,   PART(citations)     },
		{"cache_control", intake_cache_control, PART(cache)         },
	};
	const bool is_image = json_is(json_member(v, "type"), "image");
	part->type = is_image ? PART_IMAGE : PART_FILE;
	const enum err err = intake_object(in, at, v, is_image ? image : document,
		is_image ? COUNT_OF(image) : COUNT_OF(document), part, &part->extra, "");
	return err ? err : check_source(in, at, &part->media);
}

static enum err read_tool_use(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0                   },
		{"id",            intake_text,          PART(call.id)       },
		{"name",          intake_text,          PART(call.name)     },
		{"input",         read_input,           PART(call.arguments)},
		{"cache_control", intake_cache_control, PART(cache)         },
	};
	part->type = PART_TOOL_CALL;
	part->call.arguments = SPAN("{}");
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
	if (err)
		return err;
	return part->call.id.n > 0 && part->call.name.n > 0
		       ? OK
		       : intake_refuse(in, at, "a call has an id and a name");
}

/* What the broker put into this family's slot for another family's item comes back as that item. */
static bool is_carried(struct intake *in, struct json slot, struct opaque *out)
{
	struct span text;
	return json_kind(slot) == JSON_STRING && json_text(slot, in->arena, &text) == OK &&
	       carry_read(text, in->arena, out);
}

/* Words that nobody signed. */
static enum err read_unsigned(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"type",      intake_ignore, 0         },
		{"thinking",  intake_text,   PART(text)},
		{"signature", intake_ignore, 0         },
	};
	return intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
}

/* Thinking is read for those who cannot have the block, which comes back to this family as it was. */
static enum err read_thinking(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	const struct at here = at_member(at, SPAN("thinking"));
	const struct json text = json_member(v, "thinking");
	const struct json signature = json_member(v, "signature");
	part->type = PART_REASONING;
	part->text = SPAN("");
	if (json_is_nil(signature) || json_is(signature, ""))
		return read_unsigned(in, at, v, part);
	if (!is_carried(in, signature, &part->opaque)) {
		part->opaque = (struct opaque){.family = in->family, .data = v.text};
	} else if (span_is(part->opaque.family, CARRY_UNSEALED)) {
		part->opaque = (struct opaque){.family = SPAN_NONE};
		return read_unsigned(in, at, v, part);
	}
	return json_is_nil(text) ? OK : intake_text(in, &here, text, &part->text);
}

static enum err read_redacted(struct intake *in, struct json v, struct part *part)
{
	part->type = PART_OPAQUE;
	part->opaque = (struct opaque){.family = in->family, .data = v.text};
	if (is_carried(in, json_member(v, "data"), &part->opaque)) {
		part->type = PART_REASONING;
		part->text = SPAN("");
	}
	return OK;
}

static enum err read_block(struct intake *in, const struct at *at, struct json v, struct part *part)
{
	const struct json type = json_member(v, "type");
	const struct at here = at_member(at, SPAN("type"));
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	if (json_kind(type) != JSON_STRING)
		return intake_wrong(in, &here, type, "the type of a block");
	if (json_is(type, "text"))
		return read_text_block(in, at, v, part);
	if ((json_is(type, "image") || json_is(type, "document")) && has_known_source(v))
		return read_media_block(in, at, v, part);
	if (json_is(type, "tool_use"))
		return read_tool_use(in, at, v, part);
	if (json_is(type, "thinking"))
		return read_thinking(in, at, v, part);
	if (json_is(type, "redacted_thinking"))
		return read_redacted(in, v, part);
	part->type = PART_OPAQUE;
	part->opaque = (struct opaque){.family = in->family, .data = v.text};
	return OK;
}

/* Adds what a content says to a message that has room for it: a text, or blocks less those that are
 * results, which are told as messages of their own. */
static enum err read_content(
	struct intake *in, const struct at *at, struct json v, struct message *m)
{
	size_t k = 0;
	if (json_kind(v) == JSON_STRING) {
		struct part *part = &m->parts[m->n_parts++];
		part->type = PART_TEXT;
		return intake_text(in, at, v, &part->text);
	}
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "a string, or an array of blocks");
	for (struct json_walk w = json_each(v); json_next(&w); k++) {
		const struct at here = at_index(at, k);
		if (json_is(json_member(w.value, "type"), "tool_result"))
			continue;
		struct part *part = &m->parts[m->n_parts++];
		const enum err err = read_block(in, &here, w.value, part);
		if (err)
			return err;
		if (part->type == PART_TOOL_CALL && m->role != ROLE_ASSISTANT)
			return intake_refuse(in, &here, "only the assistant calls tools");
	}
	return OK;
}

static enum err make_room(struct intake *in, struct json content, struct message *m)
{
	m->parts = arena_array(in->arena, intake_count(content) + 1, sizeof *m->parts);
	return m->parts ? OK : intake_no_memory(in);
}

/* ---- results ---- */

/* A result, whose mark becomes that of its last part. */
struct result {
	struct message m;
	struct json content;
	struct span cache;
};

#define RESULT(field) offsetof(struct result, field)

static enum err read_result(
	struct intake *in, const struct at *at, struct json v, struct message *out)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0                     },
		{"tool_use_id",   intake_text,          RESULT(m.tool_call_id)},
		{"content",       intake_value,         RESULT(content)       },
		{"is_error",      intake_flag,          RESULT(m.is_error)    },
		{"cache_control", intake_cache_control, RESULT(cache)         },
	};
	struct result result = {.m.role = ROLE_TOOL};
	const struct at content = at_member(at, SPAN("content"));
	struct message *m = &result.m;
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), &result, &m->extra, "");
	if (!err && m->tool_call_id.n == 0)
		err = intake_refuse(
			in, at, "the tool_use_id of the call that it answers is wanted");
	if (!err)
		err = make_room(in, result.content, m);
	if (!err && !json_is_nil(result.content))
		err = read_content(in, &content, result.content, m);
	if (err)
		return err;
	if (m->n_parts == 0) /* nothing came of it */
		m->parts[m->n_parts++] = (struct part){.type = PART_TEXT, .text = SPAN("")};
	if (span_is_set(result.cache))
		m->parts[m->n_parts - 1].cache = result.cache;
	*out = *m;
	return OK;
}

static size_t count_results(struct json content)
{
	size_t n = 0;
	for (struct json_walk w = json_each(content); json_next(&w);)
		n += json_is(json_member(w.value, "type"), "tool_result");
	return n;
}

/* The results in a turn of the user's. */
static enum err read_results(
	struct intake *in, const struct at *at, struct json content, struct llm_request *r)
{
	size_t k = 0;
	for (struct json_walk w = json_each(content); json_next(&w); k++) {
		const struct at here = at_index(at, k);
		if (!json_is(json_member(w.value, "type"), "tool_result"))
			continue;
		const enum err err = read_result(in, &here, w.value, &r->messages[r->n_messages++]);
		if (err)
			return err;
	}
	return OK;
}

/* ---- turns ---- */

struct said {
	struct span role;
	struct json content;
	struct extra extra;
};

#define SAID(field) offsetof(struct said, field)

static enum err read_role(struct intake *in, const struct at *at, struct span word, enum role *out)
{
	const struct at here = at_member(at, SPAN("role"));
	if (span_is(word, "user"))
		*out = ROLE_USER;
	else if (span_is(word, "assistant"))
		*out = ROLE_ASSISTANT;
	else if (span_is(word, "system"))
		*out = ROLE_SYSTEM;
	else
		return intake_refuse(in, &here, "user, assistant or system is wanted");
	return OK;
}

/* Two turns of the assistant's in a row are one, so that the results of their calls answer one. */
static enum err add_message(struct intake *in, struct llm_request *r, const struct message *m)
{
	struct message *last = r->n_messages > 0 ? &r->messages[r->n_messages - 1] : NULL;
	if (!last || last->role != ROLE_ASSISTANT || m->role != ROLE_ASSISTANT ||
		last->extra.n + m->extra.n > 0) {
		r->messages[r->n_messages++] = *m;
		return OK;
	}
	struct part *all = arena_array(in->arena, last->n_parts + m->n_parts, sizeof *all);
	if (!all)
		return intake_no_memory(in);
	if (last->n_parts > 0)
		memcpy(all, last->parts, last->n_parts * sizeof *all);
	if (m->n_parts > 0)
		memcpy(all + last->n_parts, m->parts, m->n_parts * sizeof *all);
	last->parts = all;
	last->n_parts += m->n_parts;
	return OK;
}

static enum err read_turn(
	struct intake *in, const struct at *at, struct json v, struct llm_request *r)
{
	static const struct intake_row rows[] = {
		{"role",    intake_text,  SAID(role)   },
		{"content", intake_value, SAID(content)},
	};
	struct said said = {.role = SPAN_NONE};
	struct message m = {.role = ROLE_USER};
	const struct at content = at_member(at, SPAN("content"));
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), &said, &said.extra, "");
	if (!err)
		err = read_role(in, at, said.role, &m.role);
	if (err)
		return err;
	const size_t results = count_results(said.content);
	if (results > 0 && m.role != ROLE_USER)
		return intake_refuse(in, &content, "only a user's turn has results of tools");
	err = read_results(in, &content, said.content, r);
	if (!err)
		err = make_room(in, said.content, &m);
	if (!err)
		err = read_content(in, &content, said.content, &m);
	if (err)
		return err;
	if (m.n_parts == 0 && results > 0)
		return said.extra.n == 0
			       ? OK
			       : intake_refuse(in, at, "a turn of results has no member \"%.*s\"",
					 SPAN_ARG(span_first(said.extra.members[0].name, 64)));
	if (m.n_parts == 0 && m.role != ROLE_ASSISTANT) /* nothing was said, which is not refused */
		m.parts[m.n_parts++] = (struct part){.type = PART_TEXT, .text = SPAN("")};
	m.extra = said.extra;
	return add_message(in, r, &m);
}

/* A text, or a message for each block. */
static enum err read_system(struct intake *in, struct json v, struct llm_request *r)
{
	const struct at top = {.up = NULL}, at = at_member(&top, SPAN("system"));
	size_t k = 0;
	if (json_kind(v) == JSON_STRING) {
		struct message *m = &r->messages[r->n_messages++];
		const enum err err = make_room(in, v, m);
		return err ? err : read_content(in, &at, v, m);
	}
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, &at, v, "a string, or an array of texts");
	for (struct json_walk w = json_each(v); json_next(&w); k++) {
		const struct at here = at_index(&at, k);
		struct message *m = &r->messages[r->n_messages++];
		enum err err = make_room(in, JSON_NONE, m);
		if (!err)
			err = read_text_block(in, &here, w.value, &m->parts[m->n_parts++]);
		if (err)
			return err;
	}
	return OK;
}

enum err anthropic_read_messages(
	struct intake *in, struct json system, struct json messages, struct llm_request *r)
{
	const struct at top = {.up = NULL}, at = at_member(&top, SPAN("messages"));
	size_t room = intake_count(system) + intake_count(messages) + 1, k = 0;
	if (json_kind(messages) != JSON_ARRAY)
		return intake_wrong(in, &at, messages, "an array");
	for (struct json_walk w = json_each(messages); json_next(&w);)
		room += count_results(json_member(w.value, "content"));
	const enum err many = intake_check_messages(in, &at, room);
	if (many)
		return many;
	r->messages = arena_array(in->arena, room, sizeof *r->messages);
	if (!r->messages)
		return intake_no_memory(in);
	if (!json_is_nil(system)) {
		const enum err err = read_system(in, system, r);
		if (err)
			return err;
	}
	for (struct json_walk w = json_each(messages); json_next(&w); k++) {
		const struct at here = at_index(&at, k);
		const enum err err = read_turn(in, &here, w.value, r);
		if (err)
			return err;
	}
	return k > 0 ? OK : intake_refuse(in, &at, "at least one message is wanted");
}
