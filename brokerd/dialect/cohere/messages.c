/* messages.c - turns and their parts; what an assistant says before it calls tools is its plan. */
#include <stdio.h>

#include "brokerd/dialect/cohere/cohere.h"
#include "brokerd/dialect/functions.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/said.h"

#define PATH_BYTES 64

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_PART    " type text thinking image_url image_url. document "
#define KNOWN_IN_IMAGE   " url detail "
#define KNOWN_IN_MESSAGE " role content tool_call_id tool_calls tool_plan citations "

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

bool cohere_is_document(const struct message *m, const struct part *p)
{
	return m->role == ROLE_USER && said_is_text_file(p);
}

/* ---- parts ---- */

static enum err put_image(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	enum err err = said_check_url(s, m, path);
	if (err)
		return err;
	if (!span_is_set(m->url) && !span_is_set(m->data))
		return scribe_refuse(s, path,
			"%.*s takes images as bytes or by address, not by file_id",
			SPAN_ARG(s->target->provider));
	json_pair_str(o, "type", SPAN("image_url"));
	json_key(o, "image_url");
	json_open(o, '{');
	json_key(o, "url");
	said_put_url(o, m, "image/png");
	json_pair_str(o, "detail", m->detail);
	err = scribe_extra_below(s, &p->extra, path, "image_url.", KNOWN_IN_IMAGE);
	json_close(o, '}');
	return err;
}

static enum err put_file(struct scribe *s, const struct media *m, const char *path)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	if (!span_is_set(m->data) || !span_starts(m->mime, SPAN("text/")))
		return scribe_refuse(
			s, path, "%.*s takes text files only", SPAN_ARG(s->target->provider));
	const enum err err = said_file(s, m, path, &text);
	json_pair_str(&s->o, "type", SPAN("text"));
	json_pair_str(&s->o, "text", buf_view(&text));
	return err;
}

/* One part as an object of a list. */
static enum err put_part(struct scribe *s, const struct part *p, const char *path)
{
	struct media media;
	enum err err = said_is_media(p->type) ? said_resolve(s, p, path, &media) : OK;
	if (err)
		return err;
	json_open(&s->o, '{');
	if (p->type == PART_IMAGE) {
		err = put_image(s, p, &media, path);
	} else if (p->type == PART_FILE) {
		err = put_file(s, &media, path);
	} else if (said_is_media(p->type)) {
		err = scribe_refuse(s, path, "%.*s takes no %s", SPAN_ARG(s->target->provider),
			p->type == PART_AUDIO ? "audio" : "video");
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

/* Members of other families that a string has no place for. */
static enum err drop_extras(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (p->type != PART_TOOL_CALL && !has_own_extra(s, p))
			err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	}
	return err;
}

static enum err put_text(struct scribe *s, const char *name, const struct buf *text)
{
	json_pair_str(&s->o, name, buf_view(text));
	return buf_error(text) ? ERR_NO_MEMORY : OK;
}

/* ---- system and user ---- */

static enum err put_system(struct scribe *s, const struct turn *t)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool is_list = false;
	enum err err = OK;
	for (size_t k = 0; k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (t->m->parts[k].type != PART_TEXT)
			return scribe_refuse(s, path, "system messages are text only");
		is_list = is_list || has_own_extra(s, &t->m->parts[k]);
	}
	if (!is_list) {
		said_text(t->m, "\n", &text);
		err = drop_extras(s, t);
		return err ? err : put_text(s, "content", &text);
	}
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		err = put_part(s, &t->m->parts[k], path);
	}
	json_close(&s->o, ']');
	return err;
}

/* What stands in `documents` is not said again. */
static enum err put_user(struct scribe *s, const struct turn *t)
{
	const struct message *m = t->m;
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	size_t texts = 0, others = 0;
	enum err err = OK;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		texts += p->type == PART_TEXT;
		others += p->type == PART_TEXT && has_own_extra(s, p);
		others += said_is_media(p->type) && !cohere_is_document(m, p);
	}
	if (texts < 2 && others == 0) {
		said_text(m, "\n", &text);
		err = drop_extras(s, t);
		return err ? err : put_text(s, "content", &text);
	}
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (!cohere_is_document(m, &m->parts[k]))
			err = put_part(s, &m->parts[k], path);
	}
	json_close(&s->o, ']');
	return err;
}

/* ---- the assistant ---- */

/* What reasoning of this family's was, by its mark. */
enum thought {
	THOUGHT_FOREIGN,
	THOUGHT_THINKING,
	THOUGHT_PLAN,
};

static enum thought thought_of(const struct scribe *s, const struct part *p)
{
	struct json mark;
	if (p->type != PART_REASONING || !span_is(p->opaque.family, COHERE_FAMILY) ||
		s->target->quirks.reasoning_history == REASONING_HISTORY_NONE ||
		json_scan(p->opaque.data, JSON_STRICT, &mark, NULL) != OK)
		return THOUGHT_FOREIGN;
	if (json_is(json_member(mark, "type"), "tool_plan"))
		return THOUGHT_PLAN;
	return json_is(json_member(mark, "type"), "thinking") ? THOUGHT_THINKING : THOUGHT_FOREIGN;
}

static bool is_words(const struct part *p)
{
	return p->type == PART_TEXT || p->type == PART_REFUSAL;
}

/* Of what is there? */
struct kinds {
	size_t words, calls, thinking, plans, own;
	bool is_lost;
};

static struct kinds kinds_of(const struct scribe *s, const struct message *m)
{
	struct kinds n = {.words = 0};
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		const enum thought thought = thought_of(s, p);
		n.words += is_words(p) && p->text.n > 0;
		n.own += is_words(p) && has_own_extra(s, p);
		n.calls += p->type == PART_TOOL_CALL;
		n.thinking += thought == THOUGHT_THINKING && p->text.n > 0;
		n.plans += thought == THOUGHT_PLAN && p->text.n > 0;
		n.is_lost = n.is_lost || p->type == PART_OPAQUE ||
			    (p->type == PART_REASONING && thought == THOUGHT_FOREIGN);
	}
	return n;
}

/* Beside calls, words are a plan too. */
static enum err put_plan(struct scribe *s, const struct message *m, const struct kinds *n)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (thought_of(s, p) != THOUGHT_PLAN && !(n->calls > 0 && is_words(p)))
			continue;
		if (text.n > 0 && p->text.n > 0)
			buf_byte(&text, '\n');
		buf_span(&text, p->text);
	}
	return text.n > 0 || buf_error(&text) ? put_text(s, "tool_plan", &text) : OK;
}

static enum err put_said(struct scribe *s, const struct turn *t, const struct kinds *n)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	enum err err = OK;
	if (n->calls > 0 && n->thinking == 0)
		return drop_extras(s, t);
	if (n->thinking == 0 && n->own == 0) {
		said_text(t->m, "", &text);
		err = drop_extras(s, t);
		return err ? err : put_text(s, "content", &text);
	}
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (thought_of(s, p) == THOUGHT_THINKING) {
			json_open(&s->o, '{');
			json_pair_str(&s->o, "type", SPAN("thinking"));
			json_pair_str(&s->o, "thinking", p->text);
			err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
			json_close(&s->o, '}');
		} else if (is_words(p) && n->calls == 0 && (p->text.n > 0 || has_own_extra(s, p))) {
			err = put_part(s, p, path);
		}
	}
	json_close(&s->o, ']');
	return err;
}

static enum err put_calls(struct scribe *s, const struct turn *t)
{
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
		functions_open_call(s, p, t->call_ids[i++]);
		json_pair_str(&s->o, "arguments",
			span_trim(p->call.arguments).n > 0 ? p->call.arguments : SPAN("{}"));
		err = functions_close_call(s, p, path);
	}
	if (i > 0)
		json_close(&s->o, ']');
	return err;
}

/* Citations of this family's own shape stand beside what they are about. */
static enum err put_citations(struct scribe *s, const struct turn *t)
{
	bool is_open = false, is_foreign = false;
	for (size_t k = 0; k < t->m->n_parts; k++) {
		struct json v;
		const struct span text = t->m->parts[k].citations;
		if (!span_is_set(text) || json_scan(text, JSON_STRICT, &v, NULL) != OK)
			continue;
		for (struct json_walk w = json_each(v); json_next(&w);) {
			if (json_kind(json_member(w.value, "sources")) != JSON_ARRAY) {
				is_foreign = true;
				continue;
			}
			if (!is_open) {
				json_key(&s->o, "citations");
				json_open(&s->o, '[');
				is_open = true;
			}
			json_put_raw(&s->o, w.value.text);
		}
	}
	if (is_open)
		json_close(&s->o, ']');
	return is_foreign ? scribe_warn_once(s, "dropped_parameter", "messages",
				    "citations of earlier turns were left out")
			  : OK;
}

static enum err put_assistant(struct scribe *s, const struct turn *t, const struct kinds *n)
{
	enum err err = put_said(s, t, n);
	if (!err)
		err = put_plan(s, t->m, n);
	if (!err)
		err = put_calls(s, t);
	if (!err)
		err = put_citations(s, t);
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (said_is_media(t->m->parts[k].type))
			err = scribe_drop(s, path, "%.*s takes no media of the assistant's back",
				SPAN_ARG(s->target->provider));
	}
	if (!err && n->is_lost)
		err = scribe_warn_once(s, "reasoning_dropped", "messages",
			"reasoning of earlier turns was left out: it is another provider's");
	return err;
}

/* ---- results ---- */

static bool is_own_block(const struct part *p)
{
	return p->type == PART_OPAQUE && span_is(p->opaque.family, COHERE_FAMILY);
}

static enum err put_blocks(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	if (t->m->is_error)
		json_put_raw(&s->o, SPAN("{\"type\":\"text\",\"text\":\"Error:\"}"));
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (is_own_block(p))
			json_put_raw(&s->o, p->opaque.data);
		else if (is_words(p) || said_is_text_file(p))
			err = put_part(s, p, path);
	}
	if (said_has_media(t->m))
		json_put_raw(
			&s->o, SPAN("{\"type\":\"text\",\"text\":\"[image attached below]\"}"));
	json_close(&s->o, ']');
	return err;
}

/* Media follow in a message of the user's; what they are stands here. */
static enum err put_result(struct scribe *s, const struct turn *t)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool has_blocks = false;
	size_t words = 0;
	json_pair_str(&s->o, "tool_call_id", t->id);
	if (!t->m) {
		json_pair_str(&s->o, "content", SPAN("Tool result missing."));
		return OK;
	}
	for (size_t k = 0; k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		words += is_words(p);
		has_blocks = has_blocks || is_own_block(p) || has_own_extra(s, p) || words > 1;
	}
	if (has_blocks)
		return put_blocks(s, t);
	enum err err = said_gather(s, t->m, t->at, "\n", &text);
	if (t->m->is_error)
		said_error(&text);
	if (said_has_media(t->m))
		buf_text(&text, text.n > 0 ? "\n[image attached below]" : "[image attached below]");
	if (!err)
		err = drop_extras(s, t);
	return err ? err : put_text(s, "content", &text);
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
			char path[PATH_BYTES];
			part_path(path, first[i].at, k);
			if (said_is_media(first[i].m->parts[k].type) &&
				!said_is_text_file(&first[i].m->parts[k]))
				err = put_part(s, &first[i].m->parts[k], path);
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

static enum err put_turn(struct scribe *s, const struct turn *t)
{
	const enum role role = t->m ? t->m->role : ROLE_TOOL;
	struct kinds n = {.words = 0};
	char path[PATH_BYTES];
	enum err err = OK;
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (role == ROLE_ASSISTANT) {
		n = kinds_of(s, t->m);
		if (n.words + n.calls + n.thinking + n.plans == 0)
			return scribe_change(s, "rewritten_message", path,
				"an assistant's message with nothing in it was left out");
	}
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role",
		role == ROLE_TOOL        ? SPAN("tool")
		: role == ROLE_ASSISTANT ? SPAN("assistant")
		: role == ROLE_USER      ? SPAN("user")
					 : SPAN("system"));
	if (role == ROLE_TOOL)
		err = put_result(s, t);
	else if (role == ROLE_ASSISTANT)
		err = put_assistant(s, t, &n);
	else if (role == ROLE_USER)
		err = put_user(s, t);
	else
		err = put_system(s, t);
	if (!err && t->m)
		err = scribe_extra(s, &t->m->extra, path, KNOWN_IN_MESSAGE);
	json_close(&s->o, '}');
	return err;
}

static bool is_result(const struct turn *t)
{
	return !t->m || t->m->role == ROLE_TOOL;
}

enum err cohere_put_messages(struct scribe *s)
{
	struct history h;
	size_t results = 0; /* told one after the other */
	bool has_user = false;
	enum err err = history_plan(
		s->r, (struct history_rules){.is_strict = false}, s->notes, &h, s->why);
	for (size_t i = 0; !err && i < h.n; i++)
		has_user = has_user || (h.turns[i].m && h.turns[i].m->role == ROLE_USER);
	if (!err && !has_user)
		return fault_param(s->why, ERR_INVALID_REQUEST, "messages",
			"at least one user's message is wanted");
	if (!err && history_has_prefill(&h) && s->target->quirks.prefill == PREFILL_NO)
		return scribe_refuse_as(s, "prefill_unsupported", "messages",
			"%.*s does not go on with what the assistant began: end with a user's "
			"message",
			SPAN_ARG(s->target->model));
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < h.n; i++) {
		const struct turn *t = &h.turns[i];
		err = put_turn(s, t);
		results = is_result(t) ? results + 1 : 0;
		if (!err && results > 0 && (i + 1 == h.n || !is_result(t + 1)))
			err = put_result_media(s, t + 1 - results, results);
	}
	json_close(&s->o, ']');
	return err;
}
