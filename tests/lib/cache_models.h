/* cache_models.h - how often would a cache as the papers have it answer?
 * Simple models, written from their descriptions and not from ours, of traces of numbered objects. Each object takes its size
 * of a number of bytes; one that is asked for and not there is put. */
#ifndef TESTS_LIB_CACHE_MODELS_H
#define TESTS_LIB_CACHE_MODELS_H
#include <stddef.h>
#include <stdint.h>

struct cache_trace {
	const uint32_t *asked; /* n of them, each less than n_objects */
	size_t n;
	const uint32_t *sizes; /* of each object */
	size_t n_objects;
};

/* S3-FIFO (Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023): small queue of a tenth, ghosts
 * for as many as are in main, two bits of use. Returns the hits. */
size_t cache_model_s3_fifo(const struct cache_trace *t, int64_t bytes);

/* W-TinyLFU (Einziger and others, 2017), as Caffeine has it: a window of a hundredth, a segmented LRU of which four fifths are
 * protected, a count-min sketch of four rows and four bits, halved after ten times as many as there are objects in
 * the cache. A candidate that is larger than one victim must beat each that would go. Returns the hits. */
size_t cache_model_w_tinylfu(const struct cache_trace *t, int64_t bytes);

#endif
