/* session.c - birth and death of a session, and its clocks. */
#include "brokerd/front/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "brokerd/front/behalf.h"
#include "brokerd/front/session_parts.h"
#include "brokerd/log/log.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"

#define STALL_US    INT64_C(30000000)
#define DRAIN_READS 4096 /* more than there is in a full buffer, each byte with a descriptor */

int64_t session_now_s(const struct sessions *all)
{
	return loop_wall_us(all->organs->loop) / 1000000;
}

/* Takes what was not read yet out of it, so that no descriptor goes with its last close; after a shutdown nothing more
 * comes. False: there is no end to it. */
static bool drain(const struct sessions *all, int fd)
{
	char bytes[4096];
	ssize_t n = 1;
	for (int i = 0; n > 0 && i < DRAIN_READS; i++) {
		struct passed came;
		n = evidence_recv(fd, bytes, sizeof bytes, &came, all->closer);
		passed_close(&came, all->closer);
	}
	explicit_bzero(bytes, sizeof bytes);
	return n <= 0;
}

/* The other end is told at once, and by nobody who may be kept waiting. */
static void close_fd(const struct sessions *all, int fd, bool is_without_fds)
{
	if (!is_without_fds && (shutdown(fd, SHUT_RDWR) != 0 || !drain(all, fd)))
		closer_give(all->closer, fd);
	else
		close(fd);
}

void session_free(struct session *s)
{
	while (s->calls)
		session_call_free(s->calls);
	loop_io_stop(&s->io);
	loop_task_stop(&s->flush);
	session_time_stop(s);
	doubt_free(s->doubt);
	app_tokens_end(s->all->organs->app_tokens, s->number);
	passed_close(&s->held, s->all->closer);
	close_fd(s->all, s->fd, s->is_without_fds);
	buf_wipe(&s->in);
	buf_done(&s->out);
	struct sessions *all = s->all;
	loop_moved(s->loop);
	if (s->identity)
		identity_leave(&all->admin->identities, s->identity, session_now_s(all));
	seats_give(&all->seats, s->seat);
	pinned_put(&all->pinned, s->who);
	LIST_REMOVE(all->all, s);
	all->n--;
	all->admin->n_connections = all->n;
	free(s);
	all->on_change(all->context);
}

void session_refuse(const struct sessions *all, int fd, const struct fault *why)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LIMIT_FRAME_BYTES);
	const size_t mark = frame_begin(&out, FRAME_FAULT, 0);
	const struct llm_event e = {.type = EV_FAULT, .fault = why};
	event_pack(&e, &out);
	if (frame_finish(&out, mark) == OK) {
		const ssize_t sent = send(fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)sent; /* a new connection's buffer takes it; if not, it is closed without a word */
	}
	close_fd(all, fd, evidence_is_without_fds(fd));
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
		(void)session_time(s, STALL_US - idle_us); /* with the one that has fired */
		return;
	}
	fault_set(
		&why, ERR_SLOW_CONSUMER, "nothing was read for %" PRId64 " s", STALL_US / 1000000);
	const bool is_full = session_has_output(s);
	struct open_call *c, *after;
	LIST_EACH_SAFE(s->calls, c, after) {
		const bool is_stuck = c->is_blocked || is_full;
		c->is_blocked = false;
		if (is_stuck && (c->exchange || c->is_answered))
			session_call_fail(c, &why); /* may free it */
	}
	if (is_full) {
		log_info("session.slow", "uid=%u pid=%d", (unsigned)s->who->peer.uid,
			(int)s->who->peer.pid);
		session_free(s);
		return;
	}
	session_flush(s);
}

static void on_timer(struct loop_timer *t)
{
	struct session *s = container_of(t, struct session_timer, timer)->session;
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

bool session_time(struct session *s, int64_t delay_us)
{
	if (!s->timer)
		s->timer = calloc(1, sizeof *s->timer);
	if (!s->timer)
		return false;
	s->timer->session = s;
	LOOP_CALLS(&s->timer->timer, on_fire, on_timer);
	loop_timer_set(s->loop, &s->timer->timer, delay_us);
	return true;
}

bool session_is_timed(const struct session *s)
{
	return s->timer && s->timer->timer.loop;
}

void session_time_stop(struct session *s)
{
	if (!s->timer)
		return;
	loop_timer_stop(&s->timer->timer);
	free(TAKE(s->timer));
}

/* ---- from outside ---- */

bool sessions_init(struct sessions *s, struct admin_env *admin)
{
	*s = (struct sessions){.admin = admin, .organs = admin->organs};
	s->scratch = malloc(SESSION_SCRATCH_BYTES);
	s->closer = closer_new();
	buf_init(&s->spare, SESSION_OUT_BYTES);
	seats_init(&s->seats, s->organs->own_uid);
	return s->scratch && s->closer;
}

void sessions_done(struct sessions *s)
{
	while (s->all)
		session_free(s->all);
	while (s->organs && s->organs->exchanges) /* whose callers were gone before */
		exchange_free(s->organs->exchanges);
	if (s->admin)
		identities_done(&s->admin->identities);
	free(s->scratch);
	s->scratch = NULL;
	buf_done(&s->spare);
	closer_free(s->closer);
	s->closer = NULL;
	seats_done(&s->seats);
}

/* Only who may make sockets for others, or name those for whom it asks, has a reason to send descriptors. */
static void watch_for_fds(struct session *s)
{
	s->may_pass = behalf_may_name(&s->who->peer) && !closer_is_full(s->all->closer);
	s->is_without_fds = !s->may_pass && s->is_without_fds;
	if (s->may_pass)
		evidence_want_fds(s->fd);
	else
		evidence_refuse_fds(s->fd);
}

static enum err admit(struct session *s, struct fault *why)
{
	const struct organs *o = s->all->organs;
	const struct policy_rule *rule = policy_find(o->config, &s->who->peer, o->own_uid);
	const enum err err = policy_admit_peer(rule, &s->who->peer, o->own_uid, why);
	/* whom a configuration lets in nobody knows while it cannot be read: that is no denial */
	if (err && o->ailment.err == ERR_MISCONFIGURED)
		return fault_set(why, ERR_MISCONFIGURED,
			"the broker's configuration is damaged, so nobody can be let in by it: "
			"`llmb status`, as its administrator, says what is wrong");
	if (err && !session_may_be_let_in(s))
		return err;
	const int64_t limit = !err && rule->max_connections > 0 ? rule->max_connections
								: o->config->max_connections;
	return (int64_t)s->identity->n_connections <= limit
		       ? seats_check(&s->all->seats, s->seat, why)
		       : fault_set(why, ERR_OVERLOADED,
				 "%lld connections of yours are open, which is the limit "
				 "(max_connections)",
				 (long long)limit);
}

void session_admit(struct session *s)
{
	struct fault why = FAULT_NONE;
	const enum err err = admit(s, &why);
	if (err == ERR_DENIED)
		session_note_denied(s, &s->who->peer, "denied.peer", SPAN_NONE, &why);
	if (err)
		session_close_with(s, &why);
	else
		watch_for_fds(s);
}

void session_accept(struct sessions *all, int fd, const struct peer_place *place)
{
	struct fault why = FAULT_NONE;
	struct session *s = calloc(1, sizeof *s);
	struct peer_id peer;
	struct doubt *doubt = peer_identify(fd, place, &peer);
	struct pinned *who = s ? pinned_get(&all->pinned, &peer) : NULL;
	struct session_timer *timer = who ? calloc(1, sizeof *timer) : NULL;
	struct seat *seat = timer ? seats_take(&all->seats, peer.uid) : NULL;
	struct identity *identity =
		seat ? identity_join(&all->admin->identities, &peer, session_now_s(all)) : NULL;
	if (!identity) {
		if (seat)
			seats_give(&all->seats, seat);
		free(timer);
		if (who)
			pinned_put(&all->pinned, who);
		fault_set(&why, ERR_NO_MEMORY, "out of memory for a connection");
		doubt_free(doubt);
		session_refuse(all, fd, &why);
		free(s);
		return;
	}
	s->number = ++all->n_ever;
	s->place = place;
	s->who = who;
	s->doubt = doubt;
	s->identity = identity;
	s->seat = seat;
	s->timer = timer;
	s->all = all;
	s->loop = all->organs->loop;
	s->fd = fd;
	s->is_without_fds = evidence_is_without_fds(fd);
	LOOP_CALLS(&s->io, on_ready, on_ready);
	LOOP_CALLS(&s->flush, on_run, on_flush);
	s->progress_us = loop_now_us(s->loop);
	buf_init(&s->in, LIMIT_FRAME_BYTES + 4 + SESSION_SCRATCH_BYTES);
	buf_init(&s->out, SESSION_OUT_BYTES);
	LIST_PUSH(all->all, s);
	all->n++;
	all->admin->n_connections = all->n;
	(void)session_time(s, LIMIT_HELLO_US); /* with the one that it has */
	session_admit(s);
	session_watch(s);
	all->on_change(all->context);
}

void sessions_end_of(struct sessions *all, const struct peer_place *place, const struct fault *why)
{
	struct session *s;
	LIST_EACH(all->all, s) {
		if (s->place != place)
			continue;
		s->place = NULL; /* there may be another one at that address */
		if (s->state != CLOSING)
			session_close_with(s, why);
	}
}

static bool shows_one(const struct open_call *c, const struct app_token_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(c->token, ids[i].text) == 0)
			return true;
	}
	return false;
}

void sessions_end_tokens(struct sessions *all, const struct app_token_id *ids, size_t n)
{
	struct session *s;
	struct open_call *c;
	struct fault why = FAULT_NONE;
	LIST_EACH(all->all, s) {
		LIST_EACH(s->calls, c) {
			if (!c->exchange || !c->token[0] || !shows_one(c, ids, n))
				continue;
			fault_set(&why, ERR_DENIED,
				"the app token %s was taken back while this was under way: `llmb "
				"token new APP` makes another",
				c->token);
			exchange_refuse(c->exchange, &why);
		}
	}
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
