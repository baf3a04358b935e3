/* version.c - which library is this? */
#include "llmclient.h"

uint32_t llm_version_number(void)
{
	return LLM_VERSION_NUMBER;
}

const char *llm_version(void)
{
	return LLM_BROKER_VERSION;
}
