/* main.c - a table of subcommands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/say.h"

static const struct command *const commands[] = {
	&command_ask,
	&command_chat,
	&command_key,
	&command_vault,
	&command_app,
	&command_token,
	&command_env,
	&command_run,
	&command_wire,
	&command_policy,
	&command_whoami,
	&command_embed,
	&command_rerank,
	&command_count,
	&command_moderate,
	&command_relay,
	&command_models,
	&command_catalogue,
	&command_usage,
	&command_explain,
	&command_budget,
	&command_reconcile,
	&command_audit,
	&command_status,
	&command_doctor,
	&command_config,
	&command_daemon,
};

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
	buf_text(&out, "usage: llmb COMMAND [OPTION...] [ARGUMENT...]\n\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
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

static int unknown(const char *group, const char *word, const char *const *names, size_t n)
{
	const char *near = nearest_word(word, names, n);
	if (near)
		say_err("llmb: there is no command \"%s%s\"; is `llmb %s%s` meant?", group, word,
			group, near);
	else
		say_err("llmb: there is no command \"%s%s\"; see `llmb %s--help`", group, word,
			group);
	return EXIT_USAGE;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int run_group(const struct command *self, int argc, char **argv)
{
	const char *names[16];
	char group[32];
	if (argc < 2 || is_help(argv[1])) {
		options_help(self);
		return argc < 2 ? EXIT_USAGE : EXIT_GOOD;
	}
	for (size_t i = 0; i < self->n_subcommands; i++) {
		names[i] = strchr(self->subcommands[i]->name, ' ') + 1;
		if (strcmp(argv[1], names[i]) == 0)
			return self->subcommands[i]->run(self->subcommands[i], argc - 1, argv + 1);
	}
	(void)snprintf(group, sizeof group, "%s ", self->name);
	return unknown(group, argv[1], names, self->n_subcommands);
}

int main(int argc, char **argv)
{
	const char *names[COUNT_OF(commands)];
	if (argc < 2) {
		say_text(brief, sizeof brief - 1);
		return EXIT_GOOD;
	}
	if (is_help(argv[1]))
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		static const char version[] = "llmb " LLM_BROKER_VERSION " (libllmclient ";
		say_text(version, sizeof version - 1);
		say_text(llm_version(), strlen(llm_version()));
		say_text(")\n", 2);
		return EXIT_GOOD;
	}
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		names[i] = commands[i]->name;
		if (strcmp(argv[1], names[i]) == 0)
			return commands[i]->run(commands[i], argc - 1, argv + 1);
	}
	return unknown("", argv[1], names, COUNT_OF(commands));
}
