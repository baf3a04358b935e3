/* cache_wishes.h - how does a command say what may be answered from the cache, and what is kept there?
 * Every command that asks a model takes these options: a member of its own options, and their rows in its table. */
#ifndef LIBLLMCLIENT_CLI_CACHE_WISHES_H
#define LIBLLMCLIENT_CLI_CACHE_WISHES_H
#include "libllmclient/cli/options.h"
#include "llmclient.h"

struct cache_wishes {
	const char *wish, *name_space, *max_age; /* NULL: not said */
	int64_t ttl_ms, stale_ms;                /* 0: not said */
};

/* clang-format off */
/* Their rows, where a command's options are a struct `type` and `field` is its struct cache_wishes. */
#define CACHE_WISHES_ROWS(type, field)                                                                              \
	{'\0', "cache",           "WISH", "off, read, write, on; refresh: ask anew; only: what is kept, else exit 1", \
		OPTION_TEXT, offsetof(struct type, field.wish)},                                                      \
	{'\0', "cache-max-age",   "TIME", "nothing is taken that was kept longer ago: 1h, 7d; 0: than a second",      \
		OPTION_TEXT, offsetof(struct type, field.max_age)},                                                   \
	{'\0', "cache-ttl",       "TIME", "for so long it is fresh (default: the host's)",                            \
		OPTION_DURATION, offsetof(struct type, field.ttl_ms)},                                                \
	{'\0', "cache-stale",     "TIME", "one that is so long out of date will do, if no provider answers",            \
		OPTION_DURATION, offsetof(struct type, field.stale_ms)},                                              \
	{'\0', "cache-namespace", "WORD", "what is kept under one word is kept apart from all else",                  \
		OPTION_TEXT, offsetof(struct type, field.name_space)}
/* clang-format on */

/* EXIT_GOOD, or what to exit with: it is said which of the options says nothing that can be. Each is called `before` and its
 * name: "--cache-", or "--" where the command is about nothing else. */
int cache_wishes_check(
	const struct command *self, const struct cache_wishes *w, const char *before);

/* -1: not said. */
int64_t cache_wishes_max_age_s(const struct cache_wishes *w);

/* Says them of a request, when they have been checked. Times are whole seconds there, and rounded up. Failures stick to it, and
 * are told when it is asked. */
void cache_wishes_put(const struct cache_wishes *w, llm_request *r);

#endif
