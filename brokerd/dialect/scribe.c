/* scribe.c - decisions about what cannot be sent, and the last touches to a body. */
#include "brokerd/dialect/scribe.h"

#include <stdarg.h>
#include <stdio.h>

#include "protocol/limits.h"

enum err scribe_change(
	struct scribe *s, const char *code, const char *param, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return notes_unsupported(s->notes, s->r, code, param, s->why, "%s", text);
}

enum err scribe_drop(struct scribe *s, const char *param, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return notes_unsupported(s->notes, s->r, "dropped_parameter", param, s->why, "%s", text);
}

static enum err PRINTF_LIKE(4, 0) refuse(
	struct scribe *s, const char *code, const char *param, const char *format, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, format, args);
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

enum err scribe_extra(struct scribe *s, const struct extra *e, const char *path)
{
	const bool is_ours = span_eq(e->family, s->target->family);
	for (size_t i = 0; i < e->n; i++) {
		char param[128];
		const struct span name = e->members[i].name;
		if (is_ours) {
			scribe_key(s, name);
			json_put_raw(&s->o, e->members[i].json);
			continue;
		}
		snprintf(param, sizeof param, "%s%s%.*s", path, path[0] ? "." : "",
			SPAN_ARG(span_first(name, 64)));
		const enum err err = scribe_drop(s, param, "%.*s does not know the member \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(span_first(name, 64)));
		if (err)
			return err;
	}
	return OK;
}

/* ---- the caller's own members ---- */

static bool is_same_name(struct span raw_a, struct span raw_b)
{
	char text[256];
	if (span_eq(raw_a, raw_b))
		return true;
	if (raw_b.n >= sizeof text || span_index(raw_b, '\\') < raw_b.n)
		return false; /* our own members are plain */
	memcpy(text, raw_b.p, raw_b.n);
	text[raw_b.n] = '\0';
	return json_name_is(raw_a, text);
}

static bool has_member(struct json object, struct span raw_name)
{
	for (struct json_walk w = json_each(object); json_next(&w);) {
		if (is_same_name(w.name, raw_name))
			return true;
	}
	return false;
}

static enum err lay_over(
	struct scribe *s, struct json body, const struct string_pair *options, struct buf *out)
{
	static const char *const ours[] = {"model", "messages", "stream"};
	struct json_out o = json_to(out);
	struct json theirs;
	char param[128];
	snprintf(param, sizeof param, "provider_options.%.*s",
		SPAN_ARG(span_first(options->key, 64)));
	if (json_scan(options->value, JSON_STRICT, &theirs, NULL) != OK ||
		json_kind(theirs) != JSON_OBJECT)
		return fault_param(s->why, ERR_INVALID_REQUEST, param,
			"provider options are a JSON object each");
	for (size_t i = 0; i < COUNT_OF(ours); i++) {
		if (span_is_set(json_member(theirs, ours[i]).text))
			return fault_param(s->why, ERR_INVALID_REQUEST, param,
				"provider options may not replace \"%s\"", ours[i]);
	}
	json_open(&o, '{');
	for (struct json_walk w = json_each(body); json_next(&w);) {
		if (has_member(theirs, w.name))
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

enum err scribe_finish(struct scribe *s, const struct buf *body, size_t max_bytes, struct span *out)
{
	struct arena *a = s->notes->arena;
	enum err err = buf_error(body);
	if (!err)
		err = arena_dup(a, buf_view(body), out);
	for (size_t i = 0; !err && i < s->r->n_provider_options; i++) {
		const struct string_pair *options = &s->r->provider_options[i];
		OWNED(buf_done) struct buf merged = BUF_INIT(LIMIT_BODY_BYTES);
		struct json whole;
		if (!span_eq(options->key, s->target->family) &&
			!span_eq(options->key, s->target->provider))
			continue;
		err = json_scan(*out, JSON_STRICT, &whole, s->why);
		if (!err)
			err = lay_over(s, whole, options, &merged);
		if (!err)
			err = arena_dup(a, buf_view(&merged), out);
	}
	if (err == ERR_TOO_BIG || (!err && out->n > max_bytes))
		return scribe_refuse_as(s, "request_too_large", "messages",
			"the request is longer than the %zu MiB that %.*s takes", max_bytes / MIB,
			SPAN_ARG(s->target->provider));
	if (err == ERR_NO_MEMORY)
		return fault_set(s->why, err, "no memory for the provider's request");
	return err;
}

enum err scribe_address(struct scribe *s, const char *path, struct http_request *out)
{
	OWNED(buf_done) struct buf url = BUF_INIT(16 * KIB);
	http_join_url(s->target->base_url,
		span_is_set(s->target->path) ? s->target->path : span_str(path), &url);
	enum err err = buf_error(&url);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&url), &out->url);
	out->method = SPAN("POST");
	out->is_stream = s->notes->is_reply_streamed;
	if (!err && (!http_request_header(out, SPAN("content-type"), SPAN("application/json")) ||
			    !http_request_header(out, SPAN("accept"),
				    out->is_stream ? SPAN("text/event-stream")
						   : SPAN("application/json"))))
		err = ERR_INTERNAL;
	return err;
}
