/* tools.h - which tools may go out, and under which names? */
#ifndef BROKERD_DIALECT_TOOLS_H
#define BROKERD_DIALECT_TOOLS_H
#include "brokerd/dialect/scribe.h"

/* Before anything is written: gives each tool whose name the provider would refuse an alias in the
 * notes, and sees that no two have one name and that every tool that is chosen, allowed or required is
 * there. `name_max` as for name_legal. */
enum err tools_prepare(struct scribe *s, size_t name_max) MUST_USE;

/* The same where names follow other rules. */
struct name_rules;
enum err tools_prepare_by(struct scribe *s, const struct name_rules *rules) MUST_USE;

/* The same where any name is taken: no aliases. */
enum err tools_check(struct scribe *s) MUST_USE;

/* Do the names that tool_choice allows include this tool? With none named, all are allowed. */
bool tools_is_allowed(const struct llm_request *r, const struct tool *tool);

/* Would the target hold what the tool is called with to its schema, if that is meant strictly? OpenAI
 * refuses one that no grammar is made of, and is not asked then: the fault has the place,
 * "PATH.parameters.properties.city". Others take any. `schema` is the tool's, of tools_schema. */
enum err tools_check_function(
	struct scribe *s, const struct tool *tool, struct json schema, const char *path) MUST_USE;

/* The same of the answer's own schema. */
enum err tools_check_format(struct scribe *s) MUST_USE;

/* The tool's schema, checked to be an object's; absent where it has none, or {}. */
enum err tools_schema(
	struct scribe *s, const struct tool *tool, const char *path, struct json *out) MUST_USE;

/* Writes a schema in the target's way of saying one, with a warning where that changes it. */
enum err tools_put_host_schema(struct scribe *s, struct json schema, const char *path) MUST_USE;
/* The same of the answer's own, JSON text. */
enum err tools_put_host_format(struct scribe *s, struct span schema) MUST_USE;

/* Writes a schema as an object's that says so, and has properties; absent: of none. */
void tools_put_schema(struct json_out *o, struct json schema);

/* Writes a tool that the target's own family serves, as it came: hosted.h has left out all others. */
void tools_put_hosted(struct scribe *s, const struct tool *tool);

/* Writes what a call was made with as an object, with a warning where it had to become one. */
enum err tools_put_arguments(struct scribe *s, struct span arguments, const char *path) MUST_USE;

#endif
