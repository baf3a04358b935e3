/* request.c - copies in, checks early, and remembers the first thing that went wrong. */
#include "libllmclient/src/request.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libllmclient/src/error.h"
#include "libllmclient/src/grow.h"
#include "libllmclient/src/result.h"
#include "protocol/base/json.h"
#include "protocol/base/mem.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

int builder_fail(struct builder *b, enum err err, const char *format, ...)
{
	char text[sizeof b->why.message];
	va_list args;
	if (b->why.err)
		return code_of(b->why.err);
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return code_of(fault_set(&b->why, err, "%s", text));
}

int builder_no_memory(struct builder *b)
{
	return builder_fail(b, ERR_NO_MEMORY, "out of memory, or a request over %zu MiB",
		LIMIT_REQUEST_ARENA / MIB);
}

int builder_code(const struct builder *b)
{
	return code_of(b->why.err);
}

bool builder_text(struct builder *b, struct span from, struct span *to)
{
	const enum err err = arena_dup(&b->arena, from, to);
	if (err)
		builder_no_memory(b);
	return !err;
}

struct message *builder_message(struct builder *b, enum role role)
{
	if (b->request.n_messages >= LIMIT_MESSAGES) {
		builder_fail(b, ERR_TOO_BIG, "more than %zu messages", LIMIT_MESSAGES);
		return NULL;
	}
	if (!GROW(&b->arena, b->request.messages, b->request.n_messages)) {
		builder_no_memory(b);
		return NULL;
	}
	struct message *m = &b->request.messages[b->request.n_messages++];
	*m = (struct message){.role = role};
	return m;
}

struct part *builder_part(struct builder *b, struct message *m, enum part_type type)
{
	if (!GROW(&b->arena, m->parts, m->n_parts)) {
		builder_no_memory(b);
		return NULL;
	}
	struct part *part = &m->parts[m->n_parts++];
	*part = (struct part){.type = type};
	return part;
}

/* ---- making one ---- */

struct builder *builder_new(enum call_kind kind)
{
	struct builder *b = mem_zeroed(sizeof *b);
	if (!b)
		return NULL;
	arena_init(&b->arena, LIMIT_REQUEST_ARENA);
	b->kind = kind;
	b->max_cost_nusd = -1;
	b->cache = CACHE_TERMS_INIT;
	b->behalf_fd = -1;
	b->why = FAULT_NONE;
	return b;
}

bool builder_take(struct builder *b, const char *what, const char *text, struct span *to)
{
	if (b->why.err)
		return false;
	if (!text) {
		builder_fail(b, ERR_INVALID_ARGUMENT, "%s is NULL", what);
		return false;
	}
	if (!utf8_is_valid(span_str(text))) {
		builder_fail(b, ERR_INVALID_ARGUMENT, "%s is not valid UTF-8", what);
		return false;
	}
	return builder_text(b, span_str(text), to);
}

static bool take_json(
	struct builder *b, const char *what, const char *json, enum json_kind kind, struct span *to)
{
	struct fault why = FAULT_NONE;
	struct json value;
	if (!builder_take(b, what, json, to))
		return false;
	if (json_scan(*to, JSON_STRICT, &value, &why)) {
		builder_fail(b, why.err == ERR_NO_MEMORY ? why.err : ERR_INVALID_ARGUMENT,
			"%s is not JSON: %s", what, why.message);
		return false;
	}
	if (kind != JSON_ABSENT && json_kind(value) != kind) {
		builder_fail(b, ERR_INVALID_ARGUMENT, "%s is not a JSON object", what);
		return false;
	}
	*to = value.text;
	return true;
}

llm_request *llm_request_new(const char *model)
{
	struct builder *b = builder_new(CALL_TYPED);
	if (!b)
		return NULL;
	b->is_model_open = !model;
	if (builder_take(b, "the model", model ? model : "default", &b->request.model) &&
		(b->request.model.n == 0 || b->request.model.n > LIMIT_LABEL_BYTES))
		builder_fail(b, ERR_INVALID_ARGUMENT, "a model's name has 1 to %zu bytes, not %zu",
			LIMIT_LABEL_BYTES, b->request.model.n);
	return &b->request;
}

void llm_request_free(llm_request *r)
{
	if (!r)
		return;
	struct builder *b = builder_open(r);
	if (b->behalf_fd >= 0)
		close(b->behalf_fd);
	arena_done(&b->arena);
	mem_free(b);
}

/* ---- messages ---- */

static int add_text_message(llm_request *r, enum role role, const char *what, const char *text)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span copy;
	if (!builder_take(b, what, text, &copy))
		return builder_code(b);
	struct message *m = builder_message(b, role);
	struct part *part = m ? builder_part(b, m, PART_TEXT) : NULL;
	if (part)
		part->text = copy;
	return builder_code(b);
}

int llm_request_system(llm_request *r, const char *text)
{
	return add_text_message(r, ROLE_SYSTEM, "the system text", text);
}

int llm_request_user(llm_request *r, const char *text)
{
	return add_text_message(r, ROLE_USER, "the user's text", text);
}

int llm_request_assistant(llm_request *r, const char *text)
{
	return add_text_message(r, ROLE_ASSISTANT, "the assistant's text", text);
}

int llm_request_tool_result(llm_request *r, const char *call_id, const char *content, int is_error)
{
	struct span id;
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!builder_take(b, "the tool call's id", call_id, &id) ||
		add_text_message(r, ROLE_TOOL, "the tool's result", content))
		return builder_code(b);
	struct message *m = &b->request.messages[b->request.n_messages - 1];
	m->tool_call_id = id;
	m->is_error = is_error != 0;
	return LLM_OK;
}

bool builder_opaque(struct builder *b, const struct opaque *from, struct opaque *to)
{
	return builder_text(b, from->family, &to->family) &&
	       builder_text(b, from->model, &to->model) && builder_text(b, from->data, &to->data);
}

bool builder_media(struct builder *b, const struct media *from, struct media *to)
{
	return builder_text(b, from->data, &to->data) && builder_text(b, from->url, &to->url) &&
	       builder_text(b, from->file_id, &to->file_id) &&
	       builder_text(b, from->mime, &to->mime) &&
	       builder_text(b, from->filename, &to->filename) &&
	       builder_text(b, from->detail, &to->detail);
}

bool builder_carry(struct builder *b, struct extra *extra, const char *family,
	const struct extra_member *member)
{
	if (!GROW(&b->arena, extra->members, extra->n)) {
		builder_no_memory(b);
		return false;
	}
	extra->family = span_str(family);
	extra->members[extra->n++] = *member;
	return true;
}

bool builder_extra(struct builder *b, const struct extra *from, struct extra *to)
{
	struct span family;
	if (from->n > 0 && !builder_text(b, from->family, &family))
		return false;
	for (size_t i = 0; i < from->n; i++) {
		struct extra_member member;
		if (!builder_text(b, from->members[i].name, &member.name) ||
			!builder_text(b, from->members[i].json, &member.json) ||
			!builder_carry(b, to, family.p, &member))
			return false;
	}
	return true;
}

/* One stretch of an answer as part of a request; false: no memory, which sticks. */
static bool say_part(struct builder *b, struct message *m, const struct llm_result *a,
	const struct result_part *from)
{
	const struct buf *const buffers[] = {
		[PART_TEXT] = &a->text,
		[PART_REFUSAL] = &a->refusal,
		[PART_REASONING] = &a->reasoning,
	};
	struct part *to = builder_part(b, m, from->type);
	if (!to)
		return false;
	if (from->type == PART_TOOL_CALL) {
		const struct result_tool *tool = &a->tools[from->tool];
		to->call.is_custom = tool->is_custom;
		return builder_text(b, span_str(tool->id), &to->call.id) &&
		       builder_text(b, span_str(tool->name), &to->call.name) &&
		       builder_text(b, buf_view(&tool->args), &to->call.arguments) &&
		       builder_opaque(b, &tool->opaque, &to->opaque);
	}
	if (!from->is_whole && from->type < COUNT_OF(buffers) && buffers[from->type]) {
		const struct span all = buf_view(buffers[from->type]);
		return builder_extra(b, &from->part.extra, &to->extra) &&
		       builder_text(b, span_of(all.p + from->at, from->n), &to->text) &&
		       builder_text(b, from->part.citations, &to->citations) &&
		       builder_opaque(b, &from->opaque, &to->opaque);
	}
	return builder_opaque(b, &from->opaque, &to->opaque) &&
	       builder_media(b, &from->part.media, &to->media) &&
	       builder_text(b, from->part.text, &to->text) &&
	       builder_text(b, from->part.citations, &to->citations);
}

/* A call that broke off before its end was none, nor is a text without words one. */
static bool is_sayable(const struct llm_result *a, const struct result_part *part)
{
	if (part->type == PART_TEXT)
		return (part->is_whole ? part->part.text.n : part->n) > 0;
	return part->type != PART_TOOL_CALL || a->tools[part->tool].is_whole;
}

int llm_request_result(llm_request *r, const llm_result *answer)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!answer)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "the answer is NULL");
	if (b->why.err)
		return builder_code(b);
	struct message *m = builder_message(b, ROLE_ASSISTANT);
	for (size_t i = 0; m && i < answer->n_parts; i++) {
		const struct result_part *part = &answer->parts[i];
		if (is_sayable(answer, part) && !say_part(b, m, answer, part))
			break;
	}
	return builder_code(b);
}

/* ---- attachments ---- */

static const struct {
	const char *bytes;
	size_t at, n;
	const char *mime;
} signatures[] = {
	{"\x89PNG\r\n\x1a\n", 0, 8, "image/png"      },
	{"\xff\xd8\xff",      0, 3, "image/jpeg"     },
	{"GIF8",              0, 4, "image/gif"      },
	{"WEBP",              8, 4, "image/webp"     },
	{"%PDF-",             0, 5, "application/pdf"},
	{"WAVE",              8, 4, "audio/wav"      },
	{"ID3",               0, 3, "audio/mpeg"     },
	{"\xff\xfb",          0, 2, "audio/mpeg"     },
	{"OggS",              0, 4, "audio/ogg"      },
	{"fLaC",              0, 4, "audio/flac"     },
	{"ftypM4A",           4, 7, "audio/mp4"      },
	{"ftyp",              4, 4, "video/mp4"      },
	{"\x1a\x45\xdf\xa3",  0, 4, "video/webm"     },
};

static const char *sniff(struct span data)
{
	for (size_t i = 0; i < COUNT_OF(signatures); i++) {
		const size_t at = signatures[i].at, n = signatures[i].n;
		if (data.n >= at + n && memcmp(data.p + at, signatures[i].bytes, n) == 0)
			return signatures[i].mime;
	}
	return utf8_is_valid(data) ? "text/plain" : "application/octet-stream";
}

static enum part_type type_of(struct span mime)
{
	if (span_starts(mime, SPAN("image/")))
		return PART_IMAGE;
	if (span_starts(mime, SPAN("audio/")))
		return PART_AUDIO;
	if (span_starts(mime, SPAN("video/")))
		return PART_VIDEO;
	return PART_FILE;
}

static struct message *last_of_user(struct builder *b)
{
	for (size_t i = b->request.n_messages; i > 0; i--) {
		if (b->request.messages[i - 1].role == ROLE_USER)
			return &b->request.messages[i - 1];
	}
	builder_fail(b, ERR_INVALID_ARGUMENT,
		"there is no user message to attach to: add one by llm_request_user()");
	return NULL;
}

int llm_request_attach(
	llm_request *r, const char *name, const char *mime, const void *data, size_t len)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	const struct span bytes = span_of(data ? data : "", len);
	struct media media = {.data = SPAN_NONE};
	if (!b->why.err && !data && len > 0)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "the attachment's data is NULL");
	if (!builder_take(b, "the attachment's type", mime ? mime : sniff(bytes), &media.mime) ||
		(name && !builder_take(b, "the attachment's name", name, &media.filename)))
		return builder_code(b);
	struct message *m = last_of_user(b);
	if (!m || !builder_text(b, bytes, &media.data))
		return builder_code(b);
	struct part *part = builder_part(b, m, type_of(media.mime));
	if (part)
		part->media = media;
	return builder_code(b);
}

int llm_request_attach_fd(llm_request *r, const char *name, const char *mime, int fd)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (b->why.err)
		return builder_code(b);
	OWNED(buf_done) struct buf data = BUF_INIT(LIMIT_BODY_BYTES);
	for (;;) {
		char *room = buf_reserve(&data, 64 * KIB);
		if (!room)
			break;
		const ssize_t n = read(fd, room, 64 * KIB);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return builder_fail(b, ERR_INVALID_ARGUMENT,
				"the attachment cannot be read: %s", strerror(errno));
		if (n == 0)
			break;
		buf_commit(&data, (size_t)n);
	}
	if (buf_error(&data) == ERR_TOO_BIG)
		return builder_fail(b, ERR_TOO_BIG, "the attachment is larger than %zu MiB",
			LIMIT_BODY_BYTES / MIB);
	if (buf_error(&data))
		return builder_no_memory(b);
	return llm_request_attach(r, name, mime, buf_view(&data).p, data.n);
}

/* ---- tools ---- */

int llm_request_tool(
	llm_request *r, const char *name, const char *description, const char *schema_json)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct tool tool = {.type = TOOL_FUNCTION};
	if (!builder_take(b, "the tool's name", name, &tool.name) ||
		(description && !builder_take(b, "the tool's description", description,
					&tool.description)) ||
		(schema_json && !take_json(b, "the tool's schema", schema_json, JSON_OBJECT,
					&tool.parameters)))
		return builder_code(b);
	if (b->request.n_tools >= LIMIT_TOOLS)
		return builder_fail(b, ERR_TOO_BIG, "more than %zu tools", LIMIT_TOOLS);
	if (!GROW(&b->arena, b->request.tools, b->request.n_tools))
		return builder_no_memory(b);
	b->request.tools[b->request.n_tools++] = tool;
	return LLM_OK;
}

int llm_request_tool_choice(llm_request *r, const char *choice)
{
	static const struct {
		const char *word;
		enum tool_choice_mode mode;
	} words[] = {
		{"auto",     CHOICE_AUTO    },
		{"none",     CHOICE_NONE    },
		{"required", CHOICE_REQUIRED},
	};
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span name;
	if (!builder_take(b, "the tool choice", choice, &name))
		return builder_code(b);
	struct tool_choice made = {.mode = CHOICE_NAMED};
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is(name, words[i].word))
			made.mode = words[i].mode;
	}
	if (made.mode == CHOICE_NAMED) {
		made.names = arena_array(&b->arena, 1, sizeof *made.names);
		if (!made.names)
			return builder_no_memory(b);
		made.names[0] = name;
		made.n_names = 1;
	}
	b->request.tool_choice = made;
	return LLM_OK;
}

/* ---- parameters ---- */

int llm_request_max_tokens(llm_request *r, int n)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (n < 1)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "max_tokens is %d, not 1 or more", n);
	b->request.max_tokens = (struct opt_i64){true, n};
	return builder_code(b);
}

int llm_request_temperature(llm_request *r, double t)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!isfinite(t) || t < 0)
		return builder_fail(
			b, ERR_INVALID_ARGUMENT, "the temperature is not a number of 0 or more");
	b->request.temperature = (struct opt_f64){true, t};
	return builder_code(b);
}

int llm_request_stop(llm_request *r, const char *sequence)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span text;
	if (!builder_take(b, "the stop sequence", sequence, &text))
		return builder_code(b);
	if (text.n == 0)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "the stop sequence is empty");
	if (!GROW(&b->arena, b->request.stop, b->request.n_stop))
		return builder_no_memory(b);
	b->request.stop[b->request.n_stop++] = text;
	return LLM_OK;
}

int llm_request_reasoning(llm_request *r, const char *effort)
{
	static const char *const words[] = {
		"none", "minimal", "low", "medium", "high", "xhigh", "max"};
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span word;
	if (!builder_take(b, "the reasoning effort", effort, &word))
		return builder_code(b);
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is(word, words[i])) {
			b->request.reasoning.effort = word;
			return LLM_OK;
		}
	}
	return builder_fail(b, ERR_INVALID_ARGUMENT,
		"the reasoning effort \"%.*s\" is none of none, minimal, low, medium, high, xhigh, "
		"max",
		SPAN_ARG(span_first(word, 64)));
}

int llm_request_json_schema(llm_request *r, const char *name, const char *schema_json)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct response_format format = {.type = schema_json ? FORMAT_SCHEMA : FORMAT_JSON};
	if ((name && !builder_take(b, "the schema's name", name, &format.name)) ||
		(schema_json &&
			!take_json(b, "the schema", schema_json, JSON_OBJECT, &format.schema)))
		return builder_code(b);
	b->request.response_format = format;
	return builder_code(b);
}

int llm_request_timeout_ms(llm_request *r, int ms)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (ms < 1)
		return builder_fail(
			b, ERR_INVALID_ARGUMENT, "the timeout is %d ms, not 1 or more", ms);
	b->timeout_ms = ms;
	return builder_code(b);
}

int llm_request_max_cost_usd(llm_request *r, double usd)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!isfinite(usd) || usd < 0 || usd > 1e9)
		return builder_fail(
			b, ERR_INVALID_ARGUMENT, "the greatest cost is not from 0 to 1e9 USD");
	b->max_cost_nusd = (int64_t)(usd * 1e9 + 0.5);
	return builder_code(b);
}

int llm_request_extra_json(llm_request *r, const char *key, const char *json_value)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct extra_member member;
	if (!builder_take(b, "the member's name", key, &member.name) ||
		!take_json(b, "the member's value", json_value, JSON_ABSENT, &member.json))
		return builder_code(b);
	for (size_t i = 0; i < b->options.n; i++) {
		if (span_eq(b->options.members[i].name, member.name)) {
			b->options.members[i] = member; /* the last word counts */
			return LLM_OK;
		}
	}
	builder_carry(b, &b->options, "*", &member);
	return builder_code(b);
}

int llm_request_strict(llm_request *r, int is_strict)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	b->request.on_unsupported = is_strict ? UNSUPPORTED_REJECT : UNSUPPORTED_WARN;
	return builder_code(b);
}

int llm_request_at_most_once(llm_request *r, int is_once)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	b->is_at_most_once = is_once != 0;
	return builder_code(b);
}

int llm_request_batch(llm_request *r, int is_batch)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	b->is_batch = is_batch != 0;
	return builder_code(b);
}

/* A word of its call's, for a list of at most `most`. */
static int add_label(struct builder *b, const char *what, const char *text, size_t most,
	struct span **list, size_t *n)
{
	struct span label;
	if (!builder_take(b, what, text, &label))
		return builder_code(b);
	if (label.n == 0 || label.n > LIMIT_LABEL_BYTES)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "%s has 1 to %zu bytes, not %zu", what,
			LIMIT_LABEL_BYTES, label.n);
	if (*n == most)
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"%s is one too many: %zu are the limit", what, most);
	if (!GROW(&b->arena, *list, *n))
		return builder_no_memory(b);
	(*list)[(*n)++] = label;
	return LLM_OK;
}

int llm_request_tag(llm_request *r, const char *tag)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	return add_label(b, "the tag", tag, LIMIT_TAGS, &b->tags, &b->n_tags);
}

int llm_request_fallback(llm_request *r, const char *model)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	return add_label(b, "the fallback", model, LIMIT_FALLBACKS, &b->fallbacks, &b->n_fallbacks);
}

int llm_request_session(llm_request *r, const char *word)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span *list = NULL;
	size_t n = 0;
	const int code = add_label(b, "the session", word, 1, &list, &n);
	if (code == LLM_OK)
		b->session = list[0];
	return code;
}

int llm_request_cache(llm_request *r, const char *wish)
{
	if (!r || !wish)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!cache_wish_from(span_str(wish), &b->cache.wish))
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"\"%s\" is none of off, read, write, on, refresh and only", wish);
	return builder_code(b);
}

int llm_request_cache_seconds(llm_request *r, int64_t max_age_s, int64_t ttl_s)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (max_age_s < -1 || ttl_s < -1)
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"a time in the cache is 0 seconds or more, or -1: not said");
	b->cache.max_age_s = max_age_s;
	b->cache.ttl_s = ttl_s;
	return builder_code(b);
}

int llm_request_cache_stale_seconds(llm_request *r, int64_t stale_s)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (stale_s < -1)
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"a time in the cache is 0 seconds or more, or -1: not said");
	b->cache.stale_s = stale_s;
	return builder_code(b);
}

int llm_request_cache_namespace(llm_request *r, const char *word)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	struct span *list = NULL;
	size_t n = 0;
	const int code = add_label(b, "the namespace", word, 1, &list, &n);
	if (code == LLM_OK)
		b->cache.name_space = list[0];
	return code;
}

bool builder_behalf_fd(struct builder *b, int fd)
{
	if (b->behalf_fd >= 0)
		close(b->behalf_fd);
	b->behalf_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || b->behalf_fd >= 0)
		return true;
	builder_fail(b, errno == EBADF ? ERR_INVALID_ARGUMENT : ERR_IO,
		"the caller's pidfd cannot be duplicated: %s", strerror(errno));
	return false;
}

int llm_request_behalf(llm_request *r, const char *token, int pidfd)
{
	struct span text = SPAN_NONE;
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (token && !builder_take(b, "the app token", token, &text))
		return builder_code(b);
	if (b->why.err)
		return builder_code(b);
	if (token && (text.n == 0 || text.n > LIMIT_LABEL_BYTES))
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"an app token has 1 to %zu bytes, not %zu", LIMIT_LABEL_BYTES, text.n);
	if (builder_behalf_fd(b, pidfd))
		b->token = text;
	return builder_code(b);
}
