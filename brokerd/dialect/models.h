/* models.h - which models does a provider's list name?
 * One reader for the shapes of it: {"data":[{"id"}]}, a bare array, {"models":[{"id"|"name"}]}. */
#ifndef BROKERD_DIALECT_MODELS_H
#define BROKERD_DIALECT_MODELS_H
#include "protocol/base/json.h"

/* As dialect.h's decode_models. ERR_SERVER_ERROR: it is no list; ERR_NO_MEMORY. */
enum err models_decode(struct span body, struct arena *a, struct span **ids, size_t *n,
	struct fault *why) MUST_USE;

#endif
