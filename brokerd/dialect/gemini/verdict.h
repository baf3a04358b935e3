/* verdict.h - why did an answer end, what did it cost, and how sure was the model?
 * Pure functions of a reply's metadata. */
#ifndef BROKERD_DIALECT_GEMINI_VERDICT_H
#define BROKERD_DIALECT_GEMINI_VERDICT_H
#include "protocol/base/json.h"
#include "protocol/event.h"

/* What a finishReason says. False: that the model made a tool call that is none, which is an error
 * where there is no other content (*out is then "other"). */
bool verdict_finish(struct span reason, enum finish *out);

/* As the provider counts, added up over a stream: the last word of each wins. -1: not said. */
struct gemini_counts {
	int64_t prompt, tool_prompt, cached, candidates, thoughts;
	int64_t audio_prompt, image_prompt; /* parts of prompt and tool_prompt */
	int64_t audio_cached, image_cached; /* parts of cached */
	int64_t audio_output, image_output; /* parts of candidates */
};
#define GEMINI_COUNTS_UNKNOWN ((struct gemini_counts){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1})

/* Takes over what a usageMetadata says. */
void verdict_count(struct json usage, struct gemini_counts *counts);

/* The same in disjoint classes. False: nothing was counted. *fits: the counts add up. */
bool verdict_usage(const struct gemini_counts *counts, struct llm_usage *out, bool *fits);

/* Writes a logprobsResult as {"content":[{"token","logprob","bytes","top_logprobs"}]}. False: it
 * holds none. */
bool verdict_logprobs(struct json result, struct buf *out);

#endif
