/* upstream.c - a table of verbs over transport_scripted.h, with the words of openai-chat. */
#include "tests/story/upstream.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/buf.h"
#include "protocol/base/num.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"
#include "tests/lib/transport_scripted.h"

#define TEXT_BYTES ((size_t)32 * 1024 * 1024)

struct act {
	struct scripted *s;
	const struct command *c;
	const char *name;
};

static struct span rest(const struct act *a)
{
	return command_rest(a->c, 3);
}

static void send(const struct act *a, const struct buf *bytes)
{
	if (buf_error(bytes))
		bail("line %d: too long", a->c->line);
	scripted_body(a->s, buf_view(bytes));
}

/* ---- what it does ---- */

static void connected(const struct act *a)
{
	scripted_connected(a->s);
}

static void sent(const struct act *a)
{
	scripted_sent(a->s);
}

static void put_block(struct buf *to, const struct command *c)
{
	struct span block = c->block, line;
	for (bool is_first = true; block_next(&block, &line); is_first = false) {
		if (!is_first)
			buf_byte(to, '\n');
		buf_span(to, line);
	}
}

/* A header's value; its spaces are written %20. */
static void put_value(struct buf *to, struct span value)
{
	const struct span space = SPAN("%20");
	for (size_t at; (at = span_find(value, space)) < value.n;
		value = span_skip(value, at + space.n)) {
		buf_span(to, span_first(value, at));
		buf_byte(to, ' ');
	}
	buf_span(to, value);
}

/* STATUS NAME=VALUE... */
static void head_of(const struct act *a, const char *preset)
{
	OWNED(buf_done) struct buf headers = BUF_INIT(TEXT_BYTES);
	const struct command *c = a->c;
	if (c->n < 4)
		bail("line %d: a head has a status", c->line);
	buf_text(&headers, preset);
	for (size_t i = 4; i < c->n; i++) {
		struct span value = c->words[i];
		const struct span key = span_cut(&value, '=');
		buf_print(&headers, "%.*s: ", SPAN_ARG(key));
		put_value(&headers, value);
		buf_byte(&headers, '\n');
	}
	buf_byte(&headers, '\0');
	scripted_head(a->s, (int)span_number(c->words[3], c->line), headers.p);
}

static void head(const struct act *a)
{
	head_of(a, "");
}

static void streams(const struct act *a)
{
	scripted_head(a->s, 200, "content-type: text/event-stream\nx-request-id: up-stream\n");
}

static void body(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	put_block(&bytes, a->c);
	send(a, &bytes);
}

static void ends(const struct act *a)
{
	scripted_end(a->s);
}

static void breaks(const struct act *a)
{
	scripted_break(a->s);
}

static void nonsense(const struct act *a)
{
	scripted_nonsense(a->s);
}

/* A whole reply, its body the block. */
static void answers(const struct act *a)
{
	head_of(a, "content-type: application/json\nx-request-id: up-answer\n");
	body(a);
	scripted_end(a->s);
}

/* A whole good answer: INPUT OUTPUT TEXT */
static void replies(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	const struct command *c = a->c;
	const size_t in = span_number(c->words[3], c->line),
		     out = span_number(c->words[4], c->line);
	buf_print(&bytes,
		"{\"id\":\"r\",\"object\":\"chat.completion\",\"created\":1767225600,"
		"\"model\":\"m-as-said\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
		"\"assistant\",\"content\":\"%.*s\"},\"finish_reason\":\"stop\"}],\"usage\":{"
		"\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu}}",
		SPAN_ARG(command_rest(c, 5)), in, out, in + out);
	scripted_head(a->s, 200, "content-type: application/json\nx-request-id: up-reply\n");
	send(a, &bytes);
	scripted_end(a->s);
}

static void put_chunk(struct buf *to, struct span text)
{
	buf_text(to, "data: {\"id\":\"r\",\"object\":\"chat.completion.chunk\",\"created\":"
		     "1767225600,\"model\":\"m-as-said\",\"choices\":[{\"index\":0,\"delta\":{"
		     "\"content\":\"");
	buf_span(to, text);
	buf_text(to, "\"},\"finish_reason\":null}]}\n\n");
}

static void says(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	put_chunk(&bytes, rest(a));
	send(a, &bytes);
}

/* BYTES of text, in chunks of EACH (1000) */
static void floods(const struct act *a)
{
	OWNED(buf_done) struct buf piece = BUF_INIT(TEXT_BYTES);
	size_t left = span_number(a->c->words[3], a->c->line);
	const size_t each = (size_t)command_number(a->c, "each", 1000);
	while (piece.n < each)
		buf_byte(&piece, 'x');
	while (left > 0) {
		OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
		const struct span text = span_first(buf_view(&piece), left);
		put_chunk(&bytes, text);
		send(a, &bytes);
		left -= text.n;
		if (a->s->is_over)
			return;
	}
}

/* One SSE event. */
static void event(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	buf_text(&bytes, "data: ");
	buf_span(&bytes, rest(a));
	buf_text(&bytes, "\n\n");
	send(a, &bytes);
}

/* A comment, which keeps a stream alive and says nothing. */
static void hums(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	buf_text(&bytes, ": keep-alive\n\n");
	send(a, &bytes);
}

/* The end of a stream: INPUT OUTPUT [REASON] */
static void finishes(const struct act *a)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(TEXT_BYTES);
	const struct command *c = a->c;
	const size_t in = span_number(c->words[3], c->line),
		     out = span_number(c->words[4], c->line);
	const struct span reason = c->n > 5 ? c->words[5] : SPAN("stop");
	buf_print(&bytes,
		"data: {\"id\":\"r\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"%."
		"*s\"}]}\n\n"
		"data: {\"id\":\"r\",\"choices\":[],\"usage\":{\"prompt_tokens\":%zu,"
		"\"completion_tokens\":%zu,\"total_tokens\":%zu}}\n\ndata: [DONE]\n\n",
		SPAN_ARG(reason), in, out, in + out);
	send(a, &bytes);
	if (!a->s->is_over)
		scripted_end(a->s);
}

/* ---- what was sent to it, and how it stands ---- */

static bool fits(struct span pattern, struct span text)
{
	OWNED(buf_done) struct buf p = BUF_INIT(TEXT_BYTES), t = BUF_INIT(TEXT_BYTES);
	buf_span(&p, pattern);
	buf_byte(&p, '\0');
	buf_span(&t, text);
	buf_byte(&t, '\0');
	return fnmatch(p.p, t.p, FNM_NOESCAPE) == 0;
}

static void shows(const struct act *a, struct span text, bool wanted)
{
	if (!ok(fits(rest(a), text) == wanted, "%s", a->name))
		diag("it is: %.*s", (int)(text.n < 1500 ? text.n : 1500), text.p);
}

static void is(const struct act *a)
{
	char target[256];
	snprintf(target, sizeof target, "%s/%s", a->s->provider, a->s->model);
	shows(a, span_str(target), true);
}

static void has_url(const struct act *a)
{
	shows(a, span_str(a->s->url), true);
}

static void has_key(const struct act *a)
{
	shows(a, span_str(a->s->key), true);
}

static void has_body(const struct act *a)
{
	shows(a, a->s->body, true);
}

static void lacks(const struct act *a)
{
	shows(a, a->s->body, false);
}

static void is_over(const struct act *a)
{
	ok(a->s->is_over && !a->s->is_cancelled, "%s", a->name);
}

static void is_running(const struct act *a)
{
	ok(!a->s->is_over, "%s", a->name);
}

static void is_cancelled(const struct act *a)
{
	ok(a->s->is_cancelled, "%s", a->name);
}

static void is_paused(const struct act *a)
{
	ok(a->s->is_paused && !a->s->is_over, "%s", a->name);
}

static void is_flowing(const struct act *a)
{
	ok(!a->s->is_paused && !a->s->is_over, "%s", a->name);
}

/* How long it may take in all, in milliseconds. */
static void has_total(const struct act *a)
{
	is_int(a->s->limits.total_us, (int64_t)span_number(a->c->words[3], a->c->line) * 1000, "%s",
		a->name);
}

static const struct verb {
	const char *word;
	void (*act)(const struct act *a);
	bool is_push; /* only while the transfer runs */
} verbs[] = {
	{"connected", connected,    true },
	{"sent",      sent,         true },
	{"head",      head,         true },
	{"streams",   streams,      true },
	{"body",      body,         true },
	{"ends",      ends,         true },
	{"breaks",    breaks,       true },
	{"nonsense",  nonsense,     true },
	{"answers",   answers,      true },
	{"replies",   replies,      true },
	{"says",      says,         true },
	{"floods",    floods,       true },
	{"event",     event,        true },
	{"hums",      hums,         true },
	{"finishes",  finishes,     true },
	{"is",        is,           false},
	{"url",       has_url,      false},
	{"key",       has_key,      false},
	{"asks",      has_body,     false},
	{"lacks",     lacks,        false},
	{"over",      is_over,      false},
	{"running",   is_running,   false},
	{"cancelled", is_cancelled, false},
	{"paused",    is_paused,    false},
	{"flowing",   is_flowing,   false},
	{"total_ms",  has_total,    false},
};

static const struct verb *verb_find(const struct command *c)
{
	for (size_t i = 0; c->n > 2 && i < COUNT_OF(verbs); i++) {
		if (span_is(c->words[2], verbs[i].word))
			return &verbs[i];
	}
	return NULL;
}

bool upstream_command(const struct command *c, const char *name)
{
	size_t first, last;
	if (span_is(c->words[0], "ups") && c->n == 2) {
		is_uint(scripted_count(), span_number(c->words[1], c->line), "%s", name);
		return true;
	}
	const struct verb *v = verb_find(c);
	if (!span_is(c->words[0], "up") || !v)
		return false;
	command_range(c, 1, &first, &last);
	for (size_t i = first; i <= last; i++) {
		if (i < 1 || i > scripted_count()) {
			ok(false, "%s: there is no such transfer", name);
			return true;
		}
		const struct act a = {scripted_at(i - 1), c, name};
		if (v->is_push && a.s->is_over)
			ok(false, "%s: it is over already", name);
		else
			v->act(&a);
	}
	return true;
}

size_t upstream_open(void)
{
	size_t n = 0;
	for (size_t i = 0; i < scripted_count(); i++)
		n += !scripted_at(i)->is_over;
	return n;
}
