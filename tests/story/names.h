/* names.h - what did the broker call the answer that it kept?
 * A story cannot know: in its commands and blocks "<kept N>" stands for what the answer to call N has as its
 * id, once it was got. */
#ifndef TESTS_STORY_NAMES_H
#define TESTS_STORY_NAMES_H
#include "protocol/base/buf.h"
#include "tests/story/script.h"

#define NAMES_MAX        ((size_t)64)
#define NAMES_TEXT_BYTES ((size_t)128 * 1024 * 1024)

struct names {
	char of[NAMES_MAX][64];
	struct buf text, block; /* of the command in hand */
};

void names_init(struct names *n);
void names_done(struct names *n);

/* Call `call` got this: the first id of an answer in it is that answer's. */
void names_hear(struct names *n, uint32_t call, struct span line);

/* Puts the names into the command, whose words are spans of *n then. Ends the run where one is not known. */
void names_put(struct names *n, struct command *c);

#endif
