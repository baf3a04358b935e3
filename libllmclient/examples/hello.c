#include <llmclient.h>
#include <stdio.h>
int main(void)
{
	llm_client *c = llm_client_new(NULL);
	llm_request *r = llm_request_new("default");
	llm_request_user(r, "Say hello in three languages.");
	llm_stream *s = llm_stream_start(c, r);
	const llm_event *ev;
	while (s && llm_stream_next(s, &ev) > 0)
		fputs(llm_event_text(ev, NULL), stdout);
	puts("");
	return s && !llm_error_code(llm_stream_error(s)) ? 0 : (fprintf(stderr, "%s\n", llm_error_message(llm_last_error(c))), 1);
}
