/* native_place.h - whose endpoint does a native call mean that names no provider?
 * It has the path of a public API. The header says who, else the model in its body does, else the only provider has
 * it that has such an endpoint and a key, and to whom the caller may go. */
#ifndef BROKERD_EXCHANGE_NATIVE_PLACE_H
#define BROKERD_EXCHANGE_NATIVE_PLACE_H
#include "brokerd/exchange/exchange.h"

/* In the place of a provider's name: it is to be found. */
#define NATIVE_ANYONE "*"

/* Sets the provider and the path below its host, and, where the body names a model of that provider's otherwise than the
 * provider does, the name in the body. ERR_INVALID_REQUEST: nobody has it, or more than one, and *why says who and how to
 * name one; ERR_DENIED: not for this caller; ERR_LOCKED and the like: nobody knows who has a key. */
enum err native_place(struct exchange *x, struct fault *why) MUST_USE;

#endif
