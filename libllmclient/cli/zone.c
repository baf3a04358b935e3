/* zone.c - looks at the clock once a week; where it differs, it searches when that began. */
#include "libllmclient/cli/zone.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define WEEK_S ((int64_t)7 * 86400)

/* A name that the C library does not find is UTC to it, silently. */
static bool is_zone(const char *name)
{
	const char *dir = getenv("TZDIR");
	char path[PATH_MAX];
	struct stat st;
	if (strcmp(name, "UTC") == 0)
		return true;
	if (name[0] == '\0' || name[0] == '/' || name[0] == ':' || strstr(name, ".."))
		return false;
	const int n = snprintf(
		path, sizeof path, "%s/%s", dir && dir[0] ? dir : "/usr/share/zoneinfo", name);
	return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool zone_use(const char *name)
{
	if (strcmp(name, "local") == 0)
		return true;
	if (!is_zone(name) || setenv("TZ", name, 1) != 0)
		return false;
	tzset();
	return true;
}

static int64_t offset_at(int64_t at_s)
{
	const time_t at = (time_t)at_s;
	struct tm tm;
	return localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
}

static void put_change(struct json_out *o, int64_t from_s)
{
	json_open(o, '[');
	json_put_i64(o, from_s);
	json_put_i64(o, offset_at(from_s));
	json_close(o, ']');
}

/* The first moment of another offset, between one of `low`'s and one that differs. */
static int64_t change_between(int64_t low, int64_t high)
{
	const int64_t former = offset_at(low);
	while (high - low > 1) {
		const int64_t middle = low + (high - low) / 2;
		if (offset_at(middle) == former)
			low = middle;
		else
			high = middle;
	}
	return high;
}

void zone_put(struct json_out *o, int64_t since_s, int64_t until_s)
{
	tzset();
	json_open(o, '[');
	put_change(o, since_s);
	for (int64_t at = since_s; at < until_s; at += WEEK_S) {
		const int64_t next = at + WEEK_S;
		if (offset_at(at) != offset_at(next))
			put_change(o, change_between(at, next));
	}
	json_close(o, ']');
}
