/* sign.h - how does a request prove itself, and to whom?
 * The one reader of a secret's bytes on their way to a provider. What it makes lies in guarded,
 * locked memory, is shared by all requests of the same secret that are under way, and is wiped when
 * the last of them is over; but what AWS's signatures prove is one request's and no secret. The loop's
 * thread only. */
#ifndef BROKERD_TRANSPORT_SIGN_H
#define BROKERD_TRANSPORT_SIGN_H
#include "brokerd/value/secret.h"
#include "brokerd/value/target.h"

struct signer;
struct signature;

/* NULL: no guarded memory, and *why says so. Call after sodium_init. */
struct signer *signer_new(struct fault *why);
void signer_free(struct signer *s); /* no signature is left; NULL is fine */

/* What is to be proved, and to whom. */
struct signing {
	struct span origin; /* of the request's URL, as http_origin writes it */
	const struct http_request *request;
	const struct target *target;
	int64_t now_s; /* since 1970 */
};

/* Makes the headers that prove a request, or finds them under way. Unless `origin` is the secret's own,
 * nothing is read: ERR_DENIED. *out is NULL, with OK, where the target asks for no proof. ERR_NO_KEY
 * (it asks, and there is none, or one of another kind), ERR_INVALID_ARGUMENT (a key or header name that
 * cannot stand in a header), ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err sign(struct signer *s, const struct signing *what, struct secret *secret,
	struct signature **out, struct fault *why) MUST_USE;
void signature_unref(struct signature *g); /* the last one wipes; NULL is fine */

/* The i-th of at most SIGNATURE_LINES lines, "Name: value", NUL-terminated, for curl to read; not to be
 * copied, logged or changed. NULL: there are no more. */
#define SIGNATURE_LINES 3
char *signature_line(struct signature *g, size_t i);

/* Is one of them a header of that name? */
bool signature_writes(struct signature *g, struct span name);

/* The secret part of them: what must not come back. May be empty. */
struct span signature_key(const struct signature *g);

/* The same as a query or a form would have it; empty where that is no other. */
struct span signature_key_escaped(const struct signature *g);

#endif
