/* admission.h - may this call be made, and does anybody have to be asked first?
 * The rule that holds for its caller, and what a person has said of it. */
#ifndef BROKERD_FRONT_ADMISSION_H
#define BROKERD_FRONT_ADMISSION_H
#include "brokerd/exchange/organs.h"
#include "brokerd/policy/allowance.h"

/* Finds the grant where one is needed; without one a call that is none of administration has to ask.
 * ERR_DENIED, ERR_CONSENT, ERR_UNSUPPORTED. */
enum err admission_check(const struct organs *o, const struct peer_id *peer, const struct call *c,
	struct allowance *a, struct fault *why) MUST_USE;

#endif
