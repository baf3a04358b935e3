/* incoming_messages.c - who said what in a request of this family, and which result answers which
 * call? A content may hold results and words: each result is a message of its own here. */
#include <stdio.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/gemini/incoming.h"
#include "brokerd/dialect/media.h"
#include "protocol/limits.h"

#define FILES_HOST "https://generativelanguage.googleapis.com/"

/* A part as it lies; JSON, absent where there is none. */
struct raw_part {
	struct json text, inline_data, file_data, call, response;
	struct span signature;
	bool is_thought;
};

static const struct intake_row part_rows[] = {
	{"text",    intake_value, offsetof(struct raw_part, text)      },
	{"thought", intake_flag,  offsetof(struct raw_part, is_thought)},
	BOTH("thoughtSignature", "thought_signature", intake_json,
		offsetof(struct raw_part, signature)),
	BOTH("inlineData", "inline_data", intake_object_value,
		offsetof(struct raw_part, inline_data)),
	BOTH("fileData", "file_data", intake_object_value, offsetof(struct raw_part, file_data)),
	BOTH("functionCall", "function_call", intake_object_value, offsetof(struct raw_part, call)),
	BOTH("functionResponse", "function_response", intake_object_value,
		offsetof(struct raw_part, response)),
};

struct raw_content {
	struct span role;
	struct json parts;
};

static const struct intake_row content_rows[] = {
	{"role",  intake_text,  offsetof(struct raw_content, role) },
	{"parts", intake_value, offsetof(struct raw_content, parts)},
};

/* A call that waits for its result. */
struct waiting {
	struct span id, name;
	bool is_answered;
};

struct conversation {
	struct intake *in;
	struct llm_request *out;
	struct waiting *calls; /* of the model's last turn */
	size_t n_calls, cap_calls, n_made;
	/* contents of the model that it has said, one after the other, in the last message; and the room of its parts */
	size_t n_turn, cap_parts;
};

/* ---- pieces of parts ---- */

static enum err read_string(
	struct intake *in, const struct at *at, const char *name, struct json v, struct span *out)
{
	const struct at here = at_member(at, span_str(name));
	return intake_text(in, &here, v, out);
}

struct raw_media {
	struct span mime, data, uri;
};

static const struct intake_row media_rows[] = {
	BOTH("mimeType", "mime_type", intake_text, offsetof(struct raw_media, mime)),
	{"data", intake_text, offsetof(struct raw_media, data)},
	BOTH("fileUri", "file_uri", intake_text, offsetof(struct raw_media, uri)),
};

static enum part_type type_of(struct span mime, struct span uri)
{
	const struct span kinds[] = {SPAN("image/"), SPAN("audio/"), SPAN("video/")};
	static const enum part_type types[] = {PART_IMAGE, PART_AUDIO, PART_VIDEO};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (span_starts(mime, kinds[i]))
			return types[i];
	}
	return span_find(uri, SPAN("youtu")) < uri.n ? PART_VIDEO : PART_FILE;
}

static enum err read_media(
	struct intake *in, const struct at *at, struct json v, const char *below, struct part *p)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct raw_media m = {.mime = SPAN_NONE};
	const enum err err =
		intake_object(in, at, v, media_rows, COUNT_OF(media_rows), &m, &p->extra, below);
	if (err)
		return err;
	p->type = type_of(m.mime, m.uri);
	p->media.mime = m.mime;
	if (span_is_set(m.uri)) {
		if (span_starts(m.uri, SPAN(FILES_HOST)) || span_starts(m.uri, SPAN("files/")))
			p->media.file_id = m.uri;
		else
			p->media.url = m.uri;
		return OK;
	}
	if (!span_is_set(m.data))
		return intake_refuse(in, at, "a file has data, or an address");
	if (!base64_decode(m.data, &bytes))
		return buf_error(&bytes) ? intake_no_memory(in)
					 : intake_refuse(in, at, "the data is no base64");
	return arena_adopt(in->arena, &bytes, &p->media.data) ? intake_no_memory(in) : OK;
}

/* What the broker put into this family's slot for another family's item comes back as that item. */
static bool is_carried(struct intake *in, struct span signature, struct opaque *out)
{
	const struct json v = json_of(signature);
	struct span text;
	return json_kind(v) == JSON_STRING && json_text(v, in->arena, &text) == OK &&
	       carry_read(text, in->arena, out);
}

/* {"thoughtSignature":...}, with or without an empty text before it. */
static enum err seal(
	struct intake *in, struct span signature, const char *before, struct opaque *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	if (is_carried(in, signature, out))
		return OK;
	buf_text(&text, before);
	buf_text(&text, "\"" GEMINI_SIGNATURE "\":");
	buf_span(&text, signature);
	buf_byte(&text, '}');
	out->family = in->family;
	if (buf_error(&text) || arena_dup(in->arena, buf_view(&text), &out->data))
		return intake_no_memory(in);
	return OK;
}

/* ---- calls and results ---- */

struct raw_call {
	struct span id, name, args;
};

static const struct intake_row call_rows[] = {
	{"id",   intake_text,        offsetof(struct raw_call, id)  },
	{"name", intake_text,        offsetof(struct raw_call, name)},
	{"args", intake_object_json, offsetof(struct raw_call, args)},
};

static enum err await(struct conversation *c, struct span id, struct span name)
{
	if (c->n_calls == c->cap_calls) {
		const size_t cap = c->cap_calls ? c->cap_calls * 2 : 8;
		struct waiting *grown = arena_array(c->in->arena, cap, sizeof *grown);
		if (!grown)
			return intake_no_memory(c->in);
		if (c->n_calls > 0)
			memcpy(grown, c->calls, c->n_calls * sizeof *grown);
		c->calls = grown;
		c->cap_calls = cap;
	}
	c->calls[c->n_calls++] = (struct waiting){.id = id, .name = name};
	return OK;
}

/* A call without an id gets one of the kind that is not sent on. */
static enum err read_call(
	struct conversation *c, const struct at *at, struct raw_part raw, struct part *p)
{
	const struct at here = at_member(at, SPAN("functionCall"));
	struct raw_call call = {.id = SPAN_NONE};
	char made[40];
	enum err err = intake_object(c->in, &here, raw.call, call_rows, COUNT_OF(call_rows), &call,
		&p->extra, "functionCall.");
	if (err)
		return err;
	if (call.name.n == 0)
		return intake_refuse(c->in, &here, "a call has a name");
	if (call.id.n == 0) {
		(void)snprintf(made, sizeof made, "call_%024zu", c->n_made++);
		if (arena_dup(c->in->arena, span_str(made), &call.id))
			return intake_no_memory(c->in);
	}
	p->type = PART_TOOL_CALL;
	p->call = (struct tool_call){.id = call.id,
		.name = call.name,
		.arguments = span_is_set(call.args) ? call.args : SPAN("{}")};
	if (span_is_set(raw.signature))
		err = seal(c->in, raw.signature, "{", &p->opaque);
	return err ? err : await(c, call.id, call.name);
}

struct raw_result {
	struct span id, name;
	struct json response, parts;
};

static const struct intake_row result_rows[] = {
	{"id",       intake_text,         offsetof(struct raw_result, id)      },
	{"name",     intake_text,         offsetof(struct raw_result, name)    },
	{"response", intake_object_value, offsetof(struct raw_result, response)},
	{"parts",    intake_value,        offsetof(struct raw_result, parts)   },
};

/* The call that a result answers: by its id, else the first of its name that waits. */
static struct waiting *answered(struct conversation *c, const struct raw_result *r)
{
	for (size_t i = 0; i < c->n_calls; i++) {
		struct waiting *w = &c->calls[i];
		if (!w->is_answered &&
			(r->id.n > 0 ? span_eq(w->id, r->id) : span_eq(w->name, r->name)))
			return w;
	}
	return NULL;
}

/* The text of {"output": "..."} or {"error": "..."}; else the object itself. */
static enum err read_response(
	struct intake *in, struct json response, struct message *m, struct span *out)
{
	struct json_walk w = json_each(response);
	struct json v;
	*out = span_is_set(response.text) ? response.text : SPAN("{}");
	if (!json_next(&w) || json_kind(w.value) != JSON_STRING)
		return OK;
	const struct json text = w.value;
	const bool is_output = json_name_is(w.name, "output"),
		   is_error = json_name_is(w.name, "error");
	struct span plain;
	if ((!is_output && !is_error) || json_next(&w))
		return OK;
	if (json_utf8(text, in->arena, &plain))
		return intake_no_memory(in);
	if (is_output && json_scan(plain, JSON_STRICT, &v, NULL) == OK &&
		json_kind(v) == JSON_OBJECT)
		return OK; /* it would come back as an object */
	m->is_error = is_error;
	*out = plain;
	return OK;
}

static enum err read_part(struct conversation *c, const struct at *at, struct json v,
	struct part **to, bool is_model);

static enum err read_result_files(
	struct conversation *c, const struct at *at, struct json parts, struct message *m)
{
	struct incoming_list list;
	struct json v;
	enum err err = incoming_each(c->in, at, parts, &list);
	struct part *const first = m->parts;
	struct part *at_part = first + m->n_parts;
	while (!err && incoming_next(&list, &v)) {
		const struct at here = at_index(at, list.index);
		err = read_part(c, &here, v, &at_part, false);
	}
	m->n_parts = (size_t)(at_part - first);
	return err;
}

static enum err read_result(
	struct conversation *c, const struct at *at, struct json v, struct extra *beside)
{
	const struct at here = at_member(at, SPAN("functionResponse"));
	const struct at files = at_member(&here, SPAN("parts"));
	struct message *m = &c->out->messages[c->out->n_messages];
	struct raw_result r = {.id = SPAN_NONE};
	struct span text;
	*m = (struct message){.role = ROLE_TOOL, .extra = *beside};
	enum err err = intake_object(c->in, &here, v, result_rows, COUNT_OF(result_rows), &r,
		&m->extra, "functionResponse.");
	if (err)
		return err;
	struct waiting *w = answered(c, &r);
	if (!w)
		return intake_refuse(c->in, &here,
			"no call of \"%.*s\" before it waits for a result",
			SPAN_ARG(span_first(r.name, 100)));
	w->is_answered = true;
	m->tool_call_id = w->id;
	m->parts = arena_array(c->in->arena, 3 + 2 * intake_count(r.parts), sizeof *m->parts);
	if (!m->parts)
		return intake_no_memory(c->in);
	err = read_response(c->in, r.response, m, &text);
	m->parts[m->n_parts++] = (struct part){.type = PART_TEXT, .text = text};
	c->out->n_messages++;
	return err ? err : read_result_files(c, &files, r.parts, m);
}

/* ---- parts ---- */

/* A part of a kind that nobody here knows is carried whole. */
static enum err carry(struct intake *in, struct json v, struct part **to)
{
	struct json_walk w = json_each(v);
	if (json_next(&w))
		*(*to)++ = (struct part){
			.type = PART_OPAQUE, .opaque = {in->family, SPAN_NONE, v.text}
                };
	return OK;
}

static enum err read_words(
	struct intake *in, const struct at *at, const struct raw_part *raw, struct part *p)
{
	const enum err err = read_string(in, at, "text", raw->text, &p->text);
	p->type = raw->is_thought ? PART_REASONING : PART_TEXT;
	return err || !raw->is_thought || !span_is_set(raw->signature)
		       ? err
		       : seal(in, raw->signature, "{", &p->opaque);
}

/* A signature that seals a text or a file is a part behind it; that of an empty text, the text. What the
 * broker carries is only of thoughts: some clients move it from a thought to the text behind that, and so it
 * goes before the text. */
static enum err add_seal(struct intake *in, const struct raw_part *raw, struct part **to)
{
	struct part *last = *to - 1;
	/* that nobody was told */
	struct part carried = {.type = PART_REASONING, .text = SPAN("")};
	const bool is_empty = last->type == PART_TEXT && last->text.n == 0;
	if (!span_is_set(raw->signature) || last->type == PART_REASONING ||
		last->type == PART_TOOL_CALL)
		return OK;
	if (!is_empty)
		++*to;
	if (is_carried(in, raw->signature, &carried.opaque)) {
		if (!is_empty)
			last[1] = last[0];
		last[0] = carried;
		return OK;
	}
	(*to)[-1] = (struct part){.type = PART_OPAQUE};
	return seal(in, raw->signature, is_empty ? "{\"text\":\"\"," : "{", &(*to)[-1].opaque);
}

/* Adds one or two parts at *to, or a message for a result. */
static enum err read_part(
	struct conversation *c, const struct at *at, struct json v, struct part **to, bool is_model)
{
	struct raw_part raw = {.signature = SPAN_NONE};
	struct part p = {.type = PART_TEXT};
	enum err err =
		intake_object(c->in, at, v, part_rows, COUNT_OF(part_rows), &raw, &p.extra, "");
	if (err)
		return err;
	if (span_is_set(raw.response.text) && !is_model)
		return read_result(c, at, raw.response, &p.extra);
	if (span_is_set(raw.call.text) && !is_model)
		return intake_refuse(c->in, at, "only the model calls functions");
	if (span_is_set(raw.call.text)) {
		err = read_call(c, at, raw, &p);
	} else if (span_is_set(raw.inline_data.text)) {
		const struct at here = at_member(at, SPAN("inlineData"));
		err = read_media(c->in, &here, raw.inline_data, "inlineData.", &p);
	} else if (span_is_set(raw.file_data.text)) {
		const struct at here = at_member(at, SPAN("fileData"));
		err = read_media(c->in, &here, raw.file_data, "fileData.", &p);
	} else if (span_is_set(raw.text.text)) {
		err = read_words(c->in, at, &raw, &p);
	} else {
		return carry(c->in, v, to);
	}
	if (err)
		return err;
	*(*to)++ = p;
	return add_seal(c->in, &raw, to);
}

/* ---- contents ---- */

/* What a content says of itself belongs to the message that will open it. */
static enum err place_extra(
	struct conversation *c, const struct extra *of_content, size_t first, struct message *words)
{
	enum err err = OK;
	const bool has_results =
		c->out->n_messages > first && c->out->messages[first].role == ROLE_TOOL;
	if (of_content->n == 0)
		return OK;
	if (!has_results) {
		words->extra = *of_content;
		return OK;
	}
	for (size_t i = 0; !err && i < of_content->n; i++)
		err = intake_keep(c->in, &c->out->messages[first].extra, "content.",
			of_content->members[i].name, of_content->members[i].json);
	return err;
}

/* Is it the end of a thought that came in pieces, with what another family wants back? */
static bool ends_thought(const struct intake *in, const struct part *p)
{
	return p->type == PART_REASONING && p->text.n == 0 && span_is_set(p->opaque.family) &&
	       !span_eq(p->opaque.family, in->family);
}

static bool is_bare_thought(const struct part *p)
{
	return p->type == PART_REASONING && !span_is_set(p->opaque.family) && p->extra.n == 0;
}

/* A stream tells a thought piece by piece, and what seals it at its end: to others it is one part. */
static enum err join_thoughts(struct intake *in, struct message *m)
{
	size_t n = 0;
	for (size_t k = 0; k < m->n_parts; k++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		struct part p = m->parts[k];
		size_t first = n;
		while (ends_thought(in, &p) && first > 0 && is_bare_thought(&m->parts[first - 1]))
			first--;
		for (size_t i = first; i < n; i++)
			buf_span(&text, m->parts[i].text);
		if (buf_error(&text) ||
			(first < n && arena_dup(in->arena, buf_view(&text), &p.text)))
			return intake_no_memory(in);
		m->parts[first] = p;
		n = first + 1;
	}
	m->n_parts = n;
	return OK;
}

static bool is_bare_text(const struct part *p)
{
	return p->type == PART_TEXT && !span_is_set(p->opaque.family) && p->extra.n == 0;
}

/* Words that came in several contents are one text, and the empty ones among them none. */
static enum err join_words(struct intake *in, struct message *m)
{
	size_t n = 0;
	for (size_t k = 0, end; k < m->n_parts; k = end) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		struct part p = m->parts[k];
		for (end = k; end < m->n_parts && is_bare_text(&m->parts[end]); end++)
			buf_span(&text, m->parts[end].text);
		if (end > k + 1 &&
			(buf_error(&text) || arena_dup(in->arena, buf_view(&text), &p.text)))
			return intake_no_memory(in);
		if (end == k)
			end++;
		else if (p.text.n == 0)
			continue;
		m->parts[n++] = p;
	}
	m->n_parts = n;
	return OK;
}

/* The model has said what it had to, in one content or, as clients keep a stream, in one for each piece. */
static enum err end_turn(struct conversation *c)
{
	if (c->n_turn == 0)
		return OK;
	struct message *m = &c->out->messages[c->out->n_messages - 1];
	enum err err = join_thoughts(c->in, m);
	if (!err && c->n_turn > 1)
		err = join_words(c->in, m);
	c->n_turn = 0;
	return err;
}

static enum err make_room(struct conversation *c, struct message *m, size_t more)
{
	const struct part *former = m->parts;
	if (former && m->n_parts + more <= c->cap_parts)
		return OK;
	c->cap_parts = former ? 2 * (m->n_parts + more) : more;
	m->parts = arena_array(c->in->arena, c->cap_parts, sizeof *m->parts);
	if (!m->parts)
		return intake_no_memory(c->in);
	if (m->n_parts > 0)
		memcpy(m->parts, former, m->n_parts * sizeof *former);
	return OK;
}

/* Puts them behind those that the message has. */
static enum err read_parts(struct conversation *c, const struct at *at, struct json parts,
	struct message *m, bool is_model)
{
	struct incoming_list list;
	struct json v;
	enum err err = incoming_each(c->in, at, parts, &list);
	if (!err)
		err = make_room(c, m, 2 * intake_count(parts) + 2);
	if (err)
		return err;
	struct part *to = m->parts + m->n_parts;
	while (!err && incoming_next(&list, &v)) {
		const struct at here = at_index(at, list.index);
		err = read_part(c, &here, v, &to, is_model);
	}
	m->n_parts = (size_t)(to - m->parts);
	return err || is_model ? err : join_thoughts(c->in, m);
}

static enum err read_content(struct conversation *c, const struct at *at, struct json v)
{
	const struct at at_role = at_member(at, SPAN("role")),
			at_parts = at_member(at, SPAN("parts"));
	struct raw_content raw = {.role = SPAN_NONE};
	struct extra extra = {.n = 0};
	enum err err =
		intake_object(c->in, at, v, content_rows, COUNT_OF(content_rows), &raw, &extra, "");
	if (err)
		return err;
	const bool is_model = span_is(raw.role, "model");
	const bool goes_on = is_model && c->n_turn > 0 && extra.n == 0;
	if (raw.role.n > 0 && !is_model && !span_is(raw.role, "user") &&
		!span_is(raw.role, "function"))
		return intake_refuse(c->in, &at_role, "\"user\" or \"model\" is wanted");
	struct message m = {.role = is_model ? ROLE_ASSISTANT : ROLE_USER};
	if (is_model && c->n_turn == 0)
		c->n_calls = 0;
	if (goes_on)
		m = c->out->messages[--c->out->n_messages];
	else
		err = end_turn(c);
	const size_t first = c->out->n_messages;
	if (!err)
		err = read_parts(c, &at_parts, raw.parts, &m, is_model);
	if (!err)
		err = place_extra(c, &extra, first, &m);
	if (!err && (m.n_parts > 0 || c->out->n_messages == first))
		c->out->messages[c->out->n_messages++] = m;
	c->n_turn = is_model ? c->n_turn + 1 : 0;
	return err;
}

static enum err read_system(struct conversation *c, struct json v)
{
	const struct at at = at_member(&incoming_body, SPAN("systemInstruction"));
	const struct at at_parts = at_member(&at, SPAN("parts"));
	struct raw_content raw = {.role = SPAN_NONE};
	struct message m = {.role = ROLE_SYSTEM};
	if (json_is_nil(v))
		return OK;
	enum err err = intake_object(c->in, &at, v, content_rows, COUNT_OF(content_rows), &raw,
		&c->out->extra, "systemInstruction.");
	if (!err)
		err = read_parts(c, &at_parts, raw.parts, &m, true);
	for (size_t k = 0; !err && k < m.n_parts; k++) {
		if (m.parts[k].type != PART_TEXT)
			err = intake_refuse(c->in, &at_parts, "an instruction is text alone");
	}
	if (!err && m.n_parts > 0)
		c->out->messages[c->out->n_messages++] = m;
	return err;
}

enum err incoming_messages(
	struct intake *in, struct json system, struct json contents, struct llm_request *out)
{
	const struct at at = at_member(&incoming_body, SPAN("contents"));
	struct conversation c = {.in = in, .out = out};
	struct incoming_list list;
	struct json v;
	size_t most = 2;
	enum err err = incoming_each(in, &at, contents, &list);
	if (err)
		return err;
	for (struct incoming_list each = list; incoming_next(&each, &v);)
		most += intake_count(json_member(v, "parts")) + 2;
	out->messages = arena_array(in->arena, most, sizeof *out->messages);
	if (!out->messages)
		return intake_no_memory(in);
	err = read_system(&c, system);
	while (!err && incoming_next(&list, &v)) {
		const struct at here = at_index(&at, list.index);
		err = read_content(&c, &here, v);
	}
	return err ? err : end_turn(&c);
}
