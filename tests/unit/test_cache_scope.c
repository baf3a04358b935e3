/* test_cache_scope.c - can one scope tell by the time it takes what another has asked?
 * Pairs of look-ups that both miss: of a request that another scope's answer is kept for, and of one that nobody asked. */
#include "brokerd/cache/cache_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "protocol/limits.h"
#include "tests/lib/cache_ask.h"
#include "tests/lib/tap.h"

#define PAIRS   10000
#define MOST_NS 1000

static const unsigned char secret[CACHE_SECRET_BYTES] = "any thirty-two bytes that are so";

static void key_of(const char *scope, int n, struct cache_key *out)
{
	char words[64];
	OWNED(buf_done) struct buf scratch = BUF_INIT(MIB);
	(void)snprintf(words, sizeof words, "question %d", n);
	struct part p = {.type = PART_TEXT, .text = span_str(words)};
	struct message m = {.role = ROLE_USER, .parts = &p, .n_parts = 1};
	const struct llm_request r = {.messages = &m, .n_messages = 1};
	const struct cache_ask ask = {.op = LLM_OP_CHAT, .request = &r, .surface = SPAN_NONE};
	const struct cache_place place = {.scope = span_str(scope),
		.provider = SPAN("p"),
		.base_url = SPAN("https://p/v1"),
		.family = SPAN("openai-chat"),
		.model = SPAN("m")};
	struct cache_core core;
	if (cache_core(secret, &ask, &scratch, &core))
		bail("no key");
	cache_key(secret, &core, &place, out);
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* How long it takes to find that nothing is there, from the request on. */
static int64_t miss_ns(struct cache *c, int n)
{
	struct cache_key key;
	struct cache_entry e;
	const int64_t from = now_ns();
	key_of("app:1001:mail", n, &key);
	struct cache_wait wait = {.on_come = cache_ask_come};
	const bool is_hit = cache_get(c, &key, 100, &wait, &e) != CACHE_MISS;
	const int64_t took = now_ns() - from;
	if (is_hit)
		bail("a scope has an answer of another's");
	return took;
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int64_t median(int64_t *list)
{
	qsort(list, PAIRS, sizeof *list, by_size);
	return list[PAIRS / 2];
}

int main(void)
{
	static int64_t asked[PAIRS], unasked[PAIRS];
	struct fault why = FAULT_NONE;
	struct loop *l = loop_new(&why);
	struct workers *w = l ? workers_new(l, 1, &why) : NULL;
	struct cache *c = w ? cache_new(l, w, "/nonexistent") : NULL;
	if (!c)
		bail("no cache: %s", why.message);
	const struct cache_limits limits = {.memory_bytes = 64 << 20, .entry_bytes = MIB};
	cache_limit(c, &limits);
	for (int n = 0; n < PAIRS; n++) {
		struct cache_key key;
		const struct cache_entry e = {.at_s = 100,
			.fresh_s = 200,
			.kept_s = 200,
			.about = SPAN_NONE,
			.body = SPAN("answer")};
		key_of("app:1000:notes", n, &key);
		cache_put(c, &key, &e, 100);
	}
	for (int n = 0; n < PAIRS; n++) {
		if (n % 2 == 0)
			asked[n] = miss_ns(c, n);
		unasked[n] = miss_ns(c, PAIRS + n);
		if (n % 2 != 0)
			asked[n] = miss_ns(c, n);
	}
	const int64_t a = median(asked), b = median(unasked);
	ok(llabs(a - b) <= MOST_NS,
		"%d pairs: %lld ns where another has asked, %lld ns where nobody has", PAIRS,
		(long long)a, (long long)b);
	struct cache_key key;
	struct cache_entry e;
	key_of("app:1000:notes", 7, &key);
	struct cache_wait wait = {.on_come = cache_ask_come};
	ok(cache_get(c, &key, 100, &wait, &e) == CACHE_THERE, "whose it is has it");
	workers_free(w);
	cache_free(c);
	loop_free(l);
	return tap_done();
}
