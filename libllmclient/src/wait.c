/* wait.c - how does a program without a loop of its own get its answer? By one that lasts as long. */
#include "libllmclient/src/call.h"
#include "libllmclient/src/clock.h"
#include "libllmclient/src/whole.h"
#include "protocol/base/list.h"
#include "protocol/base/mem.h"

/* A wait for what cannot come. */
static int body_first(struct llm_client *c)
{
	struct fault why;
	fault_set(&why, ERR_INVALID_ARGUMENT,
		"there is no answer before the body is whole: send the rest by llm_stream_body()");
	return client_fail(c, &why);
}

int llm_stream_next(llm_stream *s, const llm_event **ev)
{
	if (!s || !ev)
		return LLM_E_INVAL;
	if (client_is_forked(s->client))
		return LLM_E_FORKED;
	for (;;) {
		stream_heed_cancel(s);
		const int got = stream_take(s, ev);
		if (got != LLM_E_AGAIN || client_never_blocks(s->client))
			return got;
		if (stream_wants_body(s))
			return body_first(s->client);
		client_step(s->client, -1);
	}
}

int llm_stream_run(llm_stream *s, llm_event_fn fn, void *arg)
{
	const llm_event *ev;
	int got;
	if (!s)
		return LLM_E_INVAL;
	struct llm_client *c = s->client;
	while ((got = llm_stream_next(s, &ev)) > 0) {
		c->in_callback++;
		const bool is_enough = fn && fn(ev, arg) != 0;
		c->in_callback--;
		if (s->is_doomed || c->is_doomed) {
			client_bury(c);
			return LLM_E_CANCELLED;
		}
		if (is_enough)
			llm_stream_cancel(s);
	}
	return got;
}

/* An answer as a whole, from a call that this owns. NULL: it failed, and the client knows why. */
static llm_result *whole(struct llm_client *c, struct llm_stream *s)
{
	const llm_event *ev;
	int got;
	client_look(c);
	client_connect(c, clock_ms());
	while ((got = llm_stream_next(s, &ev)) > 0)
		;
	llm_result *result = NULL;
	if (got == 0) {
		result = result_take(&s->result);
		if (!result) {
			struct fault why;
			fault_set(&why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
			client_fail(c, &why);
		}
	}
	llm_stream_free(s);
	return result;
}

/* NULL: it cannot be waited for here, or not be asked; the client knows why. */
static llm_result *ask_whole(
	struct llm_client *c, const struct builder *b, const struct admin_call *admin)
{
	struct fault why = FAULT_NONE;
	struct llm_stream *s = NULL;
	if (client_is_forked(c))
		return NULL;
	if (client_never_blocks(c))
		fault_set(&why, ERR_INVALID_ARGUMENT,
			"this waits for a whole answer, and the client has LLM_F_NONBLOCK");
	else if (!b && !admin)
		fault_set(&why, ERR_INVALID_ARGUMENT,
			"the request is NULL: llm_request_new() may have had no memory");
	else
		s = admin ? stream_new_admin(c, admin, &why) : stream_new(c, b, false, &why);
	if (s)
		return whole(c, s);
	client_fail(c, &why);
	return NULL;
}

llm_result *whole_of(llm_client *c, const llm_request *r, enum llm_op op)
{
	if (!c)
		return NULL;
	if (!r)
		return ask_whole(c, NULL, NULL);
	struct builder b = *builder_of(r); /* borrows all that it has from the request */
	b.op = op;
	return ask_whole(c, &b, NULL);
}

llm_result *llm_chat(llm_client *c, const llm_request *r)
{
	return whole_of(c, r, LLM_OP_CHAT);
}

/* The text of a result, as the caller's own. */
static char *take_text(struct llm_client *c, llm_result *a)
{
	if (!a)
		return NULL;
	const size_t n = a->text.n;
	char *text = mem_resize(NULL, n + 1);
	if (text) {
		memcpy(text, llm_result_text(a), n);
		text[n] = '\0';
	} else {
		struct fault why;
		fault_set(&why, ERR_NO_MEMORY, "%s", err_info(ERR_NO_MEMORY)->sentence);
		client_fail(c, &why);
	}
	llm_result_free(a);
	return text;
}

char *llm_ask(llm_client *c, const char *model, const char *prompt)
{
	if (!c)
		return NULL;
	llm_request *r = llm_request_new(model);
	if (r)
		llm_request_user(r, prompt); /* a failure sticks */
	llm_result *a = llm_chat(c, r);
	llm_request_free(r);
	return take_text(c, a);
}

char *llm_admin_call(llm_client *c, const char *op, const char *json)
{
	if (!c)
		return NULL;
	const struct admin_call admin = {op ? op : "", span_str(json ? json : "{}")};
	return take_text(c, ask_whole(c, NULL, &admin));
}

char *llm_admin_call_fds(llm_client *c, const char *op, const char *json, const int *fds, size_t n)
{
	struct fault why = FAULT_NONE;
	if (!c || llm_client_connect(c) != LLM_OK)
		return NULL;
	if (link_attach(c->link, fds, n))
		return llm_admin_call(c, op, json);
	fault_set(&why, ERR_INVALID_ARGUMENT, "up to %d open descriptors can be passed along",
		LINK_FDS);
	client_fail(c, &why);
	return NULL;
}

int llm_client_connect(llm_client *c)
{
	if (!c)
		return LLM_E_INVAL;
	if (client_is_forked(c))
		return LLM_E_FORKED;
	client_look(c);
	c->is_wanted = !c->link || c->link->state != LINK_UP;
	client_connect(c, clock_ms());
	while (c->is_wanted) {
		if (client_never_blocks(c)) {
			client_step(c, 0);
			return c->is_wanted ? LLM_E_AGAIN : c->link ? LLM_OK : c->error.code;
		}
		client_step(c, -1);
	}
	return c->link ? LLM_OK : c->error.code;
}
