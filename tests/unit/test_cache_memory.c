/* test_cache_memory.c - which answers stay in memory, and are they the right ones? */
#include "brokerd/cache/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/cache_models.h"
#include "tests/lib/tap.h"

#define N_OBJECTS 30000
#define N_ASKED   200000

static uint64_t state;

static double random_part(void)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (double)(state >> 11) / 9007199254740992.0;
}

static struct cache_key key_of(uint32_t id)
{
	struct cache_key k = {{0}};
	memcpy(k.bytes, &id, sizeof id);
	return k;
}

static struct cache_copy *copy_of(uint32_t id, size_t bytes)
{
	const struct cache_key k = key_of(id);
	struct cache_copy *c = cache_copy_new(&k, 0, bytes);
	if (!c)
		bail("no memory");
	memset(c->bytes, (int)id, bytes);
	c->kept_s = 1000;
	return c;
}

static void put(struct cache_memory *m, uint32_t id, size_t bytes)
{
	struct cache_copy *c = copy_of(id, bytes);
	cache_memory_put(m, c);
	cache_copy_drop(c);
}

static bool has(const struct cache_memory *m, uint32_t id)
{
	const struct cache_key k = key_of(id);
	return cache_memory_find(m, &k) != NULL;
}

/* ---- hit rates ---- */

struct mix {
	const char *name;
	double alpha;   /* of Zipf's law */
	double scanned; /* the part of the requests that are a scan: of what is asked for once */
	double looped; /* the part that goes around, through what is half as large again as the cache */
	double part; /* the cache, of what all objects take */
};
static const struct mix mixes[] = {
	{"alpha 0.6, a hundredth",  0.6, 0,   0,   0.01 },
	{"alpha 0.6, a tenth",      0.6, 0,   0,   0.1  },
	{"alpha 0.8, a hundredth",  0.8, 0,   0,   0.01 },
	{"alpha 0.8, a tenth",      0.8, 0,   0,   0.1  },
	{"alpha 1.0, a thousandth", 1.0, 0,   0,   0.001},
	{"alpha 1.0, a hundredth",  1.0, 0,   0,   0.01 },
	{"alpha 1.0, a tenth",      1.0, 0,   0,   0.1  },
	{"alpha 1.2, a hundredth",  1.2, 0,   0,   0.01 },
	{"alpha 1.2, a tenth",      1.2, 0,   0,   0.1  },
	{"alpha 0.8 with scans",    0.8, 0.3, 0,   0.05 },
	{"alpha 1.0 with scans",    1.0, 0.3, 0,   0.05 },
	{"alpha 0.8 with a loop",   0.8, 0,   0.2, 0.05 },
	{"alpha 1.0 with a loop",   1.0, 0,   0.2, 0.05 },
};

static uint32_t asked[N_ASKED], sizes[N_OBJECTS + N_ASKED];
static double sum[N_OBJECTS];

static uint32_t zipf(void)
{
	const double x = random_part() * sum[N_OBJECTS - 1];
	size_t low = 0, high = N_OBJECTS - 1;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (sum[middle] < x)
			low = middle + 1;
		else
			high = middle;
	}
	/* not by size */
	return (uint32_t)(low * UINT64_C(7919) % N_OBJECTS);
}

/* Scans and loops come in runs of a few thousand. */
static void make_trace(const struct mix *x)
{
	double s = 0;
	uint32_t next = N_OBJECTS, looped = 0;
	const uint32_t around = (uint32_t)(x->part * 1.5 * N_OBJECTS);
	for (size_t i = 0; i < N_OBJECTS; i++)
		sum[i] = s += pow((double)i + 1, -x->alpha);
	for (size_t i = 0; i < N_ASKED; i++) {
		const double at = (double)(i % 10000) / 10000;
		if (at < x->scanned)
			asked[i] = next++;
		else if (at < x->looped)
			asked[i] = N_OBJECTS + looped++ % around;
		else
			asked[i] = zipf();
	}
}

static size_t hits_of_ours(int64_t bytes)
{
	struct cache_memory *m = cache_memory_new();
	size_t hits = 0;
	int64_t most = 0;
	cache_memory_limit(m, bytes);
	for (size_t i = 0; i < N_ASKED; i++) {
		const struct cache_key k = key_of(asked[i]);
		if (cache_memory_get(m, &k)) {
			hits++;
			continue;
		}
		put(m, asked[i], sizes[asked[i]] - (size_t)CACHE_MEMORY_EXTRA);
		const int64_t now = cache_memory_stats(m).bytes;
		most = now > most ? now : most;
	}
	ok(most <= bytes, "never more than %lld bytes: %lld", (long long)bytes, (long long)most);
	cache_memory_free(m);
	return hits;
}

static void check_hit_rates(void)
{
	int64_t all = 0;
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		sizes[i] = (uint32_t)(CACHE_MEMORY_EXTRA + 100 +
				      (int64_t)(random_part() * random_part() * 4000));
	for (size_t i = 0; i < N_OBJECTS; i++)
		all += sizes[i];
	for (size_t i = 0; i < COUNT_OF(mixes); i++) {
		const struct mix *x = &mixes[i];
		make_trace(x);
		const struct cache_trace t = {asked, N_ASKED, sizes, COUNT_OF(sizes)};
		const int64_t bytes = (int64_t)((double)all * x->part);
		const size_t s3 = cache_model_s3_fifo(&t, bytes),
			     lfu = cache_model_w_tinylfu(&t, bytes);
		const size_t ours = hits_of_ours(bytes), better = s3 > lfu ? s3 : lfu;
		ok(ours * 100 >= better * 98,
			"%s: %.2f %% of the better (hits of %d: ours %zu, S3-FIFO %zu, W-TinyLFU "
			"%zu)",
			x->name, 100.0 * (double)ours / (double)better, N_ASKED, ours, s3, lfu);
	}
}

/* ---- the rest ---- */

static void count_one(void *context, struct cache_copy *c)
{
	(void)c;
	++*(size_t *)context;
}

struct removing {
	struct cache_memory *memory;
	size_t n;
};

static void remove_odd(void *context, struct cache_copy *c)
{
	struct removing *r = context;
	if (c->key.bytes[0] % 2 == 0)
		return;
	r->n++;
	cache_memory_remove(r->memory, c);
}

static void check_one(void)
{
	struct cache_memory *m = cache_memory_new();
	const struct cache_key k = key_of(1);
	ok(!cache_memory_get(m, &k), "before there is a limit nothing is there");
	put(m, 1, 10);
	is_uint(cache_memory_stats(m).n, 0, "nor is anything kept");
	cache_memory_limit(m, 100000);
	put(m, 1, 1000);
	struct cache_copy *c = cache_memory_get(m, &k);
	ok(c && c->body_bytes == 1000 && c->bytes[999] == 1, "what was put is there");
	is_int(cache_memory_stats(m).bytes, CACHE_MEMORY_EXTRA + 1000, "and is counted");
	put(m, 1, 2000);
	c = cache_memory_find(m, &k);
	ok(c && c->body_bytes == 2000, "what is put anew is there instead");
	is_uint(cache_memory_stats(m).n, 1, "alone");
	put(m, 1, 200000);
	ok(!cache_memory_find(m, &k), "one that is too large is not, nor what was there");
	is_int(cache_memory_stats(m).bytes, 0, "and nothing is counted");
	put(m, 2, 10);
	c = cache_copy_hold(cache_memory_find(m, &(struct cache_key){{2}}));
	cache_memory_remove(m, c);
	ok(!has(m, 2) && c->bytes[9] == 2, "who holds what was removed has it still");
	cache_memory_put(m, c);
	ok(has(m, 2), "and may put it again");
	cache_copy_drop(c);
	cache_memory_free(m);
	cache_memory_free(NULL);
}

static void check_limits(void)
{
	struct cache_memory *m = cache_memory_new();
	size_t n = 0;
	cache_memory_limit(m, 1000 * (1000 + CACHE_MEMORY_EXTRA));
	for (uint32_t i = 0; i < 1000; i++)
		put(m, i, 1000);
	is_uint(cache_memory_stats(m).n, 1000, "as many as there is room for");
	is_uint(cache_memory_stats(m).evicted, 0, "and none had to go");
	const struct cache_key k = key_of(77);
	for (int i = 0; i < 3; i++)
		(void)cache_memory_get(m, &k);
	cache_memory_limit(m, 10 * (1000 + CACHE_MEMORY_EXTRA));
	ok(cache_memory_stats(m).n <= 10 && cache_memory_stats(m).n >= 9,
		"a lower limit holds at once");
	ok(has(m, 77), "what was asked for stays");
	cache_memory_each(m, count_one, &n);
	is_uint(n, cache_memory_stats(m).n, "each is told once");
	cache_memory_limit(m, 4000 * (1000 + CACHE_MEMORY_EXTRA));
	for (uint32_t i = 0; i < 2000; i++)
		put(m, i, 1000);
	is_uint(cache_memory_stats(m).n, 2000, "a higher one, too");
	struct removing r = {.memory = m};
	cache_memory_each(m, remove_odd, &r);
	ok(r.n > 900 && cache_memory_stats(m).n == 2000 - r.n,
		"they can be removed while they are told");
	cache_memory_limit(m, 0);
	is_uint(cache_memory_stats(m).n, 0, "none at all");
	cache_memory_free(m);
}

static void check_sweep(void)
{
	struct cache_memory *m = cache_memory_new();
	unsigned slices = 1;
	cache_memory_limit(m, 10000000);
	for (uint32_t i = 0; i < 3000; i++) {
		struct cache_copy *c = copy_of(i, 10);
		c->kept_s = i;
		cache_memory_put(m, c);
		cache_copy_drop(c);
	}
	while (!cache_memory_sweep(m, 999, 64))
		slices++;
	is_uint(cache_memory_stats(m).n, 2000, "what is over is swept away");
	is_uint(cache_memory_stats(m).expired, 1000, "and counted as such");
	ok(slices > 100, "a part at a time: %u", slices);
	ok(!has(m, 999) && has(m, 1000), "and nothing else");
	cache_memory_free(m);
}

/* Where one goes for another, and many small ones do not go for a large one that was asked for no oftener. */
static void check_worth(void)
{
	struct cache_memory *m = cache_memory_new();
	const int64_t each = 1000 + CACHE_MEMORY_EXTRA;
	cache_memory_limit(m, 100 * each);
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 98; i++) {
			const struct cache_key k = key_of(i);
			if (!cache_memory_get(m, &k))
				put(m, i, 1000);
		}
	}
	const struct cache_key large = key_of(5000);
	(void)cache_memory_get(m, &large);
	put(m, 5000, 20 * 1000);
	ok(!has(m, 5000), "a large one, not asked for as often as those in its place, is not kept");
	/* they are counted together with others now and then, and seem to be asked for oftener */
	for (int i = 0; i < 8; i++)
		(void)cache_memory_get(m, &large);
	put(m, 5000, 20 * 1000);
	ok(has(m, 5000), "oftener than each of them, it is");
	cache_memory_free(m);
}

/* ---- who holds one ---- */

/* How often is it remembered to have been asked for, as far as that decides? By room that is taken from others. */
static bool outlives(bool is_held)
{
	struct cache_memory *m = cache_memory_new();
	struct cache_copy *c = copy_of(1, 4000);
	const struct cache_key k = key_of(1);
	bool is_there;
	cache_memory_limit(m, 100000);
	cache_memory_put(m, c);
	for (int i = 0; i < 10; i++) {
		if (is_held)
			cache_memory_again(m, c);
		else
			(void)cache_memory_get(m, &k);
	}
	for (uint32_t id = 2; id < 200; id++)
		put(m, id, 4000);
	is_there = has(m, 1);
	ok(c->is_in == is_there, "who holds it sees whether it is there");
	cache_memory_free(m);
	ok(!c->is_in, "when all have gone it is not");
	cache_copy_drop(c);
	return is_there;
}

static void check_held(void)
{
	struct cache_memory *m = cache_memory_new();
	struct cache_copy *c = copy_of(1, 100), *other = copy_of(1, 50);
	ok(!c->is_in, "it is not there before it was put");
	cache_memory_limit(m, 100000);
	cache_memory_put(m, c);
	ok(c->is_in, "and is then");
	cache_memory_put(m, other);
	ok(!c->is_in && other->is_in, "until another has its place");
	cache_memory_remove(m, other);
	ok(!other->is_in, "or it is removed");
	cache_memory_limit(m, 10);
	cache_memory_put(m, c);
	ok(!c->is_in, "what is too long never was");
	cache_memory_free(m);
	cache_copy_drop(c);
	cache_copy_drop(other);
	ok(outlives(false) && outlives(true), "asked for by who holds it, it stays as by its key");
}

int main(void)
{
	state = 9;
	check_one();
	check_held();
	check_limits();
	check_sweep();
	check_worth();
	check_hit_rates();
	return tap_done();
}
