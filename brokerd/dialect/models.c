/* models.c - ids out of a list, in its order, and what else it says of each. */
#include "brokerd/dialect/models.h"

#include "brokerd/dialect/usage.h"
#include "brokerd/dialect/whole.h"
#include "brokerd/value/ops.h"
#include "protocol/limits.h"

static struct json list_in(struct json v)
{
	static const char *const names[] = {"data", "models", "modelSummaries"};
	const struct json list = whole_list(v, names, COUNT_OF(names));
	return json_is_nil(list) ? v : list;
}

static struct json id_in(struct json entry)
{
	static const char *const names[] = {"id", "name", "modelId", "model"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		const struct json id = json_member(entry, names[i]);
		if (json_kind(id) == JSON_STRING)
			return id;
	}
	return json_kind(entry) == JSON_STRING ? entry : JSON_NONE;
}

/* Some write "models/" before each. */
static enum err read_id(struct json v, struct arena *a, struct span *out)
{
	const enum err err = json_utf8(v, a, out);
	if (!err && span_starts(*out, SPAN("models/")))
		*out = span_skip(*out, strlen("models/"));
	return err;
}

/* ---- the reply ---- */

/* The first of the members, each "name" or "outer.name", that is a count. */
static int64_t find_count(struct json entry, const char *const *names, size_t n)
{
	int64_t v = -1;
	for (size_t i = 0; i < n && v < 0; i++) {
		struct span rest = span_str(names[i]);
		const struct span first = span_cut(&rest, '.');
		struct json at = entry;
		if (span_is_set(rest)) {
			char outer[32];
			fault_text(outer, sizeof outer, first);
			at = json_member(entry, outer);
		}
		usage_member(at, span_is_set(rest) ? rest.p : first.p, NULL, &v);
	}
	return v;
}

static enum err read_facts(struct whole *w, struct json entry, struct listed_model *m)
{
	static const char *const contexts[] = {"context_length", "max_context_length",
		"context_window", "max_model_len", "inputTokenLimit", "max_input_tokens",
		"limits.max_input_tokens", "meta.n_ctx_train"};
	static const char *const outputs[] = {"max_completion_tokens", "outputTokenLimit",
		"top_provider.max_completion_tokens", "limits.max_output_tokens",
		"max_output_tokens"};
	m->context_tokens = find_count(entry, contexts, COUNT_OF(contexts));
	m->max_output_tokens = find_count(entry, outputs, COUNT_OF(outputs));
	usage_member(entry, "created", NULL, &m->created_s);
	struct json owner = json_member(entry, "owned_by");
	if (json_kind(owner) != JSON_STRING)
		owner = json_member(entry, "providerName");
	return json_utf8(owner, w->arena, &m->owner);
}

/* Where the page that comes next begins, in the provider's own words. */
static enum err read_more(struct whole *w, struct json body)
{
	static const char *const names[] = {"nextPageToken", "next_page_token"};
	struct json more = json_is_true(json_member(body, "has_more"))
				   ? json_member(body, "last_id")
				   : JSON_NONE;
	for (size_t i = 0; i < COUNT_OF(names) && json_kind(more) != JSON_STRING; i++)
		more = json_member(body, names[i]);
	if (json_kind(more) != JSON_STRING || more.text.n == 2)
		return OK;
	return json_utf8(more, w->arena, &w->more);
}

static enum err read_models(struct whole *w, struct json body, struct fault *why)
{
	const struct json list = list_in(body);
	enum err err = OK;
	if (json_kind(list) != JSON_ARRAY)
		return whole_refuse(why, "a list of models that holds no list");
	if (!whole_room(w, whole_length(list)))
		return ERR_NO_MEMORY;
	for (struct json_walk each = json_each(list); !err && json_next(&each);) {
		struct llm_event *e = &w->results[w->n];
		const struct json id = id_in(each.value);
		if (json_kind(id) == JSON_STRING)
			err = read_id(id, w->arena, &e->model.id);
		if (err || e->model.id.n == 0)
			continue;
		e->type = EV_MODEL;
		err = read_facts(w, each.value, &e->model);
		w->n++;
	}
	return err ? err : read_more(w, body);
}

struct decoder *models_decoder_new(struct arena *a, const struct notes *notes,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)head;
	return whole_new(a, notes, env, read_models);
}

/* ---- the request ---- */

static enum err put_url(
	const struct target *t, const struct dialect *d, struct span page, struct buf *url)
{
	OWNED(buf_done) struct buf usual = BUF_INIT(256);
	struct span path;
	(void)ops_serve(t->quirks.ops, SPAN("models"), &path);
	buf_text(&usual, ops_version(t->path, span_str(d->models_path)));
	buf_text(&usual, d->models_path);
	if (buf_error(&usual))
		return buf_error(&usual);
	http_join_url(t->base_url, span_is_set(path) ? path : buf_view(&usual), url);
	if (!span_is_set(page))
		return buf_error(url);
	buf_byte(url, span_index(buf_view(url), '?') < url->n ? '&' : '?');
	buf_text(url, d->models_page ? d->models_page : "after");
	buf_byte(url, '=');
	http_escape(page, url);
	return buf_error(url);
}

enum err models_encode_request(const struct llm_request *r, const struct target *t,
	const struct dialect_env *env, struct notes *notes, struct http_request *out,
	struct fault *why)
{
	OWNED(buf_done) struct buf url = BUF_INIT(LIMIT_HEADERS_BYTES);
	const struct dialect *d = dialect_find(t->family);
	(void)r;
	notes->is_reply_streamed = false;
	if (!d || !d->models_path)
		return fault_set(
			why, ERR_UNSUPPORTED, "%.*s has no list of models", SPAN_ARG(t->provider));
	out->method = SPAN("GET");
	enum err err = put_url(t, d, env->page, &url);
	if (!err)
		err = arena_dup(notes->arena, buf_view(&url), &out->url);
	if (!err && !http_request_header(out, SPAN("accept"), SPAN("application/json")))
		err = ERR_INTERNAL;
	if (!err && span_is_set(t->quirks.api_version) &&
		!http_request_header(out, SPAN("anthropic-version"), t->quirks.api_version))
		err = ERR_INTERNAL;
	for (size_t i = 0; !err && i < t->n_headers; i++) {
		if (!http_request_header(out, t->headers[i].name, t->headers[i].value))
			err = ERR_INTERNAL;
	}
	return err;
}

const struct dialect_op models_op = {
	.encode_request = models_encode_request,
	.decoder_new = models_decoder_new,
	WHOLE_REPLY,
	.decode_request = models_decode_request,
	.encoder_new = models_encoder_new,
	WHOLE_ANSWER,
};
