/* zone.h - when does a day begin somewhere?
 * A named time zone, read once from the system's compiled zone files (RFC 9636), and what a moment is there. No
 * global state: TZ and the C library's own zone are not touched. Years 1970 to 9999. */
#ifndef BROKERD_CONFIG_ZONE_H
#define BROKERD_CONFIG_ZONE_H
#include <stdint.h>

#include "protocol/base/arena.h"
#include "protocol/base/err.h"

struct zone;

extern const struct zone zone_utc;

/* "Europe/Berlin", "UTC"; "local" is the host's (/etc/localtime; UTC where that is absent). From
 * /usr/share/zoneinfo; no name climbs out of it. NULL: *why says what is wrong with it and what to do. Lives
 * in `a`. */
const struct zone *zone_load(struct arena *a, struct span name, struct fault *why);
/* The same from the bytes of a file: for tests and for fuzzing. */
const struct zone *zone_parse(
	struct arena *a, struct span name, struct span bytes, struct fault *why);

/* As it was asked for; of "local" the name that the link at /etc/localtime has, where it has one. */
struct span zone_name(const struct zone *z);

/* Seconds to add to UTC at that moment (since 1970) to have the clock on the wall there. */
int64_t zone_offset_s(const struct zone *z, int64_t at_s);
/* What the clock is called then: "CET". Lives as long as `z`. */
struct span zone_abbreviation(const struct zone *z, int64_t at_s);

/* The moment at which the wall clock of `z` shows that date and time; of two, the first; where it is skipped, the
 * moment of the skip. Months from 1, also beyond 12 and below 1, days likewise. */
int64_t zone_moment_s(const struct zone *z, int64_t year, int64_t month, int64_t day, int64_t hour);

/* What the wall clock of `z` shows at a moment. */
struct zone_time {
	int64_t year;
	int month, day;           /* from 1 */
	int hour, minute, second; /* from 0 */
	int weekday;              /* Monday is 0 */
};
void zone_read(const struct zone *z, int64_t at_s, struct zone_time *out);

#endif
