/* hedge.h - is a second target asked beside one that is slow to begin, and whose answer is it?
 * Opt-in, by alias. Two legs race then until the first content: whose it is answers, and the other one is ended as one that
 * may have been served. A leg that fails before that leaves the race, and the other goes on alone; where that is the one in
 * hand, the other takes its place. While they race the state is RELAY, and the leg in hand is the one that began first. */
#ifndef BROKERD_EXCHANGE_HEDGE_H
#define BROKERD_EXCHANGE_HEDGE_H
#include "brokerd/exchange/steps.h"

/* The attempt in hand is on its way: from now on its first content is waited for. */
void hedge_watch(struct exchange *x);

/* The leg that races against that one; NULL: none does. */
struct leg *hedge_rival(const struct leg *l);

/* Something has come of a leg. If it is content, the race is over, and the leg is in hand. Else it is so until hedge_heard is
 * called with what this returned. */
struct leg *hedge_listen(struct leg *l, bool is_content);
void hedge_heard(struct leg *was);

/* A leg that had that rival has ended, and has its row: with an answer that has no content, or by *why; it is in hand. The race
 * is over. False: the exchange goes on as if there had been none. True: the rival is in hand, and waited for. */
bool hedge_ended(struct leg *l, struct leg *rival, const struct fault *why);

/* The secret that a rival waited for is there; or is not, for *why. */
void hedge_on_token(struct leg *l, const struct fault *why);

/* There is no race any more: the one that is not in hand is ended. Harmless where there is none. */
void hedge_stop(struct exchange *x);

#endif
