/* consent.h - who is asked whether a program may use the broker, and what do they say?
 * A question goes to an agent: a program of the host that waits for one, and has a person before it. Without one
 * the answer is no. All who wait for the same identity wait for one answer; a question that nobody answers in
 * time is answered with no, and there are only so many in a minute. */
#ifndef BROKERD_POLICY_CONSENT_H
#define BROKERD_POLICY_CONSENT_H
#include "brokerd/loop/loop.h"
#include "brokerd/policy/grant.h"

#define CONSENT_WAIT_US   INT64_C(60000000) /* for an answer */
#define CONSENT_MINUTE_US INT64_C(60000000)
#define CONSENT_A_MINUTE  3                 /* questions, all agents together */
#define CONSENT_AWAY_US   INT64_C(5000000)  /* after so long without a wait an agent is gone */
#define CONSENT_AGAIN_US  INT64_C(20000000) /* after so long the next agent is asked the same */

struct consents;

struct consents *consents_new(struct loop *l, struct grants *g); /* NULL: out of memory */
void consents_free(struct consents *c);                          /* nobody waits; NULL is fine */

/* Who waits for an answer. Embedded and zeroed; `question` is set while it waits. */
struct consent_wait {
	struct consent_wait *prev, *next;
	struct consent_question *question;
	/* Once, never from inside. *why OK: there is a grant now. ERR_CONSENT. */
	void (*on_answer)(struct consent_wait *w, const struct fault *why);
};

/* Asks. ERR_CONSENT: there is nobody to be asked, or too much was. */
enum err consents_ask(struct consents *c, const struct peer_id *peer, struct consent_wait *w,
	struct fault *why) MUST_USE;
void consents_leave(struct consent_wait *w); /* harmless where it does not wait */

/* An agent that waits for a question. Embedded and zeroed; `consents` is set while it waits. */
struct consent_agent {
	struct consent_agent *prev, *next;
	struct consents *consents;
	uid_t uid;                  /* whose callers it may be asked about, */
	bool is_for_all;            /* or everybody's */
	char only[PEER_TEXT_BYTES]; /* "": questions about anybody; else about that one */
	/* Once: a question, which other agents are not asked meanwhile. May be called from inside of
	 * consents_await. */
	void (*on_question)(struct consent_agent *a, uint64_t id, const struct peer_id *peer);
};
void consents_await(struct consents *c, struct consent_agent *a);
void consents_away(struct consent_agent *a); /* it waits no more; harmless where it does not */
/* The broker ends: all agents are told that there is no question (id 0). */
void consents_end(struct consents *c);

/* Whom an open question is about, and whose caller that is; "": there is no such question any more. */
const char *consents_about(const struct consents *c, uint64_t id, uid_t *uid);
/* The person clicked it away: no, for those who wait, and nothing is written down. False: there is no such question
 * any more. */
bool consents_dismiss(struct consents *c, uint64_t id);
/* The person's answer, whose scope the grant has (its who, uid and times are filled in here). False as above. */
bool consents_answer(struct consents *c, uint64_t id, const struct grant *said, int64_t now_s,
	struct grants_reply reply);

#endif
