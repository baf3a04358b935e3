/* consent.c - a list of questions, one an identity, and a list of agents. */
#include "brokerd/policy/consent.h"

#include <stdlib.h>

#include "protocol/base/list.h"
#include "protocol/base/owned.h"

struct consent_question {
	struct consent_question *prev, *next;
	struct consents *consents;
	uint64_t id;
	struct peer_id peer;
	char who[PEER_TEXT_BYTES];
	bool is_shown; /* an agent has it */
	int64_t shown_us;
	bool is_over; /* it was answered: `told` tells */
	struct consent_wait *waits;
	struct loop_timer timer;
	struct loop_task told; /* the answer is there */
	struct fault verdict;
};

struct consents {
	struct loop *loop;
	struct grants *grants;
	struct consent_question *questions;
	struct consent_agent *agents;
	struct loop_timer away; /* the last agent may come back */
	uint64_t last_id;
	int64_t asked_us[CONSENT_A_MINUTE]; /* when, the oldest at `oldest` */
	size_t oldest, n_asked;
};

struct consents *consents_new(struct loop *l, struct grants *g)
{
	struct consents *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->loop = l;
	c->grants = g;
	return c;
}

static void question_free(struct consent_question *q)
{
	LIST_REMOVE(q->consents->questions, q);
	loop_timer_stop(&q->timer);
	loop_task_stop(&q->told);
	free(q);
}

void consents_free(struct consents *c)
{
	if (!c)
		return;
	loop_timer_stop(&c->away);
	while (c->questions)
		question_free(c->questions);
	free(c);
}

/* ---- answers ---- */

static void on_told(struct loop_task *t)
{
	struct consent_question *q = container_of(t, struct consent_question, told);
	const struct fault verdict = q->verdict;
	while (q->waits) {
		struct consent_wait *w = q->waits;
		LIST_REMOVE(q->waits, w);
		w->question = NULL;
		w->on_answer(w, &verdict);
	}
	question_free(q);
}

static void tell(struct consent_question *q)
{
	q->is_over = true;
	loop_timer_stop(&q->timer);
	loop_later(q->consents->loop, &q->told);
}

static void on_timer(struct loop_timer *t)
{
	struct consent_question *q = container_of(t, struct consent_question, timer);
	fault_set(&q->verdict, ERR_CONSENT, "nobody answered whether %.200s may use this broker",
		q->who);
	tell(q);
}

static struct consent_question *open_question(const struct consents *c, uint64_t id)
{
	struct consent_question *q;
	LIST_EACH(c->questions, q) {
		if (q->id == id && !q->is_over)
			return q;
	}
	return NULL;
}

const char *consents_about(const struct consents *c, uint64_t id, uid_t *uid)
{
	const struct consent_question *q = open_question(c, id);
	if (q)
		*uid = q->peer.uid;
	return q ? q->who : "";
}

bool consents_dismiss(struct consents *c, uint64_t id)
{
	struct consent_question *q = open_question(c, id);
	if (!q)
		return false;
	fault_set(&q->verdict, ERR_CONSENT, "nobody answered whether %.200s may use this broker",
		q->who);
	tell(q);
	return true;
}

bool consents_answer(struct consents *c, uint64_t id, const struct grant *said, int64_t now_s,
	struct grants_reply reply)
{
	struct consent_question *q = open_question(c, id);
	if (!q)
		return false;
	struct grant grant = *said;
	grant.uid = q->peer.uid;
	grant.at_s = now_s;
	memcpy(grant.who, q->who, sizeof grant.who);
	if (!grant.is_yes)
		fault_set(&q->verdict, ERR_CONSENT, "%.200s was not allowed to use this broker",
			q->who);
	grants_put(c->grants, &grant, reply);
	tell(q);
	return true;
}

/* ---- questions ---- */

static bool is_for(const struct consent_agent *a, const struct consent_question *q)
{
	if (!a->is_for_all && a->uid != q->peer.uid)
		return false;
	return a->only[0] == '\0' || strcmp(a->only, q->who) == 0;
}

/* An agent that waits for that one alone comes before others. */
static struct consent_agent *find_agent(const struct consents *c, const struct consent_question *q)
{
	struct consent_agent *a, *best = NULL;
	LIST_EACH(c->agents, a) {
		if (is_for(a, q) && (!best || (a->only[0] && !best->only[0])))
			best = a;
	}
	return best;
}

static void show(struct consent_question *q, struct consent_agent *a)
{
	q->is_shown = true;
	q->shown_us = loop_now_us(q->consents->loop);
	consents_away(a);
	a->on_question(a, q->id, &q->peer);
}

static struct consent_question *find_question(const struct consents *c, const struct peer_id *peer)
{
	char who[PEER_TEXT_BYTES];
	struct consent_question *q;
	peer_grant_text(peer, who);
	LIST_EACH(c->questions, q) {
		if (q->peer.uid == peer->uid && strcmp(q->who, who) == 0 && !q->is_over)
			return q;
	}
	return NULL;
}

/* Is anybody there, or busy with a question, or just gone for the next one? */
static bool has_agent(const struct consents *c, const struct peer_id *peer, const char *who)
{
	const struct consent_agent *a;
	const struct consent_question *q;
	LIST_EACH(c->agents, a) {
		if ((a->is_for_all || a->uid == peer->uid) &&
			(a->only[0] == '\0' || strcmp(a->only, who) == 0))
			return true;
	}
	LIST_EACH(c->questions, q) {
		if (q->is_shown && !q->is_over)
			return true;
	}
	return c->away.loop != NULL;
}

/* Three a minute: whoever asks more wants to be clicked away. */
static bool is_too_often(struct consents *c)
{
	const int64_t now_us = loop_now_us(c->loop);
	if (c->n_asked == CONSENT_A_MINUTE && now_us - c->asked_us[c->oldest] < CONSENT_MINUTE_US)
		return true;
	c->asked_us[c->oldest] = now_us;
	c->oldest = (c->oldest + 1) % CONSENT_A_MINUTE;
	if (c->n_asked < CONSENT_A_MINUTE)
		c->n_asked++;
	return false;
}

static enum err new_question(struct consents *c, const struct peer_id *peer,
	struct consent_question **out, struct fault *why)
{
	char who[PEER_TEXT_BYTES];
	peer_grant_text(peer, who);
	if (!has_agent(c, peer, who))
		return fault_set(why, ERR_CONSENT,
			"nobody has allowed %.150s to use this broker, and no agent is there to "
			"ask: "
			"`llmb app allow %.150s`, from outside of it, does",
			who, who);
	if (is_too_often(c))
		return fault_set(why, ERR_CONSENT,
			"nobody has allowed %.150s to use this broker, and %d questions in a "
			"minute "
			"are enough: `llmb app allow %.150s` allows it",
			who, CONSENT_A_MINUTE, who);
	struct consent_question *q = calloc(1, sizeof *q);
	if (!q)
		return fault_set(why, ERR_NO_MEMORY, "out of memory for a question");
	q->consents = c;
	q->id = ++c->last_id;
	q->peer = *peer;
	q->verdict = FAULT_NONE;
	memcpy(q->who, who, sizeof q->who);
	LOOP_CALLS(&q->timer, on_fire, on_timer);
	LOOP_CALLS(&q->told, on_run, on_told);
	loop_timer_set(c->loop, &q->timer, CONSENT_WAIT_US);
	LIST_PUSH(c->questions, q);
	*out = q;
	return OK;
}

enum err consents_ask(
	struct consents *c, const struct peer_id *peer, struct consent_wait *w, struct fault *why)
{
	struct consent_question *q = find_question(c, peer);
	const enum err err = q ? OK : new_question(c, peer, &q, why);
	if (err)
		return err;
	w->question = q;
	LIST_PUSH(q->waits, w);
	struct consent_agent *a = q->is_shown ? NULL : find_agent(c, q);
	if (a)
		show(q, a);
	return OK;
}

void consents_leave(struct consent_wait *w)
{
	if (!w->question)
		return;
	LIST_REMOVE(w->question->waits, w);
	w->question = NULL; /* the question stays: its answer is for the next time */
}

/* ---- agents ---- */

static void on_away(struct loop_timer *t)
{
	(void)t; /* its being set is what counts */
}

void consents_await(struct consents *c, struct consent_agent *a)
{
	struct consent_question *q;
	a->consents = c;
	LIST_PUSH(c->agents, a);
	LIST_EACH(c->questions, q) {
		/* whoever had it may have gone with it */
		const bool is_old = loop_now_us(c->loop) - q->shown_us > CONSENT_AGAIN_US;
		if ((!q->is_shown || is_old) && !q->is_over && is_for(a, q)) {
			show(q, a);
			return;
		}
	}
}

void consents_away(struct consent_agent *a)
{
	struct consents *c = a->consents;
	if (!c)
		return;
	LIST_REMOVE(c->agents, a);
	a->consents = NULL;
	LOOP_CALLS(&c->away, on_fire, on_away);
	if (a->only[0] == '\0')
		loop_timer_set(c->loop, &c->away, CONSENT_AWAY_US);
}

void consents_end(struct consents *c)
{
	while (c->agents) {
		struct consent_agent *a = c->agents;
		consents_away(a);
		a->on_question(a, 0, NULL);
	}
	loop_timer_stop(&c->away);
	struct consent_question *q;
	LIST_EACH(c->questions, q) {
		if (q->is_over)
			continue;
		fault_set(&q->verdict, ERR_RESTARTING, "%s", err_info(ERR_RESTARTING)->sentence);
		tell(q);
	}
}
