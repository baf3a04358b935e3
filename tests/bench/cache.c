/* cache.c - what does it cost the loop to ask for an answer, and to keep one?
 *
 * cache_get where it is in memory, on disk alone and nowhere, and cache_put, in nanoseconds of the loop's thread, each time
 * of another answer, as they grow longer; and how long it takes until one is there that a worker reads, of as many as are
 * asked for at once. The file is in a folder under $TMPDIR, else /tmp, and is in the kernel's memory when it is read.
 * Prints Markdown. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/cache/cache.h"
#include "brokerd/log/log.h"
#include "tests/lib/bench.h"
#include "tests/lib/cache_ask.h"

#define ANSWERS    4096
#define GROUP      64
#define GROUPS     400
#define NOW_S      INT64_C(1800000000)
#define DISK       ((int64_t)1 << 32)
#define MEMORY     ((int64_t)1 << 30)
#define WRITTEN_MS 300 /* what was put is on its way by then */

static const size_t sizes[] = {500, 4000, 32000, 256000};

struct bench {
	struct loop *loop;
	struct workers *workers;
	struct cache *cache;
	struct loop_timer timer;
	char dir[256];
	char *body;
	size_t bytes, answers; /* of each; how many */
	uint64_t state;
	int64_t until_ns;
	size_t n_come, n_there;
};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static struct cache_key key_of(uint64_t id)
{
	struct cache_key k = {{0}};
	(void)crypto_generichash(
		k.bytes, sizeof k.bytes, (const unsigned char *)&id, sizeof id, NULL, 0);
	return k;
}

static void on_timer(struct loop_timer *t)
{
	struct bench *b = container_of(t, struct bench, timer);
	if (workers_pending(b->workers) == 0 && bench_now_ns() > b->until_ns)
		loop_stop(b->loop);
	else
		loop_timer_set(b->loop, &b->timer, 1000);
}

/* Turns the loop for so long, and until no worker is at anything. */
static void turn(struct bench *b, int64_t ms)
{
	b->until_ns = bench_now_ns() + ms * 1000000;
	loop_timer_set(b->loop, &b->timer, 0);
	loop_run(b->loop);
}

static void put_one(struct bench *b, const struct cache_key *k)
{
	const struct cache_entry e = {.scope = 1,
		.at_s = NOW_S,
		.fresh_s = NOW_S + 60,
		.kept_s = INT64_MAX,
		.about = SPAN("openai/gpt-x, 100 and 20 tokens"),
		.body = span_of(b->body, b->bytes)};
	cache_put(b->cache, k, &e, NOW_S);
}

enum act {
	GET,
	MISS,
	PUT,
};

/* One that a worker reads. */
struct waiting {
	struct cache_wait wait;
	struct bench *bench;
	struct cache_key key;
};

static void on_come(struct cache_wait *w)
{
	struct waiting *one = container_of(w, struct waiting, wait);
	struct bench *b = one->bench;
	struct cache_entry e;
	b->n_there += cache_get(b->cache, &one->key, NOW_S, w, &e) == CACHE_THERE;
	if (++b->n_come == GROUP)
		loop_stop(b->loop);
}

static uint64_t any(struct bench *b)
{
	b->state = b->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (b->state >> 33) % b->answers;
}

/* Of one that is on disk alone, the middle of all groups: of the loop's thread, with what its turns cost, and until it is there. */
static double measure_disk(struct bench *b, double *until_ns)
{
	static int64_t ns[GROUPS], all_ns[GROUPS];
	static struct waiting waiting[GROUP];
	struct cache_entry e;
	for (unsigned i = 0; i < GROUPS; i++) {
		const uint64_t from_id = any(b);
		for (unsigned k = 0; k < GROUP; k++) /* each another: they would share a read */
			waiting[k] = (struct waiting){.wait = {.on_come = on_come},
				.bench = b,
				.key = key_of((from_id + k) % b->answers)};
		b->n_come = b->n_there = 0;
		const int64_t from = bench_thread_ns(), all_from = bench_now_ns();
		for (unsigned k = 0; k < GROUP; k++) {
			if (cache_get(b->cache, &waiting[k].key, NOW_S, &waiting[k].wait, &e) !=
				CACHE_COMES)
				bench_die("one is not on disk alone");
		}
		loop_run(b->loop);
		ns[i] = bench_thread_ns() - from;
		all_ns[i] = bench_now_ns() - all_from;
		if (b->n_there != GROUP)
			bench_die("%zu of %d have come", b->n_there, GROUP);
	}
	qsort(ns, GROUPS, sizeof *ns, by_size);
	qsort(all_ns, GROUPS, sizeof *all_ns, by_size);
	*until_ns = (double)all_ns[GROUPS / 2] / GROUP;
	return (double)ns[GROUPS / 2] / GROUP;
}

/* Of one call, the middle of all groups. */
static double measure(struct bench *b, enum act act, unsigned groups)
{
	static int64_t ns[GROUPS];
	struct cache_key keys[GROUP];
	struct cache_wait wait = {.on_come = on_come};
	struct cache_entry e;
	for (unsigned i = 0; i < groups; i++) {
		unsigned found = 0;
		for (unsigned k = 0; k < GROUP; k++) {
			const uint64_t id = any(b);
			keys[k] = key_of(act == MISS ? id + b->answers : id);
		}
		const int64_t from = bench_thread_ns();
		for (unsigned k = 0; k < GROUP; k++) {
			if (act == PUT)
				put_one(b, &keys[k]);
			else
				found += cache_get(b->cache, &keys[k], NOW_S, &wait, &e) ==
					 CACHE_THERE;
		}
		ns[i] = bench_thread_ns() - from;
		if (act != PUT && found != (act == GET ? GROUP : 0))
			bench_die("%u of %d are there", found, GROUP);
		if (act == PUT)
			turn(b, 0);
	}
	qsort(ns, groups, sizeof *ns, by_size);
	return (double)ns[groups / 2] / GROUP;
}

static void limit(struct bench *b, int64_t memory_bytes)
{
	const struct cache_limits l = {memory_bytes, DISK, 1 << 20};
	cache_limit(b->cache, &l);
}

static void measure_size(struct bench *b, size_t bytes)
{
	static const unsigned char key[CACHE_SEAL_BYTES] = "0123456789abcdef0123456789abcde";
	static const struct cache_filter all = {.is_of_scope = false};
	struct fault why = FAULT_NONE;
	b->bytes = bytes;
	b->answers = bytes > 100000 ? ANSWERS / 16 : ANSWERS;
	b->workers = workers_new(b->loop, 1, &why);
	b->cache = b->workers ? cache_new(b->loop, b->workers, b->dir) : NULL;
	if (!b->cache)
		bench_die("%s", why.message);
	limit(b, MEMORY);
	cache_open(b->cache, key);
	turn(b, 0);
	for (uint64_t i = 0; i < b->answers; i++) {
		const struct cache_key k = key_of(i);
		put_one(b, &k);
		if (i % 64 == 63)
			turn(b, 0);
	}
	const double memory_ns = measure(b, GET, GROUPS), miss_ns = measure(b, MISS, GROUPS);
	const double put_ns = measure(b, PUT, 64);
	turn(b, WRITTEN_MS);
	limit(b, 0);
	double until_ns;
	const double disk_ns = measure_disk(b, &until_ns);
	const double disk_miss_ns = measure(b, MISS, GROUPS);
	printf("| %zu | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", bytes, memory_ns, disk_ns,
		until_ns, miss_ns, disk_miss_ns, put_ns);
	if (cache_clear_now(b->cache, &all) != b->answers)
		bench_die("not all were on disk");
	const struct cache_limits none = {0, 0, 0};
	cache_limit(b->cache, &none);
	workers_free(b->workers);
	cache_free(b->cache);
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct fault why = FAULT_NONE;
	const char *tmp = getenv("TMPDIR");
	bench_options(argc, argv,
		"cache: what does it cost the loop to ask for an answer, and to keep one?", NULL,
		0);
	log_init(LOG_LEVEL_ERROR, -1);
	if (sodium_init() < 0)
		bench_die("sodium_init");
	(void)snprintf(b.dir, sizeof b.dir, "%.200s/bench_cache.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(b.dir))
		bench_die("%s cannot be made", b.dir);
	b.loop = loop_new(&why);
	b.body = malloc(sizes[COUNT_OF(sizes) - 1]);
	if (!b.loop || !b.body)
		bench_die("%s", why.message);
	b.timer.on_fire = on_timer;
	b.state = 1;
	memset(b.body, 'x', sizes[COUNT_OF(sizes) - 1]);
	printf("| bytes | hit in memory, ns | hit on disk, ns | until it is there, ns | miss, ns | "
	       "miss without memory, ns "
	       "| put, ns |\n"
	       "| --: | --: | --: | --: | --: | --: | --: |\n");
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		measure_size(&b, sizes[i]);
	free(b.body);
	loop_free(b.loop);
	(void)rmdir(b.dir);
	return 0;
}
