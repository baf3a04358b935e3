/* models.h - which models does a provider's list name?
 * One reader for the shapes of it: {"data":[{"id"}]}, a bare array, {"models":[{"id"|"name"}]},
 * {"modelSummaries":[{"modelId"}]}; and for those of a page that is not the last: {"has_more",
 * "last_id"}, {"nextPageToken"}, {"next_page_token"}. */
#ifndef BROKERD_DIALECT_MODELS_H
#define BROKERD_DIALECT_MODELS_H
#include "brokerd/dialect/dialect.h"

/* The list as an operation, with what it tells of each model: for families that have no other. It is
 * asked for at the path that the family says, or the target. */
extern const struct dialect_op models_op;

#endif
