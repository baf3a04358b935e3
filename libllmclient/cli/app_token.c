/* app_token.c - the client's one connection is held as long as the token is wanted. */
#include "libllmclient/cli/app_token.h"

#include <stdio.h>

#include "libllmclient/cli/broker.h"
#include "libllmclient/cli/tool_env.h"

#define QUESTION_BYTES ((size_t)4096)
#define APP_NAME_BYTES 63 /* as many as an application's name has */

void app_token_init(struct app_token *t)
{
	*t = (struct app_token){.text = KEY_PLACEHOLDER};
}

static bool read_answer(struct app_token *t, const char *answer)
{
	struct json said;
	OWNED(arena_done) struct arena a;
	arena_init(&a, SAY_BYTES_MAX);
	if (json_scan(span_str(answer), JSON_STRICT, &said, NULL))
		return false;
	const struct span text = text_of(said, "token", &a), id = text_of(said, "id", &a);
	if (text.n == 0 || text.n >= sizeof t->text || id.n == 0 || id.n >= sizeof t->id)
		return false;
	(void)snprintf(t->text, sizeof t->text, "%.*s", SPAN_ARG(text));
	(void)snprintf(t->id, sizeof t->id, "%.*s", SPAN_ARG(id));
	return true;
}

/* As an application may be called, whatever the program is: no longer, and no dot in front. */
static void put_app(struct json_out *out, const char *name)
{
	char app[APP_NAME_BYTES + 1];
	(void)snprintf(app, sizeof app, "%s", name);
	if (app[0] == '.')
		app[0] = '_';
	json_pair_str(out, "app", span_str(app));
}

int app_token_new(struct app_token *t, const struct common *o, const char *app)
{
	OWNED(buf_done) struct buf body = BUF_INIT(QUESTION_BYTES);
	struct json_out out = json_to(&body);
	int code = EXIT_GOOD;
	json_open(&out, '{');
	put_app(&out, app);
	json_pair_bool(&out, "session", true);
	json_close(&out, '}');
	buf_byte(&body, '\0');
	llm_client *c = broker_client(o);
	char *answer = llm_admin_call(c, "token.new", body.p);
	if (answer && read_answer(t, answer))
		t->client = c;
	else if (answer)
		code = say_failure(
			o, EXIT_BAD, "the broker's answer has no token: nothing was started");
	else if (llm_error_code(llm_last_error(c)) != LLM_E_UNSUPPORTED)
		code = say_error(o, llm_last_error(c));
	llm_free(answer);
	if (!t->client)
		llm_client_free(c);
	return code;
}

void app_token_revoke(struct app_token *t)
{
	OWNED(buf_done) struct buf body = BUF_INIT(QUESTION_BYTES);
	struct json_out out = json_to(&body);
	if (!t->client)
		return;
	json_open(&out, '{');
	json_pair_str(&out, "id", span_str(t->id));
	json_close(&out, '}');
	buf_byte(&body, '\0');
	llm_free(llm_admin_call(
		t->client, "token.revoke", body.p)); /* else it ends with the connection */
	llm_client_free(t->client);
	app_token_init(t);
}
