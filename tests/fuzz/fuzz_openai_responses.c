/* fuzz_openai_responses.c - any bytes as a reply of the family openai-responses. */
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reply("openai-responses", data, size);
	return 0;
}
