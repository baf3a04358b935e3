/* semantic_vector.c - a direction as numbers of 16 bits, and how near two are. */
#include <math.h>
#include <stdlib.h>

#include "brokerd/cache/semantic_parts.h"

#define PLACES 1e4

static size_t stride_of(size_t dimensions)
{
	return (dimensions + SEMANTIC_STRIDE - 1) / SEMANTIC_STRIDE * SEMANTIC_STRIDE;
}

struct semantic_vector *semantic_vector_new(const struct vector *v)
{
	double most = 0, sum = 0;
	if (v->n == 0 || v->n > SEMANTIC_DIMENSIONS)
		return NULL;
	for (size_t i = 0; i < v->n; i++) {
		if (!isfinite(v->values[i]))
			return NULL;
		most = fmax(most, fabs(v->values[i]));
	}
	if (!(most > 0))
		return NULL;
	for (size_t i = 0; i < v->n; i++) /* by the largest: no square is too large or too small */
		sum += v->values[i] / most * (v->values[i] / most);
	const double scale = SEMANTIC_ONE / sqrt(sum);
	const size_t stride = stride_of(v->n);
	struct semantic_vector *made = calloc(1, sizeof *made + stride * sizeof *made->numbers);
	if (!made)
		return NULL;
	made->refs = 1;
	made->dimensions = v->n;
	made->stride = stride;
	for (size_t i = 0; i < v->n; i++)
		made->numbers[i] = (int16_t)lrint(v->values[i] / most * scale);
	return made;
}

struct semantic_vector *semantic_vector_hold(struct semantic_vector *v)
{
	v->refs++;
	return v;
}

void semantic_vector_drop(struct semantic_vector *v)
{
	if (v && --v->refs == 0)
		free(v);
}

size_t semantic_dimensions(const struct semantic_vector *v)
{
	return v->dimensions;
}

/* Of so many times SEMANTIC_STRIDE. No sum of any part of the products is over the product of the lengths, which are SEMANTIC_ONE and a half for
 * each component's rounding at the most: below 2^31 for all that SEMANTIC_DIMENSIONS allows. The inner loop has a fixed
 * length: that is what lets a compiler do eight products at once at -O2. */
int32_t semantic_dot(const int16_t *a, const int16_t *b, size_t stride)
{
	int32_t sum = 0;
	for (size_t i = 0; i < stride; i += SEMANTIC_STRIDE) {
		int32_t part = 0;
		for (size_t j = 0; j < SEMANTIC_STRIDE; j++)
			part += a[i + j] * b[i + j];
		sum += part;
	}
	return sum;
}

double semantic_score(int32_t product)
{
	const double cosine =
		round((double)product / SEMANTIC_ONE / SEMANTIC_ONE * PLACES) / PLACES;
	return fmin(fmax(cosine, -1), 1);
}
