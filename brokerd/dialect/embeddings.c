/* embeddings.c - finds the list, then its vectors, then what they cost. */
#include "brokerd/dialect/embeddings.h"

#include <math.h>
#include <stdio.h>

#include "brokerd/dialect/base64.h"
#include "brokerd/dialect/estimate.h"
#include "brokerd/dialect/usage.h"
#include "brokerd/dialect/whole.h"
#include "protocol/limits.h"

/* So many vectors of the longest kind are not more than the log of a flight holds. */
#define INPUTS_MAX ((size_t)128)

/* ---- vectors ---- */

static float float_at(const char *bytes)
{
	uint32_t bits = 0;
	float v;
	for (size_t i = sizeof bits; i > 0; i--)
		bits = bits << 8 | (unsigned char)bytes[i - 1];
	memcpy(&v, &bits, sizeof v);
	return v;
}

/* Where nobody asked for a form: signed bytes give floats that no model would. */
static bool look_like_floats(struct span bytes)
{
	if (bytes.n % sizeof(float) != 0)
		return false;
	for (size_t i = 0; i < bytes.n; i += sizeof(float)) {
		const float v = fabsf(float_at(bytes.p + i));
		if (!isfinite(v) || v > 1e6F || (v > 0 && v < 1e-20F))
			return false;
	}
	return true;
}

static bool are_floats(const struct notes *notes, struct span bytes)
{
	return span_is_set(notes->vectors) ? !span_is(notes->vectors, "base64_int8")
					   : look_like_floats(bytes);
}

static enum err read_base64(
	struct whole *w, struct json text, struct vector *out, struct fault *why)
{
	OWNED(buf_done) struct buf plain = BUF_INIT(LIMIT_REPLY_BYTES);
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_REPLY_BYTES);
	json_text_to(text, &plain);
	const bool is_base64 = base64_decode(buf_view(&plain), &bytes);
	if (buf_error(&plain) || buf_error(&bytes))
		return ERR_NO_MEMORY;
	if (!is_base64 || bytes.n == 0)
		return whole_refuse(why, "a vector is a text that is no base64");
	const bool is_floats = are_floats(w->notes, buf_view(&bytes));
	const size_t size = is_floats ? sizeof(float) : 1;
	if (bytes.n % size != 0)
		return whole_refuse(why, "a vector of %zu bytes is none of floats", bytes.n);
	double *values = arena_array(w->arena, bytes.n / size, sizeof *values);
	if (!values)
		return ERR_NO_MEMORY;
	*out = (struct vector){values, bytes.n / size};
	for (size_t i = 0; i < out->n; i++) {
		values[i] = is_floats ? (double)float_at(bytes.p + i * size)
				      : (double)(signed char)bytes.p[i];
		if (!isfinite(values[i]))
			return whole_refuse(why, "a vector holds what is no number");
	}
	return OK;
}

static enum err read_numbers(
	struct whole *w, struct json list, struct vector *out, struct fault *why)
{
	const size_t n = whole_length(list);
	double *values = arena_array(w->arena, n, sizeof *values);
	if (!values)
		return ERR_NO_MEMORY;
	*out = (struct vector){values, n};
	for (struct json_walk each = json_each(list); json_next(&each);) {
		if (!json_f64(each.value, values++))
			return whole_refuse(why, "a vector holds what is no number");
	}
	return OK;
}

/* A vector, or the object that it is in. */
static enum err read_vector(struct whole *w, struct json v, struct vector *out, struct fault *why)
{
	static const char *const names[] = {"embedding", "values", "embeddings", "float"};
	for (int depth = 0; depth < 3 && json_kind(v) == JSON_OBJECT; depth++) {
		struct json inner = JSON_NONE;
		for (size_t i = 0; i < COUNT_OF(names) && json_is_nil(inner); i++)
			inner = json_member(v, names[i]);
		v = inner;
	}
	struct json_walk rows = json_each(v);
	if (json_kind(v) == JSON_ARRAY && json_next(&rows) && json_kind(rows.value) == JSON_ARRAY) {
		v = rows.value; /* llama.cpp: one vector inside a list of its own */
		if (json_next(&rows))
			return whole_refuse(why, "a vector for each token, and none for the text");
	}
	enum err err = OK;
	if (json_kind(v) == JSON_STRING)
		err = read_base64(w, v, out, why);
	else if (json_kind(v) == JSON_ARRAY)
		err = read_numbers(w, v, out, why);
	else
		return whole_refuse(why, "an embedding without its vector");
	if (!err && out->n == 0)
		return whole_refuse(why, "a vector has no numbers");
	return err;
}

/* ---- the list ---- */

/* Where a list of vectors is; absent: the document is, or has, a single one. */
static struct json list_in(struct json body)
{
	static const char *const names[] = {"data", "embeddings", "predictions"};
	static const char *const types[] = {
		"float", "int8", "uint8", "binary", "ubinary", "base64"};
	if (json_kind(body) == JSON_ARRAY)
		return body;
	const struct json list = whole_list(body, names, COUNT_OF(names));
	const struct json by_type = json_member(body, "embeddings");
	if (json_is_nil(list) && json_kind(by_type) == JSON_OBJECT)
		return whole_list(by_type, types, COUNT_OF(types));
	return list;
}

static enum err take(struct whole *w, struct json v, size_t place, struct fault *why)
{
	struct llm_event *e = &w->results[place];
	if (e->type)
		return whole_refuse(why, "two embeddings have the index %zu", place);
	e->type = EV_EMBEDDING;
	e->embedding.index = (uint32_t)place;
	const enum err err = read_vector(w, v, &e->embedding.vector, why);
	return err;
}

/* They come in any order, and say which input they are of, or in the order of the inputs. */
static enum err take_list(struct whole *w, struct json list, struct fault *why)
{
	size_t i = 0;
	enum err err = OK;
	for (struct json_walk each = json_each(list); !err && json_next(&each); i++) {
		int64_t index = (int64_t)i;
		usage_member(each.value, "index", NULL, &index);
		if (index < 0 || index >= (int64_t)w->n)
			return whole_refuse(why, "an embedding of an input that there is not");
		err = take(w, each.value, (size_t)index, why);
	}
	return err;
}

static enum err check_all(const struct whole *w, struct fault *why)
{
	const size_t asked = w->notes->n_inputs;
	if (w->n == 0 || (asked > 0 && w->n != asked))
		return whole_refuse(why, "%zu embeddings for %zu inputs", w->n, asked);
	for (size_t i = 1; i < w->n; i++) {
		if (w->results[i].embedding.vector.n != w->results[0].embedding.vector.n)
			return whole_refuse(why, "vectors of %zu and of %zu dimensions",
				w->results[0].embedding.vector.n, w->results[i].embedding.vector.n);
	}
	return OK;
}

/* Vertex counts the tokens of each input. */
static void sum_predictions(struct whole *w, struct json body)
{
	int64_t sum = -1, one;
	const struct json list = json_member(body, "predictions");
	for (struct json_walk each = json_each(list); json_next(&each);) {
		const struct json of =
			json_member(json_member(each.value, "embeddings"), "statistics");
		if (usage_member(of, "token_count", NULL, &one))
			sum = (sum < 0 ? 0 : sum) + one;
	}
	if (sum >= 0)
		w->usage.input = sum;
}

static enum err read_embeddings(struct whole *w, struct json body, struct fault *why)
{
	const struct json list = list_in(body);
	w->n = json_is_nil(list) ? 1 : whole_length(list);
	if (!whole_room(w, w->n))
		return ERR_NO_MEMORY;
	enum err err = json_is_nil(list) ? take(w, body, 0, why) : take_list(w, list, why);
	if (!err)
		err = check_all(w, why);
	whole_usage(w, body);
	sum_predictions(w, body);
	return err;
}

struct decoder *embeddings_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)head;
	return whole_new(a, notes, env, read_embeddings);
}

struct decoder *embeddings_decoder_new_metered(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	struct decoder *d = whole_new(a, notes, env, read_embeddings);
	if (d)
		whole_meter(d, head);
	return d;
}

/* ---- for the writers of requests ---- */

bool embeddings_are_tokens(const struct llm_request *r)
{
	for (size_t i = 0; r->n_inputs == 0 && i < r->extra.n; i++) {
		if (span_is(r->extra.members[i].name, EMBEDDINGS_TOKENS))
			return true;
	}
	return false;
}

enum err embeddings_prepare(struct scribe *s)
{
	const struct llm_request *r = s->r;
	if (embeddings_are_tokens(r))
		return scribe_refuse(s, EMBEDDINGS_TOKENS,
			"these are tokens of one model's own, which %.*s cannot read: send the "
			"texts "
			"themselves",
			SPAN_ARG(s->target->provider));
	s->notes->is_reply_streamed = false;
	s->notes->n_inputs = r->n_inputs;
	for (size_t i = 0; i < r->n_inputs; i++) {
		char path[48];
		(void)snprintf(path, sizeof path, "inputs[%zu]", i);
		if (r->inputs[i].type == PART_IMAGE && !s->target->quirks.has_image_inputs)
			return scribe_refuse(s, path, "%.*s at %.*s takes texts only",
				SPAN_ARG(s->target->model), SPAN_ARG(s->target->provider));
		if (r->inputs[i].type == PART_TEXT && r->inputs[i].text.n == 0)
			return fault_param(s->why, ERR_INVALID_REQUEST, path,
				"an empty text has no embedding: leave it out");
	}
	return OK;
}

enum err embeddings_put_dimensions(struct scribe *s)
{
	const struct span field = s->target->quirks.dimensions_field;
	if (!s->r->dimensions.is_set)
		return OK;
	if (span_is(field, "none"))
		return scribe_refuse(s, "dimensions",
			"%.*s makes vectors of one length: leave it out",
			SPAN_ARG(s->target->model));
	json_pair_i64(&s->o, span_is(field, "output_dimension") ? "output_dimension" : "dimensions",
		s->r->dimensions.v);
	return OK;
}

size_t embeddings_batch(const struct llm_request *r, const struct target *t, size_t at)
{
	const struct quirks *q = &t->quirks;
	const size_t most = q->inputs_max > 0 ? (size_t)q->inputs_max : INPUTS_MAX;
	int64_t tokens = 0;
	size_t n = 0;
	while (at + n < r->n_inputs && n < most) {
		tokens += estimate_text(r->inputs[at + n].text);
		if (q->inputs_tokens_max > 0 && tokens > q->inputs_tokens_max && n > 0)
			break;
		n++;
	}
	return n;
}

/* What vectors are for, in our words and in those of each of enum input_types. */
static const struct {
	const char *ours;
	const char *theirs[INPUT_TYPES_COUNT];
} types[] = {
  /*                 plain             passage          cohere             jina                gemini */
	{"query",          {NULL, "query", "query", "search_query", "retrieval.query", "RETRIEVAL_QUERY"}},
	{"document",       {NULL, "document", "passage", "search_document", "retrieval.passage",
			     "RETRIEVAL_DOCUMENT"}                                   },
	{"classification",
         {NULL, NULL, NULL, "classification", "classification", "CLASSIFICATION"}                        },
	{"clustering",     {NULL, NULL, NULL, "clustering", "separation", "CLUSTERING"}                  },
	{"similarity",     {NULL, NULL, NULL, NULL, "text-matching", "SEMANTIC_SIMILARITY"}              },
	{"code_query",     {NULL, NULL, NULL, NULL, NULL, "CODE_RETRIEVAL_QUERY"}                        },
};

struct span embeddings_type(enum input_types how, struct span type)
{
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (span_is(type, types[i].ours) && types[i].theirs[how])
			return span_str(types[i].theirs[how]);
	}
	return SPAN_NONE;
}

struct span embeddings_type_ours(struct span word)
{
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		bool is_it = span_is(word, types[i].ours);
		for (size_t k = 0; k < INPUT_TYPES_COUNT; k++)
			is_it = is_it || (types[i].theirs[k] && span_is(word, types[i].theirs[k]));
		if (is_it)
			return span_str(types[i].ours);
	}
	return SPAN_NONE;
}

enum err embeddings_put_default_type(struct scribe *s, struct span word)
{
	json_pair_str(&s->o, "input_type", word);
	return scribe_change(s, "emulated", "input_type",
		"%.*s must be told what vectors are for: they are made for documents",
		SPAN_ARG(s->target->provider));
}
