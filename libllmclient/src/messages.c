/* messages.c - how does a list of OpenAI chat messages, which many programs keep, become ours?
 * Members that have no place here are carried for the family that they are of. */
#include "libllmclient/src/request.h"

#include "libllmclient/src/error.h"
#include "protocol/base/json.h"
#include "protocol/limits.h"

#define FAMILY "openai-chat"

struct reader {
	struct builder *b;
	size_t index; /* of the message, for sentences */
};

static bool refuse(const struct reader *r, const char *what)
{
	builder_fail(r->b, ERR_INVALID_ARGUMENT, "messages[%zu]%s", r->index, what);
	return false;
}

/* A string's text into the builder; null is no text. */
static bool read_text(const struct reader *r, struct json v, const char *what, struct span *to)
{
	*to = SPAN_NONE;
	if (json_is_nil(v))
		return true;
	if (json_kind(v) != JSON_STRING)
		return refuse(r, what);
	struct span text;
	if (json_utf8(v, &r->b->arena, &text)) {
		builder_no_memory(r->b);
		return false;
	}
	return builder_text(r->b, text, to);
}

static bool carry(const struct reader *r, struct extra *extra, const struct json_walk *w)
{
	struct extra_member member;
	OWNED(buf_done) struct buf name = BUF_INIT(LIMIT_FRAME_BYTES);
	const struct json quoted = json_of(span_of(w->name.p - 1, w->name.n + 2));
	if (!json_text_to(quoted, &name) || buf_error(&name)) {
		builder_no_memory(r->b);
		return false;
	}
	return builder_text(r->b, buf_view(&name), &member.name) &&
	       builder_text(r->b, w->value.text, &member.json) &&
	       builder_carry(r->b, extra, FAMILY, &member);
}

/* ---- parts ---- */

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* The bytes of base64 text, padded or not. */
static bool decode_base64(const struct reader *r, struct span text, struct span *out)
{
	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	char *bytes = arena_alloc(&r->b->arena, text.n / 4 * 3 + 3);
	if (!bytes) {
		builder_no_memory(r->b);
		return false;
	}
	uint32_t held = 0;
	unsigned bits = 0;
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) {
		const int value = base64_value(text.p[i]);
		if (value < 0)
			return refuse(r, " has data that is not base64");
		held = held << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[n++] = (char)(held >> bits & 0xff);
		}
	}
	*out = span_of(bytes, n);
	return true;
}

/* "data:image/png;base64,..." is the bytes themselves; any other URL is where they are. */
static bool read_url(const struct reader *r, struct span url, struct media *m)
{
	if (!span_starts(url, SPAN("data:"))) {
		m->url = url;
		return true;
	}
	struct span rest = span_skip(url, 5);
	const struct span head = span_cut(&rest, ',');
	if (!span_ends(head, SPAN(";base64")) || !span_is_set(rest))
		return refuse(r, " has a data: URL that is not base64");
	m->mime = span_first(head, span_index(head, ';'));
	if (m->mime.n == 0)
		m->mime = SPAN_NONE;
	return decode_base64(r, rest, &m->data);
}

static bool read_image(const struct reader *r, struct json v, struct part *p)
{
	struct span url;
	p->type = PART_IMAGE;
	/* some write the URL itself where an object with it belongs */
	const struct json inner = json_kind(v) == JSON_OBJECT ? json_member(v, "url") : v;
	return read_text(r, inner, ".image_url is no text", &url) &&
	       (span_is_set(url) || refuse(r, ".image_url has no url")) &&
	       read_url(r, url, &p->media) &&
	       read_text(r, json_member(v, "detail"), ".detail is no text", &p->media.detail);
}

static bool read_audio(const struct reader *r, struct json v, struct part *p)
{
	struct span data, format;
	p->type = PART_AUDIO;
	if (!read_text(r, json_member(v, "data"), ".input_audio.data is no text", &data) ||
		!read_text(r, json_member(v, "format"), ".input_audio.format is no text", &format))
		return false;
	p->media.mime = span_is(format, "mp3") ? SPAN("audio/mpeg") : SPAN("audio/wav");
	return (span_is_set(data) || refuse(r, ".input_audio has no data")) &&
	       decode_base64(r, data, &p->media.data);
}

static bool read_file(const struct reader *r, struct json v, struct part *p)
{
	struct span data;
	p->type = PART_FILE;
	return read_text(r, json_member(v, "file_id"), ".file_id is no text", &p->media.file_id) &&
	       read_text(
		       r, json_member(v, "filename"), ".filename is no text", &p->media.filename) &&
	       read_text(r, json_member(v, "file_data"), ".file_data is no text", &data) &&
	       (!span_is_set(data) || read_url(r, data, &p->media)) &&
	       (span_is_set(data) || span_is_set(p->media.file_id) ||
		       refuse(r, " has a file with neither file_data nor file_id"));
}

static bool read_part(const struct reader *r, struct json v, struct message *m)
{
	const struct json type = json_member(v, "type");
	struct part *p = builder_part(r->b, m, PART_TEXT);
	if (!p)
		return false;
	if (json_is(type, "image_url"))
		return read_image(r, json_member(v, "image_url"), p);
	if (json_is(type, "input_audio"))
		return read_audio(r, json_member(v, "input_audio"), p);
	if (json_is(type, "file"))
		return read_file(r, json_member(v, "file"), p);
	if (json_is(type, "refusal")) {
		p->type = PART_REFUSAL;
		return read_text(r, json_member(v, "refusal"), ".refusal is no text", &p->text);
	}
	if (!json_is(type, "text"))
		return refuse(r, ".content has a part of an unknown type");
	return read_text(r, json_member(v, "text"), ".text is no text", &p->text) &&
	       (span_is_set(p->text) || refuse(r, ".content has a text part without its text"));
}

static bool read_content(const struct reader *r, struct json v, struct message *m)
{
	struct json_walk w;
	if (json_is_nil(v))
		return true;
	if (json_kind(v) == JSON_STRING) {
		struct part *p = builder_part(r->b, m, PART_TEXT);
		return p && read_text(r, v, ".content is no text", &p->text);
	}
	if (json_kind(v) != JSON_ARRAY)
		return refuse(r, ".content is neither a text nor a list of parts");
	for (w = json_each(v); json_next(&w);) {
		if (!read_part(r, w.value, m))
			return false;
	}
	return true;
}

/* ---- tool calls ---- */

static bool read_call(const struct reader *r, struct json v, struct message *m)
{
	struct part *p = builder_part(r->b, m, PART_TOOL_CALL);
	if (!p)
		return false;
	p->call.is_custom = json_is(json_member(v, "type"), "custom");
	const struct json f = json_member(v, p->call.is_custom ? "custom" : "function");
	const struct json arguments = json_member(f, p->call.is_custom ? "input" : "arguments");
	if (!read_text(r, json_member(v, "id"), ".tool_calls has an id that is no text",
		    &p->call.id) ||
		!read_text(r, json_member(f, "name"), ".tool_calls has a name that is no text",
			&p->call.name) ||
		!read_text(r, arguments, ".tool_calls has arguments that are no text",
			&p->call.arguments))
		return false;
	if (!span_is_set(p->call.id) || !span_is_set(p->call.name))
		return refuse(r, ".tool_calls has a call without id or name");
	if (!span_is_set(p->call.arguments))
		p->call.arguments = SPAN("");
	return true;
}

static bool read_calls(const struct reader *r, struct json v, struct message *m)
{
	struct json_walk w;
	if (json_is_nil(v))
		return true;
	if (json_kind(v) != JSON_ARRAY)
		return refuse(r, ".tool_calls is no list");
	for (w = json_each(v); json_next(&w);) {
		if (!read_call(r, w.value, m))
			return false;
	}
	return true;
}

/* ---- messages ---- */

static bool read_role(const struct reader *r, struct json v, enum role *role)
{
	static const char *const words[] = {
		[ROLE_SYSTEM] = "system",
		[ROLE_DEVELOPER] = "developer",
		[ROLE_USER] = "user",
		[ROLE_ASSISTANT] = "assistant",
		[ROLE_TOOL] = "tool",
	};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (json_is(v, words[i])) {
			*role = (enum role)i;
			return true;
		}
	}
	return refuse(r, ".role is none of system, developer, user, assistant, tool");
}

static bool read_refusal(const struct reader *r, struct json v, struct message *m)
{
	if (json_is_nil(v))
		return true;
	struct part *p = builder_part(r->b, m, PART_REFUSAL);
	return p && read_text(r, v, ".refusal is no text", &p->text);
}

static bool read_member(const struct reader *r, const struct json_walk *w, struct message *m)
{
	if (json_name_is(w->name, "role") || json_name_is(w->name, "tool_calls"))
		return true; /* the one is read, the other comes after what was said */
	if (json_name_is(w->name, "content"))
		return read_content(r, w->value, m);
	if (json_name_is(w->name, "refusal"))
		return read_refusal(r, w->value, m);
	if (json_name_is(w->name, "name"))
		return read_text(r, w->value, ".name is no text", &m->name);
	if (json_name_is(w->name, "tool_call_id"))
		return read_text(r, w->value, ".tool_call_id is no text", &m->tool_call_id);
	return carry(r, &m->extra, w);
}

static bool read_message(const struct reader *r, struct json v)
{
	enum role role = ROLE_USER;
	struct json_walk w;
	if (json_kind(v) != JSON_OBJECT)
		return refuse(r, " is no object");
	if (!read_role(r, json_member(v, "role"), &role))
		return false;
	struct message *m = builder_message(r->b, role);
	if (!m)
		return false;
	for (w = json_each(v); json_next(&w);) {
		if (!read_member(r, &w, m))
			return false;
	}
	if (role == ROLE_TOOL && !span_is_set(m->tool_call_id))
		return refuse(r, " is of a tool, and has no tool_call_id");
	return read_calls(r, json_member(v, "tool_calls"), m);
}

int llm_request_messages_json(llm_request *r, const char *openai_chat_messages)
{
	struct fault why = FAULT_NONE;
	struct json list;
	if (!r)
		return LLM_E_INVAL;
	struct reader reader = {.b = builder_open(r)};
	if (reader.b->why.err)
		return builder_code(reader.b);
	if (!openai_chat_messages)
		return builder_fail(reader.b, ERR_INVALID_ARGUMENT, "the messages are NULL");
	const struct json_rules rules = {.max_depth = JSON_DEPTH_MAX, .has_unique_names = true};
	const enum err err = json_scan(span_str(openai_chat_messages), rules, &list, &why);
	if (err)
		return builder_fail(reader.b, err == ERR_NO_MEMORY ? err : ERR_INVALID_ARGUMENT,
			"the messages are not JSON: %s", why.message);
	if (json_kind(list) != JSON_ARRAY)
		return builder_fail(
			reader.b, ERR_INVALID_ARGUMENT, "the messages are no JSON array");
	for (struct json_walk w = json_each(list); json_next(&w); reader.index++) {
		if (!read_message(&reader, w.value))
			break;
	}
	return builder_code(reader.b);
}
