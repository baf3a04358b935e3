/* test_limit_says.c - is everybody who is refused told by what, how much of it is used, until when, and how it is
 * changed, and whose business that is not, only when to come again? Each kind of limit, in words. */
#include <stdio.h>
#include <string.h>

#include "brokerd/limit/limiter.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define USD       INT64_C(1000000000)
#define NOON_US   (INT64_C(1795953600) * SECOND_US) /* 2026-11-29 12:00 UTC, a Sunday */

static const struct limit_subject one = {
	.app = {"editor",        6 },
	.policy = {"host",          4 },
	.provider = {"openai",        6 },
	.key = {"work",          4 },
	.model = {"gpt-4o",        6 },
	.asked = {"openai/gpt-4o", 13},
	.uid = 1000,
};

static struct limit_now at(int64_t us)
{
	return (struct limit_now){DAY_US + us, NOON_US + us, DAY_US + us};
}

/* One call is let through, and maybe ends; the next is not. */
/* clang-format off */
static const struct {
	const char *name, *limits;
	bool is_by_hand;
	struct limit_need first;
	struct limit_use use; /* nusd -1: it is under way still */
	struct limit_need second;
	enum limit_verdict verdict;
	enum err err;
	int64_t retry_after_ms; /* -1: none */
	const char *sentence;
	const char *outline; /* without what it ends with */
} cases[] = {
	{"requests", "[limit \"r\"]\neach = app\nrequests = 1/minute\n", true,
		{0, 0, 0}, {0, 0, -1}, {0, 0, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 60000,
		"limit \"r\" (llmb budget set) of app editor: 1 of 1 requests in use (1/minute); there is enough in 60 s. "
		"llmb budget set r --requests 2/minute",
		"a limit of this host on requests per minute is reached; there is enough in 60 s"},
	{"of a file", "[limit \"r\"]\nrequests = 1/30s\n", false,
		{0, 0, 0}, {0, 0, -1}, {0, 0, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 30000,
		"limit \"r\" (test:1) of all calls: 1 of 1 requests in use (1/30s); there is enough in 30 s. "
		"To change it: edit that section, then llmb config reload",
		"a limit of this host on requests per 30s is reached; there is enough in 30 s"},
	{"input tokens", "[limit \"in\"]\nprovider = openai\neach = user\neach = model\ninput_tokens = 1000/hour\n", true,
		{900, 50, 0}, {0, 0, -1}, {200, 0, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 360000,
		"limit \"in\" (llmb budget set) of user 1000, for provider openai, of model gpt-4o: 900 of 1000 input tokens in "
		"use (1000/hour), and this call can take 200; there is enough in 360 s. "
		"llmb budget set in --input-tokens 2000/hour",
		"a limit of this host on input tokens per hour is reached, and this call can take 200; there is enough in 360 s"},
	{"output tokens", "[limit \"out\"]\nmodel = openai/*\nmodel = groq/*\noutput_tokens = 100/second\n", true,
		{0, 100, 0}, {0, 0, -1}, {7, 50, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 500,
		"limit \"out\" (llmb budget set) for any of 2 model patterns: 100 of 100 output tokens in use (100/second), and "
		"this call can take 50; there is enough in 500 ms. llmb budget set out --output-tokens 200/second",
		"a limit of this host on output tokens per second is reached, and this call can take 50; there is enough in 500 ms"},
	{"tokens of both kinds", "[limit \"t\"]\ntokens = 1000/day\n", true,
		{400, 400, 0}, {0, 0, -1}, {200, 200, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 17280000,
		"limit \"t\" (llmb budget set) of all calls: 800 of 1000 tokens in use (1000/day), and this call can take 400; "
		"there is enough in 4 h 48 min. llmb budget set t --tokens 2000/day",
		"a limit of this host on tokens per day is reached, and this call can take 400; there is enough in 4 h 48 min"},
	{"more than a rate ever has", "[limit \"t\"]\ntokens = 1000/minute\n", true,
		{100, 0, 0}, {0, 0, -1}, {4000, 1000, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 6000,
		"limit \"t\" (llmb budget set) of all calls: 100 of 1000 tokens in use (1000/minute), and this call can take "
		"5000, for which all of it has to be there: that is in 6 s. llmb budget set t --tokens 5000/minute",
		"a limit of this host on tokens per minute is reached, and this call can take 5000; there is enough in 6 s"},
	{"calls at a time", "[limit \"c\"]\neach = key\nconcurrency = 1\n", true,
		{0, 0, 0}, {0, 0, -1}, {0, 0, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 1000,
		"limit \"c\" (llmb budget set) of key work: 1 of 1 calls at a time are under way; there is room when one of them "
		"is over. llmb budget set c --concurrency 2",
		"a limit of this host on calls at a time is reached; there is room when one of them is over"},
	{"a budget that others may leave", "[limit \"b\"]\nbudget = 5/day\nzone = UTC\n", true,
		{0, 0, 3 * USD}, {0, 0, -1}, {0, 0, 3 * USD}, LIMIT_WAIT, ERR_BUDGET, 1000,
		"limit \"b\" (llmb budget set) of all calls: 0.00 of 5.00 USD spent this day (UTC), 3.00 set aside for calls "
		"under way, and this call can cost 3.00; there is enough if those cost less than they can. "
		"llmb budget set b --usd 10/day",
		"a budget of this host has less left this day than this call can cost, which is 3.00 USD; there is enough if calls under way cost less than they can"},
	{"one that is spent", "[limit \"b\"]\neach = policy\nbudget = 5/day\nbudget = 20/week\nsoft_budget = 1/hour\nzone = Asia/Kolkata\n",
		true, {0, 0, USD}, {0, 0, 4 * USD + 1}, {0, 0, USD}, LIMIT_SPENT, ERR_BUDGET, 23400000,
		"limit \"b\" (llmb budget set) of policy host: 4.000000001 of 5.00 USD spent this day (Asia/Kolkata), and this "
		"call can cost 1.00; it begins anew at 2026-11-30 00:00 IST, in 6 h 30 min. "
		"llmb budget set b --usd 10/day",
		"a budget of this host has less left this day than this call can cost, which is 1.00 USD; it begins anew in 6 h 30 min"},
	{"of an hour", "[limit \"b\"]\nbudget = 0.5/hour\nzone = UTC\n", false,
		{0, 0, USD / 2}, {0, 0, USD / 2}, {0, 0, 1}, LIMIT_SPENT, ERR_BUDGET, 3600000,
		"limit \"b\" (test:1) of all calls: 0.50 of 0.50 USD spent this hour (UTC), and this call can cost 0.000000001; "
		"it begins anew at 2026-11-29 13:00 UTC, in 1 h 0 min. To change it: edit that section, then llmb config reload",
		"a budget of this host has less left this hour than this call can cost, which is 0.000000001 USD; it begins anew in 1 h 0 min"},
	{"of a month", "[limit \"b\"]\nbudget = 2/month\nzone = UTC\n", true,
		{0, 0, USD}, {0, 0, USD}, {0, 0, 2 * USD}, LIMIT_SPENT, ERR_BUDGET, 129600000,
		"limit \"b\" (llmb budget set) of all calls: 1.00 of 2.00 USD spent this month (UTC), and this call can cost 2.00; "
		"it begins anew at 2026-12-01 00:00 UTC, in 36 h 0 min. llmb budget set b --usd 4/month",
		"a budget of this host has less left this month than this call can cost, which is 2.00 USD; it begins anew in 36 h 0 min"},
	{"of the last week", "[limit \"b\"]\nbudget = 2/week\nwindow = rolling\nzone = UTC\n", true,
		{0, 0, USD}, {0, 0, USD}, {0, 0, 2 * USD}, LIMIT_SPENT, ERR_BUDGET, 605700000,
		"limit \"b\" (llmb budget set) of all calls: 1.00 of 2.00 USD spent in the last 7 days, and this call can cost "
		"2.00; so much is left again at 2026-12-06 12:15 UTC, in 7 d 0 h. llmb budget set b --usd 4/week",
		"a budget of this host has less left in 7 days than this call can cost, which is 2.00 USD; so much is left again in 7 d 0 h"},
	{"more than a budget ever has", "[limit \"b\"]\nbudget = 5/day\nzone = UTC\n", true,
		{0, 0, USD}, {0, 0, 0}, {0, 0, 6 * USD}, LIMIT_SPENT, ERR_BUDGET, -1,
		"limit \"b\" (llmb budget set) of all calls: 0.00 of 5.00 USD spent this day (UTC), and this call can cost 6.00, "
		"which is more than all of it. llmb budget set b --usd 10/day",
		"a budget of this host has less left this day than this call can cost, which is 6.00 USD and more than all of it"},
	{"more than twice all of it", "[limit \"b\"]\nbudget = 5/day\nbudget = 100/week\nzone = UTC\n", true,
		{0, 0, 3 * USD}, {0, 0, 3 * USD}, {0, 0, 11 * USD}, LIMIT_SPENT, ERR_BUDGET, -1,
		"limit \"b\" (llmb budget set) of all calls: 3.00 of 5.00 USD spent this day (UTC), and this call can cost 11.00, "
		"which is more than all of it. llmb budget set b --usd 14/day",
		"a budget of this host has less left this day than this call can cost, which is 11.00 USD and more than all of it"},
	{"of nothing", "[limit \"b\"]\napp = edit*\nbudget = 0/day\nzone = UTC\n", true,
		{0, 0, 0}, {0, 0, 0}, {0, 0, 1}, LIMIT_SPENT, ERR_BUDGET, -1,
		"limit \"b\" (llmb budget set) for app edit*: 0.00 of 0.00 USD spent this day (UTC), and this call can cost "
		"0.000000001, which is more than all of it. llmb budget set b --usd 1/day",
		"a budget of this host has less left this day than this call can cost, which is 0.000000001 USD and more than all of it"},
	{"the one that lasts longer", "[limit \"r\"]\nrequests = 1/minute\n[limit \"s\"]\nrequests = 1/hour\n", true,
		{0, 0, 0}, {0, 0, -1}, {0, 0, 0}, LIMIT_WAIT, ERR_RATE_LIMITED, 3600000,
		"limit \"s\" (llmb budget set) of all calls: 1 of 1 requests in use (1/hour); there is enough in 1 h 0 min. "
		"llmb budget set s --requests 2/hour",
		"a limit of this host on requests per hour is reached; there is enough in 1 h 0 min"},
};
/* clang-format on */

static struct config *parse(const char *limits, bool is_by_hand)
{
	struct fault why = FAULT_NONE;
	const struct span text = span_str(limits);
	struct config *c = config_parse(is_by_hand ? SPAN("") : text, "test", &why);
	if (!c || (is_by_hand && config_add_limits(c, text, "limits", &why)))
		bail("%s", why.message);
	return c;
}

static struct limiter *limiter(const char *limits, bool is_by_hand)
{
	struct config *c = parse(limits, is_by_hand);
	struct limiter *l = limiter_new();
	const struct limit_now now = at(0);
	limiter_configure(l, c, &now);
	config_unref(c);
	return l;
}

/* Without names of limits, places, labels of keys and what others use. */
static void is_outline(const struct limit_answer *a, const char *want)
{
	char whole[LIMIT_OUTLINE_BYTES];
	(void)snprintf(whole, sizeof whole, "%s. Ask whoever runs this host: `llmb budget list`",
		want ? want : "");
	is_str(a->outline, whole, "its outline");
}

static void refused(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct limiter *l = limiter(cases[i].limits, cases[i].is_by_hand);
		struct limit_hold first = {.n = 0}, second = {.n = 0};
		struct limit_answer a;
		const struct limit_now now = at(0);
		limiter_take(l, &one, &cases[i].first, &now, &first, &a);
		is_int(a.verdict, LIMIT_HELD, "%s: the first", cases[i].name);
		if (cases[i].use.nusd >= 0)
			limiter_settle(&first, &cases[i].use, &now);
		limiter_take(l, &one, &cases[i].second, &now, &second, &a);
		is_int(a.verdict, cases[i].verdict, "%s", cases[i].name);
		is_int(a.why.err, cases[i].err, "its class");
		is_int(a.why.retry_after_ms, cases[i].retry_after_ms, "its time");
		is_str(a.why.message, cases[i].sentence, "its sentence");
		is_outline(&a, cases[i].outline);
		limiter_release(&first, &now);
		limiter_free(l);
	}
}

/* ---- what providers say ---- */

#define NOT_SAID           \
	{                  \
		-1, -1, -1 \
	}

/* clang-format off */
static const struct {
	const char *name;
	struct rates said;
	const char *sentence;
	int64_t retry_after_ms;
	const char *outline;
} learned[] = {
	{"its requests", {{60, 0, 30000}, NOT_SAID, NOT_SAID, NOT_SAID, -1, false},
		"provider openai has 0 of 60 requests left (60/30s) for gpt-4o with the key work; there is enough in 500 ms: "
		"that is its own limit, for all who use that key. With another key there is more: llmb key add openai/LABEL", 500,
		"provider openai has too few requests left for gpt-4o; there is enough in 500 ms: that is its own limit"},
	{"its tokens", {NOT_SAID, {1000, 40, 60000}, NOT_SAID, NOT_SAID, -1, false},
		"provider openai has 40 of 1000 tokens left (1000/63s) for gpt-4o with the key work; there is enough in 17 s: "
		"that is its own limit, for all who use that key. With another key there is more: llmb key add openai/LABEL", 16875,
		"provider openai has too few tokens left for gpt-4o; there is enough in 17 s: that is its own limit"},
	{"its input tokens", {NOT_SAID, NOT_SAID, {1000, 0, 60000}, NOT_SAID, -1, false},
		"provider openai has 0 of 1000 input tokens left (1000/minute) for gpt-4o with the key work; there is enough in "
		"12 s: that is its own limit, for all who use that key. With another key there is more: llmb key add openai/LABEL",
		12000,
		"provider openai has too few input tokens left for gpt-4o; there is enough in 12 s: that is its own limit"},
	{"its output tokens", {NOT_SAID, NOT_SAID, NOT_SAID, {100, 0, 60000}, -1, false},
		"provider openai has 0 of 100 output tokens left (100/minute) for gpt-4o with the key work; there is enough in "
		"60 s: that is its own limit, for all who use that key. With another key there is more: llmb key add openai/LABEL",
		60000,
		"provider openai has too few output tokens left for gpt-4o; there is enough in 60 s: that is its own limit"},
	{"a wait", {NOT_SAID, NOT_SAID, NOT_SAID, NOT_SAID, 7000, false},
		"provider openai wants no call for gpt-4o with the key work for another 7 s: that is its own limit, for all who "
		"use that key. With another key there is more: llmb key add openai/LABEL", 7000,
		"provider openai wants no call for gpt-4o for another 7 s: that is its own limit"},
	{"its day", {{50, 0, 36000000}, NOT_SAID, NOT_SAID, NOT_SAID, -1, true},
		"provider openai wants no call for gpt-4o with the key work for another 10 h 0 min: that is its own limit, for "
		"all who use that key. With another key there is more: llmb key add openai/LABEL", 36000000,
		"provider openai wants no call for gpt-4o for another 10 h 0 min: that is its own limit"},
};
/* clang-format on */

static void of_providers(void)
{
	const struct limit_need need = {200, 110, USD};
	for (size_t i = 0; i < COUNT_OF(learned); i++) {
		struct limiter *l = limiter("", false);
		struct limit_hold h = {.n = 0};
		struct limit_answer a;
		const struct limit_now now = at(0);
		limiter_learn(l, &one, &learned[i].said, 0, &now);
		limiter_take(l, &one, &need, &now, &h, &a);
		is_int(a.verdict, LIMIT_WAIT, "%s", learned[i].name);
		is_str(a.why.message, learned[i].sentence, "its sentence");
		is_outline(&a, learned[i].outline);
		is_int(a.why.retry_after_ms, learned[i].retry_after_ms, "its time");
		ok(a.is_shared, "all wait for it");
		limiter_free(l);
	}
}

/* ---- soft ones ---- */

static void told(void)
{
	struct limiter *l = limiter("[limit \"s\"]\nsoft_budget = 1/day\nsoft_budget = "
				    "9/week\nbudget = 20/day\nzone = UTC\n",
		true);
	struct limit_hold h = {.n = 0};
	struct limit_answer a;
	struct fault why = FAULT_NONE;
	const struct limit_now now = at(0);
	const struct limit_need need = {0, 0, 2 * USD};
	const struct limit_use use = {0, 0, 2 * USD};
	limiter_take(l, &one, &need, &now, &h, &a);
	limiter_settle(&h, &use, &now);
	ok(limiter_soft(l, &one, &now, 0, &why), "a soft one is over");
	is_str(why.message,
		"limit \"s\" (llmb budget set) of all calls: 2.00 of 1.00 USD spent this day "
		"(UTC): that "
		"is more than was meant, and nobody is refused for it; it begins anew at "
		"2026-11-30 "
		"00:00 UTC, in 12 h 0 min. llmb budget set s --soft 2/day",
		"which is told");
	ok(!limiter_soft(l, &one, &now, 1, &why), "and no other");
	limiter_free(l);
}

/* ---- the longest ---- */

/* Whatever things are called, the command that helps is there to its end. */
static void longest(void)
{
	static const char x[129] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	const struct span text = {x, 128};
	const struct limit_subject s = {text, text, text, text, text, text, UINT32_MAX, NULL};
	struct limiter *l = limiter(
		"[limit \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\"]\n"
		"each = app\neach = user\neach = policy\neach = provider\neach = key\neach = "
		"model\n"
		"budget = 0.123456789/hour\nbudget = 123456789.123456789/day\n"
		"budget = 223456789.123456789/week\nbudget = 323456789.123456789/month\n"
		"zone = America/Argentina/ComodRivadavia\n",
		true);
	struct limit_hold h = {.n = 0};
	struct limit_answer a;
	const struct limit_now now = at(0);
	const struct limit_need need = {0, 0, USD / 10}, more = {0, 0, USD / 11};
	const char *const end = "nnnnnnnn --usd 0.246913578/hour";
	limiter_take(l, &s, &need, &now, &h, &a);
	const struct limit_use use = {0, 0, USD / 10};
	limiter_settle(&h, &use, &now);
	limiter_take(l, &s, &more, &now, &h, &a);
	is_int(a.verdict, LIMIT_SPENT, "a limit with the longest of names");
	const size_t n = strlen(a.why.message);
	ok(strstr(a.outline, "`llmb budget list`") != NULL, "and whom to ask: %s", a.outline);
	ok(n > strlen(end) && strcmp(a.why.message + n - strlen(end), end) == 0,
		"says how it is changed: %s", a.why.message);
	limiter_free(l);
}

int main(void)
{
	refused();
	of_providers();
	told();
	longest();
	return tap_done();
}
