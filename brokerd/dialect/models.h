/* models.h - which models are there?
 * One reader for the shapes of a provider's list: {"data":[{"id"}]}, a bare array,
 * {"models":[{"id"|"name"}]}, {"modelSummaries":[{"modelId"}]}; and for those of a page that is not the
 * last: {"has_more", "last_id"}, {"nextPageToken"}, {"next_page_token"}. */
#ifndef BROKERD_DIALECT_MODELS_H
#define BROKERD_DIALECT_MODELS_H
#include "brokerd/dialect/whole_write.h"

/* The list as an operation, with what it tells of each model: for families that have no other. It is
 * asked for at the path that the family says, or the target. A caller's answer is one that readers of
 * OpenAI's and of Anthropic's lists both understand. */
extern const struct dialect_op models_op;

/* ---- for families whose callers read another list ---- */

/* Members of dialect_op. A caller's path is that of the list, ".../models", or of one model in it,
 * ".../models/ID", whose provider alone is then asked where the id begins with its name: the request's
 * model is that id. ?provider=NAME asks for the list of one. */
enum err models_encode_request(const struct llm_request *, const struct target *,
	const struct dialect_env *, struct notes *, struct http_request *out, struct fault *why);
struct decoder *models_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);
enum err models_decode_request(const struct surface_call *, struct span body, struct arena *,
	struct llm_request *out, struct notes *, struct fault *why);

/* Members of struct whole_language: is it a model that was asked for, and did it come? */
bool models_wants(const struct whole_answer *w, const struct llm_event *e);
enum err models_check(const struct whole_answer *w);

/* Of models_op. */
struct encoder *models_encoder_new(struct arena *, const struct answer_plan *);

#endif
