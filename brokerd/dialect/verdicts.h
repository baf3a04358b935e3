/* verdicts.h - what does a provider find wrong with the inputs?
 * One reader for {"results":[{"flagged","categories","category_scores"}]}; where nothing says
 * `flagged`, a category that is true does. */
#ifndef BROKERD_DIALECT_VERDICTS_H
#define BROKERD_DIALECT_VERDICTS_H
#include "brokerd/dialect/dialect.h"

/* A member of dialect_op. */
struct decoder *verdicts_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);

#endif
