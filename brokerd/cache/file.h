/* file.h - how is a record written to the disk, and found there again?
 * One file in a folder of its own, made with the first record. Nothing of it is mapped, so nothing that is done to it from
 * outside ends us, and nothing read from it is believed before it is opened. Blocks: for a worker, one call after the
 * other; cache_file_read also beside them, on what was made known. No sync but where it is asked for: a power cut costs what
 * the kernel had not written, and what is torn then does not open. */
#ifndef BROKERD_CACHE_FILE_H
#define BROKERD_CACHE_FILE_H
#include "brokerd/cache/book.h"
#include "protocol/base/buf.h"

/* Whole blocks of the longest record. */
#define FILE_RECORD_MAX (CACHE_HEAD_MAX + CACHE_BODY_MAX + CACHE_TAG_BYTES + CACHE_BLOCK_BYTES)

struct cache_file {
	char dir[4000];
	struct cache_seal seal; /* never changes */
	unsigned char id[CACHE_FILE_ID];
	int fd; /* -1: there is none yet */
};

void cache_file_init(
	struct cache_file *f, const char *dir, const unsigned char key[CACHE_SEAL_BYTES]);
void cache_file_done(struct cache_file *f); /* closes, and wipes the keys */

enum file_found {
	FILE_FOUND,
	FILE_NONE,
	FILE_STRANGE, /* it was another version's, under another key or damaged, and is gone */
	FILE_FAILED,  /* errno says why */
};
enum file_found cache_file_open(struct cache_file *f);
/* Enters what there is, from the block at *block (0 at first) on, in the next so many bytes. Returns true at the end. What is
 * over at now_s, torn or no record is passed by; of two with one key the older is erased. */
bool cache_file_scan(
	struct cache_file *f, struct cache_book *b, int64_t now_s, int64_t bytes, uint32_t *block);

/* False: errno says why; what lies there then is no record. `room` is for what is sealed. Makes the file if there is none. */
bool cache_file_write(
	struct cache_file *f, const struct cache_copy *c, uint32_t block, struct buf *room);
/* Makes so many blocks no records, as far as there are so many. */
bool cache_file_erase(struct cache_file *f, uint32_t block, uint32_t blocks);
/* To so many bytes at most; the first block stays. */
bool cache_file_cut(struct cache_file *f, int64_t bytes);
/* Nothing that was there can be opened any more. False: errno says why. */
bool cache_file_clear(struct cache_file *f);
/* What was written, and erased, is on the disk itself. */
bool cache_file_sync(const struct cache_file *f);
/* The file and, if there is nothing else in it, its folder; there may be none. False: errno says why. */
bool cache_file_remove(const char *dir);

/* Beside a file that cannot be opened for want of its key, a list says whose records are to go from it when it can: of these
 * scopes, u64 each. With too many of them the file goes instead. False: errno says why. */
bool cache_file_note(const char *dir, struct span scopes);
/* Appends those. False: they are too many, or cannot be read. */
bool cache_file_noted(const char *dir, struct buf *scopes);
void cache_file_unnote(const char *dir);

/* Appends `n` bytes at a block. False: there are fewer, or they cannot be read. */
bool cache_file_read(int fd, uint32_t block, size_t n, struct buf *out);

#endif
