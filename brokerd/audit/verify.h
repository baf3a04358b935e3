/* verify.h - is the log, over all of its files, what was written?
 * Reads every file to its end. Blocks: for a worker, in AUDIT_LANE, where nothing is written meanwhile. */
#ifndef BROKERD_AUDIT_VERIFY_H
#define BROKERD_AUDIT_VERIFY_H
#include "brokerd/audit/check.h"
#include "brokerd/audit/files.h"
#include "protocol/base/err.h"

struct guarded;

struct audit_verify {
	/* in */
	const char *state_dir;
	struct audit_limits limits;
	bool has_sought;
	unsigned char sought[CHAIN_HASH_BYTES]; /* a hash that was seen before */
	/* out */
	struct check check; /* what was found up to the flaw */
	enum check_flaw flaw;
	char file[FILES_NAME_BYTES]; /* where the flaw is */
	size_t line;                 /* from 1; 0: the file as a whole */
	size_t n_files;
	/* its own */
	struct guarded *root;
};

/* Has the MACs checked too, by the open vault's key for the audit; the caller wipes its own.
 * ERR_NO_MEMORY. */
enum err audit_verify_key(
	struct audit_verify *v, const unsigned char root[CHAIN_KEY_BYTES]) MUST_USE;

/* Forgets the key. */
void audit_verify(struct audit_verify *v);

#endif
