/* messages.c - contents as this family takes them: user and model by turns, results first. */
#include <stdio.h>

#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/history.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "brokerd/dialect/tool_args.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define PATH_BYTES 64
#define MADE_ID    "call_"
#define MADE_BYTES ((size_t)29) /* of the ids that are made up here, where the provider gave none */
/* "What this call was based on is not known": the provider's own word for it. */
#define NO_SIGNATURE "skip_thought_signature_validator"

/* The names that are written in parts and contents, for scribe_extra. */
#define KNOWN                                                                       \
	" text thought thoughtSignature inlineData inlineData. fileData fileData. " \
	"functionCall functionCall. functionResponse functionResponse. role parts content. "
#define KNOWN_IN_CALL   " id name args "
#define KNOWN_IN_RESULT " id name response parts "

/* What is being written: one content at a time, opened by its first part. */
struct writer {
	struct scribe *s;
	enum { TURN_NONE, TURN_USER, TURN_MODEL } turn;
	bool has_user;              /* something of the user's went out */
	bool has_call;              /* the content that is open has a call */
	const struct message *told; /* whose extra members are still to go out */
	size_t told_at;
	size_t n_lead;    /* system messages that go before the user's first words */
	struct span tail; /* and the text behind them */
};

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

static bool is_blank(struct span text)
{
	return span_trim(text).n == 0;
}

static bool is_words(const struct part *p)
{
	return p->type == PART_TEXT || p->type == PART_REFUSAL;
}

static bool is_media(const struct part *p)
{
	return p->type == PART_IMAGE || p->type == PART_AUDIO || p->type == PART_FILE ||
	       p->type == PART_VIDEO;
}

/* ---- what is only carried ---- */

/* The object of this family that an opaque item holds, or an absent value. */
static struct json own_object(const struct opaque *opaque)
{
	struct json v;
	if (!span_is(opaque->family, GEMINI_FAMILY) ||
		json_scan(opaque->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	return v;
}

/* The member of that name, where a part is opaque and that is all there is in it. */
static struct json only_member(const struct part *p, const char *name)
{
	const struct json v = p->type == PART_OPAQUE ? own_object(&p->opaque) : JSON_NONE;
	struct json_walk w = json_each(v);
	if (!span_is_set(v.text) || !json_next(&w) || !json_name_is(w.name, name))
		return JSON_NONE;
	const struct json only = w.value;
	return json_next(&w) ? JSON_NONE : only;
}

/* The signature, where that is all there is: it seals the part before it. */
static struct json seal_in(const struct part *p)
{
	return only_member(p, GEMINI_SIGNATURE);
}

/* No part of a content, but the request's own. */
static struct json token_in(const struct part *p)
{
	return only_member(p, GEMINI_TOKEN);
}

void gemini_put_token(struct scribe *s)
{
	const struct message *m =
		s->r->n_messages > 0 ? &s->r->messages[s->r->n_messages - 1] : NULL;
	struct json token = JSON_NONE;
	for (size_t k = 0; m && m->role == ROLE_ASSISTANT && k < m->n_parts; k++) {
		if (span_is_set(token_in(&m->parts[k]).text))
			token = token_in(&m->parts[k]);
	}
	if (!scribe_has_extra(s, &s->r->extra, GEMINI_TOKEN))
		json_pair_raw(&s->o, GEMINI_TOKEN, token.text);
}

/* What seals part `k`: the part behind it, if that is one. */
static struct json seal_behind(const struct message *m, size_t k)
{
	return k + 1 < m->n_parts ? seal_in(&m->parts[k + 1]) : JSON_NONE;
}

/* ---- contents ---- */

static void put_plain(struct scribe *s, struct span text)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "text", text);
	json_close(&s->o, '}');
}

static enum err put_text(struct scribe *s, const struct part *p, struct span text, struct json seal,
	const char *path)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "text", text);
	json_pair_raw(&s->o, GEMINI_SIGNATURE, seal.text);
	const enum err err = scribe_extra(s, &p->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

/* The system texts of a model that has no place for them. */
static enum err put_lead(struct writer *w)
{
	struct scribe *s = w->s;
	const bool has_any = w->n_lead > 0 || span_is_set(w->tail);
	for (size_t i = 0; i < w->n_lead; i++) {
		const struct message *m = &s->r->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			if (m->parts[k].type == PART_TEXT && !is_blank(m->parts[k].text))
				put_plain(s, m->parts[k].text);
		}
	}
	if (span_is_set(w->tail))
		put_plain(s, w->tail);
	w->n_lead = 0;
	w->tail = SPAN_NONE;
	return has_any ? scribe_change(s, "emulated", "messages",
				 "%.*s has no place for system texts: they went out before the "
				 "user's first words",
				 SPAN_ARG(s->target->model))
		       : OK;
}

static enum err open_turn(struct writer *w, bool is_model)
{
	struct json_out *o = &w->s->o;
	const int wanted = is_model ? TURN_MODEL : TURN_USER;
	enum err err = OK;
	if ((int)w->turn == wanted)
		return OK;
	if (w->turn != TURN_NONE) {
		json_close(o, ']');
		json_close(o, '}');
	}
	json_open(o, '{');
	json_pair_str(o, "role", is_model ? SPAN("model") : SPAN("user"));
	if (w->told) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "messages[%zu]", w->told_at);
		err = w->told->role == ROLE_TOOL
			      ? scribe_extra_below(w->s, &w->told->extra, path, "content.", KNOWN)
			      : scribe_extra(w->s, &w->told->extra, path, KNOWN);
		w->told = NULL;
	}
	json_key(o, "parts");
	json_open(o, '[');
	w->turn = is_model ? TURN_MODEL : TURN_USER;
	w->has_call = false;
	return err || is_model ? err : put_lead(w);
}

/* Contents begin with the user's. */
static enum err open_for(struct writer *w, bool is_model)
{
	if (w->turn == TURN_NONE && is_model) {
		const struct message *m = w->told;
		w->told = NULL;
		enum err err = open_turn(w, false);
		w->told = m;
		put_plain(w->s, SPAN("(conversation continues)"));
		if (!err)
			err = scribe_change(w->s, "rewritten_message", "messages[0]",
				"the conversation begins with the assistant: a user's message was "
				"put before it, as the provider wants");
		if (err)
			return err;
	}
	return open_turn(w, is_model);
}

static enum err put_media(
	struct scribe *s, const struct part *p, struct json seal, const char *path)
{
	json_open(&s->o, '{');
	enum err err = gemini_put_media(s, p, path);
	json_pair_raw(&s->o, GEMINI_SIGNATURE, seal.text);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

/* ---- calls ---- */

/* Is it an id of the kind that is made up where the provider gives none? */
static bool is_made_up(struct span id)
{
	if (id.n != MADE_BYTES || !span_starts(id, SPAN(MADE_ID)))
		return false;
	for (size_t i = strlen(MADE_ID); i < id.n; i++) {
		if (!((id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9')))
			return false;
	}
	return true;
}

static void put_id(struct scribe *s, struct span id)
{
	if (s->target->quirks.has_call_ids && !is_made_up(id))
		json_pair_str(&s->o, "id", id);
}

/* A call's signature: a string, or absent. Google's own is the same in OpenAI's words, where a caller of
 * that family keeps it. */
static struct json signature_of(const struct opaque *opaque)
{
	struct json v = own_object(opaque);
	if (span_is_set(v.text))
		return json_member(v, GEMINI_SIGNATURE);
	if (!span_is(opaque->family, "openai-chat") ||
		json_scan(opaque->data, JSON_STRICT, &v, NULL) != OK)
		return JSON_NONE;
	v = json_member(json_member(v, "google"), "thought_signature");
	return json_kind(v) == JSON_STRING ? v : JSON_NONE;
}

static enum err put_call(struct writer *w, const struct part *p, struct span id, const char *path)
{
	struct scribe *s = w->s;
	const struct json signature = signature_of(&p->opaque);
	json_open(&s->o, '{');
	json_key(&s->o, "functionCall");
	json_open(&s->o, '{');
	put_id(s, id);
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, p->call.name));
	json_key(&s->o, "args");
	enum err err = tools_put_arguments(s, p->call.arguments, path);
	if (!err)
		err = scribe_extra_below(s, &p->extra, path, "functionCall.", KNOWN_IN_CALL);
	json_close(&s->o, '}');
	if (span_is_set(signature.text))
		json_pair_raw(&s->o, GEMINI_SIGNATURE, signature.text);
	else if (!w->has_call && s->target->quirks.has_sealed_calls)
		json_pair_str(&s->o, GEMINI_SIGNATURE, SPAN(NO_SIGNATURE));
	w->has_call = true;
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

/* ---- what the model said ---- */

static enum err drop_foreign(struct scribe *s)
{
	return scribe_warn_once(s, "reasoning_dropped", "messages",
		"reasoning of earlier turns was left out: it is unsigned, or another provider's");
}

/* Signed thoughts go back with their text; any other block of ours as it was. */
static enum err put_carried(struct writer *w, const struct message *m, size_t k, const char *path)
{
	struct json_out *o = &w->s->o;
	const struct part *p = &m->parts[k];
	const struct json v = own_object(&p->opaque);
	const struct json seal = seal_in(p);
	if (!span_is_set(v.text))
		return drop_foreign(w->s);
	if (span_is_set(seal.text) && k > 0 &&
		((is_words(&m->parts[k - 1]) && !is_blank(m->parts[k - 1].text)) ||
			is_media(&m->parts[k - 1])))
		return OK; /* it went out with the part before it */
	const enum err err = open_for(w, true);
	if (err)
		return err;
	if (p->type == PART_OPAQUE && !span_is_set(seal.text)) {
		json_put_raw(o, v.text);
		return OK;
	}
	json_open(o, '{');
	json_pair_str(o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	if (p->type == PART_REASONING)
		json_pair_bool(o, "thought", true);
	json_pair_raw(o, GEMINI_SIGNATURE, json_member(v, GEMINI_SIGNATURE).text);
	const enum err told = scribe_extra(w->s, &p->extra, path, KNOWN);
	json_close(o, '}');
	return told;
}

/* `id`: of a call. */
static enum err put_done(
	struct writer *w, const struct turn *t, size_t k, struct span id, const char *path)
{
	const struct part *p = &t->m->parts[k];
	enum err err = OK;
	if (p->type == PART_REASONING || p->type == PART_OPAQUE)
		return put_carried(w, t->m, k, path);
	err = open_for(w, true);
	if (err)
		return err;
	if (p->type == PART_TOOL_CALL)
		return put_call(w, p, id, path);
	if (span_is_set(p->citations)) {
		const enum err told = scribe_drop_citations(w->s, path);
		if (told)
			return told;
	}
	return is_words(p) ? put_text(w->s, p, p->text, seal_behind(t->m, k), path)
			   : put_media(w->s, p, seal_behind(t->m, k), path);
}

static enum err put_model(struct writer *w, const struct turn *t)
{
	const struct message *m = t->m;
	char path[PATH_BYTES];
	size_t calls = 0, parts = 0;
	enum err err = OK;
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		const bool is_call = p->type == PART_TOOL_CALL;
		if ((is_words(p) && is_blank(p->text)) || span_is_set(token_in(p).text))
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

/* ---- results ---- */

/* An object is a response as it is; any other text is its "output", or its "error". */
static enum err put_response(struct scribe *s, const struct message *m)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	struct json v;
	bool has_text = false;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (!is_words(&m->parts[k]))
			continue;
		buf_text(&text, has_text ? "\n" : "");
		buf_span(&text, m->parts[k].text);
		has_text = true;
	}
	json_key(&s->o, "response");
	if (!m->is_error && json_scan(buf_view(&text), JSON_STRICT, &v, NULL) == OK &&
		json_kind(v) == JSON_OBJECT) {
		tool_args_put_object(&s->o, v.text);
		return buf_error(&text);
	}
	json_open(&s->o, '{');
	if (m->is_error)
		json_pair_str(&s->o, "error", text.n > 0 ? buf_view(&text) : SPAN("Error"));
	else
		json_pair_str(&s->o, "output", buf_view(&text));
	json_close(&s->o, '}');
	return buf_error(&text);
}

static bool has_media(const struct message *m)
{
	for (size_t k = 0; m && k < m->n_parts; k++) {
		if (is_media(&m->parts[k]))
			return true;
	}
	return false;
}

static enum err put_media_of(struct scribe *s, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (is_media(&t->m->parts[k]))
			err = put_media(s, &t->m->parts[k], JSON_NONE, path);
		else if (!is_words(&t->m->parts[k]))
			err = scribe_refuse(s, path, "only an assistant's message may reason");
	}
	return err;
}

static enum err put_result_members(struct scribe *s, const struct turn *t, const char *path)
{
	put_id(s, t->id);
	if (t->call)
		json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, t->call->name));
	if (!t->m) {
		json_pair_raw(&s->o, "response", SPAN("{\"error\":\"Tool result missing.\"}"));
		return OK;
	}
	enum err err = put_response(s, t->m);
	if (!err && has_media(t->m) && s->target->quirks.has_result_media) {
		json_key(&s->o, "parts");
		json_open(&s->o, '[');
		err = put_media_of(s, t);
		json_close(&s->o, ']');
	}
	return err ? err
		   : scribe_extra_below(
			     s, &t->m->extra, path, "functionResponse.", KNOWN_IN_RESULT);
}

static enum err put_result(struct writer *w, const struct turn *t)
{
	struct scribe *s = w->s;
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	enum err err = open_for(w, false);
	if (err)
		return err;
	w->has_user = true;
	json_open(&s->o, '{');
	json_key(&s->o, "functionResponse");
	json_open(&s->o, '{');
	err = put_result_members(s, t, path);
	json_close(&s->o, '}');
	if (!err && t->m)
		err = scribe_extra(s, &t->m->extra, path, KNOWN);
	json_close(&s->o, '}');
	return err;
}

/* The files of a run of results that cannot be in them, each behind a word on whose they are. */
static enum err put_files_of_results(struct writer *w, const struct turn *first, size_t n)
{
	struct scribe *s = w->s;
	bool has_any = false;
	enum err err = OK;
	if (s->target->quirks.has_result_media)
		return OK;
	for (size_t i = 0; !err && i < n; i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		if (!has_media(first[i].m))
			continue;
		has_any = true;
		buf_text(&text, "From the result of ");
		buf_span(&text, first[i].call ? first[i].call->name : SPAN("a tool"));
		buf_byte(&text, ':');
		put_plain(s, buf_view(&text));
		err = buf_error(&text);
		if (!err)
			err = put_media_of(s, &first[i]);
	}
	return err || !has_any
		       ? err
		       : scribe_change(s, "rewritten_message", "messages",
				 "files of tool results went out behind them: %.*s takes none in "
				 "results",
				 SPAN_ARG(s->target->model));
}

/* ---- what the user said ---- */

static enum err put_said(struct writer *w, const struct message *m, size_t k, const char *path)
{
	const struct part *p = &m->parts[k];
	enum err err = OK;
	const struct json own = p->type == PART_OPAQUE ? own_object(&p->opaque) : JSON_NONE;
	if (p->type == PART_TOOL_CALL || p->type == PART_REASONING ||
		(p->type == PART_OPAQUE && !span_is_set(own.text)))
		return scribe_refuse(w->s, path, "only an assistant's message may reason and call");
	if (is_words(p) && is_blank(p->text))
		return OK;
	err = open_for(w, false);
	w->has_user = true;
	if (err)
		return err;
	if (is_words(p))
		return put_text(w->s, p, p->text, JSON_NONE, path);
	if (is_media(p))
		return put_media(w->s, p, JSON_NONE, path);
	json_put_raw(&w->s->o, own.text);
	return OK;
}

static enum err put_user(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		err = put_said(w, t->m, k, path);
	}
	return err;
}

/* A system text in the midst of things stays where it was said, in the user's content there. */
static enum err put_later_system(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		err = said_later_system(w->s, p, path, &text);
		if (!err && text.n > 0)
			err = open_turn(w, false);
		if (!err && text.n > 0)
			err = put_text(w->s, p, buf_view(&text), JSON_NONE, path);
		if (!err && text.n > 0)
			err = said_tell_later(w->s);
	}
	return err;
}

/* Where a message became a part of another's content, its own members have no place. */
static enum err drop_told(struct writer *w)
{
	const struct message *m = w->told;
	for (size_t i = 0; m && i < m->extra.n; i++) {
		char path[PATH_BYTES];
		const bool is_of_content = m->role != ROLE_TOOL ||
					   span_starts(m->extra.members[i].name, SPAN("content."));
		if (!is_of_content)
			continue;
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

static bool is_system(const struct message *m)
{
	return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

static enum err check_system(struct scribe *s, size_t n, bool *has_any)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < s->r->messages[i].n_parts; k++) {
			const struct part *p = &s->r->messages[i].parts[k];
			char path[PATH_BYTES];
			part_path(path, i, k);
			if (p->type != PART_TEXT)
				return scribe_refuse(s, path, "system messages are text only");
			*has_any = *has_any || !is_blank(p->text);
		}
	}
	return OK;
}

/* A part for each text. */
static enum err put_instruction(struct writer *w, size_t n, struct span tail)
{
	struct scribe *s = w->s;
	enum err err = OK;
	json_key(&s->o, "systemInstruction");
	json_open(&s->o, '{');
	json_key(&s->o, "parts");
	json_open(&s->o, '[');
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; !err && k < s->r->messages[i].n_parts; k++) {
			const struct part *p = &s->r->messages[i].parts[k];
			char path[PATH_BYTES];
			part_path(path, i, k);
			if (!is_blank(p->text))
				err = put_text(s, p, p->text, JSON_NONE, path);
		}
	}
	if (span_is_set(tail))
		put_plain(s, tail);
	json_close(&s->o, ']');
	if (!err)
		err = scribe_extra_below(s, &s->r->extra, "", "systemInstruction.", " role parts ");
	json_close(&s->o, '}');
	return err;
}

static enum err put_system(struct writer *w, size_t n, struct span tail)
{
	bool has_any = span_is_set(tail);
	enum err err = check_system(w->s, n, &has_any);
	if (err || !has_any)
		return err;
	if (w->s->target->quirks.has_system) {
		err = put_instruction(w, n, tail);
	} else {
		w->n_lead = n;
		w->tail = tail;
	}
	for (size_t i = 0; !err && i < n; i++) {
		w->told = &w->s->r->messages[i];
		w->told_at = i;
		err = drop_told(w);
	}
	return err;
}

/* ---- all ---- */

/* A last message of the assistant's goes out, but is not sure to be gone on with. */
static enum err check_prefill(struct scribe *s)
{
	const struct message *m =
		s->r->n_messages > 0 ? &s->r->messages[s->r->n_messages - 1] : NULL;
	if (!m || m->role != ROLE_ASSISTANT)
		return OK;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type != PART_TEXT)
			return OK;
	}
	if (m->n_parts == 1)
		s->notes->prefill = m->parts[0].text;
	if (m->n_parts == 0 || s->target->quirks.prefill == PREFILL_NO)
		return m->n_parts == 0
			       ? OK
			       : scribe_refuse_as(s, "prefill_unsupported", "messages",
					 "%.*s does not go on with what the assistant began: end "
					 "with a user's message",
					 SPAN_ARG(s->target->model));
	return scribe_change(s, "emulated", "messages",
		"the request ends with the assistant's words: %.*s may begin its answer anew "
		"rather than go on with them",
		SPAN_ARG(s->target->model));
}

static enum err put_turn(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	w->told = t->m && t->m->extra.n > 0 ? t->m : NULL;
	w->told_at = t->at;
	if (!t->m || t->m->role == ROLE_TOOL)
		err = put_result(w, t);
	else if (t->m->role == ROLE_ASSISTANT)
		err = put_model(w, t);
	else if (t->m->role == ROLE_USER)
		err = put_user(w, t);
	else
		err = put_later_system(w, t);
	return err ? err : drop_told(w);
}

static enum err put_turns(struct writer *w, const struct history *h, size_t first)
{
	size_t results = 0; /* told one after the other */
	enum err err = OK;
	for (size_t i = first; !err && i < h->n; i++) {
		const struct turn *t = &h->turns[i];
		err = put_turn(w, t);
		results = !t->m || t->m->role == ROLE_TOOL ? results + 1 : 0;
		const bool is_last = i + 1 == h->n ||
				     (h->turns[i + 1].m && h->turns[i + 1].m->role != ROLE_TOOL);
		if (!err && results > 0 && is_last)
			err = put_files_of_results(w, t + 1 - results, results);
	}
	return err;
}

enum err gemini_put_messages(struct scribe *s, struct span tail)
{
	struct writer w = {.s = s};
	struct history h;
	size_t leading = 0;
	enum err err =
		history_plan(s->r, (struct history_rules){.is_strict = true}, s->notes, &h, s->why);
	while (!err && leading < h.n && h.turns[leading].m && is_system(h.turns[leading].m))
		leading++;
	if (!err)
		err = check_prefill(s);
	if (!err)
		err = put_system(&w, leading, tail);
	json_key(&s->o, "contents");
	json_open(&s->o, '[');
	if (!err)
		err = put_turns(&w, &h, leading);
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
