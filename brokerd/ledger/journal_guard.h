/* journal_guard.h - what if the journal's file can no longer be written to, while it is mapped?
 * A file system that an error has made read-only, a device that is gone: the next store to a page of it is a SIGBUS. The
 * map is then made private at the same address (or, where the file system refuses that too, a copy in memory), in the
 * middle of that store, which goes on: what is there can still be read, and what comes is in memory alone. Whoever writes
 * asks after that, and lets the file go. */
#ifndef BROKERD_LEDGER_JOURNAL_GUARD_H
#define BROKERD_LEDGER_JOURNAL_GUARD_H
#include "brokerd/ledger/journal_file.h"

/* Watches over the map of that file from now on; the one of a process: NULL, none any more. Takes the signal SIGBUS over; one
 * that is about something else ends the process as ever. */
void journal_guard(const struct journal_file *f);

/* Has that happened? Any thread. */
bool journal_guard_is_private(void);

#endif
