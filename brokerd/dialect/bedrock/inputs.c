/* inputs.c - vectors, counts and ranks: what a model here is asked beside a conversation.
 *
 * Vectors are not conversed about: a model gets the body that its maker gave it, and the trait
 * `embed_body` says whose that is. Ranks are another host's, bedrock-agent-runtime, which is to be a
 * provider of its own. */
#include "brokerd/dialect/bedrock/bedrock.h"
#include "brokerd/dialect/counts.h"
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/ranking.h"
#include "brokerd/dialect/scribe.h"
#include "protocol/limits.h"

/* The names that are written here, for scribe_extra. */
#define KNOWN_IN_TITAN       " inputText dimensions "
#define KNOWN_IN_COHERE      " texts input_type truncate embedding_types output_dimension "
#define KNOWN_IN_NOVA        " taskType singleEmbeddingParams singleEmbeddingParams. "
#define KNOWN_IN_NOVA_PARAMS " embeddingPurpose embeddingDimension text "
#define KNOWN_IN_RERANK      " queries sources rerankingConfiguration "

/* "NONE" "START" "END"; absent: not said. */
static struct span truncate_word(struct span where)
{
	return !span_is_set(where)       ? SPAN_NONE
	       : span_is(where, "none")  ? SPAN("NONE")
	       : span_is(where, "start") ? SPAN("START")
					 : SPAN("END");
}

/* ---- a model's own body ---- */

static enum err put_titan(struct scribe *s)
{
	const struct llm_request *r = s->r;
	json_pair_str(&s->o, "inputText", r->inputs[0].text);
	enum err err = embeddings_put_dimensions(s);
	if (!err && span_is_set(r->truncate) && !span_is(r->truncate, "none"))
		err = scribe_drop(s, "truncate", "%.*s cannot be told to cut what is too long",
			SPAN_ARG(s->target->model));
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_TITAN);
}

static enum err put_cohere(struct scribe *s)
{
	const struct llm_request *r = s->r;
	struct span type = embeddings_type(INPUT_TYPES_COHERE, r->input_type);
	enum err err = OK;
	json_key(&s->o, "texts");
	json_open(&s->o, '[');
	for (size_t i = 0; i < r->n_inputs; i++)
		json_put_str(&s->o, r->inputs[i].text);
	json_close(&s->o, ']');
	if (!span_is_set(type)) {
		type = SPAN("search_document");
		err = scribe_change(s, "emulated", "input_type",
			"%.*s must be told what vectors are for: they are made for documents",
			SPAN_ARG(s->target->model));
	}
	json_pair_str(&s->o, "input_type", type);
	json_pair_str(&s->o, "truncate", truncate_word(r->truncate));
	json_key(&s->o, "embedding_types");
	json_put_raw(&s->o, SPAN("[\"float\"]"));
	if (!err)
		err = embeddings_put_dimensions(s);
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_COHERE);
}

/* What Nova calls the purpose of a vector. */
static struct span purpose_of(struct span type)
{
	static const struct {
		const char *ours, *theirs;
	} rows[] = {
		{"query",          "TEXT_RETRIEVAL"},
		{"document",       "GENERIC_INDEX" },
		{"classification", "CLASSIFICATION"},
		{"clustering",     "CLUSTERING"    },
		{"code_query",     "TEXT_RETRIEVAL"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (span_is(type, rows[i].ours))
			return span_str(rows[i].theirs);
	}
	return SPAN("GENERIC_INDEX");
}

static enum err put_nova(struct scribe *s)
{
	const struct llm_request *r = s->r;
	const struct span truncate = truncate_word(r->truncate);
	json_pair_str(&s->o, "taskType", SPAN("SINGLE_EMBEDDING"));
	json_key(&s->o, "singleEmbeddingParams");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "embeddingPurpose", purpose_of(r->input_type));
	if (r->dimensions.is_set)
		json_pair_i64(&s->o, "embeddingDimension", r->dimensions.v);
	json_key(&s->o, "text");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "truncationMode", span_is_set(truncate) ? truncate : SPAN("NONE"));
	json_pair_str(&s->o, "value", r->inputs[0].text);
	json_close(&s->o, '}');
	enum err err = scribe_extra_below(
		s, &r->extra, "", "singleEmbeddingParams.", KNOWN_IN_NOVA_PARAMS);
	json_close(&s->o, '}');
	return err ? err : scribe_extra(s, &r->extra, "", KNOWN_IN_NOVA);
}

static enum err put_body(struct scribe *s)
{
	const struct target *t = s->target;
	switch (t->quirks.embed_body) {
	case EMBED_BODY_TITAN:
		return put_titan(s);
	case EMBED_BODY_COHERE:
		return put_cohere(s);
	case EMBED_BODY_NOVA:
		return put_nova(s);
	case EMBED_BODY_UNKNOWN:
		break;
	}
	return scribe_refuse(s, "model",
		"which embeddings does %.*s make? Its name does not tell: set embed_body = titan, "
		"cohere or nova in [model \"%.*s/%.*s\"]",
		SPAN_ARG(t->model), SPAN_ARG(t->provider), SPAN_ARG(t->model));
}

enum err bedrock_encode_embed(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	static const struct place place = {.path = BEDROCK_PATH, .method = "invoke"};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	enum err err = embeddings_prepare(&s);
	if (!err && r->n_inputs > 1 && target->quirks.embed_body != EMBED_BODY_COHERE)
		err = scribe_refuse(&s, "inputs",
			"%.*s takes one text a request: set inputs_max = 1 in its section",
			SPAN_ARG(target->model));
	if (!err)
		err = put_body(&s);
	if (!err && span_is_set(r->user))
		err = scribe_drop(
			&s, "user", "%.*s does not know user", SPAN_ARG(target->provider));
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}

/* ---- counts ---- */

enum err bedrock_encode_count(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	static const struct place place = {.path = BEDROCK_PATH, .method = "count-tokens"};
	static const char *const keep[] = {"messages", "system", "toolConfig", NULL};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct llm_request plain = *r;
	struct scribe s = {&plain, target, notes, why, json_to(&body)};
	struct http_request chat = {.n_headers = 0};
	plain.is_stream = false;
	enum err err = bedrock_encode_request(&plain, target, env, notes, &chat, why);
	if (err)
		return err;
	notes->is_reply_streamed = false;
	json_open(&s.o, '{');
	json_key(&s.o, "input");
	json_open(&s.o, '{');
	json_key(&s.o, "converse");
	json_open(&s.o, '{');
	err = counts_members(&s, chat.body, keep);
	json_close(&s.o, '}');
	json_close(&s.o, '}');
	json_close(&s.o, '}');
	if (!err)
		err = buf_error(&body);
	if (!err)
		err = arena_dup(notes->arena, buf_view(&body), &out->body);
	return err ? err : scribe_address(&s, &place, out);
}

/* ---- ranks ---- */

static void put_text(struct scribe *s, const char *name, struct span text)
{
	json_key(&s->o, name);
	json_open(&s->o, '{');
	json_pair_str(&s->o, "text", text);
	json_close(&s->o, '}');
}

/* The model's whole name: what is none yet is a foundation model of the host's region. */
static enum err put_arn(struct scribe *s)
{
	OWNED(buf_done) struct buf arn = BUF_INIT(4 * KIB);
	struct span rest = s->target->base_url;
	const struct span before = SPAN("bedrock-agent-runtime.");
	const size_t at = span_find(rest, before);
	if (span_starts(s->target->model, SPAN("arn:"))) {
		buf_span(&arn, s->target->model);
	} else if (at == rest.n) {
		return scribe_refuse(s, "model",
			"ranks are made at bedrock-agent-runtime.REGION.amazonaws.com, which is to "
			"be a "
			"[provider] of its own");
	} else {
		rest = span_skip(rest, at + before.n);
		const struct span region = span_cut(&rest, '.');
		buf_print(&arn, "arn:aws:bedrock:%.*s::foundation-model/%.*s", SPAN_ARG(region),
			SPAN_ARG(s->target->model));
	}
	json_pair_str(&s->o, "modelArn", buf_view(&arn));
	return buf_error(&arn);
}

static enum err put_reranking(struct scribe *s)
{
	json_key(&s->o, "rerankingConfiguration");
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("BEDROCK_RERANKING_MODEL"));
	json_key(&s->o, "bedrockRerankingConfiguration");
	json_open(&s->o, '{');
	json_key(&s->o, "modelConfiguration");
	json_open(&s->o, '{');
	const enum err err = put_arn(s);
	json_close(&s->o, '}');
	if (s->r->top_n.is_set)
		json_pair_i64(&s->o, "numberOfResults", s->r->top_n.v);
	json_close(&s->o, '}');
	json_close(&s->o, '}');
	return err;
}

static void put_sources(struct scribe *s)
{
	json_key(&s->o, "queries");
	json_open(&s->o, '[');
	json_open(&s->o, '{');
	json_pair_str(&s->o, "type", SPAN("TEXT"));
	put_text(s, "textQuery", s->r->query);
	json_close(&s->o, '}');
	json_close(&s->o, ']');
	json_key(&s->o, "sources");
	json_open(&s->o, '[');
	for (size_t i = 0; i < s->r->n_inputs; i++) {
		json_open(&s->o, '{');
		json_pair_str(&s->o, "type", SPAN("INLINE"));
		json_key(&s->o, "inlineDocumentSource");
		json_open(&s->o, '{');
		json_pair_str(&s->o, "type", SPAN("TEXT"));
		put_text(s, "textDocument", s->r->inputs[i].text);
		json_close(&s->o, '}');
		json_close(&s->o, '}');
	}
	json_close(&s->o, ']');
}

enum err bedrock_encode_rerank(const struct llm_request *r, const struct target *target,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	static const struct place place = {.path = "/rerank", .op = "rerank"};
	OWNED(buf_done) struct buf body = BUF_INIT(LIMIT_BODY_BYTES);
	struct scribe s = {r, target, notes, why, json_to(&body)};
	(void)env;
	json_open(&s.o, '{');
	enum err err = ranking_prepare(&s);
	put_sources(&s);
	if (!err)
		err = put_reranking(&s);
	if (!err)
		err = scribe_extra(&s, &r->extra, "", KNOWN_IN_RERANK);
	json_close(&s.o, '}');
	if (!err)
		err = scribe_finish(&s, &body, &out->body);
	if (!err)
		err = scribe_address(&s, &place, out);
	if (err == ERR_NO_MEMORY)
		(void)fault_set(why, err, "no memory for the provider's request");
	return err;
}
