/* inputs.c - vectors of texts and images. Ranks are asked for as everywhere. */
#include "brokerd/dialect/cohere/cohere.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/said.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN " model texts inputs images input_type embedding_types output_dimension truncate "

static void put_image(struct scribe *s, const struct media *m)
{
	json_pair_str(&s->o, "type", SPAN("image_url"));
	json_key(&s->o, "image_url");
	json_open(&s->o, '{');
	json_key(&s->o, "url");
	said_put_url(&s->o, m, "image/png");
	json_close(&s->o, '}');
}

/* What is not all text is a list of contents. */
static void put_contents(struct scribe *s)
{
	json_key(&s->o, "inputs");
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++) {
		const struct part *p = &s->r->inputs[i];
		json_open(&s->o, '{');
		json_key(&s->o, "content");
		json_open(&s->o, '[');
		json_open(&s->o, '{');
		if (p->type == PART_IMAGE) {
			put_image(s, &p->media);
		} else {
			json_pair_str(&s->o, "type", SPAN("text"));
			json_pair_str(&s->o, "text", p->text);
		}
		json_close(&s->o, '}');
		json_close(&s->o, ']');
		json_close(&s->o, '}');
	}
	json_close(&s->o, ']');
}

void cohere_put_inputs(struct scribe *s)
{
	bool is_text = true;
	for (size_t i = 0; i < s->r->n_inputs; i++)
		is_text = is_text && s->r->inputs[i].type == PART_TEXT;
	if (!is_text) {
		put_contents(s);
		return;
	}
	json_key(&s->o, "texts");
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++)
		json_put_str(&s->o, s->r->inputs[i].text);
	json_close(&s->o, ']');
}

enum err cohere_put_input_type(struct scribe *s)
{
	const struct span word = embeddings_type(INPUT_TYPES_COHERE, s->r->input_type);
	if (!span_is_set(word))
		return embeddings_put_default_type(s, SPAN("search_document"));
	json_pair_str(&s->o, "input_type", word);
	return OK;
}

void cohere_put_truncate(struct scribe *s)
{
	const struct span where = s->r->truncate;
	if (span_is_set(where))
		json_pair_str(&s->o, "truncate",
			span_is(where, "none")    ? SPAN("NONE")
			: span_is(where, "start") ? SPAN("START")
						  : SPAN("END"));
}

enum err cohere_encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = embeddings_prepare(&s);
	cohere_put_inputs(&s);
	if (!err)
		err = cohere_put_input_type(&s);
	json_key(&s.o, "embedding_types");
	json_put_raw(&s.o, SPAN("[\"float\"]"));
	if (!err)
		err = embeddings_put_dimensions(&s);
	cohere_put_truncate(&s);
	if (!err && span_is_set(r->user))
		err = scribe_drop(
			&s, "user", "%.*s does not know user", SPAN_ARG(target->provider));
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/embed", .op = "embed"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
