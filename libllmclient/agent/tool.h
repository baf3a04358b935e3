/* tool.h - what does another program of the desktop print?
 * notify-send and secret-tool, found on the PATH. Blocks. */
#ifndef LIBLLMCLIENT_AGENT_TOOL_H
#define LIBLLMCLIENT_AGENT_TOOL_H
#include <stdbool.h>
#include <stddef.h>

/* Runs `argv` (ended by NULL) with `input` (NULL: none) on its stdin, and puts the first line that it prints into
 * `to`. It is ended after so many seconds. False: it cannot be run, or fails. */
bool tool_run(const char *const *argv, const char *input, int seconds, char *to, size_t size);

#endif
