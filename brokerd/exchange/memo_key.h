/* memo_key.h - under which key is the answer to this call kept, and is it at all?
 * Of the request as policy has bounded it, with whom its answer is shared, and the target; where what recall and pins put back
 * for a target makes it another request, of that one. */
#ifndef BROKERD_EXCHANGE_MEMO_KEY_H
#define BROKERD_EXCHANGE_MEMO_KEY_H
#include "brokerd/exchange/memo.h"

/* May it be answered so, or its answer be kept? Decided once, of the request as policy has bounded it. */
bool memo_wants(struct exchange *x);
struct target;
/* Under which key the answer by the i-th target of the route is kept, of the request as it would go there now. */
void memo_key(struct exchange *x, size_t i, struct cache_key *out);
/* Has it parts of which recall and pins may put something back, or leave something out? Nothing else can be. */
bool memo_has_items(const struct llm_request *r);
/* That goes to the target in hand, of what is asked of it: kept in mind for the key of its answer. */
void memo_note_sent(struct exchange *x, const struct llm_request *sent);
/* The same by a target, of what else is asked there. */
void memo_key_of(const struct exchange *x, const struct cache_core *core, const struct target *t,
	struct cache_key *out);
/* What it asks, as a key is made of it. */
struct cache_ask memo_ask(const struct exchange *x);
/* Which of all that is kept is of that user's programs, and his alone. */
struct cache_filter memo_of_user(uint32_t uid);

/* With whom its answer is shared, as a number: who may clear it. A user all that is his; what is the host's is of no user. */
uint64_t memo_scope_number(const struct exchange *x);

#endif
