/* test_spending.c - what was spent by whom: against a plain list, and with more subjects and quarters than it keeps. */
#include "brokerd/limit/spending.h"

#include <stdio.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

#define QUARTER_S SPENDING_QUARTER_S
#define DAY_S     INT64_C(86400)
#define NOON_S    INT64_C(1795953600)

static uint64_t state;

static int64_t random_below(int64_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((state >> 33) % (uint64_t)n);
}

static const struct span apps[] = {
	{"a", 1},
        {"b", 1},
        {"c", 1},
        {"",  0}
};
static const struct span models[] = {
	{"m", 1},
        {"n", 1}
};
static const struct span keys[] = {
	{"",     0},
        {"work", 4}
};

static struct limit_subject some_subject(void)
{
	return (struct limit_subject){.app = apps[random_below(COUNT_OF(apps))],
		.policy = SPAN("host"),
		.provider = SPAN("one"),
		.key = keys[random_below(COUNT_OF(keys))],
		.model = models[random_below(COUNT_OF(models))],
		.asked = SPAN("one/m"),
		.uid = 1000 + (uint32_t)random_below(3)};
}

static void add_up(void *context, int64_t at_s, int64_t nusd)
{
	int64_t *sum = context;
	(void)at_s;
	*sum += nusd;
}

static int64_t sum_of(struct spending *s, const struct limit_rule *r,
	const struct limit_subject *who, int64_t from_s)
{
	int64_t sum = 0;
	spending_each(s, r, who, from_s, add_up, &sum);
	return sum;
}

static void compared(void)
{
	enum { ADDS = 3000 };
	static struct {
		struct limit_subject who;
		int64_t at_s, nusd;
	} list[ADDS];
	struct spending *s = spending_new();
	int64_t n_bad = 0;
	state = 7;
	for (size_t i = 0; i < ADDS; i++) {
		list[i].who = some_subject();
		list[i].at_s = NOON_S + random_below(20 * DAY_S);
		list[i].nusd = random_below(1000);
		spending_add(s, &list[i].who, list[i].at_s, list[i].nusd);
		if (i % 10 > 0)
			continue;
		const struct limit_rule r = {
			.each = (uint32_t)random_below(INT64_C(1) << LIMIT_EACH_COUNT)};
		const struct limit_subject who = some_subject();
		const int64_t from_s = NOON_S + random_below(20 * DAY_S);
		int64_t want = 0;
		for (size_t k = 0; k <= i; k++) {
			const int64_t end_s = (list[k].at_s / QUARTER_S + 1) * QUARTER_S;
			if (end_s > from_s && subject_is_alike(&list[k].who, &who, r.each))
				want += list[k].nusd;
		}
		n_bad += sum_of(s, &r, &who, from_s) != want;
	}
	is_int(n_bad, 0, "each sum is that of a plain list");
	spending_free(s);
}

/* More subjects than it keeps: whoever spent least is told apart no longer, but no money is lost. */
static void crowded(void)
{
	const struct limit_rule all = {.each = 0}, app = {.each = 1u << LIMIT_EACH_APP},
				user = {.each = 1u << LIMIT_EACH_USER};
	const struct limit_subject rich = {.app = SPAN("rich"), .uid = 1};
	struct spending *s = spending_new();
	size_t rows, cells, most_rows = 0;
	int64_t sum = 0;
	char name[24];
	spending_add(s, &rich, NOON_S, 1000000);
	for (unsigned i = 0; i < 3 * SPENDING_ROWS; i++) {
		(void)snprintf(name, sizeof name, "app-%u", i);
		const struct limit_subject who = {
			.app = span_str(name), .uid = 2 + i % 7, .policy = SPAN("host")};
		spending_add(s, &who, NOON_S + i / 50, 1 + i % 3);
		sum += 1 + i % 3;
		spending_size(s, &rows, &cells);
		most_rows = rows > most_rows ? rows : most_rows;
	}
	ok(most_rows <= SPENDING_ROWS, "no more than there may be: %zu", most_rows);
	is_int(sum_of(s, &all, &rich, 0), sum + 1000000, "all the money is there");
	is_int(sum_of(s, &app, &rich, 0), 1000000, "whoever spent most is known");
	int64_t users = 0;
	for (unsigned i = 0; i < 7; i++) {
		const struct limit_subject who = {.uid = 2 + i};
		users += sum_of(s, &user, &who, 0);
	}
	is_int(users, sum, "and every user");
	spending_free(s);

	s = spending_new();
	for (unsigned i = 0; i < 2 * SPENDING_ROWS; i++) {
		const struct limit_subject who = {.uid = i};
		spending_add(s, &who, NOON_S, 1);
	}
	spending_size(s, &rows, &cells);
	ok(rows <= SPENDING_ROWS, "users may be too many, too: %zu", rows);
	is_int(sum_of(s, &all, &rich, 0), 2 * (int64_t)SPENDING_ROWS, "all is there still");
	spending_free(s);
}

/* Subjects who spend all day long, for a month: more quarters than it keeps. No window loses any of it. */
static void long_lived(void)
{
	enum { APPS = 4000, STEPS = 31 * 8 };
	const struct limit_rule all = {.each = 0};
	const struct limit_subject nobody = {.app = SPAN_NONE};
	static int64_t spent[STEPS];
	struct spending *s = spending_new();
	size_t rows, cells, most_cells = 0;
	int64_t n_bad = 0;
	char name[24];
	for (int64_t i = 0; i < STEPS; i++) {
		const int64_t at_s = NOON_S + i * 3 * 3600;
		for (unsigned k = 0; k < APPS; k++) {
			(void)snprintf(name, sizeof name, "app-%u", k);
			const struct limit_subject who = {.app = span_str(name), .uid = 1};
			spending_add(s, &who, at_s, 1 + k % 5);
			spent[i] += 1 + k % 5;
		}
		spending_size(s, &rows, &cells);
		most_cells = cells > most_cells ? cells : most_cells;
		for (int64_t days = 1; days <= 31 && i % 8 == 7; days += 10) {
			const int64_t from_s = at_s - days * DAY_S;
			int64_t want = 0;
			for (int64_t k = 0; k <= i; k++)
				want += NOON_S + k * 3 * 3600 >= from_s ? spent[k] : 0;
			n_bad += sum_of(s, &all, &nobody, from_s) < want;
		}
	}
	ok(most_cells <= SPENDING_CELLS, "no more quarters than there may be: %zu", most_cells);
	is_int(n_bad, 0, "and no window has less than was spent in it");
	spending_free(s);
}

/* Where it is too much by the hour, what is over eight days old is put together by the quarter of a day: a week's window
 * is as sharp as before on its last day. */
static void by_age(void)
{
	enum { APPS = 16000, HOURS = 33 };
	const struct limit_rule all = {.each = 0};
	const struct limit_subject one = {.app = SPAN("one"), .uid = 1};
	const int64_t young_s = NOON_S - 8 * DAY_S + 3600, old_s = NOON_S - 9 * DAY_S;
	struct spending *s = spending_new();
	size_t rows, cells;
	char name[24];
	spending_add(s, &one, NOON_S, 1);
	spending_add(s, &one, young_s, 10);
	spending_add(s, &one, old_s, 100);
	for (unsigned k = 0; k < APPS; k++) {
		(void)snprintf(name, sizeof name, "app-%u", k);
		const struct limit_subject who = {.app = span_str(name), .uid = 1};
		for (int64_t h = 0; h < HOURS; h++)
			spending_add(s, &who, NOON_S - 10 * DAY_S - h * 3600, 1);
	}
	spending_size(s, &rows, &cells);
	ok(rows == APPS + 1 && cells < SPENDING_CELLS / 2, "all are there, thinner: %zu, %zu", rows,
		cells);
	is_int(sum_of(s, &all, &one, young_s), 11, "of eight days: all");
	is_int(sum_of(s, &all, &one, young_s + 3600), 1, "and by the hour");
	is_int(sum_of(s, &all, &one, old_s + 3600), 111, "older: by more");
	is_int(sum_of(s, &all, &one, old_s + 6 * 3600), 11, "which is a quarter of a day");
	spending_free(s);
}

int main(void)
{
	compared();
	crowded();
	by_age();
	long_lived();
	return tap_done();
}
