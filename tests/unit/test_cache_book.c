/* test_cache_book.c - does what is written ever lie on what is there? */
#include "brokerd/cache/book.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/tap.h"

#define BLOCKS  200
#define N_KEYS  300
#define N_STEPS 200000

static uint64_t state = 5;

static uint32_t random_below(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static struct cache_head head_of(uint32_t id, uint32_t body_bytes, uint64_t seq)
{
	struct cache_head h = {
		.seq = seq, .scope = id % 3, .kept_s = 1000, .body_bytes = body_bytes};
	memcpy(h.key.bytes, &id, sizeof id);
	return h;
}

static struct cache_key key_of(uint32_t id)
{
	return head_of(id, 0, 0).key;
}

static uint32_t blocks_of(const struct cache_place *p)
{
	return (p->bytes + (uint32_t)CACHE_BLOCK_BYTES - 1) / (uint32_t)CACHE_BLOCK_BYTES;
}

/* What lies in each block, by a walk through all: seq of the place; 0: nothing. */
static bool is_sound(const struct cache_book *b, uint32_t most)
{
	static uint64_t lies[BLOCKS];
	const struct cache_place *p = cache_book_newest(b);
	size_t n = 0;
	memset(lies, 0, sizeof lies);
	for (; p; p = p->older, n++) {
		if (p->older && p->older->seq > p->seq)
			return false;
		if (p->block < 1 || p->block + blocks_of(p) > most ||
			cache_book_find(b, &p->key) != p)
			return false;
		for (uint32_t k = p->block; k < p->block + blocks_of(p); k++) {
			if (lies[k] > 0)
				return false;
			lies[k] = p->seq;
		}
	}
	const struct cache_book_stats stats = cache_book_stats(b);
	return n == stats.n && stats.bytes <= (int64_t)(most * CACHE_BLOCK_BYTES);
}

/* Adds, removes, reads and limits in any order. */
static void check_any_order(void)
{
	struct cache_book *b = cache_book_new((int64_t)(BLOCKS * CACHE_BLOCK_BYTES));
	uint32_t most = BLOCKS, added = 0, refused = 0, unsound = 0, busy_gone = 0;
	struct cache_place *busy = NULL;
	for (uint32_t i = 1; i <= N_STEPS; i++) {
		const struct cache_head h = head_of(random_below(N_KEYS),
			random_below(50) == 0 ? random_below(100000) : random_below(5000), i);
		struct cache_place *p = cache_book_find(b, &h.key);
		const uint32_t what = random_below(100);
		if (p && what < 30) {
			p->used = 3;
		} else if (p && p != busy) {
			cache_book_remove(b, p);
		} else if (!p) {
			p = cache_book_add(b, &h, 0);
			added += p != NULL;
			refused += !p;
			if (p)
				p->is_busy = false;
			if (p && !busy && what < 40) {
				busy = p;
				p->is_busy = true;
			}
		}
		if (busy && what >= 95) {
			busy_gone += cache_book_find(b, &busy->key) != busy;
			busy->is_busy = false;
			busy = NULL;
		}
		if (!busy && random_below(1000) == 0) {
			most = BLOCKS / 2 + random_below(BLOCKS / 2 + 1);
			cache_book_limit(b, (int64_t)(most * CACHE_BLOCK_BYTES));
		}
		if (i % 16 == 0)
			unsound += !is_sound(b, most);
	}
	is_uint(unsound, 0, "no block is another's, whatever comes and goes");
	is_uint(busy_gone, 0, "what is being written stays");
	ok(added > N_STEPS / 4, "most find a place: %u", added);
	diag("added %u, refused %u", added, refused);
	cache_book_free(b);
}

static void check_hand(void)
{
	struct cache_book *b = cache_book_new((int64_t)(11 * CACHE_BLOCK_BYTES));
	for (uint32_t i = 0; i < 10; i++)
		cache_book_add(
			b, &(struct cache_head){.seq = i + 1, .key = key_of(i), .kept_s = 1000}, 0)
			->is_busy = false;
	is_uint(cache_book_stats(b).n, 10, "a file of eleven blocks has place for ten");
	struct cache_key k = key_of(0);
	cache_book_find(b, &k)->used = 1;
	struct cache_head h = head_of(10, 0, 11);
	struct cache_place *p = cache_book_add(b, &h, 0);
	ok(p && p->block == 2, "the oldest that was not asked for goes");
	ok(cache_book_find(b, &k), "the one that was stays");
	is_uint(cache_book_stats(b).evicted, 1, "one went");
	cache_book_clear(b);
	h = head_of(1, (uint32_t)(10 * CACHE_BLOCK_BYTES), 12);
	ok(!cache_book_add(b, &h, 0), "what is too large for the file has no place");
	h = head_of(1, (uint32_t)(9 * CACHE_BLOCK_BYTES), 12);
	ok(cache_book_add(b, &h, 0), "what is as large has");
	cache_book_free(b);
}

/* What lies there stays while there is room behind it. */
static void check_more(void)
{
	struct cache_book *b = cache_book_new((int64_t)(5 * CACHE_BLOCK_BYTES));
	for (uint32_t i = 0; i < 6; i++) {
		const struct cache_head h = head_of(i, 0, i + 1);
		cache_book_add(b, &h, 0)->is_busy = false;
	}
	is_uint(cache_book_stats(b).evicted, 2, "a file of five blocks has lost two of six");
	cache_book_limit(b, (int64_t)(8 * CACHE_BLOCK_BYTES));
	struct cache_head h = head_of(6, 0, 7);
	const struct cache_place *p = cache_book_add(b, &h, 0);
	ok(p && p->block == 5, "one of eight goes on behind the last");
	for (uint32_t i = 7; i < 9; i++) {
		h = head_of(i, 0, i + 1);
		cache_book_add(b, &h, 0)->is_busy = false;
	}
	is_uint(cache_book_stats(b).evicted, 2, "and none goes for it");
	is_uint(cache_book_stats(b).n, 7, "before it is full");
	cache_book_free(b);
}

static void check_load(void)
{
	struct cache_book *b = cache_book_new((int64_t)(BLOCKS * CACHE_BLOCK_BYTES));
	uint32_t loser = 0;
	struct cache_head h = head_of(1, 10, 5);
	ok(cache_book_load(b, &h, 3, &loser), "a record of a file is entered");
	h = head_of(2, 10, 9);
	ok(cache_book_load(b, &h, 7, &loser), "so is another");
	h = head_of(1, 10, 4);
	ok(!cache_book_load(b, &h, 8, &loser) && loser == 8, "an older one of the same key is not");
	h = head_of(1, 10, 6);
	ok(!cache_book_load(b, &h, 9, &loser) && loser == 3, "a newer one takes its place");
	h = head_of(3, 10, 2);
	ok(cache_book_load(b, &h, 12, &loser), "and one more");
	cache_book_settle(b);
	ok(is_sound(b, BLOCKS), "they stand by their numbers");
	is_uint(cache_book_newest(b)->seq, 9, "the latest first");
	h = head_of(4, 10, 10);
	const struct cache_place *p = cache_book_add(b, &h, 0);
	ok(p && p->block == 8, "what is new goes behind the latest");
	ok(cache_book_sweep(b, 1000, 100000), "all are looked through");
	is_uint(cache_book_stats(b).n, 1, "what is over goes, but for what is being written");
	cache_book_free(b);
}

int main(void)
{
	check_hand();
	check_more();
	check_load();
	check_any_order();
	return tap_done();
}
