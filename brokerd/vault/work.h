/* work.h - what does a worker do to the vault?
 * The blocking half: files, hashes, ciphers. It shares nothing with the loop's half but the values
 * that go in and come out. */
#ifndef BROKERD_VAULT_WORK_H
#define BROKERD_VAULT_WORK_H
#include "brokerd/value/guarded.h"
#include "brokerd/vault/body.h"
#include "brokerd/vault/file.h"
#include "brokerd/vault/format.h"
#include "brokerd/vault/vault.h"

/* An open vault, as one thread hands it to the other. */
struct opened {
	struct vault_header header;
	struct guarded *data_key, *body; /* a checked body */
	bool is_unattended; /* a key file or a credential opens it, with nobody there */
};
void opened_done(struct opened *o);

/* What was found of the vault, open or not. */
struct loaded {
	enum vault_state state;
	bool is_unattended;
	struct opened opened; /* where VAULT_OPEN; its header also where VAULT_LOCKED */
};

/* What is brought to open a vault. */
struct opener {
	enum slot_type type;
	struct guarded
		*secret; /* the passphrase, or the key that a code stands for; NULL: nobody is
	                           there, and `type` says nothing */
};

/* Reads the vault and opens it, by what nobody has to bring where `by` has no secret.
 * OK: VAULT_OPEN, VAULT_ABSENT, or VAULT_LOCKED where no slot opens unattended and none was meant.
 * Else VAULT_LOCKED (ERR_WRONG_PASSPHRASE, ERR_NO_MEMORY, the key file does not fit) or
 * VAULT_DAMAGED, and *why. */
enum err work_load(const struct vault_files *f, const struct opener *by, struct loaded *out,
	struct fault *why) MUST_USE;

enum work_kind {
	WORK_ADD,
	WORK_REMOVE,
	WORK_ROTATE, /* as WORK_ADD, of a key that is there */
	WORK_PASSPHRASE,
	WORK_SLOT_ADD,
	WORK_SLOT_REMOVE,
};

struct work {
	enum work_kind kind;
	const struct vault_files *files;
	struct vault_cost cost;
	struct guarded *data_key; /* NULL: not open, for there was no vault */
	uint64_t generation;      /* of what is open, and its id */
	unsigned char id[FORMAT_ID_BYTES];
	bool may_create;
	struct body_change key; /* what is not of slots; its secret comes from `input` */
	bool keep_key_file;     /* WORK_PASSPHRASE */
	enum slot_type slot;    /* WORK_SLOT_ADD, WORK_SLOT_REMOVE */
	struct guarded *
		passphrase; /* WORK_ADD with may_create: what opens the new vault; NULL: the credential or a key file */
	struct guarded *input; /* the secret, the passphrase, what a code stands for, or NULL */
};

/* Said to who brings the passphrase of a first vault where it is not the first. */
extern const char work_is_no_first[];

/* Makes one change to what is on the disk now (of slots alone: beside a body that stays as it lies), another broker's changes included, and hands out the
 * vault as it is then. On failure nothing has changed, on the disk either. */
enum err work_change(const struct work *w, struct opened *out, struct fault *why) MUST_USE;

#endif
