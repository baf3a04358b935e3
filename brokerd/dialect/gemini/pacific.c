/* pacific.c - summer time from the second Sunday of March to the first of November, as since 2007. */
#include "brokerd/dialect/gemini/pacific.h"

#define HOUR_S INT64_C(3600)
#define DAY_S  (24 * HOUR_S)

/* Days from 1970-01-01 to the first of a month, of March or later: years begin in March. */
static int64_t first_of(int64_t year, int64_t month)
{
	const int64_t era = year / 400, of_era = year % 400;
	const int64_t of_year = (153 * (month - 3) + 2) / 5;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The `nth` Sunday on or after a day, as a day: 1970-01-01 was a Thursday. */
static int64_t sunday(int64_t day, int64_t nth)
{
	return day + (10 - day % 7) % 7 + 7 * (nth - 1);
}

static int64_t year_of(int64_t day)
{
	const int64_t since = day + 719468;
	const int64_t era = since / 146097, of_era = since % 146097;
	const int64_t year =
		(of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365 + era * 400;
	/* January and February belong to the year before in that count */
	return day >= first_of(year, 13) ? year + 1 : year;
}

/* Hours behind universal time. */
static int64_t behind(int64_t at_s)
{
	const int64_t year = year_of(at_s / DAY_S);
	const int64_t begin_s = sunday(first_of(year, 3), 2) * DAY_S + 10 * HOUR_S;
	const int64_t end_s = sunday(first_of(year, 11), 1) * DAY_S + 9 * HOUR_S;
	return at_s >= begin_s && at_s < end_s ? 7 : 8;
}

int64_t pacific_midnight_s(int64_t now_s)
{
	const int64_t local_s = now_s - behind(now_s) * HOUR_S;
	const int64_t local_day =
		(local_s + DAY_S) / DAY_S; /* the next one; local_s may be below 0 */
	/* clocks change at two at night: at midnight still the day's hours hold */
	const int64_t midnight_s = local_day * DAY_S + 8 * HOUR_S;
	return local_day * DAY_S + behind(midnight_s) * HOUR_S;
}
