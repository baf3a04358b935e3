/* inputs.c - vectors and counts: what a model of this family is asked beside a chat.
 *
 * AI Studio embeds a batch of contents; Vertex AI predicts for instances, and embeds the newer models'
 * contents one by one: the trait `predict` says which of the two hosts it is. */
#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/gemini/gemini.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_REQUEST  " model content taskType outputDimensionality "
#define KNOWN_IN_INSTANCE " instances parameters content task_type "

static enum err put_content(struct scribe *s, size_t i)
{
	const struct part *p = &s->r->inputs[i];
	enum err err = OK;
	json_key(&s->o, "content");
	json_open(&s->o, '{');
	json_key(&s->o, "parts");
	json_open(&s->o, '[');
	json_open(&s->o, '{');
	if (p->type == PART_TEXT)
		json_pair_str(&s->o, "text", p->text);
	else
		err = gemini_put_media(s, p, "inputs");
	json_close(&s->o, '}');
	json_close(&s->o, ']');
	json_close(&s->o, '}');
	return err;
}

/* Absent, with a warning, where the family has no word for it; it has one for each. */
static struct span task_of(const struct scribe *s)
{
	return embeddings_type(INPUT_TYPES_GEMINI, s->r->input_type);
}

/* A content and how it is embedded, into the object that is open. */
static enum err put_request(struct scribe *s, size_t i)
{
	enum err err = put_content(s, i);
	json_pair_str(&s->o, "taskType", task_of(s));
	if (s->r->dimensions.is_set)
		json_pair_i64(&s->o, "outputDimensionality", s->r->dimensions.v);
	if (err || (i > 0 && !span_eq(s->r->extra.family, s->target->family)))
		return err; /* what another family's is has been told of with the first */
	return scribe_extra(s, &s->r->extra, "", KNOWN_IN_REQUEST);
}

static enum err put_batch(struct scribe *s)
{
	OWNED(buf_done) struct buf name = BUF_INIT(KIB);
	enum err err = OK;
	gemini_put_model_name(s->target->model, &name);
	json_key(&s->o, "requests");
	json_open(&s->o, '[');
	for (size_t i = 0; !err && i < s->r->n_inputs; i++) {
		json_open(&s->o, '{');
		json_pair_str(&s->o, "model", buf_view(&name));
		err = put_request(s, i);
		json_close(&s->o, '}');
	}
	json_close(&s->o, ']');
	return err ? err : buf_error(&name);
}

static enum err put_instances(struct scribe *s)
{
	const struct span truncate = s->r->truncate;
	json_key(&s->o, "instances");
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++) {
		json_open(&s->o, '{');
		json_pair_str(&s->o, "content", s->r->inputs[i].text);
		json_pair_str(&s->o, "task_type", task_of(s));
		json_close(&s->o, '}');
	}
	json_close(&s->o, ']');
	if (s->r->dimensions.is_set || span_is_set(truncate)) {
		json_key(&s->o, "parameters");
		json_open(&s->o, '{');
		if (s->r->dimensions.is_set)
			json_pair_i64(&s->o, "outputDimensionality", s->r->dimensions.v);
		if (span_is_set(truncate))
			json_pair_bool(&s->o, "autoTruncate", !span_is(truncate, "none"));
		json_close(&s->o, '}');
	}
	return scribe_extra(s, &s->r->extra, "", KNOWN_IN_INSTANCE);
}

/* What only predicting can be told, and what nobody can. */
static enum err drop_unknown(struct scribe *s, bool is_predicted)
{
	const struct span truncate = s->r->truncate;
	enum err err = OK;
	if (span_is_set(s->r->user))
		err = scribe_drop(
			s, "user", "%.*s does not know user", SPAN_ARG(s->target->provider));
	if (!err && is_predicted && span_is(truncate, "start"))
		err = scribe_drop(
			s, "truncate", "%.*s cuts at the end", SPAN_ARG(s->target->provider));
	if (!err && !is_predicted && span_is_set(truncate) && !span_is(truncate, "end"))
		err = scribe_drop(s, "truncate",
			"%.*s cuts what is too long at its end, and cannot be told otherwise",
			SPAN_ARG(s->target->provider));
	return err;
}

enum err gemini_encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	const bool is_vertex = target->quirks.has_predict;
	const bool is_predicted = is_vertex && !target->quirks.has_image_inputs;
	(void)env;
	json_open(&s.o, '{');
	enum err err = embeddings_prepare(&s);
	if (!err)
		err = drop_unknown(&s, is_predicted);
	if (!err)
		err = is_predicted ? put_instances(&s)
		      : is_vertex  ? put_request(&s, 0)
				   : put_batch(&s);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = gemini_put_address(&s,
			is_predicted ? "predict"
			: is_vertex  ? "embedContent"
				     : "batchEmbedContents",
			NULL, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}

/* AI Studio counts a whole request; Vertex AI counts contents, and what goes with them. */
enum err gemini_encode_count(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	static const char *const counted[] = {
		"contents", "systemInstruction", "tools", "generationConfig", NULL};
	struct llm_request plain = *r;
	struct scribe s = {&plain, target, notes, why, json_to(&body)};
	struct http_request chat = {.n_headers = 0};
	plain.is_stream = false;
	enum err err = gemini_encode_request(&plain, target, env, notes, &chat, why);
	if (err)
		return err;
	if (target->quirks.has_predict) {
		err = counts_body(&s, chat.body, counted, &out->body);
	} else {
		OWNED(buf_done) struct buf name = BUF_INIT(KIB);
		gemini_put_model_name(target->model, &name);
		json_open(&s.o, '{');
		json_key(&s.o, "generateContentRequest");
		json_open(&s.o, '{');
		json_pair_str(&s.o, "model", buf_view(&name));
		err = counts_members(&s, chat.body, NULL);
		json_close(&s.o, '}');
		json_close(&s.o, '}');
		if (!err)
			err = buf_error(&body);
		if (!err)
			err = arena_dup(notes->arena, buf_view(&body), &out->body);
	}
	return err ? err : gemini_put_address(&s, "countTokens", NULL, out);
}
