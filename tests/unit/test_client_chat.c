/* test_client_chat.c - does a program get what a broker answers? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llmclient.h"
#include "tests/lib/fake_broker.h"
#include "tests/lib/tap.h"

static llm_client *client_of(const struct fake_broker *b)
{
	llm_options o = LLM_OPTIONS_INIT;
	o.socket_path = fake_socket(b);
	o.app_name = "test";
	llm_client *c = llm_client_new(&o);
	if (!c)
		bail("no client");
	return c;
}

static void whole_answer(void)
{
	struct fake_broker *b = fake_start(NULL);
	llm_client *c = client_of(b);
	llm_request *r = llm_request_new("offline/echo");
	is_int(llm_request_user(r, "hi"), 0, "a text is added");
	llm_result *a = llm_chat(c, r);
	ok(a != NULL, "an answer: %s", llm_error_message(llm_last_error(c)));
	is_str(llm_result_text(a), "hello", "its text");
	is_str(llm_result_stop_reason(a), "stop", "why it stopped");
	is_str(llm_result_provider(a), "fake", "who answered");
	is_str(llm_result_model(a), "echo", "which model");
	const llm_usage *u = llm_result_usage(a);
	is_int(llm_usage_input_tokens(u), 12, "input is all input");
	is_int(llm_usage_cached_tokens(u), 2, "cached");
	is_int(llm_usage_cache_write_tokens(u), -1, "not known is not zero");
	is_int(llm_usage_output_tokens(u), 34, "output and reasoning");
	is_int(llm_usage_reasoning_tokens(u), 4, "reasoning");
	is_int(llm_usage_cost_nanousd(u), 5600, "cost");
	is_int(llm_usage_ttft_us(u), 120, "time to the first piece");
	is_int(llm_usage_total_us(u), 3400, "time in all");
	llm_result_free(a);
	llm_request_free(r);

	char *text = llm_ask(c, NULL, "hi");
	is_str(text, "hello", "the short way");
	llm_free(text);
	is_int(fake_connections(b), 1, "one connection for both");
	llm_client_free(c);
	fake_stop(b);
}

int main(void)
{
	whole_answer();
	return tap_done();
}
