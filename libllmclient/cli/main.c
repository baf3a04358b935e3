/* main.c - the command that the line names, or what there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/names.h"
#include "libllmclient/cli/say.h"

static const char brief[] =
	"llmb - ask language models through this machine's broker, which holds the keys\n"
	"\n"
	"  llmb ask \"why is the sky blue?\"   one question; also: git diff | llmb ask -s 'review "
	"this'\n"
	"  llmb chat                         a conversation\n"
	"  llmb key add openai               give the broker a provider's key\n"
	"  llmb run -- claude                a program that speaks HTTP, led to the broker\n"
	"  llmb models                       what can be asked\n"
	"  llmb usage --by app               what was spent, and by whom\n"
	"  llmb doctor                       what is wrong, and what to do about it\n"
	"\n"
	"`llmb --help` lists all commands, `llmb COMMAND --help` explains one.\n";

static int help(void)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	size_t n;
	const struct command *const *commands = commands_table(&n);
	buf_text(&out, "usage: llmb COMMAND [OPTION...] [ARGUMENT...]\n\n");
	for (size_t i = 0; i < n; i++)
		buf_print(&out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	buf_text(&out,
		"\n"
		"Every command takes --json, --help and the options that its help lists.\n"
		"\n"
		"Exit status: 0 good, 1 failed, 2 wrong usage, 3 denied, 4 no broker, 5 vault "
		"locked\n"
		"or no key, 6 budget or rate, 7 the provider, 124 out of time, 130 interrupted.\n"
		"\n"
		"LLM_BROKER_SOCKET names the broker's socket, LLM_BROKER_FD a connection to it.\n");
	say_out(&out);
	return EXIT_GOOD;
}

int main(int argc, char **argv)
{
	const char *names[COMMANDS_MAX];
	size_t n;
	const struct command *const *commands = commands_table(&n);
	if (argc < 2) {
		say_text(brief, sizeof brief - 1);
		return EXIT_GOOD;
	}
	if (commands_is_help(argv[1]))
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		static const char version[] = "llmb " LLM_BROKER_VERSION " (libllmclient ";
		say_text(version, sizeof version - 1);
		say_text(llm_version(), strlen(llm_version()));
		say_text(")\n", 2);
		return EXIT_GOOD;
	}
	if (argc == 3 && strcmp(argv[1], NAMES_OPTION) == 0)
		return names_print(argv[2]);
	for (size_t i = 0; i < n; i++) {
		names[i] = commands[i]->name;
		if (strcmp(argv[1], names[i]) == 0)
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	return commands_refuse("", argv[1], names, n);
}
