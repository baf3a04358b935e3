/* cmd_usage.c - what was spent, by whom and on what? */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <time.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/csv.h"
#include "libllmclient/cli/when.h"
#include "libllmclient/cli/zone.h"
#include "protocol/base/num.h"

/* What can be chosen by value is told apart by, too. */
enum {
	APP,
	MODEL,
	PROVIDER,
	KEY,
	USER,
	UNIT,
	CONTAINER,
	PROJECT,
	POLICY,
	KIND,
	SURFACE,
	OP,
	CHOICES
};
static const char *const ways[] = {"app", "model", "provider", "key", "user", "unit", "container",
	"project", "policy", "kind", "surface", "op", "hour", "day", "month", "none"};

struct usage {
	struct common common;
	const char *by, *since, *until, *zone, *export, *prompt;
	const char *only[CHOICES];
	bool is_csv, is_estimates, is_attempts, is_billed;
	int64_t since_s, until_s; /* -1: not said */
};

/* ---- the question ---- */

/* A number, or a pattern of numbers: "1000", "10*". */
static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789*")] == '\0';
}

/* A name is told as its number; a number, or a pattern, as it is. */
static void put_user(struct json_out *o, const char *text)
{
	const struct passwd *who = getpwnam(text);
	char number[24];
	(void)snprintf(number, sizeof number, "%lu", who ? (unsigned long)who->pw_uid : 0);
	json_pair_str(o, "user", span_str(who ? number : text));
}

static void put_selection(struct json_out *o, const struct usage *u)
{
	for (size_t i = 0; i < CHOICES; i++) {
		if (u->only[i] && i == USER)
			put_user(o, u->only[i]);
		else if (u->only[i])
			json_pair_str(o, ways[i], span_str(u->only[i]));
	}
	if (u->since_s >= 0)
		json_pair_i64(o, "since_s", u->since_s);
	if (u->until_s >= 0)
		json_pair_i64(o, "until_s", u->until_s);
}

/* The clock of all the time that rows can be of: there was no ledger before 2020. */
static void put_clock(struct json_out *o, const struct usage *u)
{
	const int64_t end_s = (int64_t)time(NULL) + 86400;
	json_key(o, "clock");
	zone_put(o, u->since_s >= 0 ? u->since_s : 1577836800,
		u->until_s >= 0 && u->until_s < end_s ? u->until_s : end_s);
}

/* ---- sums ---- */

static const char *const figures[] = {"requests", "failed", "unknown", "input", "cache_read",
	"cache_write", "output", "reasoning", "cost_nusd", "unpriced", "compared", "ours_nusd",
	"theirs_nusd", "drifted", "charged_nusd", "cached", "saved_nusd", "prompt_saved_nusd"};

/* To the nano-dollar. */
static void put_usd_exact(struct buf *out, int64_t nusd)
{
	if (nusd < 0)
		buf_text(out, "unknown");
	else
		buf_print(out, "%" PRId64 ".%09" PRId64, nusd / 1000000000, nusd % 1000000000);
}

/* What providers' own caches have saved there; below 0: cost. 0: nothing, or it is not known. */
static int64_t prompt_saved_of(struct json row)
{
	int64_t nusd;
	if (!json_i64(json_member(row, "prompt_saved_nusd"), &nusd))
		return 0;
	return nusd < -INT64_MAX ? -INT64_MAX : nusd; /* so that it can be turned round */
}

static void table_usd(struct table *t, int64_t nusd)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	put_usd_exact(&b, nusd);
	table_cell(t, buf_view(&b));
}

static void table_saved(struct table *t, int64_t nusd)
{
	OWNED(buf_done) struct buf b = BUF_INIT(64);
	buf_text(&b, nusd < 0 ? "-" : "");
	put_usd_exact(&b, nusd < 0 ? -nusd : nusd);
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

/* What no row has is no column. */
struct troubles {
	bool has_hits, has_unpriced, has_drifted, has_charged, has_saved;
};

static struct troubles troubles_of(struct json total)
{
	return (struct troubles){number_of(total, "cached") > 0, number_of(total, "unpriced") > 0,
		number_of(total, "drifted") > 0, number_of(total, "charged_nusd") > 0,
		prompt_saved_of(total) != 0};
}

static void table_figures(struct table *t, struct json row, struct troubles any)
{
	table_i64(t, number_of(row, "requests"));
	table_i64(t, number_of(row, "failed"));
	table_i64(t, number_of(row, "unknown"));
	table_i64(t, input_of(row));
	table_i64(t, number_of(row, "cache_read"));
	table_i64(t, output_of(row));
	table_usd(t, number_of(row, "cost_nusd"));
	if (any.has_hits)
		table_i64(t, number_of(row, "cached"));
	if (any.has_unpriced)
		table_i64(t, number_of(row, "unpriced"));
	if (any.has_drifted)
		table_i64(t, number_of(row, "drifted"));
	const int64_t charged_nusd = number_of(row, "charged_nusd");
	if (any.has_charged && charged_nusd >= 0)
		table_usd(t, charged_nusd);
	else if (any.has_charged)
		table_text(t, "-");
	if (any.has_saved)
		table_saved(t, prompt_saved_of(row));
}

/* A user by name, where it has one here. */
static void table_key(struct table *t, struct json by, struct span key)
{
	int64_t uid;
	const struct passwd *who =
		json_is(by, "user") && num_i64(key, &uid) ? getpwuid((uid_t)uid) : NULL;
	if (who)
		table_text(t, who->pw_name);
	else
		table_cell(t, key.n > 0 ? key : SPAN("(unnamed)"));
}

static void table_keys(struct table *t, struct json by, struct json keys, struct arena *arena)
{
	struct json_walk names = json_each(by), values = json_each(keys);
	while (json_next(&names) && json_next(&values)) {
		struct span key = SPAN_NONE;
		if (json_text(values.value, arena, &key) != OK)
			key = SPAN_NONE;
		table_key(t, names.value, key);
	}
}

static size_t length_of(struct json list)
{
	size_t n = 0;
	for (struct json_walk w = json_each(list); json_next(&w);)
		n++;
	return n;
}

static void table_head(struct table *t, struct json by, struct troubles any)
{
	static const char *const head[] = {
		"REQUESTS", "FAILED", "UNKNOWN", "IN", "PROMPT_READ", "OUT", "USD"};
	const size_t n_keys = length_of(by), n_first = n_keys > 0 ? n_keys : 1;
	table_begin(t,
		n_first + COUNT_OF(head) + any.has_hits + any.has_unpriced + any.has_drifted +
			any.has_charged + any.has_saved,
		~0U << n_first);
	for (size_t i = 0; i < n_first; i++)
		table_text(t, "");
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(t, head[i]);
	if (any.has_hits)
		table_text(t, "HITS");
	if (any.has_unpriced)
		table_text(t, "UNPRICED");
	if (any.has_drifted)
		table_text(t, "DRIFTED");
	if (any.has_charged)
		table_text(t, "CHARGED");
	if (any.has_saved)
		table_text(t, "PROMPT_SAVED");
}

static bool is_by_model(struct json by)
{
	for (struct json_walk w = json_each(by); json_next(&w);) {
		if (json_is(w.value, "model"))
			return true;
	}
	return false;
}

/* What providers kept of prompts, and whether that paid. */
static void say_prompts(struct json total)
{
	OWNED(buf_done) struct buf text = BUF_INIT(256);
	const int64_t read = number_of(total, "cache_read"),
		      written = number_of(total, "cache_write");
	const int64_t nusd = prompt_saved_of(total);
	if (read <= 0 && written <= 0)
		return;
	buf_print(&text,
		"note: of prompts, providers read %" PRId64
		" tokens in caches of their own (PROMPT_READ), and wrote %" PRId64,
		read > 0 ? read : 0, written > 0 ? written : 0);
	if (nusd != 0) {
		buf_text(&text, nusd > 0 ? "; that saved " : "; that has cost ");
		put_usd_exact(&text, nusd < 0 ? -nusd : nusd);
		buf_text(&text,
			nusd > 0 ? " USD (PROMPT_SAVED)" : " USD more so far (PROMPT_SAVED)");
	}
	say_err("%.*s", SPAN_ARG(buf_view(&text)));
}

static void say_notes(const struct usage *u, struct json by, struct json total)
{
	const char *whose = is_by_model(by) ? "" : " (whose: --by model)";
	const int64_t unpriced = number_of(total, "unpriced");
	const int64_t compared = number_of(total, "compared");
	if (u->common.is_quiet)
		return;
	if (unpriced > 0)
		say_err("note: %" PRId64 " %s no known price, and %s not in USD: set price_input "
			"and price_output of their [model]%s",
			unpriced, unpriced == 1 ? "request has" : "requests have",
			unpriced == 1 ? "is" : "are", whose);
	if (number_of(total, "charged_nusd") > 0) {
		OWNED(buf_done) struct buf text = BUF_INIT(64);
		put_usd_exact(&text, number_of(total, "charged_nusd"));
		say_err("note: %.*s USD more (CHARGED) count against budgets, where the cost is "
			"not known",
			SPAN_ARG(buf_view(&text)));
	}
	const int64_t cached = number_of(total, "cached");
	if (cached > 0) {
		OWNED(buf_done) struct buf text = BUF_INIT(256);
		buf_print(&text,
			"note: %" PRId64
			" %s without a provider, from the cache or with others that "
			"asked the same (HITS)",
			cached, cached == 1 ? "request was answered" : "requests were answered");
		if (number_of(total, "saved_nusd") > 0) {
			buf_text(&text, "; that saved ");
			put_usd_exact(&text, number_of(total, "saved_nusd"));
			buf_text(&text, " USD");
		}
		say_err("%.*s", SPAN_ARG(buf_view(&text)));
	}
	say_prompts(total);
	const int64_t theirs_nusd = number_of(total, "theirs_nusd");
	if (theirs_nusd > 0 || number_of(total, "ours_nusd") > 0) {
		OWNED(buf_done) struct buf text = BUF_INIT(256);
		buf_text(&text, "note: providers billed ");
		put_usd_exact(&text, theirs_nusd);
		buf_print(&text, " USD for %" PRId64 " request%s, which at our prices cost ",
			compared, compared == 1 ? "" : "s");
		put_usd_exact(&text, number_of(total, "ours_nusd"));
		const int64_t drifted = number_of(total, "drifted");
		buf_print(&text, "; %" PRId64 " differ%s by more than 0.5 %%", drifted,
			drifted == 1 ? "s" : "");
		if (drifted > 0)
			buf_print(&text, ": set the prices of their [model]%s", whose);
		say_err("%.*s", SPAN_ARG(buf_view(&text)));
	}
}

static void say_table(const struct usage *u, const struct answer *answer)
{
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const struct json by = json_member(answer->json, "by");
	const struct json total = json_member(answer->json, "total");
	const struct troubles any = troubles_of(total);
	table_head(&t, by, any);
	for (struct json_walk w = json_each(json_member(answer->json, "rows")); json_next(&w);) {
		table_keys(&t, by, json_member(w.value, "keys"), &arena);
		table_figures(&t, w.value, any);
	}
	table_text(&t, "total");
	for (size_t i = 1; i < length_of(by); i++)
		table_text(&t, "");
	table_figures(&t, total, any);
	table_end(&t, &out);
	say_out(&out);
	say_notes(u, by, total);
}

static void say_csv(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	struct csv line = {.to = &out};
	for (struct json_walk w = json_each(json_member(answer->json, "by")); json_next(&w);)
		csv_value(&line, w.value);
	for (size_t i = 0; i < COUNT_OF(figures); i++)
		csv_text(&line, span_str(figures[i]));
	csv_end(&line);
	const bool is_total = length_of(json_member(answer->json, "by")) == 0;
	for (struct json_walk w = json_each(json_member(answer->json, "rows")); json_next(&w);) {
		for (struct json_walk k = json_each(json_member(w.value, "keys")); json_next(&k);)
			csv_value(&line, k.value);
		for (size_t i = 0; i < COUNT_OF(figures); i++)
			csv_value(&line, json_member(w.value, figures[i]));
		csv_end(&line);
	}
	for (size_t i = 0; is_total && i < COUNT_OF(figures); i++)
		csv_value(&line, json_member(json_member(answer->json, "total"), figures[i]));
	if (is_total)
		csv_end(&line);
	say_out(&out);
}

static int show_sums(struct usage *u)
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	json_pair_str(&q.out, "by", span_str(u->by ? u->by : "none"));
	if (u->is_billed)
		json_pair_bool(&q.out, "billed", true);
	put_selection(&q.out, u);
	put_clock(&q.out, u);
	if (!broker_ask(&u->common, "usage", &q, &answer))
		return answer.exit_code;
	if (u->common.is_json)
		say_answer(&answer);
	else if (u->is_csv)
		say_csv(&answer);
	else
		say_table(u, &answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- estimates ---- */

static const char *const estimates[] = {"model", "requests", "mean_error_pct", "p50_error_pct",
	"p90_error_pct", "bounded", "mean_use_pct", "p50_use_pct", "p90_use_pct"};

static void say_estimates(const struct answer *answer)
{
	static const char *const head[] = {"MODEL", "REQUESTS", "MEAN %", "P50 %", "P90 %",
		"WITH OUTPUT", "USED %", "P50 %", "P90 %"};
	struct table t;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	table_begin(&t, COUNT_OF(head), ~1U);
	for (size_t i = 0; i < COUNT_OF(head); i++)
		table_text(&t, head[i]);
	for (struct json_walk w = json_each(json_member(answer->json, "rows")); json_next(&w);) {
		table_cell(&t, text_of(w.value, "model", &arena));
		for (size_t i = 1; i < COUNT_OF(estimates); i++) {
			const struct json v = json_member(w.value, estimates[i]);
			table_cell(&t, json_kind(v) == JSON_NUMBER ? v.text : SPAN("-"));
		}
	}
	table_end(&t, &out);
	say_out(&out);
}

static void say_estimates_csv(const struct answer *answer)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	struct csv line = {.to = &out};
	for (size_t i = 0; i < COUNT_OF(estimates); i++)
		csv_text(&line, span_str(estimates[i]));
	csv_end(&line);
	for (struct json_walk w = json_each(json_member(answer->json, "rows")); json_next(&w);) {
		for (size_t i = 0; i < COUNT_OF(estimates); i++)
			csv_value(&line, json_member(w.value, estimates[i]));
		csv_end(&line);
	}
	say_out(&out);
}

static int show_estimates(struct usage *u)
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	put_selection(&q.out, u);
	if (!broker_ask(&u->common, "usage.estimates", &q, &answer))
		return answer.exit_code;
	if (u->common.is_json)
		say_answer(&answer);
	else if (u->is_csv)
		say_estimates_csv(&answer);
	else
		say_estimates(&answer);
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- all rows ---- */

static void put_csv_row(struct buf *out, struct json values)
{
	struct csv line = {.to = out};
	for (struct json_walk w = json_each(values); json_next(&w);)
		csv_value(&line, w.value);
	csv_end(&line);
}

static void put_json_row(
	struct buf *out, struct json columns, struct json values, struct arena *arena)
{
	struct json_walk names = json_each(columns), w = json_each(values);
	struct json_out o = json_to(out);
	json_open(&o, '{');
	while (json_next(&names) && json_next(&w)) {
		struct span name;
		if (json_text(names.value, arena, &name) != OK)
			continue;
		json_key_text(&o, name);
		json_put_raw(&o, w.value.text);
	}
	json_close(&o, '}');
	buf_byte(out, '\n');
}

#define MARK_BYTES 128

/* One page, from `mark` on ("": the first), which is then where the next one begins ("": there is none). */
static int export_page(const struct usage *u, char mark[MARK_BYTES])
{
	struct question q;
	struct answer answer;
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	const bool is_csv = strcmp(u->export, "csv") == 0, is_first = mark[0] == '\0';
	question_begin(&q);
	put_selection(&q.out, u);
	json_pair_bool(&q.out, "attempts", u->is_attempts);
	if (!is_first)
		json_pair_str(&q.out, "after", span_str(mark));
	if (!broker_ask(&u->common, "usage.export", &q, &answer))
		return answer.exit_code;
	const struct json columns = json_member(answer.json, "columns");
	if (is_csv && is_first)
		put_csv_row(&out, columns);
	for (struct json_walk w = json_each(json_member(answer.json, "rows")); json_next(&w);) {
		if (is_csv)
			put_csv_row(&out, w.value);
		else
			put_json_row(&out, columns, w.value, &arena);
	}
	const struct span next = text_of(answer.json, "next", &arena);
	(void)snprintf(mark, MARK_BYTES, "%.*s", SPAN_ARG(next));
	answer_done(&answer);
	say_out(&out);
	return EXIT_GOOD;
}

static int show_rows(struct usage *u)
{
	char mark[MARK_BYTES] = "";
	int code;
	do
		code = export_page(u, mark);
	while (code == EXIT_GOOD && mark[0] != '\0');
	return code;
}

/* ---- what was asked ---- */

static int show_prompt(const struct usage *u)
{
	struct question q;
	struct answer answer;
	OWNED(arena_done) struct arena arena;
	arena_init(&arena, SAY_BYTES_MAX);
	question_begin(&q);
	json_pair_str(&q.out, "id", span_str(u->prompt));
	if (!broker_ask(&u->common, "prompt.read", &q, &answer))
		return answer.exit_code;
	const bool is_text = json_kind(json_member(answer.json, "text")) == JSON_STRING;
	const struct span text = text_of(answer.json, is_text ? "text" : "base64", &arena);
	if (u->common.is_json) {
		say_answer(&answer);
	} else {
		say_text(text.p, text.n);
		say_text("\n", 1);
		if (!is_text && !u->common.is_quiet)
			say_err("note: it is no text, and shown in base64");
		if (json_is_true(json_member(answer.json, "is_cut")) && !u->common.is_quiet)
			say_err("note: this is its beginning: of %" PRId64
				" bytes no more was kept",
				number_of(answer.json, "bytes"));
	}
	answer_done(&answer);
	return EXIT_GOOD;
}

/* ---- the line ---- */

static bool is_way(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		if (span_is(word, ways[i]))
			return true;
	}
	return false;
}

static bool are_ways(struct span words)
{
	bool are = true;
	while (are && span_is_set(words))
		are = is_way(span_cut(&words, ','));
	return are;
}

static bool has_selection(const struct usage *u)
{
	bool has = u->since || u->until;
	for (size_t i = 0; i < CHOICES; i++)
		has |= u->only[i] != NULL;
	return has;
}

/* What would be answered, and mean nothing. */
static int refuse_selection(const struct command *self, const struct usage *u)
{
	const char *user = u->only[USER];
	if (u->since && u->until && u->since_s >= u->until_s)
		return options_refuse(self, "--until is not after --since");
	if (user && !is_number(user) && !getpwnam(user))
		return options_refuse(self,
			"--user %s: no user is called so here; a name is wanted, or a number (with "
			"* for any digits)",
			user);
	if (u->prompt && has_selection(u))
		return options_refuse(self,
			"--prompt shows what one request asked, and takes no --since, --until or "
			"filter");
	return OPTIONS_GO_ON;
}

static int refuse(const struct command *self, struct usage *u)
{
	if (u->by && !are_ways(span_str(u->by)))
		return options_refuse(self,
			"--by %s: app, model, provider, key, user, unit, container, project, "
			"policy, kind, surface, op, hour, day or month is wanted, or several with "
			"commas between",
			u->by);
	if (u->zone && !zone_use(u->zone))
		return options_refuse(self,
			"--zone %s: a time zone is wanted, like Europe/Berlin or UTC", u->zone);
	if (u->since && !read_time(u->since, &u->since_s))
		return options_refuse(
			self, "--since %s: 24h, 7d or 2026-01-31 is wanted", u->since);
	if (u->until && !read_time(u->until, &u->until_s))
		return options_refuse(
			self, "--until %s: 24h, 7d or 2026-01-31 is wanted", u->until);
	if (u->export && strcmp(u->export, "csv") != 0 && strcmp(u->export, "jsonl") != 0)
		return options_refuse(self, "--export %s: csv or jsonl is wanted", u->export);
	if (u->is_attempts && !u->export)
		return options_refuse(self, "--attempts goes with --export");
	if (u->is_billed && (u->export || u->is_estimates || u->prompt))
		return options_refuse(
			self, "--billed is for sums, not for --export, --estimates or --prompt");
	if (u->common.is_json + u->is_csv + (u->export != NULL) > 1)
		return options_refuse(self, "one of --json, --csv and --export is wanted");
	if (u->is_estimates + (u->export != NULL) + (u->by != NULL) + (u->prompt != NULL) > 1)
		return options_refuse(
			self, "one of --by, --estimates, --export and --prompt is wanted");
	if (u->prompt && u->is_csv)
		return options_refuse(self, "--prompt shows a text, or --json");
	return refuse_selection(self, u);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct usage u = {.since_s = -1, .until_s = -1};
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &u, 0, 0, &n, &words);
	if (code == OPTIONS_GO_ON)
		code = refuse(self, &u);
	if (code != OPTIONS_GO_ON)
		return code;
	if (u.prompt)
		return show_prompt(&u);
	return u.is_estimates ? show_estimates(&u) : u.export ? show_rows(&u) : show_sums(&u);
}

#define USAGE(field) offsetof(struct usage, field)
/* clang-format off */
static const struct option_row rows[] = {
	{'\0', "by", "WHAT", "a line for each app, model, provider, key, user, unit, container, project, policy, "
			     "kind, surface, op, hour, day or month; or of several: day,model", OPTION_TEXT, USAGE(by)},
	{'\0', "since",     "TIME", "from then on: 24h, 7d, or a day: 2026-01-31",          OPTION_TEXT, USAGE(since)},
	{'\0', "until",     "TIME", "up to then",                                           OPTION_TEXT, USAGE(until)},
	{'\0', "zone",      "NAME", "whose days they are: Europe/Berlin, UTC; yours",       OPTION_TEXT, USAGE(zone)},
	{'\0', "app",       "NAME", "of that app only; * stands for anything, here and below", OPTION_TEXT, USAGE(only[APP])},
	{'\0', "model",     "NAME", "of that model, as asked or as PROVIDER/MODEL",         OPTION_TEXT, USAGE(only[MODEL])},
	{'\0', "provider",  "NAME", "of that provider",                                     OPTION_TEXT, USAGE(only[PROVIDER])},
	{'\0', "key",       "NAME", "of that key: PROVIDER/LABEL",                          OPTION_TEXT, USAGE(only[KEY])},
	{'\0', "user",      "NAME", "of that user: a name, or a number (* for any digits)", OPTION_TEXT, USAGE(only[USER])},
	{'\0', "unit",      "NAME", "of that unit: backup.service",                         OPTION_TEXT, USAGE(only[UNIT])},
	{'\0', "container", "ID",   "of that container or sandbox",                         OPTION_TEXT, USAGE(only[CONTAINER])},
	{'\0', "project",   "PATH", "of that repository: */notes",                          OPTION_TEXT, USAGE(only[PROJECT])},
	{'\0', "policy",    "NAME", "let in by that rule",                                  OPTION_TEXT, USAGE(only[POLICY])},
	{'\0', "kind",      "WORD", "of callers of that kind: host, service, container",    OPTION_TEXT, USAGE(only[KIND])},
	{'\0', "surface",   "NAME", "asked in that API",                                    OPTION_TEXT, USAGE(only[SURFACE])},
	{'\0', "op",        "NAME", "of that operation: chat, embed",                       OPTION_TEXT, USAGE(only[OP])},
	{'\0', "csv",       NULL,   "as a CSV file",                                        OPTION_FLAG, USAGE(is_csv)},
	{'\0', "estimates", NULL,   "how good estimates of tokens are, for each model",     OPTION_FLAG, USAGE(is_estimates)},
	{'\0', "billed",    NULL,   "sums of what providers may bill: a request that several were asked for counts at each",
		OPTION_FLAG, USAGE(is_billed)},
	{'\0', "export",    "FORM", "all rows as they are: csv or jsonl",                   OPTION_TEXT, USAGE(export)},
	{'\0', "attempts",  NULL,   "with --export: a row for each time that a provider was asked", OPTION_FLAG, USAGE(is_attempts)},
	{'\0', "prompt",    "ID",   "what was asked by that request, word for word, where [ledger] keeps it", OPTION_TEXT, USAGE(prompt)},
};
/* clang-format on */

const struct command command_usage = {
	.name = "usage",
	.args = "",
	.summary = "what was spent, by whom and on what",
	.examples = "  llmb usage --by app --since 7d\n"
		    "  llmb usage --by day,model --since 2026-01-01 --zone UTC --csv\n"
		    "  llmb usage --by project --app 'editor*'\n"
		    "  llmb usage --export jsonl --attempts > attempts.jsonl\n",
	.notes = "UNKNOWN are requests whose end the broker never saw; they may have cost "
		 "something.\n"
		 "In CSV, a text that a spreadsheet would take for a formula has an apostrophe "
		 "before it.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
