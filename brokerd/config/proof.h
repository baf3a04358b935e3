/* proof.h - what does a provider's way of proving itself need, beside its key?
 * Fills in what a section leaves unsaid: a region out of the host's name, the clouds' own token
 * endpoints and scopes. Data; no I/O. */
#ifndef BROKERD_CONFIG_PROOF_H
#define BROKERD_CONFIG_PROOF_H
#include "brokerd/config/config.h"

/* The provider's base URL and origin are known. ERR_MISCONFIGURED: a sentence that says which key is
 * missing. */
enum err proof_finish(struct provider *p, struct fault *why) MUST_USE;

#endif
