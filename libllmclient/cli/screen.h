/* screen.h - how does a program have a terminal's whole screen, and give it back as it was?
 * The alternate screen, no echo, keys as they are typed. One at a time. Whoever has it holds signals back (signals.h). */
#ifndef LIBLLMCLIENT_CLI_SCREEN_H
#define LIBLLMCLIENT_CLI_SCREEN_H
#include <stdbool.h>
#include <stddef.h>

#include "libllmclient/cli/signals.h"
#include "protocol/base/span.h"

/* From now on until screen_close, which exit() calls too. False: the terminal cannot be had; errno. */
bool screen_open(void);
void screen_close(void); /* harmless where it is not open */

/* The terminal may have been anybody's meanwhile: all as screen_open has it. */
void screen_again(void);

/* Another job has it where not: then nothing here is shown, or changes it, and no key is for us. */
bool screen_is_ours(void);

void screen_size(size_t *columns, size_t *lines);

/* Shows these lines, none wider than it is and no more than it has. Whoever has stopped its output is not waited for: then
 * it shows as much as goes. False: there is no terminal any more. */
bool screen_show(struct span lines);

/* A key that was typed; '\0': none, or not one that is a byte. */
char screen_key(void);

#endif
