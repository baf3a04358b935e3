/* registry.c - one row a family. */
#include "brokerd/dialect/registry.h"

#include "brokerd/dialect/dialect.h"

static const struct dialect *const all[] = {
	&dialect_openai_chat,
	&dialect_openai_responses,
	&dialect_openai_completions,
	&dialect_anthropic,
	&dialect_bedrock,
	&dialect_gemini,
	&dialect_mistral,
	&dialect_cohere,
	&dialect_ollama,
	&dialect_offline,
	NULL,
};

const struct dialect *const *dialect_all(void)
{
	return all;
}

const struct dialect *dialect_find(struct span family)
{
	for (const struct dialect *const *d = all; *d; d++) {
		if (span_is(family, (*d)->family))
			return *d;
	}
	return NULL;
}

enum err event_emit(const struct event_sink *sink, const struct llm_event *e)
{
	return sink->on_event(sink->context, e);
}
