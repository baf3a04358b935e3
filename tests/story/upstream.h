/* upstream.h - what does a provider do in a story, and what was it sent?
 * Transfers are numbered from 1, in the order they were started. */
#ifndef TESTS_STORY_UPSTREAM_H
#define TESTS_STORY_UPSTREAM_H
#include "tests/story/script.h"

/* "up N VERB ...", and "ups N". False: there is no such verb. Checks by tap.h, as `name`. */
bool upstream_command(const struct command *c, const char *name);

/* How many transfers have not ended. */
size_t upstream_open(void);

#endif
