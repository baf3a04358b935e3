/* incoming.h - what is shared between the files that read a request of this family? */
#ifndef BROKERD_DIALECT_GEMINI_INCOMING_H
#define BROKERD_DIALECT_GEMINI_INCOMING_H
#include "brokerd/dialect/intake.h"

/* Where the body itself stands: what has no name. */
extern const struct at incoming_body;

/* A row for a member that the server also takes in snake case. */
#define BOTH(camel, snake, read, offset) \
	{camel, read, offset},           \
	{                                \
		snake, read, offset      \
	}

/* Reads `systemInstruction` and `contents` into the request's messages. */
enum err incoming_messages(struct intake *in, struct json system, struct json contents,
	struct llm_request *out) MUST_USE;

/* Reads `tools` and `toolConfig`. */
enum err incoming_tools(
	struct intake *in, struct json tools, struct json config, struct llm_request *out) MUST_USE;

/* A schema in the form of OpenAPI as JSON Schema, in the arena. */
enum err incoming_schema(struct intake *in, struct json schema, struct span *out) MUST_USE;

/* A list; an object in its place is a list of one, as the server has it. Walk with incoming_next. */
struct incoming_list {
	struct json_walk walk;
	struct json only;
	size_t index; /* of the element that incoming_next gave */
	bool is_begun;
};
enum err incoming_each(
	struct intake *in, const struct at *at, struct json v, struct incoming_list *out) MUST_USE;
bool incoming_next(struct incoming_list *list, struct json *out);

#endif
