/* gemini.h - what do the files of this family share?
 * request.c, tools.c and messages.c write requests, inputs.c those beside chat, reply.c reads replies,
 * incoming.c reads requests, answer.c answers them, results.c those beside chat, trouble.c judges errors,
 * gemini.c is the table. */
#ifndef BROKERD_DIALECT_GEMINI_GEMINI_H
#define BROKERD_DIALECT_GEMINI_GEMINI_H
#include "brokerd/dialect/dialect.h"
#include "brokerd/dialect/errors.h"

#define GEMINI_FAMILY "gemini"

/* The member of a part that seals it: what the model thought, for itself alone to read. */
#define GEMINI_SIGNATURE "thoughtSignature"

/* The member of a reply, and of the request that goes on with it, that stands for an answer which was
 * cut: as an opaque part it is the only member. */
#define GEMINI_TOKEN "continuationToken"

/* The table of errors.h. */
extern const struct error_rule gemini_errors[];

void gemini_explain(const struct http_reply *, const struct target *, struct fault *out);

/* An error object that came inside a reply, received at `now_s` (seconds since 1970). Fills *why and
 * returns its class. */
enum err gemini_error_inside(struct json v, int64_t now_s, struct fault *why);

struct scribe;

/* Writes `systemInstruction` and `contents`. `tail` (may be absent) is a system text of ours behind
 * all others. */
enum err gemini_put_messages(struct scribe *s, struct span tail) MUST_USE;

/* Writes the token of the answer that the conversation ends with, where it has one. */
void gemini_put_token(struct scribe *s);

/* Gives each tool a name that may go out, and sees that there are not too many. */
enum err gemini_prepare_tools(struct scribe *s) MUST_USE;
/* Writes `tools` and `toolConfig`. */
enum err gemini_put_tools(struct scribe *s) MUST_USE;
/* Are there functions that the model may call? */
bool gemini_has_functions(const struct llm_request *r);

/* Writes the member inlineData or fileData of the part that is open. */
enum err gemini_put_media(struct scribe *s, const struct part *p, const char *path) MUST_USE;

/* Writes the member `name`, an object that `put` fills, unless it stays empty. */
enum err gemini_put_filled(
	struct scribe *s, const char *name, enum err (*put)(struct scribe *)) MUST_USE;

/* Warns of what a schema lost. */
struct schema_losses;
enum err gemini_tell_losses(
	struct scribe *s, const struct schema_losses *losses, const char *path) MUST_USE;

/* The URL, with a query (NULL: none), and the headers of a method of the target's model, which may come
 * with its folder. */
enum err gemini_put_address(
	struct scribe *s, const char *method, const char *query, struct http_request *out) MUST_USE;
/* Its name with its folder: "models/gemini-2.5-flash". */
void gemini_put_model_name(struct span model, struct buf *out);

/* The members of dialect_op. */
enum err gemini_encode_embed(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err gemini_encode_count(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
enum err gemini_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *gemini_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
void gemini_decoder_done(struct decoder *);
enum err gemini_decode(
	struct decoder *, struct span bytes, const struct event_sink *, struct fault *why);
enum err gemini_decode_end(struct decoder *, const struct event_sink *, struct fault *why);
enum err gemini_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *gemini_encoder_new(struct arena *, const struct answer_plan *);
enum err gemini_encode(struct encoder *, const struct llm_event *, struct buf *out);
void gemini_encoder_done(struct encoder *);

enum err gemini_forward(const struct forwarded *, const struct target *, struct notes *,
	struct http_request *out, struct fault *why);
enum err gemini_decode_embed(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why) MUST_USE;
struct encoder *gemini_embed_encoder_new(struct arena *, const struct answer_plan *);
enum err gemini_decode_count(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);
struct encoder *gemini_count_encoder_new(struct arena *, const struct answer_plan *);
struct encoder *gemini_models_encoder_new(struct arena *, const struct answer_plan *);

#endif
