/* fuzz_cohere.c - any bytes as a reply of the family cohere. */
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reply("cohere", data, size);
	return 0;
}
