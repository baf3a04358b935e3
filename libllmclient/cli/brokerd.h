/* brokerd.h - where is the daemon that belongs to this llmb? */
#ifndef LIBLLMCLIENT_CLI_BROKERD_H
#define LIBLLMCLIENT_CLI_BROKERD_H
#include <limits.h>

/* Becomes llm-brokerd: the one beside this program, else the first of PATH. argv[0] is replaced.
 * Returns only if there is none or it cannot be run; errno says why. */
void brokerd_exec(char **argv);

#endif
