/* small_journal.h - how does a test get a small journal?
 * The file says of itself how long its halves are; journal.c makes large ones alone. With small ones
 * a few requests go round. */
#ifndef TESTS_LIB_SMALL_JOURNAL_H
#define TESTS_LIB_SMALL_JOURNAL_H
#include <stddef.h>

/* Makes DIR/journal, of two halves of `half_bytes` (a multiple of 4096, 64 KiB or more), empty.
 * Aborts where that cannot be. */
void small_journal_make(const char *dir, size_t half_bytes);

#endif
