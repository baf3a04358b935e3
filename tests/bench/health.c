/* health.c - what does an attempt cost to be looked up and counted, as more places are remembered?
 *
 * No loop: health_look, and health_begin, health_first and health_end in turn, in nanoseconds of this thread, each time of
 * another of so many models; and the same where all of their keys rest, for then words are copied. Prints Markdown. */
#include <stdio.h>
#include <stdlib.h>

#include "brokerd/route/health.h"
#include "tests/lib/bench.h"

#define SECOND_US INT64_C(1000000)
#define GROUP     256
#define GROUPS    400
#define KEYS      4 /* of a provider, for so many models each */
#define MODELS    64

static const unsigned sizes[] = {1, 100, 4096};

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

struct bench {
	struct health *health;
	unsigned n; /* models */
	int64_t now_us;
	uint64_t state;
	char names[GROUP][3][24];
};

/* Of one provider for each KEYS * MODELS of them. */
static struct health_subject subject_of(unsigned i, char names[3][24])
{
	(void)snprintf(names[0], 24, "provider-%u", i / (KEYS * MODELS));
	(void)snprintf(names[1], 24, "key-%u", i / MODELS % KEYS);
	(void)snprintf(names[2], 24, "model-%u-large", i % MODELS);
	return (struct health_subject){span_str(names[0]), span_str(names[1]), span_str(names[2])};
}

static void pick(struct bench *b, struct health_subject s[GROUP])
{
	for (unsigned i = 0; i < GROUP; i++) {
		b->state = b->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		s[i] = subject_of((unsigned)(b->state >> 33) % b->n, b->names[i]);
	}
}

static int64_t look(struct bench *b)
{
	struct health_subject s[GROUP];
	struct health_view v;
	unsigned n = 0;
	pick(b, s);
	const int64_t from = bench_thread_ns();
	for (unsigned i = 0; i < GROUP; i++) {
		health_look(b->health, &s[i], b->now_us, &v);
		n += v.in_flight;
	}
	const int64_t ns = bench_thread_ns() - from;
	if (n > 0)
		bench_die("something is under way");
	return ns;
}

static int64_t attempt(struct bench *b)
{
	struct health_subject s[GROUP];
	pick(b, s);
	const int64_t from = bench_thread_ns();
	for (unsigned i = 0; i < GROUP; i++) {
		struct health_try t = {.health = NULL};
		b->now_us += 1000;
		health_begin(b->health, &s[i], b->now_us, &t);
		health_first(&t, b->now_us + (int64_t)(b->state >> 45) + i);
		health_end(&t, true, NULL, NULL, b->now_us);
	}
	return bench_thread_ns() - from;
}

static double middle_ns(struct bench *b, int64_t (*measured)(struct bench *b))
{
	static int64_t ns[GROUPS];
	for (unsigned i = 0; i < GROUPS; i++)
		ns[i] = measured(b);
	qsort(ns, GROUPS, sizeof *ns, by_size);
	return (double)ns[GROUPS / 2] / GROUP;
}

static void measure(unsigned n_places)
{
	static const struct health_rule rule = {
		.place = HEALTH_KEY, .failures = 1, .rest_us = 1000000 * SECOND_US};
	static struct bench b;
	struct fault why = FAULT_NONE;
	/* with the endpoints and the keys it is that many */
	unsigned n = n_places;
	while (n > 1 && n + (n + MODELS - 1) / MODELS + (n + KEYS * MODELS - 1) / (KEYS * MODELS) >
				n_places)
		n--;
	b = (struct bench){.health = health_new(), .n = n, .state = 1};
	if (!b.health)
		bench_die("no memory");
	for (unsigned i = 0; i < n; i++) {
		const struct health_subject s = subject_of(i, b.names[0]);
		struct health_try t = {.health = NULL};
		health_begin(b.health, &s, b.now_us, &t);
		health_end(&t, true, NULL, NULL, b.now_us);
	}
	for (unsigned i = 0; i < 16; i++)
		(void)attempt(&b);
	const double look_ns = middle_ns(&b, look), attempt_ns = middle_ns(&b, attempt);
	(void)fault_set(&why, ERR_AUTH, "The key was refused.");
	for (unsigned i = 0; i<n; i += n - i> MODELS ? MODELS : n) {
		const struct health_subject s = subject_of(i, b.names[0]);
		struct health_try t = {.health = NULL};
		health_begin(b.health, &s, b.now_us, &t);
		health_end(&t, false, &rule, &why, b.now_us);
	}
	printf("| %zu | %.0f | %.0f | %.0f |\n", health_size(b.health), look_ns, attempt_ns,
		middle_ns(&b, look));
	health_free(b.health);
}

/* Each attempt is of a place that is not known, and another has to go. */
static void measure_strangers(void)
{
	static int64_t ns[GROUPS];
	static char names[GROUP][24];
	struct health *h = health_new();
	unsigned next = 0;
	if (!h)
		bench_die("no memory");
	for (unsigned i = 0; i < GROUPS; i++) {
		for (unsigned k = 0; k < GROUP; k++)
			(void)snprintf(names[k], sizeof names[k], "model-%u", next + k);
		const int64_t from = bench_thread_ns();
		for (unsigned k = 0; k < GROUP; k++) {
			struct health_try t = {.health = NULL};
			const struct health_subject s = {SPAN("p"), SPAN("k"), span_str(names[k])};
			next++;
			health_begin(h, &s, next, &t);
			health_end(&t, false, NULL, NULL, next);
		}
		ns[i] = bench_thread_ns() - from;
	}
	qsort(ns, GROUPS, sizeof *ns, by_size);
	printf("\nAn attempt of what is not known, for which another goes: %.0f ns.\n",
		(double)ns[GROUPS / 2] / GROUP);
	health_free(h);
}

int main(int argc, char **argv)
{
	bench_options(argc, argv,
		"health: what does an attempt cost to be looked up and counted, as more places are "
		"remembered?",
		NULL, 0);
	printf("| places | look, ns | begin, first and end, ns | look where all keys rest, ns |\n"
	       "| --: | --: | --: | --: |\n");
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		measure(sizes[i]);
	measure_strangers();
	return 0;
}
