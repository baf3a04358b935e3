/* memo_lead.h - who of those that ask the same asks for all?
 * The first leads: it goes to a provider and pays, and those who join it read its tape. Where its own end is not the provider's
 * doing, and they have had nothing yet, the first of them leads instead. What nobody is there for any more ends. */
#ifndef BROKERD_EXCHANGE_MEMO_LEAD_H
#define BROKERD_EXCHANGE_MEMO_LEAD_H
#include "brokerd/exchange/memo.h"

/* From now on its answer is on a tape, for others too where that may be. False: out of memory. */
bool memo_lead(struct exchange *x);
/* Can it read what that one gets? Not what is over, or can be read from its beginning no more. */
bool memo_may_join(const struct exchange *x, const struct exchange *leader);
/* It reads what that one gets. False: it cannot. */
bool memo_join(struct exchange *x, struct exchange *leader);
/* Whose answer it reads along. NULL: nobody's, or it is over. */
struct exchange *memo_leader(const struct exchange *x);
/* No more of its answer than a limit of its caller's leaves is asked for: nobody else is to have that. Before any content. */
void memo_cap(struct exchange *x);
/* Do others read what it gets? */
bool memo_is_shared(const struct exchange *x);
/* The latest time, by the loop's clock, that one of those who read it or itself has for the whole; and it may take so long. */
int64_t memo_due_us(const struct exchange *x);
void memo_extend(struct exchange *x);
/* Its own caller reads it no more, and it goes on for the others. */
void memo_part(struct exchange *x);

/* Whoever comes next cannot join it. Harmless where it does not lead. */
void memo_stop_leading(struct exchange *x);

#endif
