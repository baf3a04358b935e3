/* transport_scripted.c - transport.h without a network. */
#include "tests/lib/transport_scripted.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/transport/sign.h"
#include "brokerd/transport/stage.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

/* What was pushed while its reader was paused. */
struct piece {
	struct piece *prev, *next;
	size_t n;
	char bytes[];
};

struct transfer {
	struct scripted seen;
	struct transport *transport;
	struct transfer_events events;
	struct stages stages;
	struct loop_task deliver;
	struct arena arena;
	struct signature *signature;
	struct piece *pieces;
	int64_t received_bytes;
	struct transfer_end end;
};

struct transport {
	struct loop *loop;
	struct signer *signer;
	struct transfer **transfers;
	size_t n, cap;
	struct fault refusal; /* of the next start */
};

static struct transport *last;

static struct transfer *transfer_of(struct scripted *s)
{
	return container_of(s, struct transfer, seen);
}

size_t scripted_count(void)
{
	return last ? last->n : 0;
}

struct scripted *scripted_at(size_t i)
{
	if (i >= scripted_count()) {
		(void)fprintf(stderr, "transport_scripted: no transfer %zu of %zu\n", i,
			scripted_count());
		abort();
	}
	return &last->transfers[i]->seen;
}

struct scripted *scripted_last(void)
{
	return scripted_at(scripted_count() - 1);
}

void scripted_refuse(enum err err, const char *message)
{
	assert(last && err);
	fault_set(&last->refusal, err, "%s", message);
}

/* ---- the end ---- */

static void measure(struct transfer *x)
{
	x->end.has_sent_body = x->seen.has_sent_body;
	x->end.sent_bytes = x->seen.has_sent_body ? (int64_t)x->seen.body.n : 0;
	x->end.received_bytes = x->received_bytes;
	x->end.connect_us = x->stages.connect_us;
	x->end.first_byte_us = x->stages.first_byte_us;
	x->end.total_us = loop_now_us(x->transport->loop) - x->stages.began_us;
}

static void let_go(struct transfer *x)
{
	x->seen.is_over = true;
	stages_stop(&x->stages);
	loop_task_stop(&x->deliver);
	signature_unref(x->signature);
	x->signature = NULL;
	while (x->pieces) {
		struct piece *p = x->pieces;
		LIST_REMOVE(x->pieces, p);
		free(p);
	}
}

/* Hands out what waits, unless it is paused again; then the end, if it came. */
static void deliver(struct transfer *x)
{
	while (x->pieces && !x->seen.is_paused && !x->seen.is_over) {
		struct piece *p = x->pieces;
		LIST_REMOVE(x->pieces, p);
		stages_moved(&x->stages);
		x->received_bytes += (int64_t)p->n;
		x->events.on_body(x->events.context, span_of(p->bytes, p->n));
		free(p);
	}
	if (!x->seen.has_ended || x->pieces || x->seen.is_over)
		return;
	measure(x);
	let_go(x);
	x->events.on_end(x->events.context, &x->end);
}

static void on_deliver(struct loop_task *t)
{
	deliver(container_of(t, struct transfer, deliver));
}

static void cut_now(struct transfer *x, enum cut cut, const char *code, const char *message)
{
	assert(!x->seen.is_over);
	x->end.err = cut_verdict(cut, x->seen.has_sent_body, x->seen.has_head);
	fault_set(&x->end.why, x->end.err, "%s: %s", x->seen.url, message);
	fault_text(x->end.why.code, sizeof x->end.why.code, span_str(code));
	fault_text(x->end.why.provider, sizeof x->end.why.provider, span_str(x->seen.provider));
	x->seen.has_ended = true;
	deliver(x);
}

static const char *stage_word(const struct transfer *x)
{
	static const char *const words[] = {
		[STAGE_CONNECT] = "connect",
		[STAGE_SEND] = "send",
		[STAGE_WAIT] = "first_byte",
		[STAGE_BODY] = "body",
		[STAGE_OVER] = "body",
	};
	return words[x->stages.at];
}

static void on_late(struct stages *s, const char *limit)
{
	struct transfer *x = container_of(s, struct transfer, stages);
	cut_now(x, CUT_LATE, limit, "not done in time");
}

/* ---- what the test says ---- */

void scripted_connected(struct scripted *s)
{
	assert(!s->is_over);
	stages_enter(&transfer_of(s)->stages, STAGE_SEND);
}

void scripted_sent(struct scripted *s)
{
	struct transfer *x = transfer_of(s);
	scripted_connected(s);
	stages_enter(&x->stages, STAGE_WAIT);
	x->seen.has_sent_body = true;
}

void scripted_head(struct scripted *s, int status, const char *headers)
{
	struct transfer *x = transfer_of(s);
	struct http_header fields[64];
	struct http_head head = {.status = status, .headers = fields};
	struct span rest = span_str(headers);
	assert(!x->seen.has_head);
	scripted_sent(s);
	while (rest.n > 0) {
		struct span line = span_cut(&rest, '\n');
		assert(head.n_headers < COUNT_OF(fields));
		struct http_header *h = &fields[head.n_headers++];
		h->name = span_cut(&line, ':');
		h->value = span_trim(line);
	}
	x->seen.has_head = true;
	stages_enter(&x->stages, STAGE_BODY);
	x->events.on_head(x->events.context, &head);
}

void scripted_body(struct scripted *s, struct span bytes)
{
	struct transfer *x = transfer_of(s);
	assert(x->seen.has_head && !s->is_over && !x->seen.has_ended);
	struct piece *p = malloc(sizeof *p + bytes.n);
	if (!p)
		abort();
	p->n = bytes.n;
	memcpy(p->bytes, bytes.p, bytes.n);
	LIST_PUSH(x->pieces, p);
	deliver(x);
}

void scripted_text(struct scripted *s, const char *bytes)
{
	scripted_body(s, span_str(bytes));
}

void scripted_end(struct scripted *s)
{
	struct transfer *x = transfer_of(s);
	assert(x->seen.has_head && !s->is_over);
	x->end.err = OK;
	x->seen.has_ended = true;
	deliver(x);
}

void scripted_break(struct scripted *s)
{
	struct transfer *x = transfer_of(s);
	cut_now(x, CUT_CONNECTION, stage_word(x), "the connection broke");
}

void scripted_nonsense(struct scripted *s)
{
	struct transfer *x = transfer_of(s);
	scripted_sent(s);
	cut_now(x, CUT_REPLY, stage_word(x), "the reply is no HTTP");
}

/* ---- transport.h ---- */

static const char *copy(struct transfer *x, struct span text)
{
	const char *c = arena_str(&x->arena, text);
	if (!c)
		abort();
	return c;
}

static void look_at(struct transfer *x, const struct http_request *r, const struct target *target)
{
	OWNED(buf_done) struct buf headers = BUF_INIT(LIMIT_HEADERS_BYTES);
	for (size_t i = 0; i < r->n_headers; i++)
		buf_print(&headers, "%.*s: %.*s\n", SPAN_ARG(r->headers[i].name),
			SPAN_ARG(r->headers[i].value));
	x->seen.headers = copy(x, buf_view(&headers));
	x->seen.method = copy(x, r->method);
	x->seen.url = copy(x, r->url);
	x->seen.body = span_of(copy(x, r->body), r->body.n);
	x->seen.provider = copy(x, target->provider);
	x->seen.model = copy(x, target->model);
	x->seen.key = copy(x, target->key);
}

static void forget(struct transfer *x)
{
	let_go(x);
	arena_done(&x->arena);
	free(x);
}

static enum err check(struct transfer *x, const struct http_request *r, const struct target *target,
	struct secret *secret, struct fault *why)
{
	OWNED(buf_done) struct buf origin = BUF_INIT(4 * KIB);
	const enum err err = http_origin(r->url, &origin, why);
	if (err)
		return err;
	const struct signing what = {
		buf_view(&origin), r, target, loop_wall_us(x->transport->loop) / 1000000};
	return sign(x->transport->signer, &what, secret, &x->signature, why);
}

enum err transport_start(struct transport *t, const struct http_request *request,
	const struct target *target, struct secret *secret, const struct transfer_limits *limits,
	const struct transfer_events *events, struct transfer **out, struct fault *why)
{
	*out = NULL;
	if (t->refusal.err) {
		const struct fault refusal = t->refusal;
		t->refusal = FAULT_NONE;
		if (why)
			*why = refusal;
		return refusal.err;
	}
	struct transfer *x = calloc(1, sizeof *x);
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->transfers = realloc(t->transfers, t->cap * sizeof(struct transfer *));
	}
	if (!x || !t->transfers)
		abort();
	x->transport = t;
	arena_init(&x->arena, 2 * LIMIT_BODY_BYTES);
	const enum err err = check(x, request, target, secret, why);
	if (err) {
		forget(x);
		return err;
	}
	look_at(x, request, target);
	x->seen.number = t->n;
	x->seen.limits = *limits;
	x->seen.has_secret = secret != NULL;
	x->events = *events;
	x->deliver.on_run = on_deliver;
	x->stages.on_late = on_late;
	x->end = (struct transfer_end){.why = FAULT_NONE};
	stages_start(&x->stages, t->loop, limits);
	t->transfers[t->n++] = x;
	*out = x;
	return OK;
}

void transfer_until(struct transfer *x, int64_t due_us)
{
	stages_until(&x->stages, due_us);
}

void transfer_pause(struct transfer *x)
{
	x->seen.is_paused = true;
	stages_pause(&x->stages, true);
}

void transfer_resume(struct transfer *x)
{
	if (!x->seen.is_paused)
		return;
	x->seen.is_paused = false;
	stages_pause(&x->stages, false);
	loop_later(x->transport->loop, &x->deliver);
}

bool transfer_has_sent_body(const struct transfer *x)
{
	return x->seen.has_sent_body;
}

void transfer_cancel(struct transfer *x, struct transfer_end *end)
{
	assert(!x->seen.is_over);
	measure(x);
	x->end.err = ERR_CANCELLED;
	fault_set(&x->end.why, ERR_CANCELLED, "the request was cancelled");
	x->seen.is_cancelled = true;
	let_go(x);
	if (end)
		*end = x->end;
}

void transport_forget_connections(struct transport *t)
{
	(void)t;
}

size_t transport_active(const struct transport *t)
{
	size_t n = 0;
	for (size_t i = 0; i < t->n; i++)
		n += !t->transfers[i]->seen.is_over;
	return n;
}

struct transport *transport_new(struct loop *l, struct workers *w, struct fault *why)
{
	struct transport *t = calloc(1, sizeof *t);
	(void)w;
	if (!t)
		abort();
	t->loop = l;
	t->refusal = FAULT_NONE;
	t->signer = signer_new(why);
	if (!t->signer) {
		free(t);
		return NULL;
	}
	last = t;
	return t;
}

void transport_free(struct transport *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		forget(t->transfers[i]);
	free(t->transfers);
	signer_free(t->signer);
	if (last == t)
		last = NULL;
	free(t);
}
