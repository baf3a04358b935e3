/* test_limit_rule.c - what a [limit] section may say, what it may not, and that it is written as it is read. */
#include "brokerd/config/limit_check.h"
#include "brokerd/config/price_check.h"
#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define USD       INT64_C(1000000000)

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "f", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

/* ---- what is refused ---- */

#define X "[limit \"x\"]\n"

/* clang-format off */
static const struct {
	const char *name, *text, *want;
} bad[] = {
	{"no name", "[limit]\nrequests = 1/second", "f:1:2: this section needs a name"},
	{"a name that no command line likes", "[limit \"a b\"]\nrequests = 1/second", "f:1:2: a limit's name is made of"},
	{"nothing is limited", X "app = x", "f:1:2: [limit \"x\"] limits nothing: add requests,"},
	{"twice in a file", X "requests = 1/second\n" X, "f:3:2: this section was there before, on line 1"},
	{"an unknown key", X "request = 1/second", "f:2:1: [limit] has no key request: did you mean requests?"},
	{"an amount without a time", X "requests = 60", "f:2:12: this is an amount and a time"},
	{"a time that is none", X "requests = 60/fortnight", "f:2:12: this is an amount and a time"},
	{"no amount", X "requests = /minute", "f:2:12: this is an amount and a time"},
	{"none at all", X "requests = 0/minute", "f:2:12: an amount is a whole number from 1"},
	{"fewer", X "tokens = -5/minute", "f:2:10: an amount is a whole number from 1"},
	{"too many", X "tokens = 1000000000001/minute", "f:2:10: an amount is a whole number from 1"},
	{"a fraction", X "tokens = 1.5/minute", "f:2:10: this is an amount and a time"},
	{"too short a time", X "tokens = 1/500ms", "f:2:10: its time is from 1s to 31d"},
	{"too long a time", X "tokens = 1/32d", "f:2:10: its time is from 1s to 31d"},
	{"a rate twice", X "tokens = 1/second\ntokens = 2/second", "f:3:1: tokens was given before, on line 2"},
	{"no calls at all", X "concurrency = 0", "f:2:15: concurrency is a whole number from 1"},
	{"money without a time", X "budget = 5", "f:2:10: this is US dollars and a time"},
	{"money for a minute", X "budget = 5/minute", "f:2:10: this is US dollars and a time"},
	{"other money", X "budget = 5 EUR/day", "f:2:10: this is US dollars and a time"},
	{"money below nothing", X "budget = -5/day", "f:2:10: this is US dollars and a time"},
	{"all the money there is", X "budget = 1000000001/day", "f:2:10: this is US dollars and a time"},
	{"two for a day", X "budget = 5/day\nbudget = 6/day", "f:3:10: there is one for the day already"},
	{"each of what", X "each = apps\nrequests = 1/second", "f:2:8: each is one of app|user|policy"},
	{"a window that is none", X "window = sliding\nbudget = 1/day", "f:2:10: window is one of calendar|rolling"},
	{"a zone that is none", X "zone = Europe/Berlim\nbudget = 1/day", "f:2:8: there is no time zone \"Europe/Berlim\""},
	{"a zone that climbs", X "zone = ../../etc/passwd\nbudget = 1/day", "f:2:8: a time zone is called as in"},
	{"a zone that is a folder", X "zone = Europe\nbudget = 1/day", "f:2:8: cannot read"},
	{"an unknown provider", X "provider = opnai\nrequests = 1/second",
		"f:1:2: no provider is called \"opnai\", and so this limits nothing: did you mean \"openai\"?"},
	{"a pattern for no provider", X "provider = zzz*\nrequests = 1/second", "f:1:2: no provider is called \"zzz*\""},
	{"an unknown policy", X "policy = sandbx\nrequests = 1/second",
		"f:1:2: no policy is called \"sandbx\", and so this limits nothing: did you mean \"sandbox\"?"},
	{"an unknown provider's key", X "key = opnai/work\nrequests = 1/second", "f:1:2: no provider is called \"opnai\""},
	{"an unknown provider's model", X "model = antropic/*\nrequests = 1/second",
		"f:1:2: no provider is called \"antropic\", and so this limits nothing: did you mean \"anthropic\"?"},
	{"an unknown user", X "user = nobody-at-all\nrequests = 1/second", "f:2:8: /etc/passwd has no user"},
};
/* clang-format on */

static void refused(void)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct fault why = FAULT_NONE;
		struct config *c = config_parse(span_str(bad[i].text), "f", &why);
		if (!ok(!c, "%s: refused", bad[i].name)) {
			config_unref(c);
			continue;
		}
		is_mem(why.message, strnlen(why.message, strlen(bad[i].want)), bad[i].want,
			strlen(bad[i].want), "%s: and told why", bad[i].name);
		is_err(why.err, ERR_MISCONFIGURED, "%s: with its class", bad[i].name);
	}
}

/* ---- what is read, and written again ---- */

static const char full[] = "[limit \"team\"]\n"
			   "app = flatpak:*\n"
			   "app = snap:x\n"
			   "user = 1000\n"
			   "user = *\n"
			   "policy = sandbox\n"
			   "provider = openai\n"
			   "key = work\n"
			   "key = openai/home\n"
			   "model = fast\n"
			   "model = openai/gpt-4*\n"
			   "each = app\n"
			   "each = model\n"
			   "requests = 60/minute\n"
			   "input_tokens = 1000000000000/day\n"
			   "output_tokens = 5/90s\n"
			   "tokens = 100000/1500ms\n"
			   "concurrency = 8\n"
			   "budget = 5/day\n"
			   "budget = 0.123456789/hour\n"
			   "soft_budget = 4.50/day\n"
			   "window = rolling\n"
			   "zone = Europe/Berlin\n";

static void is_written(const struct limit_rule *r, const char *want, const char *name)
{
	OWNED(buf_done) struct buf text = BUF_INIT(4096);
	limit_rule_print(r, &text);
	is_mem(text.p, text.n, want, strlen(want), "%s: it is written as it was read", name);
}

static void read_and_written(void)
{
	struct config *c = parse(full);
	const struct limit_rule *r = config_limit(c, SPAN("team"));
	if (!ok(c->n_limits == 1 && r == c->limits, "there is one limit"))
		bail("nothing to look at");
	ok(span_is(r->said_at, "f:1"), "it knows where it stands");
	is_uint(r->apps.n, 2, "its applications");
	is_uint(r->each, 1U << LIMIT_EACH_APP | 1U << LIMIT_EACH_MODEL, "what it tells apart");
	is_int(r->requests.amount, 60, "an amount");
	is_int(r->requests.per_us, 60 * SECOND_US, "a minute");
	is_int(r->input.per_us, 86400 * SECOND_US, "a day");
	is_int(r->output.per_us, 90 * SECOND_US, "a time of one's own");
	is_int(r->concurrency, 8, "calls at a time");
	is_uint(r->n_budgets, 3, "its budgets");
	is_int(r->budgets[0].nusd, 5 * USD, "dollars");
	is_int(r->budgets[1].nusd, 123456789, "and the last nano-dollar");
	ok(r->budgets[2].is_soft && !r->budgets[0].is_soft, "soft and hard");
	ok(r->is_rolling, "a rolling window");
	ok(span_is(zone_name(r->zone), "Europe/Berlin"), "in its zone");
	is_written(r, full, "all keys");
	config_unref(c);

	static const char little[] = "[limit \"a\"]\nbudget = 0/month\n";
	c = parse(little);
	ok(c->limits[0].zone && c->limits[0].concurrency == -1 && !c->limits[0].is_rolling,
		"what is not said is as usual");
	is_written(&c->limits[0], little, "one key");
	config_unref(c);

	c = parse("[limit \"a\"]\nbudget = $5.10 / day\nbudget = 7 USD/week\nrequests = 3 / 1m\n"
		  "window = calendar\n");
	is_written(&c->limits[0],
		"[limit \"a\"]\nrequests = 3/minute\nbudget = 5.10/day\nbudget = 7/week\n",
		"other ways to say it");
	config_unref(c);

	c = parse("[broker]\nunknown_price = 30\n");
	is_int(c->unknown_price, 30 * USD, "the price of what has none");
	config_unref(c);
	c = parse("");
	is_int(c->unknown_price, 100 * USD, "which is a hundred dollars where nobody says");
	config_unref(c);
}

/* ---- what is set by hand ---- */

static void by_hand(void)
{
	struct fault why = FAULT_NONE;
	struct config *c = parse("[limit \"a\"]\nrequests = 1/second\n");
	is_err(config_add_limits(c,
		       SPAN("[limit \"b\"]\nbudget = 1/day\n[limit \"c\"]\nbudget = 2/day\n"),
		       "/s/limits", &why),
		OK, "two more");
	is_uint(c->n_limits, 3, "they are behind the first");
	ok(span_is(config_limit(c, SPAN("b"))->said_at, "llmb budget set"),
		"and know who set them");
	ok(config_limit(c, SPAN("c"))->zone != NULL, "in some zone");
	is_err(config_add_limits(c, SPAN(""), "/s/limits", &why), OK, "nothing more");
	is_err(config_add_limits(c,
		       SPAN("[limit \"d\"]\nbudget = 1/day\n\n[limit \"a\"]\nbudget = 1/day\n"),
		       "/s/limits", &why),
		ERR_MISCONFIGURED, "one that the file has");
	is_str(why.message,
		"/s/limits:4:2: the limit \"a\" is in f:1 too: `llmb budget remove a` takes away "
		"this one, which was set by hand",
		"which says where, and what helps");
	is_uint(c->n_limits, 3, "and nothing of it holds");
	is_err(config_add_limits(c, SPAN("[limit \"a\"]\nbudget = 1/day\n"), NULL, &why),
		ERR_MISCONFIGURED, "one that is no file's yet");
	is_str(why.message, "the limit \"a\" is in f:1: it is changed there",
		"has no line to be found in");
	is_err(config_add_limits(c, SPAN("[limit \"d\"]\neach = app\n"), NULL, &why),
		ERR_MISCONFIGURED, "one without an amount");
	is_str(why.message,
		"the limit \"d\" would limit nothing: say how much, with --usd, --soft, "
		"--requests, --tokens, --input-tokens, --output-tokens or --concurrency",
		"is told of options");
	is_uint(c->n_limits, 3, "and nothing of it holds");
	is_err(config_add_limits(c, SPAN("[broker]\nlog_level = debug\n"), "/s/limits", &why),
		ERR_MISCONFIGURED, "something else");
	is_str(why.message, "/s/limits:1:2: there are limits here, and nothing else", "why");
	is_err(config_add_limits(c, SPAN("[limit \"e\"]\npolicy = nobody\nbudget = 1/day\n"),
		       "/s/limits", &why),
		OK, "one for a rule that is gone");
	is_uint(c->n_limits, 4, "stays");
	is_mem(config_limit(c, SPAN("e"))->unfit.p, config_limit(c, SPAN("e"))->unfit.n,
		"no policy is called \"nobody\", and so this limits nothing", 56, "and says so");
	ok(!span_is_set(config_limit(c, SPAN("b"))->unfit), "others do not");
	config_unref(c);
}

/* ---- many of them ---- */

static enum err many(size_t n, const char *each_other, struct fault *why)
{
	OWNED(buf_done) struct buf text = BUF_INIT((size_t)1024 * 1024);
	for (size_t i = 0; i < n; i++)
		buf_print(&text, "[limit \"l%zu\"]\nrequests = 1/second\n%s%s%zu%s\n", i,
			each_other, *each_other ? " = x" : "#", i, *each_other ? "" : ".");
	struct config *c = config_parse(buf_view(&text), "f", why);
	const enum err err = c ? OK : why->err;
	config_unref(c);
	return err;
}

static void together(void)
{
	struct fault why = FAULT_NONE;
	is_err(many(LIMITS_OF_CALL_MAX, "", &why), OK, "as many as a call can hold");
	is_err(many(LIMITS_OF_CALL_MAX + 1, "", &why), ERR_MISCONFIGURED, "one more");
	const struct span want =
		SPAN("f:46:2: a call could fall under more than 15 limits at once");
	is_mem(why.message, strnlen(why.message, want.n), want.p, want.n, "is said to be too many");
	is_err(many(500, "app", &why), OK, "500 applications, one limit each");
	is_err(many(500, "model", &why), OK, "500 models, one limit each");
	is_err(many(LIMITS_MAX + 1, "app", &why), ERR_MISCONFIGURED, "but there is an end to it");
}

/* ---- prices ---- */

/* clang-format off */
static const struct {
	const char *name, *text;
	enum err want;
} prices[] = {
	{"as it is", "[model \"openai/gpt-4o\"]\nprice_input = 2.50\n", OK},
	{"a tenth", "[model \"openai/gpt-4o\"]\nprice_input = 0.25\n", OK},
	{"free", "[model \"openai/gpt-4o\"]\nprice_input = 0\n", OK},
	{"a thousand times", "[model \"openai/gpt-4o\"]\nprice_input = 2500\n", OK},
	{"more than that", "[model \"openai/gpt-4o\"]\nprice_input = 2500.01\n", ERR_MISCONFIGURED},
	{"for a token, not for a million", "[model \"openai/gpt-4o\"]\nprice_output = 0.00001\n", ERR_MISCONFIGURED},
	{"it is meant", "[model \"openai/gpt-4o\"]\nprice_input = 2500.01\nprice_force = yes\n", OK},
	{"of a model that nobody knows", "[model \"openai/none-such\"]\nprice_input = 900000\n", OK},
	{"of many", "[model \"openai/gpt-4o*\"]\nprice_input = 90000\n", ERR_MISCONFIGURED},
	{"of an alias's target", "[model \"fast\"]\ntarget = openai/gpt-4o\nprice_input = 90000\n", ERR_MISCONFIGURED},
};
/* clang-format on */

static void priced(void)
{
	struct catalogue *catalogue;
	struct fault why = FAULT_NONE;
	struct model_facts facts;
	const struct span text = SPAN("openai/gpt-4o kind=chat price_input=2.5 price_output=10\n");
	if (catalogue_new(text, &catalogue, &why))
		bail("%s", why.message);
	ok(catalogue_find(catalogue, SPAN("openai"), SPAN("gpt-4o"), &facts), "it is known");
	for (size_t i = 0; i < COUNT_OF(prices); i++) {
		struct config *c = parse(prices[i].text);
		why = FAULT_NONE;
		is_err(config_check_prices(c, catalogue, &why), prices[i].want, "%s",
			prices[i].name);
		config_unref(c);
	}
	catalogue_unref(catalogue);
}

static void price_words(void)
{
	struct catalogue *catalogue;
	struct fault why = FAULT_NONE;
	struct config *c = parse("\n[model \"openai/gpt-4o\"]\nprice_output = 0.00001\n");
	if (catalogue_new(SPAN("openai/gpt-4o kind=chat price_output=10\n"), &catalogue, &why))
		bail("%s", why.message);
	is_err(config_check_prices(c, catalogue, &why), ERR_MISCONFIGURED, "far too cheap");
	is_str(why.message,
		"f:2: price_output = 0.00001 cannot be meant for openai/gpt-4o, which costs about "
		"10: "
		"prices are US dollars for a million tokens. If it is meant, add price_force = yes "
		"to [model \"openai/gpt-4o\"]",
		"and what to do");
	config_unref(c);
	catalogue_unref(catalogue);
}

int main(void)
{
	refused();
	read_and_written();
	by_hand();
	together();
	priced();
	price_words();
	return tap_done();
}
