/* offline_inputs.c - vectors, ranks, counts and verdicts without a model. What is encoded is the reply,
 * in the shapes that the readers of all families know.
 *
 * A vector is the sum of one unit step for each word, in a direction that the word's hash names, made
 * as long as 1: texts that share words are near each other, and the same text always has the same
 * vector. A rank is the cosine of the query's and the document's. What has the word "unsafe" in it is
 * flagged. */
#include <ctype.h>
#include <math.h>

#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/offline.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/verdicts.h"
#include "brokerd/dialect/whole.h"
#include "protocol/limits.h"

#define DIMENSIONS     ((size_t)256) /* where none are asked for */
#define DIMENSIONS_MAX INT64_C(4096)

/* ---- words ---- */

static bool is_of_word(char c)
{
	return (unsigned char)c >= 0x80 || isalnum((unsigned char)c);
}

/* Takes the next word off the text; an empty one: there are no more. */
static struct span next_word(struct span *text)
{
	size_t n = 0;
	while (text->n > 0 && !is_of_word(text->p[0]))
		*text = span_skip(*text, 1);
	while (n < text->n && is_of_word(text->p[n]))
		n++;
	const struct span word = span_first(*text, n);
	*text = span_skip(*text, n);
	return word;
}

/* FNV-1a over the lower-case word. */
static uint64_t hash_word(struct span word)
{
	uint64_t h = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < word.n; i++) {
		h ^= (unsigned char)tolower((unsigned char)word.p[i]);
		h *= UINT64_C(1099511628211);
	}
	return h;
}

/* `out` is all zero. A text without words points into the first direction. */
static void make_vector(struct span text, double *out, size_t n)
{
	double square = 0;
	struct span word;
	while ((word = next_word(&text)).n > 0) {
		const uint64_t h = hash_word(word);
		out[h % n] += h >> 63 ? -1 : 1;
	}
	for (size_t i = 0; i < n; i++)
		square += out[i] * out[i];
	if (square == 0) {
		out[0] = square = 1;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (double)(float)(out[i] / sqrt(square));
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* ---- replies ---- */

static void begin(struct scribe *s)
{
	s->notes->is_reply_streamed = false;
	s->notes->n_inputs = s->r->n_inputs;
	json_open(&s->o, '{');
	json_pair_str(&s->o, "model", s->target->model);
}

static enum err end(struct scribe *s, enum err err, struct buf *body, struct http_request *out)
{
	int64_t tokens = offline_count(s->r->query);
	for (size_t i = 0; i < s->r->n_inputs; i++)
		tokens += offline_count(s->r->inputs[i].text);
	json_key(&s->o, "usage");
	json_open(&s->o, '{');
	json_pair_i64(&s->o, "prompt_tokens", tokens);
	json_close(&s->o, '}');
	json_close(&s->o, '}');
	if (!err)
		err = buf_error(body);
	if (!err)
		err = arena_dup(s->notes->arena, buf_view(body), &out->body);
	return err == ERR_NO_MEMORY ? fault_set(s->why, err, "no memory for the request") : err;
}

static enum err encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_REPLY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	if (r->dimensions.is_set && r->dimensions.v > DIMENSIONS_MAX)
		return fault_param(why, ERR_INVALID_REQUEST, "dimensions",
			"the offline provider makes vectors of 1 to %lld dimensions",
			(long long)DIMENSIONS_MAX);
	enum err err = embeddings_prepare(&s);
	if (err)
		return err;
	const size_t n = r->dimensions.is_set ? (size_t)r->dimensions.v : DIMENSIONS;
	begin(&s);
	json_key(&s.o, "embeddings");
	json_open(&s.o, '[');
	for (size_t i = 0; i < r->n_inputs; i++) {
		double *vector = arena_array(notes->arena, n, sizeof *vector);
		if (!vector)
			return fault_set(why, ERR_NO_MEMORY, "no memory for the vectors");
		make_vector(r->inputs[i].text, vector, n);
		json_open(&s.o, '[');
		for (size_t k = 0; k < n; k++)
			vector[k] == 0 ? json_put_i64(&s.o, 0) /* most are */
				       : json_put_f64(&s.o, vector[k]);
		json_close(&s.o, ']');
	}
	json_close(&s.o, ']');
	return end(&s, OK, &body, out);
}

static enum err encode_rerank(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_REPLY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	double query[DIMENSIONS] = {0};
	(void)env;
	const enum err err = ranking_prepare(&s);
	make_vector(r->query, query, DIMENSIONS);
	begin(&s);
	json_key(&s.o, "results");
	json_open(&s.o, '[');
	for (size_t i = 0; i < r->n_inputs; i++) {
		double document[DIMENSIONS] = {0};
		make_vector(r->inputs[i].text, document, DIMENSIONS);
		json_open(&s.o, '{');
		json_pair_i64(&s.o, "index", (int64_t)i);
		json_key(&s.o, "relevance_score");
		json_put_f64(&s.o, dot(query, document, DIMENSIONS));
		json_close(&s.o, '}');
	}
	json_close(&s.o, ']');
	return end(&s, err, &body, out);
}

static enum err encode_moderate(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_REPLY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	begin(&s);
	json_key(&s.o, "results");
	json_open(&s.o, '[');
	for (size_t i = 0; i < r->n_inputs; i++) {
		struct span text = r->inputs[i].text, word;
		bool is_flagged = false;
		while ((word = next_word(&text)).n > 0)
			is_flagged = is_flagged || span_is_nocase(word, "unsafe");
		json_open(&s.o, '{');
		json_pair_bool(&s.o, "flagged", is_flagged);
		json_key(&s.o, "categories");
		json_open(&s.o, '{');
		json_pair_bool(&s.o, "unsafe", is_flagged);
		json_close(&s.o, '}');
		json_key(&s.o, "category_scores");
		json_open(&s.o, '{');
		json_pair_i64(&s.o, "unsafe", is_flagged);
		json_close(&s.o, '}');
		json_close(&s.o, '}');
	}
	json_close(&s.o, ']');
	return end(&s, OK, &body, out);
}

static enum err encode_count(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(KIB);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	int64_t tokens;
	(void)env;
	notes->is_reply_streamed = false;
	enum err err = offline_count_request(&s, &tokens);
	if (err)
		return err;
	json_open(&s.o, '{');
	json_pair_i64(&s.o, "input_tokens", tokens);
	json_close(&s.o, '}');
	err = buf_error(&body);
	return err ? err : arena_dup(notes->arena, buf_view(&body), &out->body);
}

const struct dialect_op offline_embed = {
	.encode_request = encode_embed,
	.decoder_new = embeddings_decoder_new,
	WHOLE_REPLY,
};
const struct dialect_op offline_rerank = {
	.encode_request = encode_rerank,
	.decoder_new = ranking_decoder_new,
	WHOLE_REPLY,
};
const struct dialect_op offline_moderate = {
	.encode_request = encode_moderate,
	.decoder_new = verdicts_decoder_new,
	WHOLE_REPLY,
};
const struct dialect_op offline_count_op = {
	.encode_request = encode_count,
	.decoder_new = counts_decoder_new,
	WHOLE_REPLY,
};
