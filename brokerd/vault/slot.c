/* slot.c - names. */
#include "brokerd/vault/slot.h"

#include "protocol/base/owned.h"

static const char *const names[] = {
	[SLOT_PASSPHRASE] = "passphrase",
	[SLOT_KEY_FILE] = "key-file",
	[SLOT_RECOVERY] = "recovery",
	[SLOT_CREDENTIAL] = "credential",
	[SLOT_AGENT] = "agent",
};

const char *slot_type_name(enum slot_type type)
{
	return (size_t)type < COUNT_OF(names) ? names[type] : NULL;
}

bool slot_type_from(struct span name, enum slot_type *out)
{
	for (size_t i = SLOT_PASSPHRASE; i < COUNT_OF(names); i++) {
		if (span_is(name, names[i])) {
			*out = (enum slot_type)i;
			return true;
		}
	}
	return false;
}

bool slot_is_unattended(enum slot_type type)
{
	return type == SLOT_KEY_FILE || type == SLOT_CREDENTIAL;
}
