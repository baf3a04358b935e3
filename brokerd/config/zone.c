/* zone.c - changes of the clock out of a file's list, and behind its end by the rule in its last line. */
#include "brokerd/config/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define ZONE_BYTES   ((size_t)256 * 1024) /* of a file; the largest is under 4 KiB */
#define CHANGES_MAX  8192
#define FOLDER       "/usr/share/zoneinfo/"
#define LOCAL        "/etc/localtime"
#define DAY_S        INT64_C(86400)
#define OFFSET_MAX_S INT64_C(93600) /* 26 h, RFC 9636's bound */
#define YEAR_MAX     9999

/* What the clock is set to, from some moment on. */
struct kind {
	int32_t offset_s;
	struct span abbreviation;
};

struct change {
	int64_t at_s;
	const struct kind *to;
};

/* "M3.5.0/2", "J60", "59/1": when in a year. */
struct rule_day {
	enum { RULE_NONE, RULE_MONTH, RULE_JULIAN, RULE_ZERO } form;
	int month, week, day; /* RULE_JULIAN, RULE_ZERO: day alone */
	int64_t time_s;
};

struct zone {
	struct span name;
	struct change *changes;
	size_t n_changes;
	const struct kind *first;     /* before them */
	struct kind standard, summer; /* of the last line */
	struct rule_day begins, ends; /* of its summer; RULE_NONE: it has none */
	bool has_rule;                /* there is a last line */
};

const struct zone zone_utc = {
	.name = {"UTC", 3         },
	.standard = {0,     {"UTC", 3}},
	.has_rule = true,
};

/* ---- dates ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970 of the first day of a month from 1 to 12. */
static int64_t day_of(int64_t year, int64_t month)
{
	/* years that begin in March have their leap day at the end */
	const int64_t y = month <= 2 ? year - 1 : year;
	const int64_t era = floor_div(y, 400);
	const int64_t of_era = y - era * 400;
	const int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t day, struct zone_time *out)
{
	const int64_t z = day + 719468;
	const int64_t era = floor_div(z, 146097);
	const int64_t of_era = z - era * 146097;
	const int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	const int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	const int64_t m = (5 * of_year + 2) / 153;
	out->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	out->month = (int)(m < 10 ? m + 3 : m - 9);
	out->year = y + era * 400 + (out->month <= 2);
	out->weekday =
		(int)(day + 3 - floor_div(day + 3, 7) * 7); /* the first one was a Thursday */
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ---- the rule ---- */

static int64_t rule_day(const struct rule_day *r, int64_t year)
{
	if (r->form == RULE_ZERO)
		return day_of(year, 1) + r->day;
	if (r->form == RULE_JULIAN)
		return day_of(year, 1) + r->day - 1 + (is_leap(year) && r->day >= 60);
	const int64_t first = day_of(year, r->month);
	const int64_t next = r->month == 12 ? day_of(year + 1, 1) : day_of(year, r->month + 1);
	/* here Sunday is 0, as the rule has it */
	const int64_t weekday = first + 4 - floor_div(first + 4, 7) * 7;
	int64_t day = first + (r->day - weekday + 7) % 7 + (r->week - 1) * 7;
	while (day >= next)
		day -= 7; /* the fifth is the last */
	return day;
}

/* The changes of a year by the rule, in order; where two fall together the summer begins behind the end. */
static void rule_changes(const struct zone *z, int64_t year, struct change to[2])
{
	const struct change begin = {
		rule_day(&z->begins, year) * DAY_S + z->begins.time_s - z->standard.offset_s,
		&z->summer};
	const struct change end = {
		rule_day(&z->ends, year) * DAY_S + z->ends.time_s - z->summer.offset_s,
		&z->standard};
	const bool is_end_first = end.at_s <= begin.at_s;
	to[0] = is_end_first ? end : begin;
	to[1] = is_end_first ? begin : end;
}

static int64_t year_of(int64_t at_s)
{
	struct zone_time t;
	date_of(floor_div(at_s, DAY_S), &t);
	return t.year;
}

/* What the rule says of a moment, and when it says something else: INT64_MAX, never. */
static const struct kind *by_rule(const struct zone *z, int64_t at_s, int64_t *until_s)
{
	const int64_t year = year_of(at_s);
	const struct kind *kind = &z->standard;
	*until_s = INT64_MAX;
	if (z->begins.form == RULE_NONE)
		return kind;
	int64_t since_s = INT64_MIN;
	/* a rule's day can lie a week outside of its year */
	for (int64_t y = year - 1; y <= year + 1; y++) {
		struct change c[2];
		rule_changes(z, y, c);
		for (size_t i = 0; i < COUNT_OF(c); i++) {
			/* the end of one year's summer, where the next one begins with it, is none */
			if (c[i].at_s <= at_s &&
				(c[i].at_s > since_s ||
					(c[i].at_s == since_s && c[i].to == &z->summer))) {
				since_s = c[i].at_s;
				kind = c[i].to;
			} else if (c[i].at_s > at_s && c[i].at_s < *until_s) {
				*until_s = c[i].at_s;
			}
		}
	}
	return kind;
}

/* What the clock is set to at a moment, and until when at least. */
static const struct kind *kind_at(const struct zone *z, int64_t at_s, int64_t *until_s)
{
	size_t low = 0, high = z->n_changes;
	while (low < high) { /* the first change behind that moment */
		const size_t middle = low + (high - low) / 2;
		if (z->changes[middle].at_s <= at_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->n_changes && z->has_rule)
		return by_rule(z, at_s, until_s);
	*until_s = low < z->n_changes ? z->changes[low].at_s : INT64_MAX;
	return low > 0 ? z->changes[low - 1].to : z->first;
}

/* ---- from outside ---- */

struct span zone_name(const struct zone *z)
{
	return z->name;
}

static int64_t held(int64_t at_s)
{
	const int64_t last_s = INT64_C(253402300799); /* of the year 9999 */
	return at_s < 0 ? 0 : at_s > last_s ? last_s : at_s;
}

int64_t zone_offset_s(const struct zone *z, int64_t at_s)
{
	int64_t until_s;
	return kind_at(z, held(at_s), &until_s)->offset_s;
}

struct span zone_abbreviation(const struct zone *z, int64_t at_s)
{
	int64_t until_s;
	return kind_at(z, held(at_s), &until_s)->abbreviation;
}

void zone_read(const struct zone *z, int64_t at_s, struct zone_time *out)
{
	const int64_t wall_s = held(at_s) + zone_offset_s(z, at_s);
	const int64_t day = floor_div(wall_s, DAY_S);
	const int64_t rest_s = wall_s - day * DAY_S;
	date_of(day, out);
	out->hour = (int)(rest_s / 3600);
	out->minute = (int)(rest_s / 60 % 60);
	out->second = (int)(rest_s % 60);
}

int64_t zone_moment_s(const struct zone *z, int64_t year, int64_t month, int64_t day, int64_t hour)
{
	const int64_t months = year * 12 + month - 1;
	const int64_t wall_s =
		(day_of(floor_div(months, 12), months - floor_div(months, 12) * 12 + 1) + day - 1) *
			DAY_S +
		hour * 3600;
	int64_t from_s = wall_s - OFFSET_MAX_S, until_s;
	/* span by span of one setting, from the first that can show it to the last */
	for (;;) {
		const struct kind *k = kind_at(z, from_s, &until_s);
		const int64_t at_s = wall_s - k->offset_s;
		if (at_s < from_s)
			return held(from_s); /* it was skipped when this span began */
		if (at_s < until_s)
			return held(at_s);
		from_s = until_s;
	}
}

/* ---- the file ---- */

struct reader {
	struct span rest;
	bool is_short;
};

static struct span take(struct reader *r, size_t n)
{
	if (r->rest.n < n) {
		r->is_short = true;
		r->rest = SPAN("");
		return SPAN("");
	}
	const struct span s = span_first(r->rest, n);
	r->rest = span_skip(r->rest, n);
	return s;
}

/* A signed number of four or eight bytes at `i`, the greatest byte first; 0 where it is not there. */
static int64_t number(struct span s, size_t i, size_t size)
{
	if (s.n < (i + 1) * size)
		return 0;
	uint64_t v = (unsigned char)s.p[i * size] & 0x80 ? UINT64_MAX : 0;
	for (size_t k = 0; k < size; k++)
		v = v << 8 | (unsigned char)s.p[i * size + k];
	int64_t out;
	memcpy(&out, &v, sizeof out);
	return out;
}

struct counts {
	size_t utc, standard, leaps, changes, kinds, letters;
};

static bool take_counts(struct reader *r, char *version, struct counts *c)
{
	const struct span head = take(r, 44);
	if (head.n != 44 || !span_starts(head, SPAN("TZif")))
		return false;
	size_t n[6];
	*version = head.p[4];
	for (size_t i = 0; i < COUNT_OF(n); i++) {
		const int64_t v = number(head, 5 + i, 4);
		if (v < 0 || v > (int64_t)ZONE_BYTES)
			return false;
		n[i] = (size_t)v;
	}
	*c = (struct counts){n[0], n[1], n[2], n[3], n[4], n[5]};
	return true;
}

static enum err broken(struct span name, struct fault *why, const char *what)
{
	return fault_set(why, ERR_MISCONFIGURED, "the time zone \"%.*s\" cannot be read: %s",
		SPAN_ARG(span_first(name, 64)), what);
}

static enum err no_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "no memory for a time zone");
}

static enum err read_data(struct reader *r, const struct counts *n, size_t time_bytes,
	struct zone *z, struct arena *a, struct fault *why)
{
	const struct span times = take(r, n->changes * time_bytes);
	const struct span to = take(r, n->changes);
	const struct span kinds = take(r, n->kinds * 6);
	const struct span letters = take(r, n->letters);
	take(r, n->leaps * (time_bytes + 4) + n->standard + n->utc);
	if (r->is_short || n->kinds == 0 || n->kinds > 256 || n->changes > CHANGES_MAX)
		return broken(z->name, why, "its file is cut short, or none");
	if (n->leaps > 0)
		return broken(z->name, why, "it counts leap seconds, which no clock here does");

	struct kind *list = arena_array(a, n->kinds, sizeof *list);
	z->changes = arena_array(a, n->changes, sizeof *z->changes);
	struct span names;
	if (!list || !z->changes || arena_dup(a, letters, &names))
		return no_memory(why);
	for (size_t i = 0; i < n->kinds; i++) {
		const struct span row = span_of(kinds.p + i * 6, 6);
		const int64_t offset_s = number(row, 0, 4);
		const size_t at = (unsigned char)row.p[5];
		if (offset_s < -OFFSET_MAX_S || offset_s > OFFSET_MAX_S || at > names.n)
			return broken(z->name, why, "its file has an impossible clock");
		const struct span rest = span_skip(names, at);
		list[i] =
			(struct kind){(int32_t)offset_s, span_first(rest, span_index(rest, '\0'))};
	}
	z->first = &list[0];
	for (size_t i = 0; i < n->changes; i++) {
		const size_t k = (unsigned char)to.p[i];
		const int64_t at_s = number(times, i, time_bytes);
		if (k >= n->kinds || (i > 0 && at_s <= z->changes[i - 1].at_s))
			return broken(z->name, why, "its file is out of order");
		z->changes[i] = (struct change){at_s, &list[k]};
	}
	z->n_changes = n->changes;
	return OK;
}

/* ---- the last line, as POSIX has it: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool skip_byte(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

static bool digits(struct span *s, int least, int most, int *to)
{
	size_t n = 0;
	int v = 0;
	for (; n < s->n && n < 3 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		v = v * 10 + (s->p[n] - '0');
	*s = span_skip(*s, n);
	*to = v;
	return n > 0 && v >= least && v <= most;
}

static bool word(struct span *s, struct span *to)
{
	size_t n = 0;
	if (skip_byte(s, '<')) {
		*to = span_first(*s, span_index(*s, '>'));
		*s = span_skip(*s, to->n);
		return skip_byte(s, '>') && to->n > 0;
	}
	while (n < s->n &&
		((s->p[n] >= 'a' && s->p[n] <= 'z') || (s->p[n] >= 'A' && s->p[n] <= 'Z')))
		n++;
	*to = span_first(*s, n);
	*s = span_skip(*s, n);
	return n > 0;
}

/* "[+-]hhh[:mm[:ss]]", in seconds. */
static bool clock_time(struct span *s, int hours_max, int64_t *to_s)
{
	int h, m = 0, sec = 0;
	const bool is_negative = skip_byte(s, '-');
	if (!is_negative)
		(void)skip_byte(s, '+');
	if (!digits(s, 0, hours_max, &h))
		return false;
	if (skip_byte(s, ':') && !digits(s, 0, 59, &m))
		return false;
	if (skip_byte(s, ':') && !digits(s, 0, 59, &sec))
		return false;
	const int64_t all_s = h * INT64_C(3600) + m * INT64_C(60) + sec;
	*to_s = is_negative ? -all_s : all_s;
	return true;
}

static bool rule_of(struct span *s, struct rule_day *r)
{
	bool is_good;
	*r = (struct rule_day){.form = RULE_ZERO, .time_s = 7200};
	if (!skip_byte(s, ','))
		return false;
	if (skip_byte(s, 'M')) {
		r->form = RULE_MONTH;
		is_good = digits(s, 1, 12, &r->month) && skip_byte(s, '.') &&
			  digits(s, 1, 5, &r->week) && skip_byte(s, '.') &&
			  digits(s, 0, 6, &r->day);
	} else if (skip_byte(s, 'J')) {
		r->form = RULE_JULIAN;
		is_good = digits(s, 1, 365, &r->day);
	} else {
		is_good = digits(s, 0, 365, &r->day);
	}
	if (is_good && skip_byte(s, '/'))
		is_good = clock_time(s, 167, &r->time_s);
	return is_good;
}

static bool read_rule(struct span s, struct zone *z)
{
	int64_t west_s;
	if (!word(&s, &z->standard.abbreviation) || !clock_time(&s, 24, &west_s))
		return false;
	z->standard.offset_s = (int32_t)-west_s;
	z->has_rule = true;
	if (s.n == 0)
		return true;
	if (!word(&s, &z->summer.abbreviation))
		return false;
	west_s -= 3600;
	if (s.n > 0 && s.p[0] != ',' && !clock_time(&s, 24, &west_s))
		return false;
	z->summer.offset_s = (int32_t)-west_s;
	return rule_of(&s, &z->begins) && rule_of(&s, &z->ends) && s.n == 0;
}

static enum err read_file(struct zone *z, struct arena *a, struct span bytes, struct fault *why)
{
	struct reader r = {.rest = bytes};
	struct counts n;
	char version;
	enum err err;
	if (!take_counts(&r, &version, &n))
		return broken(z->name, why, "its file is no compiled time zone");
	if (version == '\0')
		return read_data(&r, &n, 4, z, a, why);
	take(&r, n.changes * 5 + n.kinds * 6 + n.letters + n.leaps * 8 + n.standard + n.utc);
	if (!take_counts(&r, &version, &n))
		return broken(z->name, why, "its file is cut short");
	err = read_data(&r, &n, 8, z, a, why);
	if (err)
		return err;
	struct span line;
	if (!skip_byte(&r.rest, '\n') || span_index(r.rest, '\n') == r.rest.n)
		return broken(z->name, why, "its file has no last line");
	if (arena_dup(a, span_first(r.rest, span_index(r.rest, '\n')), &line))
		return no_memory(why);
	if (line.n > 0 && !read_rule(line, z))
		return broken(z->name, why, "its file ends in a rule that means nothing");
	return OK;
}

const struct zone *zone_parse(
	struct arena *a, struct span name, struct span bytes, struct fault *why)
{
	struct zone *z = arena_alloc(a, sizeof *z);
	if (!z || arena_dup(a, name, &z->name)) {
		no_memory(why);
		return NULL;
	}
	return read_file(z, a, bytes, why) == OK ? z : NULL;
}

/* ---- the folder ---- */

static bool is_sound(struct span name)
{
	struct span rest = name;
	if (name.n == 0 || name.n > 64)
		return false;
	while (span_is_set(rest)) {
		const struct span part = span_cut(&rest, '/');
		if (part.n == 0)
			return false;
		for (size_t i = 0; i < part.n; i++) {
			const char c = part.p[i];
			const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
					      (c >= '0' && c <= '9') || c == '_' || c == '-' ||
					      c == '+';
			if (!is_plain)
				return false; /* no dot: nothing climbs */
		}
	}
	return true;
}

/* OK; ERR_IO, and errno says why. */
static enum err read_whole(const char *path, struct buf *to)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = -1;
	while (fd >= 0) {
		char *at = buf_reserve(to, 8192);
		if (!at)
			break;
		n = read(fd, at, 8192);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_commit(to, (size_t)n);
	}
	const int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return n == 0 ? OK : ERR_IO;
}

/* What the link at /etc/localtime calls it. */
static struct span local_name(char *to, size_t size)
{
	const struct span mark = SPAN("zoneinfo/");
	const ssize_t n = readlink(LOCAL, to, size);
	const struct span target = span_of(to, n > 0 ? (size_t)n : 0);
	const size_t at = span_find(target, mark);
	return at < target.n ? span_skip(target, at + mark.n) : SPAN("local");
}

const struct zone *zone_load(struct arena *a, struct span name, struct fault *why)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(ZONE_BYTES);
	char path[sizeof FOLDER + 64] = LOCAL, link[PATH_MAX];
	const bool is_local = span_is(name, "local");

	if (span_is(name, "UTC"))
		return &zone_utc; /* also where no zone is installed */
	if (!is_local && !is_sound(name)) {
		fault_set(why, ERR_MISCONFIGURED,
			"a time zone is called as in Europe/Berlin, or UTC, or local");
		return NULL;
	}
	if (!is_local)
		(void)snprintf(path, sizeof path, FOLDER "%.*s", SPAN_ARG(name));
	if (read_whole(path, &bytes) == OK)
		return zone_parse(
			a, is_local ? local_name(link, sizeof link) : name, buf_view(&bytes), why);
	if (errno == ENOENT && is_local)
		return &zone_utc;
	if (errno == ENOENT && access(FOLDER, F_OK) != 0)
		fault_set(why, ERR_MISCONFIGURED,
			"there are no time zones in " FOLDER ": install tzdata, or say zone = UTC");
	else if (errno == ENOENT)
		fault_set(why, ERR_MISCONFIGURED,
			"there is no time zone \"%.*s\" in " FOLDER ": it is called as in "
			"Europe/Berlin",
			SPAN_ARG(name));
	else
		fault_set(why, ERR_MISCONFIGURED, "cannot read %s: %s", path, strerror(errno));
	return NULL;
}
