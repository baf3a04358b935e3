/* json_words.c - what is said in words instead of by a member. */
#include "brokerd/dialect/json_words.h"

#include "protocol/limits.h"

#define SCHEMA_LEADIN \
	"Answer with one JSON value that fits this JSON Schema, and with nothing else:\n"

static bool says_json(const struct llm_request *r)
{
	for (size_t i = 0; i < r->n_messages; i++) {
		for (size_t k = 0; k < r->messages[i].n_parts; k++) {
			const struct span text = r->messages[i].parts[k].text;
			for (size_t at = 0; at + 4 <= text.n; at++) {
				if (strncasecmp(text.p + at, "json", 4) == 0)
					return true;
			}
		}
	}
	return false;
}

enum err json_words_plan(struct scribe *s, struct json_words *words)
{
	const struct response_format *f = &s->r->response_format;
	*words = (struct json_words){SPAN_NONE, SPAN_NONE};
	if (f->type == FORMAT_SCHEMA && !s->target->quirks.has_json_schema) {
		OWNED(buf_done) struct buf text = BUF_INIT(LIMIT_BODY_BYTES);
		buf_text(&text, SCHEMA_LEADIN);
		buf_span(&text, f->schema);
		enum err err = buf_error(&text);
		if (!err)
			err = arena_dup(s->notes->arena, buf_view(&text), &words->lead);
		s->notes->has_json_words = true;
		return err ? err
			   : scribe_change(s, "emulated", "response_format",
				     "%.*s takes no schema: it was asked for JSON, and the schema "
				     "is in a system message",
				     SPAN_ARG(s->target->provider));
	}
	s->notes->has_json_words = f->type == FORMAT_JSON && !s->target->quirks.has_json_object &&
				   !s->target->quirks.has_json_schema;
	if (f->type == FORMAT_JSON && !says_json(s->r)) {
		words->tail = SPAN("Respond with JSON.");
		return scribe_change(s, "rewritten_message", "response_format",
			"a system message that asks for JSON was added: no message does, and "
			"providers insist");
	}
	return OK;
}
