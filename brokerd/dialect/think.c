/* think.c - one tag looked for at a time; what could begin it stays behind. */
#include "brokerd/dialect/think.h"

#include "protocol/limits.h"

static const char *const open_tags[] = {"<think>", "<thinking>", "<|thinking|>"};
static const char *const close_tags[] = {"</think>", "</thinking>", "<|/thinking|>"};

void think_init(struct think *t, bool is_open)
{
	*t = (struct think){
		.state = is_open ? THINK_INSIDE : THINK_START,
		.held = BUF_INIT(LIMIT_REPLY_BYTES),
	};
}

void think_done(struct think *t)
{
	buf_done(&t->held);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The tag that `text` begins with, or NULL; *may_come: it may become one. */
static const char *tag_at(struct span text, const char *const *tags, size_t n, bool *may_come)
{
	*may_come = false;
	for (size_t i = 0; i < n; i++) {
		const struct span tag = span_str(tags[i]);
		if (span_starts(text, tag))
			return tags[i];
		*may_come = *may_come || span_starts(tag, text);
	}
	return NULL;
}

/* Before anything but white space: is it a tag? False: more must come to know. */
static bool begin(struct think *t)
{
	const struct span held = buf_view(&t->held);
	size_t at = 0;
	bool may_come;
	while (at < held.n && is_blank(held.p[at]))
		at++;
	if (at == held.n)
		return false;
	const char *tag = tag_at(span_skip(held, at), open_tags, COUNT_OF(open_tags), &may_come);
	if (!tag && may_come)
		return false;
	if (tag)
		buf_drop(&t->held, at + strlen(tag));
	t->state = tag ? THINK_INSIDE : THINK_TEXT;
	return true;
}

/* Inside: gives what is no closing tag. False: more must come to know. */
static bool inside(struct think *t, struct buf *thoughts)
{
	const struct span held = buf_view(&t->held);
	size_t at = 0;
	const char *tag = NULL;
	bool may_come = false;
	for (; at < held.n; at++) {
		if (held.p[at] != '<')
			continue;
		tag = tag_at(span_skip(held, at), close_tags, COUNT_OF(close_tags), &may_come);
		if (tag || may_come)
			break;
	}
	buf_span(thoughts, span_first(held, at));
	buf_drop(&t->held, at + (tag ? strlen(tag) : 0));
	if (tag)
		t->state = THINK_AFTER;
	return tag != NULL;
}

/* Behind the tag: two line breaks at the most go with it. False: more must come to know. */
static bool after(struct think *t)
{
	while (t->held.n > 0 && t->n_breaks < 2 && (t->held.p[0] == '\n' || t->held.p[0] == '\r')) {
		t->n_breaks += t->held.p[0] == '\n';
		buf_drop(&t->held, 1);
	}
	if (t->held.n == 0 && t->n_breaks < 2)
		return false;
	t->state = THINK_TEXT;
	return true;
}

void think_add(struct think *t, struct span piece, struct buf *thoughts, struct buf *answer)
{
	bool goes_on = true;
	buf_span(&t->held, piece);
	if (buf_error(&t->held))
		return;
	while (goes_on) {
		switch (t->state) {
		case THINK_START:
			goes_on = begin(t);
			break;
		case THINK_INSIDE:
			goes_on = inside(t, thoughts);
			break;
		case THINK_AFTER:
			goes_on = after(t);
			break;
		case THINK_TEXT:
			buf_span(answer, buf_view(&t->held));
			buf_clear(&t->held);
			goes_on = false;
			break;
		}
	}
}

void think_end(struct think *t, struct buf *thoughts, struct buf *answer)
{
	buf_span(t->state == THINK_INSIDE ? thoughts : answer, buf_view(&t->held));
	buf_clear(&t->held);
}
