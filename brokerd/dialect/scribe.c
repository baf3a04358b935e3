/* scribe.c - decisions about what cannot be sent, and the last touches to a body. */
#include "brokerd/dialect/scribe.h"

#include <stdarg.h>
#include <stdio.h>

#include "brokerd/dialect/common.h"
#include "brokerd/dialect/marks.h"
#include "brokerd/dialect/needed.h"
#include "brokerd/value/ops.h"
#include "brokerd/value/words.h"
#include "protocol/limits.h"

enum err scribe_change(
	struct scribe *s, const char *code, const char *param, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return notes_unsupported(s->notes, s->r, code, param, s->why, "%s", text);
}

/* Of which all may come to stand in the body; a medium in base64. */
static size_t bytes_said(const struct llm_request *r)
{
	size_t bytes = 0;
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		for (size_t k = 0; k < m->n_parts; k++)
			bytes += m->parts[k].text.n + m->parts[k].call.arguments.n +
				 m->parts[k].opaque.data.n + m->parts[k].media.data.n / 3 * 4;
	}
	for (size_t i = 0; i < r->n_tools; i++)
		bytes += r->tools[i].description.n + r->tools[i].parameters.n + r->tools[i].raw.n;
	return bytes;
}

void scribe_make_room(struct scribe *s)
{
	const size_t bytes = bytes_said(s->r);
	const size_t room = bytes + bytes / 8 + KIB; /* with escapes, names and brackets */
	if (room <= s->o.to->max)
		(void)buf_reserve(s->o.to, room); /* what fails sticks to it */
}

enum err scribe_drop(struct scribe *s, const char *param, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return notes_unsupported(s->notes, s->r, "dropped_parameter", param, s->why, "%s", text);
}

static enum err PRINTF_LIKE(4, 0) refuse(
	struct scribe *s, const char *code, const char *param, const char *format, va_list args)
{
	char text[1024];
	(void)vsnprintf(text, sizeof text, format, args);
	const enum err err = fault_param(s->why, ERR_INVALID_REQUEST, param, "%s", text);
	if (s->why)
		fault_text(s->why->code, sizeof s->why->code, span_str(code));
	return err;
}

enum err scribe_refuse(struct scribe *s, const char *param, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const enum err err = refuse(s, "unsupported_parameter", param, format, args);
	va_end(args);
	return err;
}

enum err scribe_refuse_as(
	struct scribe *s, const char *code, const char *param, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const enum err err = refuse(s, code, param, format, args);
	va_end(args);
	return err;
}

enum err scribe_warn_once(
	struct scribe *s, const char *code, const char *param, const char *message)
{
	for (size_t i = 0; i < s->notes->n_warnings; i++) {
		if (span_is(s->notes->warnings[i].message, message))
			return OK;
	}
	return notes_warn(s->notes, code, param, "%s", message);
}

void scribe_key(struct scribe *s, struct span name)
{
	json_put_str(&s->o, name);
	buf_byte(s->o.to, ':');
	s->o.has_value = false;
}

bool scribe_is_known(const char *words, struct span name)
{
	for (const char *c = words; *c; c++) {
		if (c[0] == ' ' && strncasecmp(c + 1, name.p, name.n) == 0 && c[1 + name.n] == ' ')
			return true;
	}
	return false;
}

/* Does a dotted name lead below one of the words that end in a dot? */
static bool is_below_known(const char *words, struct span name)
{
	const size_t dot = span_index(name, '.');
	return dot < name.n && scribe_is_known(words, span_first(name, dot + 1));
}

bool scribe_takes(const struct scribe *s, struct span name)
{
	const struct quirks *q = &s->target->quirks;
	return span_is_set(q->extras)
		       ? words_have(q->extras, SPAN("any")) || words_have(q->extras, name)
		       : q->is_openai;
}

bool scribe_takes_common(const struct scribe *s, struct span name)
{
	return common_is_known(name, s->r->extra.family, s->target->family) &&
	       scribe_takes(s, name);
}

enum err scribe_leave_out(struct scribe *s, const struct extra_member *m)
{
	char param[128];
	const char *purpose = needed_for(m->name, m->json);
	(void)snprintf(param, sizeof param, "%.*s", SPAN_ARG(span_first(m->name, 64)));
	if (purpose)
		return scribe_refuse(s, param,
			"%.*s does not know the member \"%s\", which is for %s",
			SPAN_ARG(s->target->provider), param, purpose);
	return scribe_drop(s, param, "%.*s does not know the member \"%s\"",
		SPAN_ARG(s->target->provider), param);
}

static enum err put_extra(struct scribe *s, const struct extra *e, const char *path,
	struct span below, const char *known)
{
	const bool is_own = span_eq(e->family, s->target->family);
	for (size_t i = 0; i < e->n; i++) {
		char param[128];
		const struct span whole = e->members[i].name;
		if (!span_starts(whole, below))
			continue;
		const struct span name = span_skip(whole, below.n);
		if (is_below_known(known, name))
			continue;
		(void)snprintf(param, sizeof param, "%s%s%.*s", path, path[0] ? "." : "",
			SPAN_ARG(span_first(whole, 64)));
		/* only a request itself has members in common, and such as are needed */
		const bool is_ours =
			is_own || (!path[0] && below.n == 0 && scribe_takes_common(s, name));
		if (is_ours && scribe_is_known(known, name))
			return fault_param(s->why, ERR_INVALID_REQUEST, param,
				"\"%.*s\" has a member of its own and may not come as an extra one",
				SPAN_ARG(span_first(name, 64)));
		if (is_ours) {
			scribe_key(s, name);
			json_put_raw(&s->o, e->members[i].json);
			continue;
		}
		if (e->members[i].is_told || span_is(e->members[i].json, "null"))
			continue; /* null is nothing that could be lost */
		const enum err err =
			!path[0] ? scribe_leave_out(s, &e->members[i])
				 : scribe_drop(s, param, "%.*s does not know the member \"%.*s\"",
					   SPAN_ARG(s->target->provider),
					   SPAN_ARG(span_first(whole, 64)));
		if (err)
			return err;
	}
	return OK;
}

enum err scribe_extra(struct scribe *s, const struct extra *e, const char *path, const char *known)
{
	return put_extra(s, e, path, SPAN(""), known);
}

enum err scribe_extra_below(struct scribe *s, const struct extra *e, const char *path,
	const char *below, const char *known)
{
	return put_extra(s, e, path, span_str(below), known);
}

bool scribe_has_extra(const struct scribe *s, const struct extra *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++) {
		if (span_eq(e->family, s->target->family) && span_is(e->members[i].name, name))
			return true;
	}
	return false;
}

bool scribe_has_extra_below(const struct scribe *s, const struct extra *e, const char *below)
{
	bool has_any = false;
	for (size_t i = 0; i < e->n; i++)
		has_any = has_any || span_starts(e->members[i].name, span_str(below));
	return has_any && span_eq(e->family, s->target->family);
}

enum err scribe_drop_below(
	struct scribe *s, const struct extra *e, const char *path, const char *below)
{
	for (size_t i = 0; i < e->n; i++) {
		char param[128];
		const struct span whole = e->members[i].name;
		if (!span_starts(whole, span_str(below)))
			continue;
		(void)snprintf(param, sizeof param, "%s%s%.*s", path, path[0] ? "." : "",
			SPAN_ARG(span_first(whole, 64)));
		const enum err err =
			scribe_drop(s, param, "\"%.*s\" was left out with the rest of its object",
				SPAN_ARG(span_first(whole, 64)));
		if (err)
			return err;
	}
	return OK;
}

/* ---- the caller's own members ---- */

/* A raw name as text, in `room`; absent where it is longer than any of ours. */
static struct span plain_name(struct span raw, char *room, size_t size)
{
	OWNED(buf_done) struct buf text = BUF_INIT(size);
	OWNED(buf_done) struct buf quoted = BUF_INIT(6 * size + 2);
	buf_byte(&quoted, '"');
	buf_span(&quoted, raw);
	buf_byte(&quoted, '"');
	if (buf_error(&quoted) || !json_text_to(json_of(buf_view(&quoted)), &text) ||
		buf_error(&text))
		return SPAN_NONE;
	memcpy(room, buf_view(&text).p, text.n);
	return span_of(room, text.n);
}

static bool has_member(struct json object, struct span plain)
{
	for (struct json_walk w = json_each(object); json_next(&w);) {
		char room[64];
		if (span_eq(plain_name(w.name, room, sizeof room), plain))
			return true;
	}
	return false;
}

/* What says how much of an answer is written, and how dear it is, or has that in it. */
#define BOUNDS                                                                                 \
	" max_tokens max_completion_tokens max_output_tokens max_tokens_to_sample n best_of "  \
	"service_tier servicetier options generationconfig generation_config inferenceconfig " \
	"additionalmodelrequestfields "

static enum err lay_over(
	struct scribe *s, struct json body, const struct string_pair *options, struct buf *out)
{
	struct json_out o = json_to(out);
	struct json theirs;
	char param[128];
	(void)snprintf(param, sizeof param, "provider_options.%.*s",
		SPAN_ARG(span_first(options->key, 64)));
	if (json_scan(options->value, JSON_STRICT, &theirs, NULL) != OK ||
		json_kind(theirs) != JSON_OBJECT)
		return fault_param(s->why, ERR_INVALID_REQUEST, param,
			"provider options are a JSON object each");
	for (struct json_walk w = json_each(theirs); json_next(&w);) {
		char room[64];
		const struct span name = plain_name(w.name, room, sizeof room);
		if (name.n > 0 &&
			scribe_is_known(
				" model messages contents stream input documents query ", name))
			return fault_param(s->why, ERR_INVALID_REQUEST, param,
				"provider options may not replace \"%.*s\"", SPAN_ARG(name));
		if (s->target->is_bounded && name.n > 0 && scribe_is_known(BOUNDS, name))
			return fault_param(s->why, ERR_INVALID_REQUEST, param,
				"provider options may not replace \"%.*s\" where a limit on costs "
				"has to "
				"be kept: max_tokens, n and service_tier are for that",
				SPAN_ARG(name));
	}
	json_open(&o, '{');
	for (struct json_walk w = json_each(body); json_next(&w);) {
		if (has_member(theirs, w.name)) /* our names are plain */
			continue;
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
	}
	for (struct json_walk w = json_each(theirs); json_next(&w);) {
		json_key_raw(&o, w.name);
		json_put_raw(&o, w.value.text);
	}
	json_close(&o, '}');
	return buf_error(out);
}

static size_t bytes_max(const struct target *t)
{
	const int64_t max = t->quirks.bytes_max;
	return max > 0 && max < (int64_t)LIMIT_BODY_BYTES ? (size_t)max : LIMIT_BODY_BYTES;
}

enum err scribe_finish(struct scribe *s, struct buf *body, struct span *out)
{
	struct arena *a = s->notes->arena;
	enum err err = buf_error(body);
	if (!err)
		err = arena_adopt(a, body, out);
	for (size_t i = 0; !err && i < s->r->n_provider_options; i++) {
		const struct string_pair *options = &s->r->provider_options[i];
		OWNED(buf_done) struct buf merged = BUF_INIT(LIMIT_BODY_BYTES);
		struct json whole;
		if (!span_eq(options->key, s->target->family) &&
			!span_eq(options->key, s->target->provider) && !span_is(options->key, "*"))
			continue;
		err = json_scan(*out, JSON_STRICT, &whole, s->why);
		if (!err)
			err = lay_over(s, whole, options, &merged);
		if (!err)
			err = arena_adopt(a, &merged, out);
	}
	if (err == ERR_TOO_BIG)
		return scribe_refuse_length(s);
	if (err == ERR_NO_MEMORY)
		return fault_set(s->why, err, "no memory for the provider's request");
	return err ? err : scribe_check_length(s, out->n);
}

enum err scribe_refuse_length(struct scribe *s)
{
	return scribe_refuse_as(s, "request_too_large", "messages",
		"the request is longer than the %zu bytes that %.*s takes", bytes_max(s->target),
		SPAN_ARG(s->target->provider));
}

enum err scribe_check_length(struct scribe *s, size_t n)
{
	return n > bytes_max(s->target) ? scribe_refuse_length(s) : OK;
}

/* One segment of a path: all but the unreserved is percent-encoded. */
static void put_segment(struct span text, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			(c && strchr("-._~", c))) {
			buf_byte(out, text.p[i]);
		} else {
			buf_byte(out, '%');
			buf_byte(out, hex[c >> 4]);
			buf_byte(out, hex[c & 15]);
		}
	}
}

/* A model's name that is a path: its slashes stay. */
static void put_folders(struct span name, struct buf *out)
{
	while (span_is_set(name)) {
		put_segment(span_cut(&name, '/'), out);
		if (span_is_set(name))
			buf_byte(out, '/');
	}
}

/* Would it lead to another place than below the path? */
static bool leads_away(struct span name)
{
	while (span_is_set(name)) {
		const struct span folder = span_cut(&name, '/');
		if (span_is(folder, ".") || span_is(folder, ".."))
			return true;
	}
	return false;
}

static void put_path(const struct scribe *s, const struct place *place, struct buf *out)
{
	struct span own = s->target->path;
	if (place->op && !ops_serve(s->target->quirks.ops, span_str(place->op), &own))
		own = SPAN_NONE;
	struct span rest = span_is_set(own) ? own : span_str(place->path);
	if (place->op && !span_is_set(own))
		buf_text(out, ops_version(s->target->path, rest));
	while (rest.n > 0) {
		if (span_starts(rest, SPAN("{model_path}"))) {
			put_folders(s->target->model, out);
			rest = span_skip(rest, strlen("{model_path}"));
		} else if (span_starts(rest, SPAN("{model}"))) {
			put_segment(s->target->model, out);
			rest = span_skip(rest, strlen("{model}"));
		} else if (span_starts(rest, SPAN("{method}"))) {
			buf_text(out, place->method ? place->method : "");
			rest = span_skip(rest, strlen("{method}"));
		} else {
			buf_byte(out, rest.p[0]);
			rest = span_skip(rest, 1);
		}
	}
}

enum err scribe_address(struct scribe *s, const struct place *place, struct http_request *out)
{
	OWNED(buf_done) struct buf path = BUF_INIT(16 * KIB);
	OWNED(buf_done) struct buf url = BUF_INIT(16 * KIB);
	if (leads_away(s->target->model))
		return scribe_refuse(
			s, "model", "no model can be called \"%.*s\"", SPAN_ARG(s->target->model));
	put_path(s, place, &path);
	http_join_url(s->target->base_url, buf_view(&path), &url);
	if (place->query) {
		const bool has_query = span_index(buf_view(&url), '?') < url.n;
		buf_byte(&url, has_query ? '&' : '?');
		buf_text(&url, place->query);
	}
	enum err err = buf_error(&path);
	if (!err)
		err = buf_error(&url);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&url), &out->url);
	out->method = SPAN("POST");
	out->is_stream = s->notes->is_reply_streamed;
	const struct span accept = place->accept    ? span_str(place->accept)
				   : out->is_stream ? SPAN("text/event-stream")
						    : SPAN("application/json");
	if (!err && (!http_request_header(out, SPAN("content-type"), SPAN("application/json")) ||
			    !http_request_header(out, SPAN("accept"), accept)))
		err = ERR_INTERNAL;
	for (size_t i = 0; !err && i < s->target->n_headers; i++) {
		const struct http_header *h = &s->target->headers[i];
		if (!http_request_header(out, h->name, h->value))
			err = ERR_INTERNAL;
	}
	return err;
}

enum err scribe_drop_unsaid(struct scribe *s, const struct unsaid *rows, size_t n)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < n; i++) {
		if (rows[i].is_set)
			err = scribe_drop(s, rows[i].name, "%.*s does not know %s",
				SPAN_ARG(s->target->provider), rows[i].name);
	}
	return err;
}

enum err scribe_drop_names(struct scribe *s)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < s->r->n_messages; i++) {
		char path[64];
		(void)snprintf(path, sizeof path, "messages[%zu].name", i);
		if (s->r->messages[i].name.n > 0 && s->r->messages[i].role != ROLE_TOOL)
			err = scribe_drop(s, path, "%.*s takes no names of participants",
				SPAN_ARG(s->target->provider));
	}
	return err;
}

enum err scribe_drop_mark(struct scribe *s, struct span mark, const char *path)
{
	if (!span_is_set(mark) || marks_are_needless(s->target))
		return OK;
	return scribe_warn_once(
		s, "dropped_parameter", path, "cache marks were left out: none are taken there");
}

enum err scribe_drop_citations(struct scribe *s, const char *path)
{
	return scribe_warn_once(
		s, "dropped_parameter", path, "citations of earlier turns were left out");
}

enum err scribe_drop_marks(struct scribe *s)
{
	enum err err = OK;
	char path[64];
	for (size_t i = 0; !err && i < s->r->n_tools; i++) {
		(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
		err = scribe_drop_mark(s, s->r->tools[i].cache, path);
	}
	for (size_t i = 0; !err && i < s->r->n_messages; i++) {
		const struct message *m = &s->r->messages[i];
		for (size_t k = 0; !err && k < m->n_parts; k++) {
			(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", i, k);
			err = scribe_drop_mark(s, m->parts[k].cache, path);
		}
	}
	return err;
}

void scribe_put_number(struct scribe *s, const char *name, struct opt_f64 v)
{
	if (!v.is_set)
		return;
	json_key(&s->o, name);
	json_put_f64(&s->o, v.v);
}
