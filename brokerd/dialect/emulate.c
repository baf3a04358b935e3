/* emulate.c - the tool's name, and the words. */
#include "brokerd/dialect/emulate.h"

#include "protocol/limits.h"

#define JSON_WORDS "Respond with one JSON value and nothing else."
#define SCHEMA_WORDS \
	"Respond with one JSON value that fits this JSON Schema, and with nothing else:\n"

enum err emulate_by_tool(struct scribe *s)
{
	s->notes->has_json_tool = true;
	return scribe_change(s, "emulated", "response_format",
		"%.*s takes no schema: a tool that the model must call stands for it",
		SPAN_ARG(s->target->model));
}

struct json emulate_schema(const struct llm_request *r)
{
	struct json schema;
	if (json_scan(r->response_format.schema, JSON_STRICT, &schema, NULL) != OK)
		return JSON_NONE;
	return schema;
}

enum err emulate_by_words(struct scribe *s, struct span *words)
{
	const struct response_format *f = &s->r->response_format;
	OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
	s->notes->has_json_words = true;
	buf_text(&text, f->type == FORMAT_JSON ? JSON_WORDS : SCHEMA_WORDS);
	if (f->type == FORMAT_SCHEMA)
		buf_span(&text, f->schema);
	enum err err = buf_error(&text);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(&text), words);
	return err ? err
		   : scribe_change(s, "emulated", "response_format",
			     "%.*s is asked for JSON in a system text only",
			     SPAN_ARG(s->target->model));
}

bool emulate_is_answer(const struct notes *n, struct span name)
{
	return n->has_json_tool && span_is(name, EMULATED_TOOL);
}
