/* reading.h - how do messages in the form that OpenAI gave them become ours, whatever their parts?
 * {"role", "content": a text or parts, "tool_calls"}, which several families share. For the files that
 * read their requests; see intake.h. */
#ifndef BROKERD_DIALECT_READING_H
#define BROKERD_DIALECT_READING_H
#include "brokerd/dialect/intake.h"

/* enum role: system, developer, user, assistant or tool. */
enum err reading_role(struct intake *, const struct at *, struct json, void *);

/* How a family reads one object of `content`. */
typedef enum err reading_part(
	struct intake *, const struct at *, struct json part, struct part *to);

/* The parts of a message: behind those that it has already, those of `content`, then the calls of
 * `tool_calls`. Its role is known. */
enum err reading_parts(struct intake *in, const struct at *at, struct json message,
	reading_part *read, struct message *to) MUST_USE;

/* The array `messages` of a struct llm_request, each by the family's own function. */
enum err reading_messages(struct intake *in, const struct at *at, struct json v,
	enum err (*read)(struct intake *, const struct at *, struct json, struct message *),
	struct llm_request *to) MUST_USE;

/* `response_format` of text, json_object or json_schema, into a struct llm_request. A schema may also stand
 * beside the type. */
enum err reading_format(struct intake *, const struct at *, struct json, void *);

#endif
