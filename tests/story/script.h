/* script.h - what does a story say, line by line?
 * A line is a command of words; lines under it that begin with a tab are its block. '#' begins a
 * remark. No I/O but the reading of the file. */
#ifndef TESTS_STORY_SCRIPT_H
#define TESTS_STORY_SCRIPT_H
#include <stdbool.h>
#include <stddef.h>

#include "protocol/base/span.h"

#define WORDS_MAX 16

struct command {
	int line; /* from 1 */
	struct span text;
	struct span words[WORDS_MAX];
	size_t n;
	struct span block; /* its lines with their tabs; absent: none */
};

struct script {
	char *bytes;
	struct span left;
	int line;
};

/* Ends the run where the file cannot be read. */
void script_open(struct script *s, const char *path);
void script_close(struct script *s);

/* The next command; false: no more. */
bool script_next(struct script *s, struct command *c);

/* The words of its text, which has none yet. */
void command_split(struct command *c);

/* The next line of a block, without its tab; false: no more. */
bool block_next(struct span *block, struct span *line);

/* The text behind the first `n` words, as it was written. */
struct span command_rest(const struct command *c, size_t n);

/* The value of the word NAME=VALUE; absent: there is none. */
struct span command_option(const struct command *c, const char *name);
/* The same as a number; `other` where there is none. Ends the run where it is no number. */
long long command_number(const struct command *c, const char *name, long long other);

/* "3" or "3..9", the numbers of several. Ends the run where it is neither. */
void command_range(const struct command *c, size_t word, size_t *first, size_t *last);

/* A number from 0. Ends the run where it is none. */
size_t span_number(struct span text, int line);

#endif
