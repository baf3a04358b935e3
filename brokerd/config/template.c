/* template.c - a name in braces is a member of the provider, or one made of it. */
#include "brokerd/config/template.h"

#include "protocol/limits.h"

#define AT(m) offsetof(struct provider, m)

static const struct {
	const char *name;
	size_t at;
} names[] = {
	{"region",    AT(region)   },
	{"resource",  AT(resource) },
	{"account",   AT(account)  },
	{"project",   AT(project)  },
	{"location",  AT(location) },
	{"workspace", AT(workspace)},
};

#define VERTEX_HOST "vertex_host"

static bool is_in(struct span name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (span_is(name, list[i]))
			return true;
	}
	return false;
}

static bool is_known(struct span name, bool is_path)
{
	static const char *const dialects[] = {"model", "model_path", "method"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i].name))
			return true;
	}
	return span_is(name, VERTEX_HOST) || (is_path && is_in(name, dialects, COUNT_OF(dialects)));
}

bool template_is_sound(struct span text, bool is_path)
{
	while (span_index(text, '{') < text.n) {
		const struct span before = span_cut(&text, '{');
		if (span_index(before, '}') < before.n || span_index(text, '}') == text.n)
			return false;
		if (!is_known(span_cut(&text, '}'), is_path))
			return false;
	}
	return span_index(text, '}') == text.n;
}

/* Google's host for a place: some have names of their own. */
static void put_vertex_host(struct span location, struct buf *out)
{
	if (span_is(location, "us") || span_is(location, "eu")) {
		buf_text(out, "aiplatform.");
		buf_span(out, location);
		buf_text(out, ".rep.googleapis.com");
		return;
	}
	if (!span_is(location, "global")) {
		buf_span(out, location);
		buf_byte(out, '-');
	}
	buf_text(out, "aiplatform.googleapis.com");
}

/* False: it is not set, and *missing says which key would. */
static bool put_value(
	const struct provider *p, struct span name, struct buf *out, const char **missing)
{
	const bool is_host = span_is(name, VERTEX_HOST);
	const struct span key = is_host ? SPAN("location") : name;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct span value;
		if (!span_is(key, names[i].name))
			continue;
		memcpy(&value, (const char *)p + names[i].at, sizeof value);
		if (!span_is_set(value)) {
			*missing = names[i].name;
			return false;
		}
		if (is_host)
			put_vertex_host(value, out);
		else
			buf_span(out, value);
		return true;
	}
	buf_byte(out, '{'); /* the dialect's */
	buf_span(out, name);
	buf_byte(out, '}');
	return true;
}

enum err template_fill(const struct provider *p, struct span text, struct arena *a,
	struct span *out, const char **missing)
{
	OWNED(buf_done) struct buf filled = BUF_INIT(LIMIT_CONFIG_BYTES);
	*out = text;
	if (span_index(text, '{') == text.n)
		return OK;
	*out = SPAN_NONE;
	while (span_is_set(text)) {
		buf_span(&filled, span_cut(&text, '{'));
		if (span_is_set(text) && !put_value(p, span_cut(&text, '}'), &filled, missing))
			return OK;
	}
	const enum err err = buf_error(&filled);
	return err ? ERR_NO_MEMORY : arena_dup(a, buf_view(&filled), out);
}
