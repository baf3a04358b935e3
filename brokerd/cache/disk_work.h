/* disk_work.h - what does a worker do with the file of answers?
 * One job at a time, in the order in which they were given. A job owns what it has; what it writes is held for it. */
#ifndef BROKERD_CACHE_DISK_WORK_H
#define BROKERD_CACHE_DISK_WORK_H
#include "brokerd/cache/file.h"
#include "brokerd/loop/worker.h"
#include "protocol/base/table.h"

/* One that is to be written. A worker reads `copy` and `block` alone. */
struct disk_item {
	TABLE_LINK;
	struct disk_item *prev, *next;
	struct cache_copy *copy;
	struct cache_place *place; /* NULL: no worker has it, or it is gone */
	uint32_t block;
	bool is_gone; /* it was removed while it was written: it is in no table */
};

struct disk_erasure {
	uint32_t block, blocks;
};

enum disk_act {
	DISK_ACT_SCAN,
	DISK_ACT_WRITE,
	DISK_ACT_CLOSE,
	DISK_ACT_REMOVE,
	DISK_ACT_NOTE, /* which scopes are to go from a file that is not open */
};

struct disk_work {
	struct job job;
	enum disk_act act;
	struct cache_disk *disk;
	struct cache_file *file; /* the lane's; the loop reads its keys alone, which never change */
	bool is_clear;           /* all that was there goes, before anything else */
	int64_t now_s, limit;
	int cause; /* errno; 0: all is well */
	/* of the file, as it is afterwards */
	int fd;
	unsigned char id[CACHE_FILE_ID];
	struct cache_clearing *asked; /* who is told when it is back: the loop's; */
	bool is_asked;                /* there were some */
	int gone_cause;               /* why what went may be there yet; 0: it is not */
	struct buf scopes;            /* scan: that are noted; note: to be */
	/* scan */
	bool is_begun, is_whole;
	struct cache_book *book;
	uint32_t block;
	enum file_found found;
	/* write */
	struct disk_item *items;
	struct buf erasures; /* of struct disk_erasure */
	int64_t cut;         /* to so many bytes; -1: not */
	bool is_noted;       /* what was noted has gone with these */
	bool has_lost;  /* what was there cannot be relied on, and is gone if that could be done */
	char dir[4000]; /* remove, note */
};

void disk_work_run(struct job *j);

#endif
