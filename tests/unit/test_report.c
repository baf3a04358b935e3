/* test_report.c - what the rows of a ledger add up to, and that all of them can be had. */
#include "brokerd/ledger/report.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/ledger/export.h"
#include "brokerd/ledger/lessons.h"
#include "brokerd/ledger/spending.h"
#include "protocol/base/json.h"
#include "tests/lib/tap.h"

#define DAY_US  INT64_C(86400000000)
#define HOUR_US INT64_C(3600000000)

static char dir[64];
static struct ledger *g;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void begin(void)
{
	struct fault why = FAULT_NONE;
	snprintf(dir, sizeof dir, "/tmp/test_report.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	g = ledger_open(dir, &why);
	if (!g)
		bail("%s", why.message);
}

static void end(void)
{
	ledger_close(g);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct exchange_record exchange(const char *id, int64_t at_us)
{
	struct exchange_record x = {.saved_nusd = -1,
		.at_us = at_us,
		.uid = 1000,
		.app = "notes",
		.op = "chat",
		.model = "mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN,
		.queued_us = -1,
		.estimate_input = -1,
		.estimate_output = -1};
	snprintf(x.id, sizeof x.id, "%s", id);
	x.usage.input = 1000;
	x.usage.cache_read = 24;
	x.usage.output = 100;
	x.usage.cost_nusd = 210000;
	return x;
}

static struct attempt_record attempt(const char *id, uint32_t number, int64_t at_us)
{
	struct attempt_record a = {.number = number,
		.at_us = at_us,
		.provider = "openai",
		.model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.http_status = 200,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN,
		.charged_nusd = -1,
		.estimate_input = -1,
		.estimate_output = -1,
		.estimate_raw = -1};
	snprintf(a.id, sizeof a.id, "%s", id);
	return a;
}

static void insert(const struct exchange_record *x, const struct attempt_record *a)
{
	struct fault why = FAULT_NONE;
	const struct ledger_rows rows = {x, x != NULL, a, a != NULL};
	if (ledger_write(g, &rows, &why) != OK)
		bail("%s", why.message);
}

/* ---- sums ---- */

static void fill(void)
{
	struct exchange_record x = exchange("req_a", 100 * DAY_US + 1);
	insert(&x, NULL);
	x = exchange("req_b", 101 * DAY_US - 1); /* the provider's own figure is the bill */
	x.usage.provider_cost_nusd = 300000;
	x.usage.reasoning = 7;
	x.usage.audio_input = 3;
	x.usage.cache_write_1h = 5;
	x.usage.cache_write = 6;
	insert(&x, NULL);
	x = exchange("req_c", 101 * DAY_US); /* refused before anything was sent */
	x.provider[0] = x.target_model[0] = '\0';
	x.attempts = 0;
	x.outcome = OUTCOME_FAILED;
	x.err = ERR_NO_KEY;
	x.usage = USAGE_UNKNOWN;
	insert(&x, NULL);
	x = exchange("req_d", 101 * DAY_US + 5); /* no price */
	snprintf(x.app, sizeof x.app, "b\"\\\x01\xff");
	snprintf(x.provider, sizeof x.provider, "other");
	snprintf(x.target_model, sizeof x.target_model, "m");
	x.usage.cost_nusd = -1;
	x.usage.input = INT64_MAX;
	insert(&x, NULL);
	x = exchange("req_e", 102 * DAY_US); /* a crash */
	x.app[0] = '\0';
	x.outcome = OUTCOME_UNKNOWN;
	x.err = ERR_OUTCOME_UNKNOWN;
	x.usage = USAGE_UNKNOWN;
	insert(&x, NULL);
}

/* clang-format off */
#define ROW(key, requests, failed, unknown, input, read, write, output, reasoning, cost, unpriced, drift) \
	"{" key "\"requests\":" #requests ",\"failed\":" #failed ",\"unknown\":" #unknown                  \
	",\"input\":" #input ",\"cache_read\":" #read ",\"cache_write\":" #write                           \
	",\"output\":" #output ",\"reasoning\":" #reasoning ",\"cost_nusd\":" #cost                        \
	",\"unpriced\":" #unpriced "," drift "}"
#define KEY(key)  "\"keys\":[\"" key "\"],\"key\":\"" key "\","
#define UNSAVED   ",\"prompt_saved_nusd\":null"
#define ALONE     "\"compared\":0,\"ours_nusd\":null,\"theirs_nusd\":null,\"drifted\":0,\"charged_nusd\":null,\"cached\":0,\"saved_nusd\":null" UNSAVED
#define FREELY    "\"compared\":0,\"ours_nusd\":null,\"theirs_nusd\":null,\"drifted\":0,\"charged_nusd\":0,\"cached\":0,\"saved_nusd\":null" UNSAVED
#define DRIFT     "\"compared\":1,\"ours_nusd\":210000,\"theirs_nusd\":300000,\"drifted\":1,\"charged_nusd\":null,\"cached\":0,\"saved_nusd\":null" UNSAVED
#define BOTH(key) ROW(key, 2, 0, 0, 2003, 48, 11, 200, 7, 510000, 0, DRIFT)
#define TOTAL     ROW("", 5, 1, 1, 9223372036854775807, 72, 11, 300, 7, 510000, 2, DRIFT)
#define REFUSED(key) ROW(key, 1, 1, 0, null, null, null, null, null, null, 0, ALONE)
#define PRICELESS(key) ROW(key, 1, 0, 0, 9223372036854775807, 24, null, 100, null, null, 1, ALONE)
#define CRASHED(key) ROW(key, 1, 0, 1, null, null, null, null, null, null, 1, ALONE)
#define FIRST(key) ROW(key, 1, 0, 0, 1000, 24, null, 100, null, 210000, 0, ALONE)
#define SECOND(key) ROW(key, 1, 0, 0, 1003, 24, 11, 100, 7, 300000, 0, DRIFT)
#define NOTHING   ROW("", 0, 0, 0, null, null, null, null, null, null, 0, ALONE)
#define ANSWER(by, rows, total) "{\"by\":[" by "],\"rows\":[" rows "],\"total\":" total "}"

static const struct {
	const char *name, *by;
	int64_t since_us, until_us;
	const char *want;
} questions[] = {
	{"by app, the dearest first", "app", 0, 0,
	 ANSWER("\"app\"",
		ROW(KEY("notes"), 3, 1, 0, 2003, 48, 11, 200, 7, 510000, 0, DRIFT) ","
		CRASHED(KEY("")) ","
		PRICELESS(KEY("b\\\"\\\\\\u0001\xef\xbf\xbd")), TOTAL)},
	{"by model, as it answered, or as asked", "model", 0, 0,
	 ANSWER("\"model\"",
		ROW(KEY("openai/gpt-4o-mini"), 3, 0, 1, 2003, 48, 11, 200, 7, 510000, 1, DRIFT) ","
		REFUSED(KEY("mini")) "," PRICELESS(KEY("other/m")), TOTAL)},
	{"by provider", "provider", 0, 0,
	 ANSWER("\"provider\"",
		ROW(KEY("openai"), 3, 0, 1, 2003, 48, 11, 200, 7, 510000, 1, DRIFT) ","
		REFUSED(KEY("")) "," PRICELESS(KEY("other")), TOTAL)},
	{"by day, in UTC", "day", 0, 0,
	 ANSWER("\"day\"",
		BOTH(KEY("1970-04-11")) ","
		ROW(KEY("1970-04-12"), 2, 1, 0, 9223372036854775807, 24, null, 100, null, null, 1, ALONE) ","
		CRASHED(KEY("1970-04-13")), TOTAL)},
	{"by day, then model", "day,model", 0, 0,
	 ANSWER("\"day\",\"model\"",
		BOTH("\"keys\":[\"1970-04-11\",\"openai/gpt-4o-mini\"],") ","
		REFUSED("\"keys\":[\"1970-04-12\",\"mini\"],") ","
		PRICELESS("\"keys\":[\"1970-04-12\",\"other/m\"],") ","
		CRASHED("\"keys\":[\"1970-04-13\",\"openai/gpt-4o-mini\"],"), TOTAL)},
	{"none", "none", 0, 0, ANSWER("", "", TOTAL)},
	{"one day alone", "app", 100 * DAY_US, 101 * DAY_US,
	 ANSWER("\"app\"", BOTH(KEY("notes")), BOTH(""))},
	{"from, and before", "none", 100 * DAY_US + 1, 100 * DAY_US + 2, ANSWER("", "", FIRST(""))},
	{"nothing", "app", 200 * DAY_US, 0, ANSWER("\"app\"", "", NOTHING)},
};
/* clang-format on */

static void check_usage(void)
{
	struct fault why = FAULT_NONE;
	fill();
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		OWNED(buf_done) struct buf json = BUF_INIT(65536);
		struct report r = {
			.of = {.since_us = questions[i].since_us,
                               .until_us = questions[i].until_us}
                };
		is_err(report_by(&r, span_str(questions[i].by), &why), OK, "%s", questions[i].name);
		is_err(report_usage(g, &r, &json, &why), OK, "%s", questions[i].name);
		buf_byte(&json, '\0');
		is_str(json.p, questions[i].want, "%s", questions[i].name);
	}

	struct report r = {.n_by = 0};
	is_err(report_by(&r, SPAN("day,colour"), &why), ERR_INVALID_ARGUMENT,
		"by what there is not");
	is_str(why.param, "by", "the member is named");
	is_str(why.message,
		"usage can be shown by app, model, provider, key, user, unit, container, project, "
		"policy, kind, surface, op, hour, day, month or none, not by 'colour'",
		"and what could be said");
	is_err(report_by(&r, SPAN("app,app,app,app,app"), &why), ERR_INVALID_ARGUMENT,
		"too many at once: %s", why.message);
	is_err(report_by(&r, SPAN(""), &why), ERR_INVALID_ARGUMENT, "by no word");
	OWNED(buf_done) struct buf small = BUF_INIT(300);
	is_err(report_by(&r, SPAN("day"), &why), OK, "by day");
	is_err(report_usage(g, &r, &small, &why), ERR_TOO_BIG, "more than fits: %s", why.message);
}

/* ---- who is meant ---- */

static int64_t number_in(const struct buf *json, const char *in, const char *name)
{
	struct json v;
	int64_t n = -1;
	if (json_scan(buf_view(json), JSON_STRICT, &v, NULL) != OK)
		bail("it is no JSON: %.*s", (int)json->n, json->p);
	return json_i64(json_member(json_member(v, in), name), &n) ? n : -1;
}

static const struct {
	const char *name;
	enum dim dim;
	const char *pattern;
	int64_t want; /* requests */
} choices[] = {
	{"an app",		      DIM_APP,       "notes",          1},
	{"apps by a pattern",           DIM_APP,       "*o*",            2},
	{"a pattern that is SQL",       DIM_APP,       "' OR 1=1 --",    0},
	{"a model as it answered",      DIM_MODEL,     "openai/gpt*",    2},
	{"a model as it was asked for", DIM_MODEL,     "fast",           1},
	{"a provider",                  DIM_PROVIDER,  "openai",         2},
	{"a key with a label",          DIM_KEY,       "openai/work",    1},
	{"a key without",               DIM_KEY,       "openai",         1},
	{"all keys of a provider",      DIM_KEY,       "openai*",        2},
	{"a user",		      DIM_USER,      "1001",           1},
	{"a unit",		      DIM_UNIT,      "backup.service", 1},
	{"a container",                 DIM_CONTAINER, "0123456789ab",   1},
	{"a project",                   DIM_PROJECT,   "*/notes",        1},
	{"a policy",                    DIM_POLICY,    "host",           1},
	{"a kind",		      DIM_KIND,      "service",        1},
	{"our own surface",             DIM_SURFACE,   "",               1},
	{"another",		     DIM_SURFACE,   "openai.chat",    1},
	{"an operation",                DIM_OP,        "embed",          1},
	{"what is not known",           DIM_PROJECT,   "",               1},
};

static void check_choices(void)
{
	struct fault why = FAULT_NONE;
	struct exchange_record x = exchange("req_1", DAY_US);
	memcpy(&x.account,
		&(struct account_record){.kind = "service",
			.unit = "backup.service",
			.project = "/srv/a/notes",
			.policy = "host",
			.key_label = "work"},
		sizeof x.account);
	insert(&x, NULL);
	x = exchange("req_2", DAY_US);
	x.uid = 1001;
	memcpy(x.app, "other", 6);
	memcpy(x.op, "embed", 6);
	memcpy(x.surface, "openai.chat", 12);
	memcpy(x.model, "fast", 5);
	memcpy(x.account.container, "0123456789ab", 13);
	insert(&x, NULL);
	for (size_t i = 0; i < COUNT_OF(choices); i++) {
		OWNED(buf_done) struct buf json = BUF_INIT(65536);
		struct report r = {.by = {choices[i].dim}, .n_by = 1};
		r.of.only[choices[i].dim] = span_str(choices[i].pattern);
		is_err(report_usage(g, &r, &json, &why), OK, "%s", choices[i].name);
		is_int(number_in(&json, "total", "requests"), choices[i].want, "%s: %.*s",
			choices[i].name, (int)json.n, json.p);
	}
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	struct report both = {.n_by = 0};
	both.of.only[DIM_APP] = SPAN("notes");
	both.of.only[DIM_USER] = SPAN("1001");
	is_err(report_usage(g, &both, &json, &why), OK, "an app of a user");
	is_int(number_in(&json, "total", "requests"), 0, "both must hold");
}

/* ---- what may be billed ---- */

static void insert_billed(const struct attempt_record *a, const char *op)
{
	struct exchange_record x = exchange(a->id, a->at_us);
	x.outcome = a->outcome;
	snprintf(x.provider, sizeof x.provider, "elsewhere"); /* who answered in the end */
	snprintf(x.op, sizeof x.op, "%s", op ? op : "");
	insert(op ? &x : NULL, a);
}

static void fill_billed(void)
{
	struct attempt_record a = attempt("req_ok", 1, DAY_US + 5);
	a.has_sent_body = true;
	a.usage.input = 100, a.usage.cache_read = 50, a.usage.output = 7, a.usage.reasoning = 3;
	a.usage.cost_nusd = 1000;
	insert_billed(&a, "chat");
	const struct attempt_record plain = {.at_us = DAY_US + 6,
		.number = 1,
		.provider = "openai",
		.model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.has_sent_body = true,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	const struct {
		const char *id, *op, *model;
		enum outcome outcome;
		int64_t input, cost_nusd, theirs_nusd;
	} rows_of_it[] = {
		{"theirs",      "chat",   NULL,    OUTCOME_OK,        -1,   500, 600}, /* before ours */
		{"failed",      "chat",   NULL,    OUTCOME_FAILED,    -1,   -1,  -1 }, /* and cost nothing */
		{"failed_late", "chat",   NULL,    OUTCOME_FAILED,    10,   40,  -1 }, /* after some use */
		{"stopped",     "chat",   NULL,    OUTCOME_CANCELLED, -1,   2,   -1 },
		{"unknown",     "chat",   "n",     OUTCOME_UNKNOWN,   -1,   70,  -1 },
		{"unpriced",    "chat",   "n",     OUTCOME_OK,        1,    -1,  -1 },
		{"under_way",   NULL,     "n",     OUTCOME_OK,        -1,   5,   -1 }, /* no exchange yet */
		{"list",        "models", "lists", OUTCOME_OK,        -1,   0,   -1 },
		{"count",       "count",  NULL,    OUTCOME_OK,        1000, 0,   -1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows_of_it); i++) {
		a = plain;
		snprintf(a.id, sizeof a.id, "%s", rows_of_it[i].id);
		if (rows_of_it[i].model)
			snprintf(a.model, sizeof a.model, "%s", rows_of_it[i].model);
		a.outcome = rows_of_it[i].outcome;
		a.usage.input = rows_of_it[i].input;
		a.usage.cost_nusd = rows_of_it[i].cost_nusd;
		a.usage.provider_cost_nusd = rows_of_it[i].theirs_nusd;
		insert_billed(&a, rows_of_it[i].op);
	}
	a = plain;
	snprintf(a.id, sizeof a.id, "unsent");
	a.has_sent_body = false;
	insert_billed(&a, "chat");
	a = plain;
	snprintf(a.id, sizeof a.id, "other");
	snprintf(a.provider, sizeof a.provider, "anthropic");
	insert_billed(&a, "chat");
	a = plain;
	snprintf(a.id, sizeof a.id, "keyed");
	snprintf(a.key_label, sizeof a.key_label, "work");
	a.usage.cost_nusd = 9;
	insert_billed(&a, "chat");
	a.number = 2; /* of the same request, on the next day */
	a.at_us = 2 * DAY_US;
	insert(NULL, &a);
	a = plain;
	a.at_us = 3 * DAY_US;
	snprintf(a.id, sizeof a.id, "after");
	insert_billed(&a, "chat");
}

/* clang-format off */
#define KEYS(day, model, key) "\"keys\":[\"" day "\",\"openai/" model "\",\"" key "\"],"
static const char billed[] =
	ANSWER("\"day\",\"model\",\"key\"",
		ROW(KEYS("1970-01-02", "gpt-4o-mini", "openai"), 4, 1, 0, 110, 50, null, 7, 3, 1642, 0,
			"\"compared\":1,\"ours_nusd\":500,\"theirs_nusd\":600,\"drifted\":0,\"charged_nusd\":null,\"cached\":0,\"saved_nusd\":null" UNSAVED) ","
		ROW(KEYS("1970-01-02", "gpt-4o-mini", "openai/work"), 1, 0, 0, null, null, null, null, null, 9, 0, ALONE) ","
		ROW(KEYS("1970-01-02", "n", "openai"), 3, 0, 1, 1, null, null, null, null, 75, 1, FREELY) ","
		ROW(KEYS("1970-01-03", "gpt-4o-mini", "openai/work"), 1, 0, 0, null, null, null, null, null, 9, 0, ALONE),
		ROW("", 9, 1, 1, 111, 50, null, 7, 3, 1735, 1,
			"\"compared\":1,\"ours_nusd\":500,\"theirs_nusd\":600,\"drifted\":0,\"charged_nusd\":0,\"cached\":0,\"saved_nusd\":null" UNSAVED));
/* clang-format on */

static void check_billed(void)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf json = BUF_INIT(65536), app = BUF_INIT(65536);
	struct report r = {
		.what = REPORT_BILLED, .of = {.since_us = DAY_US, .until_us = 3 * DAY_US}
        };
	r.of.only[DIM_PROVIDER] = SPAN("openai");
	fill_billed();
	is_err(report_by(&r, SPAN("day,model,key"), &why), OK, "by day, model and key");
	is_err(report_usage(g, &r, &json, &why), OK, "what may be billed: %s", why.message);
	buf_byte(&json, '\0');
	is_str(json.p, billed, "of attempts that cost something, or may have");

	r.n_by = 0; /* what only its exchange knows */
	r.of.only[DIM_APP] = SPAN("notes");
	is_err(report_usage(g, &r, &app, &why), OK, "of an app");
	is_int(number_in(&app, "total", "requests"), 8, "all but the one that is under way");
	r.of.only[DIM_MODEL] = SPAN("mini");
	buf_clear(&app);
	is_err(report_usage(g, &r, &app, &why), OK, "of a model");
	is_int(number_in(&app, "total", "requests"), 8, "as it was asked for");
}

/* ---- clocks ---- */

/* Berlin in 2026: an hour is left out on March 29, and comes twice on October 25. */
static const struct clock_change berlin[] = {
	{1761440400, 3600},
        {1774746000, 7200},
        {1792890000, 3600}
};

static const struct {
	const char *name;
	int64_t at_s;
	const char *day, *hour;
} moments[] = {
	{"a winter's evening",                  1774738799, "2026-03-28", "2026-03-28 23:00 +0100"},
	{"the day begins an hour before UTC's", 1774738800, "2026-03-29", "2026-03-29 00:00 +0100"},
	{"before the gap",                      1774745999, "2026-03-29", "2026-03-29 01:00 +0100"},
	{"after the gap",                       1774746000, "2026-03-29", "2026-03-29 03:00 +0200"},
	{"the end of a day of 23 hours",        1774821599, "2026-03-29", "2026-03-29 23:00 +0200"},
	{"and the next",                        1774821600, "2026-03-30", "2026-03-30 00:00 +0200"},
	{"the hour that comes twice",           1792886400, "2026-10-25", "2026-10-25 02:00 +0200"},
	{"and again",			   1792890000, "2026-10-25", "2026-10-25 02:00 +0100"},
	{"the end of a day of 25 hours",        1792969199, "2026-10-25", "2026-10-25 23:00 +0100"},
	{"before all that was said",            1000000000, "2001-09-09", "2001-09-09 02:00 +0100"},
};

static void check_clock(void)
{
	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		char id[REQUEST_ID_BYTES];
		(void)snprintf(id, sizeof id, "req_%02zu", i);
		const struct exchange_record x = exchange(id, moments[i].at_s * 1000000);
		insert(&x, NULL);
	}
	for (size_t i = 0; i < COUNT_OF(moments); i++) {
		OWNED(buf_done) struct buf json = BUF_INIT(65536);
		struct fault why = FAULT_NONE;
		char want[96];
		const struct report r = {
			.of = {.since_us = moments[i].at_s * 1000000,
                               .until_us = moments[i].at_s * 1000000 + 1,
                               .clock = berlin,
                               .n_clock = COUNT_OF(berlin)},
			.by = {DIM_DAY,           DIM_HOUR            },
			.n_by = 2
                };
		(void)snprintf(want, sizeof want, "\"keys\":[\"%s\",\"%s\"]", moments[i].day,
			moments[i].hour);
		is_err(report_usage(g, &r, &json, &why), OK, "%s", moments[i].name);
		buf_byte(&json, '\0');
		ok(strstr(json.p, want) != NULL, "%s: %s in %s", moments[i].name, want, json.p);
	}
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	struct fault why = FAULT_NONE;
	const struct clock_change west[] = {
		{0, -12600}
        };
	const struct report r = {
		.of = {.since_us = 1774738800 * INT64_C(1000000),
                       .until_us = 1774738801 * INT64_C(1000000),
                       .clock = west,
                       .n_clock = 1},
		.by = {DIM_HOUR,                              DIM_MONTH                           },
		.n_by = 2
        };
	is_err(report_usage(g, &r, &json, &why), OK, "in the west");
	buf_byte(&json, '\0');
	ok(strstr(json.p, "\"keys\":[\"2026-03-28 19:00 -0330\",\"2026-03\"]") != NULL, "%s",
		json.p);
}

/* ---- two bills ---- */

static void check_drift(void)
{
	static const int64_t bills[][2] = {
		{1000000, 1000000},
                {1005000, 1000000},
                {1005001, 1000000},
                {500,     1000   },
                {-1,      1000   },
		{1000,    -1     },
                {0,       2000000}
        };
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	for (size_t i = 0; i < COUNT_OF(bills); i++) {
		char id[REQUEST_ID_BYTES];
		(void)snprintf(id, sizeof id, "req_%zu", i);
		struct exchange_record x = exchange(id, DAY_US);
		x.usage.cost_nusd = bills[i][0];
		x.usage.provider_cost_nusd = bills[i][1];
		insert(&x, NULL);
	}
	struct report r = {.n_by = 0};
	is_err(report_usage(g, &r, &json, &why), OK, "asked for: %s", why.message);
	buf_byte(&json, '\0');
	ok(strstr(json.p, "\"compared\":5,\"ours_nusd\":3010501,\"theirs_nusd\":5001000,"
			  "\"drifted\":2,") != NULL,
		"half a percent is none, nor is what a rounding makes: %s", json.p);
}

/* ---- what budgets counted ---- */

static const struct {
	const char *name, *id;
	int64_t cost_nusd; /* of the exchange */
	struct {
		int64_t cost_nusd, charged_nusd;
	} attempts[2];
	size_t n;
} charges[] = {
	{"its cost is known",                "req_0", 500, {{500, 500}},             1},
	{"it broke off",                     "req_1", -1,  {{-1, 70000}},            1},
	{"so did the first of two",          "req_2", 600, {{-1, 8000}, {600, 600}}, 2},
	{"it never went out",                "req_3", -1,  {{-1, -1}},               1},
	{"a known first, and a lost second", "req_4", 40,  {{40, 40}, {-1, 900}},    2},
};

static void check_charged(void)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	for (size_t i = 0; i < COUNT_OF(charges); i++) {
		struct exchange_record x = exchange(charges[i].id, DAY_US);
		x.usage.cost_nusd = charges[i].cost_nusd;
		x.attempts = (uint32_t)charges[i].n;
		insert(&x, NULL);
		for (size_t k = 0; k < charges[i].n; k++) {
			struct attempt_record a = attempt(charges[i].id, (uint32_t)k + 1, DAY_US);
			a.usage.cost_nusd = charges[i].attempts[k].cost_nusd;
			a.charged_nusd = charges[i].attempts[k].charged_nusd;
			insert(NULL, &a);
		}
	}
	struct report r = {.n_by = 0};
	is_err(report_usage(g, &r, &json, &why), OK, "asked for: %s", why.message);
	buf_byte(&json, '\0');
	ok(strstr(json.p, "\"charged_nusd\":78900,") != NULL,
		"what was charged for attempts without a cost, beside all costs: %s", json.p);
}

/* ---- estimates ---- */

static void check_estimates(void)
{
	struct fault why = FAULT_NONE;
	/* errors of -10 % to +10 %, in steps of 1 %, and one of another model that is far off */
	for (int i = -10; i <= 10; i++) {
		char id[REQUEST_ID_BYTES];
		(void)snprintf(id, sizeof id, "req_%02d", i + 10);
		const struct exchange_record x = exchange(id, DAY_US);
		struct attempt_record a = attempt(id, 1, DAY_US);
		a.usage.input = 400;
		a.usage.cache_read = 500;
		a.usage.cache_write_5m = 100;
		a.usage.output = 30;
		a.usage.reasoning = 20;
		a.estimate_input = 1000 + 10 * i;
		a.estimate_output = 200;
		insert(&x, &a);
	}
	const struct exchange_record x = exchange("req_far", DAY_US);
	struct attempt_record a = attempt("req_far", 1, DAY_US);
	snprintf(a.model, sizeof a.model, "far");
	a.usage.input = 1;
	a.estimate_input = 1000000;
	insert(&x, &a);
	a.number = 2; /* one that failed is none to go by, nor one of which nothing was expected */
	a.outcome = OUTCOME_FAILED;
	insert(NULL, &a);
	a.number = 3;
	a.outcome = OUTCOME_OK;
	a.estimate_input = -1;
	insert(NULL, &a);

	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	struct selection all = {.since_us = 0};
	is_err(report_estimates(g, &all, &json, &why), OK, "asked for: %s", why.message);
	buf_byte(&json, '\0');
	is_str(json.p,
		"{\"rows\":[{\"model\":\"openai/"
		"gpt-4o-mini\",\"requests\":21,\"mean_error_pct\":0.0,"
		"\"p50_error_pct\":5.0,\"p90_error_pct\":9.0,\"bounded\":21,\"mean_use_pct\":25.0,"
		"\"p50_use_pct\":25.0,\"p90_use_pct\":25.0},"
		"{\"model\":\"openai/far\",\"requests\":1,\"mean_error_pct\":99999900.0,"
		"\"p50_error_pct\":1000.0,\"p90_error_pct\":1000.0,\"bounded\":0,"
		"\"mean_use_pct\":null,\"p50_use_pct\":null,\"p90_use_pct\":null}]}",
		"all classes of input count, errors are with a sign, and without");
	all.only[DIM_APP] = SPAN("nobody");
	buf_clear(&json);
	is_err(report_estimates(g, &all, &json, &why), OK, "of an app");
	buf_byte(&json, '\0');
	is_str(json.p, "{\"rows\":[]}", "that has asked nothing");
}

/* ---- rows ---- */

static size_t rows_of(const struct buf *json, char *next, size_t size)
{
	struct json v;
	size_t n = 0;
	struct span text = SPAN_NONE;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, 65536);
	if (json_scan(buf_view(json), JSON_STRICT, &v, NULL) != OK)
		bail("it is no JSON");
	for (struct json_walk w = json_each(json_member(v, "rows")); json_next(&w);)
		n++;
	next[0] = '\0';
	if (!json_is_nil(json_member(v, "next")) &&
		json_utf8(json_member(v, "next"), &arena, &text) == OK)
		(void)snprintf(next, size, "%.*s", SPAN_ARG(text));
	return n;
}

static size_t all_of(enum export_table table, struct span app, int *pages)
{
	char next[64] = "";
	size_t n = 0;
	*pages = 0;
	do {
		OWNED(buf_done) struct buf json = BUF_INIT(16 * 1024 * 1024);
		struct fault why = FAULT_NONE;
		struct export e = {.table = table, .after = next[0] ? span_str(next) : SPAN_NONE};
		e.of.only[DIM_APP] = app;
		if (export_page(g, &e, &json, &why) != OK || buf_error(&json) != OK)
			bail("%s", why.message);
		char after[64];
		n += rows_of(&json, after, sizeof after);
		memcpy(next, after, sizeof next);
		++*pages;
	} while (next[0] && *pages < 100);
	return n;
}

static void check_export(void)
{
	struct fault why = FAULT_NONE;
	int pages;
	is_uint(all_of(EXPORT_EXCHANGES, SPAN_NONE, &pages), 0, "of an empty ledger nothing");
	is_int(pages, 1, "which is one page");
	struct exchange_record x[100];
	struct attempt_record a[100];
	for (int i = 0; i < 2500; i += 100) {
		for (int k = 0; k < 100; k++) {
			char id[REQUEST_ID_BYTES];
			(void)snprintf(id, sizeof id, "req_%05d", (i + k) / 5);
			a[k] = attempt(id, (uint32_t)((i + k) % 5) + 1, i);
			(void)snprintf(id, sizeof id, "req_%05d", i + k);
			x[k] = exchange(id, i + k);
			if ((i + k) % 2)
				memcpy(x[k].app, "odd", 4);
		}
		if (ledger_write(g, &(struct ledger_rows){x, 100, a, 100}, &why) != OK)
			bail("%s", why.message);
	}
	is_uint(all_of(EXPORT_EXCHANGES, SPAN_NONE, &pages), 2500, "all exchanges");
	is_int(pages, 3, "in pages");
	is_uint(all_of(EXPORT_EXCHANGES, SPAN("odd"), &pages), 1250, "those of one app");
	is_uint(all_of(EXPORT_ATTEMPTS, SPAN_NONE, &pages), 2500,
		"all attempts, also where a page "
		"ends between those of one exchange");
	is_uint(all_of(EXPORT_ATTEMPTS, SPAN("odd"), &pages), 1250, "those of one app");

	OWNED(buf_done) struct buf json = BUF_INIT(1024 * 1024);
	struct export e = {.table = EXPORT_ATTEMPTS, .after = SPAN("req_00000#x")};
	is_err(export_page(g, &e, &json, &why), ERR_INVALID_ARGUMENT, "after what is no place: %s",
		why.message);
	is_str(why.param, "after", "the member is named");
	e.after = SPAN("req_00499#4");
	is_err(export_page(g, &e, &json, &why), OK, "the last one");
	buf_byte(&json, '\0');
	ok(strncmp(json.p, "{\"columns\":[\"exchange_id\",\"number\",\"at_us\",\"provider\"", 50) ==
			0,
		"its columns are named: %s", json.p);
	ok(strstr(json.p,
		   "\"rows\":[[\"req_00499\",5,2400,\"openai\",\"gpt-4o-mini\",null,\"ok\",null,"
		   "200,null,0,") != NULL,
		"its values are in their order: %s", json.p);
}

/* ---- what was spent ---- */

static struct {
	size_t n;
	int64_t last_us;
	char text[1024];
} spent;

static void on_spending(void *context, const struct spending *row)
{
	char line[256];
	(void)context;
	spent.n++;
	spent.last_us = row->at_us;
	(void)snprintf(line, sizeof line, "%s/%s/%s/%s/%s/%s/%u/%" PRId64 "/%" PRId64 " ", row->app,
		row->policy, row->provider, row->key, row->model, row->asked, (unsigned)row->uid,
		row->at_us / 1000000, row->charged_nusd);
	strncat(spent.text, line, sizeof spent.text - strlen(spent.text) - 1);
}

static void check_spending(void)
{
	struct fault why = FAULT_NONE;
	const int64_t at = 1790000000000000 / (HOUR_US / 4) * (HOUR_US / 4);
	struct exchange_record x = exchange("req_1", at);
	memcpy(x.account.policy, "host", 5);
	struct attempt_record a = attempt("req_1", 1, at);
	a.usage.cost_nusd = 5; /* of version 1: at its bill */
	a.usage.provider_cost_nusd = 7;
	insert(&x, &a);
	a.number = 2;
	a.at_us = at + HOUR_US / 4 - 1;
	a.charged_nusd = 100; /* what budgets counted is what counts */
	insert(NULL, &a);
	a.number = 3;
	a.at_us = at + HOUR_US / 4;
	memcpy(a.key_label, "work", 5);
	insert(NULL, &a);
	a = attempt("req_1", 4, at); /* nothing is known */
	insert(NULL, &a);
	a = attempt("req_0", 1, at - 1);
	a.charged_nusd = 1000;
	insert(NULL, &a);
	x = exchange("req_2", at);
	x.uid = 1001;
	memcpy(x.account.policy, "host", 5);
	a = attempt("req_2", 1, at + 1);
	a.usage.cost_nusd = INT64_MAX;
	insert(&x, &a);
	a.number = 2;
	insert(NULL, &a);
	a = attempt("req_2", 3, at + 2 * HOUR_US);
	a.charged_nusd = 0; /* it was free */
	a.usage.cost_nusd = 3;
	insert(NULL, &a);

	is_err(ledger_spending(g, at, on_spending, NULL, &why), OK, "asked for: %s", why.message);
	char want[512];
	(void)snprintf(want, sizeof want,
		"notes/host/openai//gpt-4o-mini/mini/1000/%" PRId64 "/107 "
		"notes/host/openai//gpt-4o-mini/mini/1001/%" PRId64 "/%" PRId64 " "
		"notes/host/openai/work/gpt-4o-mini/mini/1000/%" PRId64 "/100 ",
		(at + HOUR_US / 4 - 1) / 1000000, at / 1000000, INT64_MAX,
		(at + HOUR_US / 4) / 1000000);
	is_str(spent.text, want, "by subject and quarter of an hour, from then on");
	spent.n = 0;
	is_err(ledger_spending(g, at - 1, on_spending, NULL, &why), OK, "and from before");
	is_uint(spent.n, 4, "one more, of an exchange without a row");
}

/* ---- what estimates are corrected by ---- */

static void on_lesson(void *context, const struct lesson *l)
{
	struct buf *told = context;
	buf_print(
		told, "%s/%s %" PRId64 ":%" PRId64 " ", l->provider, l->model, l->raw, l->reported);
}

static void check_lessons(void)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf told = BUF_INIT(4096);
	for (int i = 0; i < 5; i++) {
		struct attempt_record a = attempt("req_1", (uint32_t)i + 1, DAY_US - i);
		a.estimate_input = 777; /* as corrected */
		a.estimate_raw = 100 + i;
		a.usage.input = 200;
		a.usage.cache_read = i;
		insert(NULL, &a);
	}
	struct attempt_record a = attempt("req_2", 1, DAY_US);
	a.estimate_raw = 9;
	insert(NULL, &a); /* nothing was reported */
	a.number = 2;
	a.usage.input = 9;
	a.outcome = OUTCOME_CANCELLED;
	insert(NULL, &a);
	a.number = 3;
	a.outcome = OUTCOME_OK;
	a.estimate_raw = -1;
	insert(NULL, &a);
	a.number = 4;
	a.estimate_raw = 0;
	insert(NULL, &a);
	is_err(ledger_lessons(g, DAY_US - 3, 100, on_lesson, &told, &why), OK, "asked for: %s",
		why.message);
	buf_byte(&told, '\0');
	is_str(told.p,
		"openai/gpt-4o-mini 103:203 openai/gpt-4o-mini 102:202 "
		"openai/gpt-4o-mini 101:201 openai/gpt-4o-mini 100:200 ",
		"since then, the oldest first");
	buf_clear(&told);
	is_err(ledger_lessons(g, 0, 2, on_lesson, &told, &why), OK, "a few");
	buf_byte(&told, '\0');
	is_str(told.p, "openai/gpt-4o-mini 101:201 openai/gpt-4o-mini 100:200 ",
		"are the last ones");
}

/* ---- what providers' own caches saved ---- */

/* USD 3 for a million tokens, 0.30 for those that are read, 3.75 and 6 for those that are written. */
#define SONNET                                \
	((struct price){.input = 3000000000,  \
		.output = 15000000000,        \
		.cache_read = 300000000,      \
		.cache_write_5m = 3750000000, \
		.cache_write_1h = 6000000000, \
		.reasoning = -1,              \
		.audio_input = -1,            \
		.audio_output = -1,           \
		.image_input = -1,            \
		.image_output = -1})

static void fill_prompts(void)
{
	const struct {
		const char *id, *app, *cache;
		int64_t read, write_5m, write_1h;
		bool is_priced;
	} kept[] = {
		{"reads",    "a", "",    10000, -1,   -1,   true }, /* 27,000,000 saved */
		{"writes",   "a", "",    0,     2000, -1,   true }, /* 1,500,000 spent */
		{"hour",     "b", "",    -1,    -1,   1000, true }, /* 3,000,000 spent */
		{"unpriced", "c", "",    5,     -1,   -1,   false}, /* nobody knows */
		{"hit",      "a", "hit", 10000, -1,   -1,   true }, /* ours, not theirs */
	};
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		struct exchange_record x = exchange(kept[i].id, DAY_US);
		struct attempt_record a = attempt(kept[i].id, 1, DAY_US);
		snprintf(x.app, sizeof x.app, "%s", kept[i].app);
		snprintf(x.cache, sizeof x.cache, "%s", kept[i].cache);
		x.usage.cache_read = kept[i].read;
		x.usage.cache_write_5m = kept[i].write_5m;
		x.usage.cache_write_1h = kept[i].write_1h;
		x.price = kept[i].is_priced ? SONNET : PRICE_UNKNOWN;
		a.usage = x.usage;
		a.price = x.price;
		a.has_sent_body = true;
		insert(&x, kept[i].cache[0] ? NULL : &a);
	}
}

static void is_saved(const char *app, enum report_of what, const char *want)
{
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf json = BUF_INIT(65536);
	struct report r = {.what = what};
	r.of.only[DIM_APP] = span_str(app);
	is_err(report_usage(g, &r, &json, &why), OK, "of %s", app);
	buf_byte(&json, '\0');
	const char *at = strstr(json.p, "\"prompt_saved_nusd\":");
	is_str(at ? at : "", want, "saved of %s%s", app,
		what == REPORT_BILLED ? ", as it may be billed" : "");
}

static void check_prompts(void)
{
	fill_prompts();
	for (int what = REPORT_REQUESTS; what <= REPORT_BILLED; what++) {
		is_saved("a", (enum report_of)what, "\"prompt_saved_nusd\":25500000}}");
		is_saved("b", (enum report_of)what, "\"prompt_saved_nusd\":-3000000}}");
		is_saved("c", (enum report_of)what, "\"prompt_saved_nusd\":null}}");
		is_saved("*", (enum report_of)what, "\"prompt_saved_nusd\":22500000}}");
	}
}

int main(void)
{
	void (*const checks[])(void) = {check_usage, check_choices, check_billed, check_clock,
		check_drift, check_charged, check_estimates, check_export, check_spending,
		check_lessons, check_prompts};
	for (size_t i = 0; i < COUNT_OF(checks); i++) {
		begin();
		checks[i]();
		end();
	}
	return tap_done();
}
