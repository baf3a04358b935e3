/* named_models.c - a walk that knows which members hold no settings. */
#include "brokerd/exchange/named_models.h"

#include "protocol/limits.h"

#define NAME_BYTES ((size_t)16 * 1024)
#define DEEPEST    16 /* no host has settings below that */

struct telling {
	enum err (*tell)(void *context, struct span name);
	void *context;
};

/* The conversation, schemas and labels, in the words of all families. Names are compared in small letters, for
 * some hosts' readers do so. */
static bool is_no_setting(struct span name)
{
	static const char *const names[] = {"messages", "input", "inputs", "prompt", "contents",
		"content", "system", "instructions", "systeminstruction", "system_instruction",
		"metadata", "labels", "schema", "json_schema", "parameters", "input_schema",
		"inputschema", "arguments", "documents", "query"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

/* "model", "models", "fallback_model", "fallbackmodels", ...; and what some hosts call the same. */
static bool is_of_models(struct span name)
{
	static const char *const others[] = {"engine", "deployment", "preset", "model_name"};
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		if (span_is(name, others[i]))
			return true;
	}
	static const char *const ends[] = {"model", "models", "model_id", "modelid"};
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (span_ends(name, span_str(ends[i])))
			return true;
	}
	return false;
}

static enum err tell_text(struct json v, const struct telling *t)
{
	OWNED(buf_done) struct buf name = BUF_INIT(NAME_BYTES);
	if (json_kind(v) != JSON_STRING)
		return OK;
	if (!json_text_to(v, &name) || buf_error(&name))
		return ERR_DENIED;
	return t->tell(t->context, buf_view(&name));
}

/* A member's name without escapes, in small letters. */
static struct span read_name(struct span raw, struct buf *to)
{
	buf_clear(to);
	(void)json_text_to(json_of(span_of(raw.p - 1, raw.n + 2)), to); /* with its quotes */
	for (size_t i = 0; i < to->n; i++)
		to->p[i] = span_lower(to->p[i]);
	return buf_view(to);
}

static enum err walk(struct span member, struct json v, int depth, const struct telling *t)
{
	OWNED(buf_done) struct buf name = BUF_INIT(NAME_BYTES);
	const enum json_kind kind = json_kind(v);
	enum err err = OK;
	if (depth == DEEPEST || is_no_setting(member))
		return OK;
	if (is_of_models(member))
		err = tell_text(v, t);
	if (kind != JSON_OBJECT && kind != JSON_ARRAY)
		return err;
	for (struct json_walk w = json_each(v); !err && json_next(&w);) {
		/* what is in an array is called as that is */
		const struct span inner = kind == JSON_OBJECT ? read_name(w.name, &name) : member;
		err = buf_error(&name) ? ERR_DENIED : walk(inner, w.value, depth + 1, t);
	}
	return err;
}

enum err named_models_in(struct span member, struct json value,
	enum err (*tell)(void *context, struct span name), void *context)
{
	const struct telling t = {tell, context};
	OWNED(buf_done) struct buf name = BUF_INIT(NAME_BYTES);
	buf_span(&name, member);
	for (size_t i = 0; i < name.n; i++)
		name.p[i] = span_lower(name.p[i]);
	return buf_error(&name) ? ERR_DENIED : walk(buf_view(&name), value, 0, &t);
}

enum err named_models(
	struct json body, enum err (*tell)(void *context, struct span name), void *context)
{
	enum err err = OK;
	for (struct json_walk w = json_each(body); !err && json_next(&w);) {
		OWNED(buf_done) struct buf name = BUF_INIT(NAME_BYTES);
		const struct span member = read_name(w.name, &name);
		if (buf_error(&name))
			return ERR_DENIED;
		if (!json_name_is(w.name, "model")) /* what is asked for is judged where it leads */
			err = named_models_in(member, w.value, tell, context);
	}
	return err;
}
