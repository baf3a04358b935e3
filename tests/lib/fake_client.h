/* fake_client.h - how do tests make clients and requests in a line? */
#ifndef TESTS_LIB_FAKE_CLIENT_H
#define TESTS_LIB_FAKE_CLIENT_H
#include "llmclient.h"
#include "tests/lib/fake_broker.h"
#include "tests/lib/tap.h"

/* Options for a client of that broker, quick to give up. */
static inline llm_options options_for(const struct fake_broker *b)
{
	llm_options o = LLM_OPTIONS_INIT;
	o.socket_path = fake_socket(b);
	o.app_name = "test";
	o.connect_timeout_ms = 3000;
	return o;
}

static inline llm_client *client_with(const llm_options *o)
{
	llm_client *c = llm_client_new(o);
	if (!c)
		bail("no client");
	return c;
}

static inline llm_client *client_for(const struct fake_broker *b)
{
	const llm_options o = options_for(b);
	return client_with(&o);
}

static inline llm_request *question(const char *text)
{
	llm_request *r = llm_request_new("fake/echo");
	if (!r || llm_request_user(r, text) != LLM_OK)
		bail("no request");
	return r;
}

/* Starts a question. */
static inline llm_stream *ask(llm_client *c, const char *text)
{
	llm_request *r = question(text);
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		bail("no stream: %s", llm_error_message(llm_last_error(c)));
	return s;
}

/* Reads a stream to its end; what llm_stream_next() returned last. */
static inline int drain(llm_stream *s)
{
	const llm_event *ev;
	int got;
	while ((got = llm_stream_next(s, &ev)) > 0)
		;
	return got;
}

#endif
