/* fuzz_estimate.c - any bytes as a picture, a file and a sound: each is some tokens, and what follows a picture's
 * size changes nothing. */
#include <assert.h>
#include <stdlib.h>

#include "brokerd/dialect/estimate.h"
#include "brokerd/dialect/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum part_type types[] = {PART_IMAGE, PART_FILE, PART_AUDIO};
	const struct span bytes = span_of((const char *)data, size);
	int64_t width, height, again_width, again_height;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		const struct part p = {.type = types[i], .media = {.data = bytes}};
		assert(estimate_medium(&p) >= (size > 0));
	}
	for (size_t n = 0; n < size; n++) {
		if (!picture_size(span_first(bytes, n), &width, &height))
			continue;
		assert(width > 0 && height > 0);
		assert(picture_size(bytes, &again_width, &again_height));
		assert(width == again_width && height == again_height);
		break;
	}
	return 0;
}
