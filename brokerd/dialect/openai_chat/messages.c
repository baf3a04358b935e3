/* messages.c - turns and their parts, as this family writes them. */
#include <stdio.h>

#include "brokerd/dialect/history.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tool_args.h"
#include "brokerd/value/words.h"
#include "protocol/base/utf8.h"

#define PATH_BYTES 64

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_PART                                                               \
	" type text image_url input_audio file video_url cache_control image_url. " \
	"input_audio. file. video_url. "
#define KNOWN_IN_CALL " id type function custom extra_content function. custom. "
#define KNOWN_IN_MESSAGE                                                                 \
	" role content name tool_call_id tool_calls function_call refusal audio audio. " \
	"reasoning_content reasoning reasoning_details prefix partial "

/* "name[12]"; returns where it ends. By hand: there is one for each part of each message, mostly for nothing. */
static char *put_element(char *to, struct span name, size_t i)
{
	char digits[24];
	size_t n = 0;
	memcpy(to, name.p, name.n);
	to += name.n;
	do
		digits[n++] = (char)('0' + i % 10);
	while (i /= 10);
	*to++ = '[';
	while (n > 0)
		*to++ = digits[--n];
	*to++ = ']';
	*to = '\0';
	return to;
}

static void message_path(char path[PATH_BYTES], size_t at)
{
	put_element(path, SPAN("messages"), at);
}

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	put_element(put_element(path, SPAN("messages"), at), SPAN(".content"), k);
}

/* ---- parts ---- */

static enum err put_image(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	const struct quirks *q = &s->target->quirks;
	struct json_out *o = &s->o;
	if (!q->has_images)
		return scribe_refuse(s, path, "%.*s takes no images", SPAN_ARG(s->target->model));
	if (!span_is_set(m->url) && !span_is_set(m->data))
		return scribe_refuse(s, path,
			"%.*s takes images as bytes or by address, not by file_id",
			SPAN_ARG(s->target->provider));
	if (!span_is_set(m->url) && span_is_set(q->image_types) &&
		!words_have(q->image_types, m->mime))
		return scribe_refuse(s, path, "%.*s takes no images of the type \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
	enum err err = said_check_url(s, m, path);
	if (err)
		return err;
	json_key(o, "type");
	json_put_str(o, SPAN("image_url"));
	json_key(o, "image_url");
	json_open(o, '{');
	json_key(o, "url");
	said_put_url(o, m, "image/png");
	json_pair_str(o, "detail", m->detail);
	err = scribe_extra_below(s, extra, path, "image_url.", " url detail ");
	json_close(o, '}');
	return err;
}

static enum err put_audio(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	const struct quirks *q = &s->target->quirks;
	struct json_out *o = &s->o;
	const bool is_wav = span_is(m->mime, "audio/wav"), is_mp3 = span_is(m->mime, "audio/mpeg");
	const bool is_uri = span_is(q->audio_form, "uri");
	const struct span prefix = !is_uri  ? SPAN("")
				   : is_wav ? SPAN("data:audio/wav;base64,")
					    : SPAN("data:audio/mpeg;base64,");
	if (!q->has_audio_parts)
		return scribe_refuse(s, path, "%.*s takes no audio", SPAN_ARG(s->target->provider));
	if (!span_is_set(m->data) || (!is_wav && !is_mp3))
		return scribe_refuse(s, path, "%.*s takes audio as bytes of a WAV or an MP3 only",
			SPAN_ARG(s->target->provider));
	json_key(o, "type");
	json_put_str(o, SPAN("input_audio"));
	json_key(o, "input_audio");
	json_open(o, '{');
	json_key(o, "data");
	json_put_base64(o, prefix, m->data);
	json_pair_str(o, "format", is_wav ? SPAN("wav") : SPAN("mp3"));
	const enum err err = scribe_extra_below(s, extra, path, "input_audio.", " data format ");
	json_close(o, '}');
	return err;
}

/* A text file goes as text, where it came from around it. */
static enum err put_text_file(struct scribe *s, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	OWNED(buf_done) struct buf text = BUF_INIT(m->data.n + 1024);
	if (!utf8_is_valid(m->data))
		return scribe_refuse(s, path, "a text file that is no UTF-8 cannot be sent");
	buf_text(&text, "<file");
	if (m->filename.n > 0 && m->filename.n < 512 &&
		span_index(m->filename, '"') == m->filename.n) {
		buf_text(&text, " name=\"");
		buf_span(&text, m->filename);
		buf_byte(&text, '"');
	}
	buf_text(&text, ">\n");
	buf_span(&text, m->data);
	buf_text(&text, "\n</file>");
	if (buf_error(&text))
		return ERR_NO_MEMORY;
	json_key(o, "type");
	json_put_str(o, SPAN("text"));
	json_pair_str(o, "text", buf_view(&text));
	return scribe_change(s, "emulated", path, "the text file went out as text of the message");
}

static enum err put_file(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	struct json_out *o = &s->o;
	if (span_starts(m->mime, SPAN("text/")) && span_is_set(m->data))
		return put_text_file(s, m, path);
	if (!s->target->quirks.has_file_parts)
		return scribe_refuse(s, path, "%.*s takes no files", SPAN_ARG(s->target->provider));
	if (span_is_set(m->url) && s->target->quirks.is_openai)
		return scribe_refuse(s, path, "%.*s takes files as bytes or by file_id only",
			SPAN_ARG(s->target->provider));
	enum err err = said_check_url(s, m, path);
	if (err)
		return err;
	json_pair_str(o, "type", SPAN("file"));
	json_key(o, "file");
	json_open(o, '{');
	json_pair_str(o, "file_id", m->file_id);
	json_pair_str(o, "filename",
		span_is_set(m->data) && !span_is_set(m->filename) ? SPAN("document") : m->filename);
	if (span_is_set(m->url) || span_is_set(m->data)) {
		json_key(o, "file_data");
		said_put_url(o, m, "application/octet-stream");
	}
	err = scribe_extra_below(s, extra, path, "file.", " file_id filename file_data ");
	json_close(o, '}');
	return err;
}

static enum err put_video(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	struct json_out *o = &s->o;
	if (!s->target->quirks.has_video_parts || (!span_is_set(m->url) && !span_is_set(m->data)))
		return scribe_refuse(s, path, "%.*s takes no video", SPAN_ARG(s->target->provider));
	enum err err = said_check_url(s, m, path);
	if (err)
		return err;
	json_pair_str(o, "type", SPAN("video_url"));
	json_key(o, "video_url");
	json_open(o, '{');
	json_key(o, "url");
	said_put_url(o, m, "video/mp4");
	json_pair_str(o, "detail", m->detail);
	err = scribe_extra_below(s, extra, path, "video_url.", " url detail ");
	json_close(o, '}');
	return err;
}

/* A part of some host's own goes back as it was. */
static bool is_own_part(const struct scribe *s, const struct part *p)
{
	struct json v;
	return p->type == PART_OPAQUE && span_eq(p->opaque.family, s->target->family) &&
	       json_scan(p->opaque.data, JSON_STRICT, &v, NULL) == OK &&
	       json_kind(v) == JSON_OBJECT;
}

enum err openai_chat_put_cache(struct scribe *s, struct span ttl, const char *path)
{
	struct json_out *o = &s->o;
	if (!s->target->quirks.has_cache_marks)
		return scribe_drop_mark(s, ttl, path);
	json_key(o, "cache_control");
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("ephemeral"));
	if (!span_is(ttl, "5m"))
		json_pair_str(o, "ttl", ttl);
	json_close(o, '}');
	return OK;
}

/* One part as an object of a list. */
static enum err put_part(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	char path[PATH_BYTES];
	struct media media;
	enum err err = OK;
	part_path(path, at, k);
	if (p->type == PART_OPAQUE) {
		json_put_raw(&s->o, p->opaque.data);
		return OK;
	}
	if (said_is_media(p->type))
		err = said_resolve(s, p, path, &media);
	if (err)
		return err;
	json_open(&s->o, '{');
	if (p->type == PART_IMAGE) {
		err = put_image(s, &media, &p->extra, path);
	} else if (p->type == PART_AUDIO) {
		err = put_audio(s, &media, &p->extra, path);
	} else if (p->type == PART_FILE) {
		err = put_file(s, &media, &p->extra, path);
	} else if (p->type == PART_VIDEO) {
		err = put_video(s, &media, &p->extra, path);
	} else {
		json_pair_str(&s->o, "type", SPAN("text"));
		json_pair_str(&s->o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	}
	if (!err && span_is_set(p->cache))
		err = openai_chat_put_cache(s, p->cache, path);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	json_close(&s->o, '}');
	return err;
}

/* ---- contents ---- */

/* Is the part said in `content`? The others have members of their own. */
static bool is_content(const struct scribe *s, const struct message *m, const struct part *p)
{
	switch (p->type) {
	case PART_TEXT:
		return true;
	case PART_REFUSAL:
		return !s->target->quirks.is_openai;
	case PART_IMAGE:
	case PART_FILE:
	case PART_VIDEO:
	case PART_AUDIO:
		return m->role == ROLE_USER;
	case PART_OPAQUE:
		return is_own_part(s, p);
	case PART_REASONING:
	case PART_TOOL_CALL:
		return false;
	}
	return false;
}

/* A list is written where a string would not do; and not to hosts that know lists from users only. */
static bool needs_list(const struct scribe *s, const struct message *m)
{
	size_t texts = 0;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (!is_content(s, m, p))
			continue;
		if (said_is_media(p->type) || p->type == PART_OPAQUE ||
			(span_is_set(p->cache) && s->target->quirks.has_cache_marks) ||
			(p->extra.n > 0 && span_eq(p->extra.family, s->target->family)))
			return true;
		texts++;
	}
	return texts > 1 && (m->role == ROLE_USER || s->target->quirks.is_openai);
}

/* Reasoning inside of the text, where the host wants its own back so. */
static void put_thoughts(const struct scribe *s, const struct message *m, struct buf *out)
{
	bool is_open = false;
	if (s->target->quirks.reasoning_history != REASONING_HISTORY_TAGS)
		return;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type != PART_REASONING || m->parts[k].text.n == 0)
			continue;
		buf_text(out, is_open ? "" : "<think>");
		buf_span(out, m->parts[k].text);
		is_open = true;
	}
	buf_text(out, is_open ? "</think>" : "");
}

/* Texts as one string. A result that failed says so, where its text does not. */
static enum err put_joined(struct scribe *s, const struct message *m, size_t at, bool is_error)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	const char *between = m->role == ROLE_ASSISTANT ? "" : "\n";
	put_thoughts(s, m, &text);
	for (size_t k = 0, n = 0; k < m->n_parts; k++) {
		char path[PATH_BYTES];
		const struct part *p = &m->parts[k];
		if (!is_content(s, m, p))
			continue;
		part_path(path, at, k);
		enum err err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
		if (!err)
			err = scribe_drop_mark(s, p->cache, path);
		if (err)
			return err;
		buf_text(&text, n++ > 0 ? between : "");
		buf_span(&text, p->text);
	}
	if (buf_error(&text))
		return ERR_NO_MEMORY;
	if (is_error && !(text.n >= 5 && strncasecmp(text.p, "error", 5) == 0)) {
		OWNED(buf_done) struct buf marked = BUF_INIT(SIZE_MAX / 2);
		buf_text(&marked, "Error: ");
		buf_span(&marked, buf_view(&text));
		json_put_str(&s->o, buf_view(&marked));
		return buf_error(&marked) ? ERR_NO_MEMORY : OK;
	}
	json_put_str(&s->o, buf_view(&text));
	return OK;
}

static enum err put_content(struct scribe *s, const struct message *m, size_t at)
{
	enum err err = OK;
	json_key(&s->o, "content");
	if (!needs_list(s, m))
		return put_joined(s, m, at, m->role == ROLE_TOOL && m->is_error);
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		if (is_content(s, m, &m->parts[k]))
			err = put_part(s, &m->parts[k], at, k);
	}
	json_close(&s->o, ']');
	return err;
}

/* ---- what an assistant did beside talking ---- */

/* The arguments as text. Some hosts read it, and break where it is no object. */
static enum err put_arguments(struct scribe *s, const struct tool_call *call, const char *path)
{
	const struct span text = span_trim(call->arguments).n > 0 ? call->arguments : SPAN("{}");
	OWNED(buf_done) struct buf object = BUF_INIT(SIZE_MAX / 2);
	struct json_out o = json_to(&object);
	if (!s->target->quirks.needs_json_args) {
		json_pair_str(&s->o, "arguments", text);
		return OK;
	}
	const enum tool_args_kind kind = tool_args_put_object(&o, text);
	if (buf_error(&object))
		return ERR_NO_MEMORY;
	json_pair_str(&s->o, "arguments", buf_view(&object));
	if (kind == TOOL_ARGS_OBJECT || kind == TOOL_ARGS_EMPTY)
		return OK;
	return scribe_change(s, "rewritten_message", path,
		"the arguments of an earlier call are no JSON object: they went out inside one");
}

/* What the host put beside a call of its own, to have it back. */
static void put_signature(struct scribe *s, const struct part *p)
{
	struct json data;
	if (span_eq(p->opaque.family, s->target->family) && !s->target->quirks.is_openai &&
		json_scan(p->opaque.data, JSON_STRICT, &data, NULL) == OK &&
		json_kind(data) == JSON_OBJECT)
		json_pair_raw(&s->o, "extra_content", p->opaque.data);
}

static enum err put_call(
	struct scribe *s, const struct part *p, struct span id, size_t at, size_t k)
{
	char path[PATH_BYTES];
	struct json_out *o = &s->o;
	const struct tool_call *call = &p->call;
	enum err err = OK;
	part_path(path, at, k);
	json_open(o, '{');
	json_pair_str(o, "id", id);
	json_pair_str(o, "type", call->is_custom ? SPAN("custom") : SPAN("function"));
	json_key(o, call->is_custom ? "custom" : "function");
	json_open(o, '{');
	json_pair_str(o, "name", notes_tool_theirs(s->notes, call->name));
	if (call->is_custom)
		json_pair_str(
			o, "input", span_is_set(call->arguments) ? call->arguments : SPAN(""));
	else
		err = put_arguments(s, call, path);
	if (!err)
		err = scribe_extra_below(s, &p->extra, path,
			call->is_custom ? "custom." : "function.", " name arguments input ");
	json_close(o, '}');
	put_signature(s, p);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_CALL);
	json_close(o, '}');
	return err;
}

static bool has_reasoning(const struct message *m)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type == PART_REASONING && m->parts[k].text.n > 0)
			return true;
	}
	return false;
}

/* Does reasoning go back in a member of its own? */
static bool has_field(enum reasoning_history h)
{
	return h == REASONING_HISTORY_FIELD || h == REASONING_HISTORY_ALWAYS;
}

/* May the entries of reasoning_details go back? Others than OpenRouter pass them on. */
static bool takes_details(enum reasoning_history h)
{
	return h == REASONING_HISTORY_DETAILS || h == REASONING_HISTORY_FIELD;
}

/* Reasoning goes back where the host wants its own again. `is_thinking`: it reasons this time too. */
static enum err put_reasoning(struct scribe *s, const struct message *m, bool is_thinking)
{
	const struct quirks *q = &s->target->quirks;
	const enum reasoning_history how = q->reasoning_history;
	struct json_out *o = &s->o;
	struct span details = SPAN_NONE;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool is_lost = false;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if ((p->type != PART_REASONING && p->type != PART_OPAQUE) || is_own_part(s, p))
			continue;
		struct json data;
		const bool is_ours = takes_details(how) &&
				     span_eq(p->opaque.family, s->target->family) &&
				     json_scan(p->opaque.data, JSON_STRICT, &data, NULL) == OK &&
				     json_kind(data) == JSON_ARRAY;
		if (is_ours)
			details = p->opaque.data;
		buf_span(&text, p->text);
		is_lost = is_lost || (!is_ours && (how == REASONING_HISTORY_NONE ||
							  span_is_set(p->opaque.family)));
	}
	if (buf_error(&text))
		return ERR_NO_MEMORY;
	if (has_field(how) && (text.n > 0 || (how == REASONING_HISTORY_ALWAYS && is_thinking)))
		json_pair_str(o,
			span_is(q->reasoning_field, "reasoning") ? "reasoning"
								 : "reasoning_content",
			text.n > 0 ? buf_view(&text) : SPAN(""));
	if (how == REASONING_HISTORY_DETAILS && !span_is_set(details) && text.n > 0)
		json_pair_str(o, "reasoning", buf_view(&text));
	json_pair_raw(o, "reasoning_details", details);
	if (!is_lost)
		return OK;
	return scribe_warn_once(s, "reasoning_dropped", "messages",
		"reasoning of earlier turns was left out: the provider does not take it back");
}

/* What of a message can only be left out. */
static enum err drop_rest(struct scribe *s, const struct message *m, size_t at)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		char path[PATH_BYTES];
		enum err err = OK;
		part_path(path, at, k);
		if (said_is_media(p->type) && !is_content(s, m, p) && m->role == ROLE_ASSISTANT &&
			!(p->type == PART_AUDIO && p->media.file_id.n > 0))
			err = scribe_drop(s, path, "%.*s takes no media of the assistant's back",
				SPAN_ARG(s->target->provider));
		else if (said_is_media(p->type) &&
			 (m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER))
			err = scribe_refuse(s, path, "system messages are text only");
		else if (p->type == PART_OPAQUE && m->role != ROLE_ASSISTANT && !is_own_part(s, p))
			err = scribe_refuse(s, path, "a part that %.*s alone knows cannot be sent",
				SPAN_ARG(span_first(p->opaque.family, 64)));
		if (!err && span_is_set(p->citations))
			err = scribe_drop_citations(s, path);
		if (!err && !is_content(s, m, p))
			err = scribe_drop_mark(s, p->cache, path);
		if (err)
			return err;
	}
	return OK;
}

/* What stands for the text of one that only called tools. */
static void put_no_content(struct scribe *s)
{
	switch (s->target->quirks.empty_content) {
	case EMPTY_CONTENT_NULL:
		json_key(&s->o, "content");
		json_put_null(&s->o);
		break;
	case EMPTY_CONTENT_TEXT:
		json_pair_str(&s->o, "content", SPAN(""));
		break;
	case EMPTY_CONTENT_LEFT_OUT:
		break;
	}
}

/* Does it say nothing at all? */
static bool is_blank(const struct part *p)
{
	return p->type == PART_TEXT && p->text.n == 0 && p->extra.n == 0 && !span_is_set(p->cache);
}

static enum err put_assistant(
	struct scribe *s, const struct turn *t, const struct openai_chat_plan *plan)
{
	const struct message *m = t->m;
	struct json_out *o = &s->o;
	size_t contents = 0, calls = 0, i = 0;
	enum err err = OK;
	for (size_t k = 0; k < m->n_parts; k++) {
		contents += is_content(s, m, &m->parts[k]) && !is_blank(&m->parts[k]);
		calls += m->parts[k].type == PART_TOOL_CALL;
	}
	const bool has_thoughts =
		s->target->quirks.reasoning_history == REASONING_HISTORY_TAGS && has_reasoning(m);
	if (contents == 0 && calls > 0 && !has_thoughts)
		put_no_content(s);
	else
		err = put_content(s, m, t->at);
	if (!err)
		err = put_reasoning(s, m, plan->reason.is_on);
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (p->type == PART_REFUSAL && !is_content(s, m, p))
			json_pair_str(o, "refusal", p->text);
		if (p->type == PART_AUDIO && p->media.file_id.n > 0) {
			json_key(o, "audio");
			json_open(o, '{');
			json_pair_str(o, "id", p->media.file_id);
			err = scribe_extra_below(s, &m->extra, "", "audio.", " id ");
			json_close(o, '}');
		}
	}
	if (err || calls == 0)
		return err;
	json_key(o, "tool_calls");
	json_open(o, '[');
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		if (m->parts[k].type == PART_TOOL_CALL)
			err = put_call(s, &m->parts[k], t->call_ids[i++], t->at, k);
	}
	json_close(o, ']');
	return err;
}

/* ---- turns ---- */

static bool has_media(const struct message *m)
{
	for (size_t k = 0; m && k < m->n_parts; k++) {
		if (said_is_media(m->parts[k].type))
			return true;
	}
	return false;
}

static enum err put_result(struct scribe *s, const struct turn *t)
{
	struct json_out *o = &s->o;
	json_pair_str(o, "tool_call_id", t->id);
	if (!t->m) {
		json_pair_str(o, "content", SPAN("Tool result missing."));
		return OK;
	}
	if (!has_media(t->m))
		return put_content(s, t->m, t->at);
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	for (size_t k = 0; k < t->m->n_parts; k++) {
		if (t->m->parts[k].type == PART_TEXT && t->m->parts[k].text.n > 0) {
			buf_span(&text, t->m->parts[k].text);
			buf_byte(&text, '\n');
		}
	}
	buf_text(&text, "[image attached below]");
	json_pair_str(o, "content", buf_view(&text));
	return buf_error(&text) ? ERR_NO_MEMORY : OK;
}

/* The media of a run of results, which cannot be in them, as a message of the user's. */
static enum err put_result_media(struct scribe *s, const struct turn *first, size_t n)
{
	bool has_any = false;
	enum err err = OK;
	for (size_t i = 0; i < n; i++)
		has_any = has_any || has_media(first[i].m);
	if (!has_any)
		return OK;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", SPAN("user"));
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < n; i++) {
		for (size_t k = 0; !err && first[i].m && k < first[i].m->n_parts; k++) {
			if (said_is_media(first[i].m->parts[k].type))
				err = put_part(s, &first[i].m->parts[k], first[i].at, k);
		}
	}
	json_close(&s->o, ']');
	json_close(&s->o, '}');
	return err ? err
		   : scribe_change(s, "rewritten_message", "messages",
			     "images of tool results went out in a message of the user's: the "
			     "provider takes none in results");
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* In a name that has a character which is refused, all but the plainest become `_`. */
static enum err put_name(struct scribe *s, const struct message *m, size_t at)
{
	char clean[65], path[PATH_BYTES];
	size_t n = 0;
	bool is_changed = m->name.n > 64;
	if (m->name.n == 0)
		return OK;
	(void)snprintf(path, sizeof path, "messages[%zu].name", at);
	if (!s->target->quirks.has_names)
		return scribe_drop(
			s, path, "%.*s takes no names on messages", SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < m->name.n; i++) {
		const unsigned char c = (unsigned char)m->name.p[i];
		is_changed = is_changed || c <= ' ' || c == 0x7f || strchr("<|\\/>", c);
	}
	if (!is_changed) {
		json_pair_str(&s->o, "name", m->name);
		return OK;
	}
	for (; n < m->name.n && n < 64; n++)
		clean[n] = (char)(is_plain(m->name.p[n]) ? m->name.p[n] : '_');
	json_pair_str(&s->o, "name", span_of(clean, n));
	return scribe_change(s, "renamed", path, "the name went out as \"%.*s\"", (int)n, clean);
}

/* The word on a last message that makes its host go on with it. */
static void put_prefill_mark(
	struct scribe *s, const struct turn *t, const struct openai_chat_plan *plan)
{
	const enum prefill how = s->target->quirks.prefill;
	if (!plan->has_prefill || t->m != &s->r->messages[s->r->n_messages - 1])
		return;
	if (how == PREFILL_PREFIX)
		json_pair_bool(&s->o, "prefix", true);
	else if (how == PREFILL_PARTIAL)
		json_pair_bool(&s->o, "partial", true);
}

static enum err put_turn(
	struct scribe *s, const struct turn *t, const struct openai_chat_plan *plan)
{
	const bool is_result = !t->m || t->m->role == ROLE_TOOL;
	struct span role = SPAN("tool");
	char path[PATH_BYTES];
	enum err err = OK;
	if (t->m && t->m->role == ROLE_SYSTEM)
		role = SPAN("system");
	else if (t->m && t->m->role == ROLE_DEVELOPER)
		role = span_is_set(s->target->quirks.system_role) ? s->target->quirks.system_role
								  : SPAN("system");
	else if (t->m && t->m->role == ROLE_USER)
		role = SPAN("user");
	else if (t->m && t->m->role == ROLE_ASSISTANT)
		role = SPAN("assistant");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", role);
	if (is_result)
		err = put_result(s, t);
	else if (t->m->role == ROLE_ASSISTANT)
		err = put_assistant(s, t, plan);
	else
		err = put_content(s, t->m, t->at);
	if (!err && t->m)
		err = put_name(s, t->m, t->at);
	if (!err && t->m)
		put_prefill_mark(s, t, plan);
	if (!err && t->m) {
		message_path(path, t->at);
		err = scribe_extra(s, &t->m->extra, path, KNOWN_IN_MESSAGE);
	}
	json_close(&s->o, '}');
	return !err && t->m ? drop_rest(s, t->m, t->at) : err;
}

static void put_system(struct scribe *s, struct span text)
{
	if (!span_is_set(text))
		return;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", SPAN("system"));
	json_pair_str(&s->o, "content", text);
	json_close(&s->o, '}');
}

enum err openai_chat_put_messages(struct scribe *s, const struct openai_chat_plan *plan)
{
	struct history h;
	size_t results = 0; /* told one after the other */
	enum err err = history_plan(
		s->r, (struct history_rules){.is_strict = false}, s->notes, &h, s->why);
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	put_system(s, plan->lead);
	for (size_t i = 0; !err && i < h.n; i++) {
		const struct turn *t = &h.turns[i];
		err = put_turn(s, t, plan);
		results = !t->m || t->m->role == ROLE_TOOL ? results + 1 : 0;
		const bool is_last =
			i + 1 == h.n || (h.turns[i + 1].m && h.turns[i + 1].m->role != ROLE_TOOL);
		if (!err && results > 0 && is_last)
			err = put_result_media(s, t + 1 - results, results);
	}
	put_system(s, plan->tail);
	json_close(&s->o, ']');
	return err;
}
