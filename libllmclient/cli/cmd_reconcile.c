/* cmd_reconcile.c - does a provider bill what the ledger says? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/export.h"
#include "libllmclient/cli/reconcile_show.h"
#include "libllmclient/cli/when.h"
#include "libllmclient/cli/zone.h"
#include "protocol/base/num.h"

#define DAYS_MAX     366
#define DAYS_DEFAULT 7
#define READ_BYTES   ((size_t)64 * 1024)
#define NOTE_BYTES   ((size_t)64 * 1024)
#define PAIRS_MAX    LIST_MAX

struct options {
	struct common common;
	const char *csv, *key, *since, *until, *zone, *tolerance, *output;
	struct text_list maps, aliases, key_ids;
};

/* One comparison, from the line's words to its figures. */
struct work {
	const struct command *self;
	const struct options *o;
	const char *provider;
	struct export_map map;
	struct export_days days;
	bool has_since, has_until;
	struct tolerance tolerance;
	struct name_pair aliases[PAIRS_MAX], key_ids[PAIRS_MAX];
	enum reconcile_form form;
	struct statement ours, theirs;
	struct buf notes;
	char source[160];
};

__attribute__((format(printf, 2, 3))) static void note(struct work *w, const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_text(&w->notes, text);
	buf_byte(&w->notes, '\n');
}

/* ---- the line's words ---- */

/* "THEIRS=OURS" or, turned round, "LABEL=ID": the first '=' is the one. */
static bool read_pair(const char *text, bool is_theirs_first, struct name_pair *out)
{
	struct span right = span_str(text);
	const struct span left = span_cut(&right, '=');
	if (!span_is_set(right))
		return false;
	*out = is_theirs_first ? (struct name_pair){.theirs = left, .ours = right}
			       : (struct name_pair){.theirs = right, .ours = left};
	return out->theirs.n > 0;
}

static int read_pairs(struct work *w)
{
	const struct options *o = w->o;
	for (size_t i = 0; i < o->aliases.n; i++) {
		if (!read_pair(o->aliases.items[i], true, &w->aliases[i]) ||
			w->aliases[i].ours.n == 0)
			return options_refuse(w->self,
				"--model-alias %s: THEIRS=OURS is wanted, as in \"GPT-4o "
				"batch=gpt-4o\"",
				o->aliases.items[i]);
	}
	for (size_t i = 0; i < o->key_ids.n; i++) {
		if (!read_pair(o->key_ids.items[i], false, &w->key_ids[i]))
			return options_refuse(w->self,
				"--key-id %s: LABEL=ID is wanted (=ID for the key without a label)",
				o->key_ids.items[i]);
	}
	return OPTIONS_GO_ON;
}

static int read_output(struct work *w)
{
	const char *word = w->o->output;
	w->form = w->o->common.is_json ? RECONCILE_JSON : RECONCILE_TABLE;
	if (!word)
		return OPTIONS_GO_ON;
	if (strcmp(word, "table") == 0)
		w->form = RECONCILE_TABLE;
	else if (strcmp(word, "json") == 0)
		w->form = RECONCILE_JSON;
	else if (strcmp(word, "csv") == 0)
		w->form = RECONCILE_CSV;
	else
		return options_refuse(w->self, "--output %s: table, json or csv is wanted", word);
	if (w->o->common.is_json && w->form != RECONCILE_JSON)
		return options_refuse(w->self, "--output %s and --json exclude each other", word);
	return OPTIONS_GO_ON;
}

static int read_map(struct work *w)
{
	struct fault why = FAULT_NONE;
	for (size_t i = 0; i < w->o->maps.n; i++) {
		if (export_map_read(&w->map, span_str(w->o->maps.items[i]), &why))
			return options_refuse(w->self, "--map: %s", why.message);
	}
	if (w->o->maps.n > 0 && !w->o->csv)
		return options_refuse(w->self, "--map is for the columns of --csv FILE");
	if (w->o->csv && w->o->key)
		return options_refuse(w->self, "--key is for asking the provider, not for --csv");
	return OPTIONS_GO_ON;
}

/* The days that are compared: whole ones. */
static int read_days(struct work *w)
{
	const struct options *o = w->o;
	int64_t s;
	w->days = (struct export_days){INT64_MIN, INT64_MAX};
	w->has_since = o->since != NULL;
	w->has_until = o->until != NULL;
	if (o->since && !read_time(o->since, &s))
		return options_refuse(w->self, "--since %s: 7d or 2026-01-31 is wanted", o->since);
	if (o->since)
		w->days.first = day_of_moment(s);
	if (o->until && !read_time(o->until, &s))
		return options_refuse(w->self, "--until %s: 1d or 2026-01-31 is wanted", o->until);
	if (o->until)
		w->days.last = day_of_moment(s) - 1;
	if (!o->csv && !o->until) /* today is not over, and its bill is not either */
		w->days.last = day_of_moment((int64_t)time(NULL)) - 1;
	if (!o->csv && !o->since)
		w->days.first = w->days.last - DAYS_DEFAULT + 1;
	if (w->days.first > w->days.last)
		return options_refuse(w->self, o->until ? "--until is not after --since"
							: "--since is a day that is not over: "
							  "--until says up to which day");
	return OPTIONS_GO_ON;
}

static int read_line(struct work *w)
{
	const struct options *o = w->o;
	int code = read_output(w);
	if (!zone_use(o->zone))
		return options_refuse(w->self,
			"--zone %s: there is no such time zone here; a name such as Europe/Berlin, "
			"UTC or local is wanted",
			o->zone);
	if (!o->csv && strcmp(o->zone, "UTC") != 0)
		return options_refuse(w->self,
			"--zone %s: the days of the providers' own reports are UTC's; it is for "
			"--csv FILE",
			o->zone);
	if (!tolerance_read(span_str(o->tolerance), &w->tolerance))
		return options_refuse(w->self,
			"--tolerance %s: 0.5%%, an amount such as 0.01, or both (0.5%%,0.01) is "
			"wanted",
			o->tolerance);
	if (code == OPTIONS_GO_ON)
		code = read_pairs(w);
	if (code == OPTIONS_GO_ON)
		code = read_map(w);
	return code == OPTIONS_GO_ON ? read_days(w) : code;
}

/* ---- theirs: a file ---- */

static int refuse_file(const struct work *w, const char *what)
{
	return say_failure(&w->o->common, EXIT_BAD, "%s: %s", w->o->csv, what);
}

static int open_file(const struct work *w, int *fd)
{
	struct stat st;
	if (strcmp(w->o->csv, "-") == 0) {
		*fd = STDIN_FILENO;
		return EXIT_GOOD;
	}
	*fd = open(w->o->csv, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return refuse_file(w, strerror(errno));
	if (fstat(*fd, &st) == 0 && !S_ISDIR(st.st_mode))
		return EXIT_GOOD;
	close(*fd);
	return refuse_file(w, "it is a directory; the name of one file is wanted");
}

static enum err read_all(int fd, struct export *e, struct fault *why)
{
	char bytes[READ_BYTES];
	enum err err = OK;
	while (!err) {
		const ssize_t n = read(fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault_set(why, ERR_IO, "%s", strerror(errno));
		if (n == 0)
			return export_end(e, why);
		err = export_feed(e, span_of(bytes, (size_t)n), why);
	}
	return err;
}

static void note_file(struct work *w, const struct export *e)
{
	if (e->known_as)
		note(w, "the columns are those of %s", e->known_as);
	if (e->n_blank > 0)
		note(w, "lines without an amount, which were passed over: %" PRId64, e->n_blank);
	if (e->n_sums > 0)
		note(w, "lines without a day, as totals are, which were passed over: %" PRId64,
			e->n_sums);
	if (e->n_outside > 0)
		note(w, "lines of other days, which were passed over: %" PRId64, e->n_outside);
}

/* Without a word about it the days are the file's own. */
static void take_days(struct work *w)
{
	int64_t first = INT64_MAX, last = INT64_MIN;
	for (size_t i = 0; i < w->theirs.n; i++) {
		first = w->theirs.rows[i].day < first ? w->theirs.rows[i].day : first;
		last = w->theirs.rows[i].day > last ? w->theirs.rows[i].day : last;
	}
	if (!w->has_since)
		w->days.first = first;
	if (!w->has_until)
		w->days.last = last;
}

static int read_file(struct work *w)
{
	struct fault why = FAULT_NONE;
	struct export e;
	int fd;
	const int code = open_file(w, &fd);
	if (code)
		return code;
	export_init(&e, &w->map, &w->days, &w->theirs);
	const enum err err = read_all(fd, &e, &why);
	if (fd != STDIN_FILENO)
		close(fd);
	if (!err)
		note_file(w, &e);
	const int64_t n_rows = e.n_rows, n_outside = e.n_outside;
	export_done(&e);
	(void)snprintf(w->source, sizeof w->source, "%.140s",
		strcmp(w->o->csv, "-") == 0 ? "standard input" : w->o->csv);
	if (err)
		return say_failure(&w->o->common,
			err == ERR_INVALID_ARGUMENT ? EXIT_USAGE : EXIT_BAD, "%s: %s", w->source,
			why.message);
	if (n_rows == 0 && !(w->has_since && w->has_until))
		return refuse_file(w, n_outside > 0 ? "no line of it is of these days"
						    : "there is no line with an amount in it");
	take_days(w);
	return EXIT_GOOD;
}

/* ---- theirs: the provider's own word ---- */

static enum spend_class class_of(struct json row)
{
	static const char *const words[] = {"input", "cache_read", "cache_write", "output"};
	size_t i = 0;
	while (i < SPEND_CLASSES && !json_is(json_member(row, "class"), words[i]))
		i++;
	return (enum spend_class)i;
}

/* What the rows of both sides call the same. */
static void take_figures(struct json row, struct spend *s)
{
	s->has_cost = json_i64(json_member(row, "cost_nusd"), &s->nusd);
	s->tokens[SPEND_INPUT] = number_of(row, "input");
	s->tokens[SPEND_CACHE_READ] = number_of(row, "cache_read");
	s->tokens[SPEND_CACHE_WRITE] = number_of(row, "cache_write");
	s->tokens[SPEND_OUTPUT] = number_of(row, "output");
	s->requests = number_of(row, "requests");
}

static enum err add_theirs(struct work *w, struct json row, struct fault *why)
{
	OWNED(arena_done) struct arena arena;
	struct spend s = spend_none;
	arena_init(&arena, SAY_BYTES_MAX);
	take_figures(row, &s);
	s.day = day_of_moment(number_of(row, "at_s"));
	s.model = text_of(row, "model", &arena);
	if (json_kind(json_member(row, "key")) == JSON_STRING)
		s.key = text_of(row, "key", &arena);
	const enum spend_class class = class_of(row);
	if (class < SPEND_CLASSES)
		s.class_nusd[class] = s.nusd;
	return statement_add(&w->theirs, &s, why);
}

static int take_rows(struct work *w, struct json rows,
	enum err (*add)(struct work *w, struct json row, struct fault *why))
{
	struct fault why = FAULT_NONE;
	enum err err = OK;
	for (struct json_walk walk = json_each(rows); !err && json_next(&walk);)
		err = add(w, walk.value, &why);
	return err ? say_failure(&w->o->common, EXIT_BAD, "%s", why.message) : EXIT_GOOD;
}

static void put_time(struct json_out *o, const struct work *w)
{
	json_pair_i64(o, "since_s", day_begins_s(w->days.first));
	json_pair_i64(o, "until_s", day_begins_s(w->days.last + 1));
}

static int ask_theirs(struct work *w)
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	json_pair_str(&q.out, "provider", span_str(w->provider));
	if (w->o->key)
		json_pair_str(&q.out, "label", span_str(w->o->key));
	put_time(&q.out, w);
	if (!broker_ask(&w->o->common, "reconcile", &q, &answer))
		return answer.exit_code;
	(void)snprintf(w->source, sizeof w->source, "%.100s's cost reports", w->provider);
	int code = take_rows(w, json_member(answer.json, "costs"), add_theirs);
	if (!code)
		code = take_rows(w, json_member(answer.json, "usage"), add_theirs);
	answer_done(&answer);
	return code;
}

/* ---- ours ---- */

#define OUR_KEYS 3 /* by day, model and key */

/* "openai/work" is "work" of openai's, and "openai" is "". False: it is no other's name either. */
static bool take_prefix(struct span *name, const char *provider)
{
	struct span rest = *name;
	if (!span_is(span_cut(&rest, '/'), provider))
		return false;
	*name = span_is_set(rest) ? rest : SPAN("");
	return true;
}

static enum err add_ours(struct work *w, struct json row, struct fault *why)
{
	OWNED(arena_done) struct arena arena;
	struct spend s = spend_none;
	struct span keys[OUR_KEYS] = {SPAN(""), SPAN(""), SPAN("")};
	size_t n = 0;
	arena_init(&arena, SAY_BYTES_MAX);
	for (struct json_walk k = json_each(json_member(row, "keys"));
		json_next(&k) && n < OUR_KEYS; n++) {
		if (json_text(k.value, &arena, &keys[n]))
			return fault_set(why, ERR_NO_MEMORY, "out of memory");
	}
	if (!take_prefix(&keys[2], w->provider))
		return OK; /* the provider's name is a pattern to the broker */
	(void)take_prefix(&keys[1], w->provider);
	take_figures(row, &s);
	s.model = keys[1];
	s.key = keys[2];
	s.unpriced = number_of(row, "unpriced");
	s.unknown = number_of(row, "unknown");
	const int64_t thought = number_of(row, "reasoning"), said = s.tokens[SPEND_OUTPUT];
	if (thought >= 0)
		s.tokens[SPEND_OUTPUT] = said < 0 ? thought : num_add_sat(said, thought);
	const enum err err = day_read(keys[0], DAY_FORM_ANY, &s.day, why);
	return err ? err : statement_add(&w->ours, &s, why);
}

/* Nothing of ours is there: is it so, or is the name wrong? */
static int check_provider(struct work *w)
{
	OWNED(arena_done) struct arena arena;
	struct answer answer;
	bool is_there = false;
	arena_init(&arena, SAY_BYTES_MAX);
	if (!broker_ask(&w->o->common, "status", NULL, &answer))
		return answer.exit_code;
	for (struct json_walk p = json_each(json_member(answer.json, "providers")); json_next(&p);)
		is_there |= span_is(text_of(p.value, "name", &arena), w->provider);
	answer_done(&answer);
	return is_there ? EXIT_GOOD
			: say_failure(&w->o->common, EXIT_USAGE,
				  "no provider is called \"%.64s\"; `llmb status` shows those "
				  "there are",
				  w->provider);
}

static int ask_ours(struct work *w)
{
	struct question q;
	struct answer answer;
	question_begin(&q);
	json_pair_str(&q.out, "by", SPAN("day,model,key"));
	json_pair_bool(&q.out, "billed", true);
	json_pair_str(&q.out, "provider", span_str(w->provider));
	put_time(&q.out, w);
	json_key(&q.out, "clock");
	zone_put(&q.out, day_begins_s(w->days.first), day_begins_s(w->days.last + 1));
	if (!broker_ask(&w->o->common, "usage", &q, &answer))
		return answer.exit_code;
	const int code = take_rows(w, json_member(answer.json, "rows"), add_ours);
	answer_done(&answer);
	return code || w->ours.n > 0 ? code : check_provider(w);
}

/* ---- what a reader has to know ---- */

static void note_missing_days(struct work *w, const struct reconciled *r)
{
	OWNED(buf_done) struct buf days = BUF_INIT(NOTE_BYTES);
	size_t n = 0;
	for (size_t i = 0, k; i < r->n; i = k) {
		bool has_theirs = false;
		for (k = i; k < r->n && r->lines[k].day == r->lines[i].day; k++)
			has_theirs |= r->lines[k].kind != LINE_OURS;
		if (has_theirs)
			continue;
		if (n++ < 8) {
			buf_text(&days, n > 1 ? ", " : "");
			day_put(&days, r->lines[i].day);
		}
	}
	if (n > 0)
		note(w,
			"the ledger has calls on days of which they have nothing, perhaps not yet: "
			"%.*s%s",
			SPAN_ARG(buf_view(&days)), n > 8 ? ", ..." : "");
}

/* A name of theirs may stand for one of ours. */
static void note_names(struct work *w, const struct reconciled *r)
{
	bool has_ours = false, has_theirs = false, may_be = false;
	for (size_t i = 0; i < r->n; i++) {
		if (i > 0 && r->lines[i].day != r->lines[i - 1].day)
			has_ours = has_theirs = false;
		has_ours |= r->lines[i].kind == LINE_OURS && !r->lines[i].is_within;
		has_theirs |= r->lines[i].kind == LINE_THEIRS && !r->lines[i].is_within;
		may_be |= has_ours && has_theirs;
	}
	if (may_be)
		note(w, "where a name of theirs is a model of the ledger's, --model-alias "
			"THEIRS=OURS says so");
}

static void note_keys(struct work *w, const struct reconciled *r)
{
	size_t unknown = 0;
	for (size_t i = 0; i < r->n_keys; i++) {
		const struct key_line *k = &r->keys[i];
		unknown += k->proof == KEY_UNKNOWN && span_is_set(k->key);
		if (k->proof == KEY_INFERRED)
			note(w,
				"that %.*s is the key %s%s%.*s is inferred: no other used the same "
				"day by day; --key-id %.*s=%.*s says it for sure",
				SPAN_ARG(k->key), w->provider, k->label.n > 0 ? "/" : "",
				SPAN_ARG(k->label), SPAN_ARG(k->label), SPAN_ARG(k->key));
	}
	if (unknown > 0)
		note(w,
			"keys that are not known to be the broker's: %zu; where one is, --key-id "
			"LABEL=ID says so",
			unknown);
	if (r->n_keys > 0 && !w->o->csv)
		note(w, "what a key cost is its part of its models' costs, by the tokens that it "
			"used");
}

static void note_figures(struct work *w, const struct reconciled *r)
{
	if (r->is_by_day)
		note(w, "they name no models: whole days are compared");
	if (r->total.ours.unpriced > 0)
		note(w,
			"requests of the ledger that have no known price, and are not in its "
			"USD: %" PRId64,
			r->total.ours.unpriced);
	if (r->total.ours.unknown > 0)
		note(w,
			"requests of the ledger that ended unseen, and are in it with what they "
			"could have cost: %" PRId64,
			r->total.ours.unknown);
	note_missing_days(w, r);
	note_names(w, r);
	note_keys(w, r);
}

/* ---- the command ---- */

static int compare(struct work *w)
{
	const struct reconcile_rules rules = {
		.tolerance = w->tolerance,
		.aliases = w->aliases,
		.n_aliases = w->o->aliases.n,
		.keys = w->key_ids,
		.n_keys = w->o->key_ids.n,
	};
	struct reconciled r;
	if (reconcile(&w->ours, &w->theirs, &rules, &r)) {
		reconciled_done(&r);
		return say_failure(&w->o->common, EXIT_BAD, "out of memory");
	}
	note_figures(w, &r);
	struct reconcile_view view = {
		.common = &w->o->common,
		.form = w->form,
		.provider = w->provider,
		.zone = w->o->zone,
		.source = w->source,
		.first_day = w->days.first,
		.last_day = w->days.last,
		.tolerance = &w->tolerance,
		.notes = w->notes,
	};
	reconcile_show(&view, &r);
	const int code = r.is_within ? EXIT_GOOD : EXIT_BAD;
	reconciled_done(&r);
	return code;
}

static int do_work(struct work *w)
{
	int code = read_line(w);
	if (code != OPTIONS_GO_ON)
		return code;
	if (w->o->csv)
		code = read_file(w);
	else
		code = EXIT_GOOD;
	if (code)
		return code;
	if (!w->o->csv && w->days.last - w->days.first >= DAYS_MAX)
		return say_failure(&w->o->common, EXIT_USAGE,
			"a provider is asked for at most %d days at once: give less by --since and "
			"--until",
			DAYS_MAX);
	if (!w->o->csv)
		code = ask_theirs(w);
	if (!code)
		code = ask_ours(w);
	return code ? code : compare(w);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.zone = "UTC", .tolerance = "0.5%,0.01"};
	char **words;
	int n;
	int code = options_read_words(self, argc, argv, &o, 1, 1, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	struct work w = {.self = self, .o = &o, .provider = words[0]};
	statement_init(&w.ours);
	statement_init(&w.theirs);
	buf_init(&w.notes, NOTE_BYTES);
	code = do_work(&w);
	statement_done(&w.ours);
	statement_done(&w.theirs);
	buf_done(&w.notes);
	return code;
}

#define AT(field) offsetof(struct options, field)
/* clang-format off */
static const struct option_row rows[] = {
	{'\0', "csv", "FILE", "the provider's export, - for stdin; else the provider is asked by its cost reports",
		OPTION_TEXT, AT(csv)},
	{'\0', "map", "COLUMNS", "day=NAME,model=NAME,cost=NAME, as its first line has them; also key, input, output, requests, "
		"currency", OPTION_LIST, AT(maps)},
	{'\0', "model-alias", "PAIR", "THEIRS=OURS: their name of a model, * for anything; the first that fits (repeats)", OPTION_LIST, AT(aliases)},
	{'\0', "key-id", "PAIR", "LABEL=ID: their id or name of a key of the broker's (repeats)", OPTION_LIST, AT(key_ids)},
	{'\0', "key", "LABEL", "the key that may read cost reports (default: admin)", OPTION_TEXT, AT(key)},
	{'\0', "since", "TIME", "from that day on: 30d, 2026-01-31 (default: the file's days, or 7 whole days)",
		OPTION_TEXT, AT(since)},
	{'\0', "until", "TIME", "up to that day, which is not compared any more", OPTION_TEXT, AT(until)},
	{'\0', "zone", "NAME", "whose days are the file's: UTC, Europe/Berlin, local (default: UTC)", OPTION_TEXT, AT(zone)},
	{'\0', "tolerance", "AMOUNT", "what is no difference, the larger of both (default: 0.5%,0.01)",
		OPTION_TEXT, AT(tolerance)},
	{'\0', "output", "FORM", "table, json or csv", OPTION_TEXT, AT(output)},
};
/* clang-format on */

const struct command command_reconcile = {
	.name = "reconcile",
	.args = "PROVIDER",
	.summary = "compare the ledger with a provider's bill",
	.examples =
		"  llmb reconcile openai --csv costs.csv --map day=Date,model=Model,cost=\"Cost "
		"(USD)\"\n"
		"  llmb reconcile anthropic --csv claude_api_cost.csv   columns that are known "
		"need no map\n"
		"  llmb key add openai/admin && llmb reconcile openai --since 30d\n",
	.notes =
		"Exit status 0: every day, every model and the total agree within the\n"
		"tolerance; 1: they do not, or the file cannot be read, and then stdout has no\n"
		"figures.\n"
		"Days as 2026-01-31, 31 Jan 2026, with a time, or as seconds since 1970;\n"
		"day=COLUMN:mdy and :dmy for 1/31/2026 and 31/1/2026, cost=COLUMN:comma where a\n"
		"comma is before the decimals. Dated names of a model, and lines such as\n"
		"\"gpt-4o, cached input\", are added up under the one that the ledger has. A call\n"
		"at midnight may be counted on the next day by the other side. The key `admin`\n"
		"is used for nothing else; it stays in the broker.\n",
	.rows = rows,
	.n_rows = COUNT_OF(rows),
	.run = run,
};
