/* messages.c - turns as this family takes them: user and assistant by turns, results first. */
#include <stdio.h>

#include "brokerd/dialect/anthropic/anthropic.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tools.h"
#include "protocol/base/utf8.h"

#define PATH_BYTES 64
#define ID_BYTES   ((size_t)128)

/* The names that are written in blocks of any kind, for scribe_extra. */
#define KNOWN                                                                                \
	" type text citations cache_control source title id name input tool_use_id content " \
	"is_error role source. "

#define KNOWN_IN_SOURCE " type media_type data url file_id "

/* What is being written: one turn at a time, opened by its first block. */
struct writer {
	struct scribe *s;
	struct cache_marks *marks;
	enum turn_of { TURN_NONE, TURN_USER, TURN_ASSISTANT, TURN_SYSTEM } turn;
	bool has_user;              /* something of the user's went out */
	const struct message *told; /* whose extra members are still to go out */
	size_t told_at;
	const struct message *last;
	size_t last_text; /* where `last` is a prefill: its last text that goes out */
};

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

static bool is_blank(struct span text)
{
	return span_trim(text).n == 0;
}

/* ---- cache marks ---- */

static bool takes_mark(const struct part *p)
{
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		return !is_blank(p->text);
	case PART_IMAGE:
	case PART_FILE:
	case PART_TOOL_CALL:
		return true;
	case PART_AUDIO:
	case PART_VIDEO:
	case PART_REASONING:
	case PART_OPAQUE:
		return false;
	}
	return false;
}

/* The mark of a result is one, whichever of its parts has it. */
static struct span mark_of_result(const struct message *m)
{
	struct span mark = SPAN_NONE;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (span_is_set(m->parts[k].cache))
			mark = m->parts[k].cache;
	}
	return mark;
}

size_t anthropic_count_marks(const struct llm_request *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_tools; i++)
		n += span_is_set(r->tools[i].cache);
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		if (m->role == ROLE_TOOL) {
			n += span_is_set(mark_of_result(m));
			continue;
		}
		for (size_t k = 0; k < m->n_parts; k++)
			n += span_is_set(m->parts[k].cache) && takes_mark(&m->parts[k]);
	}
	return n;
}

enum err anthropic_put_cache(
	struct scribe *s, struct span ttl, const char *path, struct cache_marks *marks)
{
	struct span lives;
	const enum err err = marks_take(s, ttl, path, marks, &lives);
	if (err || !span_is_set(lives))
		return err;
	json_key(&s->o, "cache_control");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("ephemeral"));
	if (span_is(lives, "1h"))
		json_pair_str(&s->o, "ttl", lives);
	json_close(&s->o, '}');
	return OK;
}

/* ---- blocks ---- */

static enum err open_turn(struct writer *w, enum turn_of wanted)
{
	static const char *const roles[] = {
		[TURN_USER] = "user", [TURN_ASSISTANT] = "assistant", [TURN_SYSTEM] = "system"};
	struct json_out *o = &w->s->o;
	const struct message *m = w->told;
	enum err err = OK;
	if (w->turn == wanted && wanted != TURN_SYSTEM)
		return OK;
	if (w->turn != TURN_NONE) {
		json_close(o, ']');
		json_close(o, '}');
	}
	json_open(o, '{');
	json_pair_str(o, "role", span_str(roles[wanted]));
	if (m) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "messages[%zu]", w->told_at);
		err = scribe_extra(w->s, &m->extra, path, KNOWN);
		w->told = NULL;
	}
	json_key(o, "content");
	json_open(o, '[');
	w->turn = wanted;
	return err;
}

/* Turns begin with the user's. */
static enum err open_for(struct writer *w, bool is_assistant)
{
	if (w->turn == TURN_NONE && is_assistant) {
		const struct message *m = w->told;
		w->told = NULL;
		enum err err = open_turn(w, TURN_USER);
		w->told = m;
		json_open(&w->s->o, '{');
		json_pair_str(&w->s->o, "type", SPAN("text"));
		json_pair_str(&w->s->o, "text", SPAN("(conversation continues)"));
		json_close(&w->s->o, '}');
		if (!err)
			err = scribe_change(w->s, "rewritten_message", "messages[0]",
				"the conversation begins with the assistant: a user's message was "
				"put before it, as the provider wants");
		if (err)
			return err;
	}
	return open_turn(w, is_assistant ? TURN_ASSISTANT : TURN_USER);
}

/* Citations of this family's own shape are part of the text. */
static enum err put_citations(struct scribe *s, struct span citations, const char *path)
{
	static const char *const types[] = {"char_location", "page_location",
		"content_block_location", "web_search_result_location", "search_result_location"};
	struct json v;
	if (json_scan(citations, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_ARRAY)
		return scribe_drop_citations(s, path);
	for (struct json_walk w = json_each(v); json_next(&w);) {
		bool is_ours = false;
		for (size_t i = 0; i < COUNT_OF(types); i++)
			is_ours = is_ours || json_is(json_member(w.value, "type"), types[i]);
		if (!is_ours)
			return scribe_drop_citations(s, path);
	}
	json_pair_raw(&s->o, "citations", v.text);
	return OK;
}

static enum err put_text(struct writer *w, const struct part *p, struct span text, const char *path)
{
	struct json_out *o = &w->s->o;
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("text"));
	json_pair_str(o, "text", text);
	enum err err = span_is_set(p->citations) ? put_citations(w->s, p->citations, path) : OK;
	if (!err)
		err = anthropic_put_cache(w->s, p->cache, path, w->marks);
	if (!err)
		err = scribe_extra(w->s, &p->extra, path, KNOWN);
	json_close(o, '}');
	return err;
}

static enum err put_source(struct scribe *s, const struct media *m, struct span mime,
	const struct extra *extra, const char *path)
{
	struct json_out *o = &s->o;
	json_key(o, "source");
	json_open(o, '{');
	if (span_is_set(m->file_id)) {
		json_pair_str(o, "type", SPAN("file"));
		json_pair_str(o, "file_id", m->file_id);
	} else if (span_is_set(m->url)) {
		json_pair_str(o, "type", SPAN("url"));
		json_pair_str(o, "url", m->url);
	} else {
		json_pair_str(o, "type", SPAN("base64"));
		json_pair_str(o, "media_type", mime);
		json_key(o, "data");
		json_put_base64(o, SPAN(""), m->data);
	}
	const enum err err = scribe_extra_below(s, extra, path, "source.", KNOWN_IN_SOURCE);
	json_close(o, '}');
	return err;
}

static enum err put_image(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	static const char *const taken[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
	bool is_taken = !span_is_set(m->data);
	for (size_t i = 0; i < COUNT_OF(taken); i++)
		is_taken = is_taken || span_is(m->mime, taken[i]);
	if (!is_taken)
		return scribe_refuse(s, path, "%.*s takes no images of the type \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
	const enum err err = said_drop_detail(s, m, path);
	if (err)
		return err;
	json_pair_str(&s->o, "type", SPAN("image"));
	return put_source(s, m, m->mime, extra, path);
}

static enum err put_document(
	struct scribe *s, const struct media *m, const struct extra *extra, const char *path)
{
	struct json_out *o = &s->o;
	const bool is_text = span_starts(m->mime, SPAN("text/"));
	enum err err;
	if (span_is_set(m->data) && !is_text && !span_is(m->mime, "application/pdf"))
		return scribe_refuse(s, path, "%.*s takes PDF and text files, not \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
	if (span_is_set(m->data) && is_text && !utf8_is_valid(m->data))
		return scribe_refuse(s, path, "a text file that is no UTF-8 cannot be sent");
	json_pair_str(o, "type", SPAN("document"));
	if (span_is_set(m->data) && is_text) {
		json_key(o, "source");
		json_open(o, '{');
		json_pair_str(o, "type", SPAN("text"));
		json_pair_str(o, "media_type", SPAN("text/plain"));
		json_pair_str(o, "data", m->data);
		err = scribe_extra_below(s, extra, path, "source.", KNOWN_IN_SOURCE);
		json_close(o, '}');
	} else {
		err = put_source(s, m, SPAN("application/pdf"), extra, path);
	}
	json_pair_str(o, "title", m->filename);
	return err;
}

/* Whether a document is to be cited is a member of that name; what a text cites is not. */
static void put_citing(struct scribe *s, struct span citations)
{
	struct json v;
	if (json_scan(citations, JSON_STRICT, &v, NULL) == OK && json_kind(v) == JSON_OBJECT)
		json_pair_raw(&s->o, "citations", v.text);
}

static enum err put_media(struct writer *w, const struct part *p, const char *path)
{
	struct scribe *s = w->s;
	struct media m;
	enum err err = said_resolve(s, p, path, &m);
	if (!err && (p->type == PART_AUDIO || p->type == PART_VIDEO))
		return scribe_refuse(s, path, "%.*s takes no %s", SPAN_ARG(s->target->provider),
			p->type == PART_AUDIO ? "audio" : "video");
	if (!err)
		err = said_check_url(s, &m, path);
	if (err)
		return err;
	json_open(&s->o, '{');
	err = p->type == PART_IMAGE ? put_image(s, &m, &p->extra, path)
				    : put_document(s, &m, &p->extra, path);
	if (p->type == PART_FILE && span_is_set(p->citations))
		put_citing(s, p->citations);
	if (!err)
		err = anthropic_put_cache(s, p->cache, path, w->marks);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

static enum err put_call(struct writer *w, const struct part *p, struct span id, const char *path)
{
	struct scribe *s = w->s;
	struct span legal;
	enum err err = name_legal(s->notes->arena, id, ID_BYTES, &legal);
	if (err)
		return err;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("tool_use"));
	json_pair_str(&s->o, "id", legal);
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, p->call.name));
	json_key(&s->o, "input");
	err = tools_put_arguments(s, p->call.arguments, path);
	if (!err)
		err = anthropic_put_cache(s, p->cache, path, w->marks);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

static enum err drop_foreign(struct scribe *s)
{
	return scribe_warn_once(s, "reasoning_dropped", "messages",
		"reasoning of earlier turns was left out: it is unsigned, or another provider's");
}

/* The block of this family that an opaque item holds, or an absent value. */
static struct json own_block(const struct opaque *opaque)
{
	struct json v;
	if (!span_is(opaque->family, ANTHROPIC_FAMILY) ||
		json_scan(opaque->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	return v;
}

/* Signed thinking goes back with its text; any other block of ours as it was. */
static enum err put_opaque(struct writer *w, const struct part *p)
{
	struct json_out *o = &w->s->o;
	const struct json block = own_block(&p->opaque);
	if (!span_is_set(block.text))
		return drop_foreign(w->s);
	const enum err err = open_for(w, true);
	if (err)
		return err;
	if (!json_is(json_member(block, "type"), "thinking") ||
		span_is_set(json_member(block, "thinking").text)) {
		json_put_raw(o, block.text);
		return OK;
	}
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("thinking"));
	json_pair_str(o, "thinking", span_is_set(p->text) ? p->text : SPAN(""));
	json_pair_raw(o, "signature", json_member(block, "signature").text);
	json_close(o, '}');
	return OK;
}

/* ---- turns ---- */

/* Something that the assistant said; a prefill must not end in white space. */
static enum err put_said(struct writer *w, const struct message *m, size_t k, const char *path)
{
	struct span text = m->parts[k].text;
	while (m == w->last && k == w->last_text && text.n > 0 &&
		strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	const enum err err = open_for(w, true);
	return err ? err : put_text(w, &m->parts[k], text, path);
}

/* `id`: of a call. */
static enum err put_done(
	struct writer *w, const struct turn *t, size_t k, struct span id, const char *path)
{
	const struct part *p = &t->m->parts[k];
	enum err err = OK;
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		return put_said(w, t->m, k, path);
	case PART_TOOL_CALL:
		err = open_for(w, true);
		return err ? err : put_call(w, p, id, path);
	case PART_REASONING:
	case PART_OPAQUE:
		return put_opaque(w, p);
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		break;
	}
	return scribe_drop(w->s, path, "%.*s takes no media of the assistant's back",
		SPAN_ARG(w->s->target->provider));
}

static enum err put_assistant(struct writer *w, const struct turn *t)
{
	const struct message *m = t->m;
	char path[PATH_BYTES];
	size_t calls = 0, parts = 0;
	enum err err = OK;
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		const bool is_call = p->type == PART_TOOL_CALL;
		if ((p->type == PART_TEXT || p->type == PART_REFUSAL) && is_blank(p->text))
			continue;
		part_path(path, t->at, k);
		err = put_done(w, t, k, is_call ? t->call_ids[calls] : SPAN_NONE, path);
		calls += is_call;
		parts++;
	}
	if (err || parts > 0)
		return err;
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	return scribe_change(w->s, "rewritten_message", path,
		"an assistant's message with nothing in it was left out");
}

/* A block of this family's that the caller gave: search results and the like. */
static enum err put_own_block(struct writer *w, const struct part *p, const char *path)
{
	const struct json block = own_block(&p->opaque);
	if (!span_is_set(block.text))
		return scribe_refuse(w->s, path, "a part that %.*s alone knows cannot be sent",
			SPAN_ARG(span_first(p->opaque.family, 64)));
	json_put_raw(&w->s->o, block.text);
	return OK;
}

static enum err put_result_content(struct writer *w, const struct message *m, size_t at)
{
	enum err err = OK;
	json_key(&w->s->o, "content");
	json_open(&w->s->o, '[');
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		struct part p = m->parts[k];
		char path[PATH_BYTES];
		part_path(path, at, k);
		p.cache = SPAN_NONE; /* the result's own */
		if (p.type == PART_TEXT && !is_blank(p.text))
			err = put_text(w, &p, p.text, path);
		else if (p.type == PART_IMAGE || p.type == PART_FILE || p.type == PART_AUDIO ||
			 p.type == PART_VIDEO)
			err = put_media(w, &p, path);
		else if (p.type == PART_OPAQUE)
			err = put_own_block(w, &p, path);
	}
	json_close(&w->s->o, ']');
	return err;
}

static bool has_content(const struct message *m)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type != PART_TEXT || !is_blank(m->parts[k].text))
			return true;
	}
	return false;
}

static enum err put_result(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	char path[PATH_BYTES];
	struct span legal;
	enum err err = name_legal(s->notes->arena, t->id, ID_BYTES, &legal);
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (!err)
		err = open_for(w, false);
	if (err)
		return err;
	w->has_user = true;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("tool_result"));
	json_pair_str(&s->o, "tool_use_id", legal);
	if (!t->m) {
		json_pair_str(&s->o, "content", SPAN("Tool result missing."));
	} else if (has_content(t->m)) {
		err = put_result_content(w, t->m, t->at);
	} else if (t->m->is_error) {
		json_pair_str(&s->o, "content", SPAN("Error"));
	}
	if (!t->m || t->m->is_error)
		json_pair_bool(&s->o, "is_error", true);
	if (!err && t->m)
		err = anthropic_put_cache(s, mark_of_result(t->m), path, w->marks);
	if (!err && t->m)
		err = scribe_extra(s, &t->m->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

static enum err put_user(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (p->type == PART_REASONING) {
			err = scribe_refuse(w->s, path, "only an assistant's message may reason");
			continue;
		}
		if ((p->type == PART_TEXT || p->type == PART_REFUSAL) && is_blank(p->text))
			continue;
		err = open_for(w, false);
		w->has_user = true;
		if (err)
			return err;
		if (p->type == PART_TEXT || p->type == PART_REFUSAL)
			err = put_text(w, p, p->text, path);
		else
			err = p->type == PART_OPAQUE ? put_own_block(w, p, path)
						     : put_media(w, p, path);
	}
	return err;
}

/* Does a system message in the midst of things go out as one? What only this family knows has no
 * other place. */
static bool is_own_system(const struct scribe *s, const struct message *m)
{
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type == PART_OPAQUE)
			return true;
	}
	return s->target->quirks.has_later_system;
}

static enum err put_own_system(struct writer *w, const struct turn *t)
{
	bool is_open = false;
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (p->type == PART_TEXT && is_blank(p->text))
			continue;
		if (!is_open)
			err = open_turn(w, TURN_SYSTEM);
		is_open = true;
		if (!err && p->type == PART_TEXT)
			err = put_text(w, p, p->text, path);
		else if (!err && p->type == PART_OPAQUE)
			err = put_own_block(w, p, path);
		else if (!err)
			err = scribe_refuse(w->s, path, "system messages are text only");
	}
	return err;
}

/* Elsewhere a system text stays where it was said, in the user's turn there. */
static enum err put_later_system(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	if (is_own_system(w->s, t->m))
		return put_own_system(w, t);
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		err = said_later_system(w->s, p, path, &text);
		if (!err && text.n > 0)
			err = open_turn(w, TURN_USER);
		if (!err && text.n > 0)
			err = put_text(w, p, buf_view(&text), path);
		if (!err && text.n > 0)
			err = said_tell_later(w->s);
	}
	return err;
}

/* Where a message became a part of another's turn, its own members have no place. */
static enum err drop_told(struct writer *w)
{
	const struct message *m = w->told;
	for (size_t i = 0; m && i < m->extra.n; i++) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "messages[%zu]", w->told_at);
		const enum err err = scribe_drop(w->s, path,
			"the message's member \"%.*s\" was left out: the message went out as a "
			"part of the turn before it",
			SPAN_ARG(span_first(m->extra.members[i].name, 64)));
		if (err)
			return err;
	}
	w->told = NULL;
	return OK;
}

/* ---- system ---- */

static enum err put_system(struct writer *w, size_t n, struct span tail)
{
	struct scribe *s = w->s;
	bool has_any = span_is_set(tail);
	enum err err = OK;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < s->r->messages[i].n_parts; k++)
			has_any = has_any || !is_blank(s->r->messages[i].parts[k].text);
	}
	if (!has_any)
		return OK;
	json_key(&s->o, "system");
	json_open(&s->o, '[');
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; !err && k < s->r->messages[i].n_parts; k++) {
			const struct part *p = &s->r->messages[i].parts[k];
			char path[PATH_BYTES];
			part_path(path, i, k);
			if (p->type != PART_TEXT)
				err = scribe_refuse(s, path, "system messages are text only");
			else if (!is_blank(p->text))
				err = put_text(w, p, p->text, path);
		}
	}
	if (!err && span_is_set(tail))
		err = put_text(w, &(struct part){.type = PART_TEXT}, tail, "");
	json_close(&s->o, ']');
	for (size_t i = 0; !err && i < n; i++) {
		w->told = &s->r->messages[i];
		w->told_at = i;
		err = drop_told(w);
	}
	return err;
}

static bool is_system(const struct message *m)
{
	return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

/* ---- prefill ---- */

/* Does the request end with words that the assistant is to go on with? Blocks that are only carried
 * mark a turn that was interrupted: that one goes on by itself. */
static enum err check_prefill(struct writer *w)
{
	const struct message *m = &w->s->r->messages[w->s->r->n_messages - 1];
	bool has_text = false;
	if (m->role != ROLE_ASSISTANT)
		return OK;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type == PART_TEXT && !is_blank(m->parts[k].text)) {
			has_text = true;
			w->last_text = k;
		} else if (m->parts[k].type != PART_TEXT) {
			return OK;
		}
	}
	if (!has_text)
		return OK;
	w->last = m;
	if (w->s->target->quirks.prefill != PREFILL_NO)
		return OK;
	return scribe_refuse_as(w->s, "prefill_unsupported", "messages",
		"%.*s does not go on with what the assistant began: end with a user's message",
		SPAN_ARG(w->s->target->model));
}

/* ---- all ---- */

static enum err put_turn(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	if (!t->m || t->m->role == ROLE_TOOL)
		return put_result(w, t);
	w->told = t->m->extra.n > 0 ? t->m : NULL;
	w->told_at = t->at;
	if (t->m->role == ROLE_ASSISTANT)
		err = put_assistant(w, t);
	else if (t->m->role == ROLE_USER)
		err = put_user(w, t);
	else
		err = put_later_system(w, t);
	return err ? err : drop_told(w);
}

enum err anthropic_put_messages(struct scribe *s, struct span tail, struct cache_marks *marks)
{
	struct writer w = {.s = s, .marks = marks, .last_text = SIZE_MAX};
	struct history h;
	size_t leading = 0;
	enum err err =
		history_plan(s->r, (struct history_rules){.is_strict = true}, s->notes, &h, s->why);
	while (!err && leading < h.n && h.turns[leading].m && is_system(h.turns[leading].m))
		leading++;
	if (!err)
		err = check_prefill(&w);
	if (!err)
		err = put_system(&w, leading, tail);
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	for (size_t i = leading; !err && i < h.n; i++)
		err = put_turn(&w, &h.turns[i]);
	if (w.turn != TURN_NONE) {
		json_close(&s->o, ']');
		json_close(&s->o, '}');
	}
	json_close(&s->o, ']');
	if (!err)
		err = scribe_drop_names(s);
	if (!err && !w.has_user)
		return fault_param(s->why, ERR_INVALID_REQUEST, "messages",
			"at least one user's message with something in it is wanted");
	return err;
}
