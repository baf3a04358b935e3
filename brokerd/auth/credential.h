/* credential.h - what is a key, where it is more than one word?
 * What a person has of a cloud (a JSON document, or words with colons between) becomes the one line
 * that the vault keeps: words with a space between, of which the first says what it is. Pure. */
#ifndef BROKERD_AUTH_CREDENTIAL_H
#define BROKERD_AUTH_CREDENTIAL_H
#include "brokerd/value/target.h"

enum credential_kind {
	CREDENTIAL_PLAIN, /* an API key: any text that is none of those below */
	CREDENTIAL_AWS,
	CREDENTIAL_SERVICE_ACCOUNT, /* Google's, of a machine */
	CREDENTIAL_AUTHORIZED_USER, /* Google's, of a person */
	CREDENTIAL_ENTRA,
};

/* Borrowed from the line; what a kind does not have is absent. */
struct credential {
	enum credential_kind kind;
	struct span origin; /* of the provider: a token got by it goes there and nowhere else */
	struct span id;     /* the access key's, the account's e-mail, the client's */
	struct span
		secret; /* the secret access key, the private key (rs256.h), the client's secret */
	struct span session_token, key_id, refresh_token, tenant;
};

/* Writes the line of `given`, a key for a provider that proves itself by `auth`, to `out`, which has
 * reserved LIMIT_SECRET_BYTES and is wiped by the caller. `source` and `origin` are the provider's.
 * ERR_INVALID_ARGUMENT says what it has to look like, and nothing of what it was; ERR_TOO_BIG,
 * ERR_NO_MEMORY. */
enum err credential_line(enum auth_scheme auth, struct span given,
	const struct token_source *source, struct span origin, struct buf *out,
	struct fault *why) MUST_USE;

/* Takes a line apart. */
void credential_parse(struct span line, struct credential *out);

/* ERR_NO_KEY: the key of `provider` is not of the kind that its section asks for. */
enum err credential_misfits(struct span provider, struct fault *why);

/* Letters, digits, dots and hyphens: what may stand in an address. */
bool credential_is_tenant(struct span s);

#endif
