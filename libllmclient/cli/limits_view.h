/* limits_view.h - how do limits, and what is used of them, appear on a screen of 80 columns?
 * One line a limit for whose it is, and below it one for each amount. Pure. */
#ifndef LIBLLMCLIENT_CLI_LIMITS_VIEW_H
#define LIBLLMCLIENT_CLI_LIMITS_VIEW_H
#include "protocol/base/buf.h"
#include "protocol/base/json.h"

/* Appends all that `answer`, the broker's to budget.list, says; nothing where it says nothing. */
void limits_view(struct json answer, struct buf *out);

/* The same, and where each was said. */
void limits_view_whole(struct json answer, struct buf *out);

#endif
