/* fit.c - logarithms of ratios, which are averaged: twice as much and half as much are as far off. */
#include "brokerd/limit/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/base/json.h"
#include "protocol/base/list.h"
#include "protocol/base/table.h"

#define NAME_BYTES  256   /* PROVIDER/MODEL; of a longer one, the beginning */
#define SIZES       6     /* of prompts: below 64 tokens, 256, 1024, 4096, 16384, and above */
#define RATIO_LOG   3.5   /* of 33: what a provider adds to a short prompt can be many times it */
#define STEP_LOG    0.5   /* how far off an observation may seem once some are known */
#define KNOWN       8     /* that many are some */
#define MEMORY      32    /* observations that an average is made of */
#define TRUST       4     /* observations of a size that weigh as much as those of all sizes */
#define CLASSES     96    /* of errors */
#define CLASS_FIRST 0.001 /* where the first ends */
#define CLASS_WIDTH 1.1   /* where the next ends, by where one does */
#define SKETCH_MAX  2000  /* errors; then all weigh half */

struct average {
	double log_ratio;
	uint32_t n; /* not above MEMORY */
};

struct model {
	struct model *prev, *next; /* the one heard of last at the end */
	TABLE_LINK;
	char name[NAME_BYTES];
	size_t provider_n; /* how much of it is the provider */
	struct average all, sizes[SIZES];
	int64_t n;
	double error_sum; /* signed, of all `n` */
	uint16_t errors[CLASSES];
	uint32_t n_errors; /* in the classes */
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
	m->provider_n = provider.n < n ? provider.n : n;
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

/* A mean at first, then one that forgets. One call in which something else was counted, or nothing of
 * the image in it, moves it by a little. */
static void average_take(struct average *a, double log_ratio)
{
	double step = log_ratio - a->log_ratio;
	if (a->n >= KNOWN)
		step = held(step, STEP_LOG);
	if (a->n < MEMORY)
		a->n++;
	a->log_ratio += step / a->n;
}

/* That of the size, as far as it is known, else that of all. */
static double log_ratio_of(const struct model *m, size_t size)
{
	const struct average *own = &m->sizes[size];
	const double weight = own->n / (own->n + (double)TRUST);
	return weight * own->log_ratio + (1 - weight) * m->all.log_ratio;
}

static int64_t corrected(const struct model *m, int64_t raw)
{
	const double v = (double)raw * exp(log_ratio_of(m, size_of(raw)));
	/* 2^62, which is exact */
	return v < 1 ? 1 : v > 4611686018427387904.0 ? INT64_MAX : llround(v);
}

/* ---- errors ---- */

static size_t class_of(double error)
{
	if (error <= CLASS_FIRST)
		return 0;
	const double i = ceil(log(error / CLASS_FIRST) / log(CLASS_WIDTH));
	return i < CLASSES - 1 ? (size_t)i : CLASSES - 1;
}

static void note_error(struct model *m, int64_t said, int64_t reported)
{
	const double error = ((double)said - (double)reported) / (double)reported;
	m->error_sum += error;
	if (m->n_errors >= SKETCH_MAX) {
		m->n_errors = 0;
		for (size_t i = 0; i < CLASSES; i++)
			m->n_errors += m->errors[i] /= 2;
	}
	m->errors[class_of(fabs(error))]++;
	m->n_errors++;
}

/* The end of the class in which that share of the errors is reached. */
static double error_quantile(const struct model *m, double share)
{
	const double want = share * m->n_errors;
	double sum = 0;
	size_t i = 0;
	for (; i + 1 < CLASSES; i++) {
		sum += m->errors[i];
		if (sum >= want)
			break;
	}
	return CLASS_FIRST * pow(CLASS_WIDTH, (double)i);
}

void fit_learn(
	struct fit *f, struct span provider, struct span model, int64_t raw, int64_t reported)
{
	if (raw < 1 || reported < 1)
		return;
	struct model *m = model_get(f, provider, model);
	const double seen = held(log((double)reported / (double)raw), RATIO_LOG);
	note_error(m, corrected(m, raw), reported);
	average_take(&m->all, seen);
	average_take(&m->sizes[size_of(raw)], seen);
	m->n++;
}

int64_t fit_tokens(const struct fit *f, struct span provider, struct span model, int64_t raw)
{
	const struct model *m = raw > 0 ? model_find(f, provider, model) : NULL;
	return m ? corrected(m, raw) : raw;
}

/* ---- for show ---- */

static int compare(const void *a, const void *b)
{
	const struct model *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

/* To four places: more says nothing, and would change with every processor. */
static void put(struct json_out *o, const char *name, double v)
{
	json_key(o, name);
	json_put_f64(o, round(v * 10000) / 10000);
}

static void put_model(struct json_out *o, const struct model *m)
{
	struct span model = span_str(m->name);
	const struct span provider = span_first(model, m->provider_n);
	model = span_skip(model, provider.n);
	json_open(o, '{');
	json_pair_str(o, "provider", provider);
	json_pair_str(o, "model", span_skip(model, model.n > 0)); /* behind the slash */
	json_pair_i64(o, "n", m->n);
	put(o, "ratio", exp(m->all.log_ratio));
	put(o, "mean_error", m->error_sum / (double)m->n);
	put(o, "p50_error", error_quantile(m, 0.5));
	put(o, "p95_error", error_quantile(m, 0.95));
	json_close(o, '}');
}

void fit_json(const struct fit *f, struct buf *out)
{
	const size_t n = TABLE_COUNT(f->table);
	const struct model **sorted = calloc(n + 1, sizeof *sorted);
	struct json_out o = json_to(out);
	struct model *m;
	size_t i = 0;
	if (!sorted)
		abort();
	LIST_EACH(f->by_age, m)
		sorted[i++] = m;
	qsort(sorted, n, sizeof *sorted, compare);
	json_open(&o, '{');
	json_key(&o, "estimates");
	json_open(&o, '[');
	for (i = 0; i < n; i++)
		put_model(&o, sorted[i]);
	json_close(&o, ']');
	json_close(&o, '}');
	free(sorted);
}
