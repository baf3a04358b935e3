/* incoming_input.c - the items of a caller's input as messages. What stands side by side and is the
 * assistant's becomes one message, whose parts keep the order of the items. */
#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/carry.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/no_news.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"

/* What an answer says of its own items comes back with them, and what openai-python read in them. A
 * namespace others are told of in a way of their own: namespaces.h. */
static void tell(struct extra *extra)
{
	no_news_mark(extra,
		"id,status,item.id,item.status,logprobs,parsed,parsed_arguments,item.parsed,"
		"namespace");
}

/* ---- contents ---- */

static enum err read_citations(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct json_walk w = json_each(v);
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	return json_next(&w) ? intake_json(in, at, v, field) : OK;
}

/* Base64, or a data: address, which is taken apart where it is sent. */
static enum err read_data(struct intake *in, const struct at *at, struct json v, void *media)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct media *m = media;
	struct span text;
	const enum err err = intake_text(in, at, v, &text);
	if (err)
		return err;
	if (text.n > 5 && strncasecmp(text.p, "data:", 5) == 0) {
		m->url = text;
		return OK;
	}
	if (!base64_decode(text, &bytes))
		return buf_error(&bytes) ? intake_no_memory(in)
					 : intake_refuse(in, at, "this is no base64");
	return arena_adopt(in->arena, &bytes, &m->data) ? intake_no_memory(in) : OK;
}

static enum err read_format(struct intake *in, const struct at *at, struct json v, void *media)
{
	OWNED(buf_done) struct buf type = BUF_INIT(256);
	struct media *m = media;
	struct span format;
	const enum err err = intake_text(in, at, v, &format);
	if (err)
		return err;
	buf_text(&type, "audio/");
	buf_span(&type, span_is(format, "mp3") ? SPAN("mpeg") : format);
	if (buf_error(&type))
		return intake_refuse(in, at, "this is no format of audio");
	return arena_dup(in->arena, buf_view(&type), &m->mime) ? intake_no_memory(in) : OK;
}

static enum err read_audio(struct intake *in, const struct at *at, struct json v, void *part)
{
	static const struct intake_row rows[] = {
		{"data",   read_data,   0},
		{"format", read_format, 0},
	};
	struct part *p = part;
	return intake_object(in, at, v, rows, COUNT_OF(rows), &p->media, &p->extra, "input_audio.");
}

#define PART(member) offsetof(struct part, member)

static const struct intake_row text_rows[] = {
	{"type",        intake_ignore,  0              },
	{"text",        intake_text,    PART(text)     },
	{"annotations", read_citations, PART(citations)},
};
static const struct intake_row refusal_rows[] = {
	{"type",    intake_ignore, 0         },
	{"refusal", intake_text,   PART(text)},
};
static const struct intake_row image_rows[] = {
	{"type",      intake_ignore, 0                  },
	{"image_url", intake_text,   PART(media.url)    },
	{"file_id",   intake_text,   PART(media.file_id)},
	{"detail",    intake_text,   PART(media.detail) },
};
static const struct intake_row file_rows[] = {
	{"type",      intake_ignore, 0                   },
	{"file_id",   intake_text,   PART(media.file_id) },
	{"file_url",  intake_text,   PART(media.url)     },
	{"file_data", read_data,     PART(media)         },
	{"filename",  intake_text,   PART(media.filename)},
};
static const struct intake_row audio_rows[] = {
	{"type",        intake_ignore, 0},
	{"input_audio", read_audio,    0},
};

static const struct {
	const char *type;
	enum part_type part;
	const struct intake_row *rows;
	size_t n;
} contents[] = {
	{"input_text",  PART_TEXT,    text_rows,    COUNT_OF(text_rows)   },
	{"output_text", PART_TEXT,    text_rows,    COUNT_OF(text_rows)   },
	{"text",        PART_TEXT,    text_rows,    COUNT_OF(text_rows)   },
	{"refusal",     PART_REFUSAL, refusal_rows, COUNT_OF(refusal_rows)},
	{"input_image", PART_IMAGE,   image_rows,   COUNT_OF(image_rows)  },
	{"input_file",  PART_FILE,    file_rows,    COUNT_OF(file_rows)   },
	{"input_audio", PART_AUDIO,   audio_rows,   COUNT_OF(audio_rows)  },
};

static enum err take_part(struct intake *in, const struct at *at, struct json v, struct part *to)
{
	const struct json type = json_member(v, "type");
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	for (size_t i = 0; i < COUNT_OF(contents); i++) {
		if (!json_is(type, contents[i].type))
			continue;
		to->type = contents[i].part;
		const enum err err = intake_object(
			in, at, v, contents[i].rows, contents[i].n, to, &to->extra, "");
		tell(&to->extra);
		marks_read(to);
		return err;
	}
	return intake_refuse(in, at, "there is no content of the type %.*s",
		SPAN_ARG(span_first(type.text.n ? type.text : SPAN("null"), 64)));
}

/* How many parts a content needs room for. */
static size_t count_parts(struct json content)
{
	const size_t n = json_kind(content) == JSON_ARRAY ? intake_count(content) : 0;
	return n > 0 ? n : 1;
}

/* A string, or a list of parts, behind those that are there. */
static enum err take_content(
	struct intake *in, const struct at *at, struct json v, struct part *parts, size_t *n)
{
	size_t k = 0;
	if (json_kind(v) == JSON_STRING) {
		parts[*n] = (struct part){.type = PART_TEXT};
		return intake_text(in, at, v, &parts[(*n)++].text);
	}
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "a string, or an array of parts");
	for (struct json_walk w = json_each(v); json_next(&w); k++) {
		const struct at here = at_index(at, k);
		const enum err err = take_part(in, &here, w.value, &parts[(*n)++]);
		if (err)
			return err;
	}
	return OK;
}

/* ---- messages of one item ---- */

static enum err add_message(struct intake *in, struct responses_messages *to, enum role role,
	size_t parts, struct message **out)
{
	struct message *m = &to->list[to->n++];
	*m = (struct message){.role = role};
	m->parts = arena_array(in->arena, parts, sizeof *m->parts);
	*out = m;
	return m->parts ? OK : intake_no_memory(in);
}

static enum err take_words(struct intake *in, const struct at *at, struct json v, enum role role,
	struct responses_messages *to)
{
	static const struct intake_row rows[] = {
		{"type",    intake_ignore, 0},
		{"role",    intake_ignore, 0},
		{"content", intake_ignore, 0},
	};
	const struct json content = json_member(v, "content");
	const struct at here = at_member(at, SPAN("content"));
	struct message *m;
	enum err err = add_message(in, to, role, count_parts(content), &m);
	if (!err)
		err = take_content(in, &here, content, m->parts, &m->n_parts);
	if (!err)
		err = intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->extra, "");
	tell(&m->extra);
	return err;
}

/* Does an output answer what only the provider knows, an opaque item of the turn before it? */
static bool answers_opaque(const struct responses_messages *to, struct json output)
{
	const struct json id = json_member(output, "call_id");
	size_t i = to->n;
	while (i > 0 && to->list[i - 1].role == ROLE_TOOL)
		i--;
	if (i == 0 || to->list[i - 1].role != ROLE_ASSISTANT || json_kind(id) != JSON_STRING)
		return false;
	const struct message *m = &to->list[i - 1];
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type == PART_OPAQUE &&
			span_eq(json_member(json_of(m->parts[k].opaque.data), "call_id").text,
				id.text))
			return true;
	}
	return false;
}

static enum err take_output(
	struct intake *in, const struct at *at, struct json v, struct responses_messages *to)
{
	static const struct intake_row rows[] = {
		{"type",    intake_ignore, 0                      },
		{"call_id", intake_text,   offsetof(struct message, tool_call_id)},
		{"output",         intake_ignore,               0                },
	};
	const struct json output = json_member(v, "output");
	const struct at here = at_member(at, SPAN("output"));
	struct message *m;
	if (answers_opaque(to, v)) {
		const enum err bad = add_message(in, to, ROLE_ASSISTANT, 1, &m);
		if (bad)
			return bad;
		m->parts[m->n_parts++] = (struct part){
			.type = PART_OPAQUE, .opaque = {in->family, SPAN_NONE, v.text}
                };
		return OK;
	}
	enum err err = add_message(in, to, ROLE_TOOL, count_parts(output), &m);
	if (!err)
		err = take_content(in, &here, output, m->parts, &m->n_parts);
	if (!err)
		err = intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->extra, "");
	tell(&m->extra);
	return err || m->tool_call_id.n > 0
		       ? err
		       : intake_refuse(in, at, "a call's output has the call_id of its call");
}

/* ---- the assistant's items ---- */

/* What does not belong to a part goes to the first part of the item, below "item.". */
static enum err take_answer(
	struct intake *in, const struct at *at, struct json v, struct message *m)
{
	static const struct intake_row rows[] = {
		{"type",    intake_ignore, 0},
		{"role",    intake_ignore, 0},
		{"content", intake_ignore, 0},
	};
	const size_t first = m->n_parts;
	const struct at here = at_member(at, SPAN("content"));
	enum err err = take_content(in, &here, json_member(v, "content"), m->parts, &m->n_parts);
	if (err)
		return err;
	if (m->n_parts == first)
		m->parts[m->n_parts++] = (struct part){.type = PART_TEXT, .text = SPAN("")};
	err = intake_object(in, at, v, rows, COUNT_OF(rows), m, &m->parts[first].extra, "item.");
	tell(&m->parts[first].extra);
	return err;
}

/* Arguments are text; an object is taken as its text. */
static enum err read_arguments(struct intake *in, const struct at *at, struct json v, void *field)
{
	return json_kind(v) == JSON_OBJECT ? intake_json(in, at, v, field)
					   : intake_text(in, at, v, field);
}

static enum err take_call(struct intake *in, const struct at *at, struct json v, struct part *p)
{
	static const struct intake_row rows[] = {
		{"type",      intake_ignore,  0                   },
		{"call_id",   intake_text,    PART(call.id)       },
		{"name",      intake_text,    PART(call.name)     },
		{"arguments", read_arguments, PART(call.arguments)},
	};
	static const struct intake_row custom[] = {
		{"type",    intake_ignore, 0                   },
		{"call_id", intake_text,   PART(call.id)       },
		{"name",    intake_text,   PART(call.name)     },
		{"input",   intake_text,   PART(call.arguments)},
	};
	p->type = PART_TOOL_CALL;
	p->call.is_custom = json_is(json_member(v, "type"), "custom_tool_call");
	const enum err err =
		p->call.is_custom
			? intake_object(in, at, v, custom, COUNT_OF(custom), p, &p->extra, "")
			: intake_object(in, at, v, rows, COUNT_OF(rows), p, &p->extra, "");
	tell(&p->extra);
	if (!err && (p->call.id.n == 0 || p->call.name.n == 0))
		return intake_refuse(in, at, "a call has a call_id and a name");
	return err;
}

/* The texts of a list of parts, a blank line between them. */
static void put_texts(struct json list, struct buf *out)
{
	for (struct json_walk w = json_each(list); json_next(&w);) {
		const struct json text = json_member(w.value, "text");
		if (json_kind(text) == JSON_STRING && out->n > 0)
			buf_text(out, "\n\n");
		json_text_to(text, out);
	}
}

/* The item itself is what must come back; but one may only carry what does: a signature of its words, or a
 * thing of its own where it has none. */
static enum err take_reasoning(
	struct intake *in, const struct at *at, struct json v, struct part *p)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	const struct json sealed = json_member(v, "encrypted_content");
	struct span seal = SPAN_NONE;
	if (json_kind(sealed) == JSON_STRING) {
		const enum err err = intake_text(in, at, sealed, &seal);
		if (err)
			return err;
	}
	put_texts(json_member(v, "summary"), &text);
	p->is_summary = text.n > 0;
	if (text.n == 0)
		put_texts(json_member(v, "content"), &text);
	p->type = PART_REASONING;
	if (!carry_read(seal, in->arena, &p->opaque))
		p->opaque = (struct opaque){in->family, SPAN_NONE, v.text};
	else if (span_is(p->opaque.family, CARRY_UNSEALED))
		p->opaque = (struct opaque){.family = SPAN_NONE};
	else if (text.n == 0)
		p->type = PART_OPAQUE;
	p->is_summary = p->is_summary && span_eq(p->opaque.family, in->family);
	if (buf_error(&text) ||
		(p->type == PART_REASONING && arena_dup(in->arena, buf_view(&text), &p->text)))
		return intake_no_memory(in);
	return OK;
}

static enum err take_done(struct intake *in, const struct at *at, struct json v, struct message *m)
{
	const struct json type = json_member(v, "type");
	if (json_is_nil(type) || json_is(type, "message"))
		return take_answer(in, at, v, m);
	struct part *p = &m->parts[m->n_parts++];
	*p = (struct part){.type = PART_OPAQUE};
	if (json_is(type, "reasoning"))
		return take_reasoning(in, at, v, p);
	if (json_is(type, "function_call") || json_is(type, "custom_tool_call"))
		return take_call(in, at, v, p);
	p->opaque = (struct opaque){in->family, SPAN_NONE, v.text};
	return OK;
}

/* ---- items ---- */

enum whose {
	WHOSE_BAD,
	WHOSE_USER,
	WHOSE_SYSTEM,
	WHOSE_DEVELOPER,
	WHOSE_ASSISTANT,
	WHOSE_TOOL,
};

static enum whose whose(struct json item)
{
	static const struct {
		const char *role;
		enum whose whose;
	} roles[] = {
		{"user",      WHOSE_USER     },
		{"system",    WHOSE_SYSTEM   },
		{"developer", WHOSE_DEVELOPER},
		{"assistant", WHOSE_ASSISTANT},
	};
	static const char *const names[] = {"type", "role"};
	struct json m[COUNT_OF(names)];
	if (json_kind(item) != JSON_OBJECT)
		return WHOSE_BAD;
	PICK(item, names, m);
	if (json_is(m[0], "function_call_output") || json_is(m[0], "custom_tool_call_output"))
		return WHOSE_TOOL;
	if (json_kind(m[0]) == JSON_STRING && !json_is(m[0], "message"))
		return WHOSE_ASSISTANT; /* what it did, or an item that only the provider knows */
	for (size_t i = 0; json_is_nil(m[0]) || json_kind(m[0]) == JSON_STRING; i++) {
		if (i == COUNT_OF(roles))
			break;
		if (json_is(m[1], roles[i].role))
			return roles[i].whose;
	}
	return WHOSE_BAD;
}

/* The parts of the assistant's items from here on that stand side by side. */
static size_t count_run(struct json_walk w)
{
	size_t n = 0;
	do {
		n += count_parts(json_member(w.value, "content"));
	} while (json_next(&w) && whose(w.value) == WHOSE_ASSISTANT);
	return n;
}

static enum err take_items(
	struct intake *in, const struct at *at, struct json v, struct responses_messages *to)
{
	struct message *open = NULL; /* the assistant's, while its items come */
	size_t i = 0;
	for (struct json_walk w = json_each(v); json_next(&w); i++) {
		const struct at here = at_index(at, i);
		const enum whose who = whose(w.value);
		enum err err = OK;
		switch (who) {
		case WHOSE_BAD:
			return intake_refuse(in, &here,
				"an item has a type, or the role \"user\", \"assistant\", "
				"\"system\" or \"developer\"");
		case WHOSE_ASSISTANT:
			if (!open)
				err = add_message(in, to, ROLE_ASSISTANT, count_run(w), &open);
			if (!err)
				err = take_done(in, &here, w.value, open);
			break;
		case WHOSE_TOOL:
			err = take_output(in, &here, w.value, to);
			break;
		case WHOSE_USER:
			err = take_words(in, &here, w.value, ROLE_USER, to);
			break;
		case WHOSE_SYSTEM:
			err = take_words(in, &here, w.value, ROLE_SYSTEM, to);
			break;
		case WHOSE_DEVELOPER:
			err = take_words(in, &here, w.value, ROLE_DEVELOPER, to);
			break;
		}
		if (err)
			return err;
		if (who != WHOSE_ASSISTANT)
			open = NULL;
	}
	return OK;
}

enum err responses_take_input(
	struct intake *in, const struct at *at, struct json v, struct responses_messages *to)
{
	const size_t most = to->n + (json_kind(v) == JSON_ARRAY ? intake_count(v) : 1);
	struct message *list = arena_array(in->arena, most, sizeof *list), *m;
	if (!list)
		return intake_no_memory(in);
	if (to->n > 0)
		memcpy(list, to->list, to->n * sizeof *list);
	to->list = list;
	if (json_kind(v) == JSON_ARRAY)
		return take_items(in, at, v, to);
	if (json_kind(v) != JSON_STRING)
		return intake_wrong(in, at, v, "a string, or an array of items");
	const enum err err = add_message(in, to, ROLE_USER, 1, &m);
	return err ? err : take_content(in, at, v, m->parts, &m->n_parts);
}
