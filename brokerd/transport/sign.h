/* sign.h - how does a request prove itself, and to whom?
 * The one reader of a secret's bytes on their way to a provider. What it makes lies in guarded,
 * locked memory, is shared by all requests of the same secret that are under way, and is wiped when
 * the last of them is over. The loop's thread only. */
#ifndef BROKERD_TRANSPORT_SIGN_H
#define BROKERD_TRANSPORT_SIGN_H
#include "brokerd/value/secret.h"
#include "brokerd/value/target.h"

struct signer;
struct signature;

/* NULL: no guarded memory, and *why says so. Call after sodium_init. */
struct signer *signer_new(struct fault *why);
void signer_free(struct signer *s); /* no signature is left; NULL is fine */

/* Makes the header that proves a request to `target`, or finds one under way. Unless `origin` (of
 * the request's URL, as http_origin writes it) is the secret's own, nothing is read: ERR_DENIED. *out
 * is NULL, with OK, where the target asks for no proof. ERR_NO_KEY (it asks, and there is none),
 * ERR_INVALID_ARGUMENT (a key or header name that cannot stand in a header), ERR_UNSUPPORTED (a
 * scheme that signs otherwise), ERR_NO_MEMORY. */
enum err sign(struct signer *s, struct span origin, const struct target *target,
	struct secret *secret, struct signature **out, struct fault *why) MUST_USE;
void signature_unref(struct signature *g); /* the last one wipes; NULL is fine */

/* "Name: value", NUL-terminated, for curl to read; not to be copied, logged or changed. */
char *signature_line(struct signature *g);

/* The key alone, inside the line: what must not come back. */
struct span signature_key(const struct signature *g);

#endif
