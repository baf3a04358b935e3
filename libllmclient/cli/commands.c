/* commands.c - the table of commands, in the order in which `llmb --help` lists them. */
#include "libllmclient/cli/commands.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "libllmclient/cli/say.h"
#include "protocol/base/owned.h"

static const struct command *const commands[] = {
	&command_ask,
	&command_chat,
	&command_key,
	&command_vault,
	&command_app,
	&command_token,
	&command_cache,
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
	&command_tail,
	&command_top,
	&command_explain,
	&command_budget,
	&command_reconcile,
	&command_audit,
	&command_status,
	&command_doctor,
	&command_config,
	&command_daemon,
};

static_assert(COUNT_OF(commands) <= COMMANDS_MAX, "main.c has room for their names");

const struct command *const *commands_table(size_t *n)
{
	*n = COUNT_OF(commands);
	return commands;
}

int commands_refuse(const char *group, const char *word, const char *const *names, size_t n)
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

bool commands_is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int run_group(const struct command *self, int argc, char **argv)
{
	const char *names[16];
	char group[32];
	if (argc < 2 || commands_is_help(argv[1])) {
		options_help(self);
		return argc < 2 ? EXIT_USAGE : EXIT_GOOD;
	}
	for (size_t i = 0; i < self->n_subcommands; i++) {
		names[i] = strchr(self->subcommands[i]->name, ' ') + 1;
		if (strcmp(argv[1], names[i]) == 0)
			return self->subcommands[i]->run(self->subcommands[i], argc - 1, argv + 1);
	}
	(void)snprintf(group, sizeof group, "%s ", self->name);
	return commands_refuse(group, argv[1], names, self->n_subcommands);
}
