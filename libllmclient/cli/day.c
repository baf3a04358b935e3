/* day.c - the calendar by arithmetic, the zone by the C library. */
#include "libllmclient/cli/day.h"

#include <inttypes.h>
#include <time.h>

#include "protocol/base/num.h"

#define YEAR_MIN 1970
#define YEAR_MAX 2199
#define DAY_S    INT64_C(86400)

/* ---- the calendar ---- */

/* Years begin in March, so that the day of a leap year is the last. */
int64_t day_of_date(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = month <= 2 ? year - 1 : year;
	const int64_t era = (y >= 0 ? y : y - 399) / 400;
	const int64_t of_era = y - era * 400;
	const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of_day(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	const int64_t z = days + 719468;
	const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	const int64_t of_era = z - era * 146097;
	const int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	const int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	const int64_t m = (5 * of_year + 2) / 153;
	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = y + era * 400 + (*month <= 2);
}

void day_put(struct buf *out, int64_t day)
{
	int64_t y, m, d;
	date_of_day(day, &y, &m, &d);
	buf_print(out, "%04" PRId64 "-%02" PRId64 "-%02" PRId64, y, m, d);
}

/* ---- the zone ---- */

int64_t day_of_moment(int64_t at_s)
{
	const time_t at = (time_t)at_s;
	struct tm t;
	if (!localtime_r(&at, &t))
		return at_s / DAY_S;
	return day_of_date((int64_t)t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
}

int64_t day_begins_s(int64_t day)
{
	int64_t y, m, d;
	date_of_day(day, &y, &m, &d);
	struct tm t = {.tm_year = (int)(y - 1900),
		.tm_mon = (int)(m - 1),
		.tm_mday = (int)d,
		.tm_isdst = -1};
	return (int64_t)mktime(&t);
}

/* ---- reading ---- */

static enum err refuse(struct span text, struct fault *why, const char *what)
{
	char shown[64];
	fault_text(shown, sizeof shown, text);
	return fault_set(why, ERR_MALFORMED, "\"%s\" %s", shown, what);
}

/* Takes a number of so many digits off the front. */
static bool take_number(struct span *s, size_t least, size_t most, int64_t *out)
{
	size_t n = 0;
	*out = 0;
	while (n < s->n && n < most && s->p[n] >= '0' && s->p[n] <= '9')
		*out = *out * 10 + (s->p[n++] - '0');
	*s = span_skip(*s, n);
	return n >= least;
}

static bool take_char(struct span *s, const char *any)
{
	if (s->n == 0 || s->p[0] == '\0' || !strchr(any, s->p[0]))
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* A date that there is: each part at its place comes back the same. */
static enum err date_end(
	struct span text, int64_t y, int64_t m, int64_t d, int64_t *day, struct fault *why)
{
	int64_t yy, mm, dd;
	if (y < YEAR_MIN || y > YEAR_MAX)
		return refuse(text, why, "is not a day between 1970 and 2199");
	if (m < 1 || m > 12 || d < 1 || d > 31)
		return refuse(text, why, "is a day that no month has");
	*day = day_of_date(y, m, d);
	date_of_day(*day, &yy, &mm, &dd);
	return mm == m && dd == d ? OK
				  : refuse(text, why, "is a day that this month does not have");
}

static enum err moment_end(struct span text, int64_t at_s, int64_t *day, struct fault *why)
{
	if (at_s < 0 || at_s >= day_of_date(YEAR_MAX + 1, 1, 1) * DAY_S)
		return refuse(text, why, "is no moment between 1970 and 2199");
	*day = day_of_moment(at_s);
	return OK;
}

/* "Z", "+02:00", "-0330", " UTC": seconds east. False: there is nothing of the kind. */
static bool take_offset(struct span *s, int64_t *east_s)
{
	int64_t h, m = 0;
	*s = span_trim(*s);
	*east_s = 0;
	if (span_is_nocase(*s, "z") || span_is_nocase(*s, "utc") || span_is_nocase(*s, "gmt")) {
		*s = SPAN_NONE;
		return true;
	}
	const bool is_west = s->n > 0 && s->p[0] == '-';
	if (!take_char(s, "+-") || !take_number(s, 2, 2, &h) || h > 18)
		return false;
	(void)take_char(s, ":");
	if (s->n > 0 && (!take_number(s, 2, 2, &m) || m > 59))
		return false;
	*east_s = (h * 3600 + m * 60) * (is_west ? -1 : 1);
	return true;
}

/* Takes "10:00", "10:00:00.123" and the like off the front: seconds. */
static bool take_clock(struct span *s, int64_t *clock_s)
{
	int64_t h, m, sec = 0, ignored;
	if (!take_number(s, 1, 2, &h) || !take_char(s, ":") || !take_number(s, 2, 2, &m))
		return false;
	if (take_char(s, ":") && !take_number(s, 2, 2, &sec))
		return false;
	if (take_char(s, ".,") && !take_number(s, 1, 9, &ignored))
		return false;
	*clock_s = h * 3600 + m * 60 + sec;
	return h < 24 && m < 60 && sec <= 60;
}

/* What may stand behind a date: nothing, or a time, which makes a moment of it if it has an offset. */
static enum err read_time(struct span text, struct span s, int64_t *day, struct fault *why)
{
	int64_t clock_s, east_s;
	if (span_trim(s).n == 0)
		return OK;
	if (!take_char(&s, "Tt ") || !take_clock(&s, &clock_s))
		return refuse(text, why, "is a day with something behind it that is no time");
	if (span_trim(s).n == 0)
		return OK; /* the clock on the wall of whoever wrote it */
	if (!take_offset(&s, &east_s) || span_trim(s).n > 0)
		return refuse(text, why, "has an offset from UTC that is none");
	return moment_end(text, *day * DAY_S + clock_s - east_s, day, why);
}

static enum err refuse_day(struct span text, struct fault *why)
{
	return refuse(text, why, "is no day: 2026-01-31 is wanted, or seconds since 1970");
}

/* "2026-01-31", "2026/1/31", "20260131". */
static enum err read_iso(struct span text, struct span s, int64_t *day, struct fault *why)
{
	int64_t y, m, d;
	if (!take_number(&s, 4, 4, &y) || s.n == 0)
		return refuse_day(text, why);
	const char mark[] = {s.p[0], '\0'};
	const bool has_marks = take_char(&s, "-/.");
	const size_t least = has_marks ? 1 : 2;
	if (!take_number(&s, least, 2, &m) || (has_marks && !take_char(&s, mark)) ||
		!take_number(&s, least, 2, &d))
		return refuse_day(text, why);
	const enum err err = date_end(text, y, m, d, day, why);
	return err ? err : read_time(text, s, day, why);
}

static bool begins(const char *name, struct span word)
{
	for (size_t i = 0; i < word.n; i++) {
		if (span_lower(word.p[i]) != name[i])
			return false;
	}
	return true;
}

/* Takes "Jan" or "january" off the front. */
static bool take_month(struct span *s, int64_t *month)
{
	static const char *const names[] = {"january", "february", "march", "april", "may", "june",
		"july", "august", "september", "october", "november", "december"};
	struct span word = *s;
	size_t n = 0;
	while (n < s->n && span_lower(s->p[n]) >= 'a' && span_lower(s->p[n]) <= 'z')
		n++;
	word.n = n;
	for (size_t i = 0; n >= 3 && i < COUNT_OF(names); i++) {
		if (!begins(names[i], word) || (n > 3 && names[i][n] != '\0'))
			continue;
		*month = (int64_t)i + 1;
		*s = span_skip(*s, n);
		return true;
	}
	return false;
}

static void skip_marks(struct span *s)
{
	while (take_char(s, " ,-"))
		continue;
}

/* "Jan 31, 2026", "31 January 2026", "31-Jan-2026". */
static enum err read_named(struct span text, struct span s, int64_t *day, struct fault *why)
{
	int64_t y, m, d;
	const bool is_month_first = take_month(&s, &m);
	skip_marks(&s);
	bool is_one = take_number(&s, 1, 2, &d);
	skip_marks(&s);
	if (is_one && !is_month_first)
		is_one = take_month(&s, &m);
	skip_marks(&s);
	if (!is_one || !take_number(&s, 4, 4, &y))
		return refuse_day(text, why);
	const enum err err = date_end(text, y, m, d, day, why);
	return err ? err : read_time(text, s, day, why);
}

static bool has_letter_first(struct span s, size_t digits)
{
	struct span rest = span_skip(s, digits);
	skip_marks(&rest);
	return digits <= 2 && rest.n > 0 && span_lower(rest.p[0]) >= 'a' &&
	       span_lower(rest.p[0]) <= 'z';
}

static enum err read_parts(
	struct span text, struct span s, enum day_form form, int64_t *day, struct fault *why)
{
	int64_t a, b, y;
	if (!take_number(&s, 1, 2, &a) || !take_char(&s, "/.-") || !take_number(&s, 1, 2, &b) ||
		!take_char(&s, "/.-") || !take_number(&s, 4, 4, &y))
		return refuse(text, why,
			form == DAY_FORM_MDY ? "is no day such as 1/31/2026"
					     : "is no day such as 31.1.2026");
	const enum err err = form == DAY_FORM_MDY ? date_end(text, y, a, b, day, why)
						  : date_end(text, y, b, a, day, why);
	return err ? err : read_time(text, s, day, why);
}

/* Seconds, or what programs of the web have: milliseconds. */
static enum err read_unix(struct span text, struct span s, int64_t *day, struct fault *why)
{
	int64_t at;
	const size_t point = span_index(s, '.');
	if (!num_i64(span_first(s, point), &at))
		return refuse(text, why, "is no number of seconds since 1970");
	return moment_end(text, point >= 13 ? at / 1000 : at, day, why);
}

enum err day_read(struct span text, enum day_form form, int64_t *day, struct fault *why)
{
	const struct span s = span_trim(text);
	if (form == DAY_FORM_MDY || form == DAY_FORM_DMY)
		return read_parts(text, s, form, day, why);
	size_t digits = 0;
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	const bool is_number = digits >= 9 && (digits == s.n || s.p[digits] == '.');
	if (form == DAY_FORM_UNIX || is_number)
		return read_unix(text, s, day, why);
	if (has_letter_first(s, digits))
		return read_named(text, s, day, why);
	if (digits > 0 && digits <= 2 && digits < s.n && strchr("/.-", s.p[digits]))
		return refuse(text, why,
			"can be read in two ways: say which by day=COLUMN:mdy (month first) or "
			"day=COLUMN:dmy (day first)");
	return read_iso(text, s, day, why);
}
