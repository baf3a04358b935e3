/* incoming_inputs.c - what does a caller of this family ask beside a chat: vectors, ranks, verdicts? */
#include "brokerd/dialect/embeddings.h"
#include "brokerd/dialect/openai_chat/incoming.h"
#include "brokerd/dialect/openai_chat/openai_chat.h"

#define REQUEST(field) offsetof(struct llm_request, field)

/* ---- inputs ---- */

#define PART(field) offsetof(struct part, field)

static enum err read_image(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct part *part = field;
	part->type = PART_IMAGE;
	return openai_chat_read_bytes(in, at, v, &part->media);
}

/* {"text"} or {"image"}, or a part as a chat has it. */
static enum err read_object(
	struct intake *in, const struct at *at, struct json v, struct part *part)
{
	static const struct intake_row rows[] = {
		{"text",  intake_text, PART(text)},
		{"image", read_image,  0         },
	};
	enum err err;
	if (json_is_nil(json_member(v, "type")))
		err = intake_object(in, at, v, rows, COUNT_OF(rows), part, &part->extra, "");
	else
		err = openai_chat_read_part(in, at, v, part);
	if (err)
		return err;
	if (part->extra.n > 0) { /* nobody would write it again */
		const struct at here = at_member(at, part->extra.members[0].name);
		return intake_refuse(in, &here, "there is no such member");
	}
	if (part->type != PART_TEXT && part->type != PART_IMAGE)
		return intake_refuse(in, at, "a text or an image is wanted");
	return span_is_set(part->text) == (part->type == PART_TEXT)
		       ? OK
		       : intake_refuse(in, at, "a text or an image is wanted, one of the two");
}

static enum err read_input(struct intake *in, const struct at *at, struct json v, void *element)
{
	struct part *part = element;
	if (json_kind(v) == JSON_OBJECT)
		return read_object(in, at, v, part);
	return json_kind(v) == JSON_STRING ? intake_text(in, at, v, &part->text)
					   : intake_wrong(in, at, v, "a text");
}

static enum err read_list(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	const enum err err =
		intake_array(in, at, v, sizeof *r->inputs, read_input, &r->inputs, &r->n_inputs);
	return err || r->n_inputs > 0 ? err : intake_refuse(in, at, "at least one is wanted");
}

static enum err read_one_or_list(
	struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	if (json_kind(v) == JSON_ARRAY)
		return read_list(in, at, v, r);
	r->inputs = arena_array(in->arena, 1, sizeof *r->inputs);
	if (!r->inputs)
		return intake_no_memory(in);
	r->n_inputs = 1;
	return read_input(in, at, v, r->inputs);
}

/* ---- the rest ---- */

/* Hosts call some members otherwise; two such names must not say two things. */
static enum err check_same(struct intake *in, const struct at *at, bool is_same)
{
	return is_same ? OK : intake_refuse(in, at, "another member says this otherwise");
}

static enum err read_positive(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct opt_i64 *number = field;
	const struct opt_i64 before = *number;
	const enum err err = intake_i64(in, at, v, number);
	if (!err && number->v < 1)
		return intake_refuse(in, at, "this may not be less than 1");
	return err ? err : check_same(in, at, !before.is_set || before.v == number->v);
}

static enum err missing(struct intake *in, const char *name)
{
	return fault_param(in->why, ERR_INVALID_REQUEST, name,
		"a request of this kind must have the member \"%s\"", name);
}

static enum err read_body(struct intake *in, struct span body, const struct intake_row *rows,
	size_t n, struct llm_request *out)
{
	const struct at top = {.up = NULL};
	struct json v;
	*out = (struct llm_request){.model = SPAN_NONE};
	in->notes->form = ANSWER_WHOLE;
	const enum err err = intake_body(in, body, &v);
	return err ? err : intake_object(in, &top, v, rows, n, out, &out->extra, "");
}

/* ---- embeddings ---- */

static bool is_tokens(struct json v)
{
	for (struct json_walk w = json_each(v); json_next(&w);) {
		if (json_kind(w.value) != JSON_NUMBER)
			return false;
	}
	return json_kind(v) == JSON_ARRAY;
}

/* Tokens are one model's own. Some programs send nothing else: a host of this family gets them as they are,
 * and to every other they are refused (embeddings_prepare). */
static enum err read_embedded(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	struct json_walk first = json_each(v);
	const bool has_any = json_kind(v) == JSON_ARRAY && json_next(&first);
	if (!has_any ||
		(json_kind(first.value) != JSON_NUMBER && json_kind(first.value) != JSON_ARRAY))
		return read_one_or_list(in, at, v, r);
	size_t i = 0;
	if (json_kind(first.value) == JSON_NUMBER && !is_tokens(v))
		return intake_refuse(in, at, "texts, or tokens: not both");
	for (struct json_walk w = json_each(v);
		json_kind(first.value) == JSON_ARRAY && json_next(&w); i++) {
		const struct at here = at_index(at, i);
		if (!is_tokens(w.value))
			return intake_refuse(in, &here, "a list of tokens is wanted");
	}
	return intake_keep(in, &r->extra, "", SPAN(EMBEDDINGS_TOKENS), v.text);
}

static enum err read_encoding(struct intake *in, const struct at *at, struct json v, void *request)
{
	(void)request;
	in->notes->wants_base64 = json_is(v, "base64");
	return json_is(v, "base64") || json_is(v, "float")
		       ? OK
		       : intake_refuse(in, at, "float or base64 is wanted");
}

static enum err read_input_type(struct intake *in, const struct at *at, struct json v, void *field)
{
	struct span *type = field, word = SPAN_NONE;
	const struct span before = *type;
	const enum err err = intake_text(in, at, v, &word);
	if (err)
		return err;
	*type = embeddings_type_ours(word);
	if (!span_is_set(*type))
		return intake_refuse(in, at,
			"a word such as query, document, classification, clustering, similarity or "
			"code_query is wanted");
	return check_same(in, at, !span_is_set(before) || span_eq(before, *type));
}

/* A word, or whether it is cut at all. */
static enum err read_truncate(struct intake *in, const struct at *at, struct json v, void *field)
{
	static const char *const words[] = {"none", "start", "end"};
	struct span *where = field, word = SPAN_NONE;
	const struct span before = *where;
	bool is_cut = false;
	enum err err = OK;
	if (json_kind(v) == JSON_STRING)
		err = intake_text(in, at, v, &word);
	else
		err = intake_flag(in, at, v, &is_cut);
	if (err)
		return err;
	*where = json_kind(v) == JSON_STRING ? SPAN_NONE : is_cut ? SPAN("end") : SPAN("none");
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (span_is_nocase(word, words[i]))
			*where = span_str(words[i]);
	}
	if (!span_is_set(*where))
		return intake_refuse(in, at, "none, start, end, true or false is wanted");
	return check_same(in, at, !span_is_set(before) || span_eq(before, *where));
}

enum err openai_chat_decode_embed(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model",            intake_model,    REQUEST(model)     },
		{"input",            read_embedded,   0                  },
		{"dimensions",       read_positive,   REQUEST(dimensions)},
		{"output_dimension", read_positive,   REQUEST(dimensions)},
		{"encoding_format",  read_encoding,   0                  },
		{"input_type",       read_input_type, REQUEST(input_type)},
		{"task",             read_input_type, REQUEST(input_type)},
		{"truncate",         read_truncate,   REQUEST(truncate)  },
		{"truncation",       read_truncate,   REQUEST(truncate)  },
		{"user",             intake_text,     REQUEST(user)      },
	};
	struct intake in = {a, notes, why, SPAN(OPENAI_CHAT_FAMILY)};
	(void)call; /* everything is in the body */
	const enum err err = read_body(&in, body, rows, COUNT_OF(rows), out);
	if (err)
		return err;
	if (out->model.n == 0)
		return missing(&in, "model");
	return out->n_inputs > 0 || embeddings_are_tokens(out) ? OK : missing(&in, "input");
}

/* ---- ranks ---- */

static enum err read_return_documents(
	struct intake *in, const struct at *at, struct json v, void *request)
{
	(void)request;
	return intake_flag(in, at, v, &in->notes->wants_documents);
}

enum err openai_chat_decode_rerank(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model",            intake_model,          REQUEST(model)},
		{"query",            intake_text,           REQUEST(query)},
		{"documents",        read_list,             0             },
		{"top_n",            read_positive,         REQUEST(top_n)},
		{"return_documents", read_return_documents, 0             },
	};
	struct intake in = {a, notes, why, SPAN(OPENAI_CHAT_FAMILY)};
	(void)call;
	const enum err err = read_body(&in, body, rows, COUNT_OF(rows), out);
	if (err)
		return err;
	if (out->model.n == 0)
		return missing(&in, "model");
	if (!span_is_set(out->query))
		return missing(&in, "query");
	return out->n_inputs > 0 ? OK : missing(&in, "documents");
}

/* ---- verdicts ---- */

/* Texts have a verdict each, and parts have one together, for which there is no word of ours. */
static enum err read_judged(struct intake *in, const struct at *at, struct json v, void *request)
{
	struct llm_request *r = request;
	const enum err err = read_one_or_list(in, at, v, r);
	bool has_parts = false;
	for (struct json_walk w = json_each(v); json_next(&w);)
		has_parts = has_parts || json_kind(w.value) == JSON_OBJECT;
	if (!err && has_parts && r->n_inputs > 1)
		return intake_refuse(in, at,
			"several parts are judged together by their own provider alone: send one "
			"part, or texts");
	return err;
}

enum err openai_chat_decode_moderate(const struct surface_call *call, struct span body,
	struct arena *a, struct llm_request *out, struct notes *notes, struct fault *why)
{
	static const struct intake_row rows[] = {
		{"model", intake_model, REQUEST(model)},
		{"input", read_judged,  0             },
	};
	struct intake in = {a, notes, why, SPAN(OPENAI_CHAT_FAMILY)};
	(void)call;
	const enum err err = read_body(&in, body, rows, COUNT_OF(rows), out);
	if (err)
		return err;
	if (out->model.n == 0)
		out->model = SPAN("default"); /* whatever the provider has for it */
	return out->n_inputs > 0 ? OK : missing(&in, "input");
}
