/* signals.h - how does llmb hear of signals while a program of its own runs?
 * Those that end a program, and the one that says that a child has ended, are held back, and read from a descriptor. */
#ifndef LIBLLMCLIENT_CLI_SIGNALS_H
#define LIBLLMCLIENT_CLI_SIGNALS_H
#include <signal.h>
#include <stdbool.h>

struct signals {
	sigset_t before;
	int fd;
};

bool signals_hold(struct signals *s); /* false: errno says why */

/* In a child, before it becomes another program. */
void signals_release(const struct signals *s);

/* Waits for the next one; 0: none. One of the terminal's went to all of our group. */
int signals_next(const struct signals *s, bool *is_the_terminals);

/* Has one come that ends a program? Its number; 0: none. Takes away what else has come. */
int signals_poll(const struct signals *s);

#endif
