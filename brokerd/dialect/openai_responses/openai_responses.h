/* openai_responses.h - what do the files of this family share?
 * request.c and input.c write requests, reply.c reads replies, incoming.c and incoming_input.c read
 * the requests of callers, answer.c writes the answers to them, openai_responses.c is the family's
 * table. */
#ifndef BROKERD_DIALECT_OPENAI_RESPONSES_OPENAI_RESPONSES_H
#define BROKERD_DIALECT_OPENAI_RESPONSES_OPENAI_RESPONSES_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/intake.h"

#define OPENAI_RESPONSES_FAMILY "openai-responses"

struct scribe;

/* What the items of the input depend on, beside the messages. */
struct responses_input {
	struct span lead, tail; /* developer's texts of ours around all others; may be absent */
	bool is_kept_there;     /* the provider keeps its items, and takes them by their ids */
	bool has_earlier_turns; /* and has turns that the request does not */
};

/* Writes the members `instructions` (where that is the only system text) and `input`. */
enum err responses_put_input(struct scribe *s, const struct responses_input *how) MUST_USE;

/* Has the request an extra member of this family with that name? */
bool responses_has_extra(const struct llm_request *r, const char *name);

/* Is it a member that every call has, custom or not? Its name is raw. */
bool responses_is_of_call(struct span name);

/* Is a citation one of this family's own? Others' have a type, too. */
bool responses_is_annotation(struct json citation);

/* Reads the member `input`, a string or an array of items, into messages behind those that are there. */
struct responses_messages {
	struct message *list;
	size_t n;
};
enum err responses_take_input(struct intake *in, const struct at *at, struct json v,
	struct responses_messages *to) MUST_USE;

/* Reads a tool: a function, a custom one, or one that is the provider's. */
enum err responses_take_tool(
	struct intake *in, const struct at *at, struct json v, struct tool *to) MUST_USE;

/* The members of dialect_op. */
void responses_bound_output(
	const struct llm_request *, const struct target *, struct output_bound *out);
enum err responses_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *responses_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void responses_decoder_done(struct decoder *);
enum err responses_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
bool responses_has_enough(const struct decoder *);
enum err responses_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err responses_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *responses_encoder_new(struct arena *, const struct answer_plan *);
enum err responses_encode(struct encoder *, const struct llm_event *, struct buf *out);
void responses_encoder_done(struct encoder *);

enum err responses_forward(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why);

#endif
