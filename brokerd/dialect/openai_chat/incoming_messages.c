/* incoming_messages.c - a caller's messages in our terms: each a list of parts, in the order that it
 * was said. */
#include <stdio.h>

#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/no_news.h"
#include "brokerd/dialect/openai_chat/carried.h"
#include "brokerd/dialect/openai_chat/incoming.h"
#include "protocol/limits.h"

#define PART(field) offsetof(struct part, field)

/* ---- media ---- */

#define MEDIA(field) offsetof(struct media, field)

/* An object, or the address alone. */
static enum err read_address(
	struct intake *in, const struct at *at, struct json v, struct part *part, const char *below)
{
	static const struct intake_row rows[] = {
		{"url",    intake_text, MEDIA(url)   },
		{"detail", intake_text, MEDIA(detail)},
	};
	if (json_kind(v) == JSON_STRING)
		return intake_text(in, at, v, &part->media.url);
	return intake_object(in, at, v, rows, COUNT_OF(rows), &part->media, &part->extra, below);
}

static enum err read_image_url(struct intake *in, const struct at *at, struct json v, void *part)
{
	return read_address(in, at, v, part, "image_url.");
}

static enum err read_video_url(struct intake *in, const struct at *at, struct json v, void *part)
{
	return read_address(in, at, v, part, "video_url.");
}

enum err openai_chat_read_bytes(struct intake *in, const struct at *at, struct json v, void *media)
{
	struct media *m = media;
	struct span text = SPAN_NONE;
	const enum err err = intake_text(in, at, v, &text);
	if (err || span_index(text, ':') < text.n) {
		m->url = text;
		return err;
	}
	return intake_base64(in, at, v, &m->data);
}

/* "wav" and the like. */
static enum err read_audio_format(
	struct intake *in, const struct at *at, struct json v, void *field)
{
	char mime[LIMIT_LABEL_BYTES];
	struct span word = SPAN_NONE;
	const enum err err = intake_text(in, at, v, &word);
	if (err)
		return err;
	(void)snprintf(mime, sizeof mime, "audio/%.*s",
		SPAN_ARG(span_is(word, "mp3") ? SPAN("mpeg") : span_first(word, 64)));
	return arena_dup(in->arena, span_str(mime), field) ? intake_no_memory(in) : OK;
}

static enum err read_input_audio(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"data",   openai_chat_read_bytes, 0          },
		{"format", read_audio_format,      MEDIA(mime)},
	};
	struct part *part = field;
	return intake_object(
		in, at, v, rows, COUNT_OF(rows), &part->media, &part->extra, "input_audio.");
}

static enum err read_file(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"file_id",   intake_text,            MEDIA(file_id) },
		{"filename",  intake_text,            MEDIA(filename)},
		{"file_data", openai_chat_read_bytes, 0              },
	};
	struct part *part = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), &part->media, &part->extra, "file.");
}

/* ---- parts of a content ---- */

static const struct {
	const char *word, *member; /* the member that it cannot be without */
	enum part_type type;
} part_types[] = {
	{"text",        "text",        PART_TEXT   },
	{"refusal",     "refusal",     PART_REFUSAL},
	{"image_url",   "image_url",   PART_IMAGE  },
	{"input_audio", "input_audio", PART_AUDIO  },
	{"file",        "file",        PART_FILE   },
	{"video_url",   "video_url",   PART_VIDEO  },
};

/* One source of media, and that in a part that is some. */
static enum err check_media(struct intake *in, const struct at *at, const struct part *part)
{
	const struct media *m = &part->media;
	const int n = span_is_set(m->data) + (m->url.n > 0) + (m->file_id.n > 0);
	const bool is_media = part->type != PART_TEXT && part->type != PART_REFUSAL;
	if (n == is_media)
		return OK;
	if (!is_media)
		return intake_refuse(in, at, "a text has no media beside it");
	return intake_refuse(
		in, at, "one source of its bytes is wanted, not %s", n == 0 ? "none" : "several");
}

enum err openai_chat_read_part(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"type",          intake_ignore,        0          },
		{"text",          intake_text,          PART(text) },
		{"refusal",       intake_text,          PART(text) },
		{"image_url",     read_image_url,       0          },
		{"input_audio",   read_input_audio,     0          },
		{"file",          read_file,            0          },
		{"video_url",     read_video_url,       0          },
		{"cache_control", intake_cache_control, PART(cache)},
	};
	const struct json type = json_member(v, "type");
	size_t i = 0;
	if (json_kind(v) != JSON_OBJECT)
		return intake_wrong(in, at, v, "an object");
	while (i < COUNT_OF(part_types) && !json_is(type, part_types[i].word))
		i++;
	if (i ==
		COUNT_OF(
			part_types)) { /* some host's own: it comes back to this family as it was */
		part->type = PART_OPAQUE;
		part->opaque = (struct opaque){.family = in->family, .data = v.text};
		return OK;
	}
	part->type = part_types[i].type;
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
	if (err)
		return err;
	marks_read(part);
	if (json_is_nil(json_member(v, part_types[i].member))) {
		const struct at here = at_member(at, span_str(part_types[i].member));
		return intake_refuse(in, &here, "this is missing");
	}
	return check_media(in, at, part);
}

/* ---- calls ---- */

/* A text, or, as some callers have it, the object itself. */
static enum err read_arguments(struct intake *in, const struct at *at, struct json v, void *field)
{
	return json_kind(v) == JSON_STRING ? intake_text(in, at, v, field)
					   : intake_object_json(in, at, v, field);
}

static enum err read_function(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"name",      intake_text,    PART(call.name)     },
		{"arguments", read_arguments, PART(call.arguments)},
	};
	struct part *part = field;
	return intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "function.");
}

static enum err read_custom(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const struct intake_row rows[] = {
		{"name",  intake_text, PART(call.name)     },
		{"input", intake_text, PART(call.arguments)},
	};
	struct part *part = field;
	part->call.is_custom = true;
	return intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "custom.");
}

/* A host's own beside a call: its signature, which goes back to this family as it was; or another
 * family's, which we put there. */
static enum err read_signature(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opaque *opaque = field;
	if (carried_read_of_call(v, in->arena, opaque))
		return OK;
	opaque->family = in->family;
	return intake_object_json(in, at, v, &opaque->data);
}

static enum err check_call(struct intake *in, const struct at *at, struct part *part)
{
	const struct at id = at_member(at, SPAN("id"));
	if (part->call.name.n == 0)
		return intake_refuse(in, at, "the name of what is called is wanted");
	if (part->call.id.n == 0)
		return intake_refuse(in, &id, "an id is wanted, which the result then names");
	if (!span_is_set(part->call.arguments))
		part->call.arguments = SPAN("");
	return OK;
}

static enum err read_call(struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"id",            intake_text,    PART(call.id)},
		{"type",          intake_ignore,  0            },
		{"function",      read_function,  0            },
		{"custom",        read_custom,    0            },
		{"extra_content", read_signature, PART(opaque) },
	};
	const struct json type = json_member(v, "type");
	part->type = PART_TOOL_CALL;
	if (!json_is_nil(type) && !json_is(type, "function") && !json_is(type, "custom"))
		return intake_refuse(in, at, "a call of type \"function\" or \"custom\" is wanted");
	const enum err err = intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
	/* openai-python leaves both there, of a stream that it put together and of what it read */
	no_news_mark(&part->extra, "index,function.parsed_arguments");
	return err ? err : check_call(in, at, part);
}

/* ---- messages ---- */

/* A message as it came, its members read but for those that become parts. */
struct said {
	struct message m;
	struct span role;
	struct span reasoning, reasoning_content;
	struct json content, details, refusal, calls, function_call, audio;
};

#define SAID(field) offsetof(struct said, field)

static const struct intake_row message_rows[] = {
	{"role",              intake_text,  SAID(role)             },
	{"content",           intake_value, SAID(content)          },
	{"name",              intake_text,  SAID(m.name)           },
	{"tool_call_id",      intake_text,  SAID(m.tool_call_id)   },
	{"refusal",           intake_value, SAID(refusal)          },
	{"audio",             intake_value, SAID(audio)            },
	{"tool_calls",        intake_value, SAID(calls)            },
	{"function_call",     intake_value, SAID(function_call)    },
	{"reasoning",         intake_text,  SAID(reasoning)        },
	{"reasoning_content", intake_text,  SAID(reasoning_content)},
	{"reasoning_details", intake_value, SAID(details)          },
};

/* The older form of calls has no ids: a result answers the call before it. */
struct older {
	struct span call_id;
};

static enum err read_role(struct intake *in, const struct at *at, struct said *said)
{
	static const struct {
		const char *word;
		enum role role;
	} words[] = {
		{"system",    ROLE_SYSTEM   },
		{"developer", ROLE_DEVELOPER},
		{"user",      ROLE_USER     },
		{"assistant", ROLE_ASSISTANT},
		{"tool",      ROLE_TOOL     },
		{"function",  ROLE_TOOL     },
	};
	const struct at here = at_member(at, SPAN("role"));
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is(said->role, words[i].word)) {
			said->m.role = words[i].role;
			return OK;
		}
	}
	return intake_refuse(in, &here,
		"one of system, developer, user, assistant, tool and function is wanted");
}

static struct part *add_part(struct message *m, enum part_type type, struct span text)
{
	struct part *part = &m->parts[m->n_parts++];
	*part = (struct part){.type = type, .text = text};
	return part;
}

/* What it thought comes first: the text, and with it the host's entries, which have it too. */
static void take_reasoning(struct intake *in, struct said *said, struct json details)
{
	const bool has_details = json_kind(details) == JSON_ARRAY && intake_count(details) > 0;
	const struct span text =
		span_is_set(said->reasoning_content) ? said->reasoning_content : said->reasoning;
	if (!has_details && !span_is_set(text))
		return;
	struct part *part = add_part(&said->m, PART_REASONING, text);
	if (!span_is_set(text))
		part->text = SPAN("");
	if (has_details)
		part->opaque = (struct opaque){.family = in->family, .data = details.text};
}

static enum err take_content(struct intake *in, const struct at *at, struct said *said)
{
	const struct at here = at_member(at, SPAN("content"));
	size_t k = 0;
	switch (json_kind(said->content)) {
	case JSON_ABSENT:
	case JSON_NULL:
		if (said->m.role == ROLE_TOOL)
			add_part(&said->m, PART_TEXT, SPAN(""));
		else if (said->m.role != ROLE_ASSISTANT)
			return intake_refuse(in, &here, "this is missing");
		return OK;
	case JSON_STRING:
		return intake_text(
			in, &here, said->content, &add_part(&said->m, PART_TEXT, SPAN_NONE)->text);
	case JSON_ARRAY:
		for (struct json_walk w = json_each(said->content); json_next(&w);) {
			const struct at part = at_index(&here, k++);
			const enum err err = openai_chat_read_part(
				in, &part, w.value, add_part(&said->m, PART_TEXT, SPAN_NONE));
			if (err)
				return err;
		}
		if (k == 0 && said->m.role != ROLE_ASSISTANT)
			add_part(&said->m, PART_TEXT, SPAN(""));
		return OK;
	case JSON_FALSE:
	case JSON_TRUE:
	case JSON_NUMBER:
	case JSON_OBJECT:
		break;
	}
	return intake_wrong(in, &here, said->content, "a string, or an array of parts");
}

/* Audio that it spoke goes back by its name. */
static enum err take_audio(struct intake *in, const struct at *at, struct said *said)
{
	static const struct intake_row rows[] = {
		{"id", intake_text, MEDIA(file_id)},
	};
	const struct at here = at_member(at, SPAN("audio"));
	if (json_is_nil(said->audio))
		return OK;
	struct part *part = add_part(&said->m, PART_AUDIO, SPAN_NONE);
	const enum err err = intake_object(in, &here, said->audio, rows, COUNT_OF(rows),
		&part->media, &said->m.extra, "audio.");
	return err || part->media.file_id.n > 0 ? err : intake_refuse(in, &here, "an id is wanted");
}

static enum err take_refusal(struct intake *in, const struct at *at, struct said *said)
{
	const struct at here = at_member(at, SPAN("refusal"));
	if (json_is_nil(said->refusal))
		return OK;
	return intake_text(
		in, &here, said->refusal, &add_part(&said->m, PART_REFUSAL, SPAN_NONE)->text);
}

static enum err take_calls(struct intake *in, const struct at *at, struct said *said)
{
	const struct at here = at_member(at, SPAN("tool_calls"));
	size_t k = 0;
	if (json_is_nil(said->calls))
		return OK;
	if (json_kind(said->calls) != JSON_ARRAY)
		return intake_wrong(in, &here, said->calls, "an array");
	for (struct json_walk w = json_each(said->calls); json_next(&w);) {
		const struct at call = at_index(&here, k++);
		const enum err err = read_call(
			in, &call, w.value, add_part(&said->m, PART_TOOL_CALL, SPAN_NONE));
		if (err)
			return err;
	}
	return OK;
}

static enum err take_older_call(
	struct intake *in, const struct at *at, struct said *said, struct older *older)
{
	const struct at here = at_member(at, SPAN("function_call"));
	char id[32];
	if (json_is_nil(said->function_call))
		return OK;
	struct part *part = add_part(&said->m, PART_TOOL_CALL, SPAN_NONE);
	(void)snprintf(id, sizeof id, "call_%zu", at->index);
	enum err err = read_function(in, &here, said->function_call, part);
	if (!err && arena_dup(in->arena, span_str(id), &part->call.id))
		err = intake_no_memory(in);
	older->call_id = part->call.id;
	return err ? err : check_call(in, &here, part);
}

/* Which call does a result answer? */
static enum err check_result(
	struct intake *in, const struct at *at, struct said *said, const struct older *older)
{
	const struct at here = at_member(at, SPAN("tool_call_id"));
	if (span_is(said->role, "function")) {
		said->m.tool_call_id = older->call_id.n > 0 ? older->call_id : said->m.name;
		said->m.name = SPAN_NONE; /* the call has it */
	}
	if (said->m.role == ROLE_TOOL && said->m.tool_call_id.n == 0)
		return intake_refuse(in, &here, "the id of the call that this answers is wanted");
	if (said->m.role != ROLE_TOOL && span_is_set(said->m.tool_call_id))
		return intake_refuse(in, &here, "only a tool's message answers a call");
	return OK;
}

static enum err read_message(struct intake *in, const struct at *at, struct json v,
	struct older *older, struct message *out)
{
	struct said said = {.role = SPAN_NONE};
	struct carried carried;
	enum err err = intake_object(
		in, at, v, message_rows, COUNT_OF(message_rows), &said, &said.m.extra, "");
	no_news_mark(&said.m.extra, "id,status,parsed");
	if (!err)
		err = read_role(in, at, &said);
	if (err)
		return err;
	if (said.m.role != ROLE_ASSISTANT &&
		(!json_is_nil(said.calls) || !json_is_nil(said.function_call)))
		return intake_refuse(in, at, "only an assistant's message may call a tool");
	/* beside lists of parts and calls: reasoning, a text, refusal, audio, an older call */
	said.m.parts = arena_array(in->arena,
		intake_count(said.content) + intake_count(said.calls) + 5, sizeof *said.m.parts);
	if (!said.m.parts)
		return intake_no_memory(in);
	err = carried_read(in, said.details, &carried);
	if (err)
		return err;
	take_reasoning(in, &said, carried.own);
	err = take_content(in, at, &said);
	if (!err)
		err = take_refusal(in, at, &said);
	if (!err)
		err = take_audio(in, at, &said);
	if (!err)
		err = take_calls(in, at, &said);
	if (!err)
		err = take_older_call(in, at, &said, older);
	if (!err)
		err = check_result(in, at, &said, older);
	if (!err)
		err = carried_settle(in, &carried, &said.m);
	*out = said.m;
	return err;
}

enum err openai_chat_read_messages(
	struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	struct older older = {.call_id = SPAN_NONE};
	if (json_kind(v) != JSON_ARRAY)
		return intake_wrong(in, at, v, "an array");
	const size_t n = intake_count(v);
	if (n == 0)
		return intake_refuse(in, at, "at least one message is wanted");
	const enum err many = intake_check_messages(in, at, n);
	if (many)
		return many;
	r->messages = arena_array(in->arena, n, sizeof *r->messages);
	if (!r->messages)
		return intake_no_memory(in);
	for (struct json_walk w = json_each(v); json_next(&w); r->n_messages++) {
		const struct at here = at_index(at, r->n_messages);
		const enum err err =
			read_message(in, &here, w.value, &older, &r->messages[r->n_messages]);
		if (err)
			return err;
	}
	return OK;
}
