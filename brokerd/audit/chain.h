/* chain.h - how does each record vouch for all before it, and who can have written it?
 * Each record's hash covers the hash before it; in a keyed epoch each has a MAC of that hash besides, under
 * a key of its own: the next one is its hash, and it is forgotten. Pure: no I/O, no clock. */
#ifndef BROKERD_AUDIT_CHAIN_H
#define BROKERD_AUDIT_CHAIN_H
#include <stdint.h>

#include "protocol/base/span.h"

#define CHAIN_HASH_BYTES ((size_t)32)
#define CHAIN_KEY_BYTES  ((size_t)32)
#define EPOCH_ID_BYTES   ((size_t)16)
#define EPOCH_MARK_BYTES ((size_t)8)

/* A time under one first key. Its id is drawn anew each time, so that no two have the same keys. */
struct epoch {
	unsigned char id[EPOCH_ID_BYTES];
	bool is_keyed;
	unsigned char mark[EPOCH_MARK_BYTES]; /* says which vault's, and nothing of its key */
	uint64_t step;                        /* records that it has */
	unsigned char key[CHAIN_KEY_BYTES];   /* of the record to come */
};

struct chain {
	uint64_t seq; /* of the last record; 0: there is none */
	unsigned char head[CHAIN_HASH_BYTES];
	struct epoch epoch;
};

/* Begins an epoch under a vault's key for the audit, or under none. */
void epoch_keyed(struct epoch *e, const unsigned char root[CHAIN_KEY_BYTES],
	const unsigned char id[EPOCH_ID_BYTES]);
void epoch_unkeyed(struct epoch *e, const unsigned char id[EPOCH_ID_BYTES]);

/* Which vault's key is this? */
void epoch_mark(const unsigned char root[CHAIN_KEY_BYTES], unsigned char to[EPOCH_MARK_BYTES]);

/* The MAC of a record by its hash, under the key that is its turn. */
void epoch_mac(const struct epoch *e, const unsigned char hash[CHAIN_HASH_BYTES],
	unsigned char to[CHAIN_HASH_BYTES]);

/* The record is written: its key is no more. */
void epoch_turn(struct epoch *e);

/* The hash of the record of this text, were it the next. */
void chain_hash(const struct chain *c, struct span text, unsigned char to[CHAIN_HASH_BYTES]);

#endif
