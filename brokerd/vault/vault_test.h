/* vault_test.h - what may a test ask of a vault that nobody else may?
 * For tests/ alone. */
#ifndef BROKERD_VAULT_VAULT_TEST_H
#define BROKERD_VAULT_VAULT_TEST_H
#include "brokerd/vault/format.h"
#include "brokerd/vault/vault.h"

struct vault_options {
	struct vault_cost cost; /* of new passphrase slots, within the bounds of format.h */
	int (*on_step)(const char *step); /* see struct vault_files */
};

struct vault *vault_new_with(struct workers *w, const struct vault_paths *paths,
	const struct vault_options *o, struct fault *why);

#endif
