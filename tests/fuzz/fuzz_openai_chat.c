/* fuzz_openai_chat.c - any bytes as a reply of the family openai-chat. */
#include "tests/lib/fuzz_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_reply("openai-chat", data, size);
	return 0;
}
