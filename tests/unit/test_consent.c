/* test_consent.c - who is asked, how often, and who hears the answer? In virtual time. */
#include "brokerd/policy/consent.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/loop/worker.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

struct asker {
	struct consent_wait wait;
	int told;
	enum err err;
};

struct agent {
	struct consent_agent agent;
	int asked;
	uint64_t id;
	char about[PEER_TEXT_BYTES];
};

static struct loop *loop;
static struct workers *workers;
static struct grants *grants;
static struct consents *consents;
static char dir[] = "/tmp/test_consent.XXXXXX";

static void on_answer(struct consent_wait *w, const struct fault *why)
{
	struct asker *a = container_of(w, struct asker, wait);
	a->told++;
	a->err = why->err;
}

static void on_question(struct consent_agent *w, uint64_t id, const struct peer_id *peer)
{
	struct agent *a = container_of(w, struct agent, agent);
	a->id = id;
	if (!peer)
		return;
	a->asked++;
	peer_grant_text(peer, a->about);
}

static struct peer_id peer(const char *who, uid_t uid)
{
	struct peer_id p;
	if (!peer_from_text(span_str(who), &p))
		bail("%s is nobody", who);
	p.uid = uid;
	return p;
}

static enum err ask(struct asker *a, const char *who, uid_t uid)
{
	const struct peer_id p = peer(who, uid);
	struct fault why = FAULT_NONE;
	*a = (struct asker){.wait = {.on_answer = on_answer}};
	return consents_ask(consents, &p, &a->wait, &why);
}

static void await(struct agent *a, uid_t uid, bool is_for_all, const char *only)
{
	a->agent = (struct consent_agent){
		.uid = uid, .is_for_all = is_for_all, .on_question = on_question};
	(void)snprintf(a->agent.only, sizeof a->agent.only, "%s", only);
	consents_await(consents, &a->agent);
}

static bool answer(uint64_t id, bool is_yes)
{
	const struct grant grant = {.is_yes = is_yes};
	return consents_answer(consents, id, &grant, 1000, (struct grants_reply){NULL, NULL});
}

/* What is to be told in this turn. */
static void settle(void)
{
	loop_virtual_settle(loop);
}

static void begin(void)
{
	struct fault why = FAULT_NONE;
	loop = loop_new(&why);
	workers = workers_new(loop, 1, &why);
	grants = mkdtemp(dir) ? grants_new(workers, dir, &why) : NULL;
	consents = consents_new(loop, grants);
	if (!consents)
		bail("%s", why.message);
}

static void without_an_agent(void)
{
	struct asker a;
	is_err(ask(&a, "sandbox:x", 1000), ERR_CONSENT,
		"without an agent the answer is no, at once");
	settle();
	is_int(a.told, 0, "and nothing comes later");
}

static void one_question_for_all(void)
{
	struct asker one, two, gone;
	struct agent agent = {.asked = 0};
	await(&agent, 1000, true, "");
	is_err(ask(&one, "sandbox:x", 1000), OK, "an agent is there");
	is_err(ask(&two, "sandbox:x", 1000), OK, "the same again");
	is_err(ask(&gone, "sandbox:x", 1000), OK, "and again");
	is_int(agent.asked, 1, "is one question");
	is_str(agent.about, "sandbox:x", "about that one");
	consents_leave(&gone.wait);
	ok(answer(agent.id, true), "it is answered");
	ok(!answer(agent.id, false), "once");
	settle();
	is_int(one.told + two.told, 2, "both are told");
	is_int(gone.told, 0, "who left is not");
	is_err(one.err, OK, "yes");
	const struct peer_id p = peer("sandbox:x", 1000);
	const struct grant *g = grants_find(grants, &p, 1001);
	ok(g && g->is_yes && g->uid == 1000, "and it is written down for that one");
	const struct peer_id other = peer("sandbox:x", 1001);
	ok(!grants_find(grants, &other, 1001), "and not for another user's");
}

static void whose_question(void)
{
	struct asker a;
	struct agent theirs = {.asked = 0}, ours = {.asked = 0};
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	await(&theirs, 1001, false, "");
	is_err(ask(&a, "sandbox:y", 1000), ERR_CONSENT, "another user's agent is none");
	is_int(theirs.asked, 0, "it hears nothing of it");
	await(&ours, 1000, false, "");
	is_err(ask(&a, "sandbox:y", 1000), OK, "the user's own is");
	is_int(ours.asked, 1, "and hears of it");
	ok(consents_dismiss(consents, ours.id), "it is clicked away");
	settle();
	is_err(a.err, ERR_CONSENT, "which is no");
	const struct peer_id p = peer("sandbox:y", 1000);
	ok(!grants_find(grants, &p, 1001), "and nothing is written down");
	consents_away(&theirs.agent);
}

static void claims(void)
{
	struct asker a;
	struct agent agent = {.asked = 0};
	struct peer_id p = peer("flatpak:org.x.Y", 1000);
	struct fault why = FAULT_NONE;
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	p.is_claim = true;
	await(&agent, 1000, true, "");
	a = (struct asker){.wait = {.on_answer = on_answer}};
	is_err(consents_ask(consents, &p, &a.wait, &why), OK,
		"one that claims a name is asked about");
	is_str(agent.about, "flatpak", "without it");
	ok(answer(agent.id, true), "it is allowed");
	settle();
	p.is_claim = false;
	ok(!grants_find(grants, &p, 1001), "who has the name was not");
}

static void too_often(void)
{
	struct asker a[5];
	struct agent agent;
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	for (int i = 0; i < CONSENT_A_MINUTE; i++) {
		char who[32];
		(void)snprintf(who, sizeof who, "sandbox:n%d", i);
		await(&agent, 1000, true, "");
		is_err(ask(&a[i], who, 1000), OK, "question %d", i + 1);
		consents_dismiss(consents, agent.id);
		settle();
	}
	await(&agent, 1000, true, "");
	is_err(ask(&a[4], "sandbox:more", 1000), ERR_CONSENT, "one more in a minute is too much");
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	is_err(ask(&a[4], "sandbox:more", 1000), OK, "later it is not");
	loop_virtual_advance(loop, CONSENT_WAIT_US);
	settle();
	is_err(a[4].err, ERR_CONSENT, "nobody answers in time: no");
}

static void an_agent_that_went(void)
{
	struct asker a;
	struct agent first = {.asked = 0}, second = {.asked = 0};
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	await(&first, 1000, true, "");
	is_err(ask(&a, "sandbox:z", 1000), OK, "one has it");
	await(&second, 1000, true, "");
	is_int(second.asked, 0, "another is not asked the same");
	consents_away(&second.agent);
	loop_virtual_advance(loop, CONSENT_AGAIN_US + 1);
	await(&second, 1000, true, "");
	is_int(second.asked, 1, "until nobody answers for long");
	ok(answer(second.id, false), "it says no");
	settle();
	is_err(a.err, ERR_CONSENT, "and no it is");
	const struct peer_id p = peer("sandbox:z", 1000);
	const struct grant *g = grants_find(grants, &p, 1001);
	ok(g && !g->is_yes, "for the next time as well");
}

static void at_the_end(void)
{
	struct asker a;
	struct agent agent = {.asked = 0}, idle = {.id = 7};
	loop_virtual_advance(loop, CONSENT_MINUTE_US);
	await(&agent, 1000, true, "");
	is_err(ask(&a, "sandbox:end", 1000), OK, "one is asked about");
	await(&idle, 1000, true, "");
	consents_end(consents);
	is_uint(idle.id, UINT64_C(0), "an agent that waits is told that there is nothing");
	settle();
	is_err(a.err, ERR_RESTARTING, "and who waits that the broker ends");
}

int main(void)
{
	begin();
	without_an_agent();
	one_question_for_all();
	whose_question();
	claims();
	too_often();
	an_agent_that_went();
	at_the_end();
	consents_free(consents);
	workers_free(workers);
	grants_free(grants);
	loop_free(loop);
	char file[64];
	(void)snprintf(file, sizeof file, "%s/grants", dir);
	ok(unlink(file) == 0 && rmdir(dir) == 0, "one file is all that is left");
	return tap_done();
}
