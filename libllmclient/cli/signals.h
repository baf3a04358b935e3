/* signals.h - how does llmb hear of signals where there is something to see to before they do what they do?
 * Those that end a program, say, or that a child has ended, are held back, and read from a descriptor. */
#ifndef LIBLLMCLIENT_CLI_SIGNALS_H
#define LIBLLMCLIENT_CLI_SIGNALS_H
#include <signal.h>
#include <stdbool.h>

struct signals {
	sigset_t before;
	int fd;
};

bool signals_hold(struct signals *s); /* false: errno says why */

/* The same for who has changed a terminal: those that end a program, stop it and let it go on, and that of its size. */
bool signals_hold_screen(struct signals *s);

/* Does what the signal does to a program that does not care; returns where it goes on after that. */
void signals_obey(int number);

/* In a child, before it becomes another program. */
void signals_release(const struct signals *s);

/* Waits for the next one; 0: none. One of the terminal's went to all of our group. */
int signals_next(const struct signals *s, bool *is_the_terminals);

/* Has one come that ends a program? Its number; 0: none. Takes away what else has come. */
int signals_poll(const struct signals *s);

#endif
