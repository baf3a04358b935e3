/* test_zone.c - moments on walls around the world, and files that are none. */
#include "brokerd/config/zone.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/lib/tap.h"
#include "tests/unit/test_zone_rows.h"

#define MIB    ((size_t)1024 * 1024)
#define DAY_S  INT64_C(86400)
#define HOUR_S INT64_C(3600)

static bool is_installed(void)
{
	return access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0;
}

static const struct zone *load(struct arena *a, const char *name)
{
	struct fault why = FAULT_NONE;
	const struct zone *z = zone_load(a, span_str(name), &why);
	if (!z)
		bail("%s", why.message);
	return z;
}

/* ---- against another's reading ---- */

static void shown(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		const struct zone *z = load(a, moments[i].zone);
		struct zone_time t;
		char text[64];
		const int64_t at_s = moments[i].at_s;
		zone_read(z, at_s, &t);
		(void)snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", (int)t.year,
			t.month, t.day, t.hour, t.minute, t.second);
		is_int(zone_offset_s(z, at_s), moments[i].offset_s, "%s at %lld: its offset",
			moments[i].zone, (long long)at_s);
		is_str(text, moments[i].wall, "%s at %lld: its wall", moments[i].zone,
			(long long)at_s);
		is_int(t.weekday, moments[i].weekday, "%s at %lld: the day of the week",
			moments[i].zone, (long long)at_s);
		const struct span name = zone_abbreviation(z, at_s);
		is_mem(name.p, name.n, moments[i].abbreviation, strlen(moments[i].abbreviation),
			"%s at %lld: its name", moments[i].zone, (long long)at_s);
	}
}

static void found(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(walls); i++) {
		const struct zone *z = load(a, walls[i].zone);
		is_int(zone_moment_s(z, walls[i].year, walls[i].month, walls[i].day, walls[i].hour),
			walls[i].at_s, "%s, %d-%d-%d %d:00", walls[i].zone, walls[i].year,
			walls[i].month, walls[i].day, walls[i].hour);
	}
}

/* ---- what holds for all of them ---- */

/* From 1970 to 2100 the days of a zone lie side by side, and each of its moments is in the day that it shows. */
static void tiled(struct arena *a, const char *name)
{
	const struct zone *z = load(a, name);
	int64_t n_bad = 0, before_s = zone_moment_s(z, 1970, 1, 2, 0);
	for (int64_t day = 3; day < 131 * 365; day++) {
		const int64_t next_s = zone_moment_s(z, 1970, 1, day, 0);
		struct zone_time t;
		n_bad += next_s < before_s || next_s > before_s + 26 * HOUR_S;
		zone_read(z, before_s + HOUR_S / 2, &t);
		n_bad += next_s > before_s &&
			 zone_moment_s(z, t.year, t.month, t.day, 0) != before_s;
		n_bad += next_s > before_s &&
			 zone_moment_s(z, t.year, t.month, t.day + 1, 0) != next_s;
		before_s = next_s;
	}
	is_int(n_bad, 0, "%s: its days lie side by side", name);
}

static void months(void)
{
	is_int(zone_moment_s(&zone_utc, 2026, 13, 1, 0), zone_moment_s(&zone_utc, 2027, 1, 1, 0),
		"a thirteenth month is January");
	is_int(zone_moment_s(&zone_utc, 2026, 0, 1, 0), zone_moment_s(&zone_utc, 2025, 12, 1, 0),
		"and one before the first is December");
	is_int(zone_moment_s(&zone_utc, 2026, -23, 1, 0), zone_moment_s(&zone_utc, 2024, 1, 1, 0),
		"years before");
	is_int(zone_moment_s(&zone_utc, 2024, 3, 0, 0), INT64_C(1709164800), "a leap day");
	is_int(zone_moment_s(&zone_utc, 2100, 3, 0, 0), INT64_C(4107456000), "and none in 2100");
	is_int(zone_moment_s(&zone_utc, 1969, 1, 1, 0), 0, "nothing is before 1970");
	is_int(zone_moment_s(&zone_utc, 10500, 1, 1, 0), INT64_C(253402300799), "or after 9999");
}

static void local(struct arena *a)
{
	const struct zone *z = load(a, "local");
	ok(zone_name(z).n > 0, "the host's zone has a name");
	ok(load(a, "UTC") == &zone_utc, "UTC needs no file");
}

/* ---- files ---- */

static void put_number(struct buf *b, int64_t v, size_t size)
{
	for (size_t i = size; i-- > 0;)
		buf_byte(b, (char)((uint64_t)v >> (i * 8)));
}

/* A file of version 2 without changes, with one clock an hour east of UTC, and a last line. */
static void put_file(struct buf *b, const char *line)
{
	for (int pass = 0; pass < 2; pass++) {
		buf_text(b, "TZif2");
		for (int i = 0; i < 15; i++)
			buf_byte(b, '\0');
		const int64_t counts[] = {0, 0, 0, 0, 1, 4};
		for (size_t i = 0; i < COUNT_OF(counts); i++)
			put_number(b, counts[i], 4);
		put_number(b, HOUR_S, 4);
		put_number(b, 0, 2);
		buf_put(b, "CET", 4);
	}
	buf_byte(b, '\n');
	buf_text(b, line);
	buf_byte(b, '\n');
}

static const struct zone *from_line(struct arena *a, const char *line, struct fault *why)
{
	OWNED(buf_done) struct buf b = BUF_INIT(MIB);
	put_file(&b, line);
	return zone_parse(a, SPAN("made"), buf_view(&b), why);
}

static const struct {
	const char *line;
	int64_t winter_s,
		summer_s; /* offsets on 15 January and 15 July 2026; 1: the line is refused */
} lines[] = {
	{"",				HOUR_S,      HOUR_S     },
	{"UTC0",			    0,           0          },
	{"<+0330>-3:30",                    12600,       12600      },
	{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", -2 * HOUR_S, -HOUR_S    },
	{"CET-1CEST,M3.5.0,M10.5.0/3",      HOUR_S,      2 * HOUR_S },
	{"AEST-10AEDT,M10.1.0,M4.1.0/3",    11 * HOUR_S, 10 * HOUR_S},
	{"IST-1GMT0,M10.5.0,M3.5.0/1",      0,           HOUR_S     },
	{"EST5EDT,0/0,J365/25",             -4 * HOUR_S, -4 * HOUR_S},
	{"EST5EDT,J60,J300/1:30:15",        -5 * HOUR_S, -4 * HOUR_S},
	{"AAA-24:59:59",                    89999,       89999      },
	{"<A>-1B1",			 1,           1          },
	{"CET-1CEST",		       1,           1          },
	{"CET-1CEST,M13.5.0,M10.5.0/3",     1,           1          },
	{"CET-1CEST,M3.0.0,M10.5.0/3",      1,           1          },
	{"CET-1CEST,M3.5.7,M10.5.0/3",      1,           1          },
	{"CET-1CEST,M3.5.0,M10.5.0/168",    1,           1          },
	{"CET-1CEST,M3.5.0,M10.5.0/3,",     1,           1          },
	{"CET-25",			  1,           1          },
	{"CET-1:60",			1,           1          },
	{"CET",			     1,           1          },
	{"-1",			      1,           1          },
	{"<>-1",			    1,           1          },
	{"<CET-1",			  1,           1          },
	{"CET-1CEST,J0,J100",               1,           1          },
	{"CET-1CEST,J366,J100",             1,           1          },
	{"CET-1CEST,1,366",                 1,           1          },
};

static void last_lines(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct fault why = FAULT_NONE;
		const struct zone *z = from_line(a, lines[i].line, &why);
		if (lines[i].winter_s == 1) {
			ok(!z && why.err == ERR_MISCONFIGURED, "\"%s\" means nothing",
				lines[i].line);
			continue;
		}
		if (!ok(z != NULL, "\"%s\": %s", lines[i].line, why.message))
			continue;
		is_int(zone_offset_s(z, INT64_C(1768435200)), lines[i].winter_s,
			"\"%s\" in January", lines[i].line);
		is_int(zone_offset_s(z, INT64_C(1784073600)), lines[i].summer_s, "\"%s\" in July",
			lines[i].line);
	}
}

/* A file that is cut anywhere, and one of which a byte is another, is read or refused; nothing else. */
static void damaged(struct arena *a)
{
	OWNED(buf_done) struct buf b = BUF_INIT(MIB);
	struct fault why = FAULT_NONE;
	size_t n_read = 0;
	put_file(&b, "CET-1CEST,M3.5.0,M10.5.0/3");
	ok(zone_parse(a, SPAN("whole"), buf_view(&b), &why) != NULL, "it is sound as it is");
	for (size_t n = 0; n < b.n; n++)
		n_read += zone_parse(a, SPAN("cut"), span_first(buf_view(&b), n), &why) != NULL;
	is_uint(n_read, 0, "no beginning of it is");
	for (size_t i = 0; i < b.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			b.p[i] = (char)(b.p[i] ^ 1 << bit);
			const struct zone *z = zone_parse(a, SPAN("bent"), buf_view(&b), &why);
			for (int64_t month = 1; z && month <= 24; month++)
				(void)zone_moment_s(z, 2026, month, 31, 2);
			b.p[i] = (char)(b.p[i] ^ 1 << bit);
		}
	}
	ok(zone_parse(a, SPAN("whole"), buf_view(&b), &why) != NULL, "and it is whole again");
}

static void names(struct arena *a)
{
	static const char *const bad[] = {"", "/etc/passwd", "../../../etc/passwd", "Europe/../UTC",
		"Europe//Berlin", "Europe/", ".", "Europe/Berlin\n", "posix/../../x",
		"a234567890123456789012345678901234567890123456789012345678901234567890"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct fault why = FAULT_NONE;
		ok(!zone_load(a, span_str(bad[i]), &why) && why.message[0] != '\0',
			"\"%s\" is no zone", bad[i]);
	}
}

int main(void)
{
	struct arena a;
	arena_init(&a, 256 * MIB);
	months();
	local(&a);
	last_lines(&a);
	damaged(&a);
	names(&a);
	if (!is_installed()) {
		skip("tzdata is not installed");
		arena_done(&a);
		return tap_done();
	}
	shown(&a);
	found(&a);
	static const char *const all[] = {"Europe/Berlin", "America/New_York", "Asia/Kolkata",
		"Australia/Lord_Howe", "Pacific/Chatham", "Australia/Sydney", "America/Sao_Paulo",
		"America/Havana", "Africa/Cairo", "Asia/Beirut", "Europe/Dublin",
		"Antarctica/Troll", "Pacific/Apia", "Africa/Casablanca", "UTC"};
	for (size_t i = 0; i < COUNT_OF(all); i++)
		tiled(&a, all[i]);
	arena_done(&a);
	return tap_done();
}
