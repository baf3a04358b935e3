/* metrics.c - a family is two lines of what it is, and a line each of what it has; numbers go over as they are written. */
#include "libllmclient/bridge/metrics.h"

#include "protocol/base/json.h"

#define TEXT_BYTES ((size_t)64 * 1024)

struct family {
	struct span name;
	struct json bounds;
	struct buf *out;
	struct buf labels; /* of the series in hand, without the braces */
};

/* [a-zA-Z_:][a-zA-Z0-9_:]*; a label's has no colon. */
static bool is_name(struct span s, bool may_have_colons)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		const bool is_digit = c >= '0' && c <= '9' && i > 0;
		if (!is_letter && !is_digit && !(c == ':' && may_have_colons))
			return false;
	}
	return s.n > 0;
}

/* In a label's value and in a help text; quotes are marked in the former alone. Control bytes are nobody's name. */
static void put_escaped(struct buf *out, struct span text, bool is_quoted)
{
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		if (c == '\n')
			buf_text(out, "\\n");
		else if (c == '\\' || (c == '"' && is_quoted))
			buf_print(out, "\\%c", c);
		else
			buf_byte(out, c < ' ' || c == 0x7f ? '_' : (char)c);
	}
}

static enum err put_labels(struct json labels, struct buf *out)
{
	for (struct json_walk w = json_each(labels); json_next(&w);) {
		OWNED(buf_done) struct buf value = BUF_INIT(TEXT_BYTES);
		if (!is_name(w.name, false) || !json_text_to(w.value, &value))
			continue;
		if (buf_error(&value))
			return buf_error(&value);
		buf_text(out, out->n > 0 ? "," : "");
		buf_span(out, w.name);
		buf_text(out, "=\"");
		put_escaped(out, buf_view(&value), true);
		buf_byte(out, '"');
	}
	return buf_error(out);
}

/* `more`: a label that it has beside those of its series; empty: none. */
static void put_line(struct family *f, const char *end, struct span more, struct json value)
{
	const struct span labels = buf_view(&f->labels);
	if (json_kind(value) != JSON_NUMBER)
		return;
	buf_span(f->out, f->name);
	buf_text(f->out, end);
	if (labels.n + more.n > 0)
		buf_byte(f->out, '{');
	buf_span(f->out, labels);
	buf_text(f->out, labels.n > 0 && more.n > 0 ? "," : "");
	if (more.n > 0) {
		buf_text(f->out, "le=\"");
		buf_span(f->out, more);
		buf_byte(f->out, '"');
	}
	if (labels.n + more.n > 0)
		buf_byte(f->out, '}');
	buf_byte(f->out, ' ');
	buf_span(f->out, value.text);
	buf_byte(f->out, '\n');
}

static enum err put_series(struct family *f, struct json s)
{
	const struct json buckets = json_member(s, "buckets");
	buf_clear(&f->labels);
	const enum err err = put_labels(json_member(s, "labels"), &f->labels);
	if (err)
		return err;
	if (json_is_nil(buckets)) {
		put_line(f, "", SPAN(""), json_member(s, "value"));
		return OK;
	}
	struct json_walk bound = json_each(f->bounds);
	for (struct json_walk n = json_each(buckets); json_next(&n) && json_next(&bound);)
		put_line(f, "_bucket", bound.value.text, n.value);
	put_line(f, "_bucket", SPAN("+Inf"), json_member(s, "count"));
	put_line(f, "_sum", SPAN(""), json_member(s, "sum"));
	put_line(f, "_count", SPAN(""), json_member(s, "count"));
	return OK;
}

static enum err put_family(struct json v, struct buf *out)
{
	OWNED(buf_done) struct buf name = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf type = BUF_INIT(TEXT_BYTES);
	OWNED(buf_done) struct buf help = BUF_INIT(TEXT_BYTES);
	if (!json_text_to(json_member(v, "name"), &name) ||
		!json_text_to(json_member(v, "type"), &type) ||
		!json_text_to(json_member(v, "help"), &help) || !is_name(buf_view(&name), true) ||
		!is_name(buf_view(&type), false))
		return OK;
	buf_text(out, "# HELP ");
	buf_span(out, buf_view(&name));
	buf_byte(out, ' ');
	put_escaped(out, buf_view(&help), false);
	buf_text(out, "\n# TYPE ");
	buf_span(out, buf_view(&name));
	buf_byte(out, ' ');
	buf_span(out, buf_view(&type));
	buf_byte(out, '\n');
	struct family f = {buf_view(&name), json_member(v, "bounds"), out, BUF_INIT(TEXT_BYTES)};
	enum err err = OK;
	for (struct json_walk w = json_each(json_member(v, "series")); !err && json_next(&w);)
		err = put_series(&f, w.value);
	buf_done(&f.labels);
	return err;
}

enum err metrics_write(struct span text, struct buf *out)
{
	const struct json_rules rules = {.max_depth = 8, .has_unique_names = true};
	struct fault why = FAULT_NONE;
	struct json json;
	if (json_scan(text, rules, &json, &why))
		return ERR_MALFORMED;
	const struct json families = json_member(json, "metrics");
	if (json_kind(families) != JSON_ARRAY)
		return ERR_MALFORMED;
	enum err err = OK;
	for (struct json_walk w = json_each(families); !err && json_next(&w);)
		err = put_family(w.value, out);
	return err ? err : buf_error(out);
}
