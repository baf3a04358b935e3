/* tools.h - which tools does a request of this family declare, and must it call one?
 * The wire has no word for "none", and refuses a conversation that has calls and declares no tools. */
#ifndef BROKERD_DIALECT_BEDROCK_TOOLS_H
#define BROKERD_DIALECT_BEDROCK_TOOLS_H
#include "brokerd/dialect/bedrock/bedrock.h"

struct bedrock_tools {
	bool has_json_tool; /* structured output is emulated by a tool */
	bool is_thinking;   /* which some models do only where no tool is forced */
	bool has_own;       /* the caller's go out */
	struct span *stubs; /* names that only the history knows, as the provider is told them */
	size_t n_stubs;
	bool *is_recalled; /* by index: not allowed, but declared since the history calls it */
	size_t n_recalled;
};

/* Decides, from what the request and the target say. Where some tools, or all, may not be called but
 * must be declared, `words` is extended by a text that says so. */
enum err bedrock_choose_tools(
	struct scribe *s, struct bedrock_tools *t, struct span *words) MUST_USE;

/* The member toolConfig, where there is something to declare. */
enum err bedrock_put_tools(
	struct scribe *s, const struct bedrock_tools *t, struct cache_marks *marks) MUST_USE;

#endif
