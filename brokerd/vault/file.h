/* file.h - how does a vault file get on the disk, whole or not at all?
 * Everything here blocks and runs on a worker, or at start. A fault's sentence names the file, what
 * failed and what to do. Writing is: a new file, synced, read back and proved; the old one kept as
 * `vault.bak`; a rename; the folder synced. Whatever fails before the rename leaves `vault` alone,
 * and what fails after it is undone. */
#ifndef BROKERD_VAULT_FILE_H
#define BROKERD_VAULT_FILE_H
#include "protocol/base/buf.h"

struct vault_files {
	char *dir; /* the state folder */
	char *key_path;
	bool is_own_key;       /* key_path is in the state folder and was named by us */
	char *credential_path; /* what a service manager handed over for the vault; NULL: none */
	/* For tests, else NULL: called before each step by its name ("fsync vault.new"); an errno
	 * instead of 0 makes the step fail so. */
	int (*on_step)(const char *step);
};

#define VAULT_CREDENTIAL "llm-broker.vault-key"

/* `key_path` NULL: dir/vault.key. `credentials` is the folder of what a service manager handed over,
 * or NULL. Aborts when memory is out. */
void vault_files_init(
	struct vault_files *f, const char *dir, const char *key_path, const char *credentials);
void vault_files_done(struct vault_files *f);

/* Reads `vault` into `out` (ceiling LIMIT_VAULT_BYTES). *is_absent, with OK: there is none, nor a
 * backup of one. Anything else that keeps it from being read is ERR_IO, ERR_VAULT_DAMAGED (too large, a
 * symlink, others may write it; a backup without its vault), never absence. */
enum err vault_files_read(
	const struct vault_files *f, struct buf *out, bool *is_absent, struct fault *why) MUST_USE;

/* Appends advice on the backup to a sentence about a file that cannot be used. */
void vault_files_advise(const struct vault_files *f, struct fault *why);

/* Reads the key file's 32 bytes into `key`. ERR_IO; *is_absent with OK as above. */
enum err vault_files_read_key(const struct vault_files *f, unsigned char *key, bool *is_absent,
	struct fault *why) MUST_USE;
/* The same of VAULT_CREDENTIAL: its 32 bytes, or what BLAKE2b makes of another length. */
enum err vault_files_read_credential(const struct vault_files *f, unsigned char *key,
	bool *is_absent, struct fault *why) MUST_USE;
/* Makes the key file, of random bytes, where there is none; under the lock. */
enum err vault_files_make_key(
	const struct vault_files *f, unsigned char *key, struct fault *why) MUST_USE;
void vault_files_remove_key(const struct vault_files *f);

/* Keeps other brokers from writing meanwhile; makes the folder where there is none. Waits some
 * seconds. Returns a descriptor for vault_files_unlock in *lock. */
enum err vault_files_lock(const struct vault_files *f, int *lock, struct fault *why) MUST_USE;
void vault_files_unlock(int lock);

enum vault_backup {
	BACKUP_OLD, /* vault.bak becomes what vault was */
	BACKUP_NEW, /* and here a copy of the new: what was taken away is to be gone */
};

/* Puts `sealed` in the place of `old` (absent: there is none), under the lock. `is_good` proves what
 * was read back. ERR_STORAGE_FULL, ERR_IO. */
enum err vault_files_replace(const struct vault_files *f, struct span sealed, struct span old,
	enum vault_backup backup, bool (*is_good)(void *context, struct span bytes), void *context,
	struct fault *why) MUST_USE;

#endif
