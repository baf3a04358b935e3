/* loop.c - two answers at once in a program's own poll loop, which goes on doing other things. */
#include <llmclient.h>
#include <poll.h>
#include <stdio.h>

#define QUESTIONS 2

/* Prints what has come. Returns whether the answer is over. */
static int drain(llm_stream *s, int *code)
{
	const llm_event *ev;
	int got;

	while ((got = llm_stream_next(s, &ev)) > 0) {
		if (llm_event_type_of(ev) == LLM_EV_TEXT)
			printf("%s: %s\n", (const char *)llm_stream_data(s),
				llm_event_text(ev, NULL));
	}
	if (got == LLM_E_AGAIN)
		return 0;
	*code = got;
	return 1;
}

int main(void)
{
	static char names[QUESTIONS][8] = {"first", "second"};
	static const char *const questions[QUESTIONS] = {"Count to three.", "Name three colours."};
	llm_options o = LLM_OPTIONS_INIT;
	llm_stream *streams[QUESTIONS] = {NULL};
	int open = 0, failed = 0;

	o.flags = LLM_F_NONBLOCK;
	llm_client *c = llm_client_new(&o);
	for (int i = 0; i < QUESTIONS; i++) {
		llm_request *r = llm_request_new(NULL);
		llm_request_user(r, questions[i]);
		streams[i] = llm_stream_start(c, r);
		llm_stream_set_data(streams[i], names[i]);
		llm_request_free(r); /* the stream has its own copy */
		open += streams[i] != NULL;
		failed += streams[i] == NULL;
	}
	while (open > 0) {
		struct pollfd fd = {.fd = llm_client_fd(c), .events = POLLIN};
		if (poll(&fd, 1, llm_client_timeout_ms(c)) < 0 || llm_client_process(c) < 0)
			break;
		for (int i = 0; i < QUESTIONS; i++) {
			int code = LLM_OK;
			if (!streams[i] || !drain(streams[i], &code))
				continue;
			failed += code != LLM_OK;
			llm_stream_free(streams[i]);
			streams[i] = NULL;
			open--;
		}
	}
	if (open + failed > 0)
		fprintf(stderr, "%s\n", llm_error_message(llm_last_error(c)));
	llm_client_free(c);
	return open + failed > 0;
}
