/* paired.c - rounds of all sides, then medians. */
#include "tests/lib/paired.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "tests/lib/bench.h"

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, by_size);
	return values[n / 2];
}

void paired_run(const struct paired_side *sides, size_t n, int64_t rounds, size_t times,
	struct paired_figure *out)
{
	double ns[PAIRED_SIDES_MAX][PAIRED_ROUNDS_MAX], ratios[PAIRED_ROUNDS_MAX];
	const size_t last = (size_t)rounds;
	assert(n <= PAIRED_SIDES_MAX && rounds >= 1 && rounds <= PAIRED_ROUNDS_MAX);
	for (size_t i = 0; i < n; i++)
		sides[i].run(sides[i].context, times);
	for (size_t round = 0; round < last; round++) {
		for (size_t i = 0; i < n; i++)
			ns[i][round] =
				(double)sides[i].run(sides[i].context, times) / (double)times;
	}
	for (size_t i = n; i-- > 0;) { /* the first is sorted last */
		for (size_t round = 0; round < last; round++)
			ratios[round] = ns[0][round] / ns[i][round];
		out[i] = (struct paired_figure){.ratio = median(ratios, last)};
		out[i].ns = median(ns[i], last);
	}
}

int64_t paired_cjson(void *context, size_t times)
{
	const struct span *json = context;
	const int64_t began = bench_thread_ns();
	for (size_t i = 0; i < times; i++) {
		cJSON *v = cJSON_ParseWithLength(json->p, json->n);
		char *text = v ? cJSON_PrintUnformatted(v) : NULL;
		if (!text)
			bench_die("cJSON cannot read or print the sample");
		cJSON_free(text);
		cJSON_Delete(v);
	}
	return bench_thread_ns() - began;
}

int64_t paired_copy(void *context, size_t times)
{
	const struct span *bytes = context;
	char *to = malloc(bytes->n ? bytes->n : 1);
	if (!to)
		bench_die("no memory for a copy");
	memset(to, 1, bytes->n); /* its pages are there */
	const int64_t began = bench_thread_ns();
	for (size_t i = 0; i < times; i++) {
		memcpy(to, bytes->p, bytes->n);
		__asm__ volatile("" : : "r"(to) : "memory"); /* as if it were read each time */
	}
	const int64_t took_ns = bench_thread_ns() - began;
	free(to);
	return took_ns;
}
