/* tool_args.h - what is told to programs that do not ask their environment?
 * By the last part of their name: options behind it, or settings. */
#ifndef LIBLLMCLIENT_CLI_TOOL_ARGS_H
#define LIBLLMCLIENT_CLI_TOOL_ARGS_H
#include "libllmclient/cli/tool_env.h"
#include "protocol/base/err.h"

/* The name by which a program is known here: what is behind its path's last slash. */
const char *tool_name(const char *program);

/* `argv` as it is to be, NULL at its end, in `a`; it may be `argv` itself. NULL: out of memory. */
char **tool_args(char **argv, const struct reach *to, struct arena *a);

/* One variable more, whose value is settings, or leads to some, which are made in `folder`; its value is NULL where none is
 * needed. ERR_IO and the like, where they cannot be made: *why. */
enum err tool_settings(const char *program, const struct reach *to, const char *folder,
	struct arena *a, struct variable *out, struct fault *why) MUST_USE;

#endif
