/* verdict.h - why did an answer end, what did it cost, and how sure was the model?
 * What a reply says of itself, read and written. Pure functions. */
#ifndef BROKERD_DIALECT_GEMINI_VERDICT_H
#define BROKERD_DIALECT_GEMINI_VERDICT_H
#include "protocol/base/json.h"
#include "protocol/event.h"

/* What a finishReason says. False: that the model made a tool call that is none, which is an error
 * where there is no other content (*out is then "other"). */
bool verdict_finish(struct span reason, enum finish *out);

/* The finishReason for an end: `native`, the provider's word, where it is one of this family's and says the
 * same. A literal. */
const char *verdict_word(enum finish f, struct span native);

/* As the provider counts, added up over a stream: the last word of each wins. -1: not said. */
struct gemini_counts {
	int64_t prompt, tool_prompt, cached, candidates, thoughts;
	int64_t audio_prompt, image_prompt; /* parts of prompt and tool_prompt */
	int64_t audio_cached, image_cached; /* parts of cached */
	int64_t audio_output, image_output; /* parts of candidates */
	int64_t total;
};
#define GEMINI_COUNTS_UNKNOWN \
	((struct gemini_counts){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1})

/* Takes over what a usageMetadata says. */
void verdict_count(struct json usage, struct gemini_counts *counts);

/* Nothing was generated, as where the prompt was blocked: where the total says so too, that is none, which
 * is left out of a usageMetadata. */
void verdict_count_nothing(struct gemini_counts *counts);

/* The same in disjoint classes. False: nothing was counted. *fits: the counts add up. */
bool verdict_usage(const struct gemini_counts *counts, struct llm_usage *out, bool *fits);

/* The tier of service that a usageMetadata names: a word of the Gemini API's, also for Vertex AI's. A
 * literal; absent: it names none that is known. */
struct span verdict_tier(struct json usage);

/* Writes the member "usageMetadata", unless nothing is known. */
void verdict_put_usage(struct json_out *o, const struct llm_usage *u);

/* Writes a logprobsResult as {"content":[{"token","logprob","bytes","top_logprobs"}]}. False: it
 * holds none. */
bool verdict_logprobs(struct json result, struct buf *out);

/* The other way round: appends the elements of chosenCandidates and of topCandidates to two lists, a comma
 * between them. What is of another shape adds nothing. */
void verdict_add_logprobs(struct json logprobs, struct buf *chosen, struct buf *top);

#endif
