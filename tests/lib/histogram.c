/* histogram.c - below HISTOGRAM_STEPS each value has its own count; above, each octave has that many. */
#include "tests/lib/histogram.h"

#include <stdio.h>

#include "protocol/base/owned.h"

#define STEP_BITS 7
_Static_assert(1 << STEP_BITS == HISTOGRAM_STEPS, "one step for each pattern of the bits kept");

/* The position of the highest bit above those kept; 0 for what is kept whole. */
static size_t octave_of(uint64_t ns)
{
	return ns < HISTOGRAM_STEPS ? 0 : (size_t)(63 - __builtin_clzll(ns) - STEP_BITS + 1);
}

static size_t place_of(uint64_t ns)
{
	const size_t octave = octave_of(ns);
	if (octave == 0)
		return (size_t)ns;
	if (octave > HISTOGRAM_OCTAVES)
		return COUNT_OF(((struct histogram *)0)->counts) - 1;
	return octave * HISTOGRAM_STEPS + (size_t)(ns >> (octave - 1)) - HISTOGRAM_STEPS;
}

/* The middle of all times that are counted at `place`. */
static int64_t time_at(size_t place)
{
	const size_t octave = place / HISTOGRAM_STEPS;
	if (octave == 0)
		return (int64_t)place;
	const int64_t step = INT64_C(1) << (octave - 1);
	return (int64_t)(HISTOGRAM_STEPS + place % HISTOGRAM_STEPS) * step + step / 2;
}

void histogram_add(struct histogram *h, int64_t ns)
{
	if (ns < 0)
		ns = 0;
	h->n++;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->counts[place_of((uint64_t)ns)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	into->n += from->n;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (size_t i = 0; i < COUNT_OF(into->counts); i++)
		into->counts[i] += from->counts[i];
}

int64_t histogram_at(const struct histogram *h, double share)
{
	const uint64_t wanted = (uint64_t)(share * (double)h->n + 0.5);
	uint64_t seen = 0;
	if (h->n == 0)
		return 0;
	for (size_t i = 0; i < COUNT_OF(h->counts); i++) {
		seen += h->counts[i];
		if (seen >= wanted && seen > 0) {
			const int64_t ns = time_at(i);
			return ns < h->max_ns ? ns : h->max_ns;
		}
	}
	return h->max_ns;
}

void histogram_print(const struct histogram *h, const char *name)
{
	static const struct {
		const char *name;
		double share;
	} points[] = {
		{"p50",  0.5  },
		{"p99",  0.99 },
		{"p999", 0.999},
		{"max",  1.0  },
	};
	for (size_t i = 0; i < COUNT_OF(points); i++) {
		printf(", \"%s_%s_us\": ", name, points[i].name);
		if (h->n == 0)
			printf("null");
		else
			printf("%.3f", (double)histogram_at(h, points[i].share) / 1000);
	}
}
