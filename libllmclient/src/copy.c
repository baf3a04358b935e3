/* copy.c - how does a request become two? All that builder calls can have put there, put there again. */
#include "libllmclient/src/grow.h"
#include "libllmclient/src/request.h"

static bool fill_part(struct builder *b, const struct part *from, struct part *to)
{
	to->call.is_custom = from->call.is_custom;
	to->is_summary = from->is_summary;
	return builder_text(b, from->text, &to->text) &&
	       builder_media(b, &from->media, &to->media) &&
	       builder_opaque(b, &from->opaque, &to->opaque) &&
	       builder_text(b, from->call.id, &to->call.id) &&
	       builder_text(b, from->call.name, &to->call.name) &&
	       builder_text(b, from->call.arguments, &to->call.arguments) &&
	       builder_text(b, from->cache, &to->cache) &&
	       builder_text(b, from->citations, &to->citations) &&
	       builder_extra(b, &from->extra, &to->extra);
}

static bool copy_part(struct builder *b, struct message *m, const struct part *from)
{
	struct part *to = builder_part(b, m, from->type);
	return to && fill_part(b, from, to);
}

static bool copy_inputs(struct builder *b, const struct llm_request *from)
{
	struct llm_request *to = &b->request;
	for (size_t i = 0; i < from->n_inputs; i++) {
		if (!GROW(&b->arena, to->inputs, to->n_inputs))
			return false;
		struct part *part = &to->inputs[to->n_inputs++];
		*part = (struct part){.type = from->inputs[i].type};
		if (!fill_part(b, &from->inputs[i], part))
			return false;
	}
	to->top_n = from->top_n;
	to->dimensions = from->dimensions;
	return builder_text(b, from->query, &to->query) &&
	       builder_text(b, from->input_type, &to->input_type) &&
	       builder_text(b, from->truncate, &to->truncate);
}

static bool copy_message(struct builder *b, const struct message *from)
{
	struct message *to = builder_message(b, from->role);
	if (!to)
		return false;
	to->is_error = from->is_error;
	if (!builder_text(b, from->name, &to->name) ||
		!builder_text(b, from->tool_call_id, &to->tool_call_id) ||
		!builder_extra(b, &from->extra, &to->extra))
		return false;
	for (size_t i = 0; i < from->n_parts; i++) {
		if (!copy_part(b, to, &from->parts[i]))
			return false;
	}
	return true;
}

static bool copy_tools(struct builder *b, const struct llm_request *from)
{
	for (size_t i = 0; i < from->n_tools; i++) {
		const struct tool *tool = &from->tools[i];
		if (!GROW(&b->arena, b->request.tools, b->request.n_tools))
			return false;
		struct tool *to = &b->request.tools[b->request.n_tools++];
		*to = (struct tool){.type = tool->type};
		if (!builder_text(b, tool->name, &to->name) ||
			!builder_text(b, tool->description, &to->description) ||
			!builder_text(b, tool->parameters, &to->parameters))
			return false;
	}
	return true;
}

static bool copy_texts(
	struct builder *b, const struct span *from, size_t n, struct span **to, size_t *n_to)
{
	for (size_t i = 0; i < n; i++) {
		if (!GROW(&b->arena, *to, *n_to) || !builder_text(b, from[i], &(*to)[*n_to]))
			return false;
		++*n_to;
	}
	return true;
}

static bool copy_request(struct builder *b, const struct llm_request *from)
{
	struct llm_request *to = &b->request;
	to->max_tokens = from->max_tokens;
	to->temperature = from->temperature;
	to->on_unsupported = from->on_unsupported;
	to->response_format.type = from->response_format.type;
	to->tool_choice.mode = from->tool_choice.mode;
	if (!builder_text(b, from->model, &to->model) ||
		!builder_text(b, from->reasoning.effort, &to->reasoning.effort) ||
		!builder_text(b, from->response_format.name, &to->response_format.name) ||
		!builder_text(b, from->response_format.schema, &to->response_format.schema) ||
		!builder_extra(b, &from->extra, &to->extra) || !copy_tools(b, from) ||
		!copy_inputs(b, from) ||
		!copy_texts(b, from->stop, from->n_stop, &to->stop, &to->n_stop) ||
		!copy_texts(b, from->tool_choice.names, from->tool_choice.n_names,
			&to->tool_choice.names, &to->tool_choice.n_names))
		return false;
	for (size_t i = 0; i < from->n_messages; i++) {
		if (!copy_message(b, &from->messages[i]))
			return false;
	}
	return true;
}

static bool copy_surface(struct builder *b, const struct surface_call *from)
{
	struct surface_call *to = &b->surface;
	for (size_t i = 0; i < from->n_headers; i++) {
		if (!GROW(&b->arena, to->headers, to->n_headers))
			return false;
		struct string_pair *header = &to->headers[to->n_headers++];
		if (!builder_text(b, from->headers[i].key, &header->key) ||
			!builder_text(b, from->headers[i].value, &header->value))
			return false;
	}
	return builder_text(b, from->surface, &to->surface) &&
	       builder_text(b, from->provider, &to->provider) &&
	       builder_text(b, from->method, &to->method) &&
	       builder_text(b, from->path, &to->path) && builder_text(b, from->query, &to->query) &&
	       builder_text(b, from->content_type, &to->content_type);
}

llm_request *llm_request_copy(const llm_request *r)
{
	if (!r)
		return NULL;
	const struct builder *from = builder_of(r);
	struct builder *b = builder_new(from->kind);
	if (!b)
		return NULL;
	b->timeout_ms = from->timeout_ms;
	b->max_cost_nusd = from->max_cost_nusd;
	b->is_at_most_once = from->is_at_most_once;
	b->is_batch = from->is_batch;
	b->is_body_later = from->is_body_later;
	b->later_bytes = from->later_bytes;
	b->op = from->op;
	b->is_model_open = from->is_model_open;
	b->cache = from->cache;
	if (!copy_request(b, r) || !copy_surface(b, &from->surface) ||
		!builder_extra(b, &from->options, &b->options) ||
		!copy_texts(b, from->tags, from->n_tags, &b->tags, &b->n_tags) ||
		!copy_texts(
			b, from->fallbacks, from->n_fallbacks, &b->fallbacks, &b->n_fallbacks) ||
		!builder_text(b, from->session, &b->session) ||
		!builder_text(b, from->admin_op, &b->admin_op) ||
		!builder_text(b, from->cache.name_space, &b->cache.name_space) ||
		!builder_text(b, from->token, &b->token) ||
		!builder_behalf_fd(b, from->behalf_fd) || !builder_text(b, from->body, &b->body)) {
		llm_request_free(&b->request);
		return NULL;
	}
	b->why = from->why; /* what failed there has failed here */
	return &b->request;
}
