/* functions.h - how do tools and their calls look in the form that OpenAI gave them?
 * {"type": "function", "function": {...}}, as most families have it. Both directions; what nobody
 * knows in them is kept as an extra member, of the inner object as "function.NAME". */
#ifndef BROKERD_DIALECT_FUNCTIONS_H
#define BROKERD_DIALECT_FUNCTIONS_H
#include "brokerd/dialect/intake.h"
#include "brokerd/dialect/scribe.h"

/* ---- writing ---- */

/* Writes the tool, `strict` too where the target has it. One that another family serves is
 * refused. */
enum err functions_put_tool(struct scribe *s, const struct tool *tool, size_t i) MUST_USE;

/* Opens a call as far as its arguments: id (may be absent), type, the inner object and its name. */
void functions_open_call(struct scribe *s, const struct part *p, struct span id);
/* Closes it, with its extra members. */
enum err functions_close_call(struct scribe *s, const struct part *p, const char *path) MUST_USE;

/* ---- reading, for rows of intake.h ---- */

/* struct llm_request: `tools`. What is no function is kept as the family's own. */
enum err functions_read_tools(struct intake *, const struct at *, struct json, void *);

/* struct tool_choice: a word without case ("any" is "required"), or {"type", "function": {"name"}}. */
enum err functions_read_choice(struct intake *, const struct at *, struct json, void *);

/* Appends the calls of `tool_calls` to parts that have room for them. */
enum err functions_read_calls(struct intake *in, const struct at *at, struct json v,
	struct part *parts, size_t *n) MUST_USE;

#endif
