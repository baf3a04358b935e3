/* partial.c - a tree of members and elements, found again by path. */
#include "brokerd/dialect/gemini/partial.h"

#include "brokerd/dialect/pick.h"
#include "protocol/base/num.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define NODES_MAX ((size_t)8192)
#define DEPTH_MAX 64
#define INDEX_MAX ((int64_t)NODES_MAX)

enum node_kind {
	NODE_EMPTY, /* nothing is known of it: null */
	NODE_OBJECT,
	NODE_ARRAY,
	NODE_STRING,
	NODE_RAW,
};

struct partial_node {
	struct partial_node *next, *first, *last; /* siblings, children */
	struct partial_node *older;               /* of all */
	enum node_kind kind;
	struct span name; /* of a member, as text */
	int64_t index;    /* of an element */
	struct buf text;  /* string */
	struct span raw;  /* raw */
	bool is_open;     /* string: its next piece goes on with it */
};

void partial_init(struct partial *p, struct arena *a)
{
	*p = (struct partial){.arena = a};
}

void partial_done(struct partial *p)
{
	for (struct partial_node *n = p->all; n; n = n->older)
		buf_done(&n->text);
	partial_init(p, p->arena);
}

/* ---- paths ---- */

/* A step of a path: a member or an element. */
struct step {
	struct span name; /* absent: an element */
	int64_t index;
};

/* Takes a step off the front. False: there is none that can be followed. */
static bool take_step(struct span *path, struct step *out)
{
	*out = (struct step){.index = -1};
	if (path->p[0] == '.') {
		const struct span rest = span_skip(*path, 1);
		size_t n = 0;
		while (n < rest.n && rest.p[n] != '.' && rest.p[n] != '[')
			n++;
		out->name = span_first(rest, n);
		*path = span_skip(rest, n);
		return n > 0;
	}
	if (path->p[0] != '[' || path->n < 3)
		return false;
	const char quote = path->p[1];
	if (quote == '\'' || quote == '"') {
		const struct span rest = span_skip(*path, 2);
		const size_t n = span_index(rest, quote);
		if (n + 1 >= rest.n || rest.p[n + 1] != ']')
			return false;
		out->name = span_first(rest, n);
		*path = span_skip(rest, n + 2);
		return true;
	}
	const size_t n = span_index(*path, ']');
	if (n == path->n || !num_i64(span_of(path->p + 1, n - 1), &out->index) || out->index < 0 ||
		out->index >= INDEX_MAX)
		return false;
	*path = span_skip(*path, n + 1);
	return true;
}

/* ---- nodes ---- */

static enum err node_new(struct partial *p, const struct step *step, struct partial_node **out)
{
	struct partial_node *n = p->n < NODES_MAX ? arena_alloc(p->arena, sizeof *n) : NULL;
	if (!n)
		return p->n < NODES_MAX ? ERR_NO_MEMORY : ERR_SERVER_ERROR;
	*n = (struct partial_node){
		.older = p->all, .index = step->index, .text = BUF_INIT(LIMIT_REPLY_BYTES)};
	p->all = n;
	p->n++;
	*out = n;
	return arena_dup(p->arena, step->name, &n->name);
}

static bool is_at(const struct partial_node *n, const struct step *step)
{
	return step->index >= 0 ? n->index == step->index : span_eq(n->name, step->name);
}

/* The child that a step leads to, made where there was none. Elements stay in the order of their
 * numbers. */
static enum err descend(struct partial *p, struct partial_node *in, const struct step *step,
	struct partial_node **out)
{
	const enum node_kind kind = step->index >= 0 ? NODE_ARRAY : NODE_OBJECT;
	struct partial_node *before = NULL;
	if (in->kind != kind) { /* another shape than before: the later one counts */
		in->kind = kind;
		in->first = in->last = NULL;
	}
	if (in->last && is_at(in->last, step)) {
		*out = in->last;
		return OK;
	}
	for (struct partial_node *n = in->first; n; n = n->next) {
		if (is_at(n, step)) {
			*out = n;
			return OK;
		}
		if (kind == NODE_OBJECT || n->index < step->index)
			before = n;
	}
	const enum err err = node_new(p, step, out);
	if (err)
		return err;
	(*out)->next = before ? before->next : in->first;
	if (before)
		before->next = *out;
	else
		in->first = *out;
	if (!(*out)->next)
		in->last = *out;
	return OK;
}

/* The node of a path; NULL: it cannot be followed. */
static enum err find(struct partial *p, struct span path, struct partial_node **out)
{
	struct step step = {.index = -1};
	enum err err = OK;
	*out = NULL;
	if (!p->root)
		err = node_new(p, &step, &p->root);
	if (err || path.n < 2 || path.p[0] != '$')
		return err;
	struct partial_node *at = p->root;
	path = span_skip(path, 1);
	for (int depth = 0; !err && path.n > 0; depth++) {
		if (depth == DEPTH_MAX || !take_step(&path, &step))
			return OK;
		err = descend(p, at, &step, &at);
	}
	*out = err || at == p->root ? NULL : at;
	return err;
}

/* ---- values ---- */

static enum err set_string(struct partial_node *n, struct json v, bool goes_on)
{
	if (n->kind != NODE_STRING || !n->is_open)
		buf_clear(&n->text);
	n->kind = NODE_STRING;
	n->is_open = goes_on;
	json_text_to(v, &n->text);
	const enum err err = buf_error(&n->text);
	return err == ERR_TOO_BIG ? ERR_SERVER_ERROR : err;
}

enum err partial_add(struct partial *p, struct json piece)
{
	static const char *const names[] = {
		"jsonPath", "stringValue", "numberValue", "boolValue", "nullValue", "willContinue"};
	struct json m[COUNT_OF(names)];
	struct partial_node *n;
	struct span path, raw;
	pick(piece, names, m, COUNT_OF(names));
	enum err err = json_text(m[0], p->arena, &path);
	if (!err)
		err = find(p, path, &n);
	if (err)
		return err;
	p->has_odd = p->has_odd || !n;
	if (!n)
		return OK;
	if (json_kind(m[1]) == JSON_STRING)
		return set_string(n, m[1], json_is_true(m[5]));
	if (json_kind(m[2]) == JSON_NUMBER || json_kind(m[3]) == JSON_TRUE ||
		json_kind(m[3]) == JSON_FALSE)
		raw = json_kind(m[2]) == JSON_NUMBER ? m[2].text : m[3].text;
	else if (span_is_set(m[4].text))
		raw = SPAN("null");
	else
		return OK;
	n->kind = NODE_RAW;
	return arena_dup(p->arena, raw, &n->raw);
}

/* ---- writing ---- */

/* A string's pieces may cut characters, so it is repaired as a whole. */
static void put_string(const struct partial_node *n, struct json_out *o)
{
	OWNED(buf_done) struct buf clean = BUF_INIT(3 * LIMIT_REPLY_BYTES);
	struct utf8_repair repair = {.n = 0};
	utf8_repair(&repair, buf_view(&n->text), &clean);
	utf8_repair_end(&repair, &clean);
	json_put_str(o, buf_view(&clean));
}

/* At most DEPTH_MAX levels. */
static void put_node(const struct partial_node *n, struct json_out *o)
{
	int64_t index = 0;
	switch (n->kind) {
	case NODE_EMPTY:
		json_put_null(o);
		return;
	case NODE_STRING:
		put_string(n, o);
		return;
	case NODE_RAW:
		json_put_raw(o, n->raw);
		return;
	case NODE_OBJECT:
		json_open(o, '{');
		for (const struct partial_node *c = n->first; c; c = c->next) {
			json_key_text(o, c->name);
			put_node(c, o);
		}
		json_close(o, '}');
		return;
	case NODE_ARRAY:
		json_open(o, '[');
		for (const struct partial_node *c = n->first; c; c = c->next) {
			for (; index < c->index; index++)
				json_put_null(o);
			put_node(c, o);
			index++;
		}
		json_close(o, ']');
		return;
	}
}

void partial_write(const struct partial *p, struct json_out *o)
{
	if (p->root && p->root->kind == NODE_OBJECT)
		put_node(p->root, o);
	else
		json_put_raw(o, SPAN("{}"));
}
