/* test_client_memory.c - what happens when memory runs out, and what is left when all is freed? */
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fake_client.h"

/* The fake broker shares the library's code but not its memory: only this thread's is counted. */
static _Thread_local bool is_counted;
static long n_taken, n_live, fail_at; /* fail_at 0: never */
static bool is_lasting;               /* memory that is out stays out */

static void *count_memory(void *p, size_t n, void *arg)
{
	(void)arg;
	if (!is_counted)
		return n > 0 ? realloc(p, n) : (free(p), NULL);
	if (n == 0) {
		n_live -= p != NULL;
		free(p);
		return NULL;
	}
	n_taken++;
	if (n_taken == fail_at || (is_lasting && fail_at > 0 && n_taken > fail_at))
		return NULL;
	void *grown = realloc(p, n);
	n_live += grown && !p;
	return grown;
}

/* ---- the nth allocation fails ---- */

static void tool_script(struct fake_call *c, void *arg)
{
	(void)arg;
	struct llm_event call = {.type = EV_TOOL_START};
	if (c->call.kind == CALL_ADMIN) {
		fake_json(c->to, "{\"models\":[]}");
		return;
	}
	call.call.id = SPAN("call_1");
	call.call.name = SPAN("f");
	fake_text(c->to, "hello");
	fake_event(c->to, &call);
	const struct llm_event args = {.type = EV_TOOL_ARGS, .text = SPAN("{}")};
	fake_event(c->to, &args);
	const struct llm_event end = {.type = EV_TOOL_END};
	fake_event(c->to, &end);
	fake_end(c->to);
}

/* All that a program does in a day. True: everything worked. */
static bool a_day(const llm_options *o)
{
	static const char piece[400000];
	const llm_event *ev;
	bool is_good = false;
	llm_result *a = NULL;
	llm_stream *s = NULL;
	llm_request *copy = NULL, *relay = NULL;
	char *json = NULL, *text = NULL;
	llm_client *c = llm_client_new(o);
	llm_request *r = llm_request_new("fake/echo");
	if (!c || !r)
		goto done;
	(void)llm_request_system(r, "be brief");
	(void)llm_request_user(r, "hi");
	(void)llm_request_attach(r, "a", NULL, "abc", 3);
	(void)llm_request_tool(r, "f", "does", "{\"type\":\"object\"}");
	(void)llm_request_stop(r, "END");
	(void)llm_request_extra_json(r, "k", "[1,{\"a\":2}]");
	if (llm_request_messages_json(r, "[{\"role\":\"user\",\"content\":\"x\",\"y\":1}]"))
		goto done;
	a = llm_chat(c, r);
	if (!a || llm_request_result(r, a) || llm_request_tool_result(r, "call_1", "4", 0))
		goto done;
	copy = llm_request_copy(r);
	if (!copy)
		goto done;
	s = llm_stream_start(c, copy);
	if (!s)
		goto done;
	while (llm_stream_next(s, &ev) > 0)
		;
	if (llm_error_code(llm_stream_error(s)))
		goto done;
	relay = llm_relay_new("openai.chat", "POST", NULL, NULL);
	if (!relay || llm_relay_body_later(relay, NULL, -1))
		goto done;
	llm_stream_free(s);
	s = llm_stream_start(c, relay);
	if (!s || llm_stream_body(s, piece, sizeof piece, 1) != (int64_t)sizeof piece)
		goto done;
	while (llm_stream_next(s, &ev) > 0)
		;
	if (llm_error_code(llm_stream_error(s)))
		goto done;
	json = llm_admin_call(c, "status", "{\"a\":1}");
	text = llm_ask(c, NULL, "hi");
	is_good = json && text && llm_client_models(c) && llm_client_info(c) &&
		  strcmp(text, "hello") == 0;
done:
	llm_free(json);
	llm_free(text);
	llm_result_free(a);
	llm_stream_free(s);
	llm_request_free(relay);
	llm_request_free(copy);
	llm_request_free(r);
	llm_client_free(c);
	return is_good;
}

/* A day in which the nth allocation fails, for each n. Returns how many were good all the same: an
 * arena asks for less where it cannot have much. */
static long days_without(const llm_options *o, long n_all, const char *name)
{
	long n_leaking = 0, n_good = 0;
	for (long n = 1; n <= n_all; n++) {
		fail_at = n;
		n_taken = n_live = 0;
		n_good += a_day(o);
		n_leaking += n_live != 0;
	}
	fail_at = 0;
	is_int(n_leaking, 0, "%s: whichever fails, nothing leaks", name);
	return n_good;
}

static void out_of_memory(void)
{
	const struct fake_options fake = {.script = tool_script};
	struct fake_broker *b = fake_start(&fake);
	llm_options o = options_for(b);
	o.max_retries = 0;
	is_counted = true;
	fail_at = 0;
	n_taken = n_live = 0;
	ok(a_day(&o), "a day with memory");
	is_int(n_live, 0, "and nothing of it stays");
	const long n_all = n_taken;
	ok(n_all > 30, "%ld allocations", n_all);
	const long n_good = days_without(&o, n_all, "once");
	ok(n_good < n_all / 2, "once: most days are told as lost: %ld of %ld", n_all - n_good,
		n_all);
	is_lasting = true;
	/* how frames arrive together makes a few more or fewer, towards the end of the day */
	is_int(days_without(&o, n_all * 9 / 10, "for good"), 0, "for good: all are");
	is_lasting = is_counted = false;
	fake_stop(b);
}

/* ---- for a long time ---- */

static int count_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void brief_script(struct fake_call *c, void *arg)
{
	(void)arg;
	fake_text(c->to, "hello");
	if (c->nth % 1000 == 999) {
		fake_goaway(c->to);
	}
	fake_end(c->to);
}

static void many_calls(void)
{
	const struct fake_options fake = {.script = brief_script};
	struct fake_broker *b = fake_start(&fake);
	const int fds = count_fds();
	is_counted = true;
	n_live = 0;
	llm_client *c = client_for(b);
	llm_request *r = question("hi");
	long live_early = 0;
	int n_good = 0;
	for (int i = 0; i < 10000; i++) {
		llm_stream *s = llm_stream_start(c, r);
		n_good += drain(s) == 0;
		llm_stream_free(s);
		if (i == 100)
			live_early = n_live;
	}
	is_int(n_good, 10000, "10,000 calls");
	ok(n_live <= live_early, "the last leaves no more memory than the hundredth: %ld, %ld",
		n_live, live_early);
	llm_request_free(r);
	llm_client_free(c);
	is_int(n_live, 0, "and the client none");
	is_counted = false;
	fake_stop(b);
	is_int(count_fds(), fds - 3, "nor a descriptor");
}

/* ---- secrets ---- */

#define CANARY "sk-canary-0123456789abcdef"

/* What is freed while it still holds the canary was not wiped. Each block is zeroed, and has its size
 * before it, so that all of it can be looked at. */
static long n_canaries;

struct block {
	size_t n;
	alignas(max_align_t) char bytes[];
};

static void *watch_memory(void *p, size_t n, void *arg)
{
	struct block *old = p ? container_of(p, struct block, bytes) : NULL;
	struct block *grown = n > 0 ? calloc(1, sizeof *grown + n) : NULL;
	(void)arg;
	if (n > 0 && !grown)
		return NULL;
	if (grown)
		grown->n = n;
	if (grown && old)
		memcpy(grown->bytes, old->bytes, old->n < n ? old->n : n);
	if (old && is_counted)
		n_canaries += memmem(old->bytes, old->n, CANARY, sizeof CANARY - 1) != NULL;
	free(old);
	return grown ? grown->bytes : NULL;
}

static void secrets_are_wiped(void)
{
	if (getenv("LLMB_WRAP")) {
		skip("a checker of memory minds that padding is looked at");
		return;
	}
	const struct fake_options fake = {.script = tool_script};
	struct fake_broker *b = fake_start(&fake);
	llm_client *c = client_for(b);
	is_counted = true;
	n_canaries = 0;
	char *json = llm_admin_call(c, "key.add", "{\"secret\":\"" CANARY "\"}");
	ok(json != NULL, "a key is added");
	llm_free(json);
	json = llm_admin_call(c, "status", NULL);
	llm_free(json);
	llm_client_free(c);
	is_int(n_canaries, 0, "no memory was given back with the key in it");
	is_counted = false;
	fake_stop(b);
}

int main(void)
{
	if (llm_set_allocator(count_memory, NULL) != LLM_OK)
		bail("no allocator");
	out_of_memory();
	many_calls();
	if (llm_set_allocator(watch_memory, NULL) != LLM_OK)
		bail("no allocator");
	secrets_are_wiped();
	return tap_done();
}
