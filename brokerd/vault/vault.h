/* vault.h - which keys are there, and may one be used?
 * One file, sealed; open while its data key is in locked memory. Every operation that hashes, syncs
 * or reads is a job on the workers and answers by callback, in the order asked. Never replaced by an
 * empty one; no operation gives a key's bytes back. */
#ifndef BROKERD_VAULT_VAULT_H
#define BROKERD_VAULT_VAULT_H
#include "brokerd/loop/worker.h"
#include "brokerd/value/secret.h"
#include "brokerd/vault/slot.h"

struct vault;

enum vault_state {
	VAULT_ABSENT, /* no file yet: the first key makes one */
	VAULT_LOCKED,
	VAULT_OPEN,
	VAULT_DAMAGED, /* there is a file that cannot be used; it is left alone */
};

/* What a subkey is for. The numbers are kept: a file was sealed under each. */
enum vault_purpose {
	VAULT_PURPOSE_ITEMS = 16,
	VAULT_PURPOSE_RESPONSES = 17,
	VAULT_PURPOSE_AUDIT = 18,
	VAULT_PURPOSE_PROMPTS = 19,
	VAULT_PURPOSE_CACHE = 20,     /* what is kept on disk */
	VAULT_PURPOSE_CACHE_KEY = 21, /* under which keys */
};

struct vault_paths {
	const char *state_dir;   /* holds `vault`, `vault.bak`, `vault.lock`, `vault.key` */
	const char *key_file;    /* NULL: state_dir/vault.key */
	const char *credentials; /* the folder of what a service manager handed over; NULL: none */
};

/* The slots of a vault, in their order. */
struct vault_slots {
	uint8_t types[8]; /* enum slot_type; others are a newer version's */
	size_t n;
};

/* What is known of a key without opening it. Texts are NUL-terminated. */
struct vault_key {
	char provider[64], label[64];
	char origin[256];
	char fingerprint[9];            /* keyed, says nothing of the key itself */
	int64_t created_s, last_used_s; /* 0: never */
	int64_t not_after_s;            /* 0: it has no end */
	/* the one that it replaced and that is good beside it; old_until_s 0: none */
	char old_fingerprint[9];
	int64_t old_until_s;
};

/* Looks at the file (a short read on the caller's thread) and, where a key-file slot fits, opens it.
 * Never NULL but when memory is out: a file that cannot be used gives VAULT_DAMAGED and *why. */
struct vault *vault_new(struct workers *w, const struct vault_paths *paths, struct fault *why);
void vault_free(struct vault *v); /* wipes; running jobs must have ended */

enum vault_state vault_state(const struct vault *v);
const char *vault_state_name(enum vault_state s);
/* Can it be opened with nobody there (by a key file or a credential that fits)? */
bool vault_is_unattended(const struct vault *v);
bool vault_has_passphrase(const struct vault *v);
/* What is known of them, also while it is locked. */
const struct vault_slots *vault_slots(const struct vault *v);
/* A job of its own is under way (it does not end in silence). */
bool vault_is_busy(const struct vault *v);

/* The answer to an operation: OK or a fault with its sentence. On the loop's thread, once, never
 * before the call that asked has returned. */
struct vault_reply {
	void (*on_done)(void *context, enum err err, const struct fault *why);
	void *context;
};

/* Opens with a passphrase (1..1024 bytes, copied into locked memory, the caller wipes its own), or by
 * the key file or the credential where `passphrase` is absent. Reads the file anew, whatever state it was in.
 * ERR_WRONG_PASSPHRASE, ERR_VAULT_DAMAGED, ERR_NO_KEY (there is no vault), ERR_LOCKED (locked again
 * meanwhile), ERR_NO_MEMORY (the hash's memory: not the passphrase's fault). */
void vault_unlock(struct vault *v, struct span passphrase, struct vault_reply reply);

/* The same by a recovery code or an agent's key, as code.h writes them; ERR_INVALID_ARGUMENT: it is
 * none. */
void vault_unlock_by(
	struct vault *v, enum slot_type type, struct span code, struct vault_reply reply);

/* Forgets the data key and every key: at once. Secrets that calls hold die with those calls; a change
 * that a worker is at ends in the file, not in memory. */
void vault_lock(struct vault *v);

/* Adds or replaces the key of (provider, label); label "" is the default one. The vault is made,
 * where there is none and `may_create`, with a slot of the credential that was handed over, or of the key file where there
 * is none or one is named; else it must be open. `secret` is
 * copied, and is refused when empty, too long, or with a byte that no header may carry (a newline:
 * ERR_INVALID_ARGUMENT with advice).
 * All three changes below are made to the file as it is then, another broker's changes included.
 * What fails (ERR_STORAGE_FULL, ERR_IO, ...) has changed nothing, in the file or in memory. */
void vault_add(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, bool may_create, struct vault_reply reply);
/* The same of the first key: the vault is made with a passphrase slot instead, as vault_set_passphrase
 * takes it. ERR_INVALID_ARGUMENT where there is a vault. */
void vault_add_first(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, struct span passphrase, struct vault_reply reply);
/* Puts another secret in the place of a key's that is there (ERR_NO_KEY), which stays beside it for
 * `overlap_s` seconds (0: not at all), if it is for the same origin. ERR_INVALID_ARGUMENT where it is the
 * very key that is there. Else as vault_add. */
void vault_rotate(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, int64_t overlap_s, struct vault_reply reply);
void vault_remove(
	struct vault *v, struct span provider, struct span label, struct vault_reply reply);

/* Adds, changes (`passphrase` set) or removes (absent) the passphrase slot of an open vault. The last
 * slot is not removed. `keep_key_file` false: the key-file slot goes too, so that the vault is locked
 * at the next start. */
void vault_set_passphrase(
	struct vault *v, struct span passphrase, bool keep_key_file, struct vault_reply reply);

/* Adds a slot to an open vault, or replaces the one of its type: SLOT_KEY_FILE (the file is made where
 * there is none), SLOT_CREDENTIAL, or SLOT_RECOVERY and SLOT_AGENT with a `code` that code.h made. The
 * keys stay sealed as they are. */
void vault_slot_add(
	struct vault *v, enum slot_type type, struct span code, struct vault_reply reply);
/* Removes one, and the key file that was made for it; never the last that opens the vault. */
void vault_slot_remove(struct vault *v, enum slot_type type, struct vault_reply reply);

/* The label of a key that administers an account, and makes no calls: it is never taken for a
 * provider's first. */
#define VAULT_LABEL_ADMIN "admin"

/* The open key of a provider (label absent: the default, else its first one that is not
 * VAULT_LABEL_ADMIN), one reference the caller's; none whose time is over. ERR_LOCKED, ERR_NO_KEY,
 * ERR_VAULT_DAMAGED; never waits. */
enum err vault_get(struct vault *v, struct span provider, struct span label, struct secret **out,
	struct fault *why) MUST_USE;

/* What that key replaced, while it is good: for a provider that does not know the new one yet. NULL:
 * there is none. */
struct secret *vault_get_old(struct vault *v, struct span provider, struct span label);
bool vault_has_old(const struct vault *v, struct span provider, struct span label);

/* Forgets the replaced keys whose time is over; the next write takes them out of the file. Returns when
 * the next one's is, in seconds since 1970; 0: none. */
int64_t vault_expire(struct vault *v, int64_t now_s);

/* Has the provider a key that is good, and that calls may use? False while the vault is not open: ask
 * vault_state first. */
bool vault_has(const struct vault *v, struct span provider);

/* The label of the i-th of its keys that calls may use, from 0: the default one, then the others as they were added.
 * False: there are no more. Borrowed until the vault changes. */
bool vault_label_at(const struct vault *v, struct span provider, size_t i, struct span *label);

/* A key of 32 bytes for what another organ seals, one for each `purpose`; the caller wipes it. False:
 * the vault is not open. */
bool vault_subkey(struct vault *v, enum vault_purpose purpose, unsigned char *to) MUST_USE;

/* The keys of an open vault, in the order they were added; *n is 0 while it is locked. */
const struct vault_key *vault_list(const struct vault *v, size_t *n);

#endif
