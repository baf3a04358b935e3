/* session_calls.c - who may make one, and how it begins and ends. */
#include "brokerd/front/session_parts.h"

#include <stdlib.h>

#include "brokerd/front/behalf.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define ADMIN_BODIES 4 /* that may be coming at once: these have no deadline */

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

void session_note_denied(const struct session *s, const struct peer_id *who, const char *what,
	struct span subject, const struct fault *why)
{
	const struct audit_event e = {.what = what,
		.who = who,
		.verdict = AUDIT_DENIED,
		.err = why->err,
		.subject = subject,
		.detail = span_str(why->message)};
	audit_record(s->all->organs->audit, &e);
}

/* ---- calls ---- */

struct open_call *session_call(struct session *s, uint32_t number)
{
	struct open_call *c;
	LIST_EACH(s->calls, c) {
		if (c->number == number)
			return c;
	}
	return NULL;
}

/* What went on though its caller was gone has ended: till then it was one of his. */
static void on_left_end(void *context)
{
	struct open_call *c = context;
	struct sessions *all = c->all;
	identity_ended(&all->admin->identities, c->identity, session_now_s(all));
	named_leave(&c->named, &all->admin->identities, session_now_s(all));
	free(c);
	all->on_change(all->context);
}

void session_call_free(struct open_call *c)
{
	struct session *s = c->session;
	struct sessions *all = s->all;
	struct exchange *x = c->exchange;
	LIST_REMOVE(s->calls, c);
	s->n_calls--;
	if (c->admin)
		admin_abandon(c->admin);
	buf_wipe(&c->admin_body);
	buf_done(&c->answer);
	free(c->admin_op);
	c->all = all;
	c->identity = s->identity;
	struct identity *account = c->account ? c->account : s->identity;
	if (exchange_leave(x, &account->left, on_left_end, c)) {
		c->session = NULL;
	} else {
		s->identity->n_calls -= x != NULL;
		named_leave(&c->named, &all->admin->identities, session_now_s(all));
		free(c);
	}
	all->on_change(all->context);
}

static void on_call_ready(void *context)
{
	struct open_call *c = context;
	c->is_ready = true;
	session_later(c->session);
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
		session_refuse_call(s, c->number, &own);
		session_call_free(c);
		return;
	}
	c->is_answered = true;
	c->is_ready = true;
	session_later(s);
}

enum err session_admin_begin(struct open_call *c, const struct peer_id *who, struct span op,
	struct span body, struct fault *why)
{
	struct session *s = c->session;
	const struct admin_reply reply = {on_admin_done, c};
	c->admin = admin_new(s->all->admin, who, s->number, session_passed(s), op, body, &reply);
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
static enum err exchange_begin(struct open_call *c, const struct peer_id *who,
	const struct call *call, const struct exchange_bounds *bounds, struct fault *why)
{
	struct session *s = c->session;
	const struct exchange_caller caller = {on_call_ready, c};
	c->exchange = exchange_new(s->all->organs, who, bounds, call, &caller);
	if (!c->exchange)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	s->identity->n_calls++;
	s->identity->calls++;
	named_count(&c->named);
	return OK;
}

/* An administrative one, whose body may still come. */
static enum err admin_open(
	struct open_call *c, const struct peer_id *who, const struct call *call, struct fault *why)
{
	if (span_is_set(call->body))
		return session_admin_begin(c, who, call->admin_op, call->body, why);
	if (who != &c->session->who->peer)
		return fault_param(why, ERR_UNSUPPORTED, "behalf",
			"an administrative call on another's behalf has its body inline");
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

/* How many calls may it have under way, beside those that it has, and whoever it asks for? */
static enum err check_room(const struct open_call *c, const struct call *call,
	const struct behalf *b, struct fault *why)
{
	const struct session *s = c->session;
	if (s->n_calls > LIMIT_CALLS)
		return fault_set(why, ERR_OVERLOADED,
			"%zu calls are open on this connection, which is the limit",
			s->n_calls - 1);
	return call->kind == CALL_ADMIN
		       ? OK
		       : named_check(&c->named, s->all->organs->config, s->identity, b, why);
}

/* A public API's program reads a refusal in the words of that API. */
static bool has_envelope(const struct call *call)
{
	return call->kind == CALL_RELAY || call->kind == CALL_NATIVE;
}

/* There is a place for it; it begins. */
static enum err begin(struct open_call *c, const struct call *call, const struct behalf *b,
	const struct exchange_bounds *bounds, struct fault *why)
{
	struct session *s = c->session;
	if (!named_join(
		    &c->named, &s->all->admin->identities, s->identity, b, session_now_s(s->all)))
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	for (size_t i = 0; i < b->n; i++) {
		const struct peer_id *peer = &b->parties[i].peer;
		if (b->who == peer)
			c->account = c->named.of[i];
		if (peer->kind == PEER_KIND_TOKEN)
			fault_text(c->token, sizeof c->token, span_str(peer->instance));
	}
	const enum err err = check_room(c, call, b, why);
	if (err)
		return err;
	return call->kind == CALL_ADMIN ? admin_open(c, b->who, call, why)
					: exchange_begin(c, b->who, call, bounds, why);
}

enum err session_call_begin(
	struct session *s, uint32_t number, const struct call *call, struct fault *why)
{
	struct organs *o = s->all->organs;
	struct exchange_bounds bounds = {.refusal = NULL};
	struct behalf behalf;
	if (s->is_draining)
		return fault_set(why, ERR_RESTARTING, "%s", err_info(ERR_RESTARTING)->sentence);
	enum err err = behalf_find(
		o, &s->who->peer, session_passed(s), s->all->closer, call, &behalf, why);
	if (!err)
		err = behalf_admit(o, &s->who->peer, call, &behalf, why);
	if (s->doubt && err == ERR_DENIED)
		err = session_deny_early(why);
	if (err == ERR_DENIED || err == ERR_CONSENT)
		session_note_denied(s, behalf.who, "denied.call", call_subject(call), why);
	if (err && has_envelope(call))
		bounds.refusal = why;
	else if (err)
		return err;
	bounds.allowance = *behalf.allowance;
	struct open_call *c = call_new(s, number, call->credit_bytes);
	if (!c)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for the call");
	err = begin(c, call, &behalf, &bounds, why);
	if (err)
		session_call_free(c);
	return err;
}

bool session_call_again(struct session *s, const struct frame *f)
{
	struct organs *o = s->all->organs;
	const struct peer_id *peer = &s->who->peer;
	const struct named nobody = {.n = 0};
	struct behalf behalf;
	struct fault why;
	if (s->doubt || s->is_draining || s->n_calls >= LIMIT_CALLS || session_passed(s)->n > 0)
		return false;
	struct again *one = again_find(&o->again, peer, f->raw);
	if (!one)
		return false;
	const struct call *call = again_call(one);
	fault_clear(&why);
	if (behalf_find(o, peer, session_passed(s), s->all->closer, call, &behalf, &why) ||
		behalf_admit(o, peer, call, &behalf, &why) ||
		named_check(&nobody, o->config, s->identity, &behalf, &why) ||
		!again_tell(o, one, behalf.allowance, f->call, session_room(s), &s->out))
		return false;
	s->identity->calls++;
	s->all->on_change(s->all->context);
	session_later(s);
	return true;
}

void session_call_remember(struct session *s, const struct frame *f)
{
	const struct open_call *c = session_call(s, f->call);
	if (c && c->exchange)
		again_keep(c->exchange, f->raw);
}

void session_call_let_go(struct open_call *c, const struct fault *why)
{
	struct fault said = *why;
	fault_text(said.request_id, sizeof said.request_id, span_str(exchange_id(c->exchange)));
	session_refuse_call(c->session, c->number, &said);
	session_call_free(c);
}

/* A call ends with a fault. Its exchange tells it, unless that has ended well and what is left of its
 * answer cannot or need not be read. */
void session_call_fail(struct open_call *c, const struct fault *why)
{
	int type;
	struct span body;
	if (c->exchange) {
		exchange_cancel(c->exchange, why);
		c->is_blocked = false;
		on_call_ready(c);
		if (exchange_peek(c->exchange, &type, &body) && !session_is_free(type))
			session_call_let_go(c, why);
		return;
	}
	session_refuse_call(c->session, c->number, why);
	session_call_free(c);
}
