/* behalf.c - a chain of parties, from the connection to the one that was named last. */
#include "brokerd/front/behalf.h"

#include <stdio.h>
#include <unistd.h>

#include "brokerd/front/admission.h"
#include "brokerd/front/peer.h"

bool behalf_may_name(const struct peer_id *p)
{
	return p->socket == PEER_SOCKET_MAIN && p->profile[0] == '\0' &&
	       (p->kind == PEER_KIND_HOST || p->kind == PEER_KIND_SERVICE);
}

/* ---- who is named ---- */

/* Of a descriptor that was passed along; it is no longer there then. -1: there is none of that number. */
static int take_fd(struct passed *passed, int64_t index)
{
	if (index >= (int64_t)passed->n)
		return -1;
	const int fd = passed->fds[index];
	passed->fds[index] = passed->fds[--passed->n];
	return fd;
}

static void note_via(const struct peer_id *connection, struct peer_id *to)
{
	char text[PEER_TEXT_BYTES];
	peer_text(connection, text);
	fault_text(to->via, sizeof to->via, span_str(text));
}

static enum err see_process(
	const struct peer_id *connection, int process, struct peer_id *out, struct fault *why)
{
	switch (peer_identify_process(process, connection->socket, out)) {
	case LOOK_SEEN:
		break;
	case LOOK_NO_PROCESS:
		return fault_param(why, ERR_INVALID_REQUEST, "behalf.fd",
			"that descriptor is none of a process: a pidfd is wanted");
	case LOOK_GONE:
		return fault_param(why, ERR_DENIED, "behalf.fd",
			"the program on whose behalf this is has ended, so nobody can say what it "
			"might do");
	}
	if (out->uid != connection->uid)
		return fault_param(why, ERR_DENIED, "behalf.fd",
			"that program is user %u's, and who asks for it is user %u: nobody asks "
			"on another user's behalf",
			(unsigned)out->uid, (unsigned)connection->uid);
	note_via(connection, out);
	return OK;
}

static enum err find_process(const struct peer_id *connection, struct passed *passed,
	struct closer *closer, int64_t index, struct peer_id *out, struct fault *why)
{
	if (!behalf_may_name(connection))
		return fault_param(why, ERR_DENIED, "behalf.fd",
			"only a program in the open, on the main socket, may say on whose behalf "
			"it asks");
	const int fd = take_fd(passed, index);
	if (fd < 0)
		return fault_param(why, ERR_INVALID_REQUEST, "behalf.fd",
			"no descriptor of that number came along with the call");
	const enum err err = see_process(connection, fd, out, why);
	if (err == ERR_INVALID_REQUEST)
		closer_give(closer, fd); /* whose last close may take as long as it likes */
	else
		close(fd);
	return err;
}

/* ---- all of them ---- */

static void link_up(const struct organs *o, const struct peer_id *connection, struct behalf *b)
{
	struct allowance *all[BEHALF_PARTIES + 1] = {&b->own};
	size_t head = 0;
	b->own.rule = policy_find(o->config, connection, o->own_uid);
	b->who = connection;
	for (size_t i = 0; i < b->n; i++) {
		struct party *p = &b->parties[i];
		p->allowance.rule = policy_find(o->config, &p->peer, o->own_uid);
		all[i + 1] = &p->allowance;
		if (!peer_is_open(b->who))
			continue;
		b->who = &p->peer;
		head = i + 1;
	}
	struct allowance *last = all[head];
	for (size_t i = 0; i <= b->n; i++) {
		if (i == head)
			continue;
		last->also = all[i];
		last = all[i];
	}
	b->allowance = all[head];
}

/* Who shows it is that application, wherever it runs: what is known of it otherwise stays. */
static enum err find_token(struct organs *o, const struct peer_id *connection, struct span text,
	struct behalf *b, struct fault *why)
{
	const int64_t now_s = loop_wall_us(o->loop) / 1000000;
	const struct app_token *t = app_tokens_find(o->app_tokens, text, now_s, why);
	if (!t)
		return why->err;
	if (t->uid != connection->uid)
		return fault_param(why, ERR_DENIED, "behalf.token",
			"the app token %s is user %u's, and who shows it is user %u: it is no use "
			"to another user",
			t->id, (unsigned)t->uid, (unsigned)connection->uid);
	struct party *p = &b->parties[b->n];
	p->peer = b->n > 0 ? b->parties[b->n - 1].peer : *connection;
	if (b->n == 0 && p->peer.via[0] == '\0')
		note_via(connection, &p->peer);
	p->peer.kind = PEER_KIND_TOKEN;
	p->peer.is_claim = false;
	p->peer.profile[0] = '\0';
	fault_text(p->peer.name, sizeof p->peer.name, span_str(t->app));
	fault_text(p->peer.instance, sizeof p->peer.instance, span_str(t->id));
	memcpy(p->models, t->models, sizeof p->models);
	p->allowance.models = span_str(p->models);
	b->n++;
	return OK;
}

static enum err find(struct organs *o, const struct peer_id *connection, struct passed *passed,
	struct closer *closer, const struct call *c, struct behalf *b, struct fault *why)
{
	if (c->behalf.fd_index >= 0) {
		struct peer_id *peer = &b->parties[b->n].peer;
		const enum err err =
			find_process(connection, passed, closer, c->behalf.fd_index, peer, why);
		if (err)
			return err;
		/* it says nothing of itself here: who asks for it does, or its program's name */
		peer_label(peer,
			span_is_set(c->behalf.label) ? c->behalf.label : span_str(peer->program));
		b->n++;
	}
	return span_is_set(c->behalf.token) ? find_token(o, connection, c->behalf.token, b, why)
					    : OK;
}

enum err behalf_find(struct organs *o, const struct peer_id *connection, struct passed *passed,
	struct closer *closer, const struct call *c, struct behalf *b, struct fault *why)
{
	b->n = 0;
	b->own = (struct allowance){.rule = NULL};
	for (size_t i = 0; i < BEHALF_PARTIES; i++)
		b->parties[i].allowance = (struct allowance){.rule = NULL};
	const enum err err = find(o, connection, passed, closer, c, b, why);
	if (err)
		b->n = 0;
	link_up(o, connection, b);
	return err;
}

/* ---- may they ---- */

/* Whom nobody has said anything of yet is asked about only where the account is his own. */
static enum err refuse_unasked(const struct behalf *b, const struct peer_id *peer,
	const struct allowance *a, const struct call *c, struct fault *why)
{
	char who[PEER_TEXT_BYTES];
	if (b->who == peer || a->rule->allow != POLICY_ASK || a->grant || !policy_needs_grant(c))
		return OK;
	peer_grant_text(peer, who);
	return fault_set(why, ERR_CONSENT,
		"nobody has allowed %.150s to use this broker: `llmb app allow %.150s` does", who,
		who);
}

static enum err admit(const struct organs *o, const struct behalf *b, const struct peer_id *peer,
	struct allowance *a, const struct call *c, struct fault *why)
{
	const enum err err = admission_check(o, peer, c, a, why);
	return err ? err : refuse_unasked(b, peer, a, c, why);
}

enum err behalf_admit(const struct organs *o, const struct peer_id *connection,
	const struct call *c, struct behalf *b, struct fault *why)
{
	enum err err = admit(o, b, connection, &b->own, c, why);
	if (!err && b->n > 0 && !policy_may_be_on_behalf(c))
		return fault_param(why, ERR_DENIED, "behalf",
			"administration is not done on another's behalf: leave that out");
	for (size_t i = 0; !err && i < b->n; i++) {
		struct party *p = &b->parties[i];
		err = policy_admit_peer(p->allowance.rule, &p->peer, o->own_uid, why);
		if (!err)
			err = admit(o, b, &p->peer, &p->allowance, c, why);
	}
	return err;
}
