/* test_budget.c - when a budget begins anew, by honest clocks and by all others. */
#include "brokerd/limit/budget.h"

#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)
#define USD       INT64_C(1000000000)
#define NOON_US   (INT64_C(1795953600) * SECOND_US) /* 2026-11-29 12:00 UTC, a Sunday */
#define UP_US     (3 * DAY_US)                      /* the host had been up so long at noon */
#define MIB       ((size_t)1024 * 1024)

static uint64_t state;

static int64_t random_below(int64_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((state >> 33) % (uint64_t)n);
}

/* ---- periods ---- */

static const struct {
	const char *name, *zone;
	enum period period;
	int year, month, day, hour; /* a moment's wall */
	int from[3], until[3];      /* dates; an hour's are by `hours` */
	int hours;                  /* how long it is */
} periods[] = {
	{"a day",			  "UTC",              PERIOD_DAY,   2026, 11, 29, 12, {2026, 11, 29}, {2026, 11, 30}, 24         },
	{"a day of 23 hours",              "Europe/Berlin",    PERIOD_DAY,   2026, 3,  29, 12, {2026, 3, 29},
         {2026, 3, 30},													23         },
	{"a day of 25 hours",              "Europe/Berlin",    PERIOD_DAY,   2026, 10, 25, 12, {2026, 10, 25},
         {2026, 10, 26},												       25         },
	{"a week from Monday on a Sunday", "UTC",              PERIOD_WEEK,  2026, 11, 29, 23, {2026, 11, 23},
         {2026, 11, 30},												       168        },
	{"and on a Monday",                "UTC",              PERIOD_WEEK,  2026, 11, 30, 0,  {2026, 11, 30}, {2026, 12, 7},
         168															      },
	{"a week over the new year",       "America/New_York", PERIOD_WEEK,  2026, 12, 31, 8,
         {2026, 12, 28},										       {2027, 1, 4},   168        },
	{"a week with a change",           "Europe/Berlin",    PERIOD_WEEK,  2026, 3,  24, 8,  {2026, 3, 23},
         {2026, 3, 30},													167        },
	{"February",		       "UTC",              PERIOD_MONTH, 2026, 2,  28, 23, {2026, 2, 1},   {2026, 3, 1},   28 * 24    },
	{"of a leap year",                 "UTC",              PERIOD_MONTH, 2028, 2,  29, 23, {2028, 2, 1},   {2028, 3, 1},
         29 * 24															  },
	{"December",		       "UTC",              PERIOD_MONTH, 2026, 12, 31, 23, {2026, 12, 1},  {2027, 1, 1},   31 * 24    },
	{"a month with a change",          "Europe/Berlin",    PERIOD_MONTH, 2026, 10, 31, 12, {2026, 10, 1},
         {2026, 11, 1},													31 * 24 + 1},
	{"half past five hours east",      "Asia/Kolkata",     PERIOD_DAY,   2026, 11, 29, 3,  {2026, 11, 29},
         {2026, 11, 30},												       24         },
};

static void by_calendar(struct arena *a)
{
	for (size_t i = 0; i < COUNT_OF(periods); i++) {
		struct fault why = FAULT_NONE;
		const struct zone *z = zone_load(a, span_str(periods[i].zone), &why);
		int64_t from_s, until_s;
		if (!z) {
			skip("%s", why.message);
			continue;
		}
		const int64_t at_s = zone_moment_s(
			z, periods[i].year, periods[i].month, periods[i].day, periods[i].hour);
		budget_period(z, periods[i].period, at_s, &from_s, &until_s);
		is_int(from_s,
			zone_moment_s(
				z, periods[i].from[0], periods[i].from[1], periods[i].from[2], 0),
			"%s: its beginning", periods[i].name);
		is_int(until_s,
			zone_moment_s(z, periods[i].until[0], periods[i].until[1],
				periods[i].until[2], 0),
			"%s: its end", periods[i].name);
		is_int(until_s - from_s, periods[i].hours * INT64_C(3600), "%s: its length",
			periods[i].name);
	}
}

/* ---- a scene with two clocks ---- */

struct scene {
	struct budget_clock clock;
	struct budget budget;
	int64_t real_us, wall_us;
	uint64_t turn;
};

static void set(struct scene *s, enum period period, bool is_rolling, const struct zone *zone)
{
	const struct budget_rule rule = {.nusd = 5 * USD, .period = period};
	*s = (struct scene){.real_us = UP_US, .wall_us = NOON_US};
	budget_init(&s->budget, &rule, is_rolling, zone);
}

static bool look(struct scene *s)
{
	budget_clock_see(&s->clock, s->real_us, true, s->wall_us);
	return budget_refresh(&s->budget, &s->clock, s->turn);
}

static void pass(struct scene *s, int64_t us)
{
	s->real_us += us;
	s->wall_us += us;
}

static void spend(struct scene *s, int64_t nusd)
{
	s->turn++;
	if (s->budget.is_rolling)
		budget_add(&s->budget, &s->clock, s->clock.real_us, s->clock.seen_us, nusd);
	else
		s->budget.spent_nusd += nusd; /* in the period in which it was taken */
}

/* Looks, and says how much is spent. */
static int64_t spent(struct scene *s)
{
	(void)look(s);
	return s->budget.spent_nusd;
}

static void begin_spent(struct scene *s, enum period period)
{
	set(s, period, false, &zone_utc);
	(void)look(s);
	spend(s, 5 * USD);
}

static void set_back(void)
{
	struct scene s;
	begin_spent(&s, PERIOD_DAY);
	s.wall_us -= HOUR_US;
	is_int(spent(&s), 5 * USD, "set back by an hour: nothing begins anew");
	pass(&s, 12 * HOUR_US);
	is_int(spent(&s), 5 * USD, "nor when the day would have ended, for it is 23 o'clock");
	pass(&s, HOUR_US);
	is_int(spent(&s), 0, "but at midnight");

	begin_spent(&s, PERIOD_DAY);
	s.wall_us -= 2 * DAY_US;
	is_int(spent(&s), 5 * USD, "set back by two days: nothing begins anew");
	pass(&s, 23 * HOUR_US);
	is_int(spent(&s), 5 * USD, "nor on the day before");
	pass(&s, HOUR_US);
	is_int(spent(&s), 0, "but when a whole day has gone by so");
	spend(&s, 5 * USD);
	s.wall_us += 2 * DAY_US;
	is_int(spent(&s), 5 * USD, "set forward again: the day has to last");
	pass(&s, 24 * HOUR_US);
	is_int(spent(&s), 0, "and has lasted");

	begin_spent(&s, PERIOD_HOUR);
	for (int i = 0; i < 200; i++) {
		s.wall_us -= 4 * MINUTE_US;
		(void)look(&s);
		s.wall_us += 4 * MINUTE_US;
		pass(&s, SECOND_US);
		(void)look(&s);
	}
	is_int(s.budget.spent_nusd, 5 * USD, "to and fro by less than the slack: nothing");
}

static void set_forward(void)
{
	struct scene s;
	begin_spent(&s, PERIOD_DAY);
	s.wall_us += DAY_US;
	is_int(spent(&s), 5 * USD, "set forward by a day: nothing begins anew");
	is_int(budget_ready_us(&s.budget, &s.clock, USD), UP_US + 12 * HOUR_US - BUDGET_SLACK_US,
		"but when the day that was has had its length");
	pass(&s, 12 * HOUR_US - BUDGET_SLACK_US - 1);
	is_int(spent(&s), 5 * USD, "not a moment before");
	pass(&s, 1);
	is_int(spent(&s), 0, "but then");
	spend(&s, 5 * USD);
	pass(&s, 6 * MINUTE_US);
	is_int(spent(&s), 5 * USD, "midnight follows, and does not count a second time");
	pass(&s, DAY_US - 6 * MINUTE_US - 1);
	is_int(spent(&s), 5 * USD, "within a day");
	pass(&s, BUDGET_SLACK_US + 1);
	is_int(spent(&s), 0, "but after one");

	begin_spent(&s, PERIOD_HOUR);
	for (int i = 0; i < 1000; i++) {
		s.wall_us += HOUR_US;
		(void)look(&s);
	}
	is_int(s.budget.spent_nusd, 5 * USD, "set forward a thousand times: nothing");
}

/* A clock that shows 1970 until the network is there; and one that shows a year to come. */
static void at_start(void)
{
	struct scene s;
	set(&s, PERIOD_DAY, false, &zone_utc);
	s.real_us = MINUTE_US;
	s.wall_us = HOUR_US;
	(void)look(&s);
	spend(&s, 5 * USD);
	s.wall_us = NOON_US;
	is_int(spent(&s), 0, "the host has only begun: its clock is being set right");
	spend(&s, 5 * USD);
	pass(&s, 12 * HOUR_US);
	is_int(spent(&s), 0, "and midnight is midnight");

	begin_spent(&s, PERIOD_MONTH);
	s.wall_us += 3650 * DAY_US;
	(void)look(&s);
	s.wall_us -= 3650 * DAY_US;
	is_int(spent(&s), 5 * USD, "years ahead for a moment");
	pass(&s, 29 * DAY_US);
	is_int(spent(&s), 5 * USD, "the month has to last");
	pass(&s, 3 * DAY_US);
	is_int(spent(&s), 0, "and no longer");

	/* what the ledger has says that the clock of this start is wrong */
	set(&s, PERIOD_DAY, false, &zone_utc);
	budget_clock_remember(&s.clock, NOON_US);
	s.wall_us = 0;
	s.real_us = MINUTE_US;
	(void)look(&s);
	is_int(s.budget.from_s, (NOON_US - 12 * HOUR_US) / SECOND_US,
		"what was spent on a day is of that day, whatever the clock shows");
	s.wall_us = NOON_US + DAY_US;
	(void)look(&s);
	is_int(s.budget.from_s, (NOON_US + 12 * HOUR_US) / SECOND_US, "until it is set right");

	/* and what was written with a clock that was years ahead is not believed for years */
	set(&s, PERIOD_DAY, false, &zone_utc);
	budget_clock_remember(&s.clock, NOON_US + 3650 * DAY_US);
	(void)look(&s);
	is_int(s.budget.from_s, (NOON_US - 12 * HOUR_US) / SECOND_US, "a ledger from the future");
}

static void asleep(void)
{
	struct scene s;
	begin_spent(&s, PERIOD_DAY);
	pass(&s, 20 * HOUR_US); /* in one piece, as after a sleep */
	is_int(spent(&s), 0, "a night of sleep ends the day");
	spend(&s, 5 * USD);
	pass(&s, 16 * HOUR_US);
	is_int(spent(&s), 0, "and the next day ends at midnight, not a day after waking");
}

/* Where the host's sleep counts on no clock, days begin late; two in which nothing was spent mend it. */
static void mended(void)
{
	struct scene s;
	begin_spent(&s, PERIOD_DAY);
	s.wall_us += 20 * HOUR_US;
	is_int(spent(&s), 5 * USD, "a sleep that no clock counts is as setting the clock");
	pass(&s, 12 * HOUR_US);
	is_int(spent(&s), 0, "the day ends late, at 20 o'clock");
	pass(&s, 24 * HOUR_US);
	(void)look(&s);
	pass(&s, 24 * HOUR_US);
	(void)look(&s);
	spend(&s, USD);
	pass(&s, 4 * HOUR_US);
	is_int(spent(&s), 0, "and after two idle ones at midnight again");
}

static void rolling(void)
{
	struct scene s;
	set(&s, PERIOD_HOUR, true, &zone_utc);
	s.real_us = 100 * HOUR_US + 14 * MINUTE_US;
	(void)look(&s);
	spend(&s, 3 * USD);
	pass(&s, 20 * MINUTE_US);
	(void)look(&s);
	spend(&s, 2 * USD);
	is_int(budget_ready_us(&s.budget, &s.clock, 3 * USD), 101 * HOUR_US + 15 * MINUTE_US,
		"three are left when the quarter that they were spent in is out of the hour");
	is_int(budget_ready_us(&s.budget, &s.clock, 4 * USD), 101 * HOUR_US + 45 * MINUTE_US,
		"four when the next is");
	is_int(budget_ready_us(&s.budget, &s.clock, 6 * USD), INT64_MAX, "six never");
	s.wall_us += 5 * DAY_US;
	is_int(spent(&s), 5 * USD, "the wall clock has no say");
	s.wall_us -= 50 * DAY_US;
	is_int(spent(&s), 5 * USD, "whatever it shows");
	s.real_us = 101 * HOUR_US + 15 * MINUTE_US - 1;
	is_int(spent(&s), 5 * USD, "not a moment before");
	s.real_us++;
	is_int(spent(&s), 2 * USD, "but then");
	budget_add(&s.budget, &s.clock, s.real_us - 2 * HOUR_US, s.wall_us, USD);
	is_int(spent(&s), 2 * USD, "what is older than the window does not count");
	s.real_us += HOUR_US;
	is_int(spent(&s), 0, "all is out");
	ok(budget_is_whole(&s.budget, &s.clock), "and forgotten");
	budget_done(&s.budget);
}

/* ---- whatever the clock is set to ---- */

enum { SPENT_MAX = 4000 };

/* Somebody sets the clock as he likes and spends all whenever there is any. In no span of real time does he get more than
 * one budget for each period in it, and one for each of its ends. */
static int64_t attack(uint64_t seed, enum period period, int64_t length_us)
{
	static int64_t at_us[SPENT_MAX];
	struct scene s;
	size_t n = 0;
	int64_t n_bad = 0;
	state = seed;
	set(&s, period, false, &zone_utc);
	const int64_t lazy = random_below(3);
	for (int i = 0; i < 4000 && n < SPENT_MAX; i++) {
		pass(&s, random_below(length_us / 8));
		switch (random_below(6)) {
		case 0:
			s.wall_us += random_below(3 * length_us);
			break;
		case 1:
			s.wall_us -= random_below(3 * length_us);
			break;
		case 2:
			s.wall_us += random_below(2 * BUDGET_SLACK_US) - BUDGET_SLACK_US;
			break;
		case 3: /* a moment before its end, or just behind it */
			s.wall_us = s.budget.until_s * SECOND_US + random_below(120 * SECOND_US) -
				    60 * SECOND_US;
			break;
		default:
			break;
		}
		if (s.wall_us < NOON_US / 2)
			s.wall_us = NOON_US;
		if (spent(&s) == 0 && random_below(3) >= lazy) {
			at_us[n++] = s.real_us;
			spend(&s, 5 * USD);
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i + 1; k < n && k < i + 40; k++) {
			const int64_t span_us = at_us[k] - at_us[i] + BUDGET_SLACK_US;
			n_bad += (int64_t)(k - i) > span_us / length_us + 1;
		}
	}
	return n_bad;
}

static void attacked(void)
{
	static const struct {
		enum period period;
		int64_t us;
	} all[] = {
		{PERIOD_HOUR,  HOUR_US    },
		{PERIOD_DAY,   DAY_US     },
		{PERIOD_WEEK,  7 * DAY_US },
		{PERIOD_MONTH, 28 * DAY_US},
	};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		int64_t n_bad = 0;
		uint64_t first = 0;
		for (uint64_t seed = 1; seed <= 2000; seed++) {
			const int64_t bad = attack(seed, all[i].period, all[i].us);
			if (bad > 0 && n_bad == 0)
				first = seed;
			n_bad += bad;
		}
		is_int(n_bad, 0, "each %s has one budget, whatever the clock shows (seed %llu)",
			period_name(all[i].period), (unsigned long long)first);
	}
}

/* With a clock that goes right, but for a second now and then, each look finds the calendar's own period. */
static int64_t honest(struct arena *a, const char *zone, enum period period, uint64_t seed)
{
	struct fault why = FAULT_NONE;
	const struct zone *z = zone_load(a, span_str(zone), &why);
	struct scene s;
	int64_t n_bad = 0;
	if (!z)
		return 0;
	state = seed;
	set(&s, period, false, z);
	for (int i = 0; i < 3000; i++) {
		int64_t from_s, until_s;
		pass(&s, random_below(random_below(2) ? HOUR_US : 60 * HOUR_US));
		s.wall_us += random_below(50) == 0 ? random_below(2 * SECOND_US) - SECOND_US : 0;
		(void)look(&s);
		budget_period(z, period, s.clock.seen_us / SECOND_US, &from_s, &until_s);
		n_bad += s.budget.from_s != from_s || s.budget.until_s != until_s;
		if (random_below(2))
			spend(&s, USD);
	}
	return n_bad;
}

static void honestly(struct arena *a)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe",
		"America/New_York", "Asia/Kolkata", "Pacific/Chatham"};
	for (size_t i = 0; i < COUNT_OF(zones); i++) {
		for (unsigned p = 0; p <= PERIOD_MONTH; p++)
			is_int(honest(a, zones[i], (enum period)p, i * 10 + p + 1), 0,
				"%s: each %s as the calendar has it", zones[i],
				period_name((enum period)p));
	}
}

int main(void)
{
	struct arena a;
	arena_init(&a, 64 * MIB);
	by_calendar(&a);
	set_back();
	set_forward();
	at_start();
	asleep();
	mended();
	rolling();
	attacked();
	honestly(&a);
	arena_done(&a);
	return tap_done();
}
