/* header_line.h - what does -H 'NAME: VALUE' say? */
#ifndef LIBLLMCLIENT_CLI_HEADER_LINE_H
#define LIBLLMCLIENT_CLI_HEADER_LINE_H
#include "libllmclient/cli/options.h"
#include "llmclient.h"

/* EXIT_GOOD, or what to exit with: it is said what is wrong with one of them. */
int header_lines_check(const struct command *self, const struct text_list *lines);

/* Adds those to a relayed call. Failures stick to it, and are told when it is asked. */
void header_lines_put(llm_request *r, const struct text_list *lines);

/* Is one of them of that name, in any case? */
bool header_lines_have(const struct text_list *lines, const char *name);

#endif
