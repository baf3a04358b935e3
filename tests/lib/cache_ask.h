/* cache_ask.h - what does one get who waits for an answer until it is there? And who waits for nothing, when he clears?
 * By turns of the loop, which are the test's. */
#ifndef TESTS_LIB_CACHE_ASK_H
#define TESTS_LIB_CACHE_ASK_H
#include <stdio.h>

#include "brokerd/cache/cache.h"
#include "protocol/base/owned.h"

struct cache_asked {
	struct cache_wait wait;
	struct cache *cache;
	struct cache_key key;
	int64_t now_s;
	enum cache_found found;   /* CACHE_COMES: not yet */
	struct cache_entry entry; /* until the next call for that cache */
	char text[32];            /* how it begins, for longer */
};

static inline void cache_ask_once(struct cache_asked *a)
{
	a->found = cache_get(a->cache, &a->key, a->now_s, &a->wait, &a->entry);
	if (a->found == CACHE_THERE)
		(void)snprintf(
			a->text, sizeof a->text, "%.*s", SPAN_ARG(span_first(a->entry.body, 31)));
}

static inline void cache_ask_come(struct cache_wait *w)
{
	struct cache_asked *a = container_of(w, struct cache_asked, wait);
	cache_ask_once(a);
}

static inline void cache_ask_begin(
	struct cache_asked *a, struct cache *c, const struct cache_key *key, int64_t now_s)
{
	*a = (struct cache_asked){
		.wait = {.on_come = cache_ask_come}, .cache = c, .key = *key, .now_s = now_s};
	cache_ask_once(a);
}

/* Is it there? As cache_get, but that it is waited for. */
static inline bool cache_ask(struct cache *c, const struct cache_key *key, int64_t now_s,
	void (*turn)(void), struct cache_entry *out)
{
	struct cache_asked a;
	cache_ask_begin(&a, c, key, now_s);
	while (a.found == CACHE_COMES)
		turn();
	*out = a.entry;
	return a.found == CACHE_THERE;
}

/* Clears, for who does not wait for the disk. */
static inline void cache_clear_nobody(struct cache_clearing *t, int cause)
{
	(void)t;
	(void)cause;
}

static inline size_t cache_clear_now(struct cache *c, const struct cache_filter *f)
{
	struct cache_clearing t = {.on_done = cache_clear_nobody};
	const size_t n = cache_clear(c, f, &t);
	cache_clear_leave(&t);
	return n;
}

#endif
