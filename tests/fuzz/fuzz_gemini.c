/* fuzz_gemini.c - any bytes as a reply of the family gemini. */
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reply("gemini", data, size);
	return 0;
}
