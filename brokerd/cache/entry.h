/* entry.h - how does an answer lie on disk, and is this one that we put there?
 * As a record that says nothing to who has no key, not even under what name it lies: its head and its body are sealed
 * each (XChaCha20-Poly1305), bound to the file and the block where they lie and the body to its head, so that no record
 * can stand in another's place. Pure: no file, no clock. Foreign bytes are read here alone. */
#ifndef BROKERD_CACHE_ENTRY_H
#define BROKERD_CACHE_ENTRY_H
#include "brokerd/cache/copy.h"

#define CACHE_BLOCK_BYTES  ((size_t)1024) /* a record begins on a block */
#define CACHE_FILE_ID      16
#define CACHE_HEADER_BYTES 64 /* of the file; its block 0 has nothing else */
#define CACHE_HEAD_BYTES \
	((size_t)32 + 80 + 16) /* of a record: what precedes the body, less what is told of it */
#define CACHE_HEAD_MAX  (CACHE_HEAD_BYTES + CACHE_ABOUT_BYTES)
#define CACHE_TAG_BYTES ((size_t)16)
#define CACHE_BODY_MAX  ((size_t)LIMIT_BODY_BYTES)

/* What the vault's key is used for, each with a key of its own. */
struct cache_seal {
	unsigned char file[32], head[32], body[32];
};
void cache_seal_init(struct cache_seal *s, const unsigned char key[CACHE_SEAL_BYTES]);
void cache_seal_wipe(struct cache_seal *s);

/* The beginning of a new file, with an id of its own, */
void cache_header_make(const struct cache_seal *s, unsigned char id[CACHE_FILE_ID],
	unsigned char out[CACHE_HEADER_BYTES]);
/* and of one that is there. False: it is of another version, under another key, or no such file. */
bool cache_header_read(
	const struct cache_seal *s, struct span bytes, unsigned char id[CACHE_FILE_ID]);

/* Where a record lies. */
struct cache_spot {
	const unsigned char *id; /* CACHE_FILE_ID of the file */
	uint32_t block;
};

/* Of the record, its body with it. */
size_t cache_record_bytes(size_t about_bytes, size_t body_bytes);
/* Writes so many bytes. */
void cache_record_seal(const struct cache_seal *s, struct cache_spot at, const struct cache_copy *c,
	unsigned char *out);

/* What is known of a record without its body. */
struct cache_head {
	struct cache_key key;
	uint64_t seq, scope;
	int64_t at_s, fresh_s, kept_s;
	uint32_t about_bytes, body_bytes;
};
/* False: they are not the head of a record that was sealed for there. `bytes` may go on behind the head; `about` has room for
 * CACHE_ABOUT_BYTES. */
bool cache_record_head(const struct cache_seal *s, struct cache_spot at, struct span bytes,
	struct cache_head *out, char *about);
/* A record whose head was read, whole, into `to`, body_bytes long. False: its body is not what was sealed; what is in
 * `to` then says nothing. */
bool cache_record_body(const struct cache_seal *s, struct cache_spot at, struct span bytes,
	const struct cache_head *head, char *to);

#endif
