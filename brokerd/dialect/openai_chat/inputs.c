/* inputs.c - what is asked beside a chat: vectors, ranks, verdicts. */
#include <stdio.h>

#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/said.h"
#include "protocol/limits.h"

#define KNOWN_IN_EMBED                                                                       \
	" model input dimensions output_dimension encoding_format input_type task truncate " \
	"truncation user "
#define KNOWN_IN_RERANK   " model query documents passages texts records topN top_n top_k "
#define KNOWN_IN_MODERATE " model input "

/* The body is written: it goes to the place, or what is wrong is told. */
static enum err finish(struct scribe *s, enum err err, struct buf *body, const struct place *place,
	struct http_request *out)
{
	json_close(&s->o, '}');
	if (!err)
		err = scribe_finish(s, body, &out->body);
	if (!err)
		err = scribe_address(s, place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(s->why, err, "no memory for the provider's request");
	return err;
}

/* ---- embeddings ---- */

/* An image: its bytes, or where they are. */
static void put_image(struct scribe *s, const struct media *m)
{
	json_open(&s->o, '{');
	json_key(&s->o, "image");
	if (span_is_set(m->data))
		json_put_base64(&s->o, SPAN(""), m->data);
	else
		json_put_str(&s->o, m->url);
	json_close(&s->o, '}');
}

static void put_inputs(struct scribe *s)
{
	json_key(&s->o, "input");
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++) {
		const struct part *p = &s->r->inputs[i];
		if (p->type == PART_IMAGE)
			put_image(s, &p->media);
		else
			json_put_str(&s->o, p->text);
	}
	json_close(&s->o, ']');
}

static enum err put_input_type(struct scribe *s)
{
	const enum input_types how = s->target->quirks.input_types;
	if (how == INPUT_TYPES_NONE)
		return OK; /* where no model knows of it, nothing is lost */
	const struct span word = embeddings_type(how, s->r->input_type);
	if (!span_is_set(word) && how == INPUT_TYPES_PASSAGE)
		return embeddings_put_default_type(s, SPAN("passage"));
	if (!span_is_set(s->r->input_type))
		return OK;
	if (!span_is_set(word))
		return scribe_drop(s, "input_type", "%.*s has no embeddings for \"%.*s\"",
			SPAN_ARG(s->target->provider), SPAN_ARG(s->r->input_type));
	json_pair_str(&s->o, how == INPUT_TYPES_JINA ? "task" : "input_type", word);
	return OK;
}

static enum err put_truncate(struct scribe *s)
{
	const struct span where = s->r->truncate;
	const bool is_cut = !span_is(where, "none");
	if (!span_is_set(where))
		return OK;
	switch (s->target->quirks.truncation) {
	case TRUNCATION_WORD:
		json_pair_str(&s->o, "truncate",
			!is_cut                   ? SPAN("NONE")
			: span_is(where, "start") ? SPAN("START")
						  : SPAN("END"));
		return OK;
	case TRUNCATION_SWITCH:
	case TRUNCATION_FLAG:
		json_pair_bool(&s->o,
			s->target->quirks.truncation == TRUNCATION_FLAG ? "truncate" : "truncation",
			is_cut);
		return span_is(where, "start") ? scribe_drop(s, "truncate", "%.*s cuts at the end",
							 SPAN_ARG(s->target->provider))
					       : OK;
	case TRUNCATION_NONE:
		break;
	}
	return is_cut ? scribe_drop(s, "truncate", "%.*s cannot be told to cut what is too long",
				SPAN_ARG(s->target->provider))
		      : OK;
}

enum err openai_chat_encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = embeddings_prepare(&s);
	put_inputs(&s);
	if (!err)
		err = embeddings_put_dimensions(&s);
	json_pair_str(&s.o, "encoding_format", target->quirks.embedding_format);
	notes->vectors = target->quirks.embedding_format;
	if (!err)
		err = put_input_type(&s);
	if (!err)
		err = put_truncate(&s);
	json_pair_str(&s.o, "user", r->user);
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN_IN_EMBED);
	return finish(&s, err, &body, &(struct place){.path = "/embeddings", .op = "embed"}, out);
}

/* ---- ranks ---- */

static void put_text_object(struct scribe *s, struct span text)
{
	json_open(&s->o, '{');
	json_pair_str(&s->o, "text", text);
	json_close(&s->o, '}');
}

static void put_record(struct scribe *s, size_t i)
{
	char id[24];
	(void)snprintf(id, sizeof id, "%zu", i);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "id", span_str(id));
	json_pair_str(&s->o, "content", s->r->inputs[i].text);
	json_close(&s->o, '}');
}

/* The query, and what is ranked by it. */
static void put_documents(struct scribe *s)
{
	static const char *const names[] = {[RERANK_DOCUMENTS] = "documents",
		[RERANK_PASSAGES] = "passages",
		[RERANK_TEXTS] = "texts",
		[RERANK_RECORDS] = "records"};
	const enum rerank_body how = s->target->quirks.rerank_body;
	json_key(&s->o, "query");
	if (how == RERANK_PASSAGES)
		put_text_object(s, s->r->query);
	else
		json_put_str(&s->o, s->r->query);
	json_key(&s->o, names[how]);
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++) {
		if (how == RERANK_PASSAGES)
			put_text_object(s, s->r->inputs[i].text);
		else if (how == RERANK_RECORDS)
			put_record(s, i);
		else
			json_put_str(&s->o, s->r->inputs[i].text);
	}
	json_close(&s->o, ']');
}

/* What is not asked of the provider is cut here: see ranking.h. */
static void put_top(struct scribe *s)
{
	const struct span field = s->target->quirks.top_field;
	if (!s->r->top_n.is_set || span_is(field, "none"))
		return;
	json_pair_i64(&s->o,
		span_is(field, "top_k")  ? "top_k"
		: span_is(field, "topN") ? "topN"
					 : "top_n",
		s->r->top_n.v);
}

enum err openai_chat_encode_rerank(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	put_documents(&s);
	put_top(&s);
	enum err err = ranking_prepare(&s);
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN_IN_RERANK);
	return finish(&s, err, &body, &(struct place){.path = "/rerank", .op = "rerank"}, out);
}

/* ---- verdicts ---- */

/* Texts are a list, with a verdict each. With an image it is a list of parts, judged as one. */
static enum err put_judged(struct scribe *s)
{
	const struct llm_request *r = s->r;
	bool has_image = false;
	for (size_t i = 0; i < r->n_inputs; i++)
		has_image = has_image || r->inputs[i].type == PART_IMAGE;
	if (!has_image) {
		put_inputs(s);
		return OK;
	}
	if (r->n_inputs > 1)
		return scribe_refuse(s, "inputs", "%.*s judges an image alone: one input a request",
			SPAN_ARG(s->target->provider));
	if (!s->target->quirks.is_openai)
		return scribe_refuse(
			s, "inputs[0]", "%.*s judges texts only", SPAN_ARG(s->target->provider));
	const struct media *m = &r->inputs[0].media;
	json_key(&s->o, "input");
	json_open(&s->o, '[');
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("image_url"));
	json_key(&s->o, "image_url");
	json_open(&s->o, '{');
	json_key(&s->o, "url");
	said_put_url(&s->o, m, "image/png");
	json_close(&s->o, '}');
	json_close(&s->o, '}');
	json_close(&s->o, ']');
	return OK;
}

enum err openai_chat_encode_moderate(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	notes->is_reply_streamed = false;
	notes->n_inputs = r->n_inputs;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = put_judged(&s);
	if (!err && span_is_set(r->user))
		err = scribe_drop(&s, "user", "moderation knows no user");
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN_IN_MODERATE);
	return finish(
		&s, err, &body, &(struct place){.path = "/moderations", .op = "moderate"}, out);
}
