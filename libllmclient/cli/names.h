/* names.h - which names does a broker know that a shell may complete?
 * For completions: it starts no broker, waits a second at the most, and says nothing of what fails. */
#ifndef LIBLLMCLIENT_CLI_NAMES_H
#define LIBLLMCLIENT_CLI_NAMES_H

#define NAMES_OPTION "--names" /* of llmb, with one word; in no help */

/* Prints "models", "providers", "profiles" or "apps", each on a line, to stdout: as they are, so that a shell must not
 * evaluate them. Names with control characters are left out. Returns what to exit with. */
int names_print(const char *what);

#endif
