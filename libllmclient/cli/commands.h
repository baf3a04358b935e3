/* commands.h - which commands are there? Each is in the file that has its name. */
#ifndef LIBLLMCLIENT_CLI_COMMANDS_H
#define LIBLLMCLIENT_CLI_COMMANDS_H
#include "libllmclient/cli/options.h"

extern const struct command command_app, command_ask, command_audit, command_budget, command_cache,
	command_cache_warm, command_catalogue, command_chat, command_config, command_count,
	command_daemon, command_doctor, command_embed, command_env, command_explain, command_key,
	command_models, command_moderate, command_policy, command_relay, command_reconcile,
	command_rerank, command_run, command_status, command_tail, command_token, command_top,
	command_usage, command_vault, command_whoami, command_wire;

#define COMMANDS_MAX 40

/* Those of one word; the others are in their groups. */
const struct command *const *commands_table(size_t *n);

bool commands_is_help(const char *word);

/* Says that there is no such command, or which is meant; `group` is "" or "key ". Returns EXIT_USAGE. */
int commands_refuse(const char *group, const char *word, const char *const *names, size_t n);

/* Runs the subcommand that argv[1] names, or prints the group's help. */
int run_group(const struct command *self, int argc, char **argv);

#endif
