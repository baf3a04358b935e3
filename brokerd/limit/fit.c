/* fit.c - medians of ratios, by their logarithms: twice as much and half as much are as far off. */
#include "brokerd/limit/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/list.h"
#include "protocol/base/table.h"

#define NAME_BYTES 256 /* PROVIDER/MODEL; of a longer one, the beginning */
#define SIZES      6   /* of prompts: below 64 tokens, 256, 1024, 4096, 16384, and above */
#define RATIO_LOG  3.5 /* of 33: what a provider adds to a short prompt can be many times it */
#define RECENT     15  /* ratios that a median is of */
#define DOUBT      2   /* ratios of 1 that the first ones are averaged with */
#define OTHERS     2   /* of a size: ratios that weigh as much as those of all sizes */

/* The median of the last ones: no search that a provider did, nor a file that only it knows, moves it. */
struct ratios {
	float logs[RECENT];
	uint64_t n; /* of all there were */
	double median;
};

struct model {
	struct model *prev, *next; /* the one heard of last at the end */
	TABLE_LINK;
	char name[NAME_BYTES];
	struct ratios all, sizes[SIZES];
};

struct fit {
	struct model *table;
	struct model *by_age;
};

struct fit *fit_new(void)
{
	struct fit *f = calloc(1, sizeof *f);
	if (!f)
		abort();
	return f;
}

static void model_free(struct fit *f, struct model *m)
{
	TABLE_REMOVE(f->table, m);
	LIST_REMOVE(f->by_age, m);
	free(m);
}

void fit_free(struct fit *f)
{
	if (!f)
		return;
	while (f->by_age)
		model_free(f, f->by_age);
	free(f);
}

/* ---- models ---- */

/* Returns its length. */
static size_t name_make(char to[NAME_BYTES], struct span provider, struct span model)
{
	const int n = snprintf(to, NAME_BYTES, "%.*s/%.*s", SPAN_ARG(provider), SPAN_ARG(model));
	return n < 0 ? 0 : (size_t)n < NAME_BYTES ? (size_t)n : NAME_BYTES - 1;
}

static struct model *model_find(const struct fit *f, struct span provider, struct span model)
{
	char name[NAME_BYTES];
	struct model *m;
	const size_t n = name_make(name, provider, model);
	TABLE_FIND(f->table, m, name, n);
	return m;
}

static struct model *model_get(struct fit *f, struct span provider, struct span model)
{
	struct model *m = model_find(f, provider, model);
	if (m) {
		LIST_REMOVE(f->by_age, m);
		LIST_PUSH(f->by_age, m);
		return m;
	}
	if (TABLE_COUNT(f->table) >= FIT_MODELS_MAX)
		model_free(f, f->by_age);
	m = calloc(1, sizeof *m);
	if (!m)
		abort();
	const size_t n = name_make(m->name, provider, model);
	TABLE_ADD(f->table, m, m->name, n);
	LIST_PUSH(f->by_age, m);
	return m;
}

/* ---- ratios ---- */

static size_t size_of(int64_t raw)
{
	size_t i = 0;
	for (int64_t end = 64; i + 1 < SIZES && raw >= end; end *= 4)
		i++;
	return i;
}

static double held(double v, double most)
{
	return v > most ? most : v < -most ? -most : v;
}

static size_t known(const struct ratios *r)
{
	return r->n < RECENT ? r->n : RECENT;
}

static void ratios_take(struct ratios *r, double log_ratio)
{
	float sorted[RECENT];
	r->logs[r->n % RECENT] = (float)log_ratio;
	r->n++;
	const size_t n = known(r);
	for (size_t i = 0; i < n; i++) {
		size_t at = i;
		for (; at > 0 && sorted[at - 1] > r->logs[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = r->logs[i];
	}
	r->median = ((double)sorted[n / 2] + (double)sorted[(n - 1) / 2]) / 2;
}

/* That of the size, as far as it is known, else that of all. */
static double log_ratio_of(const struct model *m, size_t size)
{
	const struct ratios *own = &m->sizes[size];
	const double n = (double)known(own), all = (double)m->all.n;
	const double weight = n / (n + OTHERS);
	return (weight * own->median + (1 - weight) * m->all.median) * all / (all + DOUBT);
}

static int64_t corrected(const struct model *m, int64_t raw)
{
	const double v = (double)raw * exp(log_ratio_of(m, size_of(raw)));
	/* 2^62, which is exact */
	return v < 1 ? 1 : v > 4611686018427387904.0 ? INT64_MAX : llround(v);
}

void fit_learn(
	struct fit *f, struct span provider, struct span model, int64_t raw, int64_t reported)
{
	if (raw < 1 || reported < 1)
		return;
	struct model *m = model_get(f, provider, model);
	const double seen = held(log((double)reported / (double)raw), RATIO_LOG);
	ratios_take(&m->all, seen);
	ratios_take(&m->sizes[size_of(raw)], seen);
}

int64_t fit_tokens(const struct fit *f, struct span provider, struct span model, int64_t raw)
{
	const struct model *m = raw > 0 ? model_find(f, provider, model) : NULL;
	return m ? corrected(m, raw) : raw;
}
