/* copy.c - one block of memory each. */
#include "brokerd/cache/copy.h"

#include <stdlib.h>

struct cache_copy *cache_copy_new(
	const struct cache_key *key, size_t about_bytes, size_t body_bytes)
{
	struct cache_copy *c = malloc(sizeof *c + about_bytes + body_bytes);
	if (!c)
		return NULL;
	*c = (struct cache_copy){.refs = 1,
		.about_bytes = (uint32_t)about_bytes,
		.body_bytes = (uint32_t)body_bytes,
		.key = *key};
	return c;
}

struct cache_copy *cache_copy_hold(struct cache_copy *c)
{
	c->refs++;
	return c;
}

void cache_copy_drop(struct cache_copy *c)
{
	if (c && --c->refs == 0)
		free(c);
}

struct cache_entry cache_copy_entry(const struct cache_copy *c)
{
	return (struct cache_entry){
		.scope = c->scope,
		.at_s = c->at_s,
		.fresh_s = c->fresh_s,
		.kept_s = c->kept_s,
		.about = span_of(c->bytes, c->about_bytes),
		.body = span_of(c->bytes + c->about_bytes, c->body_bytes),
	};
}
