/* drops.h - what of a request does its target refuse outright?
 * The trait `drops` names parameters that may go with a warning: sampling, hints and the like. */
#ifndef BROKERD_DIALECT_DROPS_H
#define BROKERD_DIALECT_DROPS_H
#include "brokerd/dialect/scribe.h"

/* Before anything is written: where the target refuses a parameter that the request has, s->r becomes
 * *room, a copy without it, and a warning is noted. `room` lives as long as the scribe. */
enum err drops_apply(struct scribe *s, struct llm_request *room) MUST_USE;

/* May this member of a provider's wire be left out with a warning? A bound on the answer may not, but
 * goes by two names. */
bool drops_may(struct span param);

#endif
