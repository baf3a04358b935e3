/* order.h - of those who may answer, who is asked first, and who is not asked at all?
 * What choose.h has to know of a request and of its targets now, and the route as it then is. */
#ifndef BROKERD_EXCHANGE_ORDER_H
#define BROKERD_EXCHANGE_ORDER_H
#include "brokerd/exchange/steps.h"

/* Puts the route in order; those that are out are gone from it. One that is the only one stays, whatever the request needs: its
 * encoder says what it leaves out. ERR_INVALID_REQUEST, ERR_CONTEXT_LENGTH, ERR_BUDGET, ERR_NO_KEY, ERR_NOT_FOUND: none is
 * left, and *why says why each is out. ERR_NO_MEMORY. */
enum err order_route(struct exchange *x, struct fault *why) MUST_USE;

#endif
