/* embeddings.h - which vectors does a reply hold?
 * One reader for the shapes of all families: {"data":[{"embedding","index"}]}, {"embeddings":[[..]]},
 * {"embeddings":[{"values"|"embedding"}]}, {"embeddings":{"float":[[..]]}}, {"embedding":[..]},
 * {"embedding":{"values"}}, {"predictions":[{"embeddings":{"values"}}]}, a bare [[..]]. A vector is an
 * array of numbers, or text in base64: floats of 32 bits, the lowest byte first, or signed bytes where
 * those were asked for. */
#ifndef BROKERD_DIALECT_EMBEDDINGS_H
#define BROKERD_DIALECT_EMBEDDINGS_H
#include "brokerd/dialect/scribe.h"

/* A member of dialect_op. */
struct decoder *embeddings_decoder_new(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);

/* The same where a header counts the tokens, as Bedrock's does. */
struct decoder *embeddings_decoder_new_metered(
	struct arena *, const struct notes *, const struct dialect_env *, const struct http_head *);

/* What is to be embedded may be tokens of one model's own: they are an extra member of that name, for the
 * family's own hosts, to which their caller's bytes go as they are. */
#define EMBEDDINGS_TOKENS "input"
bool embeddings_are_tokens(const struct llm_request *r);

/* Notes what is asked for, and refuses what is no text where the target takes no images. */
enum err embeddings_prepare(struct scribe *s) MUST_USE;

/* Writes how many dimensions are asked for, under the target's name of it, into the object that is open;
 * refused where it has no choice. */
enum err embeddings_put_dimensions(struct scribe *s) MUST_USE;

/* For a host that must be told what vectors are for, where the caller did not say it, or said what it has
 * no word for: `word` is its own for documents. */
enum err embeddings_put_default_type(struct scribe *s, struct span word) MUST_USE;

/* How many of the inputs from `at` on go into one request to the target: 1 or more. */
size_t embeddings_batch(const struct llm_request *r, const struct target *t, size_t at);

/* What an input type is called where the target says it by `words` ("query", "search_query", ...), or
 * an absent span. */
struct span embeddings_type(enum input_types how, struct span type);
/* And back: what we call it, whosever word it is, or an absent span. */
struct span embeddings_type_ours(struct span word);

#endif
