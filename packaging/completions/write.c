/* write.c - what do the option tables make of a shell's completion, or of a page?
 * `write SHELL PROGRAM` prints the table that the shell's own part (bash.in, zsh.in, fish.in) reads;
 * `write man llm-broker.conf` a manual page, `write man llmb` what llmb(1) says of each command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brokerd/config/config.h"
#include "libllmclient/cli/commands.h"
#include "packaging/completions/values.h"
#include "protocol/base/owned.h"
#include "protocol/limits.h"

/* clang-format off */
static const struct option_row daemon_rows[] = {
#define OPTION(id, name, arg, help) {'\0', name, arg, help, OPTION_TEXT, 0},
#define FLAG(id, name, help) {'\0', name, NULL, help, OPTION_FLAG, 0},
#include "brokerd/options.def"
};
static const struct option_row agent_rows[] = {
#define OPTION(id, name, arg, help) {'\0', name, arg, help, OPTION_TEXT, 0},
#define FLAG(id, name, help) {'\0', name, NULL, help, OPTION_FLAG, 0},
#include "libllmclient/agent/options.def"
};
static const struct option_row bridge_rows[] = {
#define OPTION(id, name, arg, help) {'\0', name, arg, help, OPTION_TEXT, 0},
#define FLAG(id, name, help) {'\0', name, NULL, help, OPTION_FLAG, 0},
#include "libllmclient/bridge/options.def"
};
/* clang-format on */

static const struct option_row main_rows[] = {
	{'h',  "help",    NULL, "which commands there are", OPTION_FLAG, 0},
	{'\0', "version", NULL, "which version it is",      OPTION_FLAG, 0},
};
static const struct option_row help_row = {'h', "help", NULL, "this text", OPTION_FLAG, 0};

static const struct command programs[] = {
	{.name = "llmb",              .args = "", .rows = main_rows,   .n_rows = COUNT_OF(main_rows)  },
	{.name = "llm-brokerd",       .args = "", .rows = daemon_rows, .n_rows = COUNT_OF(daemon_rows)},
	{.name = "llm-broker-agent",
         .args = "",
         .rows = agent_rows,
         .n_rows = COUNT_OF(agent_rows)							       },
	{.name = "llm-broker-bridge",
         .args = "",
         .rows = bridge_rows,
         .n_rows = COUNT_OF(bridge_rows)							      },
};

/* ---- walking ---- */

static bool is_main(const struct command *c)
{
	return strcmp(c->name, "llmb") == 0;
}

static bool is_program(const struct command *c)
{
	return c >= programs && c < programs + COUNT_OF(programs);
}

/* All rows of a command: its own, the common ones, and --help. */
static void each_row(const struct command *c,
	void (*each)(const struct command *c, const struct option_row *row))
{
	if (strcmp(c->name, "daemon") == 0) /* whose options are all of the other program's */
		c = &programs[1];
	for (size_t i = 0; i < c->n_rows; i++)
		each(c, &c->rows[i]);
	if (is_program(c))
		return; /* it has --help itself */
	if (c->n_subcommands == 0) {
		size_t n;
		const struct option_row *common = options_common(&n);
		for (size_t i = 0; i < n; i++)
			each(c, &common[i]);
	}
	each(c, &help_row);
}

static const char *last_word(const char *name)
{
	const char *space = strrchr(name, ' ');
	return space ? space + 1 : name;
}

/* The words that may follow: subcommands, or of llmb itself the commands. */
static void each_subcommand(
	const struct command *c, void (*each)(const char *word, const char *summary))
{
	size_t n = c->n_subcommands;
	const struct command *const *subs = is_main(c) ? commands_table(&n) : c->subcommands;
	for (size_t i = 0; i < n; i++)
		each(last_word(subs[i]->name), subs[i]->summary);
}

/* ---- a shell's table ---- */

/* How a shell says it. @FN@ stands for the program's function, %s for what is said. A thing and what it does are one
 * text with `between` between them; NULL: the thing alone. */
/* clang-format off */
static const struct shell {
	const char *name, *between;
	const char *quote;                            /* what stands for a quote in a quoted text */
	const char *begin, *end;                      /* of the function, and what makes it known */
	const char *command, *command_end;
	const char *list, *list_end;                  /* of commands, options, letters */
	const char *words;
	const char *options, *option, *letter, *value, *options_end; /* that take something */
} shells[] = {
	{
		.name = "bash", .between = NULL, .quote = "'\\''",
		.begin = "@FN@_table()\n{\n\tcase $1 in\n",
		.end = "\t*) return 2 ;;\n\tesac\n}\n\ncomplete -F @FN@ @PROGRAM@\n",
		.command = "\t'%s')\n", .command_end = "\t\t;;\n",
		.list = "\t\t%s=(", .list_end = ")\n",
		.words = "\t\twords='%s'\n",
		.options = "\t\tcase $2 in\n", .option = "\t\t%s", .letter = " | %s", .value = ") value='%s' ;;\n",
		.options_end = "\t\t*) return 1 ;;\n\t\tesac\n",
	}, {
		.name = "zsh", .between = ":", .quote = "'\\''",
		.begin = "@FN@_table()\n{\n\tcase $1 in\n",
		.end = "\t(*) return 2 ;;\n\tesac\n}\n\n@FN@ \"$@\"\n",
		.command = "\t('%s')\n", .command_end = "\t\t;;\n",
		.list = "\t\t%s=(", .list_end = ")\n",
		.words = "\t\twords_='%s'\n", /* words is zsh's own */
		.options = "\t\tcase $2 in\n", .option = "\t\t(%s", .letter = "|%s", .value = ") value='%s' ;;\n",
		.options_end = "\t\t(*) return 1 ;;\n\t\tesac\n",
	}, {
		.name = "fish", .between = "\t", .quote = "\\'",
		.begin = "function @FN@_table\n\tswitch $argv[1]\n",
		.end = "\t\tcase '*'\n\t\t\treturn 2\n\tend\nend\n\ncomplete -c @PROGRAM@ -f -a '(@FN@_offer)'\n",
		.command = "\t\tcase '%s'\n", .command_end = "",
		.list = "\t\t\tset -g @FN@_%s", .list_end = "\n",
		.words = "\t\t\tset -g @FN@_words '%s'\n",
		.options = "\t\t\tswitch $argv[2]\n", .option = "\t\t\t\tcase %s", .letter = " %s",
		.value = "\n\t\t\t\t\tset -g @FN@_value '%s'\n",
		.options_end = "\t\t\t\tcase '*'\n\t\t\t\t\treturn 1\n\t\t\tend\n",
	},
};
/* clang-format on */

static const struct shell *shell;
static const struct command *program;

/* "__llm_broker_agent" */
static void put_function(void)
{
	(void)fputs("__", stdout);
	for (const char *at = program->name; *at; at++)
		(void)putchar(*at == '-' ? '_' : *at);
}

/* A piece of the shell's, with `text` in the place of %s. */
static void put(const char *piece, const char *text)
{
	for (; *piece; piece++) {
		if (strncmp(piece, "@FN@", 4) == 0) {
			put_function();
			piece += 3;
		} else if (strncmp(piece, "@PROGRAM@", 9) == 0) {
			(void)fputs(program->name, stdout);
			piece += 8;
		} else if (strncmp(piece, "%s", 2) == 0) {
			(void)fputs(text, stdout);
			piece++;
		} else {
			(void)putchar(*piece);
		}
	}
}

static void put_quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs(shell->quote, stdout);
		else if (*text == '\\' && strcmp(shell->name, "fish") == 0)
			(void)fputs("\\\\", stdout);
		else
			(void)putchar(*text);
	}
}

static void put_thing(const char *dashes, const char *word, const char *about)
{
	printf(" '%s%s", dashes, word);
	if (shell->between) {
		(void)fputs(shell->between, stdout);
		put_quoted(about);
	}
	(void)putchar('\'');
}

static void put_subcommand(const char *word, const char *summary)
{
	put_thing("", word, summary);
}

static void put_option(const struct command *c, const struct option_row *row)
{
	(void)c;
	put_thing("--", row->name, row->help);
}

static void put_letter(const struct command *c, const struct option_row *row)
{
	const char letter[] = {row->letter, '\0'};
	(void)c;
	if (row->letter)
		put_thing("-", letter, row->help);
}

static void put_value(const struct command *c, const struct option_row *row)
{
	char value[VALUE_BYTES], name[64];
	if (!row->arg)
		return;
	(void)snprintf(name, sizeof name, "--%s", row->name);
	put(shell->option, name);
	if (row->letter) {
		(void)snprintf(name, sizeof name, "-%c", row->letter);
		put(shell->letter, name);
	}
	value_of_option(c, row, value);
	put(shell->value, value);
}

static void put_command(const struct command *c)
{
	char words[VALUE_BYTES];
	put(shell->command, is_program(c) ? "" : c->name);
	put(shell->list, "commands");
	each_subcommand(c, put_subcommand);
	put(shell->list_end, "");
	put(shell->list, "options");
	each_row(c, put_option);
	put(shell->list_end, "");
	put(shell->list, "letters");
	each_row(c, put_letter);
	put(shell->list_end, "");
	value_of_words(c, words);
	put(shell->words, words);
	put(shell->options, "");
	each_row(c, put_value);
	put(shell->options_end, "");
	put(shell->command_end, "");
}

static void put_table(void)
{
	size_t n;
	const struct command *const *commands = commands_table(&n);
	put("\n# COMMAND OPTION: what may stand there, and what the option takes; false: it takes "
	    "nothing\n",
		"");
	put(shell->begin, "");
	put_command(program);
	for (size_t i = 0; i < n && is_main(program); i++) {
		put_command(commands[i]);
		for (size_t j = 0; j < commands[i]->n_subcommands; j++)
			put_command(commands[i]->subcommands[j]);
	}
	put(shell->end, "");
}

/* ---- a page ---- */

/* In scdoc's own language, where these mean something. */
static void put_plain(const char *text)
{
	if (*text == '-')
		(void)putchar('\\'); /* else it is a list */
	for (; *text; text++) {
		if (strchr("*_\\#`<>[]~|", *text))
			(void)putchar('\\');
		(void)putchar(*text);
	}
}

static void put_page_row(const struct command *c, const struct option_row *row)
{
	(void)c;
	(void)putchar('*');
	if (row->letter)
		printf("-%c*, *", row->letter);
	printf("--%s*", row->name);
	if (row->arg) {
		(void)fputs(" _", stdout);
		put_plain(row->arg);
		(void)putchar('_');
	}
	(void)fputs("\n\t", stdout);
	put_plain(row->help);
	(void)fputs("\n\n", stdout);
}

/* Has it a page of its own, it or its group? */
static bool has_page(const struct command *c)
{
	static const char *const pages[] = {"audit", "cache", "env", "run", "token", "wire"};
	const size_t n = strcspn(c->name, " ");
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		if (strlen(pages[i]) == n && strncmp(c->name, pages[i], n) == 0)
			return true;
	}
	return false;
}

static void put_page_command(const struct command *c)
{
	printf("## llmb %s\n\n*llmb %s*%s%s", c->name, c->name,
		strcmp(c->name, "daemon") == 0 ? "" : " [_OPTION_...]", c->args[0] ? " " : "");
	put_plain(c->args);
	(void)fputs("\n\n", stdout);
	put_plain(c->summary);
	if (has_page(c))
		printf("; see *llmb-%.*s*(1)", (int)strcspn(c->name, " "), c->name);
	(void)fputs("\n\n", stdout);
	for (size_t i = 0; i < c->n_rows; i++)
		put_page_row(c, &c->rows[i]);
}

static void put_page(void)
{
	size_t n;
	const struct command *const *commands = commands_table(&n);
	for (size_t i = 0; i < n; i++) {
		const struct command *c = commands[i];
		if (c->n_subcommands == 0)
			put_page_command(c);
		for (size_t j = 0; j < c->n_subcommands; j++)
			put_page_command(c->subcommands[j]);
	}
}

/* ---- the line ---- */

static int refuse(void)
{
	(void)fputs("usage: write bash|zsh|fish PROGRAM; write man llmb|llm-broker.conf\n", stderr);
	return 2;
}

static int written(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

static int write_page(const char *name)
{
	OWNED(buf_done) struct buf page = BUF_INIT(LIMIT_CONFIG_BYTES);
	if (strcmp(name, "llmb") == 0) {
		put_page();
		return written();
	}
	if (strcmp(name, "llm-broker.conf") != 0)
		return refuse();
	config_manual(&page);
	(void)fwrite(page.p, 1, page.n, stdout);
	return buf_error(&page) ? 1 : written();
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		return write_page(argv[2]);
	for (size_t i = 0; i < COUNT_OF(shells) && argc == 3; i++) {
		if (strcmp(argv[1], shells[i].name) == 0)
			shell = &shells[i];
	}
	for (size_t i = 0; i < COUNT_OF(programs) && argc == 3; i++) {
		if (strcmp(argv[2], programs[i].name) == 0)
			program = &programs[i];
	}
	if (!shell || !program)
		return refuse();
	put_table();
	return written();
}
