/* envelope.h - how is a fault said in the words of each public API?
 * Class, status, type and code are err.def's; the sentence is the fault's own. Pure. */
#ifndef BROKERD_DIALECT_ENVELOPE_H
#define BROKERD_DIALECT_ENVELOPE_H
#include "protocol/base/err.h"
#include "protocol/base/json.h"

/* The bodies of replies that are errors, as `phrase` of struct dialect has them:
 * {"error": {"message", "type", "param", "code"}} */
void envelope_openai(const struct fault *f, struct buf *out, int *http_status);
/* {"type": "error", "error": {"type", "message", "details"}, "request_id"}, which is an event of a
 * stream, too; details, {"error_code"}, where the fault is the broker's own and has a code */
void envelope_anthropic(const struct fault *f, struct buf *out, int *http_status);
/* {"error": {"code", "message", "status", "details"}} */
void envelope_gemini(const struct fault *f, struct buf *out, int *http_status);

/* The same as events of a stream: of chat and completions, of the Responses API, of Anthropic's and Google's. */
void envelope_openai_event(const struct fault *f, struct buf *out);
void envelope_responses_event(const struct fault *f, struct buf *out);
void envelope_anthropic_event(const struct fault *f, struct buf *out);
void envelope_gemini_event(const struct fault *f, struct buf *out);

/* The members of OpenAI's error object alone, into the object that is open: message, type, param, code. */
void envelope_openai_members(const struct fault *f, struct json_out *o);
/* OpenAI's code for it; absent: it has none. */
struct span envelope_openai_code(const struct fault *f);

#endif
