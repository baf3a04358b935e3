#include <llmclient.h>
#include <stdio.h>
int main(void)
{
	llm_client *c = llm_client_new(NULL);
	llm_request *r = llm_request_new("default");
	const llm_event *ev;
	llm_request_user(r, "Say hello in three languages.");
	llm_stream *s = llm_stream_start(c, r);
	while (s && llm_stream_next(s, &ev) > 0)
		fputs(llm_event_text(ev, NULL), stdout);
	const int failed = llm_error_code(s ? llm_stream_error(s) : llm_last_error(c)) != LLM_OK;
	fprintf(stderr, "%s\n", failed ? llm_error_message(llm_last_error(c)) : "");
	return failed;
}
