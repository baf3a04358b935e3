/* test_health.c - what rests, for how long, what wakes it, and what is remembered of it. */
#include "brokerd/route/health.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/tap.h"

#define SECOND_US INT64_C(1000000)
#define MIB       ((size_t)1024 * 1024)

static const struct health_subject one = {
	{"openai", 6},
        {"work",   4},
        {"gpt-4o", 6}
};
static const struct health_subject other_model = {
	{"openai",      6 },
        {"work",        4 },
        {"gpt-4o-mini", 11}
};
static const struct health_subject other_key = {
	{"openai", 6},
        {"home",   4},
        {"gpt-4o", 6}
};
static const struct health_subject other_host = {
	{"groq",   4},
        {"work",   4},
        {"gpt-4o", 6}
};

static const struct health_rule endpoint_row = {.place = HEALTH_ENDPOINT,
	.failures = 3,
	.rest_us = 15 * SECOND_US,
	.rest_max_us = 100 * SECOND_US};
static const struct health_rule endpoint_once = {.place = HEALTH_ENDPOINT,
	.failures = 1,
	.rest_us = 15 * SECOND_US,
	.rest_max_us = 100 * SECOND_US};
static const struct health_rule key_once = {.place = HEALTH_KEY,
	.failures = 1,
	.rest_us = 600 * SECOND_US,
	.rest_max_us = 3600 * SECOND_US};
static const struct health_rule model_once = {.place = HEALTH_MODEL,
	.failures = 1,
	.rest_us = 10 * SECOND_US,
	.rest_max_us = 60 * SECOND_US,
	.is_as_told = true};
static const struct health_rule in_a_minute = {.place = HEALTH_MODEL,
	.failures = 3,
	.window_us = 60 * SECOND_US,
	.rest_us = 10 * SECOND_US,
	.rest_max_us = 60 * SECOND_US};
static const struct health_rule nowhere = {.place = HEALTH_NOWHERE, .failures = 1};

static struct fault fault(enum err err, int status, int64_t retry_after_ms)
{
	struct fault why = FAULT_NONE;
	(void)fault_set(&why, err, "%s of the test", err_info(err)->word);
	why.http_status = status;
	why.retry_after_ms = retry_after_ms;
	return why;
}

static struct health_view look(const struct health *h, const struct health_subject *s, int64_t us)
{
	struct health_view v;
	memset(&v, 0x55, sizeof v);
	health_look(h, s, us, &v);
	return v;
}

static enum health_state state(const struct health *h, const struct health_subject *s, int64_t us)
{
	return look(h, s, us).state;
}

static bool may_ask(const struct health *h, const struct health_subject *s, int64_t us)
{
	struct health_view v;
	return health_may_ask(h, s, us, false, &v);
}

static bool may_only(const struct health *h, const struct health_subject *s, int64_t us)
{
	struct health_view v;
	return health_may_ask(h, s, us, true, &v);
}

/* One attempt from beginning to end, without an answer of the provider. */
static void fail(struct health *h, const struct health_subject *s, const struct health_rule *rule,
	int64_t us)
{
	const struct fault why = fault(ERR_CONNECTION, 0, -1);
	struct health_try t = {.health = NULL};
	health_begin(h, s, us, &t);
	health_end(&t, false, rule, &why, us);
}

static void refuse(struct health *h, const struct health_subject *s, const struct health_rule *rule,
	int64_t told_ms, int64_t us)
{
	const struct fault why = fault(ERR_OVERLOADED, 503, told_ms);
	struct health_try t = {.health = NULL};
	health_begin(h, s, us, &t);
	health_end(&t, false, rule, &why, us);
}

static void succeed(struct health *h, const struct health_subject *s, int64_t us)
{
	struct health_try t = {.health = NULL};
	health_begin(h, s, us, &t);
	health_end(&t, true, NULL, NULL, us);
}

static struct health *new_health(void)
{
	struct health *h = health_new();
	if (!h)
		bail("no memory");
	return h;
}

/* ---- breakers ---- */

static void test_unknown(void)
{
	struct health *h = new_health();
	const struct health_view v = look(h, &one, 5);
	is_err(v.state, HEALTH_CLOSED, "of what was never asked nothing is known");
	is_err(v.place, HEALTH_NOWHERE, "at no place");
	is_err(v.why.err, OK, "no failure");
	is_str(v.why.message, "", "of no words");
	is_int(v.until_us, 0, "no rest");
	is_uint(v.in_flight, 0, "nothing under way");
	is_int(v.first_us, -1, "no pace");
	is_int(v.p95_us, -1, "nor a usual one");
	ok(may_ask(h, &one, 5), "it may be asked");
	is_uint(health_size(h), 0, "to look remembers nothing");
	health_free(h);
	health_free(NULL);
}

static void test_row(void)
{
	struct health *h = new_health();
	fail(h, &one, &endpoint_row, 1);
	fail(h, &other_key, &endpoint_row, 2);
	is_err(state(h, &one, 2), HEALTH_CLOSED, "two of three leave it closed");
	succeed(h, &other_model, 3);
	fail(h, &one, &endpoint_row, 4);
	fail(h, &one, &endpoint_row, 5);
	is_err(state(h, &one, 5), HEALTH_CLOSED, "a success ends the row");
	fail(h, &one, &endpoint_row, 6);
	const struct health_view v = look(h, &one, 6);
	is_err(v.state, HEALTH_OPEN, "three in a row open it");
	is_err(v.place, HEALTH_ENDPOINT, "the endpoint");
	is_int(v.until_us, 6 + 15 * SECOND_US, "for its rest");
	is_err(v.why.err, ERR_CONNECTION, "and it is known why");
	is_err(state(h, &other_model, 6), HEALTH_OPEN, "for another model");
	is_err(state(h, &other_key, 6), HEALTH_OPEN, "and another key");
	ok(!may_ask(h, &other_key, 6), "that may not be asked");
	is_err(state(h, &other_host, 6), HEALTH_CLOSED, "another host has nothing to do with it");
	is_err(state(h, &one, 5 + 15 * SECOND_US), HEALTH_OPEN, "open to the last moment");
	is_err(state(h, &one, 6 + 15 * SECOND_US), HEALTH_HALF_OPEN, "then half-open");
	ok(may_ask(h, &one, 6 + 15 * SECOND_US), "and the next one may");
	health_free(h);
}

static void test_places(void)
{
	struct health *h = new_health();
	const struct fault why = fault(ERR_AUTH, 401, -1);
	struct health_try t = {.health = NULL};
	health_begin(h, &one, 1, &t);
	health_end(&t, false, &key_once, &why, 2);
	is_err(look(h, &one, 2).place, HEALTH_KEY, "a key rests");
	is_err(state(h, &other_model, 2), HEALTH_OPEN, "for all of its models");
	is_err(state(h, &other_key, 2), HEALTH_CLOSED, "and no other key");
	fail(h, &other_key, &model_once, 3);
	is_err(look(h, &other_key, 3).place, HEALTH_MODEL, "a model rests");
	const struct health_subject same_key = {
		other_key.provider, other_key.key, other_model.model};
	is_err(state(h, &same_key, 3), HEALTH_CLOSED, "and no other with that key");
	fail(h, &other_host, &nowhere, 3);
	is_err(state(h, &other_host, 3), HEALTH_CLOSED, "what says nothing of where opens nothing");

	/* the one that rests longest stands most in the way, whichever it is */
	fail(h, &one, &endpoint_once, 4);
	is_err(look(h, &one, 4).place, HEALTH_KEY, "the longer rest is shown");
	is_int(look(h, &one, 4).until_us, 2 + 600 * SECOND_US, "with its end");
	is_err(look(h, &other_key, 4).place, HEALTH_ENDPOINT, "the wider one where it is longer");
	const struct health_rule as_long = {
		.place = HEALTH_MODEL, .failures = 1, .rest_us = endpoint_once.rest_us};
	fail(h, &other_host, &as_long, 5);
	fail(h, &other_host, &endpoint_once, 5);
	is_err(look(h, &other_host, 5).place, HEALTH_ENDPOINT, "and where it is as long");
	health_free(h);

	/* names are whole, and an absent key is as an empty one */
	h = new_health();
	const struct health_subject none = {SPAN("a"), SPAN_NONE, SPAN("m")};
	const struct health_subject empty = {SPAN("a"), SPAN(""), SPAN("m")};
	const struct health_subject longer = {SPAN("ab"), SPAN(""), SPAN("m")};
	const struct health_subject shifted = {SPAN("a"), SPAN("m"), SPAN("")};
	fail(h, &none, &endpoint_once, 1);
	is_err(state(h, &empty, 1), HEALTH_OPEN, "no key is as the one without a label");
	is_err(state(h, &longer, 1), HEALTH_CLOSED, "a name that goes on is another");
	succeed(h, &empty, 2);
	fail(h, &none, &model_once, 2);
	is_err(state(h, &empty, 2), HEALTH_OPEN, "for its models too");
	is_err(state(h, &shifted, 2), HEALTH_CLOSED, "a key is no model");
	health_free(h);

	/* they are copied */
	h = new_health();
	char name[] = "openai";
	const struct health_subject lent = {span_str(name), one.key, one.model};
	fail(h, &lent, &endpoint_once, 1);
	name[0] = 'x';
	is_err(state(h, &one, 1), HEALTH_OPEN, "names are copied");
	health_free(h);
}

static void test_window(void)
{
	struct health *h = new_health();
	fail(h, &one, &in_a_minute, 0);
	succeed(h, &one, SECOND_US);
	fail(h, &one, &in_a_minute, 30 * SECOND_US);
	fail(h, &one, &in_a_minute, 60 * SECOND_US + 1);
	is_err(state(h, &one, 60 * SECOND_US + 1), HEALTH_CLOSED,
		"three in more than a minute do nothing");
	fail(h, &one, &in_a_minute, 90 * SECOND_US);
	is_err(state(h, &one, 90 * SECOND_US), HEALTH_OPEN,
		"three in a minute open it, wherever that begins, and a success between does not "
		"matter");
	health_free(h);

	h = new_health();
	const struct health_rule most = {.place = HEALTH_KEY,
		.failures = HEALTH_FAILURES,
		.window_us = HEALTH_FAILURES * SECOND_US,
		.rest_us = SECOND_US};
	for (int64_t i = 1; i < 60; i++)
		fail(h, &one, &most, i * 2 * SECOND_US);
	is_err(state(h, &one, 120 * SECOND_US), HEALTH_CLOSED, "one in two seconds is too few");
	for (int64_t i = 1; i < 9; i++)
		fail(h, &one, &most, 120 * SECOND_US + i);
	is_err(state(h, &one, 121 * SECOND_US), HEALTH_CLOSED, "with eight more at once one lacks");
	fail(h, &one, &most, 120 * SECOND_US + 9);
	is_err(state(h, &one, 120 * SECOND_US + 9), HEALTH_OPEN, "sixteen of sixteen are enough");
	health_free(h);

	/* failures of different rules are failures of one place */
	h = new_health();
	const struct health_rule slow = {.place = HEALTH_ENDPOINT,
		.failures = 3,
		.window_us = 60 * SECOND_US,
		.rest_us = 15 * SECOND_US};
	fail(h, &one, &slow, 1);
	fail(h, &one, &slow, 2);
	fail(h, &one, &endpoint_row, 3);
	is_err(state(h, &one, 3), HEALTH_OPEN, "a row is one of whatever failures");
	health_free(h);
}

static void test_rest(void)
{
	struct health *h = new_health();
	static const int64_t rests_s[] = {15, 30, 60, 100, 100};
	int64_t now_us = 0;
	for (size_t i = 0; i < COUNT_OF(rests_s); i++) {
		fail(h, &one, &endpoint_once, now_us);
		is_int(look(h, &one, now_us).until_us - now_us, rests_s[i] * SECOND_US,
			"rest %zu is of %d s", i, (int)rests_s[i]);
		now_us = look(h, &one, now_us).until_us;
	}
	for (int i = 0; i < 200; i++) {
		fail(h, &one, &endpoint_once, now_us);
		now_us = look(h, &one, now_us).until_us;
	}
	fail(h, &one, &endpoint_once, now_us);
	is_int(look(h, &one, now_us).until_us - now_us, 100 * SECOND_US, "after 200 of them too");
	now_us = look(h, &one, now_us).until_us;
	succeed(h, &one, now_us);
	is_err(state(h, &one, now_us), HEALTH_CLOSED, "a success closes it");
	is_err(look(h, &one, now_us).why.err, OK, "and nothing is said against it");
	fail(h, &one, &endpoint_once, now_us);
	is_int(look(h, &one, now_us).until_us - now_us, 15 * SECOND_US,
		"the next rest is the first again");
	health_free(h);

	h = new_health();
	const struct health_rule no_most = {.place = HEALTH_KEY,
		.failures = 1,
		.rest_us = 30 * SECOND_US,
		.rest_max_us = SECOND_US};
	fail(h, &one, &no_most, 0);
	is_int(look(h, &one, 0).until_us, 30 * SECOND_US, "no rest is shorter than the first");
	fail(h, &one, &no_most, 30 * SECOND_US);
	is_int(look(h, &one, 30 * SECOND_US).until_us, 60 * SECOND_US,
		"with a lesser most none is longer");
	const struct health_rule for_ever = {.place = HEALTH_KEY,
		.failures = 1,
		.rest_us = INT64_MAX - 5,
		.rest_max_us = INT64_MAX};
	fail(h, &one, &for_ever, 60 * SECOND_US);
	is_int(look(h, &one, 60 * SECOND_US).until_us, INT64_MAX,
		"times stay at the end of their range");
	health_free(h);
}

static void test_told(void)
{
	struct health *h = new_health();
	refuse(h, &one, &model_once, 120000, 0);
	is_int(look(h, &one, 0).until_us, 120 * SECOND_US,
		"as long as it says, beyond the rule's most");
	refuse(h, &one, &model_once, 2500, 120 * SECOND_US);
	is_int(look(h, &one, 120 * SECOND_US).until_us, 122 * SECOND_US + 500000, "never doubled");
	int64_t now_us = 123 * SECOND_US;
	refuse(h, &one, &model_once, -1, now_us);
	is_int(look(h, &one, now_us).until_us - now_us, 20 * SECOND_US,
		"where it says nothing, twice the rule's");
	now_us += 20 * SECOND_US;
	refuse(h, &one, &model_once, INT64_MAX, now_us);
	is_int(look(h, &one, now_us).until_us - now_us, 86400 * SECOND_US, "a day at the most");
	now_us += 86400 * SECOND_US;
	refuse(h, &one, &model_once, 0, now_us);
	is_err(state(h, &one, now_us), HEALTH_HALF_OPEN, "nothing at all where it says 0");
	health_free(h);

	h = new_health();
	refuse(h, &one, &endpoint_once, 120000, 0);
	is_int(look(h, &one, 0).until_us, 15 * SECOND_US,
		"a rule that does not listen has its own rest");
	health_free(h);
}

static void test_probe(void)
{
	struct health *h = new_health();
	struct health_try probe = {.health = NULL}, late = {.health = NULL};
	const struct fault why = fault(ERR_TIMEOUT, 0, -1);
	const int64_t us = 15 * SECOND_US;
	fail(h, &one, &endpoint_once, 0);
	health_begin(h, &one, us, &probe);
	ok(probe.is_probe, "the first after the rest is the probe");
	is_err(state(h, &one, us), HEALTH_PROBED, "all others see that");
	is_err(state(h, &other_key, us), HEALTH_PROBED, "those of other keys too");
	ok(!may_ask(h, &other_key, us) && !may_only(h, &one, us), "and none may");
	health_begin(h, &one, us, &late);
	ok(!late.is_probe, "who comes nonetheless is none");
	health_end(&late, false, &endpoint_once, &why, us + 1);
	is_err(state(h, &one, us + 1), HEALTH_PROBED, "its failure changes nothing");
	health_end(&probe, false, NULL, NULL, us + 2);
	is_err(state(h, &one, us + 2), HEALTH_HALF_OPEN,
		"a caller that goes frees the probe without a verdict");
	ok(may_ask(h, &other_key, us + 2), "for the next one");
	health_begin(h, &other_key, us + 3, &probe);
	ok(probe.is_probe, "who is the probe then");
	health_end(&probe, false, NULL, NULL, us + 4);
	health_end(&probe, false, &endpoint_once, &why, us + 4);
	is_err(state(h, &one, us + 4), HEALTH_HALF_OPEN, "to end twice is harmless");

	health_begin(h, &one, us + 5, &probe);
	health_first(&probe, us + 6);
	is_err(state(h, &one, us + 6), HEALTH_CLOSED,
		"its first content closes it, before its end");
	health_end(&probe, false, &endpoint_once, &why, us + 7);
	is_err(state(h, &one, us + 7), HEALTH_OPEN, "a failure behind it is a failure");
	is_int(look(h, &one, us + 7).until_us, us + 7 + us, "and the first");

	health_begin(h, &one, 3 * us, &probe);
	health_end(&probe, true, NULL, NULL, 3 * us);
	is_err(state(h, &one, 3 * us), HEALTH_CLOSED,
		"a good end closes it where there was no first content");
	health_free(h);
}

/* Of several that were let through as probes, one after the other, as each took its time, the first that fails opens it, and
 * the others are late; and one that does well closes it, whichever it is. */
static void test_followed_probe(void)
{
	struct health *h = new_health();
	struct health_try first = {.health = NULL}, second = {.health = NULL},
			  third = {.health = NULL};
	const struct fault why = fault(ERR_TIMEOUT, 0, -1);
	int64_t us = 15 * SECOND_US;
	fail(h, &one, &endpoint_once, 0);
	health_begin(h, &one, us, &first);
	us += HEALTH_PROBE_US;
	is_err(state(h, &one, us - 1), HEALTH_PROBED, "one that takes long holds all others");
	is_err(state(h, &one, us), HEALTH_HALF_OPEN, "and not for ever");
	health_begin(h, &other_key, us, &second);
	ok(second.is_probe, "the next one is let through too");
	us += SECOND_US;
	health_end(&first, false, &endpoint_once, &why, us);
	is_err(state(h, &one, us), HEALTH_OPEN, "the first opens it, though another has followed");
	const int64_t until_us = us + 30 * SECOND_US;
	is_int(look(h, &one, us).until_us, until_us, "for twice as long");
	us += SECOND_US;
	health_end(&second, false, &endpoint_once, &why, us);
	is_int(look(h, &one, us).until_us, until_us, "the second is late");

	us = until_us;
	health_begin(h, &one, us, &first);
	us += HEALTH_PROBE_US;
	health_begin(h, &one, us, &second);
	us += HEALTH_PROBE_US;
	health_begin(h, &one, us, &third);
	health_end(&third, false, NULL, NULL, us);
	is_err(state(h, &one, us), HEALTH_HALF_OPEN, "who says nothing leaves it");
	health_end(&second, false, &endpoint_once, &why, us);
	is_int(look(h, &one, us).until_us, us + 60 * SECOND_US, "any of them opens it");
	health_first(&first, us + 1);
	is_err(state(h, &one, us + 1), HEALTH_CLOSED, "and any of them closes it");
	health_end(&first, true, NULL, NULL, us + 2);
	health_free(h);

	/* what a probe of one place meets at another, which was closed, is as what anybody meets there */
	h = new_health();
	fail(h, &one, &endpoint_once, 0);
	us = 15 * SECOND_US;
	health_begin(h, &one, us, &first);
	ok(first.is_probe && first.probed[0] && !first.probed[2], "it probes the endpoint alone");
	const struct health_rule model_row = {
		.place = HEALTH_MODEL, .failures = 3, .rest_us = SECOND_US};
	health_end(&first, false, &model_row, &why, us);
	is_err(state(h, &one, us), HEALTH_HALF_OPEN, "its failure is the first of three");
	health_free(h);
}

/* A crowd is under way when it breaks. */
static void test_crowd(void)
{
	enum { CROWD = 64 };
	struct health *h = new_health();
	static struct health_try crowd[CROWD];
	const struct fault why = fault(ERR_TIMEOUT, 0, -1);
	const int64_t us = 15 * SECOND_US;
	memset(crowd, 0, sizeof crowd);
	for (int i = 0; i < CROWD; i++)
		health_begin(h, &one, 0, &crowd[i]);
	is_uint(look(h, &one, 0).in_flight, CROWD, "so many are under way");
	for (int i = 0; i < CROWD / 2; i++)
		health_end(&crowd[i], false, &endpoint_row, &why, i);
	is_int(look(h, &one, 40).until_us, 2 + us, "half a crowd that fails opens it once");
	struct health_try probe = {.health = NULL};
	health_begin(h, &one, us + 2, &probe);
	ok(probe.is_probe, "it is probed");
	for (int i = CROWD / 2; i < CROWD - 8; i++)
		health_end(&crowd[i], false, &endpoint_row, &why, us + 3);
	is_err(state(h, &one, us + 3), HEALTH_PROBED, "what is late does not open it again");
	health_first(&probe, us + 4);
	is_err(state(h, &one, us + 4), HEALTH_CLOSED, "the probe does well");
	for (int i = CROWD - 8; i < CROWD - 1; i++)
		health_end(&crowd[i], false, &endpoint_row, &why, us + 5);
	is_err(state(h, &one, us + 5), HEALTH_CLOSED,
		"and what began before that says nothing any more");
	fail(h, &one, &endpoint_once, us + 6);
	health_first(&crowd[CROWD - 1], us + 7);
	is_err(state(h, &one, us + 7), HEALTH_CLOSED, "but its first content is news");
	fail(h, &one, &endpoint_once, us + 8);
	health_end(&crowd[CROWD - 1], true, NULL, NULL, us + 9);
	is_err(state(h, &one, us + 9), HEALTH_OPEN, "and its good end behind that is none");
	health_end(&probe, false, NULL, NULL, us + 9);
	is_uint(look(h, &one, us + 9).in_flight, 0, "none is under way");
	health_free(h);

	/* what is told late makes it longer, never shorter */
	h = new_health();
	memset(crowd, 0, sizeof crowd);
	for (int i = 0; i < 4; i++)
		health_begin(h, &one, 0, &crowd[i]);
	const int64_t told_ms[] = {5000, 9000, 3000, -1}, until_s[] = {5, 9, 9, 9};
	for (int i = 0; i < 4; i++) {
		const struct fault busy = fault(ERR_OVERLOADED, 529, told_ms[i]);
		health_end(&crowd[i], false, &model_once, &busy, 0);
		is_int(look(h, &one, 0).until_us, until_s[i] * SECOND_US, "told %d", i);
	}
	is_int(look(h, &one, 0).why.retry_after_ms, 9000, "and why is what says so");
	health_free(h);

	/* a row that a good end behind a first content ends */
	h = new_health();
	struct health_try good = {.health = NULL};
	health_begin(h, &one, 0, &good);
	health_first(&good, 1);
	fail(h, &one, &endpoint_row, 2);
	fail(h, &one, &endpoint_row, 3);
	health_end(&good, true, NULL, NULL, 4);
	fail(h, &one, &endpoint_row, 5);
	is_err(state(h, &one, 5), HEALTH_CLOSED, "a good end ends a row");
	health_free(h);
}

/* Appends the states of all places, each with a blank behind it. */
static void put_states(const struct health *h, int64_t us, struct buf *out)
{
	OWNED(buf_done) struct buf json = BUF_INIT(MIB);
	struct json_out o = json_to(&json);
	struct json all, v;
	health_json(h, us, true, &o);
	if (json_scan(buf_view(&json), JSON_STRICT, &all, NULL) != OK)
		bail("no JSON");
	struct json_walk w = json_each(all);
	while (json_next(&w)) {
		v = json_member(w.value, "state");
		(void)json_text_to(v, out);
		buf_byte(out, ' ');
	}
}

/* One attempt probes several places, and what becomes of it is a verdict on some of them. */
static void test_verdicts(void)
{
	static const struct {
		const char *name;
		const struct health_rule *rule;
		int status;
		bool is_good;
		const char *want; /* of the endpoint, the key, the model */
	} rows[] = {
		{"a success",           NULL,           0,   true,  "closed closed closed "         },
		{"a caller gone",       NULL,           0,   false, "half_open half_open half_open "},
		{"a wrong request",     NULL,           400, false, "closed half_open half_open "   },
		{"an answer, no blame", &nowhere,       429, false, "closed half_open half_open "   },
		{"no answer, no blame", &nowhere,       0,   false, "half_open half_open half_open "},
		{"a key refused",       &key_once,      401, false, "closed open half_open "        },
		{"a key, by no answer", &key_once,      0,   false, "half_open open half_open "     },
		{"a model refused",     &model_once,    404, false, "closed half_open open "        },
		{"a model silent",      &model_once,    0,   false, "half_open half_open open "     },
		{"an endpoint gone",    &endpoint_once, 0,   false, "open half_open half_open "     },
		{"an endpoint broken",  &endpoint_once, 500, false, "open half_open half_open "     },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct health *h = new_health();
		struct health_try t = {.health = NULL};
		const struct fault why = fault(ERR_SERVER_ERROR, rows[i].status, -1);
		const int64_t us = 3600 * SECOND_US;
		OWNED(buf_done) struct buf got = BUF_INIT(MIB);
		fail(h, &one, &model_once, 0);
		fail(h, &one, &key_once, 0);
		fail(h, &one, &endpoint_once, 0);
		health_begin(h, &one, us, &t);
		put_states(h, us, &got);
		buf_byte(&got, '\0');
		is_str(got.p, "probed probed probed ", "%s: all are probed", rows[i].name);
		buf_clear(&got);
		health_end(&t, rows[i].is_good, rows[i].rule,
			rows[i].status || rows[i].rule ? &why : NULL, us);
		put_states(h, us, &got);
		buf_byte(&got, '\0');
		is_str(got.p, rows[i].want, "%s", rows[i].name);
		health_free(h);
	}
}

/* ---- the only one ---- */

static void test_only(void)
{
	struct health *h = new_health();
	struct health_try t = {.health = NULL};
	struct health_view v;
	refuse(h, &one, &key_once, -1, 0);
	ok(!may_ask(h, &one, 1), "a key rests");
	ok(may_only(h, &one, 1), "but the only one is let through");
	ok(may_only(h, &one, 1), "to ask takes nothing");
	health_begin(h, &one, 1, &t);
	ok(!t.is_probe, "it is no probe");
	ok(!may_only(h, &one, HEALTH_LAST_US), "once in five seconds");
	ok(!health_may_ask(h, &one, 2, true, &v), "nor is another");
	is_err(v.why.err, ERR_OVERLOADED, "who is told why");
	ok(may_only(h, &one, 1 + HEALTH_LAST_US), "then again, even while it is under way");
	const struct fault why = fault(ERR_AUTH, 401, -1);
	health_end(&t, false, &key_once, &why, 7);
	is_int(look(h, &one, 7).until_us, 600 * SECOND_US, "its failure makes no rest longer");
	health_begin(h, &other_model, 1 + HEALTH_LAST_US, &t);
	ok(!may_only(h, &one, 2 + HEALTH_LAST_US), "of a key, whatever the model");
	health_end(&t, true, NULL, NULL, 2 + HEALTH_LAST_US);
	ok(may_ask(h, &one, 2 + HEALTH_LAST_US), "its success closes");
	health_free(h);

	h = new_health();
	fail(h, &one, &endpoint_once, 0);
	ok(may_only(h, &one, 1), "one is let through to an endpoint as well");
	health_begin(h, &one, 1, &t);
	ok(!health_may_ask(h, &one, HEALTH_LAST_ENDPOINT_US, true, &v), "once in a second");
	is_err(v.place, HEALTH_ENDPOINT, "and it is said what is in the way");
	ok(may_only(h, &one, 1 + HEALTH_LAST_ENDPOINT_US), "then again");
	health_end(&t, false, NULL, NULL, 2);
	health_free(h);

	/* who is slow is so for those who have a choice */
	h = new_health();
	struct health_rule spares = model_once;
	spares.spares_only = true;
	fail(h, &one, &spares, 0);
	ok(!may_ask(h, &one, 1), "it rests");
	for (int64_t us = 1; us < 4; us++) {
		ok(may_only(h, &one, us), "but not for who has no other");
		health_begin(h, &one, us, &t);
		health_end(&t, false, NULL, NULL, us);
	}
	health_free(h);

	/* a probe that takes its time */
	h = new_health();
	refuse(h, &one, &model_once, -1, 0);
	health_begin(h, &one, 10 * SECOND_US, &t);
	ok(t.is_probe, "a model is probed");
	ok(!may_only(h, &one, 10 * SECOND_US + HEALTH_PROBE_US - 1), "for a while that is enough");
	ok(may_ask(h, &one, 10 * SECOND_US + HEALTH_PROBE_US), "then the next one tries it, too");
	struct health_try next = {.health = NULL};
	health_begin(h, &one, 10 * SECOND_US + HEALTH_PROBE_US, &next);
	ok(next.is_probe, "as a probe");
	ok(!may_ask(h, &one, 10 * SECOND_US + HEALTH_PROBE_US), "and others wait again");
	health_end(&t, false, NULL, NULL, 10 * SECOND_US + HEALTH_PROBE_US + 1);
	ok(!may_ask(h, &one, 10 * SECOND_US + HEALTH_PROBE_US + 1), "for that one alone");
	health_end(&next, false, NULL, NULL, 10 * SECOND_US + HEALTH_PROBE_US + 2);
	health_free(h);
}

/* ---- pace, retries, memory ---- */

static void test_pace(void)
{
	struct health *h = new_health();
	struct health_try t = {.health = NULL};
	for (unsigned i = 0; i < HEALTH_KNOWN; i++) {
		is_int(look(h, &one, i * SECOND_US).p95_us, -1, "%u are too few", i);
		health_begin(h, &one, i * SECOND_US, &t);
		health_first(&t, i * SECOND_US + 250000);
		health_first(&t, i * SECOND_US + 900000);
		is_int(look(h, &one, i * SECOND_US + 250000).first_us, 250000,
			"the first content counts, once");
		health_end(&t, true, NULL, NULL, i * SECOND_US + 950000);
	}
	is_int(look(h, &one, 20 * SECOND_US).p95_us, 250000, "twenty are enough");
	is_int(look(h, &other_model, 20 * SECOND_US).first_us, -1, "for this model");
	is_int(look(h, &other_key, 20 * SECOND_US).first_us, -1, "with this key");
	succeed(h, &other_model, 20 * SECOND_US);
	is_int(look(h, &other_model, 20 * SECOND_US).first_us, -1,
		"where none came it is not known when");
	health_forget(h, SPAN_NONE, SPAN_NONE);
	is_int(look(h, &one, 20 * SECOND_US).p95_us, 250000, "to forget leaves that");
	health_first(&t, 21 * SECOND_US);
	health_end(&t, true, NULL, NULL, 21 * SECOND_US);
	is_uint(look(h, &one, 21 * SECOND_US).in_flight, 0, "what is over is harmless");

	/* who does not wait for it */
	const struct fault no = fault(ERR_INVALID_REQUEST, 400, -1);
	const struct fault gone = fault(ERR_TIMEOUT, 0, -1);
	health_begin(h, &one, 30 * SECOND_US, &t);
	health_end(&t, false, NULL, NULL, 30 * SECOND_US + 100000);
	is_int(look(h, &one, 31 * SECOND_US).first_us, 250000,
		"a caller who goes early says nothing of its pace");
	health_begin(h, &one, 30 * SECOND_US, &t);
	health_end(&t, false, NULL, &no, 40 * SECOND_US);
	health_begin(h, &one, 30 * SECOND_US, &t);
	health_end(&t, false, &endpoint_row, &gone, 40 * SECOND_US);
	is_int(look(h, &one, 40 * SECOND_US).first_us, 250000, "nor does what is refused or fails");
	health_begin(h, &one, 40 * SECOND_US, &t);
	health_end(&t, false, NULL, NULL, 43 * SECOND_US);
	is_int(look(h, &one, 43 * SECOND_US).first_us, 3 * SECOND_US,
		"one who waited longer than usual does");
	health_begin(h, &other_key, 40 * SECOND_US, &t);
	health_end(&t, false, NULL, NULL, 43 * SECOND_US);
	is_int(look(h, &other_key, 43 * SECOND_US).first_us, -1, "but not where nothing is known");
	health_free(h);
}

static unsigned take_all(struct health *h, int64_t us)
{
	unsigned n = 0;
	while (n < 100 && health_take_retry(h, one.provider, us))
		n++;
	return n;
}

/* How long nothing came for it to mean something there. */
static int64_t silence(struct health *h, const struct health_subject *s, bool is_whole, int64_t us)
{
	struct health_try t = {.health = NULL};
	health_begin(h, s, us, &t);
	t.is_whole = is_whole;
	const int64_t silence_us = health_silence_us(&t, us);
	health_end(&t, false, NULL, NULL, us);
	return silence_us;
}

/* Twenty come, one a second from then on; the moment of the last one. */
static int64_t come(struct health *h, const struct health_subject *s, bool is_whole,
	int64_t took_us, int64_t us)
{
	for (int i = 0; i < 20; i++) {
		struct health_try t = {.health = NULL};
		us += SECOND_US;
		health_begin(h, s, us - took_us, &t);
		t.is_whole = is_whole;
		health_first(&t, us);
		health_end(&t, true, NULL, NULL, us);
	}
	return us;
}

static void test_silence(void)
{
	struct health *h = new_health();
	is_int(silence(h, &one, false, 0), HEALTH_SILENCE_US, "of a model nobody knows");
	is_int(silence(h, &one, true, 0), HEALTH_SILENCE_WHOLE_US, "and of its whole answers");
	int64_t us = come(h, &one, false, SECOND_US / 2, 100 * SECOND_US);
	is_int(silence(h, &one, false, us), 2 * SECOND_US, "of a quick one");
	is_int(silence(h, &one, true, us), HEALTH_SILENCE_WHOLE_US, "whole ones are others");
	is_int(silence(h, &other_model, false, us), HEALTH_SILENCE_US, "another model is, too");
	is_int(silence(h, &other_key, false, us), HEALTH_SILENCE_US, "and another key");
	us = come(h, &one, true, 5 * SECOND_US, us);
	is_int(silence(h, &one, true, us), 15 * SECOND_US, "they are known by their own");
	is_int(silence(h, &one, false, us), 2 * SECOND_US, "and the others stay as they were");

	/* who has waited in vain has not seen how long it takes */
	for (int i = 0; i < 100; i++) {
		struct health_try t = {.health = NULL};
		health_begin(h, &one, us, &t);
		health_end(&t, false, NULL, NULL, us + 5 * SECOND_US);
	}
	is_int(silence(h, &one, false, us), 2 * SECOND_US, "as long as before");
	is_int(silence(h, &one, false, us + 3600 * SECOND_US), HEALTH_SILENCE_US,
		"after an hour nothing is known any more");
	fail(h, &one, &model_once, us);
	is_int(silence(h, &one, false, us + 3600 * SECOND_US), 2 * SECOND_US,
		"but as long as it rests for it, all that was");
	health_free(h);
}

static void test_retries(void)
{
	struct health *h = new_health();
	is_uint(take_all(h, 0), 10, "ten in reserve");
	for (int i = 0; i < 9; i++)
		succeed(h, i % 2 ? &one : &other_key, 0);
	is_uint(take_all(h, 0), 0, "nine are too few for one");
	fail(h, &one, &nowhere, 0);
	is_uint(take_all(h, 0), 1, "the tenth makes one, however it ends");
	ok(health_take_retry(h, other_host.provider, 0), "another host has its own");
	for (int i = 0; i < 1000; i++)
		succeed(h, &one, 0);
	is_uint(take_all(h, 0), 10, "no more than ten");
	is_uint(take_all(h, HEALTH_RETRY_US - 1), 0, "nothing within a minute");
	is_uint(take_all(h, HEALTH_RETRY_US), 1, "one comes back in a minute");
	is_uint(take_all(h, 3 * HEALTH_RETRY_US + HEALTH_RETRY_US / 2), 2, "and two in two");
	is_uint(take_all(h, 4 * HEALTH_RETRY_US), 1, "what was over is not lost");
	is_uint(take_all(h, 1000 * HEALTH_RETRY_US), 10, "ten at the most");
	is_uint(take_all(h, INT64_MAX), 10, "at the end of time too");
	health_free(h);
}

static void test_forget(void)
{
	struct health *h = new_health();
	struct health_try t = {.health = NULL};
	const struct fault why = fault(ERR_AUTH, 401, -1);
	const struct health_subject *const all[] = {&one, &other_key, &other_host};
	health_begin(h, &one, 0, &t);
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		fail(h, all[i], &model_once, 1);
		fail(h, all[i], &key_once, 1);
	}
	health_forget(h, one.provider, SPAN("nobody's"));
	health_forget(h, SPAN("nobody"), SPAN_NONE);
	is_err(state(h, &one, 2), HEALTH_OPEN, "what is not known is not forgotten");
	health_forget(h, one.provider, one.key);
	is_err(state(h, &one, 2), HEALTH_CLOSED, "a key is forgotten, with its models");
	health_end(&t, false, &key_once, &why, 2);
	is_err(state(h, &one, 2), HEALTH_CLOSED, "what began with the one before does not count");
	is_err(state(h, &other_key, 2), HEALTH_OPEN, "other keys are not");
	fail(h, &one, &endpoint_once, 3);
	health_forget(h, one.provider, one.key);
	is_err(state(h, &one, 3), HEALTH_OPEN, "an endpoint rests for no key's sake");
	health_forget(h, one.provider, SPAN_NONE);
	is_err(state(h, &one, 3), HEALTH_CLOSED, "a provider is, with all of its keys");
	is_err(state(h, &other_key, 3), HEALTH_CLOSED, "each");
	is_err(state(h, &other_host, 3), HEALTH_OPEN, "and no other");
	health_forget(h, SPAN_NONE, SPAN_NONE);
	is_err(state(h, &other_host, 3), HEALTH_CLOSED, "all are");

	/* half a row too, and probes */
	fail(h, &one, &endpoint_row, 4);
	fail(h, &one, &endpoint_row, 4);
	health_forget(h, SPAN_NONE, SPAN_NONE);
	fail(h, &one, &endpoint_row, 4);
	is_err(state(h, &one, 4), HEALTH_CLOSED, "a row begins anew");
	fail(h, &other_key, &in_a_minute, 4);
	fail(h, &other_key, &in_a_minute, 4);
	health_forget(h, other_key.provider, other_key.key);
	fail(h, &other_key, &in_a_minute, 4);
	is_err(state(h, &other_key, 4), HEALTH_CLOSED, "so does a window");
	fail(h, &one, &key_once, 5);
	health_begin(h, &one, 601 * SECOND_US, &t);
	ok(t.is_probe, "a key is probed");
	health_forget(h, one.provider, one.key);
	is_err(state(h, &one, 601 * SECOND_US), HEALTH_CLOSED, "and forgotten");
	fail(h, &one, &key_once, 601 * SECOND_US);
	health_end(&t, false, &key_once, &why, 602 * SECOND_US);
	is_int(look(h, &one, 602 * SECOND_US).until_us, 1201 * SECOND_US,
		"its probe is none any more");

	/* the label of a key without one is no absent label */
	const struct health_subject plain = {one.provider, SPAN(""), one.model};
	refuse(h, &plain, &key_once, -1, 603 * SECOND_US);
	health_forget(h, one.provider, SPAN(""));
	is_err(state(h, &plain, 603 * SECOND_US), HEALTH_CLOSED, "the key without a label is one");
	is_err(state(h, &one, 603 * SECOND_US), HEALTH_OPEN, "and not all");
	health_free(h);
}

static struct health_subject model_of(unsigned i, char name[16])
{
	(void)snprintf(name, 16, "m%u", i);
	return (struct health_subject){one.provider, one.key, span_str(name)};
}

static void test_room(void)
{
	struct health *h = new_health();
	const unsigned room =
		(unsigned)HEALTH_PLACES - 2; /* for models: there is an endpoint and a key */
	static struct health_try tries[HEALTH_PLACES];
	char name[16];
	struct health_subject s;
	for (unsigned i = 0; i < room; i++) {
		s = model_of(i, name);
		if (i < 2)
			fail(h, &s, &model_once, 0);
		else
			succeed(h, &s, 0);
	}
	is_uint(health_size(h), HEALTH_PLACES, "so many are remembered");
	struct health_try t = {.health = NULL};
	s = model_of(2, name);
	health_begin(h, &s, 0, &t);
	health_first(&t, 1);
	health_end(&t, true, NULL, NULL, 1);
	s = model_of(3, name);
	health_begin(h, &s, 0, &t);
	health_first(&t, 1);
	for (unsigned i = 0; i < room - 4; i++) {
		s = model_of(100000 + i, name);
		succeed(h, &s, 2);
	}
	is_uint(health_size(h), HEALTH_PLACES, "and no more");
	s = model_of(2, name);
	is_int(look(h, &s, 2).first_us, 1, "those used last stay");
	s = model_of(0, name);
	is_err(state(h, &s, 2), HEALTH_OPEN, "and what rests, though it is older");
	s = model_of(200000, name);
	succeed(h, &s, 2);
	s = model_of(2, name);
	is_int(look(h, &s, 2).first_us, -1, "then the oldest goes");
	s = model_of(3, name);
	is_int(look(h, &s, 2).first_us, 1, "but none that is under way");
	health_end(&t, true, NULL, NULL, 2);

	/* names that are not there, without end */
	for (unsigned i = 0; i < 3 * (unsigned)HEALTH_PLACES; i++) {
		s = model_of(300000 + i, name);
		refuse(h, &s, &model_once, -1, 3);
	}
	is_uint(health_size(h), HEALTH_PLACES,
		"names that are not there are not remembered without end");
	s = model_of(3, name);
	is_int(look(h, &s, 3).first_us, 1, "and what is well stays beside them");
	s = model_of(0, name);
	is_err(state(h, &s, 3), HEALTH_CLOSED, "the oldest of them are gone");
	s = model_of(300000 + 3 * (unsigned)HEALTH_PLACES - 1, name);
	is_err(state(h, &s, 3), HEALTH_OPEN, "the last are there");

	/* more under way than there is room for */
	for (unsigned i = 0; i < HEALTH_PLACES; i++) {
		s = model_of(i, name);
		tries[i] = (struct health_try){.health = NULL};
		health_begin(h, &s, 4, &tries[i]);
	}
	is_uint(health_size(h), HEALTH_PLACES + 2, "what is under way is remembered beyond that");
	for (unsigned i = 0; i < HEALTH_PLACES; i++)
		health_end(&tries[i], false, NULL, NULL, 4);
	succeed(h, &other_host, 5);
	is_uint(health_size(h), HEALTH_PLACES, "till it is over");

	/* many hosts push out all of one, the widest last */
	for (unsigned i = 0; i < HEALTH_PLACES; i++) {
		(void)snprintf(name, sizeof name, "p%u", i);
		s = (struct health_subject){span_str(name), SPAN("k"), SPAN("m")};
		succeed(h, &s, 6);
	}
	is_uint(health_size(h), HEALTH_PLACES, "hosts are bounded as well");
	OWNED(buf_done) struct buf json = BUF_INIT(MIB);
	struct json_out o = json_to(&json);
	health_json(h, 6, true, &o);
	is_uint(span_find(buf_view(&json), SPAN("\"openai\"")), json.n,
		"and those of before are gone");
	health_free(h);

	/* one goes with all of its places, before another loses any */
	h = new_health();
	for (unsigned i = 0; i <= HEALTH_PLACES / 3; i++) {
		(void)snprintf(name, sizeof name, "p%u", i);
		s = (struct health_subject){span_str(name), SPAN("k"), SPAN("m")};
		health_begin(h, &s, 7, &t);
		health_first(&t, 8);
		health_end(&t, true, NULL, NULL, 8);
	}
	s.provider = SPAN("p0");
	is_int(look(h, &s, 8).first_us, -1, "the host used longest ago is gone");
	s.provider = SPAN("p1");
	is_int(look(h, &s, 8).first_us, 1, "and the next is there");
	health_free(h);
}

static void test_json(void)
{
	struct health *h = new_health();
	OWNED(buf_done) struct buf json = BUF_INIT(16 * MIB);
	struct json_out o = json_to(&json);
	struct fault why = fault(ERR_AUTH, 401, -1);
	struct health_try t = {.health = NULL}, second = {.health = NULL};
	struct json v;
	health_json(h, 0, true, &o);
	is_mem(json.p, json.n, "[]", 2, "of nothing there is nothing");

	(void)fault_set(&why, ERR_AUTH, "The key \"work\" was refused.");
	health_begin(h, &one, 0, &t);
	health_first(&t, 1500);
	health_end(&t, false, &key_once, &why, 2000);
	refuse(h, &other_host, &model_once, -1, 0);
	health_begin(h, &other_host, 10 * SECOND_US, &t);
	health_begin(h, &other_key, 10 * SECOND_US, &second);
	buf_clear(&json);
	o = json_to(&json);
	health_json(h, 10 * SECOND_US, false, &o);
	const char some[] =
		"[{\"provider\":\"openai\",\"key\":\"work\",\"state\":\"open\",\"until_ms\":590002,"
		"\"class\":\"auth\",\"why\":\"The key \\\"work\\\" was refused.\",\"failures\":1},"
		"{\"provider\":\"groq\",\"key\":\"work\",\"model\":\"gpt-4o\",\"state\":\"probed\","
		"\"class\":\"overloaded\",\"why\":\"overloaded of the test\",\"failures\":1}]";
	is_mem(json.p, json.n, some, sizeof some - 1, "what is not well, and why");
	buf_clear(&json);
	o = json_to(&json);
	health_json(h, 10 * SECOND_US, true, &o);
	const char all[] =
		"[{\"provider\":\"openai\",\"state\":\"closed\",\"failures\":0,\"in_flight\":1},"
		"{\"provider\":\"openai\",\"key\":\"work\",\"state\":\"open\",\"until_ms\":590002,"
		"\"class\":\"auth\",\"why\":\"The key \\\"work\\\" was "
		"refused.\",\"failures\":1,\"in_flight\":0},"
		"{\"provider\":\"openai\",\"key\":\"work\",\"model\":\"gpt-4o\",\"state\":"
		"\"closed\","
		"\"failures\":0,\"in_flight\":0,\"first_ms\":2},"
		"{\"provider\":\"openai\",\"key\":\"home\",\"state\":\"closed\",\"failures\":0,"
		"\"in_flight\":1},"
		"{\"provider\":\"openai\",\"key\":\"home\",\"model\":\"gpt-4o\",\"state\":"
		"\"closed\","
		"\"failures\":0,\"in_flight\":1},"
		"{\"provider\":\"groq\",\"state\":\"closed\",\"failures\":0,\"in_flight\":1},"
		"{\"provider\":\"groq\",\"key\":\"work\",\"state\":\"closed\",\"failures\":0,\"in_"
		"flight\":1},"
		"{\"provider\":\"groq\",\"key\":\"work\",\"model\":\"gpt-4o\",\"state\":\"probed\","
		"\"class\":\"overloaded\",\"why\":\"overloaded of the "
		"test\",\"failures\":1,\"in_flight\":1}]";
	is_mem(json.p, json.n, all, sizeof all - 1, "and all");
	health_end(&t, false, NULL, NULL, 0);
	health_end(&second, false, NULL, NULL, 0);
	health_free(h);

	h = new_health();
	for (unsigned i = 0; i < 1200; i++) {
		char name[16];
		const struct health_subject s = model_of(i, name);
		fail(h, &s, &model_once, 0);
	}
	succeed(h, &other_host, 0);
	buf_clear(&json);
	o = json_to(&json);
	health_json(h, 0, true, &o);
	ok(span_ends(buf_view(&json), SPAN("},{\"more\":205}]")), "of all");
	is_uint(span_find(buf_view(&json), SPAN("closed")), json.n,
		"those that are well are left out first");
	buf_clear(&json);
	o = json_to(&json);
	health_json(h, 0, false, &o);
	ok(span_ends(buf_view(&json), SPAN("},{\"more\":200}]")),
		"beyond a thousand only how many");
	is_err(json_scan(buf_view(&json), JSON_STRICT, &v, NULL), OK, "and it is JSON");
	health_free(h);
}

int main(void)
{
	test_unknown();
	test_row();
	test_places();
	test_window();
	test_rest();
	test_told();
	test_probe();
	test_followed_probe();
	test_crowd();
	test_verdicts();
	test_only();
	test_pace();
	test_silence();
	test_retries();
	test_forget();
	test_room();
	test_json();
	return tap_done();
}
