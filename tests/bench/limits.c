/* limits.c - what do limits and accounts cost the loop, for each call?
 *
 * The time that all of a call's path through them takes of the loop's thread: what is left of its budgets, the claim on
 * all that it falls under, the reservation in the journal, what the provider says of its rates, the truth to limits
 * and journal. A group of calls a turn, some of them open at a time. Without limits, with a few, with as many as one
 * call may fall under. Prints Markdown. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/config/limits_file.h"
#include "brokerd/ledger/journal.h"
#include "brokerd/ledger/ledger.h"
#include "brokerd/limit/limiter.h"
#include "brokerd/log/log.h"
#include "tests/lib/bench.h"

#define GROUP  64 /* calls that are open at a time */
#define ROUNDS 400
#define APPS   50

enum stage {
	CLAIM,
	RESERVE,
	LEARN,
	SETTLE,
	ACCOUNT,
	STAGES,
};
static const char *const stage_names[STAGES] = {
	"claim", "reserve (journal)", "learn", "settle", "account (journal)"};

struct bench {
	struct loop *loop;
	struct workers *workers;
	struct ledger *ledger;
	struct journal *journal;
	struct limiter *limiter;
	struct config *config;
	struct loop_timer timer;
	char dir[40];
	int64_t ns[STAGES + 1][ROUNDS];
	struct limit_hold holds[GROUP];
	unsigned n;
};

static const char few[] =
	"[limit \"daily\"]\nbudget = 1000/day\nsoft_budget = 900/day\nzone = UTC\n"
	"[limit \"apps\"]\neach = app\nbudget = 100/week\nwindow = rolling\n"
	"[limit \"pace\"]\neach = user\nrequests = 1000000/minute\ntokens = 900000000/minute\n"
	"[limit \"host\"]\nprovider = openai\nconcurrency = 1000\n";

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void on_fire(struct loop_timer *t)
{
	loop_stop(container_of(t, struct bench, timer)->loop);
}

static struct limit_now now(const struct bench *b)
{
	return (struct limit_now){
		.mono_us = loop_now_us(b->loop), .wall_us = loop_wall_us(b->loop)};
}

static void begin(struct bench *b, struct span limits)
{
	struct fault why = FAULT_NONE;
	*b = (struct bench){.dir = "/tmp/bench_limits.XXXXXX", .timer = {.on_fire = on_fire}};
	b->loop = loop_new(&why);
	b->workers = b->loop && mkdtemp(b->dir) ? workers_new(b->loop, 1, &why) : NULL;
	b->ledger = b->workers ? ledger_open(b->dir, &why) : NULL;
	b->journal = b->ledger ? journal_open(b->dir, b->ledger, b->loop, b->workers, &why) : NULL;
	b->config = b->journal ? config_parse(limits, "bench", &why) : NULL;
	b->limiter = b->config ? limiter_new() : NULL;
	if (!b->limiter)
		bench_die("cannot begin: %s", why.message);
	const struct limit_now at = now(b);
	limiter_configure(b->limiter, b->config, &at);
}

static void end(struct bench *b)
{
	char command[64];
	limiter_free(b->limiter);
	config_unref(b->config);
	journal_close(b->journal);
	workers_free(b->workers);
	ledger_close(b->ledger);
	loop_free(b->loop);
	(void)snprintf(command, sizeof command, "rm -rf %s", b->dir);
	if (system(command) != 0)
		bench_die("cannot remove %s", b->dir);
}

static void subject_of(unsigned i, char app[16], struct limit_subject *out)
{
	(void)snprintf(app, 16, "app-%u", i % APPS);
	*out = (struct limit_subject){.app = span_str(app),
		.policy = SPAN("host"),
		.provider = SPAN("openai"),
		.key = SPAN(""),
		.model = SPAN("gpt-4o-mini"),
		.asked = SPAN("openai/gpt-4o-mini"),
		.uid = 1000};
}

static void claim(struct bench *b, unsigned i)
{
	char app[16];
	struct limit_subject s;
	struct limit_answer answer;
	const struct limit_need need = {400, 1000, 700000};
	const struct limit_now at = now(b);
	subject_of(i, app, &s);
	if (limiter_left_nusd(b->limiter, &s, &at) < need.nusd)
		bench_die("the budget is spent");
	limiter_take(b->limiter, &s, &need, &at, &b->holds[i % GROUP], &answer);
	if (answer.verdict != LIMIT_HELD)
		bench_die("refused: %s", answer.why.message);
}

static void name(unsigned i, char id[REQUEST_ID_BYTES])
{
	(void)snprintf(id, REQUEST_ID_BYTES, "req_%026u", i);
}

static void reserve(struct bench *b, unsigned i)
{
	struct fault why = FAULT_NONE;
	struct reserve_record r = {.number = 1,
		.at_us = loop_wall_us(b->loop),
		.uid = 1000,
		.app = "app",
		.op = "chat",
		.model = "openai/gpt-4o-mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.estimate_input = 1600,
		.estimate_output = 1000,
		.estimate_nusd = 700000};
	name(i, r.id);
	if (journal_reserve(b->journal, &r, &why) != OK)
		bench_die("%s", why.message);
}

static void learn(struct bench *b, unsigned i)
{
	char app[16];
	struct limit_subject s;
	struct rates said = RATES_UNKNOWN;
	const struct limit_now at = now(b);
	said.requests = (struct rate){1000000, 900000, 60000};
	said.tokens = (struct rate){1000000000, 900000000, 60000};
	subject_of(i, app, &s);
	limiter_learn(b->limiter, &s, &said, 0, &at);
}

static void settle(struct bench *b, unsigned i)
{
	const struct limit_use use = {380, 240, 201000};
	const struct limit_now at = now(b);
	limiter_settle(&b->holds[i % GROUP], &use, &at);
}

static void account(struct bench *b, unsigned i)
{
	struct fault why = FAULT_NONE;
	struct attempt_record a = {.number = 1,
		.at_us = loop_wall_us(b->loop),
		.provider = "openai",
		.model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.http_status = 200,
		.has_sent_body = true,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN,
		.charged_nusd = 201000};
	struct exchange_record x = {.at_us = a.at_us,
		.uid = 1000,
		.app = "app",
		.op = "chat",
		.model = "openai/gpt-4o-mini",
		.provider = "openai",
		.target_model = "gpt-4o-mini",
		.outcome = OUTCOME_OK,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	name(i, a.id);
	name(i, x.id);
	if (journal_attempt(b->journal, &a, &why) != OK ||
		journal_settle(b->journal, &x, &why) != OK)
		bench_die("%s", why.message);
}

static void (*const stages[STAGES])(struct bench *b, unsigned i) = {
	claim, reserve, learn, settle, account};

static void group(struct bench *b, int round)
{
	b->ns[STAGES][round] = 0;
	for (size_t s = 0; s < STAGES; s++) {
		const int64_t from = bench_now_ns();
		for (unsigned i = 0; i < GROUP; i++)
			stages[s](b, b->n + i);
		b->ns[s][round] = bench_now_ns() - from;
		b->ns[STAGES][round] += b->ns[s][round];
	}
	b->n += GROUP;
}

/* The loop turns, and the worker writes. */
static void turn(struct bench *b)
{
	loop_timer_set(b->loop, &b->timer, 1000);
	loop_run(b->loop);
}

static void say(const char *name, const char *stage, int64_t ns[ROUNDS])
{
	qsort(ns, ROUNDS, sizeof *ns, by_size);
	printf("| %s | %s | %.2f | %.2f |\n", name, stage, (double)ns[ROUNDS / 2] / GROUP / 1000,
		(double)ns[ROUNDS * 99 / 100] / GROUP / 1000);
}

static void measure(const char *name, struct span limits)
{
	static struct bench b;
	begin(&b, limits);
	for (int i = 0; i < ROUNDS; i++) {
		group(&b, i);
		turn(&b);
	}
	for (size_t s = 0; s < STAGES; s++)
		say(name, stage_names[s], b.ns[s]);
	say(name, "all", b.ns[STAGES]);
	end(&b);
}

/* As many as one call may fall under. */
static void put_many(struct buf *to)
{
	static const char *const each[] = {"app", "user", "policy", "provider", "key", "model"};
	for (unsigned i = 0; i < 15; i++)
		buf_print(to,
			"[limit \"l%u\"]\neach = %s\neach = %s\nbudget = 1000/%s\nrequests = "
			"1000000/minute\n"
			"tokens = 900000000/minute\nconcurrency = 1000\nzone = UTC\n",
			i, each[i % 6], each[(i / 6 + i + 1) % 6], i % 2 ? "day" : "month");
}

int main(int argc, char **argv)
{
	bench_options(argc, argv,
		"limits: what do limits and accounts cost the loop, for each call?", NULL, 0);
	if (sodium_init() < 0)
		bench_die("no libsodium");
	log_init(LOG_LEVEL_ERROR, STDERR_FILENO);
	OWNED(buf_done) struct buf many = BUF_INIT(LIMITS_BYTES);
	put_many(&many);
	printf("| limits | of a call's path | us, half of the calls | us, 99 %% |\n| --- | --- | "
	       "--: | --: |\n");
	measure("none", SPAN(""));
	measure("4", span_str(few));
	measure("15", buf_view(&many));
	return 0;
}
