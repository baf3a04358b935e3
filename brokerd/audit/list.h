/* list.h - what was recorded lately?
 * The newest records that are asked for, as JSON. What is in the file is not believed: a line that is no
 * JSON is counted and left out. Blocks: for a worker, in AUDIT_LANE. */
#ifndef BROKERD_AUDIT_LIST_H
#define BROKERD_AUDIT_LIST_H
#include "brokerd/audit/files.h"

#define LIST_RECORDS_MAX ((size_t)1000)

struct audit_list {
	/* in */
	const char *state_dir;
	int64_t since_us; /* wall time; 0: from the beginning */
	struct span what; /* "key.add", or "key" for all that begin so; absent: all */
	size_t limit;     /* 1..LIST_RECORDS_MAX */
	/* out */
	struct buf *to;       /* an array of the records, the newest last */
	size_t n, unreadable; /* how many it has; lines that were left out */
	bool has_more;        /* older ones, which were not asked for */
	int cause;            /* errno: the folder or a file could not be read; 0 */
};

void audit_list(struct audit_list *q);

#endif
