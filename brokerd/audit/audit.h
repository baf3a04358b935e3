/* audit.h - who was allowed, denied or failed to do what, so that nobody can say otherwise later?
 * The half on the loop: events become text and wait for a worker, which appends them to audit.log in order
 * and in groups. Nothing here waits, and nothing fails so that the caller would know: a log that cannot be
 * written is said in the daemon's own, and what does not fit the queue is counted in a record. */
#ifndef BROKERD_AUDIT_AUDIT_H
#define BROKERD_AUDIT_AUDIT_H
#include "brokerd/audit/event.h"
#include "brokerd/audit/files.h"
#include "brokerd/loop/worker.h"

#define AUDIT_LANE        2 /* of workers_submit */
#define AUDIT_LIMITS      ((struct audit_limits){.file_bytes = (size_t)4 * 1024 * 1024, .files = 16})
#define AUDIT_QUEUE_BYTES ((size_t)1024 * 1024) /* that wait for the disk */
#define AUDIT_ROOT_BYTES  ((size_t)32)

struct audit;

/* Touches no file before the loop runs. NULL: out of memory; every function here takes that. */
struct audit *audit_open(
	struct workers *w, struct loop *l, const char *state_dir, struct audit_limits limits);

/* Writes what is left, here and now, and frees. The workers have ended. A log that was never begun, for the
 * loop never ran, stays so. */
void audit_close(struct audit *a);

/* Keeps nothing of the event but its word. */
void audit_record(struct audit *a, const struct audit_event *e);

/* The vault is open, and this is its key for the audit: a new epoch of MACs begins. The caller wipes it. */
void audit_key(struct audit *a, const unsigned char root[AUDIT_ROOT_BYTES]);
/* It is locked: records are chained, and no more, until it is open again. */
void audit_no_key(struct audit *a);
bool audit_is_keyed(const struct audit *a);

/* The disk is lost: nothing of it stays open. The next record looks for it anew, */
void audit_let_go(struct audit *a);
/* and what waits for another try has it now, for the disk is better. */
void audit_retry(struct audit *a);

/* Gives a worker a job that reads the log, once all that was recorded so far is in it. */
void audit_read(struct audit *a, struct job *j);

/* How it is: records that were lost since the start, and why the last write failed (OK: it did not). */
uint64_t audit_lost(const struct audit *a);
const struct fault *audit_fault(const struct audit *a);

#endif
