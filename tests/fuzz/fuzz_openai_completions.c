/* fuzz_openai_completions.c - any bytes as a reply of the family openai-completions. */
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reply("openai-completions", data, size);
	return 0;
}
