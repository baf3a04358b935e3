/* stream.c - how does a program hold an answer in flight? */
#include "libllmclient/src/call.h"
#include "libllmclient/src/clock.h"
#include "protocol/base/list.h"

static void refuse(llm_client *c, const char *sentence)
{
	struct fault why;
	fault_set(&why, ERR_INVALID_ARGUMENT, "%s", sentence);
	client_fail(c, &why);
}

llm_stream *llm_stream_start(llm_client *c, const llm_request *r)
{
	struct fault why = FAULT_NONE;
	if (!c || client_is_forked(c))
		return NULL;
	if (!r) {
		refuse(c, "the request is NULL: llm_request_new() may have had no memory");
		return NULL;
	}
	struct llm_stream *s = stream_new(c, builder_of(r), true, &why);
	if (!s) {
		client_fail(c, &why);
		return NULL;
	}
	client_look(c);
	client_connect(c, clock_ms());
	return s;
}

void llm_stream_cancel(llm_stream *s)
{
	if (!s || client_is_forked(s->client))
		return;
	atomic_store(&s->is_cancelled, true);
	atomic_store(&s->client->has_cancels, true);
	client_poke(s->client);
}

const llm_result *llm_stream_result(const llm_stream *s)
{
	return s ? &s->result : NULL;
}

llm_result *llm_stream_take_result(llm_stream *s)
{
	if (!s || client_is_forked(s->client) || s->state != STREAM_ENDED)
		return NULL;
	return result_take(&s->result);
}

const llm_error *llm_stream_error(const llm_stream *s)
{
	if (!s)
		return NULL;
	return client_is_forked(s->client) ? &error_forked : &s->error;
}

const char *llm_stream_request_id(const llm_stream *s)
{
	return s ? s->result.request_id : NULL;
}

void llm_stream_set_data(llm_stream *s, void *data)
{
	if (s)
		s->data = data;
}

void *llm_stream_data(const llm_stream *s)
{
	return s ? s->data : NULL;
}

void llm_stream_set_callback(llm_stream *s, llm_event_fn fn, void *arg)
{
	if (!s)
		return;
	s->on_event = fn;
	s->on_event_arg = arg;
}

void llm_stream_free(llm_stream *s)
{
	struct fault why;
	if (!s)
		return;
	struct llm_client *c = s->client;
	if (!client_is_forked(c)) {
		fault_set(&why, ERR_CANCELLED, "%s", err_info(ERR_CANCELLED)->sentence);
		stream_stop(s, &why);
	}
	if (c->in_callback) {
		s->is_doomed = true;
		return;
	}
	LIST_REMOVE(c->streams, s);
	stream_free(s);
}
