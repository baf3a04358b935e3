/* memo_read.h - how does a call read an answer that is on a tape: one that was kept, another's that comes, its own?
 * From the tape to its log, as far as its caller has room; what the provider wants back is noted for this caller too. */
#ifndef BROKERD_EXCHANGE_MEMO_READ_H
#define BROKERD_EXCHANGE_MEMO_READ_H
#include "brokerd/exchange/memo.h"

/* In which track it reads that one. */
enum tape_track memo_track(const struct exchange *x, const struct tape *t);
/* It reads an answer that was kept. */
void memo_replay(struct exchange *x, struct tape *t);

/* What its own reader has room for goes from the tape to its log. Errors as flight_put. */
enum err memo_feed(struct exchange *x) MUST_USE;
/* The same with all that is left on the tape, whatever room there is. */
enum err memo_tell_rest(struct exchange *x) MUST_USE;
/* It has had all of that good answer: what came of it is its own, and it reads it no more. Errors as flight_put. */
enum err memo_have(struct exchange *x, const struct tape *t) MUST_USE;
/* Its reader has room again: it goes on after the callbacks of this turn. */
void memo_wake(struct exchange *x);
/* A reader's on_news: its exchange goes on after the callbacks of this turn. */
void memo_on_news(struct tape_reader *r);

#endif
