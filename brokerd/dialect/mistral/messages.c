/* messages.c - turns and their parts: system texts first, results right behind their calls. */
#include <stdio.h>

#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/mistral/ids.h"
#include "brokerd/dialect/mistral/mistral.h"
#include "brokerd/dialect/said.h"

#define PATH_BYTES 64

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_PART \
	" type text image_url image_url. input_audio document_url document_name file_id "
#define KNOWN_IN_IMAGE   " url detail "
#define KNOWN_IN_MESSAGE " role content name prefix tool_call_id tool_calls "

struct writer {
	struct scribe *s;
	struct history history;
	struct mistral_ids ids;
	struct buf held; /* system texts that wait for the user's next words */
	bool has_begun;  /* something other than system texts went out */
	bool has_user;
};

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

static void message_path(char path[PATH_BYTES], size_t at)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu]", at);
}

/* ---- parts ---- */

static bool has_below(const struct scribe *s, const struct extra *e, struct span below)
{
	for (size_t i = 0; i < e->n; i++) {
		if (span_eq(e->family, s->target->family) && span_starts(e->members[i].name, below))
			return true;
	}
	return false;
}

static enum err put_image(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	enum err err = OK;
	if (!span_is_set(m->url) && !span_is_set(m->data))
		return scribe_refuse(s, path,
			"%.*s takes images as bytes or by address, not by file_id",
			SPAN_ARG(s->target->provider));
	json_pair_str(o, "type", SPAN("image_url"));
	json_key(o, "image_url");
	if (!span_is_set(m->detail) && !has_below(s, &p->extra, SPAN("image_url."))) {
		said_put_url(o, m, "image/png");
		return scribe_extra_below(s, &p->extra, path, "image_url.", KNOWN_IN_IMAGE);
	}
	json_open(o, '{');
	json_key(o, "url");
	said_put_url(o, m, "image/png");
	json_pair_str(o, "detail", m->detail);
	err = scribe_extra_below(s, &p->extra, path, "image_url.", KNOWN_IN_IMAGE);
	json_close(o, '}');
	return err;
}

static enum err put_audio(struct scribe *s, const struct media *m, const char *path)
{
	if (!span_is_set(m->url) && !span_is_set(m->data))
		return scribe_refuse(s, path,
			"%.*s takes audio as bytes or by address, not by file_id",
			SPAN_ARG(s->target->provider));
	json_pair_str(&s->o, "type", SPAN("input_audio"));
	json_key(&s->o, "input_audio");
	if (span_is_set(m->url))
		json_put_str(&s->o, m->url);
	else
		json_put_base64(&s->o, SPAN(""), m->data);
	return OK;
}

static enum err put_file(struct scribe *s, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	if (span_is_set(m->data) && span_starts(m->mime, SPAN("text/"))) {
		OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
		const enum err err = said_file(s, m, path, &text);
		json_pair_str(o, "type", SPAN("text"));
		json_pair_str(o, "text", buf_view(&text));
		return err;
	}
	if (span_is_set(m->file_id)) {
		json_pair_str(o, "type", SPAN("file"));
		json_pair_str(o, "file_id", m->file_id);
		return OK;
	}
	json_pair_str(o, "type", SPAN("document_url"));
	json_key(o, "document_url");
	said_put_url(o, m, "application/pdf");
	json_pair_str(o, "document_name", m->filename);
	return OK;
}

/* One part as an object of a list. */
static enum err put_part(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	char path[PATH_BYTES];
	struct media media;
	enum err err = OK;
	part_path(path, at, k);
	if (said_is_media(p->type))
		err = said_resolve(s, p, path, &media);
	if (!err && said_is_media(p->type))
		err = said_check_url(s, &media, path);
	if (err)
		return err;
	json_open(&s->o, '{');
	if (p->type == PART_IMAGE) {
		err = put_image(s, p, &media, path);
	} else if (p->type == PART_AUDIO) {
		err = put_audio(s, &media, path);
	} else if (p->type == PART_FILE) {
		err = put_file(s, &media, path);
	} else if (p->type == PART_VIDEO) {
		err = scribe_refuse(s, path, "%.*s takes no video", SPAN_ARG(s->target->provider));
	} else {
		json_pair_str(&s->o, "type", SPAN("text"));
		json_pair_str(&s->o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	}
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	json_close(&s->o, '}');
	return err;
}

static bool has_own_extra(const struct scribe *s, const struct part *p)
{
	return p->extra.n > 0 && span_eq(p->extra.family, s->target->family);
}

/* What is said of members that another family wrote. */
static enum err drop_extra(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	char path[PATH_BYTES];
	part_path(path, at, k);
	return has_own_extra(s, p) ? OK : scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
}

static enum err put_text(struct scribe *s, const struct buf *text)
{
	json_put_str(&s->o, buf_view(text));
	return buf_error(text) ? ERR_NO_MEMORY : OK;
}

/* ---- the user ---- */

static enum err put_user(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	const struct message *m = t->m;
	const bool has_held = w->held.n > 0;
	bool is_string = m->n_parts < 2;
	enum err err = OK;
	w->has_user = true;
	for (size_t k = 0; k < m->n_parts; k++)
		is_string = is_string && m->parts[k].type == PART_TEXT &&
			    !has_own_extra(s, &m->parts[k]);
	json_key(&s->o, "content");
	if (is_string) {
		for (size_t k = 0; !err && k < m->n_parts; k++)
			err = drop_extra(s, &m->parts[k], t->at, k);
		if (has_held)
			buf_text(&w->held, "\n\n");
		said_text(m, "", &w->held);
		if (!err)
			err = put_text(s, &w->held);
		buf_clear(&w->held);
		return err;
	}
	json_open(&s->o, '[');
	if (has_held) {
		json_open(&s->o, '{');
		json_pair_str(&s->o, "type", SPAN("text"));
		json_key(&s->o, "text");
		err = put_text(s, &w->held);
		json_close(&s->o, '}');
		buf_clear(&w->held);
	}
	for (size_t k = 0; !err && k < m->n_parts; k++)
		err = put_part(s, &m->parts[k], t->at, k);
	json_close(&s->o, ']');
	return err;
}

/* System texts that no words of the user's followed. */
static enum err put_held(struct writer *w)
{
	enum err err = OK;
	if (w->held.n == 0)
		return OK;
	json_open(&w->s->o, '{');
	json_pair_str(&w->s->o, "role", SPAN("user"));
	json_key(&w->s->o, "content");
	err = put_text(w->s, &w->held);
	json_close(&w->s->o, '}');
	buf_clear(&w->held);
	return err;
}

/* ---- system texts ---- */

static enum err check_system(struct scribe *s, const struct turn *t)
{
	for (size_t k = 0; k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (t->m->parts[k].type != PART_TEXT)
			return scribe_refuse(s, path, "system messages are text only");
	}
	return OK;
}

/* A later one goes before the user's next words: behind theirs, the provider takes none. */
static enum err hold_system(struct writer *w, const struct turn *t)
{
	char path[PATH_BYTES];
	message_path(path, t->at);
	if (w->held.n > 0)
		buf_text(&w->held, "\n\n");
	buf_text(&w->held, "<system>\n");
	said_text(t->m, "\n", &w->held);
	buf_text(&w->held, "\n</system>");
	for (size_t i = 0; i < t->m->extra.n; i++) {
		const enum err err = scribe_drop(w->s, path,
			"the message's member \"%.*s\" was left out: the message went out inside "
			"of "
			"another",
			SPAN_ARG(span_first(t->m->extra.members[i].name, 64)));
		if (err)
			return err;
	}
	return scribe_change(w->s, "rewritten_message", path,
		"a system message in the midst went out inside of a user's: the provider takes "
		"them only at the beginning");
}

static enum err put_system(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool is_list = false;
	enum err err = OK;
	for (size_t k = 0; k < t->m->n_parts; k++)
		is_list = is_list || has_own_extra(s, &t->m->parts[k]);
	json_key(&s->o, "content");
	if (!is_list) {
		for (size_t k = 0; !err && k < t->m->n_parts; k++)
			err = drop_extra(s, &t->m->parts[k], t->at, k);
		said_text(t->m, "\n", &text);
		return err ? err : put_text(s, &text);
	}
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < t->m->n_parts; k++)
		err = put_part(s, &t->m->parts[k], t->at, k);
	json_close(&s->o, ']');
	return err;
}

/* ---- the assistant ---- */

/* The chunk of this family that an opaque item holds, or an absent value. */
static struct json own_chunk(const struct opaque *opaque)
{
	struct json v;
	if (!span_is(opaque->family, MISTRAL_FAMILY) ||
		json_scan(opaque->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	return v;
}

/* Does reasoning go back? What another family marked does not, nor what carries nothing. */
static bool is_thought(const struct scribe *s, const struct part *p)
{
	if (s->target->quirks.reasoning_history == REASONING_HISTORY_NONE)
		return false;
	if (span_is_set(p->opaque.family)) {
		const struct json chunk = own_chunk(&p->opaque);
		return !json_is_nil(chunk) &&
		       (p->type == PART_OPAQUE || p->text.n > 0 ||
			       !json_is_nil(json_member(chunk, "thinking")) ||
			       !json_is_nil(json_member(chunk, "signature")));
	}
	return p->type == PART_REASONING && p->text.n > 0;
}

static void put_thought(struct scribe *s, const struct part *p)
{
	struct json_out *o = &s->o;
	const struct json chunk = own_chunk(&p->opaque);
	if (p->type == PART_OPAQUE || !json_is_nil(json_member(chunk, "thinking"))) {
		json_put_raw(o, chunk.text);
		return;
	}
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("thinking"));
	json_key(o, "thinking");
	json_open(o, '[');
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("text"));
	json_pair_str(o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	json_close(o, '}');
	json_close(o, ']');
	for (struct json_walk w = json_each(chunk); json_next(&w);) {
		if (json_name_is(w.name, "type"))
			continue;
		json_key_raw(o, w.name);
		json_put_raw(o, w.value.text);
	}
	json_close(o, '}');
}

/* References of this family's own shape, which are chunks of their own; or an absent value. */
static struct json own_references(const struct part *p)
{
	struct json v;
	if (!span_is_set(p->citations) || json_scan(p->citations, JSON_STRICT, &v, NULL) != OK ||
		json_kind(v) != JSON_ARRAY)
		return JSON_NONE;
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (!json_is(json_member(w.value, "type"), "reference"))
			return JSON_NONE;
	}
	return v;
}

static enum err put_chunks(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		if (is_thought(s, p))
			put_thought(s, p);
		else if ((p->type == PART_TEXT || p->type == PART_REFUSAL) &&
			 (p->text.n > 0 || has_own_extra(s, p)))
			err = put_part(s, p, t->at, k);
		for (struct json_walk w = json_each(own_references(p)); json_next(&w);)
			json_put_raw(&s->o, w.value.text);
	}
	json_close(&s->o, ']');
	return err;
}

static enum err put_said(struct scribe *s, const struct turn *t)
{
	const struct message *m = t->m;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool is_list = false, has_calls = false;
	enum err err = OK;
	said_text(m, "", &text);
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (p->type == PART_TOOL_CALL)
			has_calls = true;
		else
			is_list = is_list || is_thought(s, p) || has_own_extra(s, p) ||
				  !json_is_nil(own_references(p));
	}
	if (text.n == 0 && !is_list && has_calls) {
		if (s->target->quirks.empty_content == EMPTY_CONTENT_LEFT_OUT)
			return OK;
		json_key(&s->o, "content");
		if (s->target->quirks.empty_content == EMPTY_CONTENT_NULL)
			json_put_null(&s->o);
		else
			json_put_str(&s->o, SPAN(""));
		return OK;
	}
	json_key(&s->o, "content");
	if (is_list)
		return put_chunks(s, t);
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		if (m->parts[k].type != PART_TOOL_CALL)
			err = drop_extra(s, &m->parts[k], t->at, k);
	}
	return err ? err : put_text(s, &text);
}

static enum err put_calls(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	size_t i = 0;
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		if (p->type != PART_TOOL_CALL)
			continue;
		if (i == 0) {
			json_key(&s->o, "tool_calls");
			json_open(&s->o, '[');
		}
		part_path(path, t->at, k);
		functions_open_call(s, p, mistral_id(&w->ids, t->call_ids[i++]));
		json_pair_str(&s->o, "arguments",
			span_trim(p->call.arguments).n > 0 ? p->call.arguments : SPAN("{}"));
		err = functions_close_call(s, p, path);
	}
	if (i > 0)
		json_close(&s->o, ']');
	return err;
}

/* What of the assistant's can only be left out. */
static enum err drop_rest(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (said_is_media(p->type))
			err = scribe_drop(s, path, "%.*s takes no media of the assistant's back",
				SPAN_ARG(s->target->provider));
		else if ((p->type == PART_REASONING || p->type == PART_OPAQUE) && !is_thought(s, p))
			err = scribe_warn_once(s, "reasoning_dropped", "messages",
				"reasoning of earlier turns was left out: it is another "
				"provider's, or the model takes none back");
	}
	return err;
}

/* The words that the assistant is to go on with, which the reply will repeat. */
static enum err put_prefill(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	if (s->target->quirks.prefill == PREFILL_NO)
		return scribe_refuse_as(s, "prefill_unsupported", "messages",
			"%.*s does not go on with what the assistant began: end with a user's "
			"message",
			SPAN_ARG(s->target->model));
	if (s->target->quirks.prefill == PREFILL_PREFIX)
		json_pair_bool(&s->o, "prefix", true);
	said_text(t->m, "", &text);
	if (buf_error(&text))
		return ERR_NO_MEMORY;
	return arena_dup(s->notes->arena, buf_view(&text), &s->notes->prefill);
}

static enum err put_assistant(struct writer *w, const struct turn *t)
{
	enum err err = put_said(w->s, t);
	if (!err)
		err = put_calls(w, t);
	if (!err && t + 1 == w->history.turns + w->history.n && history_has_prefill(&w->history))
		err = put_prefill(w, t);
	return err ? err : drop_rest(w->s, t);
}

/* A turn of the assistant's with nothing in it, which the provider refuses. */
static bool is_nothing(const struct scribe *s, const struct turn *t)
{
	for (size_t k = 0; k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		if (p->type == PART_TOOL_CALL || is_thought(s, p) || p->text.n > 0)
			return false;
	}
	return true;
}

/* ---- results ---- */

static enum err put_result_parts(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	json_open(&s->o, '[');
	if (t->m->is_error)
		json_put_raw(&s->o, SPAN("{\"type\":\"text\",\"text\":\"Error:\"}"));
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		if (!said_is_media(t->m->parts[k].type) || said_is_text_file(&t->m->parts[k]))
			err = put_part(s, &t->m->parts[k], t->at, k);
	}
	if (said_has_media(t->m))
		json_put_raw(
			&s->o, SPAN("{\"type\":\"text\",\"text\":\"[image attached below]\"}"));
	json_close(&s->o, ']');
	return err;
}

static enum err put_result(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	enum err err = OK;
	json_pair_str(&s->o, "tool_call_id", mistral_id(&w->ids, t->id));
	if (t->call)
		json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, t->call->name));
	json_key(&s->o, "content");
	if (!t->m) {
		json_put_str(&s->o, SPAN("Tool result missing."));
		return OK;
	}
	bool is_list = false;
	for (size_t k = 0; k < t->m->n_parts; k++)
		is_list = is_list || has_own_extra(s, &t->m->parts[k]);
	if (is_list)
		return put_result_parts(s, t);
	for (size_t k = 0; !err && k < t->m->n_parts; k++)
		err = said_is_media(t->m->parts[k].type) ? OK
							 : drop_extra(s, &t->m->parts[k], t->at, k);
	if (!err)
		err = said_gather(s, t->m, t->at, "\n", &text);
	if (t->m->is_error)
		said_error(&text);
	if (said_has_media(t->m))
		buf_text(&text, text.n > 0 ? "\n[image attached below]" : "[image attached below]");
	return err ? err : put_text(s, &text);
}

/* The media of a run of results, which cannot be in them, as a message of the user's. */
static enum err put_result_media(struct scribe *s, const struct turn *first, size_t n)
{
	bool has_any = false;
	enum err err = OK;
	for (size_t i = 0; i < n; i++)
		has_any = has_any || said_has_media(first[i].m);
	if (!has_any)
		return OK;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", SPAN("user"));
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < n; i++) {
		for (size_t k = 0; !err && first[i].m && k < first[i].m->n_parts; k++) {
			if (said_is_media(first[i].m->parts[k].type) &&
				!said_is_text_file(&first[i].m->parts[k]))
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

/* ---- turns ---- */

static bool is_system(const struct turn *t)
{
	return t->m && (t->m->role == ROLE_SYSTEM || t->m->role == ROLE_DEVELOPER);
}

static bool is_result(const struct turn *t)
{
	return !t->m || t->m->role == ROLE_TOOL;
}

/* What of any message has no place here. */
static enum err drop_marks(struct scribe *s, const struct turn *t)
{
	char path[PATH_BYTES];
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		part_path(path, t->at, k);
		if (span_is_set(t->m->parts[k].citations) &&
			json_is_nil(own_references(&t->m->parts[k])))
			err = scribe_drop_citations(s, path);
	}
	return err;
}

static enum err put_turn(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	char path[PATH_BYTES];
	enum err err = OK;
	message_path(path, t->at);
	json_open(&s->o, '{');
	if (is_result(t)) {
		json_pair_str(&s->o, "role", SPAN("tool"));
		err = put_result(w, t);
	} else if (t->m->role == ROLE_ASSISTANT) {
		json_pair_str(&s->o, "role", SPAN("assistant"));
		err = put_assistant(w, t);
	} else if (t->m->role == ROLE_USER) {
		json_pair_str(&s->o, "role", SPAN("user"));
		err = put_user(w, t);
	} else {
		json_pair_str(&s->o, "role", SPAN("system"));
		err = put_system(w, t);
	}
	if (!err && t->m)
		err = scribe_extra(s, &t->m->extra, path, KNOWN_IN_MESSAGE);
	json_close(&s->o, '}');
	return !err && t->m ? drop_marks(s, t) : err;
}

static enum err take_turn(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	char path[PATH_BYTES];
	enum err err = is_system(t) ? check_system(s, t) : OK;
	message_path(path, t->at);
	if (err)
		return err;
	if (is_system(t) && w->has_begun) {
		err = hold_system(w, t);
		return err ? err : drop_marks(s, t);
	}
	if (t->m && t->m->role == ROLE_ASSISTANT && is_nothing(s, t))
		return scribe_change(s, "rewritten_message", path,
			"an assistant's message with nothing in it was left out");
	w->has_begun = w->has_begun || !is_system(t);
	if (!t->m || t->m->role != ROLE_USER)
		err = put_held(w);
	return err ? err : put_turn(w, t);
}

static enum err put_turns(struct writer *w)
{
	const struct history *h = &w->history;
	size_t results = 0; /* told one after the other */
	enum err err = OK;
	for (size_t i = 0; !err && i < h->n; i++) {
		const struct turn *t = &h->turns[i];
		err = take_turn(w, t);
		results = is_result(t) ? results + 1 : 0;
		if (!err && results > 0 && (i + 1 == h->n || !is_result(t + 1)))
			err = put_result_media(w->s, t + 1 - results, results);
	}
	if (!err && w->held.n > 0) {
		w->has_user = true;
		err = put_held(w);
	}
	return err;
}

static void release(struct writer *w)
{
	buf_done(&w->held);
}

enum err mistral_put_messages(struct scribe *s, struct span lead)
{
	OWNED(release) struct writer w = {.s = s, .held = BUF_INIT(SIZE_MAX / 2)};
	enum err err = history_plan(
		s->r, (struct history_rules){.is_strict = false}, s->notes, &w.history, s->why);
	if (!err)
		err = mistral_ids_plan(&w.history, s->notes, &w.ids);
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	if (span_is_set(lead)) {
		json_open(&s->o, '{');
		json_pair_str(&s->o, "role", SPAN("system"));
		json_pair_str(&s->o, "content", lead);
		json_close(&s->o, '}');
	}
	if (!err)
		err = put_turns(&w);
	json_close(&s->o, ']');
	if (!err && !w.has_user)
		return fault_param(s->why, ERR_INVALID_REQUEST, "messages",
			"at least one user's message is wanted");
	return err;
}
