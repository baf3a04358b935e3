/* cmd_usage.c - what was spent, by whom and on what? */
#include <inttypes.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/when.h"
#include "protocol/base/num.h"

struct usage {
	struct common common;
	const char *by, *since, *until;
};

static void table_usd(struct table *t, int64_t nusd)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	put_usd(&b, nusd);
	table_cell(t, buf_view(&b));
}

/* All input together, as providers and people count it; -1 where no class is known. */
static int64_t input_of(struct json row)
{
	static const char *const classes[] = {"input", "cache_read", "cache_write"};
	int64_t sum = -1;
	for (size_t i = 0; i < COUNT_OF(classes); i++) {
		const int64_t n = number_of(row, classes[i]);
		if (n >= 0)
			sum = sum < 0 ? n : num_add_sat(sum, n);
	}
	return sum;
}

static int64_t output_of(struct json row)
{
	const int64_t visible = number_of(row, "output"), thought = number_of(row, "reasoning");
	if (visible < 0 || thought < 0)
		return visible < 0 ? thought : visible;
	return num_add_sat(visible, thought);
}

static void table_row(struct table *t, struct span key, struct json row)
{
	table_cell(t, key);
	table_i64(t, number_of(row, "requests"));
	table_i64(t, number_of(row, "failed"));
	table_i64(t, number_of(row, "unknown"));
	table_i64(t, input_of(row));
	table_i64(t, number_of(row, "cache_read"));
	table_i64(t, output_of(row));
	table_usd(t, number_of(row, "cost_nusd"));
}

static void say_usage(const struct usage *o, const struct answer *answer)
{
	static const char *const head[] = {
		"", "REQUESTS", "FAILED", "UNKNOWN", "IN", "CACHED", "OUT", "USD"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct json total = json_member(answer->json, "total");
	const struct json rows = json_member(answer->json, "rows");
	table_begin(&t, COUNT_OF(head), 0xfe);
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(&t, head[i]);
	for (struct json_walk w = json_each(rows); o->by && json_next(&w);) {
		const struct span key = text_of(w.value, "key", &arena);
		table_row(&t, key.n > 0 ? key : SPAN("(unnamed)"), w.value);
	}
	table_row(&t, SPAN("total"), total);
	table_end(&t, &out);
	say_out(&out);
	const int64_t unpriced = number_of(total, "unpriced");
	if (unpriced > 0 && !o->common.is_quiet)
		say_err("note: %" PRId64
			" requests have no known price, and are not in USD: set price_input and "
			"price_output of their [model]",
			unpriced);
}

static int run(const struct command *self, int argc, char **argv)
{
	static const char *const ways[] = {"app", "model", "provider", "day"};
	struct usage o = {.by = NULL};
	struct question q;
	struct answer answer;
	int64_t since_s = -1, until_s = -1;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	bool is_way = !o.by;
	for (size_t i = 0; i < COUNT_OF(ways); i++)
		is_way = is_way || span_is(span_str(o.by), ways[i]);
	if (!is_way)
		return options_refuse(self, "--by %s: app, model, provider or day is wanted", o.by);
	if (o.since && !read_time(o.since, &since_s))
		return options_refuse(self, "--since %s: 24h, 7d or 2026-01-31 is wanted", o.since);
	if (o.until && !read_time(o.until, &until_s))
		return options_refuse(self, "--until %s: 24h, 7d or 2026-01-31 is wanted", o.until);
	question_begin(&q);
	json_pair_str(&q.out, "by", span_str(o.by ? o.by : "none"));
	if (since_s >= 0)
		json_pair_i64(&q.out, "since_s", since_s);
	if (until_s >= 0)
		json_pair_i64(&q.out, "until_s", until_s);
	if (!broker_ask(&o.common, "usage", &q, &answer))
		return answer.exit_code;
	if (o.common.is_json)
		say_answer(&answer);
	else
		say_usage(&o, &answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

#define USAGE(field) offsetof(struct usage, field)
static const struct option_row rows[] = {
	{'\0', "by",    "WHAT", "a line for each app, model, provider or day", OPTION_TEXT, USAGE(by)   },
	{'\0', "since", "TIME", "from then on: 24h, 7d, or a day: 2026-01-31", OPTION_TEXT,
         USAGE(since)										   },
	{'\0', "until", "TIME", "up to then",                                  OPTION_TEXT, USAGE(until)},
};

const struct command command_usage = {
	.name = "usage",
	.args = "",
	.summary = "what was spent, by whom and on what",
	.examples = "  llmb usage --by app --since 7d\n"
		    "  llmb usage --by model --since 2026-01-01 --json\n",
	.notes = "UNKNOWN are requests whose end the broker never saw; they may have cost "
		 "something.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
