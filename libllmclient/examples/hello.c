/* hello.c - what does a whole program look like? */
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
	const llm_error *e = s ? llm_stream_error(s) : llm_last_error(c);
	return llm_error_code(e) ? fprintf(stderr, "%s\n", llm_error_message(e)) > 0 : puts("") < 0;
}
