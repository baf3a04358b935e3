/* broker.c - one client, one question, one answer. */
#include "libllmclient/cli/broker.h"

#include <stdlib.h>

#define QUESTION_BYTES      ((size_t)256 * 1024)
#define LONG_QUESTION_BYTES ((size_t)32 * 1024 * 1024) /* the broker says how much it takes */

llm_client *broker_client(const struct common *o)
{
	llm_options options = LLM_OPTIONS_INIT;
	options.socket_path = o->socket;
	options.app_name = "llmb";
	llm_client *c = llm_client_new(&options);
	if (!c) {
		say_err("llmb: %s, or too many open files", llm_strerror(LLM_E_NOMEM));
		exit(EXIT_BAD);
	}
	return c;
}

void question_begin(struct question *q)
{
	buf_init(&q->text, QUESTION_BYTES);
	/* a secret may go in: growing would leave copies of it behind */
	(void)buf_reserve(&q->text, QUESTION_BYTES);
	q->out = json_to(&q->text);
	json_open(&q->out, '{');
}

void question_begin_long(struct question *q)
{
	buf_init(&q->text, LONG_QUESTION_BYTES);
	q->out = json_to(&q->text);
	json_open(&q->out, '{');
}

void answer_done(struct answer *a)
{
	llm_free(a->text);
	a->text = NULL;
}

static bool ask(const struct common *o, const char *op, const char *json, struct answer *a)
{
	struct fault why = FAULT_NONE;
	llm_client *c = broker_client(o);
	*a = (struct answer){.text = llm_admin_call(c, op, json)};
	if (!a->text) {
		a->exit_code = say_error(o, llm_last_error(c));
	} else if (json_scan(span_str(a->text), JSON_STRICT, &a->json, &why)) {
		a->exit_code = say_failure(
			o, EXIT_BAD, "the broker's answer is not JSON: %s", why.message);
		answer_done(a);
	}
	llm_client_free(c);
	return a->text != NULL;
}

bool broker_ask(const struct common *o, const char *op, struct question *q, struct answer *a)
{
	bool is_good;
	if (!q)
		return ask(o, op, "{}", a);
	json_close(&q->out, '}');
	buf_byte(&q->text, '\0');
	if (buf_error(&q->text)) {
		*a = (struct answer){.exit_code = say_failure(o, EXIT_USAGE,
					     "what was given is longer than it may be")};
		is_good = false;
	} else {
		is_good = ask(o, op, q->text.p, a);
	}
	buf_wipe(&q->text);
	return is_good;
}

bool broker_try(const struct common *o, const char *op, struct answer *a)
{
	llm_client *c = broker_client(o);
	*a = (struct answer){.text = llm_admin_call(c, op, "{}")};
	llm_client_free(c);
	if (a->text && json_scan(span_str(a->text), JSON_STRICT, &a->json, NULL) == OK)
		return true;
	answer_done(a);
	return false;
}

void say_answer(const struct answer *a)
{
	OWNED(buf_done) struct buf out = BUF_INIT(SAY_BYTES_MAX);
	buf_span(&out, a->json.text);
	buf_byte(&out, '\n');
	say_out(&out);
}

struct span text_of(struct json object, const char *name, struct arena *arena)
{
	struct span text;
	if (json_utf8(json_member(object, name), arena, &text) || !span_is_set(text))
		return SPAN("");
	return text;
}

int64_t number_of(struct json object, const char *name)
{
	int64_t v;
	return json_i64(json_member(object, name), &v) ? v : -1;
}

int broker_show(const struct command *self, int argc, char **argv, const char *op,
	void (*say)(const struct answer *a))
{
	struct common o = {.is_json = false};
	struct answer answer;
	char **words;
	int n;
	const int code = options_read_words(self, argc, argv, &o, 0, 0, &n, &words);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!broker_ask(&o, op, NULL, &answer))
		return answer.exit_code;
	if (o.is_json)
		say_answer(&answer);
	else
		say(&answer);
	answer_done(&answer);
	return EXIT_GOOD;
}
