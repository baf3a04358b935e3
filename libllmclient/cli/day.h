/* day.h - which day does a cell of somebody's table mean?
 * A day is a number: days since 1 January 1970. Where a moment is meant (with an offset, or in seconds
 * since 1970), it is for a zone to say which day that is: the process's own, which zone_use sets. */
#ifndef LIBLLMCLIENT_CLI_DAY_H
#define LIBLLMCLIENT_CLI_DAY_H
#include <stdint.h>

#include "protocol/base/buf.h"

enum day_form {
	DAY_FORM_ANY, /* ISO 8601, 2026/1/31, 31 Jan 2026, or seconds since 1970: what is read in one way only */
	DAY_FORM_MDY, /* 1/31/2026 */
	DAY_FORM_DMY, /* 31.1.2026 */
	DAY_FORM_UNIX,
};

/* From 1970 to 2199. ERR_MALFORMED says what is wrong with it. */
enum err day_read(struct span text, enum day_form form, int64_t *day, struct fault *why) MUST_USE;

/* The day of a date, and back. Months and days from 1. */
int64_t day_of_date(int64_t year, int64_t month, int64_t day);
void day_put(struct buf *out, int64_t day); /* "2026-01-31" */

/* By the zone. */
int64_t day_of_moment(int64_t at_s);
int64_t day_begins_s(int64_t day);

#endif
