/* models.h - which models does a provider's list name?
 * One reader for the shapes of it: {"data":[{"id"}]}, a bare array, {"models":[{"id"|"name"}]},
 * {"modelSummaries":[{"modelId"}]}. */
#ifndef BROKERD_DIALECT_MODELS_H
#define BROKERD_DIALECT_MODELS_H
#include "brokerd/dialect/dialect.h"
#include "protocol/base/json.h"

/* As dialect.h's decode_models. ERR_SERVER_ERROR: it is no list; ERR_NO_MEMORY. */
enum err models_decode(struct span body, struct arena *a, struct span **ids, size_t *n,
	struct fault *why) MUST_USE;

/* Asks the target for its list, at the path that its family says. */
enum err models_request(const struct target *t, struct arena *a, struct http_request *out,
	struct fault *why) MUST_USE;

/* The list as an operation, with what it tells of each model: for families that have no other. */
extern const struct dialect_op models_op;

#endif
