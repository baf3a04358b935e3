/* test_route_rule.c - what do the lines of routing mean, and what is told of those that mean nothing? */
#include "brokerd/config/config.h"

#include <stdio.h>

#include "tests/lib/tap.h"

#define SECOND INT64_C(1000000)
#define USD    INT64_C(1000000000)
#define ALIAS  "[model \"x\"]\ntarget = openai/a\n"

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static struct config *parse(const char *text)
{
	struct fault why = FAULT_NONE;
	struct config *c = config_parse(span_str(text), "f", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

/* ---- keys of a provider ---- */

static void test_keys(void)
{
	struct config *c = parse("[provider \"openai\"]\nkey_label = work weight=3\n"
				 "key_label =  spare   model=gpt-4o*,o3* weight=1000000\n"
				 "key_label = last\n");
	const struct provider *p = config_provider(c, SPAN("openai"));
	is_uint(p->n_keys, 3, "three keys");
	is_span(p->keys[0].label, "work", "in order");
	is_int(p->keys[0].weight, 3, "with a weight");
	is_uint(p->keys[0].models.n, 0, "for all models");
	is_span(p->keys[1].label, "spare", "another");
	is_int(p->keys[1].weight, 1000000, "its weight");
	is_uint(p->keys[1].models.n, 2, "for two patterns");
	is_span(p->keys[1].models.list[0], "gpt-4o*", "this one");
	is_span(p->keys[1].models.list[1], "o3*", "and that");
	is_int(p->keys[2].weight, 0, "a weight that is not said");
	p = config_provider(c, SPAN("anthropic"));
	is_uint(p->n_keys, 0, "none is named: all are meant");
	config_unref(c);
}

/* ---- targets of an alias ---- */

static void test_targets(void)
{
	struct config *c =
		parse("[model \"x\"]\nstrategy = sticky\n"
		      "target = openai/a\n"
		      "target = openrouter/a/b:free\tweight=7 app=agent-*,cli  tag=cheap\n"
		      "target = anthropic/c min_input=8000 max_input=200000 needs=images,tools "
		      "min_budget=1.50\n"
		      "target = anthropic/d needs=audio,video,files,schema,reasoning min_budget=$2 "
		      "max_input=0\n");
	const struct model *m = config_model(c, SPAN("x"));
	const struct target_rule *t = m->targets;
	is_uint(m->n_targets, 4, "four lines");
	is_span(t[0].provider, "openai", "a name alone");
	ok(t[0].weight == 0 && t[0].apps.n == 0 && t[0].tags.n == 0 && t[0].min_input == -1 &&
			t[0].max_input == -1 && t[0].needs == 0 && t[0].min_budget_nusd == -1,
		"is for everybody");
	is_span(t[1].model, "a/b:free", "a model");
	is_int(t[1].weight, 7, "its weight");
	is_uint(t[1].apps.n, 2, "its apps");
	is_span(t[1].apps.list[1], "cli", "the second");
	is_span(t[1].tags.list[0], "cheap", "its tag");
	is_int(t[2].min_input, 8000, "min_input");
	is_int(t[2].max_input, 200000, "max_input");
	is_uint(t[2].needs, CAPABILITY_IMAGES | CAPABILITY_TOOLS, "needs");
	is_int(t[2].min_budget_nusd, 3 * USD / 2, "min_budget");
	is_uint(t[3].needs,
		CAPABILITY_AUDIO | CAPABILITY_VIDEO | CAPABILITY_FILES | CAPABILITY_SCHEMA |
			CAPABILITY_REASONING,
		"all the other words");
	is_int(t[3].min_budget_nusd, 2 * USD, "a sign before it");
	is_int(t[3].max_input, 0, "none at all");
	config_unref(c);
}

/* A list is written in one piece after another, and stays whole. */
static void test_many(void)
{
	char text[128 * 32] = "[model \"x\"]\n";
	for (unsigned i = 0; i < ROUTE_TARGETS_MAX; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "target = openai/m%u\n",
			i);
	struct config *c = parse(text);
	const struct model *m = config_model(c, SPAN("x"));
	size_t wrong = 0;
	is_uint(m->n_targets, ROUTE_TARGETS_MAX, "as many as there may be");
	for (unsigned i = 0; i < m->n_targets; i++) {
		char name[16];
		snprintf(name, sizeof name, "m%u", i);
		wrong += !span_is(m->targets[i].model, name);
	}
	is_uint(wrong, 0, "in their order");
	config_unref(c);
	struct fault why = FAULT_NONE;
	snprintf(text + strlen(text), sizeof text - strlen(text), "target = openai/more\n");
	ok(!config_parse(span_str(text), "f", &why), "one more is too many");
	is_str(why.message, "f:130:10: a model has at most 128 targets", "which is said");
}

/* ---- how an alias goes about them ---- */

static void test_route(void)
{
	struct config *c = parse(ALIAS);
	const struct route_rule *r = &config_model(c, SPAN("x"))->route;
	is_int(r->strategy, STRATEGY_PRIORITY, "by priority, if nothing is said");
	is_uint(r->context.n + r->refusal.n, 0, "no fallbacks");
	ok(r->max_price_input == -1 && r->max_price_output == -1, "at any price");
	ok(r->hedge_us == 0 && r->min_rate == 0 && !r->is_invalid_passed_on,
		"and nothing that costs more");
	ok(!r->is_resumed, "and no answer that two have written");
	is_int(r->attempts, 6, "six attempts");
	config_unref(c);

	c = parse(
		ALIAS "strategy = cheapest\nfallback_context = gemini/big\n"
		      "fallback_context = openai/bigger\nfallback_refusal = mistral/mild\n"
		      "max_price_input = 3\nmax_price_output = 15.50 USD\nfallback_invalid = yes\n"
		      "hedge = p95\nmin_rate = 5/s\nattempts = 64\nresume = yes\n");
	r = &config_model(c, SPAN("x"))->route;
	is_int(r->strategy, STRATEGY_CHEAPEST, "strategy");
	is_uint(r->context.n, 2, "fallback_context");
	is_span(r->context.list[1].model, "bigger", "in order");
	is_uint(r->refusal.n, 1, "fallback_refusal");
	is_span(r->refusal.list[0].provider, "mistral", "its provider");
	is_int(r->max_price_input, 3 * USD, "max_price_input");
	is_int(r->max_price_output, 31 * USD / 2, "max_price_output");
	ok(r->is_invalid_passed_on, "fallback_invalid");
	is_int(r->hedge_us, HEDGE_P95, "hedge = p95");
	is_int(r->min_rate, 5, "min_rate");
	ok(r->is_resumed, "resume");
	is_int(r->attempts, 64, "attempts");
	config_unref(c);

	static const struct {
		const char *word;
		enum strategy want;
	} words[] = {
		{"priority", STRATEGY_PRIORITY},
                {"weighted", STRATEGY_WEIGHTED},
		{"latency",  STRATEGY_LATENCY },
                {"busy",     STRATEGY_BUSY    },
		{"cheapest", STRATEGY_CHEAPEST},
                {"sticky",   STRATEGY_STICKY  }
        };
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		char text[128];
		snprintf(text, sizeof text, ALIAS "strategy = %s\n", words[i].word);
		c = parse(text);
		is_int(config_model(c, SPAN("x"))->route.strategy, words[i].want, "strategy = %s",
			words[i].word);
		config_unref(c);
	}
}

static void test_values(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} hedges[] =
		{
			{"never", 0              },
                        {"p95",   HEDGE_P95      },
                        {"800ms", SECOND * 8 / 10},
			{"10ms",  SECOND / 100   },
                        {"1h",    3600 * SECOND  },
                        {"9ms",   -2             },
                        {"2h",    -2             },
			{"2",     -2             },
                        {"p99",   -2             },
                        {"",      -2             }
        },
	  rates[] = {{"never", 0}, {"1/s", 1}, {"100000/s", 100000}, {"5 / second", 5}, {"0/s", -2},
		  {"100001/s", -2}, {"5/m", -2}, {"5", -2}, {"-1/s", -2}, {"/s", -2},
		  {"5/s/s", -2}};
	for (size_t i = 0; i < COUNT_OF(hedges); i++) {
		struct fault why = FAULT_NONE;
		int64_t got;
		const enum err err = hedge_read(span_str(hedges[i].text), &got, &why);
		is_int(err ? -2 : got, hedges[i].want, "hedge = %s", hedges[i].text);
	}
	for (size_t i = 0; i < COUNT_OF(rates); i++) {
		struct fault why = FAULT_NONE;
		int64_t got;
		const enum err err = min_rate_read(span_str(rates[i].text), &got, &why);
		is_int(err ? -2 : got, rates[i].want, "min_rate = %s", rates[i].text);
	}
}

/* ---- timers ---- */

static void test_timers(void)
{
	struct config *c =
		parse("[broker]\ntoken_timeout = 20s\ntls_timeout = 3s\ndrain_gone = 1m\n"
		      "[provider \"openai\"]\nconnect_timeout = 1s\ntls_timeout = 500ms\n"
		      "first_byte_timeout = 2s\nreply_timeout = 3s\nfirst_token_timeout = 4s\n"
		      "token_timeout = 5s\nidle_timeout = 6s\non_gone = drain\n"
		      "[policy \"host\"]\nresend = deny\n");
	struct config_timers t;
	config_timers(c, config_provider(c, SPAN("openai")), &t);
	ok(t.connect_us == SECOND && t.tls_us == SECOND / 2 && t.first_byte_us == 2 * SECOND &&
			t.reply_us == 3 * SECOND && t.first_token_us == 4 * SECOND &&
			t.token_us == 5 * SECOND && t.idle_us == 6 * SECOND,
		"a provider's own times");
	config_timers(c, config_provider(c, SPAN("anthropic")), &t);
	ok(t.connect_us == 10 * SECOND && t.tls_us == 3 * SECOND &&
			t.first_byte_us == 120 * SECOND && t.reply_us == 600 * SECOND &&
			t.first_token_us == 900 * SECOND && t.token_us == 20 * SECOND &&
			t.idle_us == 90 * SECOND,
		"else the broker's");
	is_int(c->drain_gone_us, 60 * SECOND, "drain_gone");
	ok(config_provider(c, SPAN("openai"))->is_drained_when_gone, "on_gone = drain");
	ok(!config_provider(c, SPAN("anthropic"))->is_drained_when_gone, "else it is cancelled");
	for (size_t i = 0; i < c->n_policy; i++)
		ok(c->policy[i].is_resend_denied == span_is(c->policy[i].name, "host"),
			"resend of the rule %.*s", SPAN_ARG(c->policy[i].name));
	config_unref(c);
	c = parse("");
	ok(c->token_us == 900 * SECOND && c->tls_us == 10 * SECOND &&
			c->drain_gone_us == 30 * SECOND,
		"what they are when nobody says");
	config_unref(c);
}

/* ---- what is wrong ---- */

#define OPENAI "[provider \"openai\"]\n"
static const struct {
	const char *name, *text, *want;
} wrongs[] = {
  /* clang-format off */
	{"a label that is none", OPENAI "key_label = a/b", "f:2:13: key_label is a name of letters"},
	{"two of them in one line", OPENAI "key_label = a b", "f:2:13: there is no word b= here, but weight= and model="},
	{"a label too long", OPENAI "key_label = "
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "f:2:13: key_label is at most 63 bytes"},
	{"a key twice", OPENAI "key_label = a\nkey_label = a weight=2", "f:3:13: the key a is there already"},
	{"a weight that is none", OPENAI "key_label = a weight=x", "f:2:13: weight= is a whole number from 1 to 1000000"},
	{"a weight of nothing", OPENAI "key_label = a weight=0", "f:2:13: weight= is a whole number from 1"},
	{"a weight too great", OPENAI "key_label = a weight=1000001", "f:2:13: weight= is a whole number from 1"},
	{"a word that is near", OPENAI "key_label = a wieght=1",
		"f:2:13: there is no word wieght= here, but weight= and model=: did you mean weight=?"},
	{"a target's word at a key", OPENAI "key_label = a app=x", "f:2:13: there is no word app= here"},
	{"a word without its sign", OPENAI "key_label = a weight=1 model", "f:2:13: model is followed by an equals sign: model=..."},
	{"a target's without it", "[model \"x\"]\ntarget = openai/a weight", "f:2:10: a model's name has no spaces, and \"weight\" is none"},
	{"an empty pattern", OPENAI "key_label = a model=x,,y", "f:2:13: model= is a list with commas and no spaces"},
	{"a word twice", OPENAI "key_label = a weight=1 weight=2", "f:2:13: weight= is there twice"},
	{"a space behind the sign", OPENAI "key_label = a weight= 2", "f:2:13: weight= has nothing behind it"},

	{"a model with a space", "[model \"x\"]\ntarget = openai/a b",
		"f:2:10: a model's name has no spaces, and \"b\" is none of the words"},
	{"a key's word at a target", "[model \"x\"]\ntarget = openai/a model=b", "f:2:10: there is no word model= here"},
	{"a word that is near", "[model \"x\"]\ntarget = openai/a min_inptu=1",
		"f:2:10: there is no word min_inptu= here, but weight=, app=, tag=, min_input=, max_input=, needs= "
		"and min_budget=: did you mean min_input=?"},
	{"tokens below nothing", "[model \"x\"]\ntarget = openai/a min_input=-1", "f:2:10: min_input= is a whole number from 0"},
	{"tokens without end", "[model \"x\"]\ntarget = openai/a max_input=99999999999", "f:2:10: max_input= is a whole number"},
	{"more than at the most", "[model \"x\"]\ntarget = openai/a min_input=9 max_input=8",
		"f:2:10: min_input= is more than max_input="},
	{"a need that is none", "[model \"x\"]\ntarget = openai/a needs=tools,image", "f:2:10: needs= has no word \"image\""},
	{"a budget that is none", "[model \"x\"]\ntarget = openai/a min_budget=some", "f:2:10: min_budget= is US dollars"},
	{"weights that nothing asks for", "[model \"x\"]\ntarget = openai/a\ntarget = openai/b weight=2",
		"f:3:10: weight= counts where strategy is weighted or sticky"},
	{"a strategy that is none", ALIAS "strategy = fastest", "f:3:12: strategy is one of priority|weighted"},
	{"a fallback without a model", ALIAS "fallback_context = openai", "f:3:20: a target is PROVIDER/MODEL"},
	{"a fallback with a condition", ALIAS "fallback_context = openai/b weight=2",
		"f:3:20: a fallback is PROVIDER/MODEL alone"},
	{"a fallback nowhere", ALIAS "fallback_refusal = opnai/b",
		"f:3:20: no provider is called \"opnai\": did you mean \"openai\"?"},
	{"the second one", ALIAS "fallback_context = openai/b\nfallback_context = azure/b",
		"f:4:20: azure has no address yet"},
	{"a price that is none", ALIAS "max_price_input = cheap", "f:3:19: a price is dollars"},
	{"a hedge that is none", ALIAS "hedge = soon", "f:3:9: hedge is never, p95, or a time with its unit"},
	{"a hedge too soon", ALIAS "hedge = 1ms", "f:3:9: hedge is from 10ms to 1h"},
	{"a rate that is none", ALIAS "min_rate = slow", "f:3:12: min_rate is never, or characters a second"},
	{"no attempt", ALIAS "attempts = 0", "f:3:12: attempts is a whole number from 1 to 64"},
	{"too many", ALIAS "attempts = 65", "f:3:12: attempts is a whole number from 1 to 64"},
	{"a resume that is none", ALIAS "resume = maybe", "f:3:10: this is yes or no"},
	{"a request passed on, or not", ALIAS "fallback_invalid = perhaps", "f:3:20: this is yes or no"},

	{"a strategy without targets", "[model \"x\"]\nstrategy = busy",
		"f:2:12: strategy says how targets are asked, and [model \"x\"] has none: add target = PROVIDER/MODEL"},
	{"a strategy among facts", "[model \"openai/x\"]\ncontext = 5\nstrategy = busy",
		"f:3:12: strategy is for a name with targets, and [model \"openai/x\"] has the facts of one model"},
	{"fallbacks without targets", "[model \"x\"]\nfallback_context = openai/x", "f:2:20: fallback_context says how"},
	{"and for refusals", "[model \"x\"]\nfallback_refusal = openai/x", "f:2:20: fallback_refusal says how"},
	{"a ceiling without targets", "[model \"openai/x\"]\nmax_price_input = 1", "f:2:19: max_price_input is for"},
	{"another", "[model \"openai/x\"]\nmax_price_output = 1", "f:2:20: max_price_output is for"},
	{"fallback_invalid without targets", "[model \"x\"]\nfallback_invalid = yes", "f:2:20: fallback_invalid says"},
	{"hedge without targets", "[model \"x\"]\nhedge = p95", "f:2:9: hedge says"},
	{"resume without targets", "[model \"openai/x*\"]\nresume = yes", "f:2:10: resume is for"},
	{"min_rate without targets", "[model \"x\"]\nmin_rate = 5/s", "f:2:12: min_rate says"},
	{"attempts without targets", "[model \"x\"]\nattempts = 2", "f:2:12: attempts says"},

	{"a timer that is none", OPENAI "token_timeout = never", "f:2:17: token_timeout is a time with its unit"},
	{"a timer too long", OPENAI "tls_timeout = 2h", "f:2:15: tls_timeout is from 1ms to 1h"},
	{"what becomes of whom", OPENAI "on_gone = stay", "f:2:11: on_gone is one of cancel|drain"},
	{"drained for ever", "[broker]\ndrain_gone = never", "f:2:14: drain_gone is a time"},
	{"resend that is none", "[policy \"host\"]\nresend = once", "f:2:10: resend is one of allow|deny"},
  /* clang-format on */
};

static void test_wrong(void)
{
	for (size_t i = 0; i < COUNT_OF(wrongs); i++) {
		struct fault why = FAULT_NONE;
		struct config *c = config_parse(span_str(wrongs[i].text), "f", &why);
		const size_t n = strlen(wrongs[i].want), got = strlen(why.message);
		ok(c == NULL, "%s is refused", wrongs[i].name);
		is_err(why.err, ERR_MISCONFIGURED, "as such");
		is_mem(why.message, got < n ? got : n, wrongs[i].want, n, "and told why");
		config_unref(c);
	}
}

static void test_names(void)
{
	is_str(capability_name(CAPABILITY_IMAGES), "images", "the first capability");
	is_str(capability_name(CAPABILITY_REASONING), "reasoning", "the last");
	ok(!capability_name((enum capability)(1 << CAPABILITY_COUNT)), "no other");
	ok(!capability_name((enum capability)0), "nor none");
}

int main(void)
{
	test_keys();
	test_targets();
	test_many();
	test_route();
	test_values();
	test_timers();
	test_wrong();
	test_names();
	return tap_done();
}
