/* cmd_daemon.c - the broker itself, in the foreground. */
#include <errno.h>
#include <string.h>

#include "libllmclient/cli/beside.h"
#include "libllmclient/cli/commands.h"
#include "libllmclient/cli/say.h"

static int run(const struct command *self, int argc, char **argv)
{
	const struct common none = {.socket = NULL};
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		options_help(self);
		return EXIT_GOOD;
	}
	beside_exec("llm-brokerd", argv);
	return say_failure(&none, EXIT_BAD,
		"llm-brokerd cannot be run: %s; it belongs beside llmb or in PATH",
		strerror(errno));
}

const struct command command_daemon = {
	.name = "daemon",
	.args = "[OPTION...]",
	.summary = "run the broker in the foreground; options are llm-brokerd's",
	.examples = "  llmb daemon\n"
		    "  llmb daemon --socket /tmp/b/sock --state-dir /tmp/b\n",
	.run = run,
};
