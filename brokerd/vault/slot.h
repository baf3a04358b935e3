/* slot.h - what can open a vault?
 * The numbers are the file's; others than these are a newer version's: kept, never used. */
#ifndef BROKERD_VAULT_SLOT_H
#define BROKERD_VAULT_SLOT_H
#include "protocol/base/span.h"

enum slot_type {
	SLOT_PASSPHRASE = 1, /* a person's, and slow to guess */
	SLOT_KEY_FILE = 2,   /* 32 bytes in a file: unattended */
	SLOT_RECOVERY = 3,   /* a code on paper */
	SLOT_CREDENTIAL = 4, /* what systemd hands over at start: unattended */
	SLOT_AGENT = 5,      /* a key that the user's agent keeps and brings */
};

/* "passphrase", "key-file", "recovery", "credential", "agent"; NULL: not known. */
const char *slot_type_name(enum slot_type type);
bool slot_type_from(struct span name, enum slot_type *out);

/* Does it open the vault with nobody there? */
bool slot_is_unattended(enum slot_type type);

#endif
