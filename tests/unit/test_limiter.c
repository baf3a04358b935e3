/* test_limiter.c - who may go on, who waits, who is refused, and what is left afterwards. */
#include "brokerd/limit/limiter.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define USD       INT64_C(1000000000)
#define NOON_US   (INT64_C(1795953600) * SECOND_US) /* 2026-11-29 12:00 UTC, a Sunday */
#define MIB       ((size_t)1024 * 1024)

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "test", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

/* So long after noon, by all clocks. */
static struct limit_now at(int64_t us)
{
	return (struct limit_now){DAY_US + us, NOON_US + us, DAY_US + us};
}

static struct limiter *limiter(const char *text)
{
	struct config *c = parse(text);
	struct limiter *l = limiter_new();
	const struct limit_now now = at(0);
	limiter_configure(l, c, &now);
	config_unref(c);
	return l;
}

static const struct limit_subject one = {
	.app = {"editor",        6 },
	.policy = {"host",          4 },
	.provider = {"openai",        6 },
	.key = {"",              0 },
	.model = {"gpt-4o",        6 },
	.asked = {"openai/gpt-4o", 13},
	.uid = 1000,
};

static enum limit_verdict take(struct limiter *l, const struct limit_subject *s, int64_t input,
	int64_t output, int64_t nusd, int64_t us, struct limit_hold *h, struct limit_answer *out)
{
	const struct limit_need need = {input, output, nusd};
	const struct limit_now now = at(us);
	*h = (struct limit_hold){.n = 0};
	limiter_take(l, s, &need, &now, h, out);
	return out->verdict;
}

static void settle(struct limit_hold *h, int64_t input, int64_t output, int64_t nusd, int64_t us)
{
	const struct limit_use use = {input, output, nusd};
	const struct limit_now now = at(us);
	limiter_settle(h, &use, &now);
}

static void release(struct limit_hold *h, int64_t us)
{
	const struct limit_now now = at(us);
	limiter_release(h, &now);
}

static void requests(void)
{
	struct limiter *l = limiter("[limit \"r\"]\nrequests = 2/minute\n");
	struct limit_hold h[3];
	struct limit_answer a;
	is_int(take(l, &one, 0, 0, 0, 0, &h[0], &a), LIMIT_HELD, "the first");
	is_int(take(l, &one, 0, 0, 0, 0, &h[1], &a), LIMIT_HELD, "the second");
	is_int(take(l, &one, 0, 0, 0, 0, &h[2], &a), LIMIT_WAIT, "the third waits");
	is_int(a.ready_us, at(30 * SECOND_US).mono_us, "until half of the minute has gone by");
	is_int(a.why.err, ERR_RATE_LIMITED, "and is told why");
	is_int(a.why.retry_after_ms, 30000, "and when");
	is_str(a.why.message,
		"limit \"r\" (test:1) of all calls: 2 of 2 requests in use (2/minute); there is "
		"enough in 30 s. "
		"To "
		"change it: edit that section, then llmb config reload",
		"in words");
	ok(a.is_shared, "all wait for it");
	settle(&h[0], 0, 0, 0, 0);
	release(&h[1], 0);
	is_int(take(l, &one, 0, 0, 0, 0, &h[2], &a), LIMIT_HELD,
		"what was released is there again");
	settle(&h[2], 0, 0, 0, 0);
	limiter_free(l);
}

static void budgets(void)
{
	struct limiter *l =
		limiter("[limit \"team\"]\neach = app\nbudget = 5/day\nzone = Europe/Berlin\n");
	struct limit_hold h[3];
	struct limit_answer a;
	is_int(take(l, &one, 0, 0, 3 * USD, 0, &h[0], &a), LIMIT_HELD, "three of five");
	is_int(take(l, &one, 0, 0, 3 * USD, 0, &h[1], &a), LIMIT_WAIT,
		"three more wait for the first");
	is_int(a.ready_us, INT64_MAX, "until it is over");
	ok(!a.is_shared, "which is nobody else's affair");
	settle(&h[0], 0, 0, USD * 498 / 100, 0);
	is_int(take(l, &one, 0, 0, USD * 8 / 100, 0, &h[1], &a), LIMIT_SPENT, "it cost more");
	is_str(a.why.message,
		"limit \"team\" (test:1) of app editor: 4.98 of 5.00 USD spent this day "
		"(Europe/Berlin), and this call can cost 0.08; it begins anew at 2026-11-30 00:00 "
		"CET, in 11 h 0 min. To change it: edit that section, then llmb config reload",
		"which is said");
	is_int(a.why.err, ERR_BUDGET, "as a budget");
	is_int(a.why.retry_after_ms, 11 * 3600 * 1000, "with the time");
	is_int(take(l, &one, 0, 0, 0, 0, &h[1], &a), LIMIT_HELD, "what is free goes on");
	release(&h[1], 0);
	is_int(take(l, &one, 0, 0, 5 * USD, 11 * 3600 * SECOND_US, &h[1], &a), LIMIT_HELD,
		"and the next day there is all of it");
	release(&h[1], 0);
	limiter_free(l);
}

/* ---- many at a time ---- */

/* 1,000 who all come before any of them is over, each of which can take a hundredth of what there is. */
static void racing(void)
{
	enum { CALLS = 1000, ROOM = 100 };
	struct limiter *l = limiter("[limit \"race\"]\nbudget = 1/day\nzone = UTC\n"
				    "[limit \"wide\"]\nbudget = 100/month\nzone = UTC\n");
	static struct limit_hold h[CALLS];
	struct limit_answer a;
	size_t n_held = 0, n_spent = 0;
	for (size_t i = 0; i < CALLS; i++)
		n_held += take(l, &one, 0, 0, USD / ROOM, 0, &h[i], &a) == LIMIT_HELD;
	is_int((int64_t)n_held, ROOM, "of 1,000 at once as many go as can be paid");
	is_int(a.verdict, LIMIT_WAIT, "the others wait, for those may cost less");
	for (size_t i = 0; i < CALLS; i += 2)
		settle(&h[i], 0, 0, -1, 0);
	for (size_t i = 1; i < CALLS; i += 2)
		release(&h[i], 0);
	n_held = 0;
	for (size_t i = 0; i < CALLS; i++) {
		n_held += take(l, &one, 0, 0, USD / ROOM, 0, &h[i], &a) == LIMIT_HELD;
		settle(&h[i], 0, 0, -1, 0);
		n_spent += a.verdict == LIMIT_SPENT;
	}
	is_int((int64_t)n_held, ROOM / 2, "what was given back is had by others");
	is_int((int64_t)n_spent, CALLS - ROOM / 2, "and then nobody waits any more");
	const struct limit_now now = at(0);
	is_int(limiter_left_nusd(l, &one, &now), 0, "nothing is left of it");
	limiter_free(l);
}

/* ---- other limits while calls are under way ---- */

static void configure(struct limiter *l, const char *text, int64_t us)
{
	struct config *c = parse(text);
	const struct limit_now now = at(us);
	limiter_configure(l, c, &now);
	config_unref(c);
}

static int64_t left(struct limiter *l, int64_t us)
{
	const struct limit_now now = at(us);
	return limiter_left_nusd(l, &one, &now);
}

static void reloaded(void)
{
	static const char daily[] = "[limit \"d\"]\nbudget = 5/day\nzone = Europe/Berlin\n";
	struct limiter *l = limiter(daily);
	struct limit_hold h[3];
	struct limit_answer a;
	is_int(take(l, &one, 0, 0, 2 * USD, 0, &h[0], &a), LIMIT_HELD, "a call of a limit");
	configure(l, daily, 0);
	configure(l, "", 0);
	settle(&h[0], 0, 0, USD, DAY_US);
	is_int(left(l, DAY_US), INT64_MAX, "that is no more when the call ends, a day later");

	configure(l, daily, DAY_US);
	is_int(take(l, &one, 0, 0, 2 * USD, DAY_US, &h[0], &a), LIMIT_HELD, "another");
	configure(l, "", DAY_US);
	configure(l, daily, DAY_US);
	is_int(take(l, &one, 0, 0, 4 * USD, DAY_US, &h[1], &a), LIMIT_WAIT,
		"whose limit went and came back: what it may cost is set aside again");
	settle(&h[0], 0, 0, USD, DAY_US);
	is_int(left(l, DAY_US), 4 * USD, "and what it did cost counts once");
	is_int(take(l, &one, 0, 0, 4 * USD, DAY_US, &h[1], &a), LIMIT_HELD, "the rest is free");
	configure(l, "[limit \"d\"]\nbudget = 3/day\nbudget = 9/week\nzone = Europe/Berlin\n",
		DAY_US);
	is_int(take(l, &one, 0, 0, USD, DAY_US, &h[2], &a), LIMIT_WAIT, "it has less now");
	release(&h[1], DAY_US);
	is_int(take(l, &one, 0, 0, 2 * USD, DAY_US, &h[2], &a), LIMIT_HELD, "and it is kept");
	settle(&h[2], 0, 0, 2 * USD, DAY_US);
	is_int(left(l, DAY_US), 0, "to the last");
	/* a day later it is Tuesday: of the week, both days */
	is_int(left(l, 2 * DAY_US), 3 * USD, "a day later there is all of the day's");
	configure(l, "[limit \"d\"]\nbudget = 9/week\nzone = Europe/Berlin\n", 2 * DAY_US);
	is_int(left(l, 2 * DAY_US), 6 * USD, "and of the week's what three calls have left");
	limiter_free(l);
}

/* A limit that is for others from now on: what they have spent counts, and what those before have does not. */
static void for_others(void)
{
	static const char of_one[] = "[limit \"d\"]\napp = one\nbudget = 5/day\nzone = UTC\n";
	static const char of_all[] = "[limit \"d\"]\nbudget = 5/day\nzone = UTC\n";
	static const char of_two[] = "[limit \"d\"]\napp = two\nbudget = 5/day\nzone = UTC\n";
	const struct limit_subject him = {
		.app = SPAN("one"), .provider = SPAN("p"), .model = SPAN("m")};
	const struct limit_subject her = {
		.app = SPAN("two"), .provider = SPAN("p"), .model = SPAN("m")};
	const struct limit_now now = at(0);
	struct limiter *l = limiter(of_one);
	struct limit_hold h[2];
	struct limit_answer a;
	is_int(take(l, &him, 0, 0, 2 * USD, 0, &h[0], &a), LIMIT_HELD, "his");
	is_int(take(l, &her, 0, 0, USD, 0, &h[1], &a), LIMIT_HELD, "hers");
	settle(&h[0], 0, 0, 2 * USD, 0);
	settle(&h[1], 0, 0, USD, 0);
	is_int(limiter_left_nusd(l, &him, &now), 3 * USD, "his alone counts");
	configure(l, of_all, 0);
	is_int(limiter_left_nusd(l, &him, &now), 2 * USD, "for all: both count");
	configure(l, of_two, 0);
	is_int(limiter_left_nusd(l, &her, &now), 4 * USD, "for her: hers alone");
	is_int(limiter_left_nusd(l, &him, &now), INT64_MAX, "and he is free");
	limiter_free(l);
}

/* A rolling limit that is made later: what was spent before leaves it no sooner than an hour after. */
static void rolled(void)
{
	const int64_t minute_us = 60 * SECOND_US;
	struct limiter *l = limiter("");
	struct limit_hold h;
	struct limit_answer a;
	struct limit_now now = {7 * minute_us, NOON_US, DAY_US + 7 * minute_us};
	const struct limit_need need = {0, 0, USD};
	now.wall_us += 14 * minute_us;
	now.boot_us += 14 * minute_us;
	h = (struct limit_hold){.n = 0};
	limiter_take(l, &one, &need, &now, &h, &a);
	const struct limit_use all = {0, 0, -1};
	limiter_settle(&h, &all, &now);
	struct config *c = parse("[limit \"r\"]\nbudget = 1/hour\nwindow = rolling\n");
	limiter_configure(l, c, &now);
	config_unref(c);
	now.wall_us += 59 * minute_us;
	now.boot_us += 59 * minute_us;
	is_int(limiter_left_nusd(l, &one, &now), 0, "59 minutes later it counts");
	now.wall_us += 31 * minute_us;
	now.boot_us += 31 * minute_us;
	is_int(limiter_left_nusd(l, &one, &now), USD, "and an hour and a half later no more");
	limiter_free(l);
}

/* A ledger in which somebody's clock was ten years ahead for a moment. */
static void from_the_future(void)
{
	struct limiter *l = limiter_new();
	struct limit_hold h;
	struct limit_answer a;
	limiter_remember(l, &one, NOON_US - 3600 * SECOND_US, USD);
	limiter_remember(l, &one, NOON_US + 3650 * DAY_US, USD);
	configure(l, "[limit \"d\"]\nbudget = 5/day\nzone = UTC\n", 0);
	is_int(left(l, 0), 4 * USD, "what was spent today counts");
	is_int(take(l, &one, 0, 0, USD, 0, &h, &a), LIMIT_HELD, "a call");
	settle(&h, 0, 0, USD, 0);
	configure(l, "[limit \"e\"]\nbudget = 5/day\nzone = UTC\n", 0);
	is_int(left(l, 0), 3 * USD,
		"and so does what was spent since, in a limit that comes later");
	limiter_free(l);
}

/* ---- what a provider says ---- */

static void say(struct limiter *l, int64_t remaining, int64_t reset_ms, uint64_t turn, int64_t us)
{
	struct rates said = RATES_UNKNOWN;
	const struct limit_now now = at(us);
	said.requests = (struct rate){10, remaining, reset_ms};
	limiter_learn(l, &one, &said, turn, &now);
}

/* Three ask, and the last is answered first: what the others say was so before. */
static void overtaken(void)
{
	struct limiter *l = limiter("");
	struct limit_hold h[4];
	struct limit_answer a;
	for (size_t i = 0; i < 3; i++)
		is_int(take(l, &one, 0, 0, 0, 0, &h[i], &a), LIMIT_HELD, "nothing is known yet");
	say(l, 2, 48000, h[2].turn, 0);
	is_int(take(l, &one, 0, 0, 0, 0, &h[3], &a), LIMIT_WAIT,
		"two are there, and two more have no reply");
	say(l, 4, 36000, h[0].turn, 0);
	is_int(take(l, &one, 0, 0, 0, 0, &h[3], &a), LIMIT_WAIT, "an old reply says of more");
	say(l, 0, 60000, h[1].turn, 0);
	is_int(take(l, &one, 0, 0, 0, 6 * SECOND_US - 1, &h[3], &a), LIMIT_WAIT,
		"of less it is heard");
	is_int(take(l, &one, 0, 0, 0, 6 * SECOND_US, &h[3], &a), LIMIT_HELD, "and time helps");
	for (size_t i = 0; i < 3; i++)
		release(&h[i], 6 * SECOND_US);
	say(l, 5, 30000, h[3].turn, 6 * SECOND_US);
	release(&h[3], 6 * SECOND_US);
	is_int(take(l, &one, 0, 0, 0, 6 * SECOND_US, &h[0], &a), LIMIT_HELD,
		"a new one is heard whatever it says");
	release(&h[0], 6 * SECOND_US);
	limiter_free(l);
}

/* ---- amounts that nobody means ---- */

static void extremes(void)
{
	struct limiter *l = limiter("[limit \"soft\"]\nsoft_budget = 1/day\nsoft_budget = 1/hour\n"
				    "zone = UTC\n"
				    "[limit \"rolls\"]\nsoft_budget = 1/hour\nwindow = rolling\n"
				    "[limit \"t\"]\ntokens = 1000000000000/second\n");
	struct limit_hold h[3];
	struct limit_answer a;
	struct rates said = RATES_UNKNOWN;
	struct fault soft = FAULT_NONE;
	said.tokens = (struct rate){1000, 900, 1000};
	const struct limit_now now = at(10 * SECOND_US);
	for (size_t i = 0; i < 3; i++) {
		is_int(take(l, &one, INT64_MAX, INT64_MAX, INT64_MAX, (int64_t)i * 3 * SECOND_US,
			       &h[i], &a),
			LIMIT_HELD, "a call that can take more than there is");
	}
	settle(&h[0], 0, 0, INT64_MAX, 10 * SECOND_US);
	limiter_learn(l, &one, &said, 0, &now);
	settle(&h[1], INT64_MAX, INT64_MAX, INT64_MAX, 10 * SECOND_US);
	limiter_learn(l, &one, &said, 0, &now);
	release(&h[2], 10 * SECOND_US);
	limiter_learn(l, &one, &said, 0, &now);
	ok(limiter_soft(l, &one, &now, 0, &soft), "it is told");
	is_int(take(l, &one, INT64_MAX, 0, 0, 3 * 3600 * SECOND_US, &h[0], &a), LIMIT_HELD,
		"and over one day");
	release(&h[0], 3 * 3600 * SECOND_US);
	OWNED(buf_done) struct buf out = BUF_INIT(MIB);
	const struct limit_now later = at(3 * 3600 * SECOND_US);
	limiter_json(l, SPAN("rolls"), &later, &out);
	buf_byte(&out, '\0');
	ok(strstr(out.p, "\"spent_nusd\":0,\"reserved_nusd\":0,"), "nothing is left of it: %s",
		out.p);
	limiter_free(l);
}

/* ---- many subjects ---- */

/* Callers who come once, beside some whose calls last: nobody is remembered for ever. */
static void crowded(void)
{
	enum { LASTING = 50, MOST = 65536 };
	struct limiter *l = limiter("[limit \"apps\"]\neach = app\nbudget = 1/day\nzone = UTC\n"
				    "requests = 10/second\nconcurrency = 3\n");
	static struct limit_hold lasting[LASTING];
	struct limit_hold h;
	struct limit_answer a;
	size_t callers, counters, most_callers = 0, most_counters = 0;
	int64_t n_refused = 0;
	char name[24];
	struct limit_subject who = one;
	for (unsigned i = 0; i < 2 * MOST; i++) {
		(void)snprintf(name, sizeof name, "app-%u", i);
		who.app = span_str(name);
		n_refused +=
			take(l, &who, 0, 0, 1, i, i < LASTING ? &lasting[i] : &h, &a) != LIMIT_HELD;
		if (i >= LASTING)
			release(&h, i);
		limiter_size(l, &callers, &counters);
		most_callers = callers > most_callers ? callers : most_callers;
		most_counters = counters > most_counters ? counters : most_counters;
	}
	is_int(n_refused, 0, "nobody is in another's way");
	ok(most_callers <= MOST + LASTING, "so many are remembered: %zu", most_callers);
	ok(most_counters <= MOST + LASTING, "and so many counters: %zu", most_counters);
	for (size_t i = 0; i < LASTING; i++)
		settle(&lasting[i], 0, 0, USD, 1);
	who.app = SPAN("app-3");
	is_int(take(l, &who, 0, 0, 1, 2 * MOST, &h, &a), LIMIT_SPENT,
		"who was under way all the time has not lost what it spent");
	limiter_free(l);
}

/* Asked before for no provider: a request of its own is due where only providers, keys or another model are limited. */
static void asked_before(void)
{
	struct limiter *l = limiter("[limit \"all\"]\nrequests = 1/minute\n"
				    "[limit \"of\"]\nprovider = openai\nrequests = 2/minute\n"
				    "[limit \"key\"]\neach = key\nrequests = 3/minute\n"
				    "[limit \"model\"]\neach = model\nrequests = 4/minute\n");
	const struct limit_subject before = {.app = one.app,
		.policy = one.policy,
		.model = SPAN("gpt-4o-mini"),
		.asked = one.asked,
		.uid = one.uid};
	struct limit_subject again = one;
	struct limit_hold h[3];
	struct limit_answer a;
	const struct limit_need none = {0, 0, 0};
	const struct limit_now now = at(0);
	again.before = &before;
	is_int(take(l, &before, 0, 0, 0, 0, &h[0], &a), LIMIT_HELD, "it is asked");
	settle(&h[0], 0, 0, 0, 0);
	is_int(take(l, &one, 0, 0, 0, 0, &h[1], &a), LIMIT_WAIT, "which counts for all others");
	is_int(limiter_ready_us(l, &one, &none, 0, 0, &now), at(60 * SECOND_US).mono_us,
		"as it is foretold");
	is_int(limiter_ready_us(l, &again, &none, 0, 0, &now), now.mono_us,
		"but not for itself again");
	is_int(limiter_sure_us(l, &again, &none, 0, &now), now.mono_us, "which is sure");
	is_int(take(l, &again, 0, 0, 0, 0, &h[1], &a), LIMIT_HELD, "nor where it goes on");
	release(&h[1], 0);
	is_int(take(l, &one, 0, 0, 0, 0, &h[2], &a), LIMIT_WAIT,
		"what never went out gives no more back than it took");
	for (size_t i = 0; i < 2; i++) {
		is_int(take(l, &again, 0, 0, 0, 0, &h[1], &a), LIMIT_HELD, "%zu of 2 for it",
			i + 1);
		settle(&h[1], 0, 0, 0, 0);
	}
	is_int(take(l, &again, 0, 0, 0, 0, &h[1], &a), LIMIT_WAIT, "a provider's counts it");
	ok(span_find(span_str(a.why.message), SPAN("limit \"of\"")) < strlen(a.why.message),
		"and it is that one");
	limiter_free(l);
}

int main(void)
{
	requests();
	asked_before();
	budgets();
	racing();
	reloaded();
	for_others();
	rolled();
	from_the_future();
	overtaken();
	extremes();
	crowded();
	return tap_done();
}
