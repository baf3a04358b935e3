/* disk_parts.h - what do the files of the disk share?
 * Its struct, for disk.c, which makes and ends it; disk_file.c, which opens the file and leaves it; disk_write.c, which has
 * written what waits; disk_gone.c, which sees to it that what went is not found again; disk_read.c and
 * disk_rows.c, which read. Of each what the others call. */
#ifndef BROKERD_CACHE_DISK_PARTS_H
#define BROKERD_CACHE_DISK_PARTS_H
#include "brokerd/cache/disk.h"
#include "brokerd/cache/disk_work.h"

enum disk_state {
	DISK_OFF,      /* no key, or no bytes */
	DISK_SCANNING, /* what there is is looked for */
	DISK_READY,
	DISK_AWAY, /* the disk was lost: what there is is looked for when there is something to write */
};

enum doom_kind {
	DOOM_KEY,
	DOOM_SCOPE,
	DOOM_LONGER,
};

/* What is to go when it was found. */
struct disk_doom {
	enum doom_kind kind;
	struct cache_key key;
	uint64_t scope;
	size_t bytes;
};

#define DISK_READ_LANE   3 /* of the workers: with what else is read of the state */
#define DISK_DOOMS_BYTES (4 * MIB)

struct cache_disk {
	struct loop *loop;
	struct workers *workers;
	char dir[4000];
	int64_t limit, limit_now; /* the latter is less while the disk is full */
	unsigned char key[CACHE_SEAL_BYTES];
	bool has_key;
	enum disk_state state;
	struct cache_file *file; /* SCANNING and READY */
	struct cache_book *book; /* READY */
	int fd;                  /* the file's, for reads; -1: there is none */
	unsigned char id[CACHE_FILE_ID];
	int64_t written_bytes;          /* the file's end, when all was well last */
	struct disk_item *table, *list; /* all but those that are gone; those that no worker has */
	size_t n_list, waiting_bytes;
	struct buf erasures, dooms;
	unsigned n_walks; /* of the dooms */
	bool is_clear;    /* the next job clears the file first: what is in it is not in the book */
	bool is_noted;    /* what was noted beside the file is done with by the next job */
	struct cache_clearing *asked; /* who waits for what is in no job yet */
	int64_t cut;
	bool is_writing;
	struct loop_timer timer;
	/* of disk_read.c */
	struct disk_reader reader;
	struct disk_read *reads, *read_table; /* all; those that whoever comes may wait for */
	size_t n_reads;
	int64_t read_bytes; /* of all of them */
	struct loop_task tell;
	struct disk_read *told; /* whose waiters are told now */
	int cause;              /* why it takes no more; 0: it does */
	bool is_short;          /* the disk was full when more was written than is there, */
	int64_t full_us;        /* at that time of the loop */
	bool has_said_damaged;
	uint64_t dropped, evicted, expired, damaged;
};

/* ---- disk.c ---- */

void *disk_take(size_t bytes); /* zeroed; out of memory aborts */
int64_t disk_now_s(const struct cache_disk *d);
struct disk_work *disk_work_new(struct cache_disk *d, enum disk_act act);
void disk_submit(struct disk_work *w);

/* ---- disk_file.c ---- */

void disk_scan(struct cache_disk *d);
void disk_scan_done(struct cache_disk *d, struct disk_work *w);
/* The file is closed behind all that is under way with it; what no worker has waits on if the next one is to have it. */
void disk_leave(struct cache_disk *d, enum disk_state to);
/* What is under way beyond the limit is cut off when it is there. */
void disk_limit_book(struct cache_disk *d);

/* ---- disk_write.c ---- */

/* One that no worker has is let go of; */
void disk_item_drop(struct cache_disk *d, struct disk_item *i);
/* a worker has it, and what becomes of it there matters no more. */
void disk_item_leave(struct cache_disk *d, struct disk_item *i);
/* Something is to be written: now, if it is enough, or somebody waits for it; */
void disk_soon(struct cache_disk *d);
/* and all that waits, behind what a worker is at. */
void disk_write_rest(struct cache_disk *d);
void disk_on_timer(struct loop_timer *t);
void disk_write_done(struct cache_disk *d, struct disk_work *w);
void disk_say_failed(struct cache_disk *d, int cause);

/* ---- disk_gone.c ---- */

/* What lay there must not be found again by whoever scans the file next. */
void disk_erase(struct cache_disk *d, uint32_t block, uint32_t blocks);
void disk_place_remove(struct cache_disk *d, struct cache_place *p);
/* Nothing that is there, or under way, is to be found any more. */
void disk_forget(struct cache_disk *d);
/* The book is made: what is to go goes. */
void disk_fulfil(struct cache_disk *d);
/* Is anything to go that the next run would not see to by itself? */
bool disk_is_doomed(const struct cache_disk *d);
void disk_remove_file(struct cache_disk *d);
/* Whoever waits for what went is told by a job to come, whatever state this is. */
void disk_make_sure(struct cache_disk *d);
/* That job has them; */
void disk_asked_give(struct cache_disk *d, struct disk_work *w);
/* it is back, or all is over. */
void disk_asked_tell(struct cache_clearing **list, int cause);

/* ---- disk_read.c ---- */

void disk_read_init(struct cache_disk *d);
void disk_read_done(struct cache_disk *d); /* no worker is at one; who waits is not told */
/* Nothing that is read comes any more: who waits is told so soon. */
void disk_read_stop(struct cache_disk *d);

#endif
