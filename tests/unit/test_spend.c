/* test_spend.c - what of the ledger is said to have been spent at a provider, and on which day. */
#include "brokerd/ledger/spend.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define DAY_S INT64_C(86400)

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static struct attempt_record attempt(const char *id, int64_t at_s, const char *model)
{
	struct attempt_record a = {.number = 1,
		.at_us = at_s * 1000000,
		.provider = "openai",
		.outcome = OUTCOME_OK,
		.has_sent_body = true,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN};
	fault_text(a.id, sizeof a.id, span_str(id));
	fault_text(a.model, sizeof a.model, span_str(model));
	return a;
}

static void put(struct ledger *g, const struct attempt_record *a, const char *op)
{
	struct fault why = FAULT_NONE;
	struct exchange_record x = {.at_us = a->at_us,
		.outcome = a->outcome,
		.attempts = 1,
		.usage = USAGE_UNKNOWN,
		.price = PRICE_UNKNOWN,
		.provider = "elsewhere"}; /* who answered in the end */
	memcpy(x.id, a->id, sizeof x.id);
	if (op)
		fault_text(x.op, sizeof x.op, span_str(op));
	const struct ledger_rows rows = {&x, op ? 1 : 0, a, 1};
	is_err(ledger_write(g, &rows, &why), OK, "%s is written", a->id);
}

static void fill(struct ledger *g)
{
	struct attempt_record a = attempt("ok", DAY_S + 5, "m");
	a.usage.input = 100, a.usage.cache_read = 50, a.usage.output = 7, a.usage.reasoning = 3;
	a.usage.cost_nusd = 1000;
	put(g, &a, "chat");
	a = attempt("theirs", DAY_S + 6, "m"); /* their own figure goes before ours */
	a.usage.cost_nusd = 500, a.usage.provider_cost_nusd = 600;
	put(g, &a, "chat");
	a = attempt("failed", DAY_S + 7, "m"); /* and cost nothing */
	a.outcome = OUTCOME_FAILED, a.http_status = 429;
	put(g, &a, "chat");
	a = attempt("failed_late", DAY_S + 8, "m"); /* after it had used something */
	a.outcome = OUTCOME_FAILED, a.usage.input = 10, a.usage.cost_nusd = 40;
	put(g, &a, "chat");
	a = attempt("unknown", DAY_S + 9, "n");
	a.outcome = OUTCOME_UNKNOWN, a.usage.cost_nusd = 70;
	put(g, &a, "chat");
	a = attempt("unpriced", DAY_S + 10, "n");
	a.usage.input = 1;
	put(g, &a, "chat");
	a = attempt("under_way", DAY_S + 11, "n"); /* its exchange has no row yet */
	a.usage.cost_nusd = 5;
	put(g, &a, NULL);
	a = attempt("list", DAY_S + 12, "models");
	put(g, &a, "models");
	a = attempt("count", DAY_S + 12, "m");
	a.usage.input = 1000;
	put(g, &a, "count");
	a = attempt("unsent", DAY_S + 13, "m");
	a.has_sent_body = false;
	put(g, &a, "chat");
	a = attempt("other", DAY_S + 14, "m");
	fault_text(a.provider, sizeof a.provider, SPAN("anthropic"));
	put(g, &a, "chat");
	a = attempt("keyed", DAY_S + 15, "m");
	fault_text(a.key_label, sizeof a.key_label, SPAN("work"));
	a.usage.cost_nusd = 9;
	put(g, &a, "chat");
	a = attempt("last_moment", 2 * DAY_S - 1, "p");
	a.usage.cost_nusd = INT64_MAX;
	put(g, &a, "chat");
	a = attempt("last_moment_too", 2 * DAY_S - 1, "p");
	a.usage.cost_nusd = INT64_MAX;
	put(g, &a, "chat");
	a = attempt("next_day", 2 * DAY_S, "m");
	a.usage.cost_nusd = 2;
	put(g, &a, "chat");
	a = attempt("day_after", 3 * DAY_S, "m");
	put(g, &a, "chat");
}

#define NONE "\"input\":null,\"cache_read\":null,\"cache_write\":null,\"output\":null,"

int main(void)
{
	static const int64_t starts[] = {DAY_S, 2 * DAY_S, 3 * DAY_S};
	const struct spend_query q = {SPAN("openai"), starts, 2};
	struct fault why = FAULT_NONE;
	OWNED(buf_done) struct buf json = BUF_INIT(64 * 1024);
	snprintf(dir, sizeof dir, "/tmp/test_spend.XXXXXX");
	if (!mkdtemp(dir))
		bail("no folder in /tmp");
	struct ledger *g = ledger_open(dir, &why);
	if (!g)
		bail("no ledger: %s", why.message);
	fill(g);
	is_err(ledger_spend(g, &q, &json, &why), OK, "it is told: %s", why.message);
	buf_byte(&json, '\0');
	is_str(json.p,
		"{\"rows\":["
		"{\"at_s\":86400,\"model\":\"m\",\"key\":\"\",\"requests\":3,\"unknown\":0,"
		"\"unpriced\":0,\"input\":110,\"cache_read\":50,\"cache_write\":null,\"output\":10,"
		"\"cost_nusd\":1640},"
		"{\"at_s\":86400,\"model\":\"m\",\"key\":\"work\",\"requests\":1,\"unknown\":0,"
		"\"unpriced\":0," NONE "\"cost_nusd\":9},"
		"{\"at_s\":86400,\"model\":\"n\",\"key\":\"\",\"requests\":3,\"unknown\":1,"
		"\"unpriced\":1,\"input\":1,\"cache_read\":null,\"cache_write\":null,"
		"\"output\":null,\"cost_nusd\":75},"
		"{\"at_s\":86400,\"model\":\"p\",\"key\":\"\",\"requests\":2,\"unknown\":0,"
		"\"unpriced\":0," NONE "\"cost_nusd\":9223372036854775807},"
		"{\"at_s\":172800,\"model\":\"m\",\"key\":\"\",\"requests\":1,\"unknown\":0,"
		"\"unpriced\":0," NONE "\"cost_nusd\":2}]}",
		"what may have been billed, by day, model and key");
	OWNED(buf_done) struct buf small = BUF_INIT(100);
	is_err(ledger_spend(g, &q, &small, &why), ERR_TOO_BIG, "more than fits is refused");
	ledger_close(g);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
