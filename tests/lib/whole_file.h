/* whole_file.h - what is in a file? */
#ifndef TESTS_LIB_WHOLE_FILE_H
#define TESTS_LIB_WHOLE_FILE_H
#include "protocol/base/buf.h"

/* Appends the whole file. False where it cannot be read to its end. */
bool whole_file(const char *path, struct buf *out) MUST_USE;

#endif
