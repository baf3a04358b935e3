/* test_limiter.c - who may go on, who waits, who is refused, and what is left afterwards. */
#include "brokerd/limit/limiter.h"

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
		"limit \"r\" (test:1): 2 of 2 requests in use (2/minute); there is enough in 30 s. "
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

int main(void)
{
	requests();
	budgets();
	return tap_done();
}
