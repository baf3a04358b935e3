/* options.h - what may stand on a command's line, and what does it say?
 * One table a command: getopt_long reads by it and its help is printed from it. */
#ifndef LIBLLMCLIENT_CLI_OPTIONS_H
#define LIBLLMCLIENT_CLI_OPTIONS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
	EXIT_DENIED = 3,
	EXIT_INTERRUPTED = 130,
};

/* What every command takes: the first member of every command's own options. */
struct common {
	bool is_json, is_quiet, is_verbose, has_no_input;
	const char *socket;
};

#define LIST_MAX 32
struct text_list {
	const char *items[LIST_MAX];
	size_t n;
};

enum option_kind {
	OPTION_FLAG,     /* bool */
	OPTION_TEXT,     /* const char * */
	OPTION_LIST,     /* struct text_list: may repeat */
	OPTION_COUNT,    /* int64_t, 0 or more */
	OPTION_NUMBER,   /* double */
	OPTION_DURATION, /* int64_t milliseconds, more than 0: "30s" */
};

struct option_row {
	char letter; /* '\0': none */
	const char *name;
	const char *arg; /* what its argument is, for the help; NULL: it has none */
	const char *help;
	enum option_kind kind;
	size_t offset; /* of the field in the command's options */
};

struct command {
	const char *name;     /* "key add" */
	const char *args;     /* "PROVIDER[/LABEL]"; "" none */
	const char *summary;  /* one line */
	const char *examples; /* first in the help; lines end in a newline; NULL: none */
	const char *notes;    /* last in the help; NULL: none */
	const struct option_row *rows;
	size_t n_rows;
	int (*run)(const struct command *self, int argc, char **argv);
	const struct command *const *subcommands; /* NULL: it is none's group */
	size_t n_subcommands;
};

#define OPTIONS_GO_ON (-1)

/* Reads argv[1..] into `options`, which begins with a struct common, and leaves what is no option in
 * *n and *rest, in order. OPTIONS_GO_ON, or what to exit with: the help was printed, or the mistake. */
int options_read(
	const struct command *c, int argc, char **argv, void *options, int *n, char ***rest);

/* The same where exactly so many words are wanted besides options. */
int options_read_words(const struct command *c, int argc, char **argv, void *options, int least,
	int most, int *n, char ***rest);

/* Says what is wrong with the line and where to look; returns EXIT_USAGE. */
int options_refuse(const struct command *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What every command takes, beside its own rows and --help. */
const struct option_row *options_common(size_t *n);

/* To stdout. */
void options_help(const struct command *c);

/* The one of the words that is nearest to a mistyped one; NULL: none is near. */
const char *nearest_word(const char *word, const char *const *words, size_t n);

#endif
