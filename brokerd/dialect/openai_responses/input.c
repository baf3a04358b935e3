/* input.c - turns and their parts as the items of this family's input, in their order. */
#include <stdio.h>

#include "brokerd/dialect/history.h"
#include "brokerd/dialect/names.h"
#include "brokerd/dialect/openai_responses/openai_responses.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"

#define PATH_BYTES    64
#define CALL_ID_BYTES ((size_t)64)

/* The names that are written here, for scribe_extra. What is below "item." belongs to the message item
 * that a part of the assistant's begins. */
#define KNOWN_IN_PART                                                                 \
	" type text refusal annotations image_url file_id detail file_url file_data " \
	"filename input_audio input_audio. item. "
#define KNOWN_IN_AUDIO   " data format "
#define KNOWN_IN_ITEM    " type role content "
#define KNOWN_IN_MESSAGE " type role content "
#define KNOWN_IN_CALL    " type call_id name arguments input item. "
#define KNOWN_IN_RESULT  " type call_id output "

static void part_path(char path[PATH_BYTES], size_t at, size_t k)
{
	(void)snprintf(path, PATH_BYTES, "messages[%zu].content[%zu]", at, k);
}

static bool is_ours(const struct scribe *s, const struct extra *e)
{
	return e->n > 0 && span_eq(e->family, s->target->family);
}

static bool has_member(const struct extra *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++) {
		if (span_is_nocase(e->members[i].name, name))
			return true;
	}
	return false;
}

bool responses_has_extra(const struct llm_request *r, const char *name)
{
	return span_is(r->extra.family, OPENAI_RESPONSES_FAMILY) && has_member(&r->extra, name);
}

/* ---- parts ---- */

static enum err put_image(struct scribe *s, const struct media *m, const char *path)
{
	static const char *const taken[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
	bool is_taken = !s->target->quirks.is_openai || !span_is_set(m->data);
	for (size_t i = 0; i < COUNT_OF(taken); i++)
		is_taken = is_taken || span_is(m->mime, taken[i]);
	if (!is_taken)
		return scribe_refuse(s, path, "%.*s takes no images of the type \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(m->mime, 100)));
	json_pair_str(&s->o, "type", SPAN("input_image"));
	json_pair_str(&s->o, "file_id", m->file_id);
	if (span_is_set(m->url) || span_is_set(m->data)) {
		json_key(&s->o, "image_url");
		said_put_url(&s->o, m, "image/png");
	}
	json_pair_str(&s->o, "detail", m->detail);
	return OK;
}

static enum err put_audio(
	struct scribe *s, const struct part *p, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	const bool is_wav = span_is(m->mime, "audio/wav"), is_mp3 = span_is(m->mime, "audio/mpeg");
	if (!span_is_set(m->data) || (!is_wav && !is_mp3))
		return scribe_refuse(s, path, "%.*s takes audio as bytes of a WAV or an MP3 only",
			SPAN_ARG(s->target->provider));
	json_pair_str(o, "type", SPAN("input_audio"));
	json_key(o, "input_audio");
	json_open(o, '{');
	json_key(o, "data");
	json_put_base64(o, SPAN(""), m->data);
	json_pair_str(o, "format", is_wav ? SPAN("wav") : SPAN("mp3"));
	const enum err err = scribe_extra_below(s, &p->extra, path, "input_audio.", KNOWN_IN_AUDIO);
	json_close(o, '}');
	return err;
}

static enum err put_file(struct scribe *s, const struct media *m, const char *path)
{
	struct json_out *o = &s->o;
	const bool is_native = s->target->quirks.has_file_parts;
	if (!is_native && span_starts(m->mime, SPAN("text/")) && span_is_set(m->data)) {
		OWNED(buf_done) struct buf text = BUF_INIT(m->data.n + 1024);
		const enum err err = said_file(s, m, path, &text);
		json_pair_str(o, "type", SPAN("input_text"));
		json_pair_str(o, "text", buf_view(&text));
		return err;
	}
	if (!is_native)
		return scribe_refuse(s, path, "%.*s takes no files", SPAN_ARG(s->target->provider));
	json_pair_str(o, "type", SPAN("input_file"));
	json_pair_str(o, "file_id", m->file_id);
	json_pair_str(o, "file_url", m->url);
	if (span_is_set(m->data)) {
		json_pair_str(
			o, "filename", span_is_set(m->filename) ? m->filename : SPAN("document"));
		json_key(o, "file_data");
		said_put_url(o, m, "application/octet-stream");
	} else {
		json_pair_str(o, "filename", m->filename);
	}
	return OK;
}

static enum err put_media(struct scribe *s, const struct part *p, const char *path)
{
	struct media media;
	enum err err = said_resolve(s, p, path, &media);
	if (!err)
		err = said_check_url(s, &media, path);
	if (err)
		return err;
	if (p->type == PART_IMAGE)
		return put_image(s, &media, path);
	if (p->type == PART_AUDIO)
		return put_audio(s, p, &media, path);
	if (p->type == PART_FILE)
		return put_file(s, &media, path);
	return scribe_refuse(s, path, "%.*s takes no video", SPAN_ARG(s->target->provider));
}

static enum err put_cache(struct scribe *s, const struct part *p, const char *path)
{
	if (!span_is_set(p->cache) || has_member(&p->extra, "prompt_cache_breakpoint"))
		return OK;
	if (!s->target->quirks.has_cache_marks)
		return scribe_drop_mark(s, p->cache, path);
	json_pair_raw(&s->o, "prompt_cache_breakpoint", SPAN("{\"mode\":\"explicit\"}"));
	return OK;
}

/* A part of what is said to the model, as an object of a list. */
static enum err put_part(struct scribe *s, const struct part *p, size_t at, size_t k)
{
	char path[PATH_BYTES];
	enum err err = OK;
	part_path(path, at, k);
	json_open(&s->o, '{');
	if (said_is_media(p->type)) {
		err = put_media(s, p, path);
	} else {
		json_pair_str(&s->o, "type", SPAN("input_text"));
		json_pair_str(&s->o, "text", span_is_set(p->text) ? p->text : SPAN(""));
	}
	if (!err)
		err = put_cache(s, p, path);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	json_close(&s->o, '}');
	return err;
}

static bool is_said(const struct part *p)
{
	return p->type == PART_TEXT || p->type == PART_REFUSAL || said_is_media(p->type);
}

/* Has it what a string has no place for? */
static bool needs_object(const struct scribe *s, const struct part *p)
{
	return said_is_media(p->type) || is_ours(s, &p->extra) ||
	       (span_is_set(p->cache) && s->target->quirks.has_cache_marks);
}

static bool needs_list(const struct scribe *s, const struct message *m)
{
	size_t n = 0;
	for (size_t k = 0; k < m->n_parts; k++) {
		if (needs_object(s, &m->parts[k]))
			return true;
		n += is_said(&m->parts[k]);
	}
	return n != 1;
}

/* The parts as a list, or the only text as a string. */
static enum err put_content(struct scribe *s, const struct message *m, size_t at)
{
	const bool is_list = needs_list(s, m);
	enum err err = OK;
	if (is_list)
		json_open(&s->o, '[');
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		char path[PATH_BYTES];
		part_path(path, at, k);
		if (!is_said(p))
			continue;
		if (is_list) {
			err = put_part(s, p, at, k);
			continue;
		}
		json_put_str(&s->o, p->text);
		err = put_cache(s, p, path);
		if (!err)
			err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	}
	if (is_list)
		json_close(&s->o, ']');
	return err;
}

/* ---- what the assistant did ---- */

struct assistant {
	const struct turn *turn;
	const struct responses_input *how;
	bool is_open;       /* a message item is */
	bool has_message;   /* there was one, which has the message's extra members */
	bool has_lost_item; /* an item of reasoning was left out: ids that belong to it must go too */
	struct span *ids;   /* of the parts that are items of reasoning; absent: it is none */
	size_t n_said;      /* parts before those at the end that are nothing else */
};

/* Extra members less the one of that name, which belongs to an item that was left out. */
static enum err without(
	struct scribe *s, const struct extra *e, const char *name, struct extra *out)
{
	*out = (struct extra){.family = e->family};
	out->members = arena_array(s->notes->arena, e->n, sizeof *out->members);
	if (!out->members)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < e->n; i++) {
		if (!span_is(e->members[i].name, name))
			out->members[out->n++] = e->members[i];
	}
	return OK;
}

/* An item of this family's, as it was: its JSON object; absent: it is none. */
static struct json item_of(const struct scribe *s, const struct part *p)
{
	struct json item;
	if (!span_eq(p->opaque.family, s->target->family) ||
		json_scan(p->opaque.data, JSON_STRICT, &item, NULL) != OK ||
		json_kind(item) != JSON_OBJECT || json_is_nil(json_member(item, "type")))
		return JSON_NONE;
	return item;
}

#define RESEALED_MAX 256

/* Finds the items of reasoning. Those at the end led to nothing: they may be the last word on earlier
 * ones, which reply.c gives behind all else. */
static enum err find_reasoning(struct scribe *s, struct assistant *a)
{
	const struct message *m = a->turn->m;
	a->ids = arena_array(s->notes->arena, m->n_parts, sizeof *a->ids);
	if (!a->ids)
		return ERR_NO_MEMORY;
	for (size_t k = 0; k < m->n_parts; k++) {
		const enum part_type type = m->parts[k].type;
		const struct json item = type == PART_REASONING || type == PART_OPAQUE
						 ? item_of(s, &m->parts[k])
						 : JSON_NONE;
		if (json_is(json_member(item, "type"), "reasoning"))
			a->ids[k] = json_member(item, "id").text;
	}
	a->n_said = m->n_parts;
	while (a->n_said > 0 && m->n_parts - a->n_said < RESEALED_MAX &&
		a->ids[a->n_said - 1].n > 2)
		a->n_said--;
	return OK;
}

/* Which part, from `from` to before `to`, is the item of reasoning that part `k` is too? `to`: none. */
static size_t find_same(const struct assistant *a, size_t k, size_t from, size_t to)
{
	while (from < to && !(a->ids[k].n > 2 && span_eq(a->ids[from], a->ids[k])))
		from++;
	return from;
}

/* Does something follow that the reasoning of part `k` led to? Alone it is refused. */
static bool is_led_on(const struct scribe *s, const struct assistant *a, size_t k)
{
	const struct message *m = a->turn->m;
	for (k++; k < a->n_said; k++) {
		const struct part *p = &m->parts[k];
		if (p->type == PART_TOOL_CALL || (p->type == PART_OPAQUE && item_of(s, p).text.n) ||
			((p->type == PART_TEXT || p->type == PART_REFUSAL) && p->text.n > 0))
			return true;
	}
	return false;
}

static enum err put_reasoning(struct scribe *s, struct assistant *a, size_t k)
{
	const struct message *m = a->turn->m;
	if (k >= a->n_said && find_same(a, k, 0, a->n_said) < a->n_said)
		return OK; /* it went out where the item began */
	const size_t last = find_same(a, k, a->n_said, m->n_parts);
	const struct json item =
		item_of(s, &m->parts[k < a->n_said && last < m->n_parts ? last : k]);
	const bool has_all = !s->target->quirks.is_openai || a->how->is_kept_there ||
			     json_kind(json_member(item, "encrypted_content")) == JSON_STRING;
	if (json_is(json_member(item, "type"), "reasoning") && has_all && is_led_on(s, a, k)) {
		json_put_raw(&s->o, item.text);
		return OK;
	}
	a->has_lost_item = true;
	return scribe_warn_once(s, "reasoning_dropped", "messages",
		"reasoning of earlier turns was left out: the provider does not take it back");
}

static enum err put_opaque(struct scribe *s, const struct assistant *a, size_t k)
{
	const struct json item = item_of(s, &a->turn->m->parts[k]);
	if (item.text.n > 0) {
		json_put_raw(&s->o, item.text);
		return OK;
	}
	return scribe_warn_once(s, "reasoning_dropped", "messages",
		"what another provider keeps for itself was left out of earlier turns");
}

/* Citations go back where they have this family's form. */
static enum err put_annotations(struct scribe *s, const struct part *p, const char *path)
{
	struct json list;
	bool is_known = json_scan(p->citations, JSON_STRICT, &list, NULL) == OK &&
			json_kind(list) == JSON_ARRAY;
	if (!span_is_set(p->citations))
		return OK;
	for (struct json_walk w = json_each(list); is_known && json_next(&w);)
		is_known = responses_is_annotation(w.value);
	if (!is_known)
		return scribe_drop_citations(s, path);
	json_pair_raw(&s->o, "annotations", p->citations);
	return OK;
}

static void close_message(struct scribe *s, struct assistant *a)
{
	if (!a->is_open)
		return;
	json_close(&s->o, ']');
	json_close(&s->o, '}');
	a->is_open = false;
}

static enum err open_message(
	struct scribe *s, struct assistant *a, const struct part *p, const char *path)
{
	char message[PATH_BYTES];
	struct extra extra = p->extra;
	enum err err = a->has_lost_item ? without(s, &p->extra, "item.id", &extra) : OK;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("message"));
	json_pair_str(&s->o, "role", SPAN("assistant"));
	if (!err && !a->has_message) {
		(void)snprintf(message, sizeof message, "messages[%zu]", a->turn->at);
		err = scribe_extra(s, &a->turn->m->extra, message, KNOWN_IN_MESSAGE);
	}
	if (!err)
		err = scribe_extra_below(s, &extra, path, "item.", KNOWN_IN_ITEM);
	json_key(&s->o, "content");
	json_open(&s->o, '[');
	a->is_open = a->has_message = true;
	return err;
}

static bool begins_item(const struct scribe *s, const struct part *p)
{
	for (size_t i = 0; is_ours(s, &p->extra) && i < p->extra.n; i++) {
		if (span_starts(p->extra.members[i].name, SPAN("item.")))
			return true;
	}
	return false;
}

static enum err put_saying(struct scribe *s, struct assistant *a, size_t k)
{
	const struct message *m = a->turn->m;
	const struct part *p = &m->parts[k];
	const bool is_refusal = p->type == PART_REFUSAL;
	char path[PATH_BYTES];
	enum err err = OK;
	part_path(path, a->turn->at, k);
	if (p->text.n == 0 && m->n_parts > 1 && !is_ours(s, &p->extra))
		return OK; /* there is more of the turn, which says it */
	if (a->is_open && begins_item(s, p))
		close_message(s, a);
	if (!a->is_open)
		err = open_message(s, a, p, path);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", is_refusal ? SPAN("refusal") : SPAN("output_text"));
	json_pair_str(
		&s->o, is_refusal ? "refusal" : "text", span_is_set(p->text) ? p->text : SPAN(""));
	if (!err)
		err = put_annotations(s, p, path);
	if (!err)
		err = scribe_extra(s, &p->extra, path, KNOWN_IN_PART);
	if (!err)
		err = scribe_drop_mark(s, p->cache, path);
	json_close(&s->o, '}');
	return err;
}

static enum err legal_id(struct scribe *s, struct span id, struct span *out)
{
	*out = id;
	return id.n <= CALL_ID_BYTES ? OK : name_legal(s->notes->arena, id, CALL_ID_BYTES, out);
}

/* What a call said beside what every call says: members of an object, which go back as they were. */
static void put_rest(struct scribe *s, const struct part *p)
{
	struct json rest;
	if (!span_eq(p->opaque.family, s->target->family) ||
		json_scan(p->opaque.data, JSON_STRICT, &rest, NULL) != OK ||
		json_kind(rest) != JSON_OBJECT)
		return;
	for (struct json_walk w = json_each(rest); json_next(&w);) {
		bool is_own = responses_is_of_call(w.name);
		for (size_t i = 0; i < p->extra.n; i++)
			is_own = is_own || span_eq(p->extra.members[i].name, w.name);
		if (is_own)
			continue;
		json_key_raw(&s->o, w.name);
		json_put_raw(&s->o, w.value.text);
	}
}

static enum err put_call(struct scribe *s, const struct assistant *a, size_t k, struct span id)
{
	const struct part *p = &a->turn->m->parts[k];
	const struct tool_call *call = &p->call;
	struct json_out *o = &s->o;
	struct extra extra = p->extra;
	char path[PATH_BYTES];
	part_path(path, a->turn->at, k);
	enum err err = legal_id(s, id, &id);
	json_open(o, '{');
	json_pair_str(
		o, "type", call->is_custom ? SPAN("custom_tool_call") : SPAN("function_call"));
	json_pair_str(o, "call_id", id);
	json_pair_str(o, "name", notes_tool_theirs(s->notes, call->name));
	if (call->is_custom)
		json_pair_str(
			o, "input", span_is_set(call->arguments) ? call->arguments : SPAN(""));
	else
		json_pair_str(o, "arguments",
			span_trim(call->arguments).n > 0 ? call->arguments : SPAN("{}"));
	put_rest(s, p);
	if (!err && a->has_lost_item)
		err = without(s, &p->extra, "id", &extra);
	if (!err)
		err = scribe_extra(s, &extra, path, KNOWN_IN_CALL);
	json_close(o, '}');
	return err;
}

static enum err put_doing(struct scribe *s, struct assistant *a, size_t k, struct span id)
{
	const struct part *p = &a->turn->m->parts[k];
	char path[PATH_BYTES];
	part_path(path, a->turn->at, k);
	switch (p->type) {
	case PART_TEXT:
	case PART_REFUSAL:
		return put_saying(s, a, k);
	case PART_IMAGE:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		return scribe_drop(s, path, "%.*s takes no media of the assistant's back",
			SPAN_ARG(s->target->provider));
	case PART_REASONING:
		close_message(s, a);
		return put_reasoning(s, a, k);
	case PART_OPAQUE:
		close_message(s, a);
		return json_is(json_member(item_of(s, p), "type"), "reasoning")
			       ? put_reasoning(s, a, k)
			       : put_opaque(s, a, k);
	case PART_TOOL_CALL:
		close_message(s, a);
		return put_call(s, a, k, id);
	}
	return OK;
}

/* An assistant's turn; one that says and does nothing is an empty text. */
static enum err put_assistant(
	struct scribe *s, const struct turn *t, const struct responses_input *how)
{
	const struct message *m = t->m;
	const bool is_last = s->target->quirks.is_calls_last;
	struct assistant a = {.turn = t, .how = how};
	enum err err = find_reasoning(s, &a);
	for (size_t k = 0, i = 0; !err && k < m->n_parts; k++) {
		const bool is_call = m->parts[k].type == PART_TOOL_CALL;
		const struct span id = is_call ? t->call_ids[i++] : SPAN_NONE;
		if (!is_call || !is_last)
			err = put_doing(s, &a, k, id);
	}
	if (m->n_parts == 0) {
		static const struct part nothing = {.type = PART_TEXT};
		err = open_message(s, &a, &nothing, "");
		json_put_raw(&s->o, SPAN("{\"type\":\"output_text\",\"text\":\"\"}"));
	}
	close_message(s, &a);
	for (size_t k = 0, i = 0; !err && is_last && k < m->n_parts; k++) {
		if (m->parts[k].type == PART_TOOL_CALL)
			err = put_call(s, &a, k, t->call_ids[i++]);
	}
	return err;
}

/* ---- turns ---- */

static bool is_custom_result(const struct scribe *s, const struct turn *t)
{
	if (t->call)
		return t->call->is_custom;
	for (size_t i = 0; i < t->at; i++) {
		const struct message *m = &s->r->messages[i];
		for (size_t k = 0; k < m->n_parts; k++) {
			if (m->parts[k].type == PART_TOOL_CALL && m->parts[k].call.is_custom &&
				span_eq(m->parts[k].call.id, t->id))
				return true;
		}
	}
	return false;
}

static enum err put_output(struct scribe *s, const struct turn *t)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	enum err err = OK;
	bool is_list = false;
	for (size_t k = 0; t->m && k < t->m->n_parts; k++)
		is_list = is_list || needs_object(s, &t->m->parts[k]);
	if (!t->m) {
		json_put_str(&s->o, SPAN("Tool result missing."));
		return OK;
	}
	if (!is_list) {
		said_text(t->m, "\n", &text);
		if (t->m->is_error)
			said_error(&text);
		json_put_str(&s->o, buf_view(&text));
		for (size_t k = 0; !err && k < t->m->n_parts; k++) {
			char path[PATH_BYTES];
			part_path(path, t->at, k);
			err = put_cache(s, &t->m->parts[k], path);
			if (!err)
				err = scribe_extra(s, &t->m->parts[k].extra, path, KNOWN_IN_PART);
		}
		return err ? err : buf_error(&text);
	}
	json_open(&s->o, '[');
	if (t->m->is_error)
		json_put_raw(&s->o, SPAN("{\"type\":\"input_text\",\"text\":\"Error:\"}"));
	for (size_t k = 0; !err && k < t->m->n_parts; k++) {
		if (is_said(&t->m->parts[k]))
			err = put_part(s, &t->m->parts[k], t->at, k);
	}
	json_close(&s->o, ']');
	return err;
}

static enum err put_result(struct scribe *s, const struct turn *t)
{
	char path[PATH_BYTES];
	struct span id;
	enum err err = legal_id(s, t->id, &id);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type",
		is_custom_result(s, t) ? SPAN("custom_tool_call_output")
				       : SPAN("function_call_output"));
	json_pair_str(&s->o, "call_id", id);
	json_key(&s->o, "output");
	if (!err)
		err = put_output(s, t);
	if (!err && t->m) {
		(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
		err = scribe_extra(s, &t->m->extra, path, KNOWN_IN_RESULT);
	}
	json_close(&s->o, '}');
	return err;
}

static enum err put_words(struct scribe *s, const struct turn *t)
{
	const struct message *m = t->m;
	char path[PATH_BYTES];
	const bool is_user = m->role == ROLE_USER;
	const bool is_plain = span_is_set(s->target->quirks.system_role) &&
			      !span_is(s->target->quirks.system_role, "developer");
	if (!is_user && said_has_media(m)) {
		(void)snprintf(path, sizeof path, "messages[%zu].content", t->at);
		return scribe_refuse(s, path, "system messages are text only");
	}
	for (size_t k = 0; k < m->n_parts; k++) {
		if (m->parts[k].type != PART_OPAQUE)
			continue;
		part_path(path, t->at, k);
		return scribe_refuse(s, path, "a part that %.*s alone knows cannot be sent",
			SPAN_ARG(m->parts[k].opaque.family));
	}
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role",
		is_user                              ? SPAN("user")
		: m->role == ROLE_SYSTEM || is_plain ? SPAN("system")
						     : SPAN("developer"));
	json_key(&s->o, "content");
	enum err err = put_content(s, m, t->at);
	(void)snprintf(path, sizeof path, "messages[%zu]", t->at);
	if (!err)
		err = scribe_extra(s, &m->extra, path, KNOWN_IN_MESSAGE);
	json_close(&s->o, '}');
	return err;
}

static enum err put_turn(struct scribe *s, const struct turn *t, const struct responses_input *how)
{
	char path[PATH_BYTES];
	enum err err;
	if (!t->m || t->m->role == ROLE_TOOL)
		err = put_result(s, t);
	else if (t->m->role == ROLE_ASSISTANT)
		err = put_assistant(s, t, how);
	else
		err = put_words(s, t);
	if (err || !t->m || t->m->name.n == 0)
		return err;
	(void)snprintf(path, sizeof path, "messages[%zu].name", t->at);
	return scribe_drop(
		s, path, "%.*s takes no names on messages", SPAN_ARG(s->target->provider));
}

/* Is the first message the only system text, and nothing but text? */
static bool has_instructions(const struct scribe *s, const struct responses_input *how)
{
	const struct llm_request *r = s->r;
	const struct message *first = r->n_messages > 1 ? &r->messages[0] : NULL;
	if (!first || span_is_set(how->lead) || span_is_set(how->tail) ||
		r->response_format.type == FORMAT_JSON)
		return false; /* the word that JSON needs counts in the input alone */
	for (size_t i = 0; i < r->n_messages; i++) {
		const enum role role = r->messages[i].role;
		if ((role == ROLE_SYSTEM || role == ROLE_DEVELOPER) != (i == 0))
			return false;
	}
	for (size_t k = 0; k < first->n_parts; k++) {
		if (first->parts[k].type != PART_TEXT || first->parts[k].extra.n > 0 ||
			(span_is_set(first->parts[k].cache) && s->target->quirks.has_cache_marks))
			return false;
	}
	return first->extra.n == 0 && first->n_parts > 0;
}

static enum err put_instructions(struct scribe *s, const struct message *m)
{
	OWNED(buf_done) struct buf text = BUF_INIT(SIZE_MAX / 2);
	enum err err = OK;
	said_text(m, "\n", &text);
	json_pair_str(&s->o, "instructions", buf_view(&text));
	for (size_t k = 0; !err && k < m->n_parts; k++) {
		char path[PATH_BYTES];
		part_path(path, 0, k);
		err = put_cache(s, &m->parts[k], path);
	}
	if (!err && m->name.n > 0)
		err = scribe_drop(s, "messages[0].name", "%.*s takes no names on messages",
			SPAN_ARG(s->target->provider));
	return err ? err : buf_error(&text);
}

static void put_developer(struct scribe *s, struct span text)
{
	if (!span_is_set(text))
		return;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "role", SPAN("developer"));
	json_pair_str(&s->o, "content", text);
	json_close(&s->o, '}');
}

enum err responses_put_input(struct scribe *s, const struct responses_input *how)
{
	struct history h;
	size_t i = 0;
	enum err err = history_plan(s->r,
		(struct history_rules){.has_earlier_turns = how->has_earlier_turns}, s->notes, &h,
		s->why);
	if (!err && has_instructions(s, how))
		err = put_instructions(s, h.turns[i++].m);
	json_key(&s->o, "input");
	json_open(&s->o, '[');
	put_developer(s, how->lead);
	for (; !err && i < h.n; i++)
		err = put_turn(s, &h.turns[i], how);
	put_developer(s, how->tail);
	json_close(&s->o, ']');
	if (!err && h.n > 0 && h.turns[h.n - 1].m && h.turns[h.n - 1].m->role == ROLE_ASSISTANT)
		err = scribe_warn_once(s, "rewritten_message", "messages",
			"the last message is the assistant's: it went out as a turn that is over, "
			"and the model does not go on with it");
	return err;
}
