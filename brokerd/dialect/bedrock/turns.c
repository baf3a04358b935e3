/* turns.c - what was said in a Converse request, as our messages: a user's turn with results of tools
 * becomes a message for each of them and one for the rest. */
#include <stdio.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/bedrock/incoming.h"
#include "brokerd/dialect/bedrock/media.h"
#include "protocol/limits.h"

/* ---- cache points ---- */

static enum err read_cache_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	(void)field;
	return json_is(v, "default")
		       ? OK
		       : intake_refuse(in, at, "the one type there is is \"default\"");
}

enum err bedrock_read_cache(struct intake *in, const struct at *at, struct json v,
	struct span *cache, struct extra *extra)
{
	static const struct intake_row rows[] = {
		{"type", read_cache_type, 0},
		{"ttl",  intake_text,     0},
	};
	const enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), cache, extra, "cachePoint.");
	if (!span_is_set(*cache))
		*cache = SPAN("5m");
	return err;
}

/* ---- media ---- */

struct medium {
	struct part *part;
	const char *kind;
	struct span format, name;
};

static enum err read_bytes(struct intake *in, const struct at *at, struct json v, void *object)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct medium *m = object;
	struct span text;
	enum err err = intake_text(in, at, v, &text);
	if (err)
		return err;
	if (!base64_decode(text, &bytes) && !buf_error(&bytes))
		return intake_refuse(in, at, "this is no base64");
	err = buf_error(&bytes);
	if (!err)
		err = arena_dup(in->arena, buf_view(&bytes), &m->part->media.data);
	return err ? intake_no_memory(in) : OK;
}

static enum err read_source_text(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	struct medium *m = object;
	return intake_text(in, at, v, &m->part->media.data);
}

static enum err read_place(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"uri", intake_text, offsetof(struct part, media.url)},
	};
	struct medium *m = object;
	char below[64];
	(void)snprintf(below, sizeof below, "%s.source.s3Location.", m->kind);
	return intake_object(in, at, v, rows, COUNT_OF(rows), m->part, &m->part->extra, below);
}

static enum err read_source(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"bytes",      read_bytes,       0},
		{"text",       read_source_text, 0},
		{"s3Location", read_place,       0},
	};
	struct medium *m = object;
	char below[64];
	(void)snprintf(below, sizeof below, "%s.source.", m->kind);
	return intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->part->extra, below);
}

static enum err read_medium(
	struct intake *in, const struct at *at, struct json v, struct part *p, const char *kind)
{
	static const struct intake_row rows[] = {
		{"format",     intake_text,            offsetof(struct medium, format)},
		{"source",     read_source,            0                     },
		{"name", intake_text, offsetof(struct medium,                  name)       },
	};
	struct medium m = {p, kind, SPAN_NONE, SPAN_NONE};
	char below[64];
	(void)snprintf(below, sizeof below, "%s.", kind);
	const size_t n = p->type == PART_FILE ? COUNT_OF(rows) : COUNT_OF(rows) - 1;
	const enum err err = intake_object(in, at, v, rows, n, &m, &p->extra, below);
	if (err)
		return err;
	if (!span_is_set(m.format))
		m.format = p->type == PART_FILE ? SPAN("txt") : SPAN("");
	p->media.filename = m.name;
	p->media.mime = bedrock_mime_of(kind, m.format, in->arena);
	return span_is_set(p->media.mime) ? OK : intake_no_memory(in);
}

static enum err read_image(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	p->type = PART_IMAGE;
	return read_medium(in, at, v, p, "image");
}

static enum err read_document(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	p->type = PART_FILE;
	return read_medium(in, at, v, p, "document");
}

static enum err read_audio(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	p->type = PART_AUDIO;
	return read_medium(in, at, v, p, "audio");
}

static enum err read_video(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	p->type = PART_VIDEO;
	return read_medium(in, at, v, p, "video");
}

/* ---- other blocks ---- */

static enum err read_text(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	p->type = PART_TEXT;
	return intake_text(in, at, v, &p->text);
}

/* A result's JSON is a text to us. */
static enum err read_json(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	(void)in;
	(void)at;
	p->type = PART_TEXT;
	p->text = v.text;
	return OK;
}

static enum err read_use(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"toolUseId", intake_text, offsetof(struct part, call.id)       },
		{"name",      intake_text, offsetof(struct part, call.name)     },
		{"input",     intake_json, offsetof(struct part, call.arguments)},
	};
	struct part *p = object;
	p->type = PART_TOOL_CALL;
	p->call.arguments = SPAN("");
	const enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), p, &p->extra, "toolUse.");
	return err || p->call.name.n > 0 ? err : intake_refuse(in, at, "the call has no name");
}

/* Carried as a whole, and read besides where it can be. */
static enum err read_reasoning(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	const struct json text = json_member(json_member(v, "reasoningText"), "text");
	const struct at here = at_member(at, SPAN("reasoningText"));
	p->type = json_kind(text) == JSON_STRING ? PART_REASONING : PART_OPAQUE;
	return p->type == PART_REASONING ? intake_text(in, &here, text, &p->text) : OK;
}

/* A text with its citations; joined, where it is in pieces. */
static enum err read_cited_content(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct part *p = object;
	(void)at;
	for (struct json_walk w = json_each(v); json_next(&w);)
		json_text_to(json_member(w.value, "text"), &text);
	return buf_error(&text) || arena_dup(in->arena, buf_view(&text), &p->text)
		       ? intake_no_memory(in)
		       : OK;
}

static enum err read_cited(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"content",    read_cited_content,   0         },
		{ "citations", intake_json, offsetof(struct part, citations)},
	};
	struct part *p = object;
	p->type = PART_TEXT;
	return intake_object(in, at, v, rows, COUNT_OF(rows), p, &p->extra, "citationsContent.");
}

/* Is it a text and nothing else that the citations are about? Else it is only carried. */
static bool is_plainly_cited(struct json v)
{
	const struct json content = json_member(v, "content");
	bool has_text = false;
	if (json_kind(content) != JSON_ARRAY ||
		json_kind(json_member(v, "citations")) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_each(content); json_next(&w);) {
		struct json_walk inside = json_each(w.value);
		if (json_kind(w.value) != JSON_OBJECT || !json_next(&inside) ||
			!json_name_is(inside.name, "text") ||
			json_kind(inside.value) != JSON_STRING || json_next(&inside))
			return false;
		has_text = true;
	}
	return has_text;
}

/* A text that a guardrail looks at is a text; the block goes back from the extra members. */
static enum err read_guarded(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct part *p = object;
	const struct json text = json_member(json_member(v, "text"), "text");
	p->type = PART_TEXT;
	const enum err err = intake_text(in, at, text, &p->text);
	return err ? err : intake_keep(in, &p->extra, "", SPAN("guardContent"), v.text);
}

/* The kinds of blocks that we have a word for. */
static const struct intake_row blocks[] = {
	{"text",             read_text,      0},
	{"image",            read_image,     0},
	{"document",         read_document,  0},
	{"audio",            read_audio,     0},
	{"video",            read_video,     0},
	{"toolUse",          read_use,       0},
	{"reasoningContent", read_reasoning, 0},
	{"citationsContent", read_cited,     0},
	{"guardContent",     read_guarded,   0},
	{"json",             read_json,      0},
};

/* Is what a medium's source holds in words of ours? */
static bool has_known_source(struct json inside)
{
	const struct json source = json_member(inside, "source");
	return !json_is_nil(json_member(source, "bytes")) ||
	       !json_is_nil(json_member(source, "text")) ||
	       !json_is_nil(json_member(source, "s3Location"));
}

static bool is_only_carried(const struct intake_row *row, struct json inside)
{
	if (row->read == read_image || row->read == read_document || row->read == read_audio ||
		row->read == read_video)
		return !has_known_source(inside);
	if (row->read == read_use)
		return json_is(json_member(inside, "type"), "server_tool_use");
	if (row->read == read_cited)
		return !is_plainly_cited(inside);
	if (row->read == read_guarded)
		return json_kind(json_member(json_member(inside, "text"), "text")) != JSON_STRING;
	return false;
}

static enum err read_block(struct intake *in, const struct at *at, struct json v, struct part *p)
{
	*p = (struct part){.type = PART_OPAQUE};
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	for (size_t i = 0; i < COUNT_OF(blocks); i++) {
		const struct json inside = json_member(v, blocks[i].name);
		if (json_is_nil(inside) || is_only_carried(&blocks[i], inside))
			continue;
		enum err err = intake_object(in, at, v, &blocks[i], 1, p, &p->extra, "");
		if (!err && (p->type == PART_REASONING || p->type == PART_OPAQUE))
			break;
		return err;
	}
	p->opaque = (struct opaque){in->family, SPAN_NONE, v.text};
	p->extra.n = 0; /* it is all in there */
	return OK;
}

/* ---- lists of blocks ---- */

static bool takes_mark(const struct part *p)
{
	return p->type != PART_OPAQUE && p->type != PART_REASONING && !span_is_set(p->cache);
}

/* A cache point marks the block before it, where there is one that can have it; else it is carried. */
static enum err add_block(
	struct intake *in, const struct at *at, struct json v, struct part *parts, size_t *n)
{
	const struct json mark = json_member(v, "cachePoint");
	if (json_kind(mark) == JSON_OBJECT && *n > 0 && takes_mark(&parts[*n - 1])) {
		const struct at here = at_member(at, SPAN("cachePoint"));
		return bedrock_read_cache(
			in, &here, mark, &parts[*n - 1].cache, &parts[*n - 1].extra);
	}
	return read_block(in, at, v, &parts[(*n)++]);
}

static enum err read_list(
	struct intake *in, const struct at *at, struct json v, struct part **parts, size_t *n)
{
	size_t i = 0;
	enum err err = OK;
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	*n = 0;
	*parts = arena_array(in->arena, intake_count(v), sizeof **parts);
	if (!*parts)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); !err && json_next(&w); i++) {
		const struct at here = at_index(at, i);
		err = add_block(in, &here, w.value, *parts, n);
	}
	return err;
}

/* ---- results ---- */

static enum err read_result_content(
	struct intake *in, const struct at *at, struct json v, void *object)
{
	struct message *m = object;
	return read_list(in, at, v, &m->parts, &m->n_parts);
}

static enum err read_status(struct intake *in, const struct at *at, struct json v, void *object)
{
	struct message *m = object;
	if (!json_is(v, "error") && !json_is(v, "success"))
		return intake_refuse(in, at, "\"success\" or \"error\" is wanted");
	m->is_error = json_is(v, "error");
	return OK;
}

static enum err read_result(struct intake *in, const struct at *at, struct json v, void *object)
{
	static const struct intake_row rows[] = {
		{"toolUseId", intake_text, offsetof(struct message, tool_call_id)},
		{"content",           read_result_content,              0       },
		{"status",           read_status,               0         },
	};
	struct message *m = object;
	const enum err err =
		intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->extra, "toolResult.");
	return err || span_is_set(m->tool_call_id)
		       ? err
		       : intake_refuse(in, at, "the result has no toolUseId");
}

/* ---- turns ---- */

struct turn_body {
	enum role role;
	struct json content;
	struct extra extra;
};

static enum err read_role(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct {
		const char *word;
		enum role role;
	} roles[] = {
		{"user",      ROLE_USER     },
		{"assistant", ROLE_ASSISTANT},
		{"system",    ROLE_SYSTEM   },
	};
	for (size_t i = 0; i < COUNT_OF(roles); i++) {
		if (json_is(v, roles[i].word)) {
			*(enum role *)field = roles[i].role;
			return OK;
		}
	}
	return intake_refuse(in, at, "\"user\", \"assistant\" or \"system\" is wanted");
}

static enum err read_content(struct intake *in, const struct at *at, struct json v, void *field)
{
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	*(struct json *)field = v;
	return OK;
}

/* The message that takes the next blocks of a user's turn: the last one, unless that is a result. */
static enum err open_user(
	struct intake *in, struct llm_request *r, size_t first, size_t room, struct message **out)
{
	struct message *m = r->n_messages > first ? &r->messages[r->n_messages - 1] : NULL;
	if (!m || m->role == ROLE_TOOL) {
		m = &r->messages[r->n_messages++];
		*m = (struct message){.role = ROLE_USER};
		m->parts = arena_array(in->arena, room, sizeof *m->parts);
	}
	*out = m;
	return m->parts ? OK : intake_no_memory(in);
}

/* A cache point right behind a result marks that. */
static enum err mark_result(
	struct intake *in, const struct at *at, struct json mark, struct message *m)
{
	if (m->n_parts == 0) {
		m->parts = arena_array(in->arena, 1, sizeof *m->parts);
		if (!m->parts)
			return intake_no_memory(in);
		m->parts[m->n_parts++] = (struct part){.type = PART_TEXT, .text = SPAN("")};
	}
	struct part *p = &m->parts[m->n_parts - 1];
	return bedrock_read_cache(in, at, mark, &p->cache, &p->extra);
}

static enum err read_user_block(struct intake *in, const struct at *at, struct json v,
	struct llm_request *r, size_t first, size_t room)
{
	static const struct intake_row rows[] = {
		{"toolResult", read_result, 0},
	};
	struct message *m = r->n_messages > first ? &r->messages[r->n_messages - 1] : NULL;
	const struct json mark = json_member(v, "cachePoint");
	if (json_kind(json_member(v, "toolResult")) == JSON_OBJECT) {
		m = &r->messages[r->n_messages++];
		*m = (struct message){.role = ROLE_TOOL};
		return intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->extra, "content.");
	}
	if (json_kind(mark) == JSON_OBJECT && m && m->role == ROLE_TOOL) {
		const struct at here = at_member(at, SPAN("cachePoint"));
		return mark_result(in, &here, mark, m);
	}
	const enum err err = open_user(in, r, first, room, &m);
	return err ? err : add_block(in, at, v, m->parts, &m->n_parts);
}

static enum err read_user(struct intake *in, const struct at *at, struct json content,
	struct llm_request *r, size_t first)
{
	const size_t room = intake_count(content);
	size_t i = 0;
	enum err err = OK;
	for (struct json_walk w = json_each(content); !err && json_next(&w); i++) {
		const struct at here = at_index(at, i);
		err = read_user_block(in, &here, w.value, r, first, room);
	}
	return err;
}

/* Members that nobody knows go to the first message that the turn became. */
static enum err keep_extra(
	struct intake *in, const struct extra *from, struct llm_request *r, size_t first)
{
	enum err err = OK;
	if (r->n_messages == first)
		r->messages[r->n_messages++] = (struct message){.role = ROLE_USER};
	for (size_t i = 0; !err && i < from->n; i++)
		err = intake_keep(in, &r->messages[first].extra, "", from->members[i].name,
			from->members[i].json);
	return err;
}

static enum err read_turn(
	struct intake *in, const struct at *at, struct json v, struct llm_request *r)
{
	static const struct intake_row rows[] = {
		{"role",    read_role,    offsetof(struct turn_body, role)   },
		{"content", read_content, offsetof(struct turn_body, content)},
	};
	struct turn_body t = {ROLE_TOOL, JSON_NONE, {.n = 0}};
	const size_t first = r->n_messages;
	const struct at here = at_member(at, SPAN("content"));
	enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), &t, &t.extra, "");
	if (err)
		return err;
	if (t.role == ROLE_TOOL)
		return intake_refuse(in, at, "the message has no role");
	if (t.role == ROLE_USER) {
		err = read_user(in, &here, t.content, r, first);
	} else {
		struct message *m = &r->messages[r->n_messages++];
		*m = (struct message){.role = t.role};
		if (span_is_set(t.content.text))
			err = read_list(in, &here, t.content, &m->parts, &m->n_parts);
	}
	return err ? err : keep_extra(in, &t.extra, r, first);
}

enum err bedrock_read_messages(
	struct intake *in, struct json system, struct json messages, struct llm_request *out)
{
	const struct at root = {.up = NULL};
	const struct at systems = at_member(&root, SPAN("system"));
	const struct at turns = at_member(&root, SPAN("messages"));
	size_t most = 1, i = 0;
	enum err err = OK;
	for (struct json_walk w = json_each(messages); json_next(&w);)
		most += 1 + intake_count(json_member(w.value, "content"));
	if (most > LIMIT_MESSAGES)
		return intake_refuse(in, &turns, "there are more than %zu of them", LIMIT_MESSAGES);
	if (most == 1)
		return intake_refuse(in, &turns, "at least one message is wanted");
	out->messages = arena_array(in->arena, most, sizeof *out->messages);
	if (!out->messages)
		return intake_no_memory(in);
	if (span_is_set(system.text)) {
		struct message *m = &out->messages[out->n_messages++];
		*m = (struct message){.role = ROLE_SYSTEM};
		err = read_list(in, &systems, system, &m->parts, &m->n_parts);
		out->n_messages -= m->n_parts == 0; /* no text is no message */
	}
	for (struct json_walk w = json_each(messages); !err && json_next(&w); i++) {
		const struct at here = at_index(&turns, i);
		err = read_turn(in, &here, w.value, out);
	}
	return err;
}
