/* messages.c - turns as texts with images beside them. */
#include <stdio.h>

#include "brokerd/dialect/history.h"
#include "brokerd/dialect/ollama/ollama.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/tools.h"

#define PATH_BYTES 64

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_MESSAGE " role content thinking images tool_calls tool_name tool_call_id "
#define KNOWN_IN_CALL    " id function function. "
#define KNOWN_IN_CALLED  " name arguments "

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

/* ---- media ---- */

static enum err check_image(struct scribe *s, const struct media *m, const char *path)
{
	static const char *const taken[] = {"image/png", "image/jpeg", "image/webp"};
	if (!span_is_set(m->data))
		return scribe_refuse_as(s, "unsupported_input", path,
			"%.*s needs inline image bytes: it follows no address",
			SPAN_ARG(s->target->provider));
	for (size_t i = 0; i < COUNT_OF(taken); i++) {
		if (m->mime.n == 0 || span_is(m->mime, taken[i]))
			return OK;
	}
	return scribe_refuse(s, path, "%.*s takes no images of the type \"%.*s\"",
		SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
}

/* What goes into `images`; models that hear take audio there too. */
static enum err check_media(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	if (p->type == PART_IMAGE)
		return check_image(s, m, path);
	if (p->type == PART_AUDIO && s->target->quirks.has_audio_parts && span_is_set(m->data))
		return OK;
	if (p->type == PART_AUDIO)
		return scribe_refuse(s, path, "%.*s takes no audio", SPAN_ARG(s->target->model));
	if (p->type == PART_VIDEO)
		return scribe_refuse(s, path, "%.*s takes no video", SPAN_ARG(s->target->provider));
	return scribe_refuse(s, path, "%.*s takes text files only", SPAN_ARG(s->target->provider));
}

static enum err put_images(struct scribe *s, const struct turn *t)
{
	bool is_open = false;
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		struct media m;
		if (!said_is_media(p->type) || said_is_text_file(p))
			continue;
		part_path(path, t->at, k);
		err = said_resolve(s, p, path, &m);
		if (!err)
			err = check_media(s, p, &m, path);
		if (!err)
			err = said_drop_detail(s, &m, path);
		if (err)
			return err;
		if (!is_open) {
			json_key(&s->o, "images");
			json_open(&s->o, '[');
			is_open = true;
		}
		json_put_base64(&s->o, SPAN(""), m.data);
	}
	if (is_open)
		json_close(&s->o, ']');
	return err;
}

/* ---- content ---- */

/* How often text and images change places: once keeps the order, as text before or behind. */
static size_t changes(const struct message *m)
{
	size_t n = 0;
	int last = -1;
	for (size_t k = 0; k < m->n_parts; k++) {
		const int now = m->parts[k].type == PART_IMAGE;
		if (m->parts[k].type != PART_TEXT && !now)
			continue;
		n += last >= 0 && now != last;
		last = now;
	}
	return n;
}

static enum err put_content(struct scribe *s, const struct turn *t)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	char path[PATH_BYTES];
	enum err err = said_gather(s, t->m, t->at, t->m->role == ROLE_ASSISTANT ? "" : "\n", &text);
	if (!err && t->m->role == ROLE_TOOL && t->m->is_error)
		said_error(&text);
	json_pair_str(&s->o, "content", buf_view(&text));
	if (!err && buf_error(&text))
		err = ERR_NO_MEMORY;
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (!err && changes(t->m) > 1)
		err = scribe_change(s, "rewritten_message", path,
			"text and images went out apart: %.*s has no order for them",
			SPAN_ARG(s->target->provider));
	return err;
}

/* ---- the assistant ---- */

/* Thinking goes back as a text, whoever thought; what only its provider can read does not. */
static enum err put_thinking(struct scribe *s, const struct message *m)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	const bool goes_back = s->target->quirks.reasoning_history != REASONING_HISTORY_NONE;
	bool is_lost = false;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		if (p->type != PART_REASONING && p->type != PART_OPAQUE)
			continue;
		if (goes_back && !span_is_set(p->opaque.family))
			buf_span(&text, p->text);
		else
			is_lost = true;
	}
	if (text.n > 0)
		json_pair_str(&s->o, "thinking", buf_view(&text));
	if (buf_error(&text))
		return ERR_NO_MEMORY;
	return is_lost ? scribe_warn_once(s, "reasoning_dropped", "messages",
				 "reasoning of earlier turns was left out: it is another "
				 "provider's, or the model takes none back")
		       : OK;
}

static enum err put_call(struct scribe *s, const struct part *p, struct span id, const char *path)
{
	struct json_out *o = &s->o;
	enum err err = OK;
	json_open(o, '{');
	json_pair_str(o, "id", id);
	json_key(o, "function");
	json_open(o, '{');
	json_pair_str(o, "name", p->call.name);
	json_key(o, "arguments");
	err = tools_put_arguments(s, p->call.arguments, path);
	if (!err)
		err = scribe_extra_below(s, &p->extra, path, "function.", KNOWN_IN_CALLED);
	json_close(o, '}');
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_CALL);
	json_close(o, '}');
	return err;
}

static enum err put_calls(struct scribe *s, const struct turn *t)
{
	size_t i = 0;
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		if (t->m->parts[k].type != PART_TOOL_CALL)
			continue;
		if (i == 0) {
			json_key(&s->o, "tool_calls");
			json_open(&s->o, '[');
		}
		part_path(path, t->at, k);
		err = put_call(s, &t->m->parts[k], t->call_ids[i++], path);
	}
	if (i > 0)
		json_close(&s->o, ']');
	return err;
}

/* Media of the assistant's are not taken back; those of others are images. */
static enum err drop_media(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (said_is_media(t->m->parts[k].type) && !said_is_text_file(&t->m->parts[k]))
			err = scribe_drop(s, path, "%.*s takes no media of the assistant's back",
				SPAN_ARG(s->target->provider));
	}
	return err;
}

static enum err put_assistant(struct scribe *s, const struct turn *t)
{
	enum err err = put_content(s, t);
	if (!err)
		err = put_thinking(s, t->m);
	if (!err)
		err = put_calls(s, t);
	return err ? err : drop_media(s, t);
}

/* ---- turns ---- */

static enum err put_result(struct scribe *s, const struct turn *t)
{
	const struct span name = t->call ? t->call->name : t->m ? t->m->name : SPAN_NONE;
	if (name.n > 0)
		json_pair_str(&s->o, "tool_name", name);
	json_pair_str(&s->o, "tool_call_id", t->id);
	if (!t->m) {
		json_pair_str(&s->o, "content", SPAN("Tool result missing."));
		return OK;
	}
	const enum err err = put_content(s, t);
	return err ? err : put_images(s, t);
}

/* What of a message has no place here. */
static enum err drop_rest(struct scribe *s, const struct turn *t)
{
	char path[PATH_BYTES];
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		part_path(path, t->at, k);
		if (p->type != PART_TOOL_CALL && !span_eq(p->extra.family, s->target->family))
			err = scribe_extra(s, &p->extra, path, "");
		if (!err && span_is_set(p->citations))
			err = scribe_drop_citations(s, path);
	}
	return err;
}

static enum err put_user(struct scribe *s, const struct turn *t)
{
	const enum err err = put_content(s, t);
	return err ? err : put_images(s, t);
}

static enum err put_system(struct scribe *s, const struct turn *t)
{
	for (size_t k = 0; k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (t->m->parts[k].type != PART_TEXT)
			return scribe_refuse(s, path, "system messages are text only");
	}
	return put_content(s, t);
}

static enum err put_turn(struct scribe *s, const struct turn *t)
{
	static const char *const roles[] = {
		[ROLE_SYSTEM] = "system",
		[ROLE_DEVELOPER] = "system",
		[ROLE_USER] = "user",
		[ROLE_ASSISTANT] = "assistant",
		[ROLE_TOOL] = "tool",
	};
	const enum role role = t->m ? t->m->role : ROLE_TOOL;
	char path[PATH_BYTES];
	enum err err = OK;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", span_str(roles[role]));
	switch (role) {
	case ROLE_SYSTEM:
	case ROLE_DEVELOPER:
		err = put_system(s, t);
		break;
	case ROLE_USER:
		err = put_user(s, t);
		break;
	case ROLE_ASSISTANT:
		err = put_assistant(s, t);
		break;
	case ROLE_TOOL:
		err = put_result(s, t);
		break;
	}
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (!err && t->m)
		err = scribe_extra(s, &t->m->extra, path, KNOWN_IN_MESSAGE);
	json_close(&s->o, '}');
	return !err && t->m ? drop_rest(s, t) : err;
}

enum err ollama_put_messages(struct scribe *s)
{
	struct history h;
	enum err err = history_plan(
		s->r, (struct history_rules){.is_strict = false}, s->notes, &h, s->why);
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	if (!err && s->target->quirks.prefill == PREFILL_NO && history_has_prefill(&h))
		err = scribe_refuse_as(s, "prefill_unsupported", "messages",
			"%.*s does not go on with what the assistant began: end with a user's "
			"message",
			SPAN_ARG(s->target->model));
	for (size_t i = 0; !err && i < h.n; i++)
		err = put_turn(s, &h.turns[i]);
	json_close(&s->o, ']');
	return err;
}
