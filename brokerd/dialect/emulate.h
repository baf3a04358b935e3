/* emulate.h - how is JSON asked for where the provider has no word for it?
 * By a tool that the model must call, whose arguments are the answer; or by words alone. The notes say
 * which, so that the reply is told as if it had been asked for properly. */
#ifndef BROKERD_DIALECT_EMULATE_H
#define BROKERD_DIALECT_EMULATE_H
#include "brokerd/dialect/scribe.h"

#define EMULATED_TOOL             "json_output"
#define EMULATED_TOOL_DESCRIPTION "Gives the final answer."

/* A tool stands for the schema: the caller writes it beside the others, and makes the model call. */
enum err emulate_by_tool(struct scribe *s) MUST_USE;
/* The schema of that tool. */
struct json emulate_schema(const struct llm_request *r);

/* A system text stands for it, to be put behind all others. */
enum err emulate_by_words(struct scribe *s, struct span *words) MUST_USE;

/* Is a call of that name the answer itself? */
bool emulate_is_answer(const struct notes *n, struct span name);

#endif
