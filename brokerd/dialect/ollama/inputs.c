/* inputs.c - vectors of texts. */
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/ollama/ollama.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN " model input truncate dimensions "

enum err ollama_encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	json_pair_str(&s.o, "model", target->model);
	enum err err = embeddings_prepare(&s);
	json_key(&s.o, "input");
	json_open(&s.o, '[');
	for (size_t i = 0; i < r->n_inputs; i++)
		json_put_str(&s.o, r->inputs[i].text);
	json_close(&s.o, ']');
	if (span_is_set(r->truncate))
		json_pair_bool(&s.o, "truncate", !span_is(r->truncate, "none"));
	if (!err && span_is(r->truncate, "start"))
		err = scribe_drop(
			&s, "truncate", "%.*s cuts at the end", SPAN_ARG(target->provider));
	if (!err)
		err = embeddings_put_dimensions(&s);
	if (!err && span_is_set(r->user))
		err = scribe_drop(
			&s, "user", "%.*s does not know user", SPAN_ARG(target->provider));
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &(struct place){.path = "/api/embed", .op = "embed"}, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
