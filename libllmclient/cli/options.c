/* options.c - a table becomes getopt's, and the help. */
#include "libllmclient/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/say.h"
#include "protocol/base/num.h"

#define ROWS_MAX   32
#define HELP_VALUE 1000
#define COLUMN     26

#define COMMON(field) offsetof(struct common, field)
static const struct option_row common_rows[] = {
	{'\0', "json",     NULL,   "one JSON object, or a JSON line for each piece of a stream",
         OPTION_FLAG,											 COMMON(is_json) },
	{'q',  "quiet",    NULL,   "no hints, no cost: errors only",                             OPTION_FLAG, COMMON(is_quiet)},
	{'v',  "verbose",  NULL,   "what happens meanwhile, on stderr",                          OPTION_FLAG,
         COMMON(is_verbose)												   },
	{'\0', "no-input", NULL,   "never ask, even on a terminal",                              OPTION_FLAG,
         COMMON(has_no_input)												 },
	{'\0', "socket",   "PATH",
         "the broker's socket (default: $LLM_BROKER_SOCKET, the user's, the system's)",          OPTION_TEXT, COMMON(socket)  },
};

const struct option_row *options_common(size_t *n)
{
	*n = COUNT_OF(common_rows);
	return common_rows;
}

/* ---- help ---- */

static void help_row(struct buf *out, const struct option_row *row)
{
	const size_t begin = out->n;
	buf_text(out, "  ");
	if (row->letter)
		buf_print(out, "-%c, ", row->letter);
	else
		buf_text(out, "    ");
	buf_print(out, "--%s", row->name);
	if (row->arg)
		buf_print(out, " %s", row->arg);
	const bool is_long = out->n + 1 - begin > COLUMN;
	buf_print(out, "%s%*s", is_long ? "\n" : "",
		(int)(is_long ? COLUMN : COLUMN - (out->n - begin)), "");
	buf_print(out, "%s\n", row->help);
}

static void help_subcommands(struct buf *out, const struct command *c)
{
	for (size_t i = 0; i < c->n_subcommands; i++) {
		const struct command *sub = c->subcommands[i];
		const size_t begin = out->n;
		buf_print(out, "  llmb %s %s ", sub->name, sub->args);
		while (out->n - begin < COLUMN + 12)
			buf_byte(out, ' ');
		buf_print(out, "%s\n", sub->summary);
	}
}

void options_help(const struct command *c)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	buf_print(&out, "llmb %s - %s\n\n", c->name, c->summary);
	if (c->examples)
		buf_print(&out, "%s\n", c->examples);
	if (c->n_subcommands > 0) {
		help_subcommands(&out, c);
		say_out(&out);
		return;
	}
	buf_print(&out, "usage: llmb %s [OPTION...]%s%s\n\n", c->name, c->args[0] ? " " : "",
		c->args);
	for (size_t i = 0; i < c->n_rows; i++)
		help_row(&out, &c->rows[i]);
	for (size_t i = 0; i < COUNT_OF(common_rows); i++)
		help_row(&out, &common_rows[i]);
	buf_text(&out, "  -h, --help              this text\n");
	if (c->notes)
		buf_print(&out, "\n%s", c->notes);
	say_out(&out);
}

/* ---- mistakes ---- */

int options_refuse(const struct command *c, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say_err("llmb %s: %s (see `llmb %s --help`)", c->name, text, c->name);
	return EXIT_USAGE;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters are wrong, missing, too many, or changed over with the next. */
static size_t distance(const char *a, const char *b)
{
	size_t d[24][24];
	const size_t n = strlen(a), m = strlen(b);
	if (n >= COUNT_OF(d) || m >= COUNT_OF(d))
		return SIZE_MAX;
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
			d[i][j] = least(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

const char *nearest_word(const char *word, const char *const *words, size_t n)
{
	const char *found = NULL;
	size_t nearest = strlen(word) / 2 + 1;
	for (size_t i = 0; i < n; i++) {
		const size_t d = distance(word, words[i]);
		if (d < nearest) {
			nearest = d;
			found = words[i];
		}
	}
	return found;
}

/* ---- reading ---- */

struct reading {
	const struct option_row *rows[ROWS_MAX];
	struct option table[ROWS_MAX + 2];
	char letters[ROWS_MAX * 2 + 4];
	size_t n;
};

static void add_rows(struct reading *r, const struct option_row *rows, size_t n, char **letter)
{
	for (size_t i = 0; i < n && r->n < ROWS_MAX; i++, r->n++) {
		r->rows[r->n] = &rows[i];
		r->table[r->n] =
			(struct option){rows[i].name, rows[i].arg ? required_argument : no_argument,
				NULL, HELP_VALUE + 1 + (int)r->n};
		if (!rows[i].letter)
			continue;
		*(*letter)++ = rows[i].letter;
		if (rows[i].arg)
			*(*letter)++ = ':';
	}
}

static void prepare(struct reading *r, const struct command *c)
{
	char *letter = r->letters;
	*letter++ = ':'; /* mistakes are ours to tell */
	*letter++ = 'h';
	add_rows(r, c->rows, c->n_rows, &letter);
	add_rows(r, common_rows, COUNT_OF(common_rows), &letter);
	r->table[r->n] = (struct option){"help", no_argument, NULL, 'h'};
	r->table[r->n + 1] = (struct option){NULL, 0, NULL, 0};
	*letter = '\0';
}

static const struct option_row *row_of(const struct reading *r, int which)
{
	if (which > HELP_VALUE && (size_t)(which - HELP_VALUE - 1) < r->n)
		return r->rows[which - HELP_VALUE - 1];
	for (size_t i = 0; i < r->n; i++) {
		if (which > 0 && r->rows[i]->letter == which)
			return r->rows[i];
	}
	return NULL;
}

/* The word of the line that the option at hand was in. */
static const char *given_as(const struct option_row *row, char *const *argv)
{
	const char *last = argv[optind - 1];
	return row && row->arg && optarg == last ? argv[optind - 2] : last;
}

/* getopt_long takes any beginning of a name; what is scripted should not break by a new option. */
static bool is_whole_name(const struct option_row *row, const char *given)
{
	const size_t n = strlen(row->name);
	return strncmp(given, "--", 2) == 0 && strncmp(given + 2, row->name, n) == 0 &&
	       (given[2 + n] == '\0' || given[2 + n] == '=');
}

static bool read_number(const char *text, double *to)
{
	char *end;
	errno = 0;
	*to = strtod(text, &end);
	return errno == 0 && end != text && *end == '\0' && isfinite(*to);
}

/* NULL: taken; else what was wanted. */
static const char *take(const struct option_row *row, void *options)
{
	void *field = (char *)options + row->offset;
	struct text_list *list = field;
	int64_t v;
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return NULL;
	case OPTION_TEXT:
		*(const char **)field = optarg;
		return NULL;
	case OPTION_LIST:
		if (list->n == LIST_MAX)
			return "fewer of them";
		list->items[list->n++] = optarg;
		return NULL;
	case OPTION_COUNT:
		if (!num_i64(span_str(optarg), &v) || v < 0 || v > INT32_MAX)
			return "a number of 0 or more";
		*(int64_t *)field = v;
		return NULL;
	case OPTION_NUMBER:
		return read_number(optarg, field) ? NULL : "a number";
	case OPTION_DURATION:
		if (!num_duration_us(span_str(optarg), &v) || v < 1000)
			return "a duration such as 30s, 5m, 2h or 7d";
		*(int64_t *)field = v / 1000;
		return NULL;
	}
	return NULL;
}

static int refuse_option(
	const struct command *c, const struct reading *r, int which, const char *given)
{
	const char *names[ROWS_MAX];
	if (which == ':') {
		const struct option_row *row = row_of(r, optopt);
		return options_refuse(c, "%s wants %s", given, row ? row->arg : "an argument");
	}
	if (strncmp(given, "--", 2) != 0)
		return options_refuse(c, "there is no option -%c", optopt ? optopt : '?');
	for (size_t i = 0; i < r->n; i++)
		names[i] = r->rows[i]->name;
	const char *near = nearest_word(given + 2, names, r->n);
	if (near)
		return options_refuse(c, "there is no option %s; is --%s meant?", given, near);
	return options_refuse(c, "there is no option %s", given);
}

int options_read(
	const struct command *c, int argc, char **argv, void *options, int *n, char ***rest)
{
	struct reading r = {.n = 0};
	int which;
	prepare(&r, c);
	optind = 0; /* glibc's way to begin anew */
	while ((which = getopt_long(argc, argv, r.letters, r.table, NULL)) != -1) {
		if (which == 'h') {
			options_help(c);
			return EXIT_GOOD;
		}
		const struct option_row *row = row_of(&r, which);
		const char *given = given_as(row, argv);
		if (!row || (which > HELP_VALUE && !is_whole_name(row, given)))
			return refuse_option(c, &r, which, given);
		const char *wanted = take(row, options);
		if (wanted)
			return options_refuse(
				c, "--%s %s: %s is wanted", row->name, optarg, wanted);
	}
	*n = argc - optind;
	*rest = argv + optind;
	return OPTIONS_GO_ON;
}

int options_read_words(const struct command *c, int argc, char **argv, void *options, int least,
	int most, int *n, char ***rest)
{
	const int code = options_read(c, argc, argv, options, n, rest);
	if (code != OPTIONS_GO_ON)
		return code;
	if (*n < least)
		return options_refuse(c, "%s is missing", c->args);
	if (*n > most)
		return options_refuse(c, "what is \"%s\"?", (*rest)[most]);
	return OPTIONS_GO_ON;
}
