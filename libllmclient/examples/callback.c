/* callback.c - an answer by callback: pieces to stdout, the bill to stderr. */
#include <llmclient.h>
#include <stdio.h>

static int on_event(const llm_event *ev, void *arg)
{
	size_t *pieces = arg;

	switch (llm_event_type_of(ev)) {
	case LLM_EV_TEXT:
		++*pieces;
		fputs(llm_event_text(ev, NULL), stdout);
		return fflush(stdout); /* whoever reads us has left: non-zero cancels */
	case LLM_EV_STATUS:
	case LLM_EV_WARNING:
		fprintf(stderr, "(%s)\n", llm_event_detail(ev, NULL));
		return 0;
	default: /* there will be others */
		return 0;
	}
}

int main(int argc, char **argv)
{
	llm_client *c = llm_client_new(NULL);
	llm_request *r = llm_request_new(argc > 2 ? argv[2] : NULL);
	size_t pieces = 0;

	llm_request_user(r, argc > 1 ? argv[1] : "Say hello in three languages.");
	llm_stream *s = llm_stream_start(c, r);
	const int code =
		s ? llm_stream_run(s, on_event, &pieces) : llm_error_code(llm_last_error(c));
	puts("");
	if (code == LLM_OK) {
		const llm_usage *u = llm_result_usage(llm_stream_result(s));
		fprintf(stderr, "%zu pieces, %lld tokens in, %lld out\n", pieces,
			(long long)llm_usage_input_tokens(u),
			(long long)llm_usage_output_tokens(u));
	} else {
		fprintf(stderr, "%s\n", llm_error_message(llm_last_error(c)));
	}
	llm_stream_free(s);
	llm_request_free(r);
	llm_client_free(c);
	return code != LLM_OK;
}
