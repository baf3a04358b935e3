/* surface.c - what will stand in an HTTP head is held to what may stand there. */
#include "protocol/surface.h"

#include "protocol/members.h"

static READER(member_read_headers)
{
	struct surface_call *call = field;
	return member_read_pairs(r, at, in, &call->headers, &call->n_headers);
}

static WRITER(member_write_headers)
{
	const struct surface_call *call = field;
	if (call->n_headers == 0)
		return;
	pack_key(out, m, key);
	member_write_pairs(out, call->headers, call->n_headers);
}

#define SURFACE(field) offsetof(struct surface_call, field)
static const struct member rows[] = {
	{"surface",      AS(label,   text),    SURFACE(surface),      0, 0},
	{"provider",     AS(label,   text),    SURFACE(provider),     0, 0},
	{"op",           AS(label,   text),    SURFACE(op),           0, 0},
	{"method",       AS(label,   text),    SURFACE(method),       0, 0},
	{"path",         AS(name,    text),    SURFACE(path),         0, 0},
	{"query",        AS(text,    text),    SURFACE(query),        0, 0},
	{"headers",      AS(headers, headers), 0,                     0, 0},
	{"content_type", AS(name,    text),    SURFACE(content_type), 0, 0},
};

/* ---- what may stand in an HTTP head (RFC 9110) ---- */

static bool is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

/* A token's characters, without capitals. */
static bool is_lower_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* No space, no control byte, nothing that ends a request line. */
static bool is_visible(unsigned char c)
{
	return c > 0x20 && c != 0x7f;
}

static bool is_value(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool all(struct span text, bool (*is_fine)(unsigned char))
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_fine((unsigned char)text.p[i]))
			return false;
	}
	return true;
}

static enum err check_headers(
	const struct reader *r, const struct at *at, const struct surface_call *call)
{
	const struct at headers = at_member(at, SPAN("headers"));
	for (size_t i = 0; i < call->n_headers; i++) {
		const struct at here = at_index(&headers, i);
		const struct string_pair *h = &call->headers[i];
		if (h->key.n == 0 || !all(h->key, is_lower_token))
			return reader_refuse(
				r, &here, r->bad, "a header's name is a token in lower case");
		if (!all(h->value, is_value))
			return reader_refuse(
				r, &here, r->bad, "a header's value has no control bytes");
	}
	return OK;
}

static enum err check(const struct reader *r, const struct at *at, const struct surface_call *call)
{
	const struct {
		const char *name;
		bool is_fine;
		const char *sentence;
	} claims[] = {
		{"method",					   all(call->method, is_upper),              "a method is of capital letters"},
		{"path",
                 all(call->path,						       is_visible) &&
				(call->path.n == 0 || call->path.p[0] == '/'),
                 "a path begins with a slash and has no spaces or control bytes"                                                               },
		{"path",
                 span_index(call->path,						'?') == call->path.n &&
				span_index(call->path,                  '#') == call->path.n,
                 "a path ends before its question mark; what follows is `query`"},
		{"query",
                 all(call->query,							    is_visible) &&
				span_index(call->query,									      '#') == call->query.n,
                 "a query has no spaces, control bytes or fragment"},
		{"content_type", all(call->content_type,                 is_value),
                 "a content type has no control bytes"                                   },
	};
	if (span_is_set(call->surface) == span_is_set(call->provider))
		return reader_refuse(r, at, r->bad,
			"either a surface or a provider is wanted, not %s",
			span_is_set(call->surface) ? "both" : "neither");
	for (size_t i = 0; i < COUNT_OF(claims); i++) {
		const struct at here = at_member(at, span_str(claims[i].name));
		if (!claims[i].is_fine)
			return reader_refuse(r, &here, r->bad, "%s", claims[i].sentence);
	}
	return check_headers(r, at, call);
}

READER(member_read_surface)
{
	struct surface_call *call = field;
	const enum err err = members_read(r, at, in, rows, COUNT_OF(rows), call, NULL);
	return err ? err : check(r, at, call);
}

WRITER(member_write_surface)
{
	const struct surface_call *call = field;
	if (!span_is_set(call->surface) && !span_is_set(call->provider))
		return;
	pack_key(out, m, key);
	surface_pack(call, out);
}

enum err surface_unpack(
	struct pack_in in, struct arena *a, struct surface_call *out, struct fault *why)
{
	struct reader r = {.a = a, .why = why, .bad = ERR_INVALID_REQUEST};
	const struct at top = {.up = NULL};

	*out = (struct surface_call){.surface = SPAN_NONE};
	return member_read_surface(&r, &top, &in, out);
}

void surface_pack(const struct surface_call *s, struct buf *out)
{
	members_write(out, rows, COUNT_OF(rows), s);
}
