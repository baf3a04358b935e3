/* test_semantic.c - is what is found the nearest, and of those alone that may be, and does it hold nobody up? */
#include "brokerd/cache/semantic.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "tests/lib/tap.h"

#define NOW_S   100
#define MANY    2000
#define WIDE    384
#define HUGE    100000
#define USUAL   1536
#define MILLION 1000000

static struct loop *loop;
static struct workers *workers;
static struct semantic *semantic;
static const struct semantic_limits ample = {HUGE, (int64_t)MIB * 1024};

static uint64_t state = 1;

static double random_part(void)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (double)(state >> 11) / 9007199254740992.0;
}

static void fill(double *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		values[i] = random_part() + random_part() + random_part() - 1.5;
}

static struct cache_key key_of(unsigned id)
{
	struct cache_key k = {{0}};
	memcpy(k.bytes, &id, sizeof id);
	return k;
}

static unsigned id_of(const struct cache_key *k)
{
	unsigned id;
	memcpy(&id, k->bytes, sizeof id);
	return id;
}

static struct semantic_vector *made_of(const double *values, size_t n)
{
	const struct vector v = {values, n};
	return semantic_vector_new(&v);
}

static void put_vector(unsigned group, unsigned answer, const struct semantic_vector *v)
{
	const struct semantic_entry e = {.group = key_of(group),
		.answer = key_of(answer),
		.scope = answer % 2,
		.kept_s = NOW_S + 10};
	semantic_put(semantic, &e, v, NOW_S);
}

static void put(unsigned group, unsigned answer, const double *values, size_t n)
{
	struct semantic_vector *v = made_of(values, n);
	put_vector(group, answer, v);
	semantic_vector_drop(v);
}

/* ---- what a search says ---- */

static struct found {
	bool is_told, has_match;
	struct semantic_match match;
} found;

static void on_found(void *context, const struct semantic_match *m)
{
	struct found *f = context;
	f->is_told = true;
	f->has_match = m != NULL;
	if (m)
		f->match = *m;
	loop_stop(loop);
}

static struct semantic_search *begin(
	struct semantic_vector *v, unsigned from, size_t n, int64_t now_s)
{
	struct cache_key groups[SEMANTIC_GROUPS + 1];
	for (size_t i = 0; i < n; i++)
		groups[i] = key_of(from + (unsigned)i);
	found = (struct found){.is_told = false};
	return semantic_find(semantic, v, groups, n, now_s, on_found, &found);
}

/* False: there was nothing to search. */
static bool find(const double *values, size_t n, unsigned from, size_t groups)
{
	struct semantic_vector *v = made_of(values, n);
	const bool is_begun = begin(v, from, groups, NOW_S) != NULL;
	semantic_vector_drop(v); /* the search has its own hold of it */
	if (is_begun)
		loop_run(loop);
	return is_begun && found.has_match;
}

static void start(const struct semantic_limits *limits)
{
	semantic_free(semantic);
	semantic = semantic_new(workers);
	semantic_limit(semantic, limits);
}

/* ---- the nearest ---- */

static double cosine(const double *a, const double *b, size_t n)
{
	double ab = 0, aa = 0, bb = 0;
	for (size_t i = 0; i < n; i++) {
		ab += a[i] * b[i];
		aa += a[i] * a[i];
		bb += b[i] * b[i];
	}
	return ab / sqrt(aa * bb);
}

static void test_exact(void)
{
	double *all = calloc((size_t)MANY * WIDE, sizeof *all), asked[WIDE];
	double worst_choice = 0, worst_score = 0;
	if (!all)
		bail("no memory");
	start(&ample);
	fill(all, (size_t)MANY * WIDE);
	for (unsigned i = 0; i < MANY; i++)
		put(1, i, all + i * (size_t)WIDE, WIDE);
	for (unsigned round = 0; round < 100; round++) {
		double best = -2;
		fill(asked, WIDE);
		for (size_t i = 0; round % 2 && i < WIDE; i++) /* near one of them */
			asked[i] = all[(round * 17 % MANY) * WIDE + i] + asked[i] * 0.4;
		for (size_t i = 0; i < MANY; i++)
			best = fmax(best, cosine(all + i * WIDE, asked, WIDE));
		if (!find(asked, WIDE, 1, 1))
			bail("nothing was found");
		const double got =
			cosine(all + id_of(&found.match.answer) * (size_t)WIDE, asked, WIDE);
		worst_choice = fmax(worst_choice, best - got);
		worst_score = fmax(worst_score, fabs(found.match.score - got));
	}
	ok(worst_choice < 1e-4, "the nearest is found, as doubles have it: %g off", worst_choice);
	ok(worst_score < 1.5e-4, "and its cosine, to four places: %g off", worst_score);
	free(all);
}

static const struct {
	const char *name;
	double kept[3], asked[3], score;
} scores[] = {
	{"the same is 1",                  {0.3, -0.4, 0.5},  {0.3, -0.4, 0.5},    1     },
	{"whatever its length",            {0.3, -0.4, 0.5},  {3e9, -4e9, 5e9},    1     },
	{"where its squares are too many", {1e300, 1e300, 0}, {1e-300, 1e-300, 0}, 1     },
	{"what is across is 0",            {1, 0, 0},         {0, -7, 0},          0     },
	{"the opposite is -1",             {1, 2, 3},         {-1, -2, -3},        -1    },
	{"half a right angle",             {1, 0, 0},         {1, 1, 0},           0.7071},
	{"four places",                    {1, 0, 0},         {3, 4, 0},           0.6   },
};

static void test_scores(void)
{
	for (size_t i = 0; i < COUNT_OF(scores); i++) {
		start(&ample);
		put(1, 7, scores[i].kept, 3);
		ok(find(scores[i].asked, 3, 1, 1), "%s: found", scores[i].name);
		ok(fabs(found.match.score - scores[i].score) < 1e-9, "%s: %.4f", scores[i].name,
			found.match.score);
	}
	static double full[SEMANTIC_DIMENSIONS + 1];
	for (size_t i = 0; i <= SEMANTIC_DIMENSIONS; i++)
		full[i] = i % 2 ? 1 : -1;
	start(&ample);
	put(1, 7, full, SEMANTIC_DIMENSIONS);
	ok(find(full, SEMANTIC_DIMENSIONS, 1, 1) && found.match.score == 1,
		"nothing overflows in the widest");
	full[0] = 1e9;
	put(1, 8, full, SEMANTIC_DIMENSIONS);
	ok(find(full, SEMANTIC_DIMENSIONS, 1, 1) && found.match.score == 1 &&
			id_of(&found.match.answer) == 8,
		"nor where one component is nearly all");
	ok(!made_of(full, SEMANTIC_DIMENSIONS + 1), "a wider one is none");
	ok(!made_of(full, 0), "nor is one of nothing");
	const double zero[2] = {0, 0};
	ok(!made_of(zero, 2), "nor one without a direction");
	const double odd[][3] = {
		{1,         NAN, 1       },
                {NAN,       1,   1       },
                {1,         1,   INFINITY},
                {-INFINITY, 1,   1       }
        };
	for (size_t i = 0; i < COUNT_OF(odd); i++)
		ok(!made_of(odd[i], 3), "nor one with a number that is none, %zu", i);
}

/* ---- those that may be ---- */

static const double east[2] = {1, 0}, north[2] = {0, 1}, northeast[2] = {1, 1};

static void test_groups(void)
{
	start(&ample);
	ok(!find(east, 2, 1, 1), "where there are none, none is searched");
	put(1, 11, east, 2);
	put(2, 21, northeast, 2);
	put(2, 22, northeast, 2);
	ok(!find(east, 2, 3, 1), "nor in another group");
	ok(find(northeast, 2, 1, 1) && id_of(&found.match.answer) == 11, "a group is by itself");
	ok(find(east, 2, 1, 2) && id_of(&found.match.answer) == 11 && found.match.group == 0,
		"of two groups, that with the nearest");
	ok(find(north, 2, 1, 2) && id_of(&found.match.answer) == 22 && found.match.group == 1,
		"of two that are as near, the later");
	put(1 + SEMANTIC_GROUPS, 31, north, 2);
	ok(find(north, 2, 1, SEMANTIC_GROUPS + 1) && id_of(&found.match.answer) == 22,
		"there is an end to how many are searched");
	put(1, 22, north, 2);
	ok(find(northeast, 2, 2, 1) && id_of(&found.match.answer) == 21,
		"what leads to the same answer takes the other's place");
	is_uint(semantic_stats(semantic).n, 4, "and is counted once");
	is_uint(semantic_stats(semantic).n_groups, 3, "there are three groups");
}

static void test_gone(void)
{
	const struct cache_key answer = key_of(2);
	struct semantic_entry e = {
		.group = key_of(1), .answer = key_of(9), .scope = 0, .kept_s = NOW_S};
	start(&ample);
	for (unsigned i = 0; i < 10; i++)
		put(1, i, i == 2 ? north : east, 2);
	semantic_remove(semantic, &answer);
	ok(find(north, 2, 1, 1) && found.match.score == 0, "what was removed is not found");
	const struct cache_filter odd = {.is_of_scope = true, .scope = 1};
	is_uint(semantic_clear(semantic, &odd), 5, "one scope is cleared");
	ok(find(east, 2, 1, 1) && id_of(&found.match.answer) == 8, "the other is there");
	struct semantic_vector *v = made_of(east, 2);
	ok(begin(v, 1, 1, NOW_S + 10) == NULL, "what is over is gone");
	is_uint(semantic_stats(semantic).n, 0, "all of it");
	semantic_put(semantic, &e, v, NOW_S);
	is_uint(semantic_stats(semantic).n, 0, "what is over already is not kept");
	put(1, 1, east, 2);
	is_uint(semantic_clear(semantic, &(struct cache_filter){.is_of_scope = false}), 1,
		"all are cleared");
	is_int(semantic_stats(semantic).bytes, 0, "and nothing is left of them");
	semantic_vector_drop(v);
}

static void test_meanwhile(void)
{
	start(&ample);
	struct semantic_vector *v = made_of(east, 2);
	put(1, 1, east, 2);
	put(1, 2, north, 2);
	const struct cache_key answer = key_of(1);
	ok(begin(v, 1, 1, NOW_S) != NULL, "a search begins");
	semantic_remove(semantic, &answer);
	for (unsigned i = 10; i < 200; i++)
		put(1, i, east, 2);
	loop_run(loop);
	ok(found.is_told && (!found.has_match || id_of(&found.match.answer) == 2),
		"what goes meanwhile is not found, nor what comes");
	ok(begin(v, 1, 1, NOW_S) != NULL, "another begins");
	semantic_clear(semantic, &(struct cache_filter){.is_of_scope = false});
	loop_run(loop);
	ok(found.is_told && !found.has_match, "all may go");
	put(1, 1, east, 2);
	struct semantic_search *left = begin(v, 1, 1, NOW_S);
	semantic_leave(left);
	struct found first = found;
	put(1, 2, east, 2);
	ok(find(east, 2, 1, 1) && !first.is_told, "who leaves is told nothing");
	semantic_vector_drop(v);
}

/* Until every job is given back. */
static void on_look(struct loop_timer *t)
{
	if (workers_pending(workers) == 0)
		loop_stop(loop);
	else
		loop_timer_set(loop, t, 1000);
}

static void settle(void)
{
	struct loop_timer t = {.on_fire = on_look};
	loop_timer_set(loop, &t, 0);
	loop_run(loop);
}

#define CHURN 400
static bool is_there[CHURN];
static unsigned n_told, n_wrong, n_matches;

static void on_churned(void *context, const struct semantic_match *m)
{
	(void)context;
	n_told++;
	n_matches += m != NULL;
	n_wrong += m && !is_there[id_of(&m->answer)];
}

static void churn(unsigned id, const struct semantic_vector *v)
{
	const struct cache_key answer = key_of(id);
	const double what = random_part();
	if (what < 0.7) {
		put_vector(id % 3, id, v);
		is_there[id] = true;
	} else if (what < 0.99) {
		semantic_remove(semantic, &answer);
		is_there[id] = false;
	} else {
		const bool is_all = what > 0.995;
		semantic_clear(
			semantic, &(struct cache_filter){.is_of_scope = !is_all, .scope = 1});
		for (unsigned i = 0; i < CHURN; i++)
			is_there[i] = is_there[i] && !is_all && i % 2 == 0;
	}
}

/* While workers read, all that they read comes and goes. */
static void test_churn(void)
{
	double values[WIDE];
	struct semantic_vector *v[16];
	unsigned begun = 0, n = 0;
	start(&ample);
	for (size_t i = 0; i < COUNT_OF(v); i++) {
		fill(values, WIDE);
		v[i] = made_of(values, WIDE);
	}
	for (unsigned round = 0; round < 20000; round++) {
		const struct cache_key groups[] = {key_of(0), key_of(1), key_of(2)};
		struct semantic_search *search = NULL;
		churn((unsigned)(random_part() * CHURN), v[round % COUNT_OF(v)]);
		if (round % 7 == 0)
			search = semantic_find(
				semantic, v[round % 5], groups, 3, NOW_S, on_churned, NULL);
		if (round % 14 == 0)
			semantic_leave(search);
		else
			begun += search != NULL;
		if (round % 100 == 0)
			settle();
	}
	settle();
	for (unsigned i = 0; i < CHURN; i++)
		n += is_there[i];
	is_uint(n_told, begun, "whoever stayed is told");
	ok(n_matches > begun / 2 && n_wrong == 0, "of what is there: %u", n_matches);
	is_uint(semantic_stats(semantic).n, n, "which are those that were not removed");
	semantic_clear(semantic, &(struct cache_filter){.is_of_scope = false});
	is_int(semantic_stats(semantic).bytes, 0, "and nothing is counted twice, or left");
	for (size_t i = 0; i < COUNT_OF(v); i++)
		semantic_vector_drop(v[i]);
	settle();
}

/* ---- how many ---- */

static void test_bounds(void)
{
	start(&(struct semantic_limits){100, ample.bytes});
	for (unsigned i = 0; i < 150; i++)
		put(i % 3, i, i < 60 ? north : east, 2);
	is_uint(semantic_stats(semantic).n, 100, "there are no more than may be");
	is_uint(semantic_stats(semantic).evicted, 50, "the rest went");
	ok(find(north, 2, 0, 3) && id_of(&found.match.answer) >= 50 && found.match.score == 1,
		"the oldest first");
	semantic_limit(semantic, &(struct semantic_limits){90, ample.bytes});
	ok(find(north, 2, 0, 3) && found.match.score == 0, "fewer, and more of them go");
	semantic_limit(semantic, &(struct semantic_limits){90, 20000});
	for (unsigned i = 0; i < 150; i++) {
		put(i % 3, i, east, 2);
		if (semantic_stats(semantic).bytes > 20000)
			bail("they take too many bytes");
	}
	ok(semantic_stats(semantic).n > 20, "and no more bytes than may be: %zu of them",
		semantic_stats(semantic).n);
	semantic_limit(semantic, &(struct semantic_limits){0, ample.bytes});
	put(1, 1, east, 2);
	is_uint(semantic_stats(semantic).n, 0, "none, where none may be");
	is_int(semantic_stats(semantic).bytes, 0, "and nothing is left");
}

static int64_t clock_us(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * MILLION + t.tv_nsec / 1000;
}

static void on_nothing(struct job *j)
{
	(void)j;
}

static void on_next(struct job *j)
{
	(void)j;
	loop_stop(loop);
}

/* One that asks, a hundred times, and goes: nobody else waits for it. `one_us` is what one search takes. */
static void test_left(struct semantic_vector *v, int64_t one_us)
{
	struct job other = {.run = on_nothing, .on_done = on_next};
	const int64_t from_us = clock_us(CLOCK_MONOTONIC);
	unsigned begun = 0;
	for (unsigned i = 0; i < 100; i++) {
		struct semantic_search *search = begin(v, 1, 1, NOW_S);
		begun += search != NULL;
		semantic_leave(search);
	}
	ok(begun > 1 && begun < 20, "no more than a handful are under way: %u", begun);
	workers_submit(workers, &other, 3);
	loop_run(loop);
	const int64_t other_us = clock_us(CLOCK_MONOTONIC) - from_us;
	ok(other_us < one_us * 10, "what else there is to do is done after %lld us",
		(long long)other_us);
	settle();
	const bool is_begun = begin(v, 1, 1, NOW_S) != NULL;
	if (is_begun)
		loop_run(loop);
	const int64_t next_us = clock_us(CLOCK_MONOTONIC) - from_us;
	ok(is_begun && found.has_match && next_us < one_us * 20,
		"and the next search after %lld us", (long long)next_us);
}

/* Of a search, for what the loop does at once. What is watched runs one thread at a time, and counts the heap's own work. */
#ifdef BROKER_PLAIN_HEAP
#define PART 10
#else
#define PART 50
#endif

/* All go at once. */
static void test_none(int64_t one_us)
{
	const int64_t cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	semantic_limit(semantic, &(struct semantic_limits){0, 0});
	const int64_t held_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
	ok(held_us < 1000 || held_us < one_us / PART, "and all of them go in %lld us",
		(long long)held_us);
	is_int(semantic_stats(semantic).bytes, 0, "and are counted no more");
	settle();
}

/* Half of them: as a user's own are cleared, or another limit holds. */
static void test_half(int64_t one_us)
{
	const int64_t cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	const struct cache_filter odd = {.is_of_scope = true, .scope = 1};
	is_uint(semantic_clear(semantic, &odd), HUGE / 2, "half of them are cleared");
	const int64_t cleared_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
	semantic_limit(semantic, &(struct semantic_limits){HUGE / 10, ample.bytes});
	const int64_t held_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us - cleared_us;
	diag("half were cleared in %lld us, most of the rest went in %lld us",
		(long long)cleared_us, (long long)held_us);
	ok(held_us < 50000 || held_us < one_us, "and fewer are kept");
}

/* The most that there may be, all in one group. */
static void test_most(void)
{
	static double values[USUAL];
	struct semantic_vector *some[64];
	start(&ample);
	for (size_t i = 0; i < COUNT_OF(some); i++) {
		fill(values, USUAL);
		some[i] = made_of(values, USUAL);
	}
	fill(values, USUAL);
	for (unsigned i = 0; i < HUGE; i++) {
		if (i == HUGE / 3)
			put(1, i, values, USUAL);
		else
			put_vector(1, i, some[i % COUNT_OF(some)]);
	}
	const struct semantic_stats s = semantic_stats(semantic);
	is_uint(s.n, HUGE, "a hundred thousand are there");
	ok(s.bytes < (int64_t)HUGE * (USUAL * 2 + 250), "in %lld bytes each",
		(long long)(s.bytes / HUGE));
	struct semantic_vector *v = made_of(values, USUAL);
	const int64_t wall_us = clock_us(CLOCK_MONOTONIC);
	const int64_t cpu_us = clock_us(CLOCK_THREAD_CPUTIME_ID);
	const bool is_begun = begin(v, 1, 1, NOW_S) != NULL;
	const int64_t held_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
	if (is_begun)
		loop_run(loop);
	ok(is_begun && found.has_match && id_of(&found.match.answer) == HUGE / 3 &&
			found.match.score == 1,
		"the nearest of all is found");
	const int64_t took_us = clock_us(CLOCK_MONOTONIC) - wall_us;
	const int64_t all_us = clock_us(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
	/* under a tool that is slow in everything the worker is, too */
	ok(held_us < 300 || held_us < took_us / 100, "who asks is held up for %lld us",
		(long long)held_us);
	ok(all_us < 1000 || all_us < took_us / 50, "and by the end for %lld us", (long long)all_us);
	diag("the worker took %lld us", (long long)took_us);
	test_left(v, took_us);
	test_half(took_us);
	test_none(took_us);
	semantic_vector_drop(v);
	for (size_t i = 0; i < COUNT_OF(some); i++)
		semantic_vector_drop(some[i]);
}

int main(void)
{
	struct fault why = FAULT_NONE;
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 2, &why) : NULL;
	if (!workers)
		bail("%s", why.message);
	test_exact();
	test_scores();
	test_groups();
	test_gone();
	test_meanwhile();
	test_churn();
	test_bounds();
	test_most();
	workers_free(workers);
	semantic_free(semantic);
	loop_free(loop);
	return tap_done();
}
