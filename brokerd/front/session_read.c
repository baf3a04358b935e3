/* session_read.c - one switch over frame types. */
#include "brokerd/front/session_parts.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "protocol/base/list.h"
#include "protocol/control.h"
#include "protocol/limits.h"

#define FRAME_ROOM_BYTES ((size_t)1024) /* what a call's few texts take */

/* ---- one frame ---- */

static enum err take_hello(
	struct session *s, const struct frame *f, struct arena *a, struct fault *why)
{
	struct hello h;
	const enum err err = hello_unpack(f->body, a, &h, why);
	if (err)
		return err;
	struct peer_id said = s->who->peer;
	peer_label(&said, h.app_name);
	struct pinned *pinned = pinned_get(&s->all->pinned, &said);
	if (!pinned)
		return ERR_NO_MEMORY;
	pinned_put(&s->all->pinned, s->who);
	s->who = pinned;
	OWNED(buf_done) struct buf who = BUF_INIT(4 * KIB);
	peer_json(&s->who->peer, &who);
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
	session_time_stop(s);
	s->state = OPEN;
	session_later(s);
	return OK;
}

static enum err take_call(
	struct session *s, const struct frame *f, struct arena *a, struct fault *why)
{
	struct call call;
	if (f->call == 0)
		return fault_set(why, ERR_PROTOCOL, "a call's number is never 0");
	if (session_call(s, f->call))
		return fault_set(why, ERR_PROTOCOL, "call %u is open already", f->call);
	/* what is wrong with the call is the call's fault, not the connection's */
	struct fault own;
	fault_clear(&own);
	enum err err = call_unpack(f->body, a, &call, &own);
	if (!err)
		err = session_call_begin(s, f->call, &call, &own);
	if (err && !own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	if (err)
		session_refuse_call(s, f->call, &own);
	else if (call.kind == CALL_TYPED)
		session_call_remember(s, f);
	return OK;
}

/* The other side may send as much again as was just taken. */
static void grant(struct session *s, uint32_t number, size_t bytes)
{
	const size_t mark = frame_begin(&s->out, FRAME_CREDIT, number);
	credit_pack((int64_t)bytes, &s->out);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	session_later(s);
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
	const enum err err =
		session_admin_begin(c, &c->session->who->peer, span_str(op), buf_view(&body), why);
	free(op);
	return err;
}

static enum err take_data(struct session *s, const struct frame *f, struct fault *why)
{
	struct data d;
	const enum err err = data_unpack(f->body, &d, why);
	if (err)
		return err;
	struct open_call *c = session_call(s, f->call);
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
			session_call_fail(c, &own);
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
	struct open_call *c = session_call(s, f->call);
	struct fault why = FAULT_NONE;
	fault_set(&why, ERR_CANCELLED, "cancelled by the caller");
	if (c && c->exchange && exchange_is_told(c->exchange)) {
		why.is_partial = true;
		session_call_let_go(c, &why);
	} else if (c) {
		session_call_fail(c, &why);
	}
}

static enum err take_credit(struct session *s, const struct frame *f, struct fault *why)
{
	int64_t bytes;
	const enum err err = credit_unpack(f->body, &bytes, why);
	if (err)
		return err;
	struct open_call *c = session_call(s, f->call);
	if (!c)
		return OK;
	if (bytes > (int64_t)LIMIT_CREDIT_MAX_BYTES - c->credit) {
		struct fault own = FAULT_NONE;
		fault_set(&own, ERR_PROTOCOL, "call %u has more than %zu bytes of credit", f->call,
			LIMIT_CREDIT_MAX_BYTES);
		session_call_fail(c, &own);
		return OK;
	}
	c->credit += bytes;
	c->is_blocked = false;
	c->is_ready = true;
	s->progress_us = loop_now_us(s->loop);
	session_later(s);
	return OK;
}

/* A connection that was handed down may have one program after the other: each begins anew. */
static bool is_hello_again(const struct session *s, const struct frame *f)
{
	return f->type == FRAME_HELLO && s->state == OPEN && s->n_calls == 0 &&
	       s->who->peer.socket == PEER_SOCKET_HANDED;
}

static enum err take_frame(struct session *s, const struct frame *f, struct fault *why)
{
	alignas(max_align_t) char room[FRAME_ROOM_BYTES];
	OWNED(arena_done) struct arena a;
	arena_init_in(&a, MIB, room, sizeof room);
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

/* The first of `bytes` is a call that is answered as it was before. */
static bool take_again(struct session *s, struct span *bytes)
{
	struct frame f;
	if (s->all->organs->again.n == 0 || s->state != OPEN || !frame_glance(*bytes, &f) ||
		f.type != FRAME_CALL || f.call == 0 || session_call(s, f.call))
		return false;
	const size_t n = FRAME_PREFIX_BYTES + f.length;
	s->is_last = bytes->n == n;
	if (!session_call_again(s, &f))
		return false;
	*bytes = span_skip(*bytes, n);
	return true;
}

/* Takes all whole frames off the front of `bytes`; returns what is left. */
static struct span take_frames(struct session *s, struct span bytes)
{
	while (bytes.n > 0 && s->state != CLOSING) {
		struct frame f;
		struct fault why;
		enum err err = OK;
		if (!take_again(s, &bytes)) {
			fault_clear(&why);
			err = frame_take(&bytes, &f, NULL, &why);
			if (err == ERR_MORE)
				break;
			s->is_last = bytes.n == 0;
			if (!err)
				err = take_frame(s, &f, &why);
		}
		passed_close(s->is_resumed ? &s->held : &s->all->none, s->all->closer);
		s->is_resumed = false;
		if (err) {
			if (!why.err)
				fault_set(&why, err, "%s", err_info(err)->sentence);
			session_close_with(s, &why);
		}
	}
	return bytes;
}

/* Whether descriptors are wanted may be known by the bytes that they came with. */
static ssize_t receive(struct session *s, char *to)
{
	struct passed came;
	if (s->is_without_fds && !s->doubt)
		return recv(s->fd, to, SESSION_SCRATCH_BYTES, 0);
	const ssize_t n = evidence_recv(s->fd, to, SESSION_SCRATCH_BYTES, &came, s->all->closer);
	if (n > 0 && s->doubt)
		session_hear(s, &came.sender);
	if (!s->may_pass)
		passed_close(&came, s->all->closer);
	s->all->passed = came;
	return n;
}

/* What nobody has taken goes, but for what is of the frame that is still coming. */
static void keep_passed(struct session *s)
{
	if (s->in.n > 0 && s->all->passed.n > 0) {
		passed_close(&s->held, s->all->closer);
		s->held = s->all->passed;
		s->all->passed.n = 0;
	}
	passed_close(&s->all->passed, s->all->closer);
}

/* False: the connection is over and the session freed. */
bool session_read(struct session *s)
{
	char *scratch = s->all->scratch;
	const ssize_t n = receive(s, scratch);
	const int failed = errno;
	if (n <= 0)
		passed_close(&s->all->passed, s->all->closer);
	if (n < 0 && (failed == EAGAIN || failed == EINTR))
		return true;
	if (n <= 0) {
		session_free(s);
		return false;
	}
	loop_moved(s->loop);
	session_borrow(s);
	struct span bytes = span_of(scratch, (size_t)n);
	s->is_resumed = s->in.n > 0;
	if (s->in.n > 0) {
		buf_span(&s->in, bytes);
		const struct span left = take_frames(s, buf_view(&s->in));
		explicit_bzero(s->in.p, s->in.n - left.n);
		buf_drop(&s->in, s->in.n - left.n);
		if (s->in.n == 0)
			buf_wipe(&s->in); /* an idle client owns no buffer */
	} else {
		buf_span(&s->in, take_frames(s, bytes));
	}
	keep_passed(s);
	explicit_bzero(scratch, (size_t)n); /* an administrative call may carry a key */
	if (buf_error(&s->in) && s->state != CLOSING) {
		struct fault why = FAULT_NONE;
		fault_set(&why, buf_error(&s->in), "out of memory for a frame");
		session_close_with(s, &why);
	}
	return true;
}
