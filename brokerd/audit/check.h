/* check.h - is the log whole, record after record?
 * Takes lines in the order of the files and says where the first is that is not what was written. With a
 * vault's key it checks the MACs of that vault's epochs too. Pure: no I/O. */
#ifndef BROKERD_AUDIT_CHECK_H
#define BROKERD_AUDIT_CHECK_H
#include "brokerd/audit/chain.h"
#include "protocol/base/owned.h"

enum check_flaw {
	CHECK_WHOLE,
	CHECK_CHANGED,    /* this is not the record that was written here */
	CHECK_MISSING,    /* records before it are gone */
	CHECK_REORDERED,  /* it belongs elsewhere */
	CHECK_FORGED,     /* the chain fits, the MAC does not: not written by who has the key */
	CHECK_TORN,       /* the last line has no end */
	CHECK_UNREADABLE, /* a file cannot be read */
};
const char *check_flaw_name(enum check_flaw f);

enum check_epoch {
	CHECK_NO_EPOCH,
	CHECK_IN_EPOCH,
	CHECK_CLOSED, /* the epoch's last record was there */
};

struct check {
	/* in */
	const unsigned char *root;   /* the open vault's key for the audit; NULL: none is open */
	const unsigned char *sought; /* a hash to look for; NULL: none */
	/* where it is */
	struct chain chain;
	bool is_begun;  /* a first record was taken */
	bool is_at_top; /* of a file */
	bool is_checkable;
	enum check_epoch in;
	/* what it found */
	uint64_t first_seq, records, keyed, unchecked;
	uint64_t epochs, broken_off; /* of these, those that end without their last record */
	bool has_foreign;            /* of the unchecked, some are another vault's */
	uint64_t sought_seq;         /* 0: not found */
};

/* Another file begins; the oldest first. Its first record says on its own word what it goes on from, where
 * there is none before it. */
void check_file(struct check *c);

enum check_flaw check_line(struct check *c, struct span line) MUST_USE;

/* All of a file's lines. *line is the one at fault, counted from 1, and *good how many bytes stand before
 * it; without a fault, the last and all. */
enum check_flaw check_bytes(
	struct check *c, struct span bytes, size_t *line, size_t *good) MUST_USE;

/* Of what was not checked any more: is there a line of that number, and which is the highest, where one is
 * higher than `seq`? */
bool check_has_seq(struct span bytes, uint64_t seq);
uint64_t check_highest_seq(struct span bytes, uint64_t seq);

void check_done(struct check *c); /* wipes */

#endif
