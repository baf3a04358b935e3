/* cmd_budget.c - how much may be had and spent, how much was, and when does it begin anew? */
#include <inttypes.h>
#include <stdio.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/peer.h"
#include "protocol/base/num.h"

struct budget {
	struct common common;
	struct text_list usd, soft, apps, users, providers, keys, models, policies, each;
	const char *requests, *tokens, *input, *output, *zone;
	int64_t concurrency; /* 0: not said */
	bool is_rolling;
};

/* ---- what there is ---- */

#define COLUMNS 5

/* "app=notes user=1000": whose count it is. */
static void put_of(struct buf *out, struct json of, struct arena *a)
{
	for (struct json_walk w = json_each(of); json_next(&w);) {
		struct span text;
		if (out->n > 0)
			buf_byte(out, ' ');
		buf_print(out, "%.*s=", SPAN_ARG(w.name));
		if (json_utf8(w.value, a, &text) == OK)
			buf_span(out, text);
		else
			buf_span(out, w.value.text);
	}
}

static void row(struct table *t, struct span name, struct span of, struct span used,
	struct span limit, struct span anew)
{
	table_cell(t, name);
	table_cell(t, of);
	table_cell(t, used);
	table_cell(t, limit);
	table_cell(t, anew);
}

/* "60 requests/minute", in the unit of time that it is a whole one of. */
static void put_rate(struct buf *out, int64_t limit, struct span what, int64_t per_ms)
{
	/* clang-format off */
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{1000, "second"}, {60000, "minute"}, {3600000, "hour"}, {86400000, "day"}};
	/* clang-format on */
	buf_print(out, "%" PRId64 " %.*s", limit, SPAN_ARG(what));
	for (size_t i = 0; i < COUNT_OF(units); i++) {
		if (per_ms == units[i].ms) {
			buf_print(out, "/%s", units[i].name);
			return;
		}
	}
	if (per_ms > 0 && per_ms % 1000 == 0)
		buf_print(out, "/%" PRId64 "s", per_ms / 1000);
	else if (per_ms > 0)
		buf_print(out, "/%" PRId64 "ms", per_ms);
}

static void row_of_rate(
	struct table *t, struct span name, struct span of, struct span what, struct json v)
{
	OWNED(buf_done) struct buf used = BUF_INIT(64), limit = BUF_INIT(128);
	const bool is_count = span_is(what, "concurrency");
	buf_print(&used, "%" PRId64, number_of(v, "used"));
	put_rate(&limit, number_of(v, "limit"), is_count ? SPAN("at a time") : what,
		number_of(v, "per_ms"));
	row(t, name, of, buf_view(&used), buf_view(&limit),
		is_count ? SPAN("") : SPAN("as time passes"));
}

static void row_of_budget(
	struct table *t, struct span name, struct span of, struct json v, struct arena *a)
{
	OWNED(buf_done) struct buf used = BUF_INIT(128), limit = BUF_INIT(128), anew = BUF_INIT(64);
	const int64_t reserved_nusd = number_of(v, "reserved_nusd");
	const int64_t until_s = number_of(v, "until_s");
	put_usd(&used, number_of(v, "spent_nusd"));
	if (reserved_nusd > 0) {
		buf_text(&used, " + ");
		put_usd(&used, reserved_nusd);
		buf_text(&used, " under way");
	}
	put_usd(&limit, number_of(v, "limit_nusd"));
	buf_print(&limit, " USD/%.*s%s", SPAN_ARG(text_of(v, "period", a)),
		json_is_true(json_member(v, "soft")) ? ", soft" : "");
	if (until_s > 0)
		put_time(&anew, until_s);
	else
		buf_text(&anew, "as time passes");
	row(t, name, of, buf_view(&used), buf_view(&limit), buf_view(&anew));
}

static void rows_of_counter(struct table *t, struct span name, struct json counter, struct arena *a)
{
	OWNED(buf_done) struct buf of = BUF_INIT(SAY_BYTES_MAX);
	put_of(&of, json_member(counter, "of"), a);
	for (struct json_walk w = json_each(counter); json_next(&w);) {
		if (span_is(w.name, "of") || json_kind(w.value) != JSON_OBJECT)
			continue;
		row_of_rate(t, name, buf_view(&of), w.name, w.value);
	}
	for (struct json_walk w = json_each(json_member(counter, "budgets")); json_next(&w);)
		row_of_budget(t, name, buf_view(&of), w.value, a);
}

static void rows_of_limit(struct table *t, struct json limit, struct arena *a)
{
	const struct span name = text_of(limit, "name", a);
	const size_t before = t->n;
	for (struct json_walk w = json_each(json_member(limit, "counters")); json_next(&w);)
		rows_of_counter(t, name, w.value, a);
	if (t->n == before)
		row(t, name, SPAN("nobody yet"), SPAN(""), SPAN(""), SPAN(""));
}

static void say_list(const struct answer *answer)
{
	static const char *const heads[COLUMNS] = {"LIMIT", "OF", "USED", "OF AT MOST", "ANEW"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	const struct json limits = json_member(answer->json, "limits");
	arena_init(&arena, SAY_BYTES_MAX);
	table_begin(&t, COLUMNS, 1u << 2);
	for (size_t i = 0; i < COLUMNS; i++)
		table_text(&t, heads[i]);
	const size_t before = t.n;
	for (struct json_walk w = json_each(limits); json_next(&w);)
		rows_of_limit(&t, w.value, &arena);
	const bool has_any = t.n > before;
	table_end(&t, &out);
	if (has_any)
		say_out(&out);
	else
		say_err("nothing is limited: `llmb budget set daily --usd 5/day` sets a budget");
}

/* Where each was said, and for whom it is. */
static void say_shown(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	say_list(answer);
	for (struct json_walk w = json_each(json_member(answer->json, "limits")); json_next(&w);) {
		for (struct json_walk f = json_each(json_member(w.value, "for")); json_next(&f);) {
			buf_print(&out, "for %.*s:", SPAN_ARG(f.name));
			for (struct json_walk l = json_each(f.value); json_next(&l);) {
				struct span text;
				buf_byte(&out, ' ');
				buf_span(&out, json_utf8(l.value, &arena, &text) == OK
						       ? text
						       : l.value.text);
			}
			buf_byte(&out, '\n');
		}
		buf_print(&out, "said in: %.*s\n", SPAN_ARG(text_of(w.value, "said_at", &arena)));
	}
	say_out(&out);
}

static int ask_list(const struct common *o, const char *name, void (*say)(const struct answer *a))
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	if (name)
		json_pair_str(&q.out, "name", span_str(name));
	if (!broker_ask(o, "budget.list", &q, &answer))
		return answer.exit_code;
	if (o->is_json)
		say_answer(&answer);
	else
		say(&answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_list(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = 0};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	return ask_list(&o.common, n > 0 ? words[0] : NULL, say_list);
}

static int run_show(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = 0};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	return code == OPTIONS_GO_ON ? ask_list(&o.common, words[0], say_shown) : code;
}

/* ---- what is set by hand ---- */

static void put_text(struct question *q, const char *key, const char *text)
{
	if (text)
		json_pair_str(&q->out, key, span_str(text));
}

static void put_list(struct question *q, const char *key, const struct text_list *list)
{
	if (list->n == 0)
		return;
	json_key(&q->out, key);
	json_open(&q->out, '[');
	for (size_t i = 0; i < list->n; i++)
		json_put_str(&q->out, span_str(list->items[i]));
	json_close(&q->out, ']');
}

/* As keys of a [limit] section: the broker knows which of them are good. */
static void put_keys(struct question *q, const struct budget *o)
{
	char count[24];
	json_key(&q->out, "keys");
	json_open(&q->out, '{');
	put_list(q, "app", &o->apps);
	put_list(q, "user", &o->users);
	put_list(q, "policy", &o->policies);
	put_list(q, "provider", &o->providers);
	put_list(q, "key", &o->keys);
	put_list(q, "model", &o->models);
	put_list(q, "each", &o->each);
	put_list(q, "budget", &o->usd);
	put_list(q, "soft_budget", &o->soft);
	put_text(q, "requests", o->requests);
	put_text(q, "tokens", o->tokens);
	put_text(q, "input_tokens", o->input);
	put_text(q, "output_tokens", o->output);
	put_text(q, "zone", o->zone);
	put_text(q, "window", o->is_rolling ? "rolling" : NULL);
	(void)snprintf(count, sizeof count, "%" PRId64, o->concurrency);
	put_text(q, "concurrency", o->concurrency > 0 ? count : NULL);
	json_close(&q->out, '}');
}

static int change(const struct budget *o, const char *op, struct question *q, const char *said)
{
	struct answer answer;
	if (!broker_ask(&o->common, op, q, &answer))
		return answer.exit_code;
	if (o->common.is_json)
		say_answer(&answer);
	else if (!o->common.is_quiet)
		say_err("%s", said);
	answer_done(&answer);
	return EXIT_GOOD;
}

static int run_set(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = 0};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (o.usd.n + o.soft.n == 0 && !o.requests && !o.tokens && !o.input && !o.output &&
		o.concurrency == 0)
		return options_refuse(self,
			"how much? --usd, --soft, --requests, --tokens or --concurrency says it");
	question_begin(&q);
	json_pair_str(&q.out, "name", span_str(words[0]));
	put_keys(&q, &o);
	return change(&o, "budget.set", &q, "set; `llmb budget show` says what is used of it");
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = 0};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "name", span_str(words[0]));
	return change(&o, "budget.remove", &q, "removed");
}

#define BUDGET(field) offsetof(struct budget, field)
/* clang-format off */
static const struct option_row set_rows[] = {
	{'\0', "usd",           "N/TIME",  "dollars in an hour, day, week or month, as 5/day; may repeat", OPTION_LIST, BUDGET(usd)},
	{'\0', "soft",          "N/TIME",  "the same, but nobody is refused: it is said when it is over", OPTION_LIST, BUDGET(soft)},
	{'\0', "requests",      "N/TIME",  "calls in a time, as 60/minute", OPTION_TEXT, BUDGET(requests)},
	{'\0', "tokens",        "N/TIME",  "tokens in a time", OPTION_TEXT, BUDGET(tokens)},
	{'\0', "input-tokens",  "N/TIME",  "of those that are sent", OPTION_TEXT, BUDGET(input)},
	{'\0', "output-tokens", "N/TIME",  "of those that are answered", OPTION_TEXT, BUDGET(output)},
	{'\0', "concurrency",   "N",       "calls at a time", OPTION_COUNT, BUDGET(concurrency)},
	{'\0', "app",           "PATTERN", "whose calls, as `llmb usage` calls them; may repeat", OPTION_LIST, BUDGET(apps)},
	{'\0', "user",          "USER",    "of which user; may repeat", OPTION_LIST, BUDGET(users)},
	{'\0', "policy",        "PATTERN", "let in by which rule; may repeat", OPTION_LIST, BUDGET(policies)},
	{'\0', "provider",      "PATTERN", "to which provider; may repeat", OPTION_LIST, BUDGET(providers)},
	{'\0', "key",           "PATTERN", "with which of its keys; may repeat", OPTION_LIST, BUDGET(keys)},
	{'m',  "model",         "PATTERN", "to which model; may repeat", OPTION_LIST, BUDGET(models)},
	{'\0', "each",          "WHAT",    "all of it for each app, user, policy, provider, key or model; may repeat", OPTION_LIST, BUDGET(each)},
	{'\0', "rolling",       NULL,      "what was spent in the last hour, day, week or month counts", OPTION_FLAG, BUDGET(is_rolling)},
	{'\0', "zone",          "ZONE",    "where a day begins: Europe/Berlin, UTC; else here", OPTION_TEXT, BUDGET(zone)},
};
/* clang-format on */

static const struct command budget_list = {
	.name = "budget list",
	.args = "[NAME]",
	.summary = "how much of each limit is used, and when it begins anew",
	.run = run_list,
};

static const struct command budget_show = {
	.name = "budget show",
	.args = "NAME",
	.summary = "the same of one, whom it is for, and where that was said",
	.run = run_show,
};

static const struct command budget_set = {
	.name = "budget set",
	.args = "NAME",
	.summary = "limit what may be spent or had",
	.examples = "  llmb budget set daily --usd 5/day --soft 4/day\n"
		    "  llmb budget set fair --requests 60/minute --each app\n"
		    "  llmb budget set night --usd 20/month --model 'anthropic/*' --zone UTC\n",
	.notes = "What is set here is kept beside the configuration, whose own [limit] sections "
		 "are "
		 "changed there.\nOf a limit that is there only what is said now changes.\n",
	.rows = set_rows,
	.n_rows = COUNT_OF(set_rows),
	.run = run_set,
};

static const struct command budget_remove = {
	.name = "budget remove",
	.args = "NAME",
	.summary = "take a limit away that was set by hand",
	.run = run_remove,
};

static const struct command *const subcommands[] = {
	&budget_list, &budget_show, &budget_set, &budget_remove};

const struct command command_budget = {
	.name = "budget",
	.args = "list|show|set|remove",
	.summary = "how much may be spent or had, and how much was",
	.run = run_group,
	.subcommands = subcommands,
	.n_subcommands = COUNT_OF(subcommands),
};
