/* operations.c - how does a program ask for something other than an answer in words? The request says
 * which operation it is for, and what is given to it. */
#include "libllmclient/src/grow.h"
#include "libllmclient/src/request.h"
#include "libllmclient/src/result.h"
#include "libllmclient/src/whole.h"
#include "protocol/base/mem.h"
#include "protocol/limits.h"

/* ---- the request ---- */

int llm_request_operation(llm_request *r, const char *op)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (b->why.err)
		return builder_code(b);
	if (b->kind != CALL_TYPED || !llm_op_from(span_str(op), &b->op))
		return builder_fail(b, ERR_INVALID_ARGUMENT,
			"the operation is none of chat, complete, embed, rerank, count, models, "
			"moderate");
	return LLM_OK;
}

/* Adds an empty input; NULL: no memory, or too many, which sticks. */
static struct part *add_input(struct builder *b, enum part_type type)
{
	struct llm_request *r = &b->request;
	if (r->n_inputs >= LIMIT_PACK_NODES) {
		builder_fail(b, ERR_TOO_BIG, "more than %d inputs", LIMIT_PACK_NODES);
		return NULL;
	}
	if (!GROW(&b->arena, r->inputs, r->n_inputs)) {
		builder_no_memory(b);
		return NULL;
	}
	struct part *part = &r->inputs[r->n_inputs++];
	*part = (struct part){.type = type};
	return part;
}

int llm_request_input(llm_request *r, const char *text)
{
	struct span copy;
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!builder_take(b, "the input", text, &copy))
		return builder_code(b);
	struct part *part = add_input(b, PART_TEXT);
	if (part)
		part->text = copy;
	return builder_code(b);
}

int llm_request_input_image(llm_request *r, const char *mime, const void *data, size_t len)
{
	struct media media = {.data = SPAN_NONE};
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	if (!b->why.err && (!data || len == 0))
		return builder_fail(b, ERR_INVALID_ARGUMENT, "the image has no bytes");
	if (!builder_take(b, "the image's type", mime ? mime : "image/png", &media.mime) ||
		!builder_text(b, span_of(data, len), &media.data))
		return builder_code(b);
	struct part *part = add_input(b, PART_IMAGE);
	if (part)
		part->media = media;
	return builder_code(b);
}

int llm_request_query(llm_request *r, const char *text)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	(void)builder_take(b, "the query", text, &b->request.query);
	return builder_code(b);
}

static int take_positive(llm_request *r, const char *what, int n, struct opt_i64 *to)
{
	struct builder *b = builder_open(r);
	if (n < 1)
		return builder_fail(b, ERR_INVALID_ARGUMENT, "%s is %d, not 1 or more", what, n);
	*to = (struct opt_i64){true, n};
	return builder_code(b);
}

int llm_request_top_n(llm_request *r, int n)
{
	return r ? take_positive(r, "top_n", n, &builder_open(r)->request.top_n) : LLM_E_INVAL;
}

int llm_request_dimensions(llm_request *r, int n)
{
	return r ? take_positive(
			   r, "the number of dimensions", n, &builder_open(r)->request.dimensions)
		 : LLM_E_INVAL;
}

int llm_request_input_type(llm_request *r, const char *type)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	(void)builder_take(b, "the input type", type, &b->request.input_type);
	return builder_code(b);
}

int llm_request_truncate(llm_request *r, const char *where)
{
	if (!r)
		return LLM_E_INVAL;
	struct builder *b = builder_open(r);
	(void)builder_take(b, "where to cut", where, &b->request.truncate);
	return builder_code(b);
}

/* ---- whole results ---- */

llm_result *llm_embeddings(llm_client *c, const llm_request *r)
{
	return whole_of(c, r, LLM_OP_EMBED);
}

llm_result *llm_rerank(llm_client *c, const llm_request *r)
{
	return whole_of(c, r, LLM_OP_RERANK);
}

llm_result *llm_count(llm_client *c, const llm_request *r)
{
	return whole_of(c, r, LLM_OP_COUNT);
}

llm_result *llm_moderate(llm_client *c, const llm_request *r)
{
	return whole_of(c, r, LLM_OP_MODERATE);
}

llm_result *llm_models(llm_client *c, const char *provider)
{
	llm_request *r = llm_request_new(provider);
	llm_result *a = whole_of(c, r, LLM_OP_MODELS);
	llm_request_free(r);
	return a;
}

/* ---- texts to vectors in one call ---- */

/* One row a text, all as long as the first. NULL: the client knows why. */
static float *take_rows(llm_client *c, const llm_result *a, size_t n, size_t *dimensions)
{
	struct fault why = FAULT_NONE;
	size_t row = 0;
	float *block = NULL;
	(void)llm_result_embedding(a, 0, &row);
	bool is_even = llm_result_embeddings(a) == n && row > 0;
	for (size_t i = 0; is_even && i < n; i++) {
		size_t other;
		(void)llm_result_embedding(a, i, &other);
		is_even = other == row;
	}
	if (!is_even)
		fault_set(&why, ERR_SERVER_ERROR,
			"the vectors are not one a text, each of one length");
	else if (row > SIZE_MAX / sizeof *block / n)
		fault_set(&why, ERR_TOO_BIG, "the vectors are larger than memory");
	else
		block = mem_resize(NULL, n * row * sizeof *block);
	if (!block) {
		if (!why.err)
			fault_set(&why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
		client_fail(c, &why);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		memcpy(block + i * row, llm_result_embedding(a, i, NULL), row * sizeof *block);
	*dimensions = row;
	return block;
}

float *llm_embed(
	llm_client *c, const char *model, const char *const *texts, size_t n, size_t *dimensions)
{
	struct fault why = FAULT_NONE;
	if (!c)
		return NULL;
	if (!texts || n == 0 || !dimensions) {
		fault_set(&why, ERR_INVALID_ARGUMENT,
			"llm_embed wants texts, how many they are, and where the dimensions go");
		client_fail(c, &why);
		return NULL;
	}
	llm_request *r = llm_request_new(model);
	for (size_t i = 0; r && i < n; i++)
		llm_request_input(r, texts[i]); /* a failure sticks */
	llm_result *a = llm_embeddings(c, r);
	llm_request_free(r);
	float *block = a ? take_rows(c, a, n, dimensions) : NULL;
	llm_result_free(a);
	return block;
}
