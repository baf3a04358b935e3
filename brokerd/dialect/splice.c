/* splice.c - copies from one edit to the next. */
#include "brokerd/dialect/splice.h"

#include <assert.h>

#define EDITS_MAX 32

/* An edit of a member itself, or of one inside of it. */
static bool is_inside(const struct splice *e, struct span outer)
{
	const struct span name = span_str(e->name);
	const size_t dot = span_index(name, '.');
	return dot < name.n && span_eq(span_first(name, dot), outer);
}

/* Those edits that are about what is inside of `outer`, under their names there. */
static size_t take_inside(
	const struct splice *edits, size_t n, struct span outer, struct splice inner[EDITS_MAX])
{
	size_t found = 0;
	for (size_t i = 0; i < n; i++) {
		if (is_inside(&edits[i], outer))
			inner[found++] =
				(struct splice){edits[i].name + outer.n + 1, edits[i].json};
	}
	return found;
}

/* The edit of that member, or of something inside it; NULL: it stays. */
static const struct splice *find(
	const struct splice *edits, size_t n, struct span raw_name, struct span *outer)
{
	char plain[64];
	for (size_t i = 0; i < n; i++) {
		const struct span name = span_str(edits[i].name);
		*outer = span_first(name, span_index(name, '.'));
		if (outer->n >= sizeof plain)
			continue;
		memcpy(plain, outer->p, outer->n);
		plain[outer->n] = '\0';
		if (json_name_is(raw_name, plain))
			return &edits[i];
	}
	return NULL;
}

/* Where we are in an object that is being copied. */
struct copy {
	const char *from; /* copied up to here */
	const char *end;  /* of the last member that was kept */
	bool has_any;     /* a member was written */
	bool is_at_next;  /* the next member is copied from its own first byte */
	bool was_seen[EDITS_MAX];
	struct buf *out;
};

static void copy_to(struct copy *c, const char *to)
{
	if (to <= c->from)
		return; /* what lies between was left out */
	buf_put(c->out, c->from, (size_t)(to - c->from));
	c->from = to;
}

static void leave_out(struct copy *c, const char *start, const char *end)
{
	copy_to(c, c->has_any ? c->end : start);
	c->from = end;
	c->is_at_next = !c->has_any;
}

/* A value with edits inside of it; what is no object becomes one. */
static void put_inner(
	struct copy *c, const struct splice *edits, size_t n, struct span outer, struct json v)
{
	struct splice inner[EDITS_MAX];
	const size_t found = take_inside(edits, n, outer, inner);
	splice_put(json_kind(v) == JSON_OBJECT ? v : json_of(SPAN("{}")), inner, found, c->out);
}

static void take_member(struct copy *c, const struct splice *edits, size_t n, struct json_walk *w)
{
	const char *start = w->name.p - 1, *end = w->value.text.p + w->value.text.n;
	struct span outer;
	const struct splice *e = find(edits, n, w->name, &outer);
	if (c->is_at_next)
		c->from = start;
	c->is_at_next = false;
	if (e) {
		for (size_t i = 0; i < n; i++)
			c->was_seen[i] =
				c->was_seen[i] || &edits[i] == e || is_inside(&edits[i], outer);
	}
	if (e && !is_inside(e, outer) && !span_is_set(e->json)) {
		leave_out(c, start, end);
		return;
	}
	if (e) {
		copy_to(c, w->value.text.p);
		if (is_inside(e, outer))
			put_inner(c, edits, n, outer, w->value);
		else
			buf_span(c->out, e->json);
		c->from = end;
	}
	c->has_any = true;
	c->end = end;
}

/* What no member was there for, once. */
static void add(struct copy *c, const struct splice *edits, size_t n, size_t i)
{
	const struct span name = span_str(edits[i].name);
	const struct span outer = span_first(name, span_index(name, '.'));
	if (c->was_seen[i])
		return;
	for (size_t k = i; k < n; k++)
		c->was_seen[k] = c->was_seen[k] || k == i || is_inside(&edits[k], outer);
	if (!span_is_set(edits[i].json))
		return;
	if (c->has_any)
		buf_byte(c->out, ',');
	c->has_any = true;
	buf_byte(c->out, '"');
	buf_span(c->out, outer);
	buf_text(c->out, "\":");
	if (outer.n < name.n)
		put_inner(c, edits, n, outer, JSON_NONE);
	else
		buf_span(c->out, edits[i].json);
}

/* All that comes out, or a little more: nothing then has to grow. */
static size_t bytes_of(struct json object, const struct splice *edits, size_t n)
{
	size_t bytes = object.text.n;
	for (size_t i = 0; i < n; i++)
		bytes += strlen(edits[i].name) + edits[i].json.n + sizeof "\"\":{},";
	return bytes;
}

void splice_put(struct json object, const struct splice *edits, size_t n, struct buf *out)
{
	const size_t bytes = bytes_of(object, edits, n);
	struct copy c = {.from = object.text.p, .end = object.text.p + 1, .out = out};
	const char *last = object.text.p + object.text.n - 1; /* the closing bracket */
	assert(n <= EDITS_MAX && json_kind(object) == JSON_OBJECT);
	if (bytes <= out->max - out->n)
		(void)buf_reserve(out, bytes);
	for (struct json_walk w = json_each(object); json_next(&w);)
		take_member(&c, edits, n, &w);
	if (c.is_at_next)
		c.from = last;
	copy_to(&c, last);
	for (size_t i = 0; i < n; i++)
		add(&c, edits, n, i);
	buf_byte(out, '}');
}

struct json splice_member(struct json object, const char *path)
{
	char outer[64];
	const struct span name = span_str(path);
	const size_t dot = span_index(name, '.');
	if (dot == name.n)
		return json_member(object, path);
	if (dot >= sizeof outer)
		return JSON_NONE;
	memcpy(outer, path, dot);
	outer[dot] = '\0';
	const struct json inside = json_member(object, outer);
	return json_kind(inside) == JSON_OBJECT ? json_member(inside, path + dot + 1) : JSON_NONE;
}

bool splice_changes(struct json object, const struct splice *edits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct json now = splice_member(object, edits[i].name);
		const bool is_there = json_kind(now) != JSON_ABSENT;
		if (is_there != span_is_set(edits[i].json) ||
			(is_there && !span_eq(now.text, edits[i].json)))
			return true;
	}
	return false;
}
