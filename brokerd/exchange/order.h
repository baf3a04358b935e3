/* order.h - of those who may answer, who is asked first, and who is not asked at all?
 * What choose.h has to know of a request and of its targets now, and the route as it then is. */
#ifndef BROKERD_EXCHANGE_ORDER_H
#define BROKERD_EXCHANGE_ORDER_H
#include "brokerd/exchange/steps.h"
#include "brokerd/route/choose.h"

/* What follows for each target of a route from what is known of it. As choose.h has them. */
struct order {
	struct choice *choices;
	size_t n, n_usual;
};

/* Looks at all of the route's targets, and changes nothing. `needs`: capabilities. ERR_NO_MEMORY. */
enum err order_look(struct exchange *x, unsigned needs, struct order *out) MUST_USE;

/* Is any left? Else *why says why each is out: ERR_INVALID_REQUEST, ERR_CONTEXT_LENGTH, ERR_BUDGET, ERR_NO_KEY,
 * ERR_NOT_FOUND. */
enum err order_refused(const struct exchange *x, const struct order *o, struct fault *why) MUST_USE;

/* Why one is out, without a figure or a name of the house's, for whoever is not in the open; "" of one that is in. */
const char *order_plain(enum choose_reason reason);

/* Puts the route in that order; those that are out are gone from it. Errors as the two above. */
enum err order_route(struct exchange *x, struct fault *why) MUST_USE;

/* Behind the last of those that may be asked instead of the target in hand: those of the same list, which stand together. And
 * behind the last of these that was not put off. */
size_t order_list_end(const struct exchange *x);
size_t order_end(const struct exchange *x);
/* The i-th of these is asked next after the target in hand; or, having been that, after all of them, or not again. No attempt
 * is under way there, nor at those that make room. */
void order_bring(struct exchange *x, size_t i);
void order_put_last(struct exchange *x, size_t i);
void order_drop(struct exchange *x, size_t i);

/* Does which target is asked depend on what is left of a budget? NULL: there is no alias, and it does not. */
bool order_wants_money(const struct model *alias);

/* What the request can cost there, at usual prices: to compare targets by, not to bound the bill. -1: not known. */
int64_t order_cost_nusd(const struct exchange *x, const struct target *t);

#endif
