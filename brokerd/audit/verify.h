/* verify.h - is the log, over all of its files, what was written?
 * Reads every file to its end. Blocks: for a worker, in AUDIT_LANE, where nothing is written meanwhile. */
#ifndef BROKERD_AUDIT_VERIFY_H
#define BROKERD_AUDIT_VERIFY_H
#include "brokerd/audit/check.h"
#include "brokerd/audit/files.h"
#include "brokerd/value/guarded.h"

struct audit_verify {
	/* in */
	const char *state_dir;
	struct audit_limits limits;
	struct guarded *root; /* the open vault's key for the audit; NULL: none is open */
	bool has_sought;
	unsigned char sought[CHAIN_HASH_BYTES]; /* a hash that was seen before */
	/* out */
	struct check check; /* what was found up to the flaw */
	enum check_flaw flaw;
	char file[FILES_NAME_BYTES]; /* where the flaw is */
	size_t line;                 /* from 1; 0: the file as a whole */
	size_t n_files;
};

void audit_verify(struct audit_verify *v);

#endif
