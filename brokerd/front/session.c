/* session.c - reading, one switch over frame types, and writing once a turn. */
#include "brokerd/front/session.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "brokerd/exchange/exchange.h"
#include "brokerd/front/admission.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/base/num.h"
#include "protocol/control.h"
#include "protocol/frame.h"
#include "protocol/limits.h"

#define SCRATCH_BYTES   (64 * KIB)
#define OUT_FULL_BYTES  (256 * KIB) /* more waits in the flights, where it is bounded and felt */
#define TURN_BYTES      (64 * KIB) /* what one call may write of that before the next has its turn */
#define OUT_LIMIT_BYTES (4 * MIB)  /* control frames alone cannot reach it */
#define STALL_US        INT64_C(30000000)
#define ADMIN_BODIES    4 /* that may be coming at once: these have no deadline */

enum session_state {
	HELLO,   /* nothing but a hello may come */
	OPEN,    /* calls may be made */
	CLOSING, /* what is written goes out; nothing is read any more */
};

struct open_call {
	struct open_call *prev, *next;
	struct session *session;
	uint32_t number;
	int64_t credit;            /* what we may send of the answer */
	int64_t upload;            /* what the client may send of the body */
	struct exchange *exchange; /* a typed call, or */
	struct admin_call *admin;  /* an administrative one under way, or */
	struct buf admin_body;     /* one whose body is still coming, or */
	struct buf answer;         /* one that is answered: its JSON */
	size_t answered;           /* how much of that is written */
	bool is_answered;
	char *admin_op;
	bool is_ready;   /* there may be something to write */
	bool is_blocked; /* there is, and no credit for it */
};

struct session {
	struct session *prev, *next;
	struct sessions *all;
	struct loop *loop;
	int fd;
	enum session_state state;
	struct loop_io io;
	struct loop_task flush;
	struct loop_timer timer; /* for the hello; later for a client that stopped reading */
	struct peer_id peer;
	struct identity *identity; /* what its like have of the broker, all together */
	struct buf in, out;
	size_t sent; /* bytes of `out` that are gone */
	struct open_call *calls;
	size_t n_calls;
	int64_t progress_us; /* when the client last took or granted something */
	bool is_draining;
	bool is_doubted; /* who writes must show that it is who connected */
	bool may_pass;   /* descriptors, which the next call may want */
	struct passed passed;
};

static void session_flush(struct session *s);

/* ---- writing ---- */

static bool has_output(const struct session *s)
{
	return s->sent < s->out.n;
}

static bool has_room(const struct session *s)
{
	return s->out.n - s->sent < OUT_FULL_BYTES;
}

static void later(struct session *s)
{
	loop_later(s->loop, &s->flush);
}

static void watch(struct session *s)
{
	int what = 0;
	if (s->state != CLOSING && has_room(s))
		what |= LOOP_READ;
	if (has_output(s))
		what |= LOOP_WRITE;
	loop_io_set(s->loop, &s->io, s->fd, what ? what : LOOP_WRITE);
}

/* The last frame: what follows is only the writing of it. */
static void session_close_with(struct session *s, const struct fault *why)
{
	const size_t mark = frame_begin(&s->out, FRAME_FAULT, 0);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &s->out);
	log_info("session.refused", "uid=%u pid=%d class=%s", (unsigned)s->peer.uid,
		(int)s->peer.pid, err_info(why->err)->word);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	s->state = CLOSING;
	later(s);
}

/* A fault of one call that has no exchange to say it. */
static void refuse_call(struct session *s, uint32_t number, const struct fault *why)
{
	const size_t mark = frame_begin(&s->out, FRAME_FAULT, number);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &s->out);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	later(s);
}

void session_refuse(int fd, const struct fault *why)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_FRAME_BYTES);
	const size_t mark = frame_begin(&out, FRAME_FAULT, 0);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &out);
	if (frame_finish(&out, mark) != OK)
		return;
	const ssize_t sent = send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent; /* a new connection's buffer takes it; if not, it is closed without a word */
}

/* ---- what is refused ---- */

/* What a call would do, in one word. */
static struct span call_subject(const struct call *c)
{
	switch (c->kind) {
	case CALL_TYPED:
		return span_str(llm_op_name(c->op));
	case CALL_ADMIN:
		return span_first(c->admin_op, 64);
	case CALL_RELAY:
		return span_first(c->surface.surface, 64);
	case CALL_NATIVE:
		return span_first(c->surface.provider, 64);
	}
	return SPAN_NONE;
}

static void note_denied(
	const struct session *s, const char *what, struct span subject, const struct fault *why)
{
	const struct audit_event e = {.what = what,
		.who = &s->peer,
		.verdict = AUDIT_DENIED,
		.err = why->err,
		.subject = subject,
		.detail = span_str(why->message)};
	audit_record(s->all->organs->audit, &e);
}

/* ---- calls ---- */

static struct open_call *call_find(struct session *s, uint32_t number)
{
	struct open_call *c;
	LIST_EACH(s->calls, c) {
		if (c->number == number)
			return c;
	}
	return NULL;
}

static void call_free(struct open_call *c)
{
	struct session *s = c->session;
	LIST_REMOVE(s->calls, c);
	s->n_calls--;
	s->identity->n_calls -= c->exchange != NULL;
	exchange_free(c->exchange);
	if (c->admin)
		admin_abandon(c->admin);
	buf_wipe(&c->admin_body);
	buf_done(&c->answer);
	free(c->admin_op);
	free(c);
	s->all->on_change(s->all->context);
}

static void on_call_ready(void *context)
{
	struct open_call *c = context;
	c->is_ready = true;
	later(c->session);
}

static struct open_call *call_new(struct session *s, uint32_t number, int64_t credit)
{
	struct open_call *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->session = s;
	c->number = number;
	c->credit = credit;
	c->upload = (int64_t)LIMIT_CREDIT_BYTES;
	buf_init(&c->admin_body, LIMIT_INLINE_BYTES);
	buf_init(&c->answer, LIMIT_BODY_BYTES);
	LIST_PUSH(s->calls, c);
	s->n_calls++;
	return c;
}

/* An administrative call is done: its JSON waits for credit like every answer, a fault does not. */
static void on_admin_done(void *context, struct span json, const struct fault *why)
{
	struct open_call *c = context;
	struct session *s = c->session;
	struct fault own = *why;
	c->admin = NULL;
	buf_span(&c->answer, json);
	if (!own.err && buf_error(&c->answer))
		fault_set(&own, buf_error(&c->answer), "the answer cannot be held");
	if (own.err) {
		refuse_call(s, c->number, &own);
		call_free(c);
		return;
	}
	c->is_answered = true;
	c->is_ready = true;
	later(s);
}

static enum err admin_begin(
	struct open_call *c, struct span op, struct span body, struct fault *why)
{
	struct session *s = c->session;
	const struct admin_reply reply = {on_admin_done, c};
	c->admin = admin_new(s->all->admin, &s->peer, &s->passed, op, body, &reply);
	return c->admin ? OK : fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
}

/* Administrative calls whose bodies are still coming. */
static int admin_bodies(const struct session *s)
{
	const struct open_call *c;
	int n = 0;
	LIST_EACH(s->calls, c)
		n += c->admin_op != NULL;
	return n;
}

/* A call that is no administrative one. */
static enum err exchange_begin(struct open_call *c, const struct call *call,
	const struct exchange_bounds *bounds, struct fault *why)
{
	struct session *s = c->session;
	const struct exchange_caller caller = {on_call_ready, c};
	c->exchange = exchange_new(s->all->organs, &s->peer, bounds, call, &caller);
	if (!c->exchange)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	s->identity->n_calls++;
	s->identity->calls++;
	return OK;
}

/* An administrative one, whose body may still come. */
static enum err admin_open(struct open_call *c, const struct call *call, struct fault *why)
{
	if (span_is_set(call->body))
		return admin_begin(c, call->admin_op, call->body, why);
	if (admin_bodies(c->session) >= ADMIN_BODIES)
		return fault_set(why, ERR_OVERLOADED,
			"%d administrative calls of this connection wait for their bodies, which "
			"is "
			"the limit",
			ADMIN_BODIES);
	c->admin_op = strndup(call->admin_op.p, call->admin_op.n);
	if (!c->admin_op)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	buf_init(&c->admin_body, admin_body_max(call->admin_op));
	return OK;
}

/* How many calls may it have under way, beside those that it has? */
static enum err check_room(const struct session *s, const struct call *call,
	const struct policy_rule *rule, struct fault *why)
{
	const struct config *c = s->all->organs->config;
	const int64_t limit = rule && rule->max_calls > 0 ? rule->max_calls : c->max_calls;
	if (s->n_calls >= LIMIT_CALLS)
		return fault_set(why, ERR_OVERLOADED,
			"%zu calls are open on this connection, which is the limit", s->n_calls);
	if (call->kind != CALL_ADMIN && (int64_t)s->identity->n_calls >= limit)
		return fault_set(why, ERR_OVERLOADED,
			"%zu requests of yours are in flight, which is the limit (max_calls)",
			s->identity->n_calls);
	return OK;
}

/* A public API's program reads a refusal in the words of that API. */
static bool has_envelope(const struct call *call)
{
	return call->kind == CALL_RELAY || call->kind == CALL_NATIVE;
}

static enum err call_begin(
	struct session *s, uint32_t number, const struct call *call, struct fault *why)
{
	struct organs *o = s->all->organs;
	struct exchange_bounds bounds = {
		.allowance = {.rule = policy_find(o->config, &s->peer, o->own_uid)}};
	if (s->is_draining)
		return fault_set(why, ERR_RESTARTING, "%s", err_info(ERR_RESTARTING)->sentence);
	enum err err = admission_check(o, &s->peer, call, &bounds.allowance, why);
	if (err == ERR_DENIED || err == ERR_CONSENT)
		note_denied(s, "denied.call", call_subject(call), why);
	if (err && has_envelope(call))
		bounds.refusal = why;
	else if (err)
		return err;
	err = check_room(s, call, bounds.allowance.rule, why);
	if (err)
		return err;
	struct open_call *c = call_new(s, number, call->credit_bytes);
	if (!c)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	err = call->kind == CALL_ADMIN ? admin_open(c, call, why)
				       : exchange_begin(c, call, &bounds, why);
	if (err)
		call_free(c);
	return err;
}

/* ---- one frame ---- */

static enum err take_hello(
	struct session *s, const struct frame *f, struct arena *a, struct fault *why)
{
	struct hello h;
	const enum err err = hello_unpack(f->body, a, &h, why);
	if (err)
		return err;
	peer_label(&s->peer, h.app_name);
	OWNED(buf_done) struct buf who = BUF_INIT(4 * KIB);
	peer_json(&s->peer, &who);
	const struct welcome w = {
		.version = PROTOCOL_VERSION,
		.broker = SPAN("llm-brokerd " LLM_BROKER_VERSION),
		.identity = buf_view(&who),
		.credit_bytes = (int64_t)LIMIT_CREDIT_BYTES,
		.max_body_bytes = (int64_t)LIMIT_BODY_BYTES,
	};
	const size_t mark = frame_begin(&s->out, FRAME_WELCOME, 0);
	welcome_pack(&w, &s->out);
	const enum err unsent = frame_finish(&s->out, mark);
	if (unsent)
		return unsent;
	loop_timer_stop(&s->timer);
	s->state = OPEN;
	later(s);
	return OK;
}

static enum err take_call(
	struct session *s, const struct frame *f, struct arena *a, struct fault *why)
{
	struct call call;
	if (f->call == 0)
		return fault_set(why, ERR_PROTOCOL, "a call's number is never 0");
	if (call_find(s, f->call))
		return fault_set(why, ERR_PROTOCOL, "call %u is open already", f->call);
	/* what is wrong with the call is the call's fault, not the connection's */
	struct fault own = FAULT_NONE;
	enum err err = call_unpack(f->body, a, &call, &own);
	if (!err)
		err = call_begin(s, f->call, &call, &own);
	if (err && !own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	if (err)
		refuse_call(s, f->call, &own);
	return OK;
}

/* The other side may send as much again as was just taken. */
static void grant(struct session *s, uint32_t number, size_t bytes)
{
	const size_t mark = frame_begin(&s->out, FRAME_CREDIT, number);
	credit_pack((int64_t)bytes, &s->out);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	later(s);
}

static bool is_free(int frame_type)
{
	return frame_type == FRAME_END || frame_type == FRAME_FAULT;
}

/* A call ends with a fault. Its exchange tells it, unless that has ended well and what is left of its
 * answer cannot or need not be read. */
static void call_fail(struct open_call *c, const struct fault *why)
{
	struct fault said = *why;
	int type;
	struct span body;
	if (c->exchange) {
		exchange_cancel(c->exchange, why);
		c->is_blocked = false;
		on_call_ready(c);
		if (!exchange_peek(c->exchange, &type, &body) || is_free(type))
			return;
		fault_text(said.request_id, sizeof said.request_id,
			span_str(exchange_id(c->exchange)));
	}
	refuse_call(c->session, c->number, &said);
	call_free(c);
}

static enum err admin_data(struct open_call *c, const struct data *d, struct fault *why)
{
	buf_span(&c->admin_body, d->bytes);
	if (buf_error(&c->admin_body))
		return fault_set(why, buf_error(&c->admin_body),
			"this administrative call takes %zu bytes at most",
			admin_body_max(span_str(c->admin_op)));
	if (!d->is_last)
		return OK;
	OWNED(buf_wipe) struct buf body = c->admin_body;
	char *op = TAKE(c->admin_op);
	buf_init(&c->admin_body, LIMIT_INLINE_BYTES);
	const enum err err = admin_begin(c, span_str(op), buf_view(&body), why);
	free(op);
	return err;
}

static enum err take_data(struct session *s, const struct frame *f, struct fault *why)
{
	struct data d;
	const enum err err = data_unpack(f->body, &d, why);
	if (err)
		return err;
	struct open_call *c = call_find(s, f->call);
	if (!c)
		return OK; /* it has ended meanwhile, which its client may not know yet */
	struct fault own = FAULT_NONE;
	enum err bad = OK;
	if (c->upload <= 0)
		bad = fault_set(&own, ERR_PROTOCOL, "call %u has no credit for data", f->call);
	else if (c->exchange)
		bad = exchange_body(c->exchange, &d, &own);
	else if (c->admin_op)
		bad = admin_data(c, &d, &own);
	else
		bad = fault_set(&own, ERR_PROTOCOL, "data after the last piece of the body");
	if (bad) {
		if (!own.err)
			fault_set(&own, bad, "%s", err_info(bad)->sentence);
		if (c->exchange)
			exchange_refuse(c->exchange, &own);
		else
			call_fail(c, &own);
		return OK;
	}
	if (d.is_last)
		return OK; /* the call may have ended with it */
	c->upload -= (int64_t)f->length;
	if (c->upload < (int64_t)LIMIT_CREDIT_BYTES / 2) {
		grant(s, f->call, LIMIT_CREDIT_BYTES / 2);
		c->upload += (int64_t)LIMIT_CREDIT_BYTES / 2;
	}
	return OK;
}

static void take_cancel(struct session *s, const struct frame *f)
{
	struct open_call *c = call_find(s, f->call);
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_CANCELLED, "cancelled by the caller");
	if (c)
		call_fail(c, &why);
}

static enum err take_credit(struct session *s, const struct frame *f, struct fault *why)
{
	int64_t bytes;
	const enum err err = credit_unpack(f->body, &bytes, why);
	if (err)
		return err;
	struct open_call *c = call_find(s, f->call);
	if (!c)
		return OK;
	if (bytes > (int64_t)LIMIT_CREDIT_MAX_BYTES - c->credit) {
		struct fault own = FAULT_NONE;
		fault_set(&own, ERR_PROTOCOL, "call %u has more than %zu bytes of credit", f->call,
			LIMIT_CREDIT_MAX_BYTES);
		call_fail(c, &own);
		return OK;
	}
	c->credit += bytes;
	c->is_blocked = false;
	c->is_ready = true;
	s->progress_us = loop_now_us(s->loop);
	later(s);
	return OK;
}

/* A connection that was handed down may have one program after the other: each begins anew. */
static bool is_hello_again(const struct session *s, const struct frame *f)
{
	return f->type == FRAME_HELLO && s->state == OPEN && s->n_calls == 0 &&
	       s->peer.socket == PEER_SOCKET_HANDED;
}

static enum err take_frame(struct session *s, const struct frame *f, struct fault *why)
{
	OWNED(arena_done) struct arena a;
	arena_init(&a, MIB);
	if ((s->state == HELLO) != (f->type == FRAME_HELLO) && !is_hello_again(s, f))
		return fault_set(why, ERR_PROTOCOL, "a %s frame may not come %s",
			frame_name(f->type), s->state == HELLO ? "before the hello" : "now");
	switch (f->type) {
	case FRAME_HELLO:
		return take_hello(s, f, &a, why);
	case FRAME_CALL:
		return take_call(s, f, &a, why);
	case FRAME_DATA:
		return take_data(s, f, why);
	case FRAME_CANCEL:
		take_cancel(s, f);
		return OK;
	case FRAME_CREDIT:
		return take_credit(s, f, why);
	default:
		return fault_set(why, ERR_PROTOCOL, "a client does not send frames of type %d (%s)",
			f->type, frame_name(f->type));
	}
}

/* ---- reading ---- */

/* Takes all whole frames off the front of `bytes`; returns what is left. What was taken is wiped:
 * an administrative call may carry a key. */
static struct span take_frames(struct session *s, struct span bytes)
{
	while (bytes.n > 0 && s->state != CLOSING) {
		struct frame f;
		struct fault why = FAULT_NONE;
		const struct span before = bytes;
		enum err err = frame_take(&bytes, &f, NULL, &why);
		if (err == ERR_MORE)
			break;
		if (!err)
			err = take_frame(s, &f, &why);
		if (err) {
			if (!why.err)
				fault_set(&why, err, "%s", err_info(err)->sentence);
			session_close_with(s, &why);
		}
		if (bytes.n < before.n)
			explicit_bzero((void *)(uintptr_t)before.p, before.n - bytes.n);
	}
	return bytes;
}

static int64_t now_s(const struct sessions *all)
{
	return loop_wall_us(all->organs->loop) / 1000000;
}

static void session_free(struct session *s)
{
	while (s->calls)
		call_free(s->calls);
	loop_io_stop(&s->io);
	loop_task_stop(&s->flush);
	loop_timer_stop(&s->timer);
	close(s->fd);
	passed_close(&s->passed);
	buf_wipe(&s->in);
	buf_done(&s->out);
	struct sessions *all = s->all;
	if (s->identity)
		identity_leave(&all->admin->identities, s->identity, now_s(all));
	LIST_REMOVE(all->all, s);
	all->n--;
	all->admin->n_connections = all->n;
	free(s);
	all->on_change(all->context);
}

static enum err admit(struct session *s, struct fault *why);

/* The first bytes are here, and their sender is known: another than who connected is nobody we know. */
static void settle_doubt(struct session *s, pid_t sender)
{
	struct identities *t = &s->all->admin->identities;
	struct fault why = FAULT_NONE;
	s->is_doubted = false;
	if (sender == s->peer.pid)
		return;
	peer_doubt(&s->peer);
	struct identity *unknown = identity_join(t, &s->peer, now_s(s->all));
	if (unknown) {
		identity_leave(t, s->identity, now_s(s->all));
		s->identity = unknown;
	}
	if (!unknown || admit(s, &why) != OK) {
		if (!why.err)
			fault_set(&why, ERR_NO_MEMORY, "out of memory for a connection");
		session_close_with(s, &why);
	}
}

/* Descriptors stay until the next ones come. */
static ssize_t receive(struct session *s, char *to)
{
	struct passed came;
	if (!s->is_doubted && !s->may_pass)
		return recv(s->fd, to, SCRATCH_BYTES, 0);
	const ssize_t n = evidence_recv(s->fd, to, SCRATCH_BYTES, &came);
	if (n > 0 && s->is_doubted)
		settle_doubt(s, came.sender);
	if (!s->may_pass)
		passed_close(&came);
	if (came.n > 0) {
		passed_close(&s->passed);
		s->passed = came;
	}
	return n;
}

/* False: the connection is over and the session freed. */
static bool session_read(struct session *s)
{
	char *scratch = s->all->scratch;
	const ssize_t n = receive(s, scratch);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		session_free(s);
		return false;
	}
	struct span bytes = span_of(scratch, (size_t)n);
	if (s->in.n > 0) {
		buf_span(&s->in, bytes);
		const struct span left = take_frames(s, buf_view(&s->in));
		buf_drop(&s->in, s->in.n - left.n);
		if (s->in.n == 0)
			buf_wipe(&s->in); /* an idle client owns no buffer */
	} else {
		buf_span(&s->in, take_frames(s, bytes));
	}
	explicit_bzero(scratch, (size_t)n);
	if (buf_error(&s->in) && s->state != CLOSING) {
		struct fault why = FAULT_NONE;
		fault_set(&why, buf_error(&s->in), "out of memory for a frame");
		session_close_with(s, &why);
	}
	return true;
}

/* ---- writing, once a turn ---- */

/* May a frame that costs be sent for this call, whose turn began at `from` of `out`? Where not for
 * want of credit, it is noted. */
static bool may_send(struct open_call *c, size_t from)
{
	const struct session *s = c->session;
	if (c->credit > 0)
		return has_room(s) && s->out.n - from < TURN_BYTES;
	c->is_blocked = true;
	return false;
}

/* Moves what an exchange has to say into `out`, as far as credit and room go. */
static void exchange_write(struct open_call *c)
{
	struct session *s = c->session;
	const size_t from = s->out.n;
	int type;
	struct span body;
	while (exchange_peek(c->exchange, &type, &body)) {
		const bool is_paid = !is_free(type);
		if (is_paid && !may_send(c, from))
			break;
		const size_t mark = s->out.n;
		const enum err err = frame_put(&s->out, (enum frame_type)type, c->number, body);
		exchange_take(c->exchange);
		if (err) {
			struct fault why = FAULT_NONE;
			fault_set(
				&why, err, "one step of the answer is larger than a frame may be");
			exchange_cancel(c->exchange, &why);
			continue;
		}
		if (is_paid)
			c->credit -= (int64_t)(s->out.n - mark - 4);
	}
	c->is_ready = exchange_peek(c->exchange, &type, &body);
	if (exchange_is_over(c->exchange))
		call_free(c);
}

/* The same for the JSON of an administrative call: data frames, and the end. */
static void admin_write(struct open_call *c)
{
	struct session *s = c->session;
	const size_t from = s->out.n;
	while (c->answered < c->answer.n) {
		if (!may_send(c, from))
			return;
		struct span left = span_skip(buf_view(&c->answer), c->answered);
		struct llm_event e = {.type = EV_RAW};
		e.text = span_first(left, LIMIT_DATA_BYTES);
		const size_t mark = frame_begin(&s->out, FRAME_DATA, c->number);
		event_pack(&e, &s->out);
		if (frame_finish(&s->out, mark) != OK)
			return; /* it sticks to `out`, which ends the session */
		c->answered += e.text.n;
		c->credit -= (int64_t)(s->out.n - mark - 4);
	}
	const size_t mark = frame_begin(&s->out, FRAME_END, c->number);
	const struct llm_event e = {
		.type = EV_END, .end = {.usage = USAGE_UNKNOWN, .ttft_us = -1, .total_us = -1}
        };
	event_pack(&e, &s->out);
	if (frame_finish(&s->out, mark) == OK)
		call_free(c);
}

static bool has_more(const struct open_call *c)
{
	return c->is_ready && !c->is_blocked && (c->exchange || c->is_answered);
}

/* Each call has its turn; the next time, those that had none come first. */
static void calls_write(struct session *s)
{
	for (size_t n = s->n_calls; n > 0 && has_room(s); n--) {
		struct open_call *c = s->calls;
		LIST_REMOVE(s->calls, c);
		LIST_PUSH(s->calls, c);
		if (!has_more(c))
			continue;
		if (c->exchange)
			exchange_write(c);
		else
			admin_write(c);
	}
}

static bool any_has_more(const struct session *s)
{
	const struct open_call *c;
	LIST_EACH(s->calls, c) {
		if (has_more(c))
			return true;
	}
	return false;
}

/* False: the client is gone. */
static bool out_send(struct session *s)
{
	while (has_output(s)) {
		const ssize_t n = send(
			s->fd, s->out.p + s->sent, s->out.n - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0)
			return false;
		s->sent += (size_t)n;
		s->progress_us = loop_now_us(s->loop);
	}
	s->sent = 0;
	if (s->out.cap > SCRATCH_BYTES)
		buf_done(&s->out);
	else
		buf_cut(&s->out, 0);
	return true;
}

static bool is_waiting_for_client(const struct session *s)
{
	const struct open_call *c;
	if (has_output(s))
		return true;
	LIST_EACH(s->calls, c) {
		if (c->is_blocked)
			return true;
	}
	return false;
}

static void session_flush(struct session *s)
{
	if (s->state == OPEN)
		calls_write(s);
	if (buf_error(&s->out) || !out_send(s)) {
		session_free(s);
		return;
	}
	if ((s->state == CLOSING || (s->is_draining && !s->calls)) && !has_output(s)) {
		session_free(s);
		return;
	}
	/* all is out, and a call was cut short for want of room: nobody else would come back to it */
	if (s->state == OPEN && !has_output(s) && any_has_more(s))
		later(s);
	if (s->state != HELLO) {
		if (!is_waiting_for_client(s))
			loop_timer_stop(&s->timer);
		else if (!s->timer.loop)
			loop_timer_set(s->loop, &s->timer, STALL_US);
	}
	watch(s);
}

/* ---- callbacks ---- */

static void on_ready(struct loop_io *io, int ready)
{
	struct session *s = container_of(io, struct session, io);
	if ((ready & LOOP_READ) && s->state != CLOSING && !session_read(s))
		return;
	session_flush(s);
}

static void on_flush(struct loop_task *t)
{
	session_flush(container_of(t, struct session, flush));
}

/* The client has taken nothing for a while: calls without credit end, a full socket closes. */
static void on_stall(struct session *s)
{
	const int64_t idle_us = loop_now_us(s->loop) - s->progress_us;
	struct fault why = FAULT_NONE;
	if (idle_us < STALL_US) {
		loop_timer_set(s->loop, &s->timer, STALL_US - idle_us);
		return;
	}
	fault_set(
		&why, ERR_SLOW_CONSUMER, "nothing was read for %" PRId64 " s", STALL_US / 1000000);
	const bool is_full = has_output(s);
	struct open_call *c, *after;
	LIST_EACH_SAFE(s->calls, c, after) {
		const bool is_stuck = c->is_blocked || is_full;
		c->is_blocked = false;
		if (is_stuck && (c->exchange || c->is_answered))
			call_fail(c, &why); /* may free it */
	}
	if (is_full) {
		log_info("session.slow", "uid=%u pid=%d", (unsigned)s->peer.uid, (int)s->peer.pid);
		session_free(s);
		return;
	}
	session_flush(s);
}

static void on_timer(struct loop_timer *t)
{
	struct session *s = container_of(t, struct session, timer);
	if (s->state == HELLO) {
		struct fault why = FAULT_NONE;
		fault_set(&why, ERR_TIMEOUT, "no hello within %" PRId64 " s",
			LIMIT_HELLO_US / 1000000);
		session_close_with(s, &why);
		return;
	}
	if (s->state == CLOSING) {
		session_free(s);
		return;
	}
	on_stall(s);
}

/* ---- from outside ---- */

bool sessions_init(struct sessions *s, struct admin_env *admin)
{
	*s = (struct sessions){.admin = admin, .organs = admin->organs};
	s->scratch = malloc(SCRATCH_BYTES);
	return s->scratch != NULL;
}

void sessions_done(struct sessions *s)
{
	while (s->all)
		session_free(s->all);
	if (s->admin)
		identities_done(&s->admin->identities);
	free(s->scratch);
	s->scratch = NULL;
}

/* Only who may make sockets for others has a reason to send descriptors. */
static void watch_for_fds(struct session *s)
{
	const struct organs *o = s->all->organs;
	const struct policy_rule *rule = policy_find(o->config, &s->peer, o->own_uid);
	struct call c = CALL_INIT;
	struct fault why;
	c.kind = CALL_ADMIN;
	c.admin_op = SPAN("listener.add");
	s->may_pass = peer_is_open(&s->peer) && policy_admit_call(rule, &s->peer, &c, &why) == OK;
	if (!s->may_pass)
		evidence_refuse_fds(s->fd);
}

/* Is it let in, and are there not too many of its like? */
static enum err admit(struct session *s, struct fault *why)
{
	const struct organs *o = s->all->organs;
	const struct policy_rule *rule = policy_find(o->config, &s->peer, o->own_uid);
	const enum err err = policy_admit_peer(rule, &s->peer, o->own_uid, why);
	if (err)
		return err;
	const int64_t limit =
		rule->max_connections > 0 ? rule->max_connections : o->config->max_connections;
	return (int64_t)s->identity->n_connections <= limit
		       ? OK
		       : fault_set(why, ERR_OVERLOADED,
				 "%lld connections of yours are open, which is the limit "
				 "(max_connections)",
				 (long long)limit);
}

void session_accept(struct sessions *all, int fd, const struct peer_place *place)
{
	struct fault why = FAULT_NONE;
	struct session *s = calloc(1, sizeof *s);
	struct peer_id peer;
	const bool is_sure = peer_identify(fd, place, &peer);
	struct identity *identity =
		s ? identity_join(&all->admin->identities, &peer, now_s(all)) : NULL;
	if (!identity) {
		fault_set(&why, ERR_NO_MEMORY, "out of memory for a connection");
		session_refuse(fd, &why);
		close(fd);
		free(s);
		return;
	}
	s->peer = peer;
	s->identity = identity;
	s->is_doubted = !is_sure;
	s->all = all;
	s->loop = all->organs->loop;
	s->fd = fd;
	s->io.on_ready = on_ready;
	s->flush.on_run = on_flush;
	s->timer.on_fire = on_timer;
	s->progress_us = loop_now_us(s->loop);
	buf_init(&s->in, LIMIT_FRAME_BYTES + 4 + SCRATCH_BYTES);
	buf_init(&s->out, OUT_LIMIT_BYTES);
	LIST_PUSH(all->all, s);
	all->n++;
	all->admin->n_connections = all->n;
	loop_timer_set(s->loop, &s->timer, LIMIT_HELLO_US);
	const enum err err = admit(s, &why);
	if (err == ERR_DENIED)
		note_denied(s, "denied.peer", SPAN_NONE, &why);
	if (err)
		session_close_with(s, &why);
	else
		watch_for_fds(s);
	watch(s);
	all->on_change(all->context);
}

void sessions_drain(struct sessions *all, const char *reason, int64_t grace_us)
{
	const struct goaway g = {span_str(reason), grace_us / 1000};
	struct session *s, *after;
	LIST_EACH_SAFE(all->all, s, after) {
		const size_t mark = frame_begin(&s->out, FRAME_GOAWAY, 0);
		goaway_pack(&g, &s->out);
		if (frame_finish(&s->out, mark) != OK)
			buf_cut(&s->out, mark);
		s->is_draining = true;
		session_flush(s);
	}
}
