/* cells.h - what of a text goes into so many columns of a terminal?
 * What others wrote, cut at characters: of it no byte comes through that a terminal obeys. Pure. */
#ifndef LIBLLMCLIENT_CLI_CELLS_H
#define LIBLLMCLIENT_CLI_CELLS_H
#include "protocol/base/buf.h"

/* Appends what goes into `columns`, and returns how many it takes. A control character, one that turns the direction of
 * writing, and each byte that is no UTF-8 become "?". Broad characters take two columns, and those that join the one before
 * none; at most so many join that it stays one character. */
size_t cells_put(struct buf *out, struct span text, size_t columns);

/* The same, and blanks to fill them. */
void cells_pad(struct buf *out, struct span text, size_t columns);

#endif
