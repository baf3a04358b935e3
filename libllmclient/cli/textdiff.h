/* textdiff.h - which lines differ between two texts?
 * As `diff -u` shows it. Pure but for memory. */
#ifndef LIBLLMCLIENT_CLI_TEXTDIFF_H
#define LIBLLMCLIENT_CLI_TEXTDIFF_H
#include "protocol/base/buf.h"

/* Appends it to `out`, under these names; nothing where the texts are the same. Failures stick to `out`. */
void textdiff_put(struct span before, struct span after, const char *name_before,
	const char *name_after, struct buf *out);

#endif
