/* paired.h - how long does one thing take, in the time that another takes beside it?
 * On a machine whose speed drifts only what was measured in turn can be compared: each round runs every
 * side once, and a ratio is the median of the rounds' own. */
#ifndef TESTS_LIB_PAIRED_H
#define TESTS_LIB_PAIRED_H
#include <stddef.h>
#include <stdint.h>

#define PAIRED_ROUNDS_MAX 99
#define PAIRED_SIDES_MAX  4

/* Does its work `times` over, and returns the nanoseconds of processor time that all of it took. */
struct paired_side {
	int64_t (*run)(void *context, size_t times);
	void *context;
};

struct paired_figure {
	double ns;    /* of one time: the median of the rounds */
	double ratio; /* of the first side's time to this one's */
};

/* `rounds` from 1 to PAIRED_ROUNDS_MAX, after one that does not count; `out` has one for each side. */
void paired_run(const struct paired_side *sides, size_t n, int64_t rounds, size_t times,
	struct paired_figure *out);

/* Yardsticks, whose context is the struct span of the bytes: cJSON parses and prints them; they are
 * copied. */
int64_t paired_cjson(void *context, size_t times);
int64_t paired_copy(void *context, size_t times);

#endif
