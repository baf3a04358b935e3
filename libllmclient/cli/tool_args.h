/* tool_args.h - what is told to programs that do not ask their environment?
 * By the last part of their name: options behind it, or a file of settings. */
#ifndef LIBLLMCLIENT_CLI_TOOL_ARGS_H
#define LIBLLMCLIENT_CLI_TOOL_ARGS_H
#include "libllmclient/cli/tool_env.h"

/* The name by which a program is known here: what is behind its path's last slash. */
const char *tool_name(const char *program);

/* `argv` as it is to be, NULL at its end, in `a`; it may be `argv` itself. NULL: out of memory. */
char **tool_args(char **argv, const struct reach *to, struct arena *a);

/* One variable more, whose value is settings, or the path of a file with them, which is written into `folder` under the
 * name TOOL_SETTINGS. False: none is needed, or it could not be made (errno says why; 0: none is needed). */
#define TOOL_SETTINGS "settings.json"
bool tool_settings(const char *program, const struct reach *to, const char *folder, struct arena *a,
	struct variable *out);

#endif
