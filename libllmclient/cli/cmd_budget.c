/* cmd_budget.c - how much may be had and spent, how much was, and when does it begin anew? */
#include <inttypes.h>
#include <stdio.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/limits_view.h"

struct budget {
	struct common common;
	struct text_list usd, soft, apps, users, providers, keys, models, policies, each, without;
	const char *requests, *tokens, *input, *output, *zone;
	int64_t concurrency; /* -1: not said */
	bool is_rolling;
};

/* ---- what there is ---- */

static void say_list(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct span fault = text_of(answer->json, "config_fault", &arena);
	struct json_walk limits = json_each(json_member(answer->json, "limits"));
	const bool has_limits = json_next(&limits);
	limits_view(answer->json, &out);
	say_out(&out);
	if (fault.n > 0)
		say_err("note: the configuration as it stands is bad, and these are the limits "
			"that hold without it: %.*s",
			SPAN_ARG(fault));
	else if (!has_limits)
		say_err("nothing is limited: `llmb budget set daily --usd 5/day` sets a budget");
}

static void say_shown(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	limits_view_whole(answer->json, &out);
	say_out(&out);
}

static int ask_list(const struct common *o, const char *name, void (*say)(const struct answer *a))
{
	struct question q;
	question_begin(&q);
	if (name)
		json_pair_str(&q.out, "name", span_str(name));
	return broker_tell(o, "budget.list", &q, say);
}

static int run_list(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = -1};
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	return ask_list(&o.common, n > 0 ? words[0] : NULL, say_list);
}

static int run_show(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = -1};
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
	put_text(q, "concurrency", o->concurrency >= 0 ? count : NULL);
	json_close(&q->out, '}');
}

/* "usd/day" is what the broker calls "budget/day". */
static void put_without(struct question *q, const struct text_list *list)
{
	static const char *const names[][2] = {
		{"usd",           "budget"       },
                {"soft",          "soft_budget"  },
                {"rolling",       "window"       },
		{"input-tokens",  "input_tokens" },
                {"output-tokens", "output_tokens"}
        };
	json_key(&q->out, "without");
	json_open(&q->out, '[');
	for (size_t i = 0; i < list->n; i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(SAY_BYTES_MAX);
		const struct span said = span_str(list->items[i]);
		const size_t n = span_index(said, '/');
		struct span word = span_first(said, n);
		for (size_t k = 0; k < COUNT_OF(names); k++) {
			if (span_is(word, names[k][0]))
				word = span_str(names[k][1]);
		}
		buf_print(&text, "%.*s%.*s", SPAN_ARG(word), SPAN_ARG(span_skip(said, n)));
		json_put_str(&q->out, buf_view(&text));
	}
	json_close(&q->out, ']');
}

/* Was anything said at all? What is enough, the broker knows, who knows what was said before. */
static bool says_something(const struct budget *o)
{
	const struct text_list *const lists[] = {&o->usd, &o->soft, &o->apps, &o->users,
		&o->providers, &o->keys, &o->models, &o->policies, &o->each, &o->without};
	size_t n = 0;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		n += lists[i]->n;
	return n > 0 || o->requests || o->tokens || o->input || o->output || o->zone ||
	       o->concurrency >= 0 || o->is_rolling;
}

static int run_set(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = -1};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!says_something(&o))
		return options_refuse(self,
			"how much? --usd, --soft, --requests, --tokens or --concurrency says it");
	question_begin(&q);
	json_pair_str(&q.out, "name", span_str(words[0]));
	put_keys(&q, &o);
	put_without(&q, &o.without);
	OWNED(buf_done) struct buf said = BUF_INIT(SAY_BYTES_MAX);
	buf_print(&said, "set; `llmb budget show %s` says what is used of it%c", words[0], '\0');
	return broker_change(&o.common, "budget.set", &q,
		&(struct change_words){.done = buf_error(&said) ? "set" : said.p});
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct budget o = {.concurrency = -1};
	struct question q;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	question_begin(&q);
	json_pair_str(&q.out, "name", span_str(words[0]));
	return broker_change(
		&o.common, "budget.remove", &q, &(struct change_words){.done = "removed"});
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
	{'\0', "without",       "WHAT",    "take back what was said: an option's name, or usd/day; may repeat", OPTION_LIST, BUDGET(without)},
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
		    "  llmb budget set night --usd 20/month --model 'anthropic/*' --zone UTC\n"
		    "  llmb budget set daily --usd 8/day --without soft/day\n",
	.notes = "What is set here is kept beside the configuration, whose own [limit] sections "
		 "are changed there.\n"
		 "Of a limit that is there only what is said now changes: another day's budget "
		 "takes the\nplace of that day's, and a month's stays.\n",
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
