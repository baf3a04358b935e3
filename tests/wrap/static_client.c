/* static_client.c - what can a program do that has the library, one socket, and nothing else?
 *
 *     static_client ask MODEL TEXT             streams the answer to stdout
 *     static_client try KIND OPERATION MODEL   KIND: typed, relay, native, admin; prints "ok" or the error's class
 *
 * Links to nothing at run time, so that it runs where there is no file but itself. */
#include <llmclient.h>
#include <stdio.h>
#include <string.h>

static int fail(llm_client *c, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, llm_error_message(llm_last_error(c)));
	return 1;
}

static int ask(llm_client *c, const char *model, const char *text)
{
	llm_request *r = llm_request_new(model);
	const llm_event *ev;
	llm_request_user(r, text);
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		return fail(c, "ask");
	while (llm_stream_next(s, &ev) > 0) {
		fputs(llm_event_text(ev, NULL), stdout);
		fflush(stdout);
	}
	const llm_error *error = llm_stream_error(s);
	if (llm_error_code(error))
		fprintf(stderr, "ask: %s: %s\n", llm_error_class(error), llm_error_message(error));
	const int code = llm_error_code(error) != 0;
	llm_stream_free(s);
	return code;
}

/* A request that would be good, if it may be made. */
static llm_request *request(const char *kind, const char *op, const char *model)
{
	char body[256];
	if (strcmp(kind, "native") == 0)
		return llm_native_new(op, "GET", "/v1/files", NULL);
	if (strcmp(kind, "relay") == 0) {
		llm_request *r = llm_relay_new(op, "POST", NULL, NULL);
		(void)snprintf(body, sizeof body,
			"{\"model\":\"%s\",\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
			"\"content\":\"x\"}]}",
			model);
		llm_relay_body(r, "application/json", body, strlen(body));
		return r;
	}
	llm_request *r = llm_request_new(strcmp(op, "models") == 0 ? NULL : model);
	llm_request_operation(r, op);
	if (strcmp(op, "chat") == 0 || strcmp(op, "count") == 0)
		llm_request_user(r, "x");
	else if (strcmp(op, "complete") == 0)
		llm_request_user(r, "x");
	else if (strcmp(op, "models") != 0)
		llm_request_input(r, "x");
	if (strcmp(op, "rerank") == 0)
		llm_request_query(r, "x");
	return r;
}

static const char *class_of(llm_client *c, const char *kind, const char *op, const char *model)
{
	static char word[64];
	const llm_event *ev;
	if (strcmp(kind, "admin") == 0) {
		char *json = llm_admin_call(c, op, "{}");
		const char *class = json ? "ok" : llm_error_class(llm_last_error(c));
		llm_free(json);
		return class;
	}
	llm_request *r = request(kind, op, model);
	llm_stream *s = llm_stream_start(c, r);
	llm_request_free(r);
	if (!s)
		return llm_error_class(llm_last_error(c));
	while (llm_stream_next(s, &ev) > 0)
		continue;
	const llm_error *error = llm_stream_error(s);
	(void)snprintf(
		word, sizeof word, "%s", llm_error_code(error) ? llm_error_class(error) : "ok");
	llm_stream_free(s);
	return word;
}

int main(int argc, char **argv)
{
	llm_options options = LLM_OPTIONS_INIT;
	options.app_name = "static_client";
	options.flags = LLM_F_NO_AUTOSTART;
	llm_client *c = llm_client_new(&options);
	if (!c || argc < 4 || (strcmp(argv[1], "ask") != 0 && argc < 5)) {
		fputs("usage: static_client ask MODEL TEXT | try KIND OPERATION MODEL\n", stderr);
		return 2;
	}
	int code = 0;
	if (strcmp(argv[1], "ask") == 0)
		code = ask(c, argv[2], argv[3]);
	else
		puts(class_of(c, argv[2], argv[3], argv[4]));
	llm_client_free(c);
	return code;
}
