/* alloc.c - whose memory does the library use? */
#include "llmclient.h"
#include "protocol/base/mem.h"

int llm_set_allocator(llm_realloc_fn fn, void *arg)
{
	mem_use(fn, arg);
	return LLM_OK;
}

void llm_free(void *p)
{
	mem_free(p);
}
