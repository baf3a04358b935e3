/* event_json.c - one object an event, members in the order of the struct. */
#include "tests/lib/event_json.h"

static void put_opaque(struct json_out *o, const struct opaque *v)
{
	if (!span_is_set(v->family))
		return;
	json_key(o, "opaque");
	json_open(o, '{');
	json_pair_str(o, "family", v->family);
	json_pair_str(o, "model", v->model);
	json_pair_raw(o, "data", v->data);
	json_close(o, '}');
}

static void put_known(struct json_out *o, const char *name, int64_t v)
{
	if (v >= 0)
		json_pair_i64(o, name, v);
}

void event_json_usage(struct json_out *o, const struct llm_usage *u)
{
	put_known(o, "input", u->input);
	put_known(o, "cache_read", u->cache_read);
	put_known(o, "cache_write_5m", u->cache_write_5m);
	put_known(o, "cache_write_1h", u->cache_write_1h);
	put_known(o, "cache_write", u->cache_write);
	put_known(o, "output", u->output);
	put_known(o, "reasoning", u->reasoning);
	put_known(o, "audio_input", u->audio_input);
	put_known(o, "audio_output", u->audio_output);
	put_known(o, "image_input", u->image_input);
	put_known(o, "image_output", u->image_output);
	put_known(o, "cost_nusd", u->cost_nusd);
	put_known(o, "provider_cost_nusd", u->provider_cost_nusd);
}

static void put_part(struct json_out *o, const struct part *p)
{
	static const char *const types[] = {"text", "image", "audio", "file", "video", "refusal",
		"reasoning", "opaque", "tool_call"};
	json_key(o, "part");
	json_open(o, '{');
	json_pair_str(o, "type", span_str(types[p->type]));
	json_pair_str(o, "text", p->text);
	if (span_is_set(p->media.data)) {
		json_key(o, "data");
		json_put_base64(o, SPAN(""), p->media.data);
	}
	json_pair_str(o, "url", p->media.url);
	json_pair_str(o, "file_id", p->media.file_id);
	json_pair_str(o, "mime", p->media.mime);
	put_opaque(o, &p->opaque);
	json_pair_raw(o, "citations", p->citations);
	if (p->extra.n > 0) {
		json_key(o, "extra");
		json_open(o, '{');
		for (size_t i = 0; i < p->extra.n; i++) {
			json_key_text(o, p->extra.members[i].name);
			json_put_raw(o, p->extra.members[i].json);
		}
		json_close(o, '}');
	}
	json_close(o, '}');
}

static void put_body(struct json_out *o, const struct llm_event *e)
{
	switch (e->type) {
	case EV_START:
		json_pair_str(o, "id", e->start.id);
		json_pair_str(o, "model", e->start.model);
		json_pair_i64(o, "created_s", e->start.created_s);
		break;
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_TOOL_ARGS:
	case EV_LOGPROBS:
	case EV_RAW:
		json_pair_str(o, "text", e->text);
		break;
	case EV_OPAQUE:
		put_opaque(o, &e->opaque);
		break;
	case EV_TOOL_START:
		json_pair_str(o, "id", e->call.id);
		json_pair_str(o, "name", e->call.name);
		if (e->call.is_custom)
			json_pair_bool(o, "custom", true);
		put_opaque(o, &e->call.opaque);
		break;
	case EV_PART:
		put_part(o, &e->part);
		break;
	case EV_USAGE:
		event_json_usage(o, &e->usage);
		break;
	case EV_FINISH:
		json_pair_str(o, "finish", span_str(finish_name(e->finish.finish)));
		json_pair_str(o, "native", e->finish.native);
		json_pair_str(o, "matched_stop", e->finish.matched_stop);
		break;
	case EV_WARNING:
		json_pair_str(o, "code", e->warning.code);
		json_pair_str(o, "param", e->warning.param);
		json_pair_str(o, "message", e->warning.message);
		break;
	case EV_STATUS:
		json_pair_str(o, "status", e->status.word);
		json_pair_str(o, "text", e->status.detail);
		break;
	case EV_FAULT:
		json_pair_str(o, "class", span_str(err_info(e->fault->err)->word));
		if (e->fault->code[0])
			json_pair_str(o, "code", span_str(e->fault->code));
		if (e->fault->param[0])
			json_pair_str(o, "param", span_str(e->fault->param));
		if (e->fault->http_status)
			json_pair_i64(o, "status", e->fault->http_status);
		if (e->fault->retry_after_ms >= 0)
			json_pair_i64(o, "retry_after_ms", e->fault->retry_after_ms);
		if (e->fault->is_partial)
			json_pair_bool(o, "partial", true);
		json_pair_str(o, "message", span_str(e->fault->message));
		break;
	case EV_EMBEDDING:
		json_pair_i64(o, "index", e->embedding.index);
		json_key(o, "vector");
		json_open(o, '[');
		for (size_t i = 0; i < e->embedding.vector.n; i++)
			json_put_f64(o, e->embedding.vector.values[i]);
		json_close(o, ']');
		break;
	case EV_RANK:
		json_pair_i64(o, "index", e->rank.index);
		json_key(o, "score");
		json_put_f64(o, e->rank.score);
		break;
	case EV_COUNT:
		json_pair_i64(o, "input_tokens", e->count.input_tokens);
		json_pair_bool(o, "estimate", e->count.is_estimate);
		break;
	case EV_MODERATION:
		json_pair_i64(o, "index", e->moderation.index);
		json_pair_bool(o, "flagged", e->moderation.is_flagged);
		json_pair_raw(o, "categories", e->moderation.categories);
		json_pair_raw(o, "scores", e->moderation.scores);
		break;
	case EV_MODEL:
		json_pair_str(o, "id", e->model.id);
		json_pair_str(o, "owner", e->model.owner);
		put_known(o, "context", e->model.context_tokens);
		put_known(o, "max_output", e->model.max_output_tokens);
		put_known(o, "created", e->model.created_s ? e->model.created_s : -1);
		break;
	case EV_TOOL_END:
	case EV_HEAD:
	case EV_END:
		break;
	}
}

void event_json(struct buf *out, const struct llm_event *e)
{
	struct json_out o = json_to(out);
	json_open(&o, '{');
	json_pair_str(&o, "event", span_str(event_name(e->type)));
	if (e->choice)
		json_pair_i64(&o, "choice", e->choice);
	if (e->type == EV_TOOL_START || e->type == EV_TOOL_ARGS || e->type == EV_TOOL_END)
		json_pair_i64(&o, "tool", e->tool);
	put_body(&o, e);
	json_close(&o, '}');
}
