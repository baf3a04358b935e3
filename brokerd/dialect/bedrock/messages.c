/* messages.c - turns as this family takes them: user and assistant by turns, results first. */
#include "brokerd/dialect/bedrock/writer.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/tools.h"
#include "protocol/limits.h"

#define ID_BYTES ((size_t)64)

/* For scribe_extra: of a message, and of one that is a tool's result, whose own members are further in. */
#define KNOWN_IN_MESSAGE " role content "
#define KNOWN_IN_ANSWER  " role content toolResult. content. "
#define KNOWN_IN_USE     " toolUseId name input "
#define KNOWN_IN_CITED   " content citations "

struct json bedrock_own_block(const struct opaque *opaque)
{
	struct json v;
	if (!span_is(opaque->family, BEDROCK_FAMILY) ||
		json_scan(opaque->data, JSON_STRICT, &v, NULL) != OK || json_kind(v) != JSON_OBJECT)
		return JSON_NONE;
	return v;
}

/* ---- turns ---- */

static void put_words(struct scribe *s, struct span text)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "text", text);
	json_close(&s->o, '}');
}

static enum err close_turn(struct writer *w)
{
	enum err err = OK;
	if (w->turn == TURN_USER && w->has_document && !w->has_text) {
		put_words(w->s, SPAN("(see the document)"));
		err = scribe_change(w->s, "rewritten_message", "messages",
			"a document without words got some beside it, as the provider wants");
	}
	if (w->turn != TURN_NONE) {
		json_close(&w->s->o, ']');
		json_close(&w->s->o, '}');
	}
	w->has_document = w->has_text = false;
	w->turn = TURN_NONE;
	return err;
}

static enum err open_turn(struct writer *w, bool is_assistant)
{
	struct json_out *o = &w->s->o;
	const struct message *m = w->told;
	const int wanted = is_assistant ? TURN_ASSISTANT : TURN_USER;
	if ((int)w->turn == wanted)
		return OK;
	enum err err = close_turn(w);
	json_open(o, '{');
	json_pair_str(o, "role", is_assistant ? SPAN("assistant") : SPAN("user"));
	if (!err && m) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "messages[%zu]", w->told_at);
		err = scribe_extra(w->s, &m->extra, path,
			m->role == ROLE_TOOL ? KNOWN_IN_ANSWER : KNOWN_IN_MESSAGE);
		w->told = NULL;
	}
	json_key(o, "content");
	json_open(o, '[');
	w->turn = is_assistant ? TURN_ASSISTANT : TURN_USER;
	return err;
}

enum err bedrock_open_user(struct writer *w)
{
	return open_turn(w, false);
}

/* Turns begin with the user's. */
static enum err open_for_assistant(struct writer *w)
{
	if (w->turn == TURN_NONE) {
		const struct message *m = w->told;
		w->told = NULL;
		enum err err = open_turn(w, false);
		w->told = m;
		put_words(w->s, SPAN("(conversation continues)"));
		if (!err)
			err = scribe_change(w->s, "rewritten_message", "messages[0]",
				"the conversation begins with the assistant: a user's message was "
				"put before it, as the provider wants");
		if (err)
			return err;
	}
	return open_turn(w, true);
}

/* ---- blocks ---- */

/* Are these citations of this family's own shape? */
static bool is_cited_here(const struct part *p)
{
	struct json v;
	if (!span_is_set(p->citations) || json_scan(p->citations, JSON_STRICT, &v, NULL) != OK ||
		json_kind(v) != JSON_ARRAY)
		return false;
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (json_kind(json_member(w.value, "location")) != JSON_OBJECT &&
			json_kind(json_member(w.value, "sourceContent")) != JSON_ARRAY)
			return false;
	}
	return true;
}

static void put_citations_of(struct json_out *o, const struct part *p)
{
	struct json v;
	if (json_scan(p->citations, JSON_STRICT, &v, NULL) != OK)
		return;
	for (struct json_walk w = json_each(v); json_next(&w);)
		json_put_raw(o, w.value.text);
}

/* A text with what it cites, which may stand in parts without a text behind it: up to `end`. */
static enum err put_cited(struct writer *w, const struct part *p, const struct part *end,
	struct span text, const char *path)
{
	struct json_out *o = &w->s->o;
	json_open(o, '{');
	json_key(o, "citationsContent");
	json_open(o, '{');
	json_key(o, "content");
	json_open(o, '[');
	put_words(w->s, text);
	json_close(o, ']');
	json_key(o, "citations");
	json_open(o, '[');
	for (const struct part *i = p; i < end; i++) {
		if (is_cited_here(i))
			put_citations_of(o, i);
	}
	json_close(o, ']');
	enum err err =
		scribe_extra_below(w->s, &p->extra, path, "citationsContent.", KNOWN_IN_CITED);
	json_close(o, '}');
	if (!err)
		err = scribe_extra(w->s, &p->extra, path, BEDROCK_KNOWN_IN_BLOCK);
	json_close(o, '}');
	return err;
}

/* A guarded text has its block among its extra members, and stands in it. */
static enum err put_text(struct writer *w, const struct part *p, struct span text, const char *path)
{
	json_open(&w->s->o, '{');
	if (!scribe_has_extra_below(w->s, &p->extra, "guardContent"))
		json_pair_str(&w->s->o, "text", text);
	const enum err err = scribe_extra(w->s, &p->extra, path, BEDROCK_KNOWN_IN_BLOCK);
	json_close(&w->s->o, '}');
	w->has_text = true;
	return err ? err : bedrock_put_cache(w->s, p->cache, &p->extra, path, w->marks);
}

static enum err put_media(struct writer *w, const struct part *p, const char *path)
{
	const enum err err = bedrock_put_media(w->s, p, path, &w->names);
	w->has_document = w->has_document || p->type == PART_FILE;
	return err ? err : bedrock_put_cache(w->s, p->cache, &p->extra, path, w->marks);
}

enum err bedrock_legal_id(struct writer *w, struct span id, struct span *out)
{
	const struct quirks *q = &w->s->target->quirks;
	const struct name_rules rules = {.max = ID_BYTES, .also = q->has_dotted_ids ? ".:" : ""};
	return q->has_short_ids ? name_nine(w->s->notes->arena, id, out)
				: name_legal_by(w->s->notes->arena, id, &rules, out);
}

static enum err put_call(struct writer *w, const struct part *p, struct span id, const char *path)
{
	struct scribe *s = w->s;
	struct span legal;
	enum err err = bedrock_legal_id(w, id, &legal);
	if (err)
		return err;
	json_open(&s->o, '{');
	json_key(&s->o, "toolUse");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "toolUseId", legal);
	json_pair_str(&s->o, "name", notes_tool_theirs(s->notes, p->call.name));
	json_key(&s->o, "input");
	err = tools_put_arguments(s, p->call.arguments, path);
	if (!err)
		err = scribe_extra_below(s, &p->extra, path, "toolUse.", KNOWN_IN_USE);
	json_close(&s->o, '}');
	if (!err)
		err = scribe_extra(s, &p->extra, path, BEDROCK_KNOWN_IN_BLOCK);
	json_close(&s->o, '}');
	return err ? err : bedrock_put_cache(s, p->cache, &p->extra, path, w->marks);
}

/* Signed reasoning goes back with its text; any other block of ours as it was. */
static enum err put_opaque(struct writer *w, const struct part *p)
{
	struct json_out *o = &w->s->o;
	const struct json block = bedrock_own_block(&p->opaque);
	const struct json inside =
		json_member(json_member(block, "reasoningContent"), "reasoningText");
	if (!span_is_set(block.text))
		return scribe_warn_once(w->s, "reasoning_dropped", "messages",
			"reasoning of earlier turns was left out: it is unsigned, or another "
			"provider's");
	const enum err err = open_for_assistant(w);
	if (err)
		return err;
	if (json_kind(inside) != JSON_OBJECT || !json_is_nil(json_member(inside, "text"))) {
		json_put_raw(o, block.text);
		return OK;
	}
	json_open(o, '{');
	json_key(o, "reasoningContent");
	json_open(o, '{');
	json_key(o, "reasoningText");
	json_open(o, '{');
	json_pair_str(o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	json_pair_raw(o, "signature", json_member(inside, "signature").text);
	json_close(o, '}');
	json_close(o, '}');
	json_close(o, '}');
	return OK;
}

/* ---- the assistant's ---- */

/* Something that it said; a prefill must not end in white space. */
static enum err put_said(struct writer *w, const struct message *m, size_t k, const char *path)
{
	const struct part *p = &m->parts[k], *end = p + 1;
	struct span text = p->text;
	while (m == w->last && k == w->last_text && text.n > 0 &&
		strchr(" \t\r\n", text.p[text.n - 1]))
		text.n--;
	const enum err err = open_for_assistant(w);
	if (err)
		return err;
	while (end < m->parts + m->n_parts && end->type == PART_TEXT && is_blank(end->text) &&
		is_cited_here(end))
		end++;
	if (!is_cited_here(p) && end == p + 1) {
		const enum err told =
			span_is_set(p->citations) ? scribe_drop_citations(w->s, path) : OK;
		return told ? told : put_text(w, p, text, path);
	}
	const enum err cited = put_cited(w, p, end, text, path);
	return cited ? cited : bedrock_put_cache(w->s, p->cache, &p->extra, path, w->marks);
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
		err = open_for_assistant(w);
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
		if (is_said(p) && is_blank(p->text))
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

/* ---- the user's ---- */

static enum err put_user_part(struct writer *w, const struct part *p, const char *path)
{
	const enum err err = open_turn(w, false);
	w->has_user = true;
	if (err)
		return err;
	if (p->type ==
		PART_OPAQUE) { /* of this family: a guarded text, or what is newer than this */
		json_put_raw(&w->s->o, bedrock_own_block(&p->opaque).text);
		w->has_text = true;
		return OK;
	}
	return is_said(p) ? put_text(w, p, p->text, path) : put_media(w, p, path);
}

static enum err put_user(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		if (is_said(p) && is_blank(p->text))
			continue;
		if (p->type == PART_REASONING || p->type == PART_TOOL_CALL ||
			(p->type == PART_OPAQUE &&
				!span_is_set(bedrock_own_block(&p->opaque).text)))
			err = scribe_refuse(w->s, path,
				"this may not be in a user's message to %.*s",
				SPAN_ARG(w->s->target->provider));
		else
			err = put_user_part(w, p, path);
	}
	return err;
}

/* A system text as words of the user's turn. */
static enum err put_system_words(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
		const struct part *p = &t->m->parts[k];
		char path[PATH_BYTES];
		part_path(path, t->at, k);
		err = said_later_system(w->s, p, path, &text);
		if (!err && text.n > 0)
			err = open_turn(w, false);
		if (!err && text.n > 0)
			err = put_text(w, p, buf_view(&text), path);
	}
	return err;
}

/* One in the midst of things stays where it was said. */
static enum err put_later_system(struct writer *w, const struct turn *t)
{
	const size_t before = w->s->o.to->n;
	const enum err err = put_system_words(w, t);
	return err || w->s->o.to->n == before ? err : said_tell_later(w->s);
}

/* Where a message became a part of another's turn, its own members have no place. */
static enum err drop_told(struct writer *w)
{
	const struct message *m = w->told;
	for (size_t i = 0; m && i < m->extra.n; i++) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "messages[%zu]", w->told_at);
		const struct span name = m->extra.members[i].name;
		if (m->role == ROLE_TOOL && (span_starts(name, SPAN("toolResult.")) ||
						    span_starts(name, SPAN("content."))))
			continue; /* of the block, where it went */
		const enum err err = scribe_drop(w->s, path,
			"the message's member \"%.*s\" was left out: the message went out as a "
			"part of the turn before it",
			SPAN_ARG(span_first(name, 64)));
		if (err)
			return err;
	}
	w->told = NULL;
	return OK;
}

/* ---- system ---- */

static enum err put_system_part(struct writer *w, const struct part *p, const char *path)
{
	if (p->type == PART_OPAQUE && span_is_set(bedrock_own_block(&p->opaque).text)) {
		json_put_raw(&w->s->o, bedrock_own_block(&p->opaque).text);
		return OK;
	}
	if (p->type != PART_TEXT)
		return scribe_refuse(w->s, path, "system messages are text only");
	return is_blank(p->text) ? OK : put_text(w, p, p->text, path);
}

static enum err put_system(struct writer *w, size_t n, struct span tail)
{
	struct scribe *s = w->s;
	bool has_any = span_is_set(tail);
	enum err err = OK;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < s->r->messages[i].n_parts; k++)
			has_any = has_any || s->r->messages[i].parts[k].type != PART_TEXT ||
				  !is_blank(s->r->messages[i].parts[k].text);
	}
	if (has_any) {
		json_key(&s->o, "system");
		json_open(&s->o, '[');
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; !err && k < s->r->messages[i].n_parts; k++) {
			char path[PATH_BYTES];
			part_path(path, i, k);
			err = put_system_part(w, &s->r->messages[i].parts[k], path);
		}
	}
	if (span_is_set(tail))
		put_words(s, tail);
	if (has_any)
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

/* A model without a place for system text is told it in the first turn. */
static enum err put_system_inside(struct writer *w, size_t n, struct span tail)
{
	enum err err = OK;
	if (n == 0 && !span_is_set(tail))
		return OK;
	for (size_t i = 0; !err && i < n; i++)
		err = put_system_words(w, &(struct turn){.m = &w->s->r->messages[i], .at = i});
	if (!err)
		err = open_turn(w, false);
	if (span_is_set(tail))
		put_words(w->s, tail);
	return err ? err
		   : scribe_change(w->s, "rewritten_message", "messages",
			     "%.*s takes no system text: it went out before the user's first words",
			     SPAN_ARG(w->s->target->model));
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

static bool is_result(const struct turn *t)
{
	return !t->m || t->m->role == ROLE_TOOL;
}

static enum err put_turn(struct writer *w, const struct turn *t)
{
	enum err err = OK;
	w->told = t->m && t->m->extra.n > 0 ? t->m : NULL;
	w->told_at = t->at;
	if (is_result(t))
		err = bedrock_put_result(w, t, SPAN_NONE);
	else if (t->m->role == ROLE_ASSISTANT)
		err = put_assistant(w, t);
	else if (t->m->role == ROLE_USER)
		err = put_user(w, t);
	else
		err = put_later_system(w, t);
	return err ? err : drop_told(w);
}

/* One part of a turn behind a result, as text. */
static enum err gather_part(struct writer *w, const struct turn *t, size_t k, struct buf *text)
{
	OWNED(buf_done) struct buf one = BUF_INIT(LIMIT_BODY_BYTES);
	const struct part *p = &t->m->parts[k];
	char path[PATH_BYTES];
	enum err err = OK;
	part_path(path, t->at, k);
	if (is_system(t->m))
		err = said_later_system(w->s, p, path, &one);
	else if (!is_said(p))
		return scribe_refuse(w->s, path,
			"%.*s takes nothing but text behind a tool's results",
			SPAN_ARG(w->s->target->model));
	else if (!is_blank(p->text))
		buf_span(&one, p->text);
	if (err || one.n == 0)
		return err ? err : buf_error(&one);
	buf_text(text, "\n\n");
	buf_span(text, buf_view(&one));
	return OK;
}

/* The texts of the user's turns behind a result, and of the system's, up to the assistant's next; *i
 * comes to stand on the last of them. Absent: there are none. */
static enum err gather_behind(
	struct writer *w, const struct history *h, size_t *i, struct span *out)
{
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	enum err err = OK;
	*out = SPAN_NONE;
	for (; !err && *i + 1 < h->n && !is_result(&h->turns[*i + 1]) &&
		h->turns[*i + 1].m->role != ROLE_ASSISTANT;
		++*i) {
		const struct turn *t = &h->turns[*i + 1];
		for (size_t k = 0; !err && k < t->m->n_parts; k++)
			err = gather_part(w, t, k, &text);
	}
	if (!err)
		err = buf_error(&text);
	if (!err && text.n > 0)
		err = arena_dup(w->s->notes->arena, buf_view(&text), out);
	if (!err && text.n > 0)
		err = scribe_change(w->s, "rewritten_message", "messages",
			"%.*s takes no text beside a tool's results: it went out behind the last "
			"of them",
			SPAN_ARG(w->s->target->model));
	return err;
}

static enum err put_turns(struct writer *w, const struct history *h, size_t first)
{
	enum err err = OK;
	for (size_t i = first; !err && i < h->n; i++) {
		const struct turn *t = &h->turns[i];
		struct span behind = SPAN_NONE;
		if (is_result(t) && w->s->target->quirks.is_result_alone)
			err = gather_behind(w, h, &i, &behind);
		if (!err && span_is_set(behind))
			err = bedrock_put_result(w, t, behind);
		else if (!err)
			err = put_turn(w, t);
	}
	/* without marks of its own, all that was said is marked */
	if (!err && w->turn == TURN_USER && span_is_set(w->s->r->cache_ttl) &&
		bedrock_count_marks(w->s->r) == 0)
		err = bedrock_put_cache(
			w->s, w->s->r->cache_ttl, &(struct extra){.n = 0}, "cache.ttl", w->marks);
	return err;
}

static enum err begin(struct writer *w, struct history *h)
{
	struct scribe *s = w->s;
	size_t parts = 0;
	for (size_t i = 0; i < s->r->n_messages; i++)
		parts += s->r->messages[i].n_parts;
	w->names.list = arena_array(s->notes->arena, parts, sizeof *w->names.list);
	if (!w->names.list)
		return ERR_NO_MEMORY;
	const enum err err =
		history_plan(s->r, (struct history_rules){.is_strict = true}, s->notes, h, s->why);
	return err ? err : check_prefill(w);
}

enum err bedrock_put_messages(struct scribe *s, struct span tail, struct cache_marks *marks)
{
	struct writer w = {.s = s, .marks = marks, .last_text = SIZE_MAX};
	const bool has_system = s->target->quirks.has_system;
	struct history h;
	size_t leading = 0;
	enum err err = begin(&w, &h);
	while (!err && leading < h.n && h.turns[leading].m && is_system(h.turns[leading].m))
		leading++;
	if (!err && has_system)
		err = put_system(&w, leading, tail);
	json_key(&s->o, "messages");
	json_open(&s->o, '[');
	w.has_text = false;
	if (!err && !has_system)
		err = put_system_inside(&w, leading, tail);
	if (!err)
		err = put_turns(&w, &h, leading);
	const enum err closed = close_turn(&w);
	json_close(&s->o, ']');
	if (!err)
		err = closed ? closed : scribe_drop_names(s);
	if (!err && !w.has_user)
		return fault_param(s->why, ERR_INVALID_REQUEST, "messages",
			"at least one user's message with something in it is wanted");
	return err;
}
