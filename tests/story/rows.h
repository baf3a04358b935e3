/* rows.h - what does the ledger hold in the end?
 * Reads ledger.db as a person would, after the broker is gone. */
#ifndef TESTS_STORY_ROWS_H
#define TESTS_STORY_ROWS_H
#include "protocol/base/buf.h"

/* Appends a line a row: exchanges by their beginning, then attempts likewise. What is not known is "?",
 * what is absent "-". Ends the run where there is no ledger. */
void rows_read(const char *state_dir, struct buf *out);

#endif
