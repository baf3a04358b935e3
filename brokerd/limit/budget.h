/* budget.h - how much money is left of this period, and when does the next one begin?
 *
 * A calendar's period ends when the clock on the wall says so, and a clock can be wrong, or be set. So:
 * - A period begins anew only when the wall clock is in a later one, and as much real time has gone by as the old one
 *   had left when it began here, less BUDGET_SLACK_US. Each has to last its whole length from the end that the one
 *   before was due to have: in N periods of real time there are at most N + 1 beginnings, whatever the clock is set
 *   to. Real time is CLOCK_BOOTTIME, which counts sleep.
 * - While the wall clock is more than BUDGET_SLACK_US behind what it showed before, nothing begins anew, until one whole
 *   period of real time has passed so: a clock that was years ahead for a moment does not lock anybody out for years.
 * - In the first BUDGET_BOOT_US of the host's time the clock is believed, whatever it says: it is being set right
 *   then. So it is when nothing was spent for two whole periods, which are more than what that can refill: where a
 *   host's sleep counts on no clock, or its clock was set right late, days that begin late are mended so.
 * A rolling window goes by real time alone, and no setting of the clock touches it: by quarters of an hour, each of
 * which counts until the last moment of it is out of the window.
 *
 * What is spent counts in the period in which it was taken. No clock, no I/O. */
#ifndef BROKERD_LIMIT_BUDGET_H
#define BROKERD_LIMIT_BUDGET_H
#include "brokerd/config/limit_rule.h"

#define BUDGET_SLACK_US   (INT64_C(300) * 1000000)
#define BUDGET_BOOT_US    (INT64_C(600) * 1000000)
#define BUDGET_QUARTER_US (INT64_C(900) * 1000000)

/* What the clocks say, and have said. */
struct budget_clock {
	bool is_begun;
	int64_t real_us;   /* since the host began, sleep included; never goes back */
	int64_t wall_us;   /* since 1970 */
	int64_t seen_us;   /* the latest that it ever showed */
	bool is_behind;    /* it shows much less than that */
	int64_t behind_us; /* real time since when */
	bool is_believed;  /* the host has only begun */
};

/* A moment that is known to have been: what was spent then is known. Before the first budget_clock_see. */
void budget_clock_remember(struct budget_clock *c, int64_t wall_us);
/* `has_real`: real_us is the host's, and says how long ago that began. */
void budget_clock_see(struct budget_clock *c, int64_t real_us, bool has_real, int64_t wall_us);

/* What of it is one moment of real time on the wall: for sentences. */
int64_t budget_clock_wall_us(const struct budget_clock *c, int64_t real_us);

struct budget_cell {
	int64_t quarter; /* of real time; may be below 0 */
	int64_t nusd;
};

/* A sum that no number of calls fills, whatever each can cost. */
__extension__ typedef __int128 budget_sum;

struct budget {
	struct budget_rule rule;
	bool is_rolling;
	const struct zone *zone;
	int64_t spent_nusd; /* held at the end of its range */
	budget_sum reserved;
	/* of a calendar */
	int64_t from_s, until_s; /* the period; until_s 0: none has begun */
	int64_t due_us;          /* real time at which it has had its whole length */
	int64_t idle_us;         /* real time since when nothing was spent in those before */
	uint64_t turn;           /* what was taken up to there belongs to the ones before */
	/* of a rolling one, the oldest first */
	struct budget_cell *cells;
	size_t n, size;
};

void budget_init(
	struct budget *b, const struct budget_rule *rule, bool is_rolling, const struct zone *zone);
void budget_done(struct budget *b);

/* The period of a zone's calendar that holds a moment. */
void budget_period(const struct zone *zone, enum period period, int64_t at_s, int64_t *from_s,
	int64_t *until_s);
int64_t budget_rolling_us(enum period period);

/* Begins the next period if it may; `turn` is the last that was taken. True: one has begun, and nothing is spent or
 * reserved in it; what was spent in it before, where the calendar went back, is for the caller to add. */
bool budget_refresh(struct budget *b, const struct budget_clock *c, uint64_t turn);

/* Does what was taken as number `turn` count in it? */
bool budget_counts(const struct budget *b, uint64_t turn);

/* What was spent at a moment of real time; on the wall it was `wall_us`. Where it is outside, nothing happens. */
void budget_add(struct budget *b, const struct budget_clock *c, int64_t real_us, int64_t wall_us,
	int64_t nusd);

/* What is set aside, and what is so no more; as a number, held at the end of its range. */
void budget_reserve(struct budget *b, int64_t nusd);
void budget_unreserve(struct budget *b, int64_t nusd);
int64_t budget_reserved_nusd(const struct budget *b);

/* Real time at which `nusd` would be left if nothing more were spent: the end of the period, or for a rolling one
 * when enough is out of the window; INT64_MAX: never, it is more than the whole. */
int64_t budget_ready_us(const struct budget *b, const struct budget_clock *c, int64_t nusd);

/* Has it nothing to remember: neither money, nor that its period has to last? */
bool budget_is_whole(const struct budget *b, const struct budget_clock *c);

#endif
