/* session_write.c - faults at once, answers once a turn, each call in its turn. */
#include "brokerd/front/session_parts.h"

#include <errno.h>
#include <sys/socket.h>

#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define OUT_FULL_BYTES (256 * KIB) /* more waits in the flights, where it is bounded and felt */
#define TURN_BYTES     (64 * KIB) /* what one call may write of that before the next has its turn */
#define STALL_US       INT64_C(30000000)

bool session_has_output(const struct session *s)
{
	return s->sent < s->out.n;
}

size_t session_room(const struct session *s)
{
	const size_t waiting = s->out.n - s->sent;
	return waiting < OUT_FULL_BYTES ? OUT_FULL_BYTES - waiting : 0;
}

static bool has_room(const struct session *s)
{
	return session_room(s) > 0;
}

void session_later(struct session *s)
{
	loop_later(s->loop, &s->flush);
}

void session_watch(struct session *s)
{
	int what = 0;
	if (s->state != CLOSING && has_room(s))
		what |= LOOP_READ;
	if (session_has_output(s))
		what |= LOOP_WRITE;
	loop_io_set(s->loop, &s->io, s->fd, what ? what : LOOP_WRITE);
}

/* The last frame: what follows is only the writing of it. */
void session_close_with(struct session *s, const struct fault *why)
{
	const size_t mark = frame_begin(&s->out, FRAME_FAULT, 0);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &s->out);
	log_info("session.refused", "uid=%u pid=%d class=%s", (unsigned)s->who->peer.uid,
		(int)s->who->peer.pid, err_info(why->err)->word);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	s->state = CLOSING;
	session_later(s);
}

/* A fault of one call that has no exchange to say it. */
void session_refuse_call(struct session *s, uint32_t number, const struct fault *why)
{
	const size_t mark = frame_begin(&s->out, FRAME_FAULT, number);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &s->out);
	if (frame_finish(&s->out, mark) != OK)
		buf_cut(&s->out, mark);
	session_later(s);
}

bool session_is_free(int frame_type)
{
	return frame_type == FRAME_END || frame_type == FRAME_FAULT;
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
		const bool is_paid = !session_is_free(type);
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
		session_call_free(c);
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
		session_call_free(c);
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

void session_borrow(struct session *s)
{
	struct buf *spare = &s->all->spare;
	if (s->out.p || !spare->p)
		return;
	s->out = *spare;
	buf_init(spare, SESSION_OUT_BYTES);
}

static void give_back(struct session *s)
{
	struct buf *spare = &s->all->spare;
	if (!s->out.p)
		return;
	explicit_bzero(s->out.p, s->out.n); /* its client has it */
	buf_clear(&s->out);
	if (spare->p || s->out.cap > SESSION_SCRATCH_BYTES) {
		buf_done(&s->out);
		return;
	}
	*spare = s->out;
	buf_init(&s->out, SESSION_OUT_BYTES);
}

/* False: the client is gone. */
static bool out_send(struct session *s)
{
	while (session_has_output(s)) {
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
		loop_moved(s->loop);
	}
	s->sent = 0;
	give_back(s);
	return true;
}

static bool is_waiting_for_client(const struct session *s)
{
	const struct open_call *c;
	if (session_has_output(s))
		return true;
	LIST_EACH(s->calls, c) {
		if (c->is_blocked)
			return true;
	}
	return false;
}

void session_flush(struct session *s)
{
	session_borrow(s);
	if (s->state == OPEN)
		calls_write(s);
	while (s->state == CLOSING && s->calls)
		session_call_free(s->calls);
	if (buf_error(&s->out) || !out_send(s)) {
		session_free(s);
		return;
	}
	if ((s->state == CLOSING || (s->is_draining && !s->calls)) && !session_has_output(s)) {
		session_free(s);
		return;
	}
	/* all is out, and a call was cut short for want of room: nobody else would come back to it */
	if (s->state == OPEN && !session_has_output(s) && any_has_more(s))
		session_later(s);
	if (s->state != HELLO) {
		if (!is_waiting_for_client(s)) {
			session_time_stop(s);
		} else if (!session_is_timed(s) && !session_time(s, STALL_US)) {
			session_free(
				s); /* without memory for a timer it would be waited for without end */
			return;
		}
	}
	session_watch(s);
}
