/* ranking.h - in which order does a provider put the documents?
 * One reader for the shapes: {"results"|"data"|"rankings"|"records":[{"index"|"id", "relevance_score" |
 * "relevanceScore"|"score"|"logit"}]}, also inside {"output"}, and a bare list. */
#ifndef BROKERD_DIALECT_RANKING_H
#define BROKERD_DIALECT_RANKING_H
#include "brokerd/dialect/scribe.h"

/* A member of dialect_op. The best comes first; what is over top_n, or of no document, is left out. */
struct decoder *ranking_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);

/* Notes what is asked for, and refuses documents that are no texts. */
enum err ranking_prepare(struct scribe *s) MUST_USE;

#endif
