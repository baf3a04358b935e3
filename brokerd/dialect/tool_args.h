/* tool_args.h - what do the arguments of a tool call say, while they come and as an object?
 * JSON text in, JSON text out: numbers, order and escapes stay as the model wrote them. No I/O. */
#ifndef BROKERD_DIALECT_TOOL_ARGS_H
#define BROKERD_DIALECT_TOOL_ARGS_H
#include "protocol/base/json.h"

/* How far an object or array has come that arrives in pieces: brackets and quotes are counted, the
 * text is not checked. A zeroed struct is ready to use. */
struct json_extent {
	uint32_t depth;
	bool is_in_string, is_escaped;
	bool is_begun;    /* something other than white space came */
	bool is_complete; /* its last bracket came */
};
void json_extent_add(struct json_extent *x, struct span piece);

/* What was made of a text that had to become an object. */
enum tool_args_kind {
	TOOL_ARGS_OBJECT,  /* it was one */
	TOOL_ARGS_EMPTY,   /* "", white space or null: {} */
	TOOL_ARGS_WRAPPED, /* another JSON value: {"value":...} */
	TOOL_ARGS_RAW,     /* no JSON: {"_raw":"..."} */
};

/* Writes the text as a JSON object. An object goes out byte for byte, unless a name is in it twice:
 * then the last value stands at the first place. Errors stick to `out`. */
enum tool_args_kind tool_args_put_object(struct json_out *out, struct span text);

#endif
