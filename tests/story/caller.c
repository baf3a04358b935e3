/* caller.c - the client's end of the protocol, as plainly as it can be. */
#include "tests/story/caller.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/base/list.h"
#include "protocol/frame.h"
#include "tests/lib/event_json.h"
#include "tests/lib/tap.h"

#define HELD_BYTES (256 * MIB)

struct caller *caller_new(struct span name, const char *socket_path, bool with_hello)
{
	struct caller *c = calloc(1, sizeof *c);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (!c || name.n >= sizeof c->name)
		bail("no caller can be made");
	memcpy(c->name, name.p, name.n);
	buf_init(&c->in, HELD_BYTES);
	buf_init(&c->out, HELD_BYTES);
	snprintf(to.sun_path, sizeof to.sun_path, "%s", socket_path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&to, sizeof to) != 0)
		bail("cannot connect to %s: %s", socket_path, strerror(errno));
	if (with_hello) {
		const struct hello h = {.version_min = 1,
			.version_max = 1,
			.client = SPAN("story"),
			.app_name = span_str(c->name)};
		const size_t mark = frame_begin(&c->out, FRAME_HELLO, 0);
		hello_pack(&h, &c->out);
		if (frame_finish(&c->out, mark))
			bail("the hello does not fit");
	}
	return c;
}

void caller_free(struct caller *c)
{
	close(c->fd);
	while (c->heard)
		caller_take(c, c->heard);
	while (c->asked) {
		struct asked *a = c->asked;
		LIST_REMOVE(c->asked, a);
		buf_done(&a->body);
		free(a);
	}
	buf_done(&c->in);
	buf_done(&c->out);
	free(c);
}

/* ---- what comes, as text ---- */

static void put_text(struct buf *to, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			buf_text(to, "\\n");
		else
			buf_byte(to, text.p[i]);
	}
}

static void put_known(struct buf *to, const char *name, int64_t v)
{
	if (v >= 0)
		buf_print(to, " %s=%" PRId64, name, v);
}

static void put_usage(struct buf *to, const struct llm_usage *u)
{
	put_known(to, "input", u->input);
	put_known(to, "cache_read", u->cache_read);
	put_known(to, "output", u->output);
	put_known(to, "reasoning", u->reasoning);
	if (u->cost_nusd >= 0)
		put_known(to, "cost", u->cost_nusd);
	else
		buf_text(to, " cost=?");
}

static void put_fault(struct buf *to, const struct fault *f)
{
	buf_print(to, " %s", err_info(f->err)->word);
	if (f->is_partial)
		buf_text(to, " partial");
	if (f->http_status)
		buf_print(to, " status=%d", f->http_status);
	put_known(to, "retry", f->retry_after_ms);
	if (f->code[0])
		buf_print(to, " code=%s", f->code);
	if (f->param[0])
		buf_print(to, " param=%s", f->param);
	if (f->provider[0])
		buf_print(to, " from=%s", f->provider);
	buf_text(to, ": ");
	put_text(to, span_str(f->message));
}

static void put_event(struct buf *to, const struct llm_event *e)
{
	buf_text(to, event_name(e->type));
	if (e->choice)
		buf_print(to, " choice=%u", (unsigned)e->choice);
	switch (e->type) {
	case EV_START:
		buf_print(to, " %.*s", SPAN_ARG(e->start.model));
		break;
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_TOOL_ARGS:
	case EV_LOGPROBS:
	case EV_RAW:
		buf_byte(to, ' ');
		put_text(to, e->text);
		break;
	case EV_TOOL_START:
		buf_print(to, " %.*s %.*s", SPAN_ARG(e->call.id), SPAN_ARG(e->call.name));
		break;
	case EV_USAGE:
		put_usage(to, &e->usage);
		break;
	case EV_FINISH:
		buf_print(to, " %s", finish_name(e->finish.finish));
		if (e->finish.matched_stop.n > 0)
			buf_print(to, " at=%.*s", SPAN_ARG(e->finish.matched_stop));
		break;
	case EV_WARNING:
		buf_print(
			to, " %.*s %.*s: ", SPAN_ARG(e->warning.code), SPAN_ARG(e->warning.param));
		put_text(to, e->warning.message);
		break;
	case EV_STATUS:
		buf_print(to, " %.*s: ", SPAN_ARG(e->status.word));
		put_text(to, e->status.detail);
		break;
	case EV_END:
		if (e->end.attempts > 0)
			buf_print(to, " %.*s/%.*s attempts=%" PRId64, SPAN_ARG(e->end.provider),
				SPAN_ARG(e->end.model), e->end.attempts);
		if (e->end.cached.source)
			buf_print(to, " %s", cache_source_name(e->end.cached.source));
		if (e->end.cached.source && e->end.cached.age_s >= 0)
			buf_print(to, " age=%" PRId64, e->end.cached.age_s);
		if (e->end.cached.source && e->end.cached.saved_nusd >= 0)
			buf_print(to, " saved=%" PRId64, e->end.cached.saved_nusd);
		if (e->end.cached.score.is_set)
			buf_print(to, " score=%.4g", e->end.cached.score.v);
		put_usage(to, &e->end.usage);
		put_known(to, "ttft_us", e->end.ttft_us);
		put_known(to, "total_us", e->end.total_us);
		break;
	case EV_FAULT:
		put_fault(to, e->fault);
		break;
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		buf_byte(to, ' ');
		event_json(to, e);
		break;
	case EV_HEAD:
		buf_print(to, " %d", e->head.status);
		for (size_t i = 0; i < e->head.n_headers; i++) {
			const struct string_pair *h = &e->head.headers[i];
			if (!span_is(h->key, "x-request-id") && !span_is(h->key, "request-id"))
				buf_print(to, " %.*s=%.*s", SPAN_ARG(h->key), SPAN_ARG(h->value));
		}
		break;
	case EV_OPAQUE:
	case EV_TOOL_END:
	case EV_PART:
		break;
	}
}

static void hear(struct caller *c, uint32_t call, const struct buf *line, size_t text_bytes)
{
	struct heard *h = calloc(1, sizeof *h + line->n + 1);
	if (!h || buf_error(line))
		bail("out of memory");
	h->call = call;
	h->text_bytes = text_bytes;
	memcpy(h->line, line->p, line->n);
	LIST_PUSH(c->heard, h);
}

static void take_frame(struct caller *c, const struct frame *f)
{
	OWNED(buf_done) struct buf line = BUF_INIT(HELD_BYTES);
	OWNED(arena_done) struct arena a;
	struct fault why = FAULT_NONE;
	struct goaway g;
	struct llm_event e = {.type = EV_STATUS};
	int64_t credit = 0;
	size_t text_bytes = 0;
	enum err err;
	arena_init(&a, HELD_BYTES);
	switch (f->type) {
	case FRAME_WELCOME:
		return;
	case FRAME_CREDIT:
		err = credit_unpack(f->body, &credit, &why);
		buf_print(&line, "credit %" PRId64, credit);
		break;
	case FRAME_GOAWAY:
		err = goaway_unpack(f->body, &g, &why);
		if (!err)
			buf_print(&line, "goaway %.*s grace_ms=%" PRId64, SPAN_ARG(g.reason),
				g.grace_ms);
		break;
	default:
		err = event_unpack(f->type, f->body, &a, &e, &why);
		if (err)
			break;
		put_event(&line, &e);
		if (e.type == EV_TEXT)
			text_bytes = e.text.n;
		break;
	}
	if (err) {
		buf_clear(&line);
		buf_print(&line, "BAD FRAME %d: %s", f->type, why.message);
	}
	hear(c, f->call, &line, text_bytes);
}

static void hear_frames(struct caller *c)
{
	struct span left = buf_view(&c->in);
	for (;;) {
		struct frame f;
		struct fault why = FAULT_NONE;
		const enum err err = frame_take(&left, &f, NULL, &why);
		if (err == ERR_MORE)
			break;
		if (err) {
			OWNED(buf_done) struct buf line = BUF_INIT(4096);
			buf_print(&line, "NO FRAME: %s", why.message);
			hear(c, 0, &line, 0);
			c->is_closed = true;
			left = SPAN("");
			break;
		}
		take_frame(c, &f);
	}
	buf_drop(&c->in, c->in.n - left.n);
}

static bool caller_read(struct caller *c)
{
	char bytes[65536];
	bool did = false;
	while (!c->is_deaf && !c->is_closed) {
		const ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
		if (n < 0 && errno == EAGAIN)
			break;
		did = true;
		if (n > 0) {
			buf_put(&c->in, bytes, (size_t)n);
			continue;
		}
		OWNED(buf_done) struct buf line = BUF_INIT(64);
		hear_frames(c);
		buf_text(&line, "closed");
		hear(c, 0, &line, 0);
		c->is_closed = true;
	}
	hear_frames(c);
	return did;
}

static bool caller_write(struct caller *c)
{
	size_t sent = 0;
	while (sent < c->out.n && !c->is_closed) {
		const ssize_t n =
			send(c->fd, c->out.p + sent, c->out.n - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	buf_drop(&c->out, sent);
	return sent > 0;
}

bool caller_turn(struct caller *c)
{
	const bool has_written = caller_write(c);
	return caller_read(c) || has_written;
}

struct heard *caller_heard(const struct caller *c, uint32_t call)
{
	struct heard *h;
	LIST_EACH(c->heard, h) {
		if (h->call == call)
			return h;
	}
	return NULL;
}

void caller_take(struct caller *c, struct heard *h)
{
	LIST_REMOVE(c->heard, h);
	free(h);
}

/* ---- what is said ---- */

static void finish(struct caller *c, size_t mark)
{
	if (frame_finish(&c->out, mark))
		bail("the story's frame does not fit");
}

static struct asked *asked_find(const struct caller *c, uint32_t number)
{
	struct asked *a, *found = NULL;
	LIST_EACH(c->asked, a) {
		if (a->call == number)
			found = a;
	}
	if (!found)
		bail("%s has not made call %u", c->name, (unsigned)number);
	return found;
}

void caller_call(
	struct caller *c, uint32_t number, struct call *call, struct span body, bool is_inline)
{
	struct asked *a = calloc(1, sizeof *a);
	if (!a)
		bail("out of memory");
	a->call = number;
	buf_init(&a->body, HELD_BYTES);
	buf_span(&a->body, body);
	LIST_PUSH(c->asked, a);
	if (is_inline) {
		call->body = body;
		a->sent = body.n;
	}
	const size_t mark = frame_begin(&c->out, FRAME_CALL, number);
	call_pack(call, &c->out);
	finish(c, mark);
}

size_t caller_unsent(const struct caller *c, uint32_t number)
{
	const struct asked *a = asked_find(c, number);
	return a->body.n - a->sent;
}

void caller_data(struct caller *c, uint32_t number, size_t n, bool is_last)
{
	struct asked *a = asked_find(c, number);
	while (a->body.n - a->sent < n)
		buf_byte(&a->body, 'x');
	do {
		const struct span all = span_skip(buf_view(&a->body), a->sent);
		const struct span piece =
			span_first(all, n < LIMIT_DATA_BYTES ? n : LIMIT_DATA_BYTES);
		n -= piece.n;
		a->sent += piece.n;
		const struct data d = {piece, is_last && n == 0};
		const size_t mark = frame_begin(&c->out, FRAME_DATA, number);
		data_pack(&d, &c->out);
		finish(c, mark);
	} while (n > 0);
}

void caller_cancel(struct caller *c, uint32_t number)
{
	const size_t mark = frame_begin(&c->out, FRAME_CANCEL, number);
	cancel_pack(&c->out);
	finish(c, mark);
}

void caller_credit(struct caller *c, uint32_t number, int64_t bytes)
{
	const size_t mark = frame_begin(&c->out, FRAME_CREDIT, number);
	credit_pack(bytes, &c->out);
	finish(c, mark);
}

void caller_raw(struct caller *c, struct span bytes)
{
	buf_span(&c->out, bytes);
}
