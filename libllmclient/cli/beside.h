/* beside.h - where are the programs that belong to this llmb? */
#ifndef LIBLLMCLIENT_CLI_BESIDE_H
#define LIBLLMCLIENT_CLI_BESIDE_H

/* Becomes the program of that name: the one beside this one, else the first of PATH. argv[0] is replaced.
 * Returns only if there is none or it cannot be run; errno says why. */
void beside_exec(const char *name, char **argv);

#endif
