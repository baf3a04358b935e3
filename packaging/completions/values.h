/* values.h - what may stand behind an option, or on a command's line?
 * A text of words; "@files", "@folders", "@program", "@models", "@providers", "@profiles" and "@apps" among them stand for
 * what a shell or the broker knows. */
#ifndef PACKAGING_COMPLETIONS_VALUES_H
#define PACKAGING_COMPLETIONS_VALUES_H
#include "libllmclient/cli/options.h"

#define VALUE_BYTES 4096

/* Writes it to `to`; "" where nothing is known of it. */
void value_of_option(const struct command *c, const struct option_row *row, char to[VALUE_BYTES]);
void value_of_words(const struct command *c, char to[VALUE_BYTES]);

#endif
