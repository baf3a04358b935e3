/* account.h - on whose account is an exchange, and by which key?
 * As its records in the ledger say it. */
#ifndef BROKERD_EXCHANGE_ACCOUNT_H
#define BROKERD_EXCHANGE_ACCOUNT_H
#include "brokerd/exchange/steps.h"

/* Of the caller as it was when it connected, of its rule, and of the target in hand, if there is one. */
void account_of(const struct exchange *x, struct account_record *out);

/* The label of the key that the target in hand is asked with; "" the provider's default, or none. */
void account_key(const struct exchange *x, char *to, size_t size);

#endif
